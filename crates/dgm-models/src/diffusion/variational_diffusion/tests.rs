//! The bound against what is known: it holds, and of a normal distribution it is tight; samples follow the data.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::encoder::ResidualMlpConfig;
use crate::testing::{moved, trained};
use burn::tensor::TensorData;
use dgm_core::host;
use dgm_core::random::Seed;

fn config(hidden: &[usize]) -> VariationalDiffusionConfig {
    let network = ResidualMlpConfig { hidden: hidden.to_vec(), ..ResidualMlpConfig::default() };
    VariationalDiffusionConfig {
        network: DenoiserConfig::ResidualMlp(network),
        ..VariationalDiffusionConfig::default()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// x ~ N(0, 1) in units of 2: −log p(x) is ½ log 2π + ½ + log 2 on average, and no bound is below. Samples have its mean and deviation.
#[test]
fn of_a_normal_distribution_the_bound_is_tight() {
    let scale = Scale { std: vec![2.0], ..Scale::identity(1) };
    let spec = DataSpec { shape: [1, 1, 1], values: Values::Real(scale), condition: None };
    let config = VariationalDiffusionConfig { steps: 50, ..config(&[32, 32]) };
    let model = config.init(&spec, &mut Seed(0).stream("weights", 0), &Device::flex()).unwrap();
    let rows =
        |n: usize, seed: u64, device: &Device| -> Tensor<2> { Seed(seed).stream("x", 0).normal_tensor([n, 1], device) };
    let model = trained(model, 1500, 3e-3, |step, device| Batch::new(rows(256, step + 10, device)));
    let x = rows(4000, 1, &Device::flex());
    let expected =
        mean(&host(x.clone().square().mul_scalar(0.5))) + 0.5 * (2.0 * std::f64::consts::PI).ln() + 2f64.ln();
    let bound = -mean(&host(model.log_prob(&Batch::new(x), &mut Seed(2).stream("bound", 0))));
    assert!((-0.01..0.06).contains(&(bound - expected)), "{bound} {expected}");
    for sampler in [Sampler::Ancestral, Sampler::Ddim] {
        let model = VariationalDiffusion { sampler, ..model.clone() };
        let samples = host(model.generate(4000, None, &mut Seed(3).stream("sampling", 0)));
        let (centre, squares) = (mean(&samples), mean(&samples.iter().map(|x| x * x).collect::<Vec<_>>()));
        assert!(centre.abs() < 0.1 && (squares.sqrt() - 1.0).abs() < 0.08, "{sampler:?}: {centre} {squares}");
    }
}

/// Σ_x exp E[bound] ≤ 1 of all levels, whatever the weights are.
#[test]
fn of_levels_it_is_a_bound() {
    let spec = DataSpec { shape: [1, 1, 2], values: Values::Levels(3), condition: None };
    let config = VariationalDiffusionConfig { noise_levels: 512, ..config(&[16, 16]) };
    let all: Vec<f32> = (0..9).flat_map(|i| [(i % 3) as f32, (i / 3) as f32]).collect();
    for std in [0.0, 0.2] {
        let model = config.init(&spec, &mut Seed(0).stream("weights", 0), &Device::flex()).unwrap();
        let model = moved(model, std);
        let batch = Batch::new(Tensor::from_data(TensorData::new(all.clone(), [9, 2]), &Device::flex()));
        let mut sums = [0.0; 9];
        for draw in 0..8 {
            let log_p = host(model.log_prob(&batch, &mut Seed(2).stream("bound", draw)));
            sums.iter_mut().zip(log_p).for_each(|(sum, log_p)| *sum += log_p / 8.0);
        }
        let total: f64 = sums.iter().map(|log_p| log_p.exp()).sum();
        assert!(total < 1.0, "{total}");
    }
    // A network that was trained on two of the nine is close to them.
    let model = config.init(&spec, &mut Seed(0).stream("weights", 0), &Device::flex()).unwrap();
    let two =
        |_, device: &Device| Batch::new(Tensor::<2>::from_floats([[0.0, 2.0], [2.0, 1.0]], device).repeat_dim(0, 64));
    let model = trained(model, 800, 3e-3, two);
    let batch = two(0, &Device::flex());
    let bound = -mean(&host(model.log_prob(&batch, &mut Seed(2).stream("bound", 0))));
    assert!((2f64.ln() - 0.02..2f64.ln() + 0.25).contains(&bound), "{bound}");
    let samples = host(model.generate(400, None, &mut Seed(3).stream("sampling", 0)));
    let first = samples.chunks(2).filter(|x| *x == [0.0, 2.0]).count();
    let second = samples.chunks(2).filter(|x| *x == [2.0, 1.0]).count();
    assert!(first + second > 380 && (140..260).contains(&first), "{first} {second}");
}

/// What is learnt between the ends changes the estimate's variance, and not its mean.
#[test]
fn the_schedule_does_not_change_the_bound() {
    let spec = DataSpec { shape: [1, 2, 2], values: Values::Levels(2), condition: None };
    let config = VariationalDiffusionConfig { noise_levels: 256, ..VariationalDiffusionConfig::default() };
    let model = config.init(&spec, &mut Seed(0).stream("weights", 0), &Device::flex()).unwrap();
    let bent = VariationalDiffusion { schedule: model.schedule.clone().bent(), ..model.clone() };
    let x = Tensor::<2>::from_floats([[0.0, 1.0, 1.0, 0.0]], &Device::flex()).repeat_dim(0, 512);
    let of = |model: &VariationalDiffusion| {
        mean(&host(model.log_prob(&Batch::new(x.clone()), &mut Seed(1).stream("bound", 0))))
    };
    let (straight, bent) = (of(&model), of(&bent));
    assert!((straight / bent - 1.0).abs() < 0.01, "{straight} {bent}");
}
