//! Densities, divergences and their gradients against values computed to 50 digits (`scripts/literals.py`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use burn::tensor::{Device, Int, Tensor, TensorData};
use common::{Place, places};
use dgm_core::density::{Bernoulli, BetaBinomialMixture, Categorical, Normal};
use dgm_core::divergence::kl;
use dgm_core::estimate::log_mean_exp;
use serde_json::Value;

const LITERALS: &str = include_str!("literals.json");

/// What f32 is held to.
struct Tolerance {
    /// Of the expected number.
    relative: f64,
    /// Of the size of what cancels, as the entry gives it (0: nothing does). Terms that are rounded at 2⁻²⁴ ≈ 6·10⁻⁸ of
    /// their size leave some of that behind in their sum, however small the sum is.
    cancelled: f64,
    /// Of 1.
    absolute: f64,
}

impl Tolerance {
    fn of(place: &Place) -> Self {
        if place.exact {
            // Absolute: f32 has no normal numbers below 1.2·10⁻³⁸, so a probability of exp(−160) is 0.
            Self { relative: 1e-5, cancelled: 1e-6, absolute: 1e-37 }
        } else {
            // WGSL lets exp(x) be off by 3 + 2|x| units in the last place, and log(x) near 1, which log1p is made of, by
            // 2⁻²¹ absolutely.
            Self { relative: 3e-5, cancelled: 2e-6, absolute: 1e-6 }
        }
    }

    fn check(&self, what: &str, found: &[f64], expected: &[f64], scale: &Value) {
        assert_eq!(found.len(), expected.len(), "{what}: number of values");
        for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            let scale = scale.as_f64().unwrap_or_else(|| scale[i].as_f64().expect("a scale for each number"));
            let allowed = self.relative * expected.abs() + self.cancelled * scale + self.absolute;
            let error = (found - expected).abs();
            assert!(
                found.is_finite() && error <= allowed,
                "{what}, number {i}: {found:e}, expected {expected:e}; off by {error:e}, allowed {allowed:e}"
            );
        }
    }
}

/// An entry of the file with its inputs as tensors `[rows, columns]` on one device.
struct Case<'a> {
    entry: &'a Value,
    device: Device,
    inputs: Vec<(&'a str, Tensor<2>)>,
}

impl<'a> Case<'a> {
    fn new(entry: &'a Value, device: &Device) -> Self {
        let shape = numbers(&entry["shape"]);
        let (rows, columns) = (shape[0] as usize, shape.get(1).map_or(1, |&columns| columns as usize));
        let inputs = entry["inputs"].as_object().unwrap().iter().map(|(name, values)| {
            let values: Vec<f32> = numbers(values).into_iter().map(|value| value as f32).collect();
            let input = Tensor::from_data(TensorData::new(values, [rows, columns]), device);
            (name.as_str(), if entry["gradients"].get(name).is_some() { input.require_grad() } else { input })
        });
        Self { entry, device: device.clone(), inputs: inputs.collect() }
    }

    fn input(&self, name: &str) -> Tensor<2> {
        self.inputs.iter().find(|(known, _)| *known == name).expect("an input of this name").1.clone()
    }

    fn value(&self) -> Tensor<1> {
        let get = |name| self.input(name);
        match self.entry["name"].as_str().unwrap() {
            "bernoulli_log_prob" => Bernoulli::from_logits(get("logits")).log_prob(get("x")).flatten(0, 1),
            "bernoulli_mean" => Bernoulli::from_logits(get("logits")).mean().flatten(0, 1),
            "bernoulli_entropy" => Bernoulli::from_logits(get("logits")).entropy().flatten(0, 1),
            "kl_bernoulli" => kl::bernoulli(get("a"), get("b")).flatten(0, 1),
            "normal_log_prob" => Normal::new(get("mean"), get("log_var")).log_prob(get("x")).flatten(0, 1),
            "normal_entropy" => Normal::new(get("log_var"), get("log_var")).entropy().flatten(0, 1),
            "kl_normal_standard" => kl::normal_standard(&Normal::new(get("mean"), get("log_var"))).flatten(0, 1),
            "kl_normal_normal" => {
                let q = Normal::new(get("mean_q"), get("log_var_q"));
                kl::normal_normal(&q, &Normal::new(get("mean_p"), get("log_var_p"))).flatten(0, 1)
            }
            "categorical_log_prob" => {
                let classes: Vec<i32> = numbers(&self.entry["classes"]).into_iter().map(|class| class as i32).collect();
                let classes = Tensor::<1, Int>::from_data(classes.as_slice(), &self.device);
                Categorical::from_logits(get("logits")).log_prob(classes)
            }
            "categorical_entropy" => Categorical::from_logits(get("logits")).entropy(),
            "categorical_mean" => Categorical::from_logits(get("logits")).mean(),
            "kl_categorical" => kl::categorical(get("a"), get("b")),
            "log_mean_exp" => log_mean_exp(get("a")),
            "beta_binomial_log_prob" => {
                let x: Vec<f32> = numbers(&self.entry["x"]).into_iter().map(|x| x as f32).collect();
                let levels = self.entry["levels"].as_u64().unwrap() as usize;
                let mixture = BetaBinomialMixture::new(get("weights"), get("log_alpha"), get("log_beta"), levels);
                mixture.log_prob(Tensor::from_data(x.as_slice(), &self.device))
            }
            name => panic!("literals.json: no function for {name:?}"),
        }
    }
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn check_all(family: &str) {
    let literals: Value = serde_json::from_str(LITERALS).unwrap();
    for place in places() {
        let tolerance = Tolerance::of(&place);
        let device = place.device.clone().autodiff();
        let mut entries = 0;
        for entry in literals.as_array().unwrap() {
            let name = entry["name"].as_str().unwrap();
            if !name.contains(family) {
                continue;
            }
            entries += 1;
            let case = Case::new(entry, &device);
            let value = case.value();
            let what = format!("{name} {} on {}", entry["shape"], place.name);
            let found: Vec<f64> = value.clone().into_data().iter::<f64>().collect();
            tolerance.check(&what, &found, &numbers(&entry["value"]), &entry["value_scale"]);
            let gradients = value.sum().backward();
            for (input, expected) in entry["gradients"].as_object().unwrap() {
                let found = case.input(input).grad(&gradients).expect("a gradient");
                let found: Vec<f64> = found.into_data().iter::<f64>().collect();
                let what = format!("{what}, gradient to {input}");
                tolerance.check(&what, &found, &numbers(expected), &entry["gradient_scales"][input]);
            }
        }
        assert!(entries > 0, "literals.json has nothing of {family}");
    }
}

#[test]
fn bernoulli() {
    check_all("bernoulli");
}

#[test]
fn normal() {
    check_all("normal");
}

#[test]
fn categorical() {
    check_all("categorical");
}

#[test]
fn beta_binomial() {
    check_all("beta_binomial");
}

#[test]
fn log_mean_exp_of_rows() {
    check_all("log_mean_exp");
}
