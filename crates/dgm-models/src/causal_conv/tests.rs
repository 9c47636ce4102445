//! Exactness and causality of the causal convolutions.

use super::*;
use crate::autoregressive::testing::{check_causality, check_normalisation};
use crate::data::Values;

fn model(shape: [usize; 3], levels: usize, config: CausalConvConfig) -> CausalConv {
    let spec = DataSpec { shape, values: Values::Levels(levels), condition: None };
    let mut noise = dgm_core::random::Seed(7).stream("weights", 0);
    config.init(&spec, &mut noise, &Device::flex()).unwrap_or_else(|error| unreachable!("{error}"))
}

#[test]
fn two_pixels_of_three_values_have_nine_probabilities_that_sum_to_one() {
    for likelihood in [LikelihoodKind::Categorical, LikelihoodKind::BetaBinomial] {
        let config = CausalConvConfig { channels: 8, likelihood, ..Default::default() };
        check_normalisation(&model([1, 1, 2], 3, config), 3);
    }
}

#[test]
fn no_conditional_sees_its_own_or_a_later_position() {
    let config = CausalConvConfig { channels: 8, layers: 3, kernel: 3, dilation_base: 2, ..Default::default() };
    let model = model([2, 3, 4], 5, config);
    check_causality(24, 5, &(0..24).collect::<Vec<_>>(), |x| model.conditionals(x, None));
}
