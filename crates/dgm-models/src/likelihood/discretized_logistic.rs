//! A mixture of discretised logistics over ordinal levels: three outputs a component, weight logit, mean, log-scale.

use super::Likelihood;
use super::levels::{OfLevels, Table, of_components};
use super::real::row;
use crate::data::{DataSpec, Values};
use burn::tensor::Tensor;
use dgm_core::density::{Categorical, DiscretizedLogisticMixture};
use dgm_core::random::Stream;

pub(super) const MIXES: bool = true;

pub(super) fn build(components: usize, spec: &DataSpec) -> Option<Likelihood> {
    let Values::Levels(levels) = spec.values else { return None };
    Some(Likelihood::new(OfLevels(DiscretizedLogistic { levels, components })))
}

#[derive(Debug)]
struct DiscretizedLogistic {
    levels: usize,
    components: usize,
}

impl DiscretizedLogistic {
    /// Outputs of 0 are means spread evenly over the range, and narrow scales: components that all start alike would take long to
    /// part.
    fn density(&self, parameters: Tensor<2>) -> DiscretizedLogisticMixture {
        let components = self.components;
        let [weights, mean, log_scale] = of_components(parameters, components);
        let centres: Vec<f32> = (0..components).map(|m| (2 * m + 1) as f32 / components as f32 - 1.0).collect();
        let mean = mean.clone() + row(&centres, &mean.device());
        let log_scale = log_scale.sub_scalar((components as f64).ln() + 1.0);
        DiscretizedLogisticMixture::new(weights, mean, log_scale, self.levels)
    }
}

impl Table for DiscretizedLogistic {
    fn parameters(&self) -> usize {
        3 * self.components
    }

    fn categorical(&self, parameters: Tensor<2>) -> Categorical {
        self.density(parameters).to_categorical()
    }

    fn log_prob(&self, parameters: Tensor<2>, x: Tensor<1>) -> Tensor<1> {
        self.density(parameters).log_prob(x)
    }

    fn sample(&self, parameters: Tensor<2>, rng: &mut Stream) -> Tensor<1> {
        self.density(parameters).sample(rng)
    }
}
