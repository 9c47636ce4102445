//! What every registered model has to keep, whoever adds it: each kind with each likelihood that fits some tiny data is gone through.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "conformance/choice.rs"]
mod choice;
#[path = "../src/testing/rounding.rs"]
mod rounding;

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::estimate::LogMeanExp;
use dgm_core::random::{Seed, Stream};
use dgm_models::decoder::DecoderConfig;
use dgm_models::encoder::EncoderConfig;
use dgm_models::likelihood::LikelihoodConfig;
use dgm_models::objective::Step;
use dgm_models::posterior::PosteriorConfig;
use dgm_models::prior::PriorConfig;
use dgm_models::vae::VaeConfig;
use dgm_models::{
    AnyModel, Batch, ConditionSpec, DataSpec, Examples, Mode, Model, ModelConfig, ModelError, ObjectiveKind, Scale,
    Training, Values,
};
use rounding::tolerance;

const CLASSES: usize = 2;

/// Levels, counts and real numbers, small enough to enumerate or to integrate, given one of two labels.
fn data() -> Vec<DataSpec> {
    let label = || {
        Some(ConditionSpec { scale: Scale::identity(CLASSES), classes: Some(CLASSES), augmentation: 0, shape: None })
    };
    let scale = Scale { mean: vec![3.0, -1.0], std: vec![2.0, 0.5], ..Scale::default() };
    vec![
        DataSpec { shape: [1, 2, 2], values: Values::Levels(2), condition: label() },
        DataSpec { shape: [1, 1, 3], values: Values::Levels(3), condition: label() },
        DataSpec { shape: [1, 1, 2], values: Values::Real(scale), condition: label() },
    ]
}

/// A registered model on data that it is for.
struct Case {
    name: String,
    config: ModelConfig,
    spec: DataSpec,
}

impl Case {
    fn model(&self, device: &Device) -> AnyModel {
        self.config.init(&self.spec, &mut Seed(1).stream("weights", 0), device).unwrap()
    }

    /// Every target there is, or a grid of real ones, given the first or the second label.
    fn targets(&self, class: usize, device: &Device) -> Batch {
        let event = self.spec.event();
        let values: Vec<f32> = match &self.spec.values {
            Values::Levels(levels) => (0..levels.pow(event as u32))
                .flat_map(|i| (0..event).map(move |d| (i / levels.pow(d as u32) % levels) as f32))
                .collect(),
            Values::Real(_) | Values::Columns(_) => {
                (0..25).flat_map(|i| [(i % 5) as f32 * 0.7 - 1.4, (i / 5) as f32 * 0.6 - 1.2]).collect()
            }
        };
        let n = values.len() / event;
        let condition: Vec<f32> = (0..n).flat_map(|_| (0..CLASSES).map(|c| f32::from(u8::from(c == class)))).collect();
        Batch {
            target: Tensor::from_data(TensorData::new(values, [n, event]), device),
            condition: Some(Tensor::from_data(TensorData::new(condition, [n, CLASSES]), device)),
            mask: None,
        }
    }
}

/// A configuration of this kind with this likelihood; of a kind that has no such key one for the first of them. `None`: it has the key and is not
/// for that one, or is fitted in one go.
fn named(kind: &str, likelihood: &str) -> Option<serde_json::Value> {
    let plain = serde_json::json!({ "kind": kind });
    let with = serde_json::json!({ "kind": kind, "likelihood": likelihood });
    if FITTED.contains(&kind) {
        return None;
    }
    if serde_json::from_value::<ModelConfig>(with.clone()).is_ok() {
        return Some(with);
    }
    (likelihood == LikelihoodConfig::KINDS[0]).then_some(plain)
}

/// Kinds that are fitted in one go, to data without a condition.
const FITTED: [&str; 3] = ["kde", "gaussian_mixture", "histogram"];

/// Every kind with every likelihood that it takes for some of the data.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for spec in data() {
        for (&kind, &likelihood) in
            ModelConfig::KINDS.iter().flat_map(|kind| LikelihoodConfig::KINDS.iter().map(move |l| (kind, l)))
        {
            // Small, without dropout, where a kind has such keys.
            let Some(mut json) = named(kind, likelihood) else { continue };
            for (key, value) in [
                ("dropout", serde_json::json!(0.0)),
                ("hidden", serde_json::json!([6])),
                ("encoder", serde_json::json!({ "kind": "mlp", "hidden": [6] })),
                ("decoder", serde_json::json!({ "kind": "mlp", "hidden": [6] })),
                ("latent", serde_json::json!(2)),
                ("latent", serde_json::json!([2, 3])),
                ("samples", serde_json::json!(3)),
                ("channels", serde_json::json!(8)),
                ("layers", serde_json::json!(2)),
                ("heads", serde_json::json!(2)),
            ] {
                let mut with = json.clone();
                with[key] = value;
                if serde_json::from_value::<ModelConfig>(with.clone()).is_ok() {
                    json = with;
                }
            }
            // As it is, and with blocks where a kind has them.
            let mut with_blocks = json.clone();
            (with_blocks["residual"], with_blocks["hidden"]) = (true.into(), serde_json::json!([6, 5]));
            for (json, how) in [(json, ""), (with_blocks, ", residual")] {
                let Ok(config) = serde_json::from_value::<ModelConfig>(json) else { continue };
                if config.init(&spec, &mut Seed(1).stream("weights", 0), &Device::flex()).is_ok() {
                    let name = format!("{kind}, {}, {:?}{how}", likelihood, spec.levels());
                    cases.push(Case { name, config, spec: spec.clone() });
                }
            }
        }
    }
    cases.extend(part_cases());
    for kind in ModelConfig::KINDS.iter().filter(|kind| !FITTED.contains(kind)) {
        assert!(cases.iter().any(|case| case.config.kind() == *kind), "{kind} fits none of the data");
    }
    cases
}

/// A VAE with each registered part, and a hierarchical one with each prior.
fn part_cases() -> Vec<Case> {
    let kinds = [
        ("prior", PriorConfig::KINDS),
        ("posterior", PosteriorConfig::KINDS),
        ("encoder", EncoderConfig::KINDS),
        ("decoder", DecoderConfig::KINDS),
    ];
    let mut cases = Vec::new();
    for (model, latent) in [("vae", serde_json::json!(4)), ("hierarchical_vae", serde_json::json!([2, 3]))] {
        for (part, kind) in kinds.iter().flat_map(|(part, kinds)| kinds.iter().map(move |kind| (part, kind))) {
            let mut json = serde_json::json!({ "kind": model, "latent": latent, "likelihood": "bernoulli" });
            json[part] = (*kind).into();
            // What is on a sphere or of classes has the one prior that is there too.
            match *kind {
                "uniform" | "von_mises_fisher" => {
                    (json["posterior"], json["prior"]) = ("von_mises_fisher".into(), "uniform".into());
                }
                "categorical" => {
                    json["posterior"] = serde_json::json!({ "kind": "categorical", "classes": 2 });
                    json["prior"] = "uniform".into();
                }
                "conv" => {
                    json[part] = serde_json::json!({ "kind": "conv", "channels": [3, 2], "hidden": [5] });
                }
                _ => {}
            }
            let spec = data().remove(0);
            let spec = if *kind == "vamp" { DataSpec { condition: None, ..spec } } else { spec };
            let Ok(config) = serde_json::from_value::<ModelConfig>(json) else {
                assert_ne!(model, "vae", "{part} {kind}");
                continue;
            };
            match config.init(&spec, &mut Seed(1).stream("weights", 0), &Device::flex()) {
                Ok(_) => cases.push(Case { name: format!("{model}, {part} {kind}"), config, spec }),
                Err(error) => assert_eq!((model, *kind), ("hierarchical_vae", "uniform"), "{part} {kind}: {error}"),
            }
        }
    }
    // Images of odd sides, whose resolutions do not halve.
    let network = |channels: [usize; 2], resample: &str| serde_json::json!({ "kind": "conv", "channels": channels, "hidden": [5], "resample": resample });
    for resample in ["shuffle", "resize"] {
        let (encoder, decoder) = (network([3, 2], resample), network([2, 3], resample));
        let config = serde_json::from_value(serde_json::json!({
            "kind": "vae", "latent": 3, "likelihood": "bernoulli", "encoder": encoder, "decoder": decoder
        }));
        let spec = DataSpec { shape: [1, 5, 3], ..data().remove(0) };
        cases.push(Case { name: format!("vae, 5×3 by {resample}"), config: config.unwrap(), spec });
    }
    cases
}

fn host<const D: usize>(values: Tensor<D>) -> Vec<f64> {
    values.into_data().iter::<f64>().collect()
}

fn rng() -> Stream {
    Seed(5).stream("noise", 0)
}

fn log_prob(model: &AnyModel, batch: &Batch) -> Vec<f64> {
    host(model.density().unwrap().log_prob(batch, &mut rng()))
}

/// Whether an untrained model samples the one level in the middle, whatever its weights are, and has nothing else to say.
fn hides(case: &Case, model: &AnyModel) -> bool {
    case.spec.levels().is_some() && model.density().is_none() && model.encoder().is_none()
}

/// What the model has to say of a batch: log p, or codes, or samples given its conditions.
fn says(model: &AnyModel, batch: &Batch) -> Vec<f64> {
    match (model.density(), model.encoder(), model.generator()) {
        (Some(density), ..) => host(density.log_prob(batch, &mut rng())),
        (None, Some(encoder), _) => host(encoder.encode(batch)),
        (None, None, Some(generator)) => host(generator.generate(batch.len(), batch.condition.clone(), &mut rng())),
        (None, None, None) => panic!("a model that can do nothing"),
    }
}

/// The objective that the kind is trained by.
fn objective(case: &Case) -> ObjectiveKind {
    ObjectiveKind::of_kind(case.config.objective()).unwrap()
}

fn loss(case: &Case, model: &AnyModel, batch: &Batch, rng: &mut Stream) -> (Vec<f64>, Vec<(&'static str, Vec<f64>)>) {
    let views = vec![batch.clone(); model.training().views()];
    let loss = objective(case).loss(model, Step { player: 0, views: &views, step: 0, rng }).unwrap();
    (host(loss.loss), loss.terms.into_iter().map(|(name, term)| (name, host(term))).collect())
}

#[test]
fn terms_add_up_to_the_loss_and_a_density_is_what_is_trained() {
    for case in cases() {
        let (model, batch) = (case.model(&Device::flex()), case.targets(1, &Device::flex()));
        let (loss, terms) = loss(&case, &model, &batch, &mut rng());
        let names = objective(&case).likelihood_terms();
        if matches!(model.training(), Training::Custom(_)) {
            // Its losses say nothing of a likelihood.
            assert!(names.is_empty(), "{}", case.name);
            continue;
        }
        assert!(!names.is_empty() && terms.iter().all(|(name, _)| names.contains(name)), "{}", case.name);
        for (i, loss) in loss.iter().enumerate() {
            let sum: f64 = terms.iter().map(|(_, term)| term[i]).sum();
            let magnitude: f64 = terms.iter().map(|(_, term)| term[i].abs()).sum();
            assert!((loss - sum).abs() <= tolerance(4, magnitude), "{}: {loss} {sum}", case.name);
        }
        // The same noise: one sample of the bound, or the likelihood itself.
        if matches!(model.training(), Training::Likelihood(likelihood) if likelihood.is_estimate()) {
            continue;
        }
        for (loss, log_p) in loss.iter().zip(log_prob(&model, &batch)) {
            assert!((loss + log_p).abs() <= tolerance(64, loss.abs().max(1.0)), "{}: {loss} {log_p}", case.name);
        }
    }
}

#[test]
fn the_condition_matters_to_every_density_and_sampler() {
    for case in cases() {
        let model = case.model(&Device::flex());
        if hides(&case, &model) || case.spec.condition.is_none() {
            continue;
        }
        let [one, other] = [0, 1].map(|class| says(&model, &case.targets(class, &Device::flex())));
        assert_ne!(one, other, "{}", case.name);
    }
}

#[test]
fn exact_densities_of_levels_sum_to_one_and_samples_follow_them() {
    let mut checked = 0;
    for case in cases() {
        let model = case.model(&Device::flex());
        let exact = model.density().is_some_and(|density| density.estimator().is_exact());
        if !exact || case.spec.levels().is_none() {
            continue;
        }
        checked += 1;
        let batch = case.targets(1, &Device::flex());
        let p: Vec<f64> = log_prob(&model, &batch).into_iter().map(f64::exp).collect();
        let total: f64 = p.iter().sum();
        assert!((total - 1.0).abs() <= tolerance(1000, 1.0), "{}: Σ p = {total}", case.name);
        let n = 4000;
        let condition = batch.condition.clone().unwrap().slice([0..1, 0..CLASSES]).expand([n, CLASSES]);
        let samples = model.generator().unwrap().generate(n, Some(condition), &mut Seed(9).stream("sampling", 0));
        let (event, levels) = (case.spec.event(), case.spec.levels().unwrap());
        let samples: Vec<usize> = samples.into_data().iter::<f32>().map(|level| level as usize).collect();
        let mut counts = vec![0usize; p.len()];
        for x in samples.chunks(event) {
            counts[x.iter().rev().fold(0, |at, level| at * levels + level)] += 1;
        }
        for (count, p) in counts.iter().zip(p) {
            let (share, n) = (*count as f64 / n as f64, n as f64);
            assert!((share - p).abs() < 5.0 * (p * (1.0 - p) / n).sqrt() + 1e-3, "{}: {share} {p}", case.name);
        }
    }
    assert!(checked >= 10, "{checked}");
}

#[test]
fn what_is_saved_and_loaded_is_the_same_model() {
    for case in cases() {
        let model = case.model(&Device::flex());
        let bytes = model.clone().into_record().into_bytes().unwrap();
        let other = case.config.init(&case.spec, &mut Seed(2).stream("weights", 0), &Device::flex()).unwrap();
        let batch = case.targets(0, &Device::flex());
        let expected = says(&model, &batch);
        assert!(hides(&case, &model) || says(&other, &batch) != expected, "{}", case.name);
        let loaded = other.try_load_record(ModuleRecord::from_bytes(bytes).unwrap()).unwrap();
        assert_eq!(says(&loaded, &batch), expected, "{}", case.name);
    }
}

#[test]
fn an_additive_objective_of_a_batch_is_that_of_its_parts() {
    for case in cases() {
        let (model, batch) = (case.model(&Device::flex()), case.targets(1, &Device::flex()));
        // An example is told from the others of its batch, or its noise level depends on theirs.
        let alone = objective(&case).is_additive(&model);
        assert_eq!(alone, case.config.kind() != "contrastive", "{}", case.name);
        if !alone || case.config.kind() == "diffusion" {
            continue;
        }
        let n = batch.len();
        let part = |rows: std::ops::Range<usize>| Batch {
            target: batch.target.clone().slice([rows.clone(), 0..case.spec.event()]),
            condition: batch.condition.clone().map(|condition| condition.slice([rows.clone(), 0..CLASSES])),
            mask: None,
        };
        let (whole, _) = loss(&case, &model, &batch, &mut rng());
        // Latent samples come row by row from one stream.
        let mut noise = rng();
        let parts: Vec<f64> =
            [0..4, 4..n].into_iter().flat_map(|rows| loss(&case, &model, &part(rows), &mut noise).0).collect();
        for (whole, part) in whole.iter().zip(&parts) {
            assert!((whole - part).abs() <= tolerance(64, whole.abs().max(1.0)), "{}: {whole} {part}", case.name);
        }
    }
}

#[test]
#[cfg(feature = "ndarray")]
fn backends_agree_on_every_model() {
    #[allow(deprecated)]
    let other = Device::ndarray();
    for case in cases() {
        let score = |device: &Device| says(&case.model(device), &case.targets(1, device));
        for (flex, ndarray) in score(&Device::flex()).iter().zip(score(&other)) {
            assert!((flex - ndarray).abs() <= tolerance(300, flex.abs().max(1.0)), "{}: {flex} {ndarray}", case.name);
        }
    }
}

/// Some rows of these data.
struct Rows(DataSpec, Device);

impl Examples for Rows {
    fn count(&self) -> usize {
        60
    }

    fn batch(&self, rows: &[usize]) -> Result<Batch, ModelError> {
        let event = self.0.event();
        let value = |row: usize, d: usize| match self.0.levels() {
            Some(levels) => ((row * (d + 1) + row / 7) % levels) as f32,
            None => (row as f32 * 1.3 + d as f32 * 2.1).sin(),
        };
        let values: Vec<f32> = rows.iter().flat_map(|&row| (0..event).map(move |d| value(row, d))).collect();
        Ok(Batch::new(Tensor::from_data(TensorData::new(values, [rows.len(), event]), &self.1)))
    }
}

#[test]
fn what_is_fitted_is_the_same_on_every_backend_and_after_it_was_saved() {
    #[allow(deprecated)]
    let devices = [
        Device::flex(),
        #[cfg(feature = "ndarray")]
        Device::ndarray(),
    ];
    for kind in FITTED {
        let mut fits = 0;
        for spec in data().into_iter().map(|spec| DataSpec { condition: None, ..spec }) {
            let config: ModelConfig = serde_json::from_value(serde_json::json!({ "kind": kind })).unwrap();
            let fitted = |device: &Device| {
                let mut model = config.init(&spec, &mut Seed(1).stream("weights", 0), device).ok()?;
                assert!(matches!(model.training(), Training::Fit), "{kind}");
                model.fit(&Rows(spec.clone(), device.clone()), &mut Seed(2).stream("fit", 0)).unwrap();
                let batch = Rows(spec.clone(), device.clone()).batch(&[3, 70, 90]).unwrap();
                Some((log_prob(&model, &batch), model, batch))
            };
            let Some((expected, model, batch)) = fitted(&devices[0]) else { continue };
            fits += 1;
            assert!(expected.iter().all(|log_p| log_p.is_finite()), "{kind} {expected:?}");
            for other in &devices[1..] {
                assert_eq!(fitted(other).unwrap().0, expected, "{kind}");
            }
            let bytes = model.into_record().into_bytes().unwrap();
            let mut other = fitted(&devices[0]).unwrap().1;
            other.fit(&Rows(spec.clone(), devices[0].clone()), &mut Seed(2).stream("fit", 0)).unwrap();
            let loaded = other.try_load_record(ModuleRecord::from_bytes(bytes).unwrap()).unwrap();
            assert_eq!(log_prob(&loaded, &batch), expected, "{kind}");
            let samples = loaded.generator().unwrap().generate(50, None, &mut Seed(9).stream("sampling", 0));
            assert!(host(samples).into_iter().all(f64::is_finite), "{kind}");
        }
        assert!(fits > 0, "{kind} fits none of the data");
    }
}

/// log p(x) = log ∫ p(x | z) p(z) dz of a model with one latent variable, by the trapezoidal rule, against its importance weights.
#[test]
fn importance_weights_are_those_of_the_integral() {
    for prior in PriorConfig::KINDS {
        let spec = DataSpec { condition: None, ..data().remove(1) };
        let config = VaeConfig {
            prior: PriorConfig::of_kind(prior).unwrap(),
            ..VaeConfig::mlp(1, &[6], LikelihoodConfig::CATEGORICAL)
        };
        // A flow and a sphere need two variables.
        let Ok(vae) = config.init(&spec, &mut Seed(3).stream("weights", 0), &Device::flex()) else {
            assert!(["flow", "uniform"].contains(prior), "{prior}");
            continue;
        };
        let batch = Batch::new(Tensor::from_floats([[0., 1., 2.], [2., 2., 0.]], &Device::flex()));
        let Training::Bound(bound) = vae.training() else { panic!("a bound") };
        let inference = bound.infer(&batch, &mut Mode::Evaluate);
        let (steps, width) = (4001usize, 16.0);
        let h = width / (steps - 1) as f64;
        let grid: Vec<f32> = (0..steps).map(|i| (i as f64 * h - width / 2.0) as f32).collect();
        let z = Tensor::<1>::from_floats(grid.as_slice(), &Device::flex()).reshape([1, steps, 1]).expand([2, steps, 1]);
        let joint = inference.log_likelihood(z.clone(), &mut Mode::Evaluate) + inference.log_prior(z);
        let joint = host(joint);
        let mut weights = vec![LogMeanExp::default(); 2];
        let mut noise = Seed(4).stream("noise", 0);
        // Each example so many times at once.
        const COPIES: usize = 256;
        let copies = Batch::new(batch.target.clone().repeat_dim(0, COPIES));
        for _ in 0..2000 {
            let sampled = host(vae.latent().unwrap().log_weight(&copies, &mut noise));
            sampled.into_iter().enumerate().for_each(|(i, sample)| weights[i % 2].push(sample));
        }
        for (joint, weight) in joint.chunks(steps).zip(weights) {
            let integral: f64 = joint.iter().map(|log_p| log_p.exp() * h).sum::<f64>().ln();
            let (found, error) = (weight.value(), weight.standard_error());
            // Weights of other priors vary more than these many samples average out.
            let allowed = if *prior == "standard_normal" { 1e-3 } else { 4.0 * error };
            assert!((found - integral).abs() < allowed, "{prior}: {found} ± {error}, integral {integral}");
            // Few enough samples would agree with anything; a prior with heavy tails has weights that vary more.
            assert!(error < 1e-2, "{prior}: {error}");
        }
    }
}
