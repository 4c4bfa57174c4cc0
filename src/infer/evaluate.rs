//! Evaluates a network on a whole part.

use burn::tensor::backend::Backend;
use sori_datasets::Item;
use sori_models::las::Sampling;
use sori_models::ops::in_pool;
use sori_models::{Architecture, Network};

use crate::data::loader::Loader;
use crate::decode::{Beam, Decoding, Recogniser, log_probs};
use crate::numbers::scalar;
use crate::run::best::BestModel;
use crate::run::folder::RunFolder;
use crate::task::any::{AnyTask, TaskJob};
use crate::task::contract::Task;
use crate::task::metrics::Metrics;
use crate::task::objective::Objective;
use crate::{Error, Result};

/// The result of a network on a whole part.
pub struct Evaluation<T: Task> {
    /// Mean loss.
    pub loss: f64,
    /// The answers.
    pub answers: T::Answers,
}

/// The result of a run on a whole part.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Mean loss.
    pub loss: f64,
    /// The metrics.
    pub metrics: Metrics,
    /// Labels that no recording has. Means over labels leave them out.
    pub labels_left_out: Vec<String>,
    /// The name and the contents of a CSV file of the answers.
    pub csv: (&'static str, String),
    /// The answer for each recording as CSV, where `csv` is of another kind: for classes and tags.
    pub answers: Option<String>,
    /// What was measured of each class or tag: a header, and a row for each.
    pub per_label: Vec<Vec<String>>,
    /// The worst mistakes, one per line.
    pub worst: Vec<String>,
}

/// Evaluates `network` on the recordings `items`, as `loader` loads them. `decoding` finds the
/// transcripts.
///
/// # Errors
/// The first error of a recording, and when the network does not fit the task.
pub fn evaluate<B: Backend, N: Network<B>, T: Task>(
    network: &N,
    task: &T,
    loader: &Loader<T>,
    items: &[&Item],
    decoding: &Decoding,
    device: &B::Device,
) -> Result<Evaluation<T>> {
    evaluate_into(network, task, loader, items, decoding, device, None)
}

/// As [`evaluate`], and adds a line for the answer for each recording to `table`.
fn evaluate_into<B: Backend, N: Network<B>, T: Task>(
    network: &N,
    task: &T,
    loader: &Loader<T>,
    items: &[&Item],
    decoding: &Decoding,
    device: &B::Device,
    mut table: Option<&mut String>,
) -> Result<Evaluation<T>> {
    let network = T::network(network.contract())?;
    let objective = Objective::default();
    let mut answers = task.no_answers::<B>(device);
    let (mut loss, mut extent, mut count) = (0.0, 0.0, 0);
    for lesson in loader.lessons(items) {
        let lesson = lesson?.to_device::<B>(device);
        let (batch, targets) = (&lesson.batch, &lesson.targets);
        let output = in_pool::<B, _>(|| task.output(network, batch, targets, Sampling::default()));
        let mean = scalar(task.loss(&output, targets, &objective));
        let here = &items[count..count + batch.lengths.len()];
        count += here.len();
        let size = task.extent(network, &batch.lengths, targets, &objective);
        loss += mean * size;
        extent += size;
        if let Some(table) = &mut table {
            table.push_str(&task.answer_lines(&output, here)?);
        }
        task.add_answers(&mut answers, batch, output, here, decoding)?;
    }
    Ok(Evaluation {
        loss: if count == 0 { 0.0 } else { loss / extent },
        answers,
    })
}

/// Evaluates the best checkpoint of `run` on recordings. Transcripts are found by `beam`, or
/// greedily.
///
/// # Errors
/// When the run has no best checkpoint yet, or its data cannot be read.
pub fn evaluate_best<A: Architecture, B: Backend>(
    run: &RunFolder<A>,
    items: &[&Item],
    beam: Option<Beam>,
    device: &B::Device,
) -> Result<Measured> {
    measure(run, &run.best::<B>(device)?, items, beam, device)
}

/// Evaluates an opened checkpoint of `run` on recordings.
pub(crate) fn measure<A: Architecture, B: Backend>(
    run: &RunFolder<A>,
    best: &BestModel<B, A>,
    items: &[&Item],
    beam: Option<Beam>,
    device: &B::Device,
) -> Result<Measured> {
    struct Measure<'a, A: Architecture, B: Backend> {
        run: &'a RunFolder<A>,
        network: &'a A::Network<B>,
        items: &'a [&'a Item],
        decoding: Decoding,
        device: &'a B::Device,
    }
    impl<A: Architecture, B: Backend> TaskJob for Measure<'_, A, B> {
        type Output = Result<Measured>;

        fn run<T: Task>(self, task: T) -> Result<Measured> {
            let loader = Loader::new(self.run, task.clone())?;
            let (items, decoding, device) = (self.items, &self.decoding, self.device);
            let mut answers = task.answer_columns().map(|columns| columns + "\n");
            let table = answers.as_mut();
            let found =
                evaluate_into(self.network, &task, &loader, items, decoding, device, table)?;
            Ok(Measured {
                loss: found.loss,
                metrics: task.metrics(&found.answers),
                labels_left_out: task.labels_left_out(&found.answers),
                csv: task.to_csv(&found.answers),
                answers,
                per_label: task.per_label(&found.answers),
                worst: task.worst(&found.answers),
            })
        }
    }
    best.task.clone().run(Measure::<A, B> {
        run,
        network: &best.network,
        items,
        decoding: Decoding {
            beam,
            ..run.settings().decoding()
        },
        device,
    })
}

/// The log-probability of each symbol at each step for each recording, by an opened checkpoint of
/// `run`.
///
/// # Errors
/// The first error of a recording, and when the network does not score symbols at each step.
pub(crate) fn emissions<A: Architecture, B: Backend>(
    run: &RunFolder<A>,
    best: &BestModel<B, A>,
    items: &[&Item],
    device: &B::Device,
) -> Result<Vec<Vec<Vec<f32>>>> {
    let AnyTask::Transcribe(task) = &best.task else {
        return Err(no_emissions(run));
    };
    let recogniser = <crate::task::Transcribe as Task>::network(best.network.contract())?;
    let Recogniser::Emitter(network) = recogniser else {
        return Err(no_emissions(run));
    };
    let mut found = Vec::with_capacity(items.len());
    for lesson in Loader::new(run, task.clone())?.lessons(items) {
        let batch = lesson?.to_device::<B>(device).batch;
        let emissions = in_pool::<B, _>(|| network.emit(batch.features, &batch.lengths));
        found.extend(log_probs(&emissions));
    }
    Ok(found)
}

fn no_emissions<A: Architecture>(run: &RunFolder<A>) -> Error {
    Error::run(
        run.path(),
        format!(
            "its {} gives no symbols step by step; deep_speech2 does",
            run.info().model
        ),
    )
}
