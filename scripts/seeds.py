#!/usr/bin/env python3
"""Trains a configuration with several seeds, one run after the other, and prints the means of its likelihoods over the seeds.

    scripts/seeds.py pixelcnn.toml 3 [--out runs/seeds] [arguments of dgm-train, such as --set training.epochs=5]

Runs that are complete are not repeated, interrupted ones are resumed. The program is target/release/dgm-train, or $DGM.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys

def likelihoods(result):
    """The metrics of one run that are likelihoods: nats per example, and a token where there are tokens."""
    for metric in result["metrics"]:
        if metric["unit"] != "nats/example":
            continue
        name = f"{metric['split']} {metric['measure']}"
        yield name, f"{metric['quantity']}, {metric['estimator']}, {metric['unit']}", metric["value"], metric["standard_error"]
        token = metric.get("per_token")
        if token:
            yield name, f"nats/{token['token']}", token["nats_per_token"], token["standard_error"]


def main():
    arguments = sys.argv[1:]
    if len(arguments) < 2 or not arguments[1].isdigit() or int(arguments[1]) < 1 or arguments[-1] == "--out":
        sys.exit(__doc__)
    config, seeds, *rest = arguments
    out = pathlib.Path("runs/seeds")
    if rest[:1] == ["--out"]:
        out, rest = pathlib.Path(rest[1]), rest[2:]
    program = os.environ.get("DGM", "target/release/dgm-train")
    # Runs of other arguments are other runs.
    asked, known = json.dumps([config, rest]), out / f"{pathlib.Path(config).stem}.arguments.json"
    if known.exists() and known.read_text() != asked:
        sys.exit(f"{out}: holds runs of {config} with other arguments, {known.read_text()}; name another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    known.write_text(asked)
    columns, minutes = {}, []
    for seed in range(int(seeds)):
        run = out / f"{pathlib.Path(config).stem}-{seed}"
        if not (run / "result.json").exists():
            if (run / "config.toml").exists():
                command = [program, "--resume", str(run)]
            else:
                command = [program, "--config", config, "--seed", str(seed), "--out", str(run), *rest]
            failed = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
            if failed:
                sys.exit(failed)
        for name, what, nats, error in likelihoods(json.loads((run / "result.json").read_text())):
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
