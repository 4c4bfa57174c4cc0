//! Loads the recordings of a part as lessons, on worker threads.

use std::sync::Arc;

use sori_datasets::{AudioMemory, AugmentConfig, FeatureLoader, Item, Pipeline, prefetch_with};
use sori_models::Architecture;

use super::batch::FrameLimits;
use super::lesson::{HostLesson, Row};
use super::order::Visit;
use super::pipeline::{pipeline, with_cache};
use crate::run::folder::RunFolder;
use crate::settings::schema::DataSettings;
use crate::task::contract::Task;
use crate::task::truth::Truth;
use crate::{Error, Result};

/// Batches that are loaded ahead of the training step, beside one that each worker is at.
const BATCHES_AHEAD: usize = 4;

/// Loads the recordings of a part as lessons, on worker threads, in an order that does not depend on
/// timing.
#[derive(Clone)]
pub struct Loader<T: Task> {
    pipeline: Pipeline,
    limits: FrameLimits,
    batch_size: usize,
    workers: usize,
    task: T,
    /// Sorted. Empty if domains are not used.
    domains: Arc<Vec<String>>,
}

impl<T: Task> Loader<T> {
    /// A loader for the features and the network of `run`, with targets for `task`, without
    /// augmentation.
    ///
    /// # Errors
    /// When the settings of the features are invalid.
    pub fn new<A: Architecture>(run: &RunFolder<A>, task: T) -> Result<Self> {
        let settings = run.settings();
        Ok(Self {
            pipeline: pipeline(&settings.features, run.info().stats.as_ref())?,
            limits: FrameLimits::of(&settings.model),
            batch_size: settings.train.batch_size,
            workers: settings.train.num_workers(),
            task,
            domains: Arc::default(),
        })
    }

    /// Sets the augmentation of [`augmented`](Self::augmented) lessons.
    ///
    /// # Errors
    /// When the augmentation is invalid, or a folder that it needs cannot be read.
    pub fn with_augment(mut self, augment: &AugmentConfig) -> Result<Self> {
        self.pipeline = self.pipeline.with_augment(augment)?;
        Ok(self)
    }

    /// Adds the index of each row's domain in the sorted `domains` to augmented lessons.
    #[must_use]
    pub(crate) fn with_domains(mut self, domains: Vec<String>) -> Self {
        self.domains = Arc::new(domains);
        self
    }

    /// Adds the feature cache that `data` names.
    pub(crate) fn with_cache(mut self, data: &DataSettings) -> Result<Self> {
        self.pipeline = with_cache(self.pipeline, data)?;
        Ok(self)
    }

    /// Keeps recordings in `memory`, so that each is decoded only once.
    #[must_use]
    pub fn with_memory(mut self, memory: Arc<AudioMemory>) -> Self {
        self.pipeline = self.pipeline.with_memory(memory);
        self
    }

    /// The lessons of `items` in order, without augmentation.
    pub fn lessons(&self, items: &[&Item]) -> impl Iterator<Item = Result<HostLesson<T>>> + use<T> {
        let requests = items.iter().map(|&item| Request::plain(item)).collect();
        self.load(requests, 0)
    }

    /// The lessons of `part` in the order of the visits, augmented, without the batches of the first `skip`.
    pub fn augmented(
        &self,
        part: &[&Item],
        visits: &[Visit],
        skip: usize,
    ) -> impl Iterator<Item = Result<HostLesson<T>>> + use<T> {
        let request = |visit: &Visit| Request {
            item: part[visit.item].clone(),
            augment: Some(Augment {
                seed: visit.seed,
                partner: part[visit.partner.unwrap_or(visit.item)].clone(),
            }),
        };
        self.load(visits.iter().map(request).collect(), skip)
    }

    fn load(
        &self,
        requests: Vec<Request>,
        skip: usize,
    ) -> impl Iterator<Item = Result<HostLesson<T>>> + use<T> {
        let batches: Vec<Vec<Request>> = requests
            .chunks(self.batch_size)
            .skip(skip)
            .map(<[Request]>::to_vec)
            .collect();
        let pipeline = self.pipeline.clone();
        let (limits, task) = (self.limits, self.task.clone());
        let domains = self.domains.clone();
        prefetch_with(
            batches,
            self.workers,
            self.workers + BATCHES_AHEAD,
            move || pipeline.loader(),
            move |loader, batch: Vec<Request>| {
                let loader = match loader {
                    Ok(loader) => loader,
                    Err(e) => return Err(Error::Input(e.to_string())),
                };
                let rows = batch
                    .iter()
                    .map(|request| request.row(loader, &domains))
                    .collect::<Result<Vec<_>>>()?;
                HostLesson::collate(rows, limits, &task)
            },
        )
    }
}

/// A row to load.
#[derive(Clone)]
struct Request {
    item: Item,
    augment: Option<Augment>,
}

/// The augmentation of a row.
#[derive(Clone)]
struct Augment {
    seed: u64,
    /// The recording that it is mixed with, if the seed draws that.
    partner: Item,
}

impl Request {
    fn plain(item: &Item) -> Self {
        Self {
            item: item.clone(),
            augment: None,
        }
    }

    fn row(&self, loader: &mut FeatureLoader, domains: &[String]) -> Result<Row> {
        let Some(Augment { seed, partner }) = &self.augment else {
            let example = loader.load(&self.item)?;
            return Ok(Row::new(example.features, example.target));
        };
        let mixed = loader.load_mixed(&self.item, partner, *seed)?;
        let mut row = Row::new(mixed.features, mixed.target.clone());
        let domain = self.item.domain.as_ref();
        row.domain = domain.and_then(|domain| domains.binary_search(domain).ok());
        if mixed.ratio < 1.0 {
            let (first, second) = (mixed.target, partner.target.clone());
            row.truth = Truth::mixed(first, mixed.ratio as f32, second);
        }
        Ok(row)
    }
}
