"""Golden values for the models, from PyTorch twins in double precision. Needs torch 2.15.0 and numpy 2.4.6.

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
        self.paths = {}  # Sori's path -> (module, name of the tensor in it, axes in Sori's order)

    def pair(self, path, module, name, *axes):
        self.paths[path] = (module, name, axes or range(getattr(module, name).dim()))

    def pair_linear(self, path, layer):
        self.pair(f"{path}.weight", layer, "weight", 1, 0)
        self.pair(f"{path}.bias", layer, "bias")

    def pair_conv(self, path, layer):
        axes = [2, 1, 0] if layer.weight.dim() == 3 else [2, 3, 1, 0]
        self.pair(f"{path}.weight", layer, "weight", *axes)
        self.pair(f"{path}.bias", layer, "bias")

    def pair_norm(self, path, layer):
        self.pair(f"{path}.gamma", layer, "weight")
        self.pair(f"{path}.beta", layer, "bias")
        self.pair(f"{path}.running_mean", layer, "running_mean")
        self.pair(f"{path}.running_var", layer, "running_var")

    def conv_stack(self, path, num_bins, channels, kernels, strides):
        """Convolutions with batch norm below a recogniser's recurrent layers, and what they leave of the bins."""
        convs = nn.ModuleList()
        for index, (a, b, kernel, stride) in enumerate(zip([1, *channels], channels, kernels, strides)):
            conv = nn.Conv2d(a, b, kernel, stride, padding=[side // 2 for side in kernel])
            norm = nn.BatchNorm1d(b)
            self.pair_conv(f"{path}.{index}.conv", conv)
            self.pair_norm(f"{path}.{index}.norm", norm)
            convs.append(nn.ModuleList([conv, norm]))
            num_bins = (num_bins + stride[1] - 1) // stride[1]
        return convs, num_bins * [1, *channels][-1]

    def pair_recurrent(self, path, stack):
        for layer in range(stack.num_layers):
            for ours, suffix in [("forward", ""), ("backward", "_reverse")][: 1 + stack.bidirectional]:
                layer_path, end = f"{path}.layers.{layer}.{ours}", f"l{layer}{suffix}"
                self.pair(f"{layer_path}.weight_input", stack, f"weight_ih_{end}", 1, 0)
                self.pair(f"{layer_path}.weight_state", stack, f"weight_hh_{end}", 1, 0)
                self.pair(f"{layer_path}.bias_input", stack, f"bias_ih_{end}")
                self.pair(f"{layer_path}.bias_state", stack, f"bias_hh_{end}")

    def tensors(self):
        return {path: (getattr(module, name), axes) for path, (module, name, axes) in self.paths.items()}


ACTIVATIONS = {
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "elu": F.elu,
    "gelu": F.gelu,
}


def norm_valid(norm, x, lengths, activation=F.relu):
    """Batch norm and activation of valid frames alone, zero elsewhere: [batch, channels, frames, ...]."""
    x = x.movedim(1, -1)  # [batch, frames, ..., channels]
    mask = valid(lengths, x.shape[1])
    y = torch.zeros_like(x)
    rows = x[mask]  # [valid frames, ..., channels]
    y[mask] = activation(norm(rows.flatten(0, -2))).reshape(rows.shape)
    return y.movedim(-1, 1)


def convolve(convs, x, lengths, activation=F.relu):
    """[batch, frames, bins] through a `conv_stack` to [batch, steps, bands * channels], and the valid steps."""
    x = x[:, None]
    for conv, norm in convs:
        lengths = (lengths + conv.stride[0] - 1) // conv.stride[0]
        x = norm_valid(norm, conv(x), lengths, activation)
    return x.permute(0, 2, 3, 1).flatten(2), lengths


def pool_valid(x, lengths, size):
    """Max pooling over time and, if there are any, bins; zero past what is left of each row."""
    pool = {3: F.max_pool1d, 4: F.max_pool2d}[x.dim()]
    x = pool(x, size)
    lengths = lengths // (size if isinstance(size, int) else size[0])
    mask = valid(lengths, x.shape[2])[:, None]
    return x * (mask if x.dim() == 3 else mask[..., None]), lengths


def mean_valid(x, lengths):
    """The mean over valid frames and all bins of [batch, channels, frames, ...], zero elsewhere."""
    x = x.flatten(3).mean(3) if x.dim() == 4 else x
    return x.sum(2) / lengths[:, None]


class Mlp(Twin):
    def __init__(self, num_frames, num_bins, num_classes, d_hidden, activation="relu"):
        super().__init__()
        sizes = [num_frames * num_bins, *d_hidden]
        self.num_frames, self.activation = num_frames, ACTIVATIONS[activation]
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
            x = self.activation(layer(x))
        return self.classifier(x)


class Cnn(Twin):
    """Both convolutional networks: [batch, channels, frames] or [batch, channels, frames, bins]."""

    def __init__(self, dims, num_bins, num_classes, channels, kernel_size, pool_size, activation="relu", pooling="mean"):
        super().__init__()
        self.dims, self.pool_size, self.activation = dims, pool_size, ACTIVATIONS[activation]
        self.pooling = pooling
        conv = {1: nn.Conv1d, 2: nn.Conv2d}[dims]
        sizes = [num_bins if dims == 1 else 1, *channels]
        self.convs = nn.ModuleList(conv(a, b, kernel_size, padding="same") for a, b in zip(sizes, channels))
        self.norms = nn.ModuleList(nn.BatchNorm1d(size) for size in channels)
        self.classifier = nn.Linear(sizes[-1] * (2 if pooling == "mean_max_deviation" else 1), num_classes)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            self.pair_conv(f"blocks.{index}.conv", conv)
            self.pair_norm(f"blocks.{index}.norm", norm)
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        x = x * valid(lengths, x.shape[1])[:, :, None]
        x = x.transpose(1, 2) if self.dims == 1 else x[:, None]
        for conv, norm in zip(self.convs, self.norms):
            x = norm_valid(norm, conv(x), lengths, self.activation)
            x, lengths = pool_valid(x, lengths, self.pool_size)
        if self.pooling == "mean":
            return self.classifier(mean_valid(x, lengths))
        rows = [row[:, :length].mean(2) for row, length in zip(x, lengths)]
        found = torch.stack([row.mean(1) + row.amax(1) for row in rows])
        if self.pooling == "mean_max_deviation":
            deviations = [row.var(1, unbiased=False).clamp(min=1e-4).sqrt() for row in rows]
            found = torch.cat([found, torch.stack(deviations)], 1)
        return self.classifier(found)


class SampleCnn(Twin):
    def __init__(self, num_bins, num_classes, first_channels, channels):
        super().__init__()
        sizes = [first_channels, *channels]
        convs = [nn.Conv1d(a, b, 3, padding=1) for a, b in zip(sizes, channels)]
        first = nn.Conv1d(num_bins, first_channels, 3, stride=3)
        last = nn.Conv1d(sizes[-1], sizes[-1], 1)
        self.convs = nn.ModuleList([first, *convs, last])
        self.norms = nn.ModuleList(nn.BatchNorm1d(conv.out_channels) for conv in self.convs)
        self.classifier = nn.Linear(sizes[-1], num_classes)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            self.pair_conv(f"blocks.{index}.conv", conv)
            self.pair_norm(f"blocks.{index}.norm", norm)
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        x = (x * valid(lengths, x.shape[1])[:, :, None]).transpose(1, 2)
        pools = [1] + [3] * (len(self.convs) - 2) + [1]
        for conv, norm, pool in zip(self.convs, self.norms, pools):
            lengths = lengths // conv.stride[0]
            x = norm_valid(norm, conv(x), lengths)
            x, lengths = pool_valid(x, lengths, pool)
        return self.classifier(mean_valid(x, lengths))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, ratio):
        super().__init__()
        self.hidden, self.gate = nn.Linear(channels, channels * ratio), nn.Linear(channels * ratio, channels)

    def forward(self, x, lengths):
        return x * torch.sigmoid(self.gate(F.relu(self.hidden(mean_valid(x, lengths)))))[:, :, None]


class ResCnn(Twin):
    def __init__(self, num_bins, num_classes, first_channels, channels, convs_per_block, residual,
                 squeeze_excitation, excitation_ratio, num_levels):
        super().__init__()
        self.num_levels = num_levels
        self.first = self.conv_norm("first", nn.Conv1d(num_bins, first_channels, 3, stride=3))
        self.blocks = nn.ModuleList()
        for index, (a, b) in enumerate(zip([first_channels, *channels], channels)):
            path, block = f"blocks.{index}", nn.ModuleDict()
            sizes = [a] + [b] * convs_per_block
            block["convs"] = nn.ModuleList(
                self.conv_norm(f"{path}.convs.{conv}", nn.Conv1d(a, b, 3, padding=1))
                for conv, (a, b) in enumerate(zip(sizes, sizes[1:]))
            )
            if residual:
                conv = lambda: self.conv_norm(f"{path}.shortcut", nn.Conv1d(a, b, 1))
                block["around"] = nn.Identity() if a == b else conv()
            if squeeze_excitation:
                block["excitation"] = SqueezeExcitation(b, excitation_ratio)
                self.pair_linear(f"{path}.excitation.hidden", block["excitation"].hidden)
                self.pair_linear(f"{path}.excitation.gate", block["excitation"].gate)
            self.blocks.append(block)
        size = sum(channels[-num_levels:])
        self.hidden, self.hidden_norm = nn.Linear(size, size), nn.BatchNorm1d(size)
        self.classifier = nn.Linear(size, num_classes)
        self.pair_linear("hidden", self.hidden)
        self.pair_norm("hidden_norm", self.hidden_norm)
        self.pair_linear("classifier", self.classifier)

    def conv_norm(self, path, conv):
        norm = nn.BatchNorm1d(conv.out_channels)
        self.pair_conv(f"{path}.conv", conv)
        self.pair_norm(f"{path}.norm", norm)
        return nn.ModuleList([conv, norm])

    def forward(self, x, lengths):
        plain, excite_nothing = lambda x: x, lambda x, lengths: x
        x = (x * valid(lengths, x.shape[1])[:, :, None]).transpose(1, 2)
        lengths = lengths // 3
        conv, norm = self.first
        x = norm_valid(norm, conv(x), lengths)
        levels = []
        for block in self.blocks:
            below, excite = x, block["excitation"] if "excitation" in block else excite_nothing
            for conv, norm in block["convs"][:-1]:
                x = norm_valid(norm, conv(x), lengths)
            conv, norm = block["convs"][-1]
            x = norm_valid(norm, conv(x), lengths, plain)
            if "around" in block:
                around = below
                if not isinstance(block["around"], nn.Identity):
                    conv, norm = block["around"]
                    around = norm_valid(norm, conv(below), lengths, plain)
                x, lengths = pool_valid(F.relu(excite(x, lengths) + around), lengths, 3)
            else:
                x, lengths = pool_valid(F.relu(x), lengths, 3)
                x = excite(x, lengths)
            padding = ~valid(lengths, x.shape[2])[:, None]
            levels.append(x.masked_fill(padding, -torch.inf).max(2).values)
        x = torch.cat(levels[-self.num_levels :], 1)
        return self.classifier(F.relu(self.hidden_norm(self.hidden(x))))


class Fcn(Twin):
    """The convolutions of FCN-5 and of CRNN, and the classifier of the first."""

    def __init__(self, num_bins, num_classes, channels, pools, activation="relu"):
        super().__init__()
        self.pools, self.activation = pools, ACTIVATIONS[activation]
        self.norm = nn.BatchNorm1d(1)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip([1, *channels], channels))
        self.norms = nn.ModuleList(nn.BatchNorm1d(size) for size in channels)
        self.classifier = nn.Linear(channels[-1], num_classes)
        self.pair_norm("norm", self.norm)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            self.pair_conv(f"blocks.{index}.conv", conv)
            self.pair_norm(f"blocks.{index}.norm", norm)
        self.pair_linear("classifier", self.classifier)

    def convolve(self, x, lengths):
        x = norm_valid(self.norm, x[:, None], lengths, lambda x: x)
        for conv, norm, pool in zip(self.convs, self.norms, self.pools):
            x = norm_valid(norm, conv(x), lengths, self.activation)
            x, lengths = pool_valid(x, lengths, pool)
        return x, lengths

    def forward(self, x, lengths):
        return self.classifier(mean_valid(*self.convolve(x, lengths)))


class Crnn(Fcn):
    def __init__(self, num_bins, num_classes, channels, pools, d_hidden, num_layers, activation):
        super().__init__(num_bins, num_classes, channels, pools, activation)
        for _, bins in pools:
            num_bins //= bins
        self.stack = nn.GRU(num_bins * channels[-1], d_hidden, num_layers, batch_first=True)
        self.classifier = nn.Linear(d_hidden, num_classes)
        self.pair_recurrent("recurrent", self.stack)
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        x, lengths = self.convolve(x, lengths)
        x = x.permute(0, 2, 3, 1).flatten(2)  # [batch, steps, bands * channels]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.classifier(self.stack(packed)[1][-1])


class Matchboxnet(Twin):
    """The layers in the order they are applied; a shortcut goes around those of its block."""

    def __init__(self, num_bins, num_classes, channels, kernel_sizes, num_sub_blocks, outer_channels,
                 first_kernel_size, stride, last_kernel_size, last_dilation, activation="relu"):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.first = self.separable("first", num_bins, outer_channels, first_kernel_size, stride=stride)
        self.blocks, below = nn.ModuleList(), outer_channels
        for index, kernel in enumerate(kernel_sizes):
            path, block = f"blocks.{index}", nn.ModuleDict()
            sizes = [below] + [channels] * num_sub_blocks
            block["sub_blocks"] = nn.ModuleList(
                self.separable(f"{path}.sub_blocks.{sub}", a, channels, kernel) for sub, a in enumerate(sizes[:-1])
            )
            block["shortcut"] = self.pointwise(f"{path}.shortcut", below, channels)
            self.blocks.append(block)
            below = channels
        self.dilated = self.separable("dilated", below, outer_channels, last_kernel_size, dilation=last_dilation)
        self.last = self.pointwise("last", outer_channels, outer_channels)
        self.classifier = nn.Linear(outer_channels, num_classes)
        self.pair_linear("classifier", self.classifier)

    def separable(self, path, channels_in, channels_out, kernel, stride=1, dilation=1):
        padding = kernel // 2 * dilation
        depthwise = nn.Conv1d(
            channels_in, channels_in, kernel, stride, padding, dilation, groups=channels_in, bias=False
        )
        pointwise = nn.Conv1d(channels_in, channels_out, 1, bias=False)
        norm = nn.BatchNorm1d(channels_out)
        self.pair(f"{path}.conv.depthwise", depthwise, "weight", 2, 1, 0)
        self.pair(f"{path}.conv.pointwise.weight", pointwise, "weight", 1, 0)
        self.pair_norm(f"{path}.norm", norm)
        return nn.ModuleList([nn.Sequential(depthwise, pointwise), norm])

    def pointwise(self, path, channels_in, channels_out):
        conv, norm = nn.Conv1d(channels_in, channels_out, 1, bias=False), nn.BatchNorm1d(channels_out)
        self.pair(f"{path}.conv.weight", conv, "weight", 1, 0)
        self.pair_norm(f"{path}.norm", norm)
        return nn.ModuleList([conv, norm])

    def forward(self, x, lengths):
        plain = lambda x: x
        x = (x * valid(lengths, x.shape[1])[:, :, None]).transpose(1, 2)
        stride = self.first[0][0].stride[0]
        lengths = (lengths + stride - 1) // stride
        conv, norm = self.first
        x = norm_valid(norm, conv(x), lengths, self.activation)
        for block in self.blocks:
            conv, norm = block["shortcut"]
            around = norm_valid(norm, conv(x), lengths, plain)
            for conv, norm in block["sub_blocks"][:-1]:
                x = norm_valid(norm, conv(x), lengths, self.activation)
            conv, norm = block["sub_blocks"][-1]
            x = self.activation(norm_valid(norm, conv(x), lengths, plain) + around)
            x = x * valid(lengths, x.shape[2])[:, None]
        for conv, norm in [self.dilated, self.last]:
            x = norm_valid(norm, conv(x), lengths, self.activation)
        return self.classifier(mean_valid(x, lengths))


class DilatedCnn(Twin):
    def __init__(self, num_bins, num_classes, channels, skip_channels, kernel_size, num_layers_per_cycle, num_cycles):
        super().__init__()
        pointwise = lambda a, b: nn.Conv1d(a, b, 1, bias=False)
        self.input = pointwise(num_bins, channels)
        self.pair("input.weight", self.input, "weight", 1, 0)
        self.blocks = nn.ModuleList()
        dilations = [2**layer for layer in range(num_layers_per_cycle)] * num_cycles
        for index, dilation in enumerate(dilations):
            block = nn.ModuleDict()
            conv = nn.Conv1d(channels, 2 * channels, kernel_size, padding="same", dilation=dilation)
            self.pair_conv(f"blocks.{index}", conv)
            block["conv"], block["skip"] = conv, pointwise(channels, skip_channels)
            if index < len(dilations) - 1:
                block["residual"] = pointwise(channels, channels)
            for name in ["skip", "residual"] if "residual" in block else ["skip"]:
                self.pair(f"blocks.{index}.{name}.weight", block[name], "weight", 1, 0)
            self.blocks.append(block)
        self.hidden, self.classifier = nn.Linear(skip_channels, skip_channels), nn.Linear(skip_channels, num_classes)
        self.pair_linear("hidden", self.hidden)
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        mask = valid(lengths, x.shape[1])[:, None]
        x = self.input(x.transpose(1, 2) * mask)
        skips = 0
        for block in self.blocks:
            filters, gates = block["conv"](x * mask).chunk(2, dim=1)
            z = torch.tanh(filters) * torch.sigmoid(gates)
            skips = skips + block["skip"](z)
            if "residual" in block:
                x = x + block["residual"](z)
        x = F.relu(self.hidden(F.relu(skips).transpose(1, 2))).transpose(1, 2)
        return self.classifier(mean_valid(x * mask, lengths))


class SplitMix64:
    """Random numbers as models/src/zoo/random_wired/graph.rs says."""

    def __init__(self, seed):
        self.state = seed

    def number(self):
        mask = 2**64 - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        return z ^ (z >> 31)

    def fraction(self):
        return (self.number() >> 11) / 2**53

    def below(self, bound):
        return self.number() * bound >> 64


def erdos_renyi(rng, num_nodes, edge_probability):
    pairs = [(a, b) for a in range(num_nodes) for b in range(a + 1, num_nodes)]
    return {pair for pair in pairs if rng.fraction() < edge_probability}


def barabasi_albert(rng, num_nodes, edges_per_node):
    edges, ends = set(), []
    for node in range(edges_per_node, num_nodes):
        others = [] if ends else list(range(edges_per_node))
        while len(others) < edges_per_node:
            other = ends[rng.below(len(ends))]
            if other not in others:
                others.append(other)
        edges |= {(other, node) for other in others}
        ends += [end for other in others for end in (other, node)]
    return edges


def watts_strogatz(rng, num_nodes, num_neighbors, rewiring_probability):
    nodes, distances = range(num_nodes), range(1, num_neighbors // 2 + 1)
    edge = lambda a, b: (min(a, b), max(a, b))
    edges = {edge(node, (node + distance) % num_nodes) for distance in distances for node in nodes}
    for distance in distances:
        for node in nodes:
            # Both are asked for each edge, the number first.
            if rng.fraction() >= rewiring_probability or sum(node in pair for pair in edges) == num_nodes - 1:
                continue
            other = rng.below(num_nodes)
            while other == node or edge(node, other) in edges:
                other = rng.below(num_nodes)
            edges -= {edge(node, (node + distance) % num_nodes)}
            edges |= {edge(node, other)}
    return edges


GRAPHS = dict(erdos_renyi=erdos_renyi, barabasi_albert=barabasi_albert, watts_strogatz=watts_strogatz)


class RandomWired(Twin):
    def __init__(self, num_bins, num_classes, stem_channels, channels, graph, graph_seed, num_nodes, kernel_size,
                 head_channels, **options):
        super().__init__()
        rng = SplitMix64(graph_seed)
        self.edges = [sorted(GRAPHS[graph](rng, num_nodes, **options), key=lambda edge: edge[::-1]) for _ in channels]
        self.stem, below = nn.ModuleList(), num_bins
        for index, size in enumerate(stem_channels):
            conv, norm = nn.Conv1d(below, size, kernel_size, padding="same"), nn.BatchNorm1d(size)
            self.pair_conv(f"stem.{index}.conv", conv)
            self.pair_norm(f"stem.{index}.norm", norm)
            self.stem.append(nn.ModuleList([conv, norm]))
            below = size
        self.stages = nn.ModuleList()
        for stage, (size, edges) in enumerate(zip(channels, self.edges)):
            nodes = nn.ModuleList()
            for index in range(num_nodes):
                path, node = f"stages.{stage}.nodes.{index}", nn.ParameterDict()
                num_inputs = sum(to == index for _, to in edges)
                if num_inputs:
                    node["weights"] = nn.Parameter(torch.zeros(num_inputs))
                    self.pair(f"{path}.weights", node, "weights", 0)
                a, stride = (size, 1) if num_inputs else (below, 2)
                padding = kernel_size // 2
                depthwise = nn.Conv1d(a, a, kernel_size, stride, padding, groups=a, bias=False)
                pointwise, norm = nn.Conv1d(a, size, 1, bias=False), nn.BatchNorm1d(size)
                self.pair(f"{path}.conv.depthwise", depthwise, "weight", 2, 1, 0)
                self.pair(f"{path}.conv.pointwise.weight", pointwise, "weight", 1, 0)
                self.pair_norm(f"{path}.norm", norm)
                nodes.append(nn.ModuleList([node, nn.Sequential(depthwise, pointwise), norm]))
            self.stages.append(nodes)
            below = size
        self.head, self.head_norm = nn.Conv1d(below, head_channels, 1, bias=False), nn.BatchNorm1d(head_channels)
        self.classifier = nn.Linear(head_channels, num_classes)
        self.pair("head.weight", self.head, "weight", 1, 0)
        self.pair_norm("head_norm", self.head_norm)
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        plain = lambda x: x
        x = (x * valid(lengths, x.shape[1])[:, :, None]).transpose(1, 2)
        for conv, norm in self.stem:
            x = norm_valid(norm, conv(x), lengths)
        for nodes, edges in zip(self.stages, self.edges):
            steps, outputs = (lengths + 1) // 2, []
            for index, (node, conv, norm) in enumerate(nodes):
                y = x
                if "weights" in node:
                    inputs = [outputs[a] for a, b in edges if b == index]
                    gates = torch.sigmoid(node["weights"])
                    y = sum(gate * y for gate, y in zip(gates, inputs))
                outputs.append(norm_valid(norm, conv(F.relu(y)), steps, plain))
            ends = set(range(len(nodes))) - {a for a, _ in edges}
            x, lengths = sum(outputs[end] for end in ends) / len(ends), steps
        x = norm_valid(self.head_norm, self.head(F.relu(x)), lengths)
        return self.classifier(mean_valid(x, lengths))


class Musicnn(Twin):
    def __init__(self, num_bins, num_classes, timbral_heights, timbral_channels, temporal_sizes, temporal_channels,
                 dense_channels, d_hidden):
        super().__init__()
        self.norm = nn.BatchNorm1d(1)
        self.pair_norm("norm", self.norm)
        timbral = [(f"timbral.{i}", 7, int(h * num_bins), timbral_channels) for i, h in enumerate(timbral_heights)]
        temporal = [(f"temporal.{i}", size, 1, temporal_channels) for i, size in enumerate(temporal_sizes)]
        self.front = nn.ModuleList()
        for path, frames, bins, channels in [*timbral, *temporal]:
            conv = nn.Conv2d(1, channels, (frames, bins), padding=(frames // 2, 0))
            norm = nn.BatchNorm1d(channels)
            self.pair_conv(path, conv)
            self.pair_norm(f"{path}.norm", norm)
            self.front.append(nn.ModuleList([conv, norm]))
        below = total = sum(conv.out_channels for conv, _ in self.front)
        self.dense = nn.ModuleList()
        for index in range(3):
            conv, norm = nn.Conv1d(below, dense_channels, 7, padding=3), nn.BatchNorm1d(dense_channels)
            self.pair_conv(f"dense.{index}.conv", conv)
            self.pair_norm(f"dense.{index}.norm", norm)
            self.dense.append(nn.ModuleList([conv, norm]))
            below = dense_channels
        total = 2 * (total + 3 * dense_channels)
        self.pooled_norm, self.hidden = nn.BatchNorm1d(total), nn.Linear(total, d_hidden)
        self.hidden_norm, self.classifier = nn.BatchNorm1d(d_hidden), nn.Linear(d_hidden, num_classes)
        self.pair_norm("pooled_norm", self.pooled_norm)
        self.pair_linear("hidden", self.hidden)
        self.pair_norm("hidden_norm", self.hidden_norm)
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        x = norm_valid(self.norm, x[:, None], lengths, lambda x: x)
        x = torch.cat([norm_valid(norm, conv(x), lengths).max(3).values for conv, norm in self.front], 1)
        layers = [x]
        for index, (conv, norm) in enumerate(self.dense):
            y = norm_valid(norm, conv(x), lengths)
            x = y + x if index else y
            layers.append(x)
        x = torch.cat(layers, 1)  # [batch, channels, frames]
        padding = ~valid(lengths, x.shape[2])[:, None]
        largest = x.masked_fill(padding, -torch.inf).max(2).values
        x = self.pooled_norm(torch.cat([largest, mean_valid(x, lengths)], 1))
        x = F.relu(self.hidden_norm(self.hidden(x)))
        return self.classifier(x)


class Recurrent(Twin):
    def __init__(self, cell, num_bins, num_classes, d_hidden, num_layers, bidirectional, pooling):
        super().__init__()
        self.pooling, self.directions = pooling, 1 + bidirectional
        self.stack = cell(num_bins, d_hidden, num_layers, batch_first=True, bidirectional=bidirectional)
        self.classifier = nn.Linear(self.directions * d_hidden, num_classes)
        self.pair_recurrent("recurrent", self.stack)
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


class Attention(Twin):
    def __init__(self, num_bins, num_classes, d_hidden, num_layers, bidirectional, d_attention):
        super().__init__()
        self.stack = nn.LSTM(num_bins, d_hidden, num_layers, batch_first=True, bidirectional=bidirectional)
        d_output = (1 + bidirectional) * d_hidden
        self.hidden = nn.Linear(d_output, d_attention)
        self.score = nn.Linear(d_attention, 1)
        self.classifier = nn.Linear(d_output, num_classes)
        self.pair_recurrent("recurrent", self.stack)
        self.pair_linear("pooling.hidden", self.hidden)
        self.pair_linear("pooling.score", self.score)
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.stack(packed)[0], batch_first=True)
        scores = self.score(torch.tanh(self.hidden(states)))[..., 0]
        scores = scores.masked_fill(~valid(lengths, x.shape[1]), -torch.inf)
        x = (scores.softmax(1)[..., None] * states).sum(1)
        return self.classifier(x)


class SpeakerEncoder(Twin):
    def __init__(self, num_bins, num_classes, d_hidden, num_layers, d_embedding):
        super().__init__()
        self.stack = nn.LSTM(num_bins, d_hidden, num_layers, batch_first=True)
        self.projection = nn.Linear(d_hidden, d_embedding)
        self.classifier = nn.Linear(d_embedding, num_classes)
        self.pair_recurrent("recurrent", self.stack)
        self.pair_linear("projection", self.projection)
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.stack(packed)
        return self.classifier(F.normalize(F.relu(self.projection(last[-1])), dim=1))


class Crepe(Twin):
    def __init__(self, num_bins, num_classes, window_samples, channels, first_kernel_size, first_stride, kernel_size):
        super().__init__()
        self.window = window_samples
        sizes = [num_bins, *channels]
        kernels = [first_kernel_size] + [kernel_size] * (len(channels) - 1)
        strides = [first_stride] + [1] * (len(channels) - 1)
        self.convs = nn.ModuleList(map(nn.Conv1d, sizes, channels, kernels, strides))
        self.norms = nn.ModuleList(nn.BatchNorm1d(size) for size in channels)
        steps = window_samples // first_stride // 2 ** len(channels)
        self.classifier = nn.Linear(steps * channels[-1], num_classes)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            self.pair_conv(f"layers.{index}.conv", conv)
            self.pair_norm(f"layers.{index}.norm", norm)
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        rows = []
        for row, length in zip(x, lengths):
            row = row[:length]
            row = F.pad(row, (0, 0, 0, max(0, self.window - len(row))))
            rows.append(row[: len(row) // self.window * self.window].reshape(-1, self.window, x.shape[2]))
        x = torch.cat(rows)
        x = (x - x.mean((1, 2), keepdim=True)) / x.flatten(1).std(1).clamp(min=1e-10)[:, None, None]
        x = x.transpose(1, 2)
        for conv, norm in zip(self.convs, self.norms):
            zeros = conv.kernel_size[0] - conv.stride[0]
            x = F.relu(conv(F.pad(x, (zeros // 2, zeros - zeros // 2))))
            x = F.max_pool1d(norm(x), 2)
        x = x.transpose(1, 2).flatten(1).split([len(row) for row in rows])
        return self.classifier(torch.stack([row.mean(0) for row in x]))


class Vad(Twin):
    def __init__(self, num_bins, num_classes, chunk_samples, context_samples, fft_size, hop_samples, channels, strides,
                 d_hidden):
        super().__init__()
        self.chunk, self.context = chunk_samples, context_samples
        self.spectrum = nn.Conv1d(num_bins, fft_size + 2, fft_size, hop_samples, bias=False)
        self.pair("spectrum", self.spectrum, "weight", 2, 1, 0)
        sizes = [fft_size // 2 + 1, *channels]
        steps = (chunk_samples + 2 * context_samples - fft_size) // hop_samples + 1
        self.encoder = nn.ModuleList()
        for index, (a, b, stride) in enumerate(zip(sizes, channels, strides)):
            self.encoder.append(nn.Conv1d(a, b, 3, stride, padding=1))
            self.pair_conv(f"encoder.{index}", self.encoder[-1])
            steps = (steps + stride - 1) // stride
        self.stack = nn.LSTM(steps * channels[-1], d_hidden, batch_first=True)
        self.classifier = nn.Linear(d_hidden, num_classes)
        for ours, end in [("weight_input", "weight_ih"), ("weight_state", "weight_hh")]:
            self.pair(f"recurrent.forward.{ours}", self.stack, f"{end}_l0", 1, 0)
        for ours, end in [("bias_input", "bias_ih"), ("bias_state", "bias_hh")]:
            self.pair(f"recurrent.forward.{ours}", self.stack, f"{end}_l0")
        self.pair_linear("classifier", self.classifier)

    def forward(self, x, lengths):
        means = []
        for row, length in zip(x, lengths):
            row = row[:length].T  # [bins, samples]
            row = F.pad(row, (self.context, -int(length) % self.chunk))
            chunks = row.unfold(1, self.context + self.chunk, self.chunk).transpose(0, 1)
            x = self.spectrum(F.pad(chunks, (0, self.context), mode="reflect"))
            real, imaginary = x.chunk(2, dim=1)
            x = (real**2 + imaginary**2 + 1e-20).sqrt()
            for conv in self.encoder:
                x = F.relu(conv(x))
            states, _ = self.stack(x.transpose(1, 2).flatten(1)[None])
            means.append(F.relu(states[0]).mean(0))
        return self.classifier(torch.stack(means))


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


def case(name, config, twin, frames, lengths, seed, **metadata):
    torch.manual_seed(seed)
    num_bins, num_classes = config["num_bins"], config["num_classes"]
    lengths = torch.tensor(lengths)
    features = torch.randn(len(lengths), frames, num_bins).double()
    features[~valid(lengths, frames)] = 1e3
    features.requires_grad_()
    targets = torch.randint(num_classes, lengths.shape)

    tensors = {"lengths": lengths, "targets": targets}
    record(tensors, twin, features, lengths, lambda logits: F.cross_entropy(logits, targets))
    write(OUT / f"{name}.safetensors", tensors, {"config": json.dumps(config), "torch": torch.__version__, **metadata})


def record(tensors, twin, features, lengths, loss_of):
    """Random parameters for the twin, and into `tensors` all that it makes of the features."""
    twin.double()
    with torch.no_grad():
        for path, (tensor, _) in twin.tensors().items():
            # Single precision is what Sori will read, so the twin must start from it too.
            noise = torch.randn(tensor.shape) * 0.3
            noise = noise + 1.0 if path.endswith("gamma") else noise
            noise = noise.exp() if path.endswith("running_var") else noise
            tensor.copy_(noise)

    # A trailing axis of one, that of a kernel of a single frame, is left out where Sori has none.
    as_ours = lambda tensor, axes: tensor.detach().flatten(len(axes) - 1).permute(*axes).float()
    tensors["features"] = features.detach().float()
    for path, (tensor, axes) in twin.tensors().items():
        kind = "param" if tensor.requires_grad else "state"
        tensors[f"{kind}.{path}"] = as_ours(tensor, axes).clone()

    twin.train()
    logits = twin(features, lengths)
    loss = loss_of(logits)
    loss.backward()
    tensors["train.logits"] = logits.detach().float()
    tensors["train.loss"] = loss.detach().float().reshape(1)
    tensors["grad.features"] = features.grad.float()
    for path, (tensor, axes) in twin.tensors().items():
        if tensor.requires_grad:
            tensors[f"grad.{path}"] = as_ours(tensor.grad, axes)
        else:
            tensors[f"after.{path}"] = as_ours(tensor, axes)
    twin.eval()
    tensors["eval.logits"] = twin(features, lengths).detach().float()


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

    sizes = dict(num_bins=7, num_classes=4, channels=[5, 6], pools=[[2, 3], [3, 2]])
    case("fcn", dict(sizes, name="fcn", dropout=0.0), Fcn(**sizes), 13, [13, 7, 6, 13], seed=5)
    sizes = dict(num_bins=1, num_classes=4, first_channels=5, channels=[6, 7])
    case("sample_cnn", dict(sizes, name="sample_cnn", dropout=0.0), SampleCnn(**sizes), 60, [60, 27, 35, 54], seed=6)

    sizes = dict(num_bins=1, num_classes=4, first_channels=4, excitation_ratio=2)
    # Its head's norm sees a value per row, as musicnn's.
    lengths = [120, 81, 90, 119, 83, 108, 99, 120]
    for block, convs, residual, excitation, channels, levels in [
        ("basic", 1, False, False, [4, 5], 1),
        ("se", 1, False, True, [4, 5], 1),
        ("res1", 1, True, False, [4, 5, 6], 2),
        ("rese1", 1, True, True, [4, 5], 2),
        ("rese2", 2, True, True, [5, 5, 6], 3),
    ]:
        sizes = dict(sizes, convs_per_block=convs, residual=residual, squeeze_excitation=excitation)
        sizes = dict(sizes, channels=channels, num_levels=levels)
        config = dict(sizes, name="res_cnn", block_dropout=0.0, dropout=0.0)
        case(f"res_cnn_{block}", config, ResCnn(**sizes), 120, lengths, seed=16)
    lengths = [11, 7, 4, 11]

    # Other nonlinearities: with most of them zero does not stay zero, or is not the least.
    sizes = dict(num_bins=5, num_classes=4, d_hidden=[12, 7], num_frames=11, activation="tanh")
    case("mlp_tanh", dict(sizes, name="mlp", dropout=0.0), Mlp(**sizes), 11, lengths, seed=8)
    for seed, activation in enumerate(["sigmoid", "leaky_relu"], start=9):
        sizes = dict(num_bins=6, num_classes=4, channels=[8, 5], kernel_size=3, pool_size=2, activation=activation)
        case(f"cnn1d_{activation}", dict(sizes, name="cnn1d", dropout=0.0), Cnn(1, **sizes), 11, lengths, seed)
    sizes = dict(num_bins=7, num_classes=4, channels=[5, 6], kernel_size=3, pool_size=2, activation="gelu")
    case("cnn2d_gelu", dict(sizes, name="cnn2d", dropout=0.0), Cnn(2, **sizes), 11, lengths, seed=11)
    sizes = dict(num_bins=9, num_classes=4, channels=[5, 6], kernel_size=3, pool_size=2, pooling="mean_max")
    case("cnn2d_mean_max", dict(sizes, name="cnn2d", dropout=0.0), Cnn(2, **sizes), 17, [17, 8, 9, 15], seed=19)
    # The second row has one step left, whose deviation is none.
    sizes = dict(sizes, pooling="mean_max_deviation")
    config = dict(sizes, name="cnn2d", dropout=0.0)
    case("cnn2d_mean_max_deviation", config, Cnn(2, **sizes), 25, [25, 7, 16, 23], seed=22)

    sizes = dict(num_bins=9, num_classes=4, channels=[5, 6], pools=[[2, 2], [3, 2]], d_hidden=5, num_layers=2)
    sizes = dict(sizes, activation="elu")
    case("crnn", dict(sizes, name="crnn", dropout=0.0), Crnn(**sizes), 25, [25, 7, 16, 23], seed=12)

    sizes = dict(num_bins=5, num_classes=4, channels=4, kernel_sizes=[3, 5], outer_channels=6, first_kernel_size=5)
    sizes = dict(sizes, stride=2, last_kernel_size=5, last_dilation=2)
    for num_sub_blocks in [1, 2]:
        config = dict(sizes, num_sub_blocks=num_sub_blocks)
        name = f"matchboxnet_{num_sub_blocks}"
        case(name, dict(config, name="matchboxnet", dropout=0.0), Matchboxnet(**config), 14, [14, 9, 4, 1], seed=13)

    sizes = dict(num_bins=5, num_classes=4, channels=4, skip_channels=6, kernel_size=3, num_layers_per_cycle=3)
    for num_cycles in [1, 2]:
        config = dict(sizes, num_cycles=num_cycles)
        name = f"dilated_cnn_{num_cycles}"
        case(name, dict(config, name="dilated_cnn", dropout=0.0), DilatedCnn(**config), 14, [14, 9, 4, 1], seed=15)

    sizes = dict(num_bins=5, num_classes=4, stem_channels=[4], channels=[5, 4], graph_seed=3, num_nodes=7)
    sizes = dict(sizes, kernel_size=3, head_channels=6)
    for graph, options in [
        ("erdos_renyi", dict(edge_probability=0.3)),
        ("barabasi_albert", dict(edges_per_node=2)),
        ("watts_strogatz", dict(num_neighbors=4, rewiring_probability=0.75)),
    ]:
        config = dict(sizes, graph=graph, **options)
        twin = RandomWired(**config)
        config = dict(config, name="random_wired", dropout=0.0)
        lengths = [26, 17, 9, 1, 22, 26]
        case(f"random_wired_{graph}", config, twin, 26, lengths, seed=17, edges=json.dumps(twin.edges))

    sizes = dict(num_bins=10, num_classes=4, timbral_heights=[0.4, 0.75], timbral_channels=4, temporal_sizes=[9, 5])
    sizes = dict(sizes, temporal_channels=3, dense_channels=4, d_hidden=5)
    # Its last norms see a value per row: with few rows their variance may be small and magnify rounding.
    lengths = [14, 9, 4, 14, 1, 12, 7, 10, 13, 3]
    case("musicnn", dict(sizes, name="musicnn", dropout=0.0), Musicnn(**sizes), 14, lengths, seed=14)

    lengths = [6, 1, 9, 9]
    for bidirectional in [False, True]:
        sizes = dict(num_bins=5, num_classes=4, d_hidden=6, num_layers=2, bidirectional=bidirectional, d_attention=7)
        ways = "both_ways" if bidirectional else "forward"
        case(f"attention_{ways}", dict(sizes, name="attention", dropout=0.0), Attention(**sizes), 9, lengths, seed=7)
    for name, cell in [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)]:
        for pooling in ["mean", "last"]:
            for bidirectional in [False, True]:
                sizes = dict(num_bins=5, num_classes=4, d_hidden=6, num_layers=2)
                sizes = dict(sizes, bidirectional=bidirectional, pooling=pooling)
                ways = "both_ways" if bidirectional else "forward"
                config = dict(sizes, name=name, dropout=0.0)
                case(f"{name}_{ways}_{pooling}", config, Recurrent(cell, **sizes), 9, lengths, seed=4)

    sizes = dict(num_bins=5, num_classes=4, d_hidden=6, num_layers=2, d_embedding=7)
    case("speaker_encoder", dict(sizes, name="speaker_encoder"), SpeakerEncoder(**sizes), 11, lengths, seed=23)

    # An odd number of zeros around the second convolution, and rows of one window, of several, and of less.
    sizes = dict(num_bins=1, num_classes=4, window_samples=32, channels=[5, 6], first_kernel_size=8, first_stride=4)
    sizes = dict(sizes, kernel_size=4)
    case("crepe", dict(sizes, name="crepe", dropout=0.0), Crepe(**sizes), 100, [100, 70, 21, 64], seed=24)

    sizes = dict(num_bins=1, num_classes=4, chunk_samples=16, context_samples=3, fft_size=8, hop_samples=4)
    sizes = dict(sizes, channels=[5, 6], strides=[1, 2], d_hidden=5)
    case("vad", dict(sizes, name="vad"), Vad(**sizes), 50, [50, 33, 16, 5], seed=25)


if __name__ == "__main__":
    main()
