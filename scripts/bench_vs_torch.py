#!/usr/bin/env python3
"""Times training steps of this library and of PyTorch, one after the other, and prints a table of the ratios.

    scripts/bench_vs_torch.py [--repetitions 3] [--steps 20] [--seconds 4] [WORKLOAD ...]

Installs PyTorch in a virtual environment of its own (5 GB, the first time), builds the example `workloads`, and then runs, for each
repetition and workload, this library and every way of PyTorch: eager and compiled, with its fused Adam, images also with their channels
last. Each run is a process of its own. A cell is the median of the repetitions' medians; the peer is its fastest way.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
TORCH = "2.15.0"
# GFLOP of the matrix products of a step, forward and back: 2 · terms · outputs, three times but for what a first layer does not need.
WORKLOADS = {
    "mlp_small": 256 * 2 * (2 * 10 * 128 + 3 * 128 * 2) / 1e9,
    "mlp_big": 1024 * 2 * (2 * 32 * 512 + 3 * (512 * 512 + 512 * 2)) / 1e9,
    "vae": 128 * 2 * (2 * 784 * 400 + 3 * (400 * 40 + 20 * 400 + 400 * 784)) / 1e9,
    "pixelcnn": 32 * 784 * 2 * (2 * 24 * 64 + 3 * (6 * 5 * 64 * 64 + 64 * 64 + 64)) / 1e9,
    "arm": 64 * 64 * 2 * (2 * 7 * 256 + 3 * 7 * (2 * 256 * 256 + 256 * 17)) / 1e9,
    # A layer: the vertical and the horizontal convolution, the way down, two projections; the first reads two channels.
    "gated_pixelcnn": 16 * 784 * 2 * 3 * (7 * (8 * 32 * 64 + 64 * 64 + 2 * 32 * 32) + 8 * 2 * 64 * 2 // 3 + 64 * 64 + 3 * 32 * 32 + 32) / 1e9,
    "text": 16 * 256 * 2 * 3 * (14 * (2 * 128 * 256 + 128 * 128) + 128 * 128 + 128 * 65) / 1e9,
    # Attention over the places before is counted as over all, as both sides multiply it.
    "transformer": 50 * 64 * 2 * 3 * (12 * 18 * 64 * 2 // 3 + 5 * (12 * 64 * 64 + 2 * 64 * 64) + 64 * 64 + 64 * 17) / 1e9,
}
# Parameters: Adam reads θ, g, m and v and writes θ, m and v.
PARAMETERS = {
    "mlp_small": 1666, "mlp_big": 280_578, "vae": 652_824, "pixelcnn": 129_089, "arm": 950_801,
    "gated_pixelcnn": 225_000, "text": 1_230_000, "transformer": 270_000,
}


def python_with_torch():
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "dgm-bench" / f"torch-{TORCH}"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    if subprocess.run([python, "-c", "import torch, numpy"], capture_output=True).returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"torch=={TORCH}", "numpy"], check=True)
    return python


def workloads_binary():
    command = ["cargo", "build", "--release", "--workspace", "--example", "workloads"]
    subprocess.run(command, cwd=ROOT, check=True)
    metadata = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True, capture_output=True)
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"]) / "release" / "examples" / "workloads"


def line_of(command, threads):
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    if result.returncode != 0:
        print(f"{' '.join(map(str, command))} failed:\n{result.stderr[-2000:]}", file=sys.stderr)
        return None
    return json.loads(result.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS))
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile, which needs a C++ compiler")
    args = parser.parse_args()
    unknown = [name for name in args.workloads if name not in WORKLOADS]
    if unknown:
        parser.error(f"there is no workload {unknown[0]!r}; name some of {', '.join(WORKLOADS)}")
    python, ours = python_with_torch(), workloads_binary()

    runs, floors = {}, []
    for repetition in range(args.repetitions):
        floors.append(line_of([ours, "floor"], args.threads))
        for name in args.workloads:
            torch = [python, ROOT / "scripts" / "torch_workloads.py", name, "--steps", args.steps]
            torch += ["--seconds", args.seconds, "--threads", args.threads]
            ways = {"ours": [ours, name, "--steps", args.steps, "--seconds", args.seconds], "eager": torch}
            if not args.no_compile:
                ways["compiled"] = [*torch, "--compile"]
            if name in ("pixelcnn", "gated_pixelcnn"):
                ways |= {f"{way}, channels last": [*ways[way], "--channels-last"] for way in list(ways) if way != "ours"}
            for way, command in ways.items():
                found = line_of(command, args.threads)
                if found is None and way == "ours":
                    sys.exit(f"{name} does not run: nothing to compare")
                if found:
                    runs.setdefault(name, {}).setdefault(way, {})[repetition] = found
                    print(f"{repetition + 1} {name} {way}: {found['median_ms']:.3f} ms", file=sys.stderr)

    if None in floors:
        sys.exit("the floor could not be measured")
    rate = max(floor["gemm_gflops"] for floor in floors)
    memory = max(floor["memory_gb_per_s"] for floor in floors)
    print(f"Floor: {rate:.0f} GFLOP/s of a large matrix product, {memory:.0f} GB/s of memory.\n")
    print("| workload | PyTorch, fastest way | this library | PyTorch / ours (range) | floor | ours / floor | peak memory, ours / PyTorch |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, ways in runs.items():
        # A way that failed once is left out.
        ways = {way: list(founds.values()) for way, founds in ways.items() if len(founds) == args.repetitions}
        medians = {way: [found["median_ms"] for found in founds] for way, founds in ways.items()}
        if set(medians) == {"ours"}:
            print(f"| {name} | failed | {statistics.median(medians['ours']):.3g} ms | | | | |")
            continue
        peer = min((way for way in medians if way != "ours"), key=lambda way: statistics.median(medians[way]))
        ratios = [theirs / ours for ours, theirs in zip(medians["ours"], medians[peer])]
        time_of = {way: statistics.median(medians[way]) for way in ("ours", peer)}
        floor = WORKLOADS[name] / rate * 1e3 + PARAMETERS[name] * 28 / memory / 1e6
        peaks = [statistics.median(found["rss_mb"] for found in ways[way]) for way in ("ours", peer)]
        print(
            f"| {name} | {time_of[peer]:.3g} ms ({peer}) | {time_of['ours']:.3g} ms | {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f}–{max(ratios):.2f}) | {floor:.3g} ms | {time_of['ours'] / floor:.2f} | {peaks[0]:.0f} / {peaks[1]:.0f} MB |"
        )
    print("\nLosses of the first ten steps, ours and PyTorch's:\n")
    for name, ways in runs.items():
        if name in ("gated_pixelcnn", "text", "transformer"):
            continue  # other weights
        for way in ("ours", "eager"):
            for found in list(ways.get(way, {}).values())[:1]:
                print(f"- {name}, {way}: {', '.join(f'{loss:.6g}' for loss in found['losses'])}")


if __name__ == "__main__":
    main()
