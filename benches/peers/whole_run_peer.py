"""The PyTorch side of whole_run.py: what `sori train` did in RUN, by a training script as one would write it.

    python benches/peers/whole_run_peer.py RUN [--threads N] [--workers N] [--list DIGITS.jsonl] [--out FOLDER]

reads the settings (`config.toml`), the parts (`splits.json`) and the number of parameters (`run.json`) of RUN and
nothing else of it; trains, keeps the best epoch, tests it, and prints a line of JSON: the result and where the time
went. Networks are the twins of torch_peer.py. Recordings are decoded once. Features of what is not augmented are made
once and kept; waveforms that are augmented go through workers of a DataLoader, and without those there are no workers,
as cutting batches out of memory is faster than to send them. Adam is the fused one. A setting that is not done here is
refused by name.

What differs from Sori: the random numbers; convolutions and recurrent layers see a batch's padding (zeros; batches are
of similar length, to which mixtures add), where only means over time and CTC know the lengths; mixup mixes recordings
of one batch. Sori draws partners before it makes batches, whose mixtures are of similar length then.
"""

import time

STARTED = time.perf_counter()

import argparse
import copy
import json
import math
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import torch_peer
from whole_run_sound import Augment, Features, between_classes, corpus, refuse

POOL_BATCHES = 16
CLASSIFIERS = {"mlp", "cnn1d", "cnn2d", "rnn", "lstm", "gru"}
# Settings that have one value here.
TRAIN = {
    "optimizer": "adam", "l1_penalty": 0.0, "schedule": "cosine", "accumulate": 1, "class_weights": False,
    "adversary_weight": 0.0, "balance": False, "freeze": [], "patience": 0, "max_minutes": 0.0,
}
MODEL = {
    "kernel_size": 3, "pool_size": 2, "activation": "relu", "init": "default", "bidirectional": True,
    "strides": [[2, 2], [1, 2]], "clip": 20.0, "cell": "gru", "recurrent_norm": True,
    "lookahead": 0, "d_fully_connected": [],
}

SPENT = {"import": time.perf_counter() - STARTED}


@contextmanager
def spent(on):
    start = time.perf_counter()
    yield
    SPENT[on] = SPENT.get(on, 0.0) + time.perf_counter() - start


# Networks: the twins, and the mean over what is no padding.


def mean_valid(x, lengths):
    """The mean over time of `[batch, frames, channels]`."""
    valid = torch.arange(x.shape[1]) < lengths[:, None]
    return (x * valid[:, :, None]).sum(1) / lengths[:, None]


class Mlp(nn.Module):
    def __init__(self, model, dropout):
        super().__init__()
        self.frames = model["num_frames"]
        inputs = self.frames * model["num_bins"]
        self.net = torch_peer.model("mlp", inputs=inputs, outputs=model["num_classes"], d_hidden=model["d_hidden"],
                                    dropout=dropout)

    def forward(self, x, lengths):
        return self.net(F.pad(x, (0, 0, 0, self.frames - x.shape[1])))  # a negative amount crops


class Cnn(nn.Module):
    def __init__(self, model, dropout):
        super().__init__()
        self.dims = 2 if model["name"] == "cnn2d" else 1
        self.pooling = model.get("pooling", "mean")
        net = torch_peer.model(
            model["name"], bins=model["num_bins"], outputs=model["num_classes"], channels=model["channels"],
            values_per_channel=2 if self.pooling == "mean_max_deviation" else 1, dropout=dropout,
        )
        self.blocks, self.head = net[:-4], net[-2:]
        self.halvings = len(model["channels"])

    def forward(self, x, lengths):
        least = 1 << self.halvings
        x = F.pad(x, (0, 0, 0, max(0, least - x.shape[1])))
        x = self.blocks(x.transpose(1, 2) if self.dims == 1 else x.transpose(1, 2)[:, None])
        x = (x if self.dims == 1 else x.mean(2)).transpose(1, 2)  # [batch, steps, channels]
        lengths = lengths.clamp_min(least) >> self.halvings
        mean = mean_valid(x, lengths)
        if self.pooling == "mean":
            return self.head(mean)
        valid = (torch.arange(x.shape[1]) < lengths[:, None])[:, :, None]
        found = mean + x.masked_fill(~valid, -torch.inf).amax(1)
        if self.pooling == "mean_max_deviation":
            variance = mean_valid((x - mean[:, None]).square(), lengths)
            found = torch.cat([found, variance.clamp_min(1e-4).sqrt()], 1)
        return self.head(found)


class Recurrent(nn.Module):
    def __init__(self, model, dropout):
        super().__init__()
        if model["pooling"] != "mean":
            refuse(f"pooling {model['pooling']}")
        self.net = torch_peer.model(
            model["name"], bins=model["num_bins"], outputs=model["num_classes"], d_hidden=model["d_hidden"],
            num_layers=model["num_layers"], dropout=dropout,
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, lengths):
        return self.net.classifier(self.dropout(mean_valid(self.net.layers(x)[0], lengths)))


class DeepSpeech2(nn.Module):
    def __init__(self, model, dropout):
        super().__init__()
        sizes = {key: model[key] for key in ("channels", "d_hidden", "num_layers", "kernels")}
        self.net = torch_peer.model(
            "deep_speech2", bins=model["num_bins"], outputs=model["num_symbols"], dropout=dropout, **sizes
        )

    def forward(self, x, lengths):
        return self.net(x.transpose(1, 2)[:, None]), (lengths + 1) // 2  # [steps, batch, symbols]


def network(model):
    for key, value in MODEL.items():
        if model.get(key, value) != value:
            refuse(f"{model['name']} with {key} = {model[key]}")
    kinds = {"mlp": Mlp, "cnn1d": Cnn, "cnn2d": Cnn, "rnn": Recurrent, "lstm": Recurrent, "gru": Recurrent,
             "deep_speech2": DeepSpeech2}
    if model["name"] not in kinds:
        refuse(f"model {model['name']}")
    return kinds[model["name"]](model, model["dropout"])


# Data.


class Classes:
    """Labels as classes; the loss of batches that are mixed takes shares of classes."""

    higher_is_better = True

    def __init__(self, said, labels, smoothing):
        self.targets = torch.tensor([labels.index(one) for one in said])
        self.num_labels, self.smoothing = len(labels), smoothing

    def collate(self, indices):
        return self.targets[indices]

    def shares(self, indices, partners, ratios):
        one_hot = F.one_hot(self.targets, self.num_labels).float()
        ratios = torch.tensor(ratios, dtype=torch.float32)[:, None]
        return ratios * one_hot[indices] + (1 - ratios) * one_hot[partners]

    def loss(self, logits, targets, smoothing=None):
        return F.cross_entropy(logits, targets, label_smoothing=self.smoothing if smoothing is None else smoothing)

    def evaluation_loss(self, logits, targets):
        return self.loss(logits, targets, 0.0)

    def answers(self, logits, targets):
        return (logits.argmax(1) == targets).sum().item(), len(targets)


class Transcripts:
    """Symbols of transcripts, for CTC; word errors are counted by edit distance."""

    higher_is_better = False

    def __init__(self, said, labels, _smoothing):
        self.labels = labels
        self.said = said
        self.symbols = [torch.tensor([labels.index(symbol) + 1 for symbol in one]) for one in said]

    def collate(self, indices):
        rows = [self.symbols[index] for index in indices]
        return torch.cat(rows), torch.tensor([len(row) for row in rows]), [self.said[index] for index in indices]

    def loss(self, output, targets):
        (scores, steps), (symbols, counts, _) = output, targets
        return F.ctc_loss(scores.log_softmax(2), symbols, steps, counts, zero_infinity=True)

    evaluation_loss = loss

    def answers(self, output, targets):
        scores, steps = output
        errors = words = 0
        for row, frames, said in zip(scores.argmax(2).T.tolist(), steps.tolist(), targets[2]):
            path = [symbol for symbol, before in zip(row[:frames], [0, *row]) if symbol != before]
            heard = "".join(self.labels[symbol - 1] for symbol in path if symbol)
            errors += edits(said.split(), heard.split())
            words += len(said.split())
        return errors, words


def edits(right, found):
    row = list(range(len(found) + 1))
    for i, word in enumerate(right, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(found, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]


class Batches(torch.utils.data.Dataset):
    """Batches of the training part, augmented. An item is a batch's indices."""

    def __init__(self, sounds, truth, features, augment, train):
        self.sounds, self.truth, self.features, self.augment = sounds, truth, features, augment
        self.train = train
        self.kept = None

    def __getitem__(self, indices):
        augment, ratios, partners = self.augment, [1.0] * len(indices), indices
        if self.kept is not None:
            rows = [self.kept[index] for index in indices]
            lengths = torch.tensor([len(row) for row in rows])
            x = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        else:
            sounds = [augment.waveform(self.sounds[index]) for index in indices]
            if augment.mixes == "between-class":
                ratios = [augment.mix_ratio() for _ in indices]
                partners = [int(augment.rng.choice(self.train)) for _ in indices]
                for row, (partner, ratio) in enumerate(zip(partners, ratios)):
                    if ratio < 1.0:
                        other = augment.waveform(self.sounds[partner])
                        sounds[row] = between_classes(sounds[row], other, ratio, augment.rate)
            x, lengths = self.features(sounds)
        if augment.mixes == "mixup":
            ratios = [augment.mix_ratio() for _ in indices]
            order = augment.rng.permutation(len(indices))
            partners = [indices[row] for row in order]
            share = torch.tensor(ratios, dtype=torch.float32)[:, None, None]
            x = share * x + (1 - share) * x[order]
            mixed = torch.tensor(ratios) < 1.0
            lengths = torch.where(mixed, torch.maximum(lengths, lengths[order]), lengths)
        if augment.masks:
            augment.mask(x, lengths.tolist())
        if augment.mixes:
            return x, lengths, self.truth.shares(indices, partners, ratios)
        return x, lengths, self.truth.collate(indices)


class Order:
    """The batches of an epoch: of similar length, in random order, an incomplete one last."""

    def __init__(self, indices, frames, train):
        self.indices, self.frames, self.train, self.epoch = indices, frames, train, 0

    def __len__(self):
        return math.ceil(len(self.indices) / self.train["batch_size"])

    def __iter__(self):
        size, rng = self.train["batch_size"], np.random.default_rng([self.train["seed"], self.epoch])
        first, self.epoch = self.epoch == 0, self.epoch + 1
        length = lambda index: self.frames[index]
        if first and self.train["sort_first_epoch"]:
            return iter(cut(sorted(self.indices, key=length), size))
        order = rng.permutation(self.indices).tolist()
        if not self.train["bucket"]:
            return iter(cut(order, size))
        order = sum((sorted(pool, key=length) for pool in cut(order, size * POOL_BATCHES)), [])
        batches = cut(order, size)
        rest = [batches.pop()] if len(batches[-1]) < size else []
        return iter([batches[at] for at in rng.permutation(len(batches))] + rest)


def cut(items, size):
    return [items[start : start + size] for start in range(0, len(items), size)]


def begin_worker(_):
    torch.set_num_threads(1)
    info = torch.utils.data.get_worker_info()
    info.dataset.augment.seed(info.seed % 2**32)


# Training.


def learning_rate(train, step, steps_per_epoch, epochs):
    """Linear up to the peak, then half a cosine, over a leg of so many epochs."""
    warmup, total = train["warmup_epochs"] * steps_per_epoch, epochs * steps_per_epoch
    if step + 1 < warmup:
        return train["learning_rate"] * (step + 1) / warmup
    done = min(max((step - warmup) / max(total - warmup, 1.0), 0.0), 1.0)
    return train["learning_rate"] * 0.5 * (1 + math.cos(math.pi * done))


@torch.inference_mode()
def evaluate(net, batches, truth):
    """The loss, and the share of right answers or word errors."""
    net.eval()
    loss = counted = items = found = 0
    for x, lengths, targets in batches:
        output = net(x, lengths)
        loss += truth.evaluation_loss(output, targets).item() * len(x)
        right, of = truth.answers(output, targets)
        found, counted, items = found + right, counted + of, items + len(x)
    net.train()
    return loss / items, found / counted


class Average:
    """A moving average of the parameters, in a network of its own that is validated and kept."""

    def __init__(self, net, decay):
        self.net, self.decay, self.steps = net, decay, 0
        self.copy = copy.deepcopy(net) if decay else net

    @torch.no_grad()
    def follow(self):
        if self.decay:
            self.steps += 1
            decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
            weight = 1 - decay if self.steps > 1 else 1.0
            torch._foreach_lerp_(list(self.copy.parameters()), list(self.net.parameters()), weight)

    def network(self):
        if self.decay:
            for mine, buffer in zip(self.copy.buffers(), self.net.buffers()):
                mine.copy_(buffer)
        return self.copy


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--list", help="the utterances of connected digits")
    parser.add_argument("--out", type=Path, required=True, help="folder for the best weights")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    settings = tomllib.loads((args.run / "config.toml").read_text())
    info = json.loads((args.run / "run.json").read_text())
    train = settings["train"]
    for key, value in TRAIN.items():
        if train[key] != value:
            refuse(f"training with {key} = {train[key]}")
    torch.manual_seed(train["seed"])

    net = network(settings["model"])
    params = sum(p.numel() for p in net.parameters())
    if params != info["params"]:
        sys.exit(f"{info['model']} has {params} parameters here and {info['params']} in Sori")

    with spent("scan"):
        splits = json.loads((args.run / "splits.json").read_text())
        parts, ids = {}, []
        for part in ("train", "valid", "test"):
            parts[part] = list(range(len(ids), len(ids) + len(splits[part]["ids"])))
            ids += splits[part]["ids"]
        rate = settings["features"]["sample_rate_hz"]
        sounds, said = corpus(settings["data"]["train"], ids, rate, args.threads, args.list)
        frames = sounds.lengths()
        kind = Classes if settings["model"]["name"] in CLASSIFIERS else Transcripts
        truth = kind(said, info["labels"], train["label_smoothing"])
    with spent("features"):
        features, augment = Features(settings["features"]), Augment(settings["augment"], rate)
        batches = Batches(sounds, truth, features, augment, parts["train"])
        if augment.mixes and kind is Transcripts:
            refuse("mixtures of transcripts")
        plain = lambda part: sorted(parts[part], key=lambda index: frames[index])
        made = lambda part: [(at, *features.plain([sounds[index] for index in at])) for at in cut(plain(part), 64)]
        by_corpus = settings["features"]["normalize"] == "corpus"
        if by_corpus or not augment.of_waveforms:
            first = made("train")
            if by_corpus:
                features.measure([(x, lengths) for _, x, lengths in first])
            if not augment.of_waveforms:
                batches.kept = {}
                for at, x, lengths in first:
                    x = features.normalized(x, lengths)
                    batches.kept |= {i: row[:n].clone() for i, row, n in zip(at, x, lengths.tolist())}
            del first
        held_out = {}
        for part in ("valid", "test"):
            held_out[part] = []
            for at in cut(plain(part), train["batch_size"]):
                x, lengths = features([sounds[index] for index in at])
                held_out[part].append((x, lengths, truth.collate(at)))

    optimizer = torch.optim.Adam(net.parameters(), lr=train["learning_rate"], betas=(train["momentum"], 0.999),
                                 weight_decay=train["weight_decay"], fused=True)
    average = Average(net, train["ema_decay"])
    workers = args.workers if augment.of_waveforms else 0

    def loader_of(indices):
        batches.train = indices
        return torch.utils.data.DataLoader(
            batches, sampler=Order(indices, frames, train), batch_size=None, num_workers=workers,
            persistent_workers=workers > 0, worker_init_fn=begin_worker, prefetch_factor=4 if workers else None,
        )

    # From this epoch on the validation part is learned from as well, in a course of its own.
    joins_at = info.get("joins_at") or train["epochs"]
    loader, leg = loader_of(parts["train"]), joins_at
    augment.seed(train["seed"])
    best, step, history = None, 0, []
    net.train()
    for epoch in range(1, train["epochs"] + 1):
        if epoch == joins_at + 1:
            if batches.kept is not None:
                for at, (x, lengths, _) in zip(cut(plain("valid"), train["batch_size"]), held_out["valid"]):
                    batches.kept |= {i: row[:n].clone() for i, row, n in zip(at, x, lengths.tolist())}
            loader, leg, step = loader_of(parts["train"] + parts["valid"]), train["epochs"] - joins_at, 0
        with spent("wait"):
            iterator, total = iter(loader), torch.zeros(())
        while True:
            with spent("wait"):
                batch = next(iterator, None)
            if batch is None:
                break
            with spent("steps"):
                x, lengths, targets = batch
                optimizer.param_groups[0]["lr"] = learning_rate(train, step, len(loader), leg)
                optimizer.zero_grad()
                loss = truth.loss(net(x, lengths), targets)
                loss.backward()
                if train["clip_norm"]:
                    nn.utils.clip_grad_norm_(net.parameters(), train["clip_norm"])
                optimizer.step()
                average.follow()
                total += loss.detach()
                step += 1
        with spent("validate"):
            now = average.network()
            if epoch <= joins_at:
                valid_loss, valid = evaluate(now, held_out["valid"], truth)
            score = {"metric": valid if truth.higher_is_better else -valid, "loss": -valid_loss, "last": epoch}
            score = score[train["best_by"]], -valid_loss
            if best is None or score > best:
                best = score
                torch.save(now.state_dict(), args.out / "best.pt")
        history.append({"epoch": epoch, "train_loss": total.item() / len(loader), "valid_loss": valid_loss, "valid": valid})
        print(json.dumps(history[-1]), file=sys.stderr)
    with spent("test"):
        now.load_state_dict(torch.load(args.out / "best.pt"))
        _, value = evaluate(now, held_out["test"], truth)
    print(json.dumps({"value": value, "params": params, "epochs": train["epochs"], "valid": history[-1]["valid"],
                      "workers": workers, "spent": {key: round(one, 3) for key, one in SPENT.items()}}))


if __name__ == "__main__":
    main()
