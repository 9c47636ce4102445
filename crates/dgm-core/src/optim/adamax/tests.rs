//! Adamax against PyTorch, and its state through bytes.
// The literals have more digits than f32.
#![allow(clippy::unwrap_used, clippy::excessive_precision)]

use super::*;
use crate::testing::tolerance;
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{TensorData, Tolerance};

#[derive(Module, Debug)]
struct Two {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Two {
    fn new() -> Self {
        let device = Device::flex().autodiff();
        let weight = Tensor::from_floats([[0.5, -1.25], [2.0, 0.125]], &device);
        Self {
            weight: Param::from_tensor(weight),
            bias: Param::from_tensor(Tensor::from_floats([0.1, -0.2, 0.3], &device)),
        }
    }

    /// One step with the gradients of step `time`: those of the script below.
    fn step(self, optimizer: &mut ModuleOptimizer, rate: f64, time: usize) -> Self {
        let device = Device::flex();
        let mut gradients = GradientsParams::new();
        let weight = Tensor::<2>::from_floats([[1.0, -0.3], [0.02, 4.0]], &device);
        let bias = Tensor::<1>::from_floats([0.7, -0.001, 30.0], &device);
        gradients.register(self.weight.id, weight.mul_scalar([1.0, -0.5, 0.1, 2.0, -1.0][time - 1]));
        gradients.register(self.bias.id, bias.div_scalar(time as f32));
        optimizer.step(rate, self, gradients)
    }

    fn values(&self) -> (TensorData, TensorData) {
        (self.weight.val().into_data(), self.bias.val().into_data())
    }

    fn assert_close(&self, weight: [f32; 4], bias: [f32; 3], what: &str) {
        println!("{what}");
        // A subtraction from the weight a step and a dozen operations on its change, which is up to 0.1.
        let (relative, absolute) = (tolerance(8, 1.0), tolerance(16, 0.1));
        let tolerance = Tolerance::<f32>::relative(relative as f32).set_absolute(absolute as f32);
        let (found_weight, found_bias) = self.values();
        found_weight.assert_approx_eq::<f32>(&TensorData::new(weight.to_vec(), [2, 2]), tolerance);
        found_bias.assert_approx_eq::<f32>(&TensorData::new(bias.to_vec(), [3]), tolerance);
    }
}

// The literals are PyTorch's, in f64:
//
//     torch.set_default_dtype(torch.float64)
//     w = torch.tensor([[0.5, -1.25], [2.0, 0.125]], requires_grad=True)
//     b = torch.tensor([0.1, -0.2, 0.3], requires_grad=True)
//     opt = torch.optim.Adamax([w, b], lr=lr, betas=betas, eps=1e-8, weight_decay=decay)
//     for t in range(1, 6):
//         w.grad = torch.tensor([[1.0, -0.3], [0.02, 4.0]]) * [1.0, -0.5, 0.1, 2.0, -1.0][t - 1]
//         b.grad = torch.tensor([0.7, -0.001, 30.0]) / t
//         opt.step()

#[test]
fn five_steps_are_those_of_pytorch() {
    let mut optimizer = AdamaxConfig::new().init();
    let mut two = Two::new();
    for time in 1..=5 {
        two = two.step(&mut optimizer, 2e-3, time);
        match time {
            1 => two.assert_close([0.498, -1.248, 1.998, 0.123], [0.098, -0.19800002, 0.298], "step 1"),
            2 => two.assert_close(
                [0.497578526, -1.24757853, 1.99757853, 0.122578526],
                [0.0965248407, -0.196524875, 0.296524841],
                "step 2",
            ),
            _ => {}
        }
    }
    two.assert_close(
        [0.496249785, -1.24624979, 1.99624979, 0.121249785],
        [0.0935230559, -0.193523121, 0.293523056],
        "step 5",
    );
}

/// With β₂ = 0.5 the norm falls between the steps, so that both sides of the maximum are taken.
#[test]
fn a_penalty_and_a_quickly_forgotten_norm_are_those_of_pytorch() {
    let config = AdamaxConfig::new().with_beta_1(0.8).with_beta_2(0.5);
    let mut optimizer = config.with_weight_decay(Some(WeightDecayConfig::new(0.1))).init();
    let mut two = Two::new();
    for time in 1..=5 {
        two = two.step(&mut optimizer, 0.05, time);
        if time == 2 {
            two.assert_close(
                [0.42962963, -1.15947713, 1.8957958, 0.0581429562],
                [-0.0222222195, -0.0921147611, 0.177807358],
                "step 2",
            );
        }
    }
    two.assert_close(
        [0.360523727, -1.05339852, 1.73828472, -0.00153406069],
        [-0.313601544, 0.116432134, -0.0931885271],
        "step 5",
    );
}

#[test]
fn the_state_goes_through_bytes_and_on_bit_for_bit() {
    let config = AdamaxConfig::new().with_weight_decay(Some(WeightDecayConfig::new(0.01)));
    let mut optimizer = config.init();
    let mut two = Two::new();
    for time in 1..=3 {
        two = two.step(&mut optimizer, 0.01, time);
    }
    let mut restored = config.init().from_bytes(optimizer.into_bytes().unwrap()).unwrap();
    let (mut on, mut again) = (two.clone(), two.clone());
    for time in 4..=5 {
        on = on.step(&mut optimizer, 0.01, time);
        again = again.step(&mut restored, 0.01, time);
    }
    assert_eq!(on.values(), again.values());
    // A state that was lost would show.
    let fresh = two.step(&mut config.init(), 0.01, 4).step(&mut config.init(), 0.01, 5);
    assert_ne!(on.values(), fresh.values());
}

#[test]
fn zero_gradients_do_not_move_and_extreme_ones_move_by_the_rate() {
    let device = Device::flex();
    let step = |gradient: [f32; 4]| {
        let start = Tensor::<1>::zeros([4], &device);
        let (after, _) = AdamaxConfig::new().build().step(0.5, start, Tensor::from_floats(gradient, &device), None);
        after.into_data().iter::<f32>().collect::<Vec<_>>()
    };
    assert_eq!(step([0.0; 4]), [0.0; 4]);
    for (found, expected) in step([1e30, -1e30, 1e-3, -1.0]).into_iter().zip([-0.5, 0.5, -0.5, 0.5]) {
        // 1e-8 is added to the largest gradient so far, of which the smallest here is 1e-3.
        assert!((found - expected).abs() < 0.5 * 1.1e-5, "{found} for {expected}");
    }
}

#[test]
#[should_panic(expected = "AdamaxConfig: beta_2 is 1; expected a number in [0, 1)")]
fn a_decay_rate_of_one_is_refused() {
    AdamaxConfig::new().with_beta_2(1.0).init();
}
