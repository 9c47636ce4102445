//! Objectives against 50 digits: the entries of `objective_literals.json`, made by `scripts/objective_literals.py`, on a
//! device.
#![allow(dead_code)] // each test file uses its part

use super::{Place, places, to_host, to_tensor, weights};
use burn::tensor::{Device, Gradients, Tensor};
use dgm_core::objective::Objective;
use serde_json::Value;

const LITERALS: &str = include_str!("../../objective_literals.json");

/// An entry of the file, on one device.
pub(crate) struct Case<'a> {
    pub(crate) entry: &'a Value,
    pub(crate) device: Device,
}

impl Case<'_> {
    pub(crate) fn numbers(&self, key: &str, name: &str) -> Vec<f64> {
        numbers(&self.entry[key][name])
    }

    /// The input of this name, differentiable.
    pub(crate) fn leaf<const D: usize>(&self, name: &str) -> Tensor<D> {
        let shape: Vec<usize> = numbers(&self.entry["shapes"][name]).into_iter().map(|n| n as usize).collect();
        let shape = shape.try_into().expect("the literal's rank");
        to_tensor(&self.numbers("inputs", name), shape, &self.device).require_grad()
    }

    pub(crate) fn name(&self) -> &str {
        self.entry["name"].as_str().unwrap()
    }

    pub(crate) fn setting(&self, name: &str) -> f64 {
        self.entry[name].as_f64().unwrap()
    }
}

/// Losses, and the gradient of their weighted sum to each input.
pub(crate) type Found = (Vec<f64>, Vec<(&'static str, Vec<f64>)>);

/// The gradient to a leaf on its way from the loss.
pub(crate) fn gradient<const D: usize>(leaf: &Tensor<D>, gradients: &Gradients) -> Vec<f64> {
    to_host(leaf.grad(gradients).expect("a gradient"))
}

/// Σᵢ wᵢ lossᵢ with the weights of the literals.
pub(crate) fn weighted_sum(loss: Tensor<1>) -> Tensor<1> {
    let n = loss.dims()[0];
    let weights = to_tensor(&weights(n), [n], &loss.device());
    (loss * weights).sum()
}

/// The loss, of an objective that has these terms.
pub(crate) fn loss_of(objective: Objective, terms: &[&str]) -> Tensor<1> {
    let names: Vec<&str> = objective.terms.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, terms);
    for (name, term) in &objective.terms {
        assert_eq!(term.dims(), objective.loss.dims(), "term {name} has one number for each example");
    }
    objective.loss
}

pub(crate) fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// What f32 is held to: relative to the number, to the size of what cancels in it, and absolutely (see `literals.rs`).
fn check(place: &Place, what: &str, found: &[f64], expected: &[f64], scale: &Value) {
    let (relative, cancelled, absolute) = if place.exact { (1e-5, 1e-6, 1e-37) } else { (3e-5, 2e-6, 1e-6) };
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let scale = scale.as_f64().unwrap_or_else(|| scale[i].as_f64().expect("a scale for each number"));
        let allowed = relative * expected.abs() + cancelled * scale + absolute;
        let error = (found - expected).abs();
        assert!(
            found.is_finite() && error <= allowed,
            "{what}, number {i}: {found:e}, expected {expected:e}; off by {error:e}, allowed {allowed:e}"
        );
    }
}

/// Every entry of the family, on every device, with and without gradient checkpointing.
pub(crate) fn check_all(family: &[&str], run: impl Fn(&Case) -> Found) {
    let literals: Value = serde_json::from_str(LITERALS).unwrap();
    for place in places() {
        for device in [place.device.clone().autodiff(), place.device.clone().autodiff().gradient_checkpointing()] {
            for wanted in family {
                let entries = literals.as_array().unwrap().iter().filter(|entry| entry["name"] == *wanted);
                assert!(entries.clone().count() > 0, "objective_literals.json has nothing of {wanted}");
                for (number, entry) in entries.enumerate() {
                    let case = Case { entry, device: device.clone() };
                    let (value, gradients) = run(&case);
                    let what = format!("{wanted} {number} on {}", place.name);
                    check(&place, &what, &value, &numbers(&entry["value"]), &entry["value_scale"]);
                    assert_eq!(gradients.len(), entry["gradients"].as_object().unwrap().len());
                    for (input, gradient) in gradients {
                        let expected = case.numbers("gradients", input);
                        let what = format!("{what}, gradient to {input}");
                        check(&place, &what, &gradient, &expected, &entry["gradient_scales"][input]);
                    }
                }
            }
        }
    }
}
