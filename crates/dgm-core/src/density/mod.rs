//! Densities, built from what a network emits; `log_prob` is elementwise (one number for each random variable), in nats.

mod adaptive_categorical;
mod bernoulli;
mod beta_binomial;
mod categorical;
mod normal;

pub use adaptive_categorical::{AdaptiveCategorical, AdaptiveTail, ClassOutOfRange};
pub use bernoulli::Bernoulli;
pub use beta_binomial::BetaBinomialMixture;
pub use categorical::Categorical;
pub use normal::Normal;
