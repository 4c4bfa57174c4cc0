"""The n-gram model beside KenLM's `lmplz` and `kenlm_benchmark` (C++): time and memory, on a text made up here.

    cargo build --release
    python benches/peers/ngram.py path/to/kenlm/build/bin

Words are drawn from Zipf's law, each with followers of its own, so that n-grams recur; a tenth of the text is kept
to ask. Both sides are asked in turns, one thread each, with words looked up beforehand; the table has the medians
of the rounds, and the memory of the models (of KenLM's, the size of its binary file, which it reads as it is).
"""

import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KENLM = Path(sys.argv[1])
ORDER = "4"
ROUNDS = 5


def sentences(draw, count, words=20_000):
    common = draw.choices(range(words), [1 / (rank + 2) for rank in range(words)], k=count * 12)
    followers = {}
    for _ in range(count):
        sentence = []
        for _ in range(draw.randint(4, 16)):
            own = followers.setdefault(sentence[-1] if sentence else None, [])
            if len(own) < 8 or draw.random() < 0.3:
                own.append(draw.choice(common))
            sentence.append(own[int(len(own) * draw.random() ** 3)])
        yield " ".join(f"w{word}" for word in sentence) + "\n"


def output(command, text=os.devnull):
    with open(text, "rb") as given:
        return subprocess.run(command, stdin=given, capture_output=True, check=True, cwd=ROOT).stdout


def estimate(name, command):
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command} failed")
    cpu = usage.ru_utime + usage.ru_stime
    print(f"{name}: estimated in {time.perf_counter() - started:.1f} s, {cpu:.1f} s of CPU, {usage.ru_maxrss / 1024:.0f} MiB")


def main():
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        train, asked, ids = folder / "train.txt", folder / "asked.txt", folder / "asked.ids"
        ours, theirs, binary = folder / "sori.arpa", folder / "kenlm.arpa", folder / "kenlm.bin"
        lines = list(sentences(draw, 220_000))
        train.write_text("".join(lines[20_000:]))
        asked.write_text("".join(lines[:20_000]))
        sori = [ROOT / "target/release/sori", "lm", "train", "--kind", "words", "--text", train, "--order", ORDER, "--out", ours]
        estimate("sori", [*sori, "--set", "punctuation=keep"])
        estimate("lmplz", [KENLM / "lmplz", "-o", ORDER, "-S", "1G", "--text", train, "--arpa", theirs, "--discount_fallback"])
        print(*theirs.read_text().split("\n\n")[0].splitlines()[1:])
        output([KENLM / "build_binary", "probing", theirs, binary])
        ids.write_bytes(output([KENLM / "kenlm_benchmark", "-v", "-m", binary], asked))
        times = {"sori": [], "KenLM": []}
        for _ in range(ROUNDS):
            said = output(["cargo", "bench", "--quiet", "--bench", "ngram", "--", theirs, asked]).decode()
            times["sori"].append(float(re.match(r"(\S+) ns", said)[1]))
            given = output([KENLM / "kenlm_benchmark", "-q", "-m", binary, "-t", "1"], ids).decode()
            times["KenLM"].append(float(re.search(r"Seconds per query excluding load, CPU: (\S+)", given)[1]) * 1e9)
        print(said.strip())
        for name, found in times.items():
            print(f"{name}: {statistics.median(found):.0f} ns a query ({min(found):.0f} to {max(found):.0f})")
        print(f"KenLM: {binary.stat().st_size / 2**20:.1f} MiB")


main()
