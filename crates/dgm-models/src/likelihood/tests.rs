//! How a choice narrows a distribution, against probabilities by hand.

use super::*;
use crate::testing::rounding::tolerance;

/// The probabilities of `choice` where those of the model are `p`.
fn narrowed(p: &[f32], choice: Choice) -> Vec<f32> {
    let log_probs = TensorData::new(p.iter().map(|p| p.ln()).collect::<Vec<_>>(), [1, p.len()]);
    let narrowed = choice.narrowed(Tensor::from_data(log_probs, &Device::flex()));
    narrowed.log_probs().exp().into_data().iter::<f32>().collect()
}

/// Within the rounding of logarithms of probabilities, which are divided, shifted, normalised up to three times and raised again.
fn assert_close(found: &[f32], expected: &[f32]) {
    let within = |(a, b): (&f32, &f32)| f64::from((a - b).abs()) <= tolerance(16, 1.0);
    let close = found.len() == expected.len() && found.iter().zip(expected).all(within);
    assert!(close, "found {found:?}, expected {expected:?}");
}

fn temperature(temperature: f64) -> Choice {
    Choice { temperature, ..Choice::default() }
}

fn top_k(k: usize) -> Choice {
    Choice { top_k: Some(k), ..Choice::default() }
}

fn top_p(p: f64) -> Choice {
    Choice { top_p: Some(p), ..Choice::default() }
}

#[test]
fn a_temperature_is_an_exponent() {
    let p = [0.5, 0.3, 0.2];
    assert_close(&narrowed(&p, temperature(1.0)), &p);
    // √0.5, √0.3, √0.2 over their sum 1.70204.
    assert_close(&narrowed(&p, temperature(2.0)), &[0.415_446, 0.321_803, 0.262_751]);
    // 0.25, 0.09, 0.04 over 0.38.
    assert_close(&narrowed(&p, temperature(0.5)), &[0.657_895, 0.236_842, 0.105_263]);
    assert_close(&narrowed(&p, temperature(1e-6)), &[1.0, 0.0, 0.0]);
    assert_close(&narrowed(&[1e-30, 2e-30, 1.0], temperature(1e-6)), &[0.0, 0.0, 1.0]);
}

#[test]
fn the_most_probable_levels_are_kept() {
    let p = [0.2, 0.5, 0.3];
    assert_close(&narrowed(&p, top_k(1)), &[0.0, 1.0, 0.0]);
    assert_close(&narrowed(&p, top_k(2)), &[0.0, 0.625, 0.375]);
    for k in [3, 4, 1000] {
        assert_close(&narrowed(&p, top_k(k)), &p);
    }
    // Ties at the last place.
    assert_close(&narrowed(&[0.25; 4], top_k(2)), &[0.25; 4]);
}

#[test]
fn the_fewest_levels_that_have_the_probability_are_kept() {
    let p = [0.2, 0.5, 0.3];
    for (least, expected) in [
        (0.01, [0.0, 1.0, 0.0]),
        (0.49, [0.0, 1.0, 0.0]),
        (0.51, [0.0, 0.625, 0.375]),
        (0.81, [0.2, 0.5, 0.3]),
        (1.0, [0.2, 0.5, 0.3]),
    ] {
        assert_close(&narrowed(&p, top_p(least)), &expected);
    }
    assert_close(&narrowed(&[0.25; 4], top_p(0.1)), &[0.25; 4]);
    // After k: 0.5 and 0.3 are 0.625 and 0.375 then.
    let both = Choice { top_k: Some(2), top_p: Some(0.6), ..Choice::default() };
    assert_close(&narrowed(&p, both), &[0.0, 1.0, 0.0]);
}

#[test]
fn a_mixture_is_the_mean_of_its_densities() {
    let mixture = Likelihood::Mixture { members: vec![Likelihood::Bernoulli, Likelihood::Categorical { levels: 2 }] };
    assert_eq!(mixture.parameters(), 3);
    // σ(log 3) = 3/4; softmax(0, log 9) gives 9/10 to the second.
    let parameters = Tensor::<3>::from_floats([[[3f32.ln(), 0.0, 9f32.ln()]]], &Device::flex());
    let expected = [0.175, 0.825];
    for (x, p) in expected.into_iter().enumerate() {
        let log_prob = mixture.log_prob(parameters.clone(), Tensor::from_floats([[x as f32]], &Device::flex()));
        assert_close(&log_prob.exp().into_data().iter::<f32>().collect::<Vec<_>>(), &[p]);
    }
    let table =
        mixture.log_probs(parameters.clone()).map(|table| table.exp().into_data().iter::<f32>().collect::<Vec<_>>());
    assert_close(&table.unwrap_or_default(), &expected);
    assert_close(&mixture.mean(parameters).into_data().iter::<f32>().collect::<Vec<_>>(), &[0.825]);
}
