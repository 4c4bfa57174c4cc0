"""Exported ONNX models against PyTorch's values and against Sori. Needs numpy 2.4.6, onnx 1.23.2, onnxruntime 1.32.0.

    python tests/golden/exported.py target/debug/sori

Every file of tests/golden/models becomes a run by `sori import`, and that run ONNX by `sori export`. The graph must
satisfy onnx's checker, and onnxruntime must give the values that the PyTorch twin gave, within 1e-4: for the batch,
for each row alone, and with more padding and rubbish in it. Then the features inside of the graph: its scores of
waveforms must be those of `sori predict` of the same sound, for each kind of feature, within 1e-4.
"""

import json
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

HERE = Path(__file__).parent
TOLERANCE = 1e-4
TRANSCRIBE = ("deep_speech2", "las")
GENERATE = ("vae", "gan")
largest = 0.0
SYMBOLS = "abcdefghijklmnopqrstuvwxyz"


def sori(*arguments):
    command = [SORI, *map(str, arguments), "--quiet", "--threads", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def read(path):
    """The metadata and the tensors of a safetensors file."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        kind = {"F32": np.float32, "I64": np.int64}[entry["dtype"]]
        tensors[name] = np.frombuffer(raw[start:end], kind).reshape(entry["shape"])
    return metadata, tensors


def write(path, tensors):
    """Writes a safetensors file."""
    header, start = {}, 0
    for name, values in tensors.items():
        end = start + values.nbytes
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(header).encode()
    data = b"".join(values.astype("<f4").tobytes() for values in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def toml(value):
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


def session(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def metadata_of(session):
    return session.get_modelmeta().custom_metadata_map


def close(name, found, expected):
    global largest
    assert found.shape == expected.shape, f"{name}: {found.shape}, not {expected.shape}"
    error = np.abs(found - expected).max(initial=0.0)
    if not error <= TOLERANCE:
        raise SystemExit(f"{name}: off by {error}")
    largest = max(largest, error)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def exported(name, model, folder):
    """The runs of a golden file, exported."""
    path = HERE / "models" / f"{name}.safetensors"
    metadata, tensors = read(path)
    config = json.loads(metadata["config"])
    config.pop("name", None)
    rules = []
    for tensor in tensors:
        kind, _, parameter = tensor.partition(".")
        if kind in ("param", "state"):
            # Inference is by the running statistics after the step.
            tensor = f"after.{parameter}" if f"after.{parameter}" in tensors else tensor
            rules.append(f"[[rule]]\nparameter = {toml(parameter)}\ntensor = {toml(tensor)}\n")
    rules.insert(0, 'ignore = ["*"]\n')
    (folder / "map.toml").write_text("\n".join(rules))
    settings = [f"model.{key} = {toml(value)}" for key, value in config.items()]
    bins = config["num_bins"]
    if bins == 1:
        settings.append('features.kind = "waveform"')
    else:
        settings += ['features.kind = "log-mel"', f"features.num_mels = {bins}"]
    (folder / "settings.toml").write_text("\n".join(settings))
    count = config.get("num_classes", config.get("num_symbols", 1) - 1)
    (folder / "labels.txt").write_text("\n".join(SYMBOLS[:count]) + "\n")
    run, out = folder / "run", folder / "x.onnx"
    arguments = ["--map", folder / "map.toml", "--config", folder / "settings.toml", "--out", run]
    if model not in GENERATE:
        arguments += ["--labels", folder / "labels.txt"]
    if model not in TRANSCRIBE + GENERATE:
        arguments += ["--task", "classify"]
    sori("import", model, path, *arguments)
    sori("export", run, "--format", "onnx", "--out", out)
    return config, tensors


def inputs_of(tensors):
    """The batch; the same with more and other padding; each row alone."""
    features, lengths = tensors["features"], tensors["lengths"]
    yield slice(None), {"features": features, "lengths": lengths}
    more = np.full((len(lengths), features.shape[1] + 5, features.shape[2]), np.nan, np.float32)
    for row, length in enumerate(lengths):
        more[row, :length] = features[row, :length]
    yield slice(None), {"features": more, "lengths": lengths}
    for row, length in enumerate(lengths):
        yield slice(row, row + 1), {
            "features": features[row : row + 1, :length],
            "lengths": lengths[row : row + 1],
        }


def check_classifier(name, folder, config, tensors):
    graph = session(folder / "x.onnx")
    expected = softmax(tensors["eval.logits"])
    for rows, inputs in inputs_of(tensors):
        (found,) = graph.run(["probabilities"], inputs)
        close(name, found, expected[rows])
    facts = metadata_of(graph)
    assert json.loads(facts["labels"]) == list(SYMBOLS[: config["num_classes"]]), facts


def check_vad(name, folder, config, tensors):
    """A step depends on what is before it and on its own chunk, and a recording of one chunk has the step's score."""
    check_classifier(name, folder, config, tensors)
    tagger = folder / "tagger"
    arguments = ["--map", folder / "map.toml", "--config", folder / "settings.toml", "--labels", folder / "labels.txt"]
    sori("import", "vad", HERE / "models" / f"{name}.safetensors", *arguments, "--task", "tag", "--out", tagger)
    sori("export", tagger, "--format", "onnx", "--out", folder / "tagger.onnx")
    graph, chunk = session(folder / "tagger.onnx"), config["chunk_samples"]
    names = ["probabilities", "step_probabilities", "steps"]
    for rows, inputs in inputs_of(tensors):
        _, found, steps = graph.run(names, inputs)
        assert list(steps) == [-(-length // chunk) for length in inputs["lengths"]], f"{name}: {steps}"
        first = {"features": inputs["features"], "lengths": np.minimum(inputs["lengths"], chunk)}
        close(name, graph.run(names, first)[0], found[:, 0])
        for count in range(1, steps.min()):
            cut = {**inputs, "lengths": np.minimum(inputs["lengths"], count * chunk)}
            close(name, graph.run(names, cut)[1][:, :count], found[:, :count])


def check_deep_speech2(name, folder, _, tensors):
    graph = session(folder / "x.onnx")
    expected = log_softmax(tensors["eval.logits"])
    for rows, inputs in inputs_of(tensors):
        found, steps = graph.run(["log_probs", "steps"], inputs)
        for row, count, wanted in zip(found, steps, expected[rows]):
            close(name, row[:count], wanted[:count])
    assert "symbols" in json.loads(metadata_of(graph)["alphabet"])


class Speller:
    """Two graphs: what is listened to, and a step of spelling."""

    def __init__(self, folder, config):
        self.listen, self.step = (session(folder / f"x.{part}.onnx") for part in ("listen", "spell"))
        self.config = config

    def begin(self, inputs):
        names = ["keys", "values", "steps"]
        self.heard = dict(zip(names, self.listen.run(names, inputs)))
        batch, steps, _ = self.heard["keys"].shape
        zeros = lambda *shape: np.zeros(shape, np.float32)
        layers = [self.config["num_speller_layers"], batch, self.config["d_speller"]]
        return {
            "context": zeros(batch, 2 * self.config["d_listener"]),
            "hidden": zeros(*layers),
            "memory": zeros(*layers),
            "alignment": zeros(batch, self.config["num_heads"], steps),
        }

    def next(self, state, symbols):
        names = ["log_probs", *(f"next_{name}" for name in state)]
        found = self.step.run(names, {**self.heard, "symbols": symbols, **state})
        return found[0], dict(zip(state, found[1:]))


def check_las(name, folder, config, tensors):
    speller = Speller(folder, config)
    transcripts, lengths = tensors["transcripts"], tensors["target_lengths"]
    for rows, inputs in inputs_of(tensors):
        # Batch norm had the batch's own statistics where these logits are of.
        if not config["channels"]:
            state, symbols = speller.begin(inputs), np.zeros(len(lengths[rows]), np.int64)
            expected = log_softmax(tensors["train.logits"])[rows]
            for step in range(lengths[rows].max() + 1):
                log_probs, state = speller.next(state, symbols)
                for row, length in enumerate(lengths[rows]):
                    if step <= length:
                        close(name, log_probs[row], expected[row, step])
                if step < transcripts.shape[1]:
                    symbols = np.maximum(transcripts[rows, step], 0)
        keys = ("symbols", "lengths", "scores")
        decode(name, speller, inputs, {key: tensors[f"decode.{key}"][rows] for key in keys})


def decode(name, speller, inputs, expected):
    """Greedy search, as in las.py: two symbols for each step of the listener at most."""
    state = speller.begin(inputs)
    batch = len(inputs["lengths"])
    symbols, going = np.zeros(batch, np.int64), np.ones(batch, bool)
    found, scores = [[] for _ in range(batch)], np.zeros(batch)
    while going.any():
        log_probs, state = speller.next(state, symbols)
        symbols = log_probs.argmax(-1)
        for row in np.flatnonzero(going):
            if symbols[row] == 0 or np.exp(log_probs[row, 0]) > 0.5:
                scores[row] += log_probs[row, 0]
                going[row] = False
            elif len(found[row]) == 2 * speller.heard["steps"][row]:
                going[row] = False
            else:
                scores[row] += log_probs[row, symbols[row]]
                found[row].append(symbols[row])
    for row in range(batch):
        assert found[row] == list(expected["symbols"][row, : expected["lengths"][row]]), f"{name}: {found[row]}"
    close(name, scores, expected["scores"])


def check_vae(name, folder, _, tensors):
    encode, generate = (session(folder / f"x.{part}.onnx") for part in ("encode", "generate"))
    for rows, inputs in inputs_of(tensors):
        mean, log_variance = encode.run(["mean", "log_variance"], inputs)
        close(name, mean, tensors["mean"][rows])
        close(name, log_variance, tensors["log_variance"][rows])
        noise = tensors["noises"][0][rows]
        (patches,) = generate.run(["patches"], {"latents": mean + np.exp(log_variance / 2) * noise})
        close(name, patches, tensors["decoded"][rows])


def check_gan(name, folder, _, tensors):
    graph = session(folder / "x.onnx")
    for rows in [slice(None), slice(2, 3)]:
        (patches,) = graph.run(["patches"], {"latents": tensors["noise"][rows]})
        close(name, patches, tensors["eval.patches"][rows])


CHECKS = {
    "vad": check_vad,
    "deep_speech2": check_deep_speech2,
    "las": check_las,
    "vae": check_vae,
    "gan": check_gan,
}

# Settings of features, and of the sounds that they are taken of.
FEATURES = {
    "log-mel": {},
    "spectrogram": {"kind": "spectrogram", "window_ms": 20, "hop_ms": 7.5, "window": "hamming"},
    "power": {"kind": "power-spectrogram", "window_ms": 8, "centered": False, "fft_size": 150},
    "log1p": {"kind": "log1p-spectrogram", "window_ms": 10, "normalize": "utterance"},
    "mel": {"kind": "mel", "num_mels": 20, "pad_mode": "reflect"},
    "log1p-mel": {"kind": "log1p-mel", "num_mels": 24, "mel_scale": "htk", "mel_norm": "none"},
    "mel-db": {"kind": "mel-db", "num_mels": 24, "top_db": 30, "pad_mode": "reflect", "fft_size": 301},
    "mfcc": {"kind": "mfcc", "deltas": 2, "normalize": "utterance"},
    "waveform": {"kind": "waveform"},
}
RATE = 8000


def sounds(folder):
    """A few seconds of tones in noise, of several lengths."""
    random = np.random.default_rng(7)
    rows = []
    for index, samples in enumerate([4000, 2713, 9001]):
        time = np.arange(samples) / RATE
        x = 0.3 * np.sin(2 * np.pi * (200 + 150 * index) * time * (1 + 0.2 * time))
        x += 0.05 * random.standard_normal(samples)
        integers = (x * 32767).clip(-32768, 32767).astype("<i2")
        path = folder / f"{index}.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, samples, "NONE", ""))
            file.writeframes(integers.tobytes())
        rows.append((path, integers / np.float32(32768)))
    return rows


def num_bins(settings):
    kind = settings.get("kind", "log-mel")
    window = round(settings.get("window_ms", 25) * RATE / 1000)
    fft = settings.get("fft_size") or 1 << (window - 1).bit_length()
    if kind == "waveform":
        return 1
    if "spectrogram" in kind:
        return fft // 2 + 1
    return (13 if kind == "mfcc" else settings.get("num_mels", 40)) * (1 + settings.get("deltas", 0))


def padded(rows):
    lengths = np.array([len(row) for row in rows], np.int64)
    batch = np.full((len(rows), lengths.max() + 100), np.nan, np.float32)
    for row, values in zip(batch, rows):
        row[: len(values)] = values
    return {"waveforms": batch, "lengths": lengths}


def probabilities(run, labels, paths):
    """Those of `sori predict`."""
    lines = map(json.loads, sori("predict", run, *paths, "--json").splitlines())
    scores = [line["scores"] for line in lines if line["event"] == "prediction"]
    return np.array([[row[label] for label in labels] for row in scores], np.float32)


def check_features(name, settings, folder, rows):
    """A random network of a convolution over these features."""
    random = np.random.default_rng(len(name))
    bins, labels = num_bins(settings), ["one", "two", "three"]
    # About the size of these features, so that scores are neither all nor nothing.
    spread = {"log-mel": 20, "mel-db": 60, "mfcc": 40}.get(name, 2)
    normal = lambda *shape: random.standard_normal(shape).astype(np.float32)
    write(folder / "w.safetensors", {
        "convs.0.weight": normal(6, bins, 3) / np.float32(np.sqrt(3 * bins)), "convs.0.bias": normal(6),
        "norms.0.weight": np.ones(6, np.float32), "norms.0.bias": normal(6),
        "norms.0.running_mean": normal(6), "norms.0.running_var": np.full(6, spread**2, np.float32),
        "classifier.weight": normal(3, 6), "classifier.bias": normal(3),
    })
    (folder / "labels.txt").write_text("\n".join(labels) + "\n")
    run, out = folder / "run", folder / "x.onnx"
    text = lambda value: value if isinstance(value, str) else json.dumps(value)
    given = [f"--set=features.{key}={text(value)}" for key, value in settings.items()]
    sori("import", "cnn1d", folder / "w.safetensors", "--labels", folder / "labels.txt", "--out", run,
         f"--set=features.sample_rate_hz={RATE}", "--set=model.channels=[6]", "--set=model.activation=tanh", *given)
    sori("export", run, "--format", "onnx", "--features", "--out", out)
    compare(name, run, labels, session(out), rows)


def compare(name, run, labels, graph, rows):
    expected = probabilities(run, labels, [path for path, _ in rows])
    waveforms = [values for _, values in rows]
    (found,) = graph.run(["probabilities"], padded(waveforms))
    close(name, found, expected)
    for row, values in enumerate(waveforms):
        inputs = {"waveforms": values[None], "lengths": np.array([len(values)], np.int64)}
        close(name, graph.run(["probabilities"], inputs)[0], expected[row : row + 1])


def check_trained(folder):
    """A run that was trained: features are normalised by its corpus, and rows are short for the network."""
    run, out, sounds = folder / "run", folder / "x.onnx", folder / "sounds"
    sori("train", "cnn2d", "--data", "synth:dtmf?size=48", "--epochs", "1", "--out", run,
         "--set=model.channels=[4,4,4]")
    sori("export", run, "--format", "onnx", "--features", "--out", out)
    graph = session(out)
    facts = metadata_of(graph)
    rate = int(facts["sample_rate_hz"])
    random = np.random.default_rng(3)
    rows = []
    for samples in [rate // 100, rate // 8, rate // 5]:
        integers = (3000 * random.standard_normal(samples)).astype("<i2")
        path = folder / f"{samples}.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, rate, samples, "NONE", ""))
            file.writeframes(integers.tobytes())
        rows.append((path, integers / np.float32(32768)))
    compare("a trained run", run, json.loads(facts["labels"]), graph, rows)


def main():
    names = sorted(path.stem for path in (HERE / "models").glob("*.safetensors"))
    models = [json.loads(line)["name"] for line in sori("models", "--json").splitlines()]
    done = set()
    for name in names:
        (model,) = [model for model in models if name == model or name.startswith(f"{model}_")]
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            config, tensors = exported(name, model, folder)
            CHECKS.get(model, check_classifier)(name, folder, config, tensors)
        done.add(model)
    assert done == set(models), f"not checked: {set(models) - done}"
    for name, settings in FEATURES.items():
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            check_features(name, settings, folder, sounds(folder))
    with tempfile.TemporaryDirectory() as folder:
        check_trained(Path(folder))
    count = f"{len(names)} networks and {len(FEATURES) + 1} front ends"
    print(f"{count} are the same in onnxruntime {onnxruntime.__version__}, within {largest:.1e}")


if __name__ == "__main__":
    SORI = sys.argv[1]
    main()
