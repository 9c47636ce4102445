//! Trains, evaluates and samples deep generative models from one TOML file; the library behind the program `dgm-train`.
//!
//! Parse → validate → run: a [`config::Config`] that exists is valid, a [`data::Dataset`] that exists is complete, and
//! only then does [`train::Trainer`] begin and a [`run_folder::RunFolder`] appear.

// Both panic where nobody reads: `cli::output::say` and `report::tell` do not.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod backend;
pub mod check;
pub mod checkpoint;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod data;
pub mod error;
pub mod evaluate;
pub mod files;
pub mod guess;
pub mod measure;
pub mod metrics;
pub mod provenance;
pub mod recipe;
pub mod report;
pub mod run;
pub mod run_folder;
pub mod sampling;
pub mod shipped;
pub mod train;
pub mod weights;

// What tests of several modules use.
#[cfg(test)]
#[path = "../../dgm-models/src/testing/rounding.rs"]
mod rounding;

/// Runs the README's example as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
