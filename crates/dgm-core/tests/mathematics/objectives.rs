//! Objectives: what has to be exact, closed forms, and messages. Values to many digits: `objective_literals.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::objective_literals::loss_of;
use crate::common::{Place, places, to_host, to_tensor, tolerance};
use burn::module::{Module, Param, ParamGroup};
use burn::tensor::{Device, Int, Tensor};
use dgm_core::density::Categorical;
use dgm_core::estimate::Mean;
use dgm_core::objective::{
    Focal, Hinge, InfoNce, LabelSmoothing, Nll, NonSaturating, NtXent, Objective, class_weights, cosine_similarity,
    l1_penalty, l2_penalty,
};
use dgm_core::random::Seed;

fn classes(values: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
    Tensor::from_data(values.as_slice(), device)
}

fn normals(purpose: &str, n: usize, scale: f64) -> Vec<f64> {
    let values = Seed(5).stream(purpose, 0).normals(n);
    values.into_iter().map(|value| f64::from((f64::from(value) * scale) as f32)).collect()
}

/// To a few units in the last place, and 0 exactly.
fn assert_close(found: &[f64], expected: &[f64], place: &Place) {
    assert_eq!(found.len(), expected.len(), "on {}", place.name);
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance(8, *expected), "{found} {expected} on {}", place.name);
    }
}

// ---- classification --------------------------------------------------------------------------

/// Loss and gradient to the logits of the mean over the batch.
fn of_logits(logits: &[f64], k: usize, device: &Device, f: impl Fn(Tensor<2>) -> Objective) -> (Vec<f64>, Vec<f64>) {
    let leaf = to_tensor(logits, [logits.len() / k, k], device).require_grad();
    let objective = f(leaf.clone());
    let gradients = objective.mean_batch().backward();
    (to_host(objective.loss), to_host(leaf.grad(&gradients).expect("a gradient")))
}

fn nll_of(logits: Tensor<2>, class: Tensor<1, Int>) -> Objective {
    Nll.objective(Categorical::from_logits(logits).log_prob(class).unsqueeze_dim(1), None)
}

#[test]
fn without_their_parameter_they_are_the_nll() {
    let k = 5;
    let mut logits = normals("logits", 6 * k, 4.0);
    logits[..2].copy_from_slice(&[1e4, -1e4]);
    logits[k..k + 2].copy_from_slice(&[-1e4, 1e4]);
    for place in places() {
        let device = place.device.clone().autodiff();
        let class = || classes(&[0, 0, 4, 2, 1, 3], &device);
        let expected = of_logits(&logits, k, &device, |logits| nll_of(logits, class()));
        let focal = of_logits(&logits, k, &device, |logits| Focal { gamma: 0.0 }.objective(logits, class()));
        let smooth =
            of_logits(&logits, k, &device, |logits| LabelSmoothing { epsilon: 0.0 }.objective(logits, class()));
        let weighted = of_logits(&logits, k, &device, |logits| {
            nll_of(logits, class()).weight_examples(class_weights(Tensor::ones([k], &device), class()))
        });
        for (name, found) in [("focal", focal), ("label smoothing", smooth), ("class weights", weighted)] {
            assert_eq!(found, expected, "{name} on {}", place.name);
        }
    }
}

#[test]
fn alpha_of_the_focal_loss_comes_through_class_weights() {
    for place in places() {
        let device = &place.device;
        let logits = || to_tensor(&[0.0, 3f64.ln(), 0.0, 3f64.ln()], [2, 2], device);
        let alpha = to_tensor(&[0.25, 0.75], [2], device);
        let focal = Focal { gamma: 2.0 }.objective(logits(), classes(&[0, 1], device));
        let loss = to_host(focal.weight_examples(class_weights(alpha, classes(&[0, 1], device))).loss);
        // p = (1/4, 3/4): −α (1 − p)² log p.
        let expected = [0.25 * 0.5625 * 4f64.ln(), 0.75 * 0.0625 * (4.0f64 / 3.0).ln()];
        for (loss, expected) in loss.iter().zip(expected) {
            assert!((loss - expected).abs() <= tolerance(12, 1.0), "{loss} {expected} on {}", place.name);
        }
    }
}

// ---- penalties --------------------------------------------------------------------------------

#[derive(Module, Debug)]
struct Layer {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Network {
    encoder: Layer,
    decoders: Vec<Layer>,
    scale: Option<Param<Tensor<1>>>,
}

impl Network {
    fn new(device: &Device) -> Self {
        let layer = |first: f64| Layer {
            weight: Param::from_tensor(to_tensor(&[first, -2.0, 0.0, 0.5], [2, 2], device)),
            bias: Param::from_tensor(to_tensor(&[-first, 3.0], [2], device)),
        };
        let scale = Some(Param::from_tensor(to_tensor(&[8.0], [1], device)));
        Self { encoder: layer(1.0), decoders: vec![layer(2.0), layer(4.0)], scale }
    }
}

#[test]
fn penalties_reach_the_chosen_parameters_alone() {
    for place in places() {
        let network = Network::new(&place.device.clone().autodiff());
        let check = |group: ParamGroup, l1: f64, half_squared: f64, chosen: [bool; 4]| {
            let penalties = [l1_penalty(&network, &group).unwrap(), l2_penalty(&network, &group).unwrap()];
            assert_eq!(penalties.clone().map(to_host), [[l1], [half_squared]], "{group:?}");
            for (penalty, slope) in penalties.into_iter().zip([f64::signum as fn(f64) -> f64, |theta| theta]) {
                let gradients = penalty.mul_scalar(0.5).backward();
                let last = &network.decoders[1];
                let found = [
                    network.encoder.weight.val().grad(&gradients).map(to_host),
                    network.encoder.bias.val().grad(&gradients).map(to_host),
                    last.weight.val().grad(&gradients).map(to_host),
                    last.bias.val().grad(&gradients).map(to_host),
                ];
                let values = [&[1.0, -2.0, 0.0, 0.5][..], &[-1.0, 3.0], &[4.0, -2.0, 0.0, 0.5], &[-4.0, 3.0]];
                for ((found, values), chosen) in found.into_iter().zip(values).zip(chosen) {
                    let slope = |&theta: &f64| if theta == 0.0 { 0.0 } else { 0.5 * slope(theta) };
                    let expected: Option<Vec<f64>> = chosen.then(|| values.iter().map(slope).collect());
                    assert_eq!(found, expected, "{group:?} on {}", place.name);
                }
            }
        };
        check(ParamGroup::from_predicate("weight"), 14.5, 16.875, [true, false, true, false]);
        check(ParamGroup::from_path("decoders.1.bias"), 7.0, 12.5, [false, false, false, true]);
        let weights_but_one = ParamGroup::from_predicate("weight").exclude(ParamGroup::from_predicate("decoders.1"));
        check(weights_but_one, 8.0, 6.75, [true, false, false, false]);
        check(ParamGroup::all(), 14.5 + 16.0 + 8.0, 16.875 + 24.0 + 32.0, [true; 4]);
        let missing = l2_penalty(&network, &ParamGroup::from_predicate("wieght")).unwrap_err();
        assert!(missing.to_string().contains("encoder.weight, encoder.bias, decoders.0.weight"), "{missing}");
    }
}

#[test]
fn a_penalty_joins_an_objective() {
    for place in places() {
        let network = Network::new(&place.device.clone().autodiff());
        let penalty = l2_penalty(&network, &ParamGroup::from_path("encoder.bias")).unwrap();
        // Its own network's output as the log-probability: both gradients meet in one parameter.
        let log_prob = network.encoder.bias.val().unsqueeze_dim(1);
        let objective = Nll.objective(log_prob, None).add_penalty("l2", 0.25, penalty);
        assert_eq!(to_host(objective.loss.clone()), [1.0 + 1.25, -3.0 + 1.25]);
        let gradients = objective.mean_batch().backward();
        let gradient = to_host(network.encoder.bias.val().grad(&gradients).unwrap());
        assert_eq!(gradient, [-0.5 - 0.25, -0.5 + 0.75]);
        assert_eq!(to_host(loss_of(objective, &["nll", "l2"])).len(), 2);
    }
}

// ---- sequences ----------------------------------------------------------------------------------

#[test]
fn a_token_mean_is_no_mean_of_means() {
    let log_prob = [-1.0, -2.0, -3.0, -10.0, f64::NAN, f64::NEG_INFINITY, f64::NAN, f64::NAN, f64::INFINITY];
    let mask = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    for place in places() {
        let device = place.device.clone().autodiff();
        let leaf = to_tensor(&log_prob, [3, 3], &device).require_grad();
        let objective = Nll.per_token(leaf.clone(), Some(to_tensor(&mask, [3, 3], &device)));
        // 16 nats in 4 tokens; the mean of the examples' means would be (2 + 10) / 2.
        assert_close(&to_host(objective.mean_batch()), &[4.0], &place);
        assert_close(&to_host(objective.loss.clone()), &[4.5, 7.5, 0.0], &place);
        assert_close(&to_host(objective.terms[0].1.clone()), &[6.0, 10.0, 0.0], &place);
        let gradients = objective.mean_batch().backward();
        let gradient = to_host(leaf.grad(&gradients).unwrap());
        assert_close(&gradient, &mask.map(|mask| -0.25 * mask), &place);

        let nothing = Nll.per_token(leaf.clone(), Some(Tensor::zeros([3, 3], &device)));
        assert_close(&to_host(nothing.loss.clone()), &[0.0; 3], &place);
        let gradient = to_host(leaf.grad(&nothing.mean_batch().backward()).unwrap());
        assert_close(&gradient, &[0.0; 9], &place);

        let whole = to_tensor(&log_prob[..4], [2, 2], &device);
        for mask in [None, Some(Tensor::ones([2, 2], &device))] {
            let objective = Nll.per_token(whole.clone(), mask);
            assert_close(&to_host(objective.mean_batch()), &[4.0], &place);
            assert_close(&to_host(objective.loss), &[1.5, 6.5], &place);
        }
    }
}

// ---- contrastive ----------------------------------------------------------------------------------

#[test]
fn info_nce_of_scores_that_tell_nothing_is_log_n() {
    for place in places() {
        for n in [1usize, 2, 8] {
            let loss = InfoNce.objective(Tensor::full([n, n], 7.0, &place.device)).loss;
            let bound = to_host(InfoNce.mutual_information_bound(loss.clone()));
            for (loss, bound) in to_host(loss).into_iter().zip(bound) {
                // A sum over n candidates and a dozen operations.
                let allowed = tolerance(n + 12, 1.0 + (n as f64).ln());
                assert!((loss - (n as f64).ln()).abs() <= allowed && bound.abs() <= allowed, "{n} on {}", place.name);
            }
        }
        // Scores that tell all: the bound is what n candidates can show.
        let loss = InfoNce.objective(Tensor::eye(8, &place.device).mul_scalar(1e4)).loss;
        let bound = Mean::of(&to_host(InfoNce.mutual_information_bound(loss)));
        assert!((bound.mean - 8f64.ln()).abs() <= tolerance(8, 8f64.ln()), "{bound:?} on {}", place.name);
    }
}

#[test]
fn info_nce_bounds_a_known_mutual_information() {
    // x, y normal with correlation r: I = −½ log(1 − r²); the best scores are log p(y | x) − log p(y).
    let (n, batches, r) = (64, 40, 0.8f64);
    let information = -0.5 * (1.0 - r * r).ln();
    for place in places() {
        let batch = |step: u64| {
            let x = Seed(3).stream("x", step).normals(n);
            let noise = Seed(3).stream("y", step).normals(n);
            let y: Vec<f64> =
                x.iter().zip(noise).map(|(&x, e)| r * f64::from(x) + (1.0 - r * r).sqrt() * f64::from(e)).collect();
            let score = |x: f32, y: f64| 0.5 * (y * y - (y - r * f64::from(x)).powi(2) / (1.0 - r * r));
            let scores: Vec<f64> = x.iter().flat_map(|&x| y.iter().map(move |&y| score(x, y))).collect();
            let loss = InfoNce.objective(to_tensor(&scores, [n, n], &place.device)).loss;
            Mean::of(&to_host(InfoNce.mutual_information_bound(loss))).mean
        };
        let bound = Mean::of(&(0..batches).map(batch).collect::<Vec<_>>());
        // Below the information, and with 64 candidates for half a nat, close to it.
        assert!(bound.mean < information + 3.0 * bound.standard_error, "{bound:?}, I = {information}");
        assert!(bound.mean > 0.85 * information, "{bound:?}, I = {information}");
    }
}

#[test]
fn an_embedding_is_no_candidate_for_itself() {
    for place in places() {
        let device = place.device.clone().autodiff();
        for temperature in [0.01, 0.5] {
            let [first, second] =
                ["first", "second"].map(|name| to_tensor(&normals(name, 3, 1.0), [1, 3], &device).require_grad());
            let objective = NtXent { temperature }.objective(first.clone(), second.clone());
            let gradients = objective.mean_batch().backward();
            // One pair: the partner is the only candidate, and certain. In WGSL the logarithm of 1 may be off.
            let allowed = if place.exact { 0.0 } else { 1e-5 / temperature };
            let slopes = [first, second].map(|leaf| to_host(leaf.grad(&gradients).unwrap()));
            for found in to_host(objective.loss).into_iter().chain(slopes.concat()) {
                assert!(found.abs() <= allowed, "{found} on {}", place.name);
            }
        }
    }
}

#[test]
fn cosines_of_any_length() {
    for place in places() {
        let device = place.device.clone().autodiff();
        for scale in [1e-5, 1.0, 1e30] {
            let a = to_tensor(&[3.0 * scale, 4.0 * scale, 0.0, 0.0], [2, 2], &device).require_grad();
            let b = to_tensor(&[scale, 0.0, -scale, 0.0, 0.0, 0.0], [3, 2], &device);
            let cosines = cosine_similarity(a.clone(), b);
            for (found, expected) in to_host(cosines.clone()).iter().zip([0.6, -0.6, 0.0, 0.0, 0.0, 0.0]) {
                assert!(
                    (found - expected).abs() <= tolerance(16, 1.0),
                    "{found} {expected} at {scale} on {}",
                    place.name
                );
            }
            let gradient = to_host(a.grad(&cosines.narrow(1, 0, 1).sum().backward()).unwrap());
            // ∂ cos/∂a = (b̂ − cos·â)/‖a‖; of the zero vector b̂/ε.
            for (found, expected) in gradient.iter().zip([0.64 / 5.0 / scale, -0.48 / 5.0 / scale, 1e6, 0.0]) {
                let allowed = 1e-5 * expected.abs() + 1e-37;
                assert!((found - expected).abs() <= allowed, "{found} {expected} at {scale} on {}", place.name);
            }
        }
    }
}

// ---- adversarial ------------------------------------------------------------------------------------

#[test]
fn the_best_discriminator_shows_the_divergence() {
    // Two coins: the best logit is log p(x)/q(x), and the mean of its loss 2 log 2 − 2 JSD.
    let (p, q) = ([0.75, 0.25], [0.25, 0.75]);
    let jsd: f64 = (0..2)
        .map(|x| {
            let m: f64 = 0.5 * (p[x] + q[x]);
            0.5 * (p[x] * f64::ln(p[x] / m) + q[x] * f64::ln(q[x] / m))
        })
        .sum();
    for place in places() {
        // Every pair of a real and a generated x, with its probability as its weight.
        let logit = |x: usize| f64::ln(p[x] / q[x]);
        let pairs = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let [real, fake] = [pairs.map(|(x, _)| logit(x)), pairs.map(|(_, x)| logit(x))];
        let weights = to_tensor(&pairs.map(|(a, b)| p[a] * q[b]), [4], &place.device);
        let [real, fake] = [real, fake].map(|scores| to_tensor(&scores, [4], &place.device));
        let loss = NonSaturating.discriminator(real, fake).weight_examples(weights).loss;
        let found = to_host(loss.sum())[0];
        assert!((found - (2.0 * 2f64.ln() - 2.0 * jsd)).abs() <= tolerance(16, 1.0), "{found} on {}", place.name);
    }
}

// ---- wrong shapes ---------------------------------------------------------------------------------------

/// The message of the panic that `function` ends in.
#[cfg(feature = "flex")]
fn panic_message<R>(function: impl FnOnce() -> R) -> String {
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(function)).err().expect("a panic");
    panicked.downcast_ref::<String>().expect("a formatted message").clone()
}

#[cfg(feature = "flex")]
#[test]
fn wrong_shapes_are_named() {
    let device = Device::flex();
    let row = |n: usize| Tensor::<1>::zeros([n], &device);
    let matrix = |n: usize, k: usize| Tensor::<2>::zeros([n, k], &device);
    let labels = |n: usize| classes(&vec![0; n], &device);
    let objective = || Nll.objective(matrix(4, 1), None);
    for (message, parts) in [
        (
            panic_message(|| LabelSmoothing { epsilon: 0.1 }.objective(matrix(2, 3), labels(4))),
            ["LabelSmoothing", "logits", "[2, 3]", "class", "[4]"],
        ),
        (
            panic_message(|| Focal { gamma: 1.0 }.objective(matrix(2, 3), labels(4))),
            ["Focal", "logits", "[2, 3]", "class", "[4]"],
        ),
        (panic_message(|| objective().weight_examples(row(3))), ["weight_examples", "loss", "[4]", "weight", "[3]"]),
        (
            panic_message(|| objective().add_penalty("l2", 1.0, row(2))),
            ["add_penalty", "penalty", "shape", "[2]", "[1]"],
        ),
        (panic_message(|| InfoNce.objective(matrix(2, 3))), ["InfoNce", "scores", "shape", "[2, 3]", "[2, 2]"]),
        (
            panic_message(|| NtXent { temperature: 1.0 }.objective(matrix(2, 3), matrix(2, 4))),
            ["NtXent", "first", "[2, 3]", "second", "[2, 4]"],
        ),
        (
            panic_message(|| cosine_similarity(matrix(2, 3), matrix(5, 4))),
            ["cosine_similarity", "`a`", "[2, 3]", "`b`", "[5, 4]"],
        ),
        (
            panic_message(|| NonSaturating.discriminator(row(2), row(3))),
            ["NonSaturating::discriminator", "real", "[2]", "fake", "[3]"],
        ),
        (panic_message(|| Hinge.discriminator(row(2), row(3))), ["Hinge", "real", "[2]", "fake", "[3]"]),
        (
            panic_message(|| Nll.per_token(matrix(2, 3), Some(matrix(2, 4)))),
            ["fill_padding", "log_prob", "mask", "[2, 3]", "[2, 4]"],
        ),
    ] {
        for part in parts {
            assert!(message.contains(part), "{message:?} does not say {part}");
        }
    }
}
