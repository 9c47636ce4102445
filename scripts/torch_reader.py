#!/usr/bin/env python3
"""Models of dgm-train as PyTorch modules: scores what `dgm-train export` wrote, and trains weights for `dgm-train import`. Needs torch, safetensors
and numpy.

    scripts/torch_reader.py score vae.safetensors > scores.csv              # a line for each test digit
    scripts/torch_reader.py train configs/vae.toml --seconds 60 --out vae.safetensors

It knows the models of configs/vae.toml, arm.toml, pixelcnn.toml and conditional.toml, with other sizes too, on the digits. The names of the modules are
those of the tensors, so `load_state_dict` takes a file as it is. `surprisal` is −log p(x | c) in nats; of a VAE it is −log p(x, z) + log q(z | x) at the
mean of q, which has no noise (`dgm-train score --at-mean`), and `bound` the importance-weighted bound of 64 samples.
"""

import argparse
import csv
import gzip
import json
import math
import pathlib
import sys
import time
import tomllib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

DIGITS = pathlib.Path(__file__).resolve().parent.parent / "datasets" / "digits" / "digits.csv.gz"
SPLITS = {"train": slice(0, 1000), "validation": slice(1000, 1350), "test": slice(1350, None)}
ACTIVATIONS = {"silu": F.silu, "relu": F.relu, "squared_relu": lambda x: F.relu(x) ** 2, "gelu": F.gelu, "tanh": torch.tanh,
               "leaky_relu": lambda x: F.leaky_relu(x, 0.01)}


def part(value):
    """A part of a configuration: a name stands for a table with every key at its default."""
    return {"kind": value} if isinstance(value, str) else dict(value)


# Likelihoods: outputs [n, event, parameters] and levels x [n, event] → log p of each, [n, event].


def bernoulli(outputs, x):
    return -F.binary_cross_entropy_with_logits(outputs[..., 0], x, reduction="none")


def categorical(outputs, x):
    return outputs.log_softmax(-1).gather(-1, x.long()[..., None])[..., 0]


def beta_binomial(outputs, x, levels):
    weights, log_alpha, log_beta = outputs.chunk(3, -1)
    alpha, beta = (log.clamp(-30, 30).exp()[..., None] for log in (log_alpha, log_beta))
    trials, steps = levels - 1, torch.arange(levels - 1, dtype=outputs.dtype)
    rising = lambda start: F.pad((start + steps).log().cumsum(-1), (1, 0))  # log of start (start + 1) …, of 0 to `trials` factors
    number = x.long()[..., None, None].expand(*alpha.shape[:-1], 1)
    log_p = rising(alpha).gather(-1, number) + rising(beta).gather(-1, trials - number) - rising(alpha + beta)[..., -1:]
    choose = math.lgamma(levels) - torch.lgamma(x + 1) - torch.lgamma(trials - x + 1)
    return choose + (log_p[..., 0] + weights.log_softmax(-1)).logsumexp(-1)


class Likelihood:
    """What the outputs of a network mean."""

    def __init__(self, config, levels):
        config = part(config)
        components = config.get("components", 1)
        self.parameters, self.log_prob = {
            "bernoulli": (1, bernoulli),
            "categorical": (levels, categorical),
            "beta_binomial": (3 * components, lambda outputs, x: beta_binomial(outputs, x, levels)),
        }[config["kind"]]


class Mlp(nn.Module):
    def __init__(self, inputs, config):
        super().__init__()
        widths = [inputs, *config.get("hidden", [256, 256])]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.activation, self.width = ACTIVATIONS[config.get("activation", "silu")], widths[-1]
        self.dropout = config.get("dropout", 0.0)

    def forward(self, x):
        for layer in self.layers:
            x = F.dropout(self.activation(layer(x)), self.dropout, self.training)
        return x


class TapConv(nn.Module):
    """A convolution that sees `rows` × `columns` places from `first` on, relative to its own: weight [outputs, inputs, rows · columns]."""

    def __init__(self, inputs, outputs, rows=1, columns=1, first=(0, 0), dilation=1):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, rows * columns).uniform_(-1, 1) / (inputs * rows * columns) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.window, self.dilation = (rows, columns), (1, dilation)
        right = max(0, first[1] + (columns - 1) * dilation)
        self.padding = (-first[1], right, -first[0], 0)

    def forward(self, x):
        height, width = x.shape[2:]
        kernel = self.weight.unflatten(2, self.window)
        return F.conv2d(F.pad(x, self.padding), kernel, self.bias, dilation=self.dilation)[:, :, :height, :width]


def gate(x):
    a, b = x.chunk(2, 1)
    return a.tanh() * b.sigmoid()


class Vae(nn.Module):
    """Encoder, normal posterior, standard normal prior, decoder."""

    def __init__(self, config, spec):
        super().__init__()
        event, latent, levels = math.prod(spec["shape"]), config.get("latent", 16), spec["values"]["levels"]
        self.scale, self.likelihood = 2 / (levels - 1), Likelihood(config["likelihood"], levels)
        self.encoder = Mlp(event, part(config.get("encoder", "mlp")))
        self.posterior = nn.ModuleDict({"layer": nn.Linear(self.encoder.width, 2 * latent)})
        trunk = Mlp(latent, part(config.get("decoder", "mlp")))
        output = nn.Linear(trunk.width, event * self.likelihood.parameters)
        self.decoder = nn.ModuleDict({"network": nn.ModuleDict({"trunk": trunk, "output": output})})

    def posterior_of(self, x):
        mean, log_var = self.posterior["layer"](self.encoder(x * self.scale - 1)).chunk(2, 1)
        return torch.distributions.Normal(mean, (0.5 * log_var.clamp(-15, 15)).exp())

    def log_likelihood(self, x, z):
        network = self.decoder["network"]
        outputs = network["output"](network["trunk"](z)).unflatten(1, (x.shape[1], -1))
        return self.likelihood.log_prob(outputs, x).sum(1)

    def log_weight(self, x, z, q):
        prior = torch.distributions.Normal(torch.zeros_like(z), torch.ones_like(z))
        return self.log_likelihood(x, z) + (prior.log_prob(z) - q.log_prob(z)).sum(1)

    def loss(self, x, _):
        q = self.posterior_of(x)
        kl = 0.5 * (q.mean**2 + q.variance - 1).sum(1) - q.scale.log().sum(1)
        return kl - self.log_likelihood(x, q.rsample())

    def scores(self, x, _, samples=64):
        q = self.posterior_of(x)
        weights = torch.stack([self.log_weight(x, q.sample(), q) for _ in range(samples)])
        return {"surprisal": -self.log_weight(x, q.mean, q), "bound": math.log(samples) - weights.logsumexp(0)}


class Exact(nn.Module):
    """What models with an exact density have in common."""

    def loss(self, x, condition):
        return -self.likelihood.log_prob(self.outputs(x, condition), x).sum(1)

    def scores(self, x, condition):
        return {"surprisal": self.loss(x, condition)}


class Arm(Exact):
    """An autoregressive network over one channel, and its head."""

    def __init__(self, config, spec, network):
        super().__init__()
        self.shape, self.levels = spec["shape"], spec["values"]["levels"]
        assert self.shape[0] == 1, "one channel"
        self.likelihood = Likelihood(config.get("likelihood", "categorical"), self.levels)
        self.thermometer = config.get("inputs", "thermometer" if 3 <= self.levels <= 32 else "ordinal") == "thermometer"
        condition = len(spec["condition"]["mean"]) if spec.get("condition") else 0
        # The target's maps, and a constant 1, which marks the inside.
        self.network = network(config, spec, (self.levels if self.thermometer else 1) + 1, condition)
        channels = config.get("channels", 64)
        self.heads = nn.ModuleList(
            [nn.ModuleDict({"hidden": TapConv(channels, channels), "output": TapConv(channels, self.likelihood.parameters)})]
        )

    def outputs(self, x, condition):
        image = x.view(-1, *self.shape)
        maps = [image * 2 / (self.levels - 1) - 1]
        if self.thermometer:
            maps += [(image > level).to(x.dtype) for level in range(self.levels - 1)]
        h = self.network(torch.cat([*maps, torch.ones_like(image)], 1), condition)
        head = self.heads[0]
        return head["output"](F.silu(head["hidden"](F.silu(h)))).flatten(2).transpose(1, 2)


class CausalConv(nn.Module):
    """Pixels in a row: a convolution of strictly earlier ones, offsets of each position, gated residual layers."""

    def __init__(self, config, spec, features, condition):
        super().__init__()
        channels, kernel = config.get("channels", 64), config.get("kernel", 7)
        base, cycle, length = config.get("dilation_base", 1), config.get("dilation_cycle", 8), math.prod(spec["shape"])
        self.dropout = config.get("dropout", 0.0)
        columns = min(kernel, length - 1)
        self.first = TapConv(features, channels, 1, columns, (0, -columns))
        self.position = nn.Parameter(torch.zeros(channels, length))
        self.layers = nn.ModuleList()
        for i in range(config.get("layers", 4)):
            dilation = min(base ** (i % cycle), length)
            columns = min(kernel, (length - 1) // dilation + 1)  # a tap beyond the sequence sees padding alone, and there is none
            layer = {"conv": TapConv(channels, 2 * channels, 1, columns, (0, -(columns - 1) * dilation), dilation)}
            if condition:
                layer["condition"] = nn.Linear(condition, 2 * channels)
            self.layers.append(nn.ModuleDict({**layer, "project": TapConv(channels, channels)}))

    def forward(self, inputs, condition):
        h = self.first(inputs.flatten(2)[:, :, None]) + self.position[:, None]
        for layer in self.layers:
            content = layer["conv"](h)
            if "condition" in layer:
                content = content + layer["condition"](condition)[:, :, None, None]
            h = h + layer["project"](F.dropout(gate(content), self.dropout, self.training))
        return h.view(*h.shape[:2], *inputs.shape[2:])


class Place(nn.Module):
    def __init__(self, channels, rows, columns):
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(1, channels, rows, 1))
        self.columns = nn.Parameter(torch.zeros(1, channels, 1, columns))


class Gated(nn.Module):
    """conv + place + condition → gate → projection."""

    def __init__(self, conv, channels, shape, condition):
        super().__init__()
        self.conv, self.place = conv, Place(2 * channels, *shape)
        self.condition = nn.Linear(condition, 2 * channels) if condition else None
        self.project = TapConv(channels, channels)

    def content(self, x, condition):
        content = self.conv(x) + self.place.rows + self.place.columns
        return content if self.condition is None else content + self.condition(condition)[:, :, None, None]


class PixelCnn(nn.Module):
    """The vertical stack sees the rows above, the horizontal one what is to the left, and through `down` the vertical one's row above."""

    def __init__(self, config, spec, features, condition):
        super().__init__()
        channels, shape, self.dropout = config.get("channels", 40), spec["shape"][1:], config.get("dropout", 0.0)

        def layer(inputs, first):
            vertical = TapConv(inputs, 2 * channels, 2, 3, (-1, -1))
            horizontal = TapConv(inputs, 2 * channels, 1, 2, (0, first))
            return nn.ModuleDict({
                "vertical": Gated(vertical, channels, shape, condition),
                "down": TapConv(2 * channels, 2 * channels, 1, 1, (-1, 0)),
                "horizontal": Gated(horizontal, channels, shape, condition),
            })

        self.first = layer(features, -2)
        self.layers = nn.ModuleList(layer(channels, -1) for _ in range(config.get("layers", 6) - 1))

    def forward(self, inputs, condition):
        vertical = horizontal = inputs
        for layer in [self.first, *self.layers]:
            above = layer["vertical"].content(vertical, condition)
            left = layer["horizontal"].content(horizontal, condition) + layer["down"](above)
            closed = [layer[stack].project(F.dropout(gate(content), self.dropout, self.training))
                      for stack, content in (("vertical", above), ("horizontal", left))]
            # The first layer has no residual path: it would carry the pixel itself.
            first = layer is self.first
            vertical, horizontal = closed if first else (vertical + closed[0], horizontal + closed[1])
        return horizontal


class Conditional(Exact):
    """p(target | condition): a trunk and a head."""

    def __init__(self, config, spec):
        super().__init__()
        self.event = math.prod(spec["shape"])
        self.likelihood = Likelihood(config["likelihood"], spec["values"]["levels"])
        self.trunk = Mlp(len(spec["condition"]["mean"]), {"hidden": [128, 128], "dropout": 0.1, **config})
        self.head = nn.Linear(self.trunk.width, self.event * self.likelihood.parameters)

    def outputs(self, _, condition):
        return self.head(self.trunk(condition)).unflatten(1, (self.event, -1))


def build(config, spec):
    """The module of a table [model], for data of this description."""
    kind = config["kind"]
    networks = {"causal_conv": CausalConv, "pixel_cnn": PixelCnn}
    if kind in networks:
        return Arm(config, spec, networks[kind])
    modules = {"vae": Vae, "conditional_mlp": Conditional}
    if kind not in modules:
        sys.exit(f"a model of kind {kind} is not known here; give one of {', '.join([*modules, *networks])}")
    return modules[kind](config, spec)


def describe(config, path=DIGITS):
    """The digits as a model of this [data] sees them: what the metadata of a file call `spec`."""
    label = config.get("target") == "label"
    levels = 10 if label else 2 if config.get("binarize") == "threshold" else 17
    spec = {"shape": [1, 1, 1] if label else [1, 8, 8], "values": {"levels": levels}, "condition": None}
    augment = config.get("augment", {})
    width = 4 * augment.get("shift", 0) * augment.get("condition", False) + 10 * (config.get("condition") == "label")
    if config.get("condition") == "image":
        pixels = np.loadtxt(gzip.open(path), delimiter=",")[SPLITS["train"], :64]
        spec["condition"] = {"mean": [pixels.mean()] * 64, "std": [pixels.std()] * 64}
    elif width:
        spec["condition"] = {"mean": [0.0] * width, "std": [1.0] * width}
    return spec


def digits(config, spec, split, path=DIGITS):
    """The targets and conditions of a split of the digits, as the configuration's [data] has them; without augmentation."""
    rows = np.loadtxt(gzip.open(path), delimiter=",")[SPLITS[split]]
    images, labels = torch.tensor(rows[:, :64]), torch.tensor(rows[:, 64:])
    if config.get("binarize", "none") == "threshold":
        images = (images >= 8).to(images.dtype)
    target = labels if config.get("target") == "label" else images
    told, about = config.get("condition", "none"), spec.get("condition")
    if about is None:
        return target, None
    condition = torch.zeros(len(rows), len(about["mean"]), dtype=target.dtype)  # the elements of augmentation are zeros without one
    if told == "label":
        condition[:, :10] = F.one_hot(labels[:, 0].long(), 10)
    if told == "image":
        mean, rest, std = (torch.tensor(about.get(key) or [0.0] * 64, dtype=target.dtype) for key in ("mean", "mean_rest", "std"))
        condition = (images - mean - rest) / std
    return target, condition


def load(path):
    """The module of an exported file, in 64 bits, with the file's configuration and description of the data."""
    with safe_open(path, "pt") as file:
        about = file.metadata() or {}
    if "config" not in about:
        sys.exit(f"{path}: found no configuration in its metadata; give a file that dgm-train export wrote")
    config, spec = json.loads(about["config"]), json.loads(about["spec"])
    if config["data"]["source"] != "digits":
        sys.exit(f"{path}: is of a model of {config['data']['source']}; give one of a model of digits")
    module = build(config["model"], spec)
    module.load_state_dict(load_file(path))
    return module.double().eval(), config, spec


@torch.no_grad()
def score(path, split="test", data=DIGITS):
    """Columns of scores, one number for each example."""
    module, config, spec = load(path)
    torch.manual_seed(0)
    return module.scores(*digits(config["data"], spec, split, data))


def train(config, seconds, data=DIGITS):
    """A module of a configuration, trained for so long, on digits that are not augmented."""
    spec = describe(config["data"], data)
    torch.manual_seed(0)
    module = build(config["model"], spec).train()
    target, condition = digits(config["data"], spec, "train", data)
    target, condition = target.float(), None if condition is None else condition.float()
    optimizer, end = torch.optim.Adam(module.parameters(), 1e-3), time.monotonic() + seconds
    while time.monotonic() < end:
        for rows in torch.randperm(len(target)).split(50):
            optimizer.zero_grad()
            module.loss(target[rows], None if condition is None else condition[rows]).mean().backward()
            optimizer.step()
    return module.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    scoring = commands.add_parser("score")
    scoring.add_argument("file", type=pathlib.Path)
    scoring.add_argument("--split", choices=SPLITS, default="test")
    training = commands.add_parser("train")
    training.add_argument("config", type=pathlib.Path, help="TOML")
    training.add_argument("--seconds", type=float, default=60)
    training.add_argument("--out", type=pathlib.Path, required=True)
    for command in (scoring, training):
        command.add_argument("--digits", type=pathlib.Path, default=DIGITS)
    arguments = parser.parse_args()
    if arguments.command == "train":
        module = train(tomllib.loads(arguments.config.read_text()), arguments.seconds, arguments.digits)
        save_file(module.state_dict(), arguments.out)
        return
    columns = score(arguments.file, arguments.split, arguments.digits)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(column.tolist() for column in columns.values())))


if __name__ == "__main__":
    main()
