//! Models that learn codes of examples, and no density.

pub mod autoencoder;
pub mod contrastive;
mod views;

pub use views::ViewsConfig;
