//! `exp`, `ln` and `tanh` of single precision, branch-free so that loops over
//! them become vector instructions.

/// `eˣ` within two units in the last place; 0 below −87.3 and infinite above 88.7, as subnormal
/// results are not told from zero.
///
/// `eˣ = 2ⁿ · eʳ` with `n` the nearest whole number of `x / ln 2` and `r` the rest, at most
/// `ln 2 / 2`, whose exponential is Taylor's polynomial of degree 7 (its remainder is below 1e-9).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // ln 2 in two parts, so that n·ln 2 loses nothing: the first has few enough bits.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding and subtracting 1.5 · 2²³ rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;

    let clamped = x.clamp(-87.3, 88.8);
    let n = (clamped * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = (clamped - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut p = 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = (p * r) * r + r + 1.0;
    // 2ⁿ by its bits, in two factors, for n goes up to 128.
    let n = n as i32;
    let half = n >> 1;
    let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
    let y = p * power(half) * power(n - half);
    if x < -87.3 {
        0.0
    } else if x.is_nan() {
        x
    } else {
        y
    }
}

/// The natural logarithm of a normal number above zero, within 1.5e-7; that much of itself where
/// it is above one.
///
/// `ln x = n ln 2 + ln m` with `m` from √½ to √2, whose logarithm is `2 artanh s` with `s = (m − 1) /
/// (m + 1)`, at most 0.172: the odd Taylor polynomial of degree 9 (its remainder is below 1e-9).
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const ROOT_OF_HALF: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();

    let bits = x.to_bits().wrapping_sub(ROOT_OF_HALF);
    let n = (bits as i32 >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff) + ROOT_OF_HALF);
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let p = z * (2.0 / 3.0 + z * (2.0 / 5.0 + z * (2.0 / 7.0 + z * (2.0 / 9.0))));
    let y = n * LN_2_HIGH + (2.0 * s + (s * p + n * LN_2_LOW));
    if x < f32::INFINITY { y } else { x }
}

/// The hyperbolic tangent, within 3e-7.
///
/// Near zero, where `(e²ˣ − 1) / (e²ˣ + 1)` would cancel, by the odd Taylor polynomial of degree 9.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let s = x * x;
    let near =
        x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)))));
    let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
    if x.abs() < 0.25 { near } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_and_tanh_are_those_of_double_precision() {
        for i in -2_000_000..=2_000_000 {
            let x = i as f32 * 5e-5;
            let wide = f64::from(x);
            let e = wide.exp();
            if x > -87.3 && e < 3.4e38 {
                let error = (f64::from(exp(x)) - e).abs() / e;
                assert!(error < 2.4e-7, "exp({x}) is off by {error}");
            }
            let error = (f64::from(tanh(x)) - wide.tanh()).abs();
            assert!(error < 3e-7, "tanh({x}) is off by {error}");
        }
    }

    #[test]
    fn ln_is_that_of_double_precision() {
        let check = |x: f32| {
            let wide = f64::from(x).ln();
            let error = (f64::from(ln(x)) - wide).abs() / wide.abs().max(1.0);
            assert!(error < 1.5e-7, "ln({x}) is off by {error}");
        };
        for i in 1..=2_000_000 {
            check(i as f32 * 2e-6);
        }
        for exponent in -126..=127 {
            for mantissa in [1.0, 1.37, 1.414, 1.415, 1.999] {
                check(mantissa * 2f32.powi(exponent));
            }
        }
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(f32::INFINITY), f32::INFINITY);
        assert!(ln(f32::NAN).is_nan());
    }

    #[test]
    fn the_ends_of_the_line_are_where_they_belong() {
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(tanh(0.0), 0.0);
        assert_eq!(tanh(100.0), 1.0);
        assert_eq!(tanh(-100.0), -1.0);
        assert!(exp(f32::NAN).is_nan());
        assert!(tanh(f32::NAN).is_nan());
    }
}
