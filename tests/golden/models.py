"""Golden values for the models, from PyTorch twins in double precision. Needs torch 2.15.0 alone.

    python tests/golden/models.py

writes tests/golden/models/*.safetensors, which tests/golden/models.rs reads. Each file holds one small
configuration (as JSON in its metadata) and, rounded to single precision:

    features, lengths, targets    a ragged batch; the padding holds garbage
    param.PATH, state.PATH        parameters and running statistics before the step
    train.logits, train.loss      in training mode: batch norm by the batch's own valid positions
    grad.PATH, grad.features      gradients of that loss
    after.PATH                    running statistics after that one forward pass
    eval.logits                   in inference, with those running statistics

PATH is the field's path in the Burn module. Weights are stored as Sori lays them out, output axis last:
the whole conversion from PyTorch's layout is to reverse the axes of a dense or recurrent weight, and
`permute(2, 1, 0)`, `permute(2, 3, 1, 0)` for convolutions. The twins are made of PyTorch's own layers;
padding is kept out by packed sequences, and by handing batch norm the valid positions alone.
"""

import json
import struct
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

OUT = Path(__file__).parent / "models"


def valid(lengths, frames):
    """Which frames are no padding: [batch, frames]."""
    return torch.arange(frames)[None, :] < lengths[:, None]


class Twin(nn.Module):
    """A module that knows which of its tensors is which of Sori's."""

    def __init__(self):
        super().__init__()
        self.paths = {}  # Sori's path -> (tensor, axes in Sori's order)

    def pair(self, path, tensor, *axes):
        self.paths[path] = (tensor, axes or range(tensor.dim()))

    def pair_linear(self, path, layer):
        self.pair(f"{path}.weight", layer.weight, 1, 0)
        self.pair(f"{path}.bias", layer.bias)


class Mlp(Twin):
    def __init__(self, num_frames, num_bins, num_classes, d_hidden):
        super().__init__()
        sizes = [num_frames * num_bins, *d_hidden]
        self.num_frames = num_frames
        self.hidden = nn.ModuleList(map(nn.Linear, sizes, sizes[1:]))
        self.classifier = nn.Linear(sizes[-1], num_classes)
        for index, layer in enumerate(self.hidden):
            self.pair_linear(f"hidden.{index}", layer)
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        x = x * valid(lengths, x.shape[1])[:, :, None]
        x = F.pad(x, (0, 0, 0, self.num_frames - x.shape[1]))  # a negative amount crops
        x = x.flatten(1)
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.classifier(x)


class Cnn(Twin):
    """Both convolutional networks: [batch, channels, frames] or [batch, channels, frames, bins]."""

    def __init__(self, dims, num_bins, num_classes, channels, kernel_size, pool_size):
        super().__init__()
        self.dims, self.pool_size = dims, pool_size
        conv = {1: nn.Conv1d, 2: nn.Conv2d}[dims]
        sizes = [num_bins if dims == 1 else 1, *channels]
        self.convs = nn.ModuleList(conv(a, b, kernel_size, padding="same") for a, b in zip(sizes, channels))
        self.norms = nn.ModuleList(nn.BatchNorm1d(size) for size in channels)
        self.classifier = nn.Linear(sizes[-1], num_classes)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            block = f"blocks.{index}"
            self.pair(f"{block}.conv.weight", conv.weight, *([2, 1, 0] if dims == 1 else [2, 3, 1, 0]))
            self.pair(f"{block}.conv.bias", conv.bias)
            self.pair(f"{block}.norm.gamma", norm.weight)
            self.pair(f"{block}.norm.beta", norm.bias)
            self.pair(f"{block}.norm.running_mean", norm.running_mean)
            self.pair(f"{block}.norm.running_var", norm.running_var)
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        x = x * valid(lengths, x.shape[1])[:, :, None]
        x = x.transpose(1, 2) if self.dims == 1 else x[:, None]
        pool = {1: F.max_pool1d, 2: F.max_pool2d}[self.dims]
        for conv, norm in zip(self.convs, self.norms):
            x = conv(x).movedim(1, -1)  # [batch, frames, ..., channels]
            mask = valid(lengths, x.shape[1])
            y = torch.zeros_like(x)
            rows = x[mask]  # [valid frames, ..., channels]
            y[mask] = F.relu(norm(rows.flatten(0, -2))).reshape(rows.shape)
            x = pool(y.movedim(-1, 1), self.pool_size)
            lengths = lengths // self.pool_size
            mask = valid(lengths, x.shape[2])[:, None]
            x = x * (mask if self.dims == 1 else mask[..., None])
        x = x.flatten(3).mean(3) if self.dims == 2 else x
        return self.classifier(x.sum(2) / lengths[:, None])


class Recurrent(Twin):
    def __init__(self, cell, num_bins, num_classes, d_hidden, num_layers, bidirectional, pooling):
        super().__init__()
        self.pooling, self.directions = pooling, 1 + bidirectional
        self.stack = cell(num_bins, d_hidden, num_layers, batch_first=True, bidirectional=bidirectional)
        self.classifier = nn.Linear(self.directions * d_hidden, num_classes)
        for layer in range(num_layers):
            for ours, suffix in [("forward", ""), ("backward", "_reverse")][: self.directions]:
                path = f"recurrent.layers.{layer}.{ours}"
                theirs = lambda name: getattr(self.stack, f"{name}_l{layer}{suffix}")
                self.pair(f"{path}.weight_input", theirs("weight_ih"), 1, 0)
                self.pair(f"{path}.weight_state", theirs("weight_hh"), 1, 0)
                self.pair(f"{path}.bias_input", theirs("bias_ih"))
                self.pair(f"{path}.bias_state", theirs("bias_hh"))
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, last = self.stack(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True)
        last = last[0] if isinstance(last, tuple) else last  # [layers * directions, batch, hidden]
        if self.pooling == "last":
            x = last[-self.directions :].transpose(0, 1).flatten(1)
        else:
            x = outputs.sum(1) / lengths[:, None]
        return self.classifier(x)


def write(path, tensors, metadata):
    """The safetensors format: length of the header, header as JSON, data."""
    names = {torch.float32: "F32", torch.int64: "I64"}
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in sorted(tensors.items()):
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def case(name, config, twin, frames, lengths, seed):
    torch.manual_seed(seed)
    num_bins, num_classes = config["num_bins"], config["num_classes"]
    lengths = torch.tensor(lengths)
    features = torch.randn(len(lengths), frames, num_bins).double()
    features[~valid(lengths, frames)] = 1e3
    features.requires_grad_()
    targets = torch.randint(num_classes, lengths.shape)

    twin.double()
    # `double()` replaces buffers by new tensors: pair them anew.
    buffers = dict(twin.named_buffers())
    for index in range(len(getattr(twin, "norms", []))):
        for statistic in ["running_mean", "running_var"]:
            path = f"blocks.{index}.norm.{statistic}"
            twin.pair(path, buffers[f"norms.{index}.{statistic}"])
    with torch.no_grad():
        for path, (tensor, _) in twin.paths.items():
            # Single precision is what Sori will read, so the twin must start from it too.
            noise = torch.randn(tensor.shape) * 0.3
            noise = noise + 1.0 if path.endswith("gamma") else noise
            noise = noise.exp() if path.endswith("running_var") else noise
            tensor.copy_(noise)

    as_ours = lambda tensor, axes: tensor.detach().permute(*axes).float()
    tensors = {"features": features.detach().float(), "lengths": lengths, "targets": targets}
    for path, (tensor, axes) in twin.paths.items():
        kind = "param" if tensor.requires_grad else "state"
        tensors[f"{kind}.{path}"] = as_ours(tensor, axes).clone()

    twin.train()
    logits = twin(features, lengths)
    loss = F.cross_entropy(logits, targets)
    loss.backward()
    tensors["train.logits"] = logits.detach().float()
    tensors["train.loss"] = loss.detach().float().reshape(1)
    tensors["grad.features"] = features.grad.float()
    for path, (tensor, axes) in twin.paths.items():
        if tensor.requires_grad:
            tensors[f"grad.{path}"] = as_ours(tensor.grad, axes)
        else:
            tensors[f"after.{path}"] = as_ours(tensor, axes)
    twin.eval()
    tensors["eval.logits"] = twin(features, lengths).detach().float()
    write(OUT / f"{name}.safetensors", tensors, {"config": json.dumps(config), "torch": torch.__version__})


def main():
    OUT.mkdir(exist_ok=True)
    lengths = [11, 7, 4, 11]

    sizes = dict(num_bins=5, num_classes=4, d_hidden=[12, 7])
    for name, num_frames in [("mlp_crops", 9), ("mlp_fills", 13)]:
        config = dict(sizes, num_frames=num_frames)
        case(name, dict(config, name="mlp", dropout=0.0), Mlp(**config), 11, lengths, seed=1)

    sizes = dict(num_bins=6, num_classes=4, channels=[8, 5], kernel_size=3, pool_size=2)
    case("cnn1d", dict(sizes, name="cnn1d", dropout=0.0), Cnn(1, **sizes), 11, lengths, seed=2)
    sizes = dict(num_bins=7, num_classes=4, channels=[5, 6], kernel_size=3, pool_size=2)
    case("cnn2d", dict(sizes, name="cnn2d", dropout=0.0), Cnn(2, **sizes), 11, lengths, seed=3)

    lengths = [6, 1, 9, 9]
    for name, cell in [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)]:
        for pooling in ["mean", "last"]:
            for bidirectional in [False, True]:
                sizes = dict(num_bins=5, num_classes=4, d_hidden=6, num_layers=2)
                sizes = dict(sizes, bidirectional=bidirectional, pooling=pooling)
                ways = "both_ways" if bidirectional else "forward"
                config = dict(sizes, name=name, dropout=0.0)
                case(f"{name}_{ways}_{pooling}", config, Recurrent(cell, **sizes), 9, lengths, seed=4)


if __name__ == "__main__":
    main()
