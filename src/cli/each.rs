//! The work of a command on each recording that it is given, with progress, and without those that cannot be
//! used.

use super::bar::WorkBar;
use super::given::Recording;
use super::options::Common;
use super::output::remark;
use crate::{Error, Result};

/// Finds something in each recording and tells it. `find` says how far it is, from 0 to 1.
///
/// # Errors
/// When one alone is given and cannot be used, all of several cannot, or any without `--skip-bad`; and the
/// first error of `tell`.
pub(super) fn each<T>(
    common: &Common,
    recordings: &[Recording],
    mut find: impl FnMut(&Recording, &mut dyn FnMut(f64)) -> Result<T>,
    mut tell: impl FnMut(&Recording, T) -> Result<()>,
) -> Result<()> {
    let mut bar = WorkBar::new(common, recordings.len());
    let mut bad = 0;
    for (index, recording) in recordings.iter().enumerate() {
        match find(recording, &mut |share| bar.show(index as f64 + share)) {
            Ok(found) => bar.above(|| tell(recording, found))?,
            Err(error) if recordings.len() == 1 && !common.skip_bad => {
                return Err(Error::Input(recording.said(&error)));
            }
            Err(error) => {
                bad += 1;
                bar.above(|| remark(&format!("left out: {}", recording.said(&error))));
                continue;
            }
        }
        bar.show((index + 1) as f64);
    }
    drop(bar);
    match bad {
        _ if bad == recordings.len() => Err(Error::Input(
            "none of the files could be read as audio".to_string(),
        )),
        0 => Ok(()),
        _ if common.skip_bad => Ok(()),
        _ => Err(Error::Input(format!(
            "{bad} of {} recordings could not be used",
            recordings.len()
        ))),
    }
}
