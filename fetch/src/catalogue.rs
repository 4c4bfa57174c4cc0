//! The corpora that can be downloaded, with their addresses and checksums.

use std::path::Path;

/// A public corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicCorpus {
    /// Its name.
    pub name: &'static str,
    /// A line that describes it.
    pub title: &'static str,
    /// The page that describes it.
    pub homepage: &'static str,
    /// The terms of its use.
    pub licence: &'static str,
    /// The text of the licence, or the page that states it.
    pub licence_url: &'static str,
    /// The files to download.
    pub archives: &'static [PublicArchive],
    /// The folder that holds the corpus once everything is unpacked, within the folder `name`.
    pub folder: &'static str,
    /// The corpus of `sori-datasets` that reads it.
    pub corpus: &'static str,
}

impl PublicCorpus {
    /// Bytes to download, all archives together; approximate where [`PublicArchive::bytes`] is.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.archives.iter().map(|archive| archive.bytes).sum()
    }

    /// How the corpus is written once it was fetched to `folder`, such as `yesno:data/yesno`: the text
    /// of a `Spec` of `sori-datasets`.
    #[must_use]
    pub fn spec(&self, folder: &Path) -> String {
        let mut text = format!("{}:{}", self.corpus, folder.display());
        // A '?' in the folder's name would otherwise begin a query.
        if text.contains('?') {
            text.push_str(if text.contains('=') { "?&&" } else { "?" });
        }
        text
    }
}

/// One file of a corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicArchive {
    /// Its address.
    pub url: &'static str,
    /// Its name on disk.
    pub file: &'static str,
    /// Its size: that of the published file where there is a checksum, else approximate. It bounds
    /// what is downloaded and unpacked, as the description of this crate says.
    pub bytes: u64,
    /// Its published checksum. Without one, the download is checked against the size that the server
    /// announces and the checksums within the archive.
    pub checksum: Option<Checksum>,
    /// Its format.
    pub format: ArchiveFormat,
    /// The folder it is unpacked into, within that of the corpus; empty for that folder itself.
    pub unpack_into: &'static str,
}

/// A published checksum, in lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256.
    Sha256(&'static str),
    /// MD5, which finds accidents, not forgeries.
    Md5(&'static str),
}

impl Checksum {
    /// `SHA-256` or `MD5`.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "SHA-256",
            Self::Md5(_) => "MD5",
        }
    }

    /// The digits.
    #[must_use]
    pub fn digits(&self) -> &'static str {
        match self {
            Self::Sha256(digits) | Self::Md5(digits) => digits,
        }
    }
}

/// The format of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// A tar file, compressed by gzip.
    TarGz,
    /// A zip file in one part.
    Zip,
    /// A file that is not unpacked: it stays under its name.
    File,
}

const CC_BY_4: &str = "https://creativecommons.org/licenses/by/4.0/";

/// An archive of LibriSpeech (<https://www.openslr.org/12/>). The SHA-256 are those of torchaudio
/// (`torchaudio.datasets.LIBRISPEECH`), the sizes those of TensorFlow Datasets.
macro_rules! librispeech {
    ($part:literal, $bytes:literal, $sha256:literal) => {
        PublicCorpus {
            name: concat!("librispeech-", $part),
            title: concat!("LibriSpeech, read English speech at 16 kHz: ", $part),
            homepage: "https://www.openslr.org/12/",
            licence: "CC BY 4.0",
            licence_url: CC_BY_4,
            archives: &[PublicArchive {
                url: concat!("https://www.openslr.org/resources/12/", $part, ".tar.gz"),
                file: concat!("librispeech-", $part, ".tar.gz"),
                bytes: $bytes,
                checksum: Some(Checksum::Sha256($sha256)),
                format: ArchiveFormat::TarGz,
                unpack_into: "",
            }],
            folder: "LibriSpeech",
            corpus: "librispeech",
        }
    };
}

/// An archive of Speech Commands (Warden 2018, <https://arxiv.org/abs/1804.03209>). The SHA-256
/// are those of torchaudio (`torchaudio.datasets.SPEECHCOMMANDS`). It has no folder of its own.
macro_rules! speech_commands {
    ($name:literal, $title:literal, $version:literal, $bytes:literal, $sha256:literal) => {
        PublicCorpus {
            name: $name,
            title: $title,
            homepage: "https://arxiv.org/abs/1804.03209",
            licence: "CC BY 4.0",
            licence_url: CC_BY_4,
            archives: &[PublicArchive {
                url: concat!(
                    "https://storage.googleapis.com/download.tensorflow.org/data/",
                    $version,
                    ".tar.gz"
                ),
                file: concat!($version, ".tar.gz"),
                bytes: $bytes,
                checksum: Some(Checksum::Sha256($sha256)),
                format: ArchiveFormat::TarGz,
                unpack_into: $version,
            }],
            folder: $version,
            corpus: "speech-commands",
        }
    };
}

/// A file of FSDKaggle2019 (<https://zenodo.org/records/3612637>). The MD5 that Zenodo lists for
/// them are not written down here, for want of a copy of that list: sizes are approximate, and
/// the download is checked against the checksums within the zip.
macro_rules! fsdkaggle2019 {
    ($part:literal, $bytes:literal) => {
        PublicArchive {
            url: concat!(
                "https://zenodo.org/records/3612637/files/FSDKaggle2019.",
                $part,
                ".zip"
            ),
            file: concat!("FSDKaggle2019.", $part, ".zip"),
            bytes: $bytes,
            checksum: None,
            format: ArchiveFormat::Zip,
            unpack_into: "",
        }
    };
}

/// Every corpus that can be downloaded.
///
/// GitHub makes the archives of `fsdd` and `esc50` anew from time to time, with the same content
/// and other checksums: they are pinned by tag and by commit.
pub const CATALOGUE: &[PublicCorpus] = &[
    PublicCorpus {
        name: "fsdd",
        title: "Free Spoken Digit Dataset 1.0.10: 3000 recordings of English digits at 8 kHz",
        homepage: "https://github.com/Jakobovski/free-spoken-digit-dataset",
        licence: "CC BY-SA 4.0",
        licence_url: "https://creativecommons.org/licenses/by-sa/4.0/",
        archives: &[PublicArchive {
            url: "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz",
            file: "free-spoken-digit-dataset-1.0.10.tar.gz",
            bytes: 16_500_000,
            checksum: None,
            format: ArchiveFormat::TarGz,
            unpack_into: "",
        }],
        folder: "free-spoken-digit-dataset-1.0.10",
        corpus: "fsdd",
    },
    PublicCorpus {
        name: "esc50",
        title: "ESC-50: 2000 environmental recordings of 5 s in 50 classes, ESC-10 among them",
        homepage: "https://github.com/karolpiczak/ESC-50",
        licence: "CC BY-NC 3.0 (the ESC-10 subset: CC BY)",
        licence_url: "https://creativecommons.org/licenses/by-nc/3.0/",
        archives: &[PublicArchive {
            url: "https://github.com/karolpiczak/ESC-50/archive/33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6.zip",
            file: "ESC-50-33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6.zip",
            bytes: 647_000_000,
            checksum: None,
            format: ArchiveFormat::Zip,
            unpack_into: "",
        }],
        folder: "ESC-50-33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6",
        corpus: "esc",
    },
    speech_commands!(
        "speech-commands-v1",
        "Speech Commands 0.01: 64,727 recordings of 30 English words at 16 kHz",
        "speech_commands_v0.01",
        1_489_096_277,
        "743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d"
    ),
    speech_commands!(
        "speech-commands-v2",
        "Speech Commands 0.02: 105,829 recordings of 35 English words at 16 kHz",
        "speech_commands_v0.02",
        2_428_923_189,
        "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
    ),
    // SHA-256 of torchaudio (`torchaudio.datasets.YESNO`).
    PublicCorpus {
        name: "yesno",
        title: "YesNo: 60 recordings of eight Hebrew yes and no at 8 kHz",
        homepage: "https://www.openslr.org/1/",
        licence: "as its page states; lists of open corpora have it as public domain (CC0)",
        licence_url: "https://www.openslr.org/1/",
        archives: &[PublicArchive {
            url: "https://www.openslr.org/resources/1/waves_yesno.tar.gz",
            file: "waves_yesno.tar.gz",
            bytes: 4_700_000,
            checksum: Some(Checksum::Sha256(
                "c3f49e0cca421f96b75b41640749167b52118f232498667ca7a5f9416aef8e73",
            )),
            format: ArchiveFormat::TarGz,
            unpack_into: "",
        }],
        folder: "waves_yesno",
        corpus: "yesno",
    },
    PublicCorpus {
        name: "fsdkaggle2019",
        title: "FSDKaggle2019: 80 tags, the curated training clips and the test clips at 44.1 kHz \
                (without the noisy training clips, which are a zip in several parts)",
        homepage: "https://zenodo.org/records/3612637",
        licence: "CC BY 4.0; each clip has its own Creative Commons licence, listed in the metadata",
        licence_url: "https://zenodo.org/records/3612637",
        archives: &[
            fsdkaggle2019!("meta", 1_000_000),
            fsdkaggle2019!("audio_train_curated", 2_600_000_000),
            fsdkaggle2019!("audio_test", 3_300_000_000),
        ],
        folder: "",
        corpus: "fsdkaggle2019",
    },
    // MD5 of Zenodo, as soundata (`soundata.datasets.urbansound8k`) has it.
    PublicCorpus {
        name: "urbansound8k",
        title: "UrbanSound8K: 8732 urban recordings of at most 4 s in 10 classes and 10 folds",
        homepage: "https://urbansounddataset.weebly.com/urbansound8k.html",
        licence: "CC BY-NC 4.0",
        licence_url: "https://zenodo.org/records/1203745",
        archives: &[PublicArchive {
            url: "https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz",
            file: "UrbanSound8K.tar.gz",
            bytes: 6_023_741_708,
            checksum: Some(Checksum::Md5("9aa69802bbf37fb986f71ec1483a196e")),
            format: ArchiveFormat::TarGz,
            unpack_into: "",
        }],
        folder: "UrbanSound8K",
        corpus: "urbansound8k",
    },
    librispeech!(
        "dev-clean",
        337_926_286,
        "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3"
    ),
    librispeech!(
        "dev-other",
        314_305_928,
        "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365"
    ),
    librispeech!(
        "test-clean",
        346_663_984,
        "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23"
    ),
    librispeech!(
        "test-other",
        328_757_843,
        "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29"
    ),
    librispeech!(
        "train-clean-100",
        6_387_309_499,
        "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2"
    ),
    librispeech!(
        "train-clean-360",
        23_049_477_885,
        "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf"
    ),
    librispeech!(
        "train-other-500",
        30_593_501_606,
        "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2"
    ),
];

/// Corpora that cannot be downloaded here, each with the reason and a remedy.
pub const NOT_OFFERED: &[(&str, &str)] = &[
    (
        "fsd50k",
        "its audio is a zip in several parts, which cannot be unpacked here; download it from \
         https://zenodo.org/records/4060432 and join the parts by `zip -s 0`",
    ),
    (
        "magnatagatune",
        "its audio is a zip cut into three pieces, and no checksum is published; download it from \
         https://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset and join the pieces by `cat`",
    ),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn names_and_files_are_unique_and_stay_in_their_folder() {
        let mut names = BTreeSet::new();
        let mut files = BTreeSet::new();
        for corpus in CATALOGUE {
            assert!(names.insert(corpus.name), "{}", corpus.name);
            assert!(
                !NOT_OFFERED.iter().any(|(name, _)| *name == corpus.name),
                "{} is offered",
                corpus.name
            );
            assert!(!corpus.archives.is_empty(), "{}", corpus.name);
            for text in [corpus.name, corpus.folder] {
                assert!(!text.contains(['/', '\\']) && text != "..", "{text}");
            }
            for archive in corpus.archives {
                assert!(files.insert(archive.file), "{}", archive.file);
                assert!(archive.url.starts_with("https://"), "{}", archive.url);
                assert!(archive.bytes > 0, "{}", archive.file);
                let ending = match archive.format {
                    ArchiveFormat::TarGz => ".tar.gz",
                    ArchiveFormat::Zip => ".zip",
                    ArchiveFormat::File => "",
                };
                assert!(archive.file.ends_with(ending), "{}", archive.file);
            }
        }
    }

    #[test]
    fn checksums_are_lower_case_digits_of_their_algorithms_length() {
        for archive in CATALOGUE.iter().flat_map(|corpus| corpus.archives) {
            let Some(checksum) = archive.checksum else {
                continue;
            };
            let length = match checksum {
                Checksum::Sha256(_) => 64,
                Checksum::Md5(_) => 32,
            };
            assert_eq!(checksum.digits().len(), length, "{}", archive.file);
            assert!(
                checksum
                    .digits()
                    .bytes()
                    .all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit)),
                "{}",
                archive.file
            );
        }
    }

    #[test]
    fn the_spec_names_the_folder() {
        let fsdd = CATALOGUE
            .iter()
            .find(|corpus| corpus.name == "fsdd")
            .unwrap();
        let spec = fsdd.spec(Path::new("data/fsdd/recordings"));
        assert_eq!(spec, "fsdd:data/fsdd/recordings");
        assert_eq!(fsdd.spec(Path::new("why?")), "fsdd:why??");
        assert_eq!(fsdd.spec(Path::new("a?b=c")), "fsdd:a?b=c?&&");
    }
}
