//! Tells the program which version of Burn it is built with, which `provenance.json` names, where `configs/` and `datasets/` are, which
//! ship inside it, and which configurations there are.

use std::path::Path;

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let (folder, above) = (Path::new(&folder), Path::new(&folder).join("../.."));
    // The workspace's lock file, or that of the package.
    let lock = first([&above, folder], "Cargo.lock").map(|(_, text)| text).unwrap_or_default();
    let version = lock.split("name = \"burn\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
    println!("cargo::rustc-env=DGM_BURN_VERSION={}", version.unwrap_or("unknown"));
    // A package holds them. Here two links lead to the repository's, which a checkout on Windows may not have.
    let shipped = first([folder, &above], "configs/vae.toml").map_or(folder, |(folder, _)| folder);
    println!("cargo::rustc-env=DGM_SHIPPED={}", shipped.display());
    if let Err(error) = list(&shipped.join("configs")) {
        println!("cargo::error=the configurations in {}: {error}", shipped.display());
    }
}

/// Writes the names and texts of the files in this folder as a Rust expression.
fn list(configs: &Path) -> std::io::Result<()> {
    println!("cargo::rerun-if-changed={}", configs.display());
    let mut files = std::fs::read_dir(configs)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    let toml = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let line = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("    ({name:?}, include_str!({path:?})),\n")
    };
    let lines: String = toml.map(line).collect();
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    std::fs::write(Path::new(&out).join("shipped.rs"), format!("&[\n{lines}]\n"))
}

/// The first of two folders that has this file, and the file's text.
fn first<'a>(folders: [&'a Path; 2], file: &str) -> Option<(&'a Path, String)> {
    folders.into_iter().find_map(|folder| {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).ok()?;
        // Of what is there alone: a file that is not there is always newer to Cargo.
        println!("cargo::rerun-if-changed={}", path.display());
        Some((folder, text))
    })
}
