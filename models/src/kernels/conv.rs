//! Convolutions of channels-last images (and sequences, which have one bin), without im2col: a strip
//! of the padded input is copied to a buffer that fits the second cache, where each output
//! position's window is a few long runs of values, which is what the product's rows may be.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::Scratch;
use super::conv_sizes::Conv;
use super::product::{
    Packed, Rows, Shared, Start, add_columns_times_rows, add_parts, rows_times_packed,
};
use super::tasks::Tasks;
use super::tile::TILE_COLUMNS;
use super::{Real, buffer, depthwise};

impl Conv {
    /// The windows of the forward pass over its input.
    fn windows(&self) -> Windows {
        Windows {
            size: self.size,
            size_out: self.size_out(),
            before: [self.padding[0] as isize, self.padding[1] as isize],
            spread: [1, 1],
            kernel: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            channels: self.channels_in / self.groups,
            all_channels: self.channels_in,
        }
    }

    /// The windows of the input's gradient over the output's: a convolution with the kernel turned
    /// round, over the outputs spread apart by the stride.
    fn windows_back(&self) -> Windows {
        let before = |axis: usize| {
            (self.dilation[axis] * (self.kernel[axis] - 1)) as isize - self.padding[axis] as isize
        };
        Windows {
            size: self.size_out(),
            size_out: self.size,
            before: [before(0), before(1)],
            spread: self.stride,
            kernel: self.kernel,
            stride: [1, 1],
            dilation: self.dilation,
            channels: self.channels_out / self.groups,
            all_channels: self.channels_out,
        }
    }
}

/// The windows that slide over one image.
struct Windows {
    size: [usize; 2],
    size_out: [usize; 2],
    /// Zeros before the first value; negative where values are left out.
    before: [isize; 2],
    /// Each value is followed by `spread − 1` zeros.
    spread: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    /// The channels of one group, and of all.
    channels: usize,
    all_channels: usize,
}

/// Output positions that a strip should have at least, and values it should have at most.
const STRIP_POSITIONS: usize = 256;
const STRIP_VALUES: usize = 1 << 16;

/// Values a strip may be read past its end by [`add_columns_times_rows`].
const SLACK: usize = 8;

impl Windows {
    /// Padded bins that the windows of one frame reach over.
    fn width(&self) -> usize {
        (self.size_out[1] - 1) * self.stride[1] + self.dilation[1] * (self.kernel[1] - 1) + 1
    }

    /// Padded frames that the windows of `steps` output frames reach over.
    fn height(&self, steps: usize) -> usize {
        (steps - 1) * self.stride[0] + self.dilation[0] * (self.kernel[0] - 1) + 1
    }

    /// Output frames of a strip.
    fn strip_steps(&self) -> usize {
        let enough = STRIP_POSITIONS.div_ceil(self.size_out[1]);
        let fitting = STRIP_VALUES / (self.width() * self.channels * self.stride[0]).max(1);
        enough.max(fitting).clamp(1, self.size_out[0].max(1))
    }

    /// The strips of all output frames.
    fn strips(&self) -> Vec<Range<usize>> {
        let steps = self.strip_steps();
        (0..self.size_out[0])
            .step_by(steps)
            .map(|first| first..self.size_out[0].min(first + steps))
            .collect()
    }

    fn strip_len(&self) -> usize {
        self.height(self.strip_steps()) * self.width() * self.channels + SLACK
    }

    /// Copies what the windows of the output frames `steps` read of a group's channels.
    fn load<T: Real>(&self, image: &[T], steps: &Range<usize>, group: usize, strip: &mut [T]) {
        let row_len = self.width() * self.channels;
        let first = (steps.start * self.stride[0]) as isize - self.before[0];
        for (index, row) in strip
            .chunks_exact_mut(row_len)
            .take(self.height(steps.len()))
            .enumerate()
        {
            match source(first + index as isize, self.spread[0], self.size[0]) {
                None => row.fill(T::ZERO),
                Some(frame) => {
                    let line = self.size[1] * self.all_channels;
                    self.load_row(&image[frame * line..][..line], group, row);
                }
            }
        }
    }

    /// What [`Self::load`] would copy, if it lies in the image as it is, as of a sequence between its
    /// ends.
    fn direct<'a, T>(&self, image: &'a [T], steps: &Range<usize>) -> Option<&'a [T]> {
        let is_whole = self.channels == self.all_channels
            && self.spread == [1, 1]
            && self.before[1] == 0
            && self.width() == self.size[1];
        let first = (steps.start * self.stride[0]) as isize - self.before[0];
        let first = usize::try_from(first).ok().filter(|_| is_whole)?;
        let line = self.size[1] * self.channels;
        image.get(first * line..(first + self.height(steps.len())) * line)
    }

    /// The values that the windows of the output frames `steps` read: where they lie, or copied.
    fn strip<'a, T: Real>(
        &self,
        image: &'a [T],
        steps: &Range<usize>,
        group: usize,
        strip: &'a mut [T],
    ) -> &'a [T] {
        if let Some(values) = self.direct(image, steps) {
            return values;
        }
        self.load(image, steps, group, strip);
        strip
    }

    /// Adds what stands where [`Self::load`] of windows without spread copies to, to where it copies
    /// from.
    fn unload<T: Real>(&self, strip: &[T], steps: &Range<usize>, group: usize, image: &mut [T]) {
        let channels = self.channels;
        let first = (steps.start * self.stride[0]) as isize - self.before[0];
        for (index, row) in strip
            .chunks_exact(self.width() * channels)
            .take(self.height(steps.len()))
            .enumerate()
        {
            let Some(frame) = source(first + index as isize, 1, self.size[0]) else {
                continue;
            };
            for (index, values) in row.chunks_exact(channels).enumerate() {
                let Some(bin) = source(index as isize - self.before[1], 1, self.size[1]) else {
                    continue;
                };
                let from = (frame * self.size[1] + bin) * self.all_channels + group * channels;
                for (sum, &value) in image[from..from + channels].iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
    }

    fn load_row<T: Real>(&self, line: &[T], group: usize, row: &mut [T]) {
        let channels = self.channels;
        if channels == self.all_channels && self.spread[1] == 1 && self.before[1] >= 0 {
            let zeros = (self.before[1] as usize * channels).min(row.len());
            let (zeros, rest) = row.split_at_mut(zeros);
            let (values, more) = rest.split_at_mut(line.len().min(rest.len()));
            zeros.fill(T::ZERO);
            values.copy_from_slice(&line[..values.len()]);
            more.fill(T::ZERO);
            return;
        }
        for (index, position) in row.chunks_exact_mut(channels).enumerate() {
            let bin = source(
                index as isize - self.before[1],
                self.spread[1],
                self.size[1],
            );
            match bin {
                None => position.fill(T::ZERO),
                Some(bin) => {
                    let from = bin * self.all_channels + group * channels;
                    position.copy_from_slice(&line[from..from + channels]);
                }
            }
        }
    }

    /// Where the window of each output position of a strip begins.
    fn rows(&self, steps: usize, rows: &mut Vec<usize>) {
        let [stride_frames, stride_bins] = self.stride;
        rows.clear();
        for step in 0..steps {
            let line = step * stride_frames * self.width() * self.channels;
            rows.extend(
                (0..self.size_out[1]).map(|band| line + band * stride_bins * self.channels),
            );
        }
    }

    /// Where the taps of a window lie, neighbours joined, and the length of each run.
    fn runs(&self) -> (Vec<usize>, usize) {
        let mut taps = Vec::new();
        for k in 0..self.kernel[0] {
            for l in 0..self.kernel[1] {
                let position = k * self.dilation[0] * self.width() + l * self.dilation[1];
                taps.push(position * self.channels);
            }
        }
        let joined = |taps: &[usize]| {
            taps.windows(2)
                .all(|pair| pair[1] == pair[0] + self.channels)
        };
        if joined(&taps) {
            (vec![0], taps.len() * self.channels)
        } else if taps.chunks(self.kernel[1]).all(joined) {
            let lines = taps.iter().step_by(self.kernel[1]).copied().collect();
            (lines, self.kernel[1] * self.channels)
        } else {
            (taps, self.channels)
        }
    }

    /// Calls `run` with a buffer for one strip.
    fn with_strip<T: Real, R>(&self, run: impl FnOnce(&mut [T], &mut Vec<usize>) -> R) -> R {
        let mut strip = Scratch::new(self.strip_len());
        run(&mut strip, &mut Vec::new())
    }
}

/// Which of `size` values spread apart is at `position`, if one is.
fn source(position: isize, spread: usize, size: usize) -> Option<usize> {
    let position = usize::try_from(position).ok()?;
    (position % spread == 0 && position / spread < size).then_some(position / spread)
}

/// `[batch, size₀, size₁, channels_in]` and `[kernel₀, kernel₁, channels_in / groups,
/// channels_out]` to `[batch, steps, bands, channels_out]`.
pub(crate) fn forward<T: Real>(conv: &Conv, x: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
    assert_eq!(x.len(), conv.input_len());
    assert_eq!(weight.len(), conv.weight_len());
    if conv.is_depthwise() {
        return depthwise::forward(conv, x, weight, bias);
    }
    let mut out = buffer::take(conv.output_len());
    let channels_out = conv.channels_out / conv.groups;
    let terms = weight.len() / conv.channels_out;
    let packed = (0..conv.groups)
        .map(|group| {
            let columns = &weight[group * channels_out..];
            Packed::new(columns, terms, channels_out, conv.channels_out)
        })
        .collect::<Vec<_>>();
    slide(&conv.windows(), conv.batch, x, &packed, bias, &mut out);
    out
}

/// The gradient of the input from that of the output.
pub(crate) fn backward_input<T: Real>(conv: &Conv, weight: &[T], gradient: &[T]) -> Vec<T> {
    assert_eq!(gradient.len(), conv.output_len());
    assert_eq!(weight.len(), conv.weight_len());
    if conv.is_depthwise() {
        return depthwise::backward_input(conv, weight, gradient);
    }
    if conv.channels_in / conv.groups <= FEW_CHANNELS {
        return backward_few_channels(conv, weight, gradient);
    }
    let mut out = buffer::take(conv.input_len());
    let [per_group_in, per_group_out] =
        [conv.channels_in, conv.channels_out].map(|c| c / conv.groups);
    let taps = conv.kernel[0] * conv.kernel[1];
    let packed = (0..conv.groups)
        .map(|group| {
            // [taps turned round, channels_out, channels_in] of this group
            let mut turned = Scratch::new(taps * per_group_out * per_group_in);
            for (tap, turned) in turned
                .chunks_exact_mut(per_group_out * per_group_in)
                .enumerate()
            {
                let from = (taps - 1 - tap) * per_group_in * conv.channels_out;
                for (channel_in, row) in weight[from..]
                    .chunks(conv.channels_out)
                    .take(per_group_in)
                    .enumerate()
                {
                    let row = &row[group * per_group_out..][..per_group_out];
                    for (channel_out, &value) in row.iter().enumerate() {
                        turned[channel_out * per_group_in + channel_in] = value;
                    }
                }
            }
            Packed::new(&turned, taps * per_group_out, per_group_in, per_group_in)
        })
        .collect::<Vec<_>>();
    slide(
        &conv.windows_back(),
        conv.batch,
        gradient,
        &packed,
        None,
        &mut out,
    );
    out
}

/// Input channels of a group up to which [`backward_few_channels`] is the shorter way: the tiles of
/// a product with so few columns would be almost empty.
const FEW_CHANNELS: usize = TILE_COLUMNS / 4;

/// Output positions whose windows are computed at once.
const WINDOWS_AT_ONCE: usize = 256;

/// [`backward_input`] the other way round: the gradient of each window, a product with as many
/// columns as a window has values, added up where windows overlap.
fn backward_few_channels<T: Real>(conv: &Conv, weight: &[T], gradient: &[T]) -> Vec<T> {
    let windows = conv.windows();
    let [steps, bands] = windows.size_out;
    let strips = windows.strips();
    let strip_len = windows.strip_len();
    let (runs, run_len) = windows.runs();
    let per_group_out = conv.channels_out / conv.groups;
    let terms = runs.len() * run_len;
    let packed = (0..conv.groups)
        .map(|group| {
            // [channels_out, taps · channels_in] of this group
            let mut turned = Scratch::new(per_group_out * terms);
            for (term, row) in weight.chunks_exact(conv.channels_out).enumerate() {
                let row = &row[group * per_group_out..][..per_group_out];
                for (channel, &value) in row.iter().enumerate() {
                    turned[channel * terms + term] = value;
                }
            }
            Packed::new(&turned, per_group_out, terms, terms)
        })
        .collect::<Vec<_>>();

    let strips_of_image = strips.len() * conv.groups;
    let mut parts = buffer::take_zeroed(conv.batch * strips_of_image * strip_len);
    parts
        .par_chunks_mut(strip_len)
        .enumerate()
        .run(|(task, strip)| {
            let (row, task) = (task / strips_of_image, task % strips_of_image);
            let (group, strip_steps) = (task % conv.groups, &strips[task / conv.groups]);
            let first = (row * steps + strip_steps.start) * bands;
            let mut starts = Vec::new();
            windows.rows(strip_steps.len(), &mut starts);
            let mut found = Scratch::new(WINDOWS_AT_ONCE * terms);
            for (index, starts) in starts.chunks(WINDOWS_AT_ONCE).enumerate() {
                let from = first + index * WINDOWS_AT_ONCE;
                let rows: Vec<usize> = (0..starts.len())
                    .map(|position| (from + position) * conv.channels_out + group * per_group_out)
                    .collect();
                let a = Rows {
                    data: gradient,
                    rows: &rows,
                    runs: &[0],
                    run_len: per_group_out,
                };
                rows_times_packed(a, &packed[group], Start::Zero, &mut found, terms);
                add_windows(&found, starts, &runs, run_len, strip);
            }
        });

    let mut out = buffer::take_zeroed(conv.input_len());
    let image_len = (out.len() / conv.batch.max(1)).max(1);
    out.par_chunks_mut(image_len)
        .zip(parts.par_chunks((strips_of_image * strip_len).max(1)))
        .run(|(image, parts)| {
            for (task, strip) in parts.chunks_exact(strip_len).enumerate() {
                let (group, steps) = (task % conv.groups, &strips[task / conv.groups]);
                windows.unload(strip, steps, group, image);
            }
        });
    buffer::give(parts);
    out
}

vectorised! {
    /// Adds each window, a row of `found`, to where its runs lie from where it starts.
    fn add_windows<T: Real>(
        found: &[T],
        starts: &[usize],
        runs: &[usize],
        run_len: usize,
        strip: &mut [T],
    ) {
        let windows = found.chunks_exact(runs.len() * run_len);
        for (window, &start) in windows.zip(starts) {
            for (values, &run) in window.chunks_exact(run_len).zip(runs) {
                for (sum, &value) in strip[start + run..][..run_len].iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
    }
}

/// Every window of every image times the packed weight of its group.
fn slide<T: Real>(
    windows: &Windows,
    batch: usize,
    images: &[T],
    packed: &[Packed<T>],
    bias: Option<&[T]>,
    out: &mut [T],
) {
    if out.is_empty() {
        return;
    }
    let channels_out = out.len() / (batch * windows.size_out[0] * windows.size_out[1]);
    let per_group = channels_out / packed.len();
    let line_out = windows.size_out[1] * channels_out;
    let image_len = images.len() / batch;
    let strips = windows.strips();
    let (runs, run_len) = windows.runs();
    let out = Shared::new(out);
    (0..batch * strips.len()).into_par_iter().run(|task| {
        let (row, steps) = (task / strips.len(), &strips[task % strips.len()]);
        let image = &images[row * image_len..][..image_len];
        let first = (row * windows.size_out[0] + steps.start) * line_out;
        // SAFETY: this task alone writes these output frames of this image.
        let out = unsafe { out.part(first, steps.len() * line_out) };
        windows.with_strip(|strip, rows| {
            windows.rows(steps.len(), rows);
            for (group, packed) in packed.iter().enumerate() {
                let strip = windows.strip(image, steps, group, strip);
                let columns = group * per_group..(group + 1) * per_group;
                let start = bias.map_or(Start::Zero, |bias| Start::Bias(&bias[columns.clone()]));
                let a = Rows {
                    data: strip,
                    rows,
                    runs: &runs,
                    run_len,
                };
                rows_times_packed(a, packed, start, &mut out[columns.start..], channels_out);
            }
        });
    });
}

/// The gradients of the weight and of the bias from that of the output.
pub(crate) fn backward_weight<T: Real>(conv: &Conv, x: &[T], gradient: &[T]) -> (Vec<T>, Vec<T>) {
    assert_eq!(x.len(), conv.input_len());
    assert_eq!(gradient.len(), conv.output_len());
    if conv.is_depthwise() {
        return depthwise::backward_weight(conv, x, gradient);
    }
    let windows = conv.windows();
    let [steps, bands] = windows.size_out;
    let channels_out = conv.channels_out;
    let per_group = channels_out / conv.groups;
    let (runs, run_len) = windows.runs();
    let terms = runs.len() * run_len;
    let strips = windows.strips();
    let image_len = x.len() / conv.batch.max(1);

    // One task for each block of columns of a group and each of a few parts of the positions; the
    // parts are summed afterwards, always in the same order.
    let panels = per_group.div_ceil(TILE_COLUMNS);
    let tasks_of_columns = panels * conv.groups;
    let jobs: Vec<(usize, &Range<usize>)> = (0..conv.batch)
        .flat_map(|row| strips.iter().map(move |strip| (row, strip)))
        .collect();
    let parts = 16usize
        .div_ceil(tasks_of_columns)
        .clamp(1, jobs.len().max(1));
    let jobs_of_part = jobs.len().div_ceil(parts).max(1);

    let part_len = terms * channels_out;
    let mut weight_parts = buffer::take_zeroed(parts * part_len);
    let mut bias_parts = buffer::take_zeroed(parts * channels_out);
    let (weights, biases) = (Shared::new(&mut weight_parts), Shared::new(&mut bias_parts));
    (0..parts * tasks_of_columns).into_par_iter().run(|task| {
        let (part, task) = (task / tasks_of_columns, task % tasks_of_columns);
        let (group, panel) = (task / panels, task % panels);
        let first = group * per_group + panel * TILE_COLUMNS;
        let columns = first..(first + TILE_COLUMNS).min((group + 1) * per_group);
        let width = columns.len();
        // SAFETY: this task alone writes these columns of this part.
        let sums = unsafe { biases.part(part * channels_out + first, width) };
        windows.with_strip(|strip, rows| {
            let from = (part * jobs_of_part).min(jobs.len());
            let to = (from + jobs_of_part).min(jobs.len());
            for (row, strip_steps) in &jobs[from..to] {
                let image = &x[row * image_len..][..image_len];
                windows.rows(strip_steps.len(), rows);
                let a = Rows {
                    data: windows.strip(image, strip_steps, group, strip),
                    rows,
                    runs: &runs,
                    run_len,
                };
                let from = (row * steps + strip_steps.start) * bands * channels_out;
                add_columns_times_rows(
                    a,
                    &gradient[from..],
                    |row| row,
                    channels_out,
                    columns.clone(),
                    |k| {
                        let from = part * part_len + k * channels_out + first;
                        // SAFETY: as above.
                        unsafe { weights.part(from, width) }.as_mut_ptr()
                    },
                    Some(&mut *sums),
                );
            }
        });
    });
    (
        sum_of_parts(weight_parts, parts, part_len),
        sum_of_parts(bias_parts, parts, channels_out),
    )
}

fn sum_of_parts<T: Real>(parts: Vec<T>, count: usize, len: usize) -> Vec<T> {
    if count == 1 {
        return parts;
    }
    let mut sum = buffer::take(len);
    add_parts(&parts, &mut sum);
    buffer::give(parts);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(len: usize, seed: usize) -> Vec<f64> {
        (0..len)
            .map(|i| ((i * 7919 + seed * 104_729 + 13) % 1009) as f64 / 504.0 - 1.0)
            .collect()
    }

    /// Calls `term` with the indices of output, input and weight of each product in the sum.
    fn each_term(conv: &Conv, mut term: impl FnMut(usize, usize, usize)) {
        let [steps, bands] = conv.size_out();
        let [inputs, outputs] = [conv.channels_in, conv.channels_out].map(|c| c / conv.groups);
        for b in 0..conv.batch {
            for t in 0..steps {
                for f in 0..bands {
                    for k in 0..conv.kernel[0] {
                        for l in 0..conv.kernel[1] {
                            let frame = (t * conv.stride[0] + k * conv.dilation[0])
                                .wrapping_sub(conv.padding[0]);
                            let bin = (f * conv.stride[1] + l * conv.dilation[1])
                                .wrapping_sub(conv.padding[1]);
                            if frame >= conv.size[0] || bin >= conv.size[1] {
                                continue;
                            }
                            for o in 0..conv.channels_out {
                                for c in 0..inputs {
                                    let position = (b * conv.size[0] + frame) * conv.size[1] + bin;
                                    let channel = o / outputs * inputs + c;
                                    let tap = k * conv.kernel[1] + l;
                                    term(
                                        ((b * steps + t) * bands + f) * conv.channels_out + o,
                                        position * conv.channels_in + channel,
                                        (tap * inputs + c) * conv.channels_out + o,
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn near(ours: &[f64], theirs: &[f64]) {
        assert_eq!(ours.len(), theirs.len());
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() < 1e-9, "{a} and {b}");
        }
    }

    /// A convolution of any sizes, small enough for brute force.
    fn any_conv() -> impl Strategy<Value = Conv> {
        let pair = |range: Range<usize>| (range.clone(), range).prop_map(|(a, b)| [a, b]);
        // With few input channels and with more; a third of them depthwise.
        let few_or_more = prop_oneof![1usize..4, FEW_CHANNELS + 1..FEW_CHANNELS + 3];
        let grouped = (few_or_more, 1usize..4, 1usize..4);
        let channels = prop_oneof![2 => grouped, 1 => (Just(1), Just(1), 2usize..40)];
        (
            1usize..3,
            pair(1..14),
            channels,
            pair(1..5),
            pair(1..4),
            pair(0..4),
            pair(1..3),
        )
            .prop_map(
                |(batch, size, (inputs, outputs, groups), kernel, stride, padding, dilation)| {
                    Conv {
                        batch,
                        size,
                        channels_in: inputs * groups,
                        channels_out: outputs * groups,
                        kernel,
                        stride,
                        padding,
                        dilation,
                        groups,
                    }
                },
            )
            .prop_filter("the kernel must fit", |c| {
                (0..2).all(|a| c.size[a] + 2 * c.padding[a] > c.dilation[a] * (c.kernel[a] - 1))
            })
    }

    fn check(conv: &Conv) {
        let x = values(conv.input_len(), 1);
        let weight = values(conv.weight_len(), 2);
        let bias = values(conv.channels_out, 3);
        let gradient = values(conv.output_len(), 4);
        let mut y: Vec<f64> = (0..conv.output_len())
            .map(|i| bias[i % conv.channels_out])
            .collect();
        let mut dx = vec![0.0; x.len()];
        let mut dw = vec![0.0; weight.len()];
        let mut db = vec![0.0; bias.len()];
        each_term(conv, |o, i, w| {
            y[o] += x[i] * weight[w];
            dx[i] += gradient[o] * weight[w];
            dw[w] += gradient[o] * x[i];
        });
        for (i, g) in gradient.iter().enumerate() {
            db[i % conv.channels_out] += g;
        }
        near(&forward(conv, &x, &weight, Some(&bias)), &y);
        near(&backward_input(conv, &weight, &gradient), &dx);
        let (ours_w, ours_b) = backward_weight(conv, &x, &gradient);
        near(&ours_w, &dw);
        near(&ours_b, &db);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn forward_and_backward_are_the_sums_of_their_definition(conv in any_conv()) {
            check(&conv);
        }
    }

    #[test]
    fn the_shapes_that_models_use_are_right_too() {
        let plain = Conv {
            batch: 2,
            size: [60, 12],
            channels_in: 1,
            channels_out: 40,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups: 1,
        };
        check(&plain);
        check(&Conv {
            channels_in: 33,
            channels_out: 70,
            ..plain
        });
        check(&Conv {
            channels_in: 8,
            kernel: [1, 1],
            padding: [0, 0],
            ..plain
        });
        // SampleCNN's first layer, Deep Speech 2's two.
        check(&Conv {
            size: [810, 1],
            kernel: [3, 1],
            stride: [3, 1],
            padding: [0, 0],
            ..plain
        });
        check(&Conv {
            size: [50, 61],
            kernel: [11, 41],
            stride: [2, 2],
            padding: [5, 20],
            channels_out: 4,
            ..plain
        });
        check(&Conv {
            size: [30, 31],
            kernel: [11, 21],
            stride: [1, 2],
            padding: [5, 10],
            channels_in: 4,
            channels_out: 4,
            ..plain
        });
        // Depthwise and dilated; with a stride, as MatchboxNet's first layer; in groups of two.
        check(&Conv {
            size: [71, 1],
            kernel: [11, 1],
            stride: [2, 1],
            padding: [5, 0],
            channels_in: 40,
            groups: 40,
            ..plain
        });
        check(&Conv {
            size: [30, 1],
            kernel: [3, 1],
            padding: [1, 0],
            channels_in: 40,
            groups: 20,
            ..plain
        });
        check(&Conv {
            size: [70, 1],
            kernel: [11, 1],
            padding: [10, 0],
            dilation: [2, 1],
            channels_in: 40,
            groups: 40,
            ..plain
        });
    }
}
