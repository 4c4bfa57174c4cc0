//! Batch norm over valid frames.

use burn::module::{Initializer, Module, Param, RunningState};
use burn::tensor::{Tensor, backend::Backend};

use crate::onnx::{OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation, BatchStatistics, NormPool};

/// Added to a variance before its root is taken.
pub const BATCH_NORM_EPSILON: f64 = 1e-5;

/// Batch normalisation that ignores padding
/// ([Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)).
///
/// While a gradient is recorded it normalises by the batch's own mean and biased variance over
/// valid positions, and moves the running statistics by [`Self::MOMENTUM`]. Otherwise it uses the
/// running ones. The running variance is unbiased, as PyTorch's is (Burn's own layer keeps the
/// biased one); a batch with a single valid position, which PyTorch refuses, contributes a variance
/// of zero.
///
/// A clone shares its running statistics with the original, as Burn's running states do; `valid()`
/// and records copy them.
#[derive(Module, Debug)]
pub struct MaskedBatchNorm<B: Backend> {
    /// Scale γ, `[channels]`; starts at one.
    pub gamma: Param<Tensor<B, 1>>,
    /// Shift β, `[channels]`; starts at zero.
    pub beta: Param<Tensor<B, 1>>,
    /// Running mean, `[channels]`; starts at zero. Not a parameter.
    pub running_mean: RunningState<Tensor<B, 1>>,
    /// Running unbiased variance, `[channels]`; starts at one. Not a parameter.
    pub running_var: RunningState<Tensor<B, 1>>,
}

impl<B: Backend> MaskedBatchNorm<B> {
    /// Share of a batch's statistics in the new running statistics.
    pub const MOMENTUM: f64 = 0.1;
    /// Added to a variance before its root is taken.
    pub const EPSILON: f64 = BATCH_NORM_EPSILON;

    /// A layer over `channels` channels.
    pub fn new(channels: usize, device: &B::Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([channels], device),
            beta: Initializer::Zeros.init([channels], device),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
        }
    }

    /// `[batch, frames, …, channels]` to the same, with the valid frames of each row; zero past
    /// them.
    ///
    /// # Panics
    /// If there is not one length for each row, or, in training, no valid position at all.
    pub fn forward<const D: usize>(&self, x: Tensor<B, D>, lengths: &[usize]) -> Tensor<B, D> {
        self.forward_pooled(x, lengths, &NormPool::only_norm(Self::EPSILON))
    }

    /// [`Self::forward`], and max pooling over windows of so many frames and bins.
    ///
    /// # Panics
    /// As [`Self::forward`], and if there is not one window.
    pub fn forward_pool<const D: usize>(
        &self,
        x: Tensor<B, D>,
        lengths: &[usize],
        pool: [usize; 2],
    ) -> Tensor<B, D> {
        let plan = NormPool {
            pool,
            ..NormPool::only_norm(Self::EPSILON)
        };
        self.forward_pooled(x, lengths, &plan)
    }

    /// [`Self::forward`], ReLU, and max pooling over windows of so many frames and bins.
    ///
    /// # Panics
    /// As [`Self::forward`], and if there is not one window.
    pub fn forward_relu_pool<const D: usize>(
        &self,
        x: Tensor<B, D>,
        lengths: &[usize],
        pool: [usize; 2],
    ) -> Tensor<B, D> {
        self.forward_pooled(x, lengths, &NormPool::relu(Self::EPSILON, pool))
    }

    /// [`Self::forward`], clamped to `range`.
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn forward_clamp<const D: usize>(
        &self,
        x: Tensor<B, D>,
        lengths: &[usize],
        range: [f64; 2],
    ) -> Tensor<B, D> {
        let plan = NormPool {
            range,
            ..NormPool::only_norm(Self::EPSILON)
        };
        self.forward_pooled(x, lengths, &plan)
    }

    fn forward_pooled<const D: usize>(
        &self,
        x: Tensor<B, D>,
        lengths: &[usize],
        plan: &NormPool,
    ) -> Tensor<B, D> {
        let gamma = self.gamma.val();
        let beta = self.beta.val();
        if !B::ad_enabled(&x.device()) {
            let statistics = BatchStatistics {
                mean: self.running_mean.value(),
                variance: self.running_var.value(),
            };
            return ops::norm_pool_inference(x, lengths, statistics, gamma, beta, plan);
        }
        let (y, batch) = ops::norm_pool_training(x, lengths, gamma, beta, plan);
        move_towards(&self.running_mean, batch.mean);
        move_towards(&self.running_var, batch.variance);
        y
    }

    /// [`Self::forward`] in ONNX, by the running statistics.
    pub fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        x.with(self.onnx_each(graph, x.values)).zeroed(graph)
    }

    /// [`Self::forward_relu_pool`] in ONNX.
    pub fn onnx_relu_pool(&self, graph: &mut OnnxGraph, x: Padded, pool: [usize; 2]) -> Padded {
        let x = x.with(self.onnx_each(graph, x.values));
        let x = x.with(graph.activate(x.values, Activation::Relu));
        graph.max_pool(x, pool).zeroed(graph)
    }

    /// [`Self::forward_clamp`] in ONNX.
    pub fn onnx_clamp(&self, graph: &mut OnnxGraph, x: Padded, range: [f64; 2]) -> Padded {
        let x = x.with(self.onnx_each(graph, x.values));
        x.with(graph.clamp(x.values, range)).zeroed(graph)
    }

    /// The normalisation of every position of `[…, channels]`, valid or not, in ONNX.
    pub fn onnx_each(&self, graph: &mut OnnxGraph, x: OnnxValue) -> OnnxValue {
        let variance = self.running_var.value() + Self::EPSILON;
        let scale = self.gamma.val() / variance.sqrt(); // [channels]
        let shift = self.beta.val() - self.running_mean.value() * scale.clone(); // [channels]
        let [scale, shift] = [scale, shift].map(|it| graph.tensor(it));
        let scaled = graph.mul(x, scale);
        graph.add(scaled, shift)
    }
}

fn move_towards<B: Backend>(running: &RunningState<Tensor<B, 1>>, batch: Tensor<B, 1>) {
    let momentum = MaskedBatchNorm::<B>::MOMENTUM;
    running.update((running.value() * (1.0 - momentum) + batch * momentum).detach());
    // An update is only noted; taking the value at once lets module visitors see it.
    running.value_sync();
}
