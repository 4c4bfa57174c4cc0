//! Kernels for GPUs, written once in CubeCL for every runtime it has: CUDA, and Vulkan, Metal and
//! WebGPU through wgpu.
//!
//! A kernel takes tensors in row-major order and fills new ones. It adds in a fixed order and uses no
//! atomic operation, so the same device gives the same bits each time. Where units of one cube hand
//! values to one another they do so in shared memory, between barriers.
#![allow(
    clippy::collapsible_if,
    clippy::manual_div_ceil,
    clippy::manual_is_multiple_of,
    clippy::too_many_arguments,
    unused_assignments,
    reason = "a launch names its buffers and sizes one by one; some branches are taken as a kernel is compiled"
)]

pub(crate) mod conv;
pub(crate) mod ctc;
pub(crate) mod launch;
pub(crate) mod loss;
pub(crate) mod lstm_step;
pub(crate) mod norm;
pub(crate) mod optimizer;
pub(crate) mod pool;
pub(crate) mod recurrent;
pub(crate) mod softmax;
pub(crate) mod sum;

pub(crate) use launch::{Gpu, KnownGpu, known};
