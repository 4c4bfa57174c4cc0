//! Frozen parameters.

/// Whether a parameter's path is one of `freeze` or lies below one.
pub(crate) fn is_frozen(path: &str, freeze: &[String]) -> bool {
    freeze.iter().any(|frozen| {
        path.strip_prefix(frozen.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_freezes_itself_and_what_lies_below() {
        let freeze = ["blocks.1".to_string()];
        assert!(is_frozen("blocks.1", &freeze));
        assert!(is_frozen("blocks.1.conv.weight", &freeze));
        assert!(!is_frozen("blocks.10.conv.weight", &freeze));
        assert!(!is_frozen("classifier.weight", &freeze));
    }
}
