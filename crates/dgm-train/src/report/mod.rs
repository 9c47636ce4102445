//! What people look at: progress while training, pictures after it.

pub mod grid;
pub mod progress;
