//! Transcription: from recordings to text.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sori_datasets::{Alphabet, Item, Target};
use sori_models::las::{Sampling, Spelled};
use sori_models::loss::{CtcOptions, Reduction};
use sori_models::{Contract, Emissions, Speller};

use super::contract::{Headline, Seen, Task, wrong_network};
use super::metrics::Metrics;
use super::name::TaskName;
use super::objective::Objective;
use super::truth::{Truth, wrong_answer};
use crate::Result;
use crate::arrival::Arrival;
use crate::data::batch::Batch;
use crate::decode::{Blanks, Decoding, Hearing, Recognised, Recogniser, paths, recognise, text_of};
use crate::metric::TranscriptErrors;
use crate::run::records::EpochRecord;

/// Writes transcripts.
#[derive(Clone, Debug)]
pub struct Transcribe {
    /// The symbols of transcripts.
    pub alphabet: Arc<Alphabet>,
}

/// The output of a recogniser for a batch with known transcripts.
pub enum TranscribeOutput<'a, B: Backend> {
    /// The scores of each symbol at each step.
    Emitted(Emissions<B>),
    /// The speller, and its scores of each symbol of the target transcript given the earlier ones.
    Spelled(&'a dyn Speller<B>, Spelled<B>),
}

/// The transcripts of a whole part, compared with the targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcripts {
    /// Their errors.
    pub errors: TranscriptErrors,
    blanks: Blanks,
}

impl Transcripts {
    /// Adds the transcript of one recording, whose target is `text`.
    ///
    /// # Panics
    /// If it has an index that is not in the alphabet.
    pub fn add(&mut self, id: &str, text: &str, found: &Recognised, alphabet: &Alphabet) {
        self.blanks += found.blanks;
        let reference = alphabet.normalization().apply(text);
        let hypothesis = text_of(alphabet, &found.symbols);
        self.errors.add(id, &reference, &hypothesis);
    }
}

impl Transcribe {
    /// The transcript of a recording.
    fn text(target: &Target) -> Result<&str> {
        target.text().ok_or_else(|| wrong_answer(Self::NAME))
    }
}

impl Task for Transcribe {
    const NAME: TaskName = TaskName::Transcribe;
    const HEADLINE: Headline = Headline {
        metric: "wer",
        lower_is_better: true,
    };
    const LABEL: [&'static str; 2] = ["symbol", "symbols"];

    /// The symbols of each row's transcript, by index.
    type Targets = Vec<Vec<usize>>;
    type Network<'a, B: Backend> = Recogniser<'a, B>;
    type Output<'a, B: Backend> = TranscribeOutput<'a, B>;
    type Answers = Transcripts;

    fn network<B: Backend>(contract: Contract<'_, B>) -> Result<Recogniser<'_, B>> {
        match contract {
            Contract::Emitter(network) => Ok(Recogniser::Emitter(network)),
            Contract::Speller(network) => Ok(Recogniser::Speller(network)),
            other => Err(wrong_network(Self::NAME, &other)),
        }
    }

    /// The symbols, plus the blank or the end of a sentence.
    fn num_outputs(&self) -> usize {
        self.alphabet.num_symbols() + 1
    }

    fn encode(&self, rows: &[Truth]) -> Result<Vec<Vec<usize>>> {
        let symbols = |truth: &Truth| {
            let target = truth.alone().ok_or_else(|| wrong_answer(Self::NAME))?;
            Ok(self.alphabet.encode(Self::text(target)?)?)
        };
        rows.iter().map(symbols).collect()
    }

    fn output<'a, B: Backend>(
        &self,
        network: Self::Network<'a, B>,
        batch: &Batch<B>,
        targets: &Vec<Vec<usize>>,
        sampling: Sampling,
    ) -> Self::Output<'a, B> {
        let (features, lengths) = (batch.features.clone(), &batch.lengths);
        match network {
            Recogniser::Emitter(network) => {
                TranscribeOutput::Emitted(network.emit(features, lengths))
            }
            Recogniser::Speller(network) => {
                let spelled = network.spell(features, lengths, targets, sampling);
                TranscribeOutput::Spelled(network, spelled)
            }
        }
    }

    /// CTC as in PyTorch's `CTCLoss`, each row divided by the length of its transcript, and zero
    /// where a row has too few steps; or a speller's cross entropy, including the end of the sentence,
    /// with a share of CTC.
    fn loss<B: Backend>(
        &self,
        output: &TranscribeOutput<'_, B>,
        targets: &Vec<Vec<usize>>,
        objective: &Objective,
    ) -> Tensor<B, 1> {
        match output {
            TranscribeOutput::Emitted(emissions) => {
                // A row that augmentation made too short for its transcript contributes no gradient.
                let options = CtcOptions {
                    reduction: Reduction::Mean,
                    zero_infinity: true,
                };
                match objective.blank_offset {
                    0.0 => emissions.ctc(targets, options),
                    offset => emissions.with_blank_offset(offset).ctc(targets, options),
                }
            }
            TranscribeOutput::Spelled(_, spelled) => {
                spelled.loss(targets, objective.label_smoothing, objective.ctc_weight)
            }
        }
    }

    /// Number of rows, or for a speller of symbols and ends. (The CTC share of a speller's loss is a
    /// mean over rows, but is counted in symbols here.)
    fn extent<B: Backend>(
        &self,
        network: Recogniser<'_, B>,
        lengths: &[usize],
        targets: &Vec<Vec<usize>>,
        _objective: &Objective,
    ) -> f64 {
        match network {
            Recogniser::Emitter(_) => lengths.len() as f64,
            Recogniser::Speller(_) => targets.iter().map(|row| row.len() as f64 + 1.0).sum(),
        }
    }

    /// A speller configures its own smoothing and CTC share.
    fn objective<B: Backend>(
        &self,
        network: Recogniser<'_, B>,
        _label_smoothing: f64,
        _to_weigh: Option<&[Truth]>,
    ) -> Objective {
        match network {
            Recogniser::Emitter(_) => Objective::default(),
            Recogniser::Speller(network) => Objective {
                label_smoothing: network.label_smoothing(),
                ctc_weight: network.ctc_weight(),
                ..Objective::default()
            },
        }
    }

    fn seen<B: Backend>(
        &self,
        output: &TranscribeOutput<'_, B>,
        _targets: &Vec<Vec<usize>>,
    ) -> Arrival<Seen> {
        let emissions = match output {
            TranscribeOutput::Spelled(..) => return Arrival::here(Seen::default()),
            TranscribeOutput::Emitted(emissions) => emissions,
        };
        let [_, steps, symbols] = emissions.logits.dims();
        let lengths = emissions.lengths.clone();
        Arrival::of(emissions.logits.clone(), move |scores| {
            let mut found = Blanks::default();
            for path in paths(&scores, &lengths, [steps, symbols]) {
                found += Blanks::of(&path);
            }
            Seen {
                blanks: found.blanks,
                steps: found.steps,
                ..Seen::default()
            }
        })
    }

    fn no_answers<B: Backend>(&self, _device: &B::Device) -> Transcripts {
        Transcripts::default()
    }

    fn add_answers<B: Backend>(
        &self,
        answers: &mut Transcripts,
        _batch: &Batch<B>,
        output: TranscribeOutput<'_, B>,
        items: &[&Item],
        decoding: &Decoding,
    ) -> Result<()> {
        let hearing = match &output {
            TranscribeOutput::Emitted(emissions) => Hearing::Emitted(emissions),
            TranscribeOutput::Spelled(speller, spelled) => Hearing::Listened {
                speller: *speller,
                listened: &spelled.listened,
                ctc_logits: spelled.ctc_logits.clone(),
            },
        };
        let found = recognise(hearing, decoding, &self.alphabet, 1)?;
        for (item, found) in items.iter().zip(found) {
            answers.add(&item.id, Self::text(&item.target)?, &found, &self.alphabet);
        }
        Ok(())
    }

    fn metrics(&self, answers: &Transcripts) -> Metrics {
        let words = answers.errors.words();
        let mut metrics = Metrics::new([
            ("wer", words.rate()),
            ("cer", answers.errors.characters().rate()),
            ("substitutions", words.substitutions as f64),
            ("deletions", words.deletions as f64),
            ("insertions", words.insertions as f64),
        ]);
        if answers.blanks.steps > 0 {
            let share = answers.blanks.share();
            metrics.0.insert("blank".to_string(), share);
        }
        if let Some(jamo) = answers.errors.jamo() {
            metrics.0.insert("jamo_cer".to_string(), jamo.rate());
        }
        metrics
    }

    fn to_csv(&self, answers: &Transcripts) -> (&'static str, String) {
        ("transcripts.csv", answers.errors.to_csv())
    }

    fn worst(&self, answers: &Transcripts) -> Vec<String> {
        let worst = answers.errors.worst_first().into_iter().take(5);
        worst
            .filter(|transcript| transcript.words.total() > 0)
            .map(|transcript| {
                format!(
                    "{:>3} words wrong in {}\n      said:  {}\n      heard: {}",
                    transcript.words.total(),
                    transcript.id,
                    transcript.reference,
                    transcript.hypothesis
                )
            })
            .collect()
    }

    fn epoch_text(&self, record: &EpochRecord) -> String {
        let blank = record
            .train_blank
            .map_or_else(String::new, |share| format!("blank {share:.3}  "));
        format!(
            "{blank}validation: loss {:.4}  WER {:.3}  CER {:.3}",
            record.valid_loss,
            record.valid.get("wer"),
            record.valid.get("cer"),
        )
    }
}
