//! `source = "digits"`: 1797 digits of 8 × 8 pixels with 17 levels, built in (see `datasets/digits`).

use std::io::Read;

use dgm_core::random::Seed;
use serde::{Deserialize, Serialize};

use super::file::Fingerprint;
use super::images::{self, ImageSet, Images};
use super::store::View;
use super::{Dataset, VisitPath};
use crate::check::Invalid;
use crate::error::{Error, Result};

static CSV_GZ: &[u8] = include_bytes!(concat!(env!("DGM_SHIPPED"), "/datasets/digits/digits.csv.gz"));

const PIXELS: usize = 64;
const TRAIN: usize = 1000;
const VALIDATION: usize = 350;

images::source! {
    /// The keys of `source = "digits"`.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct DigitsConfig {}
}

impl DigitsConfig {
    pub(super) fn visit_paths(&mut self, _: &mut VisitPath<'_>) -> Result<()> {
        Ok(())
    }

    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        self.declared().validate()
    }

    /// 1000 for training, 350 for validation, 447 for the test, in the order of the file.
    pub(super) fn load(&self, seed: Seed) -> Result<Dataset> {
        let damaged =
            |what: &str| Error::run(format!("the built-in digits are damaged: {what}; build the program again"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(CSV_GZ).read_to_string(&mut text).map_err(|error| damaged(&error.to_string()))?;
        let (mut images, mut classes) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let values: std::result::Result<Vec<u8>, _> = line.split(',').map(str::parse).collect();
            let values = values.map_err(|error| damaged(&error.to_string()))?;
            match values.split_last() {
                Some((label, pixels)) if pixels.len() == PIXELS && *label < 10 && pixels.iter().all(|&v| v <= 16) => {
                    images.extend_from_slice(pixels);
                    classes.push(*label);
                }
                _ => return Err(damaged("a row is not 64 pixels and a label")),
            }
        }
        let mut fingerprint = Fingerprint::default();
        fingerprint.update(text.as_bytes());
        let all = Images { pixels: View::of(PIXELS, images), labels: Some(View::of(1, classes)) };
        let set = ImageSet {
            name: "digits".into(),
            shape: [1, 8, 8],
            levels: 17,
            classes: 10,
            class_names: Vec::new(),
            interleaved: false,
            train: all.range(0, TRAIN),
            validation: all.range(TRAIN, VALIDATION),
            test: all.range(TRAIN + VALIDATION, usize::MAX),
            fingerprint: fingerprint.finish(),
        };
        set.dataset(&self.declared(), seed)
    }
}
