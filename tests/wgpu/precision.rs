//! Training steps with products in half precision, beside the same steps in single precision.

use burn::tensor::backend::AutodiffBackend;
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use sori::backend::{BackendName, Job, run_on};
use sori::models::ops::HalfPrecision;
use sori::models::{Architecture, ModelConfig};
use sori::settings::{Precision, TrainSettings};
use sori::train::{Stepper, random_network};

use super::{Module, TensorData, Write, lesson, parameters, small, task};

/// Whether the device computes in half precision, which not every adapter does.
struct HasHalf;

impl Job for HasHalf {
    type Output = bool;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> bool {
        HalfPrecision::F16.is_there::<B>(device)
    }
}

/// The losses of ten training steps from the same parameters, and the parameters after the first.
#[derive(Clone)]
struct Steps {
    config: ModelConfig,
    parameters: Vec<TensorData>,
    precision: Precision,
}

impl Job for Steps {
    type Output = (Vec<f64>, Vec<TensorData>);

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let lesson = lesson(&self.config);
        let model = self.config.init::<B>(device).unwrap();
        let model = model.map(&mut Write(self.parameters.into_iter()));
        let settings = TrainSettings {
            precision: self.precision,
            ..TrainSettings::default()
        };
        let mut stepper = Stepper::<B, _, _>::new(model, task(), &settings);
        let (mut losses, mut after) = (Vec::new(), Vec::new());
        for step in 0..10 {
            let lesson = lesson.clone().to_device(device);
            losses.push(stepper.step(lesson, 0.01).unwrap().loss);
            if step == 0 {
                after = parameters(stepper.network());
            }
        }
        (losses, after)
    }
}

#[test]
fn steps_in_half_precision_learn_as_those_in_single_precision() {
    if !run_on(BackendName::Wgpu, HasHalf).unwrap() {
        return println!("skipped: the adapter does not compute in half precision");
    }
    for name in ["mlp", "cnn2d", "lstm", "gru"] {
        let config = small(name);
        let model = random_network::<_, Autodiff<NdArray>>(&config, 1, &Default::default());
        let steps = Steps {
            parameters: parameters(&model.unwrap()),
            config,
            precision: Precision::F32,
        };
        let half = Steps {
            precision: Precision::F16,
            ..steps.clone()
        };
        let (expected, _) = run_on(BackendName::Wgpu, steps).unwrap();
        let (found, after) = run_on(BackendName::Wgpu, half).unwrap();
        println!("{name}: {found:?} and {expected:?}");
        assert_ne!(found, expected, "{name}: nothing is rounded");
        for (found, expected) in found.iter().zip(&expected) {
            let near = (found - expected).abs() < 0.02 * expected.max(0.1);
            assert!(near, "{name}: {found} instead of {expected}");
        }
        assert!(found[9] < found[0], "{name}: {found:?}");
        let finite = |data: &TensorData| data.iter::<f32>().all(f32::is_finite);
        assert!(after.iter().all(finite), "{name}");
    }
}

/// The gradients of a loss of thousands overflow once it is scaled: those steps move nothing, and each halves the factor.
#[test]
fn steps_whose_gradients_overflow_are_left_out() {
    if !run_on(BackendName::Wgpu, HasHalf).unwrap() {
        return println!("skipped: the adapter does not compute in half precision");
    }
    let config = small("mlp");
    let model = random_network::<_, Autodiff<NdArray>>(&config, 1, &Default::default()).unwrap();
    let start: Vec<TensorData> = parameters(&model)
        .into_iter()
        .map(|data| {
            let values = data.iter::<f32>().map(|value| value * 20.0);
            TensorData::new(values.collect::<Vec<_>>(), data.shape.clone())
        })
        .collect();
    let steps = Steps {
        config,
        parameters: start.clone(),
        precision: Precision::F16,
    };
    let (losses, after) = run_on(BackendName::Wgpu, steps).unwrap();
    println!("{losses:?}");
    for (after, start) in after.iter().zip(&start) {
        assert_eq!(
            after.to_vec::<f32>().unwrap(),
            start.to_vec::<f32>().unwrap()
        );
    }
    assert_eq!(losses[0], losses[1], "nothing moved");
    assert!(
        losses[9] < losses[0],
        "the factor fell until a step could be taken: {losses:?}"
    );
}
