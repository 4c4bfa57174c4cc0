"""Golden values for Deep Speech 2, from a PyTorch twin in double precision. Needs torch 2.15.0 and numpy 2.4.6.

    python tests/golden/deep_speech2.py

writes tests/golden/models/deep_speech2_*.safetensors, which tests/golden/deep_speech2.rs reads; models.py
beside this file says what they hold. The logits are [batch, steps, symbols], the loss is CTC's, its mean
as PyTorch takes it, and the transcripts are filled up with zeros.
"""

import json

import torch
import torch.nn.functional as F
from models import OUT, Twin, convolve, norm_valid, record, valid, write
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

CELLS = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class DeepSpeech2(Twin):
    def __init__(self, num_bins, num_symbols, channels, kernels, strides, clip, cell, d_hidden, num_layers,
                 bidirectional, recurrent_norm, lookahead, d_fully_connected):
        super().__init__()
        self.clip = lambda x: F.hardtanh(x, 0.0, clip)
        self.layers, self.dense = nn.ModuleList(), nn.ModuleList()
        self.convs, below = self.conv_stack("convs", num_bins, channels, kernels, strides)
        for index in range(num_layers):
            layer = CELLS[cell](below, d_hidden, batch_first=True, bidirectional=bidirectional)
            norm = nn.BatchNorm1d(d_hidden) if recurrent_norm else None
            for ours, end in [("forward", "l0"), ("backward", "l0_reverse")][: 1 + bidirectional]:
                path = f"recurrent.{index}.layer.{ours}"
                self.pair(f"{path}.weight_input", layer, f"weight_ih_{end}", 1, 0)
                self.pair(f"{path}.weight_state", layer, f"weight_hh_{end}", 1, 0)
                self.pair(f"{path}.bias_input", layer, f"bias_ih_{end}")
                self.pair(f"{path}.bias_state", layer, f"bias_hh_{end}")
            if norm:
                self.pair_norm(f"recurrent.{index}.norm", norm)
            self.layers.append(nn.ModuleList([layer, norm]))
            below = d_hidden
        self.lookahead = None
        if lookahead:
            self.lookahead = nn.Conv1d(below, below, lookahead + 1, groups=below, bias=False)
            self.pair("lookahead.weight", self.lookahead, "weight", 2, 1, 0)
        for index, d_output in enumerate(d_fully_connected):
            linear, norm = nn.Linear(below, d_output), nn.BatchNorm1d(d_output)
            self.pair_linear(f"fully_connected.{index}.linear", linear)
            self.pair_norm(f"fully_connected.{index}.norm", norm)
            self.dense.append(nn.ModuleList([linear, norm]))
            below = d_output
        self.output = nn.Linear(below, num_symbols, bias=False)
        self.pair("output.weight", self.output, "weight", 1, 0)

    def steps(self, lengths):
        for conv, _ in self.convs:
            stride = conv.stride[0]
            lengths = (lengths + stride - 1) // stride
        return lengths

    def forward(self, x, lengths):
        x = x * valid(lengths, x.shape[1])[:, :, None]
        x, lengths = convolve(self.convs, x, lengths, self.clip)
        for layer, norm in self.layers:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            x, _ = pad_packed_sequence(layer(packed)[0], batch_first=True)
            if layer.bidirectional:
                forward, backward = x.chunk(2, dim=2)
                x = forward + backward
            if norm:
                x = norm_valid(norm, x.transpose(1, 2), lengths, lambda x: x).transpose(1, 2)
        if self.lookahead:
            context = self.lookahead.kernel_size[0] - 1
            x = self.lookahead(F.pad(x.transpose(1, 2), (0, context))).transpose(1, 2)
        for linear, norm in self.dense:
            x = norm_valid(norm, linear(x).transpose(1, 2), lengths, self.clip).transpose(1, 2)
        return self.output(x)


def case(name, config, seed):
    torch.manual_seed(seed)
    lengths = torch.tensor([17, 8, 13, 17, 10])
    features = torch.randn(len(lengths), 17, config["num_bins"]).double()
    features[~valid(lengths, 17)] = 1e3
    features.requires_grad_()
    targets = torch.tensor([[1, 2, 2, 4], [3, 0, 0, 0], [1, 4, 0, 0], [0, 0, 0, 0], [4, 3, 0, 0]])
    counts = (targets > 0).sum(1)
    twin = DeepSpeech2(**config)

    def loss_of(logits):
        log_probs = logits.log_softmax(2).transpose(0, 1)
        return F.ctc_loss(log_probs, targets, twin.steps(lengths), counts)

    tensors = {"lengths": lengths, "targets": targets}
    record(tensors, twin, features, lengths, loss_of)
    path = OUT / f"deep_speech2_{name}.safetensors"
    write(path, tensors, {"config": json.dumps(config), "torch": torch.__version__})


def main():
    sizes = dict(num_bins=7, num_symbols=5, channels=[3, 4], kernels=[[3, 5], [5, 3]], strides=[[2, 2], [1, 2]])
    sizes = dict(sizes, clip=1.5, d_hidden=5, num_layers=2, bidirectional=True, recurrent_norm=True, lookahead=0)
    gru = dict(sizes, cell="gru", d_fully_connected=[6])
    case("gru_both_ways", gru, seed=1)
    lstm = dict(sizes, cell="lstm", d_fully_connected=[], strides=[[1, 3], [2, 1]])
    case("lstm_both_ways", lstm, seed=2)
    elman = dict(sizes, cell="elman", d_fully_connected=[], bidirectional=False, recurrent_norm=False, lookahead=3)
    case("elman_lookahead", elman, seed=3)


if __name__ == "__main__":
    main()
