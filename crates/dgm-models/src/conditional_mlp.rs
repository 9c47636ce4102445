//! Conditional density of a short target given a condition: a trunk and a head, p(y | c) = likelihood(y; MLP(c)).

use crate::data::{Batch, DataSpec};
use crate::error::{ModelError, chain};
use crate::features::{Features, FeaturesConfig};
use crate::layers::{HiddenActivation, Mlp, Mode, Residual, apply, condition_of, linear};
use crate::likelihood::{Likelihood, LikelihoodConfig};
use crate::ops::Activation;
use crate::parts::Plain;
use crate::training::{Examples, TrainLikelihood, Training};
use crate::traits::{Autoregressive, Density, Estimator, Generate, Model, Represent, Steps};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::{fill_padding, sum_event};
use dgm_core::random::{Seed, Stream};
use serde::{Deserialize, Serialize};

/// Configuration of [`ConditionalMlp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConditionalMlpConfig {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Of the hidden layers.
    pub activation: HiddenActivation,
    /// Dropout after each hidden layer.
    pub dropout: f64,
    /// Number of networks with dropout that are mixed for a prediction (Monte-Carlo dropout; Gal and Ghahramani 2016); 0: dropout is off.
    pub dropout_samples: usize,
    /// Standard deviation of the normal noise that training adds to the standardised condition: a smoothness penalty
    /// (Bishop 1995, "Training with noise is equivalent to Tikhonov regularization").
    pub input_noise: f64,
    /// How the numbers of the condition enter: as they are, with waves of each, or as an image.
    pub features: FeaturesConfig,
    /// Whether every hidden layer but the first is a block that adds to what comes before it: h + W₂ φ(W₁ LayerNorm(h)).
    pub residual: bool,
    /// What the head's outputs mean: `normal` gives heteroscedastic regression, `categorical` classification.
    pub likelihood: LikelihoodConfig,
}

impl Default for ConditionalMlpConfig {
    fn default() -> Self {
        Self {
            hidden: vec![128, 128],
            activation: HiddenActivation::default(),
            dropout: 0.1,
            dropout_samples: 0,
            input_noise: 0.0,
            features: FeaturesConfig::Plain(Plain {}),
            residual: false,
            likelihood: LikelihoodConfig::NORMAL,
        }
    }
}

impl ConditionalMlpConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        hidden = [[64, 64], [128, 128], [256, 256], [128, 128, 128, 128]]
        residual = [false, true]
        dropout = [0.0, 0.05, 0.1, 0.2]
        features = ["plain", "piecewise_linear", { kind = "periodic", scale = 0.1 }, { kind = "periodic", scale = 0.3 }]
    "#;

    /// Builds the model for `spec`, with weights drawn from `noise`.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<ConditionalMlp, ModelError> {
        spec.checked()?;
        ModelError::check_dropout("dropout", self.dropout)?;
        ModelError::check_hidden("hidden", &self.hidden)?;
        ModelError::check(self.dropout_samples <= 1000, "dropout_samples", self.dropout_samples, "0 to 1000")?;
        let noise_ok = (0.0..=100.0).contains(&self.input_noise);
        ModelError::check(noise_ok, "input_noise", self.input_noise, "a number from 0 to 100")?;
        if spec.condition.is_none() {
            return Err(ModelError::Data(
                "`model.kind` is \"conditional_mlp\", but the data have no condition; set `data.condition`".into(),
            ));
        }
        let likelihood = self.likelihood.build(spec)?;
        let outputs = spec.event() * likelihood.parameters();
        let features = self.features.init(spec, rng, device)?;
        let widths = std::iter::once(features.outputs()).chain(self.hidden.iter().copied()).chain([outputs]);
        ModelError::check_weights("hidden", format!("{:?}", self.hidden), chain(widths))?;
        // Blocks give what comes into them.
        let (plain, in_blocks) = if self.residual { (&[][..], &self.hidden[..]) } else { (&self.hidden[..], &[][..]) };
        let width = plain.last().or(in_blocks.first()).copied().unwrap_or(features.outputs());
        Ok(ConditionalMlp {
            trunk: Mlp::new(features.outputs(), plain, self.dropout, rng, device).with_activation(self.activation),
            blocks: Residual::new(features.outputs(), in_blocks, self.activation, self.dropout, rng, device),
            features,
            head: linear(width, outputs, rng, device),
            input_noise: self.input_noise,
            predictive: match self.dropout_samples {
                0 => likelihood.clone(),
                samples => Likelihood::mixture(vec![likelihood.clone(); samples]),
            },
            dropout_samples: self.dropout_samples,
            of_one: likelihood,
            spec: spec.clone(),
        })
    }
}

/// p(y | c) = Π_e likelihood(y_e; head(trunk(c))_e).
#[derive(Module, Debug)]
pub struct ConditionalMlp {
    features: Features,
    /// Without layers where there are blocks.
    trunk: Mlp,
    blocks: Option<Residual>,
    head: Linear,
    #[module(skip)]
    input_noise: f64,
    /// Of one network, as it is trained.
    #[module(skip)]
    of_one: Likelihood,
    /// The mean over the networks with dropout, where there are such; otherwise the same.
    #[module(skip)]
    predictive: Likelihood,
    #[module(skip)]
    dropout_samples: usize,
    #[module(skip)]
    spec: DataSpec,
}

impl ConditionalMlp {
    /// The parameters of the predictive distribution, `[batch, event, parameters]`: those of each network with dropout one after the other. Which
    /// units are off in them is the same for every example and every call.
    fn predictive_outputs(&self, condition: Option<&Tensor<2>>) -> Tensor<3> {
        if self.dropout_samples == 0 {
            return self.head_outputs(condition, &mut Mode::Evaluate);
        }
        let mut masks = Seed(0).stream("dropout samples", 0);
        let networks = (0..self.dropout_samples).map(|_| self.head_outputs(condition, &mut Mode::OneMask(&mut masks)));
        Tensor::cat(networks.collect(), 2)
    }

    fn predictive_log_prob(&self, batch: &Batch) -> Tensor<2> {
        let parameters = self.predictive_outputs(batch.condition.as_ref());
        fill_padding(self.predictive.log_prob(parameters, batch.target.clone()), batch.mask.as_ref())
    }

    /// The last hidden layer for each row of the condition, `[batch, width]`.
    fn last_hidden(&self, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<2> {
        // `init` refuses data with no condition, so its width is that of the inputs.
        let empty = Tensor::zeros([0, self.spec.condition_width()], &self.head.weight.val().device());
        let inputs = condition_of(&self.spec, condition).unwrap_or(empty);
        let inputs = mode.jitter(inputs, self.input_noise);
        let inputs = self.features.forward(inputs, mode);
        let hidden = self.trunk.forward(inputs, mode);
        match &self.blocks {
            Some(blocks) => blocks.forward(hidden, mode),
            None => hidden,
        }
    }

    /// The likelihood's parameters `[batch, event, parameters]` for each row of the condition.
    fn head_outputs(&self, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<3> {
        let hidden = self.last_hidden(condition, mode);
        let [batch, _] = hidden.dims();
        apply(&self.head, hidden, Activation::Identity).reshape([batch, self.spec.event(), self.of_one.parameters()])
    }

    fn elementwise(&self, batch: &Batch, mode: &mut Mode) -> Tensor<2> {
        let parameters = self.head_outputs(batch.condition.as_ref(), mode);
        fill_padding(self.of_one.log_prob(parameters, batch.target.clone()), batch.mask.as_ref())
    }
}

impl TrainLikelihood for ConditionalMlp {
    fn levels(&self) -> Option<[usize; 2]> {
        self.spec.levels().map(|levels| [self.spec.event(), levels])
    }

    fn train_log_prob(&self, batch: &Batch, mode: &mut Mode) -> Tensor<2> {
        self.elementwise(batch, mode)
    }

    fn train_log_probs(&self, batch: &Batch, mode: &mut Mode) -> Option<Tensor<3>> {
        self.of_one.log_probs(self.head_outputs(batch.condition.as_ref(), mode))
    }
}

impl Density for ConditionalMlp {
    fn estimator(&self) -> Estimator {
        Estimator::Exact
    }

    fn log_prob(&self, batch: &Batch, _: &mut Stream) -> Tensor<1> {
        sum_event(self.predictive_log_prob(batch))
    }

    /// Given the condition the numbers of the target are independent, so any order will do.
    fn log_prob_elementwise(&self, batch: &Batch) -> Option<Tensor<2>> {
        Some(self.predictive_log_prob(batch))
    }
}

/// Given the condition the numbers do not depend on each other: a product of conditionals that see nothing.
impl Autoregressive for ConditionalMlp {
    fn likelihood(&self) -> &Likelihood {
        &self.predictive
    }

    fn device(&self) -> Device {
        self.head.weight.val().device()
    }

    fn order(&self) -> Vec<usize> {
        (0..self.spec.event()).collect()
    }

    fn parameters(&self, _: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3> {
        self.predictive_outputs(condition)
    }

    fn is_independent(&self) -> bool {
        true
    }

    fn start(&self, _: usize, condition: Option<&Tensor<2>>) -> Box<dyn Steps + '_> {
        let parameters = self.predictive_outputs(condition);
        Box::new(Independent { parameters, places: self.order().into_iter() })
    }
}

/// The parameters of all numbers, and the places that are still to come.
struct Independent {
    parameters: Tensor<3>,
    places: std::vec::IntoIter<usize>,
}

impl Steps for Independent {
    fn next(&mut self, _: Option<Tensor<2>>) -> Tensor<3> {
        let [n, event, outputs] = self.parameters.dims();
        let place = self.places.next().unwrap_or(event);
        self.parameters.clone().slice([0..n, place..place + 1, 0..outputs])
    }
}

impl Generate for ConditionalMlp {
    fn generate(&self, _: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        self.predictive.sample(self.predictive_outputs(condition.as_ref()), rng)
    }
}

/// The code of an example is the last hidden layer, of which the parameters of p(y | c) are a linear function: it is one of the condition.
impl Represent for ConditionalMlp {
    fn encode(&self, batch: &Batch) -> Tensor<2> {
        self.last_hidden(batch.condition.as_ref(), &mut Mode::Evaluate)
    }
}

impl Model for ConditionalMlp {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Likelihood(self)
    }

    fn fit(&mut self, examples: &dyn Examples, _: &mut Stream) -> Result<(), ModelError> {
        let device = self.head.weight.val().device();
        self.features.fit(examples, &|batch| batch.condition, &device)
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

    fn conditionals(&self) -> Option<&dyn Autoregressive> {
        Some(self)
    }
}
