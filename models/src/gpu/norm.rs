//! Batch normalisation by the statistics of the batch, a clamping activation and max pooling.
//!
//! Sums over positions are taken in parts, each by one cube, and the parts are put together in their
//! order. They are sums of differences from one of the values, which lose no digits where all are near one
//! another. A value that a window did not pick, or that was clamped, has no gradient: which one was picked
//! is kept beside the output.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{Kernel, array, cubes};

/// Units of a cube.
const UNITS: u32 = 64;
/// Parts into which positions are divided.
pub(crate) const PARTS: usize = 64;

/// Sizes of an image, and of its windows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) frames: usize,
    pub(crate) bins: usize,
    pub(crate) channels: usize,
    pub(crate) pool: [usize; 2],
    /// A valid position, from whose values differences are taken.
    pub(crate) origin: usize,
}

impl Sizes {
    /// `[batch, steps, bands, channels]`
    pub(crate) fn size_out(&self) -> [usize; 4] {
        let [frames, bins] = self.pool;
        [
            self.batch,
            self.frames / frames,
            self.bins / bins,
            self.channels,
        ]
    }

    /// Whether each value has an index of 32 bits.
    pub(crate) fn fits(&self) -> bool {
        self.batch * self.frames * self.bins * self.channels <= i32::MAX as usize
    }

    fn parts(&self) -> CubeCount {
        CubeCount::Static(
            self.channels.div_ceil(UNITS as usize) as u32,
            PARTS as u32,
            1,
        )
    }
}

/// The image and the lengths to counts, means from the origin and sums of squared differences of each part,
/// `[parts, 3, channels]`.
#[derive(Debug, Clone)]
pub(crate) struct PartMoments(pub(crate) Sizes);

impl Kernel for PartMoments {
    const NAME: &'static str = "sori_norm_part_moments";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        part_moments::launch::<R>(
            &inputs[0].client,
            self.0.parts(),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&outputs[0]),
            self.0.batch * self.0.frames * self.0.bins,
            self.0.frames,
            self.0.bins,
            self.0.channels,
            self.0.origin,
        );
    }
}

/// The image and those to the mean, the biased and the unbiased variance over all and the mean from the origin,
/// `[4, channels]`.
#[derive(Debug, Clone)]
pub(crate) struct Moments(pub(crate) Sizes);

impl Kernel for Moments {
    const NAME: &'static str = "sori_norm_moments";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        moments::launch::<R>(
            &inputs[0].client,
            cubes(self.0.channels, UNITS),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&outputs[0]),
            self.0.channels,
            self.0.origin,
        );
    }
}

/// The image, γ, β, the moments and the lengths to the output and what each window picked, both
/// `[batch, steps, bands, channels]`.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    pub(crate) sizes: Sizes,
    pub(crate) epsilon: f64,
    pub(crate) range: [f64; 2],
}

impl Kernel for Forward {
    const NAME: &'static str = "sori_norm";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let size_out @ [_, steps, bands, channels] = self.sizes.size_out();
        let values = size_out.iter().product();
        forward::launch::<R>(
            &inputs[0].client,
            cubes(values, UNITS),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&inputs[2]),
            array(&inputs[3]),
            array(&inputs[4]),
            array(&outputs[0]),
            array(&outputs[1]),
            values,
            self.sizes.frames,
            self.sizes.bins,
            steps,
            bands,
            channels,
            self.sizes.pool[0],
            self.sizes.pool[1],
            self.sizes.origin,
            self.epsilon as f32,
            // Shaders may assume that nothing is infinite.
            (self.range[0] as f32).clamp(f32::MIN, f32::MAX),
            (self.range[1] as f32).clamp(f32::MIN, f32::MAX),
        );
    }
}

/// The gradient of the output, what was picked, the image and the moments to the sums of the gradients and of
/// their products with the normalised values in each part, `[parts, 2, channels]`.
#[derive(Debug, Clone)]
pub(crate) struct PartSlopes {
    pub(crate) sizes: Sizes,
    pub(crate) epsilon: f64,
}

impl Kernel for PartSlopes {
    const NAME: &'static str = "sori_norm_part_slopes";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let [batch, steps, bands, channels] = self.sizes.size_out();
        part_slopes::launch::<R>(
            &inputs[0].client,
            self.sizes.parts(),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&inputs[2]),
            array(&inputs[3]),
            array(&outputs[0]),
            batch * steps * bands,
            self.sizes.frames,
            self.sizes.bins,
            steps,
            bands,
            channels,
            self.sizes.pool[0],
            self.sizes.pool[1],
            self.sizes.origin,
            self.epsilon as f32,
        );
    }
}

/// The gradient of the output, what was picked, the image, γ, the moments, the sums of the parts and the
/// lengths to the gradient of the image, and of γ and β, `[2, channels]`: β first.
#[derive(Debug, Clone)]
pub(crate) struct Backward {
    pub(crate) sizes: Sizes,
    pub(crate) epsilon: f64,
    /// Valid positions.
    pub(crate) count: usize,
}

impl Kernel for Backward {
    const NAME: &'static str = "sori_norm_backward";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let [_, steps, bands, channels] = self.sizes.size_out();
        let Sizes {
            batch,
            frames,
            bins,
            pool,
            origin,
            ..
        } = self.sizes;
        total_slopes::launch::<R>(
            &inputs[0].client,
            cubes(channels, UNITS),
            CubeDim::new_1d(UNITS),
            array(&inputs[5]),
            array(&outputs[1]),
            channels,
        );
        let values = batch * frames * bins * channels;
        backward::launch::<R>(
            &inputs[0].client,
            cubes(values, UNITS),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&inputs[2]),
            array(&inputs[3]),
            array(&inputs[4]),
            array(&outputs[1]),
            array(&inputs[6]),
            array(&outputs[0]),
            values,
            frames,
            bins,
            steps,
            bands,
            channels,
            pool[0],
            pool[1],
            origin,
            self.epsilon as f32,
            self.count as f32,
        );
    }
}

#[cube(launch)]
fn part_moments(
    x: &Array<f32>,
    lengths: &Array<i32>,
    parts: &mut Array<f32>,
    positions: usize,
    frames: usize,
    bins: usize,
    channels: usize,
    origin: usize,
) {
    let channel = ABSOLUTE_POS_X as usize;
    let part = CUBE_POS_Y as usize;
    let each = (positions + PARTS - 1) / PARTS;
    let from = part * each;
    let to = min(from + each, positions);
    if channel < channels {
        let shift = x[origin * channels + channel];
        let mut count = f32::new(0.0);
        let mut mean = f32::new(0.0);
        for at in from..to {
            let line = at / bins;
            if line % frames < lengths[line / frames] as usize {
                count += 1.0;
                mean += x[at * channels + channel] - shift;
            }
        }
        mean /= max(count, 1.0);
        let mut squares = f32::new(0.0);
        for at in from..to {
            let line = at / bins;
            if line % frames < lengths[line / frames] as usize {
                let difference = x[at * channels + channel] - shift - mean;
                squares += difference * difference;
            }
        }
        parts[part * 3 * channels + channel] = count;
        parts[(part * 3 + 1) * channels + channel] = mean;
        parts[(part * 3 + 2) * channels + channel] = squares;
    }
}

#[cube(launch)]
fn moments(
    x: &Array<f32>,
    parts: &Array<f32>,
    moments: &mut Array<f32>,
    channels: usize,
    origin: usize,
) {
    let channel = ABSOLUTE_POS_X as usize;
    if channel < channels {
        let mut count = f32::new(0.0);
        let mut mean = f32::new(0.0);
        let mut squares = f32::new(0.0);
        for part in 0..PARTS {
            let more = parts[part * 3 * channels + channel];
            if more > 0.0 {
                let difference = parts[(part * 3 + 1) * channels + channel] - mean;
                let all = count + more;
                mean += difference * more / all;
                squares += parts[(part * 3 + 2) * channels + channel]
                    + difference * difference * count * more / all;
                count = all;
            }
        }
        moments[channel] = x[origin * channels + channel] + mean;
        moments[3 * channels + channel] = mean;
        moments[channels + channel] = squares / max(count, 1.0);
        // Of a single value the squares are zero.
        moments[2 * channels + channel] = squares / max(count - 1.0, 1.0);
    }
}

#[cube(launch)]
fn forward(
    x: &Array<f32>,
    gamma: &Array<f32>,
    beta: &Array<f32>,
    moments: &Array<f32>,
    lengths: &Array<i32>,
    y: &mut Array<f32>,
    picks: &mut Array<f32>,
    values: usize,
    frames: usize,
    bins: usize,
    steps: usize,
    bands: usize,
    channels: usize,
    pool_frames: usize,
    pool_bins: usize,
    origin: usize,
    epsilon: f32,
    low: f32,
    high: f32,
) {
    let mut at = ABSOLUTE_POS_X as usize;
    while at < values {
        let channel = at % channels;
        let band = at / channels % bands;
        let step = at / channels / bands % steps;
        let row = at / channels / bands / steps;
        let mut best = f32::new(0.0);
        let mut pick = f32::new(-1.0);
        if step < lengths[row] as usize / pool_frames {
            let scale = gamma[channel] / (moments[channels + channel] + epsilon).sqrt();
            let shift = x[origin * channels + channel];
            for place in 0..pool_frames * pool_bins {
                let frame = step * pool_frames + place / pool_bins;
                let bin = band * pool_bins + place % pool_bins;
                let value = x[((row * frames + frame) * bins + bin) * channels + channel];
                let value = value - shift - moments[3 * channels + channel];
                let value = value * scale + beta[channel];
                let clamped = min(max(value, low), high);
                if place == 0 || clamped > best {
                    best = clamped;
                    pick = f32::new(-1.0);
                    if value > low && value < high {
                        pick = f32::cast_from(place as u32);
                    }
                }
            }
        }
        y[at] = best;
        picks[at] = pick;
        at += CUBE_COUNT_X as usize * CUBE_DIM_X as usize;
    }
}

#[cube(launch)]
fn part_slopes(
    slopes: &Array<f32>,
    picks: &Array<f32>,
    x: &Array<f32>,
    moments: &Array<f32>,
    parts: &mut Array<f32>,
    positions: usize,
    frames: usize,
    bins: usize,
    steps: usize,
    bands: usize,
    channels: usize,
    pool_frames: usize,
    pool_bins: usize,
    origin: usize,
    epsilon: f32,
) {
    let channel = ABSOLUTE_POS_X as usize;
    let part = CUBE_POS_Y as usize;
    let each = (positions + PARTS - 1) / PARTS;
    let from = part * each;
    let to = min(from + each, positions);
    if channel < channels {
        let shift = x[origin * channels + channel];
        let mean = moments[3 * channels + channel];
        let deviation = (moments[channels + channel] + epsilon).sqrt();
        let mut sum = f32::new(0.0);
        let mut product = f32::new(0.0);
        for position in from..to {
            let at = position * channels + channel;
            if picks[at] >= 0.0 {
                let place = u32::cast_from(picks[at]) as usize;
                let frame = position / bands % steps * pool_frames + place / pool_bins;
                let bin = position % bands * pool_bins + place % pool_bins;
                let row = position / bands / steps;
                let value = x[((row * frames + frame) * bins + bin) * channels + channel];
                sum += slopes[at];
                product += slopes[at] * (value - shift - mean) / deviation;
            }
        }
        parts[part * 2 * channels + channel] = sum;
        parts[(part * 2 + 1) * channels + channel] = product;
    }
}

#[cube(launch)]
fn total_slopes(parts: &Array<f32>, totals: &mut Array<f32>, channels: usize) {
    let channel = ABSOLUTE_POS_X as usize;
    if channel < channels {
        let mut sum = f32::new(0.0);
        let mut product = f32::new(0.0);
        for part in 0..PARTS {
            sum += parts[part * 2 * channels + channel];
            product += parts[(part * 2 + 1) * channels + channel];
        }
        totals[channel] = sum;
        totals[channels + channel] = product;
    }
}

#[cube(launch)]
fn backward(
    slopes: &Array<f32>,
    picks: &Array<f32>,
    x: &Array<f32>,
    gamma: &Array<f32>,
    moments: &Array<f32>,
    totals: &Array<f32>,
    lengths: &Array<i32>,
    of_x: &mut Array<f32>,
    values: usize,
    frames: usize,
    bins: usize,
    steps: usize,
    bands: usize,
    channels: usize,
    pool_frames: usize,
    pool_bins: usize,
    origin: usize,
    epsilon: f32,
    count: f32,
) {
    let mut at = ABSOLUTE_POS_X as usize;
    while at < values {
        let channel = at % channels;
        let bin = at / channels % bins;
        let frame = at / channels / bins % frames;
        let row = at / channels / bins / frames;
        let mut found = f32::new(0.0);
        if frame < lengths[row] as usize {
            let deviation = (moments[channels + channel] + epsilon).sqrt();
            let shift = x[origin * channels + channel];
            let normal = (x[at] - shift - moments[3 * channels + channel]) / deviation;
            let step = frame / pool_frames;
            let band = bin / pool_bins;
            let mut slope = f32::new(0.0);
            if step < steps && band < bands {
                let place = frame % pool_frames * pool_bins + bin % pool_bins;
                let out = ((row * steps + step) * bands + band) * channels + channel;
                if picks[out] == f32::cast_from(place as u32) {
                    slope = slopes[out];
                }
            }
            let mean = (totals[channel] + normal * totals[channels + channel]) / count;
            found = gamma[channel] / deviation * (slope - mean);
        }
        of_x[at] = found;
        at += CUBE_COUNT_X as usize * CUBE_DIM_X as usize;
    }
}
