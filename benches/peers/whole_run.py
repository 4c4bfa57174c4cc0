"""Whole training runs beside PyTorch, from the command to the accuracy on the test part.

    cargo build --release
    python benches/peers/whole_run.py --data DIR [--only MODEL…]

needs torch, soundfile, soxr and blake3, and in DIR the folders `fsdd` and `esc10`. In turns it times
`sori train MODEL --data SPEC` and whole_run_peer.py, which trains the same network on the same recordings with the same
features, augmentation, batches, schedule and epochs, as they stand in the config.toml of Sori's run; each from the start
of its process to its end. Times are medians over the rounds, accuracies means. Memory is the largest sum of the
proportional set sizes of a side's processes, sampled at most every 50 ms and for at most a fiftieth of the time.

The utterances of connected digits are listed before the clock runs, by the draws that Sori makes: the same recordings,
pauses and levels; the noise below them is the peer's own. `--set KEY=VALUE` goes to `sori train`, and so to both.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PEER = [sys.executable, str(Path(__file__).with_name("whole_run_peer.py"))]
# The corpus's name, its SPEC, the models, and settings beside their recipes.
WORKLOADS = [
    ("spoken digits", "fsdd:{data}/fsdd", ["mlp", "cnn1d", "cnn2d", "lstm", "gru"]),
    ("ESC-10", "esc:{data}/esc10", ["cnn2d"]),
    ("connected digits", "digits:{data}/fsdd?speaker=!yweweler", ["deep_speech2"]),
]
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SAMPLE_S = 0.05
SHARES = ["start", "wait", "steps", "validate", "end"]


# Connected digits as Sori draws them: datasets/src/corpus/digits.rs.


def chacha8(seed, streams, blocks):
    """Numbers of 64 bits from rand_chacha's ChaCha8, `[streams, 8 * blocks]`."""
    start = np.zeros((16, len(streams), blocks), np.uint32)
    start[:4] = np.frombuffer(b"expand 32-byte k", "<u4")[:, None, None]
    start[4], start[5] = seed & 0xFFFFFFFF, seed >> 32
    start[12] = np.arange(blocks)
    streams = np.asarray(streams, np.uint64)[:, None]
    start[14], start[15] = streams & 0xFFFFFFFF, streams >> 32
    x = start.copy()

    def quarter(a, b, c, d):
        for to, by, into, turn in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]:
            x[to] += x[by]
            y = x[into] ^ x[to]
            x[into] = (y << np.uint32(turn)) | (y >> np.uint32(32 - turn))

    for _ in range(4):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for diagonal in range(4):
            quarter(diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
    x += start
    low, high = x[0::2].astype(np.uint64), x[1::2].astype(np.uint64)
    return (low | high << np.uint64(32)).transpose(1, 2, 0).reshape(len(streams), -1)


def digits(spec, to):
    """Lists the utterances of `digits:DIR?speaker=…`, one JSON object a line."""
    from blake3 import blake3

    location, _, query = spec.removeprefix("digits:").partition("?")
    query = dict(pair.split("=", 1) for pair in query.split("&") if pair)
    asked = query.get("speaker", "")
    found = {}
    for path in sorted((Path(location) / "recordings").glob("*.wav")):
        digit, speaker, index = path.stem.split("_")
        if not asked or (speaker == asked.lstrip("!")) != asked.startswith("!"):
            part = "test" if int(index) < 5 else "valid" if int(index) < 9 else "train"
            voice = found.setdefault(part, {}).setdefault(speaker, {})
            voice.setdefault(int(digit), []).append((int(index), str(path)))
    speakers = sorted({speaker for part in found.values() for speaker in part})
    seed, size = int(query.get("seed", 0)), int(query.get("size", 3000))
    hashed = blake3(seed.to_bytes(8, "little") + "".join(f"{one}\n" for one in speakers).encode()).digest(8)
    with open(to, "w") as out:
        for number, part in enumerate(["train", "valid", "test"]):
            voices = [found[part][speaker] for speaker in sorted(found[part])]
            count = size if part == "train" else max(size // 10, 1)
            streams = [number << 32 | index for index in range(count)]
            for index, bits in enumerate(chacha8(int.from_bytes(hashed, "little"), streams, 4)):
                units = iter(((bits >> np.uint64(11)) / 2.0**53).tolist())
                below = lambda things: things[min(int(next(units) * len(things)), len(things) - 1)]
                between = lambda low, high: low + (high - low) * next(units)
                voice = below(voices)
                pieces, words = [], []
                for _ in range(below(range(3, 8))):
                    digit = below(sorted(voice))
                    words.append(WORDS[digit])
                    path = below([path for _, path in sorted(voice[digit])])
                    pieces.append([path, int(between(50.0, 300.0))])
                one = {"id": f"digits-{seed}-{part}-{index:05}", "text": " ".join(words), "pieces": pieces}
                one |= {"tail_ms": int(between(50.0, 300.0)), "snr_db": between(30.0, 50.0)}
                print(json.dumps(one), file=out)


# Processes.


def tree(pid):
    """A process and all below it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parent = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1]
            except OSError:
                continue
            children.setdefault(int(parent), []).append(int(entry))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def proportional_mib(pid):
    total = 0
    for one in tree(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def timed(command, log):
    """Seconds, peak MiB, and the lines of standard output with the seconds at which they came."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    peak, ended = 0.0, threading.Event()

    def sample():
        nonlocal peak
        pause = SAMPLE_S
        while not ended.wait(pause):
            before = time.thread_time()
            peak = max(peak, proportional_mib(process.pid))
            pause = max(SAMPLE_S, 50 * (time.thread_time() - before))

    sampler = threading.Thread(target=sample)
    sampler.start()
    lines = [(time.perf_counter() - start, line) for line in process.stdout]
    failed = process.wait()
    seconds = time.perf_counter() - start
    ended.set()
    sampler.join()
    if failed:
        log.seek(0)
        sys.exit(f"{' '.join(map(str, command))} failed:\n{log.read()}")
    return seconds, peak, lines


def sori(args, model, spec, run):
    """`start` is all before the first step; steps and waits are of the training thread, beside which others load."""
    command = [args.sori, "train", model, "--data", spec, "--seed", str(args.seed), "--out", str(run), "--json",
               "--threads", str(args.threads)]
    command += ["--epochs", str(args.epochs)] if args.epochs else []
    command += [part for one in args.set for part in ("--set", one)]
    with tempfile.TemporaryFile("w+") as log:
        seconds, peak, lines = timed(command, log)
    events = [(at, json.loads(line)) for at, line in lines]
    begin = next(at for at, event in events if event.get("event") == "begin")
    epochs = [(at, event) for at, event in events if event.get("event") == "epoch"]
    splits = json.loads((run / "run.json").read_text())["splits"]
    items = lambda event: splits["train"] + (splits["valid"] if event.get("joined") else 0)
    loops = [items(event) / event["items_per_second"] for _, event in epochs]
    wait = sum(loop * event["waited"] for loop, (_, event) in zip(loops, epochs))
    last = epochs[-1][0]
    shares = [begin, wait, sum(loops) - wait, last - begin - sum(loops), seconds - last]
    result = events[-1][1]
    return {"seconds": seconds, "mib": peak, "value": result["value"], "metric": result["metric"],
            "epochs": result["epochs"], "params": result["params"], "shares": dict(zip(SHARES, shares))}


def peer(args, run, listing, folder):
    command = [*PEER, str(run), "--threads", str(args.threads), "--workers", str(args.workers), "--out", str(folder)]
    command += ["--list", str(listing)] if listing else []
    with tempfile.TemporaryFile("w+") as log:
        seconds, peak, lines = timed(command, log)
    found = json.loads(lines[-1][1])
    spent = found["spent"]
    shares = {"start": spent["import"] + spent["scan"] + spent["features"]}
    shares |= {key: spent[key] for key in ("wait", "steps", "validate")}
    shares["end"] = seconds - sum(shares.values())
    return {**found, "seconds": seconds, "mib": peak, "shares": shares}


# Tables.


def middle(runs, *keys):
    def of(run):
        for key in keys:
            run = run[key]
        return run

    return statistics.median(of(run) for run in runs)


def compare(args, corpus, spec, model):
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        folder, listing = Path(folder), None
        if spec.startswith("digits:"):
            listing = folder / "utterances.jsonl"
            digits(spec, listing)
        for number in range(args.rounds):
            run = folder / f"run-{number}"
            ours.append(sori(args, model, spec, run))
            theirs.append(peer(args, run, listing, folder))
            print(f"{corpus}, {model}: {ours[-1]}\n  {theirs[-1]}", file=sys.stderr)
    return ours, theirs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the folder that holds fsdd and esc10")
    parser.add_argument("--sori", default=str(ROOT / "target/release/sori"))
    parser.add_argument("--only", nargs="*", default=[], metavar="MODEL")
    parser.add_argument("--corpus", nargs="*", default=[], help="fsdd, esc, digits")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="instead of those of the recipes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=max((os.cpu_count() or 2) - 1, 1), help="of the DataLoader")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="goes to sori train")
    args = parser.parse_args()

    rows, where, ratios = [], [], []
    for corpus, spec, models in WORKLOADS:
        if args.corpus and spec.split(":")[0] not in args.corpus:
            continue
        for model in models:
            if args.only and model not in args.only:
                continue
            ours, theirs = compare(args, corpus, spec.format(data=args.data), model)
            seconds, mib = ([middle(runs, key) for runs in (ours, theirs)] for key in ("seconds", "mib"))
            value = [statistics.mean(run["value"] for run in runs) for runs in (ours, theirs)]
            ratios.append(seconds[0] / seconds[1])
            metric = "" if ours[0]["metric"] == "accuracy" else f"{ours[0]['metric'].upper()} "
            rows.append(f"| {corpus} | `{model}` | {ours[0]['params']:,} | {ours[0]['epochs']} | {seconds[0]:.1f} | "
                        f"{seconds[1]:.1f} | **{ratios[-1]:.2f}** | {metric}{value[0]:.4f} | {metric}{value[1]:.4f} | "
                        f"{mib[0]:.0f} | {mib[1]:.0f} | {mib[0] / mib[1]:.2f} |")
            for name, runs in (("Sori", ours), ("PyTorch", theirs)):
                shares = " | ".join(f"{middle(runs, 'shares', share):.1f}" for share in SHARES)
                where.append(f"| {corpus} | `{model}` | {name} | {shares} |")
    if not rows:
        sys.exit("no workload of these names")
    print("| corpus | model | parameters | epochs | Sori s | PyTorch s | ratio | Sori | PyTorch | Sori MiB | PyTorch MiB | ratio |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    print("\n".join(rows))
    print(f"\nGeometric mean of the ratios of seconds: **{math.exp(statistics.mean(map(math.log, ratios))):.2f}**.\n")
    print("| corpus | model | seconds of | before the first step | waiting for data | steps | validation | test and end |")
    print("|---|---|---|---:|---:|---:|---:|---:|")
    print("\n".join(where))


if __name__ == "__main__":
    main()
