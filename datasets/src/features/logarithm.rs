//! The natural logarithm, branch-free so that a loop over it becomes vector instructions.

use std::f32::consts::SQRT_2;

/// `ln x` within two units in the last place, or 1e-7 where it is near zero, for normal positive
/// `x`; infinite for infinite.
///
/// With `x = m · 2ⁿ` and `m` from 1/√2 to √2 it is `n ln 2 + 2 artanh s`, `s = (m − 1) / (m + 1)`,
/// whose series ends at `s⁹`: what follows is below 1e-9.
#[inline(always)]
fn ln(x: f32) -> f32 {
    /// ln 2 less its first bits, which `n` times are exact.
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    let bits = x.to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let mantissa = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000);
    let large = mantissa > SQRT_2;
    let m = if large { 0.5 * mantissa } else { mantissa };
    let n = (exponent + i32::from(large)) as f32;
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let series = z * (2.0 / 3.0 + z * (2.0 / 5.0 + z * (2.0 / 7.0 + z * (2.0 / 9.0))));
    let y = n * HIGH + (2.0 * s + (s * series + n * LOW));
    if x < f32::INFINITY { y } else { x }
}

/// `ln(max(x, floor))` of each value, in place; at most what is infinite stays infinite.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi2",
    "x86_64+avx2+fma+bmi2",
))]
pub(super) fn floored_ln(values: &mut [f32], floor: f32) {
    for x in values {
        *x = ln(if *x > floor { *x } else { floor });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_double_precision() {
        let mut x = 1.2e-38_f32;
        while x < 1e38 {
            let expected = f64::from(x).ln();
            let error = (f64::from(ln(x)) - expected).abs();
            assert!(
                error <= 1e-7_f64.max(2.4e-7 * expected.abs()),
                "ln({x}) is off by {error}"
            );
            x *= 1.0003;
        }
        for step in -20_000..20_000 {
            let x = 1.0 + step as f32 * 1e-5;
            let error = (f64::from(ln(x)) - f64::from(x).ln()).abs();
            assert!(error < 1e-7, "ln({x}) is off by {error}");
        }
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(f32::INFINITY), f32::INFINITY);
        assert!(ln(f32::NAN).is_nan());
    }
}
