"""The PyTorch twin of one preset of `sori bench`: the same layers, shapes and parameter count.

    python benches/peers/torch_peer.py PRESET [--threads N] [--steps N] [--warm-up N] [--prediction]

prints the median in milliseconds, the parameters and the peak resident memory as a line of JSON.
A training step is forward, loss, backward, clipping of the gradient's norm to 5 and Adam, as in Sori.
With `--prediction` the work is the forward pass of one row, in `eval` mode and without gradients.
`ctc` is the loss alone, from raw scores through log-softmax, and its gradient. `log_mel` and `log_mel_librosa` are features of 60 s at 16 kHz.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from pathlib import Path

BINS, FRAMES, BATCH, OUTPUTS, PARAMS = range(5)
PRESETS = {
    "mlp": (40, 100, 64, 10, 2_182_410),
    "cnn1d": (96, 128, 32, 10, 137_610),
    "cnn2d": (64, 100, 16, 10, 93_770),
    "dilated_cnn": (64, 100, 16, 10, 387_722),
    "sample_cnn": (1, 59_049, 4, 50, 1_869_874),
    "res_cnn": (1, 59_049, 2, 50, 26_980_146),
    "fcn": (96, 1366, 2, 50, 447_732),
    "crnn": (96, 1366, 2, 50, 394_100),
    "musicnn": (96, 187, 4, 50, 787_312),
    "matchboxnet": (64, 101, 32, 10, 74_634),
    "random_wired": (64, 100, 16, 10, 4_336_723),
    "rnn": (161, 100, 8, 10, 613_898),
    "lstm": (161, 100, 8, 10, 2_440_202),
    "gru": (161, 100, 8, 10, 1_831_434),
    "attention": (161, 100, 8, 10, 2_505_995),
    "deep_speech2": (161, 400, 8, 29, 12_182_304),
    "las": (40, 400, 8, 30, 13_252_126),
}
LABELS = {"deep_speech2": 60, "ctc": 40, "las": 80}
SECONDS, RATE = 60, 16_000


def model(name, **sizes):
    """The twin of a preset; `mlp`, both CNNs, the recurrent ones and `deep_speech2` in other sizes too."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Recurrent(nn.Module):
        """Two layers both ways, then the mean over time or additive attention."""

        def __init__(self, kind, attention=False, bins=161, outputs=10, d_hidden=256, num_layers=2, dropout=0.0):
            super().__init__()
            self.layers = kind(bins, d_hidden, num_layers, batch_first=True, bidirectional=True, dropout=dropout)
            self.score = (
                nn.Sequential(nn.Linear(512, 128), nn.Tanh(), nn.Linear(128, 1)) if attention else None
            )
            self.classifier = nn.Linear(2 * d_hidden, outputs)

        def forward(self, x):
            states = self.layers(x)[0]
            if self.score is None:
                return self.classifier(states.mean(1))
            weights = self.score(states).softmax(1)
            return self.classifier((weights.transpose(1, 2) @ states).squeeze(1))

    class DeepSpeech2(nn.Module):
        """Two convolutions, three GRUs whose directions are added, steps first, norms after each of them."""

        def __init__(self, bins=161, outputs=29, channels=(32, 32), d_hidden=512, num_layers=3, dropout=0.0,
                     kernels=((11, 41), (11, 21))):
            super().__init__()

            def conv(inputs, outputs, kernel, stride):
                frames, bins = kernel
                return nn.Conv2d(inputs, outputs, (bins, frames), (2, stride), (bins // 2, frames // 2))

            (first, second), steps_bins = channels, (bins + 3) // 4
            self.convs = nn.Sequential(
                conv(1, first, kernels[0], 2), nn.BatchNorm2d(first), nn.Hardtanh(0, 20, inplace=True),
                conv(first, second, kernels[1], 1), nn.BatchNorm2d(second), nn.Hardtanh(0, 20, inplace=True),
            )
            below = [steps_bins * second] + [d_hidden] * (num_layers - 1)
            self.layers = nn.ModuleList(nn.GRU(a, d_hidden, bidirectional=True) for a in below)
            self.norms = nn.ModuleList(nn.BatchNorm1d(d_hidden) for _ in self.layers)
            self.dropout = nn.Dropout(dropout)
            self.output = nn.Linear(d_hidden, outputs, bias=False)

        def forward(self, x):
            x = self.convs(x).flatten(1, 2).permute(2, 0, 1)  # [steps, batch, channels * bands]
            for layer, norm in zip(self.layers, self.norms):
                x = layer(x)[0]
                x = x.unflatten(2, (2, -1)).sum(2)
                x = self.dropout(norm(x.flatten(0, 1)).view(x.shape))
            return self.output(x)

    class Las(nn.Module):
        """Listen, Attend and Spell; the last layer is applied to all symbols at once."""

        def __init__(self):
            super().__init__()
            sizes = [40, 1024, 1024, 1024]
            self.listener = nn.ModuleList(
                nn.LSTM(size, 256, batch_first=True, bidirectional=True) for size in sizes
            )
            self.embedding = nn.Embedding(30, 256)
            self.cells = nn.ModuleList([nn.LSTMCell(256 + 512, 512), nn.LSTMCell(512, 512)])
            self.output = nn.Linear(512 + 512, 30)

        def forward(self, x, symbols):
            for index, layer in enumerate(self.listener):
                x = x if index == 0 else x.unflatten(1, (-1, 2)).flatten(2)
                x = layer(x)[0]
            embedded = self.embedding(symbols)  # [batch, symbols, 256]
            context = x.new_zeros(x.shape[0], 512)
            states, outputs = [None] * len(self.cells), []
            for symbol in embedded.unbind(1):
                below = torch.cat([symbol, context], 1)
                for index, cell in enumerate(self.cells):
                    states[index] = cell(below, states[index])
                    below = states[index][0]
                weights = torch.bmm(x, below[:, :, None]).softmax(1)  # [batch, steps, 1]
                context = torch.bmm(weights.transpose(1, 2), x)[:, 0]
                outputs.append(torch.cat([below, context], 1))
            return self.output(torch.stack(outputs, 1))

    class DilatedCnn(nn.Module):
        """Two cycles of five gated dilated convolutions."""

        def __init__(self):
            super().__init__()
            dilations = [1, 2, 4, 8, 16] * 2
            self.input = nn.Conv1d(64, 64, 1, bias=False)
            self.convs = nn.ModuleList(nn.Conv1d(64, 128, 3, padding=d, dilation=d) for d in dilations)
            self.skips = nn.ModuleList(nn.Conv1d(64, 128, 1, bias=False) for _ in dilations)
            self.residuals = nn.ModuleList(nn.Conv1d(64, 64, 1, bias=False) for _ in dilations[1:])
            self.hidden, self.classifier = nn.Conv1d(128, 128, 1), nn.Linear(128, 10)

        def forward(self, x):
            x, skips = self.input(x), 0
            for index, (conv, skip) in enumerate(zip(self.convs, self.skips)):
                filters, gates = conv(x).chunk(2, 1)
                z = torch.tanh(filters) * torch.sigmoid(gates)
                skips = skips + skip(z)
                if index < len(self.residuals):
                    x = x + self.residuals[index](z)
            return self.classifier(self.hidden(skips.relu()).relu().mean(2))

    class ResBlock(nn.Module):
        """Two convolutions, squeeze-and-excitation, the way around, and pooling by three."""

        def __init__(self, inputs, outputs):
            super().__init__()
            self.convs = nn.Sequential(
                nn.Conv1d(inputs, outputs, 3, padding=1), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.2),
                nn.Conv1d(outputs, outputs, 3, padding=1), nn.BatchNorm1d(outputs),
            )
            self.gate = nn.Sequential(
                nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(outputs, 16 * outputs), nn.ReLU(),
                nn.Linear(16 * outputs, outputs), nn.Sigmoid(), nn.Unflatten(1, (outputs, 1)),
            )
            around = [nn.Conv1d(inputs, outputs, 1), nn.BatchNorm1d(outputs)] if inputs != outputs else []
            self.around = nn.Sequential(*around)

        def forward(self, x):
            y = self.convs(x)
            return F.max_pool1d((y * self.gate(y) + self.around(x)).relu(), 3)

    class ResCnn(nn.Module):
        """The residual SampleCNN with squeeze-and-excitation; a hidden layer sees three levels."""

        def __init__(self):
            super().__init__()
            widths = [128, 128, 128, 256, 256, 256, 256, 256, 256, 512]
            self.first = nn.Sequential(*block1d(1, 128, 3, 3, 1))
            self.blocks = nn.ModuleList(ResBlock(a, b) for a, b in zip(widths, widths[1:]))
            self.head = nn.Sequential(
                nn.Linear(1024, 1024), nn.BatchNorm1d(1024), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1024, 50)
            )

        def forward(self, x):
            x, levels = self.first(x), []
            for block in self.blocks:
                x = block(x)
                levels.append(x.amax(2))
            return self.head(torch.cat(levels[-3:], 1))

    class Crnn(nn.Module):
        """Four blocks of convolution, then two layers of GRU whose last state goes on."""

        def __init__(self):
            super().__init__()
            widths, pools = [1, 64, 128, 128, 128], [(2, 2), (3, 3), (4, 4), (4, 4)]
            blocks = [block2d(a, b, pool, nn.ELU) for a, b, pool in zip(widths, widths[1:], pools)]
            self.convs = nn.Sequential(nn.BatchNorm2d(1), *sum(blocks, []))
            self.layers = nn.GRU(128, 32, 2, batch_first=True, dropout=0.3)
            self.classifier = nn.Sequential(nn.Dropout(0.3), nn.Linear(32, 50))

        def forward(self, x):
            x = self.convs(x).flatten(1, 2).transpose(1, 2)  # [batch, steps, channels]
            return self.classifier(self.layers(x)[1][-1])

    class Musicnn(nn.Module):
        """Timbral and temporal filters side by side, three layers above them, and what each of them finds."""

        def __init__(self):
            super().__init__()
            shapes = [(38, 7, 204), (67, 7, 204), (1, 129, 51), (1, 65, 51), (1, 33, 51)]
            self.norm = nn.BatchNorm2d(1)
            self.front = nn.ModuleList(
                nn.Sequential(
                    nn.Conv2d(1, filters, (bins, frames), padding=(0, frames // 2)), nn.BatchNorm2d(filters), nn.ReLU()
                )
                for bins, frames, filters in shapes
            )
            self.dense = nn.ModuleList(nn.Sequential(*block1d(a, 64, 7, 1, 1)) for a in (561, 64, 64))
            self.head = nn.Sequential(
                nn.BatchNorm1d(1506), nn.Dropout(0.5), nn.Linear(1506, 200), nn.BatchNorm1d(200), nn.ReLU(),
                nn.Dropout(0.5), nn.Linear(200, 50),
            )

        def forward(self, x):
            x = self.norm(x)
            layers = [torch.cat([filters(x).amax(2) for filters in self.front], 1)]
            for index, layer in enumerate(self.dense):
                y = layer(layers[-1])
                layers.append(y + layers[-1] if index else y)
            x = torch.cat(layers, 1)
            return self.head(torch.cat([x.amax(2), x.mean(2)], 1))

    def separable(inputs, outputs, kernel, stride=1, dilation=1):
        padding = kernel // 2 * dilation
        depthwise = nn.Conv1d(inputs, inputs, kernel, stride, padding, dilation, groups=inputs, bias=False)
        return [depthwise, *pointwise(inputs, outputs)]

    def pointwise(inputs, outputs):
        return [nn.Conv1d(inputs, outputs, 1, bias=False), nn.BatchNorm1d(outputs)]

    class Matchboxnet(nn.Module):
        """Separable convolutions, the middle three with a way around."""

        def __init__(self):
            super().__init__()
            self.first = nn.Sequential(*separable(64, 128, 11, stride=2), nn.ReLU())
            ends = [(128, 13), (64, 15), (64, 17)]
            self.blocks = nn.ModuleList(nn.Sequential(*separable(a, 64, kernel)) for a, kernel in ends)
            self.around = nn.ModuleList(nn.Sequential(*pointwise(a, 64)) for a, _ in ends)
            self.last = nn.Sequential(
                *separable(64, 128, 29, dilation=2), nn.ReLU(), *pointwise(128, 128), nn.ReLU()
            )
            self.classifier = nn.Linear(128, 10)

        def forward(self, x):
            x = self.first(x)
            for block, around in zip(self.blocks, self.around):
                x = (block(x) + around(x)).relu()
            return self.classifier(self.last(x).mean(2))

    class RandomWired(nn.Module):
        """Three stages wired as random graphs, which the golden twin draws."""

        def __init__(self):
            super().__init__()
            sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/golden"))
            from models import SplitMix64, watts_strogatz

            rng, widths = SplitMix64(0), [78, 78, 156, 312]
            self.stem = nn.Sequential(*block1d(64, 39, 3, 1, 1), *block1d(39, 78, 3, 1, 1))
            self.inputs, self.ends, self.nodes, self.weights = [], [], nn.ModuleList(), nn.ModuleList()
            for below, size in zip(widths, widths[1:]):
                edges = watts_strogatz(rng, 32, num_neighbors=4, rewiring_probability=0.75)
                inputs = [sorted(a for a, b in edges if b == node) for node in range(32)]
                self.inputs.append(inputs)
                self.ends.append(sorted(set(range(32)) - {a for a, _ in edges}))
                self.nodes.append(
                    nn.ModuleList(
                        nn.Sequential(nn.ReLU(), *separable(*((size, size, 3) if one else (below, size, 3, 2))))
                        for one in inputs
                    )
                )
                self.weights.append(nn.ParameterList(nn.Parameter(torch.zeros(len(one))) for one in inputs))
            self.head = nn.Sequential(nn.ReLU(), *pointwise(312, 1280), nn.ReLU())
            self.classifier = nn.Linear(1280, 10)

        def forward(self, x):
            x = self.stem(x)
            for inputs, ends, nodes, weights in zip(self.inputs, self.ends, self.nodes, self.weights):
                outputs = []
                for one, node, weight in zip(inputs, nodes, weights):
                    gates = weight.sigmoid()
                    y = sum(gate * outputs[a] for gate, a in zip(gates, one)) if one else x
                    outputs.append(node(y))
                x = sum(outputs[end] for end in ends) / len(ends)
            return self.classifier(self.head(x).mean(2))

    def block1d(inputs, outputs, kernel, stride, pool):
        padding = kernel // 2 if stride == 1 else 0
        layers = [nn.Conv1d(inputs, outputs, kernel, stride, padding), nn.BatchNorm1d(outputs), nn.ReLU()]
        return layers + ([nn.MaxPool1d(pool)] if pool > 1 else [])

    def block2d(inputs, outputs, pool, activation=nn.ReLU):
        conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        return [conv, nn.BatchNorm2d(outputs), activation(), nn.MaxPool2d(pool)]

    def ends(channels, outputs, dims, dropout=0.0):
        mean = nn.AdaptiveAvgPool1d(1) if dims == 1 else nn.AdaptiveAvgPool2d(1)
        return [mean, nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, outputs)]

    def mlp(inputs=4000, outputs=10, d_hidden=(512, 256), dropout=0.0):
        layers, widths = [nn.Flatten()], [inputs, *d_hidden]
        for a, b in zip(widths, widths[1:]):
            layers += [nn.Linear(a, b), nn.ReLU()] + ([nn.Dropout(dropout)] if dropout else [])
        return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))

    def cnn(dims, bins=96, outputs=10, channels=None, values_per_channel=1, dropout=0.0):
        """The last four modules pool and classify; pooling of another kind may find more values a channel."""
        channels = channels or {1: [128] * 3, 2: [32, 64, 64, 64]}[dims]
        widths = [bins if dims == 1 else 1, *channels]
        pairs = zip(widths, widths[1:])
        blocks = [block1d(a, b, 3, 1, 2) if dims == 1 else block2d(a, b, 2) for a, b in pairs]
        return nn.Sequential(*sum(blocks, []), *ends(values_per_channel * widths[-1], outputs, dims, dropout))

    match name:
        case "mlp":
            return mlp(**sizes)
        case "cnn1d" | "cnn2d":
            return cnn(2 if name == "cnn2d" else 1, **sizes)
        case "dilated_cnn":
            return DilatedCnn()
        case "res_cnn":
            return ResCnn()
        case "sample_cnn":
            widths = [128, 128, 128, 256, 256, 256, 256, 256, 256, 512]
            blocks = [block1d(1, 128, 3, 3, 1)]
            blocks += [block1d(a, b, 3, 1, 3) for a, b in zip(widths, widths[1:])]
            blocks += [block1d(512, 512, 1, 1, 1)]
            return nn.Sequential(*sum(blocks, []), *ends(512, 50, 1, dropout=0.5))
        case "fcn":
            widths = [1, 64, 128, 128, 128, 64]
            pools = [(2, 4), (2, 4), (2, 4), (3, 5), (4, 4)]
            blocks = [block2d(a, b, pool) for a, b, pool in zip(widths, widths[1:], pools)]
            return nn.Sequential(nn.BatchNorm2d(1), *sum(blocks, []), *ends(64, 50, 2, dropout=0.5))
        case "crnn":
            return Crnn()
        case "musicnn":
            return Musicnn()
        case "matchboxnet":
            return Matchboxnet()
        case "random_wired":
            return RandomWired()
        case "rnn":
            return Recurrent(nn.RNN, **sizes)
        case "lstm":
            return Recurrent(nn.LSTM, **sizes)
        case "gru":
            return Recurrent(nn.GRU, **sizes)
        case "attention":
            return Recurrent(nn.LSTM, attention=True)
        case "deep_speech2":
            return DeepSpeech2(**sizes)
        case "las":
            return Las()


def features(name):
    """`[batch, …]` as the twin's first layer takes it: PyTorch's convolutions have channels first."""
    import torch

    bins, frames, batch = PRESETS[name][:3]
    if name in ("cnn2d", "fcn", "crnn", "musicnn", "deep_speech2"):
        return torch.rand(batch, 1, bins, frames) * 2 - 1
    if name in ("cnn1d", "dilated_cnn", "sample_cnn", "res_cnn", "matchboxnet", "random_wired"):
        return torch.rand(batch, bins, frames) * 2 - 1
    return torch.rand(batch, frames, bins) * 2 - 1


def training_step(name):
    """The work to time, and the trainable parameters."""
    import torch
    import torch.nn.functional as F

    torch.manual_seed(0)
    net, x = model(name).train(), features(name)
    _, frames, batch, outputs, expected = PRESETS[name]
    params = sum(p.numel() for p in net.parameters())
    assert params == expected, f"{name} has {params} parameters, not {expected}"
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    inputs = (x,)
    if name == "las":
        symbols = torch.randint(1, outputs, (batch, LABELS["las"]))
        inputs = (x, F.pad(symbols, (1, 0)))
        targets = F.pad(symbols, (0, 1)).flatten()
        loss = lambda logits: F.cross_entropy(logits.flatten(0, 1), targets)
    elif name in ("sample_cnn", "res_cnn", "fcn", "crnn", "musicnn"):
        tags = (torch.rand(batch, outputs) < 0.1).float()
        loss = lambda logits: F.binary_cross_entropy_with_logits(logits, tags)
    elif name in LABELS:
        loss = ctc_loss(frames // 2, batch, outputs, LABELS[name])
    else:
        classes = torch.arange(batch) % outputs
        loss = lambda logits: F.cross_entropy(logits, classes)

    def step():
        optimizer.zero_grad()
        value = loss(net(*inputs))
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        return value.item()

    return step, params


def prediction(name):
    """The forward pass of one row, and the trainable parameters."""
    import torch

    torch.manual_seed(0)
    net, x = model(name).eval(), features(name)[:1]

    def predict():
        with torch.inference_mode():
            return net(x).numpy()

    return predict, sum(p.numel() for p in net.parameters())


def ctc_loss(steps, batch, symbols, labels):
    """The loss of random transcripts, from scores `[steps, batch, symbols]`."""
    import torch
    import torch.nn.functional as F

    targets = torch.randint(1, symbols, (batch, labels))
    lengths, counts = torch.full((batch,), steps), torch.full((batch,), labels)
    return lambda scores: F.ctc_loss(scores.log_softmax(2), targets, lengths, counts)


def ctc():
    import torch

    torch.manual_seed(0)
    scores = (torch.rand(200, 8, 29) * 2 - 1).requires_grad_()
    loss = ctc_loss(200, 8, 29, LABELS["ctc"])

    def work():
        scores.grad = None
        loss(scores).backward()

    return work, 0


def log_mel_torch():
    """`torch.stft` and a mel matrix, as torchaudio's MelSpectrogram does it."""
    import librosa
    import torch

    x = torch.rand(SECONDS * RATE) * 2 - 1
    window = torch.hann_window(400)
    mel = torch.from_numpy(librosa.filters.mel(sr=RATE, n_fft=400, n_mels=80))

    def work():
        spectrum = torch.stft(x, 400, 160, window=window, center=True, return_complex=True)
        return (mel @ spectrum.abs().square()).clamp_min(1e-10).log()

    return work, 0


def log_mel_librosa():
    import librosa
    import numpy as np

    x = np.random.default_rng(0).uniform(-1, 1, SECONDS * RATE).astype(np.float32)

    def work():
        power = librosa.feature.melspectrogram(y=x, sr=RATE, n_fft=400, hop_length=160, n_mels=80)
        return np.log(np.maximum(power, 1e-10))

    return work, 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("preset", choices=[*PRESETS, "ctc", "log_mel", "log_mel_librosa"])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--prediction", action="store_true")
    args = parser.parse_args()
    if args.threads and args.preset != "log_mel_librosa":
        import torch

        torch.set_num_threads(args.threads)
    if args.preset == "log_mel":
        work, params = log_mel_torch()
    elif args.preset == "log_mel_librosa":
        work, params = log_mel_librosa()
    elif args.preset == "ctc":
        work, params = ctc()
    elif args.prediction:
        work, params = prediction(args.preset)
    else:
        work, params = training_step(args.preset)
    times = []
    for index in range(args.warm_up + args.steps):
        start = time.perf_counter()
        work()
        if index >= args.warm_up:
            times.append((time.perf_counter() - start) * 1e3)
    print(
        json.dumps(
            {
                "median_ms": statistics.median(times),
                "params": params,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
