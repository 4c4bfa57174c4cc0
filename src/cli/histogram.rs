//! Counts as rows of bars.

use console::measure_text_width;

/// The cells of the longest bar.
const LONGEST: usize = 40;
/// Ranges of a histogram, about.
const RANGES: f64 = 10.0;

/// A row for each name and its count: the count, the name, and a bar as long as the count is large.
pub(super) fn bars(rows: &[(String, usize)]) -> Vec<String> {
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let widths = rows.iter().map(|(name, _)| measure_text_width(name));
    let width = widths.max().unwrap_or(0);
    let row = |(name, count): &(String, usize)| {
        let cells = (count * LONGEST).div_ceil(most.max(1));
        let blank = " ".repeat(width - measure_text_width(name));
        let bar = "█".repeat(cells);
        format!("{count:>7}  {name}{blank}  {bar}")
            .trim_end()
            .to_string()
    };
    rows.iter().map(row).collect()
}

/// The number of values in ranges of one round width, without ranges that have none.
pub(super) fn ranges(values: &[f64], unit: &str) -> Vec<(String, usize)> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !(least.is_finite() && most.is_finite()) {
        return Vec::new();
    }
    let step = round_step((most - least) / RANGES).max(0.01);
    let of = |value: f64| (value / step + 1e-9).floor();
    let first = of(least);
    let mut counts = vec![0; (of(most) - first) as usize + 1];
    for &value in values {
        counts[(of(value) - first) as usize] += 1;
    }
    let digits = (-step.log10()).ceil().clamp(0.0, 9.0) as usize;
    let name = |range: usize| {
        let start = (first + range as f64) * step;
        format!("{start:.digits$} – {:.digits$} {unit}", start + step)
    };
    let counts = counts.into_iter().enumerate();
    let some = counts.filter(|(_, count)| *count > 0);
    some.map(|(range, count)| (name(range), count)).collect()
}

/// The smallest of 1, 2 and 5, times a power of ten, that is not below a width.
fn round_step(width: f64) -> f64 {
    if width <= 0.0 {
        return 0.0;
    }
    let power = 10f64.powf(width.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let fits = steps.into_iter().find(|step| *step >= width * (1.0 - 1e-9));
    fits.unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_in_ranges_of_a_round_width() {
        let found = ranges(&[0.3, 0.31, 0.5, 2.2], "s");
        assert_eq!(found.first(), Some(&("0.2 – 0.4 s".to_string(), 2)));
        assert_eq!(found.last(), Some(&("2.2 – 2.4 s".to_string(), 1)));
        assert_eq!(found.iter().map(|(_, count)| count).sum::<usize>(), 4);
        assert_eq!(ranges(&[1.0, 1.0], "s"), [("1.00 – 1.01 s".to_string(), 2)]);
        assert!(ranges(&[], "s").is_empty());
        assert!(ranges(&[1.0, 3600.0], "s").len() <= 12);
    }

    #[test]
    fn bars_are_as_long_as_counts_are_large_and_stand_in_line() {
        let rows = [
            ("개".to_string(), 20),
            ("cat".to_string(), 1),
            ("x".to_string(), 0),
        ];
        let found = bars(&rows);
        assert_eq!(found[0], format!("     20  개   {}", "█".repeat(40)));
        assert_eq!(found[1], "      1  cat  ██");
        assert_eq!(found[2], "      0  x");
    }
}
