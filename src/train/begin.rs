//! The beginning of a run: reads the data, initialises the network and writes the folder.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::module::Module;
use burn::tensor::backend::Backend;
use sori_datasets::{Corpus, Part};
use sori_models::{Architecture, num_params};

use super::adversary::adversary;
use super::memory::{Batches, check_fits};
use super::network_and_adversary::{
    NetworkAndAdversary, check_freeze, draw_parameters, parameter_paths,
};
use super::precision::check_precision;
use super::progress::Event;
use super::state::RunState;
use crate::data::parts::Data;
use crate::data::pipeline::pipeline;
use crate::file::{write_atomically, write_json};
use crate::optim::average::Average;
use crate::optim::optimizer::Optimizer;
use crate::run::checkpoint::Checkpoint;
use crate::run::claim::{CHECKPOINTS, Claim, INFO};
use crate::run::folder::{RunFolder, alphabet_path, best_checkpoint_in, last_path};
use crate::run::info::{RunInfo, SplitSizes};
use crate::seed::{SeedUse, derive};
use crate::settings::schema::Settings;
use crate::settings::training::{BestBy, TrainSettings};
use crate::{Error, Result};

/// Reads the data that `settings` name and begins a run in the folder `path`, without training.
/// `corpus` is the training corpus if it is already open.
///
/// # Errors
/// When the settings, the data or the folder cannot be used, or `stop` is set meanwhile.
pub(crate) fn begin<A: Architecture, B: Backend>(
    settings: &Settings<A>,
    corpus: Option<Corpus>,
    path: &Path,
    backend: &str,
    device: &B::Device,
    stop: &AtomicBool,
    report: &mut dyn FnMut(&Event<'_>),
) -> Result<(RunFolder<A>, Data)> {
    settings.check()?;
    check_precision::<B>(settings.train.precision, device)?;
    // Invalid augmentation is reported before the recordings are read.
    pipeline(&settings.features, None)?.with_augment(&settings.augment)?;
    let claim = Claim::new(path)?;
    let started = || -> Result<Data> {
        // What cannot fit in any case is refused before the recordings are read.
        let (least, bins) = (
            settings.model.fixed_frames().unwrap_or(1),
            settings.features.num_bins(),
        );
        let model = settings.model.clone().with_input(least, bins, 2);
        let batches = Batches {
            rows: 1,
            frames: least,
            bins,
        };
        check_fits::<A, B>(&model, &batches, device)?;
        let data = Data::open(settings, corpus, stop, &mut |done, total| {
            report(&Event::Scan { done, total });
        })?;
        start::<A, B>(path, settings, &data, backend, device, report)?;
        Ok(data)
    }();
    match started {
        Ok(data) => Ok((RunFolder::begun(claim)?, data)),
        Err(error) => {
            claim.give_up();
            Err(error)
        }
    }
}

/// A network with the initial parameters of `seed`.
///
/// # Errors
/// When `model` is invalid.
pub fn random_network<A: Architecture, B: Backend>(
    model: &A,
    seed: u64,
    device: &B::Device,
) -> Result<A::Network<B>> {
    B::seed(device, derive(seed, SeedUse::Initialize, 0));
    let network = model.init::<B>(device)?;
    draw_parameters(&network);
    Ok(network)
}

/// Writes a run with a random network, or one with the weights of another run.
fn start<A: Architecture, B: Backend>(
    path: &Path,
    settings: &Settings<A>,
    data: &Data,
    backend: &str,
    device: &B::Device,
    report: &mut dyn FnMut(&Event<'_>),
) -> Result<()> {
    let mut settings = settings.absolute()?;
    let rate = f64::from(settings.features.sample_rate_hz);
    let frames = settings
        .features
        .num_frames((data.longest_s * rate).round() as usize);
    let fixed = settings.model.fixed_frames();
    settings.model = settings.model.clone().with_input(
        fixed.unwrap_or(frames),
        settings.features.num_bins(),
        data.task.num_outputs(),
    );
    let wanted = data.task.num_outputs();
    if settings.model.num_outputs() != wanted {
        return Err(Error::Input(format!(
            "{} has {} outputs where the data ask for {wanted}; its `with_input` is to set them",
            settings.model.card().name,
            settings.model.num_outputs(),
        )));
    }
    let batches = Batches {
        rows: settings.train.batch_size.min(data.part(Part::Train).len()),
        frames: fixed.unwrap_or(frames),
        bins: settings.features.num_bins(),
    };
    check_fits::<A, B>(&settings.model, &batches, device)?;
    let mut model = random_network::<A, B>(&settings.model, settings.train.seed, device)?;
    if !settings.data.from.is_empty() {
        model = from_run(model, &settings, report)?;
    }
    check_freeze(&model, &settings.train.freeze)?;
    // A model of fixed length sees only that much of a recording.
    let seen_s = fixed.map_or(f64::INFINITY, |frames| {
        frames as f64 * settings.features.frame_period_s()
    });
    let info = RunInfo {
        sori_version: env!("CARGO_PKG_VERSION").to_string(),
        task: data.task.name(),
        model: settings.model.card().name.to_string(),
        backend: backend.to_string(),
        seed: settings.train.seed,
        params: num_params(&model),
        labels: data.task.labels(),
        scale: data.task.scale(),
        domains: match settings.train.adversary_weight > 0.0 {
            true => data.domains(),
            false => Vec::new(),
        },
        splits: SplitSizes {
            train: data.part(Part::Train).len(),
            valid: data.part(Part::Valid).len(),
            test: data.part(Part::Test).len(),
        },
        joins_at: joins_at(&settings.train, data),
        skipped: data.skipped.len(),
        longest_s: data.longest_s,
        window_s: data.longest_of_any_s.min(seen_s),
        stats: data.stats.clone(),
        mean_over_windows: false,
        reading: None,
        imported: None,
    };
    B::seed(device, derive(settings.train.seed, SeedUse::Initialize, 1));
    let adversary = adversary(&info.domains, &model, device)?;
    let clashes = |path: &String| path.starts_with("adversary.");
    if adversary.is_some() && parameter_paths(&model).iter().any(clashes) {
        return Err(Error::Input(
            "the network has a field `adversary`, which is the name of what trains beside it; rename \
             the field, or set train.adversary_weight to 0"
                .to_string(),
        ));
    }
    if let Some(adversary) = &adversary {
        draw_parameters(adversary);
    }
    let learner = NetworkAndAdversary { model, adversary };
    let no_optimizer = None::<(&Optimizer<B>, &Average<B>)>;
    let checkpoint = Checkpoint::of(&learner, no_optimizer, &RunState::default())?;
    write(path, &settings, &info, data, &checkpoint)
}

/// The epoch from which on the validation part is learned from as well: if it is a part of the training
/// part that was set aside, another part is there to test on, and nothing is chosen by it.
fn joins_at(train: &TrainSettings, data: &Data) -> Option<usize> {
    let epoch = ((train.epochs as f64 * train.join_valid).round() as usize).max(1);
    let is_free = data.valid_is_set_aside && data.held_out_part() == Part::Test;
    let chooses = train.best_by != BestBy::Last;
    // An adversary knows the domains of the training part alone.
    let may_join = is_free && !chooses && train.adversary_weight == 0.0;
    (may_join && epoch < train.epochs).then_some(epoch)
}

/// `model` with the weights of the run that `settings` name, where names and shapes match.
fn from_run<A: Architecture, B: Backend, M: Module<B>>(
    model: M,
    settings: &Settings<A>,
    report: &mut dyn FnMut(&Event<'_>),
) -> Result<M> {
    let from = Path::new(&settings.data.from);
    let (model, left) = Checkpoint::read(&best_checkpoint_in(from)?)?.load_matching(model);
    if left.len() == parameter_paths(&model).len() {
        return Err(Error::run(
            from,
            format!(
                "none of its parameters fits a {} of these settings by name and shape; there is \
                 nothing to start from",
                settings.model.card().name
            ),
        ));
    }
    report(&Event::From {
        run: &settings.data.from,
        fresh: &left,
    });
    Ok(model)
}

/// Writes a new run into the folder `path`, before its first step.
fn write<A: Architecture>(
    path: &Path,
    settings: &Settings<A>,
    info: &RunInfo,
    data: &Data,
    start: &Checkpoint,
) -> Result<()> {
    let checkpoints = path.join(CHECKPOINTS);
    fs::create_dir_all(checkpoints).map_err(Error::io("cannot create", path))?;
    write_atomically(&path.join("config.toml"), settings.to_toml()?.as_bytes())?;
    data.splits().write(path)?;
    let mut skipped = String::new();
    for rejected in &data.skipped {
        let line = serde_json::json!({"audio": rejected.place, "reason": rejected.reason});
        skipped.push_str(&line.to_string());
        skipped.push('\n');
    }
    if let Some(alphabet) = data.task.alphabet() {
        write_json(&alphabet_path(path), alphabet.as_ref())?;
    }
    write_atomically(&path.join("skipped.jsonl"), skipped.as_bytes())?;
    write_atomically(&path.join("metrics.jsonl"), b"")?;
    start.write(&last_path(path))?;
    // Last, because a folder with a run.json holds a run that can be resumed.
    write_json(&path.join(INFO), info)
}
