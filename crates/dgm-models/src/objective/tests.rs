//! Every objective on small models: against densities of the same model, and against each other where theory says that they agree.

#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::conditional_mlp::ConditionalMlpConfig;
use crate::data::{ConditionSpec, DataSpec, Scale, Values};
use crate::likelihood::LikelihoodConfig;
use crate::registry::{AnyModel, ModelConfig};
use crate::vae::VaeConfig;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use dgm_core::random::Seed;

fn stream() -> Stream {
    Seed(3).stream("noise", 0)
}

fn host(values: Tensor<1>) -> Vec<f64> {
    values.into_data().iter::<f64>().collect()
}

/// A VAE of four pixels of three levels, without dropout.
fn vae() -> AnyModel {
    let config = VaeConfig::mlp(4, &[8], LikelihoodConfig::CATEGORICAL);
    let spec = DataSpec { shape: [1, 2, 2], values: Values::Levels(3), condition: None };
    ModelConfig::Vae(config).init(&spec, &mut Seed(1).stream("weights", 0), &Device::flex()).unwrap()
}

fn images(device: &Device) -> Batch {
    Batch::new(Tensor::from_floats([[0., 1., 2., 0.], [2., 2., 0., 1.], [1., 0., 0., 2.]], device))
}

/// A classifier of three classes.
fn classifier() -> AnyModel {
    let config = ConditionalMlpConfig {
        likelihood: LikelihoodConfig::CATEGORICAL,
        dropout: 0.0,
        ..ConditionalMlpConfig::default()
    };
    let condition = ConditionSpec { scale: Scale::identity(2), classes: None, augmentation: 0, shape: None };
    let spec = DataSpec { shape: [1, 1, 1], values: Values::Levels(3), condition: Some(condition) };
    ModelConfig::ConditionalMlp(config).init(&spec, &mut Seed(1).stream("weights", 0), &Device::flex()).unwrap()
}

fn labels(device: &Device) -> Batch {
    let condition = Tensor::from_floats([[0.5, -1.0], [2.0, 0.1], [-0.7, 0.9]], device);
    Batch { condition: Some(condition), ..Batch::new(Tensor::from_floats([[0.], [2.], [1.]], device)) }
}

fn kind(json: serde_json::Value) -> ObjectiveKind {
    serde_json::from_value(json).unwrap()
}

fn objective(kind: &ObjectiveKind, model: &AnyModel, batch: &Batch) -> Objective {
    let views = [batch.clone()];
    kind.loss(model, Step { player: 0, views: &views, step: 0, rng: &mut stream() }).unwrap()
}

fn loss(json: serde_json::Value, model: &AnyModel, batch: &Batch) -> Vec<f64> {
    host(objective(&kind(json), model, batch).loss)
}

/// Numbers of a few nats, by other sums of f32.
fn assert_close(one: &[f64], other: &[f64], what: &str) {
    assert_eq!(one.len(), other.len(), "{what}");
    for (a, b) in one.iter().zip(other) {
        assert!((a - b).abs() <= 4e-6 * a.abs().max(1.0), "{what}: {one:?} {other:?}");
    }
}

#[test]
fn the_elbo_is_the_density_of_the_same_sample() {
    let (model, batch) = (vae(), images(&Device::flex()));
    let density: Vec<f64> =
        host(model.density().unwrap().log_prob(&batch, &mut stream())).into_iter().map(|log_p| -log_p).collect();
    assert_close(&loss(serde_json::json!({ "kind": "elbo" }), &model, &batch), &density, "β = 1");
    let annealed = serde_json::json!({
        "kind": "elbo", "beta": { "schedule": "linear", "from": 0.25, "to": 1.0, "steps": 9 }
    });
    let Objective { loss: weighted, terms } = objective(&kind(annealed), &model, &batch);
    let [nll, kl] = [0, 1].map(|i: usize| host(terms[i].1.clone()));
    assert_eq!((terms[0].0, terms[1].0), ("nll", "kl"));
    let expected: Vec<f64> = nll.iter().zip(&kl).map(|(nll, kl)| nll + 0.25 * kl).collect();
    assert_close(&host(weighted), &expected, "β = ¼");
}

#[test]
fn free_bits_are_a_floor_on_each_group() {
    let (model, batch) = (vae(), images(&Device::flex()));
    let free = |nats: f64, group: usize| {
        let json = serde_json::json!({ "kind": "elbo", "free_bits": { "nats": nats, "group": group } });
        let kind = kind(json);
        assert!(!kind.is_additive(&model));
        host(objective(&kind, &model, &batch).loss)
    };
    let Objective { loss: plain, terms } = objective(&ObjectiveKind::of_kind("elbo").unwrap(), &model, &batch);
    let nll = host(terms[0].1.clone());
    assert_close(&free(0.0, 1), &host(plain), "no floor");
    // A floor that no KL reaches: four dimensions at 50 nats each, two groups, or one.
    for (group, floor) in [(1, 200.0), (2, 100.0), (4, 50.0)] {
        let expected: Vec<f64> = nll.iter().map(|nll| nll + floor).collect();
        assert_close(&free(50.0, group), &expected, "floor");
    }
}

#[test]
fn importance_weighted_objectives_agree_with_the_log_weights() {
    let (model, batch) = (vae(), images(&Device::flex()));
    let weight = host(model.latent().unwrap().log_weight(&batch, &mut stream()));
    let bound: Vec<f64> = weight.into_iter().map(|weight| -weight).collect();
    for name in ["iwae", "dreg"] {
        assert_close(&loss(serde_json::json!({ "kind": name, "samples": 1 }), &model, &batch), &bound, name);
    }
    // The same samples: one loss, two gradients.
    let [iwae, dreg] =
        ["iwae", "dreg"].map(|name| loss(serde_json::json!({ "kind": name, "samples": 7 }), &model, &batch));
    assert_close(&iwae, &dreg, "k = 7");
    // −log (1/k Σ w) of many samples is far below that of one on average: the bound tightens.
    let many = loss(serde_json::json!({ "kind": "iwae", "samples": 2000 }), &model, &batch);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let ones: Vec<f64> = (0..200)
        .flat_map(|i| {
            let mut rng = Seed(i).stream("noise", 1);
            host(model.latent().unwrap().log_weight(&batch, &mut rng))
        })
        .collect();
    assert!(mean(&many) < -mean(&ones), "{} {}", mean(&many), -mean(&ones));
}

#[test]
fn the_info_vae_contains_the_elbo() {
    let (model, batch) = (vae(), images(&Device::flex()));
    let elbo = loss(serde_json::json!({ "kind": "elbo" }), &model, &batch);
    let info = |alpha: f64, lambda: f64| {
        objective(&kind(serde_json::json!({ "kind": "info_vae", "alpha": alpha, "lambda": lambda })), &model, &batch)
    };
    assert_close(&host(info(0.0, 1.0).loss), &elbo, "α = 0, λ = 1");
    let Objective { loss, terms } = info(1.0, 10.0);
    let [nll, _, mmd] = [0, 1, 2].map(|i: usize| host(terms[i].1.clone()));
    let expected: Vec<f64> = nll.iter().zip(&mmd).map(|(nll, mmd)| nll + 10.0 * mmd).collect();
    assert_close(&host(loss), &expected, "α = 1, λ = 10");
    assert!(mmd[0] != 0.0 && mmd[0] == mmd[2], "{mmd:?}");
    // The only example of a batch.
    let one = Batch::new(images(&Device::flex()).target.slice([0..1, 0..4]));
    assert!(host(objective(&kind(serde_json::json!({ "kind": "info_vae" })), &model, &one).loss)[0].is_finite());
}

#[test]
fn the_nll_and_its_variants_of_classification() {
    let (model, batch) = (classifier(), labels(&Device::flex()));
    let density: Vec<f64> =
        host(model.density().unwrap().log_prob(&batch, &mut stream())).into_iter().map(|log_p| -log_p).collect();
    let of = |extra: serde_json::Value| {
        let mut json = serde_json::json!({ "kind": "nll" });
        json.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        loss(json, &model, &batch)
    };
    assert_close(&of(serde_json::json!({})), &density, "nll");
    for same in [serde_json::json!({ "focal": 0.0 }), serde_json::json!({ "label_smoothing": 0.0 })] {
        assert_close(&of(same.clone()), &density, &same.to_string());
    }
    let focal: Vec<f64> = density.iter().map(|nll| nll * (1.0 - (-nll).exp()).powi(2)).collect();
    assert_close(&of(serde_json::json!({ "focal": 2.0 })), &focal, "focal");
    // Classes 0, 2, 1.
    let weighted: Vec<f64> = density.iter().zip([0.5, 2.0, 1.0]).map(|(nll, weight)| nll * weight).collect();
    assert_close(&of(serde_json::json!({ "class_weights": [0.5, 1.0, 2.0] })), &weighted, "class weights");
    // The mean of −log p over all classes, by scoring each.
    let all: Vec<Vec<f64>> = (0..3)
        .map(|class| {
            let batch = Batch { target: batch.target.full_like(f64::from(class)), ..batch.clone() };
            host(model.density().unwrap().log_prob(&batch, &mut stream()))
        })
        .collect();
    let smooth: Vec<f64> =
        (0..3).map(|i| 0.9 * density[i] - 0.1 * all.iter().map(|log_p| log_p[i]).sum::<f64>() / 3.0).collect();
    assert_close(&of(serde_json::json!({ "label_smoothing": 0.1 })), &smooth, "label smoothing");
}

#[test]
fn every_objective_has_a_gradient_for_every_parameter() {
    let device = Device::flex().autodiff();
    for name in ObjectiveKind::KINDS {
        let kind = ObjectiveKind::of_kind(name).unwrap();
        let fitting = [(vae(), images(&device)), (classifier(), labels(&device))];
        let Some((model, batch)) = fitting.into_iter().find(|(model, _)| kind.check(model).is_ok()) else {
            assert_eq!(*name, "model", "no model here is trained by it");
            continue;
        };
        let model = model.train();
        let gradients = objective(&kind, &model, &batch).mean_batch().backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        assert_eq!(gradients.len(), burn::module::list_param_ids(&model).len(), "{name}");
    }
}

#[test]
fn an_objective_that_does_not_fit_says_what_does() {
    let refused = |json: serde_json::Value, model: &AnyModel| kind(json).check(model).unwrap_err().to_string();
    assert_eq!(
        refused(serde_json::json!({ "kind": "elbo" }), &classifier()),
        "`objective.kind` is \"elbo\", which is for models with an approximate posterior of latent variables; the model \"conditional_mlp\" is trained by \"nll\": \
         write that, or leave the key out"
    );
    let text = refused(serde_json::json!({ "kind": "nll" }), &vae());
    assert!(
        text.ends_with(
            "is trained by \"elbo\" or \"iwae\" or \"dreg\" or \"info_vae\": write one of them, or leave the key out"
        ),
        "{text}"
    );
    let grouped = serde_json::json!({ "kind": "elbo", "free_bits": { "nats": 0.1, "group": 3 } });
    assert!(refused(grouped, &vae()).contains("a group that divides the 4 terms of the KL; group is 3: change it"));
    let weights = serde_json::json!({ "kind": "nll", "class_weights": [1.0, 2.0] });
    assert!(refused(weights, &classifier()).contains("found 2 weights and a target of 1 dimensions of 3 levels"));
}

#[test]
fn values_out_of_range_are_named() {
    for (json, key) in [
        (serde_json::json!({ "kind": "elbo", "beta": -1.0 }), "beta"),
        (serde_json::json!({ "kind": "elbo", "free_bits": { "nats": -0.1 } }), "free_bits.nats"),
        (serde_json::json!({ "kind": "elbo", "free_bits": { "nats": 0.1, "group": 0 } }), "free_bits.group"),
        (serde_json::json!({ "kind": "iwae", "samples": 0 }), "samples"),
        (serde_json::json!({ "kind": "dreg", "samples": 0 }), "samples"),
        (serde_json::json!({ "kind": "info_vae", "alpha": 2.0 }), "alpha"),
        (serde_json::json!({ "kind": "info_vae", "lambda": 0.5 }), "lambda"),
        (serde_json::json!({ "kind": "nll", "focal": -1.0 }), "focal"),
        (serde_json::json!({ "kind": "nll", "label_smoothing": 1.5 }), "label_smoothing"),
        (serde_json::json!({ "kind": "nll", "focal": 1.0, "label_smoothing": 0.1 }), "label_smoothing"),
        (serde_json::json!({ "kind": "nll", "class_weights": [0.0, 0.0] }), "class_weights"),
    ] {
        assert_eq!(kind(json.clone()).validate().unwrap_err().key, key, "{json}");
    }
}
