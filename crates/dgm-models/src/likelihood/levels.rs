//! Families over levels: each is a table of probabilities, and may know shorter ways to some of what the table says.

use super::{Choice, Family};
use burn::tensor::Tensor;
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

/// The distribution with these log-probabilities of the counts 0, 1, …, levels − 1, but for a constant, given by a function of
/// counts `[n, levels]`.
pub(super) fn cut_off(
    rows: usize,
    levels: usize,
    parameter: &Tensor<2>,
    log_prob: impl Fn(Tensor<2>) -> Tensor<2>,
) -> Categorical {
    let counts = Tensor::<1, burn::tensor::Int>::arange(0..levels as i64, &parameter.device()).float();
    Categorical::from_logits(log_prob(counts.reshape([1, levels]).expand([rows, levels])))
}
