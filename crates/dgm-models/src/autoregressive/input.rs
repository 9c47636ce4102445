//! How the elements of a target enter an autoregressive network.

use crate::data::{DataSpec, Values};
use crate::error::ModelError;
use crate::layers::network_target;
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

/// The features that one element becomes.
///
/// The default is `OneHot` for sequences of 3 to 1024 levels with the likelihood `categorical`, such as texts; otherwise
/// `Thermometer` for 3 to 32 levels, and `Ordinal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// The value itself: a level scaled to −1 … 1, a real number standardised.
    Ordinal,
    /// The scaled level and the bits \[x > 0\], \[x > 1\], …, \[x > levels − 2\]: the order of the levels, and any function of
    /// them, is visible to a linear map.
    Thermometer,
    /// One bit per level, 1 at the value's own: levels without an order, such as the symbols of a text.
    OneHot,
}

/// Up to this many levels the bits of a thermometer are the default.
const THERMOMETER_LEVELS: usize = 32;

/// Maximum number of bits per element: they are made for every position of a batch.
const BITS: usize = 1024;

/// From a target to feature maps.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    kind: InputKind,
    spec: DataSpec,
}

impl Inputs {
    /// The inputs of this kind, or the default one; `nominal`: the likelihood knows no order of the levels.
    ///
    /// # Errors
    /// Bits of real numbers, or of more than 1024 levels.
    pub(crate) fn new(kind: Option<InputKind>, nominal: bool, spec: &DataSpec) -> Result<Self, ModelError> {
        let symbols = nominal && spec.shape[1] == 1;
        let kind = kind.unwrap_or(match spec.values {
            Values::Levels(3..=BITS) if symbols => InputKind::OneHot,
            Values::Levels(3..=THERMOMETER_LEVELS) => InputKind::Thermometer,
            _ => InputKind::Ordinal,
        });
        let bits_fit = matches!(spec.values, Values::Levels(levels) if levels <= BITS);
        let found = match kind {
            InputKind::Ordinal => "\"ordinal\"",
            InputKind::Thermometer => "\"thermometer\"",
            InputKind::OneHot => "\"one_hot\"",
        };
        let expected = "\"ordinal\" for real numbers and for more than 1024 levels";
        ModelError::check(kind == InputKind::Ordinal || bits_fit, "inputs", found, expected)?;
        Ok(Self { kind, spec: spec.clone() })
    }

    /// Feature maps that one channel of the target becomes.
    pub(crate) fn features_per_channel(&self) -> usize {
        match (self.kind, &self.spec.values) {
            (InputKind::Thermometer | InputKind::OneHot, Values::Levels(levels)) => *levels,
            _ => 1,
        }
    }

    /// Feature maps of all channels together.
    pub(crate) fn features(&self) -> usize {
        self.features_per_channel() * self.spec.shape[0]
    }

    /// The elements of one channel as feature maps: x `[n, numbers]` → `[n, features_per_channel, numbers]`.
    pub(crate) fn encode(&self, x: Tensor<2>) -> Tensor<3> {
        let [n, numbers] = x.dims();
        let bits = |count: usize| {
            let levels = Tensor::<1, Int>::arange(0..count as i64, &x.device()).float();
            let shape = [n, count, numbers];
            (x.clone().unsqueeze_dim::<3>(1).expand(shape), levels.reshape([1, count, 1]).expand(shape))
        };
        let scaled = || network_target(&self.spec, x.clone()).unsqueeze_dim::<3>(1);
        match (self.kind, &self.spec.values) {
            (InputKind::Thermometer, Values::Levels(levels)) => {
                let (x, thresholds) = bits(levels - 1);
                Tensor::cat(vec![scaled(), x.greater(thresholds).float()], 1)
            }
            (InputKind::OneHot, Values::Levels(levels)) => {
                let (x, levels) = bits(*levels);
                x.equal(levels).float()
            }
            _ => scaled(),
        }
    }

    /// The whole target as maps: x `[n, event]` → `[n, features, rows, columns]`, channel by channel.
    pub(crate) fn maps(&self, x: Tensor<2>) -> Tensor<4> {
        let [n, _] = x.dims();
        let [channels, rows, columns] = self.spec.shape;
        let pixels = rows * columns;
        let all = (0..channels).map(|channel| {
            let places = channel * pixels..(channel + 1) * pixels;
            self.encode(x.clone().slice([0..n, places]))
        });
        Tensor::cat(all.collect(), 1).reshape([n, self.features(), rows, columns])
    }
}
