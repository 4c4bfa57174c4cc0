//! What is damaged, hostile or another thing is refused by name.

use super::*;

use super::formats::{onnx, tensorflow};
use std::io::Write;
use zip::write::SimpleFileOptions;

#[test]
fn missing_superfluous_and_misshapen_tensors_are_all_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = small_tensors();
    tensors[0].0 = "classifier.offset";
    tensors[3].1 = vec![4, 1];
    let message = refusal(&write(folder.path(), &tensors));
    for part in [
        "weights.safetensors: this does not fit mlp",
        "parameter classifier.bias: there is no tensor classifier.bias",
        "parameter hidden.0.weight: its shape is [2, 2], and tensor hidden.0.weight of [4, 1]",
        "superfluous tensor classifier.offset",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_tensor_that_holds_no_finite_number_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = small_tensors();
    tensors[2].2[1] = f32::NAN;
    let message = refusal(&write(folder.path(), &tensors));
    assert!(
        message.ends_with("tensor hidden.0.bias: it holds NaN, which is no finite number"),
        "{message}"
    );
}

#[test]
fn a_shape_that_no_file_holds_is_refused_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    for size in [1 << 63, u64::MAX, 1 << 40] {
        std::fs::write(&path, onnx(|shape| vec![size; shape.len()])).unwrap();
        let message = refusal(&path);
        assert!(
            message.contains("net.onnx: tensor classifier.bias"),
            "{message}"
        );
        let header = format!(
            "{{\"classifier.bias\":{{\"dtype\":\"F32\",\"shape\":[{size}],\"data_offsets\":[0,{}]}}}}",
            u64::MAX
        );
        let bytes = [
            (header.len() as u64).to_le_bytes().to_vec(),
            header.into_bytes(),
        ]
        .concat();
        let other = folder.path().join("net.safetensors");
        std::fs::write(&other, bytes).unwrap();
        let message = refusal(&other);
        assert!(
            message.contains("net.safetensors: tensor classifier.bias"),
            "{message}"
        );
    }
}

/// Every file cut anywhere, and with any byte changed, gives an error or weights, and no panic.
#[test]
fn a_file_cut_short_is_refused_wherever_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.onnx");
    std::fs::write(
        &path,
        onnx(|shape| shape.iter().map(|&size| size as u64).collect()),
    )
    .unwrap();
    let twin = |name: &str| PathBuf::from(format!("tests/golden/weights/{name}.pt"));
    let files = [
        write(folder.path(), &small_tensors()),
        path,
        tensorflow(folder.path()),
        twin("mlp_tanh"),
        twin("cnn1d"),
    ];
    for whole in files {
        let bytes = std::fs::read(&whole).unwrap();
        let cut = folder
            .path()
            .join("cut")
            .with_extension(whole.extension().unwrap());
        for length in (0..bytes.len()).step_by(1 + bytes.len() / 60) {
            std::fs::write(&cut, &bytes[..length]).unwrap();
            let message = refusal(&cut);
            assert!(message.contains("cut."), "{message}");
        }
        for at in (0..bytes.len()).step_by(1 + bytes.len() / 60) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&cut, &bytes).unwrap();
            if let Ok(file) = WeightFile::open(&cut) {
                let plan = Plan::new(&file, pytorch_names(&small()), &shapes(&small()));
                let _ = plan.check("mlp").and_then(|()| plan.read(&file));
            }
        }
    }
}

#[test]
fn values_whose_checksum_is_wrong_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let index = tensorflow(folder.path());
    let data = folder.path().join("net.data-00000-of-00001");
    let mut bytes = std::fs::read(&data).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&data, bytes).unwrap();
    let message = refusal(&index);
    assert!(
        message.contains("net.index: tensor classifier.bias: its checksum"),
        "{message}"
    );
    std::fs::remove_file(&data).unwrap();
    let message = refusal(&index);
    assert!(
        message.contains("net.data-00000-of-00001: cannot open it"),
        "{message}"
    );
}

/// A pickle whose unpickling would call `os.system`.
#[test]
fn a_pickle_that_would_run_a_command_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let command = format!("touch {}", made.display());
    let pickle = format!("\u{80}\u{2}cposix\nsystem\n(S'{command}'\ntR.");
    let bytes: Vec<u8> = pickle.chars().map(|c| c as u8).collect();
    let path = folder.path().join("evil.pt");
    std::fs::write(&path, &bytes).unwrap();
    let message = refusal(&path);
    assert!(message.contains("evil.pt"), "{message}");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    zip.start_file("evil/data.pkl", SimpleFileOptions::default())
        .unwrap();
    zip.write_all(&bytes).unwrap();
    zip.finish().unwrap();
    let message = refusal(&path);
    assert!(message.contains("evil.pt"), "{message}");
    assert!(!made.exists());
}

#[test]
fn a_member_that_unpacks_too_far_or_is_a_link_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let wheel = folder.path().join("bad.whl");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&wheel).unwrap());
    let packed = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    zip.start_file("bomb.pt", packed).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..80 {
        zip.write_all(&zeros).unwrap();
    }
    zip.add_symlink("link.pt", "/etc/passwd", SimpleFileOptions::default())
        .unwrap();
    zip.add_directory("folder", SimpleFileOptions::default())
        .unwrap();
    zip.finish().unwrap();
    for (member, part) in [
        ("bomb.pt", "it unpacks from"),
        ("link.pt", "it is a link"),
        ("folder/", "it is a folder"),
        ("../../etc/passwd", "the archive has no such file"),
    ] {
        let name = format!("{}#{member}", wheel.display());
        let message = refusal(Path::new(&name));
        assert!(
            message.contains(part) && message.contains(&format!("bad.whl#{member}")),
            "{message}"
        );
    }
}

#[test]
fn a_file_that_holds_no_weights_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for (bytes, part) in [
        (b"".as_slice(), "the file is empty"),
        (b"dear diary", "this is no file of weights"),
        (b"RIFF....WAVEfmt ", "this is no file of weights"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let message = refusal(&path);
        assert!(
            message.contains(part) && message.contains("notes.txt"),
            "{message}"
        );
    }
    assert!(refusal(folder.path()).contains("this is a folder"));
    assert!(refusal(Path::new("no/such.pt")).contains("no/such.pt: there is no such file"));
}
