//! log p(x) by annealed importance sampling: a second estimate, which needs no q(z | x), and its gap on data that the model sampled.

use super::{Metric, Subject, batches_of, host, spread, with_noise};
use crate::error::{Error, Result};
use burn::tensor::Tensor;
use dgm_core::estimate::{Annealed, LogMeanExp, Mean};
use dgm_models::posterior::Space;
use dgm_models::{Batch, Inference, Latent, Mode, Model};

pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let Some(config) = subject.config.annealed else { return Ok(Vec::new()) };
    let Some(model) = subject.gradients else { return Ok(Vec::new()) };
    check(model, "evaluation.annealed")?;
    let Some(latent) = model.latent() else { return Ok(Vec::new()) };
    let device = subject.device().clone().autodiff();
    let annealed = Annealed { steps: config.steps, leapfrog: config.leapfrog };
    let (name, split) = subject.reported();
    let rows = spread(split, config.examples);
    let examples = rows.len();
    let failed = |error| Error::run(format!("annealed importance sampling failed: {error}"));
    let (mut nats, mut gaps) = (Vec::with_capacity(examples), Vec::with_capacity(examples));
    let mut on = subject.on;
    on.device = &device;
    on.at_once = on.at_once.min((1024 / config.chains).max(1));
    for (index, batch) in batches_of(split, rows, on) {
        let batch = batch?;
        let mut noise = on.seed.stream("annealed", index as u64);
        let rows = batch.len() * config.chains;
        // The chains of an example stand next to each other.
        let per_example = |weights: Tensor<1>| -> Vec<f64> {
            let of = |weights: &[f64]| {
                let mut all = LogMeanExp::default();
                weights.iter().for_each(|&weight| all.push(weight));
                all.value()
            };
            host(weights).chunks(config.chains).map(of).collect()
        };
        let Some(inference) = latent.infer(&batch) else { return Ok(Vec::new()) };
        let joint = |z: Tensor<2>| log_joint(inference.as_ref(), z, batch.len());
        let start = inference.sample_prior(rows, &mut noise);
        let sizes = annealed.pilot(start, &joint, &mut noise).map_err(failed)?;
        let start = inference.sample_prior(rows, &mut noise);
        let weights = annealed.log_weights(start, &joint, &sizes, &mut noise).map_err(failed)?;
        nats.extend(per_example(weights).into_iter().map(|log_p| -log_p));

        // x of the model itself, whose z is a sample of its posterior.
        let z = inference.sample_prior(batch.len(), &mut noise).detach();
        let Some(target) = model.latent().and_then(|latent| latent.sample_given(&z, &batch, &mut noise)) else {
            continue;
        };
        // Samples of real numbers carry a graph of how they were made.
        let simulated = Batch { target: target.detach(), ..batch.clone() };
        let Some(inference) = latent.infer(&simulated) else { continue };
        let joint = |z: Tensor<2>| log_joint(inference.as_ref(), z, simulated.len());
        let start = inference.sample_prior(rows, &mut noise);
        let sizes = annealed.pilot(start, &joint, &mut noise).map_err(failed)?;
        let start = inference.sample_prior(rows, &mut noise);
        let below = per_example(annealed.log_weights(start, &joint, &sizes, &mut noise).map_err(failed)?);
        // One chain back from each: all of an example begin at the one sample that there is.
        let above = annealed.reverse_log_weights(
            z,
            &|z| log_joint(inference.as_ref(), z, simulated.len()),
            &sizes.of_first(config.chains),
            &mut noise,
        );
        let above = host(above.map_err(failed)?);
        gaps.extend(below.iter().zip(above).map(|(below, above)| -above - below));
    }
    let how = format!(
        "annealed importance sampling, {} steps of {} leapfrog steps, {} chains per example, of {examples} examples evenly over the split",
        config.steps, config.leapfrog, config.chains
    );
    let estimator = subject.given_label(with_noise(how.clone(), split.target.is_dequantized()));
    let mut metrics = vec![Metric::of_nats("annealed", (name, split), "-AIS", estimator, &nats)?];
    if !gaps.is_empty() {
        let text = format!("upper less lower bound of log p of as many samples of the model, bidirectional; {how}");
        metrics.push(Metric::of_mean("annealed", name, "AIS gap", "nats", Mean::of(&gaps), text));
    }
    Ok(metrics)
}

/// Whether there are latent variables, and gradients to move them along; `name` is what asks for it.
pub(super) fn check(model: &dyn Model, name: &str) -> Result<()> {
    // The noise of dequantisation is drawn given x, and has no prior to begin from.
    let latent = model.latent().filter(|latent| !latent.layers().is_empty());
    match latent.map(Latent::space) {
        Some(Space::Real) => Ok(()),
        Some(other) => Err(Error::input(format!(
            "{name} moves along gradients, and the latent variables of this model are {other}; leave it out"
        ))),
        None => Err(Error::input(format!(
            "{name} is for models that decode latent variables, and this one has none; leave it out"
        ))),
    }
}

/// log p(z) and log p(x | z) of the rows of z, as many after each other for each example.
fn log_joint(inference: &dyn Inference, z: Tensor<2>, examples: usize) -> [Tensor<1>; 2] {
    let [rows, latent] = z.dims();
    let z = z.reshape([examples, rows / examples, latent]);
    let flat = |tensor: Tensor<2>| tensor.reshape([rows]);
    [flat(inference.log_prior(z.clone())), flat(inference.log_likelihood(z, &mut Mode::Evaluate))]
}
