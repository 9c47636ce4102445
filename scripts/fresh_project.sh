#!/usr/bin/env bash
# A new project with the dependency lines and the example of README.md, both as they stand there: scripts/fresh_project.sh [command],
# by default `check`; `run` builds Burn with these features alone, which takes some minutes more.
set -euo pipefail
cd "$(dirname "$0")/.."
here="$PWD"

# One place, so that the next build is warm.
project="${CARGO_TARGET_DIR:-$here/target}/fresh-project"
mkdir -p "$project/src"

# The first block of the language $1 in README.md with a line that is $2.
block() {
    awk -v fence='```'"$1" -v wanted="$2" '
        $0 == fence { inside = 1; text = ""; found = 0; next }
        inside && $0 == "```" { if (found) { printf "%s", text; exit } inside = 0 }
        inside { text = text $0 "\n"; if ($0 == wanted) found = 1 }
    ' README.md
}

dependencies="$(block toml '[dependencies]')"
example="$(block rust 'fn main() -> Result<(), Box<dyn std::error::Error>> {')"
if [[ "$dependencies" != *'"…/crates/'* || -z "$example" ]]; then
    echo "README.md: found no [dependencies] on …/crates with an example; write both there, or mend scripts/fresh_project.sh" >&2
    exit 1
fi
cat >"$project/Cargo.toml" <<TOML
[package]
name = "fresh-project"
version = "0.0.0"
edition = "2024"

[workspace]

${dependencies//…/$here}
TOML
printf '%s\n' "$example" >"$project/src/main.rs"
# The versions that this repository is tested with.
cp Cargo.lock "$project"

cd "$project"
cargo "${1:-check}" --release
