"""Golden values for the operators on random shapes, from PyTorch in double precision. Needs torch 2.15.0
and numpy 2.4.6.

    python tests/golden/operators.py

writes tests/golden/operators.safetensors, which tests/golden/operators.rs reads. Its metadata holds the
cases as JSON: the operator, its options, and how many inputs it has. Case N has the tensors N.in.I, N.out.J,
N.weigh (the loss is the sum of the first output times it) and N.grad.I, laid out as Sori lays them out:
channels last, the output axis last in weights. All are rounded to single precision.
"""

import json
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from models import valid, write
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

OUT = Path(__file__).parent / "operators.safetensors"
CASES_OF_EACH = 8


class Cases:
    def __init__(self):
        self.cases, self.tensors = [], {}

    def add(self, op, options, inputs, function):
        """`function` takes the inputs as Sori lays them out; the first output is the loss's."""
        index = len(self.cases)
        inputs = [x.float().double().requires_grad_() for x in inputs]
        outputs = function(*inputs)
        weigh = torch.randn_like(outputs[0]).float()
        (outputs[0] * weigh.double()).sum().backward()
        for i, x in enumerate(inputs):
            self.tensors[f"{index}.in.{i}"] = x.detach().float()
            self.tensors[f"{index}.grad.{i}"] = x.grad.float()
        for i, y in enumerate(outputs):
            self.tensors[f"{index}.out.{i}"] = y.detach().float()
        self.tensors[f"{index}.weigh"] = weigh
        self.cases.append(dict(op=op, inputs=len(inputs), outputs=len(outputs), **options))


def convolution(cases, rng):
    while True:
        batch, groups = rng.randint(1, 3), rng.choice([1, 1, 2, 3])
        size = [rng.randint(1, 15), rng.randint(1, 15)]
        kernel = [rng.randint(1, 5), rng.randint(1, 5)]
        stride, dilation = [rng.randint(1, 3), rng.randint(1, 3)], [rng.randint(1, 2), rng.randint(1, 2)]
        padding = [rng.randint(0, 3), rng.randint(0, 3)]
        if all(s + 2 * p > d * (k - 1) for s, p, d, k in zip(size, padding, dilation, kernel)):
            break
    channels_in, channels_out = groups * rng.randint(1, 4), groups * rng.randint(1, 5)
    inputs = [
        torch.randn(batch, *size, channels_in),
        torch.randn(*kernel, channels_in // groups, channels_out),
        torch.randn(channels_out),
    ]

    def conv(x, weight, bias):
        x, weight = x.permute(0, 3, 1, 2), weight.permute(3, 2, 0, 1)
        return [F.conv2d(x, weight, bias, stride, padding, dilation, groups).permute(0, 2, 3, 1)]

    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    cases.add("conv2d", options, inputs, conv)


def norm_pool(cases, rng):
    batch, frames, bins, channels = rng.randint(1, 3), rng.randint(3, 12), rng.randint(2, 6), rng.randint(1, 9)
    pool = [rng.randint(1, 3), rng.randint(1, 2)]
    high = rng.choice([0.7, 1e30])
    lengths = torch.tensor([rng.choice([0, 1, frames, rng.randint(1, frames)]) for _ in range(batch)])
    lengths[0] = frames
    inputs = [torch.randn(batch, frames, bins, channels), torch.randn(channels), torch.randn(channels)]

    def norm(x, gamma, beta):
        mask = valid(lengths, frames)
        rows = x[mask]
        mean, var = torch.zeros(channels).double(), torch.ones(channels).double()
        flat = F.batch_norm(rows.flatten(0, 1), mean, var, gamma, beta, training=True, momentum=1.0, eps=1e-5)
        y = torch.zeros_like(x)
        y[mask] = flat.clamp(0, high).reshape(rows.shape)
        y = F.max_pool2d(y.permute(0, 3, 1, 2), pool).permute(0, 2, 3, 1)
        y = y * valid(lengths // pool[0], y.shape[1])[:, :, None, None]
        return [y, mean, var]

    cases.add("norm_pool", dict(lengths=lengths.tolist(), pool=pool, high=high), inputs, norm)


def pooling(cases, rng):
    size = [rng.randint(1, 3), rng.randint(3, 12), rng.randint(3, 12), rng.randint(1, 9)]
    pool, kind = [rng.randint(1, 3), rng.randint(1, 3)], rng.choice(["max", "average"])
    function = {"max": F.max_pool2d, "average": F.avg_pool2d}[kind]
    pooled = lambda x: [function(x.permute(0, 3, 1, 2), pool).permute(0, 2, 3, 1)]
    cases.add(f"{kind}_pool2d", dict(pool=pool), [torch.randn(size)], pooled)


def linear(cases, rng):
    rows, d_input, d_output = rng.randint(1, 20), rng.randint(1, 40), rng.randint(1, 40)
    inputs = [torch.randn(rows, d_input), torch.randn(d_input, d_output), torch.randn(d_output)]
    cases.add("linear", {}, inputs, lambda x, weight, bias: [x @ weight + bias])


def losses(cases, rng):
    rows, classes = rng.randint(1, 12), rng.randint(2, 20)
    targets = [rng.randrange(classes) for _ in range(rows)]
    one = lambda logits: [F.cross_entropy(logits, torch.tensor(targets)).reshape(1)]
    cases.add("cross_entropy", dict(targets=targets), [torch.randn(rows, classes) * 8], one)
    smoothing = 0.1
    soft = lambda logits: [F.cross_entropy(logits, torch.tensor(targets), label_smoothing=smoothing).reshape(1)]
    options = dict(targets=targets, smoothing=smoothing)
    cases.add("soft_cross_entropy", options, [torch.randn(rows, classes) * 8], soft)
    tags = torch.rand(rows, classes).round()
    positive = torch.rand(classes) * 5
    many = lambda logits: [
        F.binary_cross_entropy_with_logits(logits, tags.double(), pos_weight=positive.double()).reshape(1)
    ]
    options = dict(tags=tags.flatten().tolist(), positive=positive.tolist())
    cases.add("binary_cross_entropy", options, [torch.randn(rows, classes) * 8], many)


def activations(cases, rng):
    functions = dict(relu=F.relu, leaky_relu=F.leaky_relu, sigmoid=torch.sigmoid, tanh=torch.tanh, elu=F.elu, gelu=F.gelu)
    for name, function in functions.items():
        x = torch.randn(rng.randint(1, 9), rng.randint(1, 30)) * 3
        cases.add("activation", dict(function=name), [x], lambda x: [function(x)])


def recurrent(cases, rng, cell):
    kind = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell]
    batch, frames, d_input, d_hidden = rng.randint(1, 5), rng.randint(1, 9), rng.randint(1, 6), rng.randint(1, 9)
    directions = rng.choice([1, 2])
    # PyTorch packs no row without a frame; those are compared with the portable expression.
    lengths = torch.tensor([rng.choice([1, frames, rng.randint(1, frames)]) for _ in range(batch)])
    stack = kind(d_input, d_hidden, 1, batch_first=True, bidirectional=directions == 2).double()
    names = [f"{name}_l0{suffix}" for suffix in ["", "_reverse"][:directions] for name in ORDER]
    weights = [getattr(stack, name).detach().t() for name in names]

    def run(x, *weights):
        given = {name: weight.t() for name, weight in zip(names, weights)}
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, last = torch.func.functional_call(stack, given, (packed,))
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=frames)
        last = last[0] if isinstance(last, tuple) else last
        last = last.transpose(0, 1).flatten(1)  # [batch, directions * d_hidden]
        return [torch.cat([outputs, last[:, None]], 1)]

    options = dict(cell=cell, directions=directions, lengths=lengths.tolist())
    cases.add("recurrent", options, [torch.randn(batch, frames, d_input), *weights], run)


def gated_units(cases, rng):
    batch, frames, channels = rng.randint(1, 4), rng.randint(1, 9), rng.randint(1, 20)
    lengths = torch.tensor([rng.randint(0, frames) for _ in range(batch)])

    def unit(x):
        filters, gates = x.chunk(2, dim=2)
        return [torch.tanh(filters) * torch.sigmoid(gates) * valid(lengths, frames)[:, :, None]]

    x = torch.randn(batch, frames, 2 * channels) * 2
    cases.add("gated_unit", dict(lengths=lengths.tolist()), [x], unit)


def scales(cases, rng):
    batch, frames, channels = rng.randint(1, 4), rng.randint(1, 30), rng.randint(1, 9)
    inputs = [torch.randn(batch, frames, channels), torch.randn(batch, channels)]
    cases.add("scale_channels", {}, inputs, lambda x, scale: [x * scale[:, None]])


def gated_sums(cases, rng):
    count, dims = rng.randint(1, 5), [rng.randint(1, 4), rng.randint(1, 12), rng.randint(1, 9)]
    total = lambda weights, *inputs: [sum(gate * x for gate, x in zip(torch.sigmoid(weights), inputs))]
    cases.add("gated_sum", {}, [torch.randn(count) * 2, *torch.randn(count, *dims)], total)


ORDER = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]


def main():
    torch.manual_seed(0)
    rng, cases = random.Random(0), Cases()
    for _ in range(CASES_OF_EACH):
        for make in (convolution, convolution, norm_pool, norm_pool, pooling, linear, losses):
            make(cases, rng)
        for cell in ("elman", "lstm", "gru"):
            recurrent(cases, rng, cell)
    activations(cases, rng)
    # What came later stands at the end, so that the cases before it stay as they are.
    for _ in range(CASES_OF_EACH):
        gated_units(cases, rng)
    for _ in range(CASES_OF_EACH):
        scales(cases, rng)
    for _ in range(CASES_OF_EACH):
        gated_sums(cases, rng)
    write(OUT, cases.tensors, {"cases": json.dumps(cases.cases), "torch": torch.__version__})


if __name__ == "__main__":
    main()
