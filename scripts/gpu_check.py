#!/usr/bin/env python3
"""The second part of `gpu_check.sh`: runs the programs in a folder on the GPU, beside the CPU backend and beside PyTorch where python3 has
it, and writes gpu.md. What does not fit into the time is left out, and the table says so."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

PROGRAMS, OUT = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
ROOT = pathlib.Path(__file__).resolve().parent.parent
BACKEND = os.environ.get("GPU_CHECK_BACKEND", "wgpu")
DEADLINE = time.monotonic() + float(os.environ.get("GPU_CHECK_SECONDS", 460))
# Times as many examples in a step as on a CPU.
BATCHES = {"mlp_small": 16, "mlp_big": 16, "vae": 16, "pixelcnn": 8, "arm": 8, "gated_pixelcnn": 8, "text": 4, "transformer": 8}
# The first five are those of the CPU's table; the compiler of PyTorch has no time for more.
COMPILED = list(BATCHES)[:5]
LENGTH = ["--steps", "10", "--seconds", "2"]


def run(command, limit=60.0):
    """What a command prints, or why there is nothing."""
    left = min(limit, DEADLINE - time.monotonic())
    if left < 3:
        return None, "no time left"
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=left, cwd=ROOT)
    except subprocess.TimeoutExpired:
        return None, f"over {left:.0f} s"
    except OSError as error:
        return None, str(error)
    if done.returncode != 0:
        return None, reason(done.stderr)
    return done.stdout, None


def reason(told):
    """The line of an error that says why: of a panic the one after its place."""
    lines = told.strip().splitlines() or ["failed"]
    place = next((number for number, line in enumerate(lines) if "panicked at" in line), None)
    line = lines[-1] if place is None else lines[min(place + 1, len(lines) - 1)]
    return line.strip()[:120].replace("|", "/")


class GpuMemory(threading.Thread):
    """The most GPU memory in use, in MB, while something runs."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.over = None, threading.Event()

    def run(self):
        while shutil.which("nvidia-smi") and not self.over.wait(0.2):
            told = subprocess.run(
                ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"], capture_output=True, text=True
            )
            if told.returncode == 0 and told.stdout.split()[:1] and told.stdout.split()[0].isdigit():
                self.most = max(self.most or 0, int(told.stdout.split()[0]))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def section(lines):
    with open(OUT / "gpu.md", "a") as file:
        file.write("\n".join(lines) + "\n\n")
    print("\n".join(lines), flush=True)


def machine():
    told, _ = run(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"])
    torch, _ = run(["python3", "-c", "import torch; print(torch.__version__, torch.cuda.is_available())"])
    lines = [f"GPU: {(told or 'not told').strip()}; PyTorch: {(torch or 'none').strip()}"]
    for build in builds():
        backends, why = run([PROGRAMS / build / "dgm-train", "backends"])
        lines += ["", f"`dgm-train backends` ({build}):", "", "```", (backends or why).rstrip(), "```"]
    section(lines)
    return bool(torch and torch.split()[1] == "True")


def builds():
    return sorted(path.name for path in PROGRAMS.iterdir())


def parity():
    """One epoch with equal seeds on both backends: how far apart the validation losses are."""
    lines = ["| run, one epoch, equal seeds | flex | " + " | ".join(f"{BACKEND} ({build})" for build in builds()) + " |"]
    lines.append("| --- |" + " --- |" * (1 + len(builds())))
    for config in ("vae", "pixelcnn", "arm", "transformer", "conditional"):
        cells = []
        for build, backend in [("default", "flex")] + [(build, BACKEND) for build in builds()]:
            folder = OUT / "runs" / f"{config}-{backend.replace(':', '-')}-{build}"
            command = [PROGRAMS / build / "dgm-train", "--config", f"{config}.toml", "--backend", backend, "--quiet", "--out", folder]
            less = ["training.epochs=1", "training.evaluate_every=1"]
            less += ["evaluation.importance_samples=0"] if config == "vae" else []
            less = [part for assignment in less for part in ("--set", assignment)]
            _, why = run([*command, *less], 90)
            cells.append(why or validation(folder))
        reference = cells[0]

        def told(cell):
            apart = f" ({cell - reference:+.1e})" if isinstance(cell, float) and isinstance(reference, float) else ""
            return (f"{cell:.5f}" if isinstance(cell, float) else str(cell)) + apart

        first, *others = cells
        lines.append(f"| `{config}` validation, nats | {first if isinstance(first, str) else f'{first:.5f}'} | " + " | ".join(map(told, others)) + " |")
    section(lines)


def validation(folder):
    metrics = [json.loads(line) for line in open(folder / "metrics.jsonl")]
    return next((line["nats_per_example"] for line in reversed(metrics) if line["kind"] == "validation"), "no validation")


def sampling():
    folder = OUT / "runs" / f"pixelcnn-{BACKEND.replace(':', '-')}-default"
    lines = ["| 64 samples of `pixelcnn` (8×8) | seconds, start included |", "| --- | --- |"]
    for backend in ("flex", BACKEND):
        start = time.monotonic()
        out = OUT / "runs" / f"samples-{backend.replace(':', '-')}.png"
        command = [PROGRAMS / "default" / "dgm-train", "sample", folder, "-n", "64", "--out", out, "--backend", backend]
        _, why = run(command, 60)
        lines.append(f"| {backend} | {why or f'{time.monotonic() - start:.2f}'} |")
    section(lines)


def workloads(has_torch):
    ways = {f"{BACKEND} ({build})": lambda name, build=build: [PROGRAMS / build / "workloads", name, "--backend", BACKEND] for build in builds()}
    if has_torch:
        torch = ["python3", ROOT / "scripts" / "torch_workloads.py"]
        for title, flags in {
            "PyTorch eager": [],
            "eager, TF32": ["--tf32"],
            "compiled": ["--compile"],
            "compiled, TF32": ["--compile", "--tf32"],
        }.items():
            ways[title] = lambda name, flags=flags: [*torch, name, "--device", "cuda", *flags]
    lines = ["| ms a step (GPU memory, MB) | batches of the CPU's | " + " | ".join(ways) + " |", "| --- | --- |" + " --- |" * len(ways)]
    for name, batches in BATCHES.items():
        cells = []
        for title, command in ways.items():
            if "compiled" in title and name not in COMPILED:
                cells.append("not run")
                continue
            with GpuMemory() as memory:
                told, why = run([*command(name), "--batches", batches, *LENGTH], 40)
            cells.append(why or f"{json.loads(told.splitlines()[-1])['median_ms']:.3g} ({memory.most or 'not told'})")
        lines.append(f"| {name} | {batches} | " + " | ".join(cells) + " |")
    section(lines)


def main():
    (OUT / "gpu.md").unlink(missing_ok=True)
    has_torch = machine()
    parity()
    sampling()
    workloads(has_torch)
    shutil.rmtree(OUT / "runs", ignore_errors=True)


if __name__ == "__main__":
    main()
