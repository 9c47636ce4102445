//! Divergences between densities, in nats: closed forms, Monte Carlo with its standard error, and between samples.

pub mod jensen_shannon;
pub mod kl;
pub mod mmd;
