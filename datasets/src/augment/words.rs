//! Some of the words of a recording.

use std::ops::Range;

/// Frames of the envelope.
const FRAME_S: f64 = 0.01;
/// A frame is a pause if its level lies below this fraction of the way from the 10th to the 95th percentile.
const PAUSE: f64 = 0.35;
/// The least pause between words, in frames.
const LEAST: usize = 6;
/// How much longer the shortest pause between words is than the longest within one, at the least.
const CLEAR: f64 = 1.5;

/// Where the words of a recording begin and end, by its pauses: `num_words + 1` samples, from 0 to its end. None unless
/// its longest pauses, one fewer than words, are clearly longer than all others.
pub(super) fn bounds(samples: &[f32], sample_rate_hz: u32, num_words: usize) -> Option<Vec<usize>> {
    let frame = ((f64::from(sample_rate_hz) * FRAME_S) as usize).max(1);
    let levels = levels(samples, frame);
    if num_words < 2 || levels.len() < num_words * LEAST {
        return None;
    }
    let mut sorted = levels.clone();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    let (low, high) = (at(0.1), at(0.95));
    let limit = low + PAUSE * (high - low);
    let loud = (0..levels.len()).filter(|&at| levels[at] > limit);
    let loud: Vec<usize> = loud.collect();
    let mut pauses: Vec<Range<usize>> = loud
        .windows(2)
        .map(|pair| pair[0] + 1..pair[1])
        .filter(|pause| !pause.is_empty())
        .collect();
    pauses.sort_by_key(|pause| std::cmp::Reverse(pause.len()));
    let shortest = pauses.get(num_words - 2)?.len();
    let within = pauses.get(num_words - 1).map_or(0, Range::len);
    if shortest < LEAST || (shortest as f64) < CLEAR * within as f64 {
        return None;
    }
    pauses.truncate(num_words - 1);
    pauses.sort_by_key(|pause| pause.start);
    let middles = pauses
        .iter()
        .map(|pause| (pause.start + pause.end) * frame / 2);
    let ends = [samples.len()];
    Some([0].into_iter().chain(middles).chain(ends).collect())
}

/// The level of each frame in dB, smoothed over three.
fn levels(samples: &[f32], frame: usize) -> Vec<f64> {
    let power = |values: &[f32]| values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    let roots: Vec<f64> = samples
        .chunks_exact(frame)
        .map(|values| (power(values) / frame as f64).sqrt())
        .collect();
    (0..roots.len())
        .map(|at| {
            let near = &roots[at.saturating_sub(1)..(at + 2).min(roots.len())];
            let mean = near.iter().sum::<f64>() / near.len() as f64;
            20.0 * (mean + 1e-9).log10()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tones of these lengths in milliseconds, each after a pause, with a little noise below them.
    fn tones(parts: &[(usize, usize)]) -> Vec<f32> {
        let mut samples = Vec::new();
        for &(pause_ms, tone_ms) in parts {
            let start = samples.len();
            let noise = |at: usize| 1e-3 * ((at * at % 17) as f32 / 17.0 - 0.5);
            samples.extend((start..start + pause_ms * 8).map(noise));
            let tone = |at: usize| (at as f32 * 0.4).sin() * 0.3;
            samples.extend((0..tone_ms * 8).map(tone));
        }
        samples
    }

    #[test]
    fn bounds_are_in_the_middle_of_pauses() {
        let samples = tones(&[(200, 300), (120, 250), (150, 400), (300, 0)]);
        let bounds = bounds(&samples, 8_000, 3).expect("three words with pauses");
        assert_eq!(bounds.len(), 4);
        let ms: Vec<usize> = bounds.iter().map(|at| at / 8).collect();
        for (found, expected) in ms.iter().zip([0, 560, 945, 1_720]) {
            assert!(found.abs_diff(expected) <= 20, "{ms:?}");
        }
    }

    #[test]
    fn words_that_pauses_do_not_tell_apart_stay_together() {
        // A pause within a word that is nearly as long as one between words.
        let samples = tones(&[(100, 300), (120, 250), (100, 300)]);
        assert_eq!(bounds(&samples, 8_000, 2), None);
        assert!(bounds(&samples, 8_000, 3).is_some());
        assert_eq!(bounds(&samples, 8_000, 5), None);
        assert_eq!(bounds(&samples, 8_000, 1), None);
        assert_eq!(bounds(&vec![0.0; 8_000], 8_000, 2), None);
        assert_eq!(bounds(&[], 8_000, 2), None);
    }
}
