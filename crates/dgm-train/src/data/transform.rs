//! What is done to images between the file and the batch, as a configuration declares it.

use dgm_core::random::{Seed, Stream};
use serde::{Deserialize, Serialize};

use super::augment::{Augment, Variation, WORDS};
use crate::check::{Invalid, require};

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

/// How levels become real numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dequantize {
    /// They stay levels.
    #[default]
    None,
    /// x + u in place of x, u uniform on [0, 1): drawn anew every epoch for training, once for validation and test.
    ///
    /// The unit stays one level, so no change of scale has to be made good for. With P(x) = ∫ p(x + u) du over the unit
    /// cube, log P(x) ≥ E_u log p(x + u) (Jensen): the mean of −log p(x + u) in nats is an upper bound of the −log P(x) of
    /// the levels, an ELBO whose posterior of u is uniform (Theis, van den Oord and Bethge 2016, equation 4; Ho et al.
    /// 2019, equation 11). A model of (x + u) / levels would give event · ln(levels) nats less.
    Uniform,
}

/// The transforms of one configuration, in the order in which they are made: augmented, then binarised or dequantised.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Transforms {
    pub(super) augment: Augment,
    pub(super) binarize: Binarize,
    pub(super) dequantize: Dequantize,
}

impl Transforms {
    /// `target`: whether the images are the target, `used`: whether they are used at all.
    pub(super) fn validate(&self, target: bool, used: bool) -> Result<(), Invalid> {
        let what = "none or threshold: only a target is drawn anew, and data.target is the label";
        require(self.binarize != Binarize::Dynamic || target, "binarize", what)?;
        let dequantized = self.dequantize != Dequantize::None;
        let what = "none: only a target is dequantised, and data.target is the label";
        require(!dequantized || target, "dequantize", what)?;
        let what = "none beside data.binarize: two levels have a likelihood of their own";
        require(!dequantized || self.binarize == Binarize::None, "dequantize", what)?;
        self.augment.validate(target, used)
    }

    /// What changes the meaning of a likelihood, in words.
    pub(super) fn sentences(&self, levels: usize) -> Vec<String> {
        let mut sentences = Vec::new();
        if !self.augment.is_none() {
            sentences.push(self.augment.sentence());
        }
        match self.binarize {
            Binarize::None => {}
            Binarize::Threshold => {
                sentences.push(format!("pixels binarised: 1 from level {} of {levels} on, otherwise 0", levels / 2));
            }
            Binarize::Dynamic => {
                sentences.push("pixels binarised anew each epoch; validation and test drawn once with seed 0".into())
            }
        }
        if self.dequantize == Dequantize::Uniform {
            sentences.push(format!(
                "pixels dequantised: the density is that of x + u, u uniform on [0, 1), x one of {levels} levels; \
                 u anew each epoch, for validation and test drawn once with seed 0; in nats of x, which the result \
                 bounds from above"
            ));
        }
        sentences
    }
}

/// Where a split's random steps draw from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draw {
    /// Names the streams, together with the purpose and the epoch.
    seed: Seed,
    /// Comes after the purpose.
    suffix: &'static str,
    /// Whether every epoch has numbers of its own.
    anew: bool,
}

impl Default for Draw {
    fn default() -> Self {
        Self { seed: Seed(0), suffix: "", anew: false }
    }
}

impl Draw {
    /// For training: anew every epoch.
    pub(super) fn train(seed: Seed) -> Self {
        Self { seed, suffix: "", anew: true }
    }

    /// For validation: once, from one seed for every run, so that runs are compared on the same examples.
    pub(super) fn validation() -> Self {
        Self { suffix: ".validation", ..Self::default() }
    }

    /// For the test: as for validation.
    pub(super) fn test() -> Self {
        Self { suffix: ".test", ..Self::default() }
    }

    /// The same by another seed, where every epoch has numbers of its own; what is drawn once for every run stays.
    pub(super) fn by(self, seed: Seed) -> Self {
        if self.anew { Self { seed, ..self } } else { self }
    }

    fn stream(&self, purpose: &str, epoch: u64) -> Stream {
        self.seed.stream(&format!("{purpose}{}", self.suffix), if self.anew { epoch } else { 0 })
    }
}

/// One step from what is stored to what a model sees, for one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Pixels whose channels lie side by side → one plane per channel.
    Planes {
        /// Number of channels.
        channels: usize,
    },
    /// A class → 1 at its place among `classes` numbers.
    OneHot {
        /// Number of classes.
        classes: usize,
    },
    /// 1 from this value on, otherwise 0.
    Threshold(f64),
    /// 1 with probability value / scale.
    Binarize {
        /// The highest value.
        scale: f32,
    },
    /// A uniform number is added.
    Dequantize,
    /// 1 where there is a number, 0 where one is missing: NaN.
    Present,
    /// See [`Augment`].
    Augment {
        /// What is done.
        augment: Augment,
        /// Channels, rows and columns.
        shape: [usize; 3],
    },
    /// Appends the encoding of what [`Augment`] did to the image of the same row; zeros where the images of the split are unaugmented.
    Encode {
        /// What is done.
        augment: Augment,
        /// Whether it is done in this split.
        varied: bool,
    },
}

impl Step {
    /// Numbers in a row after this step, where there were `width` before it.
    pub(super) fn width(&self, width: usize) -> usize {
        match self {
            Self::OneHot { classes } => *classes,
            Self::Encode { augment, .. } => width + augment.augmentation_width(),
            _ => width,
        }
    }

    /// The same step of an example that is not augmented; `None`: there is none.
    pub(super) fn unaugmented(&self) -> Option<Self> {
        match self {
            Self::Augment { .. } => None,
            Self::Encode { augment, .. } => Some(Self::Encode { augment: *augment, varied: false }),
            other => Some(other.clone()),
        }
    }

    /// Where a random step draws from.
    pub(super) fn stream(&self, draw: &Draw, epoch: u64) -> Option<Stream> {
        match self {
            Self::Planes { .. } | Self::OneHot { .. } | Self::Threshold(_) | Self::Present => None,
            Self::Binarize { .. } => Some(draw.stream("binarize", epoch)),
            Self::Dequantize => Some(draw.stream("dequantize", epoch)),
            // The encoding is of what was done: both take the same numbers.
            Self::Augment { .. } | Self::Encode { .. } => Some(draw.stream("augment", epoch)),
        }
    }

    /// Makes the step on the numbers from `start` on, which are those of row `row`. One number of the stream for each
    /// number of the row, whatever its value, so that a row's draws depend on nothing but its place.
    pub(super) fn apply(&self, numbers: &mut Vec<f64>, start: usize, row: usize, stream: Option<&Stream>) {
        let width = numbers.len() - start;
        let from = |words: u64| {
            let mut stream = stream.cloned().unwrap_or_else(|| Seed(0).stream("", 0));
            stream.skip(row as u64 * words);
            stream
        };
        match self {
            Self::Planes { channels } => {
                let pixels = numbers[start..].to_vec();
                let planes = (0..*channels).flat_map(|c| pixels.iter().skip(c).step_by(*channels));
                numbers[start..].iter_mut().zip(planes).for_each(|(number, &pixel)| *number = pixel);
            }
            Self::Present => {
                numbers[start..].iter_mut().for_each(|number| *number = f64::from(u8::from(!number.is_nan())));
            }
            Self::OneHot { classes } => {
                let class = numbers.get(start).map_or(usize::MAX, |&class| class as usize);
                numbers.truncate(start);
                numbers.extend((0..*classes).map(|place| f64::from(u8::from(place == class))));
            }
            Self::Threshold(least) => {
                numbers[start..].iter_mut().for_each(|number| *number = f64::from(u8::from(*number >= *least)));
            }
            Self::Binarize { scale } => {
                let uniforms = from(width as u64).uniforms(width);
                for (number, u) in numbers[start..].iter_mut().zip(uniforms) {
                    // In 32 bits, as the uniform number is: levels are exact in them.
                    *number = f64::from(u8::from(u * scale < *number as f32));
                }
            }
            Self::Dequantize => {
                let uniforms = from(width as u64).uniforms(width);
                for (number, u) in numbers[start..].iter_mut().zip(uniforms) {
                    *number = f64::from(below_next(*number as f32, u));
                }
            }
            Self::Augment { augment, shape } => {
                let variation = augment.sample(&mut from(WORDS));
                augment.vary(&mut numbers[start..], *shape, variation);
            }
            Self::Encode { augment, varied } => {
                let variation = if *varied { augment.sample(&mut from(WORDS)) } else { Variation::default() };
                augment.encode(variation, numbers);
            }
        }
    }
}

/// level + u, below level + 1 also where the sum would be rounded up to it.
fn below_next(level: f32, u: f32) -> f32 {
    (level + u).min((level + 1.0).next_down())
}

#[cfg(test)]
#[path = "transform_tests.rs"]
mod tests;
