//! Predictions of a trained model: what it says of a target, given a condition, in the units of the data.
//!
//! ```no_run
//! use dgm_train::backend::Backend;
//! use dgm_train::data::Matrix;
//! use dgm_train::predict::{Levels, Predicted, Predictor};
//! use dgm_train::run_folder::RunFolder;
//! use std::path::Path;
//!
//! # fn main() -> dgm_train::error::Result<()> {
//! let run = RunFolder::open(Path::new("runs/concrete"))?;
//! let predictor: Predictor = Predictor::open(&run, &Backend::open("flex")?)?;
//! let mixture = Matrix::new(1, 8, vec![540.0, 0.0, 0.0, 162.0, 2.5, 1040.0, 676.0, 28.0]);
//! let prediction = predictor.predict(&mixture, None, &Levels::of(&[0.05, 0.95], &predictor))?;
//! if let Predicted::Numbers { median, quantiles, .. } = &prediction.predicted {
//!     println!("{:.1} MPa, {:.1} to {:.1}", median.row(0)[0], quantiles[0].row(0)[0], quantiles[1].row(0)[0]);
//! }
//! # Ok(())
//! # }
//! ```

mod conformal;
mod impute;
mod marginals;
mod table;

use crate::backend::Backend;
use crate::config::{Config, ModelConfig};
use crate::data::chunks::chunks;
use crate::data::{Matrix, Names, Split};
use crate::error::{Error, Result};
use crate::run_folder::RunFolder;
use crate::threads;
use burn::tensor::{Device, Tensor, TensorData};
pub use conformal::Conformal;
use dgm_core::host;
use dgm_models::likelihood::Likelihood;
use dgm_models::{Batch, DataSpec, Ensemble, Model, ModelFactory, Scale, Values};
pub use impute::{ImputeOptions, impute_table};
pub(crate) use marginals::Marginals;
pub(crate) use table::Part;
pub use table::{Columns, TableOptions, predict_table};

/// The kinds of model that predict, as messages name them.
pub(crate) const KINDS: &str = "\"conditional_mlp\" or \"any_order_mlp\"";

/// Rows that a model sees at once: always so many, so that what it says of a row does not depend, to the last bit, on how many others are
/// asked for with it.
const ROWS: usize = 1024;

/// A trained model that predicts.
pub struct Predictor<C: ModelFactory = ModelConfig> {
    model: Ensemble<C::Model>,
    /// That of the model made wider or narrower, where it is calibrated.
    calibrated: Option<Likelihood>,
    names: Names,
    device: Device,
    /// Whether the device is a CPU, on which parts of the rows are predicted side by side.
    is_cpu: bool,
}

/// What is predicted of some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Of each row.
    pub predicted: Predicted,
    /// log p(y | x) of each row in nats, in the units of the data, where the target was given; NaN where it was not.
    pub log_prob: Option<Vec<f64>>,
}

/// What is predicted: one row each.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicted {
    /// Of numbers: `[rows, dimensions]`, in the units of the data.
    Numbers {
        /// E\[y | x\].
        mean: Matrix,
        /// The quantile of ½.
        median: Matrix,
        /// √Var\[y | x\], where it has a formula.
        std: Option<Matrix>,
        /// The quantiles that were asked for.
        quantiles: Vec<Matrix>,
    },
    /// Of a label: the probability of each class, `[rows, classes]`.
    Classes(Matrix),
}

/// Probabilities of quantiles, each of them for every dimension of the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels(Vec<Vec<f64>>);

impl Levels {
    /// The same for all dimensions.
    pub fn of<C: ModelFactory>(probabilities: &[f64], predictor: &Predictor<C>) -> Self {
        Self(probabilities.iter().map(|&p| vec![p; predictor.spec().event()]).collect())
    }

    /// These, and those of another after them.
    fn chain(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl<C: ModelFactory> Predictor<C> {
    /// What the run in this folder has learnt, from the folder alone.
    ///
    /// # Errors
    /// A run that is not trained, or whose model does not predict: see [`new`](Self::new).
    pub fn open(folder: &RunFolder, backend: &Backend) -> Result<Self> {
        let (config, provenance): (Config<C>, _) = (folder.config()?, folder.provenance()?);
        let model = folder.model(&config, &provenance.spec, &backend.device)?;
        let predictor = Self::new(model, provenance.names, backend.device.clone())?;
        Ok(Self { is_cpu: backend.is_eager(), ..predictor })
    }

    /// A model, with the names that the columns of its data have.
    ///
    /// # Errors
    /// A model that does not say what each dimension of its target is by itself: one of several that depend on each other, but in any order.
    pub fn new(model: Ensemble<C::Model>, names: Names, device: Device) -> Result<Self> {
        if Marginals::of(&model).is_none() {
            let (name, values) = (model.name(), model.spec().event());
            return Err(Error::input(match model.conditionals() {
                None => format!(
                    "the model \"{name}\" does not predict: expected one that says what each number or label is given others \
                     (model.kind = {KINDS}); train such a one, or use dgm-train sample or score"
                ),
                Some(_) => format!(
                    "the model \"{name}\" has a target of {values} values that depend on each other, or words beside numbers; expected one \
                     value, or numbers alone given a condition; use dgm-train sample or impute instead"
                ),
            }));
        }
        Ok(Self { model, calibrated: None, names, device, is_cpu: false })
    }

    /// The same with its uncertainty multiplied by the factor that −log p of these examples, such as those of validation, is least with: the
    /// temperature of a label's probabilities, the scale of the distribution of a number, or of each component of a mixture. Returns the factor too.
    ///
    /// # Errors
    /// Examples that cannot be read any more; counts, and targets that depend on each other.
    pub fn calibrate(self, examples: &Split) -> Result<(Self, f64)> {
        let marginals = self.marginals()?;
        let counts = self.spec().levels().is_some() && self.classes().is_none();
        if counts || !marginals.is_joint() {
            let found = if counts { "counts" } else { "targets that depend on each other" };
            return Err(Error::input(format!(
                "a calibration is of labels, and of numbers that do not depend on each other; this run's model is of {found}: leave \
                 --calibrate out"
            )));
        }
        let factor = calibration(marginals, examples, &self.device)?;
        let calibrated = Some(marginals.likelihood().calibrated(factor));
        Ok((Self { calibrated, ..self }, factor))
    }

    /// What the outputs of the model mean.
    fn likelihood(&self) -> Result<&Likelihood> {
        match &self.calibrated {
            Some(calibrated) => Ok(calibrated),
            None => Ok(self.marginals()?.likelihood()),
        }
    }

    /// The data that the model was built for.
    pub fn spec(&self) -> &DataSpec {
        self.model.spec()
    }

    /// What columns and classes are called.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Number of classes, where the target is a label: its levels have names, or no order. Counts are numbers.
    pub fn classes(&self) -> Option<usize> {
        let named = !self.names.classes.is_empty();
        let nominal = Marginals::of(&self.model).is_some_and(|marginals| marginals.likelihood().is_nominal());
        match self.spec().values {
            Values::Levels(levels) if self.spec().event() == 1 && (named || nominal) => Some(levels),
            _ => None,
        }
    }

    fn marginals(&self) -> Result<Marginals<'_>> {
        Marginals::of(&self.model).ok_or_else(|| no("distribution of each value by itself"))
    }

    /// What the model says of rows of conditions `[rows, width]`, in their own units, and of the log-probability of these targets
    /// `[rows, dimensions]` where they are given (NaN: not for this row).
    ///
    /// # Errors
    /// Rows of another width, and a likelihood without quantiles.
    pub fn predict(&self, condition: &Matrix, target: Option<&Matrix>, levels: &Levels) -> Result<Prediction> {
        let widths = [condition.width(), target.map_or(self.spec().event(), Matrix::width)];
        let expected = [self.spec().condition_width(), self.spec().event()];
        if widths != expected || target.is_some_and(|target| target.rows() != condition.rows()) {
            return Err(Error::input(format!(
                "found conditions of {} numbers and targets of {}; expected {} and {}, as many rows of each; give what the run was \
                 trained on",
                widths[0], widths[1], expected[0], expected[1]
            )));
        }
        let classes = self.classes();
        let part = |index: usize| {
            let rows = index * ROWS..condition.rows().min((index + 1) * ROWS);
            let mut parts = Parts::new(levels.0.len(), classes.is_some());
            let target = target.map(|all| padded(all, &rows));
            self.predict_some(&padded(condition, &rows), target, levels, rows.len(), &mut parts).map(|()| parts)
        };
        let mut parts = Parts::new(levels.0.len(), classes.is_some());
        for part in threads::map(condition.rows().div_ceil(ROWS), self.is_cpu, part) {
            parts.append(part?);
        }
        Ok(parts.finish(condition.rows(), expected[1], target.is_some(), classes))
    }

    /// The same of [`ROWS`] rows, of which the first `n` are wanted.
    fn predict_some(
        &self,
        condition: &[f64],
        target: Option<Vec<f64>>,
        levels: &Levels,
        n: usize,
        parts: &mut Parts,
    ) -> Result<()> {
        let (marginals, spec, event) = (self.marginals()?, self.spec(), self.spec().event());
        let condition = spec
            .condition
            .as_ref()
            .map(|described| self.upload(described.scale.standardize(condition), described.width()));
        // Where a target is not known, a number stands for it whose log-probability nobody sees.
        let known = target.as_ref().map(|target| target.iter().map(|y| !y.is_nan()).collect::<Vec<bool>>());
        let y: Vec<f64> = target.unwrap_or_else(|| vec![0.0; ROWS * event]);
        let y: Vec<f64> = y.into_iter().map(|y| if y.is_nan() { 0.0 } else { y }).collect();
        let y = match spec.scale() {
            Some(scale) => scale.standardize(&y),
            None => y.iter().map(|&y| y as f32).collect(),
        };
        let y = self.upload(y, event);
        let parameters = marginals.parameters(y.clone(), condition.as_ref());
        let likelihood = self.likelihood()?;
        if let Some(known) = known {
            let log_prob = match self.model.density().filter(|_| !marginals.is_joint()) {
                Some(density) => {
                    let batch = Batch { target: y, condition: condition.clone(), mask: None };
                    density.log_prob_elementwise(&batch).ok_or_else(|| no("log-probabilities"))?
                }
                None => likelihood.log_prob(parameters.clone(), y),
            };
            let log_prob = host(log_prob);
            let rows = log_prob.chunks(event).zip(known.chunks(event)).take(n);
            let of_row = |(log_prob, known): (&[f64], &[bool])| {
                if known.iter().all(|&known| known) { log_prob.iter().sum() } else { f64::NAN }
            };
            parts.log_prob.extend(rows.map(of_row));
        }
        if let Some(classes) = self.classes() {
            let table = likelihood.log_probs(parameters).ok_or_else(|| no("probabilities of its levels"))?;
            parts.mean.extend(host(table.exp()).iter().take(n * classes));
            return Ok(());
        }
        let distribution = likelihood.distribution(parameters);
        let mut take = |values: Vec<f64>, out: fn(&mut Parts) -> &mut Vec<f64>| {
            out(parts).extend(values.into_iter().take(n * event));
        };
        take(restored(spec, distribution.mean()), |parts| &mut parts.mean);
        if let Some(variance) = distribution.variance() {
            take(in_units(spec, variance.sqrt()), |parts| &mut parts.std);
        }
        let quantile = |of_dimensions: &[f64]| -> Result<Vec<f64>> {
            // The ends of an interval of all numbers are no quantiles.
            let within = |p: f64| if p > 0.0 && p < 1.0 { p as f32 } else { 0.5 };
            let p = self.upload(of_dimensions.iter().map(|&p| within(p)).cycle().take(ROWS * event).collect(), event);
            let values = restored(spec, distribution.quantile(p).ok_or_else(|| no("quantiles"))?);
            let bound = |(value, &p): (f64, &f64)| match p {
                ..=0.0 => f64::NEG_INFINITY,
                1.0.. => f64::INFINITY,
                _ => value,
            };
            Ok(values.into_iter().zip(of_dimensions.iter().cycle()).map(bound).collect())
        };
        take(quantile(&vec![0.5; event])?, |parts| &mut parts.median);
        for (level, of_dimensions) in levels.0.iter().enumerate() {
            let values = quantile(of_dimensions)?;
            if let Some(part) = parts.quantiles.get_mut(level) {
                part.extend(values.into_iter().take(n * event));
            }
        }
        Ok(())
    }

    /// P(Y ≤ y | x) of each dimension of each row.
    fn cdf(&self, condition: Option<&Tensor<2>>, y: Tensor<2>) -> Result<Tensor<2>> {
        let marginals = self.marginals()?;
        let distribution = match &self.calibrated {
            Some(calibrated) => calibrated.distribution(marginals.parameters(y.clone(), condition)),
            None => marginals.distribution(y.clone(), condition),
        };
        distribution.cdf(y).ok_or_else(|| no("a distribution function"))
    }

    fn upload(&self, values: Vec<f32>, width: usize) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, [ROWS, width]), &self.device)
    }
}

fn no(what: &str) -> Error {
    Error::input(format!(
        "the likelihood of this run has no {what}; expected one that has, such as \"normal\" or \"categorical\"; train with another \
         model.likelihood"
    ))
}

/// These rows, the last of them again and again until there are [`ROWS`].
fn padded(matrix: &Matrix, rows: &std::ops::Range<usize>) -> Vec<f64> {
    let row = |row: usize| matrix.row(row.min(rows.end.saturating_sub(1)));
    (rows.start..rows.start + ROWS).flat_map(|place| row(place).iter().copied()).collect()
}

/// The factor of [`Likelihood::calibrated`] that −log p of these examples is least with.
pub(crate) fn calibration(marginals: Marginals<'_>, examples: &Split, device: &Device) -> Result<f64> {
    let outputs = |rows: Vec<usize>| -> Result<(Tensor<3>, Tensor<2>)> {
        let batch = examples.unaugmented(&rows, device)?;
        Ok((marginals.parameters(batch.target.clone(), batch.condition.as_ref()), batch.target))
    };
    let batches = chunks(examples.len(), ROWS).map(outputs).collect::<Result<Vec<_>>>()?;
    Ok(marginals.likelihood().fit_calibration(&batches))
}

/// Numbers of a batch in the units of the data.
fn restored(spec: &DataSpec, values: Tensor<2>) -> Vec<f64> {
    match spec.scale() {
        Some(scale) => scale.restore(&values.into_data().iter::<f32>().collect::<Vec<_>>()),
        None => host(values),
    }
}

/// Distances of a batch in the units of the data.
fn in_units(spec: &DataSpec, values: Tensor<2>) -> Vec<f64> {
    match spec.scale() {
        Some(Scale { std, .. }) => host(values).iter().zip(std.iter().cycle()).map(|(z, std)| z * std).collect(),
        None => host(values),
    }
}

/// Predictions that are put together.
struct Parts {
    mean: Vec<f64>,
    median: Vec<f64>,
    std: Vec<f64>,
    quantiles: Vec<Vec<f64>>,
    log_prob: Vec<f64>,
}

impl Parts {
    fn new(levels: usize, classes: bool) -> Self {
        let quantiles = if classes { Vec::new() } else { vec![Vec::new(); levels] };
        Self { mean: Vec::new(), median: Vec::new(), std: Vec::new(), quantiles, log_prob: Vec::new() }
    }

    /// These, and those of another after them.
    fn append(&mut self, other: Self) {
        let Self { mean, median, std, quantiles, log_prob } = other;
        for (all, more) in
            [(&mut self.mean, mean), (&mut self.median, median), (&mut self.std, std), (&mut self.log_prob, log_prob)]
        {
            all.extend(more);
        }
        self.quantiles.iter_mut().zip(quantiles).for_each(|(all, more)| all.extend(more));
    }

    fn finish(self, rows: usize, event: usize, scored: bool, classes: Option<usize>) -> Prediction {
        let log_prob = scored.then_some(self.log_prob);
        if let Some(classes) = classes {
            return Prediction { predicted: Predicted::Classes(Matrix::new(rows, classes, self.mean)), log_prob };
        }
        let matrix = |values| Matrix::new(rows, event, values);
        let std = (self.std.len() == self.mean.len()).then(|| matrix(self.std));
        let [mean, median] = [self.mean, self.median].map(matrix);
        let quantiles = self.quantiles.into_iter().map(matrix).collect();
        Prediction { predicted: Predicted::Numbers { mean, median, std, quantiles }, log_prob }
    }
}
