//! Maximum mean discrepancy between two samples (Gretton et al. 2012, "A kernel two-sample test").

use burn::tensor::Tensor;

/// A positive definite kernel of the squared distance r² = ‖x − y‖².
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// exp(−r² / (2h²)) with bandwidth h > 0.
    Rbf {
        /// h, in units of x.
        bandwidth: f64,
    },
    /// c / (c + r²) with c > 0, whose tails still feel what is far away; c = 2·d·σ² is usual for d latent variables of
    /// deviation σ (Tolstikhin et al. 2018, "Wasserstein auto-encoders").
    InverseMultiquadric {
        /// c, in squared units of x.
        scale: f64,
    },
}

impl Kernel {
    /// k(x, y) from the squared distances, elementwise.
    fn of(&self, squared_distance: Tensor<2>) -> Tensor<2> {
        let (Self::Rbf { bandwidth: width } | Self::InverseMultiquadric { scale: width }) = *self;
        assert!(width > 0.0, "mmd: the kernel is {self:?}, its width must be above 0");
        match *self {
            Self::Rbf { bandwidth } => squared_distance.mul_scalar(-0.5 / (bandwidth * bandwidth)).exp(),
            Self::InverseMultiquadric { scale } => squared_distance.div_scalar(scale).add_scalar(1.0).recip(),
        }
    }
}

/// The unbiased estimate of MMD², `[1]`, without units; it may be negative (Gretton et al. 2012, eq. 3):
///
/// Σ_{i≠j} k(xᵢ, xⱼ) / (n (n−1)) + Σ_{i≠j} k(yᵢ, yⱼ) / (m (m−1)) − 2 Σᵢⱼ k(xᵢ, yⱼ) / (n m).
///
/// # Shapes
/// `x` `[n, d]`, `y` `[m, d]`, n and m at least 2; memory grows with n·m·d.
///
/// # Panics
/// If the widths differ, a sample has fewer than two rows, or the kernel's width is not above 0.
pub fn unbiased(x: Tensor<2>, y: Tensor<2>, kernel: Kernel) -> Tensor<1> {
    let [[n, _], [m, _]] = shapes("mmd::unbiased", &x, &y);
    assert!(n >= 2 && m >= 2, "mmd::unbiased: `x` has {n} rows and `y` {m}, need 2 or more of each");
    // A row is at distance 0 from itself, where both kernels are 1: taken off before the sum, in which small numbers would
    // be rounded away.
    let within = |x: Tensor<2>, n: usize| -> Tensor<1> {
        let ones = Tensor::eye(n, &x.device());
        (kernel.of(squared_distances(x.clone(), x)) - ones).sum().div_scalar((n * (n - 1)) as f64)
    };
    within(x.clone(), n) + within(y.clone(), m) - kernel.of(squared_distances(x, y)).mean().mul_scalar(2.0)
}

/// The biased estimate of MMD², `[1]`, never negative (Gretton et al. 2012, eq. 5):
///
/// Σᵢⱼ k(xᵢ, xⱼ) / n² + Σᵢⱼ k(yᵢ, yⱼ) / m² − 2 Σᵢⱼ k(xᵢ, yⱼ) / (n m).
///
/// # Shapes
/// `x` `[n, d]`, `y` `[m, d]`; memory grows with n·m·d.
///
/// # Panics
/// If the widths differ, or the kernel's width is not above 0.
pub fn biased(x: Tensor<2>, y: Tensor<2>, kernel: Kernel) -> Tensor<1> {
    shapes("mmd::biased", &x, &y);
    let mean =
        |x: &Tensor<2>, y: &Tensor<2>| -> Tensor<1> { kernel.of(squared_distances(x.clone(), y.clone())).mean() };
    // Below 0 only by rounding.
    (mean(&x, &x) + mean(&y, &y) - mean(&x, &y).mul_scalar(2.0)).clamp_min(0.0)
}

fn shapes(what: &str, x: &Tensor<2>, y: &Tensor<2>) -> [[usize; 2]; 2] {
    let (x, y) = (x.dims(), y.dims());
    assert_eq!(x[1], y[1], "{what}: `x` has shape {x:?} and `y` {y:?}, the widths must agree");
    [x, y]
}

/// ‖xᵢ − yⱼ‖², `[n, d]` and `[m, d]` → `[n, m]`.
///
/// From the differences: ‖x‖² + ‖y‖² − 2⟨x, y⟩ would lose the digits of close pairs, and the diagonal's 0.
fn squared_distances(x: Tensor<2>, y: Tensor<2>) -> Tensor<2> {
    (x.unsqueeze_dim::<3>(1) - y.unsqueeze_dim::<3>(0)).square().sum_dim(2).squeeze_dim(2)
}
