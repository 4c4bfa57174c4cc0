"""Golden values for the optimizers, from PyTorch in double precision. Needs torch 2.15.0 alone.

    python tests/golden/optimizers.py

writes tests/golden/optimizers.json, which tests/golden/optimizers.rs reads: a small multilayer
perceptron and its batch, and for each setting of an optimizer the loss of each of eight steps and
the parameters after the last. Dense weights are stored input axis first, as Sori lays them out.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

STEPS = 8
CASES = {
    "sgd": dict(optimizer="sgd", learning_rate=0.1),
    "sgd_lasso": dict(optimizer="sgd", l1_penalty=0.02, clip_norm=0.3, learning_rate=0.1),
    "momentum_decay": dict(optimizer="momentum", momentum=0.9, weight_decay=0.01, learning_rate=0.05),
    "momentum_clipped": dict(optimizer="momentum", momentum=0.9, clip_norm=0.3, learning_rate=0.1),
    "nesterov_decay_clipped": dict(
        optimizer="nesterov", momentum=0.8, weight_decay=0.01, clip_norm=0.3, learning_rate=0.1
    ),
    "rmsprop": dict(optimizer="rmsprop", learning_rate=0.01),
    "rmsprop_decay_clipped": dict(optimizer="rmsprop", weight_decay=0.1, clip_norm=0.5, learning_rate=0.01),
    "adagrad": dict(optimizer="adagrad", learning_rate=0.1),
    "adagrad_decay_clipped": dict(optimizer="adagrad", weight_decay=0.1, clip_norm=0.5, learning_rate=0.1),
    "adam": dict(optimizer="adam", learning_rate=0.01),
    "adam_decay_clipped": dict(optimizer="adam", weight_decay=0.1, clip_norm=0.5, learning_rate=0.01),
    "adamw_decay": dict(optimizer="adamw", weight_decay=0.1, learning_rate=0.01),
    # PyTorch's takes every step as it is: these lower the loss each time.
    "lbfgs": dict(optimizer="lbfgs", learning_rate=0.5),
    "lbfgs_decay": dict(optimizer="lbfgs", weight_decay=0.05, learning_rate=0.5),
}


KINDS = dict(
    sgd=torch.optim.SGD,
    momentum=torch.optim.SGD,
    nesterov=torch.optim.SGD,
    rmsprop=torch.optim.RMSprop,
    adagrad=torch.optim.Adagrad,
    adam=torch.optim.Adam,
    adamw=torch.optim.AdamW,
)


def make(parameters, optimizer, learning_rate, momentum=0.0, weight_decay=0.0):
    if optimizer == "lbfgs":
        return torch.optim.LBFGS(parameters, lr=learning_rate, max_iter=1, history_size=10)
    extra = dict(momentum=momentum) if momentum else {}
    extra |= dict(nesterov=True) if optimizer == "nesterov" else {}
    return KINDS[optimizer](parameters, lr=learning_rate, weight_decay=weight_decay, **extra)


def network(start):
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    net.load_state_dict(start)
    return net


def stored(net):
    return {
        f"{ours}.{name}": (tensor.T if name == "weight" else tensor).detach().flatten().tolist()
        for theirs, ours in (("0", "hidden.0"), ("2", "classifier"))
        for name, tensor in net.get_submodule(theirs).named_parameters()
    }


torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)).double()
start = {name: tensor.float().double() for name, tensor in net.state_dict().items()}
features = torch.randn(4, 6).double()
targets = torch.tensor([0, 2, 1, 2])
cases = {}
for name, case in CASES.items():
    settings = dict(case)
    clip = settings.pop("clip_norm", 0.0)
    lasso = settings.pop("l1_penalty", 0.0)
    net = network(start)
    optimizer = make(net.parameters(), **settings)
    # L-BFGS has no decay of its own: its penalty is a part of the loss.
    ridge = settings.get("weight_decay", 0.0) if case["optimizer"] == "lbfgs" else 0.0
    losses, values = [], []

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(net(features), targets)
        penalty = sum(lasso * p.abs().sum() + ridge / 2 * p.square().sum() for p in net.parameters())
        losses.append(loss.item())
        value = loss + penalty
        value.backward()
        values.append(value.item())
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        return value

    for _ in range(STEPS):
        optimizer.step(closure)
    assert case["optimizer"] != "lbfgs" or values == sorted(values, reverse=True), values
    cases[name] = dict(settings=case, losses=losses, after=stored(net))
golden = dict(
    features=features.flatten().tolist(),
    targets=targets.tolist(),
    before=stored(network(start)),
    cases=cases,
)
path = Path(__file__).parent / "optimizers.json"
path.write_text(json.dumps(golden, indent=1) + "\n")
