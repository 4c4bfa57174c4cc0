//! The memory that training takes at the least, against what the machine has.

use std::fs;

use burn::tensor::backend::Backend;
use sori_models::{Architecture, num_params};

use crate::{Error, Result};

/// Bytes of a value.
const VALUE: u64 = 4;
/// A parameter and its gradient. Most optimizers keep one or two values more.
const VALUES_PER_PARAMETER: u64 = 2;
/// The channels that the layers of a network have at the least, together, where it spans far more frames
/// than a recording has.
const LEAST_CHANNELS: u64 = 32;

/// The batches that a network is trained on.
pub(super) struct Batches {
    /// Recordings of a batch.
    pub(super) rows: usize,
    /// Frames of the longest one.
    pub(super) frames: usize,
    /// Bins of a frame.
    pub(super) bins: usize,
}

/// Refuses a model whose parameters alone would not fit into memory while it is trained, and a batch
/// that would not. Nothing is allocated for it: Burn makes parameters when they are first used.
///
/// # Errors
/// Names the sizes. Also when the model's configuration is wrong.
pub(super) fn check_fits<A: Architecture, B: Backend>(
    model: &A,
    batches: &Batches,
    device: &B::Device,
) -> Result<()> {
    let network = model.init::<B>(device)?;
    let Some(memory) = memory_bytes() else {
        return Ok(());
    };
    let (name, params) = (model.card().name, num_params(&network));
    let product = |factors: &[u64]| {
        factors
            .iter()
            .fold(VALUE, |all, &it| all.saturating_mul(it))
    };
    let bytes = product(&[params as u64, VALUES_PER_PARAMETER]);
    if bytes > memory {
        return Err(Error::Input(format!(
            "{name} would have {params} parameters by these settings, which take {} to train; this \
             machine has {}. Make its sizes (model.*) smaller",
            text(bytes),
            text(memory),
        )));
    }
    let &Batches { rows, frames, bins } = batches;
    let needed = model.min_frames();
    let bytes = product(&[rows as u64, needed as u64, bins as u64, LEAST_CHANNELS]);
    if needed > frames && bytes > memory {
        return Err(Error::Input(format!(
            "{name} needs {needed} frames of a recording by these settings, which take {} for each batch \
             of {rows}; this machine has {}. Make its poolings (model.*) smaller",
            text(bytes),
            text(memory),
        )));
    }
    let bytes = product(&[rows as u64, frames as u64, bins as u64]);
    if bytes > memory {
        return Err(Error::Input(format!(
            "a batch of {rows} recordings of {frames} frames with {bins} bins takes {}; this machine has \
             {}. Make train.batch_size smaller",
            text(bytes),
            text(memory),
        )));
    }
    Ok(())
}

/// The memory of this machine, or what its control group may use of it; none where the system does
/// not tell.
fn memory_bytes() -> Option<u64> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let total = fs::read_to_string("/proc/meminfo").ok()?;
    let total = total
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total = number(total.trim().strip_suffix("kB")?)? << 10;
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.as_deref().and_then(number);
    Some(total.min(group.unwrap_or(u64::MAX)))
}

fn text(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use burn_ndarray::NdArray;
    use sori_models::Cnn1dConfig;

    use super::*;
    use crate::settings::Settings;

    #[test]
    fn what_cannot_fit_is_refused_before_it_is_made() {
        let check = |change: &str, frames| {
            let settings = Settings::of(Cnn1dConfig::default(), "synth:dtmf", 8000).unwrap();
            let settings = settings.with_override(change).unwrap();
            let batches = Batches {
                rows: 32,
                frames,
                bins: 40,
            };
            check_fits::<_, NdArray>(&settings.model, &batches, &Default::default())
                .map_err(|error| error.to_string())
        };
        check("model.dropout=0", 100).unwrap();
        let wide = check("model.channels=[1000000, 1000000]", 100).unwrap_err();
        assert!(wide.starts_with("cnn1d would have 3000"), "{wide}");
        let long = check("model.pool_size=100", 100).unwrap_err();
        assert!(long.starts_with("cnn1d needs 1000000 frames"), "{long}");
        let many = check("model.dropout=0", 1 << 40).unwrap_err();
        assert!(many.starts_with("a batch of 32 recordings"), "{many}");
    }
}
