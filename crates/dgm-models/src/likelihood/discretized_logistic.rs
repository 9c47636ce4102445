//! A mixture of discretised logistics over ordinal levels: three outputs per component, weight logit, mean, log-scale.

use super::levels::{Table, likelihood, of_components};
use super::real::row;
use super::{Components, Likelihood};
use crate::data::DataSpec;
use burn::tensor::Tensor;
use dgm_core::density::{Categorical, DiscretizedLogisticMixture, Distribution};

pub(super) fn build(&Components { components }: &Components, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(spec, |levels| DiscretizedLogistic { levels, components })
}

#[derive(Debug)]
struct DiscretizedLogistic {
    levels: usize,
    components: usize,
}

impl DiscretizedLogistic {
    /// Outputs of 0 are means spread evenly over the range, and narrow scales: components that all start alike would take long to
    /// part.
    fn mixture(&self, parameters: Tensor<2>) -> DiscretizedLogisticMixture {
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
        self.mixture(parameters).to_categorical()
    }

    fn density(&self, parameters: Tensor<2>) -> Box<dyn Distribution<1>> {
        Box::new(self.mixture(parameters))
    }
}
