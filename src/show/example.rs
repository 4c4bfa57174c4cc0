//! A recording of a report: the truth, the answer, the sound and what the network made of it.

use sori_datasets::Waveform;
use sori_datasets::text::words;

use super::alignment::{alignment_picture, spectrogram};
use super::features::features_picture;
use super::page::Page;
use super::spikes::spikes_picture;
use crate::error::Result;
use crate::infer::judge::Worst;
use crate::metric::errors::edits;
use crate::task::answer::Answer;

/// The longest sound in a report, in seconds.
const LONGEST_S: f64 = 30.0;
/// The shortest that a sound is cut to.
const SHORTEST_S: f64 = 1.0;
/// The bytes of all sounds of a report, which keep the page small enough for a browser.
const SOUND_BYTES: f64 = 12e6;

/// The seconds of sound that each of so many recordings has in a report.
pub(super) fn longest_s(recordings: usize, sample_rate_hz: u32) -> f64 {
    // Two bytes for each sample.
    let share = SOUND_BYTES / 2.0 / f64::from(sample_rate_hz.max(1)) / recordings.max(1) as f64;
    share.clamp(SHORTEST_S, LONGEST_S)
}

/// Adds a recording to the page, with at most `longest_s` seconds of its sound.
pub(super) fn example(
    page: &mut Page,
    worst: &Worst,
    labels: &[String],
    longest_s: f64,
) -> Result<()> {
    page.begin_section();
    let said = worst.prediction.text(labels);
    let mut rows = vec![("truth", worst.truth.to_string()), ("prediction", said)];
    let mut scores: Vec<_> = labels.iter().zip(&worst.prediction.scores).collect();
    scores.sort_by(|a, b| b.1.total_cmp(a.1));
    let best = scores
        .iter()
        .take(3)
        .map(|(label, score)| format!("{label} {score:.2}"));
    let best: Vec<String> = best.collect();
    if !best.is_empty() {
        rows.push(("scores", best.join(", ")));
    }
    page.facts(rows.iter().map(|(name, value)| [*name, value]));
    if let (Answer::Text(truth), Answer::Text(heard)) = (&worst.truth, &worst.prediction.answer) {
        difference(page, truth, heard);
    }
    page.id(&worst.id);
    let whole = &worst.waveform;
    let mut waveform = whole.clone();
    let longest = (longest_s * f64::from(waveform.sample_rate_hz)) as usize;
    if waveform.samples.len() > longest {
        waveform.samples.truncate(longest);
        page.note(&format!("The sound is the first {longest_s:.0} s of it."));
    }
    page.sound(&waveform)?;
    pictures(page, worst, &waveform)?;
    page.end_section();
    Ok(())
}

/// Adds what the network made of the recording over its spectrogram, or the spectrogram alone, of the
/// stretch that can be heard.
fn pictures(page: &mut Page, worst: &Worst, heard: &Waveform) -> Result<()> {
    if let Some(alignment) = &worst.prediction.alignment {
        let (features, config) = spectrogram(&worst.waveform)?;
        return page.picture("Attention over its spectrogram", |theme| {
            alignment_picture(&features, &config, alignment, "", theme)
        });
    }
    if let Some(emitted) = &worst.emitted {
        let (features, config) = spectrogram(&worst.waveform)?;
        return page.picture("Probabilities of symbols over its spectrogram", |theme| {
            spikes_picture(&features, &config, emitted, "", theme)
        });
    }
    let (features, config) = spectrogram(heard)?;
    page.picture("Its spectrogram", |theme| {
        features_picture(&features, &config, "", theme)
    })
}

/// Adds the differences of two transcripts: of their words, or of the characters of a single word.
fn difference(page: &mut Page, truth: &str, heard: &str) {
    let right = words(truth);
    if right.len() > 1 {
        page.difference(&edits(&right, &words(heard)), " ");
        return;
    }
    let [right, heard] =
        [truth, heard].map(|text| -> Vec<String> { text.chars().map(String::from).collect() });
    let [right, heard] =
        [&right, &heard].map(|text| -> Vec<&str> { text.iter().map(String::as_str).collect() });
    page.difference(&edits(&right, &heard), "");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_sounds_are_cut_so_that_the_page_stays_small() {
        assert_eq!(longest_s(6, 16_000), LONGEST_S);
        let bytes = |count: usize| longest_s(count, 44_100) * 2.0 * 44_100.0 * count as f64;
        assert!((bytes(100) - SOUND_BYTES).abs() < 1.0);
        assert_eq!(longest_s(10_000, 44_100), SHORTEST_S);
    }
}
