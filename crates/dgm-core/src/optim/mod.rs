//! Optimisers that Burn does not have, or has slower (feature `optim`), for its [`ModuleOptimizer`](burn::optim::ModuleOptimizer).

mod adam;
mod adamax;

pub use adam::{AdamStep, Decay, FusedAdam, UpdateOps};
pub use adamax::{Adamax, AdamaxConfig, AdamaxState};
