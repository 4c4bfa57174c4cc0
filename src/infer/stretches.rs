//! Chosen stretches of a recording that is read in blocks.

use std::collections::VecDeque;

use super::pieces::Piece;
use crate::Result;

/// The stretches between these samples, in order, of a recording that arrives in blocks. What is between them
/// is not held.
pub(super) struct Stretches<I> {
    blocks: I,
    spans: std::vec::IntoIter<(usize, usize)>,
    held: VecDeque<f32>,
    /// The place of the first sample that is held.
    held_from: usize,
}

impl<I: Iterator<Item = Result<Vec<f32>>>> Stretches<I> {
    pub(super) fn new(blocks: I, spans: Vec<(usize, usize)>) -> Self {
        Self {
            blocks,
            spans: spans.into_iter(),
            held: VecDeque::new(),
            held_from: 0,
        }
    }

    /// Lets go of what is ahead of `start`, as far as it has been read.
    fn forget(&mut self, start: usize) {
        let ahead = start.saturating_sub(self.held_from).min(self.held.len());
        self.held.drain(..ahead);
        self.held_from += ahead;
    }

    fn stretch(&mut self, start: usize, end: usize) -> Result<Piece> {
        self.forget(start);
        while self.held_from + self.held.len() < end {
            let Some(block) = self.blocks.next() else {
                break;
            };
            self.held.extend(block?);
            self.forget(start);
        }
        let length = end.saturating_sub(self.held_from).min(self.held.len());
        Ok(Piece {
            start: self.held_from,
            samples: self.held.range(..length).copied().collect(),
        })
    }
}

impl<I: Iterator<Item = Result<Vec<f32>>>> Iterator for Stretches<I> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        let (start, end) = self.spans.next()?;
        Some(self.stretch(start, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_those_of_the_whole_however_it_arrives() {
        let sound: Vec<f32> = (0..100).map(|at| at as f32).collect();
        let spans = vec![(3, 10), (10, 12), (40, 41), (95, 120)];
        for block in [1, 7, 100] {
            let blocks = sound.chunks(block).map(|block| Ok(block.to_vec()));
            let found = Stretches::new(blocks, spans.clone()).map(Result::unwrap);
            for (piece, &(start, end)) in found.zip(&spans) {
                assert_eq!(piece.start, start);
                assert_eq!(piece.samples, sound[start..end.min(100)]);
            }
        }
    }
}
