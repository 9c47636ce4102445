#!/usr/bin/env python3
"""The price of diamonds: our predictive distributions beside gradient boosting's, on one split.

    pip install scikit-learn ngboost
    scripts/diamonds_vs_boosting.py --data diamonds.csv [--out runs/diamonds-peers] [--seed 0]

Rows are shuffled by the seed: 90 % to train on, a ninth of them for validation, 10 % for the test; all methods see the same rows, and
stop on a validation part of their training rows. The peers are scikit-learn's histogram gradient boosting with one model for each of 39
quantiles, of the price and of its logarithm, and NGBoost with a log-normal distribution. CRPS of all is twice the mean pinball loss over the 39 quantiles;
ours is the integrated one, too.
"""

import argparse
import csv
import json
import math
import pathlib
import random
import subprocess
import sys
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEVELS = [k / 40 for k in range(1, 40)]
WORDS = ["cut", "color", "clarity"]
NUMBERS = ["carat", "depth", "table", "x", "y", "z"]


def mean(values):
    """Mean and its standard error."""
    return values.mean(), values.std() / math.sqrt(len(values))


def crps(quantiles, y):
    """Twice the mean pinball loss of quantiles [levels][rows], of each row."""
    loss = numpy.zeros(len(y))
    for level, q in zip(LEVELS, quantiles):
        loss += numpy.where(y >= q, level * (y - q), (1 - level) * (q - y))
    return loss * 2 / len(LEVELS)


def boosting(train, test, log):
    """Quantiles by scikit-learn's histogram gradient boosting, of the price or of its logarithm."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    (x, y), (tx, _) = train, test
    forward, back = (numpy.log, numpy.exp) if log else ((lambda v: v), (lambda v: v))
    found = []
    for level in LEVELS:
        model = HistGradientBoostingRegressor(
            loss="quantile", quantile=level, max_iter=1000, learning_rate=0.05, categorical_features=list(range(len(NUMBERS), x.shape[1])),
            early_stopping=True, validation_fraction=1 / 9, n_iter_no_change=20, random_state=0,
        )  # fmt: skip
        model.fit(x, forward(y))
        found.append(back(model.predict(tx)))
    # Quantiles of separate models may cross.
    return numpy.sort(numpy.array(found), axis=0)


def ngboost(train, validation, test):
    """Quantiles by NGBoost with a log-normal distribution."""
    from ngboost import NGBRegressor
    from ngboost.distns import LogNormal
    from sklearn.tree import DecisionTreeRegressor

    (x, y), (vx, vy), (tx, _) = train, validation, test
    one_hot = lambda m: numpy.hstack(
        [m[:, : len(NUMBERS)]] + [numpy.eye(int(x[:, c].max()) + 1)[m[:, c].astype(int)] for c in range(len(NUMBERS), x.shape[1])]
    )
    base = DecisionTreeRegressor(criterion="friedman_mse", max_depth=5, random_state=0)
    model = NGBRegressor(Dist=LogNormal, Base=base, n_estimators=1000, learning_rate=0.05, minibatch_frac=0.5, verbose=False, random_state=0)
    model.fit(one_hot(x), y, X_val=one_hot(vx), Y_val=vy, early_stopping_rounds=20)
    return numpy.array([model.pred_dist(one_hot(tx)).dist.ppf(level) for level in LEVELS])


def ours(arguments, out, test_rows, header, rows):
    """Quantiles of our run: trained where it is not, predicted by the program."""
    run = out / "run"
    if not (run / "result.json").is_file():
        command = [arguments.program, "--resume", run] if (run / "config.toml").is_file() else [
            arguments.program, "--config", arguments.config, "--out", run, "--set", f"data.path={arguments.data.resolve()}",
            "--set", f"data.train_rows={out / 'train.txt'}", "--set", f"data.test_rows={out / 'test.txt'}", "--set", f"seed={arguments.seed}",
            *[part for one in arguments.set for part in ("--set", one)],
        ]  # fmt: skip
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    with open(out / "test.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows[row] for row in test_rows)
    quantiles = [part for level in LEVELS for part in ("--quantile", str(level))]
    predict = [arguments.program, "predict", run, "--data", out / "test.csv", "--out", out / "ours.csv", *quantiles]
    subprocess.run([str(part) for part in predict], check=True, stdout=subprocess.DEVNULL)
    with open(out / "ours.csv", newline="") as file:
        found = list(csv.DictReader(file))
    table = numpy.array([[float(row[f"price_q{level}"]) for row in found] for level in LEVELS])
    return table, json.loads((run / "result.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="diamonds.csv of ggplot2")
    parser.add_argument("--config", default=str(ROOT / "configs" / "diamonds.toml"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/diamonds-peers"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--program", type=pathlib.Path, help="a program that is built already")
    parser.add_argument("--without-peers", action="store_true")
    arguments = parser.parse_args()
    if not arguments.program:
        sys.path.insert(0, str(ROOT / "scripts"))
        from uci_table import binary

        arguments.program = binary()
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with open(arguments.data, newline="") as file:
        header, *rows = csv.reader(file)
    order = list(range(len(rows)))
    random.Random(arguments.seed).shuffle(order)
    tenth = len(order) // 10
    test_rows, validation_rows, train_rows = order[:tenth], order[tenth : 2 * tenth], order[2 * tenth :]
    # The program draws its validation split from the training rows itself, as large.
    (out / "train.txt").write_text("".join(f"{row}\n" for row in sorted(validation_rows + train_rows)))
    (out / "test.txt").write_text("".join(f"{row}\n" for row in test_rows))
    column = {name: place for place, name in enumerate(header)}
    words = {name: sorted({row[column[name]] for row in rows}) for name in WORDS}
    number = lambda row: [float(row[column[name]]) for name in NUMBERS] + [words[name].index(row[column[name]]) for name in WORDS]
    part = lambda some: (
        numpy.array([number(rows[row]) for row in some]),
        numpy.array([float(rows[row][column["price"]]) for row in some]),
    )
    train, validation, test = part(train_rows), part(validation_rows), part(test_rows)
    learn = part(train_rows + validation_rows)

    print("| method | CRPS | more than dgm, row by row | 90 % interval holds | minutes |\n" + "| --- " * 5 + "|", flush=True)
    of_ours = []

    def line(name, quantiles, minutes):
        loss = crps(quantiles, test[1])
        of_ours.append(loss)
        (value, error), (more, more_error) = mean(loss), mean(loss - of_ours[0])
        more = f"{more:.1f} ± {more_error:.1f}" if len(of_ours) > 1 else ""
        held = numpy.mean((test[1] >= quantiles[1]) & (test[1] <= quantiles[37]))
        print(f"| {name} | {value:.1f} ± {error:.1f} | {more} | {100 * held:.1f} % | {minutes:.1f} |", flush=True)

    began = time.monotonic()
    quantiles, results = ours(arguments, out, test_rows, header, rows)
    line("dgm", quantiles, (time.monotonic() - began) / 60)
    for metric in results["metrics"]:
        if metric["quantity"] in ("CRPS", "NLL", "coverage 90 %"):
            print(f"  {metric['split']} {metric['quantity']} {metric['value']:.4f} ± {metric['standard_error']:.4f} {metric['unit']}")
    if arguments.without_peers:
        return
    for name, fit in [
        ("gradient boosting, quantiles of the price", lambda: boosting(learn, test, False)),
        ("gradient boosting, quantiles of its logarithm", lambda: boosting(learn, test, True)),
        ("NGBoost, log-normal", lambda: ngboost(train, validation, test)),
    ]:
        began = time.monotonic()
        found = fit()
        line(name, found, (time.monotonic() - began) / 60)


if __name__ == "__main__":
    main()
