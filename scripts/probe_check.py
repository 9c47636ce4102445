#!/usr/bin/env python3
"""Linear and nearest-neighbour probes of exported codes by scikit-learn, beside those of `dgm-train probe`. Needs numpy and scikit-learn.

    scripts/probe_check.py RUN [--labels 1000] [--program PROGRAM]

Exports the codes of the three splits with `dgm-train encode`, fits the same probes to as many labels, drawn anew three times, or to all with --labels
0, and prints both programs' test accuracies. They differ by the draws of labels alone, and with all labels by rounding.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from program import binary
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PENALTIES = [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
DRAWS, NEIGHBOURS = 3, 5


class Together(TransformerMixin, BaseEstimator):
    """Centres features and divides all by the root of their mean variance."""

    def fit(self, x, y=None):
        self.mean_, self.scale_ = x.mean(0), np.sqrt(x.var(0).mean())
        return self

    def transform(self, x):
        return (x - self.mean_) / self.scale_


def called(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())
    return done.stdout


def codes(program, run, split, folder):
    """Codes and labels of a split."""
    path = pathlib.Path(folder) / f"{split}.csv"
    called([program, "encode", run, "--split", split, "--out", path])
    with open(path) as file:
        rows = list(csv.reader(file))
    return np.array([row[1:] for row in rows[1:]], dtype=float), np.array([row[0] for row in rows[1:]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--program", type=pathlib.Path, help="a program that is built already")
    arguments = parser.parse_args()
    program = arguments.program or binary()
    with tempfile.TemporaryDirectory() as folder:
        (x, y), (held, of_held), (test, of_test) = (codes(program, arguments.run, s, folder) for s in ("train", "validation", "test"))
    linear, neighbours = [], []
    for draw in range(DRAWS if 0 < arguments.labels < len(x) else 1):
        rows = np.random.default_rng(draw).permutation(len(x))[: arguments.labels or len(x)]
        best = None
        for scale in (StandardScaler(), Together()):
            for penalty in PENALTIES:
                model = make_pipeline(clone(scale), LogisticRegression(C=1 / (len(rows) * penalty), max_iter=2000, tol=1e-6)).fit(x[rows], y[rows])
                place = {label: i for i, label in enumerate(model.classes_)}
                log_p = model.predict_log_proba(held)
                score = np.mean([row[place[label]] if label in place else -50.0 for row, label in zip(log_p, of_held)])
                best = max(best or (score, model), (score, model), key=lambda pair: pair[0])
        linear.append(best[1].score(test, of_test))
        neighbours.append(KNeighborsClassifier(NEIGHBOURS).fit(x[rows], y[rows]).score(test, of_test))
    text = called([program, "probe", arguments.run, "--labels", arguments.labels or "all", "--json"])
    ours = next(row for row in json.loads(text)["probes"] if row["representation"] == "code")
    for name, theirs in (("linear", linear), ("neighbours", neighbours)):
        spread = f" ± {np.std(theirs, ddof=1):.4f} over draws" if len(theirs) > 1 else ""
        print(f"{name:<11} dgm-train {ours[name]['value']:.4f} ± {ours[name]['standard_error']:.4f}; scikit-learn {np.mean(theirs):.4f}{spread}")


if __name__ == "__main__":
    main()
