//! The colours of a picture: dark on light, or light on dark.

use strum::{Display, EnumString};

use crate::error::Error;

/// Whether a picture is for a light or a dark page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Display, EnumString)]
#[strum(
    serialize_all = "lowercase",
    parse_err_ty = Error,
    parse_err_fn = no_such_theme
)]
pub enum Theme {
    /// Dark on white.
    #[default]
    Light,
    /// Light on nearly black.
    Dark,
}

fn no_such_theme(name: &str) -> Error {
    Error::Input(format!(
        "there is no theme '{name}'; there are light and dark"
    ))
}

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Color(pub(super) u8, pub(super) u8, pub(super) u8);

impl Color {
    /// The colour at `place` from 0 to 1 on the way from this colour to another.
    pub(super) fn toward(self, other: Self, place: f64) -> Self {
        let mix = |from: u8, to: u8| {
            (f64::from(from) + (f64::from(to) - f64::from(from)) * place).round() as u8
        };
        Self(
            mix(self.0, other.0),
            mix(self.1, other.1),
            mix(self.2, other.2),
        )
    }

    /// Whether dark text stands out from it better than light text.
    pub(super) fn is_light(self) -> bool {
        let [r, g, b] = [self.0, self.1, self.2].map(f64::from);
        0.299 * r + 0.587 * g + 0.114 * b > 140.0
    }
}

impl Theme {
    /// The colour behind everything.
    pub(super) fn paper(self) -> Color {
        match self {
            Self::Light => Color(255, 255, 255),
            Self::Dark => Color(22, 24, 28),
        }
    }

    /// The colour of text and axes.
    pub(super) fn ink(self) -> Color {
        match self {
            Self::Light => Color(34, 34, 34),
            Self::Dark => Color(222, 224, 228),
        }
    }

    /// The colour of grid lines.
    pub(super) fn grid(self) -> Color {
        self.paper().toward(self.ink(), 0.16)
    }

    /// The colour of a line that shows one thing only.
    pub(super) fn accent(self) -> Color {
        match self {
            Self::Light => Color(31, 96, 176),
            Self::Dark => Color(110, 176, 255),
        }
    }

    /// The colour of line number `index` of several.
    pub(super) fn series(self, index: usize) -> Color {
        let colors = colorous::CATEGORY10;
        let color = colors[index % colors.len()];
        let color = Color(color.r, color.g, color.b);
        match self {
            Self::Light => color,
            Self::Dark => color.toward(Color(255, 255, 255), 0.25),
        }
    }
}
