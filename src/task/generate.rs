//! Models that make patches of features rather than say something of them.

use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};
use sori_models::Model;

use super::{Metrics, host};
use crate::batch::Batch;
use crate::metric::frechet_distance;

/// What the noise of an evaluation is drawn from: the same each time.
pub(super) const EVALUATION_SEED: u64 = 0x50;
/// Samples of a posterior that the tighter bound takes.
const IMPORTANCE_SAMPLES: usize = 8;
/// The grid of means that a patch is summed up by for the Fréchet distance, frames and bins.
const GRID: [usize; 2] = [4, 8];

/// Values of the standard normal distribution, as the backend is seeded.
pub(crate) fn noise<B: Backend>(rows: usize, d_latent: usize, device: &B::Device) -> Tensor<B, 2> {
    Tensor::random([rows, d_latent], Distribution::Normal(0.0, 1.0), device)
}

/// Patches `[rows, frames, bins]` that `model` makes of noise; of a variational autoencoder their means,
/// without the deviation of each value.
///
/// # Panics
/// If it makes none.
pub(crate) fn generated<B: Backend>(
    model: &Model<B>,
    rows: usize,
    device: &B::Device,
) -> Tensor<B, 3> {
    match model {
        Model::Vae(model) => model.decode(noise(rows, model.d_latent(), device)),
        Model::Gan(model) => model.generate(noise(rows, model.d_latent(), device)),
        _ => panic!("only vae and gan make patches"),
    }
}

/// What a model made of the patches of a whole part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patches {
    /// Values of the patches.
    num_values: usize,
    /// Each patch of the part and as many that were made, summed up.
    real: Vec<Vec<f64>>,
    made: Vec<Vec<f64>>,
    of_model: Option<OfModel>,
}

/// What one model alone tells.
#[derive(Clone, Debug, PartialEq)]
enum OfModel {
    Vae(BoundSums),
    Gan {
        /// Patches, real and made, that the discriminator took for what they are.
        told_apart: usize,
    },
}

/// Sums over the part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct BoundSums {
    /// The evidence lower bound, in nats.
    bound: f64,
    /// The one of more samples, in nats.
    importance_bound: f64,
    /// In nats.
    divergence: f64,
    /// Of what is decoded from the posterior's mean.
    squared_error: f64,
}

impl Patches {
    /// Adds those of a batch.
    pub(super) fn add<B: Backend>(&mut self, model: &Model<B>, batch: &Batch<B>) {
        let (features, lengths) = (batch.features.clone(), &batch.lengths);
        let [rows, frames, bins] = features.dims();
        let device = features.device();
        self.num_values += lengths.iter().sum::<usize>() * bins;
        let total = |values: Tensor<B, 1>| host(values).iter().copied().map(f64::from).sum::<f64>();
        let of_model = match model {
            Model::Vae(model) => {
                let noise = || noise::<B>(rows, model.d_latent(), &device);
                let bound = model.bound(features.clone(), lengths, noise());
                let noises: Vec<_> = (0..IMPORTANCE_SAMPLES).map(|_| noise()).collect();
                let tighter = model.log_likelihood_bound(features.clone(), lengths, &noises);
                let mean = model.reconstruct(features.clone(), lengths);
                let errors = host(mean - features.clone());
                let valid = errors.chunks_exact((frames * bins).max(1)).zip(lengths);
                let valid = valid.flat_map(|(row, &length)| &row[..length * bins]);
                let squared_error = valid.map(|&error| f64::from(error).powi(2)).sum::<f64>();
                let sums = match self.of_model {
                    Some(OfModel::Vae(sums)) => sums,
                    _ => BoundSums::default(),
                };
                OfModel::Vae(BoundSums {
                    bound: sums.bound + total(bound.evidence()),
                    importance_bound: sums.importance_bound + total(tighter),
                    divergence: sums.divergence + total(bound.divergence),
                    squared_error: sums.squared_error + squared_error,
                })
            }
            Model::Gan(model) => {
                let made = model.generate(noise(rows, model.d_latent(), &device));
                let real = host(model.discriminate(features.clone(), lengths));
                let fake = host(model.discriminate(made, lengths));
                let right = real.iter().filter(|&&logit| logit > 0.0).count()
                    + fake.iter().filter(|&&logit| logit <= 0.0).count();
                let before = match self.of_model {
                    Some(OfModel::Gan { told_apart }) => told_apart,
                    _ => 0,
                };
                OfModel::Gan {
                    told_apart: before + right,
                }
            }
            _ => return,
        };
        self.of_model = Some(of_model);
        let made = generated(model, rows, &device);
        self.real.extend(summed_up(features, lengths));
        self.made.extend(summed_up(made, lengths));
    }

    pub(super) fn metrics(&self) -> Metrics {
        let frechet = ("frechet", frechet_distance(&self.real, &self.made));
        match &self.of_model {
            Some(OfModel::Vae(sums)) => {
                let values = self.num_values.max(1) as f64;
                Metrics::new([
                    ("bound", sums.bound / values),
                    ("importance_bound", sums.importance_bound / values),
                    ("kl", sums.divergence / self.real.len().max(1) as f64),
                    ("rmse", (sums.squared_error / values).sqrt()),
                    frechet,
                ])
            }
            Some(OfModel::Gan { told_apart }) => {
                let patches = 2 * self.real.len();
                let told_apart = *told_apart as f64 / patches.max(1) as f64;
                Metrics::new([frechet, ("told_apart", told_apart)])
            }
            None => Metrics::default(),
        }
    }

    /// The means over a grid of each patch of the part, and of each that was made, as comma-separated
    /// values.
    pub(super) fn to_csv(&self) -> String {
        let cells = (0..GRID[0]).flat_map(|step| (0..GRID[1]).map(move |band| (step, band)));
        let names: Vec<String> = cells.map(|(step, band)| format!("{step}/{band}")).collect();
        let mut csv = format!("kind,{}\n", names.join(","));
        let kinds = [("real", &self.real), ("made", &self.made)];
        for (kind, patches) in kinds {
            for patch in patches {
                let values: Vec<String> = patch.iter().map(ToString::to_string).collect();
                csv.push_str(&format!("{kind},{}\n", values.join(",")));
            }
        }
        csv
    }
}

/// Each patch by the means over a grid of its frames and bins, with zeros past its length.
fn summed_up<B: Backend>(patches: Tensor<B, 3>, lengths: &[usize]) -> Vec<Vec<f64>> {
    let [_, frames, bins] = patches.dims();
    let values = host(patches);
    let rows = values.chunks_exact((frames * bins).max(1)).zip(lengths);
    let grid = GRID.map(|cells| cells.max(1));
    rows.map(|(row, &length)| {
        let mut sums = vec![0.0; grid[0] * grid[1]];
        for (frame, values) in row.chunks_exact(bins).enumerate().take(length) {
            for (bin, &value) in values.iter().enumerate() {
                let cell = frame * grid[0] / frames * grid[1] + bin * grid[1] / bins;
                sums[cell] += f64::from(value);
            }
        }
        let size = (frames * bins) as f64 / sums.len() as f64;
        sums.into_iter().map(|sum| sum / size).collect()
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use burn_ndarray::NdArray;

    use super::*;

    #[test]
    fn a_patch_is_summed_up_by_means_without_its_padding() {
        let values: Vec<f32> = (0..8 * 16).map(|i| (i / 16) as f32).collect();
        let data = burn::tensor::TensorData::new(values, [1, 8, 16]);
        let patch = Tensor::<NdArray<f32>, 3>::from_data(data, &Default::default());
        let [found] = summed_up(patch.clone(), &[8]).try_into().unwrap();
        assert_eq!(found[..8], [0.5; 8]);
        assert_eq!(found[24..], [6.5; 8]);
        let [cut] = summed_up(patch, &[7]).try_into().unwrap();
        assert_eq!(cut[24..], [3.0; 8]);
        assert_eq!(cut[..24], found[..24]);
    }
}
