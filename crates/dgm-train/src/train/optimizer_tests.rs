//! Every optimiser and every key of it on a small model, through bytes and on; parameter groups.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::config::Config;
use crate::train::{initial_model, restore};
use burn::module::ModuleVisitor;
use burn::optim::GradientsParams;
use burn::tensor::TensorData;
use dgm_core::random::Seed;
use dgm_models::objective::Step;
use dgm_models::{AnyModel, Batch, DataSpec, Model, ObjectiveKind, Training, Values};

/// Small models for 2×2 images of three levels: their weights are matrices, or kernels of convolutions.
const VAE: &str = "kind = \"vae\"\nlatent = 2\nencoder = { kind = \"mlp\", hidden = [8] }\n\
                   decoder = { kind = \"mlp\", hidden = [8] }";
const CONVOLUTIONS: &str = "kind = \"causal_conv\"\nchannels = 4\nlayers = 1\nkernel = 2";

/// The VAE, with these lines in `[optimizer]`.
fn config(optimizer: &str) -> Config {
    config_of(VAE, optimizer)
}

fn config_of(model: &str, optimizer: &str) -> Config {
    let text = format!("[data]\nsource = \"digits\"\n[model]\n{model}\n[optimizer]\n{optimizer}\n");
    Config::from_toml(&text, "test.toml", &[]).unwrap_or_else(|error| panic!("{optimizer}: {error}"))
}

fn model(config: &Config) -> AnyModel {
    let spec = DataSpec { shape: [1, 2, 2], values: Values::Levels(3), condition: None };
    initial_model(config, &spec, &Device::flex()).unwrap()
}

struct Run {
    config: OptimizerConfig,
    model: AnyModel,
    optimizer: ModuleOptimizer,
}

impl Run {
    fn new(optimizer: &str) -> Self {
        Self::of(VAE, optimizer)
    }

    fn of(model_lines: &str, optimizer: &str) -> Self {
        let config = config_of(model_lines, optimizer);
        let plain = model(&config);
        let config = config.optimizer;
        Self { optimizer: build(&config, &plain), model: freeze(&config, plain).train(), config }
    }

    /// The same examples and the same noise at every step.
    fn objective(&self) -> Tensor<1> {
        let x = [[0.0, 1.0, 2.0, 0.0], [2.0, 2.0, 0.0, 1.0], [1.0, 0.0, 0.0, 2.0]];
        let batch = Batch::new(Tensor::from_floats(x, &Device::flex().autodiff()));
        let mut noise = Seed(3).stream("noise", 0);
        let kind = if matches!(self.model.training(), Training::Bound(_)) { "elbo" } else { "nll" };
        let step = Step { player: 0, views: &[batch], step: 0, rng: &mut noise };
        ObjectiveKind::of_kind(kind).unwrap().loss(&self.model, step).unwrap().mean_batch()
    }

    fn loss(&self) -> f32 {
        self.objective().into_scalar()
    }

    fn gradients(&self, scale: f64) -> GradientsParams {
        GradientsParams::from_grads(self.objective().mul_scalar(scale).backward(), &self.model)
    }

    /// A step with the gradient of the loss times this.
    fn step(&mut self, scale: f64) {
        let gradients = self.gradients(scale);
        self.model = self.optimizer.step(self.config.learning_rate, self.model.clone(), gradients);
    }

    /// Every parameter by its name.
    fn weights(&self) -> Vec<(String, TensorData)> {
        let all = Parameter::of(&self.model).into_iter();
        all.map(|parameter| (parameter.name, parameter.value.into_data())).collect()
    }
}

/// Each optimiser, a base on which every key shows, and each of its keys away from its default.
const KEYS: [(&str, &str, &[&str]); 11] = [
    ("adam", "", &["beta_1 = 0.5", "beta_2 = 0.5", "epsilon = 0.1", "weight_decay = 0.5"]),
    (
        "adamw",
        "",
        &["beta_1 = 0.5", "beta_2 = 0.5", "epsilon = 0.1", "weight_decay = 0.5", "cautious_weight_decay = true"],
    ),
    ("adamax", "", &["beta_1 = 0.5", "beta_2 = 0.5", "epsilon = 0.1", "weight_decay = 0.5"]),
    ("sgd", "momentum = 0.5", &["dampening = 0.5", "nesterov = true", "weight_decay = 0.5"]),
    (
        "adan",
        "weight_decay = 10.0",
        &["beta_1 = 0.5", "beta_2 = 0.5", "beta_3 = 0.5", "epsilon = 0.1", "no_prox = true", "weight_decay = 0.5"],
    ),
    ("adagrad", "", &["learning_rate_decay = 0.5", "epsilon = 0.1", "weight_decay = 0.5"]),
    ("rmsprop", "", &["alpha = 0.5", "momentum = 0.5", "epsilon = 0.1", "centered = true", "weight_decay = 0.5"]),
    (
        "adafactor",
        "learning_rate = 0.9",
        &[
            "epsilon_1 = 0.1",
            "epsilon_2 = 10.0",
            "clip_threshold = 0.01",
            "decay_rate = -0.1",
            "relative_step = false",
            "scale_parameter = false",
            "weight_decay = 0.5",
        ],
    ),
    ("lamb", "", &["beta_1 = 0.5", "beta_2 = 0.5", "epsilon = 0.1", "use_trust_ratio = false", "weight_decay = 0.5"]),
    ("lion", "beta_2 = 0.5", &["beta_1 = 0.1", "beta_2 = 0.99", "weight_decay = 0.5"]),
    (
        "muon",
        "",
        &[
            "momentum = 0.1",
            "nesterov = false",
            "newton_schulz_steps = 2",
            "adjust_learning_rate = \"original\"",
            "beta_1 = 0.5",
            "beta_2 = 0.5",
            "epsilon = 0.1",
            "weight_decay = 0.5",
        ],
    ),
];

/// Scales of the gradients of some steps: they differ, and change their sign.
const SCALES: [f64; 6] = [1.0, 0.1, -0.5, 0.05, 1.0, -0.2];

fn after(optimizer: &str) -> Vec<(String, TensorData)> {
    let mut run = Run::new(optimizer);
    SCALES.iter().for_each(|scale| run.step(*scale));
    run.weights()
}

#[test]
fn every_optimiser_lowers_the_loss_with_its_defaults() {
    assert_eq!(KEYS.map(|(kind, _, _)| kind), *OptimizerKind::KINDS);
    for (kind, model) in OptimizerKind::KINDS.iter().flat_map(|kind| [(kind, VAE), (kind, CONVOLUTIONS)]) {
        let mut run = Run::of(model, &format!("kind = \"{kind}\""));
        let before = run.loss();
        (0..40).for_each(|_| run.step(1.0));
        let after = run.loss();
        println!("{kind}: {before} to {after}");
        assert!(after < before - 0.01, "{kind}, {model}: {before} to {after}");
    }
}

#[test]
fn every_key_of_every_optimiser_has_an_effect() {
    for (kind, base, keys) in KEYS {
        let plain = after(&format!("kind = \"{kind}\"\n{base}"));
        for key in keys {
            let name = key.split(' ').next().unwrap();
            let base = if base.starts_with(name) { "" } else { base };
            assert_ne!(after(&format!("kind = \"{kind}\"\n{base}\n{key}")), plain, "{kind}: {key}");
        }
    }
    for kind in ["adam", "adamw"] {
        let with = |amsgrad: bool| after(&format!("kind = \"{kind}\"\nbeta_2 = 0.5\namsgrad = {amsgrad}"));
        assert_ne!(with(true), with(false), "{kind}: amsgrad");
    }
    assert_ne!(after("kind = \"sgd\"\nmomentum = 0.5"), after("kind = \"sgd\""), "sgd: momentum");
}

#[test]
fn every_optimiser_state_resumes_from_bytes_bit_for_bit() {
    let more =
        [("adam", "amsgrad = true"), ("adamw", "amsgrad = true"), ("rmsprop", "momentum = 0.5\ncentered = true")];
    let groups = "[[optimizer.groups]]\nmatch = \"*layers.0.*\"\nlearning_rate_factor = 0.5\nweight_decay = 0.1";
    let all = KEYS.iter().map(|(kind, base, _)| (*kind, *base)).chain(more);
    for ((kind, base), model) in all.flat_map(|optimizer| [(optimizer, VAE), (optimizer, CONVOLUTIONS)]) {
        let text = format!("kind = \"{kind}\"\n{base}\n{groups}");
        let mut run = Run::of(model, &text);
        SCALES[..3].iter().for_each(|scale| run.step(*scale));
        let bytes = run.optimizer.into_bytes().unwrap();
        let fresh = || build(&run.config, &run.model);
        let with = |optimizer| Run { config: run.config.clone(), model: run.model.clone(), optimizer };
        let restored = restore::optimizer(fresh(), &bytes, &run.model).unwrap();
        let (mut restored, mut forgetful) = (with(restored), with(fresh()));
        for scale in &SCALES[3..] {
            [&mut run, &mut restored, &mut forgetful].into_iter().for_each(|run| run.step(*scale));
        }
        assert_eq!(restored.weights(), run.weights(), "{kind}, {model}");
        assert_ne!(forgetful.weights(), run.weights(), "{kind}, {model}: a state that is lost would not show");
    }
}

fn numbers(data: &TensorData) -> Vec<f32> {
    data.iter::<f32>().collect()
}

/// Start, and the weights after a step of SGD at rate 0.1, plain and with these groups.
fn one_step(groups: &str) -> Vec<(String, [Vec<f32>; 3])> {
    let base = "kind = \"sgd\"\nlearning_rate = 0.1\nweight_decay = 0.5";
    let (mut plain, mut grouped) = (Run::new(base), Run::new(&format!("{base}\n{groups}")));
    let start = plain.weights();
    plain.step(1.0);
    grouped.step(1.0);
    let all = start.into_iter().zip(plain.weights()).zip(grouped.weights());
    all.map(|(((name, a), (_, b)), (_, c))| (name, [&a, &b, &c].map(numbers))).collect()
}

#[test]
fn the_last_matching_group_scales_the_learning_rate() {
    let group = |pattern: &str, factor: f64| {
        format!("[[optimizer.groups]]\nmatch = \"{pattern}\"\nlearning_rate_factor = {factor}\n")
    };
    let groups = group("encoder.*", 0.0) + &group("encoder.*.bias", 0.25) + &group("*output.weight", 3.0);
    let mut seen = 0;
    for (name, [start, plain, grouped]) in one_step(&groups) {
        let factor = match name.as_str() {
            "encoder.layers.0.weight" => 0.0,
            "encoder.layers.0.bias" => 0.25,
            "decoder.network.output.weight" => 3.0,
            _ => 1.0,
        };
        seen += usize::from(factor != 1.0);
        for ((start, plain), grouped) in start.into_iter().zip(plain).zip(grouped) {
            let expected = start + factor * (plain - start);
            // The same gradients, and a handful of operations on numbers of these sizes.
            let allowed = 8.0 * f32::EPSILON * (start.abs() + plain.abs() + grouped.abs());
            assert!((grouped - expected).abs() <= allowed, "{name}: {grouped}, not {expected}");
            assert!(factor != 0.0 || grouped.to_bits() == start.to_bits(), "{name} is frozen");
        }
    }
    assert_eq!(seen, 3);
}

#[test]
fn a_group_s_weight_decay_spares_biases() {
    let groups = "[[optimizer.groups]]\nmatch = \"*coder*\"\nweight_decay = 0.0\n";
    for (name, [start, plain, grouped]) in one_step(groups) {
        let decayed = name.contains("coder") && name.ends_with(".weight");
        for ((start, plain), grouped) in start.into_iter().zip(plain).zip(grouped) {
            // What the decay λ = 0.5 took at the rate 0.1.
            let expected = plain + if decayed { 0.1 * 0.5 * start } else { 0.0 };
            let allowed = 8.0 * f32::EPSILON * (start.abs() + plain.abs() + grouped.abs());
            assert!((grouped - expected).abs() <= allowed, "{name}: {grouped}, not {expected}");
        }
    }
    // Without a group too: the same step from the same weights differs in the weights alone.
    let mut none = Run::new("kind = \"sgd\"\nlearning_rate = 0.1");
    let mut with = Run::new("kind = \"sgd\"\nlearning_rate = 0.1\nweight_decay = 0.5");
    // After a first step the biases are no longer 0.
    for _ in 0..2 {
        let gradients = none.gradients(1.0);
        with.model = none.model.clone();
        with.model = with.optimizer.step(0.1, with.model.clone(), gradients);
        none.step(1.0);
    }
    for ((name, none), (_, with)) in none.weights().into_iter().zip(with.weights()) {
        assert_eq!(none == with, name.ends_with("bias"), "{name}");
    }
}

#[test]
fn frozen_parameters_do_not_count_in_gradient_clipping() {
    struct Count<'a> {
        gradients: &'a GradientsParams,
        with: usize,
    }
    impl ModuleVisitor for Count<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.with += usize::from(self.gradients.get::<D>(param.id).is_some());
        }
    }
    let freeze = "[[optimizer.groups]]\nmatch = \"*coder.*layers.*\"\nlearning_rate_factor = 0\n";
    let mut run = Run::new(&format!("kind = \"adam\"\n{freeze}"));
    for _ in 0..3 {
        let gradients = run.gradients(1.0);
        let mut count = Count { gradients: &gradients, with: 0 };
        run.model.visit(&mut count);
        assert_eq!(count.with, 4, "weight and bias of the posterior and of the output");
        run.step(1.0);
    }
    assert!(run.loss() < Run::new("").loss());
}

#[test]
fn muon_is_for_matrices_and_kernels_and_adamw_for_the_rest() {
    for model in [VAE, CONVOLUTIONS] {
        let (mut muon, mut adamw) =
            (Run::of(model, "kind = \"muon\""), Run::of(model, "kind = \"adamw\"\nweight_decay = 0.1"));
        muon.step(1.0);
        adamw.step(1.0);
        for ((name, muon), (_, adamw)) in muon.weights().into_iter().zip(adamw.weights()) {
            assert_eq!(muon == adamw, !name.ends_with("weight"), "{name}");
        }
    }
}

#[test]
fn what_does_not_fit_the_model_is_refused() {
    let error = |optimizer: &str| {
        let config = config(optimizer);
        let result = check(&config.optimizer, &model(&config), |key| format!("test.toml at {key}: "));
        result.expect_err("refused").to_string()
    };
    let group = |pattern: &str| format!("[[optimizer.groups]]\nmatch = \"{pattern}\"\nlearning_rate_factor = 0\n");
    assert_eq!(
        error(&format!("{}{}", group("encoder.*"), group("decoder.network.outptu.weight"))),
        "test.toml at groups: optimizer.groups: `decoder.network.outptu.weight` matches no parameter of the model; did you mean \
         `decoder.network.output.weight`? (a `*` stands for any characters; there are: encoder.layers.0.weight, encoder.layers.0.bias, \
         posterior.layer.weight, posterior.layer.bias, \
         decoder.network.trunk.layers.0.weight, decoder.network.trunk.layers.0.bias, decoder.network.output.weight, \
         decoder.network.output.bias); name one of them"
    );
    assert!(error(&group("*")).contains("freezes every parameter of the model"));
}

#[test]
fn patterns_match_whole_paths() {
    let matches = |pattern: &str, path: &str| {
        let group = GroupConfig { pattern: pattern.to_owned(), learning_rate_factor: 1.0, weight_decay: None };
        group.matches(path)
    };
    for (pattern, path) in [
        ("a.b", "a.b"),
        ("*", "a.b"),
        ("a*", "a.b"),
        ("*b", "a.b"),
        ("a*b", "ab"),
        ("*.0.*", "x.0.y"),
        ("a*b*b", "abbb"),
        ("**a**", "a"),
    ] {
        assert!(matches(pattern, path), "{pattern} {path}");
    }
    for (pattern, path) in
        [("a", "a.b"), ("a*a", "a"), ("b*", "a.b"), ("*c*", "a.b"), ("", "a"), ("a*b*b", "acb"), ("*bb*b", "abb")]
    {
        assert!(!matches(pattern, path), "{pattern} {path}");
    }
}
