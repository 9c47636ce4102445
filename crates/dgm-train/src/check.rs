//! What is wrong with a value of a configuration: the key, and what it may be.

pub use dgm_models::objective::{OutOfRange as Invalid, within as require};
