//! Densities, built from what a network emits; `log_prob` is elementwise (one number for each random variable), in nats.
//!
//! | values | densities |
//! | --- | --- |
//! | 0 and 1 | [`Bernoulli`] |
//! | classes | [`Categorical`], [`AdaptiveCategorical`] for large vocabularies |
//! | ordinal levels | [`DiscretizedLogistic`], [`DiscretizedLogisticMixture`], [`BetaBinomialMixture`] |
//! | counts | [`Poisson`], [`NegativeBinomial`] |
//! | \[0, 1\] | [`ContinuousBernoulli`] |
//! | real numbers | [`Normal`], [`Laplace`], [`StudentT`], [`NormalMixture`] |
//! | rows that depend within | [`MultivariateNormal`], on a sphere [`VonMisesFisher`] |
//!
//! Logarithms of scales, rates and counts are tested to ±30; beyond ±88 their exponentials leave f32, and NaN may come back.
//!
//! `sample` takes random numbers from a named [`Stream`], differentiably where it says so; `variance`, `entropy`, `cdf` and `quantile` are
//! there where they have closed forms, or can be computed to the precision of one. [`Distribution`] is what they have in common; [`MeanOf`] and [`Affine`] are made of any of them. `log_prob`
//! trusts its targets: [`Support::check`] is what looks at them.
//!
//! A density is one file with one line `distribution!(…)` and its name below. [`AdaptiveCategorical`] is none: its `log_prob` reads the
//! classes on the host and can fail.

mod adaptive_categorical;
mod affine;
mod bernoulli;
mod beta_binomial;
mod categorical;
mod continuous_bernoulli;
mod discretized_logistic;
mod discretized_logistic_mixture;
mod distribution;
mod invert;
mod laplace;
mod mean_of;
mod multivariate_normal;
mod negative_binomial;
mod normal;
mod normal_mixture;
mod poisson;
mod student_t;
mod support;
mod von_mises_fisher;

use crate::host;
use crate::random::Stream;
use crate::shape::assert_one_shape;
use burn::tensor::{Int, Tensor, TensorData};
use distribution::distribution;

pub use adaptive_categorical::{AdaptiveCategorical, AdaptiveTail};
pub use affine::Affine;
pub use bernoulli::Bernoulli;
pub use beta_binomial::BetaBinomialMixture;
pub use categorical::Categorical;
pub use continuous_bernoulli::ContinuousBernoulli;
pub use discretized_logistic::DiscretizedLogistic;
pub use discretized_logistic_mixture::DiscretizedLogisticMixture;
pub use distribution::Distribution;
pub use laplace::Laplace;
pub use mean_of::MeanOf;
pub use multivariate_normal::MultivariateNormal;
pub use negative_binomial::NegativeBinomial;
pub use normal::Normal;
pub use normal_mixture::NormalMixture;
pub use poisson::Poisson;
pub use student_t::StudentT;
pub use support::{OutOfSupport, Support};
pub use von_mises_fisher::VonMisesFisher;

/// The entry of each row that `column` names: `[n, m]` and `[n]` → `[n]`.
fn pick(all: Tensor<2>, column: &Tensor<1, Int>) -> Tensor<1> {
    all.gather(1, column.clone().unsqueeze_dim(1)).squeeze_dim(1)
}

/// One sample of each variable on the host, where rejection samplers need loops.
fn sample_on_host<const D: usize, const N: usize>(
    parameters: [&Tensor<D>; N],
    rng: &mut Stream,
    sample: impl Fn([f64; N], &mut Stream) -> f64,
) -> Tensor<D> {
    on_host(parameters, |numbers| sample(numbers, rng))
}

/// f of the numbers of each variable, computed on the host in f64.
fn on_host<const D: usize, const N: usize>(tensors: [&Tensor<D>; N], mut f: impl FnMut([f64; N]) -> f64) -> Tensor<D> {
    let (shape, device) = (tensors[0].dims(), tensors[0].device());
    let columns = tensors.map(|tensor| host(tensor.clone()));
    let values: Vec<f32> =
        (0..columns[0].len()).map(|i| f(std::array::from_fn(|column| columns[column][i])) as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), &device)
}
