#!/usr/bin/env python3
"""Makes recordings beside it, by ffmpeg 5.1 and sox 14.4: half a second at 16 kHz, a faint tone with
a click at sample 5000, so that a shift by one sample is seen.

    click.m4a    AAC, with the edit list that leaves out the encoder's delay
    late.m4a     the same with its box `moov` in front
    alac.m4a     Apple Lossless, which is not read
    ima.wav, ms.wav, alaw.wav, mulaw.wav

Not made by it: click.mp3, such a sound by LAME 3.100 alone, and copied.mp3, its frames after
`ffmpeg -c copy`, which changes the tag and leaves its checksum; damaged.ogg, a vorbis stream whose
damage makes symphonia 0.6.1 panic.
"""

import math
import os
import struct
import subprocess

os.chdir(os.path.dirname(os.path.abspath(__file__)))
RATE, COUNT, CLICK = 16000, 8000, 5000
samples = [round(300 * math.sin(2 * math.pi * 440 * n / RATE)) for n in range(COUNT)]
samples[CLICK] = 29000
data = struct.pack(f"<{COUNT}h", *samples)
header = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt "
header += struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
with open("click.wav", "wb") as file:
    file.write(header + b"data" + struct.pack("<I", len(data)) + data)


def ffmpeg(*words):
    exact = ["-fflags", "+bitexact", "-flags:a", "+bitexact"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *words[:2], *exact, *words[2:]], check=True)


ffmpeg("-i", "click.wav", "-c:a", "aac", "-b:a", "48k", "click.m4a")
ffmpeg("-i", "click.m4a", "-c", "copy", "-movflags", "+faststart", "late.m4a")
ffmpeg("-i", "click.wav", "-t", "0.05", "-c:a", "alac", "alac.m4a")
for name, encoding in [("ima", "ima-adpcm"), ("ms", "ms-adpcm"), ("alaw", "a-law"), ("mulaw", "u-law")]:
    subprocess.run(["sox", "-D", "click.wav", "-e", encoding, f"{name}.wav"], check=True)
os.remove("click.wav")
