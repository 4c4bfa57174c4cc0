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

pub(crate) mod buffer;
pub(crate) mod conv;
pub(crate) mod math;
pub(crate) mod norm;
pub(crate) mod padding;
pub(crate) mod pool;
pub(crate) mod product;
mod tile;

pub(crate) use tile::Real;

/// Runs loops that the compiler turns into the widest vector instructions the processor has.
#[inline(always)]
pub(crate) fn vectorised<R>(run: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(run)
}
