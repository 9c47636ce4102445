//! Weights for other programs and from them: safetensors with the names and layouts of PyTorch, and burnpack, Burn's own format.
//!
//! ```no_run
//! use dgm_train::backend::Backend;
//! use dgm_train::config::ModelConfig;
//! use dgm_train::exchange::{Format, export};
//! use dgm_train::run_folder::RunFolder;
//! use std::path::Path;
//!
//! # fn main() -> dgm_train::error::Result<()> {
//! let run = RunFolder::open(Path::new("runs/vae"))?;
//! let exported = export::<ModelConfig>(&run, Format::Safetensors, &Backend::open("flex")?)?;
//! dgm_train::files::write_atomic(Path::new("vae.safetensors"), &exported.bytes)
//! # }
//! ```
//!
//! The way back is [`Run::import`](crate::run::Run::import).

mod export;
mod import;

use burn::module::Module;
use burn::store::burn_pack::Tensor;
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot};

pub use export::{Exported, Format, export};
pub use import::with_weights;

/// The tensors of a module with the names and layouts that PyTorch has for them, in the order of its parameters. Their numbers are read when they are
/// asked for.
fn tensors_of(module: &impl Module) -> Vec<Tensor> {
    // That a part is one of several kinds is not part of a name.
    module.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true)
}
