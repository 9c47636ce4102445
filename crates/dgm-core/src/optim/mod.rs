//! Optimisers that Burn does not have (feature `optim`), for its [`ModuleOptimizer`](burn::optim::ModuleOptimizer).

mod adamax;

pub use adamax::{Adamax, AdamaxConfig, AdamaxState};
