//! Tells the program which version of Burn it is built with: `provenance.json` names it.

use std::path::Path;

fn main() {
    // The workspace's lock file, or that of the package.
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let locks = [Path::new(&folder).join("../../Cargo.lock"), Path::new(&folder).join("Cargo.lock")];
    let text = locks.iter().find_map(|lock| {
        println!("cargo::rerun-if-changed={}", lock.display());
        std::fs::read_to_string(lock).ok()
    });
    let version =
        text.as_deref().and_then(|text| text.split("name = \"burn\"\nversion = \"").nth(1)?.split('"').next());
    println!("cargo::rustc-env=DGM_BURN_VERSION={}", version.unwrap_or("unknown"));
}
