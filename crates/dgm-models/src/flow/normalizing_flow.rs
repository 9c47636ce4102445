//! Normalizing flow: p(x) = N(f(x); 0, 1) · |det ∂f/∂x|.

use super::dequantize::Dequantizer;
use super::{DequantizationConfig, Flow, FlowSpec, Mixing, NetworkConfig, Structure, TransformConfig};
use crate::data::{Batch, DataSpec, Scale};
use crate::error::ModelError;
use crate::layers::{Mode, condition_of};
use crate::training::{Examples, TrainLikelihood, Training};
use crate::traits::{Decode, Density, Estimator, Generate, Latent, Model, Represent};
use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::objective::sum_event;
use dgm_core::random::{Seed, Stream};
use serde::{Deserialize, Serialize};

/// Configuration of [`NormalizingFlow`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NormalizingFlowConfig {
    /// What the parameters of a layer may depend on. Default: `"autoregressive"`.
    pub structure: Structure,
    /// What finds the parameters of a layer's transformation. Default: `"mlp"`.
    pub network: NetworkConfig,
    /// What a layer does to each number. Default: `"spline"`.
    pub transform: TransformConfig,
    /// Number of layers, with `network = "conv"` of each pattern at each resolution. Default: 5.
    pub layers: usize,
    /// Widths of the layers of each one's network, where that is `"mlp"`. Default: `[128, 128]`.
    pub hidden: Vec<usize>,
    /// How layers come to see the numbers in other places. Default: `"alternate"`.
    pub mixing: Mixing,
    /// Whether each layer begins with a scale and a shift that start at those of the training examples. Default: false.
    pub act_norm: bool,
    /// Share of hidden units that are off in a training step. Default: 0.
    pub dropout: f64,
    /// Of levels: the noise that makes real numbers of them. Default: `"uniform"`.
    pub dequantization: DequantizationConfig,
}

impl Default for NormalizingFlowConfig {
    fn default() -> Self {
        Self {
            structure: Structure::Autoregressive,
            network: NetworkConfig::MLP,
            transform: TransformConfig::SPLINE,
            layers: 5,
            hidden: vec![128, 128],
            mixing: Mixing::Alternate,
            act_norm: false,
            dropout: 0.0,
            dequantization: DequantizationConfig::default(),
        }
    }
}

impl NormalizingFlowConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        structure = ["autoregressive", "coupling"]
        transform = ["spline", "affine"]
        layers = [3, 5, 8]
        hidden = [[64, 64], [128, 128], [256, 256]]
        mixing = ["alternate", "lu"]
        dropout = [0.0, 0.1, 0.2]
    "#;

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<NormalizingFlow, ModelError> {
        spec.checked()?;
        ModelError::check_dropout("dropout", self.dropout)?;
        let width = spec.event();
        spec.without_columns("flow")?;
        let levels = spec.levels();
        let flow = FlowSpec {
            structure: self.structure,
            network: (&self.network, spec.shape),
            transform: &self.transform,
            layers: self.layers,
            hidden: &self.hidden,
            mixing: self.mixing,
            act_norm: self.act_norm,
            dropout: self.dropout,
            width,
            features: spec.condition_width(),
            keys: ["layers", "hidden", "transform", "structure"],
        };
        Ok(NormalizingFlow {
            flow: Flow::new(&flow, rng, device)?,
            dequantizer: match levels {
                Some(_) => Some(self.dequantization.init(width, rng, device)?),
                None => None,
            },
            levels: levels.unwrap_or(0),
            log_units: spec.scale().map_or(0.0, Scale::log_units),
            spec: spec.clone(),
        })
    }
}

/// log p(x | c) = log N(f(x; c); 0, 1) + log |det ∂f/∂x| (Rezende and Mohamed 2015; Papamakarios et al. 2021, "Normalizing flows for
/// probabilistic modeling and inference"), f from data to noise, of autoregressive layers (Papamakarios, Pavlakou and Murray 2017) or
/// couplings (Dinh, Sohl-Dickstein and Bengio 2017).
///
/// Of levels x ∈ {0 … k − 1} it is a bound: log P(x) ≥ E_q(u | x)\[log p(x + u) − log q(u | x)\], with u ∈ \[0, 1) (Theis, van den Oord and
/// Bethge 2016, section 3.1), which importance weights tighten. There (x + u)/k passes through a logit first.
#[derive(Module, Debug)]
pub struct NormalizingFlow {
    flow: Flow,
    dequantizer: Option<Dequantizer>,
    #[module(skip)]
    levels: usize,
    /// log of the product of the standard deviations that x was divided by.
    #[module(skip)]
    log_units: f64,
    #[module(skip)]
    spec: DataSpec,
}

/// The share of the unit interval that is left free at its ends, for a logit.
const MARGIN: f64 = 0.05;

impl NormalizingFlow {
    /// logit(m/2 + (1 − m) x/k) of dequantised levels, and the logarithm of its slope for each example.
    fn to_real(&self, x: Tensor<2>) -> (Tensor<2>, Tensor<1>) {
        let share = x.mul_scalar((1.0 - MARGIN) / self.levels.max(1) as f64).add_scalar(MARGIN / 2.0);
        let (log_share, log_rest) = (share.clone().log(), share.neg().add_scalar(1.0).log());
        let log_slope = (log_share.clone() + log_rest.clone()).neg().add_scalar(self.log_level_slope());
        (log_share - log_rest, sum_event(log_slope))
    }

    fn log_level_slope(&self) -> f64 {
        (1.0 - MARGIN).ln() - (self.levels.max(1) as f64).ln()
    }

    /// The way back.
    fn to_levels(&self, y: Tensor<2>) -> Tensor<2> {
        let highest = self.levels.saturating_sub(1) as f64;
        let share = sigmoid(y).sub_scalar(MARGIN / 2.0).mul_scalar(self.levels as f64 / (1.0 - MARGIN));
        share.floor().clamp(0.0, highest)
    }

    /// log p of real numbers, standardised, or logits of levels.
    fn log_prob_of(&self, x: Tensor<2>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<1> {
        let (base, log_det) = self.flow.forward(x, condition, mode);
        let zeros = base.clone().detach().zeros_like();
        sum_event(Normal::new(zeros.clone(), zeros).log_prob(base)) + log_det
    }

    /// u and log q(u | x), where the data are levels.
    fn dequantize(&self, batch: &Batch, rng: &mut Stream) -> Option<(Tensor<2>, Tensor<1>)> {
        let dequantizer = self.dequantizer.as_ref()?;
        Some(dequantizer.sample(self.centred(&batch.target), rng))
    }

    /// log p(x | c), or log p(x + u | c) − log q(u | x) of levels with this noise.
    fn log_weight_of(&self, batch: &Batch, noise: Option<(Tensor<2>, Tensor<1>)>, mode: &mut Mode) -> Tensor<1> {
        let condition = condition_of(&self.spec, batch.condition.as_ref());
        let Some((u, log_q)) = noise else {
            return self.log_prob_of(batch.target.clone(), condition.as_ref(), mode).sub_scalar(self.log_units);
        };
        let (y, log_slope) = self.to_real(batch.target.clone() + u);
        self.log_prob_of(y, condition.as_ref(), mode) + log_slope - log_q
    }

    /// Levels scaled to [−1, 1].
    fn centred(&self, levels: &Tensor<2>) -> Tensor<2> {
        levels.clone().mul_scalar(2.0 / self.levels.saturating_sub(1).max(1) as f64).sub_scalar(1.0)
    }

    /// What goes into the flow where no noise is to matter: the middle of a level's cell.
    fn inputs(&self, target: Tensor<2>) -> Tensor<2> {
        if self.dequantizer.is_none() { target } else { self.to_real(target.add_scalar(0.5)).0 }
    }

    fn outputs(&self, y: Tensor<2>) -> Tensor<2> {
        if self.dequantizer.is_none() { y } else { self.to_levels(y) }
    }
}

impl TrainLikelihood for NormalizingFlow {
    fn is_estimate(&self) -> bool {
        self.dequantizer.is_some()
    }

    fn train_log_prob(&self, batch: &Batch, mode: &mut Mode) -> Tensor<2> {
        let noise = match mode {
            Mode::Train(rng) | Mode::OneMask(rng) => self.dequantize(batch, rng),
            // The same noise whenever it is asked for.
            Mode::Evaluate => self.dequantize(batch, &mut Seed(0).stream("dequantization", 0)),
        };
        self.log_weight_of(batch, noise, mode).unsqueeze_dim(1)
    }
}

impl Density for NormalizingFlow {
    fn estimator(&self) -> Estimator {
        match self.dequantizer {
            Some(_) => Estimator::LowerBound { draws: "draws of the dequantisation noise", computed: "" },
            None => Estimator::Exact,
        }
    }

    fn log_prob(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        self.log_weight_of(batch, self.dequantize(batch, rng), &mut Mode::Evaluate)
    }
}

/// Of levels: the dequantisation noise is a latent variable.
impl Latent for NormalizingFlow {
    fn log_weight(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        self.log_weight_of(batch, self.dequantize(batch, rng), &mut Mode::Evaluate)
    }
}

impl Generate for NormalizingFlow {
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        let device = self.flow.device();
        let noise = rng.normal_tensor([n, self.spec.event()], &device);
        let condition = condition_of(&self.spec, condition.as_ref());
        self.outputs(self.flow.inverse(noise, condition.as_ref()).0)
    }
}

/// The code of x is f(x): all of it, as many numbers as x has.
impl Represent for NormalizingFlow {
    fn encode(&self, batch: &Batch) -> Tensor<2> {
        let condition = condition_of(&self.spec, batch.condition.as_ref());
        self.flow.forward(self.inputs(batch.target.clone()), condition.as_ref(), &mut Mode::Evaluate).0
    }
}

impl Decode for NormalizingFlow {
    fn decode(&self, code: Tensor<2>, condition: Option<Tensor<2>>) -> Tensor<2> {
        let condition = condition_of(&self.spec, condition.as_ref());
        self.outputs(self.flow.inverse(code, condition.as_ref()).0)
    }
}

/// Examples that normalising layers start from.
const FIRST: usize = 4096;

impl Model for NormalizingFlow {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Likelihood(self)
    }

    fn fit(&mut self, examples: &dyn Examples, rng: &mut Stream) -> Result<(), ModelError> {
        examples.without_padding("flow")?;
        let rows: Vec<usize> = (0..examples.count().min(FIRST)).collect();
        let batch = examples.batch(&rows)?;
        let condition = condition_of(&self.spec, batch.condition.as_ref());
        let x = match self.dequantize(&batch, rng) {
            Some((u, _)) => self.to_real(batch.target + u).0,
            None => batch.target,
        };
        self.flow.fit(x, condition.as_ref());
        Ok(())
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }

    fn encoder(&self) -> Option<&dyn Represent> {
        Some(self)
    }

    fn decoder(&self) -> Option<&dyn Decode> {
        Some(self)
    }

    fn latent(&self) -> Option<&dyn Latent> {
        self.dequantizer.is_some().then_some(self)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
