//! A model of targets given their labels, where the label is not given: the exact mixture over labels, −log Σ_y p(y) p(x | y), and how
//! often its most probable label is the right one.

use super::{DEQUANTIZED, Metric, Subject, batches, host};
use crate::data::Split;
use crate::error::Result;
use dgm_models::mixture::{log_joint, log_marginal, log_prior};
use dgm_models::{Batch, DataSpec, Density};

/// Of a model that has a label as its condition and whose density is exact: the likelihood of both splits without the label, and the
/// accuracy of argmax_y p(y) p(x | y) on the test split, the model as a generative classifier.
///
/// p(y) is the frequency of the label in the training split with one added to each count, see [`log_prior`].
pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let exact = subject.model.density().filter(|density| density.estimator().is_exact());
    let classes = classes(subject.model.spec()).filter(|_| subject.config.label_mixture);
    let (Some(density), Some(classes)) = (exact, classes) else { return Ok(Vec::new()) };
    let log_prior = log_prior(&counts(&subject.dataset.train, classes)?);
    let mut metrics = Vec::new();
    for (name, split) in subject.splits() {
        let (marginal, right) = mixture(subject, density, (name, split), &log_prior)?;
        metrics.push(marginal);
        if name == subject.reported().0 {
            let estimator = "generative classifier argmax p(y) p(x | y)";
            metrics.push(Metric::of_accuracy("label_accuracy", name, estimator, right));
        }
    }
    Ok(metrics)
}

/// Number of labels, where the condition is one.
pub(super) fn classes(spec: &DataSpec) -> Option<usize> {
    spec.condition.as_ref().and_then(|condition| condition.classes)
}

/// How often each label occurs.
fn counts(split: &Split, classes: usize) -> Result<Vec<usize>> {
    let mut counts = vec![0; classes];
    let Some(field) = &split.condition else { return Ok(counts) };
    field.each_row(|_, row| {
        let label = row.iter().take(classes).position(|&one| one == 1.0);
        label.into_iter().for_each(|label| counts[label] += 1);
    })?;
    Ok(counts)
}

/// The likelihood of a split without its labels, and which of its labels are right (1).
fn mixture(
    subject: &Subject<'_>,
    density: &dyn Density,
    (name, split): (&str, &Split),
    log_prior: &[f64],
) -> Result<(Metric, Vec<f64>)> {
    let (classes, on) = (log_prior.len(), subject.on);
    let (mut nats, mut right) = (Vec::with_capacity(split.len()), Vec::with_capacity(split.len()));
    for (index, batch) in batches(split, on) {
        let batch = batch?;
        let rows = batch.len();
        let width = batch.condition.as_ref().map_or(0, |condition| condition.dims()[1]);
        let part = |columns: std::ops::Range<usize>| {
            batch.condition.clone().filter(|_| !columns.is_empty()).map(|condition| condition.slice([0..rows, columns]))
        };
        let unlabelled = Batch { condition: part(classes..width), ..batch.clone() };
        let joint = log_joint(density, log_prior, &unlabelled, &mut on.seed.stream("evaluation", index as u64));
        nats.extend(host(log_marginal(joint.clone())).into_iter().map(|log_p| -log_p));
        let labels = part(0..classes).map(host).unwrap_or_default();
        let scores = host(joint);
        let most = |values: &[f64]| (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]));
        let pairs = scores.chunks(classes).zip(labels.chunks(classes));
        right.extend(pairs.map(|(scores, one_hot)| f64::from(u8::from(most(scores) == most(one_hot)))));
    }
    let estimator = format!("exact mixture over {classes} labels, p(y) from the training labels");
    // As for the likelihood given the label: the noise that was added is a latent variable.
    let (quantity, estimator) = match split.target.is_dequantized() {
        true => ("-ELBO", format!("{DEQUANTIZED}, {estimator}")),
        false => ("NLL", estimator),
    };
    Ok((Metric::of_nats("label_mixture", (name, split), quantity, estimator, &nats)?, right))
}
