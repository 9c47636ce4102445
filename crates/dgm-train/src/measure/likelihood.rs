//! The likelihood of a density on the test and the validation split.

use super::{DEQUANTIZED, Metric, Subject, batches, host, with_noise};
use crate::data::Split;
use crate::error::Result;
use dgm_models::{Density, Estimator};

/// Draws per example for a reported ELBO: its Monte-Carlo error is then far below the one over examples.
const ELBO_SAMPLES: usize = 32;

pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let Some(density) = subject.model.density() else { return Ok(Vec::new()) };
    subject.splits().map(|split| of_split(subject, density, split)).collect()
}

fn of_split(subject: &Subject<'_>, density: &dyn Density, (name, split): (&str, &Split)) -> Result<Metric> {
    let samples = if matches!(density.estimator(), Estimator::LowerBound { .. }) { ELBO_SAMPLES } else { 1 };
    let mut nats = Vec::with_capacity(split.len());
    for (index, batch) in batches(split, subject.on) {
        let batch = batch?;
        let mut noise = subject.on.seed.stream("evaluation", index as u64);
        let mut sums = vec![0.0; batch.len()];
        for _ in 0..samples {
            let log_prob = host(density.log_prob(&batch, &mut noise));
            sums.iter_mut().zip(log_prob).for_each(|(sum, value)| *sum -= value / samples as f64);
        }
        nats.extend(sums);
    }
    let (quantity, estimator) = match (density.estimator(), split.target.is_dequantized()) {
        (Estimator::Exact, false) => ("NLL", "exact".to_string()),
        // log P(x) ≥ E log p(x + u): the noise is a latent variable whose posterior is uniform.
        (Estimator::Exact, true) => ("-ELBO", format!("{DEQUANTIZED}, log p(x + u) exact")),
        (Estimator::MonteCarlo { samples }, dequantized) => {
            let text = format!("bound: log of the mean of p(x | z) over {samples} draws of the prior");
            ("-log p (MC)", with_noise(text, dequantized))
        }
        (Estimator::LowerBound { draws, computed }, dequantized) => {
            let how = if computed.is_empty() { String::new() } else { format!(", {computed}") };
            ("-ELBO", with_noise(format!("{samples} {draws} per example{how}"), dequantized))
        }
    };
    Metric::of_nats("likelihood", (name, split), quantity, subject.given_label(estimator), &nats)
}
