//! The time of a prediction: the forward pass of one row, without a gradient.

use burn::tensor::backend::{AutodiffBackend, Backend};
use sori_models::ops::in_pool;
use sori_models::{Architecture, Contract, Network, num_params};

use super::{Preset, Timing, Work, median_ms, peak_mib};
use crate::backend::{BackendName, Job, run_on};
use crate::train::network_and_adversary::draw_parameters;
use crate::{Error, Result};

impl Preset {
    /// Times `steps` predictions for a single row of the preset's frames, after `warm_up` others: the
    /// latency of a classifier's scores or a recogniser's emissions.
    ///
    /// # Errors
    /// When the preset is of no classifier, tagger or CTC recogniser, or the backend cannot be used.
    pub fn time_prediction(
        &self,
        backend: BackendName,
        warm_up: usize,
        steps: usize,
    ) -> Result<Timing> {
        if !self.has_prediction() {
            return Err(Error::Input(format!(
                "preset {}: predictions are timed for classifiers, taggers and deep_speech2",
                self.name
            )));
        }
        run_on(
            backend,
            TimePredictions {
                preset: self,
                warm_up,
                steps,
            },
        )?
    }

    /// Whether [`Self::time_prediction`] can time it.
    #[must_use]
    pub fn has_prediction(&self) -> bool {
        matches!(self.work, Work::Classify | Work::Tag | Work::Transcribe)
    }
}

struct TimePredictions<'a> {
    preset: &'a Preset,
    warm_up: usize,
    steps: usize,
}

impl Job for TimePredictions<'_> {
    type Output = Result<Timing>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<Timing> {
        if self.preset.work == Work::Transcribe {
            return self.time::<B::InnerBackend, _>(&self.preset.recogniser(), device);
        }
        self.time::<B::InnerBackend, _>(&self.preset.model()?, device)
    }
}

impl TimePredictions<'_> {
    fn time<B: Backend, A: Architecture>(&self, config: &A, device: &B::Device) -> Result<Timing> {
        B::seed(device, 0);
        let network = config.init::<B>(device)?;
        draw_parameters(&network);
        let preset = Preset {
            batch: 1,
            ..self.preset.clone()
        };
        let features = preset.random_tensor::<B>(preset.bins, device);
        let lengths = [preset.frames];
        let median_ms = median_ms(self.warm_up, self.steps, || {
            let values = in_pool::<B, _>(|| match network.contract() {
                Contract::Classifier(network) => network
                    .forward(features.clone(), &lengths)
                    .into_data()
                    .num_elements(),
                Contract::Emitter(network) => network
                    .emit(features.clone(), &lengths)
                    .logits
                    .into_data()
                    .num_elements(),
                _ => 0,
            });
            if values == 0 {
                return Err(Error::Input(format!("{} gives no scores", preset.name)));
            }
            Ok(())
        })?;
        Ok(Timing {
            median_ms,
            params: num_params(&network),
            peak_mib: peak_mib(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_classifier_and_recogniser_answers_and_the_others_are_refused() {
        let presets = super::super::presets();
        for preset in presets.iter().filter(|preset| preset.has_prediction()) {
            if preset.frames > 1_000 {
                continue; // long ones take seconds without optimisation
            }
            let timing = preset.time_prediction(BackendName::Ndarray, 0, 1);
            let params = timing.expect("a timing").params;
            assert!(params > 10_000, "{}: {params}", preset.name);
        }
        let ctc = Preset::find("ctc").expect("a preset");
        let refused = ctc.time_prediction(BackendName::Ndarray, 0, 1);
        assert!(refused.is_err());
    }
}
