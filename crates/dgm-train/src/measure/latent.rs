//! What a latent representation holds: reconstruction, KL by layer, active units, the information about x, and whether all of it has
//! collapsed.

use super::{Metric, Scoring, Subject, batches, batches_of, host};
use crate::data::Split;
use crate::error::Result;
use burn::tensor::Tensor;
use dgm_core::estimate::{LogMeanExp, Mean, active_units, mutual_information_lower, posterior_mean_variances};
use dgm_models::posterior::Space;
use dgm_models::{Batch, Estimator, Latent, Mode, Model};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// At most so many examples of a split, the first, whose q(z | x) are compared with every z of them: in a result, and in each validation.
const PAIRS: [usize; 2] = [512, 64];

/// The diagnostics of one evaluation, as a part of a line of `metrics.jsonl`: means over examples, in nats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatentLine {
    /// −E_q\[log p(x | z)\].
    pub reconstruction: f64,
    /// KL(q(z | x) ‖ p(z)) of each layer, the top one first.
    pub kl: Vec<f64>,
    /// Latent variables of each layer whose posterior mean moves with x.
    pub active_units: Vec<usize>,
    /// Lower bound of I(x; z) under q, at most log of the number of examples.
    pub mutual_information: f64,
    /// KL(q(z) ‖ p(z)) of the aggregate posterior: what the KL is above the information.
    pub marginal_kl: f64,
}

/// What is known of q over some examples.
pub(crate) struct Diagnosis {
    /// Of each example.
    reconstruction: Vec<f64>,
    /// Of each example, all layers together.
    kl: Vec<f64>,
    layers: Vec<Layer>,
    information: Mean,
    marginal_kl: Mean,
    /// How the KL was computed, in words.
    kl_computed: &'static str,
}

/// One layer of latent variables.
struct Layer {
    latent: usize,
    /// Of each example.
    kl: Vec<f64>,
    active: usize,
}

/// The diagnosis of a model that infers latent variables; `None`: of others, and of one whose numbers are not finite, there is none.
///
/// # Errors
/// Data that cannot be read any more.
fn of_split(model: &dyn Model, split: &Split, on: Scoring<'_>, pairs: usize) -> Result<Option<Diagnosis>> {
    let Some(latent) = model.latent() else { return Ok(None) };
    let (layers, pairs) = (latent.layers(), split.len().min(pairs));
    if layers.is_empty() || pairs < 2 {
        return Ok(None);
    }
    let mut all = Gathered::default();
    for (index, batch) in batches(split, on) {
        let batch = batch?;
        let mut noise = on.seed.stream("diagnosis", index as u64);
        let Some(inference) = latent.infer(&batch) else { return Ok(None) };
        let samples = inference.sample(1, &mut noise);
        all.reconstruction.extend(host(inference.log_likelihood(samples.z.clone(), &mut Mode::Evaluate).neg()));
        let kl = inference.kl(&samples);
        all.parts = kl.dims()[1];
        all.kl.extend(host(kl));
        let Some(means) = inference.expectation() else { return Ok(None) };
        all.means.extend(host(means));
        if all.z.iter().map(|z| z.dims()[0]).sum::<usize>() < pairs {
            all.z.push(samples.z.squeeze_dim(1));
        }
    }
    let log_q = all.pairs(latent, split, pairs, on)?;
    // Numbers that are not finite are the business of the loss: a diagnosis stops nobody's training.
    let information = mutual_information_lower(&log_q, pairs);
    let variances = posterior_mean_variances(&all.means, layers.iter().sum());
    let (Ok(information), Ok(variances)) = (information, variances) else { return Ok(None) };
    let totals: Vec<f64> = all.kl.chunks(all.parts.max(1)).map(|row| row.iter().sum()).collect();
    // KL(q(z) ‖ p(z)) = E[KL(q(z | x) ‖ p(z))] − I(x; z), example by example.
    let marginal = log_q.chunks(pairs).zip(&totals).enumerate().map(|(i, (row, kl))| {
        let mut mixture = LogMeanExp::default();
        row.iter().for_each(|&value| mixture.push(value));
        kl - (row.get(i).copied().unwrap_or(f64::NAN) - mixture.value())
    });
    // Of classes a group is one variable, which moves where the probability of any of its classes does.
    let units = match latent.space() {
        Space::OneOf(classes) => classes,
        Space::Real | Space::Sphere => 1,
    };
    let moves: Vec<f64> = variances.chunks(units).map(|of| of.iter().copied().fold(0.0, f64::max)).collect();
    let layers: Vec<usize> = layers.iter().map(|count| count / units).collect();
    let kl_computed = match model.density().map(|density| density.estimator()) {
        Some(Estimator::LowerBound { computed, .. }) => computed,
        _ => "KL by the same samples",
    };
    let layer = |(latent, parts, units): (usize, Range<usize>, Range<usize>)| {
        let sum = |row: &[f64]| row.get(parts.clone()).unwrap_or_default().iter().sum();
        let kl: Vec<f64> = all.kl.chunks(all.parts.max(1)).map(sum).collect();
        let active = active_units(moves.get(units).unwrap_or_default());
        Layer { latent, kl, active }
    };
    Ok(Some(Diagnosis {
        layers: layers_of(&layers, all.parts).into_iter().map(layer).collect(),
        information,
        marginal_kl: Mean::of(&marginal.collect::<Vec<f64>>()),
        reconstruction: all.reconstruction,
        kl: totals,
        kl_computed,
    }))
}

/// Of each layer its size, its parts of the KL and its variables. Below the top every variable has a part; what is left is the top's.
fn layers_of(layers: &[usize], parts: usize) -> Vec<(usize, Range<usize>, Range<usize>)> {
    let below: usize = layers.iter().skip(1).sum();
    let top = parts.saturating_sub(below);
    let (mut part, mut unit) = (0, 0);
    let each = |(place, &size): (usize, &usize)| {
        let width = if place == 0 { top } else { size };
        (part, unit) = (part + width, unit + size);
        (size, part - width..part, unit - size..unit)
    };
    layers.iter().enumerate().map(each).collect()
}

/// Numbers of each example.
#[derive(Default)]
struct Gathered {
    reconstruction: Vec<f64>,
    kl: Vec<f64>,
    parts: usize,
    means: Vec<f64>,
    z: Vec<Tensor<2>>,
}

impl Gathered {
    /// log q(zᵢ | xⱼ), row by row: `[examples, examples]`.
    fn pairs(&self, latent: &dyn Latent, split: &Split, examples: usize, on: Scoring<'_>) -> Result<Vec<f64>> {
        let z = Tensor::cat(self.z.clone(), 0);
        let [_, width] = z.dims();
        let z = z.slice([0..examples, 0..width]);
        let mut log_q = vec![0.0; examples * examples];
        let few = Scoring { at_once: on.at_once.min(32), ..on };
        let mut column = 0;
        for (_, batch) in batches_of(split, (0..examples).collect(), few) {
            let batch: Batch = batch?;
            let n = batch.len();
            let Some(inference) = latent.infer(&batch) else { return Ok(log_q) };
            let every = z.clone().unsqueeze_dim::<3>(0).expand([n, examples, width]);
            for (at, value) in host(inference.log_posterior(every)).into_iter().enumerate() {
                let (x, z) = (column + at / examples, at % examples);
                log_q.get_mut(z * examples + x).into_iter().for_each(|place| *place = value);
            }
            column += n;
        }
        Ok(log_q)
    }
}

pub(super) fn measure(subject: &Subject<'_>) -> Result<Vec<Metric>> {
    let mut metrics = Vec::new();
    for (name, split) in subject.splits() {
        if let Some(diagnosis) = of_split(subject.model, split, subject.on, PAIRS[0])? {
            metrics.extend(diagnosis.metrics(name));
        }
    }
    Ok(metrics)
}

/// The diagnostics of a validation, as its line has them.
///
/// # Errors
/// As those of the measure.
pub(crate) fn diagnose<C>(
    model: &dyn Model,
    config: &crate::config::Config<C>,
    split: &Split,
    device: &burn::tensor::Device,
) -> Result<Option<LatentLine>> {
    Ok(of_split(model, split, Scoring::of(config, device), PAIRS[1])?.map(|diagnosis| diagnosis.line()))
}

impl Diagnosis {
    fn line(&self) -> LatentLine {
        LatentLine {
            reconstruction: Mean::of(&self.reconstruction).mean,
            kl: self.layers.iter().map(|layer| Mean::of(&layer.kl).mean).collect(),
            active_units: self.layers.iter().map(|layer| layer.active).collect(),
            mutual_information: self.information.mean,
            marginal_kl: self.marginal_kl.mean,
        }
    }

    fn metrics(&self, split: &str) -> Vec<Metric> {
        let (n, one) = (self.kl.len(), "one posterior sample per example");
        let of_each = |quantity: &str, values: &[f64], estimator: String| {
            Metric::of_mean("latent", split, quantity, "nats", Mean::of(values), estimator).with_values(values.to_vec())
        };
        let metric = |quantity: &str, unit: &str, mean: Mean, estimator: String| {
            Metric::of_mean("latent", split, quantity, unit, mean, estimator)
        };

        let mut metrics = vec![
            of_each("reconstruction", &self.reconstruction, format!("-log p(x | z), {one}")),
            of_each("KL", &self.kl, format!("of q(z | x) from p(z), {}", self.kl_computed)),
        ];
        let several = self.layers.len() > 1;
        for (place, layer) in self.layers.iter().enumerate() {
            let name = |what: &str| if several { format!("{what}, layer {}", place + 1) } else { what.to_owned() };
            if several {
                metrics.push(of_each(&name("KL"), &layer.kl, format!("layer 1 is the top, {}", self.kl_computed)));
            }
            let active = Mean { mean: layer.active as f64, standard_error: f64::NAN, n };
            let how = format!("of {}: those whose posterior mean has a variance above 0.01", layer.latent);
            metrics.push(metric(&name("active units"), "units", active, how));
        }
        let pairs = self.information.n;
        let lower = format!("lower bound under q, at most log {pairs} = {:.2}, {one}", (pairs as f64).ln());
        metrics.push(metric("I(x; z)", "nats", self.information, lower));
        metrics.push(metric(
            "marginal KL",
            "nats",
            self.marginal_kl,
            format!("of q(z) from p(z): what the KL of {pairs} examples is above their I(x; z)"),
        ));
        metrics
    }
}

/// Nats of a layer's KL, or of what z says of x, below which they are as good as none.
const COLLAPSED: f64 = 0.5;

impl LatentLine {
    /// What the metrics of a model on this split say of its latent variables; `None`: nothing.
    pub(crate) fn of_metrics(metrics: &[Metric], split: &str) -> Option<Self> {
        let find = |quantity: &str| {
            let is = |metric: &&Metric| {
                (metric.measure.as_str(), metric.split.as_str()) == ("latent", split) && metric.quantity == quantity
            };
            metrics.iter().find(is).map(|metric| metric.value)
        };
        let layers = (1..).map_while(|layer| Some((find(&format!("KL, layer {layer}"))?, format!(", layer {layer}"))));
        let mut layers: Vec<(f64, String)> = layers.collect();
        if layers.is_empty() {
            layers.push((find("KL")?, String::new()));
        }
        let active = |(_, suffix): &(f64, String)| Some(find(&format!("active units{suffix}"))? as usize);
        Some(Self {
            reconstruction: find("reconstruction")?,
            kl: layers.iter().map(|(kl, _)| *kl).collect(),
            active_units: layers.iter().map(active).collect::<Option<_>>()?,
            mutual_information: find("I(x; z)")?,
            marginal_kl: find("marginal KL")?,
        })
    }

    /// What there is to say where the latent variables of a layer say nothing of x, and what to do about it with this objective; `None`: they do.
    ///
    /// They do not where no posterior mean moves with x, and either the KL is as good as none or the information is: a posterior that is
    /// the same for every x has a KL where it is not the prior.
    pub(crate) fn collapse(&self, objective: &str) -> Option<String> {
        let uninformed = self.mutual_information < COLLAPSED;
        let layers = self.kl.iter().zip(&self.active_units).enumerate();
        let (places, kl): (Vec<String>, Vec<String>) = layers
            .filter(|(_, (kl, active))| **active == 0 && (**kl < COLLAPSED || uninformed))
            // One sample of a divergence may be below 0.
            .map(|(layer, (kl, _))| ((layer + 1).to_string(), format!("{:.3}", kl.max(0.0))))
            .unzip();
        let of = match (places.as_slice(), self.kl.len()) {
            ([], _) => return None,
            (_, 1) => String::new(),
            ([one], _) => format!(" of layer {one}"),
            (all, _) => format!(" of layers {}", all.join(", ")),
        };
        let tries = match objective {
            "elbo" => {
                "objective.beta = { schedule = \"linear\", from = 0.0, to = 1.0, steps = N } with more steps, a beta of at most 1, \
                 objective.free_bits = { nats = 0.05 }, or a weaker decoder"
            }
            "info_vae" => "an objective.alpha nearer to 1, or a weaker decoder",
            "model" => "a weaker decoder",
            _ => "a weaker decoder, or objective.kind = \"elbo\" with a beta that rises from 0",
        };
        Some(format!(
            "posterior collapse: no latent variable{of} is active (KL {} nats, I(x; z) {:.2}), so z says next to nothing of x there; try {tries}",
            kl.join(", "),
            self.mutual_information.max(0.0)
        ))
    }
}
