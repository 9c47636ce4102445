//! Tensors on the host.

use burn::tensor::Tensor;

/// Every number of a tensor on the host, in 64 bits and row by row.
pub fn host<const D: usize>(values: Tensor<D>) -> Vec<f64> {
    values.into_data().iter::<f64>().collect()
}
