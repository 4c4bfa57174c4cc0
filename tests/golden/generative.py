"""Golden values for the generative models, from PyTorch twins in double precision. Needs torch 2.15.0 and numpy 2.4.6.

    python tests/golden/generative.py

writes tests/golden/models/{vae,gan}_*.safetensors, which tests/golden/generative.rs reads, and prints the parameters
of the twins of the default configurations. Each file holds one small configuration (as JSON in its metadata) and,
rounded to single precision:

    features, lengths             a ragged batch; the padding holds garbage
    param.PATH, state.PATH        parameters and running statistics before the step
    grad.PATH, grad.features      gradients of the loss, for a GAN of each network's own
    after.PATH                    running statistics after the one forward pass in training

and of a VAE

    noises                        [samples, batch, latent]; all but the importance bound take the first
    mean, log_variance            of the posterior
    decoded                       the mean of each patch
    log_likelihood, divergence    of each row
    loss                          with the divergence weighed by the metadata's kl_weight, for each value
    importance                    the importance-weighted bound with all noises
    importance.features           the gradient of its mean

and of a GAN

    noise                         what patches are made of
    generator, discriminator      their losses in training
    eval.patches                  generated in inference, with the running statistics after training
    eval.logits                   of the real patches

PATH is the field's path in the Burn module, and weights are stored as in models.py.
"""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from models import ACTIVATIONS, Twin, valid, write
from torch import nn
from torch.distributions import Normal, kl_divergence

OUT = Path(__file__).parent / "models"


def patches(x, lengths, num_frames):
    """Zero past the lengths, then filled with zeros or cropped to so many frames."""
    x = torch.where(valid(lengths, x.shape[1])[:, :, None], x, 0.0)
    return F.pad(x, (0, 0, 0, num_frames - x.shape[1]))


class Vae(Twin):
    def __init__(self, num_frames, num_bins, d_hidden, d_latent, activation):
        super().__init__()
        self.size, self.activation = (num_frames, num_bins), ACTIVATIONS[activation]
        sizes = [num_frames * num_bins, *d_hidden]
        self.encoder = nn.ModuleList(map(nn.Linear, sizes, sizes[1:]))
        self.mean = nn.Linear(sizes[-1], d_latent)
        self.log_variance = nn.Linear(sizes[-1], d_latent)
        sizes = [d_latent, *reversed(d_hidden)]
        self.decoder = nn.ModuleList(map(nn.Linear, sizes, sizes[1:]))
        self.output = nn.Linear(sizes[-1], num_frames * num_bins)
        self.log_deviation = nn.Parameter(torch.zeros(num_bins))
        for path, layers in [("encoder", self.encoder), ("decoder", self.decoder)]:
            for index, layer in enumerate(layers):
                self.pair_linear(f"{path}.{index}", layer)
        self.pair_linear("posterior_mean", self.mean)
        self.pair_linear("posterior_log_variance", self.log_variance)
        self.pair_linear("output", self.output)
        self.pair("log_deviation", self, "log_deviation")

    def posterior(self, x):
        x = x.flatten(1)
        for layer in self.encoder:
            x = self.activation(layer(x))
        return Normal(self.mean(x), (self.log_variance(x) / 2).exp())

    def patch(self, z):
        for layer in self.decoder:
            z = self.activation(layer(z))
        log_deviation = F.softplus(self.log_deviation + 6) - 6
        return Normal(self.output(z).unflatten(1, self.size), log_deviation.exp())

    def log_likelihood(self, patch, x, lengths):
        return (patch.log_prob(x) * valid(lengths, self.size[0])[:, :, None]).sum((1, 2))

    def importance(self, x, lengths, noises):
        """log 1/K sum p(x, z) / q(z|x), from the densities themselves."""
        q = self.posterior(x)
        weights = []
        for noise in noises:
            z = q.mean + q.stddev * noise
            ratio = (Normal(0.0, 1.0).log_prob(z) - q.log_prob(z)).sum(1)
            weights.append(self.log_likelihood(self.patch(z), x, lengths) + ratio)
        return torch.stack(weights).logsumexp(0) - math.log(len(noises))


class Gan(Twin):
    def __init__(self, num_frames, num_bins, d_latent, channels, loss):
        super().__init__()
        self.size, self.kind = (num_frames, num_bins), loss
        halved = 2 ** len(channels)
        self.inmost = (channels[-1], -(-num_frames // halved), -(-num_bins // halved))
        self.projection = nn.Linear(d_latent, math.prod(self.inmost))
        self.projection_norm = nn.BatchNorm2d(channels[-1])
        outwards = [*reversed(channels), channels[0]]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(outwards, outwards[1:]))
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for b in outwards[1:])
        self.output = nn.Conv2d(channels[0], 1, 3, padding=1)
        self.pair_linear("generator.projection", self.projection)
        self.pair_norm("generator.projection_norm", self.projection_norm)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            self.pair_conv(f"generator.blocks.{index}.conv", conv)
            self.pair_norm(f"generator.blocks.{index}.norm", norm)
        self.pair_conv("generator.output", self.output)

        inwards = [1, *channels]
        self.strided = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(inwards, channels))
        self.classifier = nn.Linear(math.prod(self.inmost), 1)
        for index, conv in enumerate(self.strided):
            self.pair_conv(f"discriminator.convs.{index}", conv)
        self.pair_linear("discriminator.classifier", self.classifier)

    def generate(self, z):
        # Sori has channels last.
        channels, frames, bins = self.inmost
        x = self.projection(z).unflatten(1, (frames, bins, channels)).permute(0, 3, 1, 2)
        x = F.relu(self.projection_norm(x))
        for conv, norm in zip(self.convs, self.norms):
            x = F.relu(norm(conv(F.interpolate(x, scale_factor=2, mode="nearest"))))
        return self.output(x)[:, 0, : self.size[0], : self.size[1]]

    def discriminate(self, x, lengths):
        x = patches(x, lengths, self.size[0])[:, None]
        for conv in self.strided:
            x = F.leaky_relu(conv(x), 0.2)
        return self.classifier(x.permute(0, 2, 3, 1).flatten(1))[:, 0]

    def losses(self, x, lengths, z):
        fake = self.generate(z)
        real, found = self.discriminate(x, lengths), self.discriminate(fake.detach(), lengths)
        convincing = self.discriminate(fake, lengths)
        if self.kind == "hinge":
            return F.relu(1 - real).mean() + F.relu(1 + found).mean(), -convincing.mean()
        ones = torch.ones_like(real)
        cross_entropy = F.binary_cross_entropy_with_logits
        return cross_entropy(real, ones) + cross_entropy(found, 1 - ones), cross_entropy(convincing, ones)


def as_ours(tensor, axes):
    return tensor.detach().permute(*axes).float().clone()


def start(twin, frames, lengths, seed):
    """Random parameters for the twin, features that need a gradient, and the tensors they are."""
    torch.manual_seed(seed)
    twin.double().train()
    lengths = torch.tensor(lengths)
    features = torch.randn(len(lengths), frames, twin.size[1]).double()
    features[~valid(lengths, frames)] = 1e3
    features.requires_grad_()
    tensors = {"features": features.detach().float(), "lengths": lengths}
    with torch.no_grad():
        for path, (tensor, axes) in twin.tensors().items():
            # Single precision is what Sori will read, so the twin must start from it too.
            noise = torch.randn(tensor.shape) * 0.3
            noise = noise + 1.0 if path.endswith("gamma") else noise
            noise = noise.exp() if path.endswith("running_var") else noise
            tensor.copy_(noise)
            kind = "param" if tensor.requires_grad else "state"
            tensors[f"{kind}.{path}"] = as_ours(tensor, axes)
    return features, lengths, tensors


def finish(name, twin, config, tensors, **metadata):
    for path, (tensor, axes) in twin.tensors().items():
        if tensor.requires_grad:
            tensors[f"grad.{path}"] = as_ours(tensor.grad, axes)
        else:
            tensors[f"after.{path}"] = as_ours(tensor, axes)
    tensors = {name: tensor.detach() for name, tensor in tensors.items()}
    tensors = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    config = json.dumps(config)
    write(OUT / f"{name}.safetensors", tensors, {"config": config, "torch": torch.__version__, **metadata})


def vae(name, config, frames, lengths, seed):
    twin = Vae(**config)
    features, lengths, tensors = start(twin, frames, lengths, seed)
    noises = torch.randn(3, len(lengths), config["d_latent"]).double()
    kl_weight = 0.7

    x = patches(features, lengths, twin.size[0])
    q = twin.posterior(x)
    patch = twin.patch(q.mean + q.stddev * noises[0])
    log_likelihood = twin.log_likelihood(patch, x, lengths)
    divergence = kl_divergence(q, Normal(torch.zeros_like(q.mean), 1.0)).sum(1)
    loss = (kl_weight * divergence - log_likelihood).sum() / (lengths.sum() * twin.size[1])
    loss.backward()
    tensors |= {"noises": noises, "mean": q.mean, "log_variance": 2 * q.stddev.log(), "decoded": patch.mean}
    tensors |= {"log_likelihood": log_likelihood, "divergence": divergence, "loss": loss.reshape(1)}
    tensors["grad.features"] = features.grad.clone()

    importance = twin.importance(patches(features, lengths, twin.size[0]), lengths, noises)
    tensors["importance"] = importance
    tensors["importance.features"], = torch.autograd.grad(importance.mean(), features)
    finish(name, twin, config, tensors, kl_weight=json.dumps(kl_weight))


def gan(name, config, frames, lengths, seed):
    twin = Gan(**config)
    features, lengths, tensors = start(twin, frames, lengths, seed)
    noise = torch.randn(len(lengths), config["d_latent"]).double()
    discriminator, generator = twin.losses(features, lengths, noise)
    parameters = {path: tensor for path, (tensor, _) in twin.tensors().items() if tensor.requires_grad}
    for part, loss in [("discriminator.", discriminator), ("generator.", generator)]:
        own = [tensor for path, tensor in parameters.items() if path.startswith(part)]
        for tensor, gradient in zip(own, torch.autograd.grad(loss, own, retain_graph=True)):
            tensor.grad = gradient
    tensors["grad.features"], = torch.autograd.grad(discriminator, features)
    tensors |= {"noise": noise, "generator": generator.reshape(1), "discriminator": discriminator.reshape(1)}
    twin.eval()
    tensors |= {"eval.patches": twin.generate(noise), "eval.logits": twin.discriminate(features, lengths)}
    finish(name, twin, config, tensors)


def main():
    OUT.mkdir(exist_ok=True)
    # Fewer frames than a patch has, and more.
    sizes = dict(num_frames=7, num_bins=5, d_hidden=[12, 9], d_latent=4, activation="relu")
    vae("vae_fills", sizes, 6, [6, 3, 1, 6], seed=1)
    vae("vae_crops", dict(sizes, d_hidden=[8], activation="tanh"), 9, [7, 4, 1, 5], seed=2)

    # Sizes that are no multiples of the blocks' growth, so that what is generated is cropped.
    sizes = dict(num_frames=7, num_bins=5, d_latent=4, channels=[3, 5])
    lengths = [7, 4, 1, 6, 2, 7]
    gan("gan_non_saturating", dict(sizes, loss="non_saturating"), 9, lengths, seed=3)
    gan("gan_hinge", dict(sizes, num_frames=10, channels=[4], loss="hinge"), 7, lengths, seed=4)

    count = lambda pairs: sum(tensor.numel() for tensor, _ in pairs if tensor.requires_grad)
    twin = Vae(32, 40, [512, 256], 32, "relu")
    print("vae", count(twin.tensors().values()))
    twin = Gan(32, 40, 64, [32, 64, 128], "non_saturating")
    for part in ["generator", "discriminator"]:
        print(part, count(pair for path, pair in twin.tensors().items() if path.startswith(part)))


if __name__ == "__main__":
    main()
