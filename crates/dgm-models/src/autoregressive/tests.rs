//! What every architecture promises: normalisation, causality, and steps that are the whole network's conditionals.
#![allow(clippy::unwrap_used)]

use super::causal_conv::CausalConvConfig;
use super::pixel_cnn::PixelCnnConfig;
use super::sampling::{Given, SamplingParams, complete, log_prob_stepwise, sample};
use super::transformer::{Positions, TransformerConfig};
use super::*;
use crate::data::{ConditionSpec, Scale, Values};
use crate::objective::{ObjectiveKind, Step};
use crate::registry::{AnyModel, ModelConfig};
use crate::testing::likelihood_of;
use crate::testing::rounding::{assert_sampled, largest, rounding, tolerance};
use burn::tensor::TensorData;
use dgm_core::host;
use dgm_core::random::Seed;
use std::ops::ControlFlow;

/// Every architecture, small, in each of its ways to know a place.
fn architectures(inputs: Option<InputKind>, likelihood: &str, components: usize) -> Vec<ModelConfig> {
    let likelihood = likelihood_of(likelihood, components);
    let conv = CausalConvConfig {
        channels: 8,
        layers: 3,
        kernel: 3,
        dilation_base: 2,
        dilation_cycle: 2,
        inputs,
        likelihood: likelihood.clone(),
        ..Default::default()
    };
    let cnn = PixelCnnConfig { channels: 8, layers: 3, inputs, likelihood: likelihood.clone(), ..Default::default() };
    let learned =
        TransformerConfig { channels: 8, layers: 2, heads: 2, reach: 2, inputs, likelihood, ..Default::default() };
    let rotary = TransformerConfig { positions: Positions::Rotary, reach: 1, ..learned.clone() };
    vec![
        ModelConfig::CausalConv(conv),
        ModelConfig::PixelCnn(cnn),
        ModelConfig::Transformer(learned),
        ModelConfig::Transformer(rotary),
    ]
}

fn spec(shape: [usize; 3], levels: usize) -> DataSpec {
    DataSpec { shape, values: Values::Levels(levels), condition: None }
}

fn with_classes(shape: [usize; 3], levels: usize) -> DataSpec {
    let condition = ConditionSpec { scale: Scale::identity(3), classes: Some(3), augmentation: 0, shape: None };
    DataSpec { condition: Some(condition), ..spec(shape, levels) }
}

/// The model with weights three times as large as initial ones, so that what it sees matters.
fn built(config: &ModelConfig, spec: &DataSpec, device: &Device) -> AnyModel {
    let model = config.init(spec, &mut Seed(7).stream("weights", 0), device);
    let model = model.unwrap_or_else(|error| unreachable!("{config:?}: {error}"));
    struct Larger;
    impl burn::module::ModuleMapper for Larger {
        fn map_float<const D: usize>(
            &mut self,
            param: burn::module::Param<Tensor<D>>,
        ) -> burn::module::Param<Tensor<D>> {
            param.map(|weight| weight.mul_scalar(if D > 1 { 3.0 } else { 1.0 }))
        }
    }
    model.map(&mut Larger)
}

fn arm(model: &AnyModel) -> &dyn Autoregressive {
    model.conditionals().unwrap_or_else(|| unreachable!("not autoregressive"))
}

fn one_hot(n: usize) -> Tensor<2> {
    let rows: Vec<f32> = (0..n).flat_map(|i| (0..3).map(move |class| f32::from(u8::from(class == i % 3)))).collect();
    Tensor::from_data(TensorData::new(rows, [n, 3]), &Device::flex())
}

fn levels(n: usize, event: usize, levels: usize, device: &Device) -> Tensor<2> {
    let mut noise = Seed(1).stream("test", 0);
    let all: Vec<f32> = (0..n * event).map(|_| noise.below(levels as u32) as f32).collect();
    Tensor::from_data(TensorData::new(all, [n, event]), device)
}

/// No sum in the models of these tests is longer: 12 places of a transformer's tokens with 3 × 5 + 1 features each.
const LONGEST: usize = 192;

/// log p of each dimension, step by step, is that of all at once within rounding.
fn assert_stepwise(model: &AnyModel, x: &Tensor<2>, condition: Option<&Tensor<2>>, what: &str) {
    let batch = Batch { condition: condition.cloned(), ..Batch::new(x.clone()) };
    let at_once = |model: &AnyModel| {
        let Some(all) = model.density().and_then(|density| density.log_prob_elementwise(&batch)) else {
            unreachable!()
        };
        host(all)
    };
    let allowed = rounding(LONGEST, |moves| at_once(&moves.weights(model)));
    let stepwise = log_prob_stepwise(arm(model), x, condition);
    for (i, (a, b)) in host(stepwise).into_iter().zip(at_once(model)).enumerate() {
        // The density itself is a dozen operations more.
        let allowed = allowed[i] + tolerance(12, b.abs().max(1.0));
        assert!((a - b).abs() <= allowed, "{what}: number {i}: {a} {b}, allowed {allowed:e}");
    }
}

/// What [`sample`] samples is what the naive loop samples, up to values that rounding decides.
fn assert_samples(
    model: &AnyModel,
    n: usize,
    condition: Option<&Tensor<2>>,
    choice: &SamplingParams,
    seed: u64,
    what: &str,
) {
    let noise = Seed(seed).stream("sampling", 0);
    let samples = sample(arm(model), n, condition, choice, &mut noise.clone());
    let allowed = rounding(LONGEST, |moves| {
        let moved = moves.weights(model);
        host(arm(&moved).parameters(samples.clone(), condition))
    });
    assert_sampled(arm(model), &samples, condition, choice, &noise, largest(&allowed), what);
}

/// The likelihoods over some levels, with their components.
const LIKELIHOODS: [(&str, usize); 3] = [("categorical", 1), ("beta_binomial", 2), ("discretized_logistic", 3)];

#[test]
fn the_probabilities_of_all_targets_sum_to_one() {
    let check = |config: &ModelConfig, spec: &DataSpec| {
        let Values::Levels(levels) = spec.values else { unreachable!() };
        let event = spec.event();
        let count = levels.pow(event as u32);
        let all: Vec<f32> =
            (0..count).flat_map(|i| (0..event).map(move |d| (i / levels.pow(d as u32) % levels) as f32)).collect();
        let model = built(config, spec, &Device::flex());
        let batch = Batch::new(Tensor::from_data(TensorData::new(all, [count, event]), &Device::flex()));
        let probabilities = |model: &AnyModel| -> Vec<f64> {
            let log_prob = model.density().unwrap().log_prob(&batch, &mut Seed(0).stream("test", 0));
            log_prob.into_data().iter::<f64>().map(f64::exp).collect()
        };
        // A target's conditionals are computed beside those of others, in sums of other groups; each one is normalised
        // to its levels and the operations of its density.
        let allowed = rounding(LONGEST, |moves| probabilities(&moves.weights(&model))).into_iter().sum::<f64>();
        let allowed = allowed + tolerance(event * (levels + 12), 1.0);
        let total: f64 = probabilities(&model).iter().sum();
        assert!((total - 1.0).abs() <= allowed, "Σ p = {total} ± {allowed:e} for {config:?} of {:?}", spec.shape);
    };
    for shape in [[1, 1, 2], [1, 2, 1], [2, 1, 1], [2, 1, 2]] {
        for (likelihood, components) in LIKELIHOODS {
            for inputs in [InputKind::Ordinal, InputKind::Thermometer, InputKind::OneHot] {
                for config in architectures(Some(inputs), likelihood, components) {
                    check(&config, &spec(shape, 3));
                }
            }
        }
    }
    for config in architectures(None, "bernoulli", 1) {
        check(&config, &spec([1, 2, 2], 2));
        check(&config, &spec([1, 3, 3], 2));
    }
}

#[test]
fn conditionals_are_causal_in_their_gradients() {
    let device = Device::flex().autodiff();
    for shape in [[1, 1, 12], [1, 3, 4], [2, 3, 3], [3, 3, 4]] {
        for config in architectures(Some(InputKind::Ordinal), "categorical", 1) {
            let spec = spec(shape, 5);
            let model = built(&config, &spec, &Device::flex()).train();
            let model = arm(&model);
            let order = model.order();
            let event = order.len();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..event).collect::<Vec<_>>());
            for (rank, &place) in order.iter().enumerate() {
                let x = levels(1, event, 5, &device).require_grad();
                let parameters = model.parameters(x.clone(), None).slice([0..1, place..place + 1, 0..5]);
                let weights = Tensor::from_floats([[[1.0, -2.0, 3.0, 5.0, -4.0]]], &device);
                let grads = (parameters * weights).sum().backward();
                let grad = x.grad(&grads).map_or_else(|| vec![0.0; event], host);
                for (other, &seen) in order.iter().enumerate() {
                    if other >= rank {
                        assert_eq!(grad[seen], 0.0, "{config:?} of {shape:?}: {place} sees {seen}");
                    }
                }
                if let Some(before) = rank.checked_sub(1) {
                    let near = shape[1] == 1 || place % shape[2] > 0 || shape[0] > 1 && place >= shape[1] * shape[2];
                    assert!(!near || grad[order[before]] != 0.0, "{config:?} of {shape:?}: {place} is blind");
                }
            }
        }
    }
}

#[test]
fn conditionals_ignore_their_own_and_later_values() {
    for inputs in [InputKind::Thermometer, InputKind::OneHot] {
        for config in architectures(Some(inputs), "beta_binomial", 2) {
            let spec = spec([2, 3, 4], 4);
            let model = built(&config, &spec, &Device::flex());
            let model = arm(&model);
            let base = host(levels(1, 24, 4, &Device::flex()));
            let run = |values: &[f64]| {
                let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
                let x = Tensor::from_data(TensorData::new(values, [1, 24]), &Device::flex());
                host(model.parameters(x, None)).chunks(6).map(<[f64]>::to_vec).collect::<Vec<_>>()
            };
            let before = run(&base);
            let order = model.order();
            for (rank, &changed) in order.iter().enumerate() {
                let mut values = base.clone();
                values[changed] = (values[changed] + 1.0) % 4.0;
                let after = run(&values);
                for &place in &order[..=rank] {
                    assert_eq!(before[place], after[place], "{config:?}: {place} sees {changed}");
                }
                assert!(before != after || rank + 1 == order.len(), "{config:?}: nothing sees {changed}");
            }
        }
    }
}

#[test]
fn the_pixel_cnn_has_no_blind_spot() {
    let config = PixelCnnConfig { channels: 8, layers: 5, ..Default::default() };
    let model = built(&ModelConfig::PixelCnn(config), &spec([1, 4, 4], 3), &Device::flex());
    let at_last = |x: Tensor<2>| arm(&model).parameters(x, None).slice([0..1, 15..16, 0..3]).into_data();
    let base = at_last(Tensor::zeros([1, 16], &Device::flex()));
    for pixel in 0..15 {
        let mut values = vec![0.0f32; 16];
        values[pixel] = 2.0;
        let x = Tensor::from_data(TensorData::new(values, [1, 16]), &Device::flex());
        assert_ne!(at_last(x), base, "pixel {pixel} is not seen");
    }
}

#[test]
fn the_pixel_cnn_sees_a_row_more_than_it_has_layers() {
    let config = PixelCnnConfig { channels: 8, layers: 2, ..Default::default() };
    let model = built(&ModelConfig::PixelCnn(config), &spec([1, 6, 7], 3), &Device::flex());
    let (here, event) = (5 * 7 + 5, 42);
    let of_here = |x: Tensor<2>| arm(&model).parameters(x, None).slice([0..1, here..here + 1, 0..3]).into_data();
    let base = of_here(Tensor::zeros([1, event], &Device::flex()));
    let seen: Vec<bool> = (0..event)
        .map(|pixel| {
            let mut values = vec![0.0f32; event];
            values[pixel] = 2.0;
            of_here(Tensor::from_data(TensorData::new(values, [1, event]), &Device::flex())) != base
        })
        .collect();
    let rows: Vec<String> =
        seen.chunks(7).map(|row| row.iter().map(|&seen| if seen { 'x' } else { '.' }).collect()).collect();
    assert_eq!(rows, [".......", ".......", "...xxxx", "...xxxx", "...xxxx", "..xxx.."]);
}

#[test]
fn symbols_without_an_order_enter_as_one_bit_each() {
    let weights = |inputs, likelihood, shape| {
        let likelihood = likelihood_of(likelihood, 1);
        let config = CausalConvConfig { channels: 8, inputs, likelihood, ..Default::default() };
        built(&ModelConfig::CausalConv(config), &spec(shape, 65), &Device::flex()).num_params()
    };
    let (text, image) = ([1, 1, 8], [1, 2, 4]);
    for (likelihood, shape, expected) in [
        ("categorical", text, InputKind::OneHot),
        ("beta_binomial", text, InputKind::Ordinal),
        ("categorical", image, InputKind::Ordinal),
    ] {
        assert_eq!(weights(None, likelihood, shape), weights(Some(expected), likelihood, shape), "{expected:?}");
    }
}

#[test]
fn what_memory_cannot_hold_is_refused() {
    let conv = ModelConfig::CausalConv(CausalConvConfig::default());
    let cnn = ModelConfig::PixelCnn(PixelCnnConfig::default());
    for (config, spec) in [(conv, spec([1, 1, 1 << 20], 65)), (cnn, spec([3, 512, 512], 256))] {
        let refused = config.init(&spec, &mut Seed(0).stream("weights", 0), &Device::flex());
        let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("numbers per example; expected at most 268435456"), "{config:?}: {error}");
    }
}

#[test]
fn dropout_is_of_training_alone_and_its_rate_counts() {
    let rated = |rate: f64| {
        architectures(None, "categorical", 1).into_iter().map(move |config| match config {
            ModelConfig::CausalConv(config) => ModelConfig::CausalConv(CausalConvConfig { dropout: rate, ..config }),
            ModelConfig::PixelCnn(config) => ModelConfig::PixelCnn(PixelCnnConfig { dropout: rate, ..config }),
            ModelConfig::Transformer(config) => ModelConfig::Transformer(TransformerConfig { dropout: rate, ..config }),
            other => other,
        })
    };
    let batch = Batch::new(levels(4, 12, 5, &Device::flex()));
    for (config, without) in rated(0.5).zip(rated(0.0)) {
        let [model, without] = [&config, &without].map(|config| built(config, &spec([1, 3, 4], 5), &Device::flex()));
        let trained = |seed: u64| {
            let mut noise = Seed(seed).stream("dropout", 0);
            let views = [batch.clone()];
            let step = Step { player: 0, views: &views, step: 0, rng: &mut noise };
            host(ObjectiveKind::of_kind("nll").unwrap().loss(&model, step).unwrap().loss)
        };
        assert_eq!(trained(1), trained(1), "{config:?}");
        assert_ne!(trained(1), trained(2), "{config:?}");
        let mut noise = Seed(1).stream("test", 0);
        let scored = host(model.density().unwrap().log_prob(&batch, &mut noise));
        assert_eq!(scored, host(without.density().unwrap().log_prob(&batch, &mut noise)), "{config:?}");
    }
}

/// Every likelihood over some levels with every way for them to enter, and how many levels there are.
fn ways() -> impl Iterator<Item = (&'static str, usize, Option<InputKind>, usize)> {
    let inputs = [InputKind::Ordinal, InputKind::Thermometer, InputKind::OneHot].map(Some);
    let entered = inputs.into_iter().map(|inputs| ("categorical", 1, inputs, 5));
    let likely = LIKELIHOODS.into_iter().map(|(likelihood, components)| (likelihood, components, None, 5));
    entered.chain(likely).chain([("bernoulli", 1, None, 2)])
}

#[test]
fn step_by_step_is_all_at_once() {
    for shape in [[1, 1, 13], [1, 5, 4], [3, 3, 4]] {
        for (likelihood, components, inputs, levels_of) in ways() {
            for config in architectures(inputs, likelihood, components) {
                let spec = with_classes(shape, levels_of);
                let model = built(&config, &spec, &Device::flex());
                let x = levels(4, spec.event(), levels_of, &Device::flex());
                assert_stepwise(&model, &x, Some(&one_hot(4)), &format!("{config:?} of {shape:?}"));
            }
        }
    }
}

#[test]
fn a_condition_of_numbers_is_seen() {
    let condition = ConditionSpec { scale: Scale::identity(2), classes: None, augmentation: 0, shape: None };
    let spec = DataSpec { condition: Some(condition), ..spec([1, 2, 3], 4) };
    let x = levels(3, 6, 4, &Device::flex());
    let numbers = Tensor::<2>::from_floats([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], &Device::flex());
    for config in architectures(None, "categorical", 1) {
        let model = built(&config, &spec, &Device::flex());
        let all = host(arm(&model).parameters(x.clone(), Some(&numbers)));
        assert_stepwise(&model, &x, Some(&numbers), &format!("{config:?}"));
        // One standard deviation of either number changes the first conditional, which depends on nothing else.
        let firsts: Vec<&[f64]> = all.chunks(6 * 4).map(|row| &row[..4]).collect();
        assert!(firsts[0] != firsts[1] && firsts[0] != firsts[2], "{config:?} does not see the condition");
    }
}

#[test]
fn cached_sampling_equals_the_naive_loop() {
    let narrow = SamplingParams { temperature: 0.8, top_k: Some(4), top_p: Some(0.9) };
    for ((likelihood, components, inputs, levels), shape) in
        ways().zip([[1, 1, 13], [1, 5, 4], [3, 3, 4]].into_iter().cycle())
    {
        for config in architectures(inputs, likelihood, components) {
            let spec = with_classes(shape, levels);
            let model = built(&config, &spec, &Device::flex());
            let condition = one_hot(7);
            for (seed, choice) in [(0, SamplingParams::default()), (1, narrow)] {
                assert_samples(&model, 7, Some(&condition), &choice, seed, &format!("{config:?} of {shape:?}"));
            }
        }
    }
}

#[test]
fn cached_sampling_equals_the_naive_loop_on_every_backend() {
    let narrow = SamplingParams { temperature: 0.8, top_k: Some(3), top_p: Some(0.9) };
    for device in crate::testing::devices() {
        for config in architectures(None, "beta_binomial", 2) {
            let spec = spec([2, 2, 2], 4);
            let model = built(&config, &spec, &device);
            for choice in [SamplingParams::default(), narrow] {
                let what = format!("{config:?} on {device:?}");
                assert_samples(&model, 5, None, &choice, 2, &what);
                let samples = sample(arm(&model), 5, None, &choice, &mut Seed(2).stream("sampling", 0));
                assert_stepwise(&model, &samples, None, &what);
            }
        }
    }
}

#[test]
fn a_completion_keeps_what_is_given_and_is_told_as_it_comes() {
    for config in architectures(None, "categorical", 1) {
        let spec = spec([2, 3, 4], 5);
        let model = built(&config, &spec, &Device::flex());
        let model = arm(&model);
        let given = Given { values: levels(3, 24, 5, &Device::flex()), count: 10 };
        let mut told = Vec::new();
        let mut each = |rank: usize, value: &Tensor<2>| {
            told.push((rank, host(value.clone())));
            if rank == 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut noise = Seed(3).stream("sampling", 0);
        let samples = host(complete(model, 3, None, Some(&given), &SamplingParams::default(), &mut noise, &mut each));
        let values = host(given.values.clone());
        assert_eq!(told.len(), 21);
        for (rank, &place) in model.order().iter().enumerate() {
            let column = |all: &[f64]| (0..3).map(|row| all[row * 24 + place]).collect::<Vec<_>>();
            if rank < 10 {
                assert_eq!(column(&samples), column(&values), "rank {rank}");
            }
            match told.get(rank) {
                Some((told_rank, told)) => assert_eq!((*told_rank, told), (rank, &column(&samples))),
                None => assert_eq!(column(&samples), [0.0; 3]),
            }
        }
    }
}

#[test]
fn real_numbers_are_scored_step_by_step_in_their_own_units() {
    let (mean, std): (Vec<f64>, Vec<f64>) = ((0..6).map(f64::from).collect(), (1..7).map(f64::from).collect());
    let scale = Scale { mean, std, ..Scale::default() };
    let x = scale.standardize(&[0.5, -1.0, 2.5, 9.0, 4.0, -3.0]);
    let x = Tensor::<2>::from_data(TensorData::new(x, [1, 6]), &Device::flex());
    let spec = DataSpec { shape: [1, 2, 3], values: Values::Real(scale), condition: None };
    for config in architectures(None, "normal", 1) {
        let model = built(&config, &spec, &Device::flex());
        let what = format!("{config:?}");
        assert_stepwise(&model, &x, None, &what);
        assert_samples(&model, 2, None, &SamplingParams::default(), 5, &what);
    }
}
