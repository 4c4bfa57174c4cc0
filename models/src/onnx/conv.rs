//! Convolutions and poolings, which ONNX has with the channels ahead of the frames.

use burn::tensor::{Tensor, backend::Backend};

use super::graph::{OnnxAttribute, OnnxGraph, OnnxValue};
use super::padded::Padded;
use crate::ops::ConvOptions;

fn ints<const N: usize>(values: [usize; N]) -> OnnxAttribute {
    OnnxAttribute::Ints(values.iter().map(|&value| value as i64).collect())
}

/// Channels ahead of frames, or of frames and bins.
fn channels_first(rank: usize) -> &'static [i64] {
    if rank == 3 { &[0, 2, 1] } else { &[0, 3, 1, 2] }
}

/// Back again.
fn channels_last(rank: usize) -> &'static [i64] {
    if rank == 3 { &[0, 2, 1] } else { &[0, 2, 3, 1] }
}

impl OnnxGraph {
    /// A convolution over frames; see [`conv1d`](crate::ops::conv1d).
    pub fn conv1d<B: Backend>(
        &mut self,
        x: OnnxValue,
        weight: Tensor<B, 3>,
        bias: Option<Tensor<B, 1>>,
        options: ConvOptions<1>,
    ) -> OnnxValue {
        let weight = self.tensor(weight.permute([2, 1, 0]));
        let bias = bias.map(|bias| self.tensor(bias));
        self.conv(x, weight, bias, options, 3)
    }

    /// A convolution over frames and bins; see [`conv2d`](crate::ops::conv2d).
    pub fn conv2d<B: Backend>(
        &mut self,
        x: OnnxValue,
        weight: Tensor<B, 4>,
        bias: Option<Tensor<B, 1>>,
        options: ConvOptions<2>,
    ) -> OnnxValue {
        let weight = self.tensor(weight.permute([3, 2, 0, 1]));
        let bias = bias.map(|bias| self.tensor(bias));
        self.conv(x, weight, bias, options, 4)
    }

    fn conv<const N: usize>(
        &mut self,
        x: OnnxValue,
        weight: OnnxValue,
        bias: Option<OnnxValue>,
        options: ConvOptions<N>,
        rank: usize,
    ) -> OnnxValue {
        let x = self.transpose(x, channels_first(rank));
        let both_sides = options.padding.iter().chain(&options.padding);
        let pads = both_sides.map(|&zeros| zeros as i64).collect();
        let attributes = [
            ("strides", ints(options.stride)),
            ("dilations", ints(options.dilation)),
            ("pads", OnnxAttribute::Ints(pads)),
            ("group", OnnxAttribute::Int(options.groups as i64)),
        ];
        let inputs: Vec<OnnxValue> = [x, weight].into_iter().chain(bias).collect();
        let y = self.node("Conv", &inputs, &attributes);
        self.transpose(y, channels_last(rank))
    }

    /// The largest value of windows of so many frames, and bins if there are some, side by side; a remainder is
    /// dropped. See [`max_pool1d`](crate::ops::max_pool1d) and [`max_pool2d`](crate::ops::max_pool2d).
    pub fn max_pool(&mut self, x: Padded, pool: [usize; 2]) -> Padded {
        let time = x.time.divided(self, pool[0]);
        let size = match (pool, x.rank) {
            ([1, 1], _) => return x,
            (_, 3) => ints([pool[0]]),
            _ => ints(pool),
        };
        let values = self.transpose(x.values, channels_first(x.rank));
        let attributes = [("kernel_shape", size.clone()), ("strides", size)];
        let values = self.node("MaxPool", &[values], &attributes);
        Padded {
            values: self.transpose(values, channels_last(x.rank)),
            time,
            ..x
        }
    }
}
