//! Densities that are fitted in one go, without gradients: kernel density estimate, Gaussian mixture, histogram. They compute on the host in
//! f64, so they are the same on every backend.

pub mod gaussian_mixture;
pub mod histogram;
pub mod kde;
mod rows;
#[cfg(all(test, feature = "flex"))]
pub(crate) mod testing;
