"""Scores of the published musicnn, from its checkpoints by NumPy alone in double precision. Needs numpy 2.4.6.

    pip download --no-deps musicnn==0.1.0
    python tests/golden/musicnn.py musicnn-0.1.0-py3-none-any.whl

writes tests/golden/musicnn.json, which tests/published/mod.rs reads: for each model the scores of its fifty tags for the
sound of `sound()`, which is as long as the 187 frames that the networks were trained on. Features and network follow
musicnn/extractor.py and musicnn/models.py of the wheel, with the layers' defaults of TensorFlow 1.14 and of librosa
0.7, the versions of its day: batch norm adds 1e-3, a recording is mirrored at its ends. Features are not rounded to
half precision, as extractor.py rounds them.
"""

import io
import json
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

RATE, HOP, FFT, MELS, FRAMES = 16000, 256, 512, 96, 187
TAGS = {"musicnn_mtt": "MTT", "musicnn_msd": "MSD"}


def sound():
    """Four plucked notes, each of five partials, over a pulse of noise-like high tones."""
    t = np.arange((FRAMES - 1) * HOP) / RATE
    x = np.zeros_like(t)
    for index, pitch in enumerate([196.0, 246.9, 293.7, 392.0]):
        since = t - 0.7 * index
        ring = np.where(since >= 0, np.exp(-3.0 * np.maximum(since, 0)), 0.0)
        for partial in range(1, 6):
            x += 0.2 / partial * ring * np.sin(2 * np.pi * pitch * partial * t)
    pulse = np.exp(-30.0 * (t % 0.35))
    for tone in [3111.0, 4177.0, 5233.0, 6299.0]:
        x += 0.02 * pulse * np.sin(2 * np.pi * tone * t)
    return x


def varint(f):
    number = shift = 0
    while True:
        (byte,) = f.read(1)
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number


def message(raw):
    """The fields of a protocol buffer: number to a list of values."""
    fields, f = {}, io.BytesIO(raw)
    while f.tell() < len(raw):
        key = varint(f)
        kind = key & 7
        if kind == 0:
            value = varint(f)
        elif kind == 2:
            value = f.read(varint(f))
        else:
            value = f.read({1: 8, 5: 4}[kind])
        fields.setdefault(key >> 3, []).append(value)
    return fields


def block(raw, start, size):
    """The entries of a block of a LevelDB table that is not packed."""
    assert raw[start + size] == 0
    contents = raw[start : start + size]
    end = size - 4 - 4 * struct.unpack("<I", contents[-4:])[0]
    f, key = io.BytesIO(contents), b""
    while f.tell() < end:
        shared, own, length = varint(f), varint(f), varint(f)
        key = key[:shared] + f.read(own)
        yield key, f.read(length)


def checkpoint(wheel, folder):
    index, data = (wheel.read(f"{folder}/{name}") for name in (".index", ".data-00000-of-00001"))
    footer = io.BytesIO(index[-48:])
    varint(footer), varint(footer)
    tensors = {}
    for _, handle in block(index, varint(footer), varint(footer)):
        handle = io.BytesIO(handle)
        for key, value in block(index, varint(handle), varint(handle)):
            entry = message(value)
            if not key or entry[1] != [1]:
                continue
            sizes = [message(size).get(1, [0])[0] for size in message(entry.get(2, [b""])[0]).get(2, [])]
            start = entry.get(4, [0])[0]
            values = np.frombuffer(data[start : start + entry[5][0]], "<f4")
            tensors[key.decode()] = values.reshape(sizes).astype(float)
    return tensors


def mel_filters(rate=RATE, size=FFT, mels=MELS):
    """Slaney's mel scale and norm, as librosa.filters.mel."""
    to_hz = lambda mel: np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
    top = 15 + 27 / np.log(6.4) * np.log(rate / 2 / 1000)
    edges = to_hz(np.linspace(0, top, mels + 2))
    hz = np.arange(size // 2 + 1) * rate / size
    up = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(up, down)) * (2 / (edges[2:] - edges[:-2]))[:, None]


def features(x):
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)
    frames = sliding_window_view(np.pad(x, FFT // 2, mode="reflect"), FFT)[::HOP]
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    return np.log10(10000 * power @ mel_filters().T + 1)


def network(t, x):
    def norm(x, index):
        name = "batch_normalization" + (f"_{index}" if index else "")
        mean, variance = t[f"{name}/moving_mean"], t[f"{name}/moving_variance"]
        return (x - mean) / np.sqrt(variance + 1e-3) * t[f"{name}/gamma"] + t[f"{name}/beta"]

    def layer(name, index):
        name += f"_{index}" if index else ""
        return t[f"{name}/kernel"], t[f"{name}/bias"]

    relu = lambda x: np.maximum(x, 0)

    def conv(x, index, before, after):
        """[frames, bins] by kernels [time, bins, 1, channels] to [frames, bands, channels]."""
        kernel, bias = layer("conv2d", index)
        x = np.pad(x, [(before, after), (0, 0)])
        x = sliding_window_view(x, kernel.shape[:2])
        return relu(np.einsum("tbij,ijc->tbc", x, kernel[:, :, 0], optimize=True) + bias)

    x = norm(x[..., None], 0)[..., 0]
    front = []
    # TensorFlow pads an even kernel with one more behind than ahead.
    for index, before, after in [(0, 3, 3), (1, 3, 3), (2, 63, 64), (3, 31, 32), (4, 15, 16)]:
        front.append(norm(conv(x, index, before, after), index + 1).max(1))
    below = np.concatenate(front, 1)
    layers = [below]
    for index in range(3):
        y = norm(conv(below, index + 5, 3, 3)[:, 0], index + 6)
        below = y + below if index else y
        layers.append(below)
    x = np.concatenate(layers, 1)
    x = np.stack([x.max(0), x.mean(0)], 1).flatten()  # the two of a channel side by side
    kernel, bias = layer("dense", 0)
    x = norm(relu(norm(x, 9) @ kernel + bias), 10)
    kernel, bias = layer("dense", 1)
    return 1 / (1 + np.exp(-(x @ kernel + bias)))


def main():
    wheel = zipfile.ZipFile(sys.argv[1])
    x = features(sound())
    assert x.shape == (FRAMES, MELS)
    labels = {}
    exec(wheel.read("musicnn/configuration.py"), labels)
    found = {"numpy": np.__version__}
    for name, data in TAGS.items():
        scores = network(checkpoint(wheel, f"musicnn/{data}_musicnn"), x)
        found[name] = {label: round(float(score), 7) for label, score in zip(labels[f"{data}_LABELS"], scores)}
        best = sorted(found[name].items(), key=lambda it: -it[1])[:10]
        print(name, best)
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
