#!/usr/bin/env python3
"""Anomalies of tables by surprisal (ADBench): one rule for all sets. Needs numpy.

    scripts/anomaly_table.py --data FOLDER [--out runs/anomaly] [--shuffled] [--kinds kde gaussian_mixture flow] [glass wine …]

FOLDER holds the sets as `<number>_<name>.npz` with X and y (0 normal, 1 anomaly), and published-auroc.csv. Protocol of Livernoche et al. 2024
("On diffusion modeling for anomaly detection"): a set of less than 1000 rows is drawn anew with replacement, one of more than 50,000 is cut to
50,000; training is the first half of the normal rows in file order (with --shuffled: in random order), the test all else.

The rule: each kind is fitted to nine tenths of the distinct training rows, and the kind with the best likelihood of the other tenth, fitted again to
all of them (flows are not, as the tenth stops their training), scores the test by its surprisal. No anomaly and no label is seen before that.
Everything is a run of its own in the output folder; what is there is not run again. The column `together` is beside it: the mean surprisal of all kinds, which chooses nothing.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import time

import numpy as np
from program import ROOT, binary

FLOW = ROOT / "configs" / "flow.toml"
FITS = {"kde": 'kind = "kde"', "gaussian_mixture": 'kind = "gaussian_mixture"'}


def auroc(score, is_anomaly):
    """The probability that an anomaly scores higher than a normal row; ties count half."""
    values, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    positive = is_anomaly.sum()
    return (rank[is_anomaly].sum() - positive * (positive + 1) / 2) / (positive * (len(score) - positive))


def split(path, shuffled):
    """Distinct training rows, how many of them, the first, are held out, test rows, their labels, and whether the set was drawn anew."""
    file = np.load(path, allow_pickle=True)
    x, y, rng = file["X"].astype(np.float64), file["y"].astype(int), np.random.default_rng(0)
    drawn_anew = len(x) < 1000
    if drawn_anew:
        rows = rng.choice(len(x), 1000, replace=True)
        x, y = x[rows], y[rows]
    elif len(x) > 50_000:
        rows = np.sort(rng.choice(len(x), 50_000, replace=False))
        x, y = x[rows], y[rows]
    if shuffled:
        order = rng.permutation(len(x))
        x, y = x[order], y[order]
    normal = np.flatnonzero(y == 0)
    train, rest = normal[: len(normal) // 2], normal[len(normal) // 2 :]
    test = np.concatenate([rest, np.flatnonzero(y == 1)])
    distinct = np.unique(x[train], axis=0)
    distinct = distinct[rng.permutation(len(distinct))]
    held_out = max(len(distinct) // 10, 1)
    return distinct, held_out, x[test], y[test] == 1, drawn_anew


def run(program, kind, folder, out, settings):
    """Fits a kind where it is not fitted; returns −log p of the validation rows, the scores of the test and the seconds."""
    if not (out / "scores.csv").is_file():
        subprocess.run(["rm", "-rf", str(out)], check=True)
        began = time.time()
        arrays = [f"data.{name}={folder / name}.npy" for name in ("train", "validation", "test")]
        if kind == "flow":
            config = FLOW
        else:
            config = out.parent / f"{kind}.toml"
            config.write_text(
                f'[data]\nsource = "npy"\ntrain = "t"\nvalidation = "v"\ntest = "t"\n[model]\n{FITS[kind]}\n'
            )
        sets = [part for assignment in [*arrays, *settings] for part in ("--set", assignment)]
        for command in (
            [program, "--config", config, "--out", out, "--quiet", *sets],
            [program, "score", out, "--split", "test", "--out", out / "scores.csv"],
        ):
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
            if done.returncode != 0:
                print(f"{out}: {done.stderr.strip()}", file=sys.stderr)
                return None
        (out / "seconds").write_text(str(time.time() - began))
    with open(out / "scores.csv") as file:
        scores = np.array([float(row["surprisal"]) for row in csv.DictReader(file)])
    metrics = json.loads((out / "result.json").read_text())["metrics"]
    nll = next(m["value"] for m in metrics if m["quantity"] == "NLL" and m["split"] == "validation")
    return nll, np.nan_to_num(scores, posinf=1e300, neginf=-1e300), float((out / "seconds").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs" / "anomaly")
    parser.add_argument("--shuffled", action="store_true")
    parser.add_argument("--kinds", nargs="+", default=[*FITS, "flow"], choices=[*FITS, "flow"])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the flow")
    parser.add_argument("--program", type=pathlib.Path, help="a program that is built already")
    parser.add_argument("sets", nargs="*")
    arguments = parser.parse_args()
    program = arguments.program or binary()
    paths = {path.stem.split("_", 1)[1].lower(): path for path in sorted(arguments.data.glob("*.npz"))}
    chosen_of, anew = {}, set()
    of_kinds = {kind: {} for kind in [*arguments.kinds, "together"]}
    print("| set | train | dimensions | chosen | AUROC | " + " | ".join(arguments.kinds) + " | together | seconds |")
    print("| --- " * (7 + len(arguments.kinds)) + "|")
    for name, path in paths.items():
        if arguments.sets and name not in arguments.sets:
            continue
        place = (arguments.out / ("shuffled" if arguments.shuffled else "in-order") / name).resolve()
        place.mkdir(parents=True, exist_ok=True)
        distinct, held_out, test, is_anomaly, drawn_anew = split(path, arguments.shuffled)
        whole = place / "whole"
        whole.mkdir(exist_ok=True)
        for folder, train in ((place, distinct[held_out:]), (whole, distinct)):
            for array, rows in (("train", train), ("validation", distinct[:held_out]), ("test", test)):
                np.save(folder / f"{array}.npy", rows)
        anew |= {name} if drawn_anew else set()
        results, surprisals, seconds = {}, [], 0.0
        for kind in arguments.kinds:
            settings = arguments.set if kind == "flow" else []
            chosen_by = run(program, kind, place, place / kind, settings)
            result = run(program, kind, whole, whole / kind, settings) if kind in FITS and chosen_by else chosen_by
            if result:
                results[kind] = (chosen_by[0], auroc(result[1], is_anomaly) * 100)
                of_kinds[kind][name] = results[kind][1]
                surprisals.append(result[1])
                seconds += result[2]
        of_kinds["together"][name] = auroc(np.mean(surprisals, axis=0), is_anomaly) * 100
        chosen = min(results, key=lambda kind: results[kind][0])
        chosen_of[name] = results[chosen][1]
        cells = " | ".join(f"{results[kind][1]:.1f} ({results[kind][0]:.2f})" if kind in results else "–" for kind in arguments.kinds)
        marked = name + (" *" if drawn_anew else "")
        print(f"| {marked} | {len(distinct)} | {distinct.shape[1]} | {chosen} | {chosen_of[name]:.1f} | {cells} | {of_kinds['together'][name]:.1f} | {seconds:.0f} |", flush=True)
    for what, names in (("all", set(chosen_of)), ("not drawn anew", set(chosen_of) - anew)):
        if names:
            means = " | ".join(f"{np.mean([of[n] for n in names if n in of]):.2f}" for of in of_kinds.values())
            print(f"| mean of {len(names)}, {what} | | | | **{np.mean([chosen_of[n] for n in names]):.2f}** | {means} | |")


if __name__ == "__main__":
    main()
