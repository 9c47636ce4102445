//! The mathematics of likelihood-based generative models, for every Burn backend.
//!
//! | module | what it answers |
//! | --- | --- |
//! | [`density`] | how probable is x? `log_prob` in nats, from what a network emits |
//! | [`bijection`] | what do invertible maps do to a density? values and log-slopes of affine maps and splines |
//! | [`divergence`] | how far apart are two densities, or two samples? |
//! | [`objective`] | what is minimised? a loss in nats for each example, with its named terms |
//! | [`estimate`] | what is reported? likelihoods with their errors, calibration, scores, distances of sets, information |
//! | [`schedule`] | how does a weight of an objective change with the step? |
//! | [`random`] | where does the noise come from? streams named by (seed, purpose, step) |
//! | [`parameter`] | which parameters does a module have? their names, shapes and values as a list |
//! | [`ops`] | the hot log-densities as one operation each, generic over [`burn::backend::Backend`] |
//! | `optim` | optimisers that Burn lacks (feature `optim`) |
//!
//! Rules: log-probabilities, never probabilities; from logits; nats; every constant kept; a function that reduces says
//! over what in its name.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use dgm_core::density::Bernoulli;
//!
//! let device = Device::flex();
//! let pixels = Bernoulli::from_logits(Tensor::<2>::from_floats([[0.0, 2.0]], &device));
//! let log_prob = pixels.log_prob(Tensor::from_floats([[1.0, 0.0]], &device));
//! let expected = [[-std::f32::consts::LN_2, -2.126928]];
//! log_prob.into_data().assert_approx_eq::<f32>(&expected.into(), Default::default());
//! ```

mod bessel;
pub mod bijection;
pub mod density;
pub mod divergence;
pub mod estimate;
mod host;
pub mod objective;
pub mod ops;
#[cfg(feature = "optim")]
pub mod optim;
pub mod parameter;
pub mod random;
pub mod schedule;
mod shape;
mod special;
#[cfg(all(test, feature = "flex"))]
mod testing;

pub use host::host;
