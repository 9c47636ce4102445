#!/usr/bin/env python3
"""The peer's side of `bench_vs_torch.py`: a training step of the same networks in PyTorch, with the same weights and inputs as
`crates/dgm-train/examples/workloads`. Prints one line of JSON.

    torch_workloads.py NAME [--compile] [--channels-last] [--steps 30] [--seconds 5] [--device cuda [--tf32]] [--batches K]

The models of the shipped configurations (gated_pixelcnn, text, transformer) have weights of PyTorch's own, so their losses differ.
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


def shifted(x, top=0, left=0, right=0):
    """Zeros above and on the sides."""
    return F.pad(x, (left, right, top, 0))


class Head(nn.Module):
    """From features to the parameters of the likelihood."""

    def __init__(self, width, outputs):
        super().__init__()
        self.hidden, self.output = nn.Conv2d(width, width, 1), nn.Conv2d(width, outputs, 1)

    def forward(self, h):
        return self.output(F.silu(self.hidden(F.silu(h))))


class Gated(nn.Module):
    """Offsets for rows and columns, the gate, and the projection of one stack of a gated PixelCNN."""

    def __init__(self, inputs, channels, kernel, side):
        super().__init__()
        self.conv = nn.Conv2d(inputs, 2 * channels, kernel)
        self.rows = nn.Parameter(torch.zeros(1, 2 * channels, side, 1))
        self.columns = nn.Parameter(torch.zeros(1, 2 * channels, 1, side))
        self.project = nn.Conv2d(channels, channels, 1)

    def content(self, x):
        return self.conv(x) + (self.rows + self.columns)

    def close(self, content):
        a, b = content.chunk(2, dim=1)
        return self.project(torch.tanh(a) * torch.sigmoid(b))


class GatedLayer(nn.Module):
    def __init__(self, inputs, channels, side, is_first):
        super().__init__()
        self.vertical, self.horizontal = (Gated(inputs, channels, kernel, side) for kernel in ((2, 3), (1, 2)))
        self.down = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.is_first = is_first

    def forward(self, vertical, horizontal):
        above = self.vertical.content(shifted(vertical, top=1, left=1, right=1))
        # The first layer reads the image itself, strictly to the left.
        left = shifted(horizontal, left=2)[..., :-1] if self.is_first else shifted(horizontal, left=1)
        content = self.horizontal.content(left) + self.down(shifted(above, top=1)[:, :, :-1])
        above, content = self.vertical.close(above), self.horizontal.close(content)
        return (above, content) if self.is_first else (vertical + above, horizontal + content)


class GatedPixelCnn(nn.Module):
    def __init__(self, channels=32, layers=8, side=28):
        super().__init__()
        self.layers = nn.ModuleList(GatedLayer(2 if i == 0 else channels, channels, side, i == 0) for i in range(layers))
        self.head = Head(channels, 1)

    def loss(self, x):
        inputs = torch.cat([2 * x - 1, torch.ones_like(x)], dim=1)
        vertical = horizontal = inputs
        for layer in self.layers:
            vertical, horizontal = layer(vertical, horizontal)
        return F.binary_cross_entropy_with_logits(self.head(horizontal), x, reduction="sum") / x.shape[0]


class Text(nn.Module):
    """Gated causal convolutions; the first reads characters, so it is two tables."""

    def __init__(self, channels=128, layers=14, cycle=7, symbols=65, length=256):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(symbols + 1, channels) for _ in range(2))
        self.places = nn.Parameter(torch.zeros(1, channels, length))
        self.dilations = [2 ** (i % cycle) for i in range(layers)]
        self.convs = nn.ModuleList(nn.Conv1d(channels, 2 * channels, 2, dilation=d) for d in self.dilations)
        self.projects = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in self.dilations)
        self.head = Head(channels, symbols)
        self.outside = symbols

    def loss(self, x):
        one, two = (F.pad(x, (by, 0), value=self.outside)[:, : x.shape[1]] for by in (1, 2))
        h = (self.tables[0](one) + self.tables[1](two)).transpose(1, 2) + self.places
        for dilation, conv, project in zip(self.dilations, self.convs, self.projects):
            a, b = conv(F.pad(h, (dilation, 0))).chunk(2, dim=1)
            h = h + project(torch.tanh(a) * torch.sigmoid(b))
        return F.cross_entropy(self.head(h.unsqueeze(2)).squeeze(2), x, reduction="sum") / x.shape[0]


class Block(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_feed_forward = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attend, self.attended = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.expand, self.contract = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

    def forward(self, h):
        n, length, channels = h.shape
        heads = self.attend(self.before_attention(h)).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(*heads, is_causal=True)
        h = h + self.attended(attended.transpose(1, 2).reshape(n, length, channels))
        return h + self.contract(F.relu(self.expand(self.before_feed_forward(h))).square())


class Transformer(nn.Module):
    """Tokens of the twelve pixels before, read from 16 bits, the value and a constant."""

    def __init__(self, channels=64, layers=5, heads=4, levels=17, side=8):
        super().__init__()
        self.levels = levels
        self.token = nn.Conv2d(levels + 1, channels, (3, 5))
        mask = torch.ones(3, 5)
        mask[2, 2:] = 0
        self.register_buffer("mask", mask.expand_as(self.token.weight).contiguous())
        self.rows = nn.Parameter(torch.zeros(1, channels, side, 1))
        self.columns = nn.Parameter(torch.zeros(1, channels, 1, side))
        self.blocks = nn.ModuleList(Block(channels, heads) for _ in range(layers))
        self.last = nn.LayerNorm(channels)
        self.head = Head(channels, levels)
        self.register_buffer("thresholds", torch.arange(levels - 1, dtype=torch.float32).view(1, -1, 1, 1))

    def loss(self, x):
        bits = (x > self.thresholds).float()
        inputs = torch.cat([2 * x / (self.levels - 1) - 1, bits, torch.ones_like(x)], dim=1)
        tokens = F.conv2d(shifted(inputs, top=2, left=2, right=2), self.token.weight * self.mask, self.token.bias)
        n, channels, rows, columns = tokens.shape
        h = (tokens + self.rows + self.columns).flatten(2).transpose(1, 2)
        for block in self.blocks:
            h = block(h)
        h = self.last(h).transpose(1, 2).reshape(n, channels, rows, columns)
        return F.cross_entropy(self.head(h), x.long().squeeze(1), reduction="sum") / n


def levels_of(shape, levels):
    return torch.clamp((tensor(shape, 7) * levels).floor(), max=levels - 1)


def mlp(widths, batch):
    return ConditionalMlp(widths), (tensor((batch, widths[0]), 1, -1, 1), tensor((batch, 1), 2, -1, 1))


def arm(batch=64, length=64, classes=17):
    levels = torch.clamp((tensor((batch, length), 6) * classes).floor(), max=classes - 1)
    return CausalConv(classes=classes), ((2.0 * (levels / (classes - 1)) - 1.0).unsqueeze(1), levels.long())


# From the number of times that a batch is larger to the model and the inputs of a step.
WORKLOADS = {
    "mlp_small": lambda k: mlp([10, 128, 2], 256 * k),
    "mlp_big": lambda k: mlp([32, 512, 512, 2], 1024 * k),
    "vae": lambda k: (Vae(), ((tensor((128 * k, 784), 3) > 0.7).float(), tensor((128 * k, 20), 4, -1.7, 1.7))),
    "pixelcnn": lambda k: (PixelCnn(), ((tensor((32 * k, 1, 28, 28), 5) > 0.7).float(),)),
    "arm": lambda k: arm(64 * k),
    "gated_pixelcnn": lambda k: (GatedPixelCnn(), (levels_of((16 * k, 1, 28, 28), 2),)),
    "text": lambda k: (Text(), (levels_of((16 * k, 256), 65).long(),)),
    "transformer": lambda k: (Transformer(), (levels_of((50 * k, 1, 8, 8), 17),)),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tf32", action="store_true", help="let a GPU multiply with fewer digits")
    parser.add_argument("--batches", type=int, default=1, help="times as many examples in a step")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.tf32
    model, inputs = WORKLOADS[args.workload](args.batches)
    if args.workload not in ("gated_pixelcnn", "text", "transformer"):
        set_weights(model)
    model, inputs = model.to(args.device), tuple(x.to(args.device) for x in inputs)
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
                "gpu_mb": torch.cuda.max_memory_reserved() >> 20 if args.device == "cuda" else None,
                "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "version": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
