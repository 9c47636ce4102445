//! Schedules: how the weight of a term of an objective changes with the training step.

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// A weight as a function of the step t = 0, 1, 2, …
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Schedule {
    /// The same weight at every step.
    Constant(f64),
    /// A weight that moves from one value to another.
    Annealed(Annealing),
}

/// A weight that goes from `from` to `to` and stays there, or comes again every period.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "schedule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Annealing {
    /// w(t) = from + (to - from) · min(t / steps, 1).
    Linear {
        /// Weight at step 0.
        from: f64,
        /// Weight from step `steps` on.
        to: f64,
        /// Length of the change in steps.
        steps: u64,
    },
    /// w(t) = from + (to - from) · (1 - cos(π · min(t / steps, 1))) / 2.
    Cosine {
        /// Weight at step 0.
        from: f64,
        /// Weight from step `steps` on.
        to: f64,
        /// Length of the change in steps.
        steps: u64,
    },
    /// w(t) = from + (to - from) · σ((t - midpoint) / width): Bowman et al. 2016, "Generating sentences from a continuous
    /// space".
    Sigmoid {
        /// Weight long before the midpoint.
        from: f64,
        /// Weight long after it.
        to: f64,
        /// The step at which the weight is half way.
        midpoint: u64,
        /// Steps in which the odds grow by a factor of e; above 0.
        width: f64,
    },
    /// w(t) = from + (to - from) · min((t mod period) / (ramp · period), 1): Fu et al. 2019, "Cyclical annealing
    /// schedule".
    Cyclical {
        /// Weight at the start of each period.
        from: f64,
        /// Weight at the end of each period.
        to: f64,
        /// Length of a period in steps.
        period: u64,
        /// The part of a period that the rise takes, in (0, 1].
        ramp: f64,
    },
}

/// A number, or the table of an [`Annealing`]. What serde derives says only that neither matched; this says what is wrong.
impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Schedule;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "a number, or a table such as { schedule = \"linear\", from = 0.0, to = 1.0, steps = 500 }",
                )
            }

            fn visit_i64<E>(self, value: i64) -> Result<Schedule, E> {
                Ok(Schedule::Constant(value as f64))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Schedule, E> {
                Ok(Schedule::Constant(value as f64))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Schedule, E> {
                Ok(Schedule::Constant(value))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Schedule, A::Error> {
                Annealing::deserialize(MapAccessDeserializer::new(map)).map(Schedule::Annealed)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Schedule {
    /// The weight at `step`.
    pub fn at(&self, step: u64) -> f64 {
        let lerp = |from: f64, to: f64, part: f64| from + (to - from) * part;
        let part = |step: u64, steps: f64| if steps > 0.0 { (step as f64 / steps).min(1.0) } else { 1.0 };
        match *self {
            Self::Constant(weight) => weight,
            Self::Annealed(Annealing::Linear { from, to, steps }) => lerp(from, to, part(step, steps as f64)),
            Self::Annealed(Annealing::Cosine { from, to, steps }) => {
                lerp(from, to, 0.5 - 0.5 * (std::f64::consts::PI * part(step, steps as f64)).cos())
            }
            Self::Annealed(Annealing::Sigmoid { from, to, midpoint, width }) => {
                let odds = ((step as f64 - midpoint as f64) / width).exp();
                // At infinite odds 1 / (1 + 1/odds) is 1.
                lerp(from, to, 1.0 / (1.0 + 1.0 / odds))
            }
            Self::Annealed(Annealing::Cyclical { from, to, period, ramp }) => {
                lerp(from, to, part(step % period.max(1), ramp * period as f64))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_rises_then_stays() {
        let schedule = Schedule::Annealed(Annealing::Linear { from: 0.0, to: 2.0, steps: 4 });
        let weights: Vec<f64> = (0..7).map(|step| schedule.at(step)).collect();
        assert_eq!(weights, [0.0, 0.5, 1.0, 1.5, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn cosine_is_half_way_at_half_time() {
        let schedule = Schedule::Annealed(Annealing::Cosine { from: 1.0, to: 3.0, steps: 10 });
        assert!((schedule.at(5) - 2.0).abs() < 1e-12);
        assert_eq!((schedule.at(0), schedule.at(10)), (1.0, 3.0));
    }

    #[test]
    fn sigmoid_is_half_way_at_its_midpoint() {
        let schedule = Schedule::Annealed(Annealing::Sigmoid { from: 1.0, to: 3.0, midpoint: 100, width: 10.0 });
        assert_eq!(schedule.at(100), 2.0);
        // σ(1) and σ(−1).
        assert!((schedule.at(110) - (1.0 + 2.0 * 0.731_058_578_630_004_9)).abs() < 1e-12);
        assert!((schedule.at(90) - (1.0 + 2.0 * 0.268_941_421_369_995_1)).abs() < 1e-12);
        assert_eq!(schedule.at(1_000_000), 3.0);
    }

    #[test]
    fn cyclical_comes_again() {
        let schedule = Schedule::Annealed(Annealing::Cyclical { from: 0.0, to: 1.0, period: 4, ramp: 0.5 });
        let weights: Vec<f64> = (0..8).map(|step| schedule.at(step)).collect();
        assert_eq!(weights, [0.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn a_schedule_of_no_steps_is_at_its_end() {
        assert_eq!(Schedule::Annealed(Annealing::Linear { from: 0.0, to: 1.0, steps: 0 }).at(0), 1.0);
    }
}
