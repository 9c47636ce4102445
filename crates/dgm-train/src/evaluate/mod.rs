//! The results of a run: every metric of it, as a list that programs read and a table for people.

mod members;

use crate::config::Config;
use crate::data::{Dataset, Names, Part};
use crate::error::{Error, Result};
use crate::measure::{self, LatentLine, Metric, NATS, Rounded, Subject};
use crate::weights::weights_sha256;
use burn::module::Module;
use burn::tensor::Device;
use dgm_models::{Ensemble, Model};
pub use members::{MemberMetric, Members};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Results of a run: `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What was measured, on the test split first.
    pub metrics: Vec<Metric>,
    /// The data.
    #[serde(default)]
    pub data: String,
    /// SHA-256 over the data's sources.
    #[serde(default)]
    pub data_sha256: String,
    /// Results of an ensemble's single members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Members>,
    /// Number of parameters of the model, of all members together.
    pub parameters: usize,
    /// SHA-256 over the weights, see [`weights_sha256`].
    pub weights_sha256: String,
    /// The columns of the target, where they have names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<String>,
    /// The classes of a label, where they have names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// What is odd about the data, so that metrics may mislead, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was done to the data that changes what the metrics mean, a sentence each.
    #[serde(default)]
    pub transforms: Vec<String>,
    /// What is odd about the trained model, and what to try, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Entropy of the distribution that the data were drawn from, in nats per example, where it is known: the mean NLL of
    /// the true model, which no other is below, short of chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
}

/// What there is to do with a model that nothing was measured of.
fn without_likelihood(model: &dyn Model, dataset: &Dataset) -> String {
    let samples = model.generator().map(|_| "evaluate RUN --features CLASSIFIER measures its samples");
    let labelled = model.encoder().filter(|_| dataset.train.label.is_some());
    let codes = labelled.map(|_| "probe RUN says what its codes know of the labels");
    let ways: Vec<_> = samples.into_iter().chain(codes).map(|way| format!("dgm-train {way}")).collect();
    match ways.is_empty() {
        true => "the model has no likelihood to measure".into(),
        false => format!("the model has no likelihood to measure; {}", ways.join(", ")),
    }
}

/// All results of a trained model, or of several as one: on the test split, and on the validation split what chose the checkpoint.
///
/// # Errors
/// A likelihood that is not finite, or data that cannot be read any more.
pub fn evaluate<M: Model + Module, C>(
    ensemble: &Ensemble<M>,
    config: &Config<C>,
    dataset: &Dataset,
    device: &Device,
) -> Result<Results> {
    evaluate_on(None, ensemble, config, dataset, device)
}

/// The same on one split; `None`: as [`evaluate`].
///
/// # Errors
/// As those of [`evaluate`].
pub fn evaluate_on<M: Model + Module, C>(
    part: Option<Part>,
    ensemble: &Ensemble<M>,
    config: &Config<C>,
    dataset: &Dataset,
    device: &Device,
) -> Result<Results> {
    // Members of an ensemble are no one function of z.
    let gradients = config.evaluation.annealed.filter(|_| ensemble.count() == 1);
    let gradients = gradients.and_then(|_| ensemble.members().next().map(|member| member.clone().train()));
    let gradients = gradients.as_ref().map(|model| model as &dyn Model);
    let metrics =
        measure::all(&Subject::new(ensemble, config, dataset, device).with_gradients(gradients).with_part(part))?;
    let (of, _) = dataset.part(part.unwrap_or(Part::Validation));
    let held = LatentLine::of_metrics(&metrics, of);
    let mut results = Results {
        notes: match metrics.is_empty() {
            true => vec![without_likelihood(ensemble, dataset)],
            false => held.and_then(|held| held.collapse(config.objective.kind.name())).into_iter().collect(),
        },
        metrics,
        data: dataset.name.clone(),
        data_sha256: dataset.fingerprint.clone(),
        members: None,
        parameters: ensemble.members().map(Module::num_params).sum(),
        weights_sha256: weights_sha256(ensemble.members()),
        target: Names::header(&[&dataset.names.target]),
        classes: dataset.names.classes.clone(),
        warnings: dataset.warnings.clone(),
        transforms: dataset.transforms.clone(),
        entropy: dataset.entropy,
    };
    results.name_mixture(ensemble, &dataset.test, device)?;
    Ok(results)
}

/// What the samples of a model are held against.
#[derive(Clone, Copy, Debug)]
pub struct Against<'a> {
    /// The folder of the run that trained a classifier, whose features are compared.
    pub classifier: &'a Path,
    /// Examples of this split, which is not the training split.
    pub part: Part,
    /// As many samples at the most; `None`: as many as there are examples, at most 10,000.
    pub samples: Option<usize>,
}

/// What a model generates against examples that it has not seen, by the features of a classifier: Fréchet and kernel distances, precision and
/// recall and their kin.
///
/// # Errors
/// A model that does not generate, a run that is no classifier of such images, data that cannot be read any more.
pub fn generation<C>(
    model: &dyn Model,
    config: &Config<C>,
    dataset: &Dataset,
    device: &Device,
    against: Against<'_>,
) -> Result<Vec<Metric>> {
    let Against { classifier, part, samples } = against;
    let subject = Subject::new(model, config, dataset, device).with_part(Some(part));
    measure::generation(&subject, classifier, samples)
}

impl Results {
    /// The results in a file that a run wrote.
    ///
    /// # Errors
    /// A file that cannot be read, or that was changed.
    pub fn read(path: &Path) -> Result<Self> {
        let refuse = |what: String| Error::input(format!("{}: {what}; restore it as the run wrote it", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
        serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))
    }

    /// The metric of this measure on this split.
    pub fn metric(&self, measure: &str, split: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.measure == measure && metric.split == split)
    }

    /// The results as JSON for programs, the same as in `result.json`.
    ///
    /// # Errors
    /// A number that JSON cannot hold.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|error| Error::run(format!("the results cannot be written as JSON: {error}")))
    }

    /// The results as a table for a terminal.
    pub fn table(&self) -> String {
        let (nats, others): (Vec<&Metric>, Vec<&Metric>) = self.metrics.iter().partition(|metric| metric.unit == NATS);
        let width = nats.iter().map(|metric| metric.quantity.len()).max().unwrap_or(0).max(8);
        let mut text = String::new();
        if !self.data_sha256.is_empty() {
            text.push_str(&format!("data: {}, sha256 {:.12}\n", self.data, self.data_sha256));
        }
        if !nats.is_empty() {
            text.push_str(&format!(
                "{:<11} {:<width$} {:>12} {:>9} {:>10} {:>9}  {}\n",
                "split", "quantity", NATS, "std error", "bits/dim", "examples", "estimator"
            ));
        }
        for Metric { split, quantity, value, standard_error, bits_per_dim, examples, estimator, .. } in nats {
            let bits = bits_per_dim.unwrap_or(f64::NAN);
            text.push_str(&format!(
                "{split:<11} {quantity:<width$} {value:>12.4} {standard_error:>9.4} {bits:>10.4} {examples:>9}  {estimator}\n"
            ));
        }
        text.push_str(&measure::token_table(&self.metrics));
        text.push_str(&self.members.as_ref().map_or(String::new(), Members::table));
        for metric in others {
            let Metric { split, quantity, estimator, .. } = metric;
            let Rounded { value, error, unit } = metric.rounded();
            // What has no error, such as a distance, is told without.
            let error = error.map_or(String::new(), |error| format!(" ± {error}"));
            text.push_str(&format!("{split} {quantity} {value}{error} {unit}, {estimator}\n"));
        }
        if let Some(entropy) = self.entropy {
            text.push_str(&format!(
                "entropy of the data's distribution {entropy:.4} nats/example: no NLL is lower on average\n"
            ));
        }
        for sentence in &self.warnings {
            text.push_str(&format!("warning: {sentence}\n"));
        }
        for sentence in &self.notes {
            text.push_str(&format!("note: {sentence}\n"));
        }
        for sentence in &self.transforms {
            text.push_str(&format!("transform: {sentence}\n"));
        }
        text
    }
}
