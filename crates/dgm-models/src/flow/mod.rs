//! Normalizing flows: invertible layers with log |det J|, given features where there are any; the density model made of them, and what
//! dequantises levels for it.

mod autoregressive;
mod conditioner;
mod coupling;
mod dequantize;
mod image;
mod linear;
pub mod normalizing_flow;
mod transform;

pub(crate) use conditioner::{Conditioner, Sizes};
pub use dequantize::{DequantizationConfig, VariationalConfig};
pub use image::ConvNetworkConfig;
pub use transform::{SplineConfig, TransformConfig};

use crate::error::ModelError;
use crate::layers::Mode;
use crate::parts::{Plain, part};
use autoregressive::Autoregressive;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use coupling::Coupling;
use dgm_core::random::Stream;
use image::{ImageCoupling, ImageSpec, Pattern, Squeeze};
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

part! {
    /// `network = "mlp"`, or `{ kind = "conv", channels = 32, blocks = 2, scales = 2 }`.
    NetworkConfig, such as "{ kind = \"conv\", channels = 32 }":
    /// Fully connected layers.
    "mlp" => Plain as Mlp,
    /// Of couplings of images: residual convolutions, at several resolutions.
    "conv" => ConvNetworkConfig as Conv,
}

impl NetworkConfig {
    /// Fully connected layers.
    pub const MLP: Self = Self::Mlp(Plain {});
}

/// The make of a [`Flow`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowSpec<'a> {
    pub(crate) structure: Structure,
    /// What finds the parameters, of rows that are images of this shape where it is convolutional.
    pub(crate) network: (&'a NetworkConfig, [usize; 3]),
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

impl<'a> FlowSpec<'a> {
    /// So many layers with fully connected networks of these widths that take turns, for rows of `width` numbers with so many features.
    pub(crate) fn alternating(
        structure: Structure,
        transform: &'a TransformConfig,
        layers: usize,
        hidden: &'a [usize],
        [width, features]: [usize; 2],
        keys: [&'static str; 4],
    ) -> Self {
        Self {
            structure,
            network: (&NetworkConfig::MLP, [1, 1, width]),
            transform,
            layers,
            hidden,
            mixing: Mixing::Alternate,
            act_norm: false,
            dropout: 0.0,
            width,
            features,
            keys,
        }
    }
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // a few values per model
enum Layer {
    Coupling(Coupling),
    Autoregressive(Autoregressive),
    Permutation(Permutation),
    Lu(LuLinear),
    ActNorm(ActNorm),
    Image(ImageCoupling),
    Squeeze(Squeeze),
}

impl Layer {
    fn bijection(&self) -> &dyn Bijection {
        match self {
            Self::Coupling(layer) => layer,
            Self::Autoregressive(layer) => layer,
            Self::Permutation(layer) => layer,
            Self::Lu(layer) => layer,
            Self::ActNorm(layer) => layer,
            Self::Image(layer) => layer,
            Self::Squeeze(layer) => layer,
        }
    }
}

/// Invertible layers one after the other. At first next to a reordering of the numbers, where there is no [`ActNorm`].
#[derive(Module, Debug)]
pub(crate) struct Flow {
    layers: Vec<Layer>,
    /// Numbers at the start of a row that each layer is of: all, but at lower resolutions of images.
    #[module(skip)]
    widths: Vec<usize>,
}

impl Flow {
    pub(crate) fn new(spec: &FlowSpec<'_>, rng: &mut Stream, device: &Device) -> Result<Self, ModelError> {
        let &FlowSpec { structure, layers, hidden, mixing, act_norm, dropout, width, features, keys, .. } = spec;
        ModelError::check((1..=64).contains(&layers), keys[0], layers, "1 to 64")?;
        ModelError::check_hidden(keys[1], hidden)?;
        let transform = spec.transform.build(keys[2])?;
        let is_coupling = structure == Structure::Coupling;
        let (found, expected) = match keys[3] {
            "latent" => (width.to_string(), "2 or more for a flow of couplings"),
            _ => (format!("\"coupling\" for a target of {width} number"), "\"autoregressive\" for one number"),
        };
        ModelError::check(!is_coupling || width >= 2, keys[3], found, expected)?;
        if let (NetworkConfig::Conv(network), shape) = spec.network {
            ModelError::check(is_coupling, "structure", "\"autoregressive\"", "\"coupling\" with network = \"conv\"")?;
            let spec = ImageSpec { network, transform, shape, features, dropout };
            return Self::of_images(spec, layers, act_norm, rng, device);
        }
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
            // After the last one too: as a posterior it then runs against the order of an autoregressive prior.
            if mixing == Mixing::Alternate && !is_coupling {
                all.push(Layer::Permutation(Permutation::reverse(width)));
            }
        }
        Ok(Self { widths: vec![width; all.len()], layers: all })
    }

    /// At each resolution so many couplings of a chessboard's places and as many of channels after a squeeze; then half of the channels are left as
    /// they are (Dinh, Sohl-Dickstein and Bengio 2017, section 3.6).
    fn of_images(
        spec: ImageSpec<'_>,
        layers: usize,
        act_norm: bool,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let ConvNetworkConfig { channels, blocks, scales } = *spec.network;
        ModelError::check((1..=4096).contains(&channels), "network", format!("{channels} channels"), "1 to 4096")?;
        ModelError::check(blocks <= 64, "network", format!("{blocks} blocks"), "0 to 64")?;
        ModelError::check((1..=8).contains(&scales), "network", format!("{scales} scales"), "1 to 8")?;
        let [_, rows, columns] = spec.shape;
        let fits = [rows, columns].iter().all(|size| *size >= 1 << scales && size.is_multiple_of(1 << scales));
        let found = format!("{scales} scales for images of {rows} by {columns}");
        ModelError::check(fits, "network", found, "scales by which height and width can be halved")?;
        let (mut flow, mut shape) = (Self { layers: Vec::new(), widths: Vec::new() }, spec.shape);
        for scale in 0..scales {
            let width = shape.iter().product();
            for (pattern, squeezed) in [(Pattern::Checkerboard, false), (Pattern::Channels, true)] {
                if squeezed {
                    flow.push(Layer::Squeeze(Squeeze::new(shape)), width);
                    let [c, h, w] = shape;
                    shape = [4 * c, h / 2, w / 2];
                }
                for place in 0..layers {
                    if act_norm {
                        flow.push(Layer::ActNorm(ActNorm::new(width, device)), width);
                    }
                    let spec = ImageSpec { shape, ..spec };
                    let coupling = ImageCoupling::new(spec, pattern, !place.is_multiple_of(2), rng, device);
                    flow.push(Layer::Image(coupling), width);
                }
            }
            if scale + 1 < scales {
                shape[0] /= 2;
            }
        }
        Ok(flow)
    }

    fn push(&mut self, layer: Layer, width: usize) {
        self.layers.push(layer);
        self.widths.push(width);
    }

    /// y = f(x).
    pub(crate) fn forward(&self, x: Tensor<2>, features: Option<&Tensor<2>>, mode: &mut Mode) -> Mapped {
        let (none, mut given) = (Tensor::zeros([x.dims()[0]], &x.device()), Given { features, mode });
        self.layers.iter().zip(&self.widths).fold((x, none), |(x, sum), (layer, &width)| {
            let (y, log_det) = of_first(x, width, |x| layer.bijection().forward(x, &mut given));
            (y, sum + log_det)
        })
    }

    /// x = f⁻¹(y), and log |det ∂x/∂y|.
    pub(crate) fn inverse(&self, y: Tensor<2>, features: Option<&Tensor<2>>) -> Mapped {
        let mode = &mut Mode::Evaluate;
        let (none, mut given) = (Tensor::zeros([y.dims()[0]], &y.device()), Given { features, mode });
        self.layers.iter().zip(&self.widths).rev().fold((y, none), |(y, sum), (layer, &width)| {
            let (x, log_det) = of_first(y, width, |y| layer.bijection().inverse(y, &mut given));
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
        for (layer, &width) in self.layers.iter_mut().zip(&self.widths) {
            x = of_first(x, width, |x| {
                if let Layer::ActNorm(norm) = layer {
                    norm.fit(&x);
                }
                layer.bijection().forward(x, &mut given)
            })
            .0;
        }
    }
}

/// A function of the first numbers of rows; the others stay as they are.
fn of_first(x: Tensor<2>, width: usize, f: impl FnOnce(Tensor<2>) -> Mapped) -> Mapped {
    let [n, d] = x.dims();
    if width == d {
        return f(x);
    }
    let rest = x.clone().slice([0..n, width..d]);
    let (y, log_det) = f(x.slice([0..n, 0..width]));
    (Tensor::cat(vec![y, rest], 1), log_det)
}

/// Indices on a device.
fn indices(of: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_ints(of, device)
}

#[cfg(all(test, feature = "flex"))]
mod tests;
