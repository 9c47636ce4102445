//! Every registered posterior: it is a density where it says it lies, its samples follow it, its divergences are the mean of their log-ratio,
//! and gradients reach what they should.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::flow::Structure;
use crate::testing::moved;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::TensorData;
use dgm_core::density::VonMisesFisher;
use dgm_core::random::Seed;

const FEATURES: usize = 3;

/// Every posterior of so many latent variables, with weights that are not those that it starts with; of flows both kinds.
fn posteriors(latent: usize) -> Vec<(String, AnyPosterior)> {
    let coupling =
        FlowPosteriorConfig { structure: Structure::Coupling, layers: 4, hidden: vec![16], ..Default::default() };
    let classes = CategoricalConfig { classes: latent, ..Default::default() };
    let configs = PosteriorConfig::KINDS.iter().map(|kind| match *kind {
        "categorical" => PosteriorConfig::Categorical(classes.clone()),
        kind => PosteriorConfig::of_kind(kind).unwrap(),
    });
    let of = |config: PosteriorConfig| {
        let name = format!("{config:?}");
        let posterior = config.init(FEATURES, latent, &mut Seed(1).stream("weights", 0), &Device::flex());
        Some((name, moved(posterior.ok()?, 0.1)))
    };
    configs.chain([PosteriorConfig::Flow(coupling)]).filter_map(of).collect()
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn features(device: &Device) -> Tensor<2> {
    Tensor::from_floats([[0.4, -0.7, 1.1], [-0.2, 0.3, 0.5]], device)
}

/// z where this space is, for two examples each the same, and the size of what each stands for.
fn grid(space: Space, device: &Device) -> (Tensor<3>, f64) {
    let (points, size): (Vec<[f64; 2]>, f64) = match space {
        Space::Real => {
            let (n, h) = (240, 0.1);
            let at = |i: usize| (i as f64 + 0.5 - n as f64 / 2.0) * h;
            ((0..n * n).map(|i| [at(i % n), at(i / n)]).collect(), h * h)
        }
        Space::Sphere => {
            let n = 2000;
            let h = 2.0 * std::f64::consts::PI / n as f64;
            ((0..n).map(|i| [(i as f64 * h).cos(), (i as f64 * h).sin()]).collect(), h)
        }
        Space::OneOf(_) => (vec![[1.0, 0.0], [0.0, 1.0]], 1.0),
    };
    let values: Vec<f32> = points.iter().flatten().map(|&value| value as f32).collect();
    let z = Tensor::<3>::from_data(TensorData::new(values, [1, points.len(), 2]), device);
    (z.repeat_dim(0, 2), size)
}

#[test]
fn every_posterior_integrates_to_one_and_its_samples_follow_it() {
    let device = Device::flex();
    let all = posteriors(2);
    assert_eq!(all.len(), PosteriorConfig::KINDS.len() + 1);
    for (name, posterior) in all {
        let q = posterior.infer(features(&device));
        let (z, size) = grid(posterior.space(), &device);
        let [_, points, _] = z.dims();
        let log_q = host(q.log_prob(z.clone()));
        let z = host(z);
        let n = 20_000;
        let samples = q.sample(n, &mut Seed(2).stream("sampling", 0));
        let known = samples.log_posterior.clone();
        if let Some(known) = known {
            for (known, found) in host(known).into_iter().zip(host(q.log_prob(samples.z.clone()))).take(500) {
                assert!((known - found).abs() < 1e-3 * known.abs().max(1.0), "{name}: {known} {found}");
            }
        }
        let drawn = host(samples.z);
        for example in 0..2 {
            let p: Vec<f64> = log_q[example * points..(example + 1) * points].iter().map(|q| q.exp() * size).collect();
            let total: f64 = p.iter().sum();
            assert!((total - 1.0).abs() < 2e-3, "{name}: {total}");
            for variable in 0..2 {
                let value = |i: usize| z[(example * points + i) * 2 + variable];
                let mean: f64 = p.iter().enumerate().map(|(i, p)| p * value(i)).sum();
                let std = (p.iter().enumerate().map(|(i, p)| p * (value(i) - mean).powi(2)).sum::<f64>()).sqrt();
                let found = (0..n).map(|i| drawn[(example * n + i) * 2 + variable]).sum::<f64>() / n as f64;
                assert!((found - mean).abs() < 5.0 * std / (n as f64).sqrt() + 1e-3, "{name}: {found} {mean}");
            }
        }
        let wider = q.widened(1.5).unwrap();
        let spread = |q: &dyn ApproximatePosterior| {
            let z = q.sample(4000, &mut Seed(3).stream("sampling", 0)).z;
            let [_, n, d] = z.dims();
            let z = z.slice([0..1, 0..n, 0..d]);
            host(z.reshape([n, d]).var(0).sum())[0]
        };
        assert!(spread(wider.as_ref()) > 1.02 * spread(q.as_ref()), "{name}");
    }
}

#[test]
fn a_divergence_in_closed_form_is_the_mean_of_the_log_ratio() {
    let device = Device::flex();
    let mut checked = 0;
    for (name, posterior) in posteriors(2) {
        let q = posterior.infer(features(&device));
        let log_p = |z: &Tensor<3>| match posterior.space() {
            Space::Real => z.clone().square().add_scalar((2.0 * std::f64::consts::PI).ln()).sum_dim(2).mul_scalar(-0.5),
            Space::Sphere => z.clone().sum_dim(2).mul_scalar(0.0).add_scalar(VonMisesFisher::log_uniform(2)),
            Space::OneOf(classes) => z.clone().sum_dim(2).mul_scalar(0.0).sub_scalar((classes as f64).ln()),
        };
        let closed = match posterior.space() {
            Space::Real => q.kl_standard_normal(),
            _ => q.kl_uniform(),
        };
        let Some(kl) = closed else { continue };
        checked += 1;
        let n = 100_000;
        let z = q.sample(n, &mut Seed(3).stream("z", 0)).z;
        let ratio = q.log_prob(z.clone()) - log_p(&z).squeeze_dim::<2>(2);
        let std = host(ratio.clone().var(1).sqrt());
        for ((found, std), expected) in host(ratio.mean_dim(1)).iter().zip(std).zip(host(kl.sum_dim(1))) {
            assert!((found - expected).abs() < 5.0 * std / (n as f64).sqrt() + 1e-4, "{name}: {found} {expected}");
        }
    }
    assert_eq!(checked, 4, "normal, full_normal, von_mises_fisher, categorical");
}

#[test]
fn gradients_reach_every_parameter_and_with_fixed_ones_only_z() {
    let device = Device::flex().autodiff();
    for (name, posterior) in posteriors(4) {
        let posterior = posterior.train();
        let q = posterior.infer(features(&device));
        let samples = q.sample(3, &mut Seed(2).stream("sampling", 0));
        let log_q = samples.log_posterior.clone().unwrap_or_else(|| q.log_prob(samples.z.clone()));
        let weighted = samples.z.clone() * Tensor::<1>::from_floats([0.3, -0.6, 1.0, 0.2], &device).reshape([1, 1, 4]);
        let gradients = (log_q.sum() + weighted.square().sum()).backward();
        let gradients = GradientsParams::from_grads(gradients, &posterior);
        assert_eq!(gradients.len(), burn::module::list_param_ids(&posterior).len(), "{name}");

        let z = samples.z.detach().require_grad();
        let gradients = q.log_prob_fixed(z.clone()).sum().backward();
        assert!(host(z.grad(&gradients).unwrap()).iter().any(|slope| *slope != 0.0), "{name}");
        assert_eq!(GradientsParams::from_grads(gradients, &posterior).len(), 0, "{name}");
    }
}

/// z ~ N(0, I), x | z ~ N(w z, ½) with one x of two latent variables: the posterior has the precision I + 2 wᵀw, and its
/// variables hang together. What a posterior that is trained on it lacks of log p(x), in nats.
fn gap(config: PosteriorConfig) -> f64 {
    const W: [f32; 2] = [1.6, 1.2];
    const X: f64 = 1.3;
    let device = Device::flex().autodiff();
    let features = Tensor::<2>::ones([1, FEATURES], &device);
    let mut posterior = config.init(FEATURES, 2, &mut Seed(1).stream("weights", 0), &device).unwrap();
    let bound = |posterior: &AnyPosterior, k: usize, rng: &mut Stream| {
        let q = posterior.infer(features.clone());
        let samples = q.sample(k, rng);
        let log_q = samples.log_posterior.clone().unwrap_or_else(|| q.log_prob(samples.z.clone()));
        let z: Tensor<2> = samples.z.squeeze_dim(0);
        let of_x = (z.clone() * Tensor::<1>::from_floats(W, &device).reshape([1, 2])).sum_dim(1);
        let ln_2pi = (2.0 * std::f64::consts::PI).ln();
        let prior = z.square().add_scalar(ln_2pi).sum_dim(1).mul_scalar(-0.5);
        let likelihood =
            of_x.neg().add_scalar(X).square().mul_scalar(2.0).add_scalar(ln_2pi + 0.5f64.ln()).mul_scalar(-0.5);
        (prior + likelihood).squeeze_dim::<1>(1) - log_q.squeeze_dim::<1>(0)
    };
    let mut optimizer = AdamConfig::new().init();
    let steps = 800;
    for step in 0..steps {
        let loss = bound(&posterior, 64, &mut Seed(2).stream("noise", step)).mean().neg();
        let gradients = GradientsParams::from_grads(loss.backward(), &posterior);
        let rate = 0.03 * (1.0 - step as f64 / steps as f64);
        posterior = optimizer.step(rate, posterior, gradients);
    }
    let found = host(bound(&posterior, 40_000, &mut Seed(3).stream("noise", 0)).mean())[0];
    let variance = f64::from(W[0] * W[0] + W[1] * W[1]) + 0.5;
    let log_p = -0.5 * ((2.0 * std::f64::consts::PI * variance).ln() + X * X / variance);
    log_p - found
}

#[test]
fn flows_and_full_covariances_close_the_gap_of_the_diagonal_posterior() {
    // KL of the best diagonal normal: ½ (Σ log Λᵢᵢ − log det Λ), with the precision Λ = I + 2 wwᵀ.
    let (a, b) = (1.0 + 2.0 * 1.6f64.powi(2), 1.0 + 2.0 * 1.2f64.powi(2));
    let determinant = 1.0 + 2.0 * (1.6f64.powi(2) + 1.2f64.powi(2));
    let diagonal = 0.5 * (a.ln() + b.ln() - f64::ln(determinant));
    let found = gap(PosteriorConfig::Normal(Plain {}));
    assert!((found - diagonal).abs() < 0.02 && diagonal > 0.4, "{found} {diagonal}");
    let flow = |structure| FlowPosteriorConfig { structure, layers: 2, hidden: vec![16], ..Default::default() };
    for config in [
        PosteriorConfig::FullNormal(Plain {}),
        PosteriorConfig::Flow(flow(Structure::Autoregressive)),
        PosteriorConfig::Flow(flow(Structure::Coupling)),
    ] {
        let found = gap(config.clone());
        assert!((-0.01..0.02).contains(&found), "{config:?}: {found}");
    }
}

#[test]
fn values_out_of_range_are_named() {
    let refused = |config: PosteriorConfig, latent: usize| {
        config.init(4, latent, &mut Seed(1).stream("weights", 0), &Device::flex()).unwrap_err().to_string()
    };
    let categorical = |classes, temperature| PosteriorConfig::Categorical(CategoricalConfig { classes, temperature });
    assert_eq!(refused(categorical(3, 1.0), 16), "`model.latent` is 16, expected a multiple of posterior.classes = 3");
    assert!(refused(categorical(1, 1.0), 16).starts_with("`model.posterior.classes` is 1"));
    assert!(refused(categorical(2, 0.0), 16).starts_with("`model.posterior.temperature` is 0"));
    assert_eq!(
        refused(PosteriorConfig::VonMisesFisher(Plain {}), 1),
        "`model.latent` is 1, expected 2 or more for a sphere"
    );
    let coupling = FlowPosteriorConfig { structure: Structure::Coupling, ..Default::default() };
    assert_eq!(
        refused(PosteriorConfig::Flow(coupling), 1),
        "`model.latent` is 1, expected 2 or more for a flow of couplings"
    );
    let none = FlowPosteriorConfig { layers: 0, ..Default::default() };
    assert!(refused(PosteriorConfig::Flow(none), 2).starts_with("`model.posterior.layers` is 0"));
}
