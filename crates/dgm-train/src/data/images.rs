//! Grey images with labels → a data set: which of the two is the target, which the condition, and how many levels.

use dgm_core::random::Seed;
use dgm_models::{ConditionSpec, DataSpec, Values};
use serde::{Deserialize, Serialize};

use super::{Dataset, Intensities, Matrix, Split, mean_and_std};
use crate::config::{Invalid, require};
use crate::error::{Error, Result};

/// What is modelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The pixels.
    #[default]
    Image,
    /// The label.
    Label,
}

/// What the target is conditioned on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Nothing.
    #[default]
    None,
    /// The label, in one-hot form.
    Label,
    /// The pixels.
    Image,
}

/// How grey values become black and white.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Binarize {
    /// They stay grey.
    #[default]
    None,
    /// 1 from half of the levels on (128 of 256).
    Threshold,
    /// 1 with probability value / (levels - 1): drawn anew every epoch for training, once for validation and test.
    Dynamic,
}

/// The condition is something else than the target.
pub(super) fn validate(target: Target, condition: Condition) -> std::result::Result<(), Invalid> {
    let same = matches!((target, condition), (Target::Image, Condition::Image) | (Target::Label, Condition::Label));
    require(!same, "condition", "something else than data.target")
}

/// Images of one size, one after the other, and their labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Images {
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Option<Vec<u8>>,
}

/// Images in their splits, every value checked to be in range.
pub(super) struct ImageSet {
    pub(super) name: String,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) levels: usize,
    pub(super) classes: usize,
    pub(super) train: Images,
    pub(super) validation: Images,
    pub(super) test: Images,
    pub(super) fingerprint: String,
}

impl ImageSet {
    /// The data set of this target given this condition.
    pub(super) fn dataset(
        self,
        target: Target,
        condition: Condition,
        binarize: Binarize,
        seed: Seed,
    ) -> Result<Dataset> {
        let levels = if binarize == Binarize::None { self.levels } else { 2 };
        let (shape, values) = match target {
            Target::Image => ([1, self.height, self.width], Values::Levels(levels)),
            Target::Label => ([1, 1, 1], Values::Levels(self.classes)),
        };
        // Validation and test are drawn from one seed for every run, so that runs are compared on the same images.
        let fixed = Seed(0);
        let split = |images: &Images, draw: (Seed, &str, bool)| self.split(images, target, condition, binarize, draw);
        let train = split(&self.train, (seed, "binarize", true))?;
        let validation = split(&self.validation, (fixed, "binarize.validation", false))?;
        let test = split(&self.test, (fixed, "binarize.test", false))?;
        let condition = match condition {
            Condition::None => None,
            Condition::Label => Some(ConditionSpec {
                mean: vec![0.0; self.classes],
                std: vec![1.0; self.classes],
                classes: Some(self.classes),
            }),
            Condition::Image => {
                // One mean and one deviation for all pixels: a pixel that hardly ever changes would explode by its own.
                let pixels = train.condition.as_ref().map_or(&[][..], Matrix::values);
                let (mean, std) = mean_and_std(pixels.iter().copied());
                let event = self.height * self.width;
                Some(ConditionSpec { mean: vec![mean; event], std: vec![std; event], classes: None })
            }
        };
        let spec = DataSpec { shape, values, condition };
        Ok(Dataset { name: self.name, spec, train, validation, test, fingerprint: self.fingerprint })
    }

    /// One split; `draw` names the stream of dynamic binarisation and says whether it is drawn anew every epoch.
    fn split(
        &self,
        images: &Images,
        target: Target,
        condition: Condition,
        binarize: Binarize,
        draw: (Seed, &str, bool),
    ) -> Result<Split> {
        let event = self.height * self.width;
        let n = images.pixels.len() / event.max(1);
        let (seed, purpose, anew) = draw;
        let scale = (self.levels - 1) as f32;
        let mut intensities = None;
        let mut pixels = || -> Matrix {
            let values = match binarize {
                Binarize::None => images.pixels.iter().map(|&value| f32::from(value)).collect(),
                Binarize::Threshold => {
                    let half = self.levels / 2;
                    images.pixels.iter().map(|&value| f32::from(u8::from(usize::from(value) >= half))).collect()
                }
                Binarize::Dynamic => {
                    let grey = Intensities { values: images.pixels.clone(), scale };
                    let drawn = grey.draw(seed.stream(purpose, 0));
                    intensities = anew.then_some(grey);
                    drawn
                }
            };
            Matrix::new(n, event, values)
        };
        let labels = || {
            images.labels.as_ref().ok_or_else(|| {
                let message = "data: the label is the target or the condition, but there are no labels; set \
                               data.train_labels and data.test_labels";
                Error::input(message)
            })
        };
        let target = match target {
            Target::Image => pixels(),
            Target::Label => Matrix::new(n, 1, labels()?.iter().map(|&label| f32::from(label)).collect()),
        };
        let condition = match condition {
            Condition::None => None,
            Condition::Image => Some(pixels()),
            Condition::Label => {
                let mut one_hot = vec![0.0; n * self.classes];
                for (row, &label) in one_hot.chunks_exact_mut(self.classes).zip(labels()?) {
                    if let Some(place) = row.get_mut(usize::from(label)) {
                        *place = 1.0;
                    }
                }
                Some(Matrix::new(n, self.classes, one_hot))
            }
        };
        Ok(Split { target, condition, intensities })
    }
}
