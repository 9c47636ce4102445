//! Families over levels: each has a table of probabilities, and may know shorter ways to some of what the table says.

use super::choice::SamplingParams;
use super::shaped::{Shaped, rows};
use super::{Family, Likelihood};
use crate::data::{DataSpec, Values};
use burn::tensor::{Device, Int, Tensor};
use dgm_core::density::{Categorical, Distribution};
use std::fmt::Debug;
use std::ops::Range;

/// A distribution over levels, from rows of parameters `[n, parameters]`.
pub(super) trait Table: Debug + Send + Sync {
    /// Outputs of a network for one number.
    fn parameters(&self) -> usize;

    /// The probabilities of all levels.
    fn categorical(&self, parameters: Tensor<2>) -> Categorical;

    /// The same distribution, where it has shorter ways than by the table.
    fn density(&self, parameters: Tensor<2>) -> Box<dyn Distribution<1>> {
        Box::new(self.categorical(parameters))
    }

    fn is_nominal(&self) -> bool {
        false
    }
}

/// A [`Table`] as a [`Family`].
#[derive(Debug)]
struct OfLevels<T>(T);

/// The likelihood of a table for so many levels; `None`: the data are real numbers.
pub(super) fn likelihood<T: Table + 'static>(spec: &DataSpec, table: impl FnOnce(usize) -> T) -> Option<Likelihood> {
    let Values::Levels(levels) = spec.values else { return None };
    Some(Likelihood::new(OfLevels(table(levels))))
}

impl<T: Table> Family for OfLevels<T> {
    fn parameters(&self) -> usize {
        self.0.parameters()
    }

    fn distribution(&self, parameters: Tensor<3>, _: Range<usize>, temperature: f64) -> Box<dyn Distribution<2>> {
        if temperature == 1.0 {
            return Shaped::boxed(parameters, |rows| self.0.density(rows));
        }
        let choice = SamplingParams { temperature, ..SamplingParams::default() };
        Shaped::boxed(parameters, |rows| choice.narrowed(self.0.categorical(rows).log_probs()))
    }

    fn log_probs(&self, parameters: Tensor<3>) -> Option<Tensor<3>> {
        let [batch, event, _] = parameters.dims();
        let table = self.0.categorical(rows(parameters)).log_probs();
        let [_, levels] = table.dims();
        Some(table.reshape([batch, event, levels]))
    }

    fn is_nominal(&self) -> bool {
        self.0.is_nominal()
    }
}

/// The parameters of each kind of each component: `[n, 3 × components]` → three times `[n, components]`.
pub(super) fn of_components(parameters: Tensor<2>, components: usize) -> [Tensor<2>; 3] {
    let [rows, _] = parameters.dims();
    [0, 1, 2].map(|i| parameters.clone().slice([0..rows, i * components..(i + 1) * components]))
}

/// The counts 0, 1, …, levels − 1, `[1, levels]`.
pub(super) fn counts(levels: usize, device: &Device) -> Tensor<2> {
    Tensor::<1, Int>::arange(0..levels as i64, device).float().reshape([1, levels])
}

/// The logarithm of the middle of the range: where the mean of a count starts.
pub(super) fn log_middle(levels: usize) -> f64 {
    ((levels as f64 - 1.0) / 2.0).ln()
}
