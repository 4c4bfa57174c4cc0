//! The feature pipeline of a run's settings.

use std::sync::Arc;

use sori_datasets::{AudioMemory, BinStats, FeatureCache, FeatureConfig, Pipeline};

use crate::Result;
use crate::settings::schema::DataSettings;

/// The pipeline of these features. Without `stats` (before they are known) features are not
/// normalised by corpus statistics.
pub(crate) fn pipeline(features: &FeatureConfig, stats: Option<&BinStats>) -> Result<Pipeline> {
    let pipeline = Pipeline::new(features.clone())?;
    Ok(match stats {
        Some(stats) => pipeline.with_stats(stats.clone())?,
        None => pipeline,
    })
}

/// Adds the cache that `data` names.
pub(crate) fn with_cache(pipeline: Pipeline, data: &DataSettings) -> Result<Pipeline> {
    Ok(match data.cache.as_str() {
        "" => pipeline,
        folder => pipeline.with_cache(Arc::new(FeatureCache::new(folder)?)),
    })
}

/// The memory for recordings that `data` names.
pub(crate) fn memory(data: &DataSettings) -> Arc<AudioMemory> {
    Arc::new(AudioMemory::new(data.memory_mib.saturating_mul(1 << 20)))
}
