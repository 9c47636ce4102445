//! Models with latent variables: p(x | c) = ∫ p(x | z, c) p(z) dz.

pub mod adversarial_autoencoder;
pub mod hierarchical_vae;
pub mod latent_generator;
pub mod vae;

mod interpolation;
mod observation;

pub use interpolation::Path;
pub(crate) use observation::Observation;
