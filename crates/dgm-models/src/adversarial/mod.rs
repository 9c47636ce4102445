//! Generators that are trained against a discriminator.

pub mod gan;
mod spectral;

pub use spectral::SpectralNorm;
