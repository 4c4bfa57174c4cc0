//! The sizes of a convolution.

/// The sizes of a convolution; pairs are (frames, bins).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conv {
    pub(crate) batch: usize,
    pub(crate) size: [usize; 2],
    pub(crate) channels_in: usize,
    pub(crate) channels_out: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
    pub(crate) dilation: [usize; 2],
    pub(crate) groups: usize,
}

impl Conv {
    /// Output positions, `(size + 2·padding − dilation·(kernel − 1) − 1) / stride + 1`.
    pub(crate) fn size_out(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let span = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            (self.size[axis] + 2 * self.padding[axis] - span) / self.stride[axis] + 1
        })
    }

    pub(super) fn input_len(&self) -> usize {
        self.batch * self.size[0] * self.size[1] * self.channels_in
    }

    pub(super) fn output_len(&self) -> usize {
        let [steps, bands] = self.size_out();
        self.batch * steps * bands * self.channels_out
    }

    pub(super) fn weight_len(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels_in / self.groups * self.channels_out
    }

    /// Whether each channel is convolved by itself.
    pub(super) fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.channels_in && self.groups == self.channels_out
    }
}
