//! `sori predict --stream` and `--mic`: transcription of live sound.

use std::io::{self, IsTerminal, Read};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use burn::tensor::backend::AutodiffBackend;
use clap::Args;
use console::{Term, measure_text_width};
use serde_json::json;

use super::options::Common;
use super::output::{print, print_bytes, print_json, remark};
use super::sound::{Sound, WAITING};
use super::word_times::times_of;
use crate::backend::{BackendName, Job, run_on};
use crate::decode::Beam;
use crate::infer::{Transcriber, Transcript};
use crate::show::terminal::shown;
use crate::task::Answer;
use crate::train::stop_on_interrupt;
use crate::{Error, Result, RunFolder};

#[derive(Args)]
#[command(next_help_heading = "Live sound")]
pub(super) struct StreamArgs {
    /// Write down raw sound from standard input while it arrives: signed 16-bit little-endian
    /// samples of one channel
    #[arg(long, conflicts_with_all = ["mic", "window", "hop", "alignment", "nbest"])]
    stream: bool,
    /// Write down what the microphone hears, until Ctrl-C (in builds with the feature `mic`)
    #[arg(long, conflicts_with_all = ["window", "hop", "alignment", "nbest", "rate"])]
    mic: bool,
    /// Samples per second of the stream [default: the run's]
    #[arg(long, value_name = "HZ", conflicts_with = "audio",
          value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    rate: Option<u32>,
    /// Milliseconds of sound that go through the model at once
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with = "audio",
          value_parser = clap::value_parser!(u32).range(1..=60_000))]
    chunk_ms: u32,
}

impl StreamArgs {
    pub(super) fn is_asked_for(&self) -> bool {
        self.stream || self.mic
    }
}

/// Number of last characters of a partial transcript that are shown.
const SHOWN: usize = 400;

struct Stream<'a> {
    common: &'a Common,
    args: &'a StreamArgs,
    times: bool,
    run: &'a RunFolder,
    beam: Option<Beam>,
}

pub(super) fn run(
    common: &Common,
    args: &StreamArgs,
    times: bool,
    run: &RunFolder,
    beam: Option<Beam>,
    backend: BackendName,
) -> Result<()> {
    run_on(
        backend,
        Stream {
            common,
            args,
            times,
            run,
            beam,
        },
    )?
}

impl Job for Stream<'_> {
    type Output = Result<()>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<()> {
        let mut transcriber = Transcriber::<B::InnerBackend>::open(self.run, device)?;
        if let Some(beam) = &self.beam {
            transcriber = transcriber.with_beam(beam)?;
        }
        if self.args.mic {
            return self.listen(transcriber);
        }
        let transcriber = match self.args.rate {
            Some(rate_hz) => transcriber.with_rate(rate_hz)?,
            None => transcriber,
        };
        let (to, sound) = sync_channel(WAITING);
        std::thread::spawn(move || read(io::stdin().lock(), &to));
        self.write_down(transcriber, &sound)
    }
}

impl Stream<'_> {
    #[cfg(feature = "mic")]
    fn listen<B: burn::tensor::backend::Backend>(&self, transcriber: Transcriber<B>) -> Result<()> {
        let microphone = super::microphone::Microphone::open()?;
        let transcriber = transcriber.with_rate(microphone.rate_hz)?;
        self.write_down(transcriber, &microphone.sound)
    }

    #[cfg(not(feature = "mic"))]
    fn listen<B: burn::tensor::backend::Backend>(&self, _: Transcriber<B>) -> Result<()> {
        Err(Error::Input(
            "--mic: this build has no microphone; build with `--features mic`, or pipe sound to \
             --stream"
                .to_string(),
        ))
    }

    /// Transcribes the sound to its end, or to Ctrl-C. The transcript so far is printed in any
    /// case.
    fn write_down<B: burn::tensor::backend::Backend>(
        &self,
        mut transcriber: Transcriber<B>,
        sound: &Sound,
    ) -> Result<()> {
        let stop = stop_on_interrupt();
        let (rate_hz, latency_s) = (transcriber.rate_hz(), transcriber.latency_s());
        if !self.common.quiet && !self.common.json {
            remark(&format!(
                "{rate_hz} Hz; a sound is decided {latency_s:.2} s after it begins, and written with \
                 the next {} ms",
                self.args.chunk_ms
            ));
        }
        let chunk = (u64::from(rate_hz) * u64::from(self.args.chunk_ms) / 1000).max(1) as usize;
        let mut shown = Shown::new(self.common);
        let mut pending = Vec::new();
        let mut failure = None;
        while failure.is_none() && !stop.load(Ordering::Relaxed) {
            match sound.recv_timeout(Duration::from_millis(50)) {
                Ok(Ok(more)) => pending.extend(more),
                Ok(Err(error)) => failure = Some(error),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let whole = pending.len() / chunk * chunk;
            for chunk in pending[..whole].chunks(chunk) {
                if let Err(error) = transcriber.push(chunk) {
                    failure = Some(error);
                    break;
                }
                shown.partial(&transcriber)?;
            }
            pending.drain(..whole);
        }
        // Sound that arrived before Ctrl-C.
        pending.extend(sound.try_iter().map_while(Result::ok).flatten());
        let before = transcriber.transcript();
        let mut heard_s = transcriber.heard_s();
        let ended = transcriber.push(&pending).and_then(|_| {
            heard_s = transcriber.heard_s();
            transcriber.finish()
        });
        let (transcript, failed) = match ended {
            Ok((_, transcript)) => (transcript, None),
            Err(error) => (before, Some(error)),
        };
        shown.last(&transcript, heard_s, latency_s, self.times)?;
        match failure.or(failed) {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }
}

/// Sends the samples of raw sound until it ends.
fn read(mut from: impl Read, to: &SyncSender<Result<Vec<f32>>>) {
    let mut bytes = vec![0; 1 << 16];
    // A sample's first byte, while its second has not arrived.
    let mut half = None;
    let mut total = 0u64;
    let failure = loop {
        let count = match from.read(&mut bytes) {
            Ok(0) if total == 0 => break Some("is empty (0 bytes); raw sound was expected".into()),
            Ok(0) if half.is_some() => {
                break Some(format!(
                    "ends within a sample, after {total} bytes; a sample is two bytes, and all whole \
                     ones are written down"
                ));
            }
            Ok(0) => break None,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break Some(format!("cannot be read: {error}")),
        };
        let read = &bytes[..count];
        if total == 0
            && let Some(name) = container(read)
        {
            break Some(format!(
                "begins as a {name} file; --stream takes raw samples. Give the file as AUDIO, or decode \
                 it first"
            ));
        }
        total += count as u64;
        let (first, rest) = match half.take() {
            Some(low) => (Some([low, read[0]]), &read[1..]),
            None => (None, read),
        };
        let pairs = rest.chunks_exact(2);
        half = pairs.remainder().first().copied();
        let pairs = first
            .into_iter()
            .chain(pairs.map(|pair| [pair[0], pair[1]]));
        // Scaled as in a wav file.
        let samples = pairs.map(|pair| f32::from(i16::from_le_bytes(pair)) / 32_768.0);
        if to.send(Ok(samples.collect())).is_err() {
            return;
        }
    };
    if let Some(reason) = failure {
        let error = Error::Input(format!("standard input {reason}"));
        // The receiver may be gone.
        let _ = to.send(Err(error));
    }
}

/// The file format that begins with `head`.
fn container(head: &[u8]) -> Option<&'static str> {
    [
        (&b"RIFF"[..], "wav"),
        (b"fLaC", "flac"),
        (b"OggS", "ogg"),
        (b"ID3", "mp3"),
    ]
    .into_iter()
    .find_map(|(mark, name)| head.starts_with(mark).then_some(name))
}

/// The text on standard output.
struct Shown<'a> {
    common: &'a Common,
    text: String,
    /// Whether one line is overwritten each time.
    rewrites: bool,
}

impl<'a> Shown<'a> {
    fn new(common: &'a Common) -> Self {
        Self {
            common,
            text: String::new(),
            rewrites: !common.json && io::stdout().is_terminal(),
        }
    }

    /// Shows the end of the transcript so far, if it changed.
    fn partial<B: burn::tensor::backend::Backend>(
        &mut self,
        transcriber: &Transcriber<B>,
    ) -> Result<()> {
        if self.common.quiet {
            return Ok(());
        }
        let text = transcriber.text();
        if text == self.text {
            return Ok(());
        }
        self.text = text;
        let tail = if self.rewrites {
            end(&self.text, columns(), measure_text_width)
        } else {
            end(&self.text, SHOWN, |_| 1)
        };
        let left_out = self.text[..self.text.len() - tail.len()].chars().count();
        if self.common.json {
            let mut line = json!({
                "text": tail,
                "partial": true,
                "time_s": transcriber.heard_s(),
                "said_s": transcriber.last_said_s(),
            });
            if left_out > 0 {
                line["left_out"] = json!(left_out);
            }
            print_json(&line)
        } else if self.rewrites {
            print_bytes(format!("\r\x1b[K{}", shown(tail)).as_bytes())
        } else if left_out > 0 {
            print(&format!("…{tail}"))
        } else {
            print(tail)
        }
    }

    /// Shows the final transcript.
    fn last(
        &self,
        transcript: &Transcript,
        heard_s: f64,
        latency_s: f64,
        times: bool,
    ) -> Result<()> {
        if self.common.json {
            return print_json(&json!({
                "text": transcript.text,
                "partial": false,
                "time_s": heard_s,
                "latency_s": latency_s,
                "words": transcript.words,
            }));
        }
        let mut text = Answer::Text(transcript.text.clone()).to_string();
        if self.rewrites {
            print_bytes(b"\r\x1b[K")?;
        }
        if times {
            text.push_str(&times_of(&transcript.words));
        }
        print(&text)
    }
}

/// The longest end of `text` with at most this `width`.
fn end(text: &str, width: usize, width_of: impl Fn(&str) -> usize) -> &str {
    let (mut left, mut start) = (width, text.len());
    for (at, character) in text.char_indices().rev() {
        let character = &text[at..at + character.len_utf8()];
        match left.checked_sub(width_of(character)) {
            Some(rest) => (left, start) = (rest, at),
            None => break,
        }
    }
    &text[start..]
}

/// Usable columns of a terminal line: one less than its width.
fn columns() -> usize {
    let set = || std::env::var("COLUMNS").ok()?.parse::<usize>().ok();
    let asked = Term::stdout().size_checked();
    let columns = asked.map(|(_, columns)| usize::from(columns)).or_else(set);
    columns.unwrap_or(80).max(2) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_shows_the_end_that_fits_its_cells() {
        let cells = |width| end("하나 one 둘", width, measure_text_width);
        for (width, shown) in [
            (0, ""),
            (1, ""),
            (2, "둘"),
            (6, "one 둘"),
            (8, " one 둘"),
            (9, "나 one 둘"),
            (99, "하나 one 둘"),
        ] {
            assert_eq!(cells(width), shown, "{width}");
        }
        assert_eq!(end("하나", 1, |_| 1), "나");
    }

    /// Gives this many bytes at each call.
    struct Pieces<'a>(&'a [u8], std::vec::IntoIter<usize>);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let wanted = self.1.next().unwrap_or(buffer.len());
            let count = wanted.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn all(bytes: &[u8], pieces: Vec<usize>) -> (Vec<f32>, Option<String>) {
        let (to, sound) = sync_channel(1 << 12);
        read(Pieces(bytes, pieces.into_iter()), &to);
        drop(to);
        let (mut samples, mut failure) = (Vec::new(), None);
        for stretch in sound {
            match stretch {
                Ok(more) => samples.extend(more),
                Err(error) => failure = Some(error.to_string()),
            }
        }
        (samples, failure)
    }

    proptest! {
        #[test]
        fn samples_do_not_depend_on_how_their_bytes_arrive(
            samples in prop::collection::vec(any::<i16>(), 1..200),
            pieces in prop::collection::vec(1usize..9, 0..200),
            odd in any::<bool>(),
        ) {
            let mut bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            bytes.extend(odd.then_some(1));
            let (found, failure) = all(&bytes, pieces);
            let expected: Vec<f32> = samples.iter().map(|&s| f32::from(s) / 32_768.0).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(failure.is_some(), odd);
        }
    }

    #[test]
    fn what_is_no_raw_sound_is_said() {
        let (_, failure) = all(b"", Vec::new());
        assert!(failure.unwrap().contains("empty (0 bytes)"));
        let (_, failure) = all(b"RIFF\x24\x00\x00\x00WAVE", Vec::new());
        assert!(failure.unwrap().contains("a wav file"));
        let (samples, failure) = all(&[0, 64, 7], Vec::new());
        assert_eq!(samples, [0.5]);
        assert!(failure.unwrap().contains("within a sample, after 3 bytes"));
    }
}
