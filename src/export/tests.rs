//! What goes out is what PyTorch has.

use std::collections::BTreeSet;

use crate::weights::WeightFile;
use crate::weights::layout::Values;
use crate::weights::plan::Plan;
use crate::weights::tests::twins::golden;
use crate::weights::tests::{shapes, state_dicts};
use crate::weights::twin::pytorch_names;

use super::tensors::by_pytorch;

/// Names, shapes and bits, with the counters that a strict `load_state_dict` asks for.
#[test]
fn the_state_dict_of_every_twin_goes_out_as_it_was() {
    for path in state_dicts() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (config, _) = golden(&name);
        let file = WeightFile::open(&path).unwrap();
        let plan = Plan::new(&file, pytorch_names(&config), &shapes(&config));
        let parameters = plan.read(&file).unwrap().into_iter().map(|(path, data)| {
            let values = Values {
                shape: data.shape.to_vec(),
                values: data.iter::<f32>().collect(),
            };
            (path, values)
        });
        let found = by_pytorch(&config, parameters).unwrap();
        // Some are below a key of a larger dictionary.
        let prefix = "state_dict.";
        let is_nested = file.tensors().any(|name| name.starts_with(prefix));
        let prefix = if is_nested { prefix } else { "" };
        let theirs = file.tensors().filter_map(|name| name.strip_prefix(prefix));
        assert_eq!(
            found.keys().map(String::as_str).collect::<BTreeSet<_>>(),
            theirs.collect(),
            "{name}"
        );
        for (tensor, entry) in &found {
            let stored = format!("{prefix}{tensor}");
            assert_eq!(
                Some(&entry.shape),
                file.shape(&stored).as_ref(),
                "{name} {tensor}"
            );
            if entry.dtype == "F32" {
                let values = file.read(&stored).unwrap();
                let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
                assert_eq!(entry.bytes, bytes, "{name} {tensor}");
            }
        }
    }
}
