//! Where the target is one label given a condition: how good the probabilities of the classes are.

use super::{Metric, PROPORTION, Subject, batches, host};
use crate::data::names::class_name;
use crate::error::{Error, Result};
use burn::tensor::Tensor;
use dgm_core::estimate::{Auroc, Binning, EstimateError, Mean, Reliability, top_label};
use dgm_models::{DataSpec, Values};

/// Bins of equal width of the expected calibration error (Guo et al. 2017).
const BINS: usize = 15;

pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let DataSpec { shape: [1, 1, 1], values: Values::Levels(classes), condition: Some(_) } = subject.model.spec()
    else {
        return Ok(Vec::new());
    };
    let Some(arm) = subject.model.conditionals() else { return Ok(Vec::new()) };
    // Counts are no labels.
    let names = &subject.dataset.names.classes;
    if names.is_empty() && !arm.likelihood().is_nominal() {
        return Ok(Vec::new());
    }
    let ((split_name, split), classes) = (subject.reported(), *classes);
    let (mut log_probs, mut labels) = (Vec::new(), Vec::new());
    for (_, batch) in batches(split, subject.on) {
        let batch = batch?;
        let parameters = arm.parameters(batch.target.clone(), batch.condition.as_ref());
        let Some(table) = arm.likelihood().log_probs(parameters) else { return Ok(Vec::new()) };
        log_probs.extend(host(table));
        labels.extend(labels_of(batch.target));
    }
    let metric = |quantity: &str, unit: &str, value: f64, standard_error: f64, estimator: String| {
        let mean = Mean { mean: value, standard_error, n: labels.len() };
        Metric::of_mean("calibration", split_name, quantity, unit, mean, estimator)
    };
    let squares: Vec<f64> = log_probs
        .chunks(classes)
        .zip(&labels)
        .map(|(row, &label)| {
            let of_class =
                |(class, log_prob): (usize, &f64)| (log_prob.exp() - f64::from(u8::from(class == label))).powi(2);
            row.iter().enumerate().map(of_class).sum()
        })
        .collect();
    let brier = Mean::of(&squares);
    let table = reliability(&log_probs, &labels)?;
    let mut metrics = vec![
        metric("Brier score", "squared probability", brier.mean, brier.standard_error, "sum over the classes".into())
            .with_values(squares),
        metric(
            "ECE",
            PROPORTION,
            table.expected_calibration_error(),
            f64::NAN,
            format!("expected calibration error of the most probable label, {BINS} bins of equal width"),
        ),
    ];
    // One class against the others; where there are two, the second against the first.
    let one_against_rest = |class: usize| {
        let scores: Vec<f64> = log_probs.iter().skip(class).step_by(classes).copied().collect();
        let positive: Vec<bool> = labels.iter().map(|&label| label == class).collect();
        // A class that no test example has, or all have, has no curve.
        Auroc::of(&scores, &positive).ok()
    };
    if classes == 2 {
        if let Some(Auroc { area, standard_error }) = one_against_rest(1) {
            metrics.push(metric(
                "AUROC",
                PROPORTION,
                area,
                standard_error,
                format!("area under the ROC curve of {}", class_name(names, 1)),
            ));
        }
    } else {
        let areas: Vec<f64> = (0..classes).filter_map(one_against_rest).map(|found| found.area).collect();
        if !areas.is_empty() {
            let estimator = format!("each of {} classes against the others, their mean", areas.len());
            metrics.push(metric(
                "AUROC",
                PROPORTION,
                areas.iter().sum::<f64>() / areas.len() as f64,
                f64::NAN,
                estimator,
            ));
        }
    }
    Ok(metrics)
}

/// Targets as the numbers of classes.
pub(super) fn labels_of(target: Tensor<2>) -> Vec<usize> {
    host(target).into_iter().map(|label| label as usize).collect()
}

/// How often the most probable label of each row of log-probabilities is right, by its probability.
pub(super) fn reliability(log_probs: &[f64], labels: &[usize]) -> Result<Reliability> {
    let failed = |error: EstimateError| {
        Error::run(format!("the calibration cannot be computed: {error}: the model is not usable"))
    };
    let classes = log_probs.len() / labels.len().max(1);
    let (confidence, correct) = top_label(log_probs, classes, labels).map_err(failed)?;
    Reliability::of(&confidence, &correct, BINS, Binning::EqualWidth).map_err(failed)
}
