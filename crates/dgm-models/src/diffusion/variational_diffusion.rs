//! Variational diffusion (Kingma et al. 2021, "Variational diffusion models"): a hierarchical VAE of infinitely many layers whose encoder adds
//! noise.

use super::network::{Denoiser, DenoiserConfig};
use super::schedule::{Noise, Schedule, alpha, sigma};
use crate::data::{Batch, DataSpec, Scale, Values};
use crate::error::ModelError;
use crate::layers::{Mode, condition_of, network_target};
use crate::training::{Examples, Train, Training, nothing};
use crate::traits::{Density, Estimator, Generate, Model};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use dgm_core::density::Categorical;
use dgm_core::objective::{Objective, sum_event};
use dgm_core::ops::categorical_log_prob;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// How noise becomes a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// A sample of p(zₛ | zₜ) in every step: the model's own distribution, with many steps.
    #[default]
    Ancestral,
    /// Without new noise (Song, Meng and Ermon 2021, "Denoising diffusion implicit models"): close to it with few steps.
    Ddim,
}

/// Configuration of [`VariationalDiffusion`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VariationalDiffusionConfig {
    /// What takes the noise off. Default: `"unet"` with its defaults.
    pub network: DenoiserConfig,
    /// Noise levels of a draw of the bound of an example, one in each part of the range; reported results average 32 draws. Default: 4.
    pub noise_levels: usize,
    /// How noise becomes a sample. Default: `"ancestral"`.
    pub sampler: Sampler,
    /// Steps from noise to a sample. Default: 250.
    pub steps: usize,
}

impl Default for VariationalDiffusionConfig {
    fn default() -> Self {
        Self {
            network: DenoiserConfig::UNet(Default::default()),
            noise_levels: 4,
            sampler: Sampler::default(),
            steps: 250,
        }
    }
}

/// γ(1) before it is learnt: z₁ is noise but for a hundredth.
const NOISE_ONLY: f64 = 5.0;

/// γ(0) of real numbers before it is learnt.
const LITTLE_NOISE: f64 = -10.0;

impl VariationalDiffusionConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        network.dropout = [0.0, 0.1, 0.2]
    "#;

    /// What may change after training.
    pub(crate) const SAMPLING_KEYS: &[&str] = &["sampler", "steps"];

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<VariationalDiffusion, ModelError> {
        spec.checked()?;
        spec.without_columns("diffusion")?;
        ModelError::check((1..=10_000).contains(&self.noise_levels), "noise_levels", self.noise_levels, "1 to 10000")?;
        ModelError::check((1..=100_000).contains(&self.steps), "steps", self.steps, "1 to 100000")?;
        let lowest = match spec.values {
            // Neighbouring levels are six standard deviations apart.
            Values::Levels(levels) => 2.0 * (2.0 / (levels as f64 - 1.0) / 6.0).ln(),
            _ => LITTLE_NOISE,
        };
        Ok(VariationalDiffusion {
            network: self.network.init(spec, rng, device)?,
            schedule: Schedule::new(lowest, NOISE_ONLY, device),
            noise_levels: self.noise_levels,
            sampler: self.sampler,
            steps: self.steps,
            log_units: spec.scale().map_or(0.0, Scale::log_units),
            spec: spec.clone(),
        })
    }
}

/// q(zᵤ | x) = N(αx, σ²) with α² = sigmoid(−γ(u)) and σ² = sigmoid(γ(u)), from u = 0, hardly noisy, to u = 1, noise; a network finds the noise ε
/// in z, and from it the way back. In continuous time
///
/// −log p(x) ≤ KL(q(z₁ | x) ‖ N(0, 1)) − E\[log p(x | z₀)\] + ½ E_{u, ε}\[γ′(u) ‖ε − ε̂(zᵤ; γ(u))‖²\]
///
/// (their eq. 11 and 17), levels x as points from −1 to 1, p(x | z₀) ∝ q(z₀ | x) over them. The network's output is v̂ of ε̂ = σz + αv̂ and x̂ =
/// αz − σv̂ (Salimans and Ho 2022, "Progressive distillation", appendix D), of the same order at every noise level.
#[derive(Module, Debug)]
pub struct VariationalDiffusion {
    network: Denoiser,
    schedule: Schedule,
    #[module(skip)]
    noise_levels: usize,
    #[module(skip)]
    sampler: Sampler,
    #[module(skip)]
    steps: usize,
    /// log of the product of the standard deviations that x was divided by.
    #[module(skip)]
    log_units: f64,
    #[module(skip)]
    spec: DataSpec,
}

impl VariationalDiffusion {
    /// KL(q(z₁ | x) ‖ N(0, 1)) of each example.
    fn prior_loss(&self, x: &Tensor<2>) -> Tensor<1> {
        let [_, highest] = self.schedule.ends();
        let (alpha, sigma) = (alpha(highest.clone()), sigma(highest));
        let variance = sigma.square();
        let log_variance = variance.clone().log();
        let constant = variance - log_variance.add_scalar(1.0);
        sum_event((x.clone().square() * alpha.square() + constant).mul_scalar(0.5))
    }

    /// The logits of all levels of each number given z₀, `[n · event, levels]`.
    fn level_logits(&self, z: Tensor<2>, levels: usize) -> Tensor<2> {
        let ([n, event], device) = (z.dims(), z.device());
        let [lowest, _] = self.schedule.ends();
        let places = Tensor::<1, Int>::arange(0..levels as i64, &device).float().reshape([1, levels]);
        let points = places.mul_scalar(2.0 / (levels as f64 - 1.0)).sub_scalar(1.0);
        let apart = z.reshape([n * event, 1]) - points * alpha(lowest.clone());
        (apart / sigma(lowest)).square().mul_scalar(-0.5)
    }

    /// −log p(x | z₀) of each example, z₀ drawn; of real numbers its expectation.
    fn reconstruction_loss(&self, batch: &Batch, x: &Tensor<2>, rng: &mut Stream) -> Tensor<1> {
        let [n, event] = x.dims();
        let [lowest, _] = self.schedule.ends();
        match self.spec.levels() {
            Some(levels) => {
                let noise: Tensor<2> = rng.normal_tensor([n, event], &x.device());
                let z = x.clone() * alpha(lowest.clone()) + noise * sigma(lowest);
                let level = batch.target.clone().int().reshape([n * event]);
                sum_event(categorical_log_prob(self.level_logits(z, levels), level).neg().reshape([n, event]))
            }
            // x | z₀ ~ N(z₀/α, σ²/α²), log σ²/α² = γ.
            None => {
                let each = lowest.add_scalar(1.0 + (2.0 * std::f64::consts::PI).ln()).mul_scalar(0.5 * event as f64);
                each.expand([n, 1]).squeeze_dim::<1>(1).add_scalar(self.log_units)
            }
        }
    }

    /// ½ γ′(u) ‖ε − ε̂‖² of each example at these noise levels.
    fn diffusion_loss(&self, batch: &Batch, [x, epsilon]: [Tensor<2>; 2], noise: &Noise, mode: &mut Mode) -> Tensor<1> {
        let condition = condition_of(&self.spec, batch.condition.as_ref());
        let (alpha, sigma) = (noise.alpha(), noise.sigma());
        let z = x.clone() * alpha.clone() + epsilon.clone() * sigma.clone();
        let v = self.network.forward(z, &noise.gamma, condition.as_ref(), mode);
        let target = epsilon * alpha.clone() - x * sigma;
        // ε − ε̂ = α (v − v̂).
        let error = (target - v).square().sum_dim(1) * alpha.square();
        (error * noise.slope.clone()).mul_scalar(0.5).squeeze_dim(1)
    }

    /// u of each example, one uniform number for all and then evenly apart: less variance than independent ones.
    fn spread(n: usize, rng: &mut Stream, device: &Device) -> Tensor<2> {
        let first: Tensor<2> = rng.uniform_tensor([1, 1], device);
        let places = Tensor::<1, Int>::arange(0..n as i64, device).float().reshape([n, 1]).div_scalar(n as f64);
        let all = places + first;
        let past = all.clone().greater_equal_elem(1.0).float();
        all - past
    }

    /// −log p(x) from above, averaged over `levels` noise levels of each example, one in each part of the range.
    fn bound(&self, batch: &Batch, levels: usize, rng: &mut Stream) -> Tensor<1> {
        let (n, device) = (batch.len(), batch.target.device());
        let x = network_target(&self.spec, batch.target.clone());
        let fixed = self.prior_loss(&x) + self.reconstruction_loss(batch, &x, rng);
        let first = Self::spread(n, rng, &device);
        let parts = (0..levels).map(|part| {
            let u = first.clone().add_scalar(part as f64).div_scalar(levels as f64);
            let epsilon = rng.normal_tensor(x.dims(), &device);
            self.diffusion_loss(batch, [x.clone(), epsilon], &self.schedule.at(u), &mut Mode::Evaluate)
        });
        let sum = parts.reduce(|sum, part| sum + part).unwrap_or_else(|| fixed.zeros_like());
        fixed + sum.div_scalar(levels.max(1) as f64)
    }

    /// x̂ of z.
    fn denoised(&self, z: &Tensor<2>, noise: &Noise, condition: Option<&Tensor<2>>) -> Tensor<2> {
        let v = self.network.forward(z.clone(), &noise.gamma, condition, &mut Mode::Evaluate);
        let x = z.clone() * noise.alpha() - v * noise.sigma();
        // No level is outside.
        if self.spec.levels().is_some() { x.clamp(-1.0, 1.0) } else { x }
    }

    /// From zₜ to zₛ, s < t.
    fn step(
        &self,
        z: Tensor<2>,
        [from, to]: [&Noise; 2],
        condition: Option<&Tensor<2>>,
        rng: &mut Stream,
    ) -> Tensor<2> {
        let x = self.denoised(&z, from, condition);
        match self.sampler {
            Sampler::Ddim => {
                let epsilon = (z - x.clone() * from.alpha()) / from.sigma();
                x * to.alpha() + epsilon * to.sigma()
            }
            // Their eq. 25 to 27: c = 1 − SNR(t)/SNR(s).
            Sampler::Ancestral => {
                let c = (to.gamma.clone() - from.gamma.clone()).exp().neg().add_scalar(1.0);
                let kept = c.clone().neg().add_scalar(1.0) * to.alpha() / from.alpha();
                let noise: Tensor<2> = rng.normal_tensor(z.dims(), &z.device());
                z * kept + x * to.alpha() * c.clone() + noise * to.sigma() * c.sqrt()
            }
        }
    }
}

impl Train for VariationalDiffusion {
    fn loss(&self, _: usize, views: &[Batch], rng: &mut Stream) -> Objective {
        let [batch, ..] = views else { return nothing() };
        let x = network_target(&self.spec, batch.target.clone());
        let (prior, reconstruction) = (self.prior_loss(&x), self.reconstruction_loss(batch, &x, rng));
        let noise = self.schedule.at(Self::spread(batch.len(), rng, &x.device()));
        let epsilon = rng.normal_tensor(x.dims(), &x.device());
        let diffusion = self.diffusion_loss(batch, [x, epsilon], &noise, &mut Mode::Train(rng));
        // The variance of the estimate is E[(f/p)²] less a constant; its gradient to p is that of −E[(f/p)² log p] with f/p held fixed.
        let share = diffusion.clone().detach();
        let share = (share.clone() / share.mean().clamp_min(1e-12)).square().unsqueeze_dim::<2>(1);
        let variance = share * (noise.log_density.clone().detach() - noise.log_density);
        let loss = prior.clone() + reconstruction.clone() + diffusion.clone() + variance.squeeze_dim(1);
        Objective { loss, terms: vec![("prior", prior), ("reconstruction", reconstruction), ("diffusion", diffusion)] }
    }
}

impl Density for VariationalDiffusion {
    fn estimator(&self) -> Estimator {
        Estimator::LowerBound { draws: "draws of noise levels", computed: "in continuous time" }
    }

    fn log_prob(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        self.bound(batch, self.noise_levels, rng).neg()
    }
}

impl Generate for VariationalDiffusion {
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        let condition = condition_of(&self.spec, condition.as_ref());
        let [lowest, _] = self.schedule.ends();
        let device = lowest.device();
        let at = |place: usize| {
            let u = Tensor::<2>::full([n, 1], place as f64 / self.steps.max(1) as f64, &device);
            self.schedule.at(u)
        };
        let mut z: Tensor<2> = rng.normal_tensor([n, self.spec.event()], &device);
        let mut from = at(self.steps);
        for place in (0..self.steps).rev() {
            let to = at(place);
            z = self.step(z, [&from, &to], condition.as_ref(), rng);
            from = to;
        }
        match self.spec.levels() {
            Some(levels) => {
                let drawn = Categorical::from_logits(self.level_logits(z, levels)).sample(rng);
                drawn.float().reshape([n, self.spec.event()])
            }
            None => {
                let noise: Tensor<2> = rng.normal_tensor(z.dims(), &device);
                (z + noise * from.sigma()) / from.alpha()
            }
        }
    }
}

impl Model for VariationalDiffusion {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Custom(self)
    }

    /// Refuses padding.
    fn fit(&mut self, examples: &dyn Examples, _: &mut Stream) -> Result<(), ModelError> {
        examples.without_padding("diffusion")
    }

    /// The bound, by one draw.
    fn criterion(&self, batch: &Batch, rng: &mut Stream) -> Option<Tensor<1>> {
        Some(self.bound(batch, self.noise_levels, rng))
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
