"""The lecture notebook's numbers: what it printed, and what it drew. Needs numpy alone.

    python tests/golden/notebook.py

writes tests/golden/notebook.json, which examples/lecture_notebook reads. The network's input was never
printed; but the printed gradients say what the first hidden layer gave, and an input that makes it give
that is as good as the notebook's for everything the notebook printed.
"""

import itertools
import json
from pathlib import Path

import numpy as np

OUT = Path(__file__).parent / "notebook.json"

W1 = [[0.96611671, -0.29382973, -0.39793937, -0.39615487, -0.01055339],
      [-0.48097877, -0.03133202, 0.68878007, 0.25151511, 0.16290848],
      [0.15159429, -0.15188782, -0.31257492, 0.50734366, -0.54890941],
      [0.13220054, -0.41171213, 0.3657522, -0.05180709, -0.36550746]]
W2 = [[0.37020287, 0.00858161, -0.65042959, 0.58061724],
      [-0.07171643, -0.09504507, 0.11313475, -0.58871746],
      [-0.17561212, 0.01274369, -0.07963832, -0.18083417]]
W3 = [[1.19715607, -0.1820765, 0.29266063]]
Y = [[0, 1, 1, 0]]
PRINTED = {
    "AL": [[0.50101001, 0.49254327, 0.60241226, 0.5029799]],
    "cost": 0.6523200689754123,
    "db3": [[0.02473636]],
    "dW3": [[-0.03315558, -0.02078383, 0.00135047]],
    "dA2": [[0.59978718, -0.60750491, -0.47597458, 0.60214545],
            [-0.09122215, 0.09239594, 0.07239138, -0.09158082],
            [0.1466259, -0.14851261, -0.11635828, 0.14720241]],
    "db2": [[0.18148951], [0.02309899], [0.07345708]],
    "dA1, row 1": [[0.19629365, -0.00662631, -0.17620715, 0.19706544]],
    "dW2": [[-0.0551107, 0.14156149, 0, -0.03531602],
            [0, 0.0061461, 0.04558699, 0.00134032],
            [0.00026072, 0.03460658, 0, 0]],
    "b3 after a step": [[-0.00123682]],
    "W3 after a step": [[1.19881385, -0.1810373, 0.2925931]],
    "W2 after a step, row 1": [[0.3729584, 0.00150354, -0.65042959, 0.58238304]],
    "b1 after a step": [[-2.60728589e-04], [-6.59649945e-05], [-1.30664895e-04], [4.13442692e-03]],
    "mean of Z": 0.048995203528855794,
    "max pooling": [[1.74481176, 0.86540763, 1.13376944], [1.13162939, 1.51981682, 2.18557541]],
    "average pooling": [[0.02105773, -0.20328806, -0.40389855], [-0.22154621, 0.51716526, 0.48155844]],
}
# The learning rate of the step.
RATE = 0.05
# Which units of the second layer were above zero: those whose gradients make up db2.
MASK2 = np.array([[1, 0, 1, 1], [0, 1, 0, 0], [1, 0, 0, 1]])




def first_mask():
    """Which units [4, 4] of the first layer were above zero: those whose gradients make up the step of b1."""
    da1 = np.array(W2).T @ (np.array(PRINTED["dA2"]) * MASK2)
    db1 = np.array(PRINTED["b1 after a step"])[:, 0] / -RATE
    masks = np.array(list(itertools.product([0, 1], repeat=4)))
    return np.array([min(masks, key=lambda mask: abs(da1[unit] @ mask / 4 - db1[unit])) for unit in range(4)])


def first_layer(mask):
    """What the units of the first layer gave, [4, 4], from dW2 = dZ2 A1ᵀ / 4 and logit(AL) = W3 relu(W2 A1)."""
    dz2 = np.array(PRINTED["dA2"]) * MASK2
    al = np.array(PRINTED["AL"])[0]
    left, right = [], []
    for unit, below in itertools.product(range(3), range(4)):
        row = np.zeros((4, 4))
        row[below] = dz2[unit] / 4
        left.append(row[mask == 1])
        right.append(PRINTED["dW2"][unit][below])
    for example in range(4):
        row = np.zeros((4, 4))
        row[:, example] = (np.array(W3) * MASK2[:, example]) @ np.array(W2)
        left.append(row[mask == 1])
        right.append(np.log(al[example] / (1 - al[example])))
    left, right = np.array(left), np.array(right)
    found, _, rank, _ = np.linalg.lstsq(left, right, rcond=None)
    assert rank == mask.sum() and abs(left @ found - right).max() < 2e-8 and found.min() > 0
    a1 = np.zeros((4, 4))
    a1[mask == 1] = found
    return a1


def draws(*shapes):
    np.random.seed(1)
    return [np.random.randn(*shape) for shape in shapes]


def main():
    mask = first_mask()
    a1 = first_layer(mask)
    # Where a unit was off, anything below zero will do.
    z1 = np.where(mask == 1, a1, -1.0)
    x = np.linalg.pinv(np.array(W1)) @ z1
    assert abs(np.array(W1) @ x - z1).max() < 1e-12
    images, kernels, bias = draws((10, 4, 4, 3), (2, 2, 3, 8), (1, 1, 1, 8))
    (pooled,) = draws((2, 4, 4, 3))
    values = {
        "X": x, "W1": W1, "W2": W2, "W3": W3, "Y": Y,
        "images": images, "kernels": kernels, "bias": bias.ravel(), "pooled": pooled,
    }
    tables = {name: np.array(value).tolist() for name, value in values.items()}
    OUT.write_text(json.dumps({"drawn": tables, "printed": PRINTED}) + "\n")


if __name__ == "__main__":
    main()
