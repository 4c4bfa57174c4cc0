//! Mixing channels down to one.

/// Averages interleaved channels into one.
pub(super) struct Mixer {
    pub(super) channels: usize,
    sum: f64,
    seen: usize,
    pub(super) samples: Vec<f32>,
}

impl Mixer {
    /// `promised` samples are made room for, but never more than `bytes` of them: a damaged
    /// header may promise anything.
    pub(super) fn new(channels: usize, promised: usize, bytes: usize) -> Self {
        Self {
            channels: channels.max(1),
            sum: 0.0,
            seen: 0,
            samples: Vec::with_capacity(promised.min(bytes)),
        }
    }

    pub(super) fn push(&mut self, value: f32) {
        self.sum += f64::from(value);
        self.seen += 1;
        if self.seen == self.channels {
            self.samples.push((self.sum / self.channels as f64) as f32);
            (self.sum, self.seen) = (0.0, 0);
        }
    }
}
