"""Sori on a GPU beside PyTorch on the same one: see run.sh.

1. A run trained on the CPU is evaluated on each backend: the values must agree.
2. `cnn1d` trains for two epochs on each.
3. Each preset's step: median time in turns with PyTorch's, kernel launches, the device's share, memory.
"""

import argparse
import json
import math
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
PRESETS = [
    "mlp", "cnn1d", "cnn2d", "dilated_cnn", "sample_cnn", "res_cnn", "fcn", "crnn", "musicnn", "matchboxnet",
    "random_wired", "rnn", "lstm", "gru", "attention", "deep_speech2", "ctc", "las",
]
CORPUS = "synth:dtmf?size=512"
PEERS = {
    "eager": [], "compiled": ["--compile"], "eager, TF32": ["--tf32"], "compiled, TF32": ["--compile", "--tf32"],
}
UNITS = {"ns": 1e-6, "µs": 1e-3, "ms": 1.0, "s": 1e3}
LINE = re.compile(r"\|? ?\| ([\d.]+)(ns|µs|ms|s) +\| ")


def run(command, folder, limit=300):
    """Standard output, or None with the reason on standard error."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=limit)
    except subprocess.TimeoutExpired:
        print(f"{' '.join(map(str, command))}: more than {limit} s", file=sys.stderr)
        return None
    if done.returncode != 0:
        last = (done.stderr.strip() or "no reason given").splitlines()[-1]
        print(f"{' '.join(map(str, command))}: {last}", file=sys.stderr)
        return None
    return done.stdout


def events(text):
    return [json.loads(line) for line in (text or "").splitlines() if line.startswith("{")]


def logged(args, backend, preset, level, steps):
    """The lines of CubeCL's log of a bench with so many steps: one for each launch."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "launches.log"
        settings = f'[profiling]\nlogger = {{ level = "{level}", file = "{log}" }}\n'
        (Path(folder) / "cubecl.toml").write_text(settings)
        command = [args.sori, "bench", preset, "--backend", backend, "--steps", str(steps), "--json"]
        command += ["--precision", args.precision]
        if run(command, folder, args.limit) is None or not log.exists():
            return None
        time.sleep(0.3)
        return log.read_text().splitlines()


def launches(args, backend, preset):
    """Those of one step: what a step more adds."""
    counts = [logged(args, backend, preset, "minimal", steps) for steps in (1, 2)]
    if None in counts:
        return None
    one, two = (sum(line.startswith("Executing") for line in lines) for lines in counts)
    return two - one


def device_ms(args, backend, preset):
    """What the kernels of a step take by the device's clock. The steps of a log are alike, the start is not."""
    sums = []
    for steps in (1, 2):
        lines = logged(args, backend, preset, "basic", steps)
        if lines is None:
            return None
        found = (LINE.match(line) for line in lines)
        sums.append(sum(float(one[1]) * UNITS[one[2]] for one in found if one))
    return max(sums[1] - sums[0], 0.0)


class CardMemory(threading.Thread):
    """The most memory that is taken of the card, as its driver says."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.stop = None, threading.Event()

    def run(self):
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while shutil.which("nvidia-smi") and not self.stop.wait(0.2):
            done = subprocess.run(query, capture_output=True, text=True)
            if done.returncode == 0:
                self.most = max(self.most or 0, int(done.stdout.split()[0]))


def sori_step(args, backend, preset):
    memory = CardMemory()
    memory.start()
    command = [args.sori, "bench", preset, "--backend", backend, "--steps", str(args.steps), "--json"]
    command += ["--precision", args.precision]
    found = events(run(command, None, args.limit))
    memory.stop.set()
    memory.join()
    if not found:
        return None
    return {**found[-1]["workloads"][preset], "card_mib": memory.most}


def peer_step(args, preset, options):
    command = [sys.executable, str(HERE / "peer.py"), preset, "--steps", str(args.steps), *options]
    command += [] if args.precision == "f32" else ["--autocast", args.precision]
    found = events(run(command, None, args.limit))
    return found[-1] if found else None


def middle(runs):
    times = [one["median_ms"] for one in runs if one]
    return statistics.median(times) if times else None


def shown(value, digits=2):
    return "" if value is None else f"{value:,.{digits}f}"


def checks(args):
    """Whether the backends agree on a run of the CPU's, and how they train."""
    print("| backend | evaluates as the CPU does | `cnn1d`, two epochs, s | its validation |\n|---|---|---:|---|")
    with tempfile.TemporaryDirectory() as folder:
        train = [args.sori, "train", "cnn1d", "--data", CORPUS, "--epochs", "2", "--seed", "1", "--json"]
        run([*train, "--backend", "ndarray", "--out", f"{folder}/cpu"], folder)
        evaluate = [args.sori, "eval", f"{folder}/cpu", "--json", "--backend"]
        expected = events(run([*evaluate, "ndarray"], folder))
        for backend in args.backends:
            found = events(run([*evaluate, backend], folder))
            start = time.perf_counter()
            trained = events(run([*train, "--backend", backend, "--out", f"{folder}/{backend}"], folder))
            seconds = time.perf_counter() - start
            agrees = agree(found[-1:], expected[-1:]) if found and expected else None
            says = {True: "yes", False: "**no**", None: "not run"}[agrees]
            last = trained[-1] if trained else {}
            value = ", ".join(f"{k} {v:.3f}" for k, v in last.items() if isinstance(v, float))
            print(f"| `{backend}` | {says} | {shown(seconds if trained else None, 1)} | {value} |")
    print()


def agree(found, expected):
    """Whether all numbers are within a thousandth."""
    if isinstance(expected, dict):
        skip = {"backend", "seconds"}
        return all(agree(found.get(k), v) for k, v in expected.items() if k not in skip and "second" not in k)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(agree, found, expected))
    if isinstance(expected, float):
        return isinstance(found, (int, float)) and abs(found - expected) <= 1e-3 * max(1.0, abs(expected))
    return found == expected


def steps_table(args, peers):
    names = list(peers)
    heads = "".join(f" PyTorch {name}, ms | ratio |" for name in names)
    print(f"| step | backend | Sori, ms | launches | device, ms | host and waiting, ms | card, MiB |{heads}")
    print("|---|---|---:|---:|---:|---:|---:|" + "---:|---:|" * len(names))
    ratios = {}
    for preset in args.only or PRESETS:
        rounds = {backend: [] for backend in args.backends}
        theirs = {name: [] for name in names}
        for _ in range(args.rounds):
            for backend in args.backends:
                rounds[backend].append(sori_step(args, backend, preset))
            for name in names:
                theirs[name].append(peer_step(args, preset, peers[name]))
        for backend in args.backends:
            ours = middle(rounds[backend])
            if ours is None:
                continue
            device = device_ms(args, backend, preset) if args.profile else None
            rest = None if device is None else max(ours - device, 0.0)
            count = launches(args, backend, preset)
            memory = [one["card_mib"] for one in rounds[backend] if one and one["card_mib"]]
            row = f"| `{preset}` | {backend} | {shown(ours)} | {shown(count, 0)} | {shown(device)} | {shown(rest)} |"
            row += f" {shown(max(memory, default=None), 0)} |"
            for name in names:
                peer = middle(theirs[name])
                ratio = ours / peer if peer else None
                if ratio:
                    ratios.setdefault((backend, name), []).append(ratio)
                row += f" {shown(peer)} | {shown(ratio)} |"
            print(row, flush=True)
    print()
    for (backend, name), found in ratios.items():
        mean = math.exp(statistics.mean(map(math.log, found)))
        print(f"`{backend}` beside PyTorch {name}: geometric mean **{mean:.2f}**, most {max(found):.2f}.")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sori", required=True)
    parser.add_argument("--backends", nargs="*", default=["cuda", "vulkan", "metal", "wgpu"])
    parser.add_argument("--only", nargs="*", default=[], help="presets")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--limit", type=int, default=120, help="seconds that one process may take")
    parser.add_argument("--precision", choices=["f32", "f16", "bf16"], default="f32", help="of both sides' products")
    parser.add_argument("--profile", action="store_true", help="also the device's time, launch by launch: slow")
    args = parser.parse_args()
    args.sori = str(Path(args.sori).resolve())

    version = (run([args.sori, "--version"], None) or "no `sori`").strip()
    print(f"# On a GPU\n\n`benches/gpu/run.sh`, {date.today().isoformat()}, {version}.")
    card = None
    if shutil.which("nvidia-smi"):
        card = run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], None)
    print(f"Card and driver: {card.strip()}." if card else "No NVIDIA card: its name and memory are not known.")
    there = []
    for backend in args.backends:
        if run([args.sori, "bench", "ctc", "--backend", backend, "--steps", "1", "--json"], None) is not None:
            there.append(backend)
        else:
            print(f"`{backend}` is not there (standard error says why): left out.")
    args.backends = there
    script = "import torch; print(torch.__version__, torch.cuda.get_device_name())"
    torch = run([sys.executable, "-c", script], None)
    print(f"PyTorch {torch.strip()}." if torch else "PyTorch with a card is not there: no peer.")
    print(f"{args.rounds} rounds of {args.steps} steps in turns. Products are in {args.precision}.\n")
    if not there:
        sys.exit("no backend to time")
    checks(args)
    steps_table(args, PEERS if torch else {})


if __name__ == "__main__":
    main()
