//! Numbers and times as text.

use std::time::Duration;

/// A duration as `1:05` or `2:03:04`.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A number with separators, such as `1,234,567`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number to four significant digits, without an exponent.
pub(crate) fn rounded(value: f64) -> String {
    if value == 0.0 {
        return "0".to_string();
    }
    let whole_digits = value.abs().log10().floor().clamp(-9.0, 3.0);
    format!("{value:.0$}", (3.0 - whole_digits) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(2_182_410), "2,182,410");
        assert_eq!(time(Duration::from_secs(65)), "1:05");
        assert_eq!(time(Duration::from_secs(7384)), "2:03:04");
    }

    #[test]
    fn numbers_are_shown_to_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (20.345_67, "20.35"),
            (-0.012_345, "-0.01235"),
            (123_456.7, "123457"),
            (1.0, "1.000"),
        ] {
            assert_eq!(rounded(value), text);
        }
    }
}
