//! All gradients of a module as one vector: its norm, and clipping by it, without reading back from the device; and
//! whether weights are lost.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use dgm_core::host;
use dgm_core::parameter::Parameter;

/// ‖g‖ = √(Σ g²) over all parameters together, `[1]`; `None` without a gradient.
///
/// Finite exactly where every g² is, which is what optimisers with second moments need: they lose a weight for good where
/// its g² is infinite.
pub(crate) fn global_norm<M: Module>(module: &M, grads: &GradientsParams) -> Option<Tensor<1>> {
    struct Squares<'a> {
        grads: &'a GradientsParams,
        sum: Option<Tensor<1>>,
    }
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.grads.get::<D>(param.id) {
                let part = (grad.clone() * grad).sum();
                self.sum = Some(match self.sum.take() {
                    Some(sum) => sum + part,
                    None => part,
                });
            }
        }
    }
    let mut squares = Squares { grads, sum: None };
    module.visit(&mut squares);
    squares.sum.map(Tensor::sqrt)
}

/// The sum of all weights where that is not finite: some weight is lost. Reads from the device.
pub(crate) fn nonfinite_weight<M: Module>(module: &M) -> Option<f64> {
    let sums = Parameter::of(module).into_iter().map(|parameter| parameter.value.without_autodiff().sum());
    let sum = host(sums.reduce(|sum, part| sum + part)?).first().copied()?;
    (!sum.is_finite()).then_some(sum)
}

/// Scales all gradients by min(1, bound / ‖g‖), ‖g‖ being the norm over all parameters together (Pascanu et al. 2013).
pub(crate) fn clip<M: Module>(module: &M, mut grads: GradientsParams, norm: Tensor<1>, bound: f64) -> GradientsParams {
    struct Scale<'a> {
        from: &'a mut GradientsParams,
        to: GradientsParams,
        factor: Tensor<1>,
    }
    impl ModuleVisitor for Scale<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.from.remove::<D>(param.id) {
                self.to.register(param.id, grad * self.factor.clone().reshape([1; D]));
            }
        }
    }
    // ‖g‖ = 0 leaves the factor at 1; NaN stays NaN and is found by whoever checks the norm.
    let factor = norm.add_scalar(1e-12).recip().mul_scalar(bound).clamp_max(1.0);
    let mut scale = Scale { from: &mut grads, to: GradientsParams::new(), factor };
    module.visit(&mut scale);
    scale.to
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    /// Every parameter of a module, one after the other.
    pub(in crate::train) fn parameters<M: Module>(module: &M) -> Vec<f64> {
        Parameter::of(module).into_iter().flat_map(|parameter| host(parameter.value)).collect()
    }

    /// y = w·x + b with the gradients 3 for w and 4 for b.
    fn example() -> (Linear, GradientsParams) {
        let device = Device::flex().autodiff();
        let layer = LinearConfig::new(1, 1).init(&device);
        let loss = layer.forward(Tensor::<2>::from_floats([[0.75]], &device)).sum() * 4.0;
        let grads = GradientsParams::from_grads(loss.backward(), &layer);
        (layer, grads)
    }

    fn read(value: Option<Tensor<1>>) -> f32 {
        value.unwrap().into_data().iter::<f32>().next().unwrap()
    }

    #[test]
    fn the_norm_goes_over_all_parameters() {
        let (layer, grads) = example();
        assert_eq!(read(global_norm(&layer, &grads)), 5.0);
        assert!(global_norm(&layer, &GradientsParams::new()).is_none());
    }

    #[test]
    fn a_long_gradient_is_scaled_to_the_bound_and_a_short_one_stays() {
        for (bound, expected) in [(1.0, 1.0), (50.0, 5.0)] {
            let (layer, grads) = example();
            let norm = global_norm(&layer, &grads).unwrap();
            let clipped = clip(&layer, grads, norm, bound);
            // A norm, its reciprocal, a product, and a norm again.
            let allowed = 8.0 * f32::EPSILON * expected;
            assert!((read(global_norm(&layer, &clipped)) - expected).abs() <= allowed);
            let weight = clipped.get::<2>(layer.weight.id).map(Tensor::sum);
            assert!((read(weight) - expected * 0.6).abs() <= allowed);
        }
    }

    #[test]
    fn lost_weights_show() {
        let (mut layer, _) = example();
        assert_eq!(nonfinite_weight(&layer), None);
        layer.weight = Param::from_tensor(Tensor::from_floats([[f32::INFINITY]], &Device::flex().autodiff()));
        assert_eq!(nonfinite_weight(&layer), Some(f64::INFINITY));
    }

    #[test]
    fn one_value_that_is_not_finite_shows() {
        // 1e20 is finite, and its square, which Adam keeps, is not.
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e20] {
            let (layer, mut grads) = example();
            let id = layer.weight.id;
            grads.register(id, Tensor::<2>::from_floats([[value]], &Device::flex()));
            assert!(!read(global_norm(&layer, &grads)).is_finite());
        }
    }
}
