//! Families over levels: each is a table of probabilities, and may know shorter ways to some of what the table says.

use super::real::row;
use super::{Choice, Family};
use burn::tensor::{Device, Int, Tensor};
use dgm_core::density::Categorical;
use dgm_core::random::Stream;
use std::fmt::Debug;
use std::ops::Range;

/// A distribution over levels, from rows of parameters `[n, parameters]`.
pub(super) trait Table: Debug + Send + Sync {
    fn parameters(&self) -> usize;

    /// The probabilities of all levels.
    fn categorical(&self, parameters: Tensor<2>) -> Categorical;

    /// log p(x), `[n]`.
    fn log_prob(&self, parameters: Tensor<2>, x: Tensor<1>) -> Tensor<1> {
        self.categorical(parameters).log_prob(x.int())
    }

    /// A sample of each, `[n]`.
    fn sample(&self, parameters: Tensor<2>, rng: &mut Stream) -> Tensor<1> {
        self.categorical(parameters).sample(rng).float()
    }

    /// E\[x\], `[n]`.
    fn mean(&self, parameters: Tensor<2>) -> Tensor<1> {
        self.categorical(parameters).mean()
    }

    fn is_nominal(&self) -> bool {
        false
    }
}

/// A [`Table`] as a [`Family`].
#[derive(Debug)]
pub(super) struct OfLevels<T>(pub(super) T);

/// `[batch, event, parameters]` → `[batch × event, parameters]`
pub(super) fn rows(parameters: Tensor<3>) -> Tensor<2> {
    let [batch, event, outputs] = parameters.dims();
    parameters.reshape([batch * event, outputs])
}

impl<T: Table> Family for OfLevels<T> {
    fn parameters(&self) -> usize {
        self.0.parameters()
    }

    fn log_prob(&self, parameters: Tensor<3>, x: Tensor<2>, _: Range<usize>) -> Tensor<2> {
        let [batch, event] = x.dims();
        self.0.log_prob(rows(parameters), x.reshape([batch * event])).reshape([batch, event])
    }

    fn sample(&self, parameters: Tensor<3>, _: Range<usize>, choice: &Choice, rng: &mut Stream) -> Tensor<2> {
        let [batch, event, _] = parameters.dims();
        let parameters = rows(parameters);
        let sampled = match *choice == Choice::default() {
            true => self.0.sample(parameters, rng),
            false => choice.narrowed(self.0.categorical(parameters).log_probs()).sample(rng).float(),
        };
        sampled.reshape([batch, event])
    }

    fn mean(&self, parameters: Tensor<3>) -> Tensor<2> {
        let [batch, event, _] = parameters.dims();
        self.0.mean(rows(parameters)).reshape([batch, event])
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

/// log x! of these counts, `[1, levels]`, summed up in f64.
pub(super) fn log_factorials(levels: usize, device: &Device) -> Tensor<2> {
    let log_factorial = |sum: &mut f64, x: usize| {
        *sum += (x.max(1) as f64).ln();
        Some(*sum as f32)
    };
    let all: Vec<f32> = (0..levels).scan(0.0, log_factorial).collect();
    row(&all, device)
}

/// The logarithm of the middle of the range: where the mean of a count starts.
pub(super) fn log_middle(levels: usize) -> f64 {
    ((levels as f64 - 1.0) / 2.0).ln()
}
