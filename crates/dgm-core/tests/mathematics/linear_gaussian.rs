//! A model whose likelihood is known, x = W z + b + σ ε with z ~ N(0, I): what the bounds, the importance-weighted
//! estimate and the two gradients of IWAE must be with its true posterior, and with a wrong one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{places, to_host, to_tensor, tolerance};
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::divergence::kl;
use dgm_core::estimate::{Mean, importance_weighted};
use dgm_core::objective::{Dreg, Elbo, Iwae, Objective, sum_event};
use dgm_core::random::Seed;

const LATENT: usize = 3;
const OBSERVED: usize = 8;
const SIGMA: f64 = 0.5;
const BIAS: [f64; OBSERVED] = [0.5, -1.0, 0.25, 2.0, 0.0, -0.75, 1.5, -0.25];

// ---- the model on the host, in f64 ---------------------------------------------------------------

/// W: orthogonal columns of lengths √2, √½ and √⅛, so that the posterior's covariance is diagonal.
fn w(observed: usize, latent: usize) -> f64 {
    let sign = if observed >> latent & 1 == 0 { 1.0 } else { -1.0 };
    sign * [0.5, 0.25, 0.125][latent]
}

/// `n` examples drawn from the model, exact in f32.
fn examples(n: usize) -> Vec<[f64; OBSERVED]> {
    let mut stream = Seed(21).stream("examples", 0);
    let mut draw = |_| {
        let z = stream.normals(LATENT);
        let noise = stream.normals(OBSERVED);
        std::array::from_fn(|o| {
            let mean: f64 = BIAS[o] + (0..LATENT).map(|j| w(o, j) * f64::from(z[j])).sum::<f64>();
            f64::from((mean + SIGMA * f64::from(noise[o])) as f32)
        })
    };
    (0..n).map(&mut draw).collect()
}

/// log N(x; b, W Wᵀ + σ² I) by the Cholesky factor of the covariance: nothing here knows of z.
fn log_evidence(x: &[f64; OBSERVED]) -> f64 {
    let mut factor = [[0.0; OBSERVED]; OBSERVED];
    let mut total = -0.5 * OBSERVED as f64 * (2.0 * std::f64::consts::PI).ln();
    let mut white = [0.0; OBSERVED];
    for i in 0..OBSERVED {
        for j in 0..=i {
            let noise = if i == j { SIGMA * SIGMA } else { 0.0 };
            let covariance = (0..LATENT).map(|l| w(i, l) * w(j, l)).sum::<f64>() + noise;
            let rest = covariance - (0..j).map(|m| factor[i][m] * factor[j][m]).sum::<f64>();
            factor[i][j] = if i == j { rest.sqrt() } else { rest / factor[j][j] };
        }
        white[i] = (x[i] - BIAS[i] - (0..i).map(|m| factor[i][m] * white[m]).sum::<f64>()) / factor[i][i];
        total -= factor[i][i].ln() + 0.5 * white[i] * white[i];
    }
    total
}

/// A normal posterior for each example: means and log-variances, row by row.
struct Posterior {
    mean: Vec<f64>,
    log_var: Vec<f64>,
}

impl Posterior {
    /// p(z | x): the precision is 1 + ‖wⱼ‖²/σ², the mean wⱼᵀ(x − b)/σ² over it.
    fn of(x: &[[f64; OBSERVED]]) -> Self {
        let along = |j: usize, y: &dyn Fn(usize) -> f64| (0..OBSERVED).map(|o| w(o, j) * y(o)).sum::<f64>();
        let precision = |j: usize| 1.0 + along(j, &|o| w(o, j)) / (SIGMA * SIGMA);
        let mean = |x: &[f64; OBSERVED], j: usize| along(j, &|o| x[o] - BIAS[o]) / (SIGMA * SIGMA) / precision(j);
        Self {
            mean: x.iter().flat_map(|x| (0..LATENT).map(move |j| mean(x, j))).collect(),
            log_var: x.iter().flat_map(|_| (0..LATENT).map(|j| -precision(j).ln())).collect(),
        }
    }

    /// Every mean off by `shift` of the true deviations, every variance off by the factor exp(`wider`).
    fn moved(&self, shift: f64, wider: f64) -> Self {
        let deviations = self.log_var.iter().map(|log_var| (0.5 * log_var).exp());
        Self {
            mean: self.mean.iter().zip(deviations).map(|(mean, deviation)| mean + shift * deviation).collect(),
            log_var: self.log_var.iter().map(|log_var| log_var + wider).collect(),
        }
    }
}

/// How the wrong posterior is wrong: wider than the truth, so that the weights are bounded.
const SHIFT: f64 = -0.4;
const WIDER: f64 = 0.4;

/// KL(q ‖ p(z | x)) of the wrong posterior: how far the ELBO is below log p(x).
fn gap() -> f64 {
    0.5 * LATENT as f64 * (SHIFT * SHIFT + WIDER.exp() - 1.0 - WIDER)
}

/// E_q\[w²\] / p(x)² − 1 of the wrong posterior: Π_j v/√(2v − 1) exp(s²/(2v − 1)) − 1 with v the ratio of the variances.
fn weight_variance() -> f64 {
    let u = 2.0 * WIDER.exp() - 1.0;
    (WIDER.exp() / u.sqrt() * (SHIFT * SHIFT / u).exp()).powi(LATENT as i32) - 1.0
}

// ---- the model on a device --------------------------------------------------------------------------

/// The examples and the model's W on a device, and a posterior there; differentiable where the device is.
struct Model {
    x: Tensor<2>,
    weight: Tensor<2>,
    mean: Tensor<2>,
    log_var: Tensor<2>,
    n: usize,
}

impl Model {
    fn new(x: &[[f64; OBSERVED]], q: &Posterior, device: &Device) -> Self {
        let n = x.len();
        let leaf = |values: &[f64], shape: [usize; 2]| {
            let tensor = to_tensor(values, shape, device);
            if device.is_autodiff() { tensor.require_grad() } else { tensor }
        };
        let weight: Vec<f64> = (0..LATENT * OBSERVED).map(|i| w(i % OBSERVED, i / OBSERVED)).collect();
        Self {
            x: to_tensor(&x.concat(), [n, OBSERVED], device) - to_tensor(&BIAS, [1, OBSERVED], device),
            weight: leaf(&weight, [LATENT, OBSERVED]),
            mean: leaf(&q.mean, [n, LATENT]),
            log_var: leaf(&q.log_var, [n, LATENT]),
            n,
        }
    }

    /// q with `k` samples of each example.
    fn q(&self, k: usize) -> Normal<3> {
        let each = |parameter: &Tensor<2>| parameter.clone().unsqueeze_dim::<3>(1).expand([self.n, k, LATENT]);
        Normal::new(each(&self.mean), each(&self.log_var))
    }

    fn sample(&self, k: usize, seed: u64) -> Tensor<3> {
        self.q(k).sample(&mut Seed(seed).stream("posterior", 0))
    }

    /// log p(x | z), `[n, k]`.
    fn log_likelihood(&self, z: Tensor<3>) -> Tensor<2> {
        let [n, k, _] = z.dims();
        let mean = z.reshape([n * k, LATENT]).matmul(self.weight.clone()).reshape([n, k, OBSERVED]);
        let log_var = mean.zeros_like().add_scalar(2.0 * SIGMA.ln());
        let x = self.x.clone().unsqueeze_dim::<3>(1).expand([n, k, OBSERVED]);
        Normal::new(mean, log_var).log_prob(x).sum_dim(2).squeeze_dim(2)
    }

    /// log q(z | x) − log p(z) of each latent variable.
    fn sampled_kl(&self, z: Tensor<3>, q: &Normal<3>) -> Tensor<3> {
        q.log_prob(z.clone()) - Normal::new(z.zeros_like(), z.zeros_like()).log_prob(z)
    }

    fn log_weights(&self, z: Tensor<3>, q: &Normal<3>) -> Tensor<2> {
        self.log_likelihood(z.clone()) - self.sampled_kl(z, q).sum_dim(2).squeeze_dim::<2>(2)
    }

    fn iwae(&self, z: Tensor<3>) -> Objective {
        let q = self.q(z.dims()[1]);
        Iwae.objective(self.log_weights(z, &q))
    }

    fn dreg(&self, z: Tensor<3>) -> Objective {
        let q = self.q(z.dims()[1]).detach();
        Dreg.objective(z, |z| self.log_weights(z, &q))
    }

    /// The negative ELBO of every sample, its KL sampled at the same z: `[n · k]`.
    fn sampled_elbo(&self, z: Tensor<3>) -> Tensor<1> {
        let rows = self.n * z.dims()[1];
        let kl = self.sampled_kl(z.clone(), &self.q(z.dims()[1])).reshape([rows, LATENT]);
        Elbo::default().objective(self.log_likelihood(z).reshape([rows]), kl).loss
    }

    /// The negative ELBO `[n]` with the closed-form KL and log p(x | z) as the mean over `epsilon` `[k, latent]`.
    fn closed_elbo(&self, epsilon: &[f64]) -> Tensor<1> {
        let k = epsilon.len() / LATENT;
        let epsilon = to_tensor(epsilon, [1, k, LATENT], &self.x.device()).expand([self.n, k, LATENT]);
        let log_likelihood = self.log_likelihood(self.q(k).transform(epsilon)).mean_dim(1).squeeze_dim(1);
        let kl = kl::normal_standard(&Normal::new(self.mean.clone(), self.log_var.clone()));
        Elbo::default().objective(log_likelihood, kl).loss
    }

    /// Of the sum of the losses: the gradients to the mean and log-variance of each example and to W.
    fn gradients(&self, objective: Objective) -> [Vec<f64>; 3] {
        let gradients = objective.loss.sum().backward();
        [&self.mean, &self.log_var, &self.weight].map(|leaf| to_host(leaf.grad(&gradients).expect("a gradient")))
    }
}

/// ±√d eⱼ: under their uniform distribution a quadratic has the mean that it has under N(0, I).
fn sigma_points() -> Vec<f64> {
    let radius = (LATENT as f64).sqrt();
    (0..2 * LATENT * LATENT)
        .map(|i| match (i / LATENT, i % LATENT) {
            (point, j) if point / 2 != j => 0.0,
            (point, _) => radius * (1.0 - 2.0 * (point % 2) as f64),
        })
        .collect()
}

/// By how much a log-weight of about this size may be off: sums over the latent numbers in the mean of each observed one, over the
/// observed ones and three times the latent ones in the log-densities, and a dozen operations; the terms are of 2 nats or less each
/// before they cancel, but for few.
fn allowed(expected: f64) -> f64 {
    tolerance(LATENT + OBSERVED + 3 * LATENT + 12, 2.0 * (OBSERVED + 2 * LATENT) as f64 + expected.abs())
}

/// Every number is its example's within rounding.
fn assert_each(what: &str, found: Vec<f64>, expected: &[f64]) {
    let each = found.len() / expected.len();
    for (i, found) in found.into_iter().enumerate() {
        let expected = expected[i / each];
        assert!((found - expected).abs() <= allowed(expected), "{what}, number {i}: {found}, expected {expected}");
    }
}

fn standard_deviation(values: &[f64]) -> f64 {
    Mean::of(values).standard_error * (values.len() as f64).sqrt()
}

// ---- the true posterior ---------------------------------------------------------------------------------

#[test]
fn with_the_true_posterior_the_elbo_is_the_likelihood() {
    let x = examples(16);
    let negative: Vec<f64> = x.iter().map(|x| -log_evidence(x)).collect();
    for place in places() {
        let model = Model::new(&x, &Posterior::of(&x), &place.device.clone().autodiff());
        let name = place.name;
        assert_each(&format!("sampled KL on {name}"), to_host(model.sampled_elbo(model.sample(50, 1))), &negative);
        assert_each(&format!("closed KL on {name}"), to_host(model.closed_elbo(&sigma_points())), &negative);
        // One draw at a time, the closed-form KL leaves log p(x | z) its noise.
        let mut noise = Seed(2).stream("one draw", 0);
        let samples: Vec<Vec<f64>> = (0..400)
            .map(|_| to_host(model.closed_elbo(&noise.normals(LATENT).into_iter().map(f64::from).collect::<Vec<_>>())))
            .collect();
        for (i, expected) in negative.iter().enumerate() {
            let mean = Mean::of(&samples.iter().map(|draw| draw[i]).collect::<Vec<_>>());
            assert!(mean.standard_error > 0.01, "{mean:?} on {name}");
            assert!((mean.mean - expected).abs() < 5.0 * mean.standard_error, "{mean:?} {expected} on {name}");
        }
    }
}

#[test]
fn with_the_true_posterior_every_weight_is_the_likelihood() {
    let x = examples(16);
    let log_p: Vec<f64> = x.iter().map(log_evidence).collect();
    let negative: Vec<f64> = log_p.iter().map(|log_p| -log_p).collect();
    for place in places() {
        let model = Model::new(&x, &Posterior::of(&x), &place.device.clone().autodiff());
        for k in [1, 5, 64] {
            let what = format!("k = {k} on {}", place.name);
            let z = || model.sample(k, 3);
            assert_each(&what, to_host(model.log_weights(z(), &model.q(k))), &log_p);
            for objective in [model.iwae(z()), model.dreg(z())] {
                assert_each(&what, to_host(objective.loss), &negative);
            }
            let estimates = importance_weighted(k, 7, |c| model.log_weights(model.sample(c, 4), &model.q(c))).unwrap();
            for (estimate, log_p) in estimates.iter().zip(&log_p) {
                assert!((estimate.log_prob - log_p).abs() <= allowed(*log_p), "{estimate:?} {log_p}, {what}");
                let relative = estimate.effective_sample_size / k as f64 - 1.0;
                assert!(relative.abs() <= allowed(*log_p), "{estimate:?}, {what}");
            }
            // The encoder has nothing to learn, and DReG says so at every draw; the score in IWAE's gradient has noise.
            let size = |slopes: &Vec<f64>| slopes.iter().fold(0.0f64, |top, slope| top.max(slope.abs()));
            let [mean, log_var, _] = model.gradients(model.dreg(z()));
            // A residual of 2 weighs 8 in a gradient, of 8 observed numbers.
            let zero = allowed(8.0 * OBSERVED as f64);
            assert!(size(&mean) <= zero && size(&log_var) <= zero, "{} {}, {what}", size(&mean), size(&log_var));
            let [mean, log_var, _] = model.gradients(model.iwae(z()));
            assert!(size(&mean) > 0.1 && size(&log_var) > 0.1, "{} {}, {what}", size(&mean), size(&log_var));
        }
    }
}

// ---- a wrong one --------------------------------------------------------------------------------------------

#[test]
fn a_wrong_posterior_costs_its_divergence_from_the_true_one() {
    let x = examples(16);
    let expected: Vec<f64> = x.iter().map(|x| gap() - log_evidence(x)).collect();
    for place in places() {
        let device = place.device.clone().autodiff();
        let (truth, wrong) = (Posterior::of(&x), Posterior::of(&x).moved(SHIFT, WIDER));
        let model = Model::new(&x, &wrong, &device);
        assert_each(&format!("closed KL on {}", place.name), to_host(model.closed_elbo(&sigma_points())), &expected);
        let normal = |of: &Posterior| {
            Normal::new(to_tensor(&of.mean, [16, LATENT], &device), to_tensor(&of.log_var, [16, LATENT], &device))
        };
        let divergence = sum_event(kl::normal_normal(&normal(&wrong), &normal(&truth)));
        assert_each(&format!("KL on {}", place.name), to_host(divergence), &[gap(); 16]);
    }
}

#[test]
fn the_importance_weighted_estimate_converges_to_the_likelihood() {
    let x = examples(4);
    let log_p: Vec<f64> = x.iter().map(log_evidence).collect();
    for place in places() {
        let model = Model::new(&x, &Posterior::of(&x).moved(SHIFT, WIDER), &place.device);
        let mut before: Option<f64> = None;
        for k in [10usize, 100, 1000, 10_000] {
            let (mut errors, mut scores) = (Vec::new(), Vec::new());
            for seed in 0..20 {
                let mut noise = Seed(seed).stream("importance", k as u64);
                let draw = |c: usize| {
                    let q = model.q(c);
                    model.log_weights(q.sample(&mut noise), &q)
                };
                for (estimate, log_p) in importance_weighted(k, 4096, draw).unwrap().iter().zip(&log_p) {
                    let score = (estimate.log_prob - log_p) / estimate.standard_error;
                    assert!(score.abs() <= 4.0, "{estimate:?}, log p = {log_p} on {}", place.name);
                    errors.push(estimate.standard_error);
                    scores.push(score);
                }
            }
            // The errors are as large as they are said to be: 80 squared scores have a mean of 1 ± √(2/80).
            let square = scores.iter().map(|score| score * score).sum::<f64>() / scores.len() as f64;
            assert!((0.5..1.8).contains(&square), "{square} at k = {k} on {}", place.name);
            // √(Var w / k) / E w, which is known here, and so falls by √10.
            let error = Mean::of(&errors).mean;
            let expected = (weight_variance() / k as f64).sqrt();
            let band = if k < 100 { 0.15 } else { 0.05 };
            assert!((error / expected - 1.0).abs() < band, "{error} {expected} at k = {k} on {}", place.name);
            if let Some(before) = before.replace(error) {
                let ratio = before / error / 10f64.sqrt();
                assert!((0.85..1.15).contains(&ratio), "{ratio} at k = {k} on {}", place.name);
            }
        }
    }
}

#[test]
fn the_bounds_stand_in_their_order() {
    let (x, k, repeats) = (examples(2), 64, 1000);
    // Each example many times, so that every row is one draw.
    let many: Vec<[f64; OBSERVED]> = x.iter().flat_map(|x| vec![*x; repeats]).collect();
    for place in places() {
        let model = Model::new(&many, &Posterior::of(&many).moved(SHIFT, WIDER), &place.device);
        let z = model.sample(k, 5);
        let log_weights = model.log_weights(z.clone(), &model.q(k));
        let bound = |k: usize| {
            let rows = 2 * repeats * 64 / k;
            to_host(Iwae.objective(log_weights.clone().reshape([rows, k])).loss.neg())
        };
        let elbo = to_host(model.sampled_elbo(z).neg());
        // The same numbers at k = 1.
        for (elbo, one) in elbo.iter().zip(bound(1)) {
            assert!((elbo - one).abs() <= allowed(one), "{elbo} {one} on {}", place.name);
        }
        let [eight, all] = [bound(8), bound(64)];
        for (i, log_p) in x.iter().map(log_evidence).enumerate() {
            let of = |values: &[f64]| Mean::of(&values[i * values.len() / 2..(i + 1) * values.len() / 2]);
            let (elbo, eight, all) = (of(&elbo), of(&eight), of(&all));
            let what = format!("{elbo:?} {eight:?} {all:?}, log p = {log_p} on {}", place.name);
            assert!((elbo.mean - (log_p - gap())).abs() < 5.0 * elbo.standard_error, "{what}");
            assert!(elbo.mean + 5.0 * elbo.standard_error < eight.mean, "{what}");
            assert!(eight.mean + 5.0 * eight.standard_error < log_p, "{what}");
            assert!(eight.mean < all.mean && all.mean < log_p + 5.0 * all.standard_error, "{what}");
            // To second order a bound lies Var w / (2k) below.
            let below = weight_variance() / (2.0 * 64.0);
            assert!((log_p - below - all.mean).abs() < 5.0 * all.standard_error, "{below} {what}");
        }
    }
}

#[test]
fn both_gradients_of_iwae_have_one_mean_and_dreg_less_noise() {
    let repeats = 2000;
    let x = vec![examples(1)[0]; repeats];
    let q = Posterior::of(&x).moved(SHIFT, WIDER);
    // ∂KL(q ‖ p(z | x)): what k = 1 has to find.
    let true_deviation = |j: usize| (0.5 * (q.log_var[j] - WIDER)).exp();
    let at_one = |j: usize| [SHIFT / true_deviation(j), 0.5 * (WIDER.exp() - 1.0)];
    for place in places() {
        let model = Model::new(&x, &q, &place.device.clone().autodiff());
        let mut signals = Vec::new();
        for k in [1, 8, 64] {
            let z = || model.sample(k, 6);
            let (iwae, dreg) = (model.gradients(model.iwae(z())), model.gradients(model.dreg(z())));
            for parameter in 0..2 {
                for j in 0..LATENT {
                    let what = format!("parameter {parameter} of latent {j}, k = {k} on {}", place.name);
                    let of = |slopes: &[Vec<f64>; 3]| -> Vec<f64> {
                        slopes[parameter].chunks_exact(LATENT).map(|row| row[j]).collect()
                    };
                    let (iwae, dreg) = (of(&iwae), of(&dreg));
                    let difference = Mean::of(&iwae.iter().zip(&dreg).map(|(a, b)| a - b).collect::<Vec<_>>());
                    assert!(difference.mean.abs() < 5.0 * difference.standard_error, "{difference:?}, {what}");
                    let (means, noise) =
                        ([&iwae, &dreg].map(|v| Mean::of(v)), [&iwae, &dreg].map(|v| standard_deviation(v)));
                    assert!(noise[1] < noise[0], "{noise:?}, {what}");
                    if k == 1 {
                        for mean in means {
                            let expected = at_one(j)[parameter];
                            assert!(
                                (mean.mean - expected).abs() < 5.0 * mean.standard_error,
                                "{mean:?} {expected}, {what}"
                            );
                        }
                    }
                    if k == 64 {
                        assert!(noise[1] < 0.5 * noise[0], "{noise:?}, {what}");
                    }
                    if (parameter, j) == (0, 0) {
                        signals.push([means[0].mean / noise[0], means[1].mean / noise[1]].map(f64::abs));
                    }
                }
            }
            // To the decoder they are one gradient.
            for (iwae, dreg) in iwae[2].iter().zip(&dreg[2]) {
                assert!((iwae - dreg).abs() <= 1e-4 * (iwae.abs() + repeats as f64 * 0.01), "{iwae} {dreg}, k = {k}");
            }
        }
        // From k = 8 to k = 64 IWAE's signal drowns in its noise, and DReG's does not.
        assert!(signals[2][0] < signals[1][0] && signals[2][1] > signals[1][1], "{signals:?} on {}", place.name);
    }
}
