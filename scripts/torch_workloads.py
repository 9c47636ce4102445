#!/usr/bin/env python3
"""The peer's side of `bench_vs_torch.py`: a training step of the same networks in PyTorch, with the same weights and inputs as
`crates/dgm-train/examples/workloads`. Prints one line of JSON.

    torch_workloads.py NAME [--compile] [--channels-last] [--steps 30] [--seconds 5]
"""
import argparse
import json
import resource
import statistics
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def uniform(n, seed):
    """n numbers in [0, 1): a hash of the index."""
    with np.errstate(over="ignore"):
        x = np.arange(n, dtype=np.uint32) + np.uint32((seed * 0x9E3779B1) & 0xFFFFFFFF)
        x = x * np.uint32(747796405) + np.uint32(2891336453)
        x = ((x >> ((x >> np.uint32(28)) + np.uint32(4))) ^ x) * np.uint32(277803737)
        x = (x >> np.uint32(22)) ^ x
    return (x >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


def tensor(shape, seed, low=0.0, high=1.0):
    values = uniform(int(np.prod(shape)), seed) * np.float32(high - low) + np.float32(low)
    return torch.from_numpy(values).reshape(shape)


def set_weights(model):
    """U(-1, 1) / sqrt(fan_in) for weights, 0 for biases; the n-th layer from seed 100 + n."""
    seed = 100
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5
                layer.weight.copy_(tensor((layer.in_features, layer.out_features), seed, -bound, bound).T)
            elif isinstance(layer, (nn.Conv1d, nn.Conv2d)):
                bound = float(np.prod(layer.weight.shape[1:])) ** -0.5
                layer.weight.copy_(tensor(tuple(layer.weight.shape), seed, -bound, bound))
            else:
                continue
            layer.bias.zero_()
            seed += 1


class ConditionalMlp(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def loss(self, x, y):
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        mean, log_var = self.layers[-1](x).split(1, dim=1)
        return 0.5 * ((y - mean) ** 2 * torch.exp(-log_var) + log_var).mean()


class Vae(nn.Module):
    def __init__(self, inputs=784, hidden=400, latent=20):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, inputs))

    def loss(self, x, noise):
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        logits = self.decoder(mean + torch.exp(0.5 * log_var) * noise)
        nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (mean * mean + log_var.exp() - 1.0 - log_var).sum()
        return (nll + kl) / x.shape[0]


class MaskedConv(nn.Conv2d):
    """Sees what comes before its middle, and the middle itself where that is open."""

    def __init__(self, inputs, outputs, side, is_open):
        super().__init__(inputs, outputs, side, padding=side // 2)
        mask = torch.ones(side, side)
        mask[side // 2, side // 2 + is_open :] = 0
        mask[side // 2 + 1 :] = 0
        self.register_buffer("mask", mask.expand_as(self.weight).contiguous())

    def forward(self, x):
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class PixelCnn(nn.Module):
    def __init__(self, channels=64, blocks=6):
        super().__init__()
        self.first = MaskedConv(1, channels, 7, False)
        self.blocks = nn.ModuleList(MaskedConv(channels, channels, 3, True) for _ in range(blocks))
        self.hidden, self.out = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, 1, 1)

    def loss(self, x):
        h = self.first(x)
        for block in self.blocks:
            h = h + block(F.relu(h))
        logits = self.out(F.relu(self.hidden(F.relu(h))))
        return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / x.shape[0]


class CausalConv(nn.Module):
    def __init__(self, channels=256, kernel=7, classes=17):
        super().__init__()
        sizes = [(1, channels), (channels, channels), (channels, channels), (channels, classes)]
        self.layers = nn.ModuleList(nn.Conv1d(a, b, kernel) for a, b in sizes)
        self.kernel = kernel

    def loss(self, x, target):
        for place, layer in enumerate(self.layers):
            # The first layer does not see its own position.
            shift = 1 if place == 0 else 0
            x = layer(F.pad(F.leaky_relu(x, 0.01) if place else x, (self.kernel - 1 + shift, 0)))
            x = x[:, :, : x.shape[2] - shift]
        return F.cross_entropy(x, target, reduction="sum") / x.shape[0]


def mlp(widths, batch):
    return ConditionalMlp(widths), (tensor((batch, widths[0]), 1, -1, 1), tensor((batch, 1), 2, -1, 1))


def arm(batch=64, length=64, classes=17):
    levels = torch.clamp((tensor((batch, length), 6) * classes).floor(), max=classes - 1)
    return CausalConv(classes=classes), ((2.0 * (levels / (classes - 1)) - 1.0).unsqueeze(1), levels.long())


WORKLOADS = {
    "mlp_small": lambda: mlp([10, 128, 2], 256),
    "mlp_big": lambda: mlp([32, 512, 512, 2], 1024),
    "vae": lambda: (Vae(), ((tensor((128, 784), 3) > 0.7).float(), tensor((128, 20), 4, -1.7, 1.7))),
    "pixelcnn": lambda: (PixelCnn(), ((tensor((32, 1, 28, 28), 5) > 0.7).float(),)),
    "arm": arm,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=5.0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model, inputs = WORKLOADS[args.workload]()
    set_weights(model)
    if args.channels_last:
        model = model.to(memory_format=torch.channels_last)
        inputs = tuple(x.to(memory_format=torch.channels_last) if x.dim() == 4 else x for x in inputs)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-8, fused=True)
    loss_of = torch.compile(model.loss) if args.compile else model.loss

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(*inputs)
        loss.backward()
        optimizer.step()
        return loss.item()

    losses = [step() for _ in range(5)]
    times, start = [], time.perf_counter()
    while len(times) < args.steps or time.perf_counter() - start < args.seconds:
        before = time.perf_counter()
        losses.append(step())
        times.append((time.perf_counter() - before) * 1e3)
    print(
        json.dumps(
            {
                "workload": args.workload,
                "median_ms": statistics.median(times),
                "min_ms": min(times),
                "steps": len(times),
                "losses": losses[:10],
                "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "version": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
