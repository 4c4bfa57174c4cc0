//! From an item of a corpus to an example a model can learn from.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::corpus::{Item, Part, Rejected, Target};
use crate::features::{BinAccumulator, Normalize};
use crate::{
    BinStats, Error, FeatureCache, FeatureConfig, FeatureExtractor, Features, Result, Waveform,
    prefetch_with,
};

/// One recording as features, with its right answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The item's id.
    pub id: String,
    /// Its features.
    pub features: Features,
    /// Its right answer.
    pub target: Target,
}

/// How recordings become features: the configuration, the statistics of the training part where
/// it normalises by them, and a cache where one is wanted. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pipeline {
    config: FeatureConfig,
    stats: Option<Arc<BinStats>>,
    cache: Option<Arc<FeatureCache>>,
}

impl Pipeline {
    /// A pipeline without statistics and without a cache.
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
        })
    }

    /// With the statistics to normalise by; they are used if `normalize = corpus`.
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

    /// With a cache for the features (before normalisation by the corpus).
    #[must_use]
    pub fn with_cache(mut self, cache: Arc<FeatureCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// What features it makes.
    #[must_use]
    pub fn config(&self) -> &FeatureConfig {
        &self.config
    }

    /// The statistics it normalises by, where it has some.
    #[must_use]
    pub fn stats(&self) -> Option<&BinStats> {
        self.stats.as_deref()
    }

    /// The cache, where it has one.
    #[must_use]
    pub fn cache(&self) -> Option<&FeatureCache> {
        self.cache.as_deref()
    }

    /// A loader: it owns plans and buffers, so each thread takes its own.
    ///
    /// # Errors
    ///
    /// [`Error::NoStats`] if `normalize = corpus` and there are no statistics.
    pub fn loader(&self) -> Result<Loader> {
        if self.config.normalize == Normalize::Corpus && self.stats.is_none() {
            return Err(Error::NoStats);
        }
        self.unnormalized_loader()
    }

    /// A loader that leaves out normalisation by the corpus if there are no statistics yet.
    fn unnormalized_loader(&self) -> Result<Loader> {
        Ok(Loader {
            extractor: FeatureExtractor::new(&self.config)?,
            stats: self
                .stats
                .clone()
                .filter(|_| self.config.normalize == Normalize::Corpus),
            cache: self.cache.clone(),
        })
    }
}

/// Loads recordings by a [`Pipeline`], one after another. A clone has buffers of its own.
#[derive(Clone)]
pub struct Loader {
    extractor: FeatureExtractor,
    stats: Option<Arc<BinStats>>,
    cache: Option<Arc<FeatureCache>>,
}

impl Loader {
    /// The example of an item.
    ///
    /// # Errors
    ///
    /// Those of [`Item::waveform`], [`FeatureExtractor::extract`] and [`FeatureCache::fetch`],
    /// naming the file.
    pub fn load(&mut self, item: &Item) -> Result<Example> {
        let Self {
            extractor,
            stats,
            cache,
        } = self;
        let config = extractor.config().clone();
        let mut make = || {
            let waveform = item.waveform(config.sample_rate_hz)?;
            extractor
                .extract(&waveform)
                .map_err(|error| error.at(item.place()))
        };
        let mut features = match cache {
            Some(cache) => cache.fetch(item, &config, make)?,
            None => make()?,
        };
        normalize(&mut features, stats.as_deref()).map_err(|error| error.at(item.place()))?;
        Ok(Example {
            id: item.id.clone(),
            features,
            target: item.target.clone(),
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
}

fn normalize(features: &mut Features, stats: Option<&BinStats>) -> Result<()> {
    if let Some(stats) = stats {
        features.normalize_by(stats)?;
        features.check_finite()?;
    }
    Ok(())
}

/// What [`scan`] saw.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Number of frames of each item that was kept.
    pub frames: Vec<usize>,
    /// Length of each in seconds, as far as its frames tell: to within one hop.
    pub durations_s: Vec<f64>,
    /// Statistics of the training part, if `normalize = corpus` and there is one.
    pub stats: Option<BinStats>,
    /// What cannot be used, under `skip_bad`.
    pub bad: Vec<Rejected>,
}

/// Loads every item once, on `workers` threads (0: on this one), before anything is trained on
/// them: finds those that cannot be used, fills the cache, and sums up the training part.
///
/// `on_progress` is told how many items are done, and may break off; what has been seen until then
/// is returned. Returns the items that can be used and what was
/// seen of them; the result does not depend on `workers`.
///
/// # Errors
///
/// That of the first item that cannot be used, unless `skip_bad`, which lists them instead;
/// [`Error::Nothing`] if none can.
pub fn scan(
    items: &[Item],
    pipeline: &Pipeline,
    workers: usize,
    skip_bad: bool,
    mut on_progress: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<(Vec<Item>, Scan)> {
    let unnormalized = Pipeline {
        stats: None,
        ..pipeline.clone()
    };
    let loader = unnormalized.unnormalized_loader()?;
    let loaded = prefetch_with(
        items.to_vec(),
        workers,
        2 * workers,
        move || loader.clone(),
        |loader, item| loader.load(&item),
    );
    let with_stats = pipeline.config.normalize == Normalize::Corpus;
    let mut sums = BinAccumulator::new();
    let mut kept = Vec::with_capacity(items.len());
    let mut scan = Scan::default();
    for (done, (item, example)) in items.iter().zip(loaded).enumerate() {
        match example {
            Ok(example) => {
                if with_stats && item.part == Part::Train {
                    sums.push(&example.features)?;
                }
                let frames = example.features.frames;
                scan.frames.push(frames);
                scan.durations_s.push(pipeline.config.duration_s(frames));
                kept.push(item.clone());
            }
            Err(error) if skip_bad => scan.bad.push(Rejected {
                place: item.place(),
                reason: error.to_string(),
            }),
            Err(error) => return Err(error),
        }
        if on_progress(done + 1).is_break() {
            break;
        }
    }
    if kept.is_empty() {
        return Err(Error::Nothing {
            place: "the corpus".into(),
            reason: match scan.bad.first() {
                Some(first) => format!(
                    "none of its {} recordings can be used; the first: {}",
                    items.len(),
                    first.reason
                ),
                None => "it holds no recordings".into(),
            },
        });
    }
    scan.stats = sums.finish();
    Ok((kept, scan))
}
