//! Runs side by side on the same test examples: what each measured, and how far apart they are, with the standard error of the differences
//! example by example.

use crate::backend::Backend;
use crate::config::Config;
use crate::data::{Dataset, Fingerprint};
use crate::error::{Error, Result};
use crate::evaluate::evaluate;
use crate::measure::{Metric, PROPORTION, shown_unit};
use crate::report::aligned::aligned;
use crate::report::page;
use crate::run_folder::RunFolder;
use dgm_core::estimate::Mean;
use dgm_models::{AnyModel, Ensemble, Model};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Differences are called so where they are this many standard errors away from 0: once in twenty times by chance.
const SURE: f64 = 1.96;

/// Runs and what was measured of them, the first being what the others are held against.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The runs' folders.
    pub runs: Vec<PathBuf>,
    /// The data.
    pub data: String,
    /// SHA-256 over the data's sources.
    pub data_sha256: String,
    /// Number of test examples.
    pub examples: usize,
    /// What was measured.
    pub rows: Vec<Row>,
}

/// One quantity of all runs.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What measured it.
    pub measure: String,
    /// What it is, of the first run that has it.
    pub quantity: String,
    /// Its unit.
    pub unit: String,
    /// Of each run; `None`: it has no such thing.
    pub cells: Vec<Option<Cell>>,
}

/// What one run has.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// What it is: of a likelihood it may be a bound.
    pub quantity: String,
    /// The mean over examples.
    pub value: f64,
    /// Its standard error; NaN (`null`): unknown.
    pub standard_error: f64,
    /// How it was computed.
    pub estimator: String,
    /// From the first run's value, where both are means over the same examples.
    pub difference: Option<Difference>,
}

/// The mean difference of two runs over the same examples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// This run's value less the first run's.
    pub value: f64,
    /// The standard error of that mean, from the differences of each example.
    pub standard_error: f64,
    /// What to call it.
    pub verdict: Verdict,
}

/// What a difference is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Above the first run's by more than 1.96 standard errors.
    Higher,
    /// Below it by as much.
    Lower,
    /// Neither: chance alone would do as much.
    NotSignificant,
}

impl Verdict {
    /// In words.
    fn name(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::NotSignificant => "not significant",
        }
    }
}

impl Difference {
    /// Of the values of the same examples, in the same order: `b` less `a`. `None`: there are not as many, fewer than two, or some are not finite.
    pub fn of(a: &[f64], b: &[f64]) -> Option<Self> {
        if a.len() != b.len() || a.len() < 2 {
            return None;
        }
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
        let Mean { mean, standard_error, .. } = Mean::of(&differences);
        if !mean.is_finite() {
            return None;
        }
        let verdict = match mean {
            mean if mean > SURE * standard_error => Verdict::Higher,
            mean if mean < -SURE * standard_error => Verdict::Lower,
            _ => Verdict::NotSignificant,
        };
        Some(Self { value: mean, standard_error, verdict })
    }
}

/// How to compare.
#[derive(Clone, Debug, Default)]
pub struct CompareOptions {
    /// Importance samples of every run with latent variables, instead of each run's own.
    pub importance_samples: Option<usize>,
    /// The backend; `None`: each run's own.
    pub backend: Option<String>,
    /// New paths of data that have moved, as `data.path=table.csv`.
    pub moved: Vec<String>,
}

/// Evaluates runs on their common test split and compares them with the first.
///
/// # Errors
/// Fewer than two runs, runs on different data or test examples, runs that cannot be evaluated, or that have nothing in common.
pub fn compare(runs: &[PathBuf], options: &CompareOptions) -> Result<Comparison> {
    if runs.len() < 2 {
        return Err(Error::input("compare: found fewer than two runs; expected two or more; name another run"));
    }
    // Everything is read and checked before anything is computed.
    let all: Vec<Opened> = runs.iter().map(|path| Opened::of(path, options)).collect::<Result<_>>()?;
    let Some((first, rest)) = all.split_first() else { return Err(Error::run("no run to compare")) };
    rest.iter().try_for_each(|other| first.check(other))?;
    if options.importance_samples.is_some() && all.iter().all(|run| run.model.latent().is_none()) {
        return Err(Error::input(
            "--importance-samples is for models with latent variables, and none of these runs has such a model; leave it out",
        ));
    }
    let metrics: Vec<Vec<Metric>> = all.iter().map(Opened::evaluate).collect::<Result<_>>()?;
    let rows = rows(&metrics);
    if rows.is_empty() {
        return Err(Error::input(format!(
            "these runs have no measure in common ({}); name runs of models that can do the same",
            all.iter()
                .zip(&metrics)
                .map(|(run, metrics)| format!(
                    "{} has {}",
                    run.path.display(),
                    match metrics.first() {
                        None => "none: it has no likelihood".to_owned(),
                        Some(metric) => metric.quantity.clone(),
                    }
                ))
                .collect::<Vec<_>>()
                .join(", ")
        )));
    }
    Ok(Comparison {
        runs: runs.to_vec(),
        data: first.dataset.name.clone(),
        data_sha256: first.dataset.fingerprint.clone(),
        examples: first.dataset.test.len(),
        rows,
    })
}

/// A run, its model and its data.
struct Opened {
    path: PathBuf,
    config: Config,
    backend: Backend,
    model: Ensemble<AnyModel>,
    dataset: Dataset,
    /// SHA-256 over the test targets as the model sees them.
    targets: String,
}

impl Opened {
    fn of(path: &Path, options: &CompareOptions) -> Result<Self> {
        let folder = RunFolder::open(path)?;
        let backend = Backend::open_or(options.backend.as_deref(), &folder.provenance()?.backend)?;
        let mut config: Config = folder.config_with_moved_data(&options.moved)?;
        if let Some(k) = options.importance_samples {
            config.evaluation.importance_samples = k;
        }
        let dataset = folder.dataset(&config)?;
        let model = folder.model(&config, &dataset.spec, &backend.device)?;
        let mut hash = Fingerprint::default();
        dataset.test.target.each_row(|_, row| row.iter().for_each(|number| hash.update(&number.to_le_bytes())))?;
        Ok(Self { path: path.to_owned(), config, backend, model, dataset, targets: hash.finish() })
    }

    /// Whether the other is measured on the same examples.
    fn check(&self, other: &Self) -> Result<()> {
        let refuse = |what: String, instead: &str| {
            let [first, second] = [&self.path, &other.path].map(|path| path.display());
            Err(Error::input(format!("{first} and {second} cannot be compared: {what}; {instead}")))
        };
        let [a, b] = [&self.dataset, &other.dataset];
        if a.fingerprint != b.fingerprint {
            let what = format!(
                "their data differ ({}, sha256 {:.12}, and {}, sha256 {:.12})",
                a.name, a.fingerprint, b.name, b.fingerprint
            );
            return refuse(what, "name runs on the same data");
        }
        let values = |dataset: &Dataset| {
            (dataset.spec.shape, std::mem::discriminant(&dataset.spec.values), dataset.spec.levels())
        };
        if values(a) != values(b) {
            let instead = "name runs with the same target and the same binarisation or dequantisation";
            return refuse("their targets differ".into(), instead);
        }
        if self.targets != other.targets {
            let what = format!("their test examples differ ({} and {})", a.test.len(), b.test.len());
            return refuse(what, "name runs with the same splits, transforms and seed of the data");
        }
        Ok(())
    }

    /// What is measured of it on the test split; what is given a condition says so.
    fn evaluate(&self) -> Result<Vec<Metric>> {
        let mut metrics = evaluate(&self.model, &self.config, &self.dataset, &self.backend.device)?.metrics;
        metrics.retain(|metric| metric.split == "test");
        // An augmentation that is an input is none of a test example.
        let given = self.dataset.spec.condition.as_ref().filter(|condition| condition.augmentation < condition.width());
        let given =
            given.map(|condition| if condition.classes.is_some() { "given the label" } else { "given the condition" });
        for metric in metrics.iter_mut().filter(|metric| OF_X.contains(&metric.measure.as_str())) {
            given.into_iter().for_each(|given| metric.quantity = format!("{} {given}", metric.quantity));
        }
        Ok(metrics)
    }
}

/// Measures of p(x) and of q(z | x), or of p(x | c) and q(z | x, c) where there is a condition.
const OF_X: [&str; 4] = ["likelihood", "importance_weighted", "annealed", "latent"];

/// Every quantity that two runs or more have, in the order of the first that has it.
fn rows(all: &[Vec<Metric>]) -> Vec<Row> {
    // A likelihood and a bound of it answer the same question, and so does the mixture over labels of what is given one.
    let key = |metric: &Metric| match metric.measure.as_str() {
        "label_mixture" => ("likelihood".to_owned(), String::new(), metric.unit.clone()),
        "likelihood" => {
            let given = metric.quantity.split_once(" given ").map_or(String::new(), |(_, given)| given.to_owned());
            (metric.measure.clone(), given, metric.unit.clone())
        }
        _ => (metric.measure.clone(), metric.quantity.clone(), metric.unit.clone()),
    };
    let mut keys = Vec::new();
    for metric in all.iter().flatten() {
        if !keys.contains(&key(metric)) {
            keys.push(key(metric));
        }
    }
    let of_key = |wanted: &(String, String, String)| {
        let found: Vec<Option<&Metric>> =
            all.iter().map(|metrics| metrics.iter().find(|metric| key(metric) == *wanted)).collect();
        let shared = found.iter().flatten().count() > 1;
        let first = found.first().copied().flatten();
        let cell = |(place, metric): (usize, &Option<&Metric>)| {
            let metric = (*metric)?;
            let against = first.filter(|_| place > 0);
            let difference = against.and_then(|first| Difference::of(&first.values, &metric.values));
            Some(Cell {
                quantity: metric.quantity.clone(),
                value: metric.value,
                standard_error: metric.standard_error,
                estimator: metric.estimator.clone(),
                difference,
            })
        };
        let named = found.iter().flatten().next()?;
        shared.then(|| Row {
            measure: wanted.0.clone(),
            quantity: named.quantity.clone(),
            unit: named.unit.clone(),
            cells: found.iter().enumerate().map(cell).collect(),
        })
    };
    keys.iter().filter_map(of_key).collect()
}

/// How a comparison is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Format {
    /// Columns for a terminal
    #[default]
    Table,
    /// A Markdown table
    Markdown,
    /// Comma-separated values
    Csv,
    /// A web page
    Html,
    /// JSON, with estimators
    Json,
}

/// A cell of a written comparison, and its number and standard error as they are, where it has them.
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) exact: Option<[f64; 2]>,
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        Self { text, exact: None }
    }
}

impl Comparison {
    /// In this format.
    ///
    /// # Errors
    /// A number that JSON cannot hold.
    pub fn write(&self, format: Format) -> Result<String> {
        let text = |line: Vec<Shown>| line.into_iter().map(|shown| shown.text).collect();
        let cells: Vec<Vec<String>> = self.lines().into_iter().map(text).collect();
        Ok(match format {
            Format::Table => aligned(&cells) + &self.remark(),
            Format::Markdown => markdown(&cells) + "\n" + &self.remark(),
            Format::Csv => csv(&self.records())?,
            Format::Html => page::of_comparison(self),
            Format::Json => serde_json::to_string_pretty(self)
                .map_err(|error| Error::run(format!("the comparison cannot be written as JSON: {error}")))?,
        })
    }

    pub(crate) fn remark(&self) -> String {
        let first = self.runs.first().map_or_else(String::new, |run| run.display().to_string());
        let differ = |row: &Row| row.cells.iter().flatten().any(|cell| cell.difference.is_some());
        if !self.rows.iter().any(differ) {
            return format!("{} test examples of {} (sha256 {:.12})\n", self.examples, self.data, self.data_sha256);
        }
        format!(
            "{} test examples of {} (sha256 {:.12}); differences are from {first}, ± the standard error over the same examples; \"higher\" and \
             \"lower\" are more than {SURE} of those away from 0\n",
            self.examples, self.data, self.data_sha256
        )
    }

    /// A header, and a record for each quantity of each run, with every digit of its numbers.
    fn records(&self) -> Vec<Vec<String>> {
        let header = [
            "measure",
            "quantity",
            "unit",
            "run",
            "value",
            "standard_error",
            "difference",
            "difference_standard_error",
            "verdict",
        ];
        let mut all = vec![header.map(str::to_owned).to_vec()];
        let number = |value: f64| if value.is_nan() { String::new() } else { value.to_string() };
        for Row { measure, unit, cells, .. } in &self.rows {
            for (run, cell) in self.runs.iter().zip(cells) {
                let Some(cell) = cell else { continue };
                let difference = cell.difference.map_or_else(Default::default, |of| {
                    [number(of.value), number(of.standard_error), of.verdict.name().to_owned()]
                });
                let value = [number(cell.value), number(cell.standard_error)];
                let named = [measure.clone(), cell.quantity.clone(), unit.clone(), run.display().to_string()];
                all.push(named.into_iter().chain(value).chain(difference).collect());
            }
        }
        all
    }

    /// A header, and for each quantity a line of values and one of differences.
    pub(crate) fn lines(&self) -> Vec<Vec<Shown>> {
        let name = |run: &PathBuf| run.file_name().unwrap_or(run.as_os_str()).to_string_lossy().into_owned();
        let header = std::iter::once(String::new()).chain(self.runs.iter().map(name));
        let mut all = vec![header.map(Shown::from).collect::<Vec<_>>()];
        for Row { quantity, unit, cells, .. } in &self.rows {
            let (factor, shown) = (if unit == PROPORTION { 100.0 } else { 1.0 }, shown_unit(unit));
            let number = |value: f64, error: f64| match error.is_nan() {
                true => digits(factor * value),
                false => format!("{} ± {}", digits(factor * value), digits(factor * error)),
            };
            let value = |cell: &Option<Cell>| match cell {
                None => Shown::from("–".to_owned()),
                Some(cell) => {
                    let text = number(cell.value, cell.standard_error);
                    let same = cell.quantity == *quantity;
                    let text = if same { text } else { format!("{text} ({})", cell.quantity) };
                    Shown { text, exact: Some([cell.value, cell.standard_error]) }
                }
            };
            let line = std::iter::once(Shown::from(format!("{quantity}, {shown}")));
            all.push(line.chain(cells.iter().map(value)).collect());
            let difference = |cell: &Option<Cell>| match cell.as_ref().and_then(|cell| cell.difference) {
                None => Shown::from(String::new()),
                Some(Difference { value, standard_error, verdict }) => {
                    let sign = if value >= 0.0 { "+" } else { "" };
                    let text = format!("{sign}{} {}", number(value, standard_error), verdict.name());
                    Shown { text, exact: Some([value, standard_error]) }
                }
            };
            if cells.iter().flatten().any(|cell| cell.difference.is_some()) {
                let line = std::iter::once(Shown::from("difference".to_owned()));
                all.push(line.chain(cells.iter().map(difference)).collect());
            }
        }
        all
    }
}

/// Three digits behind the point, or as many as a small number has.
fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        1e-2.. => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}

fn markdown(cells: &[Vec<String>]) -> String {
    let line = |row: &Vec<String>| {
        format!("| {} |\n", row.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | "))
    };
    let rule = format!("|{}\n", " --- |".repeat(cells.first().map_or(0, Vec::len)));
    cells.iter().enumerate().map(|(place, row)| if place == 0 { line(row) + &rule } else { line(row) }).collect()
}

fn csv(cells: &[Vec<String>]) -> Result<String> {
    let cannot = |error: String| Error::run(format!("the comparison cannot be written as CSV: {error}"));
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    for row in cells {
        writer.write_record(row).map_err(|error| cannot(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| cannot(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| cannot(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dgm_core::random::Seed;

    fn pair(seed: u64, shift: f64) -> Difference {
        // What examples have in common is large beside what the models differ by.
        let n = 400;
        let rng = &mut Seed(seed).stream("values", 0);
        let (common, own) = (rng.normals(n), rng.normals(2 * n));
        let value = |i: usize, model: usize| 10.0 * f64::from(common[i]) + f64::from(own[model * n + i]);
        let a: Vec<f64> = (0..n).map(|i| value(i, 0)).collect();
        let b: Vec<f64> = (0..n).map(|i| value(i, 1) + shift).collect();
        Difference::of(&a, &b).unwrap()
    }

    /// 200 repetitions: of equal models about one in twenty is called different, of different ones hardly any is not.
    #[test]
    fn noise_is_called_noise_and_a_difference_is_found() {
        let count = |shift: f64, wanted: Verdict| (0..200).filter(|&seed| pair(seed, shift).verdict == wanted).count();
        let none = count(0.0, Verdict::NotSignificant);
        assert!((180..=198).contains(&none), "{none}");
        // Four standard errors of √(2/400).
        assert!(count(0.28, Verdict::Higher) >= 190);
        assert!(count(-0.28, Verdict::Lower) >= 190);
        let found = pair(1, 0.28);
        assert!((found.standard_error / (2.0f64 / 400.0).sqrt() - 1.0).abs() < 0.15, "{found:?}");
    }

    #[test]
    fn what_has_no_pairs_has_no_difference() {
        assert_eq!(Difference::of(&[1.0, 2.0], &[1.0]), None);
        assert_eq!(Difference::of(&[1.0], &[2.0]), None);
        assert_eq!(Difference::of(&[1.0, f64::INFINITY], &[1.0, 2.0]), None);
    }
}
