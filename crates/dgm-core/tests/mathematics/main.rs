//! The mathematics against literals, closed forms and laws: one program, as linking each file by itself takes longer than all its tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

mod adaptive_categorical;
mod distributions;
mod edges;
mod extremes;
mod gradients;
mod latent_literals;
mod laws;
mod linear_gaussian;
mod literals;
mod messages;
mod normalisation;
mod objective_laws;
mod objective_literals;
mod objectives;
mod operations;
mod samples;
