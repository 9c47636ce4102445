#!/usr/bin/env python3
"""Trains a configuration with several seeds, one run after the other, and prints the means of its figures over the seeds.

    scripts/seeds.py pixelcnn.toml 3 [--out runs/seeds] [arguments of dgm-train, such as --set training.epochs=5]

Runs that are complete are not repeated, interrupted ones go on. The program is target/release/dgm-train, or $DGM.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys

ROWS = ["validation", "validation_label_mixture", "test", "test_label_mixture", "test_importance_weighted"]


def figures(result):
    """The figures of one run that are likelihoods: nats an example, and a token where there are tokens."""
    for name in ROWS:
        row = result.get(name)
        if row:
            yield name, f"{row['quantity']}, {row['estimator']}, nats/example", row["nats_per_example"], row["standard_error"]
            token = row.get("per_token")
            if token:
                yield name, f"nats/{token['token']}", token["nats_per_token"], token["standard_error"]


def main():
    arguments = sys.argv[1:]
    if len(arguments) < 2 or not arguments[1].isdigit():
        sys.exit(__doc__)
    config, seeds, *rest = arguments
    out = pathlib.Path("runs/seeds")
    if rest[:1] == ["--out"]:
        out, rest = pathlib.Path(rest[1]), rest[2:]
    program = os.environ.get("DGM", "target/release/dgm-train")
    columns, minutes = {}, []
    for seed in range(int(seeds)):
        run = out / f"{pathlib.Path(config).stem}-{seed}"
        if not (run / "result.json").exists():
            if (run / "config.toml").exists():
                command = [program, "--resume", str(run)]
            else:
                command = [program, "--config", config, "--seed", str(seed), "--out", str(run), *rest]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for name, what, nats, error in figures(json.loads((run / "result.json").read_text())):
            columns.setdefault((name, what), []).append((nats, error))
        logs = [run / "metrics.jsonl", *sorted(run.glob("member-*/metrics.jsonl"))]
        lines = [log.read_text().splitlines()[-1] for log in logs if log.exists()]
        minutes.append(sum(json.loads(line)["seconds"] for line in lines) / 60)
    for (name, what), values in columns.items():
        nats = [value for value, _ in values]
        deviation = statistics.stdev(nats) if len(nats) > 1 else float("nan")
        # A standard error of one example is not known.
        known = (float("nan") if error is None else error for _, error in values)
        each = ", ".join(f"{value:.3f} ± {error:.3f}" for value, error in zip(nats, known))
        print(f"{name}: mean {statistics.mean(nats):.3f}, deviation over {len(nats)} seeds {deviation:.3f} ({each}); {what}")
    print("minutes of training:", ", ".join(f"{value:.1f}" for value in minutes))


if __name__ == "__main__":
    main()
