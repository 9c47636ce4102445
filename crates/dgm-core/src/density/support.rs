//! Where a density lives, and the check of targets against it.

use burn::tensor::{Int, Tensor};

/// The values that a density gives probability to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// 0 and 1.
    Binary,
    /// Whole numbers 0 ..= levels − 1.
    Levels(usize),
    /// Whole numbers from 0 on.
    Counts,
    /// Numbers from 0 to 1.
    UnitInterval,
    /// Finite numbers.
    Real,
}

/// A target outside the support of its density.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("target number {index} is {value}, expected {support}")]
pub struct OutOfSupport {
    /// Its place in the tensor, row by row.
    pub index: usize,
    /// Its value.
    pub value: f64,
    /// Where it should be.
    pub support: Support,
}

impl std::fmt::Display for Support {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Binary => write!(f, "0 or 1"),
            Self::Levels(levels) => write!(f, "a whole number from 0 to {}", levels.saturating_sub(1)),
            Self::Counts => write!(f, "a whole number from 0 on"),
            Self::UnitInterval => write!(f, "a number from 0 to 1"),
            Self::Real => write!(f, "a finite number"),
        }
    }
}

impl Support {
    /// Whether the values have probabilities, and not a density.
    pub fn is_discrete(self) -> bool {
        matches!(self, Self::Binary | Self::Levels(_) | Self::Counts)
    }

    /// Whether `value` belongs to it.
    pub fn contains(&self, value: f64) -> bool {
        let whole = value >= 0.0 && value.fract() == 0.0;
        match *self {
            Self::Binary => value == 0.0 || value == 1.0,
            Self::Levels(levels) => whole && value < levels as f64,
            Self::Counts => whole && value.is_finite(),
            Self::UnitInterval => (0.0..=1.0).contains(&value),
            Self::Real => value.is_finite(),
        }
    }

    /// Checks all of `x`.
    ///
    /// `log_prob` does not: it would have to wait for the device at every step. Check data once, where they come in.
    ///
    /// # Errors
    /// The first value outside, with its place.
    ///
    /// ```
    /// # use burn::tensor::{Device, Tensor};
    /// # use dgm_core::density::Support;
    /// let x = Tensor::<2>::from_floats([[0.0, 255.0], [3.0, 256.0]], &Device::flex());
    /// let error = Support::Levels(256).check(x).unwrap_err();
    /// assert_eq!(error.to_string(), "target number 3 is 256, expected a whole number from 0 to 255");
    /// ```
    pub fn check<const D: usize>(&self, x: Tensor<D>) -> Result<(), OutOfSupport> {
        self.check_values(x.into_data().iter::<f64>())
    }

    /// [`check`](Self::check) for classes.
    ///
    /// # Errors
    /// The first value outside, with its place.
    pub fn check_int<const D: usize>(&self, x: Tensor<D, Int>) -> Result<(), OutOfSupport> {
        self.check_values(x.into_data().iter::<f64>())
    }

    fn check_values(&self, mut values: impl Iterator<Item = f64>) -> Result<(), OutOfSupport> {
        let mut index = 0;
        let outside = values.find(|&value| {
            index += 1;
            !self.contains(value)
        });
        match outside {
            Some(value) => Err(OutOfSupport { index: index - 1, value, support: *self }),
            None => Ok(()),
        }
    }
}
