//! All gradients of a module as one vector: its norm, clipping by it, and whether it is finite. Nothing is read back from
//! the device.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// ‖g‖ = √(Σ g²) over all parameters together, `[1]`; `None` without a gradient.
pub(crate) fn global_norm<M: Module>(module: &M, grads: &GradientsParams) -> Option<Tensor<1>> {
    reduce(module, grads, |grad| grad.square().sum()).map(Tensor::sqrt)
}

/// Σ g over all parameters together, `[1]`: finite exactly where every gradient is (or it overflows, which is no better),
/// at half of the norm's cost. `None` without a gradient.
pub(crate) fn sum<M: Module>(module: &M, grads: &GradientsParams) -> Option<Tensor<1>> {
    reduce(module, grads, Tensor::sum)
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

fn reduce<M: Module>(module: &M, grads: &GradientsParams, of: impl Fn(Tensor<1>) -> Tensor<1>) -> Option<Tensor<1>> {
    struct Reduce<'a, F> {
        grads: &'a GradientsParams,
        of: F,
        sum: Option<Tensor<1>>,
    }
    impl<F: Fn(Tensor<1>) -> Tensor<1>> ModuleVisitor for Reduce<'_, F> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.grads.get::<D>(param.id) {
                let n: usize = grad.dims().iter().product();
                let part = (self.of)(grad.reshape([n]));
                self.sum = Some(match self.sum.take() {
                    Some(sum) => sum + part,
                    None => part,
                });
            }
        }
    }
    let mut reduce = Reduce { grads, of, sum: None };
    module.visit(&mut reduce);
    reduce.sum
}
