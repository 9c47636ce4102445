//! Muon for weights of any rank: Burn's is for matrices alone.

use burn::optim::momentum::{Momentum, MomentumConfig, MomentumState};
use burn::optim::{self, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};

/// Muon, to which a weight is the matrix that has a row for each of its outputs.
///
/// That is the transpose of a linear layer's `[inputs, outputs]`, and `[outputs, inputs · …]` of a convolution's
/// `[outputs, inputs, …]`.
#[derive(Clone)]
pub(super) struct Muon {
    // Not Burn's Muon itself: a state of another rank than the weight's would not come back from a record.
    momentum: Momentum,
    step: optim::Muon,
}

impl Muon {
    /// The momentum in `config` gives way to this one.
    pub(super) fn new(config: &optim::MuonConfig, momentum: &MomentumConfig) -> Self {
        let none = MomentumConfig::new().with_momentum(0.0).with_dampening(0.0).with_nesterov(false);
        Self { momentum: Momentum::new(momentum), step: config.clone().with_momentum(none).build() }
    }
}

impl Optimizer for Muon {
    type State<const D: usize> = MomentumState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<MomentumState<D>>,
    ) -> (Tensor<D>, Option<MomentumState<D>>) {
        let shape = weight.dims();
        let (grad, state) = self.momentum.transform(grad, state);
        let (weight, _) = self.step.step(rate, matrix(weight), matrix(grad), None);
        let weight = if D == 2 { weight.transpose() } else { weight };
        (weight.reshape(shape), Some(state))
    }

    fn to_device<const D: usize>(state: MomentumState<D>, device: &Device) -> MomentumState<D> {
        state.to_device(device)
    }
}

/// The matrix with a row for each output of a weight.
fn matrix<const D: usize>(weight: Tensor<D>) -> Tensor<2> {
    let first = weight.dims()[0] as isize;
    let matrix = weight.reshape([first, -1]);
    if D == 2 { matrix.transpose() } else { matrix }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounding::{Moves, largest, rounding};
    use burn::optim::{AdjustLrFn, MuonConfig};
    use dgm_core::host;
    use dgm_core::random::Seed;

    /// Steps of ours on a weight are those of Burn's on the matrix, for both ways to adjust the learning rate.
    #[test]
    fn a_weight_is_a_matrix_with_a_row_for_each_output() {
        let of = |seed: u64| -> Tensor<1> { Seed(seed).stream("weight", 0).normal_tensor([24], &Device::flex()) };
        let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0).with_nesterov(true);
        for adjust in [AdjustLrFn::Original, AdjustLrFn::MatchRmsAdamW] {
            let config = MuonConfig::new().with_adjust_lr_fn(adjust);
            let (ours, theirs) = (Muon::new(&config, &momentum), config.with_momentum(momentum.clone()).build());
            // Six outputs of two inputs and two taps, and of four inputs.
            let all = |moves: &mut Moves| {
                let mut of = |seed: u64| moves.tensor(of(seed).reshape([6, 4]));
                let (mut expected, mut state) = (of(0), None);
                let steps = (1..4).flat_map(|step| {
                    (expected, state) = theirs.step(0.1, expected.clone(), of(step), state.take());
                    host(expected.clone())
                });
                steps.collect::<Vec<f64>>()
            };
            // Five iterations of three products of matrices, of sums of six and less.
            let allowed = largest(&rounding(5 * 3 * 6, all));
            let expected = all(&mut Moves::none());
            let (mut kernel, mut linear) = (of(0).reshape([6, 2, 2]), of(0).reshape([6, 4]).transpose());
            let (mut of_kernel, mut of_linear) = (None, None);
            for (step, expected) in (1..4).zip(expected.chunks(24)) {
                (kernel, of_kernel) = ours.step(0.1, kernel, of(step).reshape([6, 2, 2]), of_kernel);
                (linear, of_linear) = ours.step(0.1, linear, of(step).reshape([6, 4]).transpose(), of_linear);
                for found in [kernel.clone().reshape([6, 4]), linear.clone().transpose()] {
                    let close = host(found).iter().zip(expected).all(|(a, b)| (a - b).abs() <= allowed);
                    assert!(close, "{adjust:?}, step {step}, allowed {allowed:e}");
                }
            }
        }
    }
}
