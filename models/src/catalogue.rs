use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::layers::Linear;
use crate::{
    Attention, AttentionConfig, Cnn1d, Cnn1dConfig, Cnn2d, Cnn2dConfig, ConfigError, Crnn,
    CrnnConfig, DeepSpeech2, DeepSpeech2Config, DilatedCnn, DilatedCnnConfig, Emissions, Fcn,
    FcnConfig, Gan, GanConfig, Gru, GruConfig, Las, LasConfig, Lstm, LstmConfig, Matchboxnet,
    MatchboxnetConfig, Mlp, MlpConfig, Musicnn, MusicnnConfig, RandomWired, RandomWiredConfig,
    ResCnn, ResCnnConfig, Rnn, RnnConfig, SampleCnn, SampleCnnConfig, Vae, VaeConfig,
};

/// What the zoo says of an architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The name, on the command line and in a configuration.
    pub name: &'static str,
    /// The name a person would use.
    pub title: &'static str,
    /// What its paper trains it for, and it is trained for where no data is named: `classify`, `tag`,
    /// `transcribe`, `autoencode` or `generate`. Any model of the first two does either, and learns numbers too.
    pub task: &'static str,
    /// The paper it follows: authors, year, title.
    pub paper: &'static str,
    /// Where that paper is.
    pub paper_url: &'static str,
    /// The architecture in one sentence.
    pub summary: &'static str,
}

/// Every architecture of the zoo, in the order of the lectures.
pub fn catalogue() -> &'static [Entry] {
    &[
        Entry {
            name: "mlp",
            title: "Multilayer perceptron",
            task: "classify",
            paper: "Rumelhart, Hinton and Williams (1986): Learning representations by back-propagating errors",
            paper_url: "https://doi.org/10.1038/323533a0",
            summary: "The whole spectrogram as one vector, through fully-connected layers; fixed length.",
        },
        Entry {
            name: "cnn1d",
            title: "1-D convolutional network",
            task: "classify",
            paper: "Dieleman and Schrauwen (2014): End-to-end learning for music audio",
            paper_url: "https://doi.org/10.1109/ICASSP.2014.6854950",
            summary: "Convolutions that span all bins and move in time, averaged over time.",
        },
        Entry {
            name: "cnn2d",
            title: "2-D convolutional network",
            task: "classify",
            paper: "Hershey et al. (2017): CNN architectures for large-scale audio classification",
            paper_url: "https://arxiv.org/abs/1609.09430",
            summary: "Small convolutions over time and frequency, the spectrogram read as a picture.",
        },
        Entry {
            name: "rnn",
            title: "Elman network",
            task: "classify",
            paper: "Elman (1990): Finding structure in time",
            paper_url: "https://doi.org/10.1207/s15516709cog1402_1",
            summary: "Stacked tanh recurrent layers, averaged over time.",
        },
        Entry {
            name: "lstm",
            title: "Long short-term memory",
            task: "classify",
            paper: "Hochreiter and Schmidhuber (1997): Long short-term memory",
            paper_url: "https://doi.org/10.1162/neco.1997.9.8.1735",
            summary: "Stacked bidirectional LSTM layers, averaged over time.",
        },
        Entry {
            name: "gru",
            title: "Gated recurrent unit",
            task: "classify",
            paper: "Cho et al. (2014): Learning phrase representations using RNN encoder-decoder for statistical machine translation",
            paper_url: "https://arxiv.org/abs/1406.1078",
            summary: "Stacked bidirectional GRU layers, averaged over time.",
        },
        Entry {
            name: "attention",
            title: "Attention over time",
            task: "classify",
            paper: "Raffel and Ellis (2015): Feed-forward networks with attention can solve some long-term memory problems",
            paper_url: "https://arxiv.org/abs/1512.08756",
            summary: "Stacked bidirectional LSTM layers, summed over time by additive attention.",
        },
        Entry {
            name: "sample_cnn",
            title: "SampleCNN",
            task: "tag",
            paper: "Lee et al. (2017): Sample-level deep convolutional neural networks for music auto-tagging using raw waveforms",
            paper_url: "https://arxiv.org/abs/1703.01789",
            summary: "Convolutions of three samples and poolings by three, on the raw waveform.",
        },
        Entry {
            name: "res_cnn",
            title: "Residual SampleCNN",
            task: "tag",
            paper: "Kim, Lee and Nam (2018): Sample-level CNN architectures for music auto-tagging using raw waveforms",
            paper_url: "https://arxiv.org/abs/1710.10451",
            summary: "SampleCNN with residual connections and squeeze-and-excitation, on the raw waveform.",
        },
        Entry {
            name: "fcn",
            title: "Fully convolutional network",
            task: "tag",
            paper: "Choi, Fazekas and Sandler (2016): Automatic tagging using deep convolutional neural networks",
            paper_url: "https://arxiv.org/abs/1606.00298",
            summary: "Five convolutions with strong pooling over a long mel spectrogram.",
        },
        Entry {
            name: "crnn",
            title: "Convolutional recurrent network",
            task: "tag",
            paper: "Choi et al. (2016): Convolutional recurrent neural networks for music classification",
            paper_url: "https://arxiv.org/abs/1609.04243",
            summary: "Four convolutions with strong pooling, summed up over time by a GRU.",
        },
        Entry {
            name: "musicnn",
            title: "musicnn",
            task: "tag",
            paper: "Pons and Serra (2019): musicnn: pre-trained convolutional neural networks for music audio tagging",
            paper_url: "https://arxiv.org/abs/1909.06654",
            summary: "Timbral and temporal filters, dense convolutions, and their maxima and means over time.",
        },
        Entry {
            name: "matchboxnet",
            title: "MatchboxNet",
            task: "classify",
            paper: "Majumdar and Ginsburg (2020): MatchboxNet: 1D time-channel separable convolutional neural network architecture for speech commands recognition",
            paper_url: "https://arxiv.org/abs/2004.08531",
            summary: "Separable convolutions over time with residual connections, for keywords.",
        },
        Entry {
            name: "dilated_cnn",
            title: "Dilated convolutional network",
            task: "classify",
            paper: "van den Oord et al. (2016): WaveNet: a generative model for raw audio",
            paper_url: "https://arxiv.org/abs/1609.03499",
            summary: "Gated convolutions whose dilation doubles from block to block, with residual and skip connections.",
        },
        Entry {
            name: "random_wired",
            title: "Randomly wired network",
            task: "classify",
            paper: "Xie et al. (2019): Exploring randomly wired neural networks for image recognition",
            paper_url: "https://arxiv.org/abs/1904.01569",
            summary: "Separable convolutions over time, wired as random graphs.",
        },
        Entry {
            name: "deep_speech2",
            title: "Deep Speech 2",
            task: "transcribe",
            paper: "Amodei et al. (2016): Deep Speech 2: end-to-end speech recognition in English and Mandarin",
            paper_url: "https://arxiv.org/abs/1512.02595",
            summary: "Convolutions over a spectrogram and recurrent layers that say a symbol or a blank at each step, by CTC.",
        },
        Entry {
            name: "las",
            title: "Listen, Attend and Spell",
            task: "transcribe",
            paper: "Chan et al. (2015): Listen, attend and spell",
            paper_url: "https://arxiv.org/abs/1508.01211",
            summary: "A pyramid of bidirectional recurrent layers listens, and an LSTM with attention spells what it heard.",
        },
        Entry {
            name: "vae",
            title: "Variational autoencoder",
            task: "autoencode",
            paper: "Kingma and Welling (2014): Auto-encoding variational Bayes",
            paper_url: "https://arxiv.org/abs/1312.6114",
            summary: "Patches of a spectrogram through a small random code and back, by the evidence lower bound.",
        },
        Entry {
            name: "gan",
            title: "Generative adversarial network",
            task: "generate",
            paper: "Goodfellow et al. (2014): Generative adversarial networks",
            paper_url: "https://arxiv.org/abs/1406.2661",
            summary: "One network makes patches of a spectrogram, another tells them from real ones, and each learns from the other.",
        },
    ]
}

/// The configuration of any architecture. As data, a table with the architecture's `name` beside
/// its fields; fields left out have their defaults and unknown ones are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum ModelConfig {
    /// See [`crate::mlp`].
    Mlp(MlpConfig),
    /// See [`crate::cnn1d`].
    Cnn1d(Cnn1dConfig),
    /// See [`crate::cnn2d`].
    Cnn2d(Cnn2dConfig),
    /// See [`crate::rnn`].
    Rnn(RnnConfig),
    /// See [`crate::lstm`].
    Lstm(LstmConfig),
    /// See [`crate::sample_cnn`].
    SampleCnn(SampleCnnConfig),
    /// See [`crate::res_cnn`].
    ResCnn(ResCnnConfig),
    /// See [`crate::attention`].
    Attention(AttentionConfig),
    /// See [`crate::fcn`].
    Fcn(FcnConfig),
    /// See [`crate::crnn`].
    Crnn(CrnnConfig),
    /// See [`crate::musicnn`].
    Musicnn(MusicnnConfig),
    /// See [`crate::matchboxnet`].
    Matchboxnet(MatchboxnetConfig),
    /// See [`crate::dilated_cnn`].
    DilatedCnn(DilatedCnnConfig),
    /// See [`crate::random_wired`].
    RandomWired(RandomWiredConfig),
    /// See [`crate::gru`].
    Gru(GruConfig),
    /// See [`crate::deep_speech2`].
    DeepSpeech2(DeepSpeech2Config),
    /// See [`crate::las`].
    Las(LasConfig),
    /// See [`crate::vae`].
    Vae(VaeConfig),
    /// See [`crate::gan`].
    Gan(GanConfig),
}

/// The same expression for whichever classifier it is, and another for each of the others.
macro_rules! of_any {
    ($model:expr, $it:ident => $result:expr, $($others:pat => $other:expr),+) => {
        match $model {
            $($others => $other,)+
            Self::Mlp($it) => $result,
            Self::Cnn1d($it) => $result,
            Self::Cnn2d($it) => $result,
            Self::Rnn($it) => $result,
            Self::Lstm($it) => $result,
            Self::Gru($it) => $result,
            Self::Attention($it) => $result,
            Self::SampleCnn($it) => $result,
            Self::ResCnn($it) => $result,
            Self::Fcn($it) => $result,
            Self::Crnn($it) => $result,
            Self::Musicnn($it) => $result,
            Self::Matchboxnet($it) => $result,
            Self::DilatedCnn($it) => $result,
            Self::RandomWired($it) => $result,
        }
    };
}

impl ModelConfig {
    /// The defaults of the architecture of this name.
    ///
    /// # Errors
    /// If there is none; the error lists those there are.
    pub fn from_name(name: &str) -> Result<Self, ConfigError> {
        match name {
            "mlp" => Ok(Self::Mlp(MlpConfig::default())),
            "cnn1d" => Ok(Self::Cnn1d(Cnn1dConfig::default())),
            "cnn2d" => Ok(Self::Cnn2d(Cnn2dConfig::default())),
            "rnn" => Ok(Self::Rnn(RnnConfig::default())),
            "lstm" => Ok(Self::Lstm(LstmConfig::default())),
            "sample_cnn" => Ok(Self::SampleCnn(SampleCnnConfig::default())),
            "res_cnn" => Ok(Self::ResCnn(ResCnnConfig::default())),
            "attention" => Ok(Self::Attention(AttentionConfig::default())),
            "fcn" => Ok(Self::Fcn(FcnConfig::default())),
            "crnn" => Ok(Self::Crnn(CrnnConfig::default())),
            "musicnn" => Ok(Self::Musicnn(MusicnnConfig::default())),
            "matchboxnet" => Ok(Self::Matchboxnet(MatchboxnetConfig::default())),
            "dilated_cnn" => Ok(Self::DilatedCnn(DilatedCnnConfig::default())),
            "random_wired" => Ok(Self::RandomWired(RandomWiredConfig::default())),
            "gru" => Ok(Self::Gru(GruConfig::default())),
            "deep_speech2" => Ok(Self::DeepSpeech2(DeepSpeech2Config::default())),
            "las" => Ok(Self::Las(LasConfig::default())),
            "vae" => Ok(Self::Vae(VaeConfig::default())),
            "gan" => Ok(Self::Gan(GanConfig::default())),
            _ => {
                let known: Vec<&str> = catalogue().iter().map(|entry| entry.name).collect();
                Err(ConfigError::UnknownModel {
                    name: name.to_owned(),
                    known: known.join(", "),
                })
            }
        }
    }

    /// The architecture's name, as in [`Entry::name`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mlp(_) => "mlp",
            Self::Cnn1d(_) => "cnn1d",
            Self::Cnn2d(_) => "cnn2d",
            Self::Rnn(_) => "rnn",
            Self::Lstm(_) => "lstm",
            Self::SampleCnn(_) => "sample_cnn",
            Self::ResCnn(_) => "res_cnn",
            Self::Attention(_) => "attention",
            Self::Fcn(_) => "fcn",
            Self::Crnn(_) => "crnn",
            Self::Musicnn(_) => "musicnn",
            Self::Matchboxnet(_) => "matchboxnet",
            Self::DilatedCnn(_) => "dilated_cnn",
            Self::RandomWired(_) => "random_wired",
            Self::Gru(_) => "gru",
            Self::DeepSpeech2(_) => "deep_speech2",
            Self::Las(_) => "las",
            Self::Vae(_) => "vae",
            Self::Gan(_) => "gan",
        }
    }

    /// The same configuration for data with so many bins and, as outputs, classes, tags, or symbols
    /// with the blank (or the end of a sentence); of a model that makes patches, none. `num_frames` is for
    /// architectures of fixed length; the others take any.
    #[must_use]
    pub fn with_input(mut self, num_frames: usize, num_bins: usize, num_outputs: usize) -> Self {
        match &mut self {
            Self::Mlp(config) => config.num_frames = num_frames,
            Self::Vae(config) => config.num_frames = num_frames,
            Self::Gan(config) => config.num_frames = num_frames,
            _ => {}
        }
        let mut no_outputs = 0;
        let (bins, outputs) = of_any!(
            &mut self,
            config => (&mut config.num_bins, &mut config.num_classes),
            Self::DeepSpeech2(config) => (&mut config.num_bins, &mut config.num_symbols),
            Self::Las(config) => (&mut config.num_bins, &mut config.num_symbols),
            Self::Vae(config) => (&mut config.num_bins, &mut no_outputs),
            Self::Gan(config) => (&mut config.num_bins, &mut no_outputs)
        );
        *bins = num_bins;
        *outputs = num_outputs;
        self
    }

    /// Classes or tags to tell apart, or symbols with the blank; 0 of a model that makes patches.
    pub fn num_outputs(&self) -> usize {
        of_any!(
            self,
            config => config.num_classes,
            Self::DeepSpeech2(config) => config.num_symbols,
            Self::Las(config) => config.num_symbols,
            Self::Vae(_) | Self::Gan(_) => 0
        )
    }

    /// Whether it writes transcripts, rather than naming one class or many of the whole.
    pub fn transcribes(&self) -> bool {
        matches!(self, Self::DeepSpeech2(_) | Self::Las(_))
    }

    /// Whether it makes patches of features, rather than saying something of them.
    pub fn generates(&self) -> bool {
        matches!(self, Self::Vae(_) | Self::Gan(_))
    }

    /// Whether CTC is what it learns by, or a part of it, so that a transcript needs a step for each of
    /// its symbols.
    pub fn learns_by_ctc(&self) -> bool {
        match self {
            Self::DeepSpeech2(_) => true,
            Self::Las(config) => config.ctc_weight > 0.0,
            _ => false,
        }
    }

    /// Steps that a recogniser makes of so many valid frames; a classifier makes one.
    pub fn num_steps(&self, frames: usize) -> usize {
        match self {
            Self::DeepSpeech2(config) => config.num_steps(frames),
            Self::Las(config) => config.num_steps(frames),
            _ => 1,
        }
    }

    /// Frames from the start of one step of a recogniser to the next.
    pub fn frames_per_step(&self) -> usize {
        match self {
            Self::DeepSpeech2(config) => config.convolutions().frames_per_step(),
            Self::Las(config) => {
                config.convolutions().frames_per_step() << config.num_pyramid_layers
            }
            _ => 1,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field that is wrong, its value and what would be right.
    pub fn check(&self) -> Result<(), ConfigError> {
        of_any!(
            self,
            config => config.check(),
            Self::DeepSpeech2(config) => config.check(),
            Self::Las(config) => config.check(),
            Self::Vae(config) => config.check(),
            Self::Gan(config) => config.check()
        )
    }

    /// The fewest valid frames a row may have.
    pub fn min_frames(&self) -> usize {
        match self {
            Self::Cnn1d(config) => config.min_frames(),
            Self::Cnn2d(config) => config.min_frames(),
            Self::SampleCnn(config) => config.min_frames(),
            Self::ResCnn(config) => config.min_frames(),
            Self::Fcn(config) => config.min_frames(),
            Self::Crnn(config) => config.min_frames(),
            Self::DeepSpeech2(config) => config.min_frames(),
            Self::Mlp(_)
            | Self::Rnn(_)
            | Self::Lstm(_)
            | Self::Gru(_)
            | Self::Attention(_)
            | Self::Las(_)
            | Self::Musicnn(_)
            | Self::Matchboxnet(_)
            | Self::DilatedCnn(_)
            | Self::RandomWired(_)
            | Self::Vae(_)
            | Self::Gan(_) => 1,
        }
    }

    /// The number of frames that an architecture of fixed length sees of every recording (it crops
    /// and fills by itself); none for the others.
    pub fn fixed_frames(&self) -> Option<usize> {
        match self {
            Self::Mlp(config) => Some(config.num_frames),
            Self::Vae(config) => Some(config.num_frames),
            Self::Gan(config) => Some(config.num_frames),
            _ => None,
        }
    }

    /// A model with random weights.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Model<B>, ConfigError> {
        Ok(match self {
            Self::Mlp(config) => Model::Mlp(config.init(device)?),
            Self::Cnn1d(config) => Model::Cnn1d(config.init(device)?),
            Self::Cnn2d(config) => Model::Cnn2d(config.init(device)?),
            Self::Rnn(config) => Model::Rnn(config.init(device)?),
            Self::Lstm(config) => Model::Lstm(config.init(device)?),
            Self::SampleCnn(config) => Model::SampleCnn(config.init(device)?),
            Self::ResCnn(config) => Model::ResCnn(config.init(device)?),
            Self::Attention(config) => Model::Attention(config.init(device)?),
            Self::Fcn(config) => Model::Fcn(config.init(device)?),
            Self::Crnn(config) => Model::Crnn(config.init(device)?),
            Self::Musicnn(config) => Model::Musicnn(config.init(device)?),
            Self::Matchboxnet(config) => Model::Matchboxnet(config.init(device)?),
            Self::DilatedCnn(config) => Model::DilatedCnn(config.init(device)?),
            Self::RandomWired(config) => Model::RandomWired(config.init(device)?),
            Self::Gru(config) => Model::Gru(config.init(device)?),
            Self::DeepSpeech2(config) => Model::DeepSpeech2(config.init(device)?),
            Self::Las(config) => Model::Las(config.init(device)?),
            Self::Vae(config) => Model::Vae(config.init(device)?),
            Self::Gan(config) => Model::Gan(config.init(device)?),
        })
    }
}

/// Any model of the zoo.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a program holds a model or two, and a kilobyte is little beside their parameters"
)]
pub enum Model<B: Backend> {
    /// See [`crate::mlp`].
    Mlp(Mlp<B>),
    /// See [`crate::cnn1d`].
    Cnn1d(Cnn1d<B>),
    /// See [`crate::cnn2d`].
    Cnn2d(Cnn2d<B>),
    /// See [`crate::rnn`].
    Rnn(Rnn<B>),
    /// See [`crate::lstm`].
    Lstm(Lstm<B>),
    /// See [`crate::sample_cnn`].
    SampleCnn(SampleCnn<B>),
    /// See [`crate::res_cnn`].
    ResCnn(ResCnn<B>),
    /// See [`crate::attention`].
    Attention(Attention<B>),
    /// See [`crate::fcn`].
    Fcn(Fcn<B>),
    /// See [`crate::crnn`].
    Crnn(Crnn<B>),
    /// See [`crate::musicnn`].
    Musicnn(Musicnn<B>),
    /// See [`crate::matchboxnet`].
    Matchboxnet(Matchboxnet<B>),
    /// See [`crate::dilated_cnn`].
    DilatedCnn(DilatedCnn<B>),
    /// See [`crate::random_wired`].
    RandomWired(RandomWired<B>),
    /// See [`crate::gru`].
    Gru(Gru<B>),
    /// See [`crate::deep_speech2`].
    DeepSpeech2(DeepSpeech2<B>),
    /// See [`crate::las`].
    Las(Las<B>),
    /// See [`crate::vae`].
    Vae(Vae<B>),
    /// See [`crate::gan`].
    Gan(Gan<B>),
}

impl<B: Backend> Model<B> {
    /// As [`ModelConfig::transcribes`].
    pub fn transcribes(&self) -> bool {
        matches!(self, Self::DeepSpeech2(_) | Self::Las(_))
    }

    /// What a classifier says: features `[batch, frames, bins]` and the valid frames of each row to
    /// logits `[batch, classes]`.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in
    /// [`ModelConfig::min_frames`]`..=frames`, the bins are not the configuration's, or the model
    /// [transcribes](ModelConfig::transcribes) or [generates](ModelConfig::generates).
    pub fn forward(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        of_any!(
            self,
            model => model.forward(features, lengths),
            Self::DeepSpeech2(_) | Self::Las(_) | Self::Vae(_) | Self::Gan(_) => {
                panic!("this model has no logits for the whole")
            }
        )
    }

    /// What the last layer of a classifier sees: features and lengths as of [`Self::forward`] to
    /// `[batch, d_embedding]`.
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        of_any!(
            self,
            model => model.embed(features, lengths),
            Self::DeepSpeech2(_) | Self::Las(_) | Self::Vae(_) | Self::Gan(_) => {
                panic!("this model sums nothing up")
            }
        )
    }

    /// The last layer of a classifier: [`Self::embed`]'s `[batch, d_embedding]` to logits `[batch,
    /// classes]`.
    ///
    /// # Panics
    /// If the model is another.
    pub fn classify(&self, embedding: Tensor<B, 2>) -> Tensor<B, 2> {
        self.classifier().forward(embedding)
    }

    /// Features that the last layer of a classifier sees.
    ///
    /// # Panics
    /// If the model is another.
    pub fn d_embedding(&self) -> usize {
        self.classifier().weight.dims()[0]
    }

    fn classifier(&self) -> &Linear<B> {
        of_any!(
            self,
            model => &model.classifier,
            Self::DeepSpeech2(_) | Self::Las(_) | Self::Vae(_) | Self::Gan(_) => {
                panic!("this model has no last layer for the whole")
            }
        )
    }

    /// What Deep Speech 2 says at each step.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in `1..=frames`, the bins are not
    /// the configuration's, or the model is another.
    pub fn emissions(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Emissions<B> {
        match self {
            Self::DeepSpeech2(model) => model.forward(features, lengths),
            _ => panic!("only Deep Speech 2 emits symbols step by step"),
        }
    }
}

/// The number of values that training changes: every parameter, and not the running statistics of
/// batch norm (fields that begin with `running_`), which Burn's own count includes.
pub fn num_params<B: Backend, M: Module<B>>(module: &M) -> usize {
    let mut counter = Counter::default();
    module.visit(&mut counter);
    counter.count
}

#[derive(Default)]
struct Counter {
    count: usize,
    /// Modules around the one being visited that are running statistics.
    running: usize,
}

impl<B: Backend> ModuleVisitor<B> for Counter {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.running += usize::from(name.starts_with("running_"));
    }

    fn exit_module(&mut self, name: &str, _container_type: &str) {
        self.running -= usize::from(name.starts_with("running_"));
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if self.running == 0 {
            self.count += param.lazy_shape().num_elements();
        }
    }
}
