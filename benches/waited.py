"""How long steps wait for data, of the second epoch on, with the default recipes.

    cargo build --release
    python benches/waited.py DATA [--threads 2] [--only WORD…]

DATA holds the folders fsdd, esc10, yesno, speechocean762 and pansori; those that are missing are left out. Each row trains
for three epochs. Prints a table in Markdown: the share of training time that steps waited (`waited` in metrics.jsonl),
recordings per second, and whether the recipe augments.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLASSIFIERS = ["mlp", "cnn1d", "cnn2d"]
RECOGNISERS = ["deep_speech2"]
CORPORA = [
    ("synth:dtmf", CLASSIFIERS, []),
    ("synth:scenes", CLASSIFIERS, []),
    ("synth:morse", RECOGNISERS, []),
    ("fsdd:{}/fsdd", CLASSIFIERS, []),
    ("esc:{}/esc10", CLASSIFIERS, []),
    ("esc-mix:{}/esc10", CLASSIFIERS, []),
    ("digits:{}/fsdd?size=600", RECOGNISERS, []),
    ("yesno:{}/yesno", RECOGNISERS, []),
    ("speechocean762:{}/speechocean762", RECOGNISERS, ["--unk"]),
    ("pansori:{}/pansori", RECOGNISERS, ["--unk"]),
]


def row(sori, model, spec, options, threads):
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sori, "train", model, "--data", spec, "--epochs", "3", "--threads", str(threads), "--quiet"]
        done = subprocess.run([*command, *options, "--out", run], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
        epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()][1:]
        augments = "[augment.speed]\nprobability = 1" in (run / "config.toml").read_text()
    waited = max(epoch["waited"] for epoch in epochs)
    speed = max(epoch["items_per_second"] for epoch in epochs)
    return waited, speed, augments


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--sori", default=ROOT / "target/release/sori")
    args = parser.parse_args()
    print("| corpus | model | augmented | waited | recordings a second |\n|---|---|---|---:|---:|")
    for spec, models, options in CORPORA:
        folder = spec.format(args.data).partition(":")[2].partition("?")[0]
        if "{}" in spec and not Path(folder).is_dir():
            continue
        for model in models:
            if not any(word in f"{spec} {model}" for word in args.only):
                continue
            waited, speed, augments = row(args.sori, model, spec.format(args.data), options, args.threads)
            corpus, _, place = spec.partition("{}")
            _, mark, query = place.partition("?")
            name = f"{corpus}DIR{mark}{query}" if place else corpus
            print(f"| `{name}` | `{model}` | {'yes' if augments else 'no'} | {waited:.3f} | {speed:.0f} |", flush=True)


if __name__ == "__main__":
    main()
