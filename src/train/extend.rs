//! A run that has ended, given more epochs.

use std::fs;

use sori_models::Architecture;

use super::state::RunState;
use crate::file::write_atomically;
use crate::run::checkpoint::Checkpoint;
use crate::run::folder::RunFolder;
use crate::settings::schema::Settings;
use crate::settings::training::ScheduleKind;
use crate::{Error, Result};

/// Gives `run` so many epochs in all, so that it goes on when it is resumed. Returns it, and what its
/// schedule is now.
///
/// # Errors
/// When it has not ended, has trained as many epochs, or would end at once by another setting.
pub(crate) fn extend<A: Architecture>(
    run: RunFolder<A>,
    epochs: usize,
) -> Result<(RunFolder<A>, String)> {
    let path = run.path().to_path_buf();
    let train = &run.settings().train;
    let refuse = |reason: String| Err(Error::run(&path, reason));
    let state: RunState = Checkpoint::read(&run.last_path())?.state()?;
    let (done, planned) = (state.epoch, train.epochs);
    if run.result()?.is_none() {
        return match epochs == planned {
            true => Ok((run, format!("it goes on to its {planned} epochs"))),
            false => refuse(format!(
                "it has not ended: {done} of {planned} epochs are done. Resume it to that end first, or begin \
                 a run of {epochs} epochs"
            )),
        };
    }
    if epochs <= done {
        return refuse(format!(
            "{done} epochs are done already; to go on, give more than that (not {epochs})"
        ));
    }
    if train.max_minutes > 0.0 {
        return refuse(format!(
            "its time is limited by train.max_minutes = {}, which is over; begin a run that starts from its \
             weights",
            train.max_minutes
        ));
    }
    if train.patience > 0 && state.epochs_since_best >= train.patience {
        return refuse(format!(
            "it ended because {} epochs brought nothing better (train.patience = {}); begin a run that starts \
             from its weights",
            state.epochs_since_best, train.patience
        ));
    }
    let mut settings: Settings<A> = run.settings().clone();
    settings.train.epochs = epochs;
    // It has fallen to zero already, and would come back in a run that is much longer.
    settings.train.blank_offset = 0.0;
    let said = schedule_said(&run, done, epochs);
    {
        let _session = run.lock()?;
        // In this order: a run that has a result and more epochs to do can be extended again.
        write_atomically(&path.join("config.toml"), settings.to_toml()?.as_bytes())?;
        let result = path.join("result.json");
        fs::remove_file(&result).map_err(Error::io("cannot remove", &result))?;
    }
    drop(run);
    Ok((RunFolder::open_as(&path)?, said))
}

/// The course of the learning rate from here on, in a sentence.
fn schedule_said<A: Architecture>(run: &RunFolder<A>, done: usize, epochs: usize) -> String {
    let train = &run.settings().train;
    let course = match train.schedule {
        ScheduleKind::Constant => "its learning rate stays as it is",
        ScheduleKind::Cosine => {
            "its learning rate, which had come down to zero by a cosine, goes on where a cosine over all these \
             epochs is, and comes down again"
        }
        ScheduleKind::OneCycle => {
            "its learning rate, which had come down to zero, goes on where one cycle over all these epochs is, \
             and comes down again"
        }
        ScheduleKind::Step | ScheduleKind::Exponential => "its learning rate decays on as it did",
        ScheduleKind::Plateau => "its learning rate decays on at plateaus",
    };
    let joined = match run.info().joins_at {
        Some(_) => {
            "; its validation part is learned from, so that the forecast stays the one it had"
        }
        None => "",
    };
    format!("from {done} to {epochs} epochs: {course}{joined}")
}
