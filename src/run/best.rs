//! The best checkpoint of a run, opened for use.

use burn::module::Module;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};
use sori_models::Architecture;

use super::checkpoint::Checkpoint;
use super::folder::RunFolder;
use crate::Result;
use crate::task::any::AnyTask;

/// The network of a run's best checkpoint, and the task with the checkpoint's thresholds.
pub(crate) struct BestModel<B: Backend, A: Architecture> {
    pub(crate) network: A::Network<B>,
    pub(crate) task: AnyTask,
}

/// The part of the best checkpoint's state that is read.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct StateOfBest {
    best: Option<Thresholds>,
}

#[derive(Serialize, Deserialize)]
struct Thresholds {
    thresholds: Vec<f32>,
}

impl<A: Architecture> RunFolder<A> {
    /// Opens the best checkpoint.
    ///
    /// # Errors
    /// When the run has none yet, or it cannot be read.
    pub(crate) fn best<B: Backend>(&self, device: &B::Device) -> Result<BestModel<B, A>> {
        let checkpoint = Checkpoint::read(&self.best_checkpoint()?)?;
        let network = self.settings().model.init::<B>(device)?;
        let state: StateOfBest = checkpoint.state()?;
        let thresholds = state.best.map_or_else(Vec::new, |best| best.thresholds);
        Ok(BestModel {
            network: checkpoint.load(network)?,
            task: self.task().clone().with_thresholds(thresholds),
        })
    }
}

/// A module with the weights of a run's best checkpoint.
///
/// # Errors
/// When the run has no best checkpoint yet, it cannot be read, or a parameter of the module is missing
/// in it or has another shape.
///
/// ```no_run
/// use burn_ndarray::NdArray;
/// use sori::models::Architecture;
///
/// let run = sori::RunFolder::open("runs/mine".as_ref())?;
/// let network = run.settings().model.init::<NdArray>(&Default::default())?;
/// let network = sori::load_weights(&run, network)?;
/// # Ok::<(), sori::Error>(())
/// ```
pub fn load_weights<A: Architecture, B: Backend, M: Module<B>>(
    run: &RunFolder<A>,
    module: M,
) -> Result<M> {
    Checkpoint::read(&run.best_checkpoint()?)?.load(module)
}
