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
BEAM, ALPHA, BETA, UNKNOWN = 100, 0.5, 1.5, -10.0
SYMBOL_THRESHOLD, BEAM_THRESHOLD = -5.0, 10.0


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


def decode(decoder, log_probs):
    return decoder.decode_beams(
        log_probs, beam_width=BEAM, token_min_logp=SYMBOL_THRESHOLD, beam_prune_logp=-BEAM_THRESHOLD
    )


def read(path):
    """The alphabet's symbols, and each recording's log-probabilities in the order of their ids."""
    with safe_open(path, "np") as file:
        symbols = json.loads(file.metadata()["alphabet"])["symbols"]
        return symbols, {name: file.get_tensor(name) for name in sorted(file.keys())}


def main():
    emissions, arpa = sys.argv[1:]
    symbols, recordings = read(emissions)
    recordings = [np.round(values * 256) for values in list(recordings.values())[:COUNT]]
    recordings = [np.clip(values, -(2**15), 0).astype(np.int16) for values in recordings]
    shutil.copy(arpa, HERE / "digits.arpa")
    cases = {"steps": [len(values) for values in recordings], "symbols": symbols, "found": {}}
    for name, decoder in decoders(symbols, arpa).items():
        cases["found"][name] = []
        for values in recordings:
            beams = decode(decoder, log_softmax(values.astype(np.float64) / 256))
            best = [
                {"text": beam.text, "acoustic": beam.logit_score, "score": beam.lm_score}
                for beam in beams[:3]
            ]
            cases["found"][name].append(best)
    save_file({"log_probs": np.concatenate(recordings)}, HERE / "decoding.safetensors")
    (HERE / "decoding.json").write_text(json.dumps(cases, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
