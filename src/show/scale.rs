//! Round numbers along an axis.

/// A number along an axis, with its label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// Where it stands, in the axis's own units.
    pub(super) at: f64,
    /// What stands there.
    pub(super) label: String,
}

/// Round numbers from `low` to `high`, about `most` of them at most: 1, 2 or 5 times a power of ten apart.
pub(super) fn ticks(low: f64, high: f64, most: usize) -> Vec<Tick> {
    ticks_of(low, high, most, 0.0)
}

/// As [`ticks`], at whole numbers alone.
pub(super) fn whole_ticks(low: f64, high: f64, most: usize) -> Vec<Tick> {
    ticks_of(low, high, most, 1.0)
}

fn ticks_of(low: f64, high: f64, most: usize, least_step: f64) -> Vec<Tick> {
    let span = high - low;
    if !(span > 0.0 && span.is_finite()) {
        return vec![Tick {
            at: low,
            label: label(low, 0.0),
        }];
    }
    let step = round_up(span / most.max(1) as f64).max(least_step);
    // A limit that is a tick itself is not lost to rounding.
    let first = (low / step - 1e-6).ceil() as i64;
    let last = (high / step + 1e-6).floor() as i64;
    (first..=last)
        .map(|index| {
            let at = index as f64 * step;
            Tick {
                at,
                label: label(at, step),
            }
        })
        .collect()
}

/// The least of 1, 2 and 5 times a power of ten that is not below `value`.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= value * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// A number on an axis whose numbers are `step` apart: as many decimals as the step has, never "-0", and
/// powers of ten where zeros would fill the line.
fn label(value: f64, step: f64) -> String {
    let value = if value.abs() < step * 1e-6 {
        0.0
    } else {
        value
    };
    if value == 0.0 {
        return "0".to_string();
    }
    let decimals = match step > 0.0 {
        true => (-step.log10() - 1e-9).ceil().max(0.0) as usize,
        false => 3,
    };
    if value.abs() >= 1e6 || decimals > 4 {
        let text = format!("{value:.1e}");
        let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = mantissa.strip_suffix(".0").unwrap_or(mantissa);
        return format!("{mantissa}·10{}", superscript(power));
    }
    format!("{value:.decimals$}")
}

fn superscript(power: &str) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised = |c: char| match c.to_digit(10) {
        Some(digit) => DIGITS[digit as usize],
        None => '⁻',
    };
    power.chars().map(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, most: usize) -> Vec<String> {
        ticks(low, high, most)
            .into_iter()
            .map(|tick| tick.label)
            .collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            labels(0.0, 22_050.0, 5),
            ["0", "5000", "10000", "15000", "20000"]
        );
        assert_eq!(labels(-0.31, 0.31, 6), ["-0.2", "0", "0.2"]);
        assert_eq!(
            labels(0.0, 0.5, 5),
            ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]
        );
        assert_eq!(labels(-80.0, -0.5, 5), ["-80", "-60", "-40", "-20"]);
        assert_eq!(labels(0.0, 3e-7, 3), ["0", "1·10⁻⁷", "2·10⁻⁷", "3·10⁻⁷"]);
        assert_eq!(labels(0.0, 2.5e6, 3), ["0", "1·10⁶", "2·10⁶"]);
        assert_eq!(labels(2.0, 2.0, 3), ["2.000"]);
        let whole = whole_ticks(1.0, 3.0, 8);
        assert_eq!(whole.len(), 3, "{whole:?}");
    }

    #[test]
    fn no_axis_has_a_minus_zero() {
        for high in [1e-6, 0.07, 0.3, 1.0, 17.0, 123.0, 1e7] {
            let all = labels(-high, high, 7);
            assert!(all.contains(&"0".to_string()), "{all:?}");
            assert!(
                !all.iter()
                    .any(|text| text.starts_with("-0") && text.parse() == Ok(0.0))
            );
        }
    }
}
