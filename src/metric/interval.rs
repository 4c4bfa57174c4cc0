//! How sure a share is that was counted on few.

/// The 95 % quantile of the normal distribution, on both sides.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % confidence interval of a share of `count`, by Wilson's score: about where the share of
/// another, much larger set of the same kind is. From 0 to 1 if nothing was counted.
pub fn wilson(share: f64, count: usize) -> (f64, f64) {
    if count == 0 {
        return (0.0, 1.0);
    }
    let count = count as f64;
    let square = Z * Z / count;
    let middle = (share + square / 2.0) / (1.0 + square);
    let half = Z * (share * (1.0 - share) / count + square / (4.0 * count)).sqrt() / (1.0 + square);
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of none or all of `n` the formula is short: the other end is at `z² / (n + z²)` or `n / (n + z²)`.
    #[test]
    fn intervals_are_wilsons() {
        let (low, high) = wilson(0.0, 10);
        assert!(low == 0.0 && (high - Z * Z / (10.0 + Z * Z)).abs() < 1e-12);
        let (low, high) = wilson(1.0, 16);
        assert!(high == 1.0 && (low - 16.0 / (16.0 + Z * Z)).abs() < 1e-12);
        // Wilson 1927, by hand: 15 of 16.
        let (low, high) = wilson(15.0 / 16.0, 16);
        assert!((low - 0.7167).abs() < 1e-4 && (high - 0.9889).abs() < 1e-4);
        let (low, high) = wilson(0.5, 1000);
        assert!((low + high - 1.0).abs() < 1e-12 && high - low < 0.062);
        assert_eq!(wilson(0.0, 0), (0.0, 1.0));
    }
}
