# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "librosa==0.11.0",
#     "numpy==2.4.6",
#     "scipy==1.17.1",
#     "soundfile==0.14.0",
#     "soxr==1.1.0",
# ]
# ///
"""Writes what librosa, soxr and libsndfile make of a synthetic signal, for
datasets/tests/golden_features.rs.

    uv run tests/golden/features.py          (or any Python with the packages above)

Into the folder `features` beside it:
  cases.json     the configurations, each with the shape of its features
  expected.npy   the features of all cases, one after another, float32
  signal.npy     the signal, float32, 16 kHz
  resample.json  pairs of sample rates, each with the length soxr gives 0.1 s of faded tones
  resample.npy   its samples, one after another, float32
  tone.*         a tone of 0.25 s in each compressed format (an ogg stream's serial number is
                 random, so that file differs from run to run)
"""

import itertools
import json
import pathlib

import librosa
import numpy as np
import soundfile
import soxr

RATE = 16000
OUT = pathlib.Path(__file__).with_suffix("")


def signal():
    """A quarter of a second: two tones, a sweep and a little noise, beginning softly."""
    rng = np.random.default_rng(0)
    t = np.arange(4000) / RATE
    x = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.1 * np.sin(2 * np.pi * 3150 * t)
    x += 0.2 * np.sin(2 * np.pi * (200 * t + 0.5 * 24000 * t**2))
    x = x * np.minimum(1, t / 0.05) + 0.01 * rng.standard_normal(len(t))
    return x.astype(np.float32)


# The defaults of FeatureConfig.
DEFAULTS = dict(
    kind="log-mel", sample_rate_hz=RATE, window_ms=25.0, hop_ms=10.0, fft_size=0, window="hann",
    centered=True, pad_mode="constant", num_mels=40, mel_scale="slaney", mel_norm="slaney",
    min_hz=0.0, max_hz=0.0, log_floor=1e-10, top_db=80.0, num_mfccs=13, deltas=0,
    normalize="none",
)


def features(x, given):
    """Features [frames, bins] by librosa."""
    c = DEFAULTS | given
    window = round(c["window_ms"] * RATE / 1000)
    n_fft = c["fft_size"] or 1 << (window - 1).bit_length()
    # In float64, so that the values are those of the definition rather than of an FFT in 32 bits.
    stft = np.abs(librosa.stft(
        x.astype(np.float64), n_fft=n_fft, win_length=window, window=c["window"],
        hop_length=round(c["hop_ms"] * RATE / 1000), center=c["centered"],
        pad_mode=c["pad_mode"],
    ))
    top_db = c["top_db"] or None
    mel = librosa.feature.melspectrogram(
        S=stft**2, sr=RATE, n_fft=n_fft, n_mels=c["num_mels"], fmin=c["min_hz"],
        fmax=c["max_hz"] or None, htk=c["mel_scale"] == "htk",
        norm=None if c["mel_norm"] == "none" else c["mel_norm"], dtype=np.float64,
    )
    mel_db = librosa.power_to_db(mel, amin=c["log_floor"], top_db=top_db)
    y = {
        "spectrogram": lambda: stft,
        "power-spectrogram": lambda: stft**2,
        "log1p-spectrogram": lambda: np.log1p(stft),
        "mel": lambda: mel,
        "log-mel": lambda: np.log(np.maximum(mel, c["log_floor"])),
        "mel-db": lambda: mel_db,
        "mfcc": lambda: librosa.feature.mfcc(S=mel_db, n_mfcc=c["num_mfccs"]),
    }[c["kind"]]()
    y = np.concatenate([y] + [librosa.feature.delta(y, order=n + 1) for n in range(c["deltas"])])
    if c["normalize"] == "utterance":
        y = (y - y.mean(1, keepdims=True)) / y.std(1, keepdims=True)
    return y.T


def grid():
    """Configurations that differ from the defaults in every option, most in two at once."""
    for kind in ["spectrogram", "power-spectrogram", "log1p-spectrogram"]:
        yield dict(kind=kind, hop_ms=40.0)
    for window_ms, fft_size in [(25, 400), (20, 0), (20, 320), (19.9375, 319), (25, 1024), (32, 0), (10, 247)]:
        yield dict(kind="spectrogram", window_ms=float(window_ms), fft_size=fft_size, hop_ms=50.0)
    for window, centered in itertools.product(["hann", "hamming"], [True, False]):
        yield dict(kind="mel", window=window, centered=centered)
        yield dict(window=window, centered=centered, fft_size=400, pad_mode="reflect")
    for scale, norm in itertools.product(["slaney", "htk"], ["none", "slaney"]):
        yield dict(kind="mel", mel_scale=scale, mel_norm=norm, num_mels=23)
        yield dict(mel_scale=scale, mel_norm=norm, num_mels=80, fft_size=400, min_hz=20.0, max_hz=7600.0)
    for top_db in [0.0, 30.0, 80.0]:
        yield dict(kind="mel-db", top_db=top_db)
        yield dict(kind="mfcc", top_db=top_db)
    yield dict(kind="mfcc", num_mels=64, num_mfccs=40, hop_ms=8.0, mel_scale="htk", mel_norm="none")
    yield dict(log_floor=1e-3)
    for kind, deltas in itertools.product(["log-mel", "mfcc"], [1, 2]):
        yield dict(kind=kind, deltas=deltas)
    yield dict(normalize="utterance")
    yield dict(kind="mfcc", deltas=2, normalize="utterance", window="hamming", hop_ms=5.0)


def write_features(x):
    cases, expected = [], []
    for config in grid():
        y = features(x, config)
        cases.append(dict(config=config, frames=y.shape[0], bins=y.shape[1]))
        expected.append(y.astype(np.float32).ravel())
    np.save(OUT / "signal.npy", x)
    np.save(OUT / "expected.npy", np.concatenate(expected))
    lines = ",\n".join(json.dumps(case) for case in cases)
    (OUT / "cases.json").write_text(f"[\n{lines}\n]\n")


def write_resampled():
    """Tones up to 0.85 of the narrower band, faded, so that the ends do not matter."""
    cases, samples = [], []
    for from_hz, to_hz in [(44100, 16000), (8000, 16000), (16000, 8000), (22050, 16000), (48000, 44100)]:
        t = np.arange(from_hz // 10) / from_hz
        tones = [np.sin(np.pi * part * min(from_hz, to_hz) * t) for part in [0.01, 0.11, 0.37, 0.62, 0.85]]
        x = 0.2 * sum(tones) * np.sin(np.pi * t / 0.1) ** 2
        y = soxr.resample(x, from_hz, to_hz, quality="VHQ")
        cases.append(dict(from_hz=from_hz, to_hz=to_hz, samples=len(y)))
        samples.append(y.astype(np.float32))
    np.save(OUT / "resample.npy", np.concatenate(samples))
    (OUT / "resample.json").write_text(json.dumps(cases) + "\n")


def write_tones():
    """`0.5 sin(2π 440 t)`, in the second of two channels half as loud."""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)
    soundfile.write(OUT / "tone.flac", tone, RATE, subtype="PCM_16")
    soundfile.write(OUT / "tone_stereo.flac", np.stack([tone, tone / 2], 1), RATE, subtype="PCM_24")
    soundfile.write(OUT / "tone.ogg", tone, RATE, format="OGG", subtype="VORBIS")
    soundfile.write(OUT / "tone.mp3", tone, RATE, format="MP3", subtype="MPEG_LAYER_III")


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    write_features(signal())
    write_resampled()
    write_tones()
