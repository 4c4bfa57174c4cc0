//! The examples that `--help` ends with.

pub(super) const SORI: &str = "\
Examples:
  sori train cnn1d                                     a first run, on telephone keys
  sori train cnn2d --data folder:RECORDINGS --out runs/mine
  sori predict runs/mine new.wav
  sori models                                          the architectures
  sori settings cnn2d                                  what can be set, and what it means

`sori COMMAND --help` has the options of a command.";

pub(super) const MODELS: &str = "\
Examples:
  sori models                                          all of them
  sori models cnn2d                                    one: its layers, paper and recipe
  sori models --graph graph.png --set graph_seed=1";

pub(super) const SETTINGS: &str = "\
Examples:
  sori settings                                        what all models share
  sori settings cnn2d --data folder:RECORDINGS         what a run of cnn2d on them begins with
  sori settings cnn2d learning_rate dropout            these alone
  sori settings las --recipe paper --json";

pub(super) const TRAIN: &str = "\
Examples:
  sori train cnn1d                                     on telephone keys that Sori makes
  sori train cnn2d --data folder:RECORDINGS --out runs/mine
  sori train cnn2d --data folder:RECORDINGS --recipe quick --set model.dropout=0.3
  sori train deep_speech2 --data manifest:recordings.jsonl --tensorboard
  sori train --resume runs/mine

`sori settings MODEL` lists what --set and --config can change.";

pub(super) const COMPARE: &str = "\
Example:
  sori compare cnn1d --epochs 8 --seeds 3 --out runs/activations \\
    --try activation=relu --try activation=tanh --try 'optimizer=sgd; learning_rate=0.1'";

pub(super) const TUNE: &str = "\
Example:
  sori tune cnn2d --data folder:RECORDINGS --minutes 60 --out runs/tune
  sori train cnn2d --data folder:RECORDINGS --config runs/tune/config.toml";

pub(super) const EVAL: &str = "\
Examples:
  sori eval runs/mine                                  on the run's own test part
  sori eval runs/mine --data folder:OTHERS             on another set, used whole";

pub(super) const REPORT: &str = "\
Example:
  sori report runs/mine --worst 12";

pub(super) const PREDICT: &str = "\
Examples:
  sori predict runs/mine new.wav other.flac
  sori predict runs/mine long.wav --window 2 --hop 0.5
  sori predict runs/live long.wav --vad runs/vad       what is spoken, and not what is between
  arecord -f S16_LE -r 16000 -c 1 -t raw | sori predict runs/live --stream";

pub(super) const EMBED: &str = "\
Examples:
  sori embed runs/mine RECORDINGS --out x.npy
  sori embed runs/voices --compare a.wav b.wav         1 for the same voice, less for others";

pub(super) const GENERATE: &str = "\
Example:
  sori generate runs/vae --out patches.png";

pub(super) const IMPORT: &str = "\
Examples:
  sori import --list
  sori import musicnn_mtt musicnn-0.1.0-py3-none-any.whl --out runs/tags
  sori import cnn1d model.pt --labels labels.txt --out runs/mine";

pub(super) const EXPORT: &str = "\
Examples:
  sori export runs/mine --format onnx --features --out mine.onnx
  sori export runs/mine --format pytorch-names --out mine.safetensors";

pub(super) const FEATURES: &str = "\
Examples:
  sori features speech.wav --kind mel --set num_mels=80 --out speech.npy
  sori features speech.wav --out speech.png
  sori features speech.wav --augment noise,reverb --seed 1 --out noisy.wav";

pub(super) const DATA: &str = "\
Examples:
  sori data info folder:RECORDINGS
  sori data fetch                                      what can be downloaded
  sori data prepare folder:RECORDINGS --cache cache";

pub(super) const LM: &str = "\
Examples:
  sori lm train --text sentences.txt --order 3 --kind words --out words.arpa
  sori lm score words.arpa --text sentences.txt";

pub(super) const BENCH: &str = "\
Example:
  sori bench cnn1d lstm --threads 1";

pub(super) const COMPLETIONS: &str = "\
Examples:
  source <(sori completions bash)                      in ~/.bashrc; in ~/.zshrc with zsh
  sori completions fish | source                       in ~/.config/fish/config.fish";
