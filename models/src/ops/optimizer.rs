use burn::tensor::{Tensor, backend::Backend};

/// What a step of Adam ([Kingma and Ba 2014](https://arxiv.org/abs/1412.6980)) or of AdamW
/// ([Loshchilov and Hutter 2017](https://arxiv.org/abs/1711.05101)) takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// The learning rate.
    pub rate: f64,
    /// Decay of the first moment and of the second.
    pub betas: [f64; 2],
    /// What is added to the root of the second moment.
    pub epsilon: f64,
    /// How many steps there are, this one included: for the bias corrections.
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
    let gradient = scaled(gradient, scale);
    let [added, kept] = step.decays();
    let gradient = if added > 0.0 {
        gradient + parameter.clone() * added
    } else {
        gradient
    };
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

/// What a step of gradient descent with momentum takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// The learning rate.
    pub rate: f64,
    /// How much of the last change is kept.
    pub momentum: f64,
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
    let gradient = scaled(gradient, scale);
    let gradient = if step.decay > 0.0 {
        gradient + parameter.clone() * step.decay
    } else {
        gradient
    };
    let momentum = match momentum {
        Some(momentum) => momentum * step.momentum + gradient,
        None => gradient,
    };
    [parameter - momentum.clone() * step.rate, momentum]
}

/// The sum of the squares of all values, `[1]`.
pub fn sum_of_squares<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, 1> {
    #[cfg(feature = "ndarray")]
    if let Some(sum) = cpu::sum_of_squares(&x) {
        return sum;
    }
    (x.clone() * x).sum()
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
        count_kernel();
        let dims = parameter.dims();
        let step = optimizer::Sgd {
            rate: step.rate,
            momentum: step.momentum,
            scale: factor(scale),
            decay: step.decay,
        };
        let gradient = take(gradient);
        let mut parameter = take(parameter).into_vec();
        let mut momentum = match momentum {
            Some(momentum) => take(momentum).into_vec(),
            None => buffer::take_zeroed(parameter.len()),
        };
        optimizer::sgd(&step, &mut parameter, gradient.values(), &mut momentum);
        gradient.give();
        [parameter, momentum].map(|values| plain(values, dims))
    }

    pub(super) fn sum_of_squares<B: Backend, const D: usize>(
        x: &Tensor<B, D>,
    ) -> Option<Tensor<B, 1>> {
        let inputs = Inputs::<B, 1>::recognise_plain([crate::ops::seam::primitive(x)])?;
        let [x] = inputs.values();
        Some(plain(vec![optimizer::sum_of_squares(x) as f32], [1]))
    }
}
