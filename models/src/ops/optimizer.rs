//! Steps of optimizers over one parameter.

use burn::tensor::{Tensor, backend::Backend};

#[cfg(feature = "gpu")]
mod gpu;

/// The settings of a step of Adam ([Kingma and Ba 2014](https://arxiv.org/abs/1412.6980)) or of AdamW
/// ([Loshchilov and Hutter 2017](https://arxiv.org/abs/1711.05101)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// The learning rate.
    pub rate: f64,
    /// Decay of the first moment and of the second.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Number of this step, from 1, for the bias corrections.
    pub steps: usize,
    /// Weight decay.
    pub decay: f64,
    /// Whether the decay acts on the parameter itself, as AdamW's, or is added to the gradient.
    pub decoupled: bool,
}

impl AdamStep {
    /// `1 − βᵗ` of both moments.
    fn corrections(&self) -> [f64; 2] {
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        self.betas.map(|beta| 1.0 - beta.powi(steps))
    }

    /// What is added to the gradient, and what the parameter is multiplied by.
    fn decays(&self) -> [f64; 2] {
        if self.decoupled {
            [0.0, 1.0 - self.rate * self.decay]
        } else {
            [self.decay, 1.0]
        }
    }
}

/// One step of Adam on one parameter; without moments they begin at zero. The gradient is first
/// multiplied by `scale`, of shape `[1]`.
///
/// Returns the parameter and both moments, in the memory they had where nobody else holds it.
///
/// # Panics
/// If the shapes differ.
pub fn adam_step<B: Backend, const D: usize>(
    step: &AdamStep,
    parameter: Tensor<B, D>,
    gradient: Tensor<B, D>,
    moments: Option<[Tensor<B, D>; 2]>,
    scale: Option<Tensor<B, 1>>,
) -> [Tensor<B, D>; 3] {
    assert_eq!(
        gradient.dims(),
        parameter.dims(),
        "adam: the gradient's shape"
    );
    #[cfg(feature = "ndarray")]
    if cpu::has_kernels(
        &[&parameter, &gradient],
        moments.as_ref().map_or(&[], |m| &m[..]),
    ) {
        return cpu::adam(step, parameter, gradient, moments, scale);
    }
    #[cfg(feature = "gpu")]
    if let Some(moved) = gpu::adam(
        step,
        [&parameter, &gradient],
        moments.as_ref(),
        scale.as_ref(),
    ) {
        return moved;
    }
    let [added, kept] = step.decays();
    let gradient = decayed(scaled(gradient, scale), &parameter, added);
    let [beta_1, beta_2] = step.betas;
    let square = gradient.clone() * gradient.clone();
    let (first, second) = match moments {
        Some([first, second]) => (
            first * beta_1 + gradient * (1.0 - beta_1),
            second * beta_2 + square * (1.0 - beta_2),
        ),
        None => (gradient * (1.0 - beta_1), square * (1.0 - beta_2)),
    };
    let [correction_1, correction_2] = step.corrections();
    let root = (second.clone() / correction_2).sqrt();
    let change = first.clone() / (root + step.epsilon) * (step.rate / correction_1);
    [parameter * kept - change, first, second]
}

/// The settings of a step of gradient descent with momentum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// The learning rate.
    pub rate: f64,
    /// Share of the last change that is kept ([Polyak
    /// 1964](https://doi.org/10.1016/0041-5553(64)90137-5)); 0 for plain descent.
    pub momentum: f64,
    /// Whether the parameter moves by where the momentum will be after it ([Nesterov
    /// 1983](https://www.mathnet.ru/eng/dan46009), in the form of [Sutskever et al.
    /// 2013](https://proceedings.mlr.press/v28/sutskever13.html)).
    pub nesterov: bool,
    /// Weight decay, added to the gradient.
    pub decay: f64,
}

/// One step of gradient descent on one parameter; without a momentum it begins at zero. The
/// gradient is first multiplied by `scale`, of shape `[1]`.
///
/// Returns the parameter and the momentum, in the memory they had where nobody else holds it.
///
/// # Panics
/// If the shapes differ.
pub fn sgd_step<B: Backend, const D: usize>(
    step: &SgdStep,
    parameter: Tensor<B, D>,
    gradient: Tensor<B, D>,
    momentum: Option<Tensor<B, D>>,
    scale: Option<Tensor<B, 1>>,
) -> [Tensor<B, D>; 2] {
    assert_eq!(
        gradient.dims(),
        parameter.dims(),
        "sgd: the gradient's shape"
    );
    #[cfg(feature = "ndarray")]
    if cpu::has_kernels(&[&parameter, &gradient], momentum.as_slice()) {
        return cpu::sgd(step, parameter, gradient, momentum, scale);
    }
    #[cfg(feature = "gpu")]
    if let Some(moved) = gpu::sgd(
        step,
        [&parameter, &gradient],
        momentum.as_ref(),
        scale.as_ref(),
    ) {
        return moved;
    }
    let gradient = decayed(scaled(gradient, scale), &parameter, step.decay);
    let momentum = match momentum {
        Some(momentum) => momentum * step.momentum + gradient.clone(),
        None => gradient.clone(),
    };
    let change = if step.nesterov {
        momentum.clone() * step.momentum + gradient
    } else {
        momentum.clone()
    };
    [parameter - change * step.rate, momentum]
}

/// The settings of a step over the root of the squared gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsStep {
    /// The learning rate.
    pub rate: f64,
    /// How the squares become one: RMSProp's moving average ([Tieleman and Hinton
    /// 2012](https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf)) keeps so much
    /// of it; without a number they are summed up, as Adagrad does ([Duchi et al.
    /// 2011](https://jmlr.org/papers/v12/duchi11a.html)).
    pub average: Option<f64>,
    /// Added to the root.
    pub epsilon: f64,
    /// Weight decay, added to the gradient.
    pub decay: f64,
}

impl RmsStep {
    /// Share of the squares that is kept, and share of the new one that is added.
    fn shares(&self) -> [f64; 2] {
        self.average.map_or([1.0, 1.0], |kept| [kept, 1.0 - kept])
    }
}

/// One step of RMSProp or Adagrad on one parameter; without squares they begin at zero. The gradient
/// is first multiplied by `scale`, of shape `[1]`.
///
/// Returns the parameter and the squares, in the memory they had where nobody else holds it.
///
/// # Panics
/// If the shapes differ.
pub fn rms_step<B: Backend, const D: usize>(
    step: &RmsStep,
    parameter: Tensor<B, D>,
    gradient: Tensor<B, D>,
    squares: Option<Tensor<B, D>>,
    scale: Option<Tensor<B, 1>>,
) -> [Tensor<B, D>; 2] {
    assert_eq!(
        gradient.dims(),
        parameter.dims(),
        "rms: the gradient's shape"
    );
    #[cfg(feature = "ndarray")]
    if cpu::has_kernels(&[&parameter, &gradient], squares.as_slice()) {
        return cpu::rms(step, parameter, gradient, squares, scale);
    }
    #[cfg(feature = "gpu")]
    if let Some(moved) = gpu::rms(
        step,
        [&parameter, &gradient],
        squares.as_ref(),
        scale.as_ref(),
    ) {
        return moved;
    }
    let gradient = decayed(scaled(gradient, scale), &parameter, step.decay);
    let [kept, added] = step.shares();
    let square = gradient.clone() * gradient.clone() * added;
    let squares = match squares {
        Some(squares) => squares * kept + square,
        None => square,
    };
    let change = gradient / (squares.clone().sqrt() + step.epsilon) * step.rate;
    [parameter - change, squares]
}

/// An exponential moving average after one more value of the same shape,
/// `decay · average + (1 − decay) · value`.
///
/// Returns the average in the memory it had where nobody else holds it.
///
/// # Panics
/// If the shapes differ.
pub fn moving_average<B: Backend, const D: usize>(
    average: Tensor<B, D>,
    value: Tensor<B, D>,
    decay: f64,
) -> Tensor<B, D> {
    assert_eq!(average.dims(), value.dims(), "average: the value's shape");
    #[cfg(feature = "ndarray")]
    if cpu::has_kernels(&[&average, &value], &[]) {
        return cpu::moving_average(average, value, decay);
    }
    average * decay + value * (1.0 - decay)
}

/// The sum of the squares of all values, `[1]`.
pub fn sum_of_squares<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, 1> {
    #[cfg(feature = "ndarray")]
    if let Some(sum) = cpu::sum_of_squares(&x) {
        return sum;
    }
    (x.clone() * x).sum()
}

/// The factor, `[1]`, that scales gradients to a joint norm of at most `most`,
/// `min(1, most / (norm + 1e-6))`, if they are on a GPU, where it stays.
///
/// # Panics
/// If there is no gradient.
pub fn clip_factor<B: Backend>(
    gradients: Vec<B::FloatTensorPrimitive>,
    most: f64,
) -> Option<Tensor<B, 1>> {
    assert!(!gradients.is_empty(), "at least one gradient");
    #[cfg(feature = "gpu")]
    return gpu::clip_factor(gradients, most);
    #[cfg(not(feature = "gpu"))]
    {
        let _ = most;
        None
    }
}

/// The joint norm of gradients, `[1]`, if they are on a GPU, where it stays.
///
/// # Panics
/// If there is no gradient.
pub fn joint_norm<B: Backend>(gradients: Vec<B::FloatTensorPrimitive>) -> Option<Tensor<B, 1>> {
    assert!(!gradients.is_empty(), "at least one gradient");
    #[cfg(feature = "gpu")]
    return gpu::joint_norm(gradients);
    #[cfg(not(feature = "gpu"))]
    None
}

fn scaled<B: Backend, const D: usize>(
    gradient: Tensor<B, D>,
    scale: Option<Tensor<B, 1>>,
) -> Tensor<B, D> {
    match scale {
        Some(scale) => gradient * scale.reshape([1; D]),
        None => gradient,
    }
}

/// The gradient with that of the L2 penalty.
fn decayed<B: Backend, const D: usize>(
    gradient: Tensor<B, D>,
    parameter: &Tensor<B, D>,
    decay: f64,
) -> Tensor<B, D> {
    if decay > 0.0 {
        gradient + parameter.clone() * decay
    } else {
        gradient
    }
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::{buffer, optimizer};
    use crate::ops::seam::{Inputs, count_kernel, is_plain, plain, take};

    pub(super) fn has_kernels<B: Backend, const D: usize>(
        tensors: &[&Tensor<B, D>],
        more: &[Tensor<B, D>],
    ) -> bool {
        tensors.iter().all(|x| is_plain(x)) && more.iter().all(is_plain)
    }

    fn factor<B: Backend>(scale: Option<Tensor<B, 1>>) -> f64 {
        let values = scale.map(|scale| scale.into_data().convert::<f64>());
        let value = values.and_then(|data| data.iter::<f64>().next());
        value.unwrap_or(1.0)
    }

    pub(super) fn adam<B: Backend, const D: usize>(
        step: &AdamStep,
        parameter: Tensor<B, D>,
        gradient: Tensor<B, D>,
        moments: Option<[Tensor<B, D>; 2]>,
        scale: Option<Tensor<B, 1>>,
    ) -> [Tensor<B, D>; 3] {
        count_kernel();
        let dims = parameter.dims();
        let [correction_1, correction_2] = step.corrections();
        let [decay, keep] = step.decays();
        let step = optimizer::Adam {
            rate: step.rate / correction_1,
            betas: step.betas,
            correction: correction_2,
            epsilon: step.epsilon,
            scale: factor(scale),
            decay,
            keep,
        };
        let gradient = take(gradient);
        let mut parameter = take(parameter).into_vec();
        let zeros = || buffer::take_zeroed(parameter.len());
        let [mut first, mut second] = match moments {
            Some(moments) => moments.map(|moment| take(moment).into_vec()),
            None => [zeros(), zeros()],
        };
        optimizer::adam(
            &step,
            &mut parameter,
            gradient.values(),
            &mut first,
            &mut second,
        );
        gradient.give();
        [parameter, first, second].map(|values| plain(values, dims))
    }

    pub(super) fn sgd<B: Backend, const D: usize>(
        step: &SgdStep,
        parameter: Tensor<B, D>,
        gradient: Tensor<B, D>,
        momentum: Option<Tensor<B, D>>,
        scale: Option<Tensor<B, 1>>,
    ) -> [Tensor<B, D>; 2] {
        let step = optimizer::Sgd {
            rate: step.rate,
            momentum: step.momentum,
            ahead: step.nesterov,
            scale: factor(scale),
            decay: step.decay,
        };
        let kernel = |parameter: &mut [f32], gradient: &[f32], momentum: &mut [f32]| {
            optimizer::sgd(&step, parameter, gradient, momentum);
        };
        with_one(kernel, parameter, gradient, momentum)
    }

    pub(super) fn rms<B: Backend, const D: usize>(
        step: &RmsStep,
        parameter: Tensor<B, D>,
        gradient: Tensor<B, D>,
        squares: Option<Tensor<B, D>>,
        scale: Option<Tensor<B, 1>>,
    ) -> [Tensor<B, D>; 2] {
        let step = optimizer::Rms {
            rate: step.rate,
            shares: step.shares(),
            epsilon: step.epsilon,
            scale: factor(scale),
            decay: step.decay,
        };
        let kernel = |parameter: &mut [f32], gradient: &[f32], squares: &mut [f32]| {
            optimizer::rms(&step, parameter, gradient, squares);
        };
        with_one(kernel, parameter, gradient, squares)
    }

    /// A step that remembers one number for each of the parameter's.
    fn with_one<B: Backend, const D: usize>(
        kernel: impl FnOnce(&mut [f32], &[f32], &mut [f32]),
        parameter: Tensor<B, D>,
        gradient: Tensor<B, D>,
        past: Option<Tensor<B, D>>,
    ) -> [Tensor<B, D>; 2] {
        count_kernel();
        let dims = parameter.dims();
        let gradient = take(gradient);
        let mut parameter = take(parameter).into_vec();
        let mut past = match past {
            Some(past) => take(past).into_vec(),
            None => buffer::take_zeroed(parameter.len()),
        };
        kernel(&mut parameter, gradient.values(), &mut past);
        gradient.give();
        [parameter, past].map(|values| plain(values, dims))
    }

    pub(super) fn moving_average<B: Backend, const D: usize>(
        average: Tensor<B, D>,
        value: Tensor<B, D>,
        decay: f64,
    ) -> Tensor<B, D> {
        count_kernel();
        let dims = average.dims();
        let value = take(value);
        let mut average = take(average).into_vec();
        optimizer::moving_average(decay, &mut average, value.values());
        value.give();
        plain(average, dims)
    }

    pub(super) fn sum_of_squares<B: Backend, const D: usize>(
        x: &Tensor<B, D>,
    ) -> Option<Tensor<B, 1>> {
        let inputs = Inputs::<B, 1>::recognise_plain([crate::ops::seam::primitive(x)])?;
        let [x] = inputs.values();
        Some(plain(vec![optimizer::sum_of_squares(x) as f32], [1]))
    }
}
