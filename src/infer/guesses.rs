//! Predictions of a run for a few held-out recordings.

use burn::tensor::backend::AutodiffBackend;
use sori_datasets::Item;
use sori_models::Architecture;

use super::predictor::Predictor;
use crate::Result;
use crate::backend::{BackendName, Job, run_on};
use crate::data::parts::Data;
use crate::run::folder::RunFolder;
use crate::task::answer::{Answer, Prediction};

/// The prediction for one held-out recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// The recording.
    pub id: String,
    /// Its right answer.
    pub truth: Answer,
    /// The run's prediction.
    pub prediction: Prediction,
}

/// Predicts `most` recordings of the test part of `run`, spread over it.
///
/// # Errors
/// When the run or its data cannot be read.
pub fn guesses(run: &RunFolder, most: usize, backend: BackendName) -> Result<Vec<Guess>> {
    guesses_as(run, most, backend)
}

/// As [`guesses`], for a run of any architecture.
///
/// # Errors
/// As [`guesses`].
pub fn guesses_as<A: Architecture>(
    run: &RunFolder<A>,
    most: usize,
    backend: BackendName,
) -> Result<Vec<Guess>> {
    run_on(backend, Guesses { run, most })?
}

struct Guesses<'a, A: Architecture> {
    run: &'a RunFolder<A>,
    most: usize,
}

impl<A: Architecture> Job for Guesses<'_, A> {
    type Output = Result<Vec<Guess>>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let Self { run, most } = self;
        let data = Data::of_run(run)?;
        let (items, _) = data.held_out();
        let predictor = Predictor::<B::InnerBackend, A>::open(run, device)?;
        let windows = predictor.default_windows();
        spread(&items, most)
            .map(|item| {
                let waveform = item.waveform(predictor.sample_rate_hz())?;
                let prediction = predictor.predict(&waveform, windows)?;
                Ok(Guess {
                    id: item.id.clone(),
                    truth: predictor.truth(&item.target)?,
                    prediction,
                })
            })
            .collect()
    }
}

/// At most `most` of `items`, spread evenly over them.
pub(crate) fn spread<'a>(items: &'a [&'a Item], most: usize) -> impl Iterator<Item = &'a Item> {
    let most = most.min(items.len());
    // One from each stretch, at a moving offset, because labels may alternate.
    (0..most).map(move |i| {
        let [start, end] = [i, i + 1].map(|i| i * items.len() / most);
        items[start + i % (end - start)]
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::PathBuf;

    use super::spread;
    use sori_datasets::{Item, Part, Source, Target};

    #[test]
    fn recordings_to_show_are_all_different() {
        let items: Vec<Item> = (0..40)
            .map(|index| Item {
                id: index.to_string(),
                source: Source::File(PathBuf::new()),
                target: Target::Class(0),
                part: Part::Test,
                group: None,
                domain: None,
            })
            .collect();
        let items: Vec<&Item> = items.iter().collect();
        for count in 0..items.len() {
            for most in 0..45 {
                let shown: HashSet<&str> = spread(&items[..count], most)
                    .map(|item| item.id.as_str())
                    .collect();
                assert_eq!(shown.len(), most.min(count), "{most} of {count}");
            }
        }
    }
}
