//! Adamax (Kingma and Ba 2015): Adam with the infinity norm of past gradients in place of their root mean square.

use burn::config::Config;
use burn::grad_clipping::GradientClippingConfig;
use burn::optim::decay::{WeightDecay, WeightDecayConfig};
use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

/// Configuration of [`Adamax`].
#[derive(Config, Debug)]
pub struct AdamaxConfig {
    /// Decay rate β₁ of the gradient's mean, in [0, 1).
    #[config(default = 0.9)]
    pub beta_1: f32,
    /// Decay rate β₂ of the gradient's infinity norm, in [0, 1).
    #[config(default = 0.999)]
    pub beta_2: f32,
    /// ε: what is added to the norm; above 0.
    #[config(default = 1e-8)]
    pub epsilon: f32,
    /// A penalty in the gradient: g ← g + decay · θ.
    pub weight_decay: Option<WeightDecayConfig>,
    /// Clipping of each gradient before anything else; by [`init`](AdamaxConfig::init) alone.
    pub grad_clipping: Option<GradientClippingConfig>,
}

/// m ← β₁ m + (1 − β₁) g, u ← max(β₂ u, |g|), θ ← θ − lr / (1 − β₁ᵗ) · m / (u + ε), for each element.
///
/// Kingma and Ba 2015, "Adam: A method for stochastic optimization", algorithm 2, with an ε that keeps the quotient at 0
/// where every gradient so far was 0. (PyTorch adds its ε to |g| inside the maximum: the same for |g| ≫ ε.) However the
/// gradient is scaled, no element moves by much more than lr in a step; the paper's lr is 2e-3. The state is twice the
/// parameters.
///
/// ```
/// use burn::nn::{Initializer, LinearConfig};
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use dgm_core::optim::AdamaxConfig;
///
/// // y = x₁ − x₂ from four examples.
/// let device = Device::flex().autodiff();
/// let x = Tensor::<2>::from_floats([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [-1.0, 1.0]], &device);
/// let y = Tensor::<2>::from_floats([[-1.0], [1.0], [0.0], [-2.0]], &device);
/// let mut layer = LinearConfig::new(2, 1).with_initializer(Initializer::Zeros).init(&device);
/// let mut optimizer = AdamaxConfig::new().init();
/// let mut loss = f32::INFINITY;
/// for _ in 0..1000 {
///     let error = (layer.forward(x.clone()) - y.clone()).square().mean();
///     loss = error.clone().into_scalar();
///     let gradients = GradientsParams::from_grads(error.backward(), &layer);
///     layer = optimizer.step(0.02, layer, gradients);
/// }
/// assert!(loss < 1e-3, "{loss}");
/// ```
#[derive(Clone, Debug)]
pub struct Adamax {
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
    weight_decay: Option<WeightDecayConfig>,
}

/// The state of [`Adamax`] for one parameter.
#[derive(Clone, Debug)]
pub struct AdamaxState<const D: usize> {
    /// t: steps taken.
    pub time: usize,
    /// m: the mean of the gradient, without correction for its start at 0.
    pub moment: Tensor<D>,
    /// u: the infinity norm of the gradient, with older steps decayed.
    pub norm: Tensor<D>,
}

impl AdamaxConfig {
    /// The rule for one parameter, for [`ModuleOptimizer::with_group`]; it does not clip.
    ///
    /// # Panics
    ///
    /// If β₁ or β₂ is not in [0, 1), or ε is not above 0.
    pub fn build(&self) -> Adamax {
        let rate = |beta: f32| (0.0..1.0).contains(&beta);
        assert!(rate(self.beta_1), "AdamaxConfig: beta_1 is {}; expected a number in [0, 1)", self.beta_1);
        assert!(rate(self.beta_2), "AdamaxConfig: beta_2 is {}; expected a number in [0, 1)", self.beta_2);
        assert!(self.epsilon > 0.0, "AdamaxConfig: epsilon is {}; expected a number above 0", self.epsilon);
        Adamax {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay.clone(),
        }
    }

    /// An optimiser of all parameters of a module.
    ///
    /// # Panics
    ///
    /// As [`build`](AdamaxConfig::build).
    pub fn init(&self) -> ModuleOptimizer {
        let optimizer = ModuleOptimizer::from(self.build());
        match &self.grad_clipping {
            Some(clipping) => optimizer.with_grad_clipping(clipping.init()),
            None => optimizer,
        }
    }
}

impl Optimizer for Adamax {
    type State<const D: usize> = AdamaxState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        mut grad: Tensor<D>,
        state: Option<AdamaxState<D>>,
    ) -> (Tensor<D>, Option<AdamaxState<D>>) {
        if let Some(decay) = &self.weight_decay {
            grad = WeightDecay::new(decay).transform(grad, tensor.clone());
        }
        let share = grad.clone().mul_scalar(1.0 - self.beta_1);
        let state = match state {
            Some(AdamaxState { time, moment, norm }) => AdamaxState {
                time: time + 1,
                moment: moment.mul_scalar(self.beta_1) + share,
                norm: norm.mul_scalar(self.beta_2).max_pair(grad.abs()),
            },
            None => AdamaxState { time: 1, moment: share, norm: grad.abs() },
        };
        // In f64: 1 − β₁ᵗ cancels at first.
        let time = i32::try_from(state.time).unwrap_or(i32::MAX);
        let rate = lr / (1.0 - f64::from(self.beta_1).powi(time));
        let step = state.moment.clone().div(state.norm.clone().add_scalar(self.epsilon)).mul_scalar(rate);
        (tensor - step, Some(state))
    }

    fn to_device<const D: usize>(state: AdamaxState<D>, device: &Device) -> AdamaxState<D> {
        AdamaxState { time: state.time, moment: state.moment.to_device(device), norm: state.norm.to_device(device) }
    }
}

// By hand: Burn's derive names its own crate and works only there.
impl<const D: usize> RecordState for AdamaxState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "time", self.time.into());
        out.push_tensor(prefix, "moment", self.moment.clone().into_data());
        out.push_tensor(prefix, "norm", self.norm.clone().into_data());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self {
            time: usize::try_from(src.take_scalar(prefix, "time")?).ok()?,
            moment: Tensor::from_data(src.take_tensor(prefix, "moment")?, device),
            norm: Tensor::from_data(src.take_tensor(prefix, "norm")?, device),
        })
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
