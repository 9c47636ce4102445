//! Texts: every encoding, end of line, unit and kind of example.
//!
//! Input: options, two bytes for the sizes and the encoding, and the file.
#![no_main]

use dgm_core::random::Seed;
use dgm_fuzz::{check, content_length, file, gzip, within_bound};
use dgm_train::config::{Config, ModelConfig};
use dgm_train::data;

const ENCODINGS: [&str; 8] =
    ["", "utf-8", "windows-1252", "utf-16le", "utf-16be", "shift_jis", "gb18030", "iso-2022-jp"];

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&[options, sizes, encoding], text)) = input.split_first_chunk::<3>() else { return };
    let on = |bit: u8| options >> bit & 1 == 1;
    let content = content_length(text);
    let path = file("text.txt", &if on(0) { gzip(text) } else { text.to_vec() });
    let mut keys = format!("[data]\nsource = 'text'\npath = '{}'\nlength = {}\n", path.display(), 1 + (sizes & 15));
    keys += if on(1) { "unit = 'bytes'\n" } else { "" };
    keys += if on(2) { "newlines = 'keep'\n" } else { "" };
    keys += if on(3) { "newlines = 'lf'\n" } else { "" };
    if on(4) {
        keys += "examples = 'lines'\n";
        keys += if on(5) { "prefix_until = ':'\n" } else { "" };
    } else {
        keys += &format!("context = {}\n", sizes >> 4);
        keys += if on(6) { "shift_windows = true\n" } else { "" };
    }
    let encoding = ENCODINGS[usize::from(encoding & 7)];
    if !encoding.is_empty() {
        keys += &format!("encoding = '{encoding}'\n");
    }
    // Keys that exclude each other are refused by name.
    let config = match Config::<ModelConfig>::from_toml(&(keys + "[model]\nkind = 'causal_conv'\n"), "text.toml", &[]) {
        Ok(config) => config,
        Err(error) => return check(&error),
    };
    within_bound(content, || match data::load(&config.data, Seed(0)) {
        Ok(dataset) => {
            let vocabulary = dataset.vocabulary.as_ref().expect("a text has a vocabulary");
            for split in [&dataset.train, &dataset.validation, &dataset.test] {
                // All of a long text would take more than its bound.
                let rows: Vec<usize> = (0..split.len().min(64)).collect();
                let target = split.target.read(&rows, 0).expect("rows that are there");
                assert_eq!(target.values().len(), rows.len() * dataset.spec.event());
                assert!(target.values().iter().all(|&level| (level as usize) < vocabulary.len() && level >= 0.0));
            }
        }
        Err(error) => check(&error),
    });
});
