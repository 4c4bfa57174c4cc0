#!/usr/bin/env python3
"""Kills training at chosen system calls, and lets system calls fail, and checks that resuming ends with the
bits of a run that was never disturbed.

    cargo build --release
    python3 tests/behaviour/kill.py --runs 100

Needs Linux and strace. Each disturbed run is killed (or has a call fail) at a system call drawn from a seed,
resumed, disturbed again up to three times, and at last resumed to its end. Compared are the tensors and the
state of both checkpoints, metrics.jsonl, result.json and the CSV of answers; times are left out.
"""

import argparse
import collections
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

RUNS = {
    "mlp": ["mlp", "--data", "synth:dtmf?size=160", "--set", "model.d_hidden=[16]"],
    "cnn1d": ["cnn1d", "--data", "synth:dtmf?size=160", "--set", "model.channels=[8, 8]",
              "--set", "train.ema_decay=0.9"],
    "deep_speech2": ["deep_speech2", "--data", "synth:morse?size=40", "--unk", "--set", "model.channels=[2]",
                     "--set", "model.d_hidden=8"],
    "gan": ["gan", "--data", "synth:dtmf?size=160", "--set", "model.channels=[4, 8]"],
}
COMMON = ["--epochs", "3", "--set", "train.checkpoint_steps=2", "--set", "train.workers=0", "--quiet", "--threads", "1"]
CALLS = ["write", "fsync", "fdatasync", "rename", "openat", "mkdir", "unlink", "close", "read"]
ERRORS = {"write": "ENOSPC", "fsync": "EIO", "fdatasync": "EIO", "rename": "EIO", "openat": "EMFILE",
          "mkdir": "ENOSPC", "unlink": "EIO", "read": "EIO"}
TIMES = {"seconds", "items_per_second", "waited", "epoch_seconds", "epoch_waited"}


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return value


def checkpoint(path):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    state = without_times(json.loads(header.pop("__metadata__")["sori"]))
    return state, header, data[8 + length :]


def contents(run):
    found = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if path.is_dir() or name == "lock":
            continue
        if path.suffix == ".safetensors":
            found[name] = checkpoint(path)
        elif name in ("metrics.jsonl", "result.json"):
            found[name] = [without_times(json.loads(line)) for line in
                           ([path.read_text()] if name == "result.json" else path.read_text().splitlines())]
        else:
            found[name] = path.read_bytes()
    return found


def call_counts(command, log):
    subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=" + ",".join(CALLS), *command],
                   check=True, stdin=subprocess.DEVNULL)
    counts = collections.Counter()
    for line in pathlib.Path(log).read_text(errors="replace").splitlines():
        match = re.match(r"\d+ +(\w+)\(", line)
        if match:
            counts[match[1]] += 1
    return counts


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sori", default="target/release/sori")
    options.add_argument("--runs", type=int, default=100)
    options.add_argument("--seed", type=int, default=0)
    options = options.parse_args()
    draw = random.Random(options.seed)
    tally, failed = collections.Counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        log = str(folder / "log")
        wanted, counts = {}, {}
        for name, arguments in RUNS.items():
            out = folder / f"{name}-undisturbed"
            command = [options.sori, "train", *arguments, *COMMON, "--out", str(out)]
            counts[name] = call_counts(command, log)
            wanted[name] = contents(out)
        for index in range(options.runs):
            name = draw.choice(list(RUNS))
            out = folder / f"run-{index}"
            new = [options.sori, "train", *RUNS[name], *COMMON, "--out", str(out)]
            resume = [options.sori, "train", "--resume", str(out), "--quiet", "--threads", "1"]
            disturbances = draw.randint(1, 3)
            for turn in range(50):
                command = resume if (out / "run.json").exists() else new
                if turn < disturbances:
                    call = draw.choice([call for call in CALLS if counts[name][call]])
                    when = draw.randint(1, counts[name][call])
                    kill = call not in ERRORS or draw.random() < 0.6
                    what = "signal=SIGKILL" if kill else f"error={ERRORS[call]}"
                    command = ["strace", "-f", "-qq", "-o", log, "-e", "trace=" + call,
                               "-e", f"inject={call}:{what}:when={when}", *command]
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
                if turn < disturbances:
                    # A session that was too short for its call ends undisturbed.
                    text = pathlib.Path(log).read_text(errors="replace")
                    tally["killed"] += "killed by SIGKILL" in text
                    tally["a call failed"] += "(INJECTED)" in text and not kill
                if "panicked" in done.stderr:
                    failed += 1
                    print(f"run {index} ({name}): panicked\n{done.stderr}")
                if done.returncode == 0 and turn >= disturbances:
                    break
                if turn >= disturbances:
                    print(f"run {index} ({name}): cannot be resumed: {done.stderr}")
                    break
            found = contents(out) if out.exists() else {}
            different = [file for file in sorted(set(wanted[name]) | set(found))
                         if wanted[name].get(file) != found.get(file)]
            if different:
                failed += 1
                print(f"run {index} ({name}): {', '.join(different)} differ")
    print(f"{options.runs} runs, {dict(tally)}: {failed} went wrong")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
