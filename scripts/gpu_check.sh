#!/usr/bin/env bash
# Checks this library on a GPU, in two parts, because a machine with a GPU may have neither a toolchain nor a network.
#
#     scripts/gpu_check.sh prepare       # where the toolchain is: builds, and packs what the other part needs into .gpu_check (50 MB)
#     scripts/gpu_check.sh run FOLDER    # where the GPU is: at most 8 minutes; writes FOLDER/gpu.md
#
# `run` compares with the CPU backend, times the workloads of bench_vs_torch.py at a GPU's sizes beside PyTorch where python3 has it (eager
# and compiled, TF32 off and on), samples, and measures memory. Two builds are packed: the default one, and one with vulkan and autotune,
# which is left out where its build folder, GPU_CHECK_VULKAN_TARGET, is not given (a whole build of its own).
# GPU_CHECK_BACKEND=wgpu:cpu tries the script itself on a software adapter.
set -euo pipefail
cd "$(dirname "$0")/.."
packed=.gpu_check

target_directory() {
    cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])'
}

# pack NAME FOLDER: the two programs of a build.
pack() {
    mkdir -p "$packed/$1"
    for program in dgm-train examples/workloads; do
        strip -o "$packed/$1/$(basename "$program")" "$2/release/$program"
    done
    tar -C "$packed" -cJf "$packed/$1.tar.xz" "$1"
    rm -r "${packed:?}/$1"
}

case "${1:-}" in
prepare)
    rm -rf "$packed" && mkdir "$packed"
    cargo build --release --workspace --bins --example workloads
    pack default "$(target_directory)"
    if [ -n "${GPU_CHECK_VULKAN_TARGET:-}" ]; then
        CARGO_TARGET_DIR=$GPU_CHECK_VULKAN_TARGET cargo build --release -p dgm-train --features vulkan,autotune --bins --example workloads
        pack vulkan "$GPU_CHECK_VULKAN_TARGET"
    fi
    du -sm "$packed" | awk '{ print "packed: " $1 " MB in .gpu_check"; exit $1 > 64 }'
    ;;
run)
    out=${2:?expected a folder for gpu.md}
    mkdir -p "$out"
    programs=$(mktemp -d)
    trap 'rm -rf "$programs"' EXIT
    for archive in "$packed"/*.tar.xz; do tar -C "$programs" -xJf "$archive"; done
    python3 scripts/gpu_check.py "$programs" "$out"
    ;;
*)
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
