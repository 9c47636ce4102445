//! A mixture of beta-binomials over ordinal levels: three outputs per component, weight logit, log α, log β.

use super::levels::{Table, likelihood, of_components};
use super::{Components, Likelihood};
use crate::data::DataSpec;
use burn::tensor::Tensor;
use dgm_core::density::{BetaBinomialMixture, Categorical, Distribution};

pub(super) fn build(&Components { components }: &Components, spec: &DataSpec) -> Option<Likelihood> {
    likelihood(spec, |levels| BetaBinomial { levels, components })
}

#[derive(Debug)]
struct BetaBinomial {
    levels: usize,
    components: usize,
}

impl BetaBinomial {
    fn mixture(&self, parameters: Tensor<2>) -> BetaBinomialMixture {
        let [weights, log_alpha, log_beta] = of_components(parameters, self.components);
        BetaBinomialMixture::new(weights, log_alpha, log_beta, self.levels)
    }
}

impl Table for BetaBinomial {
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
