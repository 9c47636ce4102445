//! Split-conformal intervals: a level that holds on average for exchangeable examples, whatever the model is worth.

use super::{Levels, Predictor};
use crate::data::Split;
use crate::data::chunks::chunks;
use crate::error::{Error, Result};
use dgm_core::host;
use dgm_models::ModelFactory;

/// Scores |F(y | x) − ½| of examples that nothing was learnt from, dimension by dimension in ascending order.
///
/// With s the ⌈(n + 1)·level⌉-th smallest of n scores, the interval from the (½ − s)- to the (½ + s)-quantile of the predictive
/// distribution holds the target of another exchangeable example with a probability of at least `level`, and of at most
/// level + 1/(n + 1) where no scores are equal (Chernozhukov, Wüthrich and Zhu 2021, "Distributional conformal prediction").
#[derive(Clone, Debug, PartialEq)]
pub struct Conformal {
    scores: Vec<Vec<f64>>,
}

impl Conformal {
    /// From the examples of a split, such as validation.
    ///
    /// # Errors
    /// A target of labels, data that cannot be read, a likelihood without a distribution function.
    pub fn of<C: ModelFactory>(predictor: &Predictor<C>, split: &Split) -> Result<Self> {
        if predictor.classes().is_some() {
            return Err(Error::input(
                "conformal intervals are for numbers, and this run's target is a label; leave --conformal out",
            ));
        }
        let event = predictor.spec().event();
        let mut scores = vec![Vec::with_capacity(split.len()); event];
        for rows in chunks(split.len(), super::ROWS) {
            let batch = split.unaugmented(&rows, &predictor.device)?;
            let levels = host(predictor.cdf(batch.condition.as_ref(), batch.target)?);
            for row in levels.chunks(event) {
                // A missing target has no level.
                let known = row.iter().zip(&mut scores).filter(|(level, _)| !level.is_nan());
                known.for_each(|(level, scores)| scores.push((level - 0.5).abs()));
            }
        }
        scores.iter_mut().for_each(|scores| scores.sort_by(f64::total_cmp));
        Ok(Self { scores })
    }

    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.scores.first().map_or(0, Vec::len)
    }

    /// The two quantiles that bound the interval of this level: 0 and 1, an interval of all numbers, where the examples are too few.
    pub fn interval(&self, level: f64) -> Levels {
        // What rounding adds to a product that is whole is no rank more.
        let rank = |n: usize| ((n + 1) as f64 * level - 1e-9).ceil().max(1.0) as usize;
        let reach = |scores: &Vec<f64>| scores.get(rank(scores.len()) - 1).copied().unwrap_or(0.5);
        let side = |sign: f64| self.scores.iter().map(|scores| 0.5 + sign * reach(scores)).collect();
        Levels(vec![side(-1.0), side(1.0)])
    }
}
