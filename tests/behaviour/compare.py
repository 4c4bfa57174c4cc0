"""Compares what two programs `sori` do: `compare.py OLD NEW`, as compare.sh calls it.

Standard library only. Every training has one thread, a fixed seed and seconds of work. What a clock says is
left out of each comparison; everything else must be the same to the last bit.
"""

import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CLOCK = {"seconds", "items_per_second", "waited", "epoch_seconds", "epoch_waited"}
RATE = 8000
ARPA = """
\\data\\
ngram 1=5

\\1-grams:
-1.0\t<unk>
-0.5\t</s>
-99\t<s>
-0.6\te
-0.7\tt

\\end\\
"""
TIMEOUT_S = 300


# Data ------------------------------------------------------------------------------------------------


def write_wav(path, samples, rate=RATE):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        clipped = [max(-32767, min(32767, round(32000 * sample))) for sample in samples]
        file.writeframes(struct.pack(f"<{len(clipped)}h", *clipped))


def tones(hertz, seconds, index):
    """Tones together, at a phase of the recording's own, in noise that depends on its number alone."""
    for n in range(int(RATE * seconds)):
        noise = (n * 7919 + index * 104729) % 1009 / 1009 - 0.5
        sines = sum(math.sin(2 * math.pi * h * n / RATE + index) for h in hertz)
        yield 0.05 * noise + 0.25 * sines / max(1, len(hertz))


def write_data(folder):
    """Manifests of synthesised recordings: labels by two speakers, tags, and recordings to predict."""
    folder.mkdir()
    speakers, tags = [], []
    for index in range(60):
        label, speaker = index % 2, index // 2 % 2
        name = f"speaker{index}.wav"
        write_wav(folder / name, tones([400 + 400 * label, 1600 + 800 * speaker], 0.2, index))
        speakers.append({"audio": name, "label": f"l{label}", "domain": f"s{speaker}"})
    names = {"low": 300, "middle": 900, "high": 2700}
    for index in range(36):
        split = ["train", "train", "train", "valid", "test", "train"][index % 6]
        chosen = [tag for bit, tag in enumerate(names) if (index // 6 + index) >> bit & 1]
        name = f"tags{index}.wav"
        write_wav(folder / name, tones([names[tag] for tag in chosen], 0.3, index))
        tags.append({"audio": name, "tags": chosen, "split": split})
    for name, lines in [("speakers", speakers), ("tags", tags)]:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text)
    write_wav(folder / "a.wav", tones([697, 1209], 0.5, 3))
    write_wav(folder / "b.wav", tones([941, 1477], 1.4, 4))
    keyed = [0.4 * math.sin(2 * math.pi * 600 * n / RATE) * (n // 800 % 3 != 2) for n in range(2 * RATE)]
    write_wav(folder / "keyed.wav", keyed)
    words = "one two three\nthree two one\none one two\ntwo three\nthree one two two\n"
    (folder / "words.txt").write_text(4 * words)
    (folder / "words.arpa").write_text(ARPA)


# Trainings -------------------------------------------------------------------------------------------

DTMF = "synth:dtmf?size=48"
MORSE = "synth:morse?size=32"

# Name: model, data, settings, and for the interrupted runs whether they are killed rather than asked to stop.
TRAININGS = {
    "classify": ("cnn1d", DTMF, ["model.channels=[8, 8]"], False),
    "classify-recurrent": ("gru", DTMF, ["model.d_hidden=8"], False),
    "tag": ("cnn2d", "manifest:{data}/tags.jsonl", ["model.channels=[4, 4]", "class_weights=true"], True),
    "regress": ("cnn1d", f"{MORSE}&answer=speed", ["model.channels=[8, 8]"], False),
    "transcribe-ctc": ("deep_speech2", MORSE, ["model.channels=[4]", "model.d_hidden=8", "text.unk=true"], True),
    "transcribe-las": (
        "las", MORSE,
        ["model.channels=[4]", "model.d_listener=8", "model.d_speller=16", "model.d_embedding=4",
         "model.d_attention=8", "model.num_pyramid_layers=1", "model.ctc_weight=0.3", "scheduled_sampling=0.2",
         "text.unk=true"],
        False,
    ),
    "autoencode": ("vae", DTMF, ["model.d_hidden=[32]", "model.d_latent=4", "model.kl_annealing_epochs=3"], False),
    "generate": ("gan", DTMF, ["model.d_latent=8", "model.channels=[4, 8, 8]"], True),
    "varied": (
        "cnn1d", DTMF,
        ["model.channels=[8, 8]", "augment.mix.probability=0.5", "augment.noise.probability=0.5",
         "augment.speed.probability=0.5", "augment.pitch.probability=0.3", "augment.reverb.probability=0.3",
         "augment.shift.probability=0.5", "augment.gain.probability=0.5", "augment.spec_augment.probability=0.5",
         "ema_decay=0.9", "class_weights=true", "label_smoothing=0.1", "accumulate=2", "l1_penalty=0.0001"],
        True,
    ),
    "adversary": ("mlp", "manifest:{data}/speakers.jsonl", ["model.d_hidden=[16]", "adversary_weight=0.5"], True),
    "lbfgs": ("gru", DTMF, ["model.d_hidden=8", "optimizer=lbfgs", "learning_rate=0.3"], False),
    "adamw-plateau": (
        "mlp", DTMF, ["model.d_hidden=[16]", "optimizer=adamw", "weight_decay=0.01", "schedule=plateau"], False,
    ),
}
# The rest of the zoo as it is by default, for an epoch of two steps.
ZOO = [
    "mlp", "cnn1d", "cnn2d", "rnn", "lstm", "gru", "attention", "fcn", "crnn", "musicnn", "sample_cnn", "matchboxnet",
    "dilated_cnn", "random_wired",
]
SHARED = ["batch_size=8", "seed=5", "checkpoint_steps=2"]

# What is asked of a run that OLD trained; {run} is a copy of its own.
ASKED = {
    "predict": ["predict", "{run}", "{data}/a.wav", "{data}/b.wav", "{data}/keyed.wav", "--json"],
    "eval": ["eval", "{run}", "--json"],
    "report": ["report", "{run}", "--json"],
}
ASKED_TRANSCRIPTS = {
    "predict-beam": ["predict", "{run}", "{data}/keyed.wav", "--beam", "4", "--nbest", "2", "--json"],
    "eval-lm": ["eval", "{run}", "--lm", "{data}/words.arpa", "--beam", "4", "--json"],
}
ASKED_OF_GENERATORS = {
    "generate": ["generate", "{run}", "--count", "3", "--out", "{run}/made.npy", "--json"],
}
GENERATORS = {"autoencode", "generate"}

# Without a run.
COMMANDS = {
    "models": ["models", "--json"],
    "models-text": ["models"],
    "data-info": ["data", "info", "manifest:{data}/tags.jsonl", "--json"],
    "features-mfcc": [
        "features", "{data}/a.wav", "--kind", "mfcc", "--set", "deltas=2", "--out", "{out}/x.npy", "--json",
    ],
    "features-log-mel": ["features", "{data}/b.wav", "--out", "{out}/x.npy", "--json"],
    "features-augmented": [
        "features", "{data}/b.wav", "--augment", "speed,pitch,shift,reverb,noise,gain,equalizer,spec_augment",
        "--seed", "3", "--out", "{out}/x.npy", "--json",
    ],
    "lm-train": [
        "lm", "train", "--text", "{data}/words.txt", "--kind", "words", "--order", "2", "--out", "{out}/x.arpa",
    ],
    "no-model": ["train", "nosuch"],
    "no-corpus": ["train", "mlp", "--data", "nosuch:x"],
    "no-setting": ["train", "mlp", "--set", "train.nosuch=1"],
    "completions": ["completions", "bash"],
}


def training_arguments(name, data, out, epochs):
    zoo = (name, "synth:dtmf?size=16", ["valid_fraction=0.25"], False)
    model, corpus, settings, _ = TRAININGS.get(name, zoo)
    arguments = ["train", model, "--data", corpus.format(data=data), "--epochs", str(epochs), "--json"]
    for setting in SHARED + settings:
        arguments += ["--set", setting]
    return [*arguments, "--threads", "1", "--out", str(out)]


# Running ---------------------------------------------------------------------------------------------


def run(program, arguments, folder):
    """What a command says and how it ends, as text to compare."""
    done = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
    )
    return {"exit code": str(done.returncode), "standard output": done.stdout, "standard error": done.stderr}


def interrupt(program, name, data, out):
    """Begins a training and stops it after its first epoch."""
    killed = TRAININGS[name][3]
    for _ in range(5):
        shutil.rmtree(out, ignore_errors=True)
        arguments = training_arguments(name, data, out, 4)
        child = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        metrics = out / "metrics.jsonl"
        started = time.monotonic()
        while child.poll() is None and time.monotonic() - started < TIMEOUT_S:
            if metrics.exists() and metrics.stat().st_size and (out / "checkpoints/last.safetensors").exists():
                break
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL if killed else signal.SIGINT)
        child.wait(TIMEOUT_S)
        if not (out / "result.json").exists() and metrics.exists():
            return
    raise RuntimeError("the run ended before it could be interrupted")


# Comparing -------------------------------------------------------------------------------------------


def without_clock(value):
    if isinstance(value, dict):
        return {key: without_clock(each) for key, each in value.items() if key not in CLOCK}
    if isinstance(value, list):
        return [without_clock(each) for each in value]
    return value


def json_text(text):
    """JSON, in its own order and to the last digit, without times. Numbers stay as they are written."""
    keep = {"parse_float": lambda digits: f"#{digits}", "parse_int": lambda digits: f"#{digits}"}
    return json.dumps(without_clock(json.loads(text, **keep)), indent=1, ensure_ascii=False)


def safetensors_parts(data):
    """The state of a checkpoint, and each tensor's type, shape and bytes."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    parts = {}
    for key, value in header.pop("__metadata__", {}).items():
        parts[f"metadata {key}"] = json_text(value) if value.startswith(("{", "[")) else value
    for name, tensor in header.items():
        start, end = tensor["data_offsets"]
        body = data[8 + length + start : 8 + length + end]
        parts[f"tensor {name}"] = (tensor["dtype"], tuple(tensor["shape"]), body)
    parts["tensors in this order"] = " ".join(sorted(header, key=lambda name: header[name]["data_offsets"]))
    return parts


def text_parts(kind, text):
    """Lines or documents of JSON without times; other text as it is, without durations."""
    try:
        if kind == ".json":
            return json_text(text)
        if kind in {".jsonl", "standard output"} and text.lstrip().startswith(("{", "[")):
            return "\n".join(json_text(line) for line in text.splitlines())
    except ValueError:
        pass
    return re.sub(r"\b\d+:\d\d(:\d\d)?\b", "TIME", text)


def parts_of(path):
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        return safetensors_parts(data)
    try:
        return {"": text_parts(path.suffix, data.decode())}
    except UnicodeDecodeError:
        return {"": data}


def first_difference(old, new):
    if isinstance(old, str) and isinstance(new, str):
        a, b = old.splitlines(), new.splitlines()
        for number, (x, y) in enumerate(zip(a + [None] * len(b), b + [None] * len(a)), 1):
            if x != y:
                return f"line {number}: {x!r} | {y!r}"[:300]
    if isinstance(old, tuple) and old[:2] != new[:2]:
        return f"{old[:2]} | {new[:2]}"
    return "other bytes"


def compare_parts(where, old, new):
    differences = []
    for key in [*old, *(key for key in new if key not in old)]:
        name = f"{where} {key}".strip()
        if key not in old or key not in new:
            differences.append(f"{name}: only in the {'old' if key in old else 'new'}")
        elif old[key] != new[key]:
            differences.append(f"{name}: {first_difference(old[key], new[key])}")
    return differences


def compare_said(old, new, folders):
    """What two commands said, each with its own folder's name taken out."""
    tidy = []
    for said, folder in zip((old, new), folders):
        each = {key: text.replace(str(folder), "FOLDER") for key, text in said.items()}
        tidy.append({key: text_parts(key, text) for key, text in each.items()})
    return compare_parts("", *tidy)


def compare_folders(old, new):
    names = [sorted(p.relative_to(f) for f in [folder] for p in f.rglob("*") if p.is_file()) for folder in (old, new)]
    differences = []
    for name in sorted(set(names[0]) | set(names[1])):
        if name not in names[0] or name not in names[1]:
            differences.append(f"{name}: only in the {'old' if name in names[0] else 'new'}")
            continue
        differences += compare_parts(str(name), parts_of(old / name), parts_of(new / name))
    return differences


# Checks ----------------------------------------------------------------------------------------------


class Checks:
    def __init__(self, old, new, work):
        self.programs = {"old": old, "new": new}
        self.work, self.data = work, work / "data"
        self.only = re.compile(os.environ.get("ONLY", ""))
        self.pool = ThreadPoolExecutor(int(os.environ.get("JOBS", os.cpu_count() or 1)))
        self.rows, self.lock = [], threading.Lock()

    def both(self, name, action):
        """`action(side, folder)` for one side and the other; whole checks are what run beside one another."""
        folders = {side: self.work / name / side for side in self.programs}
        for folder in folders.values():
            folder.mkdir(parents=True)
        return {side: action(side, folder) for side, folder in folders.items()}, [*folders.values()]

    def check(self, name, action):
        if not self.only.search(name):
            return
        started = time.monotonic()
        try:
            differences = action(name)
        except Exception as error:  # A check that cannot be made is a difference.
            differences = [f"{type(error).__name__}: {error}"]
        with self.lock:
            self.rows.append((name, differences, time.monotonic() - started))
            print(f"{'differs' if differences else 'same':8} {name}", flush=True)

    def command(self, arguments):
        def action(name):
            def one(side, folder):
                filled = [each.format(data=self.data, out=folder) for each in arguments]
                return run(self.programs[side], filled, folder)

            said, folders = self.both(name, one)
            return compare_said(said["old"], said["new"], folders) + compare_folders(*folders)

        return action

    def helps(self, name):
        """The help of every command and of the commands within it."""
        found = {}
        for side, program in self.programs.items():
            found[side], waiting = {}, [[]]
            while waiting:
                command = waiting.pop(0)
                for flag in ["--help", "-h"]:
                    text = run(program, [*command, flag], self.work)["standard output"]
                    found[side][" ".join(["sori", *command, flag])] = text
                listed = re.search(r"^Commands:\n((?:  .*\n)+)", text, re.MULTILINE)
                for line in listed[1].splitlines() if listed else []:
                    if (word := re.match(r"  (\S+)", line)) and word[1] != "help":
                        waiting.append([*command, word[1]])
        return compare_parts("", found["old"], found["new"])

    def training(self, training, epochs=2):
        def action(name):
            def one(side, folder):
                arguments = training_arguments(training, self.data, folder / "run", epochs)
                said = run(self.programs[side], arguments, folder)
                if said["exit code"] != "0":
                    raise RuntimeError(f"{side}: {said['standard error'].strip()}")
                said["standard error"] = ""  # Progress, which depends on the clock.
                return said

            said, folders = self.both(name, one)
            return compare_said(said["old"], said["new"], folders) + compare_folders(*folders)

        return action

    def asked(self, training):
        """Both asked about what OLD trained."""

        def action(name):
            run_of_old = self.work / name / "trained"
            run_of_old.parent.mkdir(parents=True)
            arguments = training_arguments(training, self.data, run_of_old, 2)
            said = run(self.programs["old"], arguments, self.work)
            if said["exit code"] != "0":
                raise RuntimeError(said["standard error"].strip())
            asked = dict(ASKED)
            if training.startswith("transcribe"):
                asked |= ASKED_TRANSCRIPTS
            if training in GENERATORS:
                asked = ASKED_OF_GENERATORS
            differences = []
            for what, arguments in asked.items():

                def one(side, folder, arguments=arguments):
                    shutil.copytree(run_of_old, folder / "run")
                    filled = [each.format(data=self.data, run=folder / "run") for each in arguments]
                    return run(self.programs[side], [*filled, "--threads", "1"], folder)

                said, folders = self.both(f"{name}/{what}", one)
                if said["old"]["exit code"] != "0":
                    raise RuntimeError(f"{what}: {said['old']['standard error'].strip()}")
                found = compare_said(said["old"], said["new"], folders) + compare_folders(*folders)
                differences += [f"{what}: {each}" for each in found]
            return differences

        return action

    def resumed(self, training):
        """What OLD began and was stopped in is ended by both, as if it had not been stopped."""

        def action(name):
            begun = self.work / name / "begun"
            begun.parent.mkdir(parents=True)
            interrupt(self.programs["old"], training, self.data, begun)

            def one(side, folder):
                shutil.copytree(begun, folder / "run")
                arguments = ["train", "--resume", str(folder / "run"), "--threads", "1", "--json"]
                said = run(self.programs[side], arguments, folder)
                if said["exit code"] != "0":
                    raise RuntimeError(f"{side}: {said['standard error'].strip()}")
                return said

            _, folders = self.both(name, one)
            whole = self.work / name / "whole/run"
            run(self.programs["old"], training_arguments(training, self.data, whole, 4), self.work)
            differences = compare_folders(*folders)
            return differences + [
                f"than uninterrupted: {each}" for each in compare_folders(whole.parent, folders[1])
            ]

        return action

    def all(self):
        checks = {"help": self.helps}
        for training in TRAININGS:
            checks[f"train {training}"] = self.training(training)
            checks[f"resume {training}"] = self.resumed(training)
            checks[f"ask {training}"] = self.asked(training)
        for model in ZOO:
            checks[f"zoo {model}"] = self.training(model, epochs=1)
        for name, arguments in COMMANDS.items():
            checks[f"command {name}"] = self.command(arguments)
        for future in [self.pool.submit(self.check, name, action) for name, action in checks.items()]:
            future.result()


def main():
    old, new = (str(Path(path).resolve(strict=True)) for path in sys.argv[1:3])
    kept = os.environ.get("KEEP")
    work = Path(tempfile.mkdtemp(prefix="sori-behaviour-") if not kept else kept)
    work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        write_data(work / "data")
        checks = Checks(old, new, work)
        checks.all()
    finally:
        if not kept:
            shutil.rmtree(work, ignore_errors=True)
    different = [row for row in checks.rows if row[1]]
    print()
    for name, differences, seconds in sorted(checks.rows):
        print(f"{name:28} {seconds:6.1f} s  {f'{len(differences)} differences' if differences else 'same'}")
        for difference in differences[:5]:
            print(f"    {difference}")
    print(f"\n{len(checks.rows)} checks, {len(different)} differ, in {time.monotonic() - started:.0f} s")
    sys.exit(1 if different or not checks.rows else 0)


if __name__ == "__main__":
    main()
