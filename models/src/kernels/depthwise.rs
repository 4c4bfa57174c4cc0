//! Depthwise convolutions: each channel is convolved by itself. As channels come last, each tap of
//! the kernel is a product of two lines of channels, and no matrix product would gain anything.

use rayon::prelude::*;

use super::conv_sizes::Conv;
use super::product::add_parts;
use super::tasks::Tasks;
use super::{Real, buffer};

/// Calls `visit` with the positions in output, input and kernel of each product of one image, in
/// the order of the output.
#[inline(always)]
fn each_product(conv: &Conv, mut visit: impl FnMut(usize, usize, usize)) {
    let [steps, bands] = conv.size_out();
    let position = |axis: usize, out: usize, tap: usize| {
        (out * conv.stride[axis] + tap * conv.dilation[axis])
            .checked_sub(conv.padding[axis])
            .filter(|&position| position < conv.size[axis])
    };
    for step in 0..steps {
        for band in 0..bands {
            for k in 0..conv.kernel[0] {
                let Some(frame) = position(0, step, k) else {
                    continue;
                };
                for l in 0..conv.kernel[1] {
                    if let Some(bin) = position(1, band, l) {
                        let input = frame * conv.size[1] + bin;
                        visit(step * bands + band, input, k * conv.kernel[1] + l);
                    }
                }
            }
        }
    }
}

/// `[batch, size₀, size₁, channels]` and `[kernel₀, kernel₁, 1, channels]` to `[batch, steps, bands,
/// channels]`.
pub(super) fn forward<T: Real>(conv: &Conv, x: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
    let [steps, bands] = conv.size_out();
    let [image_in, image_out] = images(conv);
    let mut y = buffer::take(conv.batch * steps * bands * conv.channels_out);
    y.par_chunks_mut(image_out)
        .zip(x.par_chunks(image_in))
        .run(|(y, x)| forward_image(conv, x, weight, bias, y));
    y
}

/// The gradient of the input from that of the output.
pub(super) fn backward_input<T: Real>(conv: &Conv, weight: &[T], gradient: &[T]) -> Vec<T> {
    let [image_in, image_out] = images(conv);
    let mut x = buffer::take(conv.batch * conv.size[0] * conv.size[1] * conv.channels_in);
    x.par_chunks_mut(image_in)
        .zip(gradient.par_chunks(image_out))
        .run(|(x, gradient)| backward_image(conv, weight, gradient, x));
    x
}

/// The gradients of the weight and of the bias from that of the output.
pub(super) fn backward_weight<T: Real>(conv: &Conv, x: &[T], gradient: &[T]) -> (Vec<T>, Vec<T>) {
    let [image_in, image_out] = images(conv);
    let channels = conv.channels_out;
    let weight_len = conv.kernel[0] * conv.kernel[1] * channels;

    // A part for each image, weight and bias together; added up in the order of the images.
    let mut parts = buffer::take(conv.batch * (weight_len + channels));
    parts
        .par_chunks_mut(weight_len + channels)
        .zip(x.par_chunks(image_in))
        .zip(gradient.par_chunks(image_out))
        .run(|((part, x), gradient)| {
            let (weight, bias) = part.split_at_mut(weight_len);
            weight_of_image(conv, x, gradient, weight, bias);
        });
    let mut weight = buffer::take(weight_len + channels);
    add_parts(&parts, &mut weight);
    buffer::give(parts);
    let bias = weight.split_off(weight_len);
    (weight, bias)
}

/// Values of one image of the input, and of the output.
fn images(conv: &Conv) -> [usize; 2] {
    [conv.size, conv.size_out()]
        .map(|[frames, bins]| frames * bins * conv.channels_in)
        .map(|len| len.max(1))
}

/// `sum += a · b`, value by value.
#[inline(always)]
fn add_products<T: Real>(a: &[T], b: &[T], sum: &mut [T]) {
    for ((sum, &a), &b) in sum.iter_mut().zip(a).zip(b) {
        *sum += a * b;
    }
}

/// The channels of a position.
#[inline(always)]
fn at(position: usize, channels: usize) -> std::ops::Range<usize> {
    position * channels..(position + 1) * channels
}

vectorised! {
    fn forward_image<T: Real>(conv: &Conv, x: &[T], weight: &[T], bias: Option<&[T]>, y: &mut [T]) {
        let channels = conv.channels_out;
        match bias {
            Some(bias) => y.chunks_exact_mut(channels).for_each(|y| y.copy_from_slice(bias)),
            None => y.fill(T::ZERO),
        }
        each_product(conv, |output, input, tap| {
            let [x, weight] = [&x[at(input, channels)], &weight[at(tap, channels)]];
            add_products(x, weight, &mut y[at(output, channels)]);
        });
    }

    fn backward_image<T: Real>(conv: &Conv, weight: &[T], gradient: &[T], x: &mut [T]) {
        let channels = conv.channels_out;
        x.fill(T::ZERO);
        each_product(conv, |output, input, tap| {
            let [gradient, weight] = [&gradient[at(output, channels)], &weight[at(tap, channels)]];
            add_products(gradient, weight, &mut x[at(input, channels)]);
        });
    }

    fn weight_of_image<T: Real>(
        conv: &Conv,
        x: &[T],
        gradient: &[T],
        weight: &mut [T],
        bias: &mut [T],
    ) {
        let channels = conv.channels_out;
        weight.fill(T::ZERO);
        bias.fill(T::ZERO);
        for gradient in gradient.chunks_exact(channels) {
            for (bias, &gradient) in bias.iter_mut().zip(gradient) {
                *bias += gradient;
            }
        }
        each_product(conv, |output, input, tap| {
            let [gradient, x] = [&gradient[at(output, channels)], &x[at(input, channels)]];
            add_products(gradient, x, &mut weight[at(tap, channels)]);
        });
    }
}
