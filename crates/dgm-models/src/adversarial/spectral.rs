//! Spectral normalisation: weights divided by their largest singular value.

use burn::module::{Module, Param, Reparameterization, Reparameterizer};
use burn::tensor::{Tensor, TensorData};
use dgm_core::random::Seed;

/// W / σ(W), σ the largest singular value of W as a matrix, its first dimension against the others (Miyato et al. 2018, "Spectral normalization
/// for generative adversarial networks", section 2.1). Attach it to the weights of a module with
/// [`apply_reparameterization`](Module::apply_reparameterization); vectors such as biases stay as they are.
///
/// σ is found by power iteration from the same vector every time, so that there is no state beside the weights: it is approached from below.
/// The gradient is that of W / (uᵀ W v) with u and v held fixed (their eq. 10 and 11).
#[derive(Module, Debug, Default)]
pub struct SpectralNorm {}

/// Rounds of the power iteration.
const ROUNDS: usize = 8;

impl SpectralNorm {
    /// σ of `[rows, columns]`, `[1, 1]`.
    fn sigma(weight: Tensor<2>) -> Tensor<2> {
        const TINY: f64 = 1e-12;
        let unit = |x: Tensor<2>| {
            let length = x.clone().square().sum().sqrt().clamp_min(TINY).reshape([1, 1]);
            x / length
        };
        let [rows, _] = weight.dims();
        let fixed = weight.clone().detach();
        let start = Seed(0).stream("spectral norm", 0).normals(rows);
        let mut left = unit(Tensor::from_data(TensorData::new(start, [1, rows]), &weight.device()));
        let mut right = unit(left.clone().matmul(fixed.clone()));
        for _ in 0..ROUNDS {
            left = unit(right.matmul(fixed.clone().transpose()));
            right = unit(left.clone().matmul(fixed.clone()));
        }
        left.matmul(weight).matmul(right.transpose()).clamp_min(TINY)
    }
}

impl Reparameterization for SpectralNorm {
    const NAME: &'static str = "spectral_norm";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        let dims = base.dims();
        let rows = dims.first().copied().unwrap_or(1).max(1);
        let columns = dims.iter().skip(1).product();
        let sigma = Self::sigma(base.clone().reshape([rows, columns]));
        base / sigma.reshape([1; D])
    }
}

/// Every weight that is more than a vector.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfWeights;

impl Reparameterizer for OfWeights {
    type Reparam = SpectralNorm;

    fn reparameterize<const D: usize>(
        &mut self,
        _: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<SpectralNorm>) {
        (param, (D > 1).then(SpectralNorm::default))
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::layers::linear;
    use burn::optim::GradientsParams;
    use burn::tensor::Device;
    use dgm_core::host;

    #[test]
    fn the_largest_singular_value_becomes_one() {
        // Singular values 3 and 1: [[2, 1], [1, 2]].
        let device = Device::flex();
        let weight = Tensor::<2>::from_floats([[2.0, 1.0], [1.0, 2.0]], &device);
        let normalised = host(SpectralNorm {}.apply(weight));
        for (found, expected) in normalised.iter().zip([2.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 2.0 / 3.0]) {
            assert!((found - expected).abs() < 1e-6, "{normalised:?}");
        }
        // diag(5, 2, 0.5) as two rows of taps: the first dimension against the others.
        let taps = Tensor::<3>::from_floats([[[5.0, 0.0, 0.0]], [[0.0, 2.0, 0.0]], [[0.0, 0.0, 0.5]]], &device);
        let largest = host(SpectralNorm {}.apply(taps)).into_iter().fold(0.0, f64::max);
        assert!((largest - 1.0).abs() < 1e-6, "{largest}");
        // Nothing to divide by.
        assert!(host(SpectralNorm {}.apply(Tensor::<2>::zeros([3, 2], &device))).iter().all(|&x| x == 0.0));
    }

    /// The gradient of Σ W/σ(W), which is (1 − Σ(W/σ) u vᵀ)/σ, reaches the weight that is stored.
    #[test]
    fn gradients_reach_the_stored_weight() {
        let device = Device::flex().autodiff();
        let mut layer = linear(2, 2, &mut Seed(0).stream("weights", 0), &device);
        layer.weight = Param::from_tensor(Tensor::from_floats([[2.0, 1.0], [1.0, 2.0]], &device));
        let layer = layer.apply_reparameterization(OfWeights);
        let gradients = GradientsParams::from_grads(layer.weight.val().sum().backward(), &layer);
        let found = host(gradients.get::<2>(layer.weight.id).unwrap());
        // u = v = (1, 1)/√2, ΣW/σ = 2: (1 − 2 · 1/2)/3 = 0 everywhere: scaling a matrix changes nothing, and here nothing else is left.
        assert!(found.iter().all(|g| g.abs() < 1e-6), "{found:?}");
        let first = layer.weight.val().slice([0..1, 0..1]).sum();
        let gradients = GradientsParams::from_grads(first.backward(), &layer);
        let found = host(gradients.get::<2>(layer.weight.id).unwrap());
        // W₁₁/σ: (e₁e₁ᵀ − (2/3)(1/2) 11ᵀ)/3.
        for (found, expected) in found.iter().zip([2.0 / 9.0, -1.0 / 9.0, -1.0 / 9.0, -1.0 / 9.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
