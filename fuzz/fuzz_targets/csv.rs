//! Tables: a file and files of row indices, read as training does.
//!
//! Input: options, the length of the row indices, the table, the row indices (for training; the last byte's for the test).
#![no_main]

use dgm_core::random::Seed;
use dgm_fuzz::{check, content_length, file, gzip, parts, within_bound};
use dgm_train::config::Config;
use dgm_train::data;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((options, table, rows)) = parts(input) else { return };
    let on = |bit: u8| options >> bit & 1 == 1;
    let content = content_length(table) + content_length(rows);
    let path = file("table.csv", &if on(6) { gzip(table) } else { table.to_vec() });
    let delimiter = [",", ";", "tab", "whitespace"][usize::from(options & 3)];
    let mut text = format!("[data]\nsource = 'csv'\npath = '{}'\ndelimiter = '{delimiter}'\n", path.display());
    text += if on(2) { "header = true\n" } else { "" };
    text += if on(3) { "target = ['y']\n" } else { "target = [0]\n" };
    text += if on(4) { "condition = [1]\n" } else { "" };
    text += if on(5) { "target_classes = 3\n" } else { "" };
    if on(7) {
        let (train, test) = rows.split_at(rows.len().saturating_sub(1));
        let (train, test) = (file("train", train), file("test", test));
        text += &format!("train_rows = '{}'\ntest_rows = '{}'\n", train.display(), test.display());
    }
    let config = Config::from_toml(&(text + "[model]\nkind = 'vae'\n"), "csv.toml", &[]).expect("a configuration");
    within_bound(content, || match data::load(&config.data, Seed(0)) {
        Ok(dataset) => {
            for split in [&dataset.train, &dataset.validation, &dataset.test] {
                let rows: Vec<usize> = (0..split.len()).collect();
                let target = split.target.read(&rows, 0).expect("rows that are there");
                assert_eq!(target.values().len(), rows.len() * dataset.spec.event());
                assert!(target.values().iter().all(|value| value.is_finite()));
            }
        }
        Err(error) => check(&error),
    });
});
