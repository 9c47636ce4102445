//! Autoregressive transformation: each number is transformed by a function of those before it.

use super::transform::Transform;
use super::{Bijection, Conditioner, Given, Mapped, Sizes};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;

/// y_i = f(x_i; θ(x_<i)), f elementwise: forwards in one pass, backwards in d. From data to noise it is the masked autoregressive flow
/// (Papamakarios, Pavlakou and Murray 2017), from noise to latent variables the inverse one (Kingma et al. 2016).
#[derive(Module, Debug)]
pub(crate) struct Autoregressive {
    network: Conditioner,
    #[module(skip)]
    transform: Transform,
}

impl Autoregressive {
    /// For so many numbers.
    pub(super) fn new(width: usize, transform: Transform, sizes: Sizes<'_>, rng: &mut Stream, device: &Device) -> Self {
        let sizes = Sizes { inputs: width, outputs: width, ..sizes };
        Self { network: Conditioner::new(sizes, true, rng, device), transform }
    }
}

impl Bijection for Autoregressive {
    fn forward(&self, x: Tensor<2>, given: &mut Given<'_, '_>) -> Mapped {
        let parameters = self.network.forward(x.clone(), given.features, given.mode);
        self.transform.apply(x, parameters, false)
    }

    /// One number after the other: each pass finds the next for good.
    fn inverse(&self, y: Tensor<2>, given: &mut Given<'_, '_>) -> Mapped {
        let [n, width] = y.dims();
        let count = self.transform.parameters();
        let mut x: Vec<Tensor<2>> = Vec::with_capacity(width);
        let mut log_det = Tensor::zeros([n], &y.device());
        for i in 0..width {
            // What is not known yet is not seen.
            let rest = Tensor::zeros([n, width - i], &y.device());
            let known = Tensor::cat(x.iter().cloned().chain([rest]).collect(), 1);
            let parameters: Tensor<3> =
                self.network.forward(known, given.features, given.mode).reshape([n, width, count]);
            let own = parameters.slice([0..n, i..i + 1, 0..count]).reshape([n, count]);
            let (next, log_slope) = self.transform.apply(y.clone().slice([0..n, i..i + 1]), own, true);
            x.push(next);
            log_det = log_det + log_slope;
        }
        (Tensor::cat(x, 1), log_det)
    }
}
