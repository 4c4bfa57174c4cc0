//! The pool of threads of the kernels.

use burn::tensor::backend::Backend;

/// Runs `work` on one of the threads that share out the operators of `B`, where it has such threads.
///
/// An operator that is called from another thread has to wake one of those and sleep until all is
/// done, which in a small network takes as long as the operator itself. So a whole training step, or
/// the forward pass of a batch, belongs inside.
///
/// While an operator waits for other threads, this one may take up other work that was put in the
/// pool. So hold no lock inside that such work takes as well; a backward pass holds one of Burn's, so
/// let one at a time be under way.
pub fn in_pool<B: Backend, R: Send>(work: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "ndarray")]
    return cpu::in_pool::<B, R>(work);
    #[cfg(not(feature = "ndarray"))]
    work()
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::ops::seam::{add_counts, is_cpu, path_counts};

    pub(super) fn in_pool<B: Backend, R: Send>(work: impl FnOnce() -> R + Send) -> R {
        let is_there = rayon::current_thread_index().is_some();
        if !is_cpu::<B>() || is_there || rayon::current_num_threads() == 1 {
            return work();
        }
        let (found, before, after) = rayon::scope(|_| {
            let before = path_counts();
            (work(), before, path_counts())
        });
        add_counts(before, after);
        found
    }

    #[cfg(test)]
    mod tests {
        use burn::tensor::Tensor;
        use burn_autodiff::Autodiff;
        use burn_ndarray::NdArray;

        use super::*;
        use crate::ops::linear;

        type Cpu = NdArray<f32>;

        /// Whether the work of `B` was done on a thread of the pool.
        fn is_in_pool<B: Backend>() -> bool {
            in_pool::<B, _>(|| rayon::current_thread_index().is_some())
        }

        #[test]
        fn only_the_cpu_has_a_pool() {
            assert_eq!(is_in_pool::<Cpu>(), rayon::current_num_threads() > 1);
            assert!(!is_in_pool::<NdArray<f64>>());
            assert!(!is_in_pool::<Autodiff<Cpu>>());
        }

        #[test]
        fn operators_count_for_the_thread_that_asked() {
            let before = path_counts().kernels;
            let found = in_pool::<Cpu, _>(|| {
                let x = Tensor::<Cpu, 2>::ones([2, 3], &Default::default());
                linear(x, Tensor::ones([3, 4], &Default::default()), None)
                    .sum()
                    .into_scalar()
            });
            assert_eq!(found, 24.0);
            assert_eq!(path_counts().kernels, before + 1);
        }
    }
}
