//! The negative log-likelihood, and what classification makes of it.

use super::{Misfit, OutOfRange, Rule, Step, is_weight, within};
use crate::data::Batch;
use crate::layers::Mode;
use crate::training::{TrainLikelihood, Training};
use burn::tensor::{Device, Int, Tensor, TensorData};
use dgm_core::objective::{Focal, LabelSmoothing, Nll, Objective, class_weights, fill_padding, sum_event};
use serde::{Deserialize, Serialize};

/// L = −log p(x | c), summed over the dimensions of the target.
///
/// `focal` and `label_smoothing` take the place of −log p of each dimension of a target of levels; only without them, and with equal
/// weights, is the loss a likelihood. Results are likelihoods either way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NllConfig {
    /// Exponent γ of the focal loss, see [`Focal`]. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub focal: Option<f64>,
    /// Share ε of the uniform distribution, see [`LabelSmoothing`]. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// Weight of an example by its class, where the target is one label: one number per class, in their order. Default: equal weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f64>>,
}

impl NllConfig {
    /// Whether it needs the probabilities of all levels.
    fn classifies(&self) -> bool {
        self.focal.is_some() || self.label_smoothing.is_some() || self.class_weights.is_some()
    }

    /// From the logarithms of the probabilities of all levels `[batch, event, levels]`.
    fn classification(&self, log_probs: Tensor<3>, batch: &Batch) -> Objective {
        let [examples, event, levels] = log_probs.dims();
        let logits: Tensor<2> = log_probs.reshape([examples * event, levels]);
        let class: Tensor<1, Int> = batch.target.clone().detach().reshape([examples * event]).int();
        let Objective { loss, terms } = match (self.focal, self.label_smoothing) {
            (Some(gamma), _) => Focal { gamma }.objective(logits, class.clone()),
            (None, epsilon) => LabelSmoothing { epsilon: epsilon.unwrap_or(0.0) }.objective(logits, class.clone()),
        };
        let summed =
            |values: Tensor<1>| sum_event(fill_padding(values.reshape([examples, event]), batch.mask.as_ref()));
        let objective = Objective {
            loss: summed(loss),
            terms: terms
                .into_iter()
                .filter(|(name, _)| *name == "nll" || self.label_smoothing.is_some())
                .map(|(name, values)| (name, summed(values)))
                .collect(),
        };
        match &self.class_weights {
            Some(weights) => objective.weight_examples(class_weights(row(weights, &batch.target.device()), class)),
            None => objective,
        }
    }
}

fn row(values: &[f64], device: &Device) -> Tensor<1> {
    let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

fn likelihood(training: Training<'_>) -> Option<&dyn TrainLikelihood> {
    match training {
        Training::Likelihood(likelihood) => Some(likelihood),
        _ => None,
    }
}

impl Rule for NllConfig {
    fn validate(&self) -> Result<(), OutOfRange> {
        let gamma = self.focal.unwrap_or(0.0);
        within((0.0..=100.0).contains(&gamma), "focal", "a number from 0 to 100")?;
        let epsilon = self.label_smoothing.unwrap_or(0.0);
        within((0.0..=1.0).contains(&epsilon), "label_smoothing", "a number from 0 to 1")?;
        let both = self.focal.is_some() && self.label_smoothing.is_some();
        within(!both, "label_smoothing", "no label_smoothing beside focal: leave one of them out")?;
        let Some(weights) = &self.class_weights else { return Ok(()) };
        let finite = !weights.is_empty() && weights.iter().all(|&weight| is_weight(weight));
        let some = weights.iter().any(|weight| *weight > 0.0);
        within(finite && some, "class_weights", "a list of finite numbers of at least 0 (in f32), one of them above 0")
    }

    fn fits(&self, training: Training<'_>) -> Result<(), Misfit> {
        let Some(likelihood) = likelihood(training) else {
            return Err(Misfit::IsFor("models that are trained by their likelihood itself"));
        };
        let keys = [("focal", self.focal.is_some()), ("label_smoothing", self.label_smoothing.is_some())];
        let asked = keys.into_iter().chain([("class_weights", self.class_weights.is_some())]).find(|(_, asked)| *asked);
        let Some((key, _)) = asked else { return Ok(()) };
        let Some([event, levels]) = likelihood.levels() else {
            return Err(Misfit::Key(key, "a target of levels, and this one is of real numbers: take it out".into()));
        };
        match &self.class_weights {
            Some(weights) if event != 1 || weights.len() != levels => Err(Misfit::Key(
                "class_weights",
                format!(
                    "a target of one label and a weight for each of its classes; found {} weights and a target of {event} dimensions of \
                     {levels} levels: change them",
                    weights.len()
                ),
            )),
            _ => Ok(()),
        }
    }

    fn likelihood_terms(&self) -> &'static [&'static str] {
        &["nll"]
    }

    fn loss(&self, training: Training<'_>, step: &mut Step<'_>) -> Option<Objective> {
        let (likelihood, batch) = (likelihood(training)?, step.views.first()?);
        let mut mode = Mode::Train(step.rng);
        match self.classifies() {
            true => Some(self.classification(likelihood.train_log_probs(batch, &mut mode)?, batch)),
            false => {
                let log_prob = likelihood.train_log_prob(batch, &mut mode);
                // Of a whole target there is nothing to hide.
                let mask = batch.mask.clone().filter(|mask| mask.dims() == log_prob.dims());
                Some(Nll.objective(log_prob, mask))
            }
        }
    }
}
