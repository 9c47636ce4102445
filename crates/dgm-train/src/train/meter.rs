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
    /// Of a window that began before training was interrupted: each sum goes into the first step that has its term.
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
    pub(crate) fn add(&mut self, mut step: Sums) {
        self.timed += step.examples;
        let before = std::mem::take(&mut self.before);
        step.examples += before.examples;
        for (name, bits) in before.names.into_iter().zip(before.sums) {
            match step.values.iter_mut().find(|(own, _)| *own == name) {
                Some((_, sum)) => *sum = scalar(f32::from_bits(bits), &sum.device()) + sum.clone(),
                None => {
                    self.before.names.push(name);
                    self.before.sums.push(bits);
                }
            }
        }
        match &mut self.sums {
            Some(sums) => sums.add(step),
            None => self.sums = Some(step),
        }
    }

    /// The window as it stands, for a checkpoint; or the first sum that is not finite. Reads from the device.
    pub(crate) fn window(&self) -> Result<WindowSums, (&'static str, f32)> {
        let Some(sums) = &self.sums else { return Ok(self.before.clone()) };
        if let Some(found) = sums.nonfinite() {
            return Err(found);
        }
        let mut window = WindowSums { examples: sums.examples, ..self.before.clone() };
        for (name, sum) in &sums.values {
            window.names.push((*name).to_owned());
            window.sums.push(read(sum).to_bits());
        }
        Ok(window)
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

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    fn step(values: &[(&'static str, f32)]) -> Sums {
        let values = values.iter().map(|&(name, value)| (name, scalar(value, &Device::flex()))).collect();
        Sums { values, examples: 4 }
    }

    #[test]
    fn a_resumed_window_keeps_a_term_of_few_steps() {
        let steps = [step(&[("loss", 0.1), ("r1", 0.7)]), step(&[("loss", 0.2)]), step(&[("loss", 0.3), ("r1", 0.9)])];
        let mut whole = Meter::default();
        steps.iter().for_each(|step| whole.add(step.clone()));
        let mut first = Meter::default();
        first.add(steps[0].clone());
        let mut resumed = Meter::resumed(first.window().unwrap_or_default());
        resumed.add(steps[1].clone());
        // Interrupted once more, before the term comes again.
        let mut resumed = Meter::resumed(resumed.window().unwrap_or_default());
        resumed.add(steps[2].clone());
        let sorted = |meter: &Meter| {
            let mut means = meter.means().unwrap_or_default();
            means.sort_by(|a, b| a.0.cmp(&b.0));
            means
        };
        assert_eq!(sorted(&whole), sorted(&resumed));
        assert_eq!(sorted(&whole).len(), 2);
    }
}
