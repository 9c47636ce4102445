//! Where the target is one label given a condition: how often the most probable label is the right one.

use super::{Metric, Subject, batches, host};
use crate::error::Result;
use burn::tensor::{Tensor, TensorData};
use dgm_models::{Batch, DataSpec, Values};

pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let DataSpec { shape: [1, 1, 1], values: Values::Levels(classes), condition: Some(_) } = subject.model.spec()
    else {
        return Ok(Vec::new());
    };
    // A bound's most probable label is not the model's.
    let exact = subject.model.density().filter(|density| density.estimator().is_exact());
    let Some(density) = exact else { return Ok(Vec::new()) };
    let ((name, split), on) = (subject.reported(), subject.on);
    let mut right = Vec::with_capacity(split.len());
    for (_, batch) in batches(split, on) {
        let batch = batch?;
        let rows = batch.len();
        let scores: Vec<Vec<f64>> = (0..*classes)
            .map(|class| {
                let target = Tensor::from_data(TensorData::new(vec![class as f32; rows], [rows, 1]), on.device);
                let batch = Batch { target, ..batch.clone() };
                host(density.log_prob(&batch, &mut on.seed.stream("evaluation", 0)))
            })
            .collect();
        let labels = batch.target.clone().into_data();
        for (example, label) in labels.iter::<f64>().enumerate() {
            let best = (0..*classes).max_by(|&a, &b| scores[a][example].total_cmp(&scores[b][example]));
            right.push(f64::from(u8::from(best == Some(label as usize))));
        }
    }
    Ok(vec![Metric::of_accuracy("accuracy", name, "the most probable label", right)])
}
