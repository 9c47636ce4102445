//! Augmentation of training images, and its encoding as an input of the model (Jun et al. 2020, "Distribution augmentation for generative
//! modeling").

use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

use crate::check::{Invalid, require};

/// Augmentation of training images; validation and test images are not augmented.
///
/// An image is mirrored, rotated and then shifted. All orientations and all offsets are equally probable, the identity included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Maximum shift in pixels, up, down, left and right; 0 comes in from outside. Default: 0.
    pub shift: usize,
    /// Reflections and rotations. Default: none.
    pub orientation: Orientation,
    /// Probability that an image is not augmented. Default: 0.
    pub unvaried: f64,
    /// Whether the augmentation of each image is an input of the model, as a part of its condition; validation and test
    /// have that of no augmentation. Default: no.
    ///
    /// Without it a model learns one density of all augmented images together, which spreads its probability over images
    /// that are not in the data. With it the model learns p(x | augmentation), and given none that is the density
    /// of the unaugmented images: an ordinary likelihood.
    pub condition: bool,
}

/// The group of reflections and rotations, all of whose elements are equally probable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Orientation {
    /// The identity alone.
    #[default]
    None,
    /// Mirrored left to right, or not: 2 elements.
    Horizontal,
    /// Rotated by 0, 90, 180 or 270°: 4 elements, square images only.
    Rotations,
    /// All symmetries of a square: 8 elements, square images only.
    Dihedral,
}

impl Orientation {
    /// Number of elements.
    pub(super) fn elements(self) -> usize {
        match self {
            Self::None => 1,
            Self::Horizontal => 2,
            Self::Rotations => 4,
            Self::Dihedral => 8,
        }
    }

    /// Whether height and width change places in some of them.
    pub(super) fn needs_square(self) -> bool {
        matches!(self, Self::Rotations | Self::Dihedral)
    }

    /// Whether element `index` mirrors left to right, and by how many quarter turns (counter-clockwise) it turns after that.
    fn element(self, index: usize) -> (bool, usize) {
        match self {
            Self::None | Self::Horizontal => (index == 1, 0),
            Self::Rotations | Self::Dihedral => (index / 4 == 1, index % 4),
        }
    }
}

/// What is done to one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Variation {
    /// Pixels down and to the right.
    pub(super) by: [isize; 2],
    /// Element of the [`Orientation`]; 0 is the identity.
    pub(super) element: usize,
}

/// Words of the stream that one image's variation takes, whatever is done.
pub(super) const WORDS: u64 = 4;

impl Augment {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// `target`: whether the images are the target, `used`: whether they are used at all.
    pub(super) fn validate(&self, target: bool, used: bool) -> Result<(), Invalid> {
        require(self.shift <= 1024, "augment.shift", "a whole number from 0 to 1024")?;
        let what = "left out: images are neither data.target nor data.condition";
        require(self.is_none() || used, "augment", what)?;
        let nothing = self.shift == 0 && self.orientation == Orientation::None;
        let share = "a number of at least 0 and below 1, and 0 beside neither shift nor orientation";
        let valid = (0.0..1.0).contains(&self.unvaried) && (self.unvaried == 0.0 || !nothing);
        require(valid, "augment.unvaried", share)?;
        let what = "false: the images are the condition, and only the augmentation of a target can be an input";
        require(!self.condition || target, "augment.condition", what)?;
        require(
            !self.condition || !nothing,
            "augment.condition",
            "false where neither shift nor orientation varies anything",
        )
    }

    /// What is done, in words.
    pub(super) fn sentence(&self) -> String {
        let mut changes = Vec::new();
        match self.shift {
            0 => {}
            1 => changes.push("shifted by up to 1 pixel".to_owned()),
            shift => changes.push(format!("shifted by up to {shift} pixels")),
        }
        match self.orientation {
            Orientation::None => {}
            Orientation::Horizontal => changes.push("mirrored left to right".into()),
            Orientation::Rotations => changes.push("turned by quarter turns".into()),
            Orientation::Dihedral => changes.push("turned by quarter turns or mirrored".into()),
        }
        let changes = changes.join(" and ");
        let share = match self.unvaried {
            0.0 => String::new(),
            share => format!(" (left as they are with probability {share})"),
        };
        let input = match self.condition {
            false => "",
            true => "; the augmentation is an input of the model: results are for unaugmented images",
        };
        format!("training images {changes} at random{share}; validation and test are not{input}")
    }

    /// The variation that the next [`WORDS`] words of the stream stand for.
    pub(super) fn sample(&self, rng: &mut Stream) -> Variation {
        let offsets = (2 * self.shift + 1) as f32;
        let mut offset = || (rng.uniform() * offsets) as isize - self.shift as isize;
        let by = [offset(), offset()];
        let element = (rng.uniform() * self.orientation.elements() as f32) as usize;
        // Compared in f64: every word below the share, also where f32 would round it.
        if f64::from(rng.uniform()) < self.unvaried { Variation::default() } else { Variation { by, element } }
    }

    /// Numbers that encode an augmentation: the offset down, the offset to the right and the orientation in one-hot form, each
    /// without the place of no change; 0 where it is not an input.
    pub(super) fn augmentation_width(&self) -> usize {
        if self.condition { 4 * self.shift + self.orientation.elements() - 1 } else { 0 }
    }

    /// Appends the encoding of this variation: all zeros for the identity.
    pub(super) fn encode(&self, variation: Variation, numbers: &mut Vec<f64>) {
        let start = numbers.len();
        numbers.resize(start + self.augmentation_width(), 0.0);
        let Variation { by: [down, right], element } = variation;
        // −s … −1 and 1 … s are places 0 … 2s − 1.
        let of = |offset: isize| {
            let place = (offset + self.shift as isize) as usize;
            if offset > 0 { place - 1 } else { place }
        };
        let places = [
            (down != 0).then(|| of(down)),
            (right != 0).then(|| 2 * self.shift + of(right)),
            (element != 0).then(|| 4 * self.shift + element - 1),
        ];
        for place in places.into_iter().flatten() {
            if let Some(number) = numbers.get_mut(start + place) {
                *number = 1.0;
            }
        }
    }

    /// Varies an image of `[channels, height, width]`, square where the orientation needs it: mirrors, turns and then moves
    /// it; 0 comes in.
    pub(super) fn vary(&self, image: &mut [f64], [_, height, width]: [usize; 3], variation: Variation) {
        if variation == Variation::default() {
            return;
        }
        let Variation { by: [down, right], element } = variation;
        let (mirrored, turns) = self.orientation.element(element);
        let old = image.to_vec();
        for (plane, old) in image.chunks_exact_mut(height * width).zip(old.chunks_exact(height * width)) {
            for (place, number) in plane.iter_mut().enumerate() {
                // From the place of a pixel back to where it comes from.
                let y = (place / width).checked_add_signed(-down).filter(|&y| y < height);
                let x = (place % width).checked_add_signed(-right).filter(|&x| x < width);
                let source = y.zip(x).map(|place| {
                    let (y, x) = (0..turns).fold(place, |(y, x), _| (x, height - 1 - y));
                    y * width + if mirrored { width - 1 - x } else { x }
                });
                *number = source.and_then(|source| old.get(source).copied()).unwrap_or(0.0);
            }
        }
    }
}

#[cfg(test)]
#[path = "augment_tests.rs"]
mod tests;
