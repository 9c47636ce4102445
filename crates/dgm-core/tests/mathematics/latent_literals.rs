//! Objectives with latent variables: values and gradients, through z = mean + exp(½ log_var)·ε, against 50 digits
//! (`scripts/objective_literals.py`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::objective_literals::{Case, Found, check_all, gradient, loss_of, weighted_sum};
use crate::common::to_host;
use burn::tensor::Tensor;
use dgm_core::density::Normal;
use dgm_core::divergence::kl;
use dgm_core::divergence::mmd::{self, Kernel};
use dgm_core::objective::{Dreg, Elbo, FreeBits, InfoVae, Iwae, sum_event};

fn free_bits(case: &Case) -> Option<FreeBits> {
    let nats = case.entry.get("nats").map(|_| case.setting("nats"));
    nats.map(|nats| FreeBits { nats, group: case.setting("group") as usize })
}

fn standard<const D: usize>(z: &Tensor<D>) -> Normal<D> {
    Normal::new(z.zeros_like(), z.zeros_like())
}

fn run_elbo(case: &Case) -> Found {
    let objective = Elbo { beta: case.setting("beta"), free_bits: free_bits(case) };
    let log_likelihood = case.leaf::<1>("log_likelihood");
    let [mean, log_var] = ["mean", "log_var"].map(|name| case.leaf::<2>(name));
    let q = Normal::new(mean.clone(), log_var.clone());
    let epsilon = (case.name() == "elbo_sampled").then(|| case.leaf::<2>("epsilon"));
    let kl = match &epsilon {
        Some(epsilon) => {
            let z = q.transform(epsilon.clone());
            q.log_prob(z.clone()) - standard(&z).log_prob(z)
        }
        None => kl::normal_standard(&q),
    };
    let objective = objective.objective(log_likelihood.clone(), kl.clone());
    // The terms know of no weight and no floor.
    for ((_, term), expected) in objective.terms.iter().zip([log_likelihood.clone().neg(), sum_event(kl)]) {
        assert_eq!(to_host(term.clone()), to_host(expected));
    }
    let loss = loss_of(objective, &["nll", "kl"]);
    let gradients = weighted_sum(loss.clone()).backward();
    let slopes = [
        ("log_likelihood", gradient(&log_likelihood, &gradients)),
        ("mean", gradient(&mean, &gradients)),
        ("log_var", gradient(&log_var, &gradients)),
    ];
    let of_epsilon = epsilon.map(|epsilon| ("epsilon", gradient(&epsilon, &gradients)));
    (to_host(loss), slopes.into_iter().chain(of_epsilon).collect())
}

/// A function of one matrix.
fn run_matrix(case: &Case) -> Found {
    let name = if case.name() == "iwae" { "log_weights" } else { "kl" };
    let leaf = case.leaf::<2>(name);
    let loss = match free_bits(case) {
        Some(free_bits) => free_bits.floor(leaf.clone()),
        None => loss_of(Iwae.objective(leaf.clone()), &["nll_bound"]),
    };
    let gradients = weighted_sum(loss.clone()).backward();
    (to_host(loss), vec![(name, gradient(&leaf, &gradients))])
}

/// z ~ N(0, I), x | z ~ N(Σ_d (z_d + z_d²/4) θ_d, I): log p(x, z) − log q(z | x), `[n, k]`.
fn log_weights(z: Tensor<3>, q: &Normal<3>, theta: &Tensor<2>, x: &Tensor<2>) -> Tensor<2> {
    let ([n, k, d], [_, observed]) = (z.dims(), x.dims());
    let features = z.clone() + (z.clone() * z.clone()).mul_scalar(0.25);
    let mean = features.reshape([n * k, d]).matmul(theta.clone()).reshape([n, k, observed]);
    let x = x.clone().unsqueeze_dim::<3>(1).expand([n, k, observed]);
    let likelihood = Normal::new(mean.clone(), mean.zeros_like()).log_prob(x);
    let of_z = standard(&z).log_prob(z.clone()) - q.log_prob(z);
    (likelihood.sum_dim(2) + of_z.sum_dim(2)).squeeze_dim(2)
}

fn run_model(case: &Case) -> Found {
    let [mean, log_var, theta, x] = ["mean", "log_var", "theta", "x"].map(|name| case.leaf::<2>(name));
    let epsilon = case.leaf::<3>("epsilon");
    let each = |parameter: &Tensor<2>| parameter.clone().unsqueeze_dim::<3>(1).expand(epsilon.dims());
    let q = Normal::new(each(&mean), each(&log_var));
    let z = q.transform(epsilon.clone());
    let objective = if case.name() == "dreg" {
        Dreg.objective(z, |z| log_weights(z, &q.detach(), &theta, &x))
    } else {
        Iwae.objective(log_weights(z, &q, &theta, &x))
    };
    let loss = loss_of(objective, &["nll_bound"]);
    let gradients = weighted_sum(loss.clone()).backward();
    let matrices = [("mean", mean), ("log_var", log_var), ("theta", theta), ("x", x)];
    let slopes = matrices.into_iter().map(|(name, leaf)| (name, gradient(&leaf, &gradients)));
    (to_host(loss), slopes.chain([("epsilon", gradient(&epsilon, &gradients))]).collect())
}

fn run_info_vae(case: &Case) -> Found {
    let objective = InfoVae { alpha: case.setting("alpha"), lambda: case.setting("lambda_") };
    let log_likelihood = case.leaf::<1>("log_likelihood");
    let [mean, log_var, epsilon, prior] = ["mean", "log_var", "epsilon", "prior"].map(|name| case.leaf::<2>(name));
    let q = Normal::new(mean.clone(), log_var.clone());
    let size = case.setting("size");
    let kernel = match case.entry["kernel"].as_str().unwrap() {
        "rbf" => Kernel::Rbf { bandwidth: size },
        _ => Kernel::InverseMultiquadric { scale: size },
    };
    let estimate = if case.entry["unbiased"].as_bool().unwrap() { mmd::unbiased } else { mmd::biased };
    let squared_mmd = estimate(q.transform(epsilon.clone()), prior.clone(), kernel);
    let objective = objective.objective(log_likelihood.clone(), kl::normal_standard(&q), squared_mmd);
    let loss = loss_of(objective, &["nll", "kl", "mmd"]);
    let gradients = weighted_sum(loss.clone()).backward();
    let matrices = [("mean", mean), ("log_var", log_var), ("epsilon", epsilon), ("prior", prior)];
    let slopes = matrices.into_iter().map(|(name, leaf)| (name, gradient(&leaf, &gradients)));
    (to_host(loss), slopes.chain([("log_likelihood", gradient(&log_likelihood, &gradients))]).collect())
}

#[test]
fn literals_of_the_elbo() {
    check_all(&["elbo", "elbo_sampled"], run_elbo);
}

#[test]
fn literals_of_free_bits() {
    check_all(&["free_bits"], run_matrix);
}

#[test]
fn literals_of_iwae() {
    check_all(&["iwae"], run_matrix);
    check_all(&["iwae_model"], run_model);
}

#[test]
fn literals_of_dreg() {
    check_all(&["dreg"], run_model);
}

#[test]
fn literals_of_info_vae() {
    check_all(&["info_vae"], run_info_vae);
}
