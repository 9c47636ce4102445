//! Poisson: counts, from the logarithm of their rate.

use super::{Support, assert_one_shape, distribution, sample_on_host};
use crate::random::Stream;
use crate::special::{attach_gradient, half_deviance, log_factorial_remainder};
use burn::tensor::Tensor;

/// P(x) = λˣ exp(−λ) / x! with λ = exp(log_rate), for whole x ≥ 0.
#[derive(Clone, Debug)]
pub struct Poisson<const D: usize> {
    log_rate: Tensor<D>,
}

impl<const D: usize> Poisson<D> {
    /// Independent counts with the given log-rates.
    pub fn new(log_rate: Tensor<D>) -> Self {
        Self { log_rate }
    }

    /// Whole numbers from 0 on.
    pub fn support(&self) -> Support {
        Support::Counts
    }

    /// log P(x) = x log λ − λ − log x! in nats, for whole x ≥ 0 (to 2²⁴, where f32 stops counting); the shape of the rates.
    ///
    /// As −(x log(x/λ) + λ − x) − (log x! − x log x + x): the large terms of the textbook form cancel before they are
    /// made (Loader 2000). Its gradient is x − λ.
    ///
    /// # Panics
    /// If the shapes of the rates and `x` differ.
    pub fn log_prob(&self, x: Tensor<D>) -> Tensor<D> {
        assert_one_shape("Poisson::log_prob", ("log_rate", &self.log_rate), ("x", &x));
        let log_rate = self.log_rate.clone().detach();
        let rate = log_rate.clone().exp();
        let excess = (x.clone() - rate.clone()) / rate.clone();
        let deviance = half_deviance(x.clone(), rate.clone(), log_rate, excess);
        let value = (deviance + log_factorial_remainder(x.clone())).neg();
        attach_gradient(value, [(&self.log_rate, &|| x.clone() - rate.clone())])
    }

    /// E\[x\] = λ.
    pub fn mean(&self) -> Tensor<D> {
        self.log_rate.clone().exp()
    }

    /// Var\[x\] = λ.
    pub fn variance(&self) -> Tensor<D> {
        self.mean()
    }

    /// One sample of each count, on the host; 0 where the rate underflows, NaN where it is none or above 1.8e19.
    pub fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        sample_on_host([&self.log_rate], rng, |[log_rate], rng| {
            let rate = log_rate.exp();
            if rate == 0.0 {
                0.0
            } else {
                rand_distr::Poisson::new(rate).map_or(f64::NAN, |counts| rng.sample(&counts))
            }
        })
    }
}

distribution!(Poisson<D> { variance });
