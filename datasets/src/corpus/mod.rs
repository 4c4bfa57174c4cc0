//! Corpora: their recordings, the right answer for each, and its part.
//!
//! Opening a corpus reads names and lists, not sound, except for one sample rate and the few files
//! that are cut into pieces. [`CORPORA`] is the table of all corpora:
//!
//! | Written | Query | Parts unless the query says otherwise |
//! |---|---|---|
//! | `clovacall:DIR` | `version=raw` | its two lists |
//! | `digits:DIR` | `size=`, `seed=`, `speaker=theo`, `speaker=!theo` | connected digits of FSDD: recordings 0 to 4 to test, 5 to 8 to validate |
//! | `esc:DIR` | `folds=5`, `esc10=true` | ESC-50 or ESC-10: fold 5 to test, the rest to train |
//! | `esc-mix:DIR` | as `esc`, `size=`, `seed=`, `valid_fold=` | mixtures within a fold: fold 5 to test, an eighth of the clips of the others to validate |
//! | `folder:DIR` | `test_fraction=0.1`, `group=REGEX`, `folds=1`, `of=5` | its folders `train`, `valid`, `test`, or a tenth to test |
//! | `fsd50k:DIR` | | as published: `train`, `val`, evaluation set |
//! | `fsdd:DIR` | `speaker=theo`, `speaker=!theo` | recordings 0 to 4 to test |
//! | `fsdkaggle2019:DIR` | `noisy=true` | curated set to train, test set |
//! | `ksponspeech:DIR` | `notation=pronunciation`, `sets=train,dev,eval_clean` | by its lists; without them `KsponSpeech_eval` to test |
//! | `librispeech:DIR` | `sets=train-clean-100,dev-clean,test-clean` | its folders `train-*`, `dev-*`, `test-*` |
//! | `magnatagatune:DIR` | `tags=50` | folders 0 to b, c, d to f |
//! | `manifest:FILE.jsonl`, `.csv` | `test_fraction=0.1`, `folds=1`, `of=5` | each line's `split`, or a tenth to test |
//! | `pansori:DIR` | | a tenth of the recordings, by speaker, to test |
//! | `speech-commands:DIR` | `words=yes,no`, `subset=12` | by its two lists |
//! | `speechocean762:DIR` | | its folders `train` and `test`, or a tenth, by speaker, to test |
//! | `synth:dtmf`, `synth:morse`, `synth:scenes` | `size=`, `seed=`; of `morse` `snr=10`, `answer=speed`, `answer=pitch` | `size`, and a fifth to validate and to test |
//! | `urbansound8k:DIR` | `folds=10` | fold 10 to test, the rest to train |
//! | `yesno:DIR` | | the second half of the recordings to test |
//!
//! `folds=` names the folds to test on, separated by commas. A k-fold run opens the corpus once for
//! each: `folds=1`, `folds=2` and so on. Folders and manifests are divided into `of=` folds, five
//! unless it says otherwise. Every corpus takes `split=` for one part alone.
//!
//! Recordings that belong together ([`Item::group`](crate::Item::group)), such as those of one speaker,
//! stay in one part wherever parts are chosen: of a folder by `group=REGEX`, of a manifest by `group`.

mod chosen;
mod clovacall;
mod counter;
mod digits;
mod draft;
mod dtmf;
mod esc;
mod esc_mix;
mod folder;
mod folds;
mod fsd50k;
mod fsdd;
mod fsdkaggle2019;
mod gate;
mod ksponspeech;
mod labels;
mod librispeech;
mod list;
mod made;
mod magnatagatune;
mod manifest;
mod morse;
mod open;
mod own_folds;
mod pansori;
mod parse;
mod pattern;
mod proposal;
mod query;
mod quotes;
mod scenes;
mod set_aside;
mod spec;
mod speech_commands;
mod speechocean762;
mod stretch;
mod table;
mod together;
mod transcripts;
mod urbansound8k;
mod yesno;

pub use open::{Corpus, OpenOptions};
pub use proposal::GroupProposal;
pub use set_aside::Whole;
pub use spec::Spec;
pub use table::{CORPORA, KnownCorpus, Location};
