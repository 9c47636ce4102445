//! How much noise there is: γ = −log SNR between two ends, and how often each γ is trained on.

use crate::layers::zeros;
use burn::module::{Module, Param};
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};

/// Intervals between the ends that each have a density of their own.
const BINS: usize = 64;

/// The share of the density that is uniform whatever is learnt: no noise level is forgotten.
const FLOOR: f64 = 0.1;

/// No γ is below: σ is 10⁻³ there, and 32 bits hold less and less of what is smaller.
const LOWEST: f64 = -14.0;

/// A monotone map γ(u), u ∈ \[0, 1\] (Kingma et al. 2021, "Variational diffusion models", section 3.2). Its ends are learnt by the bound; what is
/// between them does not change the bound, only the variance of its estimate, which is what it is learnt by (their section 4.2 and appendix I).
#[derive(Module, Debug)]
pub(super) struct Schedule {
    /// γ(0) and γ(1).
    ends: Param<Tensor<1>>,
    /// Of the density of (γ − γ(0)) / (γ(1) − γ(0)).
    logits: Param<Tensor<2>>,
}

/// A noise level for each example, each `[n, 1]`.
#[derive(Clone, Debug)]
pub(super) struct Noise {
    /// −log SNR = log σ²/α².
    pub(super) gamma: Tensor<2>,
    /// γ′(u), a constant to what is learnt between the ends.
    pub(super) slope: Tensor<2>,
    /// The logarithm of the density of the level.
    pub(super) log_density: Tensor<2>,
}

impl Noise {
    /// α = √σ(−γ).
    pub(super) fn alpha(&self) -> Tensor<2> {
        alpha(self.gamma.clone())
    }

    /// σ = √σ(γ).
    pub(super) fn sigma(&self) -> Tensor<2> {
        sigma(self.gamma.clone())
    }
}

/// The share of the data in z, √sigmoid(−γ).
pub(super) fn alpha(gamma: Tensor<2>) -> Tensor<2> {
    sigmoid(gamma.neg()).sqrt()
}

/// The share of the noise in z, √sigmoid(γ).
pub(super) fn sigma(gamma: Tensor<2>) -> Tensor<2> {
    sigmoid(gamma).sqrt()
}

impl Schedule {
    /// Beginning at these ends.
    pub(super) fn new(lowest: f64, highest: f64, device: &Device) -> Self {
        let ends = TensorData::from([lowest as f32, highest as f32]);
        Self { ends: Param::from_data(ends, device), logits: zeros([1, BINS], device) }
    }

    /// γ(0) and γ(1), each `[1, 1]`.
    pub(super) fn ends(&self) -> [Tensor<2>; 2] {
        let ends = self.ends.val().reshape([1, 2]);
        let lowest = ends.clone().narrow(1, 0, 1).clamp_min(LOWEST);
        // Above the other whatever is learnt.
        let highest = ends.narrow(1, 1, 1).max_pair(lowest.clone().detach().add_scalar(1.0));
        [lowest, highest]
    }

    /// γ(u) for u `[n, 1]` from 0 to 1.
    pub(super) fn at(&self, u: Tensor<2>) -> Noise {
        let [n, _] = u.dims();
        let mass = softmax(self.logits.val(), 1).mul_scalar(1.0 - FLOOR).add_scalar(FLOOR / BINS as f64);
        let fixed = mass.clone().detach();
        let until = fixed.clone().cumsum(1);
        let each = |row: Tensor<2>| row.expand([n, BINS]);
        let bin =
            u.clone().expand([n, BINS]).greater_equal(each(until.clone())).int().sum_dim(1).clamp_max(BINS as i64 - 1);
        let before = each(until - fixed.clone()).gather(1, bin.clone());
        let inside = (u - before) / each(fixed.clone()).gather(1, bin.clone());
        let place = (bin.clone().float() + inside).div_scalar(BINS as f64).clamp(0.0, 1.0);
        let density = each(fixed).gather(1, bin.clone()).mul_scalar(BINS as f64);
        let [lowest, highest] = self.ends();
        let range = highest - lowest.clone();
        Noise {
            gamma: lowest.expand([n, 1]) + range.clone().expand([n, 1]) * place,
            slope: range.expand([n, 1]) / density,
            log_density: each(mass).gather(1, bin).mul_scalar(BINS as f64).log(),
        }
    }
}

#[cfg(all(test, feature = "flex"))]
impl Schedule {
    /// The same with some densities between its ends.
    pub(super) fn bent(self) -> Self {
        let logits = dgm_core::random::Seed(1).stream("logits", 0).normal_tensor([1, BINS], &Device::flex());
        Self { logits: Param::from_tensor(logits), ..self }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use dgm_core::host;

    fn levels(schedule: &Schedule, n: usize) -> Noise {
        let u: Vec<f32> = (0..n).map(|i| i as f32 / (n - 1) as f32).collect();
        schedule.at(Tensor::from_data(TensorData::new(u, [n, 1]), &Device::flex()))
    }

    #[test]
    fn it_starts_linear_between_its_ends() {
        let noise = levels(&Schedule::new(-8.0, 4.0, &Device::flex()), 13);
        for (i, (gamma, slope)) in host(noise.gamma.clone()).iter().zip(host(noise.slope.clone())).enumerate() {
            assert!((gamma - (i as f64 - 8.0)).abs() < 1e-5 && (slope - 12.0).abs() < 1e-4, "{gamma} {slope}");
        }
        // α² + σ² = 1, and their ratio is the signal to noise.
        let (alpha, sigma) = (host(noise.alpha()), host(noise.sigma()));
        for ((a, s), gamma) in alpha.iter().zip(&sigma).zip(host(noise.gamma)) {
            assert!((a * a + s * s - 1.0).abs() < 1e-6);
            assert!(((a * a / (s * s)).ln() + gamma).abs() < 1e-3);
        }
    }

    /// Whatever is learnt between the ends: monotone, from end to end, and the slope is that of the map.
    #[test]
    fn a_learnt_schedule_is_monotone_and_its_slope_is_its_own() {
        let schedule = Schedule::new(-6.0, 6.0, &Device::flex()).bent();
        let n = 20_001;
        let noise = levels(&schedule, n);
        let (gamma, slope) = (host(noise.gamma), host(noise.slope));
        assert!((gamma[0] + 6.0).abs() < 1e-4 && (gamma[n - 1] - 6.0).abs() < 1e-3, "{} {}", gamma[0], gamma[n - 1]);
        assert!(gamma.windows(2).all(|pair| pair[1] >= pair[0]));
        // ∫ γ′ du = γ(1) − γ(0).
        let integral = slope.iter().sum::<f64>() / n as f64;
        assert!((integral - 12.0).abs() < 0.01, "{integral}");
    }
}
