//! Measures of a trained model on data: one file each, one line each in `MEASURES`. Each asks for the capability that it needs and has
//! nothing to say of a model that lacks it.

mod accuracy;
mod annealed;
mod calibration;
mod classification;
mod counts;
pub(crate) mod generation;
mod importance;
mod labels;
mod latent;
mod likelihood;
mod reconstruction;
mod regression;
mod tokens;

use crate::config::{Config, EvaluationConfig};
use crate::data::chunks::chunks;
use crate::data::summary::short;
use crate::data::{Dataset, Part, Split};
use crate::error::{Error, Result};
use crate::metrics::Line;
use burn::tensor::Device;
use dgm_core::estimate::Mean;
pub(crate) use dgm_core::host;
use dgm_core::random::Seed;
use dgm_models::{Batch, Model};
use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use calibration::{predicted_labels, predicted_numbers};
pub(crate) use generation::measure as generation;
pub(crate) use importance::log_prob_by_weights;
pub use latent::LatentLine;
pub(crate) use latent::diagnose;
pub use tokens::TokenMetrics;
pub(crate) use tokens::table as token_table;

/// From a model and its data to what there is to say of them.
type Measure = fn(&Subject<'_>) -> Result<Vec<Metric>>;

/// What is measured, in the order in which it is reported.
const MEASURES: &[Measure] = &[
    likelihood::measure,
    importance::measure,
    annealed::measure,
    latent::measure,
    labels::measure,
    accuracy::measure,
    classification::measure,
    reconstruction::measure,
    regression::measure,
    counts::measure,
    calibration::measure,
];

/// Evaluation batch size, where `micro_batch_size` is not smaller.
const AT_ONCE: usize = 256;

/// So many examples of a split, evenly over all of it, as the first may be easier than the rest; 0: all.
fn spread(split: &Split, examples: usize) -> Vec<usize> {
    let all = split.len();
    let few = if examples == 0 { all } else { examples.min(all) };
    (0..few).map(|i| i * all / few).collect()
}

/// What every metric on dequantised data is computed on: the noise is drawn once, not averaged over.
const DEQUANTIZED: &str = "one dequantised x + u per example";

/// One reported metric.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Metric {
    /// What measured it: `likelihood`, `importance_weighted`, `label_mixture`, `label_accuracy`, `accuracy`,
    /// `calibration`, `prediction`, `interval_likelihood`, `calibrated`, `reconstruction`, `generation`.
    pub measure: String,
    /// The split that it is of: `test`, or `validation`, which chose the checkpoint.
    pub split: String,
    /// What it is: `NLL` (exact), an upper bound of it, `-ELBO` (also where levels were dequantised) or the tighter `-IWAE`
    /// (importance-weighted); `accuracy`, `RMSE`, `CRPS` and so on.
    pub quantity: String,
    /// The mean over examples.
    pub value: f64,
    /// Its unit: [`NATS`], [`PROPORTION`], or that of what is predicted.
    pub unit: String,
    /// Standard error of the mean over examples, in the same unit; NaN (`null` in JSON) of one example, and of what has no such error.
    #[serde(deserialize_with = "number_or_null")]
    pub standard_error: f64,
    /// Number of examples.
    pub examples: usize,
    /// How it was computed.
    pub estimator: String,
    /// Of nats: the mean over the elements of a target that are scored, in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_dim: Option<f64>,
    /// Of nats: the same for each token, where the targets are tokens of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_token: Option<TokenMetrics>,
    /// Where it is a mean over examples: that of each, in their order, for comparisons of models on the same examples. Not in files.
    #[serde(skip)]
    pub values: Vec<f64>,
}

/// Equal as they are written: what has no standard error is equal to itself.
impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        let written = |metric: &Self| serde_json::to_value(metric).ok();
        written(self) == written(other)
    }
}

/// The unit of a likelihood.
pub const NATS: &str = "nats/example";

/// The unit of an accuracy: from 0 to 1.
pub const PROPORTION: &str = "proportion";

/// A metric as people read it.
pub(crate) struct Rounded {
    pub(crate) value: String,
    /// `None`: it has no standard error.
    pub(crate) error: Option<String>,
    pub(crate) unit: String,
}

/// What stands behind a value: a proportion is shown in percent.
pub(crate) fn shown_unit(unit: &str) -> &str {
    if unit == PROPORTION { "%" } else { unit }
}

/// JSON has no NaN.
fn number_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<f64, D::Error> {
    Option::<f64>::deserialize(deserializer).map(|number| number.unwrap_or(f64::NAN))
}

impl Metric {
    /// Of the −log p of each example of a split, in nats.
    fn of_nats(measure: &str, split: (&str, &Split), quantity: &str, estimator: String, nats: &[f64]) -> Result<Self> {
        let (name, split) = split;
        let mean = Mean::of(nats);
        if !mean.mean.is_finite() {
            return Err(Error::run(format!(
                "the {quantity} on the {name} split is {}: the model is not usable",
                mean.mean
            )));
        }
        Ok(Self {
            measure: measure.into(),
            split: name.into(),
            quantity: quantity.into(),
            value: mean.mean,
            unit: NATS.into(),
            standard_error: mean.standard_error,
            examples: mean.n,
            estimator,
            bits_per_dim: Some(split.bits_per_dim(mean.mean)),
            per_token: tokens::metrics(split, nats)?,
            values: nats.to_vec(),
        })
    }

    /// Four decimals of nats, two of percent, and the first five digits of other values.
    pub(crate) fn rounded(&self) -> Rounded {
        let round = |value: f64| match self.unit.as_str() {
            NATS => format!("{value:.4}"),
            PROPORTION => format!("{:.2}", 100.0 * value),
            _ => short(value),
        };
        let Self { value, standard_error: error, unit, .. } = self;
        let unit = if unit == "units" && *value == 1.0 { "unit" } else { shown_unit(unit) };
        Rounded { value: round(*value), error: (!error.is_nan()).then(|| round(*error)), unit: unit.into() }
    }

    /// With the value of each example.
    fn with_values(self, values: Vec<f64>) -> Self {
        Self { values, ..self }
    }

    /// Of the mean of something over the examples of a split, in a unit other than nats.
    fn of_mean(
        measure: &str,
        split: &str,
        quantity: &str,
        unit: &str,
        mean: Mean,
        estimator: impl Into<String>,
    ) -> Self {
        Self {
            measure: measure.into(),
            split: split.into(),
            quantity: quantity.into(),
            value: mean.mean,
            unit: unit.into(),
            standard_error: mean.standard_error,
            examples: mean.n,
            estimator: estimator.into(),
            bits_per_dim: None,
            per_token: None,
            values: Vec::new(),
        }
    }

    /// Of labels that are right (1) or not (0), with the error √(a (1 − a) / n).
    fn of_accuracy(measure: &str, split: &str, estimator: &str, right: Vec<f64>) -> Self {
        let n = right.len();
        let accuracy = right.iter().sum::<f64>() / n as f64;
        let standard_error = (accuracy * (1.0 - accuracy) / n as f64).sqrt();
        let mean = Mean { mean: accuracy, standard_error, n };
        Self::of_mean(measure, split, "accuracy", PROPORTION, mean, estimator).with_values(right)
    }
}

/// A model and the data that it is measured on.
pub(crate) struct Subject<'a> {
    pub(crate) model: &'a dyn Model,
    /// The same on a device with autodiff, where a measure may ask for it.
    gradients: Option<&'a dyn Model>,
    pub(crate) dataset: &'a Dataset,
    /// What its training wrote, where somebody looks at that.
    pub(crate) lines: &'a [Line],
    config: &'a EvaluationConfig,
    /// Samples of the importance-weighted bound that chose the checkpoint, where it is trained by one.
    chosen_by: Option<usize>,
    on: Scoring<'a>,
    /// The one split that is asked for.
    part: Option<Part>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new<C>(
        model: &'a dyn Model,
        config: &'a Config<C>,
        dataset: &'a Dataset,
        device: &'a Device,
    ) -> Self {
        let (on, chosen_by) = (Scoring::of(config, device), trained_by_weights(config));
        let config = &config.evaluation;
        Self { model, gradients: None, dataset, lines: &[], config, chosen_by, on, part: None }
    }

    /// With a copy of the model on a device with autodiff.
    pub(crate) fn with_gradients(self, gradients: Option<&'a dyn Model>) -> Self {
        Self { gradients, ..self }
    }

    /// With the lines that training wrote.
    pub(crate) fn with_lines(self, lines: &'a [Line]) -> Self {
        Self { lines, ..self }
    }

    pub(crate) fn device(&self) -> &'a Device {
        self.on.device
    }

    /// Measured on this split alone; `None`: on the test split, and what chose the checkpoint on the validation split too.
    pub(crate) fn with_part(self, part: Option<Part>) -> Self {
        Self { part, ..self }
    }

    /// The split that results are of.
    pub(crate) fn reported(&self) -> (&'static str, &'a Split) {
        self.dataset.part(self.part.unwrap_or_default())
    }

    /// That split, and the validation split where none is asked for.
    fn splits(&self) -> impl Iterator<Item = (&'static str, &'a Split)> + use<'a> {
        let beside = if self.part.is_none() { Some(self.dataset.part(Part::Validation)) } else { None };
        std::iter::once(self.reported()).chain(beside)
    }

    /// An estimator of a model that is conditioned on a label: its value is not that of the target alone.
    fn given_label(&self, estimator: String) -> String {
        let classes = labels::classes(self.model.spec());
        if classes.is_some() { format!("{estimator}, given the label") } else { estimator }
    }
}

/// Whether the model can be measured as the configuration says: found before it is trained. `name` is what messages call a key of
/// `[evaluation]`.
///
/// # Errors
/// A key that is not for it, and why.
pub(crate) fn check(
    config: &EvaluationConfig,
    model: &dyn Model,
    device: &Device,
    name: impl Fn(&'static str) -> String,
) -> Result<()> {
    if config.annealed.is_some() {
        annealed::check(model, &name("annealed"))?;
    }
    let Some(latent) = model.latent().filter(|_| config.importance_samples > 0) else { return Ok(()) };
    importance::check(latent, model.spec(), config.proposal_scale, device, &name("proposal_scale"))
}

/// Everything that there is to say of a model: the split that results are of first.
///
/// # Errors
/// A likelihood that is not finite, or data that cannot be read any more.
pub(crate) fn all(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let mut metrics = Vec::new();
    for measure in MEASURES {
        metrics.extend(measure(subject)?);
    }
    let (reported, _) = subject.reported();
    metrics.sort_by_key(|metric| metric.split != reported);
    Ok(metrics)
}

/// The mean of the model's [criterion](Model::criterion) on the validation split, or of the importance-weighted bound where it is trained by that:
/// with the same noise each time, so that epochs compare. `None`: there is none.
///
/// # Errors
/// Data that cannot be read any more.
pub fn validation_loss<C>(
    model: &dyn Model,
    config: &Config<C>,
    split: &Split,
    device: &Device,
) -> Result<Option<f64>> {
    let on = Scoring::of(config, device);
    let weighted = model.latent().zip(trained_by_weights(config));
    let mut total = 0.0;
    for (index, batch) in batches(split, on) {
        let (batch, mut noise) = (batch?, on.seed.stream("validation", index as u64));
        total += match weighted {
            Some((latent, k)) => -log_prob_by_weights(latent, &batch, k, &mut noise)?.iter().sum::<f64>(),
            None => match model.criterion(&batch, &mut noise) {
                Some(losses) => host(losses).iter().sum::<f64>(),
                None => return Ok(None),
            },
        };
    }
    Ok(Some(total / split.len() as f64))
}

/// Samples of the importance-weighted bound that the model is trained by, where it is.
fn trained_by_weights<C>(config: &Config<C>) -> Option<usize> {
    Some(config.objective.kind.importance_samples()).filter(|&k| k > 1)
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
    fn of<C>(config: &Config<C>, device: &'a Device) -> Self {
        let at_once = config.training.micro_batch_size.map_or(AT_ONCE, |most| most.clamp(1, AT_ONCE));
        Self { device, seed: Seed(config.seed), at_once }
    }
}

/// A bound's estimator, on dequantised data with the noise that it was computed with.
fn with_noise(text: String, dequantized: bool) -> String {
    if dequantized { format!("{text}, {DEQUANTIZED}") } else { text }
}

/// The split in batches, each with its index.
fn batches<'a>(split: &'a Split, on: Scoring<'a>) -> impl Iterator<Item = (usize, Result<Batch>)> + 'a {
    batches_of(split, (0..split.len()).collect(), on)
}

/// The same of some of its examples.
fn batches_of<'a>(
    split: &'a Split,
    examples: Vec<usize>,
    on: Scoring<'a>,
) -> impl Iterator<Item = (usize, Result<Batch>)> + 'a {
    let all = chunks(examples.len(), on.at_once).enumerate();
    all.map(move |(index, places)| {
        let rows: Vec<usize> = places.into_iter().map(|place| examples[place]).collect();
        (index, split.unaugmented(&rows, on.device))
    })
}
