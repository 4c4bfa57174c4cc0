"""Writes the good and bad recordings that the transcripts beside this file use. Standard library alone.

    python tests/command_line/make_recordings.py
"""

import math
import struct
from pathlib import Path

FOLDERS = {
    "garbage.in": None,  # all of them
    "run.in": ["tone.wav", "long.wav", "empty.wav", "text.wav", "cut.wav", "stranger.jsonl", "bad.jsonl"],
}
RATE = 8000


def wav(samples, code="h", kind=1, promised=None):
    data = struct.pack(f"<{len(samples)}{code}", *samples)
    width = struct.calcsize(code)
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, kind, 1, RATE, RATE * width, width, width * 8)
    body = head + struct.pack("<4sI", b"data", promised or len(data)) + data
    return struct.pack("<4sI4s", b"RIFF", 4 + len(head) + 8 + (promised or len(data)), b"WAVE") + body


def tone(hz, seconds):
    return [round(9000 * math.sin(2 * math.pi * hz * t / RATE)) for t in range(int(seconds * RATE))]


good = wav(tone(440, 0.2))
files = {
    "tone.wav": good,
    "long.wav": wav(tone(697, 1.6)),
    "empty.wav": b"",
    "text.wav": b"this is not a recording\n",
    "cut.wav": good[: len(good) // 2],
    "no-samples.wav": wav([]),
    "nan.wav": wav([0.0, 0.1, float("nan"), 0.2] * 200, "f", 3),
    "broken.jsonl": b'{"audio": "tone.wav", "label": "a"}\n{"audio": "tone.wav", "label": \n',
    "missing.jsonl": b'{"audio": "tone.wav", "label": "a"}\n{"audio": "gone.wav", "label": "b"}\n',
    "unlabelled.jsonl": b'{"audio": "tone.wav"}\n',
    "mixed.jsonl": b'{"audio": "tone.wav", "label": "a"}\n{"audio": "long.wav", "text": "b"}\n',
    "stranger.jsonl": b'{"audio": "tone.wav", "label": "elephant"}\n',
    "bad.jsonl": b"".join(
        b'{"audio": "%s.wav", "label": "%s"}\n' % pair
        for pair in [(b"tone", b"a"), (b"long", b"a"), (b"empty", b"a"), (b"cut", b"b"), (b"gone", b"b")]
    ),
    "unknown.toml": b"[train]\nepoch = 3\n",
    "broken.toml": b"[train\n",
    "wrong-type.toml": b'[train]\nepochs = "many"\n',
}
for folder, names in FOLDERS.items():
    out = Path(__file__).parent / folder
    out.mkdir(exist_ok=True)
    for name in names or files:
        (out / name).write_bytes(files[name])
