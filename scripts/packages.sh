#!/usr/bin/env bash
# The packages of the three crates hold everything that they are built from: unpacked beside each other, away from the repository, they
# compile with one backend alone, as importers build them.
set -euo pipefail
cd "$(dirname "$0")/.."
here="$PWD"

target="${CARGO_TARGET_DIR:-$here/target}"
rm -rf "$target/package" "$target/packages"
# Without cargo's own check, which would build Burn once more.
cargo package --workspace --no-verify --allow-dirty --quiet
mkdir -p "$target/packages"
cd "$target/packages"
for package in "$target"/package/*.crate; do
    # As new: with the times of the archive, which are always the same, cargo would take what it built of an earlier one.
    tar -xzmf "$package"
    name="$(basename "$package" .crate)"
    mv "$name" "${name%-*}"
done
# Each asks the registry for the others.
cat >Cargo.toml <<'TOML'
[workspace]
resolver = "3"
members = ["dgm-core", "dgm-models", "dgm-train"]

[patch.crates-io]
dgm-core = { path = "dgm-core" }
dgm-models = { path = "dgm-models" }
TOML
# The versions that this repository is tested with.
cp "$here/Cargo.lock" .
cargo check --release -p dgm-train --no-default-features --features flex
