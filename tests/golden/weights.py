"""Files of weights as PyTorch writes them, for the twins of the zoo. Needs torch 2.15.0 and numpy 2.4.6.

    python tests/golden/weights.py

writes tests/golden/weights/NAME.pt, the `state_dict()` of the twin of tests/golden/models/NAME.safetensors with the
parameters that file holds, for one configuration or more of every architecture. The tests of src/weights read them
back to the same bits. Some are written as PyTorch before 1.6 wrote them, some below a key of a larger dictionary.
"""

import json
import struct
from pathlib import Path

import torch
from torch import nn

import deep_speech2
import generative
import las
import models

HERE = Path(__file__).parent
OUT = HERE / "weights"
CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}

# Which twins, and how each is written.
NAMES = {
    "mlp_tanh": "zip", "cnn1d": "legacy", "cnn2d": "zip", "rnn_both_ways_last": "legacy",
    "lstm_both_ways_mean": "zip", "gru_forward_mean": "zip", "attention_both_ways": "nested", "sample_cnn": "zip",
    "res_cnn_rese2": "nested", "fcn": "zip", "crnn": "legacy", "musicnn": "zip", "matchboxnet_2": "zip",
    "dilated_cnn_2": "zip", "random_wired_watts_strogatz": "zip", "deep_speech2_lstm_both_ways": "zip",
    "deep_speech2_elman_lookahead": "legacy", "las_convolutions": "zip", "las_location_heads": "zip",
    "vae_fills": "zip", "gan_hinge": "zip", "speaker_encoder": "zip", "crepe": "zip", "vad": "zip",
}


def read(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        kind = {"F32": torch.float32, "I64": torch.int64}[entry["dtype"]]
        tensors[name] = torch.frombuffer(bytearray(raw[start:end]), dtype=kind).reshape(entry["shape"])
    return metadata, tensors


def twin_of(name, config):
    """The twin; what a configuration has beside its twin's arguments is of no weight."""
    kind = config.pop("name", name.rsplit("_", 1)[0])
    for extra in ("dropout", "block_dropout"):
        config.pop(extra, None)
    if name.startswith("deep_speech2"):
        return deep_speech2.DeepSpeech2(**config)
    if name.startswith("las"):
        return las.Las(**config)
    if name.startswith("vae"):
        return generative.Vae(**config)
    if name.startswith("gan"):
        return generative.Gan(**config)
    if kind in CELLS:
        return models.Recurrent(CELLS[kind], **config)
    if kind in ("cnn1d", "cnn2d"):
        return models.Cnn(int(kind[3]), **config)
    title = "".join(part.title() for part in kind.split("_"))
    return getattr(models, title)(**config)


def main():
    OUT.mkdir(exist_ok=True)
    for name, form in NAMES.items():
        metadata, tensors = read(HERE / "models" / f"{name}.safetensors")
        twin = twin_of(name, json.loads(metadata["config"]))
        with torch.no_grad():
            for path, (tensor, axes) in twin.tensors().items():
                ours = tensors.get(f"param.{path}", tensors.get(f"state.{path}"))
                axes = list(axes)
                theirs = tensor.flatten(len(axes) - 1)
                there = [theirs.shape[axis] for axis in axes]
                back = [axes.index(axis) for axis in range(len(axes))]
                tensor.copy_(ours.reshape(there).permute(*back).reshape(tensor.shape))
        state = {key: value.contiguous().clone() for key, value in twin.float().state_dict().items()}
        if form == "nested":
            state = {"epoch": 3, "note": "not a tensor", "state_dict": state}
        torch.save(state, OUT / f"{name}.pt", _use_new_zipfile_serialization=form != "legacy")


if __name__ == "__main__":
    main()
