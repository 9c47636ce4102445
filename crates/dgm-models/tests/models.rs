//! What every model promises, on models small enough to enumerate or to compute by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

// Other tests' parts of it name models too.
#[path = "../src/testing/rounding.rs"]
mod rounding;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::estimate::{LogMeanExp, Mean, log_mean_exp};
use dgm_core::host;
use dgm_core::random::Seed;
use dgm_models::causal_conv::CausalConvConfig;
use dgm_models::conditional_mlp::ConditionalMlpConfig;
use dgm_models::decoder::DecoderConfig;
use dgm_models::encoder::MlpConfig;
use dgm_models::latent_generator::LatentGeneratorConfig;
use dgm_models::likelihood::{Components, LikelihoodConfig};
use dgm_models::objective::Step;
use dgm_models::pixel_cnn::PixelCnnConfig;
use dgm_models::vae::VaeConfig;
use dgm_models::{
    Batch, ConditionSpec, DataSpec, Density, Generate, Latent, Mode, Model, ModelConfig, ModelError, ObjectiveKind,
    Represent, Scale, Values,
};
use dgm_models::{Decode, Plain};

fn device() -> Device {
    Device::flex()
}

fn spec(shape: [usize; 3], values: Values) -> DataSpec {
    DataSpec { shape, values, condition: None }
}

fn tensor<const R: usize, const C: usize>(rows: [[f32; C]; R]) -> Tensor<2> {
    Tensor::from_floats(rows, &device())
}

/// Every image of four binary pixels.
fn all_binary() -> Batch {
    let values: Vec<f32> = (0..16).flat_map(|i| (0..4).map(move |d| (i >> d & 1) as f32)).collect();
    Batch::new(Tensor::from_data(TensorData::new(values, [16, 4]), &device()))
}

#[test]
fn iwae_probabilities_sum_to_one_and_the_elbo_is_below() {
    let config = VaeConfig::mlp(2, &[8], LikelihoodConfig::Bernoulli(Plain {}));
    let vae = config.init(&spec([1, 2, 2], Values::Levels(2)), &mut Seed(1).stream("weights", 0), &device()).unwrap();
    let batch = all_binary();
    let mut noise = Seed(2).stream("noise", 0);
    let k = 4000;
    let mut weights = vec![LogMeanExp::default(); 16];
    let (mut elbo, mut mean_weight) = (vec![0.0; 16], vec![0.0; 16]);
    for _ in 0..k {
        for (i, weight) in host(vae.log_weight(&batch, &mut noise)).into_iter().enumerate() {
            weights[i].push(weight);
            mean_weight[i] += weight / f64::from(k);
        }
        for (i, bound) in host(vae.log_prob(&batch, &mut noise)).into_iter().enumerate() {
            elbo[i] += bound / f64::from(k);
        }
    }
    let total: f64 = weights.iter().map(|weight| weight.value().exp()).sum();
    assert!((total - 1.0).abs() < 0.01, "Σ p = {total}");
    for i in 0..16 {
        // Both are one-sample estimates of the same bound; the importance-weighted one is above it.
        assert!((elbo[i] - mean_weight[i]).abs() < 0.02, "{} {}", elbo[i], mean_weight[i]);
        assert!(elbo[i] < weights[i].value() + 0.01);
    }
}

#[test]
fn a_vae_encodes_decodes_and_samples() {
    let config = VaeConfig::mlp(3, &[8], LikelihoodConfig::CATEGORICAL);
    let spec = spec([1, 2, 2], Values::Levels(5));
    let vae = config.init(&spec, &mut Seed(1).stream("weights", 0), &device()).unwrap();
    let batch = Batch::new(tensor([[0., 1., 2., 4.], [4., 3., 0., 0.]]));
    let code = vae.encode(&batch);
    assert_eq!(code.dims(), [2, 3]);
    let mean = vae.decode(code, None);
    assert_eq!(mean.dims(), [2, 4]);
    assert!(mean.into_data().iter::<f32>().all(|level| (0.0..=4.0).contains(&level)));
    let samples = vae.generate(50, None, &mut Seed(3).stream("sampling", 0));
    assert!(samples.into_data().iter::<f32>().all(|level| (0.0..=4.0).contains(&level) && level.fract() == 0.0));
}

fn regression(scale: Scale) -> DataSpec {
    DataSpec {
        shape: [1, 1, 1],
        values: Values::Real(scale),
        condition: Some(ConditionSpec { scale: Scale::identity(2), classes: None, augmentation: 0, shape: None }),
    }
}

#[test]
fn a_real_target_is_scored_in_its_own_units() {
    // The same network sees y and 10·y + 3 alike, so log p differs by log 10 and by nothing else.
    let config = ConditionalMlpConfig { hidden: vec![4], ..Default::default() };
    let log_prob = |mean: f64, std: f64, y: [f64; 2]| {
        let scale = Scale { mean: vec![mean], std: vec![std], ..Scale::default() };
        let target = Tensor::from_data(TensorData::new(scale.standardize(&y), [2, 1]), &device());
        let model = config.init(&regression(scale), &mut Seed(1).stream("weights", 0), &device()).unwrap();
        let condition = Some(tensor([[0.3, -1.0], [2.0, 0.5]]));
        host(model.log_prob(&Batch { target, condition, mask: None }, &mut Seed(0).stream("", 0)))
    };
    let small = log_prob(0.0, 1.0, [0.5, -1.5]);
    let large = log_prob(3.0, 10.0, [8.0, -12.0]);
    for (small, large) in small.iter().zip(large) {
        // The same number in both, then one subtraction.
        let allowed = rounding::tolerance(2, small.abs() + large.abs());
        assert!((small - large - 10f64.ln()).abs() <= allowed, "{small} {large}");
    }
}

#[test]
fn standardised_values_do_not_depend_on_the_offset() {
    // Unix seconds some 20 apart, which 32 bits would make one number: (x − 1700000000.25) / 20.
    let scale = Scale { mean: vec![1.7e9], mean_rest: vec![0.25], std: vec![20.0], ..Scale::default() };
    let x = [1_700_000_020.25, 1_700_000_000.25, 1_699_999_990.25];
    assert_eq!(scale.standardize(&x), [1.0, 0.0, -0.5]);
    assert_eq!(scale.restore(&[1.0, 0.0, -0.5]), x);
    // Row after row, each number with its own units; no rest is 0.
    let scale = Scale { mean: vec![1.0, -2.0], std: vec![2.0, 0.5], ..Scale::default() };
    assert_eq!(scale.standardize(&[3.0, -2.0, 1.0, -1.0]), [1.0, 0.0, 0.0, 2.0]);
    assert_eq!(scale.restore(&[1.0, 0.0, 0.0, 2.0]), [3.0, -2.0, 1.0, -1.0]);
}

#[test]
fn units_of_rows_are_their_means_and_deviations() {
    // 2 ± 1 a billion away from 0, and a constant.
    let scale = Scale::of(&[1e9 + 1.0, 5.0, 1e9 + 3.0, 5.0], 2);
    assert_eq!(scale.standardize(&[1e9 + 1.0, 5.0, 1e9 + 2.0, 5.0]), [-1.0, 0.0, 0.0, 0.0]);
    assert_eq!(scale.restore(&[0.0, 0.0]), [1e9 + 2.0, 5.0]);
    assert_eq!((scale.width(), scale.std), (2, vec![1.0, 1.0]));
}

#[test]
fn samples_of_dequantised_levels_are_levels() {
    let scale = Scale { mean: vec![1.5], std: vec![2.0], levels: Some(3), ..Scale::default() };
    // −0.5, 0.0, 1.5, 2.9 and 5.5.
    assert_eq!(scale.restore_samples(&[-1.0, -0.75, 0.0, 0.7, 2.0]), [0.0, 0.0, 1.0, 2.0, 2.0]);
    assert_eq!(scale.restore(&[2.0]), [5.5]);
    let plain = Scale { levels: None, ..scale };
    assert_eq!(plain.restore_samples(&[2.0]), [5.5]);
}

#[test]
fn samples_follow_the_density() {
    // Σ over samples of [x = v] / n against exp(log_prob(v)) for every v of a two-pixel image, within five errors.
    let configs = [
        ModelConfig::PixelCnn(PixelCnnConfig { channels: 8, layers: 2, ..Default::default() }),
        ModelConfig::CausalConv(CausalConvConfig {
            channels: 8,
            layers: 2,
            likelihood: LikelihoodConfig::BetaBinomial(Components { components: 2 }),
            ..Default::default()
        }),
    ];
    for config in configs {
        let spec = spec([1, 1, 2], Values::Levels(3));
        let model = config.init(&spec, &mut Seed(4).stream("weights", 0), &device()).unwrap();
        let n = 20_000;
        let generator = model.generator().unwrap();
        let samples = generator.generate(n, None, &mut Seed(5).stream("sampling", 0));
        let mut counts = [0usize; 9];
        let samples: Vec<f32> = samples.into_data().iter::<f32>().collect();
        samples.chunks(2).for_each(|x| counts[(x[0] + 3.0 * x[1]) as usize] += 1);
        let all: Vec<f32> = (0..9).flat_map(|i| [(i % 3) as f32, (i / 3) as f32]).collect();
        let all = Batch::new(Tensor::from_data(TensorData::new(all, [9, 2]), &device()));
        for (log_prob, count) in
            host(model.density().unwrap().log_prob(&all, &mut Seed(0).stream("", 0))).iter().zip(counts)
        {
            let (p, n) = (log_prob.exp(), n as f64);
            assert!((count as f64 / n - p).abs() < 5.0 * (p * (1.0 - p) / n).sqrt(), "{config:?}: {count} {p}");
        }
    }
}

#[test]
fn a_label_condition_changes_samples_and_scores() {
    let classes = ConditionSpec { scale: Scale::identity(3), classes: Some(3), augmentation: 0, shape: None };
    let spec = DataSpec { condition: Some(classes), ..spec([1, 2, 2], Values::Levels(4)) };
    for kind in ["vae", "causal_conv", "pixel_cnn"] {
        let config: ModelConfig = serde_json::from_value(serde_json::json!({ "kind": kind })).unwrap();
        let model = config.init(&spec, &mut Seed(6).stream("weights", 0), &device()).unwrap();
        let score = |label: usize| {
            let mut one_hot = [[0.0f32; 3]];
            one_hot[0][label] = 1.0;
            let batch = Batch { target: tensor([[0., 1., 2., 3.]]), condition: Some(tensor(one_hot)), mask: None };
            host(model.density().unwrap().log_prob(&batch, &mut Seed(0).stream("noise", 0)))[0]
        };
        assert_ne!(score(0), score(2), "{kind} does not look at its condition");
    }
}

#[test]
fn training_terms_add_up_and_padding_counts_for_nothing() {
    let config = CausalConvConfig { channels: 8, layers: 2, ..Default::default() };
    let model = config.init(&spec([1, 1, 4], Values::Levels(3)), &mut Seed(1).stream("weights", 0), &device()).unwrap();
    let loss = |target: [[f32; 4]; 1], mask: Option<[[f32; 4]; 1]>| {
        let batch = Batch { target: tensor(target), condition: None, mask: mask.map(tensor) };
        let step = Step { player: 0, views: &[batch], step: 0, rng: &mut Seed(0).stream("noise", 0) };
        host(ObjectiveKind::of_kind("nll").unwrap().loss(&model, step).unwrap().loss)[0]
    };
    let mask = Some([[1., 1., 1., 0.]]);
    assert_eq!(loss([[0., 1., 2., 0.]], mask), loss([[0., 1., 2., 2.]], mask));
    assert!(loss([[0., 1., 2., 0.]], mask) < loss([[0., 1., 2., 0.]], None));
}

#[test]
fn a_model_that_does_not_fit_says_why() {
    let mut noise = Seed(0).stream("weights", 0);
    let error = VaeConfig { likelihood: LikelihoodConfig::NORMAL, ..Default::default() }
        .init(&spec([1, 2, 2], Values::Levels(17)), &mut noise, &device())
        .unwrap_err();
    assert!(matches!(error, ModelError::Likelihood { .. }) && error.to_string().contains("17 levels"), "{error}");
    let error = ConditionalMlpConfig::default().init(&spec([1, 1, 1], Values::Levels(2)), &mut noise, &device());
    assert!(error.unwrap_err().to_string().contains("data.condition"));
    let error = VaeConfig { latent: 0, ..Default::default() }
        .init(&spec([1, 2, 2], Values::Levels(2)), &mut noise, &device())
        .unwrap_err();
    assert_eq!(error.to_string(), "`model.latent` is 0, expected 1 to 65536");
}

#[test]
fn a_batch_that_is_not_of_the_data_is_named() {
    let label = ConditionSpec { scale: Scale::identity(2), classes: Some(2), augmentation: 0, shape: None };
    let levels = DataSpec { condition: Some(label), ..spec([1, 1, 2], Values::Levels(256)) };
    let real = spec([1, 1, 2], Values::Real(Scale::identity(2)));
    let labelled =
        |target: [f32; 2], label: [f32; 2]| Batch { condition: Some(tensor([label])), ..Batch::new(tensor([target])) };
    assert_eq!(levels.check_batch(&labelled([0., 255.], [0., 1.])), Ok(()));
    // What the mask hides may be anything.
    let masked = Batch { mask: Some(tensor([[1., 0.]])), ..labelled([0., 300.], [0., 1.]) };
    assert_eq!(levels.check_batch(&masked), Ok(()));
    let plain = |target: [f32; 2]| Batch::new(tensor([target]));
    let none = Batch::new(Tensor::zeros([0, 2], &device()));
    for (spec, batch, expected) in [
        (
            &levels,
            labelled([0., 300.], [0., 1.]),
            "target: example 0: found 300, expected a whole number from 0 to 255",
        ),
        (&levels, labelled([0., 0.5], [0., 1.]), "target: example 0: found 0.5, expected a whole number"),
        (&levels, labelled([0., 1.], [0.3, 0.7]), "condition: example 0: found the label"),
        (&levels, labelled([0., 1.], [1., 1.]), "expected one 1 among zeros"),
        (&levels, plain([0., 1.]), "condition: found none, expected one of shape [1, 2]"),
        (&real, labelled([0., 1.], [0., 1.]), "condition: found one of shape [1, 2], expected none"),
        (&real, plain([f32::NAN, 0.]), "target: example 0: found NaN, expected a finite number"),
        (&real, none, "found a batch without examples, expected one at least"),
        (&real, Batch::new(tensor([[1.]])), "target: found 1 elements per example, expected 2"),
        (&real, Batch { mask: Some(tensor([[1.]])), ..plain([0., 1.]) }, "mask: found shape [1, 1], expected [1, 2]"),
    ] {
        let text = spec.check_batch(&batch).unwrap_err().to_string();
        assert!(text.contains(expected) && text.ends_with("; fix the batch"), "{text}\n{expected}");
    }
    // Every configuration looks at the description, by itself too.
    for wrong in [
        spec([1, 1, 2], Values::Levels(1)),
        spec([1, 1, 2], Values::Real(Scale { std: vec![0.0, 1.0], ..Scale::identity(2) })),
    ] {
        let mut rng = Seed(0).stream("weights", 0);
        let text = VaeConfig::default().init(&wrong, &mut rng, &device()).unwrap_err().to_string();
        assert!(
            text.starts_with("the data's description is wrong: ") && wrong.check_batch(&plain([0., 0.])).is_err(),
            "{text}"
        );
        assert!(PixelCnnConfig::default().init(&wrong, &mut rng, &device()).is_err());
    }
}

#[test]
fn conditions_of_earlier_versions_are_read() {
    let spec = ConditionSpec { scale: Scale::identity(4), classes: Some(3), augmentation: 1, shape: None };
    let written = serde_json::to_string(&spec).unwrap();
    let earlier = written.replace("augmentation", "told");
    assert!(written.contains("\"augmentation\":1") && earlier.contains("\"told\":1"), "{written}");
    for text in [written, earlier] {
        assert_eq!(serde_json::from_str::<ConditionSpec>(&text).unwrap(), spec);
    }
}

#[test]
fn dropout_samples_are_networks_that_are_mixed() {
    let condition = ConditionSpec { scale: Scale::identity(2), classes: None, augmentation: 0, shape: None };
    let data = DataSpec { condition: Some(condition), ..spec([1, 1, 1], Values::Real(Scale::identity(1))) };
    let model = |dropout_samples: usize| {
        let config = ConditionalMlpConfig { hidden: vec![32], dropout: 0.5, dropout_samples, ..Default::default() };
        config.init(&data, &mut Seed(1).stream("weights", 0), &device()).unwrap()
    };
    let batch = |rows: &[[f32; 3]]| {
        let condition: Vec<f32> = rows.iter().flat_map(|row| [row[0], row[1]]).collect();
        let target: Vec<f32> = rows.iter().map(|row| row[2]).collect();
        let upload = |values, width| Tensor::<2>::from_data(TensorData::new(values, [rows.len(), width]), &device());
        Batch { condition: Some(upload(condition, 2)), ..Batch::new(upload(target, 1)) }
    };
    let log_prob = |samples: usize, rows: &[[f32; 3]]| {
        host(Density::log_prob(&model(samples), &batch(rows), &mut Seed(0).stream("noise", 0)))
    };
    let row = [0.7, -1.1, 0.3];
    // The first of two networks is the only one of one, and the second has other units off.
    let [one, two] = [1, 2].map(|samples| log_prob(samples, &[row])[0]);
    let other = (2.0 * two.exp() - one.exp()).ln();
    assert!(other.is_finite() && (other - one).abs() > 1e-4, "{one} {two}");
    assert_ne!(one, log_prob(0, &[row])[0]);
    // What is said of a row depends neither on its place nor on the others.
    let among = log_prob(2, &[[9.0, 1.0, 0.0], row]);
    assert!((among[1] - two).abs() < 1e-6, "{among:?} {two}");
    // A density still.
    let grid: Vec<[f32; 3]> = (-800..800).map(|i| [0.7, -1.1, i as f32 * 0.02]).collect();
    let total: f64 = log_prob(5, &grid).iter().map(|log_p| log_p.exp() * 0.02).sum();
    assert!((total - 1.0).abs() < 1e-3, "{total}");
}

/// log p(x) by the trapezoidal rule over z; the logarithm of the mean of k draws of p(x | z) is below it, by Var[p(x | z)] / (2 k p(x)²) where k
/// is large, and rises to it with k.
#[test]
fn the_naive_estimate_of_a_latent_generator_is_biased_as_theory_says() {
    let config = LatentGeneratorConfig {
        latent: 1,
        decoder: DecoderConfig::Mlp(MlpConfig::of(&[8])),
        likelihood: LikelihoodConfig::Bernoulli(Plain {}),
        samples: 1,
    };
    let spec = spec([1, 2, 2], Values::Levels(2));
    let model = config.init(&spec, &mut Seed(2).stream("weights", 0), &device()).unwrap();
    // A decoder whose pixels depend on z, which one that has not learnt hardly does.
    let model = model.map(&mut Stretch);
    let x = Tensor::<2>::from_floats([[1., 0., 1., 1.]], &device());
    let one = Batch::new(x.clone());
    let inference = model.infer(&one).unwrap();
    let (steps, width) = (8001usize, 16.0);
    let h = width / (steps - 1) as f64;
    let grid: Vec<f32> = (0..steps).map(|i| (i as f64 * h - width / 2.0) as f32).collect();
    let z = Tensor::<1>::from_floats(grid.as_slice(), &device()).reshape([1, steps, 1]);
    let likelihood = host(inference.log_likelihood(z.clone(), &mut Mode::Evaluate).reshape([steps]));
    let prior = host(inference.log_prior(z).reshape([steps]));
    let moment = |power: f64| -> f64 {
        likelihood.iter().zip(&prior).map(|(log_p, prior)| (power * log_p + prior).exp() * h).sum()
    };
    let (log_p, relative) = (moment(1.0).ln(), moment(2.0) / moment(1.0).powi(2) - 1.0);
    assert!(relative > 0.2, "{relative}");
    let copies = 2000;
    let many = Batch::new(x.repeat_dim(0, copies));
    let bound = |k: usize| {
        let inference = model.infer(&many).unwrap();
        let z = inference.sample(k, &mut Seed(5).stream("noise", k as u64)).z;
        Mean::of(&host(log_mean_exp(inference.log_likelihood(z, &mut Mode::Evaluate))))
    };
    let gaps: Vec<Mean> = [1, 8, 64].into_iter().map(bound).collect();
    for (k, gap) in [1.0, 8.0, 64.0].into_iter().zip(&gaps) {
        let (below, error) = (log_p - gap.mean, gap.standard_error);
        assert!(below > -3.0 * error, "k = {k}: {below} ± {error}");
        if k == 64.0 {
            let expected = relative / (2.0 * k);
            assert!((below - expected).abs() < 4.0 * error + 0.2 * expected, "{below} ± {error}, expected {expected}");
        }
    }
    assert!(gaps[0].mean + 0.01 < gaps[1].mean && gaps[1].mean < gaps[2].mean, "{gaps:?}");
}

/// Weights times 6.
struct Stretch;

impl ModuleMapper for Stretch {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value.mul_scalar(6.0))
    }
}
