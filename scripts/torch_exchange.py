#!/usr/bin/env python3
"""Weights from dgm-train to PyTorch and back: the largest difference of what both compute of the test digits. Needs torch, safetensors and numpy.

    scripts/torch_exchange.py [--epochs 2] [--seconds 60] [--tolerance 1e-4] [--program PROGRAM]

There: short runs of shipped configurations, exported, read by torch_reader.py and scored by both. Back: a VAE and an autoregressive model that
PyTorch trains for so many seconds each, imported and scored by both, and exported again, tensor by tensor. Fails where a difference is above the
tolerance, in nats per example (a code: absolute).
"""

import argparse
import csv
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch_reader
from program import binary
from safetensors.torch import load_file, save_file

BINARY = ["--set", "data.binarize=threshold", "--set", "model.likelihood=bernoulli"]
# A name, the configuration, what is set, and whether it has latent variables.
THERE = [
    ("vae, Bernoulli", "vae.toml", BINARY, True),
    ("vae, beta-binomial", "vae.toml", [], True),
    ("arm", "arm.toml", [], False),
    ("arm, dilated", "arm.toml", ["--set", "model.dilation_base=3", "--set", "model.dilation_cycle=4"], False),
    ("pixelcnn", "pixelcnn.toml", [], False),
    ("pixelcnn given the label", "pixelcnn.toml", ["--set", "data.condition=label"], False),
    ("conditional", "conditional.toml", [], False),
]
VAE = {"kind": "vae", "latent": 8, "encoder": {"kind": "mlp", "hidden": [64]}, "decoder": {"kind": "mlp", "hidden": [64]}, "likelihood": "bernoulli"}
ARM = {"kind": "causal_conv", "channels": 32, "layers": 3, "kernel": 9, "likelihood": {"kind": "beta_binomial", "components": 3}}
BACK = [
    ("vae trained by PyTorch", {"data": {"source": "digits", "binarize": "threshold"}, "model": VAE}, True),
    ("arm trained by PyTorch", {"data": {"source": "digits"}, "model": ARM}, False),
]


def toml(table):
    """The tables of a configuration as TOML: those within a table stand in one line."""

    def value(x):
        return "{ " + ", ".join(f"{key} = {value(y)}" for key, y in x.items()) + " }" if isinstance(x, dict) else json.dumps(x)

    return "".join(f"[{name}]\n" + "".join(f"{key} = {value(x)}\n" for key, x in keys.items()) for name, keys in table.items())


class Program:
    def __init__(self, path, folder):
        self.path, self.folder = path, folder

    def __call__(self, *arguments):
        done = subprocess.run([str(part) for part in (self.path, *arguments)], cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr.strip())
        return done.stdout

    def surprisals(self, run, latent):
        text = self("score", run, "--split", "test", *(["--at-mean"] if latent else []))
        return np.array([float(row["surprisal"]) for row in csv.DictReader(io.StringIO(text))])

    def nats(self, run, measure):
        metrics = json.loads(self("evaluate", run, "--json"))["metrics"]
        found = next(metric for metric in metrics if metric["measure"] == measure and metric["split"] == "test")
        return found["value"], found["standard_error"]


def compared(program, run, exported, latent):
    """What differs, with the largest difference of each."""
    scores = torch_reader.score(exported)
    ours, theirs = program.surprisals(run, latent), scores["surprisal"].numpy()
    what = "log p(x, z)/q(z | x) at the mean" if latent else "log p"
    yield what, np.abs(ours - theirs).max(), f"mean {ours.mean():.5f} and {theirs.mean():.5f} nats"
    if latent:
        program("encode", run, "--out", "codes.npy")
        module, config, spec = torch_reader.load(exported)
        with torch.no_grad():
            mean = module.posterior_of(torch_reader.digits(config["data"], spec, "test")[0]).mean.numpy()
        yield "mean of q(z | x)", np.abs(np.load(program.folder / "codes.npy") - mean).max(), f"{mean.shape[1]} numbers of each"
        (ours, error), theirs = program.nats(run, "importance_weighted"), scores["bound"].numpy()
        # Other noise: what two estimates of one number differ by.
        print(f"{'':<26} importance-weighted bound, other noise: {ours:.3f} ± {error:.3f} and {theirs.mean():.3f} nats")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--program", type=pathlib.Path, help="a program that is built already")
    arguments = parser.parse_args()
    path, worst = (arguments.program or binary()).resolve(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        program = Program(path, pathlib.Path(folder))

        def report(name, run, exported, latent):
            nonlocal worst
            for what, difference, detail in compared(program, run, exported, latent):
                worst = max(worst, difference)
                print(f"{name:<26} {what:<32} differs by {difference:.1e} at most ({detail})", flush=True)

        for number, (name, config, extra, latent) in enumerate(THERE):
            run, exported = f"there-{number}", program.folder / f"there-{number}.safetensors"
            samples = ["--set", "evaluation.importance_samples=64"] if latent else []
            program("--config", config, "--out", run, "--quiet", "--set", f"training.epochs={arguments.epochs}", *extra, *samples)
            program("export", run, "--out", exported)
            report(name, run, exported, latent)
        for number, (name, config, latent) in enumerate(BACK):
            run, weights, again = f"back-{number}", *(program.folder / f"back-{number}{end}.safetensors" for end in ("", "-again"))
            module = torch_reader.train(config, arguments.seconds)
            save_file(module.state_dict(), weights)
            (program.folder / "config.toml").write_text(toml({**config, "evaluation": {"importance_samples": 64}} if latent else config))
            program("import", "--config", "config.toml", "--weights", weights, "--out", run)
            program("export", run, "--out", again)
            own, back = load_file(weights), load_file(again)
            assert own.keys() == back.keys() and all(torch.equal(own[key], back[key]) for key in own), "exported again: other tensors"
            report(name, run, again, latent)
    print(f"largest difference {worst:.1e}, tolerance {arguments.tolerance:.0e}")
    sys.exit(1 if worst > arguments.tolerance else 0)


if __name__ == "__main__":
    main()
