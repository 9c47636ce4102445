//! What the tests of the fits share: rows, and fitting to them.

#![allow(clippy::unwrap_used)]

use super::rows::Rows;
use crate::data::{Batch, DataSpec, Scale, Values};
use crate::error::ModelError;
use crate::training::Examples;
use crate::traits::{Density, Generate, Model};
use burn::tensor::Device;
use dgm_core::host;
use dgm_core::random::Seed;

/// Two bent clusters of three numbers, as in scripts/baseline_literals.py.
pub(super) fn rows(n: usize, start: usize) -> Rows {
    let value = |i: f64, j: f64| {
        let apart = if i % 3.0 == 0.0 { 4.0 } else { 0.0 };
        ((i * 1.3 + j * 2.1).sin() + 0.5 * (i * 0.7 * (j + 1.0)).cos() + apart) as f32
    };
    let values = (start..start + n).flat_map(|i| (0..3).map(move |j| value(i as f64, f64::from(j)))).collect();
    Rows { width: 3, values }
}

pub(crate) fn spec(width: usize) -> DataSpec {
    DataSpec { shape: [1, 1, width], values: Values::Real(Scale::identity(width)), condition: None }
}

/// Rows as training examples.
pub(super) struct Given(pub(super) Rows);

impl Examples for Given {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn batch(&self, rows: &[usize]) -> Result<Batch, ModelError> {
        Ok(Batch::new(self.0.select(rows).into_tensor(&Device::flex())))
    }
}

/// log p of each row.
pub(super) fn log_probs(model: &dyn Density, rows: Rows) -> Vec<f64> {
    host(model.log_prob(&Batch::new(rows.into_tensor(&Device::flex())), &mut Seed(0).stream("test", 0)))
}

pub(super) fn literals(name: &str) -> Vec<f64> {
    let all: serde_json::Value = serde_json::from_str(include_str!("literals.json")).unwrap();
    all[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

pub(super) fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < tolerance * (1.0 + expected.abs()), "{found} {expected}");
    }
}

/// ∫∫ p dx of a density of two numbers over a square, by the midpoint rule, and the mean and mean square of both by it and by samples.
pub(crate) fn check_integral<M: Density + Generate>(model: &M, range: f64, tolerance: f64) {
    let steps = 400;
    let size = 2.0 * range / f64::from(steps);
    let at = |i: i32| -range + size * (f64::from(i) + 0.5);
    let grid: Vec<f32> = (0..steps * steps).flat_map(|i| [at(i / steps) as f32, at(i % steps) as f32]).collect();
    let p: Vec<f64> = log_probs(model, Rows { width: 2, values: grid.clone() }).into_iter().map(f64::exp).collect();
    let total: f64 = p.iter().sum::<f64>() * size * size;
    assert!((total - 1.0).abs() < tolerance, "{total}");
    let samples = Rows::of_tensor(model.generate(40_000, None, &mut Seed(5).stream("samples", 0)));
    for d in 0..2 {
        for power in [1, 2] {
            let of = |row: &[f32]| f64::from(row[d]).powi(power);
            let by_grid: f64 = grid.chunks_exact(2).zip(&p).map(|(x, p)| p * of(x)).sum::<f64>() * size * size;
            let values: Vec<f64> = samples.iter().map(of).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64;
            let error = (variance / values.len() as f64).sqrt();
            assert!((mean - by_grid).abs() < 5.0 * error + tolerance, "{d} {power}: {mean} {by_grid}");
        }
    }
}

/// The first two numbers of rows.
pub(super) fn two(rows: &Rows) -> Rows {
    Rows { width: 2, values: rows.iter().flat_map(|row| row[..2].to_vec()).collect() }
}

/// The model fitted to rows.
pub(super) fn fitted<M: Model>(mut model: M, rows: &Rows) -> M {
    model.fit(&Given(rows.clone()), &mut Seed(2).stream("fit", 0)).unwrap();
    model
}
