//! The importance-weighted bound of a model with latent variables, −log (1/k Σᵢ wᵢ) of each example of the test split.

use super::{Metric, Subject, batches, with_noise};
use crate::error::{Error, Result};
use dgm_core::estimate;

/// One log-weight of each example at a time: k costs time, not memory.
pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let k = subject.config.importance_samples;
    let Some(latent) = subject.model.latent().filter(|_| k > 0) else { return Ok(Vec::new()) };
    let (name, split) = subject.test();
    let mut nats = Vec::with_capacity(split.len());
    for (index, batch) in batches(split, subject.on) {
        let batch = batch?;
        let mut noise = subject.on.seed.stream("importance", index as u64);
        let estimates = estimate::importance_weighted(k, 1, |_| latent.log_weight(&batch, &mut noise).unsqueeze_dim(1))
            .map_err(|error| Error::run(format!("the importance-weighted bound cannot be computed: {error}")))?;
        nats.extend(estimates.iter().map(|estimate| -estimate.log_prob));
    }
    let estimator = with_noise(format!("importance-weighted bound, k = {k}"), split.target.is_dequantized());
    let estimator = subject.given_label(estimator);
    Ok(vec![Metric::of_nats("importance_weighted", (name, split), "-IWAE", estimator, &nats)?])
}
