//! The mel filter bank.

use super::stft::LANES;
use super::{FeatureConfig, MelNorm, MelScale};

/// Triangles over the power spectrum, of each only the frequencies it weighs.
#[derive(Clone)]
pub(super) struct MelFilters {
    filters: Vec<Filter>,
}

#[derive(Clone)]
struct Filter {
    first_bin: usize,
    weights: Vec<f32>,
}

impl MelFilters {
    /// As `librosa.filters.mel`: edges equally spaced in mel, triangles linear in Hz.
    pub(super) fn new(config: &FeatureConfig) -> Self {
        let fft_samples = config.fft_samples();
        let bin_hz = f64::from(config.sample_rate_hz) / fft_samples as f64;
        // Filter i peaks at the edge where its neighbours begin and end.
        let edge = |index: usize| config.mel_peak_hz(index as f64 - 1.0);
        let filters = (0..config.num_mels)
            .map(|m| {
                let (left, peak, right) = (edge(m), edge(m + 1), edge(m + 2));
                let height = match config.mel_norm {
                    MelNorm::None => 1.0,
                    MelNorm::Slaney => 2.0 / (right - left),
                };
                let weight = |bin: usize| {
                    let hz = bin as f64 * bin_hz;
                    let rising = (hz - left) / (peak - left);
                    let falling = (right - hz) / (right - peak);
                    height * rising.min(falling).max(0.0)
                };
                let first_bin = ((left / bin_hz) as usize).min(fft_samples / 2);
                let end_bin = ((right / bin_hz) as usize + 2).min(fft_samples / 2 + 1);
                let first_bin = (first_bin..end_bin)
                    .find(|&bin| weight(bin) > 0.0)
                    .unwrap_or(end_bin);
                let weights = (first_bin..end_bin)
                    .map(weight)
                    .take_while(|&weight| weight > 0.0)
                    .map(|weight| weight as f32)
                    .collect();
                Filter { first_bin, weights }
            })
            .collect();
        Self { filters }
    }

    /// The first frequency under each filter, and its weights from there on.
    pub(super) fn weights(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let filters = self.filters.iter();
        filters.map(|filter| (filter.first_bin, filter.weights.as_slice()))
    }

    /// Filters within which no frequency of the transform lies.
    pub(super) fn num_empty(&self) -> usize {
        self.filters
            .iter()
            .filter(|filter| filter.weights.is_empty())
            .count()
    }

    /// The filtered power `[num_mels]` of a power spectrum `[fft_samples / 2 + 1]`, a frame in each
    /// lane.
    pub(super) fn apply(&self, power: &[[f32; LANES]], mels: &mut [[f32; LANES]]) {
        filter(&self.filters, power, mels);
    }

    /// A power spectrum `[bins]` without negative values whose filtered power is close to `mels`: by
    /// multiplicative updates ([Lee and Seung 2000](https://papers.nips.cc/paper/1861)) of the spectrum that
    /// the filters' shapes give. Frequencies outside of all filters have no power.
    pub(super) fn unmix(&self, mels: &[f32], bins: usize) -> Vec<f32> {
        const UPDATES: usize = 50;
        let spread = |mels: &mut dyn Iterator<Item = f32>| {
            let mut power = vec![0.0; bins];
            for (mel, filter) in mels.zip(&self.filters) {
                let under = power.iter_mut().skip(filter.first_bin);
                for (sum, weight) in under.zip(&filter.weights) {
                    *sum += mel * weight;
                }
            }
            power
        };
        let mixed = |power: &[f32], filter: &Filter| -> f32 {
            let under = power[filter.first_bin..].iter();
            under.zip(&filter.weights).map(|(p, w)| p * w).sum()
        };
        let wanted = spread(&mut mels.iter().copied());
        let mut power = wanted.clone();
        for _ in 0..UPDATES {
            let found = spread(&mut self.filters.iter().map(|filter| mixed(&power, filter)));
            for ((power, wanted), found) in power.iter_mut().zip(&wanted).zip(found) {
                *power *= match found > f32::MIN_POSITIVE {
                    true => wanted / found,
                    false => 0.0,
                };
            }
        }
        power
    }
}

#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi2",
    "x86_64+avx2+fma+bmi2",
))]
fn filter(filters: &[Filter], power: &[[f32; LANES]], mels: &mut [[f32; LANES]]) {
    for (mel, filter) in mels.iter_mut().zip(filters) {
        let mut sums = [0.0; LANES];
        for (&weight, power) in filter.weights.iter().zip(&power[filter.first_bin..]) {
            for (sum, &power) in sums.iter_mut().zip(power) {
                *sum += weight * power;
            }
        }
        *mel = sums;
    }
}

/// Hz per mel in the linear part of Slaney's scale.
const SLANEY_HZ_PER_MEL: f64 = 200.0 / 3.0;
/// Start of its logarithmic part.
const SLANEY_KNEE_HZ: f64 = 1000.0;

impl FeatureConfig {
    /// Frequency in Hz at which mel filter number `filter` peaks, counted from 0; between two whole
    /// numbers, what lies between on the mel scale.
    #[must_use]
    pub fn mel_peak_hz(&self, filter: f64) -> f64 {
        let (low, high) = (
            hz_to_mel(self.mel_scale, self.min_hz),
            hz_to_mel(self.mel_scale, self.max_mel_hz()),
        );
        let part = (filter + 1.0) / (self.num_mels + 1) as f64;
        mel_to_hz(self.mel_scale, low + (high - low) * part)
    }

    /// Mel filters so narrow that no frequency of the transform lies within: their bins are
    /// constant. Fewer filters, a longer transform or a higher `min_hz` make it 0.
    #[must_use]
    pub fn num_empty_mels(&self) -> usize {
        MelFilters::new(self).num_empty()
    }
}

/// Step of its logarithmic part: 27 mels for a factor of 6.4.
fn slaney_log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn hz_to_mel(scale: MelScale, hz: f64) -> f64 {
    match scale {
        MelScale::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
        MelScale::Slaney if hz < SLANEY_KNEE_HZ => hz / SLANEY_HZ_PER_MEL,
        MelScale::Slaney => {
            SLANEY_KNEE_HZ / SLANEY_HZ_PER_MEL + (hz / SLANEY_KNEE_HZ).ln() / slaney_log_step()
        }
    }
}

fn mel_to_hz(scale: MelScale, mel: f64) -> f64 {
    let knee = SLANEY_KNEE_HZ / SLANEY_HZ_PER_MEL;
    match scale {
        MelScale::Htk => 700.0 * (10.0_f64.powf(mel / 2595.0) - 1.0),
        MelScale::Slaney if mel < knee => mel * SLANEY_HZ_PER_MEL,
        MelScale::Slaney => SLANEY_KNEE_HZ * ((mel - knee) * slaney_log_step()).exp(),
    }
}
