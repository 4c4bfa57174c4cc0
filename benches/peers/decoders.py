"""Decoding beside pyctcdecode (Python) and flashlight-text (C++), one thread, the same log-probabilities of
120 recordings, the same beam and thresholds, in turns, median of the turns. Needs pyctcdecode 0.5.0, kenlm
0.3.0, flashlight-text 0.0.7 and safetensors.

    python benches/peers/decoders.py [TURNS]

flashlight has two kinds of decoder. The one that writes any symbols (`LexiconFreeDecoder`) is beside the
search without a language model; the one that writes words of a lexicon (`LexiconDecoder`) beside the one
with it, which may write others too.
"""

import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from flashlight.lib.text.decoder import (
    CriterionType,
    KenLM,
    LexiconDecoder,
    LexiconDecoderOptions,
    LexiconFreeDecoder,
    LexiconFreeDecoderOptions,
    SmearingMode,
    Trie,
    ZeroLM,
)
from flashlight.lib.text.dictionary import Dictionary, create_word_dict
from safetensors.numpy import load_file

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests/golden"
sys.path.insert(0, str(GOLDEN))
import decoding  # noqa: E402


def utterances():
    cases = json.loads((GOLDEN / "decoding.json").read_text())
    values = load_file(GOLDEN / "decoding.safetensors")["log_probs"].astype(np.float64) / 256
    ends = np.cumsum(cases["steps"])
    return cases["alphabet"]["symbols"], [decoding.log_softmax(part) for part in np.split(values, ends[:-1])]


def flashlight(symbols, words):
    """Its decoders: without and with the language model."""
    tokens = ["-", *symbols]
    index = Dictionary(tokens)
    space, blank = tokens.index(" "), 0
    shared = {
        "beam_size": decoding.USUAL[0],
        "beam_size_token": len(tokens),
        "beam_threshold": decoding.USUAL[2],
        "sil_score": 0.0,
        "log_add": True,
        "criterion_type": CriterionType.CTC,
    }
    free = LexiconFreeDecoder(
        LexiconFreeDecoderOptions(lm_weight=0.0, **shared), ZeroLM(), space, blank, []
    )
    lexicon = {word: [[*word, " "]] for word in words} | {"<unk>": []}
    word_index = create_word_dict(lexicon)
    model = KenLM(str(GOLDEN / "digits.arpa"), word_index)
    trie = Trie(index.index_size(), space)
    start = model.start(False)
    for word in words:
        label = word_index.get_index(word)
        _, score = model.score(start, label)
        spelled = [tokens.index(symbol) for symbol in [*word, " "]]
        trie.insert(spelled, label, score)
    trie.smear(SmearingMode.MAX)
    options = LexiconDecoderOptions(
        lm_weight=decoding.ALPHA * np.log(10),
        word_score=decoding.BETA,
        unk_score=-np.inf,
        **shared,
    )
    unknown = word_index.get_index("<unk>")
    with_words = LexiconDecoder(options, trie, model, space, blank, unknown, [], False)
    return {"none": free, "words": with_words}


def timed(work):
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def sori(name):
    """Median of its rounds, in ms."""
    command = ["cargo", "bench", "--quiet", "--bench", "decoding", "--", name]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return float(re.search(rf"^{name}: ([0-9.]+) ms", lines, re.MULTILINE)[1])


def main():
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    symbols, recordings = utterances()
    words = decoding.words(GOLDEN / "digits.arpa")
    python = decoding.decoders(symbols, GOLDEN / "digits.arpa")
    cpp = flashlight(symbols, words)
    floats = [np.ascontiguousarray(values, dtype=np.float32) for values in recordings]

    def run_cpp(decoder):
        for values in floats:
            decoder.decode(values.ctypes.data, *values.shape)

    def run_python(decoder):
        for values in recordings:
            decoding.decode(decoder, values)

    for name in ["none", "words"]:
        times = {"Sori": [], "pyctcdecode": [], "flashlight-text": []}
        for _ in range(turns):
            times["Sori"].append(sori(name))
            times["pyctcdecode"].append(timed(lambda: run_python(python[name])))
            times["flashlight-text"].append(timed(lambda: run_cpp(cpp[name])))
        medians = {who: statistics.median(each) for who, each in times.items()}
        print(name, {who: f"{median:.1f} ms" for who, median in medians.items()}, flush=True)


if __name__ == "__main__":
    main()
