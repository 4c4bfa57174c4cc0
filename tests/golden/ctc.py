"""Golden values for the CTC loss, from PyTorch in double precision. Needs torch 2.15.0 alone.

    python tests/golden/ctc.py

writes tests/golden/ctc.json, which tests/golden/ctc.rs reads: batches of random logits, lengths and
transcripts, and of `F.ctc_loss` over their log-softmax the loss and the gradient of the logits under
each reduction, with and without `zero_infinity`. What is not finite is written as a string.
"""

import json
import math
import random
from pathlib import Path

import torch
import torch.nn.functional as F

OUT = Path(__file__).parent / "ctc.json"


def numbers(tensor):
    return [round(x, 9) if math.isfinite(x) else str(x) for x in tensor.flatten().tolist()]


def case(rng, batch, steps, symbols, longest):
    logits = torch.randn(batch, steps, symbols) * 2
    lengths = [rng.choice([steps, steps, rng.randint(0, steps)]) for _ in range(batch)]
    targets = [[rng.randrange(1, symbols) for _ in range(rng.randint(0, longest))] for _ in range(batch)]
    logits = torch.tensor([round(x, 4) for x in logits.flatten().tolist()]).double().reshape(logits.shape)
    results = []
    for reduction in ["none", "sum", "mean"]:
        for zero_infinity in [False, True]:
            x = logits.clone().requires_grad_()
            loss = F.ctc_loss(
                x.log_softmax(2).transpose(0, 1),
                torch.tensor([label for labels in targets for label in labels], dtype=torch.long),
                torch.tensor(lengths),
                torch.tensor([len(labels) for labels in targets]),
                reduction=reduction,
                zero_infinity=zero_infinity,
            )
            loss.sum().backward()
            results.append(
                dict(reduction=reduction, zero_infinity=zero_infinity, loss=numbers(loss), gradient=numbers(x.grad))
            )
    return dict(
        sizes=[batch, steps, symbols], logits=numbers(logits), lengths=lengths, targets=targets, results=results
    )


def main():
    torch.manual_seed(0)
    rng = random.Random(0)
    cases = [case(rng, *sizes) for sizes in [(4, 6, 4, 4), (3, 12, 5, 6), (1, 1, 3, 1), (2, 40, 6, 15)]]
    OUT.write_text(json.dumps(dict(torch=torch.__version__, cases=cases)) + "\n")


if __name__ == "__main__":
    main()
