//! Trains, evaluates and samples deep generative models from one TOML file; the library behind the program `dgm-train`.
//!
//! Parse → validate → run: a [`config::Config`] that exists is valid, a [`data::Dataset`] that exists is complete, and
//! only then does [`train::Trainer`] begin and a [`run_folder::RunFolder`] appear.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`run`] | creates, resumes, trains and evaluates a run: where to start from |
//! | [`config`], [`check`] | TOML → a valid configuration; a value out of range, and its place in the file |
//! | [`data`] | a source → a data set: splits, names of columns and classes, fingerprint |
//! | `fetch` | downloads of known data sets (feature `fetch`) |
//! | [`guess`], [`recipe`] | what a bare file is, and a configuration for it: `data inspect`, `new` |
//! | [`backend`] | the name of a backend → a device |
//! | [`train`], [`checkpoint`] | the training loop, its state, and exact resume |
//! | [`evaluate`], [`measure`] | the results of a model, from a registry of measures |
//! | [`tune`] | a search for hyper-parameters |
//! | [`metrics`] | the lines of `metrics.jsonl` |
//! | [`predict`] | predictions in the units of the data, of rows of a table too |
//! | [`represent`] | codes of examples, reconstructions, interpolations, traversals |
//! | [`sampling`] | samples in the units and the form of the data |
//! | [`run_folder`], [`provenance`], [`weights`], [`files`] | the files of a run, what it was made of, weights as bytes and their digest |
//! | [`exchange`] | weights for other programs and from them: safetensors, burnpack |
//! | [`report`] | progress, tables, pictures, web pages |
//! | [`shipped`] | the configurations inside the program |
//! | [`error`] | errors, and the exit code of each |
//! | `cli` | the program's arguments (feature `cli`) |

// Both panic where nobody reads: `cli::output::say` and `report::tell` do not.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

#[cfg(feature = "cli")]
pub mod allocator;
pub mod backend;
pub mod check;
pub mod checkpoint;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compare;
pub mod config;
pub mod data;
pub mod error;
pub mod evaluate;
pub mod exchange;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod files;
pub mod guess;
pub mod listing;
pub mod measure;
pub mod metrics;
pub mod predict;
pub mod probe;
pub mod provenance;
pub mod recipe;
pub mod report;
pub mod represent;
pub mod run;
pub mod run_folder;
pub mod sampling;
pub mod score;
pub mod shipped;
mod threads;
pub mod train;
pub mod tune;
pub mod weights;

// What tests of several modules use.
#[cfg(test)]
#[path = "../../dgm-models/src/testing/rounding.rs"]
mod rounding;

/// Runs the README's example as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
