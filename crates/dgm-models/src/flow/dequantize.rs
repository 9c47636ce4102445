//! Dequantisation: noise u on [0, 1) that makes a density of real numbers x + u a bound for levels x.

use super::{Flow, FlowSpec, Structure, TransformConfig};
use crate::error::ModelError;
use crate::layers::{Mlp, Mode};
use crate::parts::{Plain, part};
use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::objective::sum_event;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `dequantization = { kind = "variational", layers = 2, hidden = [64] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VariationalConfig {
    /// Number of couplings. Default: 4.
    pub layers: usize,
    /// Widths of the layers of each coupling's network, and of the one before them that sees the levels. Default: `[128]`.
    pub hidden: Vec<usize>,
}

impl Default for VariationalConfig {
    fn default() -> Self {
        Self { layers: 4, hidden: vec![128] }
    }
}

part! {
    /// `dequantization = "uniform"`, or `{ kind = "variational", layers = 4 }`.
    DequantizationConfig, such as "{ kind = \"variational\", layers = 4 }":
    /// q(u | x) uniform.
    "uniform" => Plain as Uniform,
    /// q(u | x) a flow of its own, trained with the model.
    "variational" => VariationalConfig as Variational,
}

impl Default for DequantizationConfig {
    fn default() -> Self {
        Self::Uniform(Plain {})
    }
}

impl DequantizationConfig {
    /// For so many levels in a row.
    pub(super) fn init(&self, width: usize, rng: &mut Stream, device: &Device) -> Result<Dequantizer, ModelError> {
        let Self::Variational(VariationalConfig { layers, hidden }) = self else {
            return Ok(Dequantizer { variational: None });
        };
        ModelError::check_hidden("dequantization", hidden)?;
        let network = Mlp::new(width, hidden, 0.0, rng, device);
        let (sizes, keys) = ([width, network.outputs()], ["dequantization"; 4]);
        let spec = FlowSpec::alternating(Structure::Coupling, &TransformConfig::SPLINE, *layers, hidden, sizes, keys);
        let flow = Flow::new(&spec, rng, device)?;
        Ok(Dequantizer { variational: Some(Variational { network, flow }) })
    }
}

/// q(u | x).
#[derive(Module, Debug)]
pub(super) struct Dequantizer {
    variational: Option<Variational>,
}

/// u = σ(f(ε; features of x)), ε ~ N(0, 1) (Ho et al. 2019, "Flow++", section 3.1).
#[derive(Module, Debug)]
struct Variational {
    network: Mlp,
    flow: Flow,
}

impl Dequantizer {
    /// One u of each example, and log q(u | x); `levels` are x scaled to [−1, 1], `[n, d]`.
    pub(super) fn sample(&self, levels: Tensor<2>, rng: &mut Stream) -> (Tensor<2>, Tensor<1>) {
        let ([n, d], device) = (levels.dims(), levels.device());
        let Some(Variational { network, flow }) = &self.variational else {
            return (rng.uniform_tensor([n, d], &device), Tensor::zeros([n], &device));
        };
        let noise: Tensor<2> = rng.normal_tensor([n, d], &device);
        let zeros = noise.zeros_like();
        let log_noise = sum_event(Normal::new(zeros.clone(), zeros).log_prob(noise.clone()));
        let features = network.forward(levels, &mut Mode::Evaluate);
        let (logits, log_det) = flow.forward(noise, Some(&features), &mut Mode::Evaluate);
        let log_slope = sum_event(log_sigmoid(logits.clone()) + log_sigmoid(logits.clone().neg()));
        (sigmoid(logits), log_noise - log_det - log_slope)
    }
}
