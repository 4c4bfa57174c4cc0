use serde::Serialize;
use sori_models::{Entry, ModelConfig, catalogue, num_params};

use super::{Common, print, print_json};
use crate::Result;
use crate::backend::{BackendName, Job, run_on};
use crate::train::thousands;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    params: usize,
}

/// Parameters of a model on the default features and ten classes.
struct Count(ModelConfig);

impl Job for Count {
    type Output = Result<usize>;

    fn run<B: burn::tensor::backend::AutodiffBackend>(self, device: &B::Device) -> Result<usize> {
        // Parameters are counted by their shapes; none is drawn.
        Ok(num_params(&self.0.init::<B::InnerBackend>(device)?))
    }
}

pub(super) fn run(common: &Common) -> Result<()> {
    // Counting needs no device, so the first backend that works will do.
    let backend = BackendName::compiled().last().unwrap_or_default();
    for entry in catalogue() {
        let params = run_on(backend, Count(ModelConfig::from_name(entry.name)?))??;
        if common.json {
            print_json(&Line { entry, params })?;
        } else {
            print(&format!(
                "{:<12} {:<9} {:>11} parameters  {}\n{:>23}{}\n{:>23}{}\n{:>23}{}",
                entry.name,
                entry.task,
                thousands(params),
                entry.title,
                "",
                entry.summary,
                "",
                entry.paper,
                "",
                entry.paper_url,
            ))?;
        }
    }
    common.tell("\nParameters are those of the default configuration; the data's bins and classes change them.")
}
