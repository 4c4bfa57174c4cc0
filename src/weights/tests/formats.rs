//! The same tensors in every format.

use super::*;

use crate::weights::names::Names;
use crate::weights::sstable::masked_crc32c;

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// A field of a protocol buffer that is a number.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field of a protocol buffer of bytes.
fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [
        varint(field << 3 | 2),
        varint(value.len() as u64),
        value.to_vec(),
    ]
    .concat()
}

fn raw(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// The small network as an ONNX model, whose tensors have these shapes.
pub(super) fn onnx(shape_of: impl Fn(&[usize]) -> Vec<u64>) -> Vec<u8> {
    // A number that a computation takes is no weight.
    let two = [number(2, 1), bytes(9, &raw(&[2.0]))].concat();
    let node = [
        bytes(2, b"two"),
        bytes(4, b"Constant"),
        bytes(5, &bytes(5, &two)),
    ];
    let mut graph = bytes(1, &node.concat());
    for (index, (name, shape, values)) in small_tensors().into_iter().enumerate() {
        let shape = shape_of(&shape);
        // Sizes one by one or packed, values raw or as floats, as different programs write them.
        let sizes = match index % 2 {
            0 => shape.iter().flat_map(|&size| number(1, size)).collect(),
            _ => bytes(
                1,
                &shape
                    .iter()
                    .flat_map(|&size| varint(size))
                    .collect::<Vec<_>>(),
            ),
        };
        let field = if index < 2 { 9 } else { 4 };
        let tensor = [
            sizes,
            number(2, 1),
            bytes(8, name.as_bytes()),
            bytes(field, &raw(&values)),
        ];
        graph.extend(bytes(5, &tensor.concat()));
    }
    [number(1, 8), bytes(7, &graph)].concat()
}

/// A table of LevelDB with one block of these entries.
fn table(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |entries: &[(String, Vec<u8>)]| {
        let mut contents = Vec::new();
        for (key, value) in entries {
            let sizes = [0, key.len(), value.len()].map(|size| varint(size as u64));
            contents.extend([sizes.concat(), key.clone().into_bytes(), value.clone()].concat());
        }
        contents.extend([0, 0, 0, 0, 1, 0, 0, 0]); // one restart, at 0
        contents.push(0);
        let handle = [varint(file.len() as u64), varint(contents.len() as u64 - 1)].concat();
        let crc = masked_crc32c(&contents);
        file.extend([contents, crc.to_le_bytes().to_vec()].concat());
        handle
    };
    let data = block(entries);
    let meta = block(&[]);
    let index = block(&[("~".to_string(), data)]);
    let mut footer = [meta, index].concat();
    footer.resize(40, 0);
    file.extend(footer);
    file.extend(crate::weights::sstable::MAGIC.to_le_bytes());
    file
}

/// The small network as a TensorFlow checkpoint in `folder`; the path of its index.
pub(super) fn tensorflow(folder: &Path) -> PathBuf {
    let mut data = Vec::new();
    let mut entries = vec![(String::new(), number(1, 1))];
    for (name, shape, values) in small_tensors() {
        let dimensions: Vec<u8> = shape
            .iter()
            .flat_map(|&size| bytes(2, &number(1, size as u64)))
            .collect();
        let values = raw(&values);
        let crc = [
            varint(6 << 3 | 5),
            masked_crc32c(&values).to_le_bytes().to_vec(),
        ]
        .concat();
        let entry = [
            number(1, 1),
            bytes(2, &dimensions),
            number(4, data.len() as u64),
            number(5, values.len() as u64),
            crc,
        ];
        entries.push((name.to_string(), entry.concat()));
        data.extend(values);
    }
    std::fs::write(folder.join("net.data-00000-of-00001"), data).unwrap();
    let path = folder.join("net.index");
    std::fs::write(&path, table(&entries)).unwrap();
    path
}

/// The values of the parameters of the small network in a file.
fn read(path: &Path) -> Vec<Vec<f32>> {
    let (file, plan) = plan(path, &small());
    plan.check("mlp").unwrap();
    let found = plan.read(&file).unwrap();
    found
        .values()
        .map(|data| data.iter::<f32>().collect())
        .collect()
}

#[test]
fn the_same_tensors_in_safetensors_onnx_and_tensorflow_are_the_same_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let expected = read(&write(folder.path(), &small_tensors()));
    assert_eq!(expected[1], [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    let path = folder.path().join("net.onnx");
    std::fs::write(
        &path,
        onnx(|shape| shape.iter().map(|&size| size as u64).collect()),
    )
    .unwrap();
    assert_eq!(read(&path), expected);
    assert_eq!(read(&tensorflow(folder.path())), expected);
}

#[test]
fn a_member_of_an_archive_is_read_with_the_files_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let expected = read(&write(folder.path(), &small_tensors()));
    tensorflow(folder.path());
    let wheel = folder.path().join("net-1.0-py3-none-any.whl");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&wheel).unwrap());
    for name in ["net.index", "net.data-00000-of-00001"] {
        zip.start_file(
            format!("net/{name}"),
            zip::write::SimpleFileOptions::default(),
        )
        .unwrap();
        let bytes = std::fs::read(folder.path().join(name)).unwrap();
        std::io::Write::write_all(&mut zip, &bytes).unwrap();
    }
    zip.finish().unwrap();
    let member = PathBuf::from(format!("{}#net/net.index", wheel.display()));
    assert_eq!(read(&member), expected);
    let message = WeightFile::open(&wheel).err().unwrap().to_string();
    assert!(message.contains("net/net.index"), "{message}");
    let other = PathBuf::from(format!("{}#net/net.pt", wheel.display()));
    let message = WeightFile::open(&other).err().unwrap().to_string();
    assert!(message.contains("it has net/net.index"), "{message}");
}

#[test]
fn a_map_names_tensors_takes_blocks_and_folds_weight_norm_and_epsilon() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = vec![
        ("net.1.both", vec![4], vec![9.0, 9.0, 0.5, -0.5]),
        ("net.1.g", vec![2, 1], vec![5.0, 1.0]),
        ("net.1.v", vec![2, 2], vec![3.0, 4.0, 0.0, 2.0]),
        (
            "net.4.weight",
            vec![3, 2],
            vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        ),
        ("net.4.bias", vec![3], vec![0.0, 1.0, 2.0]),
        ("step", vec![1], vec![7.0]),
    ];
    let file = WeightFile::open(&write(folder.path(), &tensors)).unwrap();
    let map = r#"
        ignore = ["st*p"]
        [[rule]]
        parameter = "hidden.{i}.bias"
        tensor = "net.{3*i+1}.both"
        blocks = { axis = 0, of = 2, take = [1] }
        [[rule]]
        parameter = "hidden.{i}.weight"
        tensor = "net.{3*i+1}.v"
        lengths = "net.{3*i+1}.g"
        axes = [1, 0]
        [[layer]]
        kind = "dense"
        parameter = "classifier"
        tensor = "net.4"
    "#;
    let plan = Plan::new(
        &file,
        Names::parse(map, "map.toml").unwrap(),
        &shapes(&small()),
    );
    plan.check("mlp").unwrap();
    let found = plan.read(&file).unwrap();
    let values = |path: &str| found[path].iter::<f32>().collect::<Vec<_>>();
    assert_eq!(values("hidden.0.bias"), [0.5, -0.5]);
    assert_eq!(values("hidden.0.weight"), [3.0, 0.0, 4.0, 1.0]);

    for (map, part) in [
        ("[[rule]]\nparameter = \"a.{i}\"\ntensor = \"b.{j}\"", "{j}"),
        ("[[rule]]\nparameter = \"a.{i\"\ntensor = \"b\"", "{3*i+1}"),
        ("epsilon = -1.0", "epsilon"),
        (
            "[[layer]]\nkind = \"conv\"\nparameter = \"a\"\ntensor = \"b\"",
            "conv1d",
        ),
    ] {
        let message = Names::parse(map, "map.toml").unwrap_err().to_string();
        assert!(
            message.contains(part) && message.contains("map.toml"),
            "{message}"
        );
    }
}
