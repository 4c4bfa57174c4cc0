//! Any of the tasks, chosen at run time.

use std::sync::Arc;

use sori_datasets::{Alphabet, Target, TargetKind};
use sori_models::Role;

use super::answer::Answer;
use super::autoencode::Autoencode;
use super::classify::Classify;
use super::contract::{Headline, Task};
use super::generate::Generate;
use super::name::TaskName;
use super::regress::Regress;
use super::scale::{RegressionLoss, Scale};
use super::tag::Tag;
use super::transcribe::Transcribe;
use super::truth::wrong_answer;
use crate::Result;

/// Any task.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each is documented where it stands")]
pub enum AnyTask {
    Classify(Classify),
    Tag(Tag),
    Transcribe(Transcribe),
    Regress(Regress),
    Autoencode(Autoencode),
    Generate(Generate),
}

/// Work that is generic over the task.
pub trait TaskJob {
    /// The result of the work.
    type Output;

    /// Does the work for `task`.
    fn run<T: Task>(self, task: T) -> Self::Output;
}

impl AnyTask {
    /// The task of this name with its data; none where data that it takes are missing.
    pub(crate) fn new(
        name: TaskName,
        labels: Vec<String>,
        alphabet: Option<Alphabet>,
        scale: Option<Scale>,
        loss: RegressionLoss,
    ) -> Option<Self> {
        Some(match name {
            TaskName::Classify => Self::Classify(Classify { labels }),
            TaskName::Tag => Self::Tag(Tag {
                labels,
                thresholds: Vec::new(),
                mean_over_windows: false,
            }),
            TaskName::Regress => Self::Regress(Regress {
                labels,
                scale: scale?,
                loss,
            }),
            TaskName::Transcribe => Self::Transcribe(Transcribe {
                alphabet: Arc::new(alphabet?),
            }),
            TaskName::Autoencode => Self::Autoencode(Autoencode),
            TaskName::Generate => Self::Generate(Generate),
        })
    }

    /// Runs `job` with the task.
    pub fn run<J: TaskJob>(self, job: J) -> J::Output {
        match self {
            Self::Classify(task) => job.run(task),
            Self::Tag(task) => job.run(task),
            Self::Transcribe(task) => job.run(task),
            Self::Regress(task) => job.run(task),
            Self::Autoencode(task) => job.run(task),
            Self::Generate(task) => job.run(task),
        }
    }

    /// Its name in run folders and results.
    pub fn name(&self) -> TaskName {
        struct Name;
        impl TaskJob for Name {
            type Output = TaskName;
            fn run<T: Task>(self, _: T) -> TaskName {
                T::NAME
            }
        }
        self.clone().run(Name)
    }

    /// The metric that chooses the best checkpoint.
    pub fn headline(&self) -> Headline {
        struct Of;
        impl TaskJob for Of {
            type Output = Headline;
            fn run<T: Task>(self, _: T) -> Headline {
                T::HEADLINE
            }
        }
        self.clone().run(Of)
    }

    /// The word for `count` labels.
    pub fn label(&self, count: usize) -> &'static str {
        struct Of;
        impl TaskJob for Of {
            type Output = [&'static str; 2];
            fn run<T: Task>(self, _: T) -> Self::Output {
                T::LABEL
            }
        }
        self.clone().run(Of)[usize::from(count != 1)]
    }

    /// Number of network outputs.
    pub fn num_outputs(&self) -> usize {
        struct Of;
        impl TaskJob for Of {
            type Output = usize;
            fn run<T: Task>(self, task: T) -> usize {
                task.num_outputs()
            }
        }
        self.clone().run(Of)
    }

    /// Names of the labels in the order of the outputs: the symbols of transcripts, which come after
    /// the blank, or the name of a quantity.
    pub fn labels(&self) -> Vec<String> {
        match self {
            Self::Classify(task) => task.labels.clone(),
            Self::Tag(task) => task.labels.clone(),
            Self::Regress(task) => task.labels.clone(),
            Self::Transcribe(task) => {
                let symbols = task.alphabet.symbols().iter();
                symbols.map(char::to_string).collect()
            }
            Self::Autoencode(_) | Self::Generate(_) => Vec::new(),
        }
    }

    /// The labels or the quantity that other corpora for this task must use.
    pub fn named_labels(&self) -> Option<&[String]> {
        match self {
            Self::Classify(task) => Some(&task.labels),
            Self::Tag(task) => Some(&task.labels),
            Self::Regress(task) => Some(&task.labels),
            Self::Transcribe(_) | Self::Autoencode(_) | Self::Generate(_) => None,
        }
    }

    /// The kind of answer its recordings have. Models that generate patches take any.
    pub fn target_kind(&self) -> Option<TargetKind> {
        match self {
            Self::Classify(_) => Some(TargetKind::Classify),
            Self::Tag(_) => Some(TargetKind::Tag),
            Self::Transcribe(_) => Some(TargetKind::Transcribe),
            Self::Regress(_) => Some(TargetKind::Regress),
            Self::Autoencode(_) | Self::Generate(_) => None,
        }
    }

    /// Whether it generates patches, and so has no answer for a recording.
    pub fn generates(&self) -> bool {
        self.target_kind().is_none()
    }

    /// The alphabet of transcripts.
    pub fn alphabet(&self) -> Option<&Arc<Alphabet>> {
        match self {
            Self::Transcribe(task) => Some(&task.alphabet),
            _ => None,
        }
    }

    /// The scale of a quantity.
    pub(crate) fn scale(&self) -> Option<Scale> {
        match self {
            Self::Regress(task) => Some(task.scale),
            _ => None,
        }
    }

    /// The task with the tag thresholds of a checkpoint. Other tasks ignore them.
    pub(crate) fn with_thresholds(mut self, thresholds: Vec<f32>) -> Self {
        if let Self::Tag(task) = &mut self {
            task.thresholds = thresholds;
        }
        self
    }

    /// The task with the mean, or the largest, score of a long recording's windows. Other tasks than tags
    /// ignore it.
    pub(crate) fn with_mean_over_windows(mut self, mean: bool) -> Self {
        if let Self::Tag(task) = &mut self {
            task.mean_over_windows = mean;
        }
        self
    }

    /// A right answer in the form of a prediction.
    ///
    /// # Errors
    /// When the target is of another task's kind, or has a label that the task does not have.
    pub fn truth(&self, target: &Target) -> Result<Answer> {
        let name = |labels: &[String], label: usize| labels.get(label).cloned();
        let answer = match self {
            Self::Classify(task) => target
                .class()
                .and_then(|class| name(&task.labels, class))
                .map(Answer::Label),
            Self::Tag(task) => target
                .tags()
                .and_then(|tags| tags.iter().map(|&tag| name(&task.labels, tag)).collect())
                .map(Answer::Tags),
            Self::Transcribe(task) => target
                .text()
                .map(|text| Answer::Text(task.alphabet.normalization().apply(text))),
            Self::Regress(_) => target.value().map(Answer::Value),
            Self::Autoencode(_) | Self::Generate(_) => None,
        };
        answer.ok_or_else(|| wrong_answer(self.name()))
    }
}

/// The name of the task of a model with this role on recordings of this kind, or none if they do
/// not go together.
pub(crate) fn task_of(role: Role, kind: TargetKind) -> Option<TaskName> {
    match (role, kind) {
        (Role::Autoencoder, _) => Some(TaskName::Autoencode),
        (Role::Adversarial, _) => Some(TaskName::Generate),
        (Role::Emitter | Role::Speller, TargetKind::Transcribe) => Some(TaskName::Transcribe),
        (Role::Classifier, TargetKind::Classify) => Some(TaskName::Classify),
        (Role::Classifier, TargetKind::Tag) => Some(TaskName::Tag),
        (Role::Classifier, TargetKind::Regress) => Some(TaskName::Regress),
        (Role::Classifier, TargetKind::Transcribe) | (Role::Emitter | Role::Speller, _) => None,
    }
}
