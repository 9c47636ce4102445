//! Linear invertible layers: another order of the numbers, a matrix as the product of two triangular ones, scale and shift by the data.

use super::{Bijection, Given, Mapped, indices};
use crate::layers::zeros;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use dgm_core::random::Seed;

/// Another order of the numbers.
#[derive(Module, Debug)]
pub(crate) struct Permutation {
    #[module(skip)]
    order: Vec<i32>,
}

impl Permutation {
    /// The last first.
    pub(super) fn reverse(width: usize) -> Self {
        Self { order: (0..width as i32).rev().collect() }
    }

    /// A random one: that of its place in the flow, whatever the seed, since it is not among the weights.
    pub(super) fn random(place: usize, width: usize) -> Self {
        let mut keyed: Vec<(f32, i32)> =
            Seed(0).stream("permutation", place as u64).uniforms(width).into_iter().zip(0..).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { order: keyed.into_iter().map(|(_, i)| i).collect() }
    }

    fn none(x: &Tensor<2>) -> Tensor<1> {
        Tensor::zeros([x.dims()[0]], &x.device())
    }
}

impl Bijection for Permutation {
    fn forward(&self, x: Tensor<2>, _: &mut Given<'_, '_>) -> Mapped {
        let none = Self::none(&x);
        (x.clone().select(1, indices(&self.order, &x.device())), none)
    }

    fn inverse(&self, y: Tensor<2>, _: &mut Given<'_, '_>) -> Mapped {
        let mut back: Vec<(i32, i32)> = self.order.iter().copied().zip(0..).collect();
        back.sort_unstable();
        let back: Vec<i32> = back.into_iter().map(|(_, at)| at).collect();
        let none = Self::none(&y);
        (y.clone().select(1, indices(&back, &y.device())), none)
    }
}

/// y = x L U + b with a unit lower and an upper triangular matrix (Oliva et al. 2018, "Transformation autoregressive networks"; Durkan et al.
/// 2019): log |det| is the sum of the logarithms of U's diagonal. At first the identity.
#[derive(Module, Debug)]
pub(crate) struct LuLinear {
    /// L below its diagonal, U above.
    triangles: Param<Tensor<2>>,
    log_diagonal: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
}

impl LuLinear {
    pub(super) fn new(width: usize, device: &Device) -> Self {
        Self {
            triangles: zeros([width, width], device),
            log_diagonal: zeros([width], device),
            bias: zeros([width], device),
        }
    }

    /// L and U.
    fn factors(&self) -> [Tensor<2>; 2] {
        let all = self.triangles.val();
        let width = all.dims()[0];
        let eye = Tensor::<2>::eye(width, &all.device());
        let diagonal = eye.clone() * self.log_diagonal.val().exp().unsqueeze_dim::<2>(0);
        [all.clone().tril(-1) + eye, all.triu(1) + diagonal]
    }

    /// (L U)⁻¹ = U⁻¹ L⁻¹, column by column.
    fn inverse_matrix(&self) -> Tensor<2> {
        let [lower, upper] = self.factors();
        let (width, device) = (lower.dims()[0], lower.device());
        let column = |matrix: &Tensor<2>, j: usize| matrix.clone().slice([0..width, j..j + 1]);
        let eye = Tensor::<2>::eye(width, &device);
        // X U = 1 from the first column on, then X′ L = X from the last.
        let mut by_upper: Vec<Tensor<2>> = Vec::with_capacity(width);
        let reciprocals = self.log_diagonal.val().neg().exp();
        for j in 0..width {
            let known = match by_upper.is_empty() {
                true => Tensor::zeros([width, 1], &device),
                false => Tensor::cat(by_upper.clone(), 1).matmul(upper.clone().slice([0..j, j..j + 1])),
            };
            let reciprocal = reciprocals.clone().narrow(0, j, 1).unsqueeze_dim::<2>(0);
            by_upper.push((column(&eye, j) - known) * reciprocal);
        }
        let mut by_lower: Vec<Tensor<2>> = Vec::with_capacity(width);
        for j in (0..width).rev() {
            let rest = match by_upper.get(j) {
                Some(column) => column.clone(),
                None => Tensor::zeros([width, 1], &device),
            };
            let next = match by_lower.is_empty() {
                true => rest,
                false => rest - Tensor::cat(by_lower.clone(), 1).matmul(lower.clone().slice([j + 1..width, j..j + 1])),
            };
            by_lower.insert(0, next);
        }
        Tensor::cat(by_lower, 1)
    }

    fn log_det(&self, n: usize) -> Tensor<1> {
        self.log_diagonal.val().sum().expand([n])
    }
}

impl Bijection for LuLinear {
    fn forward(&self, x: Tensor<2>, _: &mut Given<'_, '_>) -> Mapped {
        let [lower, upper] = self.factors();
        let n = x.dims()[0];
        (x.matmul(lower).matmul(upper) + self.bias.val().unsqueeze_dim::<2>(0), self.log_det(n))
    }

    fn inverse(&self, y: Tensor<2>, _: &mut Given<'_, '_>) -> Mapped {
        let n = y.dims()[0];
        ((y - self.bias.val().unsqueeze_dim::<2>(0)).matmul(self.inverse_matrix()), self.log_det(n).neg())
    }
}

/// y = (x − μ)·exp(−s), which start as mean and log standard deviation of the first examples (Kingma and Dhariwal 2018, "Glow", section 3.1).
#[derive(Module, Debug)]
pub(crate) struct ActNorm {
    mean: Param<Tensor<1>>,
    log_std: Param<Tensor<1>>,
}

impl ActNorm {
    pub(super) fn new(width: usize, device: &Device) -> Self {
        Self { mean: zeros([width], device), log_std: zeros([width], device) }
    }

    /// Begins at these rows; a number that hardly varies keeps its scale, as what is learnt of it is all but nothing.
    pub(super) fn fit(&mut self, x: &Tensor<2>) {
        let (mean, variance) = (x.clone().mean_dim(0), x.clone().var_bias(0));
        let constant = variance.clone().lower_elem(CONSTANT);
        let log_std = variance.clamp_min(CONSTANT).log().mul_scalar(0.5).mask_fill(constant, 0.0);
        self.mean = Param::from_tensor(mean.detach().squeeze_dim(0));
        self.log_std = Param::from_tensor(log_std.detach().squeeze_dim(0));
    }
}

/// The variance below which a number is taken for a constant, in standard deviations of the data.
const CONSTANT: f64 = 1e-4;

impl Bijection for ActNorm {
    fn forward(&self, x: Tensor<2>, _: &mut Given<'_, '_>) -> Mapped {
        let (n, log_std) = (x.dims()[0], self.log_std.val());
        let factor = log_std.clone().neg().exp().unsqueeze_dim::<2>(0);
        ((x - self.mean.val().unsqueeze_dim::<2>(0)) * factor, log_std.sum().neg().expand([n]))
    }

    fn inverse(&self, y: Tensor<2>, _: &mut Given<'_, '_>) -> Mapped {
        let (n, log_std) = (y.dims()[0], self.log_std.val());
        let factor = log_std.clone().exp().unsqueeze_dim::<2>(0);
        (y * factor + self.mean.val().unsqueeze_dim::<2>(0), log_std.sum().expand([n]))
    }
}
