//! Operators that move numbers about.

use super::graph::{OnnxAttribute, OnnxGraph, OnnxValue};

impl OnnxGraph {
    /// The axes in this order.
    pub fn transpose(&mut self, x: OnnxValue, axes: &[i64]) -> OnnxValue {
        let axes = OnnxAttribute::Ints(axes.to_vec());
        self.node("Transpose", &[x], &[("perm", axes)])
    }

    /// The numbers in another shape: 0 is the size that the axis has, -1 what is left.
    pub fn reshape(&mut self, x: OnnxValue, shape: &[i64]) -> OnnxValue {
        let shape = self.integers(shape);
        self.node("Reshape", &[x, shape], &[])
    }

    /// Axes of one, put in so that they are at these places.
    pub fn unsqueeze(&mut self, x: OnnxValue, axes: &[i64]) -> OnnxValue {
        let axes = self.integers(axes);
        self.node("Unsqueeze", &[x, axes], &[])
    }

    /// Without an axis of one.
    pub fn squeeze(&mut self, x: OnnxValue, axis: i64) -> OnnxValue {
        let axes = self.integers(&[axis]);
        self.node("Squeeze", &[x, axes], &[])
    }

    /// Side by side along an axis.
    pub fn concat(&mut self, values: &[OnnxValue], axis: i64) -> OnnxValue {
        match values {
            [alone] => *alone,
            _ => self.node("Concat", values, &[("axis", OnnxAttribute::Int(axis))]),
        }
    }

    /// The positions from `start` to below `end` of an axis, `i64::MAX` being its end.
    pub fn slice(&mut self, x: OnnxValue, axis: i64, start: i64, end: i64) -> OnnxValue {
        let end = self.integers(&[end]);
        self.slice_to(x, axis, start, end)
    }

    /// As [`Self::slice`], to an end `[1]` that is a value.
    pub fn slice_to(&mut self, x: OnnxValue, axis: i64, start: i64, end: OnnxValue) -> OnnxValue {
        let [start, axis] = [start, axis].map(|it| self.integers(&[it]));
        self.node("Slice", &[x, start, end, axis], &[])
    }

    /// Zeros around: how many ahead of each axis, then how many behind each. A negative number takes away.
    pub fn pad(&mut self, x: OnnxValue, zeros: &[i64]) -> OnnxValue {
        let zeros = self.integers(zeros);
        self.node("Pad", &[x, zeros], &[])
    }

    /// The first `rows·size` frames of `x` `[batch, frames, bins]` as rows of `size` frames, `[batch·rows, size,
    /// bins]`; zeros behind fill the last.
    pub(crate) fn rows_of_frames(
        &mut self,
        x: OnnxValue,
        rows: OnnxValue,
        [size, bins]: [usize; 2],
    ) -> OnnxValue {
        let filled = self.pad(x, &[0, 0, 0, 0, size as i64 - 1, 0]);
        let each = self.integer(size as i64);
        let frames = self.mul(rows, each);
        let end = self.unsqueeze(frames, &[0]);
        let whole = self.slice_to(filled, 1, 0, end);
        self.reshape(whole, &[-1, size as i64, bins as i64])
    }

    /// Rows `[batch·rows, …]` as those of each recording, `[batch, rows, features]`.
    pub(crate) fn rows_together(
        &mut self,
        x: OnnxValue,
        rows: OnnxValue,
        features: usize,
    ) -> OnnxValue {
        let batch = self.integers(&[-1]);
        let rows = self.unsqueeze(rows, &[0]);
        let features = self.integers(&[features as i64]);
        let shape = self.concat(&[batch, rows, features], 0);
        self.node("Reshape", &[x, shape], &[])
    }

    /// The size of an axis, as a single integer.
    pub fn size(&mut self, x: OnnxValue, axis: i64) -> OnnxValue {
        let ends = [
            ("start", OnnxAttribute::Int(axis)),
            ("end", OnnxAttribute::Int(axis + 1)),
        ];
        let size = self.node("Shape", &[x], &ends);
        self.squeeze(size, 0)
    }

    /// The integers from 0 to below `end`.
    pub fn range(&mut self, end: OnnxValue) -> OnnxValue {
        let [start, step] = [0, 1].map(|it| self.integer(it));
        self.node("Range", &[start, end, step], &[])
    }

    /// The frames at `indices` `[batch, frames]` of each row of `x` `[batch, …, channels]`.
    pub fn take_frames(&mut self, x: OnnxValue, indices: OnnxValue) -> OnnxValue {
        let indices = self.unsqueeze(indices, &[2]);
        let batch_dims = ("batch_dims", OnnxAttribute::Int(1));
        self.node("GatherND", &[x, indices], &[batch_dims])
    }

    /// Every two successive frames side by side, to `steps` frames of `d_pair` channels; see
    /// [`pair_frames`](crate::ops::pair_frames).
    pub(crate) fn pair_frames(
        &mut self,
        x: OnnxValue,
        steps: OnnxValue,
        d_pair: usize,
    ) -> OnnxValue {
        let more = self.pad(x, &[0, 0, 0, 0, 1, 0]);
        let two = self.integer(2);
        let frames = self.mul(steps, two);
        let end = self.unsqueeze(frames, &[0]);
        let even = self.slice_to(more, 1, 0, end);
        self.reshape(even, &[0, -1, d_pair as i64])
    }
}
