//! What a run is made of: defaults, a TOML file and `key=value` overrides become one set of
//! settings, which the run folder keeps.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sori_datasets::features::{FeatureKind, Normalize};
use sori_datasets::{AlphabetKind, AugmentConfig, FeatureConfig, Normalization, Spec};
use sori_models::las::DecodeOptions;
use sori_models::layers::{AttentionKind, Cell};
use sori_models::{ConfigError, ModelConfig};
use toml::{Table, Value};

use crate::decode::Decoding;
use crate::task::{RegressionLoss, Task};
use crate::{Error, Result};

/// Everything a run depends on, as it stands in the run's `config.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What is learned from.
    pub data: DataSettings,
    /// What a model sees of a recording.
    pub features: FeatureConfig,
    /// How recordings are varied while it is trained; by default not at all.
    pub augment: AugmentConfig,
    /// The model.
    pub model: ModelConfig,
    /// How it is trained.
    pub train: TrainSettings,
    /// How transcripts become symbols, for models that write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSettings>,
}

/// How transcripts become symbols.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextSettings {
    /// File of the symbols, one on a line; empty: those of the training transcripts.
    pub alphabet: String,
    /// What a symbol is.
    pub kind: AlphabetKind,
    /// Take symbols that the alphabet does not have for one of their own, `⁇`, rather than refuse
    /// them.
    pub unk: bool,
    /// A speller ends its transcript where the end is the likeliest symbol, and also where its
    /// probability exceeds this.
    pub end_threshold: f64,
    /// At the most so many symbols are spelled for each step of the listener.
    pub max_symbols_per_step: f64,
    /// How transcripts are written before they are learned and compared.
    pub normalization: Normalization,
}

impl TextSettings {
    fn check(&self) -> Result<()> {
        require(
            self.end_threshold > 0.0 && self.end_threshold <= 1.0,
            "text.end_threshold",
            self.end_threshold,
            "it must be above 0 and at most 1, such as 0.5",
        )?;
        require(
            self.max_symbols_per_step.is_finite() && self.max_symbols_per_step > 0.0,
            "text.max_symbols_per_step",
            self.max_symbols_per_step,
            "it must be above 0, such as 3",
        )
    }

    /// How transcripts are found without a search.
    pub fn decoding(&self) -> Decoding {
        Decoding {
            end: DecodeOptions {
                end_threshold: self.end_threshold,
                max_symbols_per_step: self.max_symbols_per_step,
            },
            beam: None,
        }
    }
}

impl Default for TextSettings {
    fn default() -> Self {
        Self {
            alphabet: String::new(),
            kind: AlphabetKind::Characters,
            unk: false,
            end_threshold: DecodeOptions::default().end_threshold,
            max_symbols_per_step: DecodeOptions::default().max_symbols_per_step,
            normalization: Normalization::default(),
        }
    }
}

/// Which recordings are learned from, chosen on and tested on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSettings {
    /// The corpus to train on, as a SPEC such as `fsdd:DIR`.
    pub train: String,
    /// The corpus to choose the best checkpoint on; empty: the training corpus's own validation
    /// part, or `valid_fraction` of its training part.
    pub valid: String,
    /// The corpus to test on; empty: the training corpus's own test part.
    pub test: String,
    /// How much of the training part is set aside for validation where the corpus has none.
    pub valid_fraction: f64,
    /// Leave out recordings that cannot be used, and list them in the run folder.
    pub skip_bad: bool,
    /// Folder to keep computed features in; empty: they are computed each time.
    pub cache: String,
    /// Decoded recordings to keep in memory while training, in MiB at most, so that a recording is
    /// decoded once and not in each epoch; 0: none.
    pub memory_mib: usize,
    /// A run whose best weights this one starts from, where names and shapes agree; empty: none.
    pub from: String,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            train: "synth:dtmf".to_string(),
            valid: String::new(),
            test: String::new(),
            valid_fraction: 0.1,
            skip_bad: false,
            cache: String::new(),
            memory_mib: 512,
            from: String::new(),
        }
    }
}

/// `path` from the root, so that it means the same from any folder; an empty one stays so.
fn absolute(path: &str) -> Result<String> {
    if path.is_empty() {
        return Ok(String::new());
    }
    let whole = std::path::absolute(path)
        .map_err(Error::io("cannot find the folder of", Path::new(path)))?;
    Ok(whole.display().to_string())
}

/// A SPEC whose location is [`absolute`], where it is one of files.
fn absolute_spec(text: &str) -> Result<String> {
    if text.is_empty() || text.starts_with("synth:") {
        return Ok(text.to_string());
    }
    let mut spec: Spec = text.parse()?;
    spec.location = absolute(&spec.location)?;
    Ok(spec.to_string())
}

/// The optimizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam, [Kingma and Ba 2015](https://arxiv.org/abs/1412.6980); weight decay is added to the gradient.
    Adam,
    /// Adam with decoupled weight decay, [Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101).
    Adamw,
    /// Stochastic gradient descent, without momentum.
    Sgd,
    /// Gradient descent with momentum, [Polyak 1964](https://doi.org/10.1016/0041-5553(64)90137-5).
    Momentum,
    /// Gradient descent with Nesterov's momentum, [Sutskever et al.
    /// 2013](https://proceedings.mlr.press/v28/sutskever13.html).
    Nesterov,
    /// RMSProp, [Tieleman and Hinton
    /// 2012](https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf), with a moving
    /// average that keeps 0.99 of the squares.
    Rmsprop,
    /// Adagrad, [Duchi et al. 2011](https://jmlr.org/papers/v12/duchi11a.html).
    Adagrad,
    /// L-BFGS, [Liu and Nocedal 1989](https://doi.org/10.1007/BF01589116), one iteration a step: its
    /// curvature is measured on the step's own batch ([Schraudolph et al.
    /// 2007](https://proceedings.mlr.press/v2/schraudolph07a.html)), and a step that does not lower
    /// that batch's loss is halved until it does. Its learning rate is 1 where the batch is the whole
    /// training part, and its gradient is not clipped.
    Lbfgs,
}

/// How the learning rate goes from its warm-up to the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// The same all the way.
    Constant,
    /// Half a cosine down to zero, [Loshchilov and Hutter 2017](https://arxiv.org/abs/1608.03983).
    Cosine,
    /// `decay_factor` times as much every `decay_epochs`.
    Step,
    /// The same decay as `step`, spread evenly over all steps.
    Exponential,
    /// Up from a 25th over the first third by half a cosine, then down by another to nearly nothing
    /// ([Smith and Topin 2017](https://arxiv.org/abs/1708.07120)); it is its own warm-up.
    OneCycle,
    /// `decay_factor` times as much whenever `decay_epochs` have gone by without a better validation
    /// result.
    Plateau,
}

/// What makes an epoch the best so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BestBy {
    /// The task's headline metric on the validation part; where it is the same, the loss.
    Metric,
    /// The loss on the validation part.
    Loss,
    /// Being the last: nothing is chosen, where the validation part is too small to choose by.
    Last,
}

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSettings {
    /// Passes over the training part.
    pub epochs: usize,
    /// Recordings in a step.
    pub batch_size: usize,
    /// Where all randomness of the run starts from.
    pub seed: u64,
    /// The optimizer.
    pub optimizer: OptimizerKind,
    /// Learning rate at the end of the warm-up.
    pub learning_rate: f64,
    /// Momentum of the optimizers `momentum` and `nesterov`, and of `adam` and `adamw` the decay β₁ of the
    /// gradient's moving average.
    pub momentum: f64,
    /// Weight decay: half of this times the squares of all parameters is a part of what is minimised,
    /// the L2 penalty (`adamw` shrinks the parameters by it instead); 0 for none.
    pub weight_decay: f64,
    /// This times the magnitudes of all parameters is a part of what is minimised, the L1 penalty; 0
    /// for none.
    pub l1_penalty: f64,
    /// Largest norm that the gradient of all parameters together may have; 0 for any.
    pub clip_norm: f64,
    /// The course of the learning rate after the warm-up.
    pub schedule: ScheduleKind,
    /// Epochs (or a part of one) over which the learning rate rises from 0.
    pub warmup_epochs: f64,
    /// What the schedules `step`, `exponential` and `plateau` multiply the learning rate by.
    pub decay_factor: f64,
    /// After how many epochs they do.
    pub decay_epochs: usize,
    /// Batches whose mean gradient makes one step: a larger batch than memory holds at once.
    pub accumulate: usize,
    /// Decay of a moving average of the parameters, which is what is validated and kept; 0: none.
    pub ema_decay: f64,
    /// How much of a target is spread over all labels.
    pub label_smoothing: f64,
    /// How often a speller reads its own guess in training instead of the transcript's symbol
    /// (scheduled sampling, [Bengio et al. 2015](https://arxiv.org/abs/1506.03099)).
    pub scheduled_sampling: f64,
    /// Weigh the loss of rare classes up, and the presence of rare tags (at most tenfold).
    pub class_weights: bool,
    /// What is minimised where a number is learned: `l1`, `l2` or `gaussian`. Augmentation leaves the number
    /// as it is (`augment.mix` takes the mean), so none should be used that changes what it counts.
    pub regression_loss: RegressionLoss,
    /// How much a classifier learns to leave nothing by which a recording's domain could be told (its
    /// speaker, where the corpus names them), by reversal of the gradient of a network that tries to
    /// ([Ganin et al. 2016](https://jmlr.org/papers/v17/15-239.html)): the weight λ of that gradient,
    /// which rises to this over the run as in the paper; 0 for none.
    pub adversary_weight: f64,
    /// Draw recordings so that all classes come up equally often, rather than each recording once.
    pub balance: bool,
    /// Put recordings of similar length into the same batch, which leaves less padding to compute.
    pub bucket: bool,
    /// Go through the first epoch from short recordings to long ones, which steadies a recogniser's
    /// start (SortaGrad, [Amodei et al. 2016](https://arxiv.org/abs/1512.02595)).
    pub sort_first_epoch: bool,
    /// Parts of the model whose parameters stay as they are, such as `["blocks"]`.
    pub freeze: Vec<String>,
    /// What makes an epoch the best so far, whose weights are kept: `metric`, `loss` or `last`. The last
    /// cannot be waited for, by `patience` or the schedule `plateau`.
    pub best_by: BestBy,
    /// Stop after so many epochs without a better validation result; 0: never.
    pub patience: usize,
    /// Minutes of training after which to stop; 0: no limit.
    pub max_minutes: f64,
    /// Steps between two checkpoints within an epoch; 0: only at its end.
    pub checkpoint_steps: usize,
    /// Threads that load recordings ahead of the training step.
    pub workers: usize,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            epochs: 15,
            batch_size: 32,
            seed: 0,
            optimizer: OptimizerKind::Adam,
            learning_rate: 1e-3,
            momentum: 0.9,
            weight_decay: 0.0,
            l1_penalty: 0.0,
            clip_norm: 5.0,
            schedule: ScheduleKind::Cosine,
            warmup_epochs: 0.5,
            decay_factor: 0.5,
            decay_epochs: 3,
            accumulate: 1,
            ema_decay: 0.0,
            label_smoothing: 0.0,
            scheduled_sampling: 0.0,
            class_weights: false,
            regression_loss: RegressionLoss::default(),
            adversary_weight: 0.0,
            balance: false,
            bucket: true,
            sort_first_epoch: false,
            freeze: Vec::new(),
            best_by: BestBy::Metric,
            patience: 0,
            max_minutes: 0.0,
            checkpoint_steps: 200,
            workers: 1,
        }
    }
}

/// More threads than any machine's data pipeline needs.
const MAX_WORKERS: usize = 256;

/// More than any machine's memory holds.
const MAX_BATCH: usize = 1 << 20;

fn require(ok: bool, key: &str, value: impl ToString, expected: &str) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::Setting {
        key: key.to_string(),
        value: value.to_string(),
        expected: expected.to_string(),
    })
}

impl TrainSettings {
    /// # Errors
    /// When a value is outside of what it can be; the message names it.
    pub fn check(&self) -> Result<()> {
        require(
            self.epochs > 0,
            "train.epochs",
            self.epochs,
            "it must be at least 1",
        )?;
        require(
            self.learning_rate.is_finite() && self.learning_rate > 0.0,
            "train.learning_rate",
            self.learning_rate,
            "it must be above 0, such as 0.001",
        )?;
        require(
            (0.0..1.0).contains(&self.momentum),
            "train.momentum",
            self.momentum,
            "it must be from 0 to below 1, such as 0.9",
        )?;
        require(
            self.workers <= MAX_WORKERS,
            "train.workers",
            self.workers,
            "it must be at most 256; one or two keep up with most models",
        )?;
        for (key, value) in [
            ("train.ema_decay", self.ema_decay),
            ("train.label_smoothing", self.label_smoothing),
            ("train.scheduled_sampling", self.scheduled_sampling),
        ] {
            require(
                (0.0..1.0).contains(&value),
                key,
                value,
                "it must be from 0 (none) to below 1",
            )?;
        }
        require(
            self.decay_factor > 0.0 && self.decay_factor <= 1.0,
            "train.decay_factor",
            self.decay_factor,
            "it must be above 0 and at most 1, such as 0.5",
        )?;
        require(
            self.decay_epochs > 0,
            "train.decay_epochs",
            self.decay_epochs,
            "it must be at least 1",
        )?;
        for (key, value) in [
            ("train.batch_size", self.batch_size),
            ("train.accumulate", self.accumulate),
        ] {
            let expected = format!("it must be from 1 to {MAX_BATCH}");
            require((1..=MAX_BATCH).contains(&value), key, value, &expected)?;
        }
        for (key, value) in [
            ("train.weight_decay", self.weight_decay),
            ("train.l1_penalty", self.l1_penalty),
            ("train.adversary_weight", self.adversary_weight),
            ("train.clip_norm", self.clip_norm),
            ("train.warmup_epochs", self.warmup_epochs),
            ("train.max_minutes", self.max_minutes),
        ] {
            require(
                value.is_finite() && value >= 0.0,
                key,
                value,
                "it must be 0 (none) or above",
            )?;
        }
        require(
            self.optimizer != OptimizerKind::Lbfgs || self.l1_penalty == 0.0,
            "train.l1_penalty",
            self.l1_penalty,
            "it must be 0 with lbfgs, which needs a slope everywhere; weight_decay has one",
        )?;
        let waits = self.patience > 0 || self.schedule == ScheduleKind::Plateau;
        require(
            self.best_by != BestBy::Last || !waits,
            "train.best_by",
            "last",
            "it must be metric or loss with patience or the schedule plateau, which wait for a better epoch",
        )?;
        require(
            self.optimizer != OptimizerKind::Lbfgs || self.adversary_weight == 0.0,
            "train.adversary_weight",
            self.adversary_weight,
            "it must be 0 with lbfgs, which makes one thing small, and not two against each other",
        )
    }
}

impl Settings {
    /// The defaults for the architecture `model` on features of `sample_rate_hz`. Recognisers have their
    /// own, and others again where the corpus `train` is `synth:morse`; `fcn` and `crnn` are smaller where
    /// it is any `synth:`, whose recordings are short.
    ///
    /// # Errors
    /// When there is no such model.
    pub fn new(model: &str, train: &str, sample_rate_hz: u32) -> Result<Self> {
        let kind = match model {
            "sample_cnn" | "res_cnn" => FeatureKind::Waveform,
            _ => FeatureConfig::default().kind,
        };
        let mut settings = Self {
            data: DataSettings {
                train: train.to_string(),
                ..DataSettings::default()
            },
            features: FeatureConfig {
                kind,
                sample_rate_hz,
                normalize: Normalize::Corpus,
                ..FeatureConfig::default()
            },
            augment: AugmentConfig::default(),
            model: ModelConfig::from_name(model)?,
            train: TrainSettings::default(),
            text: None,
        };
        match &settings.model {
            ModelConfig::Vae(_) => settings.train.epochs = 60,
            ModelConfig::Gan(_) => {
                // As DCGAN's: slower, and with less of the steps before.
                settings.train.epochs = 60;
                settings.train.learning_rate = 2e-4;
                settings.train.momentum = 0.5;
                settings.train.schedule = ScheduleKind::Constant;
                settings.train.ema_decay = 0.999;
            }
            _ => {}
        }
        if settings.model.generates() {
            settings.features.num_mels = 40;
        }
        settings.for_poolings(train.starts_with("synth:"));
        if settings.model.transcribes() {
            settings.for_transcripts();
            if train.starts_with("synth:morse") {
                settings.for_morse();
            }
        }
        Ok(settings)
    }

    /// The bins that poolings make one of: the papers', for music of half a minute; or, for recordings
    /// that `are_short`, fewer and smaller blocks, which need no more frames than those have.
    fn for_poolings(&mut self, are_short: bool) {
        let (channels, pools, short_pools) = match &mut self.model {
            ModelConfig::Fcn(config) => {
                let short = [[2, 2], [2, 4], [4, 5]];
                (&mut config.channels, &mut config.pools, short)
            }
            ModelConfig::Crnn(config) => {
                let short = [[2, 2], [2, 4], [2, 5]];
                (&mut config.channels, &mut config.pools, short)
            }
            _ => return,
        };
        self.features.num_mels = 96;
        if are_short {
            self.features.num_mels = 40;
            *channels = vec![32, 48, 64];
            *pools = short_pools.to_vec();
        }
    }

    /// What a recogniser learns from in minutes on two processor cores: a smaller model than the
    /// paper's, and recordings that are never twice the same.
    fn for_transcripts(&mut self) {
        self.text = Some(TextSettings::default());
        let (features, train) = (&mut self.features, &mut self.train);
        // Each recording is seen at the same level.
        features.normalize = Normalize::Utterance;
        train.epochs = 22;
        train.batch_size = 16;
        train.learning_rate = 2e-3;
        train.ema_decay = 0.998;
        train.sort_first_epoch = true;
        train.workers = 2;
        let augment = &mut self.augment;
        augment.speed.probability = 1.0;
        augment.speed.min_factor = 0.85;
        augment.speed.max_factor = 1.18;
        augment.pitch.probability = 0.3;
        augment.pitch.min_semitones = -3.0;
        augment.pitch.max_semitones = 3.0;
        augment.gain.probability = 1.0;
        augment.gain.min_db = -15.0;
        augment.gain.max_db = 10.0;
        augment.noise.probability = 0.5;
        augment.spec_augment.probability = 0.7;
        match &mut self.model {
            ModelConfig::Las(config) => {
                // Attention finds its way on words sooner above convolutions.
                config.channels = vec![32, 32];
                config.kernels = vec![[3, 3], [3, 3]];
                config.strides = vec![[2, 2], [1, 2]];
                config.d_listener = 128;
                config.num_pyramid_layers = 1;
                config.d_embedding = 64;
                config.d_speller = 256;
                config.num_speller_layers = 1;
                config.dropout = 0.2;
                // With both, attention finds its way along the recording sooner, and knows a word from
                // the same word again.
                config.ctc_weight = 0.2;
                config.attention = AttentionKind::Location;
                config.d_attention = 128;
                train.learning_rate = 1e-3;
                train.scheduled_sampling = 0.1;
                augment.noise.probability = 0.3;
                augment.spec_augment.probability = 0.5;
            }
            ModelConfig::DeepSpeech2(config) => {
                config.channels = vec![8, 8];
                config.d_hidden = 128;
                config.dropout = 0.2;
                features.kind = FeatureKind::Log1pSpectrogram;
                features.window_ms = 20.0;
            }
            _ => {}
        }
    }

    /// What hears a tone that is on or off: a few wide bands where it can lie, and steps of about a
    /// dot. The messages are varied already.
    fn for_morse(&mut self) {
        let (features, train) = (&mut self.features, &mut self.train);
        features.kind = FeatureKind::LogMel;
        features.normalize = Normalize::Corpus;
        features.num_mels = 6;
        features.min_hz = 300.0;
        features.max_hz = 1100.0;
        features.window_ms = 32.0;
        features.hop_ms = 20.0;
        features.fft_size = 512;
        train.epochs = 12;
        train.batch_size = 8;
        train.learning_rate = 3e-3;
        match &mut self.model {
            ModelConfig::Las(config) => {
                // What is keyed lies in how long marks and spaces are. A recurrence finds that sooner
                // above a convolution, with fewer gates, and without CTC.
                config.channels = vec![16];
                config.kernels = vec![[5, 5]];
                config.strides = vec![[2, 2]];
                config.cell = Cell::Gru;
                config.num_plain_layers = 2;
                config.num_pyramid_layers = 0;
                config.dropout = 0.0;
                config.ctc_weight = 0.0;
                train.epochs = 16;
                train.learning_rate = 2e-3;
            }
            ModelConfig::DeepSpeech2(config) => {
                config.channels = vec![16];
                config.kernels = vec![[5, 5]];
                config.strides = vec![[2, 2]];
                config.num_layers = 2;
                // Small batches of uneven lengths keep it from finding the first letters.
                config.recurrent_norm = false;
                config.dropout = 0.0;
            }
            _ => {}
        }
        self.augment = AugmentConfig::default();
    }

    /// The same with absolute paths, so that a run can be resumed from any folder.
    pub(crate) fn absolute(&self) -> Result<Self> {
        let mut settings = self.clone();
        let data = &mut settings.data;
        for spec in [&mut data.train, &mut data.valid, &mut data.test] {
            *spec = absolute_spec(spec)?;
        }
        let augment = &mut settings.augment;
        for path in [
            &mut data.cache,
            &mut data.from,
            &mut augment.noise.folder,
            &mut augment.reverb.folder,
        ] {
            *path = absolute(path)?;
        }
        if let Some(text) = &mut settings.text {
            text.alphabet = absolute(&text.alphabet)?;
        }
        Ok(settings)
    }

    /// Whether a run that `self` begins would have the settings `run`, which a run folder keeps: these with
    /// absolute paths, and the sizes that the data gave to the model.
    pub(crate) fn begins_same_run(&self, run: &Self) -> Result<bool> {
        let mut begun = self.absolute()?;
        let frames = begun.model.fixed_frames().unwrap_or(0);
        let (bins, outputs) = (run.features.num_bins(), run.model.num_outputs());
        begun.model = begun.model.with_input(frames, bins, outputs);
        Ok(begun == *run)
    }

    /// # Errors
    /// When a value is outside of what it can be; the message names it.
    pub fn check(&self) -> Result<()> {
        require(
            self.data.valid_fraction > 0.0 && self.data.valid_fraction < 1.0,
            "data.valid_fraction",
            self.data.valid_fraction,
            "it must be between 0 and 1, such as 0.1",
        )?;
        self.features.check()?;
        self.augment.check()?;
        self.check_model()?;
        self.train.check()?;
        let mix = self.augment.mix.probability;
        require(
            mix == 0.0 || self.train.adversary_weight == 0.0,
            "augment.mix.probability",
            mix,
            "it must be 0 with train.adversary_weight: a mixture may be of two domains",
        )?;
        if self.model.generates() {
            self.check_without_labels("patches are made")?;
            require(
                self.train.optimizer != OptimizerKind::Lbfgs,
                "train.optimizer",
                "lbfgs",
                "it must be another here, as what is minimised is drawn anew in each step",
            )?;
        }
        if self.model.transcribes() {
            self.check_without_labels("transcripts are learned")?;
        }
        if let Some(text) = &self.text {
            text.check()?;
        }
        Ok(())
    }

    /// Checks the model as it will be for these features.
    fn check_model(&self) -> Result<()> {
        let model = self.model.clone();
        let (frames, outputs) = (model.fixed_frames().unwrap_or(0), model.num_outputs());
        let features = &self.features;
        let bins = features.num_bins();
        let checked = model.with_input(frames, bins, outputs).check();
        let Err(ConfigError::Field {
            field: "num_bins",
            expected,
            ..
        }) = checked
        else {
            return Ok(checked?);
        };
        let (key, value) = match features.kind {
            FeatureKind::Mel | FeatureKind::LogMel | FeatureKind::MelDb => {
                ("features.num_mels", features.num_mels.to_string())
            }
            FeatureKind::Mfcc => ("features.num_mfccs", features.num_mfccs.to_string()),
            kind => ("features.kind", kind.to_string()),
        };
        let name = self.model.name();
        let expected =
            format!("a frame has {bins} bins with it, but for {name} it must have {expected}");
        require(false, key, value, &expected)
    }

    /// Refuses what only labels have, where there are none because `what` is.
    fn check_without_labels(&self, what: &str) -> Result<()> {
        let train = &self.train;
        let mix = self.augment.mix.probability;
        let smoothing = train.label_smoothing;
        require(
            smoothing == 0.0,
            "train.label_smoothing",
            smoothing,
            &match self.model {
                ModelConfig::Las(_) => {
                    format!("it must be 0 where {what}; `model.label_smoothing` is las's")
                }
                _ => format!("it must be 0 where {what}"),
            },
        )?;
        let adversary = train.adversary_weight;
        for (key, ok, value) in [
            (
                "train.adversary_weight",
                adversary == 0.0,
                adversary.to_string(),
            ),
            ("augment.mix.probability", mix == 0.0, mix.to_string()),
            (
                "train.class_weights",
                !train.class_weights,
                train.class_weights.to_string(),
            ),
            ("train.balance", !train.balance, train.balance.to_string()),
        ] {
            let off = if value.parse::<bool>().is_ok() {
                "false"
            } else {
                "0"
            };
            let expected = format!("it must be {off} where {what}");
            require(ok, key, value, &expected)?;
        }
        Ok(())
    }

    /// These settings with those of the TOML text `text` in their place; `origin` names the text in
    /// errors.
    ///
    /// # Errors
    /// When the text is not TOML, or has a setting that does not exist or has another type.
    pub fn with_toml(&self, text: &str, origin: &str) -> Result<Self> {
        let bad = |reason: String| Error::Config {
            origin: origin.to_string(),
            reason,
        };
        let changes: Table = text.parse().map_err(|e| bad(format!("{e}")))?;
        let mut table = self.table(origin)?;
        merge(&mut table, changes, "").map_err(bad)?;
        Self::from_table(table, origin)
    }

    /// These settings with those of the file `path` in their place.
    ///
    /// # Errors
    /// As [`with_toml`](Self::with_toml), and when the file cannot be read.
    pub fn with_file(&self, path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("cannot read", path))?;
        self.with_toml(&text, &path.display().to_string())
    }

    /// These settings with one changed, given as `key=value`. The key is dotted
    /// (`train.learning_rate`) or, where it is clear which is meant, only its last part
    /// (`learning_rate`). The value is TOML; a bare word is taken as a string.
    ///
    /// # Errors
    /// When there is no such setting, the key could mean several, or the value has another type.
    pub fn with_override(&self, assignment: &str) -> Result<Self> {
        let origin = format!("--set {assignment}");
        let bad = |reason: String| Error::Config {
            origin: origin.clone(),
            reason,
        };
        let (key, value) = assignment.split_once('=').ok_or_else(|| {
            bad("it must read key=value, such as train.learning_rate=0.01".to_string())
        })?;
        let mut table = self.table(&origin)?;
        let keys = leaves(&table);
        let key = key.trim();
        let matching: Vec<&String> = keys
            .iter()
            .filter(|known| {
                known.as_str() == key
                    || (!key.contains('.') && known.rsplit('.').next() == Some(key))
            })
            .collect();
        let path = match matching.as_slice() {
            [path] => (*path).clone(),
            [] => {
                let below: Vec<&str> = keys
                    .iter()
                    .filter(|known| known.starts_with(&format!("{key}.")))
                    .map(String::as_str)
                    .collect();
                return Err(bad(if below.is_empty() {
                    format!("there is no setting `{key}`; there are {}", keys.join(", "))
                } else {
                    format!("`{key}` is several settings: {}", below.join(", "))
                }));
            }
            several => {
                return Err(bad(format!(
                    "`{key}` could be {}; write the one you mean",
                    several
                        .iter()
                        .map(|s| s.as_str())
                        .collect::<Vec<_>>()
                        .join(" or ")
                )));
            }
        };
        if let Some(size @ ("num_bins" | "num_classes" | "num_symbols")) =
            path.strip_prefix("model.")
        {
            return Err(bad(format!(
                "the data and the features say what `{size}` is; leave it out (features.num_mels \
                 and the like set the bins)"
            )));
        }
        let value = value.trim();
        let value = format!("value = {value}")
            .parse::<Table>()
            .ok()
            .and_then(|mut parsed| parsed.remove("value"))
            .unwrap_or_else(|| Value::String(value.to_string()));
        // `path` comes from `leaves`, so each of its parts is there.
        let mut changes = value;
        for part in path.rsplit('.') {
            changes = Value::Table(Table::from_iter([(part.to_string(), changes)]));
        }
        if let Value::Table(changes) = changes {
            merge(&mut table, changes, "").map_err(bad)?;
        }
        Self::from_table(table, &origin)
    }

    /// Outputs of a model that says which of so many labels, or how much of a quantity there is.
    pub(crate) fn num_outputs(&self, task: Task, labels: usize) -> usize {
        match task {
            Task::Classify | Task::Tag => labels,
            // The blank, or the end of a sentence.
            Task::Transcribe => labels + 1,
            Task::Regress => self.train.regression_loss.num_outputs(),
            Task::Autoencode | Task::Generate => 0,
        }
    }

    /// The settings as TOML.
    ///
    /// # Errors
    /// When a value has no form in TOML, such as an integer above 2⁶³.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::Config {
            origin: "settings".to_string(),
            reason: e.to_string(),
        })
    }

    /// The settings a run folder keeps as `config.toml`.
    ///
    /// # Errors
    /// When the text is not TOML or misses a part.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| Error::Config {
            origin: origin.to_string(),
            reason: e.to_string(),
        })
    }

    fn table(&self, origin: &str) -> Result<Table> {
        Table::try_from(self).map_err(|e| Error::Config {
            origin: origin.to_string(),
            reason: e.to_string(),
        })
    }

    fn from_table(table: Table, origin: &str) -> Result<Self> {
        table
            .try_into()
            .map_err(|e: toml::de::Error| Error::Config {
                origin: origin.to_string(),
                reason: e.message().to_string(),
            })
    }
}

/// Puts `changes` over `table`. A number may be written without its point where one is expected.
fn merge(table: &mut Table, changes: Table, prefix: &str) -> std::result::Result<(), String> {
    // The name first: what does not fit another model's settings is only a consequence.
    let (name, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(|(key, _)| key == "name");
    for (key, change) in name.into_iter().chain(rest) {
        let path = format!("{prefix}{key}");
        if path == "model.name" && table.get(&key) != Some(&change) {
            let model = table.get(&key).unwrap_or(&change);
            return Err(format!(
                "these settings are for the model {change}, the command is for {model}; they must \
                 agree"
            ));
        }
        let Some(current) = table.get_mut(&key) else {
            return Err(format!(
                "there is no setting `{path}`; there are {}",
                table
                    .keys()
                    .map(|known| format!("{prefix}{known}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ));
        };
        match (current, change) {
            (Value::Table(inner), Value::Table(change)) => {
                merge(inner, change, &format!("{path}."))?;
            }
            (Value::Float(current), Value::Integer(change)) => *current = change as f64,
            (current, change) if current.type_str() == change.type_str() => *current = change,
            (current, change) => {
                return Err(format!(
                    "setting `{path}` must be of type {}, such as {current}; it is of type {}",
                    current.type_str(),
                    change.type_str()
                ));
            }
        }
    }
    Ok(())
}

/// The dotted names of all settings.
fn leaves(table: &Table) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                names.extend(
                    leaves(inner)
                        .into_iter()
                        .map(|leaf| format!("{key}.{leaf}")),
                );
            }
            _ => names.push(key.clone()),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new("mlp", "synth:dtmf", 8000).unwrap()
    }

    #[test]
    fn settings_survive_their_own_toml() {
        let text = settings().to_toml().unwrap();
        assert_eq!(Settings::from_toml(&text, "test").unwrap(), settings());
    }

    #[test]
    fn a_bare_key_means_the_one_setting_of_that_name() {
        let set = settings().with_override("epochs=3").unwrap();
        assert_eq!(set.train.epochs, 3);
        let set = set.with_override("train.learning_rate=1").unwrap();
        assert_eq!(set.train.learning_rate, 1.0);
        let set = set.with_override("optimizer = sgd").unwrap();
        assert_eq!(set.train.optimizer, OptimizerKind::Sgd);
    }

    #[test]
    fn every_model_takes_the_features_it_has_by_default() {
        for entry in sori_models::catalogue() {
            for corpus in ["synth:dtmf", "folder:DIR"] {
                let settings = Settings::new(entry.name, corpus, 16_000).unwrap();
                settings.check().unwrap();
            }
        }
    }

    #[test]
    fn features_that_the_model_cannot_take_are_named() {
        let settings = Settings::new("fcn", "folder:DIR", 16_000).unwrap();
        for (assignment, part) in [
            (
                "num_mels=40",
                "`features.num_mels` is 40; a frame has 40 bins",
            ),
            (
                "features.kind=waveform",
                "`features.kind` is waveform; a frame has 1 bins",
            ),
        ] {
            let set = settings.with_override(assignment).unwrap();
            let error = set.check().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
            assert!(error.contains("at least 96"), "{error}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        for (assignment, part) in [
            ("epochz=3", "train.epochs"),
            ("epochs", "key=value"),
            ("epochs=many", "integer"),
            ("optimizer=magic", "adam"),
            ("train=3", "data.train"),
            ("num_bins=40", "features.num_mels"),
            ("model.num_classes=3", "leave it out"),
            ("augment.pitch=1", "augment.pitch.probability"),
        ] {
            let error = settings()
                .with_override(assignment)
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{assignment}: {error}");
        }
    }

    #[test]
    fn a_file_with_an_unknown_key_is_refused() {
        let error = settings()
            .with_toml("[train]\nepoch = 3\n", "x.toml")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("x.toml") && error.contains("train.epoch"),
            "{error}"
        );
    }

    #[test]
    fn recognisers_of_morse_start_from_features_of_tones() {
        for model in ["deep_speech2", "las"] {
            let morse = Settings::new(model, "synth:morse?size=8", 8000).unwrap();
            assert_eq!(morse.features.num_mels, 6);
            assert_eq!(morse.augment, AugmentConfig::default());
            morse.check().unwrap();
            let speech = Settings::new(model, "digits:DIR", 8000).unwrap();
            assert_ne!(speech.features.num_mels, 6);
            assert_ne!(speech.augment, AugmentConfig::default());
            speech.check().unwrap();
        }
        let labels = Settings::new("cnn1d", "synth:morse", 8000).unwrap();
        assert_ne!(labels.features.num_mels, 6);
    }

    #[test]
    fn a_run_from_before_there_were_convolutions_has_none() {
        let whole = Settings::new("las", "synth:morse", 8000).unwrap();
        let mut table = whole.table("test").unwrap();
        let model = table["model"].as_table_mut().unwrap();
        for key in ["channels", "kernels", "strides", "cell"] {
            model.remove(key).unwrap();
        }
        let text = toml::to_string(&table).unwrap();
        let read = Settings::from_toml(&text, "test").unwrap();
        let ModelConfig::Las(config) = &read.model else {
            panic!("another model")
        };
        assert!(config.channels.is_empty() && config.strides.is_empty());
        assert_eq!(config.cell, Cell::Lstm);
        read.check().unwrap();
    }

    #[test]
    fn the_last_epoch_is_not_waited_for() {
        let set = settings().with_override("best_by=last").unwrap();
        set.check().unwrap();
        for assignment in ["patience=3", "schedule=plateau"] {
            let set = set.with_override(assignment).unwrap();
            let error = set.check().unwrap_err().to_string();
            assert!(error.contains("train.best_by"), "{assignment}: {error}");
        }
    }

    #[test]
    fn a_speller_that_could_not_end_or_write_is_refused() {
        for (assignment, key) in [
            ("end_threshold=0.0", "text.end_threshold"),
            ("end_threshold=1.5", "text.end_threshold"),
            ("max_symbols_per_step=0.0", "text.max_symbols_per_step"),
            ("max_symbols_per_step=inf", "text.max_symbols_per_step"),
        ] {
            let set = Settings::new("las", "synth:morse", 8000).unwrap();
            let set = set.with_override(assignment).unwrap();
            let error = set.check().unwrap_err().to_string();
            assert!(error.contains(key), "{assignment}: {error}");
        }
    }

    /// The quoted strings behind each `call(` of a program's text.
    fn quoted<'a>(text: &'a str, call: &str) -> Vec<&'a str> {
        let behind = text.split(call).skip(1);
        behind.filter_map(|rest| rest.split('"').nth(1)).collect()
    }

    #[test]
    fn the_settings_of_every_example_can_be_made() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let mut examples = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let model = quoted(&text, "Settings::new(")[0];
            let made = quoted(&text, ".with_override(").into_iter().try_fold(
                Settings::new(model, "synth:dtmf", 8000).unwrap(),
                |set, change| set.with_override(change),
            );
            let made = made.and_then(|settings| settings.check());
            assert!(made.is_ok(), "{}: {made:?}", path.display());
            examples += 1;
        }
        assert!(examples > 15, "{examples}");
    }

    #[test]
    fn values_out_of_range_are_named() {
        for key in ["train.batch_size", "train.accumulate"] {
            for value in ["0", "4294967296"] {
                let set = settings().with_override(&format!("{key}={value}")).unwrap();
                let error = set.check().unwrap_err().to_string();
                assert!(error.contains(key), "{error}");
            }
        }
        let mut set = settings();
        set.train.momentum = 1.5;
        let error = set.check().unwrap_err().to_string();
        assert!(
            error.contains("train.momentum is 1.5") || error.contains("`train.momentum` is 1.5"),
            "{error}"
        );
    }
}
