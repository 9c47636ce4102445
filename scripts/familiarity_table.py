#!/usr/bin/env python3
"""AUROC of each statistic of `dgm-train score` between a run's test examples and those of other data. Needs numpy.

    scripts/familiarity_table.py RUN [--background RUN] [--digits] [--baselines] [--samples K] [NAME=CONFIG …]

NAME=CONFIG names a configuration whose test examples are of the same shape and levels. With --digits, for a run on the digits, the same digits inverted and with
their pixels shuffled (each image in its own order) are such data too. An AUROC is the probability that one of the others is called stranger; 0.5 is chance, and
below it the statistic has it the wrong way round. With --baselines, for data in MNIST's four files, two more that need no model of this program: the
surprisal of probabilistic PCA with 50 components and the distance to the nearest training image. Nothing but the run's own training and validation examples is used to score.
"""

import argparse
import csv
import gzip
import io
import pathlib
import subprocess
import tempfile
import tomllib

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


def idx_images(config, part):
    """The training or test images of a configuration on MNIST's four files, a row each, from 0 to 1."""
    folder = tomllib.loads(config.read_text())["data"].get("folder")
    if folder is None:
        raise SystemExit(f"{config}: found no data.folder; expected that of MNIST's four files; set it, or leave out --baselines")
    path = next((config.parent / folder).rglob(f"{part}-images*"), None)
    if path is None:
        raise SystemExit(f"{folder}: found no {part}-images file; expected MNIST's four files; set data.folder, or leave out --baselines")
    data = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    return np.frombuffer(data, np.uint8, offset=16).reshape(int.from_bytes(data[4:8], "big"), -1).astype(np.float32) / 255


def ppca(train, rows, components=50):
    """−log p of each row under probabilistic PCA, but for a constant (Tipping and Bishop 1999)."""
    mean = train.mean(0)
    values, vectors = np.linalg.eigh(np.cov((train - mean).T.astype(np.float64)))
    values, vectors = values[::-1], vectors[:, ::-1]
    noise = values[components:].mean()
    centred = (rows - mean).astype(np.float64)
    inside = centred @ vectors[:, :components]
    return ((inside**2 / values[:components]).sum(1) + ((centred**2).sum(1) - (inside**2).sum(1)) / noise) / 2


def nearest(train, rows):
    """The distance of each row to the nearest training row."""
    squares = (train**2).sum(1)
    parts = [np.sqrt(np.maximum((part**2).sum(1) + (squares - 2 * part @ train.T).min(1), 0)) for part in np.array_split(rows, 40)]
    return np.concatenate(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("others", nargs="*", metavar="NAME=CONFIG")
    parser.add_argument("--background", type=pathlib.Path, help="run of the background model of the ratio")
    parser.add_argument("--digits", action="store_true")
    parser.add_argument("--baselines", action="store_true", help="probabilistic PCA and the nearest neighbour, for data in MNIST's four files")
    parser.add_argument("--samples", type=int, help="importance samples of a model with latent variables")
    parser.add_argument("--program", type=pathlib.Path, help="a program that is built already")
    arguments = parser.parse_args()
    program = arguments.program or binary()
    statistics = [name for name in STATISTICS if name != "ratio" or arguments.background]

    def scores(statistic, more):
        background = ["--background", arguments.background] if statistic == "ratio" else []
        samples = ["--samples", arguments.samples] if arguments.samples else []
        command = [program, "score", arguments.run, "--by", statistic, *background, *samples, *more]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip())
        return np.array([float(row[statistic]) for row in csv.DictReader(io.StringIO(done.stdout))])

    def line(name, cells):
        print(f"| {name} | " + " | ".join(f"{area:.3f} ± {error:.3f}" for area, error in cells) + " |", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        others = dict(other.split("=", 1) for other in arguments.others)
        if arguments.digits:
            others |= dict(odd_digits(pathlib.Path(folder)))
        own, images = arguments.run / "config.toml", []
        if arguments.baselines:
            # Before anything takes time.
            images = [idx_images(own, "train"), idx_images(own, "t10k")]
            images += [idx_images(pathlib.Path(path), "t10k") for path in others.values()]
        print("| statistic | " + " | ".join(others) + " |\n| --- " + "| --- " * len(others) + "|")
        for statistic in statistics:
            familiar = scores(statistic, [])
            cells = [auroc(scores(statistic, ["--on", path]), familiar) for path in others.values()]
            line(statistic, cells)
        if images:
            train, familiar, *strange = images
            for name, distance in (("probabilistic PCA", ppca), ("nearest neighbour", nearest)):
                known = distance(train, familiar)
                line(name, [auroc(distance(train, other), known) for other in strange])


if __name__ == "__main__":
    main()
