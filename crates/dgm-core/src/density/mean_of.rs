//! The mean of several densities: what an ensemble of models says.

use super::{Distribution, Support, invert};
use crate::random::Stream;
use crate::special::log_sum_exp;
use burn::tensor::{Int, Tensor, TensorData};

/// p(x) = (1/K) Σₖ pₖ(x), variable by variable.
#[derive(Debug)]
pub struct MeanOf<const D: usize> {
    members: Vec<Box<dyn Distribution<D>>>,
}

impl<const D: usize> MeanOf<D> {
    /// Of these densities, of variables of one shape.
    ///
    /// # Panics
    /// Without a density, or if some are of levels and others of real numbers.
    pub fn new(members: Vec<Box<dyn Distribution<D>>>) -> Self {
        assert!(!members.is_empty(), "MeanOf: no density, need 1 or more");
        let first = members[0].support().is_discrete();
        let alike = members.iter().all(|member| member.support().is_discrete() == first);
        assert!(alike, "MeanOf: probabilities of levels and densities of real numbers, need one or the other");
        Self { members }
    }

    fn average(&self, each: impl Fn(&dyn Distribution<D>) -> Option<Tensor<D>>) -> Option<Tensor<D>> {
        let all: Vec<_> = self.members.iter().map(|member| each(member.as_ref())).collect::<Option<_>>()?;
        let share = 1.0 / all.len() as f64;
        all.into_iter().map(|one| one.mul_scalar(share)).reduce(|sum, one| sum + one)
    }
}

impl<const D: usize> Distribution<D> for MeanOf<D> {
    fn support(&self) -> Support {
        self.members[0].support()
    }

    /// log (1/K) Σₖ exp(log pₖ(x)).
    fn log_prob(&self, x: Tensor<D>) -> Tensor<D> {
        let (shape, numbers) = (x.dims(), x.shape().num_elements());
        let columns = self.members.iter().map(|member| member.log_prob(x.clone()).reshape([numbers, 1]));
        let all = Tensor::cat(columns.collect(), 1);
        log_sum_exp(all).sub_scalar((self.members.len() as f64).ln()).reshape(shape)
    }

    /// A sample of a member that is drawn for each variable.
    fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        let first = self.members[0].sample(rng);
        let (shape, members) = (first.dims(), self.members.len() as u32);
        let chosen = (0..shape.iter().product()).map(|_| rng.below(members) as i32).collect::<Vec<_>>();
        let chosen = Tensor::<D, Int>::from_data(TensorData::new(chosen, shape), &first.device());
        let others = self.members.iter().enumerate().skip(1);
        others.fold(first, |all, (k, member)| all.mask_where(chosen.clone().equal_elem(k as i64), member.sample(rng)))
    }

    fn mean(&self) -> Tensor<D> {
        let share = 1.0 / self.members.len() as f64;
        let others = self.members.iter().skip(1);
        others.fold(self.members[0].mean().mul_scalar(share), |sum, member| sum + member.mean().mul_scalar(share))
    }

    /// (1/K) Σₖ (Varₖ + (μₖ − μ)²).
    fn variance(&self) -> Option<Tensor<D>> {
        let mean = self.mean();
        self.average(|member| Some(member.variance()? + (member.mean() - mean.clone()).square()))
    }

    fn cdf(&self, x: Tensor<D>) -> Option<Tensor<D>> {
        self.average(|member| member.cdf(x.clone()))
    }

    /// By bisection between the members' quantiles.
    fn quantile(&self, p: Tensor<D>) -> Option<Tensor<D>> {
        let quantiles: Vec<_> = self.members.iter().map(|member| member.quantile(p.clone())).collect::<Option<_>>()?;
        let bracket = quantiles
            .into_iter()
            .map(|one| [one.clone(), one])
            .reduce(|[low, high], [one, other]| [low.min_pair(one), high.max_pair(other)])?;
        let of_levels = self.support().is_discrete();
        // Where the bracket has both ends in one place that is it, and the function is asked all the same: it is there.
        self.cdf(bracket[0].clone())?;
        Some(invert::quantile(&p, bracket, of_levels, |x| self.cdf(x.clone()).unwrap_or(x)))
    }
}
