"""Sori beside PyTorch and librosa on this machine: step times, memory, features, cold start.

    cargo build --release
    python benches/peers/side_by_side.py > benches/peers/RESULTS.md

needs torch and librosa. Each preset is timed in turns, Sori's process and then the peer's, several rounds
in one go; a process takes at least seven timed steps after its warm-up. The table has the median over the
rounds of the processes' medians, and the largest peak memory. `--only NAME…` leaves the rest out.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from datetime import date
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEER = [sys.executable, str(Path(__file__).with_name("torch_peer.py"))]
STEPS = [
    "mlp", "cnn1d", "cnn2d", "dilated_cnn", "sample_cnn", "res_cnn", "fcn", "crnn", "musicnn", "matchboxnet",
    "random_wired", "rnn", "lstm", "gru", "attention", "deep_speech2", "ctc", "las",
]
# Shown beside the others, and no part of their mean.
WITHOUT_BAR = {"rnn"}
# This machine may name a kernel for an older OpenBLAS, which slows the NumPy that librosa runs on.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}


def output(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, env={**ENVIRONMENT, **more})
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return done.stdout


class Sides:
    """What the rounds of the two sides of a comparison found."""

    def __init__(self):
        self.sori, self.peer = [], []

    def middle(self, side, key="median_ms"):
        return statistics.median(run[key] for run in getattr(self, side))

    def peak(self, side):
        return max(run["peak_mib"] for run in getattr(self, side))

    def ratio(self):
        return self.middle("sori") / self.middle("peer")


def compare(sori, preset, peer_preset, args, threads, options=()):
    sides = Sides()
    counts = ["--steps", str(args.steps), *options]
    for _ in range(args.rounds):
        line = json.loads(output([sori, "bench", preset, "--json", "--threads", str(threads), *counts]))
        sides.sori.append(line["workloads"][preset])
        one = {"OMP_NUM_THREADS": "1"} if threads == 1 else {}
        command = [*PEER, peer_preset, "--threads", str(threads), *counts]
        sides.peer.append(json.loads(output(command, **one)))
    params = {run["params"] for run in sides.sori + sides.peer}
    assert len(params) == 1, f"{preset}: the parameter counts differ: {params}"
    return sides


def run_alone(command):
    """Seconds and peak MiB of a process from its start to its end."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"{command} failed"
    return {"median_ms": (time.perf_counter() - start) * 1e3, "peak_mib": usage.ru_maxrss / 1024}


def cold_start(sori, rounds):
    sides = Sides()
    with tempfile.TemporaryDirectory() as folder:
        run, second = f"{folder}/run", f"{folder}/second.wav"
        output([sori, "train", "cnn2d", "--epochs", "1", "--data", "synth:dtmf?size=256", "--out", run, "--quiet"])
        with wave.open(second, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(8000)
            tone = [int(9000 * math.sin(2 * math.pi * 697 * t / 8000)) for t in range(8000)]
            out.writeframes(b"".join(x.to_bytes(2, "little", signed=True) for x in tone))
        for _ in range(rounds):
            sides.sori.append(run_alone([sori, "predict", run, second]))
            sides.peer.append(run_alone([sys.executable, "-c", "import torch"]))
    return sides


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = dict(line.split(":", 1) for line in lines if ":" in line)
        names = {key.strip(): value.strip() for key, value in names.items()}
        flags = names.get("flags", "").split()
        best = next((f for f in ("avx512f", "avx2") if f in flags), "no AVX")
        return f"{names['model name']}, family {names['cpu family']}, model {names['model']}, {best}"
    except (OSError, KeyError):
        return platform.processor() or platform.machine()


def steps_table(sori, args):
    rows, ratios = [], []
    for preset in STEPS:
        if args.only and preset not in args.only:
            continue
        sides = compare(sori, preset, preset, args, args.threads)
        ours, theirs, ratio = sides.middle("sori"), sides.middle("peer"), sides.ratio()
        ours_mib, theirs_mib = sides.peak("sori"), sides.peak("peer")
        params = sides.sori[0]["params"]
        if preset not in WITHOUT_BAR:
            ratios.append(ratio)
        row = f"| `{preset}` | {params:,} | {ours:.1f} | {theirs:.1f} | **{ratio:.2f}** |"
        rows.append(f"{row} {ours_mib:.0f} | {theirs_mib:.0f} | {ours_mib / theirs_mib:.2f} |")
        print(rows[-1], file=sys.stderr)
    if not rows:
        return
    print("| training step | parameters | Sori ms | PyTorch ms | ratio | Sori MiB | PyTorch MiB | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    print("\n".join(rows))
    if ratios:
        mean = math.exp(statistics.mean(map(math.log, ratios)))
        left_out = ", ".join(f"`{name}`" for name in sorted(WITHOUT_BAR))
        print(f"\nGeometric mean of the ratios of step times: **{mean:.2f}** (without {left_out}).\n")


def predictions_table(sori, args):
    """One row at a time, as it comes: the latency of an answer."""
    rows, ratios = [], []
    for preset in STEPS:
        if preset in ("ctc", "las") or args.only and preset not in args.only:
            continue
        sides = compare(sori, preset, preset, args, args.threads, ["--prediction"])
        ours, theirs, ratio = sides.middle("sori"), sides.middle("peer"), sides.ratio()
        ratios.append(ratio)
        rows.append(f"| `{preset}` | {ours:.2f} | {theirs:.2f} | **{ratio:.2f}** |")
        print(rows[-1], file=sys.stderr)
    if not rows:
        return
    print("| prediction, batch of one | Sori ms | PyTorch ms | ratio |")
    print("|---|---:|---:|---:|")
    print("\n".join(rows))
    mean = math.exp(statistics.mean(map(math.log, ratios)))
    print(f"\nGeometric mean of the ratios of predictions: **{mean:.2f}**.\n")


def features_table(sori, args):
    print("| log-mel, 16 kHz, 80 bins, 25/10 ms, one thread | seconds of audio a second | Sori's, in turns with it | times |")
    print("|---|---:|---:|---:|")
    for name, peer in [("librosa", "log_mel_librosa"), ("`torch.stft` and a mel matrix", "log_mel")]:
        sides = compare(sori, "log_mel", peer, args, 1)
        ours, theirs = (60e3 / sides.middle(side) for side in ("sori", "peer"))
        print(f"| {name} | {theirs:,.0f} | {ours:,.0f} | {ours / theirs:.1f} |")
    print()


def cold_start_table(sori, args):
    sides = cold_start(sori, max(args.rounds, 7))
    print("| from process start to end | s | peak MiB |")
    print("|---|---:|---:|")
    name = "`sori predict` of one second of audio, a trained `cnn2d`"
    for name, side in [(name, "sori"), ('`python -c "import torch"`', "peer")]:
        print(f"| {name} | {sides.middle(side) / 1e3:.3f} | {sides.peak(side):.0f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sori", default=str(ROOT / "target/release/sori"))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=9, help="timed steps of a process, after two that are not")
    parser.add_argument("--kinds", nargs="*", default=["steps", "predictions"], help="of the two for presets")
    parser.add_argument("--only", nargs="*", default=[], help="presets, `log_mel`, `cold_start`")
    args = parser.parse_args()
    assert args.steps >= 7, "at least seven timed steps"

    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "librosa", "numpy"))
    print("# Side by side\n")
    print(f"`python benches/peers/side_by_side.py`, {date.today().isoformat()}: {processor()};")
    print(f"{args.threads} threads, {args.rounds} rounds of {args.steps} steps in turns. {output([args.sori, '--version']).strip()},")
    print(f"{versions}, Python {platform.python_version()}, {platform.system()}.\n")
    if "steps" in args.kinds:
        steps_table(args.sori, args)
    if "predictions" in args.kinds:
        predictions_table(args.sori, args)
    if not args.only or "log_mel" in args.only:
        features_table(args.sori, args)
    if not args.only or "cold_start" in args.only:
        cold_start_table(args.sori, args)


if __name__ == "__main__":
    main()
