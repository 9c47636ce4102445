//! What a model's likelihood is on data: every figure with its quantity, estimator, standard error and count.

mod labels;
mod members;
mod tokens;

pub use tokens::TokenFigures;

use crate::config::Config;
use crate::data::{Dataset, Names, Split};
use crate::error::{Error, Result};
use crate::train::weights_sha256;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::estimate::{self, Mean};
use dgm_core::random::Seed;
use dgm_models::capability::{self, Capability};
use dgm_models::{AnyModel, Batch, DataSpec, Density, Ensemble, Estimator, Latent, Model, Values};
pub use members::{MemberFigure, Members};
use serde::Serialize;

/// Evaluation batch size, where `micro_batch_size` is not smaller.
const AT_ONCE: usize = 256;

/// Samples per example for a reported ELBO: its Monte-Carlo error is then far below the one over examples.
const ELBO_SAMPLES: usize = 32;

/// What every figure on dequantised data is computed on: the noise is drawn once, not averaged over.
const DEQUANTIZED: &str = "one dequantised x + u an example";

/// One reported likelihood.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LikelihoodRow {
    /// `NLL` (exact), or an upper bound of it: `-ELBO` (also where levels were dequantised), or the tighter `-IWAE`
    /// (importance-weighted).
    pub quantity: String,
    /// Mean over examples, in nats.
    pub nats_per_example: f64,
    /// Standard error of that mean over examples.
    pub standard_error: f64,
    /// The mean over the numbers of a target that are scored, in bits.
    pub bits_per_dim: f64,
    /// How it was computed.
    pub estimator: String,
    /// Number of examples.
    pub examples: usize,
    /// The same for each token, where the targets are tokens of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_token: Option<TokenFigures>,
}

/// A proportion of right labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// From 0 to 1.
    pub accuracy: f64,
    /// Its standard error, √(a (1 − a) / n).
    pub standard_error: f64,
    /// Number of examples.
    pub examples: usize,
}

impl Accuracy {
    fn of(right: usize, examples: usize) -> Self {
        let accuracy = right as f64 / examples as f64;
        Self { accuracy, standard_error: (accuracy * (1.0 - accuracy) / examples as f64).sqrt(), examples }
    }
}

/// Results of a run: `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// On the test split.
    pub test: LikelihoodRow,
    /// On the validation split, which chose the checkpoint.
    pub validation: LikelihoodRow,
    /// The importance-weighted bound on the test split, for models with latent variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_importance_weighted: Option<LikelihoodRow>,
    /// Of a model given the label: the test split without its labels, as the exact mixture over them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_label_mixture: Option<LikelihoodRow>,
    /// The same of the validation split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_label_mixture: Option<LikelihoodRow>,
    /// How often the label with the highest p(y) p(x | y) is the right one, on the test split: the model as a generative
    /// classifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_label_accuracy: Option<Accuracy>,
    /// Where the target is a label and its likelihood exact: how often the most probable label is the right one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<Accuracy>,
    /// Results of an ensemble's single members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Members>,
    /// Number of parameters of the model, of all members together.
    pub parameters: usize,
    /// SHA-256 over the weights, see [`weights_sha256`].
    pub weights_sha256: String,
    /// The columns of the target, where they have names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<String>,
    /// The classes of a label, where they have names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// What is odd about the data, so that the figures may mislead, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was done to the data that changes what the figures mean, a sentence each.
    pub transforms: Vec<String>,
    /// Entropy of the distribution that the data were drawn from, in nats per example, where it is known: the mean NLL of
    /// the true model, which no other is below, short of chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
}

/// Device, noise and batch size of an evaluation.
#[derive(Clone, Copy, Debug)]
struct Scoring<'a> {
    device: &'a Device,
    seed: Seed,
    at_once: usize,
}

impl<'a> Scoring<'a> {
    /// With the run's seed, and no more examples on the device than `training.micro_batch_size`, where there is one.
    fn of(config: &Config, device: &'a Device) -> Self {
        let at_once = config.training.micro_batch_size.map_or(AT_ONCE, |most| most.clamp(1, AT_ONCE));
        Self { device, seed: Seed(config.seed), at_once }
    }
}

/// All figures of a trained model, or of several as one.
///
/// # Errors
/// A likelihood that is not finite, or data that cannot be read any more.
pub fn evaluate(ensemble: &Ensemble, config: &Config, dataset: &Dataset, device: &Device) -> Result<Results> {
    let Dataset { validation, test, .. } = dataset;
    let (density, on) = (density_of(ensemble)?, Scoring::of(config, device));
    let (spec, k) = (ensemble.spec(), config.evaluation.importance_samples);
    let unlabelled = if config.evaluation.label_mixture { labels::figures(density, spec, dataset, on)? } else { None };
    let test_label_accuracy = unlabelled.as_ref().map(|figures| figures.accuracy);
    let (test_label_mixture, validation_label_mixture) =
        unlabelled.map(|figures| (figures.test, figures.validation)).unzip();
    let mut results = Results {
        test: likelihood(density, spec, test, on, "test")?,
        validation: likelihood(density, spec, validation, on, "validation")?,
        test_importance_weighted: match ensemble.latent().filter(|_| k > 0) {
            Some(latent) => Some(importance_weighted(latent, spec, test, on, k)?),
            None => None,
        },
        test_label_mixture,
        validation_label_mixture,
        test_label_accuracy,
        test_accuracy: accuracy(density, spec, test, on)?,
        members: None,
        parameters: ensemble.members().map(burn::module::Module::num_params).sum(),
        weights_sha256: weights_sha256(ensemble.members()),
        target: Names::header(&[&dataset.names.target]),
        classes: dataset.names.classes.clone(),
        warnings: dataset.warnings.clone(),
        transforms: dataset.transforms.clone(),
        entropy: dataset.entropy,
    };
    results.name_mixture(ensemble, density, test, device)?;
    Ok(results)
}

/// The model as a density.
///
/// # Errors
/// It has none.
fn density_of(model: &dyn Model) -> Result<&dyn Density> {
    Ok(capability::require(model.density(), Capability::Density, model)?)
}

/// The mean loss on the validation split, in nats: exact, or one sample of the ELBO an example with the same noise each
/// time, so that epochs compare.
///
/// # Errors
/// A model without a density, or data that cannot be read any more.
pub fn validation_loss(model: &AnyModel, config: &Config, split: &Split, device: &Device) -> Result<f64> {
    let (density, on) = (density_of(model)?, Scoring::of(config, device));
    let mut total = 0.0;
    for (index, batch) in batches(split, on) {
        let batch = batch?;
        let mut noise = on.seed.stream("validation", index as u64);
        total += host(density.log_prob(&batch, &mut noise)).iter().sum::<f64>();
    }
    Ok(-total / split.len() as f64)
}

fn likelihood(
    density: &dyn Density,
    spec: &DataSpec,
    split: &Split,
    on: Scoring<'_>,
    name: &str,
) -> Result<LikelihoodRow> {
    let samples = if density.estimator().is_exact() { 1 } else { ELBO_SAMPLES };
    let mut nats = Vec::with_capacity(split.len());
    for (index, batch) in batches(split, on) {
        let batch = batch?;
        let mut noise = on.seed.stream("evaluation", index as u64);
        let mut sums = vec![0.0; batch.len()];
        for _ in 0..samples {
            let log_prob = host(density.log_prob(&batch, &mut noise));
            sums.iter_mut().zip(log_prob).for_each(|(sum, value)| *sum -= value / samples as f64);
        }
        nats.extend(sums);
    }
    let (quantity, estimator) = match (density.estimator(), split.target.is_dequantized()) {
        (Estimator::Exact, false) => ("NLL", "exact".to_string()),
        // log P(x) ≥ E log p(x + u): the noise is a latent variable whose posterior is uniform.
        (Estimator::Exact, true) => ("-ELBO", format!("{DEQUANTIZED}, log p(x + u) exact")),
        (Estimator::LowerBound { computed }, dequantized) => {
            ("-ELBO", with_noise(format!("{samples} posterior samples an example, {computed}"), dequantized))
        }
    };
    row(split, quantity, given_label(spec, estimator), &nats, name)
}

/// −log (1/k Σᵢ wᵢ) of each example, one log-weight of each at a time: k costs time, not memory.
fn importance_weighted(
    latent: &dyn Latent,
    spec: &DataSpec,
    split: &Split,
    on: Scoring<'_>,
    k: usize,
) -> Result<LikelihoodRow> {
    let mut nats = Vec::with_capacity(split.len());
    for (index, batch) in batches(split, on) {
        let batch = batch?;
        let mut noise = on.seed.stream("importance", index as u64);
        let estimates = estimate::importance_weighted(k, 1, |_| latent.log_weight(&batch, &mut noise).unsqueeze_dim(1))
            .map_err(|error| Error::run(format!("the importance-weighted bound cannot be computed: {error}")))?;
        nats.extend(estimates.iter().map(|estimate| -estimate.log_prob));
    }
    let estimator = with_noise(format!("importance-weighted bound, k = {k}"), split.target.is_dequantized());
    row(split, "-IWAE", given_label(spec, estimator), &nats, "test")
}

/// An estimator of a model that is conditioned on a label: its figure is not that of the target alone.
fn given_label(spec: &DataSpec, estimator: String) -> String {
    if labels::classes(spec).is_some() { format!("{estimator}, given the label") } else { estimator }
}

/// A bound's estimator, on dequantised data with the noise that it was computed with.
fn with_noise(text: String, dequantized: bool) -> String {
    if dequantized { format!("{text}, {DEQUANTIZED}") } else { text }
}

fn row(split: &Split, quantity: &str, estimator: String, nats: &[f64], name: &str) -> Result<LikelihoodRow> {
    let mean = Mean::of(nats);
    if !mean.mean.is_finite() {
        return Err(Error::run(format!(
            "the {quantity} on the {name} split is {}: the model is not usable",
            mean.mean
        )));
    }
    Ok(LikelihoodRow {
        quantity: quantity.into(),
        nats_per_example: mean.mean,
        standard_error: mean.standard_error,
        bits_per_dim: split.bits_per_dim(mean.mean),
        estimator,
        examples: mean.n,
        per_token: tokens::figures(split, nats)?,
    })
}

/// Where the target is one label given a condition: how often the most probable label is the right one.
fn accuracy(density: &dyn Density, spec: &DataSpec, split: &Split, on: Scoring<'_>) -> Result<Option<Accuracy>> {
    let DataSpec { shape: [1, 1, 1], values: Values::Levels(classes), condition: Some(_) } = spec else {
        return Ok(None);
    };
    // A bound's most probable label is not the model's.
    if !density.estimator().is_exact() {
        return Ok(None);
    }
    let mut right = 0usize;
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
            right += usize::from(best == Some(label as usize));
        }
    }
    Ok(Some(Accuracy::of(right, split.len())))
}

/// The split in batches, each with its index.
fn batches<'a>(split: &'a Split, on: Scoring<'a>) -> impl Iterator<Item = (usize, Result<Batch>)> + 'a {
    let starts = (0..split.len()).step_by(on.at_once).enumerate();
    starts.map(move |(index, start)| {
        let rows: Vec<usize> = (start..split.len().min(start + on.at_once)).collect();
        (index, split.batch(&rows, 0, on.device))
    })
}

fn host(values: Tensor<1>) -> Vec<f64> {
    values.into_data().iter::<f64>().collect()
}

impl Results {
    /// The figures as JSON for programs, the same as in `result.json`.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|error| Error::run(format!("the results cannot be written as JSON: {error}")))
    }

    /// The figures as a table for a terminal.
    pub fn table(&self) -> String {
        let rows = [("test", Some(&self.test)), ("test", self.test_importance_weighted.as_ref())]
            .into_iter()
            .chain([("test", self.test_label_mixture.as_ref()), ("validation", Some(&self.validation))])
            .chain([("validation", self.validation_label_mixture.as_ref())]);
        let mut text = format!(
            "{:<11} {:<8} {:>12} {:>9} {:>10} {:>9}  {}\n",
            "split", "quantity", "nats/example", "std error", "bits/dim", "examples", "estimator"
        );
        let rows: Vec<_> = rows.filter_map(|(split, row)| row.map(|row| (split, row))).collect();
        for (split, row) in &rows {
            text.push_str(&format!(
                "{split:<11} {:<8} {:>12.4} {:>9.4} {:>10.4} {:>9}  {}\n",
                row.quantity, row.nats_per_example, row.standard_error, row.bits_per_dim, row.examples, row.estimator
            ));
        }
        text.push_str(&tokens::table(&rows));
        text.push_str(&self.members.as_ref().map_or(String::new(), Members::table));
        if let Some(Accuracy { accuracy, standard_error, .. }) = self.test_accuracy {
            text.push_str(&format!("test accuracy {:.2} ± {:.2} %\n", 100.0 * accuracy, 100.0 * standard_error));
        }
        if let Some(Accuracy { accuracy, standard_error, .. }) = self.test_label_accuracy {
            let [accuracy, standard_error] = [accuracy, standard_error].map(|share| 100.0 * share);
            text.push_str(&format!(
                "test label accuracy {accuracy:.2} ± {standard_error:.2} %, of the generative classifier argmax p(y) p(x | y)\n"
            ));
        }
        if let Some(entropy) = self.entropy {
            text.push_str(&format!(
                "entropy of the data's distribution {entropy:.4} nats/example, the least NLL there is\n"
            ));
        }
        for sentence in &self.warnings {
            text.push_str(&format!("warning: {sentence}\n"));
        }
        for sentence in &self.transforms {
            text.push_str(&format!("transform: {sentence}\n"));
        }
        text
    }
}
