//! Cached sampling from an autoregressive model: dimension by dimension, each at the cost of one position.

pub use crate::likelihood::SamplingParams;
use crate::traits::{AnyOrder, Autoregressive, Steps};
use burn::tensor::{Bool, Tensor, TensorData};
use dgm_core::random::Stream;
use std::ops::ControlFlow;

/// Values that are known before sampling begins.
#[derive(Clone, Debug)]
pub struct Given {
    /// `[n, event]`; only the first `count` in the model's order are read.
    pub values: Tensor<2>,
    /// Number of given values.
    pub count: usize,
}

/// `n` samples `[n, event]`, given a condition `[n, width]` where the model has one.
///
/// # Panics
/// If [`SamplingParams::check`] refuses the choice, or it has a `top_k` or `top_p` and the values are real numbers; as all samplers here.
pub fn sample(
    model: &dyn Autoregressive,
    n: usize,
    condition: Option<&Tensor<2>>,
    choice: &SamplingParams,
    rng: &mut Stream,
) -> Tensor<2> {
    complete(model, n, condition, None, choice, rng, &mut |_, _| ControlFlow::Continue(()))
}

/// `n` samples `[n, event]` that begin with what is `given`; `each` is told the rank of every dimension, the given ones included, and
/// its values `[n, 1]` as soon as they are known, and may end the sampling there: what was not sampled is 0.
pub fn complete(
    model: &dyn Autoregressive,
    n: usize,
    condition: Option<&Tensor<2>>,
    given: Option<&Given>,
    choice: &SamplingParams,
    rng: &mut Stream,
    each: &mut dyn FnMut(usize, &Tensor<2>) -> ControlFlow<()>,
) -> Tensor<2> {
    let mut steps = model.start(n, condition);
    let mut previous: Option<Tensor<2>> = None;
    let order = model.order();
    let mut samples: Vec<Option<Tensor<2>>> = vec![None; order.len()];
    for (rank, &place) in order.iter().enumerate() {
        let parameters = steps.next(previous.take());
        let known = given.filter(|given| rank < given.count);
        let value = match known {
            Some(given) => given.values.clone().slice([0..n, place..place + 1]),
            None => model.likelihood().sample_at(parameters, place..place + 1, choice, rng),
        };
        let flow = each(rank, &value);
        if let Some(at) = samples.get_mut(place) {
            *at = Some(value.clone());
        }
        if flow.is_break() {
            break;
        }
        previous = Some(value);
    }
    let nothing = || Tensor::zeros([n, 1], &model.device());
    Tensor::cat(samples.into_iter().map(|value| value.unwrap_or_else(nothing)).collect(), 1)
}

/// x `[n, event]` with a sample of what is not `visible`, row by row `[n × event]`, given all that is: column by column, each given those
/// that are visible and those that were sampled before it. `sampled` is told after each column.
///
/// # Panics
/// As [`sample`].
pub fn fill_in(
    model: &dyn AnyOrder,
    x: Tensor<2>,
    visible: &[bool],
    condition: Option<&Tensor<2>>,
    choice: &SamplingParams,
    rng: &mut Stream,
    sampled: &mut dyn FnMut(),
) -> Tensor<2> {
    let ([n, event], device) = (x.dims(), model.device());
    let mut visible = visible.to_vec();
    let mut x = x;
    for d in 0..event {
        let hidden: Vec<bool> = visible.iter().skip(d).step_by(event).map(|&visible| !visible).collect();
        if hidden.contains(&true) {
            let flags: Vec<f32> = visible.iter().map(|&visible| f32::from(u8::from(visible))).collect();
            let flags = Tensor::from_data(TensorData::new(flags, [n, event]), &device);
            let parameters = model.parameters_given(x.clone(), flags, condition);
            let [_, _, outputs] = parameters.dims();
            let here = parameters.slice([0..n, d..d + 1, 0..outputs]);
            let value = model.likelihood().sample_at(here, d..d + 1, choice, rng);
            let hidden = Tensor::<2, Bool>::from_data(TensorData::new(hidden, [n, 1]), &device);
            let known = x.clone().slice([0..n, d..d + 1]);
            x = x.slice_assign([0..n, d..d + 1], known.mask_where(hidden, value));
            visible.iter_mut().skip(d).step_by(event).for_each(|visible| *visible = true);
        }
        sampled();
    }
    x
}

/// log p of each dimension `[n, event]`, added up one position after the other: what [`Density::log_prob_elementwise`] gives all
/// at once.
///
/// [`Density::log_prob_elementwise`]: crate::Density::log_prob_elementwise
pub fn log_prob_stepwise(model: &dyn Autoregressive, x: &Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<2> {
    let [n, _] = x.dims();
    let mut steps: Box<dyn Steps + '_> = model.start(n, condition);
    let mut previous = None;
    let order = model.order();
    let mut factors: Vec<Option<Tensor<2>>> = vec![None; order.len()];
    for &place in &order {
        let parameters = steps.next(previous);
        let value = x.clone().slice([0..n, place..place + 1]);
        if let Some(at) = factors.get_mut(place) {
            *at = Some(model.likelihood().log_prob_at(parameters, value.clone(), place..place + 1));
        }
        previous = Some(value);
    }
    Tensor::cat(factors.into_iter().flatten().collect(), 1)
}

/// What [`sample`] samples, with the whole network run once per dimension: n × event positions of work for each of the event's
/// dimensions. The oracle of tests, and what benchmarks compare with.
pub fn sample_naively(
    model: &dyn Autoregressive,
    n: usize,
    condition: Option<&Tensor<2>>,
    choice: &SamplingParams,
    rng: &mut Stream,
) -> Tensor<2> {
    let order = model.order();
    let mut x = Tensor::<2>::zeros([n, order.len()], &model.device());
    for place in order {
        let parameters = model.parameters(x.clone(), condition);
        let [_, _, outputs] = parameters.dims();
        let here = parameters.slice([0..n, place..place + 1, 0..outputs]);
        let value = model.likelihood().sample_at(here, place..place + 1, choice, rng);
        x = x.slice_assign([0..n, place..place + 1], value);
    }
    x
}
