"""The equal-error rate of a run's vectors for voices: how often two recordings are wrongly held to be of one speaker,
or of two, at the threshold where both happen alike. Needs numpy.

    sori import resemblyzer Resemblyzer-0.1.4-py3-none-any.whl --out runs/voices
    python benches/voices.py sori runs/voices DATA

DATA is the folder of corpora: fsdd (all 3000 recordings, six speakers) and speechocean762 (all 800 of its 40 speakers
that are there). Every pair of recordings of a corpus is compared.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

CORPORA = {
    "fsdd": ("fsdd/recordings", "*.wav", lambda path: path.name.split("_")[1]),
    "speechocean762": ("speechocean762", "*/*.flac", lambda path: path.parent.name),
}


def equal_error_rate(alike, same):
    order = np.argsort(-alike)
    same = same[order]
    accepted = np.arange(1, len(same) + 1)
    true = np.cumsum(same)
    missed = 1 - true / same.sum()
    wrong = (accepted - true) / (~same).sum()
    at = np.argmin(np.abs(missed - wrong))
    return (missed[at] + wrong[at]) / 2, alike[order][at]


def main():
    sori, run, data = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    for name, (folder, pattern, speaker) in CORPORA.items():
        paths = sorted((data / folder).glob(pattern))
        speakers = np.array([speaker(path) for path in paths])
        with tempfile.TemporaryDirectory() as place:
            out = f"{place}/x.npy"
            subprocess.run([sori, "embed", run, *map(str, paths), "--out", out, "--quiet", "--threads", "1"], check=True)
            x = np.load(out).astype(float)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        a, b = np.triu_indices(len(x), 1)
        rate, threshold = equal_error_rate((x @ x.T)[a, b], speakers[a] == speakers[b])
        speakers = len(set(speakers))
        print(f"{name}: {len(x)} recordings, {speakers} speakers, equal-error rate {rate:.4f} at {threshold:.3f}")


if __name__ == "__main__":
    main()
