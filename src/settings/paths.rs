//! Paths in settings, made absolute.

use std::path::Path;

use sori_datasets::Spec;
use sori_models::Architecture;

use super::schema::Settings;
use crate::{Error, Result};

/// What stands ahead of the name of a network that Sori has trained, in place of a path.
pub(crate) const ZOO: &str = "zoo:";

impl<A: Architecture> Settings<A> {
    /// The settings with absolute paths, so that a run can be resumed from any folder.
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

    /// Whether a run with these settings would keep `run` in its folder: these settings with absolute
    /// paths, and the sizes that the data gave to the model.
    pub(crate) fn begins_same_run(&self, run: &Self) -> Result<bool> {
        let mut begun = self.absolute()?;
        let frames = begun.model.fixed_frames().unwrap_or(0);
        let (bins, outputs) = (run.features.num_bins(), run.model.num_outputs());
        begun.model = begun.model.with_input(frames, bins, outputs);
        // How it is computed is no part of what is.
        begun.train.workers = run.train.workers;
        begun.train.tensorboard = run.train.tensorboard;
        begun.data.memory_mib = run.data.memory_mib;
        Ok(begun == *run)
    }
}

/// The absolute form of `path`. An empty path and `zoo:NAME` stay as they are.
fn absolute(path: &str) -> Result<String> {
    if path.is_empty() || path.starts_with(ZOO) {
        return Ok(path.to_string());
    }
    let whole = std::path::absolute(path)
        .map_err(Error::io("cannot find the folder of", Path::new(path)))?;
    Ok(whole.display().to_string())
}

/// A SPEC with its location made [`absolute`], if it is a file or folder.
fn absolute_spec(text: &str) -> Result<String> {
    if text.is_empty() || text.starts_with("synth:") {
        return Ok(text.to_string());
    }
    let mut spec: Spec = text.parse()?;
    spec.location = absolute(&spec.location)?;
    Ok(spec.to_string())
}
