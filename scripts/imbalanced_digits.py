#!/usr/bin/env python3
"""A rare class: digits of which one class is cut to 5 % of its training rows, with and without what helps.

    scripts/imbalanced_digits.py [--out runs/imbalanced] [--rare 8] [--seeds 3] [--program target/release/dgm-train]

Prints, for plain training, class weights and the focal loss, the recall of the rare class and calibration before and after temperature
scaling on the test split: means over the seeds ± their standard errors. What is there is not run again.
"""

import argparse
import csv
import gzip
import json
import math
import pathlib
import random
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRAIN = 1350
SHARE = 0.05

CONFIG = """[data]
source = "csv"
path = "digits.csv"
header = false
target = [64]
target_classes = 10
train_rows = "train.txt"
test_rows = "test.txt"

[model]
kind = "conditional_mlp"
hidden = [256, 256]
dropout = 0.35
input_noise = 0.6
likelihood = "categorical"

[optimizer]
kind = "adamw"
learning_rate = 1e-3
weight_decay = 0.1
schedule = "cosine"

[training]
epochs = 150
batch_size = 50
ema_decay = 0.99
"""


def mean(values):
    m = sum(values) / len(values)
    return m, math.sqrt(sum((value - m) ** 2 for value in values) / max(len(values) - 1, 1) / len(values))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/imbalanced"))
    parser.add_argument("--rare", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--program", type=pathlib.Path, help="a program that is built already")
    arguments = parser.parse_args()
    if not arguments.program:
        sys.path.insert(0, str(ROOT / "scripts"))
        from uci_table import binary

        arguments.program = binary()
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    text = gzip.decompress((ROOT / "datasets" / "digits" / "digits.csv.gz").read_bytes()).decode()
    rows = [line.split(",") for line in text.split()]
    (out / "digits.csv").write_text(text)
    labels = [int(row[64]) for row in rows]
    of_class = [row for row in range(TRAIN) if labels[row] == arguments.rare]
    random.Random(0).shuffle(of_class)
    kept = set(of_class[: round(SHARE * len(of_class))])
    train = [row for row in range(TRAIN) if labels[row] != arguments.rare or row in kept]
    (out / "train.txt").write_text("".join(f"{row}\n" for row in train))
    (out / "test.txt").write_text("".join(f"{row}\n" for row in range(TRAIN, len(rows))))
    (out / "imbalanced.toml").write_text(CONFIG)
    with open(out / "test.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows[TRAIN:])
    counts = [sum(labels[row] == label for row in train) for label in range(10)]
    weights = [len(train) / 10 / count for count in counts]
    print(f"{counts[arguments.rare]} of {len(train)} training rows are of class {arguments.rare}\n")
    ways = [
        ("plain", []),
        ("class weights", ["--set", f"objective.class_weights={json.dumps(weights)}"]),
        ("focal loss, γ = 2", ["--set", "objective.focal=2.0"]),
        ("both", ["--set", "objective.focal=2.0", "--set", f"objective.class_weights={json.dumps(weights)}"]),
    ]
    print(
        f"| training | recall of {arguments.rare} | accuracy | NLL | ECE | temperature | NLL after | ECE after |\n" + "| --- " * 8 + "|",
        flush=True,
    )
    for name, extra in ways:
        found = []
        for seed in range(arguments.seeds):
            run = out / f"{name.split(',')[0].replace(' ', '-')}-{seed}"
            if not (run / "result.json").is_file():
                command = [arguments.program, "--config", out / "imbalanced.toml", "--out", run, "--seed", seed, "--quiet", *extra]
                done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
                if done.returncode != 0:
                    sys.exit(f"{name}: {done.stderr.strip()}")
            metrics = json.loads((run / "result.json").read_text())["metrics"]
            test = {metric["quantity"]: metric for metric in metrics if metric["split"] == "test"}
            command = [arguments.program, "predict", run, "--data", out / "test.csv", "--out", run / "predictions.csv"]
            subprocess.run([str(part) for part in command], check=True, capture_output=True)
            predicted = [int(row[0]) for row in list(csv.reader(open(run / "predictions.csv")))[1:]]
            rare = [p == arguments.rare for p, label in zip(predicted, labels[TRAIN:]) if label == arguments.rare]
            temperature = float(test["calibrated NLL"]["estimator"].split("temperature of ")[1].split(",")[0])
            value = lambda quantity: test[quantity]["value"]
            found.append([
                100 * sum(rare) / len(rare), 100 * value("accuracy"), value("NLL"), 100 * value("ECE"), temperature,
                value("calibrated NLL"), 100 * value("calibrated ECE"),
            ])  # fmt: skip
        units = [" %", " %", "", " %", "", "", " %"]
        digits = [1, 1, 3, 1, 2, 3, 1]
        cells = [
            "{:.{d}f} ± {:.{d}f}{}".format(*mean([row[column] for row in found]), units[column], d=digits[column])
            for column in range(7)
        ]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
