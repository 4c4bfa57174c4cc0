//! A long recording, cut into pieces while it is read.

use std::collections::VecDeque;

use crate::Result;

/// The way a recording is cut, in samples.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    /// Into windows that may overlap. The last one ends with the recording.
    Windows { window: usize, hop: usize },
    /// At quiet places, into pieces of at most `longest`, each joining the next.
    Quiet { longest: usize, stretch: usize },
}

/// A piece of a recording.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    /// Its place in the recording, in samples.
    pub(super) start: usize,
    pub(super) samples: Vec<f32>,
}

/// The pieces of a recording that arrives in blocks. Little more than a piece is held.
pub(super) struct Pieces<I> {
    blocks: I,
    cut: Cut,
    held: VecDeque<f32>,
    /// The place of the first sample that is held.
    held_from: usize,
    /// The place of the next piece.
    next: usize,
    /// Whether all blocks have been read, and whether the last piece has been given.
    read: bool,
    done: bool,
}

impl<I: Iterator<Item = Result<Vec<f32>>>> Pieces<I> {
    pub(super) fn new(blocks: I, cut: Cut) -> Self {
        Self {
            blocks,
            cut,
            held: VecDeque::new(),
            held_from: 0,
            next: 0,
            read: false,
            done: false,
        }
    }

    /// Reads until more than `samples` behind the next piece's start are held, or the recording ends.
    fn read_beyond(&mut self, samples: usize) -> Result<bool> {
        while !self.read && self.end() <= self.next + samples {
            match self.blocks.next() {
                Some(block) => self.held.extend(block?),
                None => self.read = true,
            }
        }
        Ok(self.end() > self.next + samples)
    }

    /// The place behind the last sample that is held.
    fn end(&self) -> usize {
        self.held_from + self.held.len()
    }

    fn piece(&self, start: usize, end: usize) -> Piece {
        let [from, to] = [start, end].map(|place| place - self.held_from);
        Piece {
            start,
            samples: self.held.range(from..to).copied().collect(),
        }
    }

    /// Goes on behind a piece; nothing before `keep` is asked for again.
    fn go_on(&mut self, next: usize, keep: usize) {
        self.held.drain(..keep - self.held_from);
        self.held_from = keep;
        self.next = next;
    }

    fn next_piece(&mut self) -> Result<Piece> {
        let start = self.next;
        match self.cut {
            Cut::Windows { window, hop } => {
                if self.read_beyond(window)? {
                    let piece = self.piece(start, start + window);
                    // The last window may begin anywhere from here on.
                    self.go_on(start + hop, start);
                    return Ok(piece);
                }
                self.done = true;
                let end = self.end();
                Ok(self.piece(end.saturating_sub(window).max(self.held_from), end))
            }
            Cut::Quiet { longest, stretch } => {
                if self.read_beyond(longest)? {
                    let piece = self.piece(start, start + longest);
                    let length = quietest(&piece.samples, stretch);
                    self.go_on(start + length, start + length);
                    let mut samples = piece.samples;
                    samples.truncate(length);
                    return Ok(Piece { start, samples });
                }
                self.done = true;
                Ok(self.piece(start, self.end()))
            }
        }
    }
}

impl<I: Iterator<Item = Result<Vec<f32>>>> Iterator for Pieces<I> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let piece = self.next_piece();
        self.done |= piece.is_err();
        Some(piece)
    }
}

/// The middle of the quietest of the stretches behind the middle of `samples`. The last eighth is left
/// out, so that what follows is no shorter than that.
fn quietest(samples: &[f32], stretch: usize) -> usize {
    let (start, end) = (samples.len() / 2, samples.len() / 8 * 7);
    let energy = |stretch: &[f32]| -> f64 { stretch.iter().map(|&x| f64::from(x).powi(2)).sum() };
    let within = samples.get(start..end).unwrap_or_default();
    within
        .chunks_exact(stretch.max(1))
        .map(energy)
        .enumerate()
        .min_by(|(_, a), (_, b)| a.total_cmp(b))
        .map_or(start.max(1), |(index, _)| {
            start + index * stretch + stretch / 2
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(samples: &[f32], block: usize, cut: Cut) -> Vec<Piece> {
        let blocks = samples.chunks(block).map(|block| Ok(block.to_vec()));
        Pieces::new(blocks, cut).map(Result::unwrap).collect()
    }

    fn ramp(samples: usize) -> Vec<f32> {
        (0..samples).map(|at| at as f32).collect()
    }

    /// Start and end of the windows over a recording that is known as a whole.
    fn windows(samples: usize, window: usize, hop: usize) -> Vec<(usize, usize)> {
        if samples <= window {
            return vec![(0, samples)];
        }
        let last = samples - window;
        let starts = (0..last).step_by(hop).chain([last]);
        starts.map(|start| (start, start + window)).collect()
    }

    #[test]
    fn a_short_recording_is_one_piece() {
        let window = Cut::Windows { window: 8, hop: 4 };
        let quiet = Cut::Quiet {
            longest: 8,
            stretch: 2,
        };
        for cut in [window, quiet] {
            for length in [0, 5, 8] {
                let found = pieces(&ramp(length), 3, cut);
                let whole = Piece {
                    start: 0,
                    samples: ramp(length),
                };
                assert_eq!(found, [whole], "{length}");
            }
        }
    }

    #[test]
    fn a_recording_is_cut_where_it_is_quiet() {
        let mut samples = vec![1.0; 60];
        samples[24..28].fill(0.1);
        let cut = Cut::Quiet {
            longest: 40,
            stretch: 4,
        };
        let found = pieces(&samples, 7, cut);
        let lengths: Vec<usize> = found.iter().map(|piece| piece.samples.len()).collect();
        assert_eq!(lengths, [26, 34]);
    }

    proptest! {
        #[test]
        fn windows_are_those_of_the_whole(
            samples in 0usize..500, window in 1usize..60, hop in 1usize..60, block in 1usize..90,
        ) {
            let (hop, sound) = (hop.min(window), ramp(samples));
            let found = pieces(&sound, block, Cut::Windows { window, hop });
            let wanted = windows(samples, window, hop);
            prop_assert_eq!(found.len(), wanted.len());
            for (piece, (start, end)) in found.iter().zip(wanted) {
                prop_assert_eq!(piece.start, start);
                prop_assert_eq!(&piece.samples, &sound[start..end]);
            }
        }

        #[test]
        fn quiet_pieces_make_up_the_whole(
            samples in 0usize..500, longest in 2usize..60, stretch in 1usize..9, block in 1usize..90,
        ) {
            let sound = ramp(samples);
            let found = pieces(&sound, block, Cut::Quiet { longest, stretch });
            let joined: Vec<f32> = found.iter().flat_map(|piece| piece.samples.clone()).collect();
            prop_assert_eq!(joined, sound);
            for piece in &found {
                prop_assert!(piece.samples.len() <= longest);
            }
        }
    }
}
