//! Patches of a part, and an equal number of generated ones.

use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};

use crate::metric::frechet_distance;
use crate::numbers::host;

/// The seed of the noise in an evaluation, always the same.
pub(super) const EVALUATION_SEED: u64 = 0x50;
/// The grid, in frames and bins, over which a patch is averaged for the Fréchet distance.
const GRID: [usize; 2] = [4, 8];

/// Samples of the standard normal distribution, from the backend's seed.
pub(crate) fn noise<B: Backend>(rows: usize, d_latent: usize, device: &B::Device) -> Tensor<B, 2> {
    Tensor::random([rows, d_latent], Distribution::Normal(0.0, 1.0), device)
}

/// Patches of a part and an equal number of generated ones, each averaged over a grid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patches {
    real: Vec<Vec<f64>>,
    made: Vec<Vec<f64>>,
}

impl Patches {
    /// Adds the patches `[rows, frames, bins]` of a batch, and an equal number of generated ones.
    pub(super) fn add<B: Backend>(
        &mut self,
        real: Tensor<B, 3>,
        lengths: &[usize],
        made: Tensor<B, 3>,
    ) {
        self.real.extend(summed_up(real, lengths));
        self.made.extend(summed_up(made, lengths));
    }

    /// Number of patches of the part.
    pub fn len(&self) -> usize {
        self.real.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.real.is_empty()
    }

    /// The Fréchet distance between real and generated patches.
    pub fn frechet_distance(&self) -> f64 {
        frechet_distance(&self.real, &self.made)
    }

    /// The grid means of each patch as comma-separated values.
    pub fn to_csv(&self) -> String {
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

/// The means of each patch over a grid of its frames and bins, with zeros past its length.
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
