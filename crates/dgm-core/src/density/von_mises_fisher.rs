//! Von Mises–Fisher: directions around a mean direction, on the unit sphere.

use crate::bessel::{log_bessel_and_ratio, log_gamma};
use crate::host;
use crate::random::Stream;
use crate::special::attach_gradient;
use burn::tensor::{Tensor, TensorData};
use rand_distr::Beta;

/// p(x) = C_d(κ) exp(κ μᵀx) on the unit sphere Sᵈ⁻¹, with respect to its surface, C_d(κ) = κ^ν / ((2π)^{ν+1} I_ν(κ)), ν = d/2 − 1
/// (Mardia and Jupp 2000, "Directional statistics", section 9.3.2). For d ≥ 2 and κ > 0.
#[derive(Clone, Debug)]
pub struct VonMisesFisher {
    direction: Tensor<2>,
    concentration: Tensor<1>,
}

impl VonMisesFisher {
    /// n densities: around the direction of each row of `towards` `[n, d]`, of any length but 0, with `concentration` κ `[n]`.
    ///
    /// # Panics
    /// If the shapes do not agree or d is below 2.
    pub fn new(towards: Tensor<2>, concentration: Tensor<1>) -> Self {
        let ([n, d], [of]) = (towards.dims(), concentration.dims());
        assert!(of == n && d >= 2, "VonMisesFisher: `towards` has shape [{n}, {d}] and `concentration` [{of}]");
        let norm = towards.clone().square().sum_dim(1).add_scalar(1e-24).sqrt();
        Self { direction: towards / norm, concentration }
    }

    /// log of the uniform density on Sᵈ⁻¹, Γ(d/2) / (2 π^{d/2}), in nats.
    pub fn log_uniform(d: usize) -> f64 {
        let half = 0.5 * d as f64;
        log_gamma(half) - std::f64::consts::LN_2 - half * std::f64::consts::PI.ln()
    }

    /// μ, `[n, d]`, of length 1.
    pub fn direction(&self) -> Tensor<2> {
        self.direction.clone()
    }

    /// κ, `[n]`.
    pub fn concentration(&self) -> Tensor<1> {
        self.concentration.clone()
    }

    /// The same without a gradient to its parameters.
    pub fn detach(&self) -> Self {
        Self { direction: self.direction.clone().detach(), concentration: self.concentration.clone().detach() }
    }

    /// A function of each κ, computed on the host in f64.
    fn of_each(&self, f: impl Fn(f64) -> f64) -> Tensor<1> {
        let values: Vec<f32> = host(self.concentration.clone()).into_iter().map(|kappa| f(kappa) as f32).collect();
        Tensor::from_floats(values.as_slice(), &self.concentration.device())
    }

    fn order(&self) -> f64 {
        0.5 * self.direction.dims()[1] as f64 - 1.0
    }

    /// A_d(κ) = I_{d/2}(κ) / I_{d/2−1}(κ), the mean resultant length |E\[x\]|, `[n]`.
    pub fn mean_resultant_length(&self) -> Tensor<1> {
        let (order, d) = (self.order(), 2.0 * self.order() + 2.0);
        let value = self.of_each(|kappa| log_bessel_and_ratio(order, kappa).1);
        // A′ = 1 − A² − (d − 1) A / κ.
        attach_gradient(value, [(&self.concentration, &|| self.of_each(|kappa| slope_of_length(d, kappa)))])
    }

    /// log p(x) = κ μᵀx + log C_d(κ) of each row in nats, `[n, d]` → `[n]`; x has length 1.
    ///
    /// # Panics
    /// If the shapes of the directions and `x` differ.
    pub fn log_prob(&self, x: Tensor<2>) -> Tensor<1> {
        let (shape, found) = (self.direction.dims(), x.dims());
        assert_eq!(shape, found, "VonMisesFisher: directions of shape {shape:?} and `x` of {found:?}");
        let along: Tensor<1> = (self.direction.clone() * x).sum_dim(1).squeeze_dim(1);
        // Relative to the uniform density, so that κ and log C do not cancel: κ (μᵀx − 1) is small where x is near μ.
        let order = self.order();
        let value = self.of_each(|kappa| log_normaliser(order, kappa) + kappa);
        let slope = || self.of_each(|kappa| 1.0 - log_bessel_and_ratio(order, kappa).1);
        let top = attach_gradient(value, [(&self.concentration, &slope)]);
        let d = shape[1];
        self.concentration.clone() * along.sub_scalar(1.0) + top.add_scalar(Self::log_uniform(d))
    }

    /// E\[x\] = A_d(κ) μ, `[n, d]`.
    pub fn mean(&self) -> Tensor<2> {
        self.direction.clone() * self.mean_resultant_length().unsqueeze_dim(1)
    }

    /// KL from the uniform density on the sphere, κ A_d(κ) + log C_d(κ) − log C_d(0) of each row in nats, `[n]`.
    pub(crate) fn kl_uniform(&self) -> Tensor<1> {
        let (order, d) = (self.order(), 2.0 * self.order() + 2.0);
        let value = self.of_each(|kappa| {
            let (_, ratio) = log_bessel_and_ratio(order, kappa);
            (kappa * ratio + log_normaliser(order, kappa)).max(0.0)
        });
        // (κ A + log C)′ = κ A′.
        attach_gradient(value, [(&self.concentration, &|| self.of_each(|kappa| kappa * slope_of_length(d, kappa)))])
    }

    /// One sample of each row, `[n, d]`, differentiable in μ and κ.
    ///
    /// x = w μ + √(1 − w²) v, w = μᵀx by Wood's rejection sampler (1994, "Simulation of the von Mises–Fisher distribution"), v uniform
    /// on the directions at right angles to μ. The gradient of w to κ is the implicit one, ∂w/∂κ = −(∂F/∂κ) / p(w) with the distribution
    /// function F of w (Figurnov, Mohamed and Mnih 2018), by quadrature: exact, where that through the rejection sampler (Davidson et al. 2018)
    /// needs a second, noisy term.
    pub fn sample(&self, rng: &mut Stream) -> Tensor<2> {
        let ([n, d], device) = (self.direction.dims(), self.direction.device());
        let (mut along, mut slopes, mut across) =
            (Vec::with_capacity(n), Vec::with_capacity(n), Vec::with_capacity(n * d));
        let wanted = self.direction.device().is_autodiff();
        for kappa in host(self.concentration.clone()) {
            let w = sample_along(d as f64, kappa, rng);
            along.push(w as f32);
            slopes.push(if wanted { slope_of_sample(d as f64, kappa, w) as f32 } else { 0.0 });
            across.extend(rng.normals(d));
        }
        let slopes = Tensor::<1>::from_floats(slopes.as_slice(), &device);
        let w = Tensor::<1>::from_floats(along.as_slice(), &device);
        let w: Tensor<2> = attach_gradient(w, [(&self.concentration, &|| slopes.clone())]).unsqueeze_dim(1);
        let g = Tensor::<2>::from_data(TensorData::new(across, [n, d]), &device);
        let mu = self.direction.clone();
        let v = g.clone() - mu.clone() * (g * mu.clone()).sum_dim(1);
        let norm = v.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
        // (1 − w)(1 + w) is never below 0, and its root has a finite slope.
        let height = ((w.clone().neg().add_scalar(1.0)) * w.clone().add_scalar(1.0)).clamp_min(1e-12).sqrt();
        mu * w + v / norm * height
    }
}

/// log C_d(κ) − log C_d(0) = ν log(κ/2) − log I_ν(κ) − log Γ(ν + 1), which is 0 at κ = 0.
fn log_normaliser(order: f64, kappa: f64) -> f64 {
    let (log_bessel, _) = log_bessel_and_ratio(order, kappa);
    order * (0.5 * kappa).ln() - log_bessel - log_gamma(order + 1.0)
}

/// A′(κ) = 1 − A² − (d − 1) A / κ, and 1/d − 3κ²/(d²(d + 2)) where that cancels.
fn slope_of_length(d: f64, kappa: f64) -> f64 {
    if kappa < 1e-3 {
        return 1.0 / d - 3.0 * kappa * kappa / (d * d * (d + 2.0));
    }
    let (_, ratio) = log_bessel_and_ratio(0.5 * d - 1.0, kappa);
    (1.0 - ratio * ratio - (d - 1.0) * ratio / kappa).max(0.0)
}

/// w = μᵀx ~ (1 − w²)^{(d−3)/2} exp(κw), by rejection.
fn sample_along(d: f64, kappa: f64, rng: &mut Stream) -> f64 {
    let m = d - 1.0;
    let b = m / (2.0 * kappa + (4.0 * kappa * kappa + m * m).sqrt());
    let x0 = (1.0 - b) / (1.0 + b);
    let c = kappa * x0 + m * (1.0 - x0 * x0).ln();
    let Ok(beta) = Beta::new(0.5 * m, 0.5 * m) else { return 1.0 };
    // About two in three are taken; a κ that is no number ends with the mode.
    for _ in 0..10_000 {
        let z = rng.sample(&beta);
        let w = (1.0 - (1.0 + b) * z) / (1.0 - (1.0 - b) * z);
        if kappa * w + m * (1.0 - x0 * w).ln() - c >= f64::from(1.0 - rng.uniform()).ln() {
            return w.clamp(-1.0, 1.0);
        }
    }
    1.0
}

/// ∂w/∂κ = ∫_w^1 (t − A) h(t) dt / h(w), h(t) = (1 − t²)^{(d−3)/2} exp(κt), with t = cos θ, by Gauss–Legendre on 16 pieces.
fn slope_of_sample(d: f64, kappa: f64, w: f64) -> f64 {
    const NODES: [f64; 4] =
        [0.183_434_642_495_649_8, 0.525_532_409_916_329, 0.796_666_477_413_626_7, 0.960_289_856_497_536_3];
    const WEIGHTS: [f64; 4] =
        [0.362_683_783_378_362, 0.313_706_645_877_887_3, 0.222_381_034_453_374_48, 0.101_228_536_290_376_26];
    const PIECES: usize = 16;
    let angle = w.clamp(-1.0, 1.0).acos();
    if angle < 1e-9 {
        return 0.0;
    }
    let (_, length) = log_bessel_and_ratio(0.5 * d - 1.0, kappa);
    // h(t) dt / (h(w) dw/dφ): relative to the angle φ of w, so that neither power overflows.
    let integrand = |theta: f64| {
        let log_h = (d - 2.0) * (theta.sin() / angle.sin()).ln() + kappa * (theta.cos() - w);
        (theta.cos() - length) * log_h.exp()
    };
    // Over the side where the integrand keeps its sign: both integrals are each other's negative.
    let from = if w >= length { 0.0 } else { std::f64::consts::PI };
    let step = (angle - from) / PIECES as f64;
    let mut integral = 0.0;
    for piece in 0..PIECES {
        let middle = from + (piece as f64 + 0.5) * step;
        for (node, weight) in NODES.iter().zip(WEIGHTS) {
            let away = 0.5 * step * node;
            integral += weight * (integrand(middle - away) + integrand(middle + away));
        }
    }
    let slope = 0.5 * step * integral * angle.sin();
    if slope.is_finite() { slope } else { 0.0 }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
