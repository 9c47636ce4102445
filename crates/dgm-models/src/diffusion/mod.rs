//! Diffusion: data that noise covers step by step, and a network that takes it off again.

mod network;
mod schedule;
pub mod variational_diffusion;

pub use network::{DenoiserConfig, UNetConfig};
