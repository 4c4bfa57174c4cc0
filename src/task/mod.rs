//! The tasks. Each file defines one task: its targets, loss, metrics, headline metric, answer and
//! CSV. A task holds the data it needs for them.

pub(crate) mod answer;
pub(crate) mod any;
pub(crate) mod autoencode;
mod classifier;
pub(crate) mod classify;
pub(crate) mod contract;
mod event;
pub(crate) mod generate;
pub(crate) mod labels;
pub(crate) mod metrics;
pub(crate) mod name;
pub(crate) mod objective;
pub(crate) mod patches;
pub(crate) mod reading;
pub(crate) mod regress;
pub(crate) mod scale;
pub(crate) mod tag;
pub(crate) mod transcribe;
pub(crate) mod truth;

pub use answer::{Answer, Prediction, ScoredTranscript, Window};
pub use any::{AnyTask, TaskJob};
pub use autoencode::{Autoencode, Reconstructions};
pub use classify::Classify;
pub use contract::{Headline, Seen, Task, Windowed};
pub use event::SoundEvent;
pub use generate::{Generate, Generated};
pub use labels::Labels;
pub use metrics::Metrics;
pub use name::TaskName;
pub use objective::Objective;
pub use patches::Patches;
pub use reading::Reading;
pub use regress::Regress;
pub use scale::{Estimate, RegressionLoss, Scale};
pub use tag::Tag;
pub use transcribe::{Transcribe, TranscribeOutput, Transcripts};
pub use truth::Truth;
