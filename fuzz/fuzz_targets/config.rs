//! Configurations: a TOML file and `--set` assignments.
//!
//! Input: the file, then each assignment after a zero byte.
#![no_main]

use dgm_fuzz::{check, within_bound};
use dgm_train::config::{Config, ModelConfig, place_of};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    within_bound(input.len(), || {
        let mut parts = text.split('\0');
        let (text, overrides) = (parts.next().unwrap_or(""), parts.map(str::to_owned).collect::<Vec<_>>());
        match Config::<ModelConfig>::from_toml(text, "file.toml", &overrides) {
            Ok(config) => {
                let written = config.to_toml().expect("what was read can be written");
                let again = Config::<ModelConfig>::from_toml(&written, "written.toml", &[]).expect("what was written can be read");
                assert_eq!(config, again, "{written}");
                place_of(text, "file.toml", &overrides, &["model", "latent"]);
            }
            Err(error) => check(&error),
        }
    });
});
