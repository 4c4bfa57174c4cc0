//! `~` in arguments that a shell does not look into, such as quoted ones and `--out=~/runs/a`.

use std::ffi::OsString;

/// An argument with the user's folder in place of a `~` in front of a path: at its beginning, or behind the
/// `=` of an option. (A SPEC looks for its own.)
pub(super) fn expanded(argument: OsString) -> OsString {
    let home = std::env::var("HOME").ok().filter(|home| !home.is_empty());
    match (argument.to_str(), home) {
        (Some(text), Some(home)) => at_home(text, &home).map_or(argument, OsString::from),
        _ => argument,
    }
}

fn at_home(text: &str, home: &str) -> Option<String> {
    let (option, path) = match text.split_once('=') {
        Some((option, path)) if option.starts_with("--") => (format!("{option}="), path),
        _ => (String::new(), text),
    };
    let rest = path.strip_prefix('~')?;
    let is_path = rest.is_empty() || rest.starts_with('/');
    is_path.then(|| format!("{option}{home}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_in_front_of_a_path_is_the_users_folder() {
        let found = |text| at_home(text, "/home/kim");
        assert_eq!(found("~/rec/*.wav").as_deref(), Some("/home/kim/rec/*.wav"));
        assert_eq!(
            found("--out=~/runs").as_deref(),
            Some("--out=/home/kim/runs")
        );
        assert_eq!(found("~").as_deref(), Some("/home/kim"));
        for other in ["~kim/rec", "a/~/b", "folder:~/rec", "a=~/b", "./~/b", ""] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
