//! How far rounding may leave two ways of computing the same thing apart, on any kind of CPU.
//!
//! What tests compare is equal within a bound that follows from the lengths of the sums, never to what one machine happens to
//! give.
#![allow(dead_code)] // each test file uses its part

#[path = "../../../dgm-core/src/testing.rs"]
mod sums;

pub(crate) use sums::tolerance;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use dgm_core::random::{Seed, Stream};
use dgm_models::Autoregressive;
use dgm_models::autoregressive::sampling::{SamplingParams, sample_naively};

/// By how much two ways of computing each output of `run` may differ, where no sum of products in it has more than `terms`.
///
/// A sum of n products is, in any order, the exact sum of products that are moved relatively: by n·u at the most (Higham 2002,
/// section 3.5), by λ·√n·u but with a probability that vanishes with λ (Higham and Mary 2019, "A new approach to probabilistic
/// rounding error analysis"). With λ = 2 each way computes the exact outputs of weights that are moved by 2·√n·u, and two ways
/// those of weights 2·√n·ε apart. This is the backward error of every layer at once; how much the layers amplify it on the way to
/// the outputs is measured: `run` goes once through its weights and inputs as they are, and [`DRAWS`] times through ones that
/// are moved by ±[`MOVE`] each, which is large against all rounding and small enough for a linear response.
///
/// The bound of an output is its largest response times 2·√n·ε / MOVE. The mean of all responses is added to it, for an output
/// that these few draws move by less than is typical.
pub(crate) fn rounding(terms: usize, run: impl Fn(&mut Moves) -> Vec<f64>) -> Vec<f64> {
    let still = run(&mut Moves::none());
    let mut largest = vec![0.0f64; still.len()];
    for draw in 0..DRAWS {
        let moved = run(&mut Moves { noise: Some(Seed(0).stream("moves", draw)) });
        for (largest, (moved, still)) in largest.iter_mut().zip(moved.into_iter().zip(&still)) {
            *largest = largest.max((moved - still).abs());
        }
    }
    let mean = largest.iter().sum::<f64>() / largest.len() as f64;
    let relative = 2.0 * (terms as f64).sqrt() * f64::from(f32::EPSILON);
    largest.into_iter().map(|response| relative * (response + mean) / MOVE).collect()
}

/// The largest bound of all outputs.
pub(crate) fn largest(bounds: &[f64]) -> f64 {
    bounds.iter().copied().fold(0.0, f64::max)
}

/// By how much weights are moved, relatively.
const MOVE: f64 = 1.0 / 1024.0;

/// How many times they are.
const DRAWS: u64 = 4;

/// Moves weights and inputs by ±[`MOVE`], or not at all.
pub(crate) struct Moves {
    noise: Option<Stream>,
}

impl Moves {
    pub(crate) fn none() -> Self {
        Self { noise: None }
    }

    pub(crate) fn tensor<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        let Some(noise) = &mut self.noise else { return x };
        let shape = x.dims();
        let factor = |_| 1.0 + (2 * noise.below(2)) as f32 * MOVE as f32 - MOVE as f32;
        let factors: Vec<f32> = (0..shape.iter().product()).map(factor).collect();
        let factors = Tensor::from_data(TensorData::new(factors, shape), &x.device());
        x * factors
    }

    /// The model, or models, with every weight moved.
    pub(crate) fn weights<M: Module>(&mut self, model: &M) -> M {
        model.clone().map(self)
    }
}

impl ModuleMapper for Moves {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|weight| self.tensor(weight))
    }
}

/// Each element of `samples` `[n, event]` is what the whole network, given those before it, samples with the same noise.
///
/// A sample compares noise with sums of probabilities, so rounding flips it where the two are nearly equal. It may differ
/// only there: parameters of the density that are moved by up to `allowed`, as [`rounding`] gives it for
/// [`Autoregressive::conditionals`], have to sample it, or values on both sides of it.
pub(crate) fn assert_sampled(
    model: &dyn Autoregressive,
    samples: &Tensor<2>,
    condition: Option<&Tensor<2>>,
    choice: &SamplingParams,
    noise: &Stream,
    allowed: f64,
    what: &str,
) {
    const TRIES: u64 = 64;
    let [n, _] = samples.dims();
    let host = |x: &Tensor<2>| dgm_core::host(x.clone());
    if host(samples) == host(&sample_naively(model, n, condition, choice, &mut noise.clone())) {
        return;
    }
    let mut noise = noise.clone();
    let mut before = samples.zeros_like();
    for (rank, place) in model.order().into_iter().enumerate() {
        let parameters = model.parameters(before.clone(), condition);
        let [_, _, outputs] = parameters.dims();
        let parameters = parameters.slice([0..n, place..place + 1, 0..outputs]);
        let here = noise.clone();
        let sample = |parameters: Tensor<3>, mut noise: Stream| {
            (model.likelihood().sample_at(parameters, place..place + 1, choice, &mut noise), noise)
        };
        let (naive, after) = sample(parameters.clone(), here.clone());
        noise = after;
        let found = samples.clone().slice([0..n, place..place + 1]);
        let differ = |naive: &[f64]| host(&found).iter().zip(naive).any(|(found, naive)| found != naive);
        let (mut low, mut high) = (host(&naive), host(&naive));
        if differ(&low) {
            for attempt in 0..TRIES {
                let moves = Seed(1).stream("moves", attempt).uniform_tensor([n, 1, outputs], &parameters.device());
                let moved = parameters.clone() + moves.mul_scalar(2.0 * allowed).sub_scalar(allowed);
                for (row, value) in host(&sample(moved, here.clone()).0).into_iter().enumerate() {
                    (low[row], high[row]) = (low[row].min(value), high[row].max(value));
                }
            }
        }
        for (row, found) in host(&found).into_iter().enumerate() {
            let within = (low[row]..=high[row]).contains(&found);
            assert!(
                within,
                "{what}: number {rank} of row {row} is {found}, sampled are {} to {} with parameters ± {allowed:e}",
                low[row], high[row]
            );
        }
        before = before.slice_assign([0..n, place..place + 1], found);
    }
}
