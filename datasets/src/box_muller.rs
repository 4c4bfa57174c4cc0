//! Normal numbers from uniform ones, a vector of the processor at a time.
//!
//! The method is that of [Box and Muller (1958)](https://doi.org/10.1214/aoms/1177706645). Logarithm, sine and cosine
//! are power series in double precision. The numbers are within 4e-15 of those by the system's library, whose functions take
//! one argument at a time.

use std::f64::consts::{LN_2, SQRT_2, TAU};

/// The coefficients of the powers of `s²` in `ln((1 + s) / (1 − s)) / 2s`, from the highest on. With |s| at most 0.172
/// what is left out is below 1e-17.
const LOGARITHM: [f64; 12] = [
    1.0 / 23.0,
    1.0 / 21.0,
    1.0 / 19.0,
    1.0 / 17.0,
    1.0 / 15.0,
    1.0 / 13.0,
    1.0 / 11.0,
    1.0 / 9.0,
    1.0 / 7.0,
    1.0 / 5.0,
    1.0 / 3.0,
    1.0,
];
/// The coefficients of the powers of `x²` in `sin(x) / x` and in `cos(x)`, from the highest on. With |x| at most π/4
/// what is left out is below 1e-17.
const SINE: [f64; 9] = [
    1.0 / 355_687_428_096_000.0,
    -1.0 / 1_307_674_368_000.0,
    1.0 / 6_227_020_800.0,
    -1.0 / 39_916_800.0,
    1.0 / 362_880.0,
    -1.0 / 5_040.0,
    1.0 / 120.0,
    -1.0 / 6.0,
    1.0,
];
const COSINE: [f64; 9] = [
    1.0 / 20_922_789_888_000.0,
    -1.0 / 87_178_291_200.0,
    1.0 / 479_001_600.0,
    -1.0 / 3_628_800.0,
    1.0 / 40_320.0,
    -1.0 / 720.0,
    1.0 / 24.0,
    -1.0 / 2.0,
    1.0,
];
/// `2^52`: the last bit of a double of this size is one.
const ONES: f64 = (1_u64 << 52) as f64;
/// The bits of a double's exponent begin here.
const EXPONENT: u32 = 52;
/// What a double's exponent is stored with.
const BIAS: f64 = 1023.0;

/// Turns each pair of uniform numbers, the first in (0, 1] and the second in [0, 1), into a pair of independent
/// standard normal ones.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi2",
    "x86_64+avx2+fma+bmi2",
))]
pub(crate) fn normal_pairs(firsts: &mut [f64], seconds: &mut [f64]) {
    for (first, second) in firsts.iter_mut().zip(seconds) {
        let radius = (-2.0 * logarithm(*first)).sqrt();
        let (sin, cos) = sine_and_cosine_of_turns(*second);
        (*first, *second) = (radius * cos, radius * sin);
    }
}

/// The natural logarithm of a positive number that is not subnormal.
#[inline(always)]
fn logarithm(x: f64) -> f64 {
    let bits = x.to_bits();
    let mantissa_bits = bits & ((1 << EXPONENT) - 1);
    let mantissa = f64::from_bits(mantissa_bits | 1.0_f64.to_bits()); // 1 to 2
    let exponent = f64::from_bits(bits >> EXPONENT | ONES.to_bits()) - ONES - BIAS;
    let is_high = mantissa > SQRT_2;
    let mantissa = if is_high { mantissa * 0.5 } else { mantissa };
    let exponent = if is_high { exponent + 1.0 } else { exponent };
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    exponent * LN_2 + 2.0 * s * series(&LOGARITHM, s * s)
}

/// Sine and cosine of an angle in turns, from 0 to 1.
#[inline(always)]
fn sine_and_cosine_of_turns(turns: f64) -> (f64, f64) {
    let quarter = (4.0 * turns).round_ties_even(); // 0 to 4
    let x = TAU * (turns - 0.25 * quarter); // -π/4 to π/4
    let square = x * x;
    let (sin, cos) = (x * series(&SINE, square), series(&COSINE, square));
    // A quarter turn on, sine becomes cosine, and cosine minus sine.
    let is_odd = quarter == 1.0 || quarter == 3.0;
    let (sin, cos) = if is_odd { (cos, -sin) } else { (sin, cos) };
    let is_behind = quarter == 2.0 || quarter == 3.0;
    if is_behind { (-sin, -cos) } else { (sin, cos) }
}

#[inline(always)]
fn series(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, &it| sum * x + it)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the functions of the system's library.
    #[test]
    fn pairs_are_those_of_box_and_muller() {
        let count = 100_003;
        let unit = |n: usize| (n as f64 * 0.754_877_666_246_693) % 1.0;
        let mut firsts: Vec<f64> = (0..count).map(|n| 1.0 - unit(n)).collect();
        let mut seconds: Vec<f64> = (0..count).map(|n| unit(3 * n + 1)).collect();
        firsts[..4].copy_from_slice(&[1.0, f64::EPSILON / 2.0, 0.5, SQRT_2 / 2.0]);
        seconds[..6].copy_from_slice(&[0.0, 0.125, 0.25, 0.375, 0.5, 1.0 - f64::EPSILON / 2.0]);
        let expected: Vec<[f64; 2]> = firsts
            .iter()
            .zip(&seconds)
            .map(|(first, second)| {
                let radius = (-2.0 * first.ln()).sqrt();
                let (sin, cos) = (TAU * second).sin_cos();
                [radius * cos, radius * sin]
            })
            .collect();
        normal_pairs(&mut firsts, &mut seconds);
        for (n, [first, second]) in expected.into_iter().enumerate() {
            assert!(
                (firsts[n] - first).abs() < 4e-15,
                "{n}: {} {first}",
                firsts[n]
            );
            assert!(
                (seconds[n] - second).abs() < 4e-15,
                "{n}: {} {second}",
                seconds[n]
            );
        }
    }
}
