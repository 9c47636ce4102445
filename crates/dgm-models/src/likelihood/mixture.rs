//! The mean of several densities: p(x) = (1/K) Σ_k p_k(x), dimension by dimension.

use super::levels::rows;
use super::{Choice, Family, Likelihood};
use burn::tensor::{Tensor, TensorData};
use dgm_core::density::Categorical;
use dgm_core::estimate;
use dgm_core::random::Stream;
use std::ops::Range;

/// Densities, one at least, all of levels or all of real numbers.
#[derive(Debug)]
pub(super) struct Mixture {
    pub(super) members: Vec<Likelihood>,
}

impl Mixture {
    /// What `f` gives for each density and its outputs.
    fn each<T>(&self, parameters: &Tensor<3>, mut f: impl FnMut(&Likelihood, Tensor<3>) -> T) -> Vec<T> {
        let [batch, event, _] = parameters.dims();
        let mut start = 0;
        let next = |one: &Likelihood| {
            let end = start + one.parameters();
            let part = parameters.clone().slice([0..batch, 0..event, start..end]);
            start = end;
            f(one, part)
        };
        self.members.iter().map(next).collect()
    }
}

impl Family for Mixture {
    fn parameters(&self) -> usize {
        self.members.iter().map(Likelihood::parameters).sum()
    }

    fn log_prob(&self, parameters: Tensor<3>, x: Tensor<2>, dimensions: Range<usize>) -> Tensor<2> {
        log_mean_exp(
            self.each(&parameters, |one, parameters| one.log_prob_at(parameters, x.clone(), dimensions.clone())),
        )
    }

    fn sample(&self, parameters: Tensor<3>, dimensions: Range<usize>, choice: &Choice, rng: &mut Stream) -> Tensor<2> {
        let [batch, event, _] = parameters.dims();
        if let Some(table) = self.log_probs(parameters.clone()) {
            let whole = Categorical::from_logits(rows(table));
            let chosen = if *choice == Choice::default() { whole } else { choice.narrowed(whole.log_probs()) };
            return chosen.sample(rng).float().reshape([batch, event]);
        }
        // A member of the mixture for each number, all equally probable, and its sample.
        let of: Vec<f32> = (0..batch * event).map(|_| rng.below(self.members.len() as u32) as f32).collect();
        let of = Tensor::<2>::from_data(TensorData::new(of, [batch, event]), &parameters.device());
        let sampled =
            self.each(&parameters, |one, parameters| one.sample_at(parameters, dimensions.clone(), choice, rng));
        let pick = |all: Tensor<2>, (k, sampled)| all.mask_where(of.clone().equal_elem(k as f64), sampled);
        sampled.into_iter().enumerate().fold(of.zeros_like(), pick)
    }

    fn mean(&self, parameters: Tensor<3>) -> Tensor<2> {
        let means = self.each(&parameters, |one, parameters| one.mean(parameters).unsqueeze_dim(2));
        Tensor::<3>::cat(means, 2).mean_dim(2).squeeze_dim(2)
    }

    fn log_probs(&self, parameters: Tensor<3>) -> Option<Tensor<3>> {
        let tables: Option<_> =
            self.each(&parameters, |one, parameters| one.log_probs(parameters)).into_iter().collect();
        tables.map(log_mean_exp)
    }

    fn is_nominal(&self) -> bool {
        self.members.iter().any(Likelihood::is_nominal)
    }
}

/// log (1/K) Σ_k exp a_k of each place of K tensors of one shape.
pub(crate) fn log_mean_exp<const D: usize>(all: Vec<Tensor<D>>) -> Tensor<D> {
    let shape = all.first().map_or([0; D], |one| one.dims());
    let places = shape.iter().product();
    let columns = all.into_iter().map(|one| one.reshape([places, 1])).collect();
    estimate::log_mean_exp(Tensor::cat(columns, 1)).reshape(shape)
}
