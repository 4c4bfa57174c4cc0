//! Padded sequences with the valid frames of each row, and what is computed of those alone.

use super::graph::{OnnxGraph, OnnxValue};

/// Frames, and how many of them are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Valid frames of each row, `[batch]`.
    pub lengths: OnnxValue,
    /// Frames there are, a single integer.
    pub frames: OnnxValue,
}

impl Time {
    /// The time that is left when every `size` frames become one and a remainder is dropped.
    #[must_use]
    pub fn divided(self, graph: &mut OnnxGraph, size: usize) -> Self {
        if size == 1 {
            return self;
        }
        let size = graph.integer(size as i64);
        Self {
            lengths: graph.div(self.lengths, size),
            frames: graph.div(self.frames, size),
        }
    }

    /// The same where a remainder becomes one more.
    #[must_use]
    pub fn divided_up(self, graph: &mut OnnxGraph, size: usize) -> Self {
        if size == 1 {
            return self;
        }
        let more = graph.integer(size as i64 - 1);
        let raised = Self {
            lengths: graph.add(self.lengths, more),
            frames: graph.add(self.frames, more),
        };
        raised.divided(graph, size)
    }

    /// Whether each frame is valid, `[batch, frames]`.
    pub fn valid(self, graph: &mut OnnxGraph) -> OnnxValue {
        let frames = graph.range(self.frames);
        let lengths = graph.unsqueeze(self.lengths, &[1]);
        graph.less(frames, lengths)
    }
}

/// Values `[batch, frames, …]` and their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padded {
    /// `[batch, frames, …]`
    pub values: OnnxValue,
    /// Frames, and how many of them are valid.
    pub time: Time,
    /// The number of axes of the values.
    pub rank: usize,
}

impl Padded {
    /// Values `[batch, frames, channels]` and the valid frames of each row `[batch]`.
    pub fn new(graph: &mut OnnxGraph, values: OnnxValue, lengths: OnnxValue) -> Self {
        let frames = graph.size(values, 1);
        Self {
            values,
            time: Time { lengths, frames },
            rank: 3,
        }
    }

    /// Other values at the same times, of as many axes.
    #[must_use]
    pub fn with(self, values: OnnxValue) -> Self {
        Self { values, ..self }
    }

    /// `[batch, frames, bins]` as `[batch, frames, bins, 1]`.
    #[must_use]
    pub fn as_image(self, graph: &mut OnnxGraph) -> Self {
        Self {
            values: graph.unsqueeze(self.values, &[3]),
            rank: 4,
            ..self
        }
    }

    /// `[batch, frames, bins, channels]` as `[batch, frames, bins·channels]`.
    #[must_use]
    pub fn as_sequence(self, graph: &mut OnnxGraph, features: usize) -> Self {
        Self {
            values: graph.reshape(self.values, &[0, 0, features as i64]),
            rank: 3,
            ..self
        }
    }

    /// Zero past each row's length; see [`zero_padding`](crate::ops::zero_padding).
    #[must_use]
    pub fn zeroed(self, graph: &mut OnnxGraph) -> Self {
        let zero = graph.number(0.0);
        self.filled(graph, zero)
    }

    fn filled(self, graph: &mut OnnxGraph, value: OnnxValue) -> Self {
        let valid = self.time.valid(graph);
        let axes: Vec<i64> = (2..self.rank as i64).collect();
        let valid = match axes.is_empty() {
            true => valid,
            false => graph.unsqueeze(valid, &axes),
        };
        self.with(graph.choose(valid, self.values, value))
    }

    /// The mean over the valid frames, `[batch, …]`; see [`masked_mean`](crate::ops::masked_mean).
    pub fn mean(self, graph: &mut OnnxGraph) -> OnnxValue {
        let zeroed = self.zeroed(graph);
        let sum = graph.sum(zeroed.values, 1);
        let counts = graph.cast_floats(self.time.lengths);
        let axes: Vec<i64> = (1..self.rank as i64 - 1).collect();
        let counts = match axes.is_empty() {
            true => counts,
            false => graph.unsqueeze(counts, &axes),
        };
        graph.div(sum, counts)
    }

    /// The largest of the valid frames, `[batch, …]`; see [`masked_max`](crate::ops::masked_max).
    pub fn largest(self, graph: &mut OnnxGraph) -> OnnxValue {
        let least = graph.number(f64::NEG_INFINITY);
        let filled = self.filled(graph, least);
        graph.largest(filled.values, 1)
    }

    /// The standard deviation over the valid frames, the root of a variance of at least `least`, `[batch, …]`.
    pub(crate) fn deviation(self, graph: &mut OnnxGraph, least: f64) -> OnnxValue {
        let mean = self.mean(graph);
        let squares = graph.mul(self.values, self.values);
        let squares = self.with(squares).mean(graph);
        let squared_mean = graph.mul(mean, mean);
        let variance = graph.sub(squares, squared_mean);
        let least = graph.number(least);
        let variance = graph.max(variance, least);
        graph.each("Sqrt", variance)
    }

    /// The softmax of scores `[batch, frames]` over the valid frames; see
    /// [`masked_softmax`](crate::ops::masked_softmax).
    pub fn softmax(self, graph: &mut OnnxGraph) -> OnnxValue {
        let least = graph.number(f64::NEG_INFINITY);
        let filled = self.filled(graph, least);
        graph.softmax(filled.values)
    }
}
