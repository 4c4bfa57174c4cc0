"""Transcripts that pyctcdecode 0.5.0 with KenLM 0.3.0 finds in what a recogniser said of real recordings.

    sori eval RUN --data 'digits:DIR?speaker=yweweler&split=test' --emissions emissions.safetensors
    sori lm train --run RUN --order 3 --kind words --out digits.arpa
    python tests/golden/decoding.py emissions.safetensors digits.arpa

writes tests/golden/decoding.safetensors (the log-probabilities of the first 120 recordings, in 256ths of a
nat, one after another) and tests/golden/decoding.json (where each begins, the alphabet, and what was found
with and without the language model), and copies the model to tests/golden/digits.arpa;
tests/golden/decoding.rs reads them.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from pyctcdecode import build_ctcdecoder
from safetensors import safe_open
from safetensors.numpy import save_file

HERE = Path(__file__).parent
COUNT = 120
ALPHA, BETA, UNKNOWN = 0.5, 1.5, -10.0
# Beam, threshold of symbols, threshold of beams: the customary ones, and ones that give up next to nothing, by
# which scores are compared too. pyctcdecode counts a transcript that ends in the blank and the same that does
# not as two of its beams, and gives one of them up sooner.
USUAL = (100, -5.0, 10.0)
WIDE = (1000, -12.0, 25.0)


def log_softmax(values):
    shifted = values - values.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def words(arpa):
    """The 1-grams of an ARPA file, without <s>, </s> and <unk>."""
    section = Path(arpa).read_text().split("\\1-grams:\n")[1].split("\n\\")[0]
    found = [line.split("\t")[1] for line in section.splitlines() if line]
    return [word for word in found if not word.startswith("<")]


def decoders(symbols, arpa):
    """Of pyctcdecode: without and with the language model."""
    labels = ["", *symbols]
    model = {
        "kenlm_model_path": str(arpa),
        "unigrams": words(arpa),
        "alpha": ALPHA,
        "beta": BETA,
        "unk_score_offset": UNKNOWN,
    }
    return {"none": build_ctcdecoder(labels), "words": build_ctcdecoder(labels, **model)}


def decode(decoder, log_probs, width=USUAL):
    beam, symbol, threshold = width
    return decoder.decode_beams(
        log_probs, beam_width=beam, token_min_logp=symbol, beam_prune_logp=-threshold
    )


def read(path):
    """The alphabet, and each recording's log-probabilities in the order of their ids."""
    with safe_open(path, "np") as file:
        alphabet = json.loads(file.metadata()["alphabet"])
        return alphabet, {name: file.get_tensor(name) for name in sorted(file.keys())}


def main():
    emissions, arpa = sys.argv[1:]
    alphabet, recordings = read(emissions)
    recordings = [np.round(values * 256) for values in list(recordings.values())[:COUNT]]
    recordings = [np.clip(values, -(2**15), 0).astype(np.int16) for values in recordings]
    shutil.copy(arpa, HERE / "digits.arpa")
    cases = {"steps": [len(values) for values in recordings], "alphabet": alphabet, "found": {}}
    for name, decoder in decoders(alphabet["symbols"], arpa).items():
        # With a language model a wide beam has, nearly always, one that ends in a space, and pyctcdecode scores
        # the nothing after it as an unknown word: of all beams that read the same.
        widths = {"usual": USUAL, "wide": WIDE} if name == "none" else {"usual": USUAL}
        for width_name, width in widths.items():
            found = cases["found"][f"{name}, {width_name}"] = []
            for values in recordings:
                beams = decode(decoder, log_softmax(values.astype(np.float64) / 256), width)
                # Text and scores: of the recogniser, and with the language model.
                best = [{"text": beam[0], "acoustic": beam[3], "score": beam[4]} for beam in beams[:3]]
                found.append(best)
    save_file({"log_probs": np.concatenate(recordings)}, HERE / "decoding.safetensors")
    (HERE / "decoding.json").write_text(json.dumps(cases, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
