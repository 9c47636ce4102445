//! Divergences between densities, in closed form, in nats.

pub mod kl;
