//! What the models, the layers and the operators promise, and that they equal PyTorch. One program,
//! because each test program compiles the models anew.

mod classifiers;
mod ctc;
mod deep_speech2;
mod generative;
mod gradients;
mod initial_weights;
mod kernels;
mod las;
mod recurrent;
mod registry;
mod streaming;

#[path = "../../../tests/golden/ctc.rs"]
mod golden_ctc;
#[path = "../../../tests/golden/deep_speech2.rs"]
mod golden_deep_speech2;
#[path = "../../../tests/golden/generative.rs"]
mod golden_generative;
#[path = "../../../tests/golden/las.rs"]
mod golden_las;
#[path = "../../../tests/golden/models.rs"]
mod golden_models;
#[path = "../../../tests/golden/operators.rs"]
mod golden_operators;
#[path = "../../../tests/golden/twin.rs"]
mod twin;
