#!/usr/bin/env python3
"""Densities of continuous tables: one recipe for all of them, beside fits and a floor.

    scripts/density_table.py --data FOLDER [--out runs/density] [--seeds N] [--set KEY=VALUE] [magic parkinsons protein …]

FOLDER holds a folder for each set with train.npy, valid.npy and test.npy, standardised. Every run is one of its own in the output folder; what is
there is not run again. Prints the mean test log-likelihood in nats per example (higher is better) ± its standard error over the rows, of the
first seed, and the standard deviation over the seeds where there are more.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

from program import ROOT, binary

FITS = ["gaussian_mixture", "kde", "histogram"]


def run(program, config, data, out, settings):
    """Trains where it is not trained; the test log-likelihood, its standard error, that of validation, and the minutes."""
    if not (out / "result.json").is_file():
        files = {"train": "train", "validation": "valid", "test": "test"}
        settings = [*settings, *(f"data.{key}={(data / file).resolve()}.npy" for key, file in files.items())]
        command = [program, "--resume", out] if (out / "config.toml").is_file() else [program, "--config", config, "--out", out]
        if "--config" in command:
            command += [part for assignment in settings for part in ("--set", assignment)]
        done = subprocess.run([str(part) for part in [*command, "--quiet"]], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{out}: {done.stderr.strip()}")
    metrics = json.loads((out / "result.json").read_text())["metrics"]
    of = {m["split"]: m for m in metrics if m["quantity"] == "NLL"}
    # Of an ensemble one for each member.
    logs = [[json.loads(line) for line in log.read_text().splitlines()] for log in out.glob("**/metrics.jsonl")]
    seconds = sum(max((line.get("seconds", 0.0) for line in lines), default=0.0) for lines in logs)
    return -of["test"]["value"], of["test"]["standard_error"], -of["validation"]["value"], seconds / 60


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs" / "density")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the flow")
    parser.add_argument("--program", type=pathlib.Path, help="a program that is built already")
    parser.add_argument("sets", nargs="*", default=["parkinsons", "magic", "protein"])
    arguments = parser.parse_args()
    program = arguments.program or binary()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print("| set | model | test | over seeds | validation | minutes |\n| --- | --- | --- | --- | --- | --- |")
    for name in arguments.sets:
        data, place = arguments.data / name, arguments.out / name
        place.mkdir(parents=True, exist_ok=True)
        for kind in ["flow", *FITS]:
            config, settings = ROOT / "configs" / "flow.toml", arguments.set
            if kind in FITS:
                config, settings = place / f"{kind}.toml", []
                config.write_text(f'[data]\nsource = "npy"\ntrain = "t"\n[model]\nkind = "{kind}"\n')
            seeds = range(arguments.seeds if kind == "flow" else 1)
            results = [run(program, config, data, place / f"{kind}-{seed}", [*settings, f"seed={seed}"]) for seed in seeds]
            tests = [result[0] for result in results]
            spread = f"{statistics.mean(tests):.3f} (SD {statistics.stdev(tests):.3f})" if len(tests) > 1 else "–"
            test, error, validation, minutes = results[0]
            print(f"| {name} | {kind} | {test:.3f} ± {error:.3f} | {spread} | {validation:.3f} | {minutes:.1f} |", flush=True)


if __name__ == "__main__":
    main()
