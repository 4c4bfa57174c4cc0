"""Golden values for Listen, Attend and Spell, from PyTorch twins in double precision. Needs torch 2.15.0 and numpy 2.4.6.

    python tests/golden/las.py

writes tests/golden/models/las_*.safetensors, which tests/golden/las.rs reads. Each file holds one small configuration
(as JSON in its metadata) and, rounded to single precision:

    features, lengths             a ragged batch with odd lengths; the padding holds garbage
    transcripts, target_lengths   symbols from 1 on, zero past the lengths; one transcript is empty
    param.PATH                    parameters
    train.logits                  teacher forcing, zero past the transcripts and their ends
    train.ctc                     the CTC head's logits, where there is one
    train.loss                    label-smoothed cross entropy, joined with the CTC head's loss where there is one
    grad.PATH, grad.features      gradients of that loss
    decode.symbols                greedy decoding: so many symbols as decode.lengths says, zero past them
    decode.ended, decode.scores   whether the end was reached; log-probabilities
    decode.alignment              mean over the heads, [rows, symbols, steps], zero past symbols and steps

PATH is the field's path in the Burn module, and weights are stored as in models.py.
"""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from models import Twin, convolve, valid, write
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

OUT = Path(__file__).parent / "models"
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


class Las(Twin):
    def __init__(self, num_bins, num_symbols, channels, kernels, strides, cell, d_listener, num_plain_layers,
                 num_pyramid_layers, d_embedding, d_speller, num_speller_layers, attention, num_heads,
                 d_attention, location_kernel, location_filters, label_smoothing, ctc_weight):
        super().__init__()
        self.heads, self.kind = num_heads, attention
        self.smoothing, self.ctc_weight = label_smoothing, ctc_weight
        self.plain, self.pyramid = nn.ModuleList(), nn.ModuleList()
        self.convs, below = self.conv_stack("listener.convs", num_bins, channels, kernels, strides)
        d_states = 2 * d_listener
        for name, layers, count, steps in [("plain", self.plain, num_plain_layers, 1),
                                           ("pyramid", self.pyramid, num_pyramid_layers, 2)]:
            for index in range(count):
                layer = CELLS[cell](steps * below, d_listener, batch_first=True, bidirectional=True)
                layers.append(layer)
                for ours, suffix in [("forward", ""), ("backward", "_reverse")]:
                    self.pair_cell(f"listener.{name}.{index}.{ours}", layer, f"_l0{suffix}")
                below = d_states

        self.embedding = nn.Embedding(num_symbols, d_embedding)
        self.pair("speller.embedding", self.embedding, "weight")
        self.cells = nn.ModuleList()
        for index in range(num_speller_layers):
            layer = nn.LSTMCell(d_speller if index else d_embedding + d_states, d_speller)
            self.pair_cell(f"speller.layers.{index}", layer, "")
            self.cells.append(layer)
        self.output = nn.Linear(d_speller + d_states, num_symbols)
        self.pair_linear("speller.output", self.output)

        path = "speller.attention"
        identity = nn.Identity()
        self.query = self.key = self.value = identity
        if d_attention:
            self.query = nn.Linear(d_speller, d_attention)
            self.key = nn.Linear(d_states, d_attention, bias=False)
            self.pair_linear(f"{path}.query", self.query)
            self.pair(f"{path}.key", self.key, "weight", 1, 0)
        if num_heads > 1:
            self.value = nn.Linear(d_states, d_states, bias=False)
            self.pair(f"{path}.value", self.value, "weight", 1, 0)
        if attention != "dot":
            self.vector = nn.Parameter(torch.zeros(d_attention))
            self.pair(f"{path}.vector", self, "vector")
        if attention == "location":
            self.conv = nn.Conv1d(1, location_filters, location_kernel, padding="same", bias=False)
            self.projection = nn.Linear(location_filters, d_attention, bias=False)
            # [filters, 1, kernel] is [kernel, filters] for us: the axis of one is dropped when written.
            self.pair(f"{path}.filters", self.conv, "weight", 2, 0, 1)
            self.pair(f"{path}.projection", self.projection, "weight", 1, 0)
        self.ctc = nn.Linear(d_states, num_symbols) if ctc_weight else None
        if self.ctc:
            self.pair_linear("ctc", self.ctc)

    def pair_cell(self, path, module, end):
        self.pair(f"{path}.weight_input", module, f"weight_ih{end}", 1, 0)
        self.pair(f"{path}.weight_state", module, f"weight_hh{end}", 1, 0)
        self.pair(f"{path}.bias_input", module, f"bias_ih{end}")
        self.pair(f"{path}.bias_state", module, f"bias_hh{end}")

    def listen(self, x, lengths):
        def layer(cell, x):
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return pad_packed_sequence(cell(packed)[0], batch_first=True, total_length=x.shape[1])[0]

        x = x * valid(lengths, x.shape[1])[:, :, None]
        x, lengths = convolve(self.convs, x, lengths)
        for cell in self.plain:
            x = layer(cell, x)
        for cell in self.pyramid:
            x = F.pad(x, (0, 0, 0, x.shape[1] % 2))
            x = torch.cat([x[:, 0::2], x[:, 1::2]], 2)
            lengths = (lengths + 1) // 2
            x = layer(cell, x)
        return x, lengths

    def by_head(self, x):
        """[batch, steps, features] to [batch, heads, steps, features of a head]."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def start(self, states, lengths):
        zeros = states.new_zeros
        batch, steps, d_states = states.shape
        return {
            "keys": self.by_head(self.key(states)),
            "values": self.by_head(self.value(states)),
            "valid": valid(lengths, steps)[:, None],
            "cells": [(zeros(batch, c.hidden_size), zeros(batch, c.hidden_size)) for c in self.cells],
            "context": zeros(batch, d_states),
            "weights": zeros(batch, self.heads, steps),
        }

    def step(self, state, symbols):
        """Changes the state, returns logits [batch, symbols]."""
        x = torch.cat([self.embedding(symbols), state["context"]], 1)
        for index, cell in enumerate(self.cells):
            state["cells"][index] = cell(x, state["cells"][index])
            x = state["cells"][index][0]
        query = self.by_head(self.query(x)[:, None])  # [batch, heads, 1, features]
        if self.kind == "dot":
            scores = (state["keys"] * query).sum(3)
        else:
            hidden = state["keys"] + query
            if self.kind == "location":
                batch, heads, steps = state["weights"].shape
                located = self.conv(state["weights"].reshape(batch * heads, 1, steps))
                located = located.unflatten(0, (batch, heads)).transpose(2, 3)  # [batch, heads, steps, filters]
                # Each head has its own columns of the projection.
                parts = self.projection.weight.unflatten(0, (heads, -1))
                hidden = hidden + torch.einsum("bhsf,hwf->bhsw", located, parts)
            scores = (torch.tanh(hidden) * self.vector.unflatten(0, (self.heads, 1, -1))).sum(3)
        state["weights"] = scores.masked_fill(~state["valid"], -torch.inf).softmax(2)
        context = state["weights"][:, :, None] @ state["values"]  # [batch, heads, 1, features]
        state["context"] = context.flatten(1)
        return self.output(torch.cat([x, state["context"]], 1))

    def forward(self, features, lengths, transcripts):
        states, steps = self.listen(features, lengths)
        state = self.start(states, steps)
        inputs = F.pad(transcripts, (1, 0))
        logits = torch.stack([self.step(state, symbols) for symbols in inputs.unbind(1)], 1)
        return logits, self.ctc(states) if self.ctc else None, steps

    def loss(self, logits, ctc, steps, transcripts, target_lengths):
        targets = F.pad(transcripts, (0, 1)).masked_fill(~valid(target_lengths + 1, logits.shape[1]), -1)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1,
                               label_smoothing=self.smoothing)
        if ctc is None:
            return loss
        log_probs = ctc.log_softmax(2).transpose(0, 1)
        ctc = F.ctc_loss(log_probs, transcripts, steps, target_lengths, zero_infinity=True)
        return (1 - self.ctc_weight) * loss + self.ctc_weight * ctc

    def decode(self, features, lengths, max_symbols_per_step):
        """Row by row: symbols, whether the end was reached, score, alignment [symbols, steps]."""
        for row, length in enumerate(lengths.tolist()):
            states, steps = self.listen(features[row : row + 1, :length], lengths[row : row + 1])
            state, symbol = self.start(states, steps), 0
            symbols, alignment, score, ended = [], [], 0.0, False
            while True:
                log_probs = self.step(state, torch.tensor([symbol]))[0].log_softmax(0)
                symbol = log_probs.argmax().item()
                if symbol == 0 or log_probs[0].exp() > 0.5:
                    score, ended = score + log_probs[0].item(), True
                    break
                if len(symbols) == math.ceil(max_symbols_per_step * steps.item()):
                    break
                symbols.append(symbol)
                alignment.append(state["weights"][0].mean(0))
                score += log_probs[symbol].item()
            yield symbols, ended, score, alignment


def case(name, config, seed):
    torch.manual_seed(seed)
    twin = Las(**config).double()
    frames, lengths = 11, torch.tensor([11, 6, 1, 9])
    features = torch.randn(len(lengths), frames, config["num_bins"]).double()
    features[~valid(lengths, frames)] = 1e3
    features.requires_grad_()
    target_lengths = torch.tensor([5, 3, 0, 7])
    transcripts = torch.randint(1, config["num_symbols"], (len(lengths), 7))
    transcripts[~valid(target_lengths, 7)] = 0
    with torch.no_grad():
        for path, (tensor, _) in twin.tensors().items():
            # Single precision is what Sori will read, so the twin must start from it too.
            noise = torch.randn(tensor.shape) * 0.5
            noise = noise + 1.0 if path.endswith("gamma") else noise
            noise = noise.exp() if path.endswith("running_var") else noise
            tensor.copy_(noise.float())

    as_ours = lambda tensor, axes: drop_one(tensor.detach().permute(*axes)).float().clone()
    tensors = {"features": features.detach().float(), "lengths": lengths}
    tensors |= {"transcripts": transcripts, "target_lengths": target_lengths}
    for path, (tensor, axes) in twin.tensors().items():
        kind = "param" if tensor.requires_grad else "state"
        tensors[f"{kind}.{path}"] = as_ours(tensor, axes)
    logits, ctc, steps = twin(features, lengths, transcripts)
    loss = twin.loss(logits, ctc, steps, transcripts, target_lengths)
    loss.backward()
    tensors["train.logits"] = (logits * valid(target_lengths + 1, 8)[..., None]).detach().float()
    if ctc is not None:
        tensors["train.ctc"] = ctc.detach().float()
    tensors["train.loss"] = loss.detach().float().reshape(1)
    tensors["grad.features"] = features.grad.float()
    for path, (tensor, axes) in twin.tensors().items():
        if tensor.requires_grad:
            tensors[f"grad.{path}"] = as_ours(tensor.grad, axes)
        else:
            tensors[f"after.{path}"] = as_ours(tensor, axes)

    twin.eval()
    with torch.no_grad():
        found = list(twin.decode(features, lengths, 2.0))
    longest = max(len(symbols) for symbols, *_ in found)
    steps = max(len(weights) for *_, alignment in found for weights in alignment)
    pad = lambda symbols: symbols + [0] * (longest - len(symbols))
    tensors["decode.symbols"] = torch.tensor([pad(symbols) for symbols, *_ in found])
    tensors["decode.lengths"] = torch.tensor([len(symbols) for symbols, *_ in found])
    tensors["decode.ended"] = torch.tensor([int(ended) for _, ended, *_ in found])
    tensors["decode.scores"] = torch.tensor([score for _, _, score, _ in found])
    alignment = torch.zeros(len(found), longest, steps)
    for row, (*_, rows) in enumerate(found):
        for index, weights in enumerate(rows):
            alignment[row, index, : len(weights)] = weights
    tensors["decode.alignment"] = alignment
    print(name, [(len(symbols), ended) for symbols, ended, *_ in found])
    config = json.dumps(dict(config, dropout=0.0))
    write(OUT / f"las_{name}.safetensors", tensors, {"config": config, "torch": torch.__version__})


def drop_one(tensor):
    """Without a last axis of one that stands behind two others."""
    return tensor[..., 0] if tensor.dim() == 3 else tensor


def main():
    OUT.mkdir(exist_ok=True)
    sizes = dict(num_bins=4, num_symbols=6, d_listener=3, num_plain_layers=1, num_pyramid_layers=2, d_embedding=5)
    sizes |= dict(channels=[], kernels=[], strides=[], cell="lstm")
    sizes |= dict(d_speller=6, num_speller_layers=2, attention="dot", num_heads=1, d_attention=0)
    sizes |= dict(location_kernel=5, location_filters=3, label_smoothing=0.1, ctc_weight=0.0)
    case("dot", sizes, seed=1)
    heads = dict(sizes, d_listener=4, d_speller=5, d_attention=6, num_heads=2)
    case("dot_heads", heads, seed=2)
    additive = dict(sizes, attention="additive", d_attention=7, num_plain_layers=0, num_pyramid_layers=1)
    case("additive", dict(additive, num_speller_layers=1, label_smoothing=0.0), seed=3)
    location = dict(sizes, attention="location", d_attention=4, d_speller=5, num_plain_layers=2)
    case("location", dict(location, num_pyramid_layers=1, ctc_weight=0.3), seed=4)
    case("location_heads", dict(heads, attention="location", num_speller_layers=3), seed=5)
    convolutions = dict(channels=[3, 2], kernels=[[3, 5], [5, 3]], strides=[[2, 1], [1, 2]], cell="gru")
    case("convolutions", dict(sizes, **convolutions, num_pyramid_layers=1, ctc_weight=0.3), seed=6)


if __name__ == "__main__":
    main()
