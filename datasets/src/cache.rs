//! Features kept on disk.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::features::FEATURE_VERSION;
use crate::item::Item;
use crate::{Error, FeatureConfig, Features, Result, SoundFeatures};

const MAGIC: &[u8; 8] = b"sorifea2";
const HEADER_BYTES: usize = MAGIC.len() + 24;
const CHECKSUM_BYTES: usize = blake3::OUT_LEN;

/// A folder that keeps features from one run to the next.
///
/// An entry is named by the BLAKE3 hash of everything its features follow from: the bytes of the
/// audio files (so that a changed file misses, and a moved or touched one does not), where a segment
/// begins and ends, how files are mixed or joined, or the parameters of a synthesised clip, every
/// field of the [`FeatureConfig`], and [`FEATURE_VERSION`]. It is written to a temporary file and
/// renamed, and ends in a checksum; a damaged entry is computed again. Several threads and processes
/// may use a folder at once.
///
/// ```
/// use std::sync::Arc;
/// use sori_datasets::{Corpus, FeatureCache, FeatureConfig, Pipeline};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let corpus = Corpus::open(&"synth:dtmf?size=16".parse()?)?;
/// let config = FeatureConfig { sample_rate_hz: 8000, ..FeatureConfig::default() };
/// let cache = Arc::new(FeatureCache::new(folder)?);
/// let mut loader = Pipeline::new(config)?.with_cache(cache.clone()).loader()?;
/// let first = loader.load(&corpus.items[0])?;
/// assert_eq!(first, loader.load(&corpus.items[0])?);
/// assert_eq!((cache.hits(), cache.misses()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FeatureCache {
    folder: PathBuf,
    hits: AtomicU64,
    misses: AtomicU64,
    rebuilt: AtomicU64,
}

impl FeatureCache {
    /// A cache in this folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be made.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder)
            .map_err(|error| Error::io("make the cache folder", &folder, error))?;
        Ok(Self {
            folder,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            rebuilt: AtomicU64::new(0),
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The number of features that were found.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// The number of features that had to be computed, including damaged ones.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// The number of features that were damaged and computed again.
    #[must_use]
    pub fn rebuilt(&self) -> u64 {
        self.rebuilt.load(Ordering::Relaxed)
    }

    /// The features of an item, from the cache or by `make`; a new result is kept.
    ///
    /// # Errors
    ///
    /// Those of `make`; [`Error::Io`] if an audio file cannot be read or the entry not written.
    pub fn fetch(
        &self,
        item: &Item,
        config: &FeatureConfig,
        make: impl FnOnce() -> Result<SoundFeatures>,
    ) -> Result<SoundFeatures> {
        let path = self.entry(item, config)?;
        match std::fs::read(&path) {
            Ok(bytes) => {
                if let Some(found) = decoded(&bytes) {
                    self.hits.fetch_add(1, Ordering::Relaxed);
                    return Ok(found);
                }
                self.rebuilt.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("read the cached features", &path, error)),
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let made = make()?;
        self.write(&path, &encoded(&made))?;
        Ok(made)
    }

    /// The path of the features of an item by this configuration, whether or not they are there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if one of the item's audio files cannot be read.
    pub fn entry(&self, item: &Item, config: &FeatureConfig) -> Result<PathBuf> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&FEATURE_VERSION.to_le_bytes());
        // Every field is in its debug form, new ones included.
        let config = format!("{config:?}");
        hasher.update(&(config.len() as u64).to_le_bytes());
        hasher.update(config.as_bytes());
        item.source.hash_into(&mut hasher)?;
        let name = hasher.finalize().to_hex();
        Ok(self
            .folder
            .join(&name.as_str()[..2])
            .join(format!("{name}.features")))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let failed = |error| Error::io("write the cached features", path, error);
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// `MAGIC`, frames, bins, samples, values and a checksum of all that, little-endian.
fn encoded(SoundFeatures { features, samples }: &SoundFeatures) -> Vec<u8> {
    let length = HEADER_BYTES + 4 * features.values.len() + CHECKSUM_BYTES;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(features.frames as u64).to_le_bytes());
    bytes.extend_from_slice(&(features.bins as u64).to_le_bytes());
    bytes.extend_from_slice(&(*samples as u64).to_le_bytes());
    for value in &features.values {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    bytes
}

/// The features, or nothing if a single bit is wrong.
fn decoded(bytes: &[u8]) -> Option<SoundFeatures> {
    let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
    if blake3::hash(body).as_bytes() != checksum {
        return None;
    }
    let body = body.strip_prefix(MAGIC)?;
    let (frames, body) = body.split_first_chunk::<8>()?;
    let (bins, body) = body.split_first_chunk::<8>()?;
    let (samples, body) = body.split_first_chunk::<8>()?;
    let size = |bytes: &[u8; 8]| usize::try_from(u64::from_le_bytes(*bytes)).ok();
    let (frames, bins, samples) = (size(frames)?, size(bins)?, size(samples)?);
    let (values, rest) = body.as_chunks::<4>();
    if frames.checked_mul(bins)? != values.len() || !rest.is_empty() {
        return None;
    }
    let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes));
    Some(SoundFeatures {
        features: Features {
            frames,
            bins,
            values: values.collect(),
        },
        samples,
    })
}
