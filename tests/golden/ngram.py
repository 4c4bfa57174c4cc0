"""Golden values for n-gram language models, from KenLM 0.3.0 (its sdist on PyPI).

    python tests/golden/ngram.py path/to/lmplz

writes tests/golden/ngram/, which tests/golden/ngram.rs reads: texts of a small grammar (words.txt, whose counts
are enough for discounts, and digits.txt, whose counts are not), the models `lmplz` estimates of them, a model
pruned at random as SRILM may leave one, and what KenLM gives each token of sentences, known and unknown.

lmplz is built from the sdist: `cmake -B build -DCMAKE_BUILD_TYPE=Release && make -C build lmplz`.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import kenlm

assert version("kenlm") == "0.3.0", version("kenlm")
LMPLZ = sys.argv[1]
FOLDER = Path(__file__).with_name("ngram")
FOLDER.mkdir(exist_ok=True)
DIGITS = "zero one two three four five six seven eight nine".split()
GRAMMAR = {
    "S": ["NP VP", "NP VP", "NP VP and S", "ADV NP VP", "NP VP while NP VP", "NAMES VP"],
    "NP": ["the N", "a N", "the ADJ N", "NAMES", "the N of the N", "NUM NS"],
    "VP": ["V NP", "V NP", "VI", "VI ADV", "V NP in NP", "VI under NP"],
    "N": "drum horn room piano bird street lamp whale kettle river echo".split(),
    "NS": "drums horns rooms birds lamps bells".split(),
    "NAMES": "소리 민수 ada noor 지우".split(),
    "NUM": "two three four seven".split(),
    "ADJ": "low loud old quiet blue hollow".split(),
    "V": "hears follows answers carries paints".split(),
    "VI": "hums rings sleeps waits".split(),
    "ADV": "softly often twice again".split(),
}


def sentence(draw, symbol="S"):
    if symbol not in GRAMMAR:
        return [symbol]
    choices = GRAMMAR[symbol]
    # The n-th choice is 1/n as likely as the first.
    choice = draw.choices(choices, [1 / n for n in range(1, len(choices) + 1)])[0]
    return [word for part in choice.split() for word in sentence(draw, part)]


def spaced(text, kind):
    if kind == "words":
        return text
    return " ".join("<space>" if character == " " else character for character in text)


def estimate(text, kind, order):
    """The ARPA file, and by order the discounts and whether they are the fallback."""
    given = "".join(f"{spaced(line, kind)}\n" for line in text.splitlines())
    done = subprocess.run(
        [LMPLZ, "--order", str(order), "--discount_fallback", "-S", "100M"],
        input=given.encode(),
        capture_output=True,
        check=True,
    )
    said = done.stderr.decode()
    discounts = re.findall(r"^\d \d+ D1=(\S+) D2=(\S+) D3\+=(\S+)$", said, re.MULTILINE)
    assert len(discounts) == order, said
    fallback = [int(at) + 1 for at in re.findall(r"Substituting fallback discounts for order (\d)", said)]
    return done.stdout.decode(), {"discounts": [[float(d) for d in ds] for ds in discounts], "fallback": fallback}


def prune(arpa, draw):
    """Leaves out n-grams that none begins with, though some end with them; back-off weights of 0; and <unk>."""
    sections = re.split(r"\n\\(\d)-grams:\n", arpa)[1:]
    grams = {}
    for order, lines in zip(sections[::2], sections[1::2]):
        grams[int(order)] = [line.split("\t") for line in lines.splitlines() if "\t" in line]
    highest = max(grams)
    for order in range(highest, 0, -1):
        prefixes = {gram[1].rsplit(" ", 1)[0] for gram in grams.get(order + 1, [])}
        drop = 0.0 if order == 1 else 0.3
        grams[order] = [
            gram[:2] if gram[2:] == ["0"] else gram
            for gram in grams[order]
            if (gram[1] in prefixes or draw.random() > drop) and gram[1] != "<unk>"
        ]
    written = "made by hand\n\n\\data\\\n" + "".join(f"ngram {n}={len(grams[n])}\n" for n in sorted(grams))
    for order in sorted(grams):
        written += f"\n\\{order}-grams:\n" + "".join("\t".join(gram) + "\n" for gram in grams[order])
    return written + "\n\\end\\\n"


def scores(arpa, kind, lines):
    if "ngram 2=" not in arpa:
        # KenLM reads no model of unigrams alone, but one whose bigrams are none.
        arpa = re.sub(r"(ngram 1=\d+\n)", r"\1ngram 2=0\n", arpa).replace("\\end\\", "\\2-grams:\n\n\\end\\")
    # KenLM takes remarks before the data only behind a #.
    arpa = arpa[arpa.index("\\data\\") :]
    with tempfile.NamedTemporaryFile("w", suffix=".arpa") as file:
        file.write(arpa)
        file.flush()
        model = kenlm.Model(file.name)
    return [
        {"text": line, "log10": [round(token[0], 6) for token in model.full_scores(spaced(line, kind))]} for line in lines
    ]


def main():
    draw = random.Random(0)
    texts = {
        "words": "".join(" ".join(sentence(draw)) + "\n" for _ in range(90)),
        "digits": "".join(" ".join(draw.choices(DIGITS, k=draw.randint(1, 3))) + "\n" for _ in range(12)),
    }
    asked = [" ".join(sentence(draw)) for _ in range(8)] + [" ".join(draw.choices(DIGITS, k=4)) for _ in range(2)]
    for line in asked[:5]:
        words = line.split() + ["unheard", "quetzal", "두더지"]
        draw.shuffle(words)
        asked.append(" ".join(words))
    asked.append("")
    for old in FOLDER.iterdir():
        old.unlink()
    for name, text in texts.items():
        (FOLDER / f"{name}.txt").write_text(text)
    cases = []
    for text, kind, order in [
        *[("digits", "words", order) for order in range(1, 6)],
        *[("digits", "characters", order) for order in (1, 2, 5)],
        *[("words", "words", order) for order in (1, 2, 4)],
        ("words", "characters", 3),
    ]:
        arpa, found = estimate(texts[text], kind, order)
        name = f"{text}-{kind}-{order}.arpa"
        (FOLDER / name).write_text(arpa)
        case = {"arpa": name, "text": f"{text}.txt", "kind": kind, "order": order, **found}
        cases.append({**case, "scores": scores(arpa, kind, asked)})
        if name == "words-words-4.arpa":
            pruned = prune(arpa, draw)
            (FOLDER / "pruned.arpa").write_text(pruned)
            cases.append({"arpa": "pruned.arpa", "kind": kind, "order": order, "scores": scores(pruned, kind, asked)})
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    (FOLDER / "cases.json").write_text(f"[\n{lines}\n]\n")


main()
