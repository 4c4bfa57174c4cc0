//! Everything that is trained, as one module.

use burn::module::{Module, ModuleDisplay, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sori_models::layers::DomainClassifier;

use crate::optim::freeze::is_frozen;
use crate::optim::module_path::ModulePath;
use crate::{Error, Result};

/// Everything that is trained.
#[derive(Module, Debug)]
pub(crate) struct NetworkAndAdversary<B: Backend, N: Module<B> + ModuleDisplay> {
    pub(crate) model: N,
    /// The network that predicts the domain of a recording from its embedding.
    pub(crate) adversary: Option<DomainClassifier<B>>,
}

/// Initialises all parameters, in order. A parameter draws its initial value when it is first
/// read.
pub(crate) fn draw_parameters<B: Backend, M: Module<B>>(model: &M) {
    struct Draw;
    impl<B: Backend> ModuleVisitor<B> for Draw {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            param.val();
        }
    }
    model.visit(&mut Draw);
}

/// The path of each parameter in the module.
pub(crate) fn parameter_paths<B: Backend, M: Module<B>>(model: &M) -> Vec<String> {
    #[derive(Default)]
    struct Paths {
        path: ModulePath,
        all: Vec<String>,
    }
    impl<B: Backend> ModuleVisitor<B> for Paths {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<B, D>>) {
            self.all.push(self.path.to_string());
        }
    }
    let mut paths = Paths::default();
    model.visit(&mut paths);
    paths.all
}

/// Refuses a `train.freeze` that matches nothing or everything.
pub(crate) fn check_freeze<B: Backend, M: Module<B>>(model: &M, freeze: &[String]) -> Result<()> {
    let paths = parameter_paths(model);
    let refuse = |value: String, expected: String| {
        Err(Error::Setting {
            key: "train.freeze".to_string(),
            value,
            expected,
        })
    };
    for part in freeze {
        let alone = std::slice::from_ref(part);
        if !paths.iter().any(|path| is_frozen(path, alone)) {
            return refuse(
                part.clone(),
                format!(
                    "it must be one of the parameters or a part of the path to some: {}",
                    paths.join(", ")
                ),
            );
        }
    }
    if !freeze.is_empty() && paths.iter().all(|path| is_frozen(path, freeze)) {
        return refuse(
            freeze.join(", "),
            "it must leave something to train".to_string(),
        );
    }
    Ok(())
}
