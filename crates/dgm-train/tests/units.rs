//! A result depends on neither an offset nor a unit: y · 2^k + c costs exactly k · ln 2 nats more than y, with the same weights.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{json, measured, run_fails, run_ok};
use proptest::prelude::*;
use std::path::Path;

/// One number more than those of 32 bits can tell apart from its neighbours.
const LARGEST: f64 = 1e12;

/// y = 2^k (y₀ + m) and x = 2^j (x₀ + l) for y₀ and x₀ that are multiples of 1/256 with a noise between them; every number is
/// one of 64 bits.
fn table(k: i32, m: f64, j: i32, l: f64) -> String {
    let row = |i: u32| {
        let x = f64::from(i * 97 % 512) / 64.0 - 4.0;
        let noise = f64::from(i * i * 31 % 257) / 256.0;
        let y = ((2.0 * x.sin() + noise) * 256.0).round() / 256.0;
        format!("{},{}\n", 2f64.powi(j) * (x + l), 2f64.powi(k) * (y + m))
    };
    (0..120).map(row).collect()
}

const CONFIG: &str = "[data]\nsource = \"csv\"\npath = \"t.csv\"\ntarget = [1]\ncondition = [0]\n\
                      [model]\nkind = \"conditional_mlp\"\nhidden = [16]\n[optimizer]\nlearning_rate = 1e-2\n\
                      [training]\nepochs = 5\nbatch_size = 16\n";

/// Nats of the test and the digest of the weights after training on this table.
fn trained(folder: &Path, text: &str) -> (f64, String) {
    std::fs::write(folder.join("t.csv"), text).unwrap();
    std::fs::write(folder.join("c.toml"), CONFIG).unwrap();
    let _ = std::fs::remove_dir_all(folder.join("run"));
    run_ok(folder, &["--config", "c.toml", "--out", "run", "--quiet"]);
    let result = json(&folder.join("run/result.json"));
    let nats = measured(&result, "likelihood", "test")["value"].as_f64().unwrap();
    (nats, result["weights_sha256"].as_str().unwrap().to_owned())
}

/// The largest multiple of the unit 2^k up to c, of those to which a multiple of 1/256 can be added.
fn steps(k: i32, c: f64) -> f64 {
    (c / 2f64.powi(k)).trunc().clamp(-2f64.powi(42), 2f64.powi(42))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn neither_an_offset_nor_a_unit_moves_a_result(
        k in -40..=40i32, c in -LARGEST..=LARGEST, j in -40..=40i32, d in -LARGEST..=LARGEST,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (nats, weights) = trained(folder.path(), &table(0, 0.0, 0, 0.0));
        let (moved, same) = trained(folder.path(), &table(k, steps(k, c), j, steps(j, d)));
        prop_assert_eq!(weights, same);
        let expected = nats + f64::from(k) * 2f64.ln();
        // Log-densities of 32 bits, up to 64 nats.
        prop_assert!((moved - expected).abs() < 4e-6, "{} {}", moved, expected);
    }
}

#[test]
fn unix_seconds_are_scored_as_the_same_times_from_an_origin() {
    let folder = tempfile::tempdir().unwrap();
    let text = |origin: f64| -> String {
        let row =
            |i: u32| format!("{},{}\n", f64::from(i * 7 % 120) / 8.0, origin + f64::from(i * i * 31 % 101) - 50.0);
        (0..120).map(row).collect()
    };
    let [(near, _), (far, _)] = [0.0, 1.7e9].map(|origin| trained(folder.path(), &text(origin)));
    assert!((near - far).abs() < 1e-6 && near > 3.0, "{near} {far}");
    // What 64 bits cannot tell apart is refused with the remedy, and the remedy helps.
    std::fs::write(folder.path().join("t.csv"), text(1e18)).unwrap();
    let line = run_fails(folder.path(), &["--config", "c.toml", "--out", "other", "--quiet"], 2);
    assert!(line.contains("column `column 1`") && line.contains("subtract a constant such as 1"), "{line}");
    assert!(!folder.path().join("other").exists());
}
