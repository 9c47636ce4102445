//! The rational-quadratic spline of [`RationalQuadratic`](crate::bijection::RationalQuadratic): on flex one operation with a pullback
//! written by hand (`flex/spline`), elsewhere composed of tensor operations, which are the oracle of the tests too.

use burn::tensor::activation::softmax;
use burn::tensor::{Int, Tensor};

/// Derivatives are from 1/1000 to 1000, and of the sizes of two bins none is more than 1000 times the other: this is log 1000.
pub(crate) const LOG_RANGE: f64 = 6.907_755_278_982_137;

/// (f(x), log f′(x)), or with `inverse` (f⁻¹(x), log (f⁻¹)′(x)), of the spline with these parameters on [−bound, bound].
///
/// # Shapes
/// x `[n]`, parameters `[n, 3·bins − 1]`; the results `[n]`.
pub(crate) fn rational_quadratic(
    x: Tensor<1>,
    parameters: Tensor<2>,
    bound: f64,
    inverse: bool,
) -> (Tensor<1>, Tensor<1>) {
    #[cfg(feature = "flex")]
    if on_flex::is_on_flex(&x.device()) {
        return on_flex::rational_quadratic(x, parameters, bound, inverse);
    }
    composed(x, parameters, bound, inverse)
}

/// The same in tensor operations.
pub(crate) fn composed(x: Tensor<1>, parameters: Tensor<2>, bound: f64, inverse: bool) -> (Tensor<1>, Tensor<1>) {
    let [n, count] = parameters.dims();
    let bins = count.div_ceil(3);
    let part = |from: usize, to: usize| parameters.clone().slice([0..n, from..to]);
    let clip = |raw: Tensor<2>, range: f64| raw.clone() / raw.abs().div_scalar(range).add_scalar(1.0);
    let sizes = |logits: Tensor<2>| softmax(clip(logits, LOG_RANGE / 2.0), 1).mul_scalar(2.0 * bound);
    let (widths, heights) = (sizes(part(0, bins)), sizes(part(bins, 2 * bins)));
    let inner = clip(part(2 * bins, count), LOG_RANGE).exp();
    let ones = Tensor::ones([n, 1], &x.device());
    let slopes = Tensor::cat(vec![ones.clone(), inner, ones], 1);
    // Left edges.
    let edges = |sizes: &Tensor<2>| (sizes.clone().cumsum(1) - sizes.clone()).sub_scalar(bound);
    let (left, bottom) = (edges(&widths), edges(&heights));

    // Set aside before the formula. NaN is not inside, and stays what it is.
    let inside = x.clone().detach().abs().lower_elem(bound);
    let within = x.clone().mask_fill(inside.clone().bool_not(), 0.0).unsqueeze_dim::<2>(1);
    let starts = if inverse { &bottom } else { &left };
    let bin = within.clone().detach().expand([n, bins]).greater_equal(starts.clone().detach());
    let bin: Tensor<2, Int> = bin.int().sum_dim(1).sub_scalar(1).clamp(0, bins as i64 - 1);
    let of_bin = |all: &Tensor<2>| all.clone().gather(1, bin.clone());
    let [left, bottom, w, h, d0] = [&left, &bottom, &widths, &heights, &slopes].map(of_bin);
    let d1 = slopes.gather(1, bin.clone().add_scalar(1));
    let s = h.clone() / w.clone();
    let curvature = d0.clone() + d1.clone() - s.clone().mul_scalar(2.0);
    let xi = if inverse {
        let rise = within.clone() - bottom.clone();
        let a = h.clone() * (s.clone() - d0.clone()) + rise.clone() * curvature.clone();
        let b = h.clone() * d0.clone() - rise.clone() * curvature.clone();
        let c = (s.clone() * rise).neg();
        let root = (b.clone().square() - (a * c.clone()).mul_scalar(4.0)).clamp_min(0.0).sqrt();
        c.mul_scalar(2.0) / (b.neg() - root)
    } else {
        (within - left.clone()) / w.clone()
    };
    let rest = xi.clone().neg().add_scalar(1.0);
    let q = xi.clone() * rest.clone();
    let denominator = s.clone() + curvature * q.clone();
    let numerator = d1 * xi.clone().square() + (s.clone() * q.clone()).mul_scalar(2.0) + d0.clone() * rest.square();
    let log_slope = (s.clone().log() - denominator.clone().log()).mul_scalar(2.0) + numerator.log();
    let (y, log_slope) = if inverse {
        (left + xi * w, log_slope.neg())
    } else {
        (bottom + h * (s * xi.square() + d0 * q) / denominator, log_slope)
    };
    let outside = inside.clone().bool_not();
    let y = y.squeeze_dim::<1>(1).mask_where(outside.clone(), x);
    (y, log_slope.squeeze_dim::<1>(1).mask_fill(outside, 0.0))
}

#[cfg(feature = "flex")]
mod on_flex {
    //! The operation on flex, with its node in the graph of autodiff.

    use crate::ops::flex::spline;
    use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
    use burn::backend::autodiff::grads::Gradients;
    use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Autodiff, Backend, Dispatch, DispatchDevice, backend_extension};
    use burn::tensor::{Device, Tensor};
    use burn_flex::Flex;

    pub(super) fn is_on_flex(device: &Device) -> bool {
        matches!(device.as_dispatch().clone().inner(), DispatchDevice::Flex(_))
    }

    pub(super) fn rational_quadratic(
        x: Tensor<1>,
        parameters: Tensor<2>,
        bound: f64,
        inverse: bool,
    ) -> (Tensor<1>, Tensor<1>) {
        let [n] = x.dims();
        let both = Dispatch::rational_quadratic(x.into_dispatch(), parameters.into_dispatch(), bound, inverse);
        let both: Tensor<2> = Tensor::from_dispatch(both);
        let part = |i: usize| both.clone().slice([i..i + 1, 0..n]).squeeze_dim::<1>(0);
        (part(0), part(1))
    }

    /// The spline as one operation.
    #[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
    pub(super) trait SplineOps: Backend {
        /// y and the logarithm of the slope, `[2, n]`.
        fn rational_quadratic(
            x: FloatTensor<Self>,
            parameters: FloatTensor<Self>,
            bound: f64,
            inverse: bool,
        ) -> FloatTensor<Self>;

        /// The pullback of `grad` `[2, n]` to x and the parameters.
        fn rational_quadratic_pullback(
            x: FloatTensor<Self>,
            parameters: FloatTensor<Self>,
            grad: FloatTensor<Self>,
            bound: f64,
            inverse: bool,
        ) -> (FloatTensor<Self>, FloatTensor<Self>);
    }

    impl SplineOps for Flex {
        fn rational_quadratic(
            x: FloatTensor<Self>,
            parameters: FloatTensor<Self>,
            bound: f64,
            inverse: bool,
        ) -> FloatTensor<Self> {
            spline::forward(x, parameters, bound, inverse)
        }

        fn rational_quadratic_pullback(
            x: FloatTensor<Self>,
            parameters: FloatTensor<Self>,
            grad: FloatTensor<Self>,
            bound: f64,
            inverse: bool,
        ) -> (FloatTensor<Self>, FloatTensor<Self>) {
            spline::pullback(x, parameters, grad, bound, inverse)
        }
    }

    #[derive(Debug)]
    struct RationalQuadratic;

    impl<B: SplineOps> Backward<B, 2> for RationalQuadratic {
        type State = ([FloatTensor<B>; 2], f64, bool);

        fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
            let ([x, parameters], bound, inverse) = ops.state;
            let grad = grads.consume::<B>(&ops.node);
            let pulled = B::rational_quadratic_pullback(x, parameters, grad, bound, inverse);
            for (parent, grad) in ops.parents.into_iter().zip([pulled.0, pulled.1]) {
                if let Some(node) = parent {
                    grads.register::<B>(node.id, grad);
                }
            }
        }
    }

    impl<B: SplineOps, C: CheckpointStrategy> SplineOps for Autodiff<B, C> {
        fn rational_quadratic(
            x: FloatTensor<Self>,
            parameters: FloatTensor<Self>,
            bound: f64,
            inverse: bool,
        ) -> FloatTensor<Self> {
            let prepared = RationalQuadratic.prepare::<C>([x.node(), parameters.node()]).compute_bound().stateful();
            let (x, parameters) = (x.into_primitive(), parameters.into_primitive());
            match prepared {
                OpsKind::Tracked(prep) => {
                    let state = ([x.clone(), parameters.clone()], bound, inverse);
                    prep.finish(state, B::rational_quadratic(x, parameters, bound, inverse))
                }
                OpsKind::UnTracked(prep) => prep.finish(B::rational_quadratic(x, parameters, bound, inverse)),
            }
        }

        fn rational_quadratic_pullback(
            x: FloatTensor<Self>,
            parameters: FloatTensor<Self>,
            grad: FloatTensor<Self>,
            bound: f64,
            inverse: bool,
        ) -> (FloatTensor<Self>, FloatTensor<Self>) {
            let [x, parameters, grad] = [x, parameters, grad].map(|tensor| tensor.into_primitive());
            let (x, parameters) = B::rational_quadratic_pullback(x, parameters, grad, bound, inverse);
            (
                <Self as burn::backend::AutodiffBackend>::from_inner(x),
                <Self as burn::backend::AutodiffBackend>::from_inner(parameters),
            )
        }
    }
}
