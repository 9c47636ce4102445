//! A density of rows of mixed columns in any order: p(x | c) = Π_k p(x_σ(k) | x_σ(1) … x_σ(k−1), c) with one network for all orders σ, so that
//! any columns can be given, sampled, scored and filled in (Uria, Murray and Larochelle 2014, "A deep and tractable density estimator").

use crate::data::{Batch, DataSpec};
use crate::error::{ModelError, chain};
use crate::features::{Features, FeaturesConfig};
use crate::layers::{HiddenActivation, Mode, Residual, apply, condition_of, linear};
use crate::likelihood::{Components, Likelihood, LikelihoodConfig, of_columns};
use crate::ops::Activation;
use crate::parts::Plain;
use crate::training::{Examples, TrainLikelihood, Training};
use crate::traits::{AnyOrder, Autoregressive, Density, Estimator, Generate, Model, Steps};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData};
use dgm_core::objective::{fill_padding, sum_event};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// Configuration of [`AnyOrderMlp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnyOrderMlpConfig {
    /// Width of the network, and inner widths of its residual blocks.
    pub hidden: Vec<usize>,
    /// Dropout inside of each block.
    pub dropout: f64,
    /// Of the blocks.
    pub activation: HiddenActivation,
    /// How numbers enter: as they are, or with waves of each.
    pub features: FeaturesConfig,
    /// The likelihood of numbers; that of words is a softmax.
    pub likelihood: LikelihoodConfig,
}

impl Default for AnyOrderMlpConfig {
    fn default() -> Self {
        Self {
            hidden: vec![128, 128, 128],
            dropout: 0.0,
            activation: HiddenActivation::default(),
            features: FeaturesConfig::Plain(Plain {}),
            likelihood: LikelihoodConfig::NormalMixture(Components { components: 5 }),
        }
    }
}

impl AnyOrderMlpConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        hidden = [[64, 64], [128, 128, 128], [256, 256, 256]]
        dropout = [0.0, 0.1, 0.2]
        features = ["plain", { kind = "periodic", scale = 0.1 }, { kind = "periodic", scale = 0.3 }]
    "#;

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a likelihood that does not fit the numbers of the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<AnyOrderMlp, ModelError> {
        spec.checked()?;
        ModelError::check_dropout("dropout", self.dropout)?;
        ModelError::check_hidden("hidden", &self.hidden)?;
        let likelihood = of_columns(&self.likelihood, spec)?;
        let layout = Layout::of(spec);
        let features = self.features.of(layout.inputs(spec), (0..layout.numbers.len()).collect(), rng, device)?;
        let outputs = spec.event() * likelihood.parameters();
        let widths = std::iter::once(features.outputs()).chain(self.hidden.iter().copied()).chain([outputs]);
        ModelError::check_weights("hidden", format!("{:?}", self.hidden), chain(widths))?;
        let no_width =
            || ModelError::OutOfRange { key: "hidden", found: "[]".into(), expected: "one width at least".into() };
        let trunk = Residual::new(features.outputs(), &self.hidden, self.activation, self.dropout, rng, device)
            .ok_or_else(no_width)?;
        let width = self.hidden.first().copied().unwrap_or(1);
        let head = linear(width, outputs, rng, device);
        Ok(AnyOrderMlp { features, trunk, head, layout, likelihood, spec: spec.clone() })
    }
}

/// Where the dimensions of a target stand among the inputs.
#[derive(Clone, Debug)]
struct Layout {
    /// Dimensions that are real numbers.
    numbers: Vec<usize>,
    /// The dimension and the level of each place of the one-hot forms, one after the other.
    levels: Vec<(usize, usize)>,
    event: usize,
}

impl Layout {
    fn of(spec: &DataSpec) -> Self {
        let event = spec.event();
        let levels = (0..event).flat_map(|d| (0..spec.levels_of(d)).map(move |level| (d, level))).collect();
        Self { numbers: (0..event).filter(|&d| spec.levels_of(d) == 0).collect(), levels, event }
    }

    /// Numbers, levels, a 1 for each dimension that is visible, and the condition.
    fn inputs(&self, spec: &DataSpec) -> usize {
        self.numbers.len() + self.levels.len() + self.event + spec.condition_width()
    }

    /// `[n, event]` twice → `[n, numbers + levels + event]`, all zeros where nothing is visible.
    fn forward(&self, x: Tensor<2>, visible: Tensor<2>) -> Tensor<2> {
        let device = x.device();
        let places = |of: Vec<i32>| Tensor::<1, Int>::from_ints(of.as_slice(), &device);
        // What is not visible may be anything, NaN included.
        let x = x.mask_fill(visible.clone().lower_elem(0.5), 0.0);
        let mut inputs = Vec::with_capacity(3);
        if !self.numbers.is_empty() {
            inputs.push(x.clone().select(1, places(self.numbers.iter().map(|&d| d as i32).collect())));
        }
        if !self.levels.is_empty() {
            let of = places(self.levels.iter().map(|&(d, _)| d as i32).collect());
            let levels: Vec<f32> = self.levels.iter().map(|&(_, level)| level as f32).collect();
            let levels = Tensor::<2>::from_data(TensorData::new(levels, [1, self.levels.len()]), &device);
            let found = x.select(1, of.clone());
            let is_level = found.clone().equal(levels.expand(found.dims())).float();
            inputs.push(is_level * visible.clone().select(1, of));
        }
        inputs.push(visible);
        Tensor::cat(inputs, 1)
    }
}

/// p(x | c) = Π_k p(x_σ(k) | x_σ(<k), c): likelihood(x_d; head(trunk(visible part of x, which part that is, c))_d).
///
/// Training draws which t of D dimensions are visible, and scores all others given those: with t uniform on 0 … D,
/// (D + 1) / (D − t) Σ_{k ≥ t} log p(x_σ(k) | x_σ(<t)) (0 where t = D) is an unbiased estimate of the mean of log p_σ(x) over all orders σ.
/// As a density the order is that of the columns. A dimension that the mask hides is missing: it is not seen, and comes last in
/// every order, so that log p is that of the others, exactly.
#[derive(Module, Debug)]
pub struct AnyOrderMlp {
    features: Features,
    trunk: Residual,
    head: Linear,
    #[module(skip)]
    layout: Layout,
    #[module(skip)]
    likelihood: Likelihood,
    #[module(skip)]
    spec: DataSpec,
}

impl AnyOrderMlp {
    /// What the trunk makes of the visible part of x, `[n, width]`.
    fn hidden(&self, x: Tensor<2>, visible: Tensor<2>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<2> {
        let mut inputs = vec![self.layout.forward(x, visible)];
        inputs.extend(condition_of(&self.spec, condition));
        self.trunk.forward(self.features.forward(Tensor::cat(inputs, 1), mode), mode)
    }

    /// The likelihood's parameters of every dimension, `[n, event, parameters]`.
    fn head_outputs(&self, hidden: Tensor<2>) -> Tensor<3> {
        let [n, _] = hidden.dims();
        apply(&self.head, hidden, Activation::Identity).reshape([n, self.layout.event, self.likelihood.parameters()])
    }

    /// Those of dimension d alone, `[n, 1, parameters]`, by its part of the head.
    fn head_outputs_at(&self, hidden: Tensor<2>, d: usize) -> Tensor<3> {
        let ([n, width], parameters) = (hidden.dims(), self.likelihood.parameters());
        let outputs = d * parameters..(d + 1) * parameters;
        let product = hidden.matmul(self.head.weight.val().slice([0..width, outputs.clone()]));
        let product = match &self.head.bias {
            Some(bias) => product + bias.val().slice([outputs]).unsqueeze(),
            None => product,
        };
        product.reshape([n, 1, parameters])
    }

    /// The parameters of dimension d given those of the dimensions before it that are present.
    fn given_before(&self, x: &Tensor<2>, present: &Tensor<2>, condition: Option<&Tensor<2>>, d: usize) -> Tensor<3> {
        let before = self.flags(present.dims()[0], |other| other < d, &x.device());
        let hidden = self.hidden(x.clone(), present.clone() * before, condition, &mut Mode::Evaluate);
        self.head_outputs_at(hidden, d)
    }

    /// 1 for the dimensions that `is` holds of, `[n, event]`.
    fn flags(&self, n: usize, is: impl Fn(usize) -> bool, device: &Device) -> Tensor<2> {
        let event = self.layout.event;
        let flags: Vec<f32> = (0..event).map(|d| f32::from(u8::from(is(d)))).collect();
        Tensor::<2>::from_data(TensorData::new(flags, [1, event]), device).expand([n, event])
    }

    fn elementwise(&self, batch: &Batch) -> Tensor<2> {
        let (x, [n, event]) = (&known(&batch.target, batch.mask.as_ref()), batch.target.dims());
        let present = batch.mask.clone().unwrap_or_else(|| Tensor::ones([n, event], &x.device()));
        let factor = |d: usize| {
            let parameters = self.given_before(x, &present, batch.condition.as_ref(), d);
            self.likelihood.log_prob_at(parameters, x.clone().slice([0..n, d..d + 1]), d..d + 1)
        };
        fill_padding(Tensor::cat((0..event).map(factor).collect(), 1), batch.mask.as_ref())
    }

    /// Which dimensions are visible, and the weight of each factor, `[n, event]` both: (D + 1) / (D − t) for the D − t dimensions that are behind
    /// the t visible ones, 0 for these, and for those that are missing.
    fn places(&self, present: &Tensor<2>, rng: &mut Stream) -> [Tensor<2>; 2] {
        let ([n, event], device) = (present.dims(), present.device());
        let drawn = rng.uniform_tensor([n, event + 1], &device);
        // Visible with a probability that is uniform itself: of D dimensions 0, 1, … D are, each as often, and any of them.
        let share = drawn.clone().slice([0..n, event..event + 1]).expand([n, event]);
        let visible = drawn.slice([0..n, 0..event]).lower(share).float() * present.clone();
        let count = present.clone().sum_dim(1);
        let behind = (count.clone() - visible.clone().sum_dim(1)).clamp_min(1.0);
        let weights = (present.clone() - visible.clone()) * (count.add_scalar(1.0) / behind).expand([n, event]);
        [visible, weights]
    }
}

/// The target with 0 for what is missing, whatever stands there: a NaN would be one of the gradient, too.
fn known(x: &Tensor<2>, mask: Option<&Tensor<2>>) -> Tensor<2> {
    match mask {
        Some(mask) => x.clone().mask_fill(mask.clone().lower_elem(0.5), 0.0),
        None => x.clone(),
    }
}

impl TrainLikelihood for AnyOrderMlp {
    fn is_estimate(&self) -> bool {
        true
    }

    fn train_log_prob(&self, batch: &Batch, mode: &mut Mode) -> Tensor<2> {
        let (x, [n, event]) = (&batch.target, batch.target.dims());
        let Mode::Train(rng) = mode else { return self.elementwise(batch) };
        let present = batch.mask.clone().unwrap_or_else(|| Tensor::ones([n, event], &x.device()));
        let [visible, weights] = self.places(&present, rng);
        let x = &known(x, batch.mask.as_ref());
        let hidden = self.hidden(x.clone(), visible, batch.condition.as_ref(), mode);
        let log_prob = self.likelihood.log_prob(self.head_outputs(hidden), x.clone());
        fill_padding(log_prob, Some(&weights.clone().greater_elem(0.0).float())) * weights
    }
}

impl Density for AnyOrderMlp {
    fn estimator(&self) -> Estimator {
        Estimator::Exact
    }

    fn log_prob(&self, batch: &Batch, _: &mut Stream) -> Tensor<1> {
        sum_event(self.elementwise(batch))
    }

    fn log_prob_elementwise(&self, batch: &Batch) -> Option<Tensor<2>> {
        Some(self.elementwise(batch))
    }
}

impl AnyOrder for AnyOrderMlp {
    fn likelihood(&self) -> &Likelihood {
        &self.likelihood
    }

    fn device(&self) -> Device {
        self.head.weight.val().device()
    }

    fn parameters_given(&self, x: Tensor<2>, visible: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3> {
        self.head_outputs(self.hidden(x, visible, condition, &mut Mode::Evaluate))
    }
}

/// In the order of the columns.
impl Autoregressive for AnyOrderMlp {
    fn likelihood(&self) -> &Likelihood {
        &self.likelihood
    }

    fn device(&self) -> Device {
        AnyOrder::device(self)
    }

    fn order(&self) -> Vec<usize> {
        (0..self.layout.event).collect()
    }

    fn parameters(&self, x: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3> {
        let present = x.ones_like();
        let each = (0..self.layout.event).map(|d| self.given_before(&x, &present, condition, d));
        Tensor::cat(each.collect(), 1)
    }

    fn start(&self, n: usize, condition: Option<&Tensor<2>>) -> Box<dyn Steps + '_> {
        Box::new(ByColumn { model: self, n, condition: condition.cloned(), known: Vec::new() })
    }
}

/// The columns that are known so far.
struct ByColumn<'a> {
    model: &'a AnyOrderMlp,
    n: usize,
    condition: Option<Tensor<2>>,
    known: Vec<Tensor<2>>,
}

impl Steps for ByColumn<'_> {
    fn next(&mut self, previous: Option<Tensor<2>>) -> Tensor<3> {
        self.known.extend(previous);
        let (d, device) = (self.known.len(), AnyOrder::device(self.model));
        let rest = Tensor::zeros([self.n, self.model.layout.event - d], &device);
        let x = Tensor::cat(self.known.iter().cloned().chain([rest]).collect(), 1);
        self.model.given_before(&x, &x.ones_like(), self.condition.as_ref(), d)
    }
}

impl Generate for AnyOrderMlp {
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        crate::autoregressive::sampling::sample(self, n, condition.as_ref(), &Default::default(), rng)
    }
}

impl Model for AnyOrderMlp {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Likelihood(self)
    }

    fn fit(&mut self, examples: &dyn Examples, _: &mut Stream) -> Result<(), ModelError> {
        let (device, numbers) = (AnyOrder::device(self), self.layout.numbers.clone());
        let inputs = |batch: Batch| {
            let x = match batch.mask {
                Some(mask) => batch.target.mask_fill(mask.lower_elem(0.5), f32::NAN),
                None => batch.target,
            };
            let places: Vec<i32> = numbers.iter().map(|&d| d as i32).collect();
            Some(x.select(1, Tensor::<1, Int>::from_ints(places.as_slice(), &device)))
        };
        self.features.fit(examples, &inputs, &device)
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }

    fn conditionals(&self) -> Option<&dyn Autoregressive> {
        Some(self)
    }

    fn any_order(&self) -> Option<&dyn AnyOrder> {
        Some(self)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
