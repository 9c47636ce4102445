//! Factors of uncertainty and thresholds of levels, against closed forms.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::data::Scale;
use burn::tensor::{Device, TensorData};
use dgm_core::host;
use dgm_core::random::Seed;

fn spec(values: Values) -> DataSpec {
    DataSpec { shape: [1, 1, 1], values, condition: None }
}

fn outputs(rows: &[&[f32]]) -> Tensor<3> {
    let values: Vec<f32> = rows.iter().flat_map(|row| row.iter().copied()).collect();
    let width = values.len() / rows.len();
    Tensor::from_data(TensorData::new(values, [rows.len(), 1, width]), &Device::flex())
}

#[test]
fn levels_in_an_order_are_cut_at_thresholds() {
    let likelihood = LikelihoodConfig::Ordinal(Plain {}).build(&spec(Values::Levels(4))).unwrap();
    assert_eq!((likelihood.parameters(), likelihood.is_nominal()), (3, false));
    for row in [[0.3f32, 0.5, -0.7], [0.0, 0.0, 0.0], [-8.0, 3.0, 12.0], [40.0, -30.0, 5.0]] {
        let sigma = |x: f64| 1.0 / (1.0 + (-x).exp());
        let softplus = |x: f32| f64::from(x).exp().ln_1p();
        let first = f64::from(row[0]) - 2f64.ln();
        let cuts = [first, first + softplus(row[1]), first + softplus(row[1]) + softplus(row[2])].map(sigma);
        let expected = [cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1], 1.0 - cuts[2]];
        let found = host(likelihood.log_probs(outputs(&[&row])).unwrap());
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.is_finite() && (found.exp() - expected).abs() < 1e-6, "{row:?}: {found} {expected}");
        }
    }
    // Two levels are a logit, the probability of the first.
    let likelihood = LikelihoodConfig::Ordinal(Plain {}).build(&spec(Values::Levels(2))).unwrap();
    let found = host(likelihood.log_probs(outputs(&[&[0.4]])).unwrap());
    assert!((found[0] + (-0.4f64).exp().ln_1p()).abs() < 1e-6, "{found:?}");
}

#[test]
fn a_factor_is_the_temperature_of_levels_and_the_scale_of_numbers() {
    let levels = LikelihoodConfig::CATEGORICAL.build(&spec(Values::Levels(3))).unwrap();
    let logits = outputs(&[&[0.2, -1.0, 0.9]]);
    let found = host(levels.calibrated(2.0).log_probs(logits.clone()).unwrap());
    let halves = [0.1f64, -0.5, 0.45];
    let sum = halves.map(f64::exp).iter().sum::<f64>().ln();
    found.iter().zip(halves).for_each(|(found, half)| assert!((found - (half - sum)).abs() < 1e-6));
    let one = Tensor::<2>::ones([1, 1], &Device::flex());
    let by_distribution = host(levels.calibrated(2.0).log_prob(logits, one));
    assert!((by_distribution[0] - found[1]).abs() < 1e-6);

    // In the units of the data, 3 of which are one of the batch; mean ½, standard deviation e^0.4 times 1.5.
    let scale = Scale { mean: vec![7.0], std: vec![3.0], ..Scale::default() };
    let numbers = LikelihoodConfig::NORMAL.build(&spec(Values::Real(scale))).unwrap().calibrated(1.5);
    let y = Tensor::<2>::from_floats([[1.2]], &Device::flex());
    let found = host(numbers.log_prob(outputs(&[&[0.5, 0.8]]), y))[0];
    let std = 1.5 * 0.4f64.exp();
    let expected = -0.5 * (0.7 / std).powi(2) - (std * 3.0).ln() - 0.5 * std::f64::consts::TAU.ln();
    assert!((found - expected).abs() < 1e-5, "{found} {expected}");
}

#[test]
fn the_factor_that_fits_is_found() {
    // Standard deviations said to be 1 that are 2.
    let n = 4000;
    let numbers = LikelihoodConfig::NORMAL.build(&spec(Values::Real(Scale::identity(1)))).unwrap();
    let normals: Vec<f32> = Seed(1).stream("noise", 0).normals(n).into_iter().map(|z| 0.3 + 2.0 * z).collect();
    let std = (normals.iter().map(|y| f64::from(y - 0.3).powi(2)).sum::<f64>() / n as f64).sqrt();
    let y = Tensor::from_data(TensorData::new(normals, [n, 1]), &Device::flex());
    let parameters = Tensor::<3>::from_floats([[[0.3, 0.0]]], &Device::flex()).expand([n, 1, 2]);
    // Of a normal distribution the best factor is the standard deviation itself.
    let factor = numbers.fit_calibration(&[(parameters, y)]);
    assert!((factor / std - 1.0).abs() < 1e-3, "{factor} {std}");

    // A classifier that is right in three of four cases and says 98 %: 0.75 is σ(ln 3), and 4 / ln 3 the temperature.
    let labels = LikelihoodConfig::CATEGORICAL.build(&spec(Values::Levels(2))).unwrap();
    let y = Tensor::<2>::from_floats([[0.0], [0.0], [0.0], [1.0]], &Device::flex()).repeat_dim(0, n);
    let logits = Tensor::<3>::from_floats([[[4.0, 0.0]]], &Device::flex()).expand([4 * n, 1, 2]);
    let factor = labels.fit_calibration(&[(logits, y)]);
    assert!((factor * 3f64.ln() / 4.0 - 1.0).abs() < 2e-3, "{factor}");
    // Ten that are all right are not made certain.
    let y = Tensor::<2>::zeros([10, 1], &Device::flex());
    let logits = Tensor::<3>::from_floats([[[4.0, 0.0]]], &Device::flex()).expand([10, 1, 2]);
    let factor = labels.fit_calibration(&[(logits, y)]);
    assert!((0.5..1.0).contains(&factor), "{factor}");
    // One that is right as it stands is left as it is.
    let y = Tensor::<2>::from_floats([[0.0], [1.0]], &Device::flex());
    assert_eq!(labels.fit_calibration(&[(Tensor::zeros([2, 1, 2], &Device::flex()), y)]), 1.0);
}
