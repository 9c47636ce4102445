//! Densities and divergences on the host, in f64, from their definitions.
#![allow(dead_code)] // each test file uses its part

use super::{Matrix, ROWS};

pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

pub(crate) fn softmax(row: &[f64]) -> Vec<f64> {
    let total: f64 = row.iter().map(|x| x.exp()).sum();
    row.iter().map(|x| x.exp() / total).collect()
}

pub(crate) fn normal_log_density(mean: f64, log_var: f64, x: f64) -> f64 {
    let variance = log_var.exp();
    -0.5 * (x - mean).powi(2) / variance - 0.5 * (2.0 * std::f64::consts::PI * variance).ln()
}

pub(crate) fn normal_kl(mean_q: f64, log_var_q: f64, mean_p: f64, log_var_p: f64) -> f64 {
    let (q, p) = (log_var_q.exp(), log_var_p.exp());
    0.5 * ((q + (mean_q - mean_p).powi(2)) / p - 1.0 + (p / q).ln())
}

/// P(x) of a beta-binomial by its recurrence P(x + 1) / P(x) = (n − x)(x + α) / ((x + 1)(n − x − 1 + β)), normalised.
pub(crate) fn beta_binomial(alpha: f64, beta: f64, n: usize) -> Vec<f64> {
    let mut all = vec![1.0];
    for x in 0..n {
        let rest = (n - x) as f64;
        all.push(all[x] * rest * (x as f64 + alpha) / ((x as f64 + 1.0) * (rest - 1.0 + beta)));
    }
    let total: f64 = all.iter().sum();
    all.into_iter().map(|p| p / total).collect()
}

pub(crate) fn rows(matrix: &Matrix) -> std::slice::ChunksExact<'_, f64> {
    matrix.chunks_exact(matrix.len() / ROWS)
}

pub(crate) fn elements(inputs: &[Matrix], function: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    (0..inputs[0].len()).map(|i| function(&inputs.iter().map(|input| input[i]).collect::<Vec<_>>())).collect()
}
