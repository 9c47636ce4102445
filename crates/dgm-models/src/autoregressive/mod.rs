//! Autoregressive models: p(x | c) = Π_p Π_k p(x_{p,k} | x_{p,<k}, x_<p, c) over the pixels p of an image in raster order
//! (the symbols of a text) and the channels k of a pixel.
//!
//! An architecture is a [`Network`], one file each: features of every pixel that see the pixels before it alone, all at
//! once or one after the other. What they share stands here: how the target enters ([`InputKind`]), heads that order
//! the channels of a pixel, the likelihood, the chain rule as a loss and as a density ([`Arm`]), and sampling ([`sampling`]).

pub mod causal_conv;
mod head;
mod input;
pub mod pixel_cnn;
pub mod sampling;
pub mod transformer;

use crate::data::{Batch, DataSpec};
use crate::error::ModelError;
use crate::layers::condition_of;
use crate::likelihood::{Likelihood, LikelihoodConfig};
use crate::training::{TrainLikelihood, Training};
use crate::traits::{Autoregressive, Density, Estimator, Generate, Model, Steps};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::{fill_padding, sum_event};
use dgm_core::random::Stream;
use head::{Head, HeadAtOnePosition};
use input::Inputs;
use sampling::SamplingParams;

pub use crate::layers::Mode;
pub use input::InputKind;

/// Features of each pixel that see the pixels before it, in raster order, and nothing else of the target.
pub trait Network: Module + Sync + std::fmt::Debug {
    /// All at once: the target's feature maps `[n, features, rows, columns]` and the condition as a network sees it
    /// `[n, condition]` → `[n, width, rows, columns]`.
    fn forward(&self, inputs: Tensor<4>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<4>;

    /// One pixel after the other, from the first on, for `n` examples at once.
    fn start(&self, n: usize, condition: Option<&Tensor<2>>) -> Box<dyn Pixels + '_>;

    /// The device of the weights.
    fn device(&self) -> Device;
}

/// A [`Network`] that goes from pixel to pixel, at the cost of one pixel each.
pub trait Pixels {
    /// The features `[n, width]` of the next pixel, given the inputs `[n, features]` of the one before, which is `None` for
    /// the first.
    ///
    /// # Panics
    /// If there is no next pixel.
    fn next(&mut self, previous: Option<Tensor<2>>) -> Tensor<2>;
}

/// An autoregressive model with the architecture `N`.
#[derive(Module, Debug)]
pub struct Arm<N: Module> {
    network: N,
    heads: Vec<Head>,
    #[module(skip)]
    inputs: Inputs,
    #[module(skip)]
    likelihood: Likelihood,
    #[module(skip)]
    spec: DataSpec,
}

/// What all architectures have in common, ours and one of your own: how the target enters, and the likelihood.
///
/// Make one for the data, build a [`Network`] that sees its [`features`](Self::features), and put the two together.
#[derive(Clone, Debug)]
pub struct ArmBuilder {
    inputs: Inputs,
    likelihood: Likelihood,
    spec: DataSpec,
}

impl ArmBuilder {
    /// For these data; without `inputs` those that suit the likelihood.
    ///
    /// # Errors
    /// Inputs or a likelihood that do not fit the data, or a description of them that makes no sense.
    pub fn new(inputs: Option<InputKind>, likelihood: &LikelihoodConfig, spec: &DataSpec) -> Result<Self, ModelError> {
        spec.checked()?;
        let likelihood = likelihood.build(spec)?;
        let inputs = Inputs::new(inputs, likelihood.is_nominal(), spec)?;
        Ok(Self { inputs, likelihood, spec: spec.clone() })
    }

    /// Feature maps that the network sees: the target's, and a constant 1 which, where there are zeros outside, marks the inside.
    pub fn features(&self) -> usize {
        self.inputs.features() + 1
    }

    /// Whether these layers of the network together with the heads, which see `width` features, are not too many weights, nor
    /// what comes out of them too many numbers per example.
    fn check_size(
        &self,
        key: &'static str,
        width: usize,
        layers: impl IntoIterator<Item = [usize; 2]>,
    ) -> Result<(), ModelError> {
        let inputs = |channel: usize| width + channel * self.inputs.features_per_channel();
        let [channels, rows, columns] = self.spec.shape;
        let heads = (0..channels).flat_map(|channel| [[inputs(channel), width], [width, self.likelihood.parameters()]]);
        let layers: Vec<[usize; 2]> = layers.into_iter().chain(heads).collect();
        ModelError::check_weights(key, width, layers.iter().copied())?;
        // Kept for the gradient, at the least.
        let a_place = layers.iter().fold(self.features(), |sum, [_, outputs]| sum.saturating_add(*outputs));
        let numbers = a_place.saturating_mul(rows * columns);
        if numbers > 1 << 28 {
            return Err(ModelError::Data(format!(
                "targets of {} dimensions: this model keeps {numbers} numbers per example; expected at most 268435456 (2^28); use shorter \
                 windows or smaller images, or fewer channels and layers",
                rows * columns
            )));
        }
        Ok(())
    }

    /// The model of a network that gives `width` features.
    pub fn build<N: Network>(self, network: N, width: usize, rng: &mut Stream, device: &Device) -> Arm<N> {
        let Self { inputs, likelihood, spec } = self;
        let heads = Head::of_channels(spec.shape[0], &inputs, width, likelihood.parameters(), rng, device);
        Arm { network, heads, inputs, likelihood, spec }
    }
}

impl<N: Network> Arm<N> {
    fn head_outputs(&self, x: Tensor<2>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<3> {
        let [n, event] = x.dims();
        let [channels, rows, columns] = self.spec.shape;
        let condition = condition_of(&self.spec, condition);
        let maps = self.inputs.maps(x);
        let inside = Tensor::ones([n, 1, rows, columns], &maps.device());
        let h = self.network.forward(Tensor::cat(vec![maps.clone(), inside], 1), condition.as_ref(), mode);
        let (outputs, features) = (self.likelihood.parameters(), self.inputs.features_per_channel());
        let of_channel = |(channel, head): (usize, &Head)| {
            let seen = (channel > 0).then(|| maps.clone().slice([0..n, 0..channel * features, 0..rows, 0..columns]));
            head.forward(h.clone(), seen).reshape([n, outputs, rows * columns]).swap_dims(1, 2)
        };
        debug_assert_eq!(channels * rows * columns, event);
        Tensor::cat(self.heads.iter().enumerate().map(of_channel).collect(), 1)
    }

    fn elementwise(&self, batch: &Batch, mode: &mut Mode) -> Tensor<2> {
        let parameters = self.head_outputs(batch.target.clone(), batch.condition.as_ref(), mode);
        self.likelihood.log_prob(parameters, batch.target.clone())
    }
}

impl<N: Network> Autoregressive for Arm<N> {
    fn likelihood(&self) -> &Likelihood {
        &self.likelihood
    }

    fn device(&self) -> Device {
        self.network.device()
    }

    /// Position by position in raster order, and at a position channel by channel.
    fn order(&self) -> Vec<usize> {
        let [channels, rows, columns] = self.spec.shape;
        let positions = rows * columns;
        (0..positions).flat_map(|at| (0..channels).map(move |channel| channel * positions + at)).collect()
    }

    fn parameters(&self, x: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3> {
        self.head_outputs(x, condition, &mut Mode::Evaluate)
    }

    fn start(&self, n: usize, condition: Option<&Tensor<2>>) -> Box<dyn Steps + '_> {
        let condition = condition_of(&self.spec, condition);
        Box::new(ArmSteps {
            pixels: self.network.start(n, condition.as_ref()),
            heads: self.heads.iter().map(Head::at_one_position).collect(),
            inputs: &self.inputs,
            spec: &self.spec,
            one: Tensor::ones([n, 1], &Autoregressive::device(self)),
            h: None,
            seen: Vec::new(),
            pixel: 0,
        })
    }
}

/// Where sampling from an [`Arm`] stands.
struct ArmSteps<'a> {
    pixels: Box<dyn Pixels + 'a>,
    heads: Vec<HeadAtOnePosition>,
    inputs: &'a Inputs,
    spec: &'a DataSpec,
    one: Tensor<2>,
    /// The features of the present pixel.
    h: Option<Tensor<2>>,
    /// The inputs of the present pixel's channels, as far as they are known.
    seen: Vec<Tensor<2>>,
    pixel: usize,
}

impl Steps for ArmSteps<'_> {
    fn next(&mut self, previous: Option<Tensor<2>>) -> Tensor<3> {
        let [channels, _, _] = self.spec.shape;
        if let Some(value) = previous {
            let features = self.inputs.encode(value);
            let [n, count, _] = features.dims();
            self.seen.push(features.reshape([n, count]));
        }
        if self.seen.len() == channels {
            self.seen.push(self.one.clone());
            let pixel = Tensor::cat(std::mem::take(&mut self.seen), 1);
            self.h = Some(self.pixels.next(Some(pixel)));
            self.pixel += 1;
        }
        let h = self.h.get_or_insert_with(|| self.pixels.next(None)).clone();
        let outputs = self.heads[self.seen.len()].forward(h, &self.seen);
        outputs.unsqueeze_dim(1)
    }
}

impl<N: Network> TrainLikelihood for Arm<N> {
    fn levels(&self) -> Option<[usize; 2]> {
        self.spec.levels().map(|levels| [self.spec.event(), levels])
    }

    fn train_log_prob(&self, batch: &Batch, mode: &mut Mode) -> Tensor<2> {
        self.elementwise(batch, mode)
    }

    fn train_log_probs(&self, batch: &Batch, mode: &mut Mode) -> Option<Tensor<3>> {
        self.likelihood.log_probs(self.head_outputs(batch.target.clone(), batch.condition.as_ref(), mode))
    }
}

impl<N: Network> Density for Arm<N> {
    fn estimator(&self) -> Estimator {
        Estimator::Exact
    }

    fn log_prob(&self, batch: &Batch, _: &mut Stream) -> Tensor<1> {
        sum_event(fill_padding(self.elementwise(batch, &mut Mode::Evaluate), batch.mask.as_ref()))
    }

    fn log_prob_elementwise(&self, batch: &Batch) -> Option<Tensor<2>> {
        Some(fill_padding(self.elementwise(batch, &mut Mode::Evaluate), batch.mask.as_ref()))
    }
}

impl<N: Network> Generate for Arm<N> {
    /// One dimension after the other, each given those before it, at the cost of one position each.
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        sampling::sample(self, n, condition.as_ref(), &SamplingParams::default(), rng)
    }
}

impl<N: Network> Model for Arm<N> {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Likelihood(self)
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
}

#[cfg(test)]
mod tests;
