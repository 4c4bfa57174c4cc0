//! From an item of a corpus to an example that a model learns from.

use std::sync::Arc;

use crate::augment::{AugmentConfig, Augmenter, MixKind, mix_features, mix_waveforms};
use crate::features::{FeatureStream, Normalize};
use crate::item::{Item, Target};
use crate::{
    AudioMemory, BinStats, Error, FeatureCache, FeatureConfig, FeatureExtractor, Features, Part,
    Result, SoundFeatures, Waveform,
};

/// One recording as features, with its right answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The item's id.
    pub id: String,
    /// Its features.
    pub features: Features,
    /// Length of its sound in seconds, after augmentation if there was any.
    pub duration_s: f64,
    /// Its right answer.
    pub target: Target,
}

/// Two recordings in one, or one that was not mixed.
#[derive(Clone, Debug, PartialEq)]
pub struct MixedFeatures {
    /// The features.
    pub features: Features,
    /// The weight of the first recording's target, from 0 to 1; the second's is `1 - ratio`. 1 if
    /// it was not mixed.
    pub ratio: f64,
    /// The right answer to the first recording. If words were cut, the words that remain.
    pub target: Target,
}

/// Makes features of recordings: by a configuration, the statistics of the training part if it
/// normalises by them, and optionally a cache and augmentation. Cheap to clone.
///
/// ```
/// use sori_datasets::{Corpus, FeatureConfig, Pipeline};
///
/// let corpus = Corpus::open(&"synth:dtmf?size=16".parse()?)?;
/// let config = FeatureConfig { sample_rate_hz: 8000, ..FeatureConfig::default() };
/// let mut loader = Pipeline::new(config)?.loader()?;
/// let example = loader.load(&corpus.items[0])?;
/// assert_eq!((example.features.frames, example.features.bins), (101, 40));
/// assert_eq!(example.target.class(), Some(0));
/// # Ok::<(), sori_datasets::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pipeline {
    config: FeatureConfig,
    stats: Option<Arc<BinStats>>,
    cache: Option<Arc<FeatureCache>>,
    memory: Arc<AudioMemory>,
    augmenter: Option<Arc<Augmenter>>,
}

impl Pipeline {
    /// A pipeline without statistics, cache or augmentation.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] as [`FeatureConfig::check`].
    pub fn new(config: FeatureConfig) -> Result<Self> {
        config.check()?;
        Ok(Self {
            config,
            stats: None,
            cache: None,
            memory: Arc::default(),
            augmenter: None,
        })
    }

    /// Adds the statistics to normalise by, which are used if `normalize = corpus`.
    ///
    /// # Errors
    ///
    /// [`Error::StatsBins`] if they are of another number of bins than the features.
    pub fn with_stats(mut self, stats: BinStats) -> Result<Self> {
        let bins = self.config.num_bins();
        if stats.mean.len() != bins || stats.std.len() != bins {
            return Err(Error::StatsBins {
                stats: stats.mean.len(),
                bins,
            });
        }
        self.stats = Some(Arc::new(stats));
        Ok(self)
    }

    /// Adds a cache for the features (before normalisation by the corpus).
    #[must_use]
    pub fn with_cache(mut self, cache: Arc<FeatureCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Adds a memory for recordings: it holds the sound of those in training whose sound is augmented,
    /// and the features of others, but for those to test on.
    #[must_use]
    pub fn with_memory(mut self, memory: Arc<AudioMemory>) -> Self {
        self.memory = memory;
        self
    }

    /// Adds augmentation, for [`FeatureLoader::load_augmented`] and [`FeatureLoader::load_mixed`];
    /// plain loading stays as it is.
    ///
    /// # Errors
    ///
    /// Those of [`Augmenter::new`]; [`Error::Config`] if features are to be masked and are not
    /// normalised, because a mask is 0 and that is only then the mean.
    pub fn with_augment(mut self, config: &AugmentConfig) -> Result<Self> {
        if config.acts_on_features() && self.config.normalize == Normalize::None {
            return Err(Error::Config {
                field: "normalize",
                value: Normalize::None.to_string(),
                expected: "corpus or utterance where augment.spec_augment is on, which masks by 0"
                    .into(),
            });
        }
        let augmenter = Augmenter::new(config, self.config.sample_rate_hz)?;
        self.augmenter = Some(Arc::new(augmenter));
        Ok(self)
    }

    /// The configuration of the features.
    #[must_use]
    pub fn config(&self) -> &FeatureConfig {
        &self.config
    }

    /// The statistics it normalises by, if it has any.
    #[must_use]
    pub fn stats(&self) -> Option<&BinStats> {
        self.stats.as_deref()
    }

    /// The cache, if it has one.
    #[must_use]
    pub fn cache(&self) -> Option<&FeatureCache> {
        self.cache.as_deref()
    }

    /// A loader of recordings. It owns plans and buffers, so each thread takes its own.
    ///
    /// # Errors
    ///
    /// [`Error::NoStats`] if `normalize = corpus` and there are no statistics.
    pub fn loader(&self) -> Result<FeatureLoader> {
        if self.config.normalize == Normalize::Corpus && self.stats.is_none() {
            return Err(Error::NoStats);
        }
        self.unnormalized_loader()
    }

    /// A stream that makes the same features of sound that arrives piece by piece.
    ///
    /// # Errors
    ///
    /// As [`loader`](Self::loader), and [`Error::Config`] for features of whole recordings, see
    /// [`FeatureStream::new`].
    pub fn stream(&self) -> Result<FeatureStream> {
        let stream = FeatureStream::new(&self.config)?;
        match (self.config.normalize, &self.stats) {
            (Normalize::Corpus, None) => Err(Error::NoStats),
            (Normalize::Corpus, Some(stats)) => stream.with_stats(Arc::clone(stats)),
            _ => Ok(stream),
        }
    }

    /// A loader that leaves out normalisation by the corpus.
    pub(crate) fn loader_without_stats(&self) -> Result<FeatureLoader> {
        let without = Self {
            stats: None,
            ..self.clone()
        };
        without.unnormalized_loader()
    }

    /// A loader that leaves out normalisation by the corpus if there are no statistics yet.
    fn unnormalized_loader(&self) -> Result<FeatureLoader> {
        Ok(FeatureLoader {
            extractor: FeatureExtractor::new(&self.config)?,
            stats: self
                .stats
                .clone()
                .filter(|_| self.config.normalize == Normalize::Corpus),
            cache: self.cache.clone(),
            memory: Arc::clone(&self.memory),
            augmenter: self.augmenter.as_deref().cloned(),
        })
    }
}

/// Loads recordings by a [`Pipeline`], one after another. A clone has buffers of its own.
#[derive(Clone)]
pub struct FeatureLoader {
    extractor: FeatureExtractor,
    stats: Option<Arc<BinStats>>,
    cache: Option<Arc<FeatureCache>>,
    memory: Arc<AudioMemory>,
    augmenter: Option<Augmenter>,
}

impl FeatureLoader {
    /// The example of an item, never augmented.
    ///
    /// # Errors
    ///
    /// Those of [`Item::waveform`], [`FeatureExtractor::extract`] and [`FeatureCache::fetch`],
    /// naming the file.
    pub fn load(&mut self, item: &Item) -> Result<Example> {
        let loaded = self.plain_features(item)?;
        Ok(self.example(item, loaded))
    }

    /// The example of an item, augmented by what the seed draws; the same as [`load`](Self::load)
    /// without augmentation.
    ///
    /// The cache is used unless a waveform augmentation is on. Masks are laid over the features
    /// after normalisation by the corpus. A waveform that augmentation made too short for the
    /// features is filled up with silence.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load) and [`Augmenter::waveform`].
    pub fn load_augmented(&mut self, item: &Item, seed: u64) -> Result<Example> {
        let (mut loaded, target) = self.varied_features(item, seed)?;
        self.mask(&mut loaded.features, seed);
        Ok(Example {
            target,
            ..self.example(item, loaded)
        })
    }

    /// An item mixed with another, if the seed of the first draws it, and otherwise as
    /// [`load_augmented`](Self::load_augmented) without looking at the other.
    ///
    /// Both are augmented, each by draws of its own. `mixup` mixes their normalised features,
    /// `between-class` their waveforms, for which the cache is of no use; masks are laid over the
    /// result.
    ///
    /// # Errors
    ///
    /// Those of [`load_augmented`](Self::load_augmented).
    pub fn load_mixed(&mut self, item: &Item, other: &Item, seed: u64) -> Result<MixedFeatures> {
        let mix = self
            .augmenter
            .as_ref()
            .map(|augmenter| &augmenter.config().mix)
            .and_then(|mix| Some((mix.kind, mix.ratio(seed)?)));
        let other_seed = Augmenter::partner_seed(seed);
        let (mut features, target) = match mix {
            None => {
                let (loaded, target) = self.varied_features(item, seed)?;
                (loaded.features, target)
            }
            Some((MixKind::Mixup, ratio)) => {
                let (first, target) = self.varied_features(item, seed)?;
                let (second, _) = self.varied_features(other, other_seed)?;
                let mixed = mix_features(&first.features, &second.features, ratio)?;
                (mixed, target)
            }
            Some((MixKind::BetweenClass, ratio)) => {
                let (first, target) = self.varied_waveform(item, seed)?;
                let (second, _) = self.varied_waveform(other, other_seed)?;
                let mixed = mix_waveforms(&first, &second, ratio)?;
                let features = self.load_waveform(&mixed);
                (features.map_err(|error| error.at(item.place()))?, target)
            }
        };
        self.mask(&mut features, seed);
        Ok(MixedFeatures {
            features,
            ratio: mix.map_or(1.0, |(_, ratio)| ratio),
            target,
        })
    }

    /// The features of a waveform at the pipeline's sample rate, as [`load`](Self::load) would
    /// make them.
    ///
    /// # Errors
    ///
    /// Those of [`FeatureExtractor::extract`].
    pub fn load_waveform(&mut self, waveform: &Waveform) -> Result<Features> {
        let mut features = self.extractor.extract(waveform)?;
        normalize(&mut features, self.stats.as_deref())?;
        Ok(features)
    }

    /// The normalised features of an item, from the cache where there is one.
    fn plain_features(&mut self, item: &Item) -> Result<SoundFeatures> {
        let varies = |augmenter: &Augmenter| augmenter.config().needs_waveforms();
        let keeps_sound = item.part == Part::Train && self.augmenter.as_ref().is_some_and(varies);
        let Self {
            extractor,
            stats,
            cache,
            memory,
            ..
        } = self;
        let config = extractor.config().clone();
        let mut make = || {
            let rate_hz = config.sample_rate_hz;
            let waveform = match keeps_sound {
                true => item.source.waveform_from(memory, rate_hz)?,
                false => item.source.waveform_once(memory, rate_hz)?,
            };
            let features = extractor
                .extract(&waveform)
                .map_err(|error| error.at(item.place()))?;
            Ok(SoundFeatures {
                features,
                samples: waveform.samples.len(),
            })
        };
        let make = || match cache {
            Some(cache) => cache.fetch(item, &config, make),
            None => make(),
        };
        // What is tested on is read once more at the most, by another loader.
        let mut loaded = match keeps_sound || item.part == Part::Test {
            true => make()?,
            false => Arc::unwrap_or_clone(memory.features(&item.source, &config, make)?),
        };
        normalize(&mut loaded.features, stats.as_deref())
            .map_err(|error| error.at(item.place()))?;
        Ok(loaded)
    }

    /// The normalised features of an item whose waveform is augmented, and its right answer.
    fn varied_features(&mut self, item: &Item, seed: u64) -> Result<(SoundFeatures, Target)> {
        let varies = self
            .augmenter
            .as_ref()
            .is_some_and(|augmenter| augmenter.config().acts_on_waveforms());
        if !varies {
            return Ok((self.plain_features(item)?, item.target.clone()));
        }
        let (waveform, target) = self.varied_waveform(item, seed)?;
        let features = self
            .load_waveform(&waveform)
            .map_err(|error| error.at(item.place()))?;
        let samples = waveform.samples.len();
        Ok((SoundFeatures { features, samples }, target))
    }

    /// The augmented waveform of an item, long enough for the features if it was so before, and its right
    /// answer.
    fn varied_waveform(&mut self, item: &Item, seed: u64) -> Result<(Waveform, Target)> {
        let config = self.extractor.config();
        let mut waveform = item
            .source
            .waveform_from(&self.memory, config.sample_rate_hz)?;
        let mut target = item.target.clone();
        let Some(augmenter) = &mut self.augmenter else {
            return Ok((waveform, target));
        };
        let needed = config.min_samples().min(waveform.samples.len());
        if let Target::Text(text) = &item.target {
            let words: Vec<&str> = text.split_whitespace().collect();
            let left = augmenter.some_words(&waveform.samples, words.len(), seed);
            if let Some((samples, left)) = left {
                waveform.samples = waveform.samples[samples].to_vec();
                target = Target::Text(words[left].join(" "));
            }
        }
        let mut varied = augmenter
            .waveform(waveform, seed)
            .map_err(|error| error.at(item.place()))?;
        if varied.samples.len() < needed {
            varied.samples.resize(needed, 0.0);
        }
        Ok((varied, target))
    }

    fn example(&self, item: &Item, SoundFeatures { features, samples }: SoundFeatures) -> Example {
        Example {
            id: item.id.clone(),
            features,
            duration_s: samples as f64 / f64::from(self.extractor.config().sample_rate_hz),
            target: item.target.clone(),
        }
    }

    fn mask(&mut self, features: &mut Features, seed: u64) {
        if let Some(augmenter) = &mut self.augmenter {
            augmenter.features(features, seed);
        }
    }
}

fn normalize(features: &mut Features, stats: Option<&BinStats>) -> Result<()> {
    if let Some(stats) = stats {
        features.normalize_by(stats)?;
        features.check_finite()?;
    }
    Ok(())
}
