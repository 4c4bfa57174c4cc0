"""Recordings, features and augmentation of the PyTorch side of whole_run.py, by the settings of a run's config.toml.

Sound is NumPy's; soundfile decodes, soxr resamples. Features are made of a whole batch at once by `torch.stft`:
frames are centred and beyond the ends lies silence, so padding changes no frame. Random numbers are NumPy's, so
augmentations have Sori's settings and not its draws. What is not done here is refused by name.
"""

import functools
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

KINDS = {"log-mel", "log1p-spectrogram"}
# In the order in which they are applied; `mix` and `spec_augment` are not of one waveform.
AUGMENTATIONS = ["speed", "crop", "pitch", "shift", "noise", "gain", "equalizer"]
LOWEST_BAND_HZ = 125.0
LEVEL_WINDOW_S = 0.1
SILENCE_DB = -80.0


def refuse(what):
    raise SystemExit(f"whole_run_peer.py has no {what}")


def load(path, rate):
    """A file's samples, of one channel, at a sample rate."""
    samples, native = soundfile.read(path, dtype="float32", always_2d=True)
    samples = samples[:, 0] if samples.shape[1] == 1 else samples.mean(1)
    return samples if native == rate else soxr.resample(samples, native, rate)


class Files:
    """Recordings of one file each, decoded once and kept."""

    def __init__(self, paths, rate, threads):
        with ThreadPoolExecutor(threads) as pool:
            self.sounds = list(pool.map(lambda path: load(path, rate), paths))

    def __getitem__(self, index):
        return self.sounds[index]

    def lengths(self):
        return [len(sound) for sound in self.sounds]


class Joined:
    """Connected digits: files that are decoded once and kept, joined with pauses when they are wanted, and white
    noise over it all. `utterances` is what whole_run.py lists: Sori's own pieces, pauses and levels; the samples of
    the noise are NumPy's."""

    def __init__(self, utterances, rate, threads):
        self.utterances, self.rate = utterances, rate
        paths = sorted({path for one in utterances for path, _ in one["pieces"]})
        self.files = dict(zip(paths, Files(paths, rate, threads).sounds))

    def __getitem__(self, index):
        one = self.utterances[index]
        silence = lambda ms: np.zeros(ms * self.rate // 1000, np.float32)
        parts = [part for path, pause in one["pieces"] for part in (silence(pause), self.files[path])]
        sound = np.concatenate([*parts, silence(one["tail_ms"])])
        return with_noise(sound, one["snr_db"], np.random.default_rng(index))

    def lengths(self):
        """Without joining anything."""
        pause = lambda ms: ms * self.rate // 1000
        return [sum(len(self.files[path]) + pause(ms) for path, ms in one["pieces"]) + pause(one["tail_ms"])
                for one in self.utterances]


def corpus(spec, ids, rate, threads, listing):
    """The sounds of all parts, and what each recording says or is, in the order of `ids`."""
    name, folder = spec.split("?")[0].split(":", 1)
    folder = Path(folder)
    if name == "fsdd":
        folder = folder / "recordings" if (folder / "recordings").is_dir() else folder
        return Files([folder / f"{id}.wav" for id in ids], rate, threads), [id[0] for id in ids]
    if name == "esc":
        found = {path.stem: path for path in folder.glob("*/*.ogg")}
        paths = [found[id.rsplit("/", 1)[-1]] for id in ids]
        return Files(paths, rate, threads), [path.parent.name.split(" - ", 1)[-1] for path in paths]
    if name == "digits":
        listed = {one["id"]: one for one in map(json.loads, Path(listing).read_text().splitlines())}
        utterances = [listed[id] for id in ids]
        return Joined(utterances, rate, threads), [one["text"] for one in utterances]
    refuse(f"corpus {name}")


# Augmentation of one waveform.


def power(sound):
    return float(np.dot(sound, sound)) / max(len(sound), 1)


def with_noise(sound, snr_db, rng, kind="white"):
    noise = rng.standard_normal(len(sound), np.float32)
    if kind == "pink":
        spectrum = np.fft.rfft(noise)
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        noise = np.fft.irfft(spectrum, len(sound)).astype(np.float32)
    signal, added = power(sound), power(noise)
    if signal == 0.0 or added == 0.0:
        return sound
    return sound + noise * np.float32(math.sqrt(signal / added) * 10 ** (-snr_db / 20))


def faster(sound, factor, rate):
    return soxr.resample(sound, rate * factor, rate)


def stretched(sound, factor, rate):
    """Another tempo at the same pitch, by the phase vocoder that torchaudio and librosa have."""
    size = 1 << max(4, math.ceil(math.log2(0.046 * rate)))
    hop, window = size // 4, torch.hann_window(size)
    frames = torch.stft(torch.from_numpy(sound), size, hop, window=window, pad_mode="constant", return_complex=True)
    times = torch.arange(0, frames.shape[1], factor)
    below, share = times.long(), (times % 1)[None]
    frames = torch.nn.functional.pad(frames, (0, 2))
    now, after = frames[:, below], frames[:, below + 1]
    advance = (math.pi * hop / (size // 2)) * torch.arange(frames.shape[0])[:, None]
    turn = after.angle() - now.angle() - advance
    turn = turn - 2 * math.pi * torch.round(turn / (2 * math.pi)) + advance
    phase = torch.cat([now.angle()[:, :1], turn[:, :-1]], 1).cumsum(1)
    laid = torch.polar(share * after.abs() + (1 - share) * now.abs(), phase)
    return torch.istft(laid, size, hop, window=window, length=round(len(sound) / factor)).numpy()


def repitched(sound, semitones, rate):
    factor = 2 ** (semitones / 12)
    changed = faster(stretched(sound, 1 / factor, rate), factor, rate)[: len(sound)]
    return np.pad(changed, (0, len(sound) - len(changed)))


def equalized(sound, settings, rng, rate):
    """A gain for each octave, linear in octaves between two, in the spectrum of the whole sound."""
    bands = max(0, math.ceil(math.log2(rate / 2 / LOWEST_BAND_HZ))) + 1
    gains = rng.uniform(settings["min_db"], settings["max_db"], bands)
    size = 1 << (len(sound) + rate // 32).bit_length()
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / rate), LOWEST_BAND_HZ) / LOWEST_BAND_HZ)
    curve = (10 ** (np.interp(octaves, np.arange(bands), gains) / 20)).astype(np.float32)
    filtered = np.fft.irfft(np.fft.rfft(sound, size) * curve, size)[: len(sound)].astype(np.float32)
    now = power(filtered)
    return filtered * np.float32(math.sqrt(power(sound) / now)) if now > 0.0 else filtered


@functools.cache
def level_window(rate):
    """Hann's window of a tenth of a second, and the A-weighting of its bins."""
    length = int(rate * LEVEL_WINDOW_S)
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    square = np.fft.rfftfreq(length, 1 / rate) ** 2
    first, second, third, last = (square + pole**2 for pole in (20.6, 107.7, 737.9, 12_194.0))
    amplitude = 12_194.0**2 * square**2 / (first * last)
    weights = 1.584893 * amplitude**2 / (second * third) * 2 / (length * (window**2).sum())
    return window, weights.astype(np.float32)


def level_db(sound, rate):
    """The A-weighted level of the loudest tenth of a second."""
    window, weights = level_window(rate)
    hop = len(window) // 2
    count = max(0, math.ceil((len(sound) - len(window)) / hop)) + 1
    sound = np.pad(sound, (0, max(0, (count - 1) * hop + len(window) - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(sound, len(window))[::hop]
    spectrum = np.fft.rfft(frames * window)
    loudest = ((spectrum.real**2 + spectrum.imag**2) @ weights).max()
    return max(10 * math.log10(loudest), SILENCE_DB) if loudest > 0.0 else SILENCE_DB


def between_classes(a, b, ratio, rate):
    """Tokozume et al. 2018: the two are heard in the ratio."""
    p = ratio / (ratio + 10 ** ((level_db(a, rate) - level_db(b, rate)) / 20) * (1 - ratio))
    mixed, norm = np.zeros(max(len(a), len(b)), np.float32), math.hypot(p, 1 - p)
    mixed[: len(a)] = np.float32(p / norm) * a
    mixed[: len(b)] += np.float32((1 - p) / norm) * b
    return mixed


class Augment:
    """The augmentations that the settings turn on. Its random numbers begin anew in each worker."""

    def __init__(self, settings, rate):
        self.settings, self.rate, self.rng = settings, rate, np.random.default_rng(0)
        on = {name for name, one in settings.items() if one["probability"] > 0.0}
        if unknown := sorted(on - {*AUGMENTATIONS, "stretch", "spec_augment", "mix"}):
            refuse(f"augmentation {', '.join(unknown)}")
        if "noise" in on and settings["noise"]["folder"]:
            refuse("noise from a folder")
        self.names = [name for name in [AUGMENTATIONS[0], "stretch", *AUGMENTATIONS[1:]] if name in on]
        self.masks, self.mixes = "spec_augment" in on, settings["mix"]["kind"] if "mix" in on else None
        self.of_waveforms = bool(self.names) or self.mixes == "between-class"

    def seed(self, seed):
        self.rng = np.random.default_rng(seed)

    def acts(self, name):
        return self.rng.random() < self.settings[name]["probability"]

    def waveform(self, sound):
        for name in self.names:
            if self.acts(name):
                sound = self.apply(name, sound, self.settings[name])
        return sound

    def apply(self, name, sound, one):
        between = lambda what: self.rng.uniform(one[f"min_{what}"], one[f"max_{what}"])
        match name:
            case "speed":
                return faster(sound, between("factor"), self.rate)
            case "stretch":
                return stretched(sound, between("factor"), self.rate)
            case "crop":
                kept = one["seconds"] * self.rate or between("fraction") * len(sound)
                kept = min(max(round(kept), 1), len(sound))
                start = self.rng.integers(len(sound) - kept + 1)
                return sound[start : start + kept]
            case "pitch":
                return repitched(sound, between("semitones"), self.rate)
            case "shift":
                later = round(self.rng.uniform(-1, 1) * one["max_fraction"] * len(sound))
                moved = np.roll(sound, later)
                if not one["wrap"] and later:
                    moved[slice(0, later) if later > 0 else slice(later, None)] = 0.0
                return moved
            case "noise":
                return with_noise(sound, between("snr_db"), self.rng, one["kind"])
            case "gain":
                return sound * np.float32(10 ** (between("db") / 20))
            case "equalizer":
                return equalized(sound, one, self.rng, self.rate)

    def mix_ratio(self):
        """The share of a recording in its mixture; 1 where it stays alone."""
        if not self.mixes or not self.acts("mix"):
            return 1.0
        alpha = self.settings["mix"]["alpha"]
        return self.rng.random() if self.mixes == "between-class" else self.rng.beta(alpha, alpha)

    def mask(self, x, lengths):
        """Bands and stretches of `[batch, frames, bins]` set to 0, in place."""
        one = self.settings["spec_augment"]
        span = lambda count, widest: (width := self.rng.integers(min(widest, count) + 1),
                                      self.rng.integers(count - width + 1))
        for row, frames in zip(x, lengths):
            if not self.acts("spec_augment"):
                continue
            for _ in range(one["num_bands"] if x.shape[2] > 1 else 0):
                width, start = span(x.shape[2], one["max_bins"])
                row[:, start : start + width] = 0.0
            for _ in range(one["num_stretches"]):
                width, start = span(frames, min(one["max_frames"], int(one["max_fraction"] * frames)))
                row[start : start + width] = 0.0


# Features.


def slaney_filters(bins, size, rate, low, high):
    """librosa's mel filters, `[bins, size / 2 + 1]`."""
    step = math.log(6.4) / 27
    to_mel = lambda hz: hz * 3 / 200 if hz < 1000 else 15 + math.log(hz / 1000) / step
    mels = np.linspace(to_mel(low), to_mel(high or rate / 2), bins + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))
    ramps = edges[:, None] - np.fft.rfftfreq(size, 1 / rate)[None]
    widths = np.diff(edges)[:, None]
    rises, falls = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]
    filters = np.maximum(0, np.minimum(rises, falls)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return torch.from_numpy(filters.astype(np.float32))


class Features:
    """Waveforms to normalised features `[batch, frames, bins]`, zero past each row's frames, and those frames."""

    def __init__(self, settings):
        expected = {"window": "hann", "centered": True, "pad_mode": "constant", "mel_scale": "slaney",
                    "mel_norm": "slaney", "deltas": 0}
        for key, value in expected.items():
            if settings[key] != value:
                refuse(f"features with {key} = {settings[key]}")
        if settings["kind"] not in KINDS:
            refuse(f"features of kind {settings['kind']}")
        self.settings, self.rate = settings, settings["sample_rate_hz"]
        samples = lambda ms: round(ms * self.rate / 1000)
        self.hop, self.length = samples(settings["hop_ms"]), samples(settings["window_ms"])
        self.size = settings["fft_size"] or 1 << (self.length - 1).bit_length()
        self.window = torch.hann_window(self.length)
        low, high = settings["min_hz"], settings["max_hz"]
        is_mel = settings["kind"] == "log-mel"
        self.filters = slaney_filters(settings["num_mels"], self.size, self.rate, low, high) if is_mel else None
        self.mean = self.scale = None

    def plain(self, sounds):
        """Without normalisation; what lies past a row's frames is left as it is."""
        lengths = torch.tensor([len(sound) // self.hop + 1 for sound in sounds])
        padded = torch.zeros(len(sounds), max(map(len, sounds)))
        for row, sound in zip(padded, sounds):
            row[: len(sound)] = torch.from_numpy(sound)
        spectrum = torch.stft(padded, self.size, self.hop, self.length, self.window, center=True,
                              pad_mode="constant", return_complex=True)
        if self.filters is None:
            return spectrum.abs().log1p_().transpose(1, 2), lengths
        mels = self.filters @ torch.view_as_real(spectrum).square().sum(-1)
        return mels.clamp_min_(self.settings["log_floor"]).log_().transpose(1, 2), lengths

    def measure(self, batches):
        """Takes the mean and deviation of the training part from what `plain` made of it."""
        sums = [(x[row, :frames].double(), int(frames)) for x, lengths in batches for row, frames in enumerate(lengths)]
        count = sum(frames for _, frames in sums)
        self.mean = sum(x.sum(0) for x, _ in sums) / count
        deviation = (sum((x - self.mean).square().sum(0) for x, _ in sums) / count).sqrt()
        self.mean, self.scale = self.mean.float(), torch.where(deviation < 1e-5, 1.0, 1 / deviation).float()

    def normalized(self, x, lengths):
        valid = (torch.arange(x.shape[1]) < lengths[:, None])[:, :, None]
        if self.settings["normalize"] == "utterance":
            x = x * valid
            mean = x.sum(1, keepdim=True) / lengths[:, None, None]
            x = x - mean
            deviation = ((x * valid).square().sum(1, keepdim=True) / lengths[:, None, None]).sqrt()
            x = x / torch.where(deviation < 1e-5, 1.0, deviation)
        elif self.settings["normalize"] == "corpus":
            x = (x - self.mean) * self.scale
        return x * valid

    def __call__(self, sounds):
        x, lengths = self.plain(sounds)
        return self.normalized(x, lengths), lengths
