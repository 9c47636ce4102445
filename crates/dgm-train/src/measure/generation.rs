//! What a model generates against examples that it has not seen, by the features of a classifier that another run trained: distances with their errors,
//! precision and recall, a two-sample test, shares of classes, and whether training examples come back.

use super::{Metric, PROPORTION, Subject, host};
use crate::config::Config;
use crate::data::chunks::chunks;
use crate::data::{Part, Split};
use crate::error::{Error, Result};
use crate::represent;
use crate::run_folder::RunFolder;
use crate::sampling::{Wanted, sample};
use crate::weights::weights_sha256;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::estimate::{
    EstimateError, Manifolds, Mean, Scaling, SoftmaxRegression, frechet_distance, frechet_distance_error,
    kernel_distance, nearest,
};
use dgm_core::random::Stream;
use dgm_models::{AnyModel, Batch, Capability, DataSpec, Ensemble, Model, Scale, require};
use std::ops::RangeInclusive;
use std::path::Path;

/// Samples, and examples beside them.
pub(crate) const SAMPLES: RangeInclusive<u32> = 50..=10_000;
const LEAST: usize = *SAMPLES.start() as usize;
const MOST: usize = *SAMPLES.end() as usize;

/// Examples per call of the classifier.
const AT_ONCE: usize = 256;

/// Resamples of the bootstrap.
const RESAMPLES: usize = 20;

/// Rows of a block of the kernel distance, at the most.
const BLOCK: usize = 500;

/// Blocks at the least: the error is that of their mean.
const BLOCKS: usize = 10;

/// Training examples that are searched at once.
const PART: usize = 8192;

/// Neighbours of precision and recall.
const NEIGHBOURS: usize = 3;

/// The share of examples that are nearer to a training example than what is called near.
const NEAR: f64 = 0.05;

/// Penalty of the two-sample test's classifier.
const PENALTY: f64 = 1e-3;

/// By the classifier of the run in this folder; `most`: samples at the most.
///
/// # Errors
/// A model that does not generate, a run that is no classifier of such images, the training split, fewer than 50 examples, data that cannot be
/// read any more.
pub(crate) fn measure(subject: &Subject<'_>, path: &Path, most: Option<usize>) -> Result<Vec<Metric>> {
    require(subject.model.generator(), Capability::Generate, subject.model)?;
    let (device, spec) = (subject.device(), subject.model.spec());
    let classifier = Classifier::open(path, spec, device)?;
    let ((part, test), train) = (subject.reported(), &subject.dataset.train);
    if subject.part == Some(Part::Train) {
        return Err(Error::input(
            "--features holds samples against examples that nothing was learnt from, and the split is train; name validation or test with --split",
        ));
    }
    let count = most.unwrap_or(MOST).min(test.len()).min(train.len()).min(MOST);
    if count < LEAST {
        return Err(Error::input(format!(
            "--features holds at least {LEAST} samples against as many {part} and as many training examples, and there are {} and {}; use \
             data with more",
            test.len(),
            train.len()
        )));
    }
    // Whatever order the examples are in.
    let drawn = |split: &Split, purpose: &str| {
        let mut order = subject.on.seed.stream(purpose, 0).permutation(split.len());
        order.truncate(count);
        represent::originals(subject.model, split, &order, device)
    };
    let (real, known) = (drawn(test, "test examples")?, drawn(train, "training examples")?);
    classifier.check(&real)?;
    let wanted = Wanted::plain(count, subject.on.seed);
    let made = sample(subject.model, test, &wanted, device, &mut |_| {})?;
    let [real_features, known_features, made_features] =
        [&real, &known, &made].map(|images| classifier.features(images, device));
    let width = real_features.dims()[1];
    let [a, b, c] = [&real_features, &known_features, &made_features].map(|features| host(features.clone()));

    let how = format!("{count} samples and {part} examples, {}", classifier.name);
    let rng = &mut subject.on.seed.stream("bootstrap", 0);
    let distance = |set: &[f64], rng: &mut Stream| -> Result<Mean> {
        let mean = frechet_distance(&a, set, width).map_err(failed)?;
        let standard_error = frechet_distance_error(&a, set, width, RESAMPLES, rng).map_err(failed)?;
        Ok(Mean { mean, standard_error, n: count })
    };
    let metric = |quantity: &str, unit: &str, mean: Mean, what: &str| {
        Metric::of_mean("generation", part, quantity, unit, mean, format!("{what}{how}"))
    };
    const UNIT: &str = "squared units of the features";
    let mut metrics = vec![
        metric("FID", UNIT, distance(&c, rng)?, "Fréchet distance, bootstrap error; "),
        metric(
            "FID of training examples",
            UNIT,
            distance(&b, rng)?,
            "the least to expect: as many training examples in place of samples; ",
        ),
    ];
    let block = BLOCK.min(count / BLOCKS);
    if block >= 2 {
        let kernel = kernel_distance(&real_features, &made_features, block).map_err(failed)?;
        let what = format!("cubic kernel, unbiased, the mean of {} blocks; ", kernel.n);
        let kernel = Mean { n: count, ..kernel };
        metrics.push(metric("kernel distance", "squared maximum mean discrepancy", kernel, &what));
    }
    let proportion = |value: f64| {
        // Of none, or of all, the next sample may still differ: half a count to either side (Jeffreys's prior).
        let n = count as f64;
        let shrunk = (value * n + 0.5) / (n + 1.0);
        Mean { mean: value, standard_error: (shrunk * (1.0 - shrunk) / (n + 2.0)).sqrt(), n: count }
    };
    if count > NEIGHBOURS {
        let found = Manifolds::of(&real_features, &made_features, NEIGHBOURS).map_err(failed)?;
        let what = format!("within the {NEIGHBOURS}rd neighbours of the other set; ");
        metrics.push(metric("precision", PROPORTION, proportion(found.precision), &what));
        metrics.push(metric("recall", PROPORTION, proportion(found.recall), &what));
    }
    metrics.push(metric(
        "two-sample accuracy",
        PROPORTION,
        // Of one half of both sets.
        proportion(told_apart(&real_features, &made_features)?),
        "how often a linear classifier tells samples from examples, 50 %: never; ",
    ));
    let shares = classifier.shares(&made, device);
    let least = shares.iter().copied().fold(1.0, f64::min);
    let most = shares.iter().copied().fold(0.0, f64::max);
    metrics.push(metric(
        "share of the rarest class",
        PROPORTION,
        proportion(least),
        "as the classifier sees samples; ",
    ));
    metrics.push(metric(
        "share of the commonest class",
        PROPORTION,
        proportion(most),
        "as the classifier sees samples; ",
    ));
    let near = share_of_copies(subject, &real, &made)?;
    let what = format!(
        "share of samples that are nearer to a training example than {:.0} % of the {part} examples are, in pixels: more than that says that \
         training examples come back; ",
        100.0 * NEAR
    );
    // What is near is as uncertain as the share of the examples that it was chosen by.
    let near = Mean {
        standard_error: proportion(near).standard_error.hypot(proportion(NEAR).standard_error),
        ..proportion(near)
    };
    metrics.push(metric("near training examples", PROPORTION, near, &what));
    Ok(metrics)
}

fn failed(error: EstimateError) -> Error {
    Error::run(format!("the samples cannot be compared: {error}; look at them with dgm-train sample"))
}

/// The accuracy of a linear classifier of real and generated features that learns from one half and is tested on the other.
fn told_apart(real: &Tensor<2>, made: &Tensor<2>) -> Result<f64> {
    let [n, _] = real.dims();
    let half = n / 2;
    let part = |first: usize, count: usize| {
        let both = [real, made].map(|set| set.clone().narrow(0, first, count));
        let labels: Vec<usize> = (0..2 * count).map(|i| i / count.max(1)).collect();
        (Tensor::cat(both.to_vec(), 0), labels)
    };
    if half == 0 {
        return Ok(0.5);
    }
    let ((seen, of_seen), (rest, of_rest)) = (part(0, half), part(half, n - half));
    let model = SoftmaxRegression::fit(&seen, &of_seen, 2, PENALTY, Scaling::Each).map_err(failed)?;
    let right = model.predict(&rest).iter().zip(&of_rest).filter(|(found, label)| found == label).count();
    Ok(right as f64 / of_rest.len().max(1) as f64)
}

/// The share of samples whose nearest training example is nearer than that of a share [`NEAR`] of examples that nothing was learnt from.
fn share_of_copies(subject: &Subject<'_>, real: &[Vec<f64>], made: &[Vec<f64>]) -> Result<f64> {
    let (device, train) = (subject.device(), &subject.dataset.train);
    let tensor = |rows: &[Vec<f64>]| {
        let width = rows.first().map_or(0, Vec::len);
        let values: Vec<f32> = rows.iter().flatten().map(|&value| value as f32).collect();
        Tensor::<2>::from_data(TensorData::new(values, [rows.len(), width]), device)
    };
    let queries = Tensor::cat(vec![tensor(real), tensor(made)], 0);
    let mut distances = vec![f64::INFINITY; real.len() + made.len()];
    // All of them, part by part.
    for rows in chunks(train.len(), PART) {
        let known = tensor(&represent::originals(subject.model, train, &rows, device)?);
        let found = nearest(&queries, &known, 1, false).map_err(failed)?;
        for (distance, found) in distances.iter_mut().zip(found) {
            found.first().into_iter().for_each(|one| *distance = distance.min(one.distance));
        }
    }
    let of_made = distances.split_off(real.len());
    let mut of_test = distances;
    of_test.sort_by(f64::total_cmp);
    let near = of_test.get((NEAR * of_test.len() as f64) as usize).copied().unwrap_or(0.0);
    Ok(of_made.iter().filter(|&&distance| distance < near).count() as f64 / of_made.len().max(1) as f64)
}

/// A model of labels given images, whose last hidden layer gives features.
struct Classifier {
    model: Ensemble<AnyModel>,
    /// What results call it: its run, and the digest of its weights.
    name: String,
    scale: Scale,
    path: String,
}

impl Classifier {
    /// The classifier of a run, for images such as `spec` describes.
    fn open(path: &Path, spec: &DataSpec, device: &Device) -> Result<Self> {
        let folder = RunFolder::open(path)?;
        let config: Config = folder.config()?;
        let of_classifier = folder.provenance()?.spec;
        let model = folder.model(&config, &of_classifier, device)?;
        let refuse = |what: String| {
            Err(Error::input(format!(
                "--features {}: {what}; name the run of a classifier of such images",
                path.display()
            )))
        };
        let predicts = model.conditionals().is_some_and(|conditionals| conditionals.likelihood().is_nominal());
        let Some(condition) = of_classifier.condition.filter(|_| predicts && model.encoder().is_some()) else {
            let found = match config.members() {
                Some(_) => "an ensemble".into(),
                None => format!("a model of kind {:?}", config.model.kind()),
            };
            return refuse(format!("found {found}; expected a single model that predicts labels"));
        };
        let shape = condition.shape.unwrap_or([1, 1, condition.width()]);
        if shape != spec.shape {
            return refuse(format!(
                "it was trained on examples of shape {shape:?}, and those to compare are of shape {:?}",
                spec.shape
            ));
        }
        let digest = weights_sha256(model.members());
        let run = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("features of {run} (weights {})", digest.get(..12).unwrap_or_default());
        Ok(Self { model, name, scale: condition.scale, path: path.display().to_string() })
    }

    /// Whether these images are of the brightness that it was trained on, and not, say, black and white instead of 256 levels.
    fn check(&self, images: &[Vec<f64>]) -> Result<()> {
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            let (sum, n) = values.fold((0.0, 0usize), |(sum, n), value| (sum + value, n + 1));
            sum / n.max(1) as f64
        };
        let found = mean(&mut images.iter().flatten().copied());
        let expected = mean(&mut self.scale.mean.iter().copied());
        let spread = mean(&mut self.scale.std.iter().copied());
        if (found - expected).abs() <= 0.3 * spread {
            return Ok(());
        }
        Err(Error::input(format!(
            "--features {}: it was trained on pixels of mean {expected:.3} (standard deviation {spread:.3}), and the test images have {found:.3}; \
             name a classifier that was trained on such images, with the same data.binarize",
            self.path
        )))
    }

    /// Images in the units of the data as batches whose condition they are.
    fn batches<'a>(&'a self, images: &'a [Vec<f64>], device: &'a Device) -> impl Iterator<Item = Batch> + 'a {
        images.chunks(AT_ONCE).map(move |few| {
            let numbers: Vec<f64> = few.iter().flatten().copied().collect();
            let standardised = TensorData::new(self.scale.standardize(&numbers), [few.len(), self.scale.width()]);
            let condition = Some(Tensor::from_data(standardised, device));
            Batch { target: Tensor::zeros([few.len(), 1], device), condition, mask: None }
        })
    }

    /// The last hidden layer of each image.
    fn features(&self, images: &[Vec<f64>], device: &Device) -> Tensor<2> {
        let of = |batch: Batch| Some(self.model.encoder()?.encode(&batch));
        Tensor::cat(self.batches(images, device).filter_map(of).collect(), 0)
    }

    /// The share of images whose most probable class is each.
    fn shares(&self, images: &[Vec<f64>], device: &Device) -> Vec<f64> {
        let mut counts = Vec::new();
        let Some(conditionals) = self.model.conditionals() else { return Vec::new() };
        for batch in self.batches(images, device) {
            let parameters = conditionals.parameters(batch.target, batch.condition.as_ref());
            let Some(log_probs) = conditionals.likelihood().log_probs(parameters) else { return Vec::new() };
            let [_, _, classes] = log_probs.dims();
            counts.resize(classes, 0usize);
            for row in host(log_probs).chunks(classes.max(1)) {
                let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
                best.into_iter().for_each(|class| counts[class] += 1);
            }
        }
        counts.into_iter().map(|count| count as f64 / images.len().max(1) as f64).collect()
    }
}
