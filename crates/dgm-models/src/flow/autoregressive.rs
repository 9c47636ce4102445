//! Inverse autoregressive transformation: each number is shifted and scaled by a function of those before it.

use super::{Bijection, Conditioner, Mapped, Sizes, log_scale};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;

/// y_i = x_i · exp(s_i(x_<i)) + t_i(x_<i), and y in reverse order (Kingma et al. 2016, "Improving variational inference with inverse
/// autoregressive flow", eq. 10). Forwards in one pass, backwards in d.
#[derive(Module, Debug)]
pub(crate) struct Autoregressive {
    network: Conditioner,
}

impl Autoregressive {
    /// So many layers for d numbers, with these hidden layers and so many features.
    pub(crate) fn stack(
        layers: usize,
        width: usize,
        hidden: &[usize],
        features: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Vec<Self> {
        let sizes = Sizes { inputs: width, outputs: 2 * width, hidden, features };
        (0..layers).map(|_| Self { network: Conditioner::new(sizes, true, rng, device) }).collect()
    }

    /// s and t of x.
    fn transformation(&self, x: Tensor<2>, features: Option<&Tensor<2>>) -> [Tensor<2>; 2] {
        let [n, width] = x.dims();
        let outputs = self.network.forward(x, features);
        [log_scale(outputs.clone().slice([0..n, 0..width])), outputs.slice([0..n, width..2 * width])]
    }
}

impl Bijection for Autoregressive {
    fn forward(&self, x: Tensor<2>, features: Option<&Tensor<2>>) -> Mapped {
        let [s, t] = self.transformation(x.clone(), features);
        let y = x * s.clone().exp() + t;
        (y.flip([1]), s.sum_dim(1).squeeze_dim(1))
    }

    /// One number after the other: each pass finds the next for good.
    fn inverse(&self, y: Tensor<2>, features: Option<&Tensor<2>>) -> Mapped {
        let y = y.flip([1]);
        let [n, width] = y.dims();
        let mut x: Vec<Tensor<2>> = Vec::with_capacity(width);
        let mut log_det = Tensor::zeros([n, 1], &y.device());
        for i in 0..width {
            // What is not known yet is not seen.
            let rest = Tensor::zeros([n, width - i], &y.device());
            let known = Tensor::cat(x.iter().cloned().chain([rest]).collect(), 1);
            let [s, t] = self.transformation(known, features).map(|all| all.slice([0..n, i..i + 1]));
            x.push((y.clone().slice([0..n, i..i + 1]) - t) * s.clone().neg().exp());
            log_det = log_det - s;
        }
        (Tensor::cat(x, 1), log_det.squeeze_dim(1))
    }
}
