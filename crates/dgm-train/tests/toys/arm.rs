//! An autoregressive model with a network of one's own: a pixel sees the one before it and the sum of all before it.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;
use dgm_models::autoregressive::{Arm, ArmBuilder, Network, Pixels};
use dgm_models::likelihood::LikelihoodConfig;
use dgm_models::{DataSpec, Mode, ModelError, ModelFactory, linear};
use serde::{Deserialize, Serialize};

/// `kind = "toy_arm"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "toy_arm", default, deny_unknown_fields)]
pub(crate) struct ToyArmConfig {
    width: usize,
}

impl Default for ToyArmConfig {
    fn default() -> Self {
        Self { width: 16 }
    }
}

impl ModelFactory for ToyArmConfig {
    type Model = Arm<Sums>;

    const KINDS: &'static [&'static str] = &["toy_arm"];

    fn objective(&self) -> &'static str {
        "nll"
    }

    fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Arm<Sums>, ModelError> {
        let builder = ArmBuilder::new(None, &LikelihoodConfig::CATEGORICAL, spec)?;
        let mut to_width = |inputs: usize| linear(inputs, self.width, rng, device);
        let network = Sums {
            last: to_width(builder.features()),
            sum: to_width(builder.features()),
            condition: spec.condition.as_ref().map(|condition| to_width(condition.width())),
        };
        Ok(builder.build(network, self.width, rng, device))
    }
}

/// tanh(last · x_{p−1} + sum · Σ_{q<p} x_q + condition · c) of each pixel p.
#[derive(Module, Debug)]
pub(crate) struct Sums {
    last: Linear,
    sum: Linear,
    condition: Option<Linear>,
}

impl Sums {
    fn of_condition(&self, condition: Option<&Tensor<2>>) -> Option<Tensor<2>> {
        Some(self.condition.as_ref()?.forward(condition?.clone()))
    }
}

impl Network for Sums {
    fn forward(&self, inputs: Tensor<4>, condition: Option<&Tensor<2>>, _: &mut Mode) -> Tensor<4> {
        let [n, features, rows, columns] = inputs.dims();
        let pixels = rows * columns;
        let x = inputs.reshape([n, features, pixels]).swap_dims(1, 2);
        let first = Tensor::zeros([n, 1, features], &x.device());
        let before = Tensor::cat(vec![first, x.slice([0..n, 0..pixels - 1, 0..features])], 1);
        let mut h = self.last.forward(before.clone()) + self.sum.forward(before.cumsum(1));
        if let Some(condition) = self.of_condition(condition) {
            h = h + condition.unsqueeze_dim(1);
        }
        let [_, _, width] = h.dims();
        tanh(h).swap_dims(1, 2).reshape([n, width, rows, columns])
    }

    fn start(&self, n: usize, condition: Option<&Tensor<2>>) -> Box<dyn Pixels + '_> {
        let [features, _] = self.sum.weight.val().dims();
        let nothing = Tensor::zeros([n, features], &self.device());
        Box::new(SumsSoFar { network: self, condition: self.of_condition(condition), sum: nothing })
    }

    fn device(&self) -> Device {
        self.sum.weight.val().device()
    }
}

struct SumsSoFar<'a> {
    network: &'a Sums,
    condition: Option<Tensor<2>>,
    sum: Tensor<2>,
}

impl Pixels for SumsSoFar<'_> {
    fn next(&mut self, previous: Option<Tensor<2>>) -> Tensor<2> {
        let last = previous.unwrap_or_else(|| self.sum.zeros_like());
        self.sum = self.sum.clone() + last.clone();
        let h = self.network.last.forward(last) + self.network.sum.forward(self.sum.clone());
        tanh(match &self.condition {
            Some(condition) => h + condition.clone(),
            None => h,
        })
    }
}
