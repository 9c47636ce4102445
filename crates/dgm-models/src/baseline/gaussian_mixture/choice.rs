//! The number of components and the ridge, by held-out likelihood where the configuration leaves them open.

use super::GaussianMixtureConfig;
use super::em::{Component, Fit, fit as em, mean_log_likelihood, widened};
use crate::baseline::rows::Rows;
use crate::error::ModelError;
use dgm_core::random::Stream;

/// Numbers of components that are tried, as long as they gain.
const COMPONENTS: [usize; 10] = [1, 2, 3, 4, 6, 9, 13, 20, 30, 50];

/// Ridges that are tried.
const RIDGES: [f64; 5] = [1e-6, 1e-4, 1e-3, 1e-2, 1e-1];

/// Rows that are enough to choose by.
const ENOUGH: usize = 6000;

/// Steps of EM at most: while choosing, and at the end.
const STEPS: [usize; 2] = [30, 300];

/// Starts at the end, of which the likeliest is kept.
const STARTS: usize = 3;

pub(super) fn fit(config: &GaussianMixtureConfig, rows: &Rows, rng: &mut Stream) -> Result<Vec<Component>, ModelError> {
    let distinct = rows.distinct();
    if distinct.len() < config.components.unwrap_or(1).max(2) {
        let advice = if distinct.len() < 2 { "" } else { ", or set model.components to less" };
        return Err(ModelError::Data(format!(
            "found {} different rows in the training split, too few for this mixture; give it more{advice}",
            distinct.len()
        )));
    }
    let (components, ridge) = match (config.components, config.ridge) {
        (Some(components), Some(ridge)) => (components, ridge),
        _ => choose(config, &distinct, rng),
    };
    let what = Fit { components, covariance: &config.covariance, ridge, steps: STEPS[1] };
    let rows = widened(rows);
    let fits = (0..STARTS).filter_map(|_| em(what, &rows, rng));
    let best = fits.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(components, _)| components);
    best.ok_or_else(|| {
        ModelError::Data(format!(
            "a covariance of the mixture is singular with model.ridge = {ridge}; set it to more, such as 0.001, or model.components to less"
        ))
    })
}

/// What a fifth of the rows is likeliest under, fitted to the others.
fn choose(config: &GaussianMixtureConfig, distinct: &Rows, rng: &mut Stream) -> (usize, f64) {
    let mut order = rng.permutation(distinct.len());
    order.truncate(ENOUGH);
    let (held_out, kept) = order.split_at((order.len() / 5).max(1));
    let [held_out, kept] = [held_out, kept].map(|rows| widened(&distinct.select(rows)));
    let numbers = config.components.map_or(COMPONENTS.to_vec(), |components| vec![components]);
    let ridges = config.ridge.map_or(RIDGES.to_vec(), |ridge| vec![ridge]);
    let mut best = (f64::NEG_INFINITY, (numbers.first().copied().unwrap_or(1), ridges.last().copied().unwrap_or(1e-3)));
    let mut without_gain = 0;
    for components in numbers {
        if components * 4 > kept.len().max(4) || without_gain == 2 {
            break;
        }
        let before = best.0;
        // All ridges of the first number of components, and then those next to the best so far.
        let near = |ridge: f64| before == f64::NEG_INFINITY || (0.05..=20.0).contains(&(ridge / best.1.1));
        for ridge in ridges.iter().copied().filter(|&ridge| near(ridge)).collect::<Vec<_>>() {
            let what = Fit { components, covariance: &config.covariance, ridge, steps: STEPS[0] };
            let Some((mixture, _)) = em(what, &kept, rng) else { continue };
            let log_likelihood = mean_log_likelihood(&mixture, &held_out);
            if log_likelihood > best.0 {
                best = (log_likelihood, (components, ridge));
            }
        }
        without_gain = if best.0 > before { 0 } else { without_gain + 1 };
    }
    best.1
}
