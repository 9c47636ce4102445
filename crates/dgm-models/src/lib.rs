//! Deep generative models as Burn modules.
//!
//! A model is about a target given an optional condition, p(x | c). What it can do is said by small traits, each independent of
//! the others: [`Generate`] samples, [`Density`] scores, [`Represent`] encodes; [`Training`] says how it learns, and an
//! [`ObjectiveKind`] makes a loss of that. Configurations
//! are plain data ([`ModelConfig`]); one and a [`DataSpec`] make a [`Model`], whose getters give what it can do.

// Files of tests that other crates' tests share name this crate as they do.
#[cfg(test)]
extern crate self as dgm_models;

pub mod adversarial;
pub mod baseline;
pub mod capability;
pub mod data;
pub mod decoder;
pub mod diffusion;
pub mod encoder;
pub mod ensemble;
pub mod flow;
pub mod likelihood;
pub mod mixture;
pub mod objective;
pub mod ops;
pub mod posterior;
pub mod prior;
pub mod registry;
pub mod representation;

pub mod any_order_mlp;
pub mod autoregressive;
pub mod conditional_mlp;
pub mod latent;

mod error;
mod factory;
mod features;
mod layers;
mod parts;
#[cfg(test)]
mod testing;
mod training;
mod traits;

pub use adversarial::gan;
pub use autoregressive::{causal_conv, pixel_cnn, transformer};
pub use baseline::{gaussian_mixture, histogram, kde};
pub use capability::Capability;
pub use data::{Batch, ColumnValues, ConditionSpec, DataSpec, Scale, Values};
pub use diffusion::variational_diffusion;
pub use ensemble::Ensemble;
pub use error::ModelError;
pub use factory::ModelFactory;
pub use features::{Features, FeaturesConfig, PeriodicConfig, PiecewiseLinearConfig};
pub use flow::normalizing_flow;
pub use latent::{adversarial_autoencoder, hierarchical_vae, latent_generator, vae};
pub use layers::{
    HiddenActivation, Mlp, Mode, Resample, Residual, TapConv, condition_of, linear, network_target, with_condition,
};
pub use objective::ObjectiveKind;
pub use parts::Plain;
pub use registry::{AnyModel, ModelConfig, kinds_that_can, require};
pub use representation::{autoencoder, contrastive};
pub use training::{Examples, Inference, Player, Samples, Train, TrainBound, TrainLikelihood, Training};
pub use traits::{AnyOrder, Autoregressive, Decode, Density, Estimator, Generate, Latent, Model, Represent, Steps};
