//! Exactness and causality of the PixelCNN.

use super::*;
use crate::autoregressive::testing::{check_causality, check_normalisation};

fn model(shape: [usize; 3], levels: usize, likelihood: LikelihoodKind) -> PixelCnn {
    let spec = DataSpec { shape, values: Values::Levels(levels), condition: None };
    let mut noise = dgm_core::random::Seed(7).stream("weights", 0);
    let config = PixelCnnConfig { channels: 8, layers: 3, likelihood, ..Default::default() };
    config.init(&spec, &mut noise, &Device::flex()).unwrap_or_else(|error| unreachable!("{error}"))
}

#[test]
fn two_pixels_of_three_values_have_nine_probabilities_that_sum_to_one() {
    for shape in [[1, 1, 2], [1, 2, 1], [2, 1, 1]] {
        for likelihood in [LikelihoodKind::Categorical, LikelihoodKind::BetaBinomial] {
            check_normalisation(&model(shape, 3, likelihood), 3);
        }
    }
    check_normalisation(&model([1, 2, 2], 2, LikelihoodKind::Bernoulli), 2);
}

#[test]
fn no_conditional_sees_its_own_or_a_later_position() {
    for (shape, levels) in [([1, 4, 5], 3), ([3, 3, 4], 4), ([2, 3, 3], 256)] {
        let model = model(shape, levels, LikelihoodKind::Categorical);
        let order = model.order();
        check_causality(shape.iter().product(), levels, &order, |x| model.conditionals(x, None));
    }
}

#[test]
fn there_is_no_blind_spot() {
    // With enough layers the last pixel's conditional changes with every earlier pixel.
    let spec = DataSpec { shape: [1, 4, 4], values: Values::Levels(3), condition: None };
    let config = PixelCnnConfig { channels: 8, layers: 5, ..Default::default() };
    let mut noise = dgm_core::random::Seed(7).stream("weights", 0);
    let model = config.init(&spec, &mut noise, &Device::flex()).unwrap_or_else(|error| unreachable!("{error}"));
    let at_last = |x: Tensor<2>| model.conditionals(x, None).slice([0..1, 15..16, 0..3]).into_data();
    let base = at_last(Tensor::zeros([1, 16], &Device::flex()));
    for pixel in 0..15 {
        let mut values = vec![0.0f32; 16];
        values[pixel] = 2.0;
        let x = Tensor::from_data(burn::tensor::TensorData::new(values, [1, 16]), &Device::flex());
        assert_ne!(at_last(x), base, "pixel {pixel} is not seen");
    }
}
