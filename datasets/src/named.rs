//! Enumerations that people write by name.

/// An enumeration whose values are written by name, the same in configuration files, on the
/// command line and in messages.
macro_rules! named {
    (
        $(#[$doc:meta])*
        $name:ident, $field:literal { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// All values.
            pub const VALUES: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in files and messages.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::Error;

            fn from_str(text: &str) -> crate::Result<Self> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(crate::Error::Config {
                        field: $field,
                        value: text.to_owned(),
                        expected: concat!("one of" $(, " ", $text)+).to_owned(),
                    }),
                }
            }
        }
    };
}

pub(crate) use named;
