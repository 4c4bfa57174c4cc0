//! Features of sound that arrives piece by piece.

use std::sync::Arc;

use super::delta::{DeltaFilter, HALF};
use super::extractor::FrameSource;
use super::{BinStats, FeatureConfig, FeatureExtractor, FeatureKind, Features, Normalize, PadMode};
use crate::finite::first_not_finite;
use crate::{Error, Result};

/// Makes features of sound that arrives piece by piece. Its frames are bit by bit those that
/// [`FeatureExtractor::extract`] makes of the whole, however the sound is cut.
///
/// A frame comes as soon as nothing that follows can change it, see
/// [`latency_samples`](Self::latency_samples). Memory does not grow with the length of the sound.
///
/// ```
/// use sori_datasets::features::{FeatureConfig, FeatureStream};
///
/// let mut stream = FeatureStream::new(&FeatureConfig::default())?;
/// let first = stream.push(&[0.1; 8_000])?;
/// let second = stream.push(&[0.1; 8_000])?;
/// let last = stream.finish()?;
/// assert_eq!(first.frames + second.frames + last.frames, 101);
/// # Ok::<(), sori_datasets::Error>(())
/// ```
#[derive(Clone)]
pub struct FeatureStream {
    extractor: FeatureExtractor,
    stats: Option<Arc<BinStats>>,
    filters: Vec<DeltaFilter>,
    /// Samples seen.
    seen: usize,
    /// The sound from the beginning, until there is enough of it to mirror.
    head: Option<Vec<f32>>,
    /// The last samples, where the end will be mirrored.
    tail: Vec<f32>,
    /// Padded samples from the next frame on, which is one of even number.
    pending: Vec<f32>,
    /// Samples to leave out before the next frame begins: a hop may be longer than a frame.
    skip: usize,
    /// Rows that wait for those after them, or that those will look back at, where derivatives
    /// are taken: `[frames, num_bins]`.
    rows: Vec<f32>,
    /// The number of the first of them.
    first_row: usize,
    /// Frames given.
    given: usize,
}

impl FeatureStream {
    /// Builds everything the configuration needs.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] as [`FeatureConfig::check`], and for what is known at the end of the
    /// sound alone: `normalize = utterance`, and `mel-db` and `mfcc` unless `top_db` is 0.
    pub fn new(config: &FeatureConfig) -> Result<Self> {
        let extractor = FeatureExtractor::new(config)?;
        let refuse = |field: &'static str, value: String, expected: &str| {
            Err(Error::Config {
                field,
                value,
                expected: expected.to_string(),
            })
        };
        if config.normalize == Normalize::Utterance {
            return refuse(
                "features.normalize",
                config.normalize.to_string(),
                "corpus or none for a stream, as the mean of a recording is known at its end alone",
            );
        }
        let in_decibels = matches!(config.kind, FeatureKind::MelDb | FeatureKind::Mfcc);
        if in_decibels && config.top_db > 0.0 {
            return refuse(
                "features.top_db",
                config.top_db.to_string(),
                "0 (no limit) for a stream, as the loudest value of a recording is known at its \
                 end alone; or features.kind = log-mel, which has no such limit",
            );
        }
        let half = config.fft_samples() / 2;
        let framed = config.kind != FeatureKind::Waveform;
        let mirrored = framed && config.centered && config.pad_mode == PadMode::Reflect;
        let silent = framed && config.centered && config.pad_mode == PadMode::Constant;
        Ok(Self {
            stats: None,
            filters: (1..=config.deltas).map(DeltaFilter::new).collect(),
            seen: 0,
            head: mirrored.then(Vec::new),
            tail: Vec::new(),
            pending: vec![0.0; if silent { half } else { 0 }],
            skip: 0,
            rows: Vec::new(),
            first_row: 0,
            given: 0,
            extractor,
        })
    }

    /// Adds the statistics of the training part, by which each frame is normalised.
    ///
    /// # Errors
    ///
    /// [`Error::StatsBins`] if they are of another number of bins than the features.
    pub fn with_stats(mut self, stats: Arc<BinStats>) -> Result<Self> {
        let bins = self.config().num_bins();
        if stats.mean.len() != bins || stats.std.len() != bins {
            return Err(Error::StatsBins {
                stats: stats.mean.len(),
                bins,
            });
        }
        self.stats = Some(stats);
        Ok(self)
    }

    /// The configuration it was built from.
    #[must_use]
    pub fn config(&self) -> &FeatureConfig {
        self.extractor.config()
    }

    /// The longest delay of a frame, in samples after its centre (or after its beginning if frames
    /// are not centred). It is the rest of the transform, one hop because two frames share a
    /// transform, and the four frames that a derivative looks ahead.
    #[must_use]
    pub fn latency_samples(&self) -> usize {
        let config = self.config();
        if config.kind == FeatureKind::Waveform {
            return 1;
        }
        let fft = config.fft_samples();
        let rest = if config.centered { fft - fft / 2 } else { fft };
        let ahead = if config.deltas > 0 { HALF } else { 0 };
        rest + (1 + ahead) * config.hop_samples()
    }

    /// Takes more of the sound and gives the frames that are complete, often none.
    ///
    /// # Errors
    ///
    /// [`Error::NotFiniteInput`] for samples that are not finite, counted from the first of all;
    /// [`Error::NotFiniteFeature`] for samples so large that a feature overflows.
    pub fn push(&mut self, samples: &[f32]) -> Result<Features> {
        if let Some(index) = first_not_finite(samples) {
            return Err(Error::NotFiniteInput {
                index: self.seen + index,
                value: samples[index],
            });
        }
        self.seen += samples.len();
        if self.config().kind == FeatureKind::Waveform {
            return self.give(samples.to_vec());
        }
        let half = self.config().fft_samples() / 2;
        match self.head.take() {
            None => self.append(samples),
            Some(mut head) => {
                head.extend_from_slice(samples);
                if head.len() > half {
                    let mirrored: Vec<f32> = head[1..=half].iter().rev().copied().collect();
                    self.append(&mirrored);
                    self.append(&head);
                } else {
                    self.head = Some(head);
                }
            }
        }
        if self.mirrors() {
            self.tail.extend_from_slice(samples);
            let old = self.tail.len().saturating_sub(half + 1);
            self.tail.drain(..old);
        }
        // A pair shares a transform, so it waits for both.
        let frames = self.frames_pending() / 2 * 2;
        self.take_frames(frames)?;
        self.complete(false)
    }

    /// Ends the sound and gives the remaining frames.
    ///
    /// # Errors
    ///
    /// [`Error::TooShort`] for sound that [`FeatureExtractor::extract`] refuses for that;
    /// [`Error::NotFiniteFeature`] as [`push`](Self::push).
    pub fn finish(mut self) -> Result<Features> {
        let needed = self.config().min_samples();
        if self.seen < needed {
            return Err(Error::TooShort {
                samples: self.seen,
                needed,
            });
        }
        if self.config().kind == FeatureKind::Waveform {
            return self.give(Vec::new());
        }
        let half = self.config().fft_samples() / 2;
        let padding = if self.mirrors() {
            self.tail[..half].iter().rev().copied().collect()
        } else {
            vec![0.0; if self.config().centered { half } else { 0 }]
        };
        self.append(&padding);
        let frames = self.frames_pending();
        self.take_frames(frames)?;
        self.complete(true)
    }

    fn mirrors(&self) -> bool {
        self.config().centered && self.config().pad_mode == PadMode::Reflect
    }

    fn append(&mut self, samples: &[f32]) {
        let skipped = self.skip.min(samples.len());
        self.skip -= skipped;
        self.pending.extend_from_slice(&samples[skipped..]);
    }

    /// Frames that lie whole in the samples that are there.
    fn frames_pending(&self) -> usize {
        let config = self.config();
        let rest = self.pending.len().checked_sub(config.fft_samples());
        rest.map_or(0, |rest| rest / config.hop_samples() + 1)
    }

    /// Makes the next frames' rows and leaves their samples behind.
    fn take_frames(&mut self, frames: usize) -> Result<()> {
        if frames == 0 {
            return Ok(());
        }
        let bins = self.config().num_bins();
        let from = self.rows.len();
        self.rows.resize(from + frames * bins, 0.0);
        let source = FrameSource::Padded(&self.pending);
        self.extractor.fill(source, &mut self.rows[from..], bins);
        let past = frames * self.config().hop_samples();
        let kept = past.min(self.pending.len());
        self.pending.drain(..kept);
        self.skip += past - kept;
        Ok(())
    }

    /// Gives the rows that are complete; at the end, all.
    fn complete(&mut self, at_end: bool) -> Result<Features> {
        let bins = self.config().num_bins();
        if self.filters.is_empty() {
            let rows = std::mem::take(&mut self.rows);
            return self.give(rows);
        }
        let static_bins = self.config().num_static_bins();
        let end = self.first_row + self.rows.len() / bins;
        // A derivative is taken of nine frames; near an end it is that of the nearest fit.
        let until = if at_end {
            end
        } else if end > 2 * HALF {
            end - HALF
        } else {
            0
        };
        let mut sums = vec![0.0; static_bins];
        let mut rows = Vec::with_capacity((until - self.given.min(until)) * bins);
        for frame in self.given..until {
            let center = frame.clamp(HALF, end - 1 - HALF);
            let fitted = (center - HALF - self.first_row) * bins;
            let row = (frame - self.first_row) * bins;
            rows.extend_from_slice(&self.rows[row..row + static_bins]);
            for filter in &self.filters {
                filter.apply(&self.rows[fitted..], bins, &mut sums);
                rows.extend_from_slice(&sums);
            }
        }
        let features = self.give(rows);
        // The next is derived of the four before it, and the last at the end of the last nine.
        let needed = self.given.min(end.saturating_sub(HALF + 1));
        let needed = needed.saturating_sub(HALF).max(self.first_row);
        self.rows.drain(..(needed - self.first_row) * bins);
        self.first_row = needed;
        features
    }

    /// Checks and normalises rows that are complete.
    fn give(&mut self, values: Vec<f32>) -> Result<Features> {
        let bins = self.config().num_bins();
        let mut features = Features {
            frames: values.len() / bins,
            bins,
            values,
        };
        let first = self.given;
        let counted = |error| match error {
            Error::NotFiniteFeature { frame, bin, value } => Error::NotFiniteFeature {
                frame: first + frame,
                bin,
                value,
            },
            other => other,
        };
        features.check_finite().map_err(counted)?;
        if let Some(stats) = &self.stats {
            features.normalize_by(stats)?;
            features.check_finite().map_err(counted)?;
        }
        self.given += features.frames;
        Ok(features)
    }
}
