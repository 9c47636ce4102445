//! Means of the loss and its terms over a window of steps, summed on the device: no read-back a step.

use burn::tensor::Tensor;
use dgm_core::objective::Objective;
use std::time::Instant;

/// Sums over the examples seen since the window began.
pub(crate) struct Meter {
    sums: Vec<(&'static str, Tensor<1>)>,
    examples: usize,
    began: Instant,
}

impl Default for Meter {
    fn default() -> Self {
        Self { sums: Vec::new(), examples: 0, began: Instant::now() }
    }
}

impl Meter {
    /// Throughput since the window began.
    pub(crate) fn examples_per_second(&self) -> f64 {
        self.examples as f64 / self.began.elapsed().as_secs_f64().max(1e-9)
    }

    /// Adds a batch.
    pub(crate) fn add(&mut self, objective: Objective) {
        self.examples += objective.loss.dims()[0];
        let all = std::iter::once(("loss", objective.loss)).chain(objective.terms);
        let sums = all.map(|(name, values)| (name, values.without_autodiff().sum()));
        if self.sums.is_empty() {
            self.sums = sums.collect();
        } else {
            for ((_, sum), (_, new)) in self.sums.iter_mut().zip(sums) {
                *sum = sum.clone() + new;
            }
        }
    }

    /// The mean of the loss and of each term an example, in nats; `None` when nothing was added.
    pub(crate) fn means(self) -> Option<Vec<(&'static str, f64)>> {
        let n = self.examples as f64;
        let mean = |sum: Tensor<1>| sum.into_data().iter::<f64>().next().unwrap_or(f64::NAN) / n;
        (!self.sums.is_empty()).then(|| self.sums.into_iter().map(|(name, sum)| (name, mean(sum))).collect())
    }
}
