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
    let (test, right) = mixture(subject, density, subject.test(), &log_prior)?;
    let (validation, _) = mixture(subject, density, subject.validation(), &log_prior)?;
    let estimator = "generative classifier argmax p(y) p(x | y)";
    let accuracy = Metric::of_accuracy("label_accuracy", "test", estimator, right, test.examples);
    Ok(vec![test, accuracy, validation])
}

/// Number of labels, where the condition is one.
pub(super) fn classes(spec: &DataSpec) -> Option<usize> {
    spec.condition.as_ref().and_then(|condition| condition.classes)
}

/// How often each label occurs.
fn counts(split: &Split, classes: usize) -> Result<Vec<usize>> {
    let mut counts = vec![0; classes];
    let Some(field) = &split.condition else { return Ok(counts) };
    for part in field.chunks() {
        let (_, read) = part?;
        let labels = (0..read.rows()).filter_map(|i| read.row(i).iter().take(classes).position(|&one| one == 1.0));
        labels.for_each(|label| counts[label] += 1);
    }
    Ok(counts)
}

/// The likelihood of a split without its labels, and how many labels are right.
fn mixture(
    subject: &Subject<'_>,
    density: &dyn Density,
    (name, split): (&str, &Split),
    log_prior: &[f64],
) -> Result<(Metric, usize)> {
    let (classes, on) = (log_prior.len(), subject.on);
    let (mut nats, mut right) = (Vec::with_capacity(split.len()), 0);
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
        let labels: Vec<f64> = part(0..classes).map(|one_hot| one_hot.into_data().iter().collect()).unwrap_or_default();
        let scores: Vec<f64> = joint.into_data().iter().collect();
        let most = |values: &[f64]| (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]));
        let pairs = scores.chunks(classes).zip(labels.chunks(classes));
        right += pairs.filter(|(scores, one_hot)| most(scores) == most(one_hot)).count();
    }
    let estimator = format!("exact mixture over {classes} labels, p(y) from the training labels");
    // As for the likelihood given the label: the noise that was added is a latent variable.
    let (quantity, estimator) = match split.target.is_dequantized() {
        true => ("-ELBO", format!("{DEQUANTIZED}, {estimator}")),
        false => ("NLL", estimator),
    };
    Ok((Metric::of_nats("label_mixture", (name, split), quantity, estimator, &nats)?, right))
}
