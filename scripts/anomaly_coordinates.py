#!/usr/bin/env python3
"""Kernel densities of ADBench's sets in other coordinates, a study outside the program. Needs numpy and scipy.

    scripts/anomaly_coordinates.py --data FOLDER [glass wine …]

Protocol and splits are those of anomaly_table.py; of more than 6000 distinct training rows a random 6000 are taken. Columns are standardised, whitened (with a ridge
of 0.05) or mapped to normal scores; the one bandwidth of a Gaussian kernel has the best mean leave-one-out likelihood of 30 on a grid, or is 0.3; beside
them the mean squared distance of the 5 nearest neighbours. Prints the AUROC of each, in percent.
"""

import argparse
import pathlib

import numpy as np
from anomaly_table import auroc, split
from scipy.special import logsumexp
from scipy.stats import norm

AT_ONCE = 2000


def standardised(train, test):
    mean, std = train.mean(0), train.std(0)
    std = np.where(std > 0, std, 1.0)
    return (train - mean) / std, (test - mean) / std


def whitened(train, test):
    train, test = standardised(train, test)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(train.T)) + 0.05 * np.eye(train.shape[1]))
    return train @ (vectors / np.sqrt(values)), test @ (vectors / np.sqrt(values))


def normal_scores(train, test):
    """Quantiles of the training column as those of N(0, 1); beyond its ends on with the column's standard deviations."""

    def scores(column, x):
        known, n = np.sort(column), len(column)
        rank = (np.searchsorted(known, x, "left") + np.searchsorted(known, x, "right")) / 2 / n
        std = max(known.std(), 1e-9)
        return norm.ppf(np.clip(rank, 0.5 / n, 1 - 0.5 / n)) + np.maximum(x - known[-1], 0) / std - np.maximum(known[0] - x, 0) / std

    columns = range(train.shape[1])
    return tuple(np.stack([scores(train[:, j], x[:, j]) for j in columns], 1) for x in (train, test))


def squared_distances(a, b):
    return np.maximum((a * a).sum(1)[:, None] - 2 * a @ b.T + (b * b).sum(1)[None], 0)


def by_parts(rows, of):
    return np.concatenate([of(rows[i : i + AT_ONCE]) for i in range(0, len(rows), AT_ONCE)])


def bandwidth(train):
    some = train[:3000]
    distances = squared_distances(some, train)
    np.fill_diagonal(distances, np.inf)
    grid = np.exp(np.linspace(np.log(0.02), np.log(3), 30))
    fit = [(logsumexp(-distances / (2 * h * h), axis=1) - train.shape[1] * np.log(h)).mean() for h in grid]
    return grid[int(np.argmax(fit))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("sets", nargs="*")
    arguments = parser.parse_args()
    rows, anew = [], []
    for path in sorted(arguments.data.glob("*.npz")):
        name = path.stem.split("_", 1)[1].lower()
        if arguments.sets and name not in arguments.sets:
            continue
        train, _, test, is_anomaly, drawn_anew = split(path, False)
        if len(train) > 6000:
            train = train[np.random.default_rng(1).permutation(len(train))[:6000]]
        found = {}
        for coordinates in (standardised, whitened, normal_scores):
            known, new = coordinates(train, test)
            for label, h in (("", bandwidth(known)), (", 0.3", 0.3)):
                surprisal = by_parts(new, lambda part: -logsumexp(-squared_distances(part, known) / (2 * h * h), axis=1))  # noqa: B023
                found[coordinates.__name__ + label] = 100 * auroc(surprisal, is_anomaly)
            k = min(5, len(known) - 1)
            near = by_parts(new, lambda part: np.partition(squared_distances(part, known), k, axis=1)[:, :5].mean(1))  # noqa: B023
            found[coordinates.__name__ + ", 5 neighbours"] = 100 * auroc(near, is_anomaly)
        if not rows:
            print("| set | " + " | ".join(found) + " |\n| --- " + "| --- " * len(found) + "|")
        rows.append(list(found.values()))
        anew.append(drawn_anew)
        print(f"| {name}{' *' if drawn_anew else ''} | " + " | ".join(f"{value:.1f}" for value in rows[-1]) + " |", flush=True)
    for what, chosen in (("all", np.ones(len(rows), bool)), ("not drawn anew", ~np.array(anew))):
        if chosen.any():
            means = np.array(rows)[chosen].mean(0)
            print(f"| mean of {chosen.sum()}, {what} | " + " | ".join(f"{value:.2f}" for value in means) + " |")


if __name__ == "__main__":
    main()
