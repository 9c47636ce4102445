//! Of a model that encodes and decodes but has no likelihood: how far examples are from what is decoded of their codes.

use super::{Metric, Subject, batches, host};
use crate::error::Result;
use dgm_core::estimate::Mean;
use dgm_models::Values;

/// (x − D(E(x)))², the mean over the dimensions of an example.
pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let (Some(encoder), Some(decoder), None) =
        (subject.model.encoder(), subject.model.decoder(), subject.model.density())
    else {
        return Ok(Vec::new());
    };
    let unit = match subject.model.spec().values {
        Values::Levels(_) => "squared levels",
        _ => "squared standard deviations",
    };
    let of_split = |(name, split)| {
        let mut errors = Vec::new();
        for (_, batch) in batches(split, subject.on) {
            let batch = batch?;
            let decoded = decoder.decode(encoder.encode(&batch), batch.condition.clone());
            errors.extend(host((batch.target - decoded).square().mean_dim(1)));
        }
        let (mean, estimator) = (Mean::of(&errors), "(x − D(E(x)))², the mean over dimensions");
        Ok(Metric::of_mean("reconstruction", name, "reconstruction error", unit, mean, estimator).with_values(errors))
    };
    subject.splits().map(of_split).collect()
}
