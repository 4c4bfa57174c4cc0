"""Golden values for the metrics of taggers, from scikit-learn 1.9.1.

    python tests/golden/metrics.py

writes tests/golden/metrics.json, which tests/golden/metrics.rs reads: random scores (some coarse, so that
they tie) and right tags, and what scikit-learn makes of them. Tags without a positive are left out of means
over tags, as Sori does; label-weighted ranking precision is scikit-learn's with each recording weighed by its
number of tags, as in the Freesound challenge.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, f1_score, label_ranking_average_precision_score, roc_auc_score

rng = np.random.default_rng(0)
cases = []
for rows, tags, levels in [(40, 5, 0), (60, 8, 6), (25, 3, 3), (100, 10, 0), (7, 4, 4)]:
    truth = rng.random((rows, tags)) < 0.3
    truth[0] = True
    truth[1] = False
    scores = np.clip(rng.random((rows, tags)) * 0.7 + truth * rng.random((rows, tags)) * 0.5, 0, 1)
    scores = np.round(scores * levels) / levels if levels else scores
    scores = scores.astype(np.float32)
    has = truth.any(0)
    weights = truth.sum(1)
    kept = weights > 0
    cases.append(
        {
            "scores": [[float(x) for x in row] for row in scores],
            "tags": [np.flatnonzero(row).tolist() for row in truth],
            "map": average_precision_score(truth[:, has], scores[:, has], average="macro"),
            "map_micro": average_precision_score(truth, scores, average="micro"),
            "roc_auc": roc_auc_score(truth[:, has], scores[:, has], average="macro"),
            "roc_auc_micro": roc_auc_score(truth, scores, average="micro"),
            "lwlrap": label_ranking_average_precision_score(truth[kept], scores[kept], sample_weight=weights[kept]),
            "macro_f1": f1_score(truth, scores >= 0.5, average="macro", zero_division=0.0),
        }
    )
Path(__file__).with_suffix(".json").write_text(json.dumps(cases, indent=None))
