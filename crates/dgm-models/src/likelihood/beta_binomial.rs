//! A mixture of beta-binomials over ordinal levels: three outputs a component, weight logit, log α, log β.

use super::Likelihood;
use super::levels::{OfLevels, Table, of_components};
use crate::data::{DataSpec, Values};
use burn::tensor::Tensor;
use dgm_core::density::{BetaBinomialMixture, Categorical};

pub(super) const MIXES: bool = true;

pub(super) fn build(components: usize, spec: &DataSpec) -> Option<Likelihood> {
    let Values::Levels(levels) = spec.values else { return None };
    Some(Likelihood::new(OfLevels(BetaBinomial { levels, components })))
}

#[derive(Debug)]
struct BetaBinomial {
    levels: usize,
    components: usize,
}

impl BetaBinomial {
    fn density(&self, parameters: Tensor<2>) -> BetaBinomialMixture {
        let [weights, log_alpha, log_beta] = of_components(parameters, self.components);
        BetaBinomialMixture::new(weights, log_alpha, log_beta, self.levels)
    }
}

impl Table for BetaBinomial {
    fn parameters(&self) -> usize {
        3 * self.components
    }

    fn categorical(&self, parameters: Tensor<2>) -> Categorical {
        self.density(parameters).to_categorical()
    }

    fn log_prob(&self, parameters: Tensor<2>, x: Tensor<1>) -> Tensor<1> {
        self.density(parameters).log_prob(x)
    }
}
