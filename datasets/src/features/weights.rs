//! The fixed numbers of a front end, for building the same elsewhere.

use super::FeatureConfig;
use super::mel::MelFilters;
use super::mfcc::Cosines;
use super::window::window;

impl FeatureConfig {
    /// The weights of the window, `[window_samples]`.
    #[must_use]
    pub fn window_weights(&self) -> Vec<f32> {
        window(self.window, self.window_samples())
    }

    /// The mel filters over a power spectrum, `[fft_samples / 2 + 1, num_mels]`.
    #[must_use]
    pub fn mel_weights(&self) -> Vec<f32> {
        let mut weights = vec![0.0; (self.fft_samples() / 2 + 1) * self.num_mels];
        for (mel, (first, filter)) in MelFilters::new(self).weights().enumerate() {
            for (bin, &weight) in (first..).zip(filter) {
                weights[bin * self.num_mels + mel] = weight;
            }
        }
        weights
    }

    /// The cosines that make cepstra of a mel spectrum, `[num_mfccs, num_mels]`.
    #[must_use]
    pub fn cosine_weights(&self) -> Vec<f32> {
        Cosines::new(self.num_mels, self.num_mfccs).into_rows()
    }
}
