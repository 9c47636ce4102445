//! `source = "digits"`: 1797 digits of 8 × 8 pixels with 17 levels, built in (see `datasets/digits`).

use std::io::Read;

use dgm_core::random::Seed;
use serde::{Deserialize, Serialize};

use super::Dataset;
use super::file::Fingerprint;
use super::images::{self, Binarize, Condition, ImageSet, Images, Target};
use crate::config::Invalid;
use crate::error::{Error, Result};

static CSV_GZ: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/digits/digits.csv.gz"));

const PIXELS: usize = 64;
const TRAIN: usize = 1000;
const VALIDATION_END: usize = TRAIN + 350;

/// The keys of `source = "digits"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DigitsConfig {
    /// What is modelled. Default: the image.
    pub target: Target,
    /// What it is conditioned on. Default: nothing.
    pub condition: Condition,
}

impl DigitsConfig {
    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        images::validate(self.target, self.condition)
    }

    /// 1000 for training, 350 for validation, 447 for the test, in the order of the file.
    pub(super) fn load(&self, seed: Seed) -> Result<Dataset> {
        let damaged =
            |what: &str| Error::run(format!("the built-in digits are damaged: {what}; build the program again"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(CSV_GZ).read_to_string(&mut text).map_err(|error| damaged(&error.to_string()))?;
        let mut splits = [Images::default(), Images::default(), Images::default()];
        for (row, line) in text.lines().enumerate() {
            let values: std::result::Result<Vec<u8>, _> = line.split(',').map(str::parse).collect();
            let values = values.map_err(|error| damaged(&error.to_string()))?;
            let [train, validation, test] = &mut splits;
            let images = match row {
                0..TRAIN => train,
                TRAIN..VALIDATION_END => validation,
                _ => test,
            };
            match values.split_last() {
                Some((label, pixels)) if pixels.len() == PIXELS && *label < 10 && pixels.iter().all(|&v| v <= 16) => {
                    images.pixels.extend_from_slice(pixels);
                    images.labels.get_or_insert_default().push(*label);
                }
                _ => return Err(damaged("a row is not 64 pixels and a label")),
            }
        }
        let mut fingerprint = Fingerprint::default();
        fingerprint.update(text.as_bytes());
        let [train, validation, test] = splits;
        let set = ImageSet {
            name: "digits".into(),
            height: 8,
            width: 8,
            levels: 17,
            classes: 10,
            train,
            validation,
            test,
            fingerprint: fingerprint.finish(),
        };
        set.dataset(self.target, self.condition, Binarize::None, seed)
    }
}
