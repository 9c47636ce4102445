#!/usr/bin/env python3
"""The systems with latent variables on the 8×8 digits, in one table made from run folders.

    scripts/latent_table.py [--out runs/latent] [--seeds 1] [--set KEY=VALUE …] [CONFIG …]

Below it, how the plain latent generator's bound rises with the number k of samples, beside the VAE's (--rise K K …).

Each configuration and seed is a run of its own in the output folder; what is there is not run again, and one that was interrupted goes on.
Prints a Markdown table: means over seeds where there are several, test results of the checkpoint with the lowest validation loss.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

from program import ROOT, binary

CONFIGS = [
    "vae", "conv-vae", "vae-peer", "beta-vae", "conditional-vae", "iwae", "info-vae", "vamp-vae", "flow-vae", "hierarchical-vae",
    "hyperspherical-vae", "discrete-vae", "adversarial-autoencoder", "latent-generator", "histogram",
]  # fmt: skip


def run(program, config, seed, arguments):
    """Trains where it is not trained, and returns the results and the seconds of training."""
    out = arguments.out / f"{config}-{seed}"
    if not (out / "result.json").is_file():
        if (out / "config.toml").is_file():
            command = [program, "--resume", out]
        else:
            command = [program, "--config", ROOT / "configs" / f"{config}.toml", "--seed", seed, "--out", out]
            command += [part for assignment in arguments.set for part in ("--set", assignment)]
        done = subprocess.run([str(part) for part in [*command, "--quiet"]], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{config}, seed {seed}: {done.stderr.strip()}")
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return json.loads((out / "result.json").read_text()), max(line["seconds"] for line in lines)


def of(results, quantity):
    """The metric of this quantity on the test split; none where the model has none. An exact likelihood is its own bound."""
    wanted = [quantity, "NLL"] if quantity == "-ELBO" else [quantity]
    found = [m for m in results["metrics"] if m["split"] == "test" and m["quantity"] in wanted]
    return found[0] if found else None


def cell(runs, quantity, digits=2):
    """The mean over seeds, ± the standard error over test examples."""
    metrics = [of(results, quantity) for results, _ in runs]
    if any(metric is None for metric in metrics):
        return "–"
    value = statistics.fmean(metric["value"] for metric in metrics)
    error = statistics.fmean(metric["standard_error"] or 0.0 for metric in metrics)
    return f"{value:.{digits}f} ± {error:.{digits}f}" if error else f"{value:.{digits}f}"


def active(runs):
    """Active units of each layer, of all."""
    units = [
        [m for m in results["metrics"] if m["split"] == "test" and m["quantity"].startswith("active units")]
        for results, _ in runs
    ]
    if not units[0]:
        return "–"
    layer = lambda place: statistics.fmean(of_run[place]["value"] for of_run in units)  # noqa: E731
    sizes = [m["estimator"].split()[1].rstrip(":") for m in units[0]]
    return " + ".join(f"{layer(place):.0f}/{size}" for place, size in enumerate(sizes))


def main():
    """Runs what is missing and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="*", default=CONFIGS, metavar="CONFIG")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/latent"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes a value of every run")
    parser.add_argument("--rise", type=int, nargs="*", default=[1, 10, 100, 1000, 10000], metavar="K")
    arguments = parser.parse_args()
    program = binary()
    print("| configuration | −ELBO | importance-weighted (−IWAE) | k | KL | I(x; z) ≥ | active units | training |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for config in arguments.configs:
        runs = [run(program, config, seed, arguments) for seed in range(arguments.seeds)]
        weighted = of(runs[0][0], "-IWAE")
        k = weighted["estimator"].split("k = ")[1].split(",")[0] if weighted else "–"
        seconds = statistics.fmean(seconds for _, seconds in runs)
        print(
            f"| `{config}` | {cell(runs, '-ELBO')} | {cell(runs, '-IWAE')} | {k} | {cell(runs, 'KL', 1)} | {cell(runs, 'I(x; z)', 2)} |"
            f" {active(runs)} | {seconds:.0f} s |",
            flush=True,
        )
    pair = [config for config in ("latent-generator", "vae") if config in arguments.configs]
    if len(pair) == 2 and arguments.rise:
        print("\n| k | " + " | ".join(f"`{config}`" for config in pair) + " |\n| --- | --- | --- |")
        for k in arguments.rise:
            cells = []
            for config in pair:
                command = [program, "evaluate", arguments.out / f"{config}-0", "--importance-samples", k, "--json"]
                done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
                metric = of(json.loads(done.stdout), "-IWAE")
                cells.append(f"{metric['value']:.2f} ± {metric['standard_error']:.2f}")
            print(f"| {k} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
