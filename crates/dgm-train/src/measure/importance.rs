//! The importance-weighted bound of a model with latent variables, −log (1/k Σᵢ wᵢ) of each example of the test split, and of the validation split where it chose
//! the checkpoint.

use super::{Metric, Subject, batches_of, spread, with_noise};
use crate::config::EvaluationConfig;
use crate::data::{Part, Split};
use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor};
use dgm_core::estimate;
use dgm_core::random::Stream;
use dgm_models::{Batch, DataSpec, Inference, Latent, Mode};

/// Samples of z on the device at once, over all examples of a batch: k costs time, not memory.
const AT_ONCE: usize = 1024;

pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let Some(latent) = subject.model.latent() else { return Ok(Vec::new()) };
    let EvaluationConfig { importance_samples: k, proposal_scale: scale, importance_examples: examples, .. } =
        subject.config;
    let of_split = |part, k, examples, scale| measured(subject, latent, part, (k, examples, scale));
    let reported = (*k > 0).then(|| of_split(subject.reported(), *k, *examples, *scale));
    let chosen_by = subject.chosen_by.filter(|_| subject.part.is_none());
    let chose = chosen_by.map(|k| of_split(subject.dataset.part(Part::Validation), k, 0, 1.0));
    reported.into_iter().chain(chose).collect()
}

/// The bound on a split, with so many samples for so many of its examples (0: all), the proposal's deviations times a scale.
fn measured(
    subject: &Subject<'_>,
    latent: &dyn Latent,
    (name, split): (&str, &Split),
    (k, examples, scale): (usize, usize, f64),
) -> Result<Metric> {
    let mut nats = Vec::with_capacity(split.len());
    for (index, batch) in batches_of(split, spread(split, examples), subject.on) {
        let batch = batch?;
        let mut noise = subject.on.seed.stream("importance", index as u64);
        nats.extend(log_probs(latent, &batch, k, scale, &mut noise)?.into_iter().map(|log_p| -log_p));
    }
    let wide = if scale == 1.0 { String::new() } else { format!(", deviations of the proposal times {scale}") };
    let few = if nats.len() < split.len() {
        format!(", of {} examples evenly over the split", nats.len())
    } else {
        String::new()
    };
    let estimator = with_noise(format!("importance-weighted bound, k = {k}{wide}{few}"), split.target.is_dequantized());
    let estimator = subject.given_label(estimator);
    Metric::of_nats("importance_weighted", (name, split), "-IWAE", estimator, &nats)
}

/// log (1/k Σᵢ wᵢ) of each example of a batch, in nats.
pub(crate) fn log_prob_by_weights(
    latent: &dyn Latent,
    batch: &Batch,
    k: usize,
    noise: &mut Stream,
) -> Result<Vec<f64>> {
    log_probs(latent, batch, k, 1.0, noise)
}

fn log_probs(latent: &dyn Latent, batch: &Batch, k: usize, scale: f64, noise: &mut Stream) -> Result<Vec<f64>> {
    let chunk = (AT_ONCE / batch.len().max(1)).max(1);
    let mut weights = log_weights(latent, batch, scale)?;
    let estimates = estimate::importance_weighted(k, chunk, |c| weights(c, noise))
        .map_err(|error| Error::run(format!("the importance-weighted bound cannot be computed: {error}")))?;
    Ok(estimates.into_iter().map(|estimate| estimate.log_prob).collect())
}

/// So many log-weights of each example at a time, `[batch, c]`.
type Weights<'a> = Box<dyn FnMut(usize, &mut Stream) -> Tensor<2> + 'a>;

fn log_weights<'a>(latent: &'a dyn Latent, batch: &'a Batch, scale: f64) -> Result<Weights<'a>> {
    let Some(mut inference) = latent.infer(batch) else {
        if scale != 1.0 {
            return Err(no_wider("evaluation.proposal_scale", scale));
        }
        // A mixture of models has no posterior, but weights.
        return Ok(Box::new(move |c, noise| {
            let one = |_| latent.log_weight(batch, noise).unsqueeze_dim(1);
            Tensor::cat((0..c).map(one).collect(), 1)
        }));
    };
    if scale != 1.0 && !inference.widen(scale) {
        return Err(no_wider("evaluation.proposal_scale", scale));
    }
    Ok(Box::new(move |c, noise| of_samples(inference.as_ref(), c, noise)))
}

fn no_wider(name: &str, scale: f64) -> Error {
    Error::input(format!("{name} is {scale}, and this model has no q(z | x) that it could widen; leave it out"))
}

/// Whether the model has a proposal of this scale; `name` is what asks for it.
pub(super) fn check(latent: &dyn Latent, spec: &DataSpec, scale: f64, device: &Device, name: &str) -> Result<()> {
    if scale == 1.0 {
        return Ok(());
    }
    let one = |width: usize| Tensor::zeros([1, width], device);
    let condition = spec.condition.as_ref().map(|condition| one(condition.width()));
    let batch = Batch { condition, ..Batch::new(one(spec.event())) };
    let widened = latent.infer(&batch).is_some_and(|mut inference| inference.widen(scale));
    if widened { Ok(()) } else { Err(no_wider(name, scale)) }
}

/// log p(x, z) − log q(z | x) of c samples of each example.
fn of_samples(inference: &dyn Inference, c: usize, noise: &mut Stream) -> Tensor<2> {
    let samples = inference.sample(c, noise);
    let ratio = inference.log_prior(samples.z.clone()) - inference.log_posterior_of(&samples);
    inference.log_likelihood(samples.z, &mut Mode::Evaluate) + ratio
}
