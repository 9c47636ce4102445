#!/usr/bin/env python3
"""How much of the test splits the intervals of trained runs hold, as they are and conformal ones, over all splits of a set.

    scripts/conformal_coverage.py --runs runs/uci --program target/release/dgm-train [boston concrete …]

--runs is the output folder of scripts/uci_table.py. Prints, for each set, the share of test targets in the 90 % interval, over all rows of
all splits, and the standard error of its mean over the splits.
"""

import argparse
import csv
import math
import pathlib
import subprocess
import tomllib

LEVEL = 0.9


def held(program, run, conformal):
    """Of each test row of a run: whether its target is in the interval."""
    config = tomllib.loads((run / "config.toml").read_text())["data"]
    lines = pathlib.Path(config["path"]).read_text().splitlines()
    rows = [lines[int(float(row))] for row in pathlib.Path(config["test_rows"]).read_text().split()]
    target = config["target"][0]
    command = [program, "predict", run, "--data", "-", "--interval", str(LEVEL), *(["--conformal"] if conformal else [])]
    done = subprocess.run([str(part) for part in command], input="\n".join(rows) + "\n", capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{run}: {done.stderr.strip()}")
    header, *found = csv.reader(done.stdout.splitlines())
    low, high = (next(place for place, name in enumerate(header) if f"_{end}_" in name) for end in ("lower", "upper"))
    return [float(p[low]) <= float(row.split()[target]) <= float(p[high]) for p, row in zip(found, rows)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=["boston", "concrete", "wine"])
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/uci"))
    parser.add_argument("--program", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    print(f"| set | splits | rows | {100 * LEVEL:.0f} % interval holds | conformal interval holds |\n| --- | --- | --- | --- | --- |")
    for name in arguments.sets:
        runs = sorted((arguments.runs / name).iterdir(), key=lambda run: int(run.name))
        runs = [run for run in runs if (run / "result.json").is_file()]
        cells = []
        for conformal in (False, True):
            splits = [held(arguments.program, run, conformal) for run in runs]
            shares = [sum(split) / len(split) for split in splits]
            rows = sum(len(split) for split in splits)
            mean = sum(shares) / len(shares)
            error = math.sqrt(sum((share - mean) ** 2 for share in shares) / max(len(shares) - 1, 1) / len(shares))
            cells.append(f"{100 * sum(sum(split) for split in splits) / rows:.1f} ± {100 * error:.1f} %")
        print(f"| {name} | {len(runs)} | {rows} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
