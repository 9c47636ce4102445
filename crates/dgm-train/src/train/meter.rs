//! Means of the loss and its terms over a window of steps, summed on the device: no read-back a step.

use crate::checkpoint::WindowSums;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::Objective;
use std::time::Instant;

/// The name of what tells whether the gradient is finite.
pub(crate) const GRADIENT: &str = "the gradient";

/// Sums of one step over its examples, each `[1]` on the device: the loss, its terms, and what tells whether the gradient
/// is finite.
#[derive(Clone)]
pub(crate) struct Sums {
    pub(crate) values: Vec<(&'static str, Tensor<1>)>,
    pub(crate) examples: usize,
}

impl Sums {
    /// Of one batch.
    pub(crate) fn of(objective: Objective) -> Self {
        let examples = objective.loss.dims()[0];
        let all = std::iter::once(("loss", objective.loss)).chain(objective.terms);
        let values = all.map(|(name, values)| (name, values.without_autodiff().sum())).collect();
        Self { values, examples }
    }

    /// Adds the sums of another batch.
    pub(crate) fn add(&mut self, other: Self) {
        self.examples += other.examples;
        for (name, new) in other.values {
            match self.values.iter_mut().find(|(own, _)| *own == name) {
                Some((_, sum)) => *sum = sum.clone() + new,
                // A term that not every step has: 0 in the others.
                None => self.values.push((name, new)),
            }
        }
    }

    /// The first that is not finite, and what it is. Reads from the device.
    pub(crate) fn nonfinite(&self) -> Option<(&'static str, f32)> {
        self.values.iter().map(|(name, sum)| (*name, read(sum))).find(|(_, value)| !value.is_finite())
    }
}

/// Sums over the steps since the window began.
#[derive(Clone, Default)]
pub(crate) struct Meter {
    sums: Option<Sums>,
    /// Of a window that began before training was interrupted: what the first step's sums are added to.
    before: WindowSums,
    clock: Option<Instant>,
    /// Examples since the clock began.
    timed: usize,
}

impl Meter {
    /// The meter of a window that was interrupted.
    pub(crate) fn resumed(before: WindowSums) -> Self {
        Self { before, ..Self::default() }
    }

    /// A step begins.
    pub(crate) fn begin_step(&mut self) {
        self.clock.get_or_insert_with(Instant::now);
    }

    /// Adds a step.
    pub(crate) fn add(&mut self, step: Sums) {
        self.timed += step.examples;
        match &mut self.sums {
            Some(sums) => sums.add(step),
            None => {
                let device = step.values.first().map(|(_, sum)| sum.device());
                let before = std::mem::take(&mut self.before);
                let mut sums = step;
                if let Some(device) = device.filter(|_| before.examples > 0) {
                    sums.examples += before.examples;
                    for (name, bits) in before.names.iter().zip(before.sums) {
                        // What this step lacks comes again with a step that has it; its part from before is lost to the mean.
                        if let Some((_, sum)) = sums.values.iter_mut().find(|(own, _)| own == name) {
                            *sum = scalar(f32::from_bits(bits), &device) + sum.clone();
                        }
                    }
                }
                self.sums = Some(sums);
            }
        }
    }

    /// The window as it stands, for a checkpoint; or the first sum that is not finite. Reads from the device.
    pub(crate) fn window(&self) -> Result<WindowSums, (&'static str, f32)> {
        let Some(sums) = &self.sums else { return Ok(self.before.clone()) };
        if let Some(found) = sums.nonfinite() {
            return Err(found);
        }
        let bits = sums.values.iter().map(|(_, sum)| read(sum).to_bits()).collect();
        let names = sums.values.iter().map(|(name, _)| (*name).to_owned()).collect();
        Ok(WindowSums { examples: sums.examples, names, sums: bits })
    }

    /// The mean of the loss and of each term per example, in nats; `None` when nothing was added.
    pub(crate) fn means(&self) -> Option<Vec<(String, f64)>> {
        // Also of a window that was interrupted and had no further step.
        let WindowSums { examples, names, sums } = self.window().ok().filter(|window| window.examples > 0)?;
        let means = names.into_iter().zip(sums).filter(|(name, _)| name != GRADIENT);
        Some(means.map(|(name, bits)| (name, f64::from(f32::from_bits(bits)) / examples as f64)).collect())
    }

    /// Throughput since the window's first step began.
    pub(crate) fn examples_per_second(&self) -> f64 {
        self.clock.map_or(0.0, |began| self.timed as f64 / began.elapsed().as_secs_f64().max(1e-9))
    }
}

fn scalar(value: f32, device: &Device) -> Tensor<1> {
    Tensor::from_floats([value], device)
}

fn read(sum: &Tensor<1>) -> f32 {
    sum.to_data().iter::<f32>().next().unwrap_or(f32::NAN)
}
