//! Histograms: their sum or integral, their samples, their floor.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::baseline::testing::{Given, check_integral, fitted, log_probs, rows, spec, two};
use crate::data::Values;
use dgm_core::random::Seed;

fn model(spec: &DataSpec) -> Histogram {
    HistogramConfig::default().init(spec, &mut Seed(0).stream("weights", 0), &Device::flex()).unwrap()
}

#[test]
fn of_real_numbers_it_integrates_to_one_and_its_samples_follow_it() {
    // What lies outside of the grid has a share of 1/(n + 1), three quarters of it beyond ±12.
    check_integral(&fitted(model(&spec(2)), &two(&rows(3000, 0))), 12.0, 2e-3);
}

#[test]
fn of_levels_it_sums_to_one_and_knows_frequencies() {
    let spec = DataSpec { shape: [1, 1, 2], values: Values::Levels(3), condition: None };
    let values = (0..300).flat_map(|i| [f32::from(u8::from(i % 3 == 0)), 2.0]).collect();
    let mut model = model(&spec);
    model.fit(&Given(Rows { width: 2, values }), &mut Seed(0).stream("fit", 0)).unwrap();
    let all: Vec<f32> = (0..9u8).flat_map(|at| [f32::from(at / 3), f32::from(at % 3)]).collect();
    let p: Vec<f64> = log_probs(&model, Rows { width: 2, values: all }).into_iter().map(f64::exp).collect();
    assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    assert!((p[5] - 1.0 / 3.0).abs() < 0.01 && p[8] > 0.0 && p[8] < 0.01, "{p:?}");
    let samples = Rows::of_tensor(model.generate(9000, None, &mut Seed(1).stream("samples", 0)));
    let ones = samples.iter().filter(|row| row[0] == 1.0).count();
    assert!((ones as f64 / 9000.0 - 1.0 / 3.0).abs() < 0.03, "{ones}");
}

#[test]
fn what_was_never_seen_is_improbable_and_not_impossible() {
    let model = fitted(model(&spec(3)), &rows(300, 0));
    let far = log_probs(&model, Rows { width: 3, values: vec![50.0, 0.0, 0.0] });
    let near = log_probs(&model, rows(1, 3));
    assert!(far[0].is_finite() && far[0] < near[0] - 10.0, "{far:?} {near:?}");
}

#[test]
fn each_dimension_is_in_its_own_units() {
    let data = two(&rows(300, 0));
    let spec_of = |std: [f64; 2]| {
        let scale = crate::data::Scale { std: std.to_vec(), ..crate::data::Scale::identity(2) };
        DataSpec { values: Values::Real(scale), ..spec(2) }
    };
    let of = |std| {
        let model = fitted(model(&spec_of(std)), &data);
        let batch = Batch::new(data.select(&[5]).into_tensor(&Device::flex()));
        host(model.log_prob_elementwise(&batch).unwrap())
    };
    let (one, other) = (of([1.0, 1.0]), of([8.0, 0.5]));
    assert!((one[0] - 8f64.ln() - other[0]).abs() < 1e-5 && (one[1] - 0.5f64.ln() - other[1]).abs() < 1e-5);
}
