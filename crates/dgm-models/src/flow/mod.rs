//! Normalizing flows: invertible layers with log |det J|, given features where there are any; the density model made of them, and what
//! dequantises levels for it.

mod autoregressive;
mod conditioner;
mod coupling;
mod dequantize;
mod linear;
pub mod normalizing_flow;
mod transform;

pub(crate) use conditioner::{Conditioner, Sizes};
pub use dequantize::{DequantizationConfig, VariationalConfig};
pub use transform::{SplineConfig, TransformConfig};

use crate::error::ModelError;
use crate::layers::Mode;
use autoregressive::Autoregressive;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use coupling::Coupling;
use dgm_core::random::Stream;
use linear::{ActNorm, LuLinear, Permutation};
use serde::{Deserialize, Serialize};

/// y, and log |det ∂y/∂x| of each row in nats.
pub(crate) type Mapped = (Tensor<2>, Tensor<1>);

/// What a layer's network sees beside x.
pub(crate) struct Given<'a, 'b> {
    /// Features of each row.
    pub(crate) features: Option<&'a Tensor<2>>,
    /// Whether it trains.
    pub(crate) mode: &'a mut Mode<'b>,
}

/// An invertible function of the rows of x `[n, d]`, given features of each row where its network takes some.
trait Bijection {
    /// y = f(x), in one pass.
    fn forward(&self, x: Tensor<2>, given: &mut Given<'_, '_>) -> Mapped;

    /// x = f⁻¹(y), and log |det ∂x/∂y|.
    fn inverse(&self, y: Tensor<2>, given: &mut Given<'_, '_>) -> Mapped;
}

/// What the parameters of a layer's transformation may depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structure {
    /// Those of each number on the numbers before it: the most flexible; one pass in one direction, as many as there are numbers in the other.
    #[default]
    Autoregressive,
    /// Those of one half of the numbers on the other half: one pass in both directions.
    Coupling,
}

/// How layers come to see the numbers in other places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mixing {
    /// Couplings take turns in the half that they transform, autoregressive layers in the direction.
    #[default]
    Alternate,
    /// A random order before each layer but the first.
    Permutation,
    /// A linear map before each layer: L U with trained triangular matrices, and the reverse order for the next.
    Lu,
}

/// The make of a [`Flow`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowSpec<'a> {
    pub(crate) structure: Structure,
    pub(crate) transform: &'a TransformConfig,
    pub(crate) layers: usize,
    pub(crate) hidden: &'a [usize],
    pub(crate) mixing: Mixing,
    pub(crate) act_norm: bool,
    pub(crate) dropout: f64,
    /// Numbers of a row.
    pub(crate) width: usize,
    /// Features of a row.
    pub(crate) features: usize,
    /// The keys that errors name: that of the number of layers, of the widths, of the transformation and of what makes the numbers too few.
    pub(crate) keys: [&'static str; 4],
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // a few values per model
enum Layer {
    Coupling(Coupling),
    Autoregressive(Autoregressive),
    Permutation(Permutation),
    Lu(LuLinear),
    ActNorm(ActNorm),
}

impl Layer {
    fn bijection(&self) -> &dyn Bijection {
        match self {
            Self::Coupling(layer) => layer,
            Self::Autoregressive(layer) => layer,
            Self::Permutation(layer) => layer,
            Self::Lu(layer) => layer,
            Self::ActNorm(layer) => layer,
        }
    }
}

/// Invertible layers one after the other. At first next to a reordering of the numbers, where there is no [`ActNorm`].
#[derive(Module, Debug)]
pub(crate) struct Flow {
    layers: Vec<Layer>,
}

impl Flow {
    pub(crate) fn new(spec: &FlowSpec<'_>, rng: &mut Stream, device: &Device) -> Result<Self, ModelError> {
        let &FlowSpec { structure, layers, hidden, mixing, act_norm, dropout, width, features, keys, .. } = spec;
        ModelError::check((1..=64).contains(&layers), keys[0], layers, "1 to 64")?;
        ModelError::check_hidden(keys[1], hidden)?;
        let transform = spec.transform.build(keys[2])?;
        let is_coupling = structure == Structure::Coupling;
        ModelError::check(!is_coupling || width >= 2, keys[3], width, "2 or more for a flow of couplings")?;
        let count = transform.parameters();
        let widths = std::iter::once(width + features).chain(hidden.iter().copied()).chain([width * count]);
        ModelError::check_weights(keys[1], format!("{hidden:?}"), crate::error::chain(widths))?;
        let sizes = Sizes { inputs: 0, parameters: count, outputs: 0, hidden, features, dropout };
        let mut all = Vec::new();
        for place in 0..layers {
            match mixing {
                Mixing::Permutation if place > 0 => all.push(Layer::Permutation(Permutation::random(place, width))),
                Mixing::Lu => {
                    all.push(Layer::Permutation(Permutation::reverse(width)));
                    all.push(Layer::Lu(LuLinear::new(width, device)));
                }
                Mixing::Alternate if place > 0 && !is_coupling => {
                    all.push(Layer::Permutation(Permutation::reverse(width)));
                }
                _ => {}
            }
            if act_norm {
                all.push(Layer::ActNorm(ActNorm::new(width, device)));
            }
            all.push(match structure {
                Structure::Coupling => Layer::Coupling(Coupling::new(place, width, transform, sizes, rng, device)),
                Structure::Autoregressive => {
                    Layer::Autoregressive(Autoregressive::new(width, transform, sizes, rng, device))
                }
            });
        }
        Ok(Self { layers: all })
    }

    /// y = f(x).
    pub(crate) fn forward(&self, x: Tensor<2>, features: Option<&Tensor<2>>, mode: &mut Mode) -> Mapped {
        let (none, mut given) = (Tensor::zeros([x.dims()[0]], &x.device()), Given { features, mode });
        self.layers.iter().fold((x, none), |(x, sum), layer| {
            let (y, log_det) = layer.bijection().forward(x, &mut given);
            (y, sum + log_det)
        })
    }

    /// x = f⁻¹(y), and log |det ∂x/∂y|.
    pub(crate) fn inverse(&self, y: Tensor<2>, features: Option<&Tensor<2>>) -> Mapped {
        let mode = &mut Mode::Evaluate;
        let (none, mut given) = (Tensor::zeros([y.dims()[0]], &y.device()), Given { features, mode });
        self.layers.iter().rev().fold((y, none), |(y, sum), layer| {
            let (x, log_det) = layer.bijection().inverse(y, &mut given);
            (x, sum + log_det)
        })
    }

    /// That of the weights.
    pub(crate) fn device(&self) -> Device {
        self.devices().into_iter().next().unwrap_or_default()
    }

    /// Begins at these rows, where layers are normalised by data.
    pub(crate) fn fit(&mut self, x: Tensor<2>, features: Option<&Tensor<2>>) {
        let mode = &mut Mode::Evaluate;
        let mut given = Given { features, mode };
        let mut x = x;
        for layer in &mut self.layers {
            if let Layer::ActNorm(norm) = layer {
                norm.fit(&x);
            }
            x = layer.bijection().forward(x, &mut given).0;
        }
    }
}

/// Indices on a device.
fn indices(of: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_ints(of, device)
}

#[cfg(all(test, feature = "flex"))]
mod tests;
