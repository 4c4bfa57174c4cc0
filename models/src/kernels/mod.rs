//! Kernels for the CPU: slices in, slices out, no Burn.
//!
//! Work is cut into pieces whose size depends on the shapes alone, and what several pieces add up is
//! added in a fixed order, so that the same numbers come out on any number of threads. Which vector
//! instructions are used is found out when the program runs: AVX-512, AVX2, or whatever the target
//! has anyway (NEON on aarch64).
#![allow(
    unsafe_code,
    reason = "vector instructions, and disjoint parts of one slice on several threads; every use has its argument"
)]

/// Compiles a function's loops for AVX-512 and AVX2 as well, and picks the widest that the processor
/// has at each call. What it calls must be `#[inline(always)]` to take part.
macro_rules! vectorised {
    ($($function:item)*) => {$(
        #[multiversion::multiversion(targets(
            "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi2",
            "x86_64+avx2+fma+bmi2",
        ))]
        $function
    )*};
}

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod buffer;
mod buffer_pool;
pub(crate) mod conv;
pub(crate) mod conv_sizes;
pub(crate) mod ctc;
mod depthwise;
pub(crate) mod directions;
pub(crate) mod dropout;
pub(crate) mod gated_sum;
pub(crate) mod gated_unit;
pub(crate) mod loss;
mod math;
pub(crate) mod norm;
pub(crate) mod optimizer;
pub(crate) mod padding;
pub(crate) mod pool;
pub(crate) mod product;
pub(crate) mod recurrent;
pub(crate) mod residual;
pub(crate) mod scale;
pub(crate) mod special;
pub(crate) mod speller;
mod tasks;
mod tile;

pub(crate) use tile::Real;
