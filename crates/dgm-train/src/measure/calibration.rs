//! Where the target is a label or a number given a condition: what it is worth to make the model's uncertainty larger or smaller by one factor,
//! fitted on the validation split.

use super::classification::{labels_of, reliability};
use super::{Metric, PROPORTION, Subject, batches, host};
use crate::data::Part;
use crate::error::{Error, Result};
use crate::predict::{Marginals, calibration};
use dgm_core::estimate::{EstimateError, Mean, Reliability, interval_coverage};
use dgm_core::objective::sum_event;
use dgm_models::Values;
use dgm_models::likelihood::Likelihood;

/// The interval whose coverage is told, before and after.
const LEVEL: f64 = 0.9;

/// Whether there are labels to predict, and not numbers; `None`: neither.
fn predicts_labels<'a>(subject: &Subject<'a>) -> Option<(Marginals<'a>, bool)> {
    let (spec, names) = (subject.model.spec(), &subject.dataset.names.classes);
    let marginals = Marginals::of(subject.model)?;
    let is_label = spec.levels().is_some() && (!names.is_empty() || marginals.likelihood().is_nominal());
    let is_number = matches!(spec.values, Values::Real(_)) && !subject.reported().1.target.is_dequantized();
    (spec.condition.is_some() && spec.event() == 1 && (is_label || is_number)).then_some((marginals, is_label))
}

/// What a likelihood says of the test split.
#[derive(Default)]
struct Said {
    nats: Vec<f64>,
    /// Of labels, row by row.
    log_probs: Vec<f64>,
    labels: Vec<usize>,
    /// P(Y ≤ y) of numbers.
    pit: Vec<f64>,
}

fn said(subject: &Subject<'_>, marginals: Marginals<'_>, likelihood: &Likelihood) -> Result<Said> {
    let mut said = Said::default();
    for (_, batch) in batches(subject.reported().1, subject.on) {
        let batch = batch?;
        let parameters = marginals.parameters(batch.target.clone(), batch.condition.as_ref());
        let log_prob = likelihood.log_prob(parameters.clone(), batch.target.clone());
        said.nats.extend(host(sum_event(log_prob)).iter().map(|x| -x));
        match likelihood.log_probs(parameters.clone()) {
            Some(table) => {
                said.log_probs.extend(host(table));
                said.labels.extend(labels_of(batch.target));
            }
            None => {
                said.pit.extend(likelihood.distribution(parameters).cdf(batch.target).map(host).unwrap_or_default())
            }
        }
    }
    Ok(said)
}

/// The reliability of the labels of the test split, before and after a temperature; `None`: the model predicts none.
pub(crate) fn predicted_labels(subject: &Subject<'_>) -> Result<Option<[Reliability; 2]>> {
    let Some((marginals, true)) = predicts_labels(subject) else { return Ok(None) };
    let factor = calibration(marginals, &subject.dataset.validation, subject.on.device)?;
    let of = |likelihood: &Likelihood| {
        let said = said(subject, marginals, likelihood)?;
        reliability(&said.log_probs, &said.labels)
    };
    Ok(Some([of(marginals.likelihood())?, of(&marginals.likelihood().calibrated(factor))?]))
}

/// P(Y ≤ y) of each number of the test split; `None`: the model predicts none, or has no distribution function.
pub(crate) fn predicted_numbers(subject: &Subject<'_>) -> Result<Option<Vec<f64>>> {
    let Some((marginals, false)) = predicts_labels(subject) else { return Ok(None) };
    let pit = said(subject, marginals, marginals.likelihood())?.pit;
    Ok(if pit.is_empty() { None } else { Some(pit) })
}

pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    // What is fitted on the validation split says nothing there.
    if subject.part == Some(Part::Validation) {
        return Ok(Vec::new());
    }
    let Some((marginals, is_label)) = predicts_labels(subject) else { return Ok(Vec::new()) };
    let ((name, split), validation) = (subject.reported(), &subject.dataset.validation);
    let factor = calibration(marginals, validation, subject.on.device)?;
    let Said { nats, log_probs, labels, pit } = said(subject, marginals, &marginals.likelihood().calibrated(factor))?;
    let what = if is_label { "temperature" } else { "scale" };
    let how = format!("after a {what} of {factor:.3}, fitted on {} validation examples", validation.len());
    let nll = Metric::of_nats("calibrated", (name, split), "calibrated NLL", format!("exact, {how}"), &nats)?;
    let proportion = |quantity: &str, mean: Mean, estimator: String| {
        Metric::of_mean("calibrated", name, quantity, PROPORTION, mean, estimator)
    };
    let failed = |error: EstimateError| {
        Error::run(format!("the calibration cannot be computed: {error}: the model is not usable"))
    };
    let second = match is_label {
        true => {
            let ece = reliability(&log_probs, &labels)?.expected_calibration_error();
            let ece = Mean { mean: ece, standard_error: f64::NAN, n: split.len() };
            proportion("calibrated ECE", ece, format!("expected calibration error {how}"))
        }
        false => {
            let coverage = interval_coverage(&pit, &[LEVEL]).map_err(failed)?;
            let share = coverage.first().copied().unwrap_or(Mean { mean: f64::NAN, standard_error: f64::NAN, n: 0 });
            let estimator = format!("share of targets in the central 90 % interval {how}");
            proportion("calibrated coverage 90 %", share, estimator)
        }
    };
    Ok(vec![nll, second])
}
