//! Mixtures of models small enough to enumerate.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::data::{ConditionSpec, Scale, Values};
use crate::registry::ModelConfig;
use crate::testing::rounding::{assert_sampled, largest, rounding, tolerance};
use burn::tensor::{Device, TensorData};
use dgm_core::host;
use dgm_core::random::Seed;

fn device() -> Device {
    Device::flex()
}

fn spec(shape: [usize; 3], levels: usize, classes: usize) -> DataSpec {
    let condition =
        ConditionSpec { scale: Scale::identity(classes), classes: Some(classes), augmentation: 0, shape: None };
    DataSpec { shape, values: Values::Levels(levels), condition: (classes > 0).then_some(condition) }
}

/// Models whose weights are drawn and then multiplied by 1, 1 + spread, 1 + 2 spread …, so that they differ.
fn members(config: serde_json::Value, spec: &DataSpec, count: u64, spread: f64) -> Vec<AnyModel> {
    let config: ModelConfig = serde_json::from_value(config).unwrap();
    let mut all: Vec<AnyModel> =
        (0..count).map(|seed| config.init(spec, &mut Seed(seed).stream("weights", 0), &device()).unwrap()).collect();
    for (k, model) in all.iter_mut().enumerate() {
        *model = scaled(model.clone(), 1.0 + spread * k as f64);
    }
    all
}

/// The model with all of its weights multiplied.
fn scaled(model: AnyModel, by: f64) -> AnyModel {
    use burn::module::{Module, ModuleMapper, Param};
    struct Scale(f64);
    impl ModuleMapper for Scale {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| value.mul_scalar(self.0))
        }
    }
    model.map(&mut Scale(by))
}

fn mlp(spec: &DataSpec, count: u64) -> Vec<AnyModel> {
    members(
        serde_json::json!({ "kind": "conditional_mlp", "hidden": [8], "likelihood": "categorical" }),
        spec,
        count,
        2.0,
    )
}

fn cnn(spec: &DataSpec, count: u64) -> Vec<AnyModel> {
    members(serde_json::json!({ "kind": "pixel_cnn", "channels": 8, "layers": 2 }), spec, count, 2.0)
}

fn vae(spec: &DataSpec, count: u64) -> Vec<AnyModel> {
    let small = serde_json::json!({ "kind": "mlp", "hidden": [8] });
    let config = serde_json::json!({ "kind": "vae", "latent": 2, "encoder": small, "decoder": small, "likelihood": "bernoulli" });
    members(config, spec, count, 1.0)
}

/// Every x of the event, given this class where there are classes.
fn all(spec: &DataSpec, class: usize) -> Batch {
    let Values::Levels(levels) = spec.values else { unreachable!() };
    let (event, width) = (spec.event(), spec.condition_width());
    let count = levels.pow(event as u32);
    let values: Vec<f32> =
        (0..count).flat_map(|i| (0..event).map(move |d| (i / levels.pow(d as u32) % levels) as f32)).collect();
    let one_hot: Vec<f32> = (0..count * width).map(|i| f32::from(u8::from(i % width.max(1) == class))).collect();
    let condition = (width > 0).then(|| Tensor::from_data(TensorData::new(one_hot, [count, width]), &device()));
    Batch { condition, ..Batch::new(Tensor::from_data(TensorData::new(values, [count, event]), &device())) }
}

fn noise() -> Stream {
    Seed(9).stream("noise", 0)
}

/// No sum in the models of these tests is longer: 8 hidden numbers, or the 6 places that a kernel sees of 8 channels and more.
const LONGEST: usize = 64;

/// By how much Σ p over all of `batch` may miss 1 where its members' `numbers` of `levels` are normalised one by one: their
/// conditionals are computed in sums of other groups for each target that begins alike.
fn missing(members: &Vec<AnyModel>, batch: &Batch, numbers: usize, levels: usize) -> f64 {
    let probabilities = |members: Vec<AnyModel>| -> Vec<f64> {
        host(Ensemble::new(members).unwrap().log_prob(batch, &mut noise())).into_iter().map(f64::exp).collect()
    };
    let moved: f64 = rounding(LONGEST, |moves| probabilities(moves.weights(members))).into_iter().sum();
    moved + tolerance(numbers * (levels + members.len() + 12), 1.0)
}

/// Σ |log p| of each number of each member: what is rounded where a mixture is taken of them, or their sum.
fn magnitude(factors: &[Vec<f64>]) -> f64 {
    factors.iter().flatten().map(|log_p| log_p.abs()).sum::<f64>().max(1.0)
}

/// log (1/K) Σ exp a, in f64.
fn mean_of(terms: &[f64]) -> f64 {
    let max = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + (terms.iter().map(|term| (term - max).exp()).sum::<f64>() / terms.len() as f64).ln()
}

#[test]
fn an_ensemble_of_one_is_its_member_bit_for_bit() {
    let plain = spec([1, 2, 2], 2, 0);
    for member in [vae(&plain, 1), cnn(&plain, 1)].into_iter().flatten() {
        let batch = all(&plain, 0);
        let ensemble = Ensemble::from(member.clone());
        let model: &dyn Model = &member;
        assert_eq!(
            (ensemble.count(), ensemble.estimator().is_exact()),
            (1, model.density().unwrap().estimator().is_exact())
        );
        assert_eq!(
            host(ensemble.log_prob(&batch, &mut noise())),
            host(model.density().unwrap().log_prob(&batch, &mut noise()))
        );
        let weights = |model: &dyn Model| model.latent().map(|latent| host(latent.log_weight(&batch, &mut noise())));
        assert_eq!(weights(&ensemble), weights(model));
        assert_eq!(ensemble.encoder().is_some(), model.encoder().is_some());
        assert_eq!(ensemble.decoder().is_some(), model.decoder().is_some());
        let samples = |model: &dyn Model| host(model.generator().unwrap().generate(20, None, &mut noise()));
        assert_eq!(samples(&ensemble), samples(model));
    }
}

#[test]
fn the_mean_of_the_conditionals_is_a_density() {
    let spec = spec([1, 1, 3], 3, 2);
    let models = mlp(&spec, 3);
    let ensemble = Ensemble::new(models.clone()).unwrap();
    assert!(ensemble.estimator().is_exact());
    for class in [0, 1] {
        let batch = all(&spec, class);
        let mixed = host(ensemble.log_prob(&batch, &mut noise()));
        let total: f64 = mixed.iter().map(|log_p| log_p.exp()).sum();
        assert!((total - 1.0).abs() <= missing(&models, &batch, 3, 3), "Σ p = {total}");
        let factors: Vec<Vec<f64>> =
            models.iter().map(|m| host(m.density().unwrap().log_prob_elementwise(&batch).unwrap())).collect();
        let by_members: Vec<Vec<f64>> =
            models.iter().map(|m| host(m.density().unwrap().log_prob(&batch, &mut noise()))).collect();
        for (x, &log_p) in mixed.iter().enumerate() {
            let of = |d: usize| factors.iter().map(|f| f[3 * x + d]).collect::<Vec<_>>();
            let by_hand: f64 = (0..3).map(|d| mean_of(&of(d))).sum();
            // The same conditionals; three logarithms of means of three, and their sum.
            let allowed = tolerance(12, magnitude(&[of(0), of(1), of(2)]));
            assert!((log_p - by_hand).abs() <= allowed, "{log_p} {by_hand}");
            // Another density than the mixture of whole examples, and no worse than the members' mean.
            let whole: Vec<f64> = by_members.iter().map(|log_p| log_p[x]).collect();
            assert!((log_p - mean_of(&whole)).abs() > 2.0 * allowed, "the members do not differ");
            assert!(log_p >= whole.iter().sum::<f64>() / 3.0 - allowed);
        }
    }
    // Padding counts for nothing.
    let mask = Tensor::<2>::from_floats([[1.0, 0.0, 1.0]], &device()).repeat_dim(0, 27);
    let batch = Batch { mask: Some(mask), ..all(&spec, 0) };
    let factors = host(ensemble.log_prob_elementwise(&batch).unwrap());
    assert!(factors.iter().enumerate().all(|(i, &log_p)| (log_p == 0.0) == (i % 3 == 1)));
}

#[test]
fn a_mixture_of_autoregressive_models_is_a_density() {
    let spec = spec([1, 2, 2], 3, 0);
    let models = cnn(&spec, 3);
    let ensemble = Ensemble::new(models.clone()).unwrap();
    let batch = all(&spec, 0);
    let mixed = host(ensemble.log_prob(&batch, &mut noise()));
    let total: f64 = mixed.iter().map(|log_p| log_p.exp()).sum();
    assert!((total - 1.0).abs() <= missing(&models, &batch, 4, 3), "Σ p = {total}");
    assert!(ensemble.estimator().is_exact());
    // Number by number, by hand.
    let by_members: Vec<Vec<f64>> =
        models.iter().map(|m| host(m.density().unwrap().log_prob_elementwise(&batch).unwrap())).collect();
    for (x, &log_p) in mixed.iter().enumerate() {
        let factor = |d: usize| by_members.iter().map(|factors| factors[4 * x + d]).collect::<Vec<_>>();
        let expected: f64 = (0..4).map(|d| mean_of(&factor(d))).sum();
        let allowed = tolerance(12, magnitude(&(0..4).map(factor).collect::<Vec<_>>()));
        assert!((log_p - expected).abs() <= allowed, "{log_p} {expected}");
        let mean: f64 = (0..4).flat_map(factor).sum::<f64>() / 3.0;
        assert!(log_p >= mean - allowed);
    }
}

#[test]
fn importance_weights_of_bounds_are_those_of_the_mixture() {
    // Their mean over many samples is the mixture's p(x), so it sums to one over all x and is the mean of the members' p(x).
    let spec = spec([1, 2, 2], 2, 0);
    let models = vae(&spec, 2);
    let ensemble = Ensemble::new(models.clone()).unwrap();
    assert!(!ensemble.estimator().is_exact() && ensemble.encoder().is_none());
    let batch = all(&spec, 0);
    let (k, mut noise) = (6000, noise());
    let mut mean_weight = |model: &dyn Model| {
        let mut mean = [0.0; 16];
        for _ in 0..k {
            let weights = host(model.latent().unwrap().log_weight(&batch, &mut noise));
            mean.iter_mut().zip(weights).for_each(|(mean, weight)| *mean += weight.exp() / f64::from(k));
        }
        mean
    };
    let mixed = mean_weight(&ensemble);
    let total: f64 = mixed.iter().sum();
    assert!((total - 1.0).abs() < 0.02, "Σ p = {total}");
    let [one, other] = [0, 1].map(|member: usize| mean_weight(&models[member]));
    assert!(one.iter().zip(&other).any(|(a, b)| (a - b).abs() > 0.01), "the members do not differ");
    for (x, p) in mixed.iter().enumerate() {
        assert!((p - (one[x] + other[x]) / 2.0).abs() < 0.005, "{x}: {p}");
    }
    // What is reported is the bound from one weight per member, at most log p(x) in the mean.
    let mut bound = [0.0; 16];
    for _ in 0..1000 {
        let log_prob = host(ensemble.log_prob(&batch, &mut noise));
        bound.iter_mut().zip(log_prob).for_each(|(mean, value)| *mean += value / 1000.0);
    }
    assert!(bound.iter().zip(mixed).all(|(bound, p)| *bound < p.ln() + 0.05), "{bound:?}");
}

#[test]
fn a_sample_is_one_of_some_member_given_its_own_condition() {
    let spec = spec([1, 1, 1], 4, 2);
    let models = mlp(&spec, 3);
    let ensemble = Ensemble::new(models).unwrap();
    let n = 40_000;
    let one_hot: Vec<f32> = (0..2 * n).map(|i| f32::from(u8::from((i / 2) % 2 == i % 2))).collect();
    let condition = Tensor::from_data(TensorData::new(one_hot, [n, 2]), &device());
    let samples = host(ensemble.generator().unwrap().generate(n, Some(condition), &mut noise()));
    for class in [0, 1] {
        let log_prob = host(ensemble.log_prob(&all(&spec, class), &mut noise()));
        for (x, log_p) in log_prob.iter().enumerate() {
            let count = samples.iter().skip(class).step_by(2).filter(|&&value| value == x as f64).count();
            let (p, n) = (log_p.exp(), n as f64 / 2.0);
            assert!((count as f64 / n - p).abs() < 5.0 * (p * (1.0 - p) / n).sqrt(), "{class} {x}: {count} {p}");
        }
    }
}

#[test]
fn logarithms_of_means_hold_at_the_edges() {
    let tensor = |values: [f32; 6]| Tensor::<1>::from_floats(values, &device());
    let inf = f32::NEG_INFINITY;
    let first = tensor([-1e4, 1e4, inf, -0.1, inf, 0.0]);
    let second = tensor([1e4, 1e4, inf, -0.1, -3.0, 0.0]);
    let third = tensor([-1e4, -1e4, inf, -0.1, inf, 0.0]);
    let found = host(log_mean_exp(vec![first, second, third]));
    let ln_3 = 3f64.ln();
    let expected = [1e4 - ln_3, 1e4 + (2f64 / 3.0).ln(), f64::NEG_INFINITY, f64::from(-0.1f32), -3.0 - ln_3, 0.0];
    for (found, expected) in found.iter().zip(expected) {
        assert!(*found == expected || (found - expected).abs() <= tolerance(8, expected), "{found} {expected}");
    }
    // Of equal numbers it is that number to the last bit.
    assert_eq!((found[3], found[5]), (f64::from(-0.1f32), 0.0));
}

#[test]
fn what_makes_no_ensemble_is_refused() {
    let error = Ensemble::<AnyModel>::new(Vec::new()).unwrap_err().to_string();
    assert_eq!(error, "an ensemble of 0 models; expected one at least; give one");
    let models = [cnn(&spec([1, 2, 2], 3, 0), 2), cnn(&spec([1, 2, 2], 4, 0), 1)].concat();
    let error = Ensemble::new(models).unwrap_err().to_string();
    assert!(error.starts_with("members 0 and 2 of an ensemble were built for different data"), "{error}");
}

#[test]
fn ensembles_sample_the_mixture_value_by_value() {
    use crate::autoregressive::sampling::{SamplingParams, log_prob_stepwise, sample};
    let assert_stepwise = |members: &Vec<AnyModel>, x: &Tensor<2>| {
        let ensemble = |members: Vec<AnyModel>| Ensemble::new(members).unwrap();
        let at_once = |one: &Ensemble| host(one.log_prob_elementwise(&Batch::new(x.clone())).unwrap());
        let allowed = rounding(LONGEST, |moves| at_once(&ensemble(moves.weights(members))));
        let one = ensemble(members.clone());
        let stepwise = host(log_prob_stepwise(one.conditionals().unwrap(), x, None));
        for ((a, b), allowed) in stepwise.into_iter().zip(at_once(&one)).zip(allowed) {
            let allowed = allowed + tolerance(16, b.abs().max(1.0));
            assert!((a - b).abs() <= allowed, "{a} {b}, allowed {allowed:e}");
        }
    };
    let spec = spec([2, 2, 3], 4, 0);
    let members_of = cnn(&spec, 3);
    let ensemble = Ensemble::new(members_of.clone()).unwrap();
    let arm = ensemble.conditionals().unwrap();
    let samples = sample(arm, 30, None, &SamplingParams::default(), &mut noise());
    assert_eq!(host(ensemble.generate(30, None, &mut noise())), host(samples.clone()));
    let allowed = rounding(LONGEST, |moves| {
        let moved = Ensemble::new(moves.weights(&members_of)).unwrap();
        host(moved.conditionals().unwrap().parameters(samples.clone(), None))
    });
    assert_sampled(arm, &samples, None, &SamplingParams::default(), &noise(), largest(&allowed), "three networks");
    assert_stepwise(&members_of, &samples);
    // Real numbers too, each from a member of its own.
    let real = DataSpec {
        values: Values::Real(Scale { mean: vec![1.0; 12], std: vec![2.0; 12], ..Scale::default() }),
        ..spec.clone()
    };
    let config = serde_json::json!({ "kind": "causal_conv", "channels": 8, "layers": 1, "likelihood": "normal" });
    let members_of = members(config, &real, 3, 0.3);
    let samples = Ensemble::new(members_of.clone()).unwrap().generate(5, None, &mut noise());
    assert_stepwise(&members_of, &samples);
    let spec = DataSpec { values: Values::Levels(2), ..spec };
    assert!(Ensemble::new(vae(&spec, 2)).unwrap().conditionals().is_none());
}

#[test]
fn conditional_ensembles_sample_the_mixture_value_by_value() {
    // Two members that are each sure of their value: of two numbers, all four combinations come.
    let spec = spec([1, 1, 2], 2, 2);
    let sure = |class: usize| {
        let model = mlp(&spec, 1).remove(0);
        struct Bias(usize);
        impl burn::module::ModuleMapper for Bias {
            fn map_float<const D: usize>(
                &mut self,
                param: burn::module::Param<Tensor<D>>,
            ) -> burn::module::Param<Tensor<D>> {
                let class = self.0;
                param.map(|value| {
                    let shape = value.dims();
                    let n = shape.iter().product::<usize>();
                    let bias = |i: usize| if D == 1 && n == 4 && i % 2 == class { 50.0f32 } else { 0.0 };
                    Tensor::from_data(TensorData::new((0..n).map(bias).collect::<Vec<_>>(), shape), &value.device())
                })
            }
        }
        use burn::module::Module;
        model.map(&mut Bias(class))
    };
    let ensemble = Ensemble::new(vec![sure(0), sure(1)]).unwrap();
    let batch = all(&spec, 0);
    let log_prob = host(ensemble.log_prob(&batch, &mut noise()));
    // Two logarithms of means of e⁰ and e⁻⁵⁰, and their sum.
    assert!(log_prob.iter().all(|log_prob| (log_prob + 4f64.ln()).abs() <= tolerance(8, 4f64.ln())), "{log_prob:?}");
    let one_hot = Tensor::from_data(TensorData::new([1.0f32, 0.0].repeat(400), [400, 2]), &device());
    let samples = host(ensemble.generate(400, Some(one_hot), &mut noise()));
    let mut counts = [0; 4];
    samples.chunks(2).for_each(|pair| counts[(2.0 * pair[0] + pair[1]) as usize] += 1);
    // 100 each in the mean, with a standard deviation below 9.
    assert!(counts.iter().all(|count| (55..145).contains(count)), "{counts:?}");
}
