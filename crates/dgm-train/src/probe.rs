//! What codes say of labels: linear and nearest-neighbour probes and clusters of a model's codes, beside the examples themselves and their
//! principal components of as many numbers.

use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor};
use dgm_core::estimate::{
    Agreement, EstimateError, Mean, PrincipalAxes, Scaling, SoftmaxFits, SoftmaxRegression, k_means, neighbours_vote,
};
use dgm_core::random::{Seed, Stream};
use dgm_models::{Capability, Model, network_target, require};
use serde::Serialize;

/// Examples per call of the model.
const AT_ONCE: usize = 256;

/// Penalties that a linear probe chooses from, the strongest first.
const PENALTIES: [f64; 7] = [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

/// Starts of k-means.
const STARTS: usize = 5;

/// The split that accuracies and clusters are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum ProbeSplit {
    /// The test split; linear probes choose on the validation split.
    #[default]
    Test,
    /// Every second example of the validation split, to choose between models by; linear probes choose on the others.
    Validation,
}

/// How to probe.
#[derive(Clone, Debug)]
pub struct ProbeOptions {
    /// Where accuracies and clusters are measured.
    pub split: ProbeSplit,
    /// Numbers of training labels that a probe is given; 0: all there are.
    pub labels: Vec<usize>,
    /// Draws of the examples whose labels those are, over which results are averaged.
    pub draws: usize,
    /// Neighbours that vote.
    pub neighbours: usize,
    /// Names the draws and the starts of k-means.
    pub seed: Seed,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self { split: ProbeSplit::Test, labels: vec![100, 1000, 0], draws: 3, neighbours: 5, seed: Seed(0) }
    }
}

/// What probes found.
#[derive(Clone, Debug, Serialize)]
pub struct Probes {
    /// The split of the examples that this was measured on.
    pub split: ProbeSplit,
    /// Accuracies.
    pub probes: Vec<Probed>,
    /// Clusters of those examples.
    pub clusters: Vec<Clustered>,
    /// Number of those examples.
    pub examples: usize,
    /// Number of classes.
    pub classes: usize,
    /// Neighbours that vote.
    pub neighbours: usize,
}

/// An accuracy: the mean over draws of labels.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Accuracy {
    /// The share of examples whose label was found.
    pub value: f64,
    /// Of the draws of labels and of the examples together.
    pub standard_error: f64,
}

/// Probes of one representation with so many labels.
#[derive(Clone, Debug, Serialize)]
pub struct Probed {
    /// `code`, `principal components` or `input`.
    pub representation: &'static str,
    /// Numbers of an example.
    pub numbers: usize,
    /// Training labels.
    pub labels: usize,
    /// Draws of them.
    pub draws: usize,
    /// Of softmax regression, its scaling and penalty chosen on other examples, see [`ProbeSplit`].
    pub linear: Accuracy,
    /// Of the vote of the nearest neighbours.
    pub neighbours: Accuracy,
}

/// Clusters of one representation by k-means, as many as there are classes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Clustered {
    /// As of [`Probed`].
    pub representation: &'static str,
    /// Share of examples with the most frequent label of their cluster.
    pub purity: f64,
    /// Share of examples with their cluster's label, each cluster with one of its own.
    pub accuracy: f64,
    /// Normalised mutual information.
    pub nmi: f64,
    /// Adjusted Rand index.
    pub ari: f64,
}

/// Features of a split, and its labels.
struct Part {
    features: Tensor<2>,
    labels: Vec<usize>,
}

impl Part {
    fn of(&self, rows: &[usize]) -> Self {
        let places: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
        let places = Tensor::from_ints(places.as_slice(), &self.features.device());
        let labels = rows.iter().filter_map(|&row| self.labels.get(row).copied()).collect();
        Self { features: self.features.clone().select(0, places), labels }
    }

    fn accuracy(&self, found: &[usize]) -> f64 {
        let right = found.iter().zip(&self.labels).filter(|(found, label)| found == label).count();
        right as f64 / self.labels.len().max(1) as f64
    }
}

/// Probes the codes of a model.
///
/// # Errors
/// A model that does not encode, data without labels or with one class only, options that do not fit, data that cannot be read any more.
pub fn probe(model: &dyn Model, dataset: &Dataset, options: &ProbeOptions, device: &Device) -> Result<Probes> {
    let encoder = require(model.encoder(), Capability::Represent, model)?;
    if let Some(&few) =
        options.labels.iter().filter(|&&labels| labels > 0).min().filter(|&&few| few < options.neighbours)
    {
        return Err(Error::input(format!(
            "--neighbours {}: there are {few} labels to vote; give as many neighbours or fewer, or more --labels",
            options.neighbours
        )));
    }
    let code = |batch: &dgm_models::Batch| encoder.encode(batch);
    // Where the label is the target, what it is predicted from is the input.
    let predicts = model.conditionals().is_some_and(|conditionals| conditionals.is_independent());
    if model.spec().condition.as_ref().is_some_and(|condition| condition.classes.is_some()) {
        return Err(Error::input(
            "the encoder of this model is given the label, so that its codes need not hold it; take a run without data.condition = \"label\"",
        ));
    }
    let input = |batch: &dgm_models::Batch| match &batch.condition {
        Some(condition) if predicts => condition.clone(),
        _ => network_target(model.spec(), batch.target.clone()),
    };
    let parts = |features: &dyn Fn(&dgm_models::Batch) -> Tensor<2>| -> Result<[Part; 3]> {
        let [train, validation] =
            [&dataset.train, &dataset.validation].map(|split| part(split, dataset, features, device));
        let (train, validation) = (train?, validation?);
        if options.split == ProbeSplit::Test {
            return Ok([train, validation, part(&dataset.test, dataset, features, device)?]);
        }
        let halves = [0, 1].map(|first| (first..validation.labels.len()).step_by(2).collect::<Vec<_>>());
        let [choosing, measured] = halves.map(|rows| validation.of(&rows));
        if measured.labels.is_empty() {
            return Err(Error::input(
                "the validation split has one example; expected two to choose and to measure by; leave out --split",
            ));
        }
        Ok([train, choosing, measured])
    };
    let inputs = parts(&input)?;
    let codes = parts(&code)?;
    let width = codes[0].features.dims()[1];
    let axes = PrincipalAxes::of(&inputs[0].features, width).map_err(failed)?;
    let projected =
        inputs.each_ref().map(|part| Part { features: axes.project(&part.features), labels: part.labels.clone() });
    let classes = inputs.iter().flat_map(|part| &part.labels).max().map_or(0, |most| most + 1);
    if classes < 2 {
        return Err(Error::input(format!(
            "{}: found one class only; expected two or more; give data with them",
            dataset.name
        )));
    }
    let mut found = Probes {
        split: options.split,
        probes: Vec::new(),
        clusters: Vec::new(),
        examples: inputs[2].labels.len(),
        classes,
        neighbours: options.neighbours,
    };
    for (name, parts) in [("code", &codes), ("principal components", &projected), ("input", &inputs)] {
        for &labels in &options.labels {
            found.probes.push(probed(name, parts, labels, classes, options)?);
        }
        let rng = &mut options.seed.stream("k-means", 0);
        let clusters = k_means(&parts[2].features, classes, STARTS, rng).map_err(failed)?;
        let Agreement { purity, matched, normalised_mutual_information: nmi, adjusted_rand_index: ari } =
            Agreement::of(&clusters, &parts[2].labels).map_err(failed)?;
        found.clusters.push(Clustered { representation: name, purity, accuracy: matched, nmi, ari });
    }
    Ok(found)
}

fn failed(error: EstimateError) -> Error {
    Error::run(format!("the codes cannot be probed: {error}; look at them with dgm-train encode"))
}

/// Features and labels of all examples of a split.
fn part(
    split: &Split,
    dataset: &Dataset,
    features: &dyn Fn(&dgm_models::Batch) -> Tensor<2>,
    device: &Device,
) -> Result<Part> {
    let rows: Vec<usize> = (0..split.len()).collect();
    let Some(labels) = split.labels(&rows, &dataset.names)? else {
        return Err(Error::input(format!(
            "{}: the examples have no labels; a probe needs them: take a run on images with labels, or give arrays theirs \
             (data.train_labels)",
            dataset.name
        )));
    };
    let all = rows.chunks(AT_ONCE).map(|few| Ok(features(&split.unaugmented(few, device)?)));
    let features = Tensor::cat(all.collect::<Result<Vec<_>>>()?, 0);
    Ok(Part { features, labels: labels.into_iter().map(|label| label.class).collect() })
}

/// Both probes with so many labels, 0: all.
fn probed(
    representation: &'static str,
    [train, choosing, measured]: &[Part; 3],
    labels: usize,
    classes: usize,
    options: &ProbeOptions,
) -> Result<Probed> {
    let all = train.labels.len();
    let count = if labels == 0 { all } else { labels };
    if count > all {
        return Err(Error::input(format!(
            "--labels {count}: the training split has {all}; give as many or fewer, or all"
        )));
    }
    let draws = if count == all { 1 } else { options.draws.max(1) };
    let (mut linear, mut neighbours) = (Vec::new(), Vec::new());
    for draw in 0..draws {
        let part = if count == all {
            train.of(&(0..all).collect::<Vec<_>>())
        } else {
            train.of(&drawn(all, count, &mut options.seed.stream("labels", draw as u64)))
        };
        linear.push(measured.accuracy(&chosen(&part, choosing, classes)?.predict(&measured.features)));
        let k = options.neighbours.clamp(1, count.max(1));
        let votes = neighbours_vote(&measured.features, &part.features, &part.labels, k).map_err(failed)?;
        neighbours.push(measured.accuracy(&votes));
    }
    let accuracy = |values: &[f64]| {
        let Mean { mean, standard_error, .. } = Mean::of(values);
        let over_examples = (mean * (1.0 - mean) / measured.labels.len().max(1) as f64).sqrt();
        // All draws are tested on the same examples. Of one draw, there is no error over draws.
        let over_draws = if draws > 1 { standard_error } else { 0.0 };
        Accuracy { value: mean, standard_error: over_examples.hypot(over_draws) }
    };
    Ok(Probed {
        representation,
        numbers: train.features.dims()[1],
        labels: count,
        draws,
        linear: accuracy(&linear),
        neighbours: accuracy(&neighbours),
    })
}

/// So many of `all` examples, without returning any.
fn drawn(all: usize, count: usize, rng: &mut Stream) -> Vec<usize> {
    let mut order = rng.permutation(all);
    order.truncate(count);
    order
}

/// The softmax regression whose scaling and penalty give the labels of `held` the highest likelihood; from strong penalties to weak ones, as long
/// as that helps.
fn chosen(train: &Part, held: &Part, classes: usize) -> Result<SoftmaxRegression> {
    let mut best: Option<(f64, SoftmaxRegression)> = None;
    for scaling in [Scaling::Each, Scaling::Together] {
        let mut fits = SoftmaxFits::new(&train.features, &train.labels, classes, scaling).map_err(failed)?;
        let mut before = f64::NEG_INFINITY;
        for penalty in PENALTIES {
            let model = fits.fit(penalty).map_err(failed)?;
            let log_probs = dgm_core::host(model.log_probs(&held.features));
            let of_label = log_probs.chunks(classes).zip(&held.labels).filter_map(|(row, &label)| row.get(label));
            let likelihood: f64 = of_label.sum();
            if best.as_ref().is_none_or(|(highest, _)| likelihood > *highest) {
                best = Some((likelihood, model));
            }
            if likelihood < before {
                break;
            }
            before = likelihood;
        }
    }
    let none = || Error::run("no linear probe could be fitted to the codes; look at them with dgm-train encode");
    best.map(|(_, model)| model).ok_or_else(none)
}

impl Probes {
    /// As a table for a terminal.
    pub fn table(&self) -> String {
        let percent = |of: Accuracy| format!("{:.1} ± {:.1}", 100.0 * of.value, 100.0 * of.standard_error);
        let split = match self.split {
            ProbeSplit::Test => "test",
            ProbeSplit::Validation => "validation",
        };
        let mut text = format!(
            "accuracy of {} {split} examples, %\n{:<21}{:>8}{:>8}  {:>13}  {:>13}\n",
            self.examples,
            "representation",
            "numbers",
            "labels",
            "linear probe",
            format!("{}-NN", self.neighbours)
        );
        for Probed { representation, numbers, labels, linear, neighbours, .. } in &self.probes {
            let (linear, neighbours) = (percent(*linear), percent(*neighbours));
            text.push_str(&format!("{representation:<21}{numbers:>8}{labels:>8}  {linear:>13}  {neighbours:>13}\n"));
        }
        text.push_str(&format!(
            "k-means of the {split} examples, {} clusters\n{:<21}{:>10}{:>10}{:>8}{:>8}\n",
            self.classes, "representation", "accuracy %", "purity %", "NMI", "ARI"
        ));
        for Clustered { representation, purity, accuracy, nmi, ari } in &self.clusters {
            let (accuracy, purity) = (100.0 * accuracy, 100.0 * purity);
            text.push_str(&format!("{representation:<21}{accuracy:>10.1}{purity:>10.1}{nmi:>8.3}{ari:>8.3}\n"));
        }
        text
    }
}
