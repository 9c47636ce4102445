#![allow(clippy::unwrap_used)]

use super::*;
use crate::autoregressive::sampling::log_prob_stepwise;
use crate::data::{ColumnValues, ConditionSpec, Scale, Values};
use dgm_core::host;
use dgm_core::random::Seed;

/// A word of three, a number and a word of two, given one number.
fn spec() -> DataSpec {
    let scale = Scale { mean: vec![0.0, 3.0, 0.0], std: vec![1.0, 2.0, 1.0], ..Scale::default() };
    let condition = ConditionSpec {
        scale: Scale { std: vec![2.0], ..Scale::identity(1) },
        classes: None,
        augmentation: 0,
        shape: None,
    };
    DataSpec {
        shape: [1, 1, 3],
        values: Values::Columns(ColumnValues { levels: vec![3, 0, 2], scale }),
        condition: Some(condition),
    }
}

fn model() -> AnyOrderMlp {
    let config = AnyOrderMlpConfig { hidden: vec![8, 6], ..AnyOrderMlpConfig::default() };
    config.init(&spec(), &mut Seed(3).stream("weights", 0), &Device::flex()).unwrap()
}

fn batch(rows: &[[f32; 3]]) -> Batch {
    let device = Device::flex();
    let values: Vec<f32> = rows.iter().flatten().copied().collect();
    let target = Tensor::from_data(TensorData::new(values, [rows.len(), 3]), &device);
    let condition = Some(Tensor::full([rows.len(), 1], 0.7, &device));
    Batch { condition, ..Batch::new(target) }
}

fn log_prob(model: &AnyOrderMlp, batch: &Batch) -> Vec<f64> {
    host(Density::log_prob(model, batch, &mut Seed(0).stream("noise", 0)))
}

#[test]
fn words_and_numbers_have_one_density_that_integrates_to_one() {
    let (model, step) = (model(), 0.01f32);
    let mut total = 0.0;
    for word in [0.0, 1.0, 2.0] {
        for other in [0.0, 1.0] {
            let rows: Vec<[f32; 3]> = (-1000..1000).map(|i| [word, i as f32 * step, other]).collect();
            // In the units of the data, of which there are two in one of the batch.
            total +=
                log_prob(&model, &batch(&rows)).iter().map(|log_p| log_p.exp() * 2.0 * f64::from(step)).sum::<f64>();
        }
    }
    assert!((total - 1.0).abs() < 1e-4, "{total}");
}

#[test]
fn a_level_that_a_column_does_not_have_is_never_sampled() {
    let model = model();
    let condition = Some(Tensor::full([2000, 1], 0.7, &Device::flex()));
    let samples = host(model.generate(2000, condition, &mut Seed(1).stream("sampling", 0)));
    let most = |d: usize| samples.iter().skip(d).step_by(3).copied().fold(0.0, f64::max);
    assert_eq!([most(0), most(2)], [2.0, 1.0]);
}

#[test]
fn position_by_position_is_the_same_density() {
    let (model, batch) = (model(), batch(&[[2.0, -0.4, 1.0], [0.0, 1.3, 0.0]]));
    let at_once = host(model.log_prob_elementwise(&batch).unwrap());
    let stepwise = host(log_prob_stepwise(&model, &batch.target, batch.condition.as_ref()));
    let parameters = Autoregressive::parameters(&model, batch.target.clone(), batch.condition.as_ref());
    let by_parameters = host(model.likelihood.log_prob(parameters, batch.target.clone()));
    for ((a, b), c) in at_once.iter().zip(&stepwise).zip(&by_parameters) {
        assert!((a - b).abs() < 1e-5 && (a - c).abs() < 1e-5, "{a} {b} {c}");
    }
}

/// log p_σ(x) of the columns in this order, by what is given of each.
fn in_order(model: &AnyOrderMlp, batch: &Batch, order: &[usize]) -> f64 {
    let mut visible = vec![0.0f32; 3];
    let mut total = 0.0;
    for &d in order {
        let flags = Tensor::<2>::from_data(TensorData::new(visible.clone(), [1, 3]), &Device::flex());
        let parameters = model.parameters_given(batch.target.clone(), flags, batch.condition.as_ref());
        total += host(model.likelihood.log_prob(parameters, batch.target.clone()))[d];
        visible[d] = 1.0;
    }
    total
}

#[test]
fn training_estimates_the_mean_over_all_orders() {
    let (model, one) = (model(), batch(&[[2.0, -0.4, 1.0]]));
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let each = orders.map(|order| in_order(&model, &one, &order));
    let expected = each.iter().sum::<f64>() / 6.0;
    assert!((log_prob(&model, &one)[0] - each[0]).abs() < 1e-5);
    let n = 60_000;
    let many = batch(&vec![[2.0, -0.4, 1.0]; n]);
    let mut noise = Seed(2).stream("noise", 0);
    let found = host(sum_event(model.train_log_prob(&many, &mut Mode::Train(&mut noise))));
    let mean = found.iter().sum::<f64>() / n as f64;
    let error = (found.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64 / n as f64).sqrt();
    assert!((mean - expected).abs() < 4.0 * error && error < 0.01, "{mean} ± {error}, {expected}");
    // The orders do differ.
    assert!(each.iter().any(|one| (one - expected).abs() > 0.02), "{each:?}");

    // The same of a row whose number is missing, whatever stands there.
    let mask = |rows: usize| Some(Tensor::<2>::from_floats([[1.0, 0.0, 1.0]], &Device::flex()).expand([rows, 3]));
    let expected = [[0, 2], [2, 0]].map(|order| in_order(&model, &one, &order)).iter().sum::<f64>() / 2.0;
    let holes = Batch { mask: mask(n), ..batch(&vec![[2.0, f32::NAN, 1.0]; n]) };
    let found = host(sum_event(model.train_log_prob(&holes, &mut Mode::Train(&mut noise))));
    let mean = found.iter().sum::<f64>() / n as f64;
    assert!((mean - expected).abs() < 0.02, "{mean} {expected}");
    let exact = log_prob(&model, &Batch { mask: mask(1), ..batch(&[[2.0, f32::NAN, 1.0]]) })[0];
    assert!((exact - in_order(&model, &one, &[0, 2])).abs() < 1e-5);
}

#[test]
fn gradients_are_finite_where_a_cell_is_missing() {
    let device = Device::flex().autodiff();
    let config = AnyOrderMlpConfig { hidden: vec![8, 6], ..AnyOrderMlpConfig::default() };
    let model = config.init(&spec(), &mut Seed(3).stream("weights", 0), &device).unwrap();
    let target = Tensor::<2>::from_floats([[2.0, f32::NAN, 1.0]], &device);
    let mask = Some(Tensor::from_floats([[1.0, 0.0, 1.0]], &device));
    let batch = Batch { target, condition: Some(Tensor::full([1, 1], 0.7, &device)), mask };
    let mut noise = Seed(2).stream("noise", 0);
    let gradients = model.train_log_prob(&batch, &mut Mode::Train(&mut noise)).sum().backward();
    let gradient = model.head.weight.val().grad(&gradients).unwrap();
    assert!(gradient.into_data().iter::<f32>().all(f32::is_finite));
}

#[test]
fn a_network_without_a_width_is_refused() {
    let config = AnyOrderMlpConfig { hidden: Vec::new(), ..AnyOrderMlpConfig::default() };
    let error = config.init(&spec(), &mut Seed(3).stream("weights", 0), &Device::flex()).err().unwrap().to_string();
    assert!(error.contains("hidden") && error.contains("one width at least"), "{error}");
}
