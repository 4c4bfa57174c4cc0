"""How soon `sori predict --stream` writes down what is said, how fast it is, and what memory it takes.

    cargo build --release
    python benches/peers/stream.py RUN SOUND.wav [--hours 1]

The sound, 16 bit and of one channel, goes through a pipe: once as fast as it would be recorded, in pieces
of 20 ms, each sent when its last sample would have been heard; once repeated to a minute, as fast as it is
taken; and repeated to `--hours`. One thread computes. Needs nothing but Python.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import wave
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIECE_S = 0.02


def command(args, rate):
    binary = os.environ.get("SORI", ROOT / "target" / "release" / "sori")
    return [binary, "predict", args.run, "--stream", "--json", "--rate", str(rate), "--threads", "1",
            "--chunk-ms", str(args.chunk_ms)]


def in_real_time(args, rate, sound):
    """Seconds from a sound to the line that has it: from its first sample by the decoder's own times, and
    from the last sample that the line was made of."""
    child = subprocess.Popen(command(args, rate), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lines = []

    def read():
        for line in child.stdout:
            lines.append((time.monotonic(), json.loads(line)))

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(args.warm_up_s)
    piece = int(rate * PIECE_S) * 2
    start = time.monotonic()
    for sent in range(0, len(sound), piece):
        due = start + (sent + piece) / 2 / rate
        time.sleep(max(0.0, due - time.monotonic()))
        child.stdin.write(sound[sent:sent + piece])
        child.stdin.flush()
    child.stdin.close()
    reader.join()
    child.wait()
    partial = [(at - start, line) for at, line in lines if line["partial"]]
    last = lines[-1][1]
    since_said = [at - line["said_s"] for at, line in partial]
    since_heard = [at - line["time_s"] for at, line in partial]
    return since_said, since_heard, last


def flat_out(args, rate, sound, seconds):
    """Seconds of processor time, of the clock, and the largest memory in MiB, for so much sound."""
    child = subprocess.Popen(command(args, rate), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    start = time.monotonic()
    left = int(seconds * rate) * 2
    while left > 0:
        child.stdin.write(sound[:left])
        left -= len(sound)
    child.stdin.close()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    if status != 0:
        sys.exit("the command failed")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024


def row(name, values):
    if not values:
        return print(f"{name}: nothing is said")
    print(f"{name}: median {statistics.median(values):.3f} s, largest {max(values):.3f} s of {len(values)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("sound")
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--chunk-ms", type=int, default=50)
    parser.add_argument("--warm-up-s", type=float, default=1.0, help="for the model to be loaded")
    args = parser.parse_args()
    with wave.open(args.sound) as file:
        if file.getsampwidth() != 2 or file.getnchannels() != 1:
            sys.exit("the sound must be of 16 bits and one channel")
        rate, sound = file.getframerate(), file.readframes(file.getnframes())

    since_said, since_heard, last = in_real_time(args, rate, sound)
    print(f"says: {last['text']}")
    print(f"what it waits for by design: {last['latency_s']:.3f} s, and up to a chunk of {args.chunk_ms} ms")
    row("from the first sample of a symbol's step to its line", since_said)
    row("from the last sample a line is made of to the line", since_heard)

    # The start of the process and the loading of the model do not count.
    idle, _, _ = flat_out(args, rate, sound, 1.0)
    busy, clock, memory = flat_out(args, rate, sound, 61.0)
    print(f"a minute of sound: {busy - idle:.2f} s of processor time, a real-time factor of {(busy - idle) / 60:.4f}; "
          f"{(busy - idle) / 60 * args.chunk_ms:.2f} ms a chunk; {memory:.1f} MiB")
    if args.hours > 0:
        busy, clock, memory = flat_out(args, rate, sound, 3600 * args.hours)
        print(f"{args.hours:g} h of sound: {busy:.1f} s of processor time, {clock:.1f} s by the clock, {memory:.1f} MiB")


main()
