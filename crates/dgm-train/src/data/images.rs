//! Images with labels → a data set: which of the two is the target, which the condition, and how many levels.

use std::collections::BTreeSet;

use dgm_core::random::Seed;
use dgm_models::{ConditionSpec, DataSpec, Scale, Values};
use serde::{Deserialize, Serialize};

use super::names::class_name;
use super::spikes::{self, Spikes};
use super::store::View;
use super::transform::{Binarize, Dequantize, Draw, Step, Transforms};
use super::{Dataset, Field, Names, Split};
use crate::check::{Invalid, require};
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

/// What a configuration says of its images: which part of an example is what, and what is done to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Declared {
    pub(super) target: Target,
    pub(super) condition: Condition,
    pub(super) transforms: Transforms,
}

impl Declared {
    /// The condition is something else than the target, and the transforms fit both.
    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        let same = match self.target {
            Target::Image => self.condition == Condition::Image,
            Target::Label => self.condition == Condition::Label,
        };
        require(!same, "condition", "something else than data.target")?;
        let target = self.target == Target::Image;
        self.transforms.validate(target, target || self.condition == Condition::Image)
    }

    /// Whether labels are needed.
    pub(super) fn needs_labels(&self) -> bool {
        self.target == Target::Label || self.condition == Condition::Label
    }
}

/// The configuration of a source of images: its own keys, then those that all of them have. (A field that serde flattens would
/// hide from errors where a key stands.)
macro_rules! source {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$of_field:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        pub struct $name {
            $($(#[$of_field])* pub $field: $type,)*
            /// What is modelled. Default: the image.
            #[serde(default)]
            pub target: crate::data::images::Target,
            /// What it is conditioned on. Default: nothing.
            #[serde(default)]
            pub condition: crate::data::images::Condition,
            /// How grey values become black and white. Default: they stay grey.
            #[serde(default)]
            pub binarize: crate::data::transform::Binarize,
            /// How levels become real numbers. Default: they stay levels.
            #[serde(default)]
            pub dequantize: crate::data::transform::Dequantize,
            /// How training images are varied. Default: not at all.
            #[serde(default, skip_serializing_if = "crate::data::augment::Augment::is_none")]
            pub augment: crate::data::augment::Augment,
        }

        impl $name {
            fn declared(&self) -> crate::data::images::Declared {
                let Self { target, condition, binarize, dequantize, augment, .. } = *self;
                let transforms = crate::data::transform::Transforms { augment, binarize, dequantize };
                crate::data::images::Declared { target, condition, transforms }
            }
        }
    };
}
pub(super) use source;

/// Images of one size, a row each in channel, row, column order, and their labels, one number per row.
#[derive(Clone, Debug)]
pub(super) struct Images {
    pub(super) pixels: View,
    pub(super) labels: Option<View>,
}

impl Images {
    /// The images from `first` on, `length` of them or as many as there are.
    pub(super) fn range(&self, first: usize, length: usize) -> Self {
        let part = |view: &View| view.range(first, length);
        Self { pixels: part(&self.pixels), labels: self.labels.as_ref().map(part) }
    }

    /// These images, in this order.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let part = |view: &View| view.select(rows);
        Self { pixels: part(&self.pixels), labels: self.labels.as_ref().map(part) }
    }

    /// Number of images.
    pub(super) fn len(&self) -> usize {
        self.pixels.len()
    }
}

/// Images in their splits, every value checked to be in range.
pub(super) struct ImageSet {
    pub(super) name: String,
    /// Channels, rows and columns.
    pub(super) shape: [usize; 3],
    /// Pixels are whole numbers below this.
    pub(super) levels: usize,
    /// Labels are whole numbers below this.
    pub(super) classes: usize,
    /// What the labels stand for, in their order; empty where it is not known.
    pub(super) class_names: Vec<String>,
    /// Whether the channels of a pixel are stored side by side, and not one plane after the other.
    pub(super) interleaved: bool,
    pub(super) train: Images,
    pub(super) validation: Images,
    pub(super) test: Images,
    pub(super) fingerprint: String,
}

impl ImageSet {
    /// The data set of this target given this condition, with these transforms.
    pub(super) fn dataset(self, declared: &Declared, seed: Seed) -> Result<Dataset> {
        self.with_values(declared, seed, false)
    }

    /// The same of real numbers, which neither have levels nor are binarised or dequantised.
    pub(super) fn real_dataset(self, declared: &Declared, seed: Seed) -> Result<Dataset> {
        self.with_values(declared, seed, true)
    }

    fn with_values(self, declared: &Declared, seed: Seed, real: bool) -> Result<Dataset> {
        let Transforms { augment, binarize, dequantize } = declared.transforms;
        let [_, height, width] = self.shape;
        if augment.shift >= height.min(width) {
            return Err(Error::input(format!(
                "data.augment.shift is {}; expected less than the {} pixels of an image's shorter side; lower it",
                augment.shift,
                height.min(width)
            )));
        }
        if augment.orientation.needs_square() && height != width {
            return Err(Error::input(format!(
                "data.augment.orientation turns images by quarter turns, and those of {} have {height} × {width} pixels; \
                 expected square ones; take \"horizontal\" or \"none\"",
                self.name
            )));
        }
        let train = self.split(&self.train, declared, Draw::train(seed), true)?;
        let validation = self.split(&self.validation, declared, Draw::validation(), false)?;
        let test = self.split(&self.test, declared, Draw::test(), false)?;

        // One mean and one deviation for all pixels: a pixel that hardly ever changes would explode by its own. The
        // columns of a table have each their own units.
        let table = real && height == 1;
        let statistics = |field: &Field| -> Result<Scale> {
            let name = &self.name;
            let scale = field.scale_of(!table, &|number| match table {
                true => format!("{name}: dimension {number} of the examples"),
                false => format!("{name}: the pixels"),
            })?;
            let repeat = |value: Vec<f64>| if table { value } else { value.repeat(field.width()) };
            let Scale { mean, mean_rest, std, step, levels } = scale;
            Ok(Scale { mean: repeat(mean), mean_rest: repeat(mean_rest), std: repeat(std), step: repeat(step), levels })
        };
        let levels = if binarize == Binarize::None { self.levels } else { 2 };
        let (shape, mut values) = match declared.target {
            Target::Image if real || dequantize != Dequantize::None => {
                let was_levels = (dequantize != Dequantize::None).then_some(self.levels);
                (self.shape, Values::Real(Scale { levels: was_levels, ..statistics(&train.target)? }))
            }
            Target::Image => (self.shape, Values::Levels(levels)),
            Target::Label => ([1, 1, 1], Values::Levels(self.classes)),
        };
        let condition = match (declared.condition, &train.condition) {
            (_, None) => None,
            (Condition::Image, Some(field)) => {
                let shape = (!table).then_some(self.shape);
                Some(ConditionSpec { scale: statistics(field)?, classes: None, augmentation: 0, shape })
            }
            (Condition::None | Condition::Label, Some(field)) => Some(ConditionSpec {
                scale: Scale::identity(field.width()),
                classes: (declared.condition == Condition::Label).then_some(self.classes),
                augmentation: augment.augmentation_width(),
                shape: None,
            }),
        };
        let mut warnings = Vec::new();
        if declared.target == Target::Image && table {
            let names: Vec<String> = (0..train.target.width()).map(|number| format!("number {number}")).collect();
            let spikes = spikes::of_field(&train.target)?;
            let steps: Vec<f64> = spikes.iter().map(|spikes| spikes.as_ref().map_or(0.0, Spikes::step)).collect();
            if let (Values::Real(scale), true) = (&mut values, steps.iter().any(|&step| step > 0.0)) {
                scale.step = steps;
            }
            let found =
                names.iter().zip(spikes).filter_map(|(name, spikes)| Some((name.as_str(), name.clone(), spikes?)));
            warnings.extend(spikes::sentences(&found.collect::<Vec<_>>()));
        }
        if declared.needs_labels() {
            warnings.extend(self.unseen_classes()?);
        }
        let spec = DataSpec { shape, values, condition };
        let transforms = declared.transforms.sentences(self.levels);
        let Self { name, fingerprint, class_names, .. } = self;
        let labelled = declared.needs_labels() && !class_names.is_empty();
        let names = Names { classes: if labelled { class_names } else { Vec::new() }, ..Names::default() };
        Ok(Dataset { names, warnings, transforms, ..Dataset::new(name, spec, [train, validation, test], fingerprint) })
    }

    /// A sentence about classes that validation or test have and training does not, where there are labels.
    fn unseen_classes(&self) -> Result<Option<String>> {
        let classes = |images: &Images| -> Result<BTreeSet<usize>> {
            let Some(labels) = &images.labels else { return Ok(BTreeSet::new()) };
            let rows: Vec<usize> = (0..labels.len()).collect();
            let read = Field::new(labels.clone()).read(&rows, 0)?;
            Ok(read.values().iter().map(|&label| label as usize).collect())
        };
        let train = classes(&self.train)?;
        for (split, images) in [("validation", &self.validation), ("test", &self.test)] {
            let unseen: Vec<usize> = classes(images)?.difference(&train).copied().collect();
            if unseen.is_empty() {
                continue;
            }
            let name = |&class: &usize| class_name(&self.class_names, class);
            let shown = unseen.iter().take(5).map(name).collect::<Vec<_>>().join(", ");
            let more = if unseen.len() > 5 { ", …" } else { "" };
            return Ok(Some(format!(
                "the {split} split has examples of classes that no training example has ({shown}{more}): where the examples lie in the \
                 order of their classes, shuffle them, or give {split} examples of their own"
            )));
        }
        Ok(None)
    }

    /// One split, with the random steps of `draw`.
    fn split(&self, images: &Images, declared: &Declared, draw: Draw, augmented: bool) -> Result<Split> {
        let Transforms { augment, binarize, dequantize } = declared.transforms;
        let pixels = || {
            let mut field = Field::new(images.pixels.clone()).drawn_from(draw);
            if self.interleaved && self.shape[0] > 1 {
                field = field.then(Step::Planes { channels: self.shape[0] });
            }
            if augmented && !augment.is_none() {
                field = field.then(Step::Augment { augment, shape: self.shape });
            }
            match binarize {
                Binarize::None => {}
                Binarize::Threshold => field = field.then(Step::Threshold((self.levels / 2) as f64)),
                Binarize::Dynamic => field = field.then(Step::Binarize { scale: (self.levels - 1) as f32 }),
            }
            match dequantize {
                Dequantize::None => field,
                Dequantize::Uniform => field.then(Step::Dequantize),
            }
        };
        let labels = || {
            images.labels.as_ref().cloned().map(Field::new).ok_or_else(|| {
                let message = "data: the label is the target or the condition, but there are no labels; set \
                               data.train_labels and data.test_labels";
                Error::input(message)
            })
        };
        let target = match declared.target {
            Target::Image => pixels(),
            Target::Label => labels()?,
        };
        let condition = match declared.condition {
            // Nothing but what was done to the images.
            Condition::None if augment.condition => Some(Field::new(View::empty(images.len()))),
            Condition::None => None,
            Condition::Image => Some(pixels()),
            Condition::Label => Some(labels()?.then(Step::OneHot { classes: self.classes })),
        };
        let condition = match augment.condition {
            true => condition.map(|field| field.drawn_from(draw).then(Step::Encode { augment, varied: augmented })),
            false => condition,
        };
        let label = images.labels.as_ref().cloned().map(Field::new);
        Ok(Split { label, ..Split::new(target, condition) })
    }
}
