//! Objectives and the adaptive softmax: values and gradients against 50 digits (`scripts/objective_literals.py`). Those
//! with latent variables stand in `latent_literals.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::objective_literals::{Case, Found, check_all, loss_of, numbers, weighted_sum};
use crate::common::to_host;
use burn::tensor::{Int, Tensor};
use dgm_core::density::{AdaptiveCategorical, AdaptiveTail, Categorical};
use dgm_core::objective::{Focal, Hinge, InfoNce, LabelSmoothing, Nll, NonSaturating, NtXent, class_weights};

fn classes(case: &Case) -> Tensor<1, Int> {
    let values: Vec<i32> = numbers(&case.entry["classes"]).into_iter().map(|class| class as i32).collect();
    Tensor::from_data(values.as_slice(), &case.device)
}

/// The losses, and the gradient of their weighted sum to each input.
fn run(case: &Case) -> Found {
    let vectors = |names: [&'static str; 2]| names.map(|name| (name, case.leaf::<1>(name)));
    let gradients = |loss: &Tensor<1>, leaves: &[(&'static str, Tensor<1>)]| {
        let gradients = weighted_sum(loss.clone()).backward();
        leaves.iter().map(|(name, leaf)| (*name, to_host(leaf.grad(&gradients).expect("a gradient")))).collect()
    };
    match case.name() {
        "non_saturating_discriminator" => {
            let leaves = vectors(["real", "fake"]);
            let objective = NonSaturating.discriminator(leaves[0].1.clone(), leaves[1].1.clone());
            let loss = loss_of(objective, &["real", "fake"]);
            (to_host(loss.clone()), gradients(&loss, &leaves))
        }
        "hinge_discriminator" => {
            let leaves = vectors(["real", "fake"]);
            let loss = loss_of(Hinge.discriminator(leaves[0].1.clone(), leaves[1].1.clone()), &["real", "fake"]);
            (to_host(loss.clone()), gradients(&loss, &leaves))
        }
        name @ ("non_saturating_generator" | "hinge_generator") => {
            let fake = case.leaf::<1>("fake");
            let objective = if name == "hinge_generator" {
                Hinge.generator(fake.clone())
            } else {
                NonSaturating.generator(fake.clone())
            };
            let loss = loss_of(objective, &["generator"]);
            (to_host(loss.clone()), gradients(&loss, &[("fake", fake)]))
        }
        _ => run_matrices(case),
    }
}

fn run_matrices(case: &Case) -> Found {
    let known: [&'static str; 9] =
        ["logits", "scores", "first", "second", "hidden", "head", "projection_0", "weight_0", "projection_1"];
    let known = known.into_iter().chain(["weight_1"]).filter(|name| case.entry["inputs"].get(name).is_some());
    let leaves: Vec<(&'static str, Tensor<2>)> = known.map(|name| (name, case.leaf::<2>(name))).collect();
    let get = |name: &str| leaves.iter().find(|(known, _)| *known == name).expect("an input").1.clone();
    let mut weights = None;
    let loss = match case.name() {
        "label_smoothing" => {
            let objective = LabelSmoothing { epsilon: case.setting("epsilon") };
            loss_of(objective.objective(get("logits"), classes(case)), &["nll", "uniform"])
        }
        "focal" => {
            let objective = Focal { gamma: case.setting("gamma") };
            loss_of(objective.objective(get("logits"), classes(case)), &["nll"])
        }
        "class_weights" => {
            let weight = weights.insert(case.leaf::<1>("weights")).clone();
            let log_prob = Categorical::from_logits(get("logits")).log_prob(classes(case));
            let nll = Nll.objective(log_prob.unsqueeze_dim(1), None);
            loss_of(nll.weight_examples(class_weights(weight, classes(case))), &["nll"])
        }
        "adaptive" => {
            let tails = [["projection_0", "weight_0"], ["projection_1", "weight_1"]];
            let tails =
                tails.map(|[projection, weight]| AdaptiveTail { projection: get(projection), weight: get(weight) });
            let density = AdaptiveCategorical::new(get("hidden"), get("head"), tails.to_vec());
            density.log_prob(classes(case)).unwrap()
        }
        "info_nce" => loss_of(InfoNce.objective(get("scores")), &["info_nce"]),
        "nt_xent" => {
            let objective = NtXent { temperature: case.setting("temperature") };
            loss_of(objective.objective(get("first"), get("second")), &["first", "second"])
        }
        name => panic!("objective_literals.json: no function for {name:?}"),
    };
    let gradients = weighted_sum(loss.clone()).backward();
    let slopes = leaves.iter().map(|(name, leaf)| (*name, to_host(leaf.grad(&gradients).expect("a gradient"))));
    let of_weights = weights.map(|leaf| ("weights", to_host(leaf.grad(&gradients).expect("a gradient"))));
    (to_host(loss), slopes.chain(of_weights).collect())
}

#[test]
fn literals_of_classification() {
    check_all(&["label_smoothing", "focal", "class_weights"], run);
}

#[test]
fn literals_of_the_adaptive_softmax() {
    check_all(&["adaptive"], run);
}

#[test]
fn literals_of_contrastive() {
    check_all(&["info_nce", "nt_xent"], run);
}

#[test]
fn literals_of_adversarial() {
    check_all(
        &["non_saturating_discriminator", "non_saturating_generator", "hinge_discriminator", "hinge_generator"],
        run,
    );
}
