#!/usr/bin/env python3
"""Samples of several runs on the same data against the test examples, in one table.

    scripts/generation_table.py --features runs/classifier runs/gan runs/vae runs/diffusion …

The classifier is a run of configs/mnist-classifier.toml, or of one like it on the same images. Prints a Markdown table: minutes of training, FID ± its
bootstrap error, kernel distance, precision, recall, the accuracy of a two-sample test, shares of the rarest and the commonest class, the share
of samples near training examples, and −log p or a bound of it in bits per dimension where there is one; below it the FID of training examples,
the least to expect.
"""

import argparse
import json
import pathlib
import subprocess
import sys

from program import binary


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--features", type=pathlib.Path, required=True, help="run of the classifier")
    parser.add_argument("--generated", type=int, help="samples of each run [default: as many as test examples, at most 10000]")
    parser.add_argument("--program", type=pathlib.Path, help="a program that is built already")
    arguments = parser.parse_args()
    program = arguments.program or binary()
    columns = ["FID", "kernel distance", "precision", "recall", "two-sample accuracy", "share of the rarest class",
               "share of the commonest class", "near training examples"]  # fmt: skip
    print("| run | training | " + " | ".join(columns) + " | −log p, bits/dim |")
    print("| --- " * (len(columns) + 3) + "|")
    floor = None
    for run in arguments.runs:
        command = [program, "evaluate", run, "--features", arguments.features, "--json"]
        command += ["--generated", arguments.generated] if arguments.generated else []
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{run}: {done.stderr.strip()}")
        of = {}
        for metric in json.loads(done.stdout)["metrics"]:
            if metric["split"] == "test":
                of.setdefault(metric["quantity"], metric)
        floor = of["FID of training examples"]
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        minutes = max((line.get("seconds", 0.0) for line in lines), default=0.0) / 60

        def cell(quantity):
            metric = of[quantity]
            factor = 100 if metric["unit"] == "proportion" else 1
            digits = 1 if factor == 100 else 3
            return f"{factor * metric['value']:.{digits}f} ± {factor * (metric['standard_error'] or 0.0):.{digits}f}"

        likelihood = next((of[name] for name in ("NLL", "-ELBO", "-log p (MC)") if name in of), None)
        in_bits = likelihood and likelihood.get("bits_per_dim")
        bits = f"{in_bits:.3f} ({likelihood['quantity']})" if in_bits is not None else "–"
        print(f"| {run.name} | {minutes:.0f} min | " + " | ".join(map(cell, columns)) + f" | {bits} |", flush=True)
    if floor:
        print(f"\nFID of training examples in place of samples: {floor['value']:.3f} ± {floor['standard_error']:.3f} ({floor['estimator']})")


if __name__ == "__main__":
    main()
