#!/usr/bin/env python3
"""AUROC of each statistic of `dgm-train score` between a run's test examples and those of other data. Needs numpy.

    scripts/familiarity_table.py RUN [--background RUN] [--digits] [NAME=CONFIG …]

NAME=CONFIG names a configuration whose test examples are of the same shape and levels. With --digits, for a run on the digits, the same digits inverted and with
their pixels shuffled (each image in its own order) are such data too. An AUROC is the probability that one of the others is called stranger; 0.5 is chance, and
below it the statistic has it the wrong way round. Nothing but the run's own training and validation examples is used to score.
"""

import argparse
import csv
import gzip
import io
import pathlib
import subprocess
import tempfile

import numpy as np
from program import ROOT, binary

STATISTICS = ["surprisal", "typicality", "complexity", "ratio", "zlib"]


def auroc(strange, familiar):
    """P(strange > familiar), ties count half, and its standard error (Hanley and McNeil 1982)."""
    familiar = np.sort(familiar)
    below, at_most = np.searchsorted(familiar, strange, "left"), np.searchsorted(familiar, strange, "right")
    area = (below + at_most).mean() / 2 / len(familiar)
    m, n = len(strange), len(familiar)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    return area, np.sqrt(max(area * (1 - area) + (m - 1) * (q1 - area**2) + (n - 1) * (q2 - area**2), 0) / (m * n))


def odd_digits(folder):
    """Configurations of the digits inverted and shuffled."""
    with gzip.open(ROOT / "datasets" / "digits" / "digits.csv.gz", "rt") as file:
        rows = np.array([[float(cell) for cell in row] for row in csv.reader(file) if row[0][0].isdigit()])
    pixels = rows[:, :64].astype(np.uint8)
    # The test split of the run: the end of the file.
    test = pixels[-447:]
    made = {"inverted": 16 - test, "shuffled": np.random.default_rng(0).permuted(test, axis=1)}
    np.save(folder / "train.npy", pixels[:1000])
    for name, images in made.items():
        np.save(folder / f"{name}.npy", images)
        path = folder / f"{name}.toml"
        path.write_text(
            f'[data]\nsource = "npy"\ntrain = "train.npy"\ntest = "{name}.npy"\nlevels = 17\nshape = [8, 8]\n[model]\nkind = "histogram"\n'
        )
        yield name, path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("others", nargs="*", metavar="NAME=CONFIG")
    parser.add_argument("--background", type=pathlib.Path, help="run of the background model of the ratio")
    parser.add_argument("--digits", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, help="a program that is built already")
    arguments = parser.parse_args()
    program = arguments.program or binary()
    statistics = [name for name in STATISTICS if name != "ratio" or arguments.background]

    def scores(statistic, more):
        background = ["--background", arguments.background] if statistic == "ratio" else []
        command = [program, "score", arguments.run, "--by", statistic, *background, *more]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip())
        return np.array([float(row[statistic]) for row in csv.DictReader(io.StringIO(done.stdout))])

    with tempfile.TemporaryDirectory() as folder:
        others = dict(other.split("=", 1) for other in arguments.others)
        if arguments.digits:
            others |= dict(odd_digits(pathlib.Path(folder)))
        print("| statistic | " + " | ".join(others) + " |\n| --- " + "| --- " * len(others) + "|")
        for statistic in statistics:
            familiar = scores(statistic, [])
            cells = [auroc(scores(statistic, ["--on", path]), familiar) for path in others.values()]
            print(f"| {statistic} | " + " | ".join(f"{area:.3f} ± {error:.3f}" for area, error in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
