//! Marginal likelihoods by annealed importance sampling, and how far they may be off.

use super::error::{EstimateError, check_some};
use crate::random::Stream;
use burn::tensor::Tensor;

/// Annealed importance sampling from p₀(z) to p₀(z) p(x | z) over π_β(z) ∝ p₀(z) p(x | z)^β, with Hamiltonian Monte Carlo between
/// (Neal 2001, "Annealed importance sampling"; for decoders Wu et al. 2017, "On the quantitative analysis of decoder-based generative
/// models").
///
/// exp of a log-weight is unbiased for p(x), so that the log-mean-exp over chains is a lower bound of log p(x) in expectation, whatever the
/// number of steps: more steps tighten it. It needs no approximate posterior, so that it is an estimate independent of the
/// importance-weighted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annealed {
    /// Number of intermediate densities T, β on a sigmoidal schedule (Wu et al. 2017, section 5).
    pub steps: usize,
    /// Leapfrog steps of each transition.
    pub leapfrog: usize,
}

impl Default for Annealed {
    fn default() -> Self {
        Self { steps: 200, leapfrog: 10 }
    }
}

/// log p₀(z) and log p(x | z) of each row of z `[rows, d]`, `[rows]` each, in nats; differentiable in z.
pub type LogJoint<'a> = dyn Fn(Tensor<2>) -> [Tensor<1>; 2] + 'a;

/// The step size of each row at each of the pilot's temperatures.
pub struct StepSizes(Vec<Tensor<2>>);

impl StepSizes {
    /// Those of the first row of each `chains` that stand next to each other.
    pub fn of_first(&self, chains: usize) -> Self {
        let first = |size: &Tensor<2>| {
            let [rows, _] = size.dims();
            let examples = rows / chains.max(1);
            size.clone().reshape([examples, chains.max(1)]).slice([0..examples, 0..1])
        };
        Self(self.0.iter().map(first).collect())
    }
}

impl Annealed {
    /// β at step t of 0 … T.
    fn beta(&self, t: usize) -> f64 {
        let sigmoid = |t: f64| 1.0 / (1.0 + (-4.0 * (2.0 * t - 1.0)).exp());
        let (first, last) = (sigmoid(0.0), sigmoid(1.0));
        (sigmoid(t as f64 / self.steps as f64) - first) / (last - first)
    }

    /// Whether there is anything to do.
    fn check(&self) -> Result<(), EstimateError> {
        check_some("steps", self.steps)?;
        check_some("leapfrog", self.leapfrog)
    }

    /// Step sizes with which about 65 % of the proposals are taken, from chains of their own: what the estimate is made with must not
    /// depend on its own chains. `z` `[rows, d]` are samples of p₀ on a device with autodiff.
    ///
    /// # Errors
    /// If a number of steps is 0.
    pub fn pilot(&self, z: Tensor<2>, log_joint: &LogJoint<'_>, rng: &mut Stream) -> Result<StepSizes, EstimateError> {
        self.check()?;
        let few = Self { steps: self.steps.div_ceil(4), ..*self };
        let [rows, _] = z.dims();
        let mut chain = Chain::at(z, log_joint);
        let mut size = Tensor::<2>::ones([rows, 1], &chain.z.device()).mul_scalar(0.1);
        let mut sizes = Vec::with_capacity(few.steps);
        for t in 1..=few.steps {
            let accepted = chain.step(few.beta(t), &size, few.leapfrog, log_joint, rng);
            // 1.02 where it was taken and 1.02^(−13/7) where not are at rest at 65 %; faster at first, as there are few steps.
            let rate = if t < 50 { 0.1 } else { 0.02 };
            let change = accepted.mul_scalar(rate * 20.0 / 7.0).sub_scalar(rate * 13.0 / 7.0).exp();
            size = (size * change).clamp(1e-4, 2.0);
            sizes.push(size.clone());
        }
        Ok(StepSizes(sizes))
    }

    fn size<'a>(&self, sizes: &'a StepSizes, t: usize) -> Option<&'a Tensor<2>> {
        let last = sizes.0.len().saturating_sub(1);
        sizes.0.get((t.saturating_sub(1) * sizes.0.len() / self.steps).min(last))
    }

    /// One log-weight of each row, `[rows]`, from samples z `[rows, d]` of p₀ on a device with autodiff: E\[exp\] = p(x).
    ///
    /// # Errors
    /// If a number of steps is 0.
    pub fn log_weights(
        &self,
        z: Tensor<2>,
        log_joint: &LogJoint<'_>,
        sizes: &StepSizes,
        rng: &mut Stream,
    ) -> Result<Tensor<1>, EstimateError> {
        self.check()?;
        let mut chain = Chain::at(z, log_joint);
        let mut sum = chain.log_likelihood.zeros_like();
        for t in 1..=self.steps {
            sum = sum + chain.log_likelihood.clone().mul_scalar(self.beta(t) - self.beta(t - 1));
            if let Some(size) = self.size(sizes, t).filter(|_| t < self.steps) {
                chain.step(self.beta(t), size, self.leapfrog, log_joint, rng);
            }
        }
        Ok(sum)
    }

    /// The same backwards, from samples z of the posterior, which there are of x that the model itself generated: E\[exp\] = 1 / p(x), so that
    /// −log-mean-exp is an **upper** bound of log p(x) in expectation (Grosse, Ghahramani and Adams 2015, "Sandwiching the marginal
    /// likelihood using bidirectional Monte Carlo").
    ///
    /// # Errors
    /// If a number of steps is 0.
    pub fn reverse_log_weights(
        &self,
        z: Tensor<2>,
        log_joint: &LogJoint<'_>,
        sizes: &StepSizes,
        rng: &mut Stream,
    ) -> Result<Tensor<1>, EstimateError> {
        self.check()?;
        let mut chain = Chain::at(z, log_joint);
        let mut sum = chain.log_likelihood.zeros_like();
        for t in (1..=self.steps).rev() {
            if let Some(size) = self.size(sizes, t).filter(|_| t < self.steps) {
                chain.step(self.beta(t), size, self.leapfrog, log_joint, rng);
            }
            sum = sum - chain.log_likelihood.clone().mul_scalar(self.beta(t) - self.beta(t - 1));
        }
        Ok(sum)
    }
}

/// Where the chains are, and their densities there.
struct Chain {
    z: Tensor<2>,
    log_prior: Tensor<1>,
    log_likelihood: Tensor<1>,
}

impl Chain {
    fn at(z: Tensor<2>, log_joint: &LogJoint<'_>) -> Self {
        let [log_prior, log_likelihood] = log_joint(z.clone()).map(Tensor::detach);
        Self { z: z.detach(), log_prior, log_likelihood }
    }

    /// log π_β without its constant, `[rows]`.
    fn log_target(&self, beta: f64) -> Tensor<1> {
        self.log_prior.clone() + self.log_likelihood.clone().mul_scalar(beta)
    }

    /// One transition that leaves π_β as it is (Neal 2011, "MCMC using Hamiltonian dynamics"): 1 for each row that moved, `[rows, 1]`.
    fn step(
        &mut self,
        beta: f64,
        size: &Tensor<2>,
        leapfrog: usize,
        log_joint: &LogJoint<'_>,
        rng: &mut Stream,
    ) -> Tensor<2> {
        let (shape, device) = (self.z.dims(), self.z.device());
        let [rows, d] = shape;
        let each = size.clone().expand([rows, d]);
        let mut momentum = rng.normal_tensor::<2>(shape, &device);
        let kinetic = |momentum: &Tensor<2>| momentum.clone().square().sum_dim(1).squeeze_dim::<1>(1).mul_scalar(0.5);
        let before = self.log_target(beta) - kinetic(&momentum);
        let mut z = self.z.clone();
        let (_, slope) = with_gradient(&z, beta, log_joint);
        momentum = momentum + slope * each.clone().mul_scalar(0.5);
        let mut found = None;
        for i in 1..=leapfrog {
            z = z + momentum.clone() * each.clone();
            let (densities, slope) = with_gradient(&z, beta, log_joint);
            let part = if i == leapfrog { 0.5 } else { 1.0 };
            momentum = momentum + slope * each.clone().mul_scalar(part);
            found = Some(densities);
        }
        let Some([log_prior, log_likelihood]) = found else { return size.zeros_like() };
        let there = Self { z, log_prior, log_likelihood };
        let change = there.log_target(beta) - kinetic(&momentum) - before;
        // A proposal that is not finite is not taken: no comparison with NaN holds.
        let taken = rng.uniform_tensor::<1>([rows], &device).neg().add_scalar(1.0).log().lower(change);
        self.log_prior = self.log_prior.clone().mask_where(taken.clone(), there.log_prior);
        self.log_likelihood = self.log_likelihood.clone().mask_where(taken.clone(), there.log_likelihood);
        let taken = taken.unsqueeze_dim::<2>(1);
        self.z = self.z.clone().mask_where(taken.clone().expand(shape), there.z);
        taken.float()
    }
}

/// Both log-densities at z, and the gradient of log π_β.
fn with_gradient(z: &Tensor<2>, beta: f64, log_joint: &LogJoint<'_>) -> ([Tensor<1>; 2], Tensor<2>) {
    let z = z.clone().detach().require_grad();
    let [log_prior, log_likelihood] = log_joint(z.clone());
    let target = log_prior.clone() + log_likelihood.clone().mul_scalar(beta);
    let slope = z.grad(&target.sum().backward());
    let slope = slope.map_or_else(|| z.zeros_like(), Tensor::from_inner);
    ([log_prior.detach(), log_likelihood.detach()], slope.detach())
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::density::Normal;
    use crate::estimate::{LogMeanExp, Mean};
    use crate::host;
    use crate::random::Seed;
    use burn::tensor::Device;

    const D: usize = 3;
    const CHAINS: usize = 64;

    /// z ~ N(0, I), xᵢ | z ~ N(2 zᵢ, ¼), so that xᵢ ~ N(0, 4 + ¼) and z | x ~ N(μ, 1 / 17) with μᵢ = 8 xᵢ / 17.
    fn log_joint(x: Vec<f32>) -> impl Fn(Tensor<2>) -> [Tensor<1>; 2] {
        move |z: Tensor<2>| {
            let [rows, d] = z.dims();
            let zeros = Tensor::zeros([rows, d], &z.device());
            let sum = |log_p: Tensor<2>| log_p.sum_dim(1).squeeze_dim::<1>(1);
            let x = Tensor::<1>::from_floats(x.as_slice(), &z.device()).reshape([rows, d]);
            let prior = sum(Normal::new(zeros.clone(), zeros.clone()).log_prob(z.clone()));
            let likelihood = Normal::new(z.mul_scalar(2.0), zeros.add_scalar(0.25f64.ln())).log_prob(x);
            [prior, sum(likelihood)]
        }
    }

    fn log_p(x: &[f64]) -> f64 {
        x.iter().map(|x| -0.5 * ((2.0 * std::f64::consts::PI * 4.25).ln() + x * x / 4.25)).sum()
    }

    /// Forwards and backwards estimates of log p(x) for x of the model, each with its standard error.
    fn sandwich(steps: usize, x: [f64; D], z: Tensor<2>, noise: u64) -> [(f64, f64); 2] {
        let device = Device::flex().autodiff();
        let joint = log_joint(x.repeat(CHAINS).into_iter().map(|x| x as f32).collect());
        let annealed = Annealed { steps, leapfrog: 5 };
        let mut rng = Seed(noise).stream("annealed", 0);
        let start = |rng: &mut Stream| rng.normal_tensor::<2>([CHAINS, D], &device);
        let sizes = annealed.pilot(start(&mut rng), &joint, &mut rng).unwrap();
        let of = |weights: Tensor<1>| {
            let mut all = LogMeanExp::default();
            host(weights).into_iter().for_each(|weight| all.push(weight));
            (all.value(), all.standard_error())
        };
        let first = start(&mut rng);
        let forward = of(annealed.log_weights(first, &joint, &sizes, &mut rng).unwrap());
        let (value, error) = of(annealed.reverse_log_weights(z, &joint, &sizes, &mut rng).unwrap());
        [forward, (-value, error)]
    }

    fn posterior(x: [f64; D], noise: u64) -> Tensor<2> {
        let device = Device::flex().autodiff();
        let mean: Vec<f32> = x.iter().map(|x| (8.0 * x / 17.0) as f32).collect();
        let mean = Tensor::<1>::from_floats(mean.as_slice(), &device).reshape([1, D]).expand([CHAINS, D]);
        mean + Seed(noise).stream("posterior", 0).normal_tensor([CHAINS, D], &device).div_scalar(17f64.sqrt())
    }

    #[test]
    fn it_finds_log_p_within_the_error_it_states_from_both_sides() {
        let x = [1.5, -0.4, 3.0];
        let [forward, backward] = sandwich(60, x, posterior(x, 1), 2);
        for (value, error) in [forward, backward] {
            assert!((value - log_p(&x)).abs() < 4.0 * error + 1e-3 && error < 0.25, "{value} ± {error}, {}", log_p(&x));
        }
    }

    #[test]
    fn few_steps_bound_from_below_and_above_and_more_close_the_gap() {
        let x = [1.5, -0.4, 3.0];
        let gaps = |steps: usize| {
            let both: Vec<[f64; 2]> = (0..12)
                .map(|noise| sandwich(steps, x, posterior(x, 100 + noise), 200 + noise).map(|(value, _)| value))
                .collect();
            [0, 1].map(|side: usize| {
                let all: Vec<f64> = both.iter().map(|pair| (pair[side] - log_p(&x)).abs()).collect();
                Mean::of(&all).mean
            })
        };
        let (few, many) = (gaps(4), gaps(64));
        assert!(few[0] > 3.0 * many[0] && few[1] > 2.0 * many[1], "{few:?} {many:?}");
    }

    #[test]
    fn the_schedule_goes_from_zero_to_one() {
        let annealed = Annealed { steps: 10, leapfrog: 1 };
        let betas: Vec<f64> = (0..=10).map(|t| annealed.beta(t)).collect();
        assert!(betas[0].abs() < 1e-12 && (betas[10] - 1.0).abs() < 1e-12);
        assert!(betas.windows(2).all(|pair| pair[0] < pair[1]));
        let none = Annealed { steps: 0, leapfrog: 1 };
        let z = Tensor::zeros([1, 1], &Device::flex().autodiff());
        let error = none.pilot(z, &|z| [z.clone().sum(), z.sum()], &mut Seed(0).stream("x", 0)).err().unwrap();
        assert_eq!(error.to_string(), "`steps` is 0, expected at least 1");
    }
}
