"""The share of an epoch that training waits for data, by the default recipes.

    python benches/waited.py SORI DATA [--epochs 3] [--only SPEC…]

DATA holds the folders fsdd, esc10, yesno, speechocean762 and pansori; what is not there is left out. On a quiet machine:
whatever else runs takes the processors that load recordings.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

RUNS = [
    ("cnn1d", "synth:dtmf", None),
    ("cnn2d", "synth:scenes", None),
    ("deep_speech2", "synth:morse", None),
    ("cnn1d", "fsdd:{}", "fsdd"),
    ("cnn2d", "fsdd:{}", "fsdd"),
    ("cnn2d", "esc:{}", "esc10"),
    ("cnn2d", "esc-mix:{}", "esc10"),
    ("deep_speech2", "digits:{}?speaker=!yweweler", "fsdd"),
    ("deep_speech2", "yesno:{}", "yesno"),
    ("deep_speech2", "speechocean762:{}", "speechocean762"),
    ("deep_speech2", "pansori:{}", "pansori"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sori")
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=3, help="at least 2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], metavar="SPEC", help="the beginning of a corpus")
    args = parser.parse_args()
    print("| corpus | model | recordings a second | waited, epoch 1 | most of a later one |\n|---|---|---:|---:|---:|")
    for model, spec, folder in RUNS:
        if folder and not (args.data / folder).is_dir():
            continue
        if args.only and not spec.startswith(tuple(args.only)):
            continue
        with tempfile.TemporaryDirectory() as out:
            run = Path(out) / "run"
            command = [args.sori, "train", model, "--data", spec.format(args.data / (folder or "")), "--out", str(run)]
            command += ["--epochs", str(args.epochs), "--threads", str(args.threads), "--quiet"]
            # Their transcripts to test on have letters that those to learn from have not.
            command += ["--unk"] if folder in ("speechocean762", "pansori") else []
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        first, later = epochs[0]["waited"], max(epoch["waited"] for epoch in epochs[1:])
        name = spec.format("DIR")
        print(f"| `{name}` | `{model}` | {epochs[-1]['items_per_second']:.0f} | {first:.3f} | {later:.3f} |", flush=True)


if __name__ == "__main__":
    main()
