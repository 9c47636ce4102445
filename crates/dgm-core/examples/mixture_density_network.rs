//! A mixture density network of one's own with dgm-core alone: y = ±√x + noise has two answers for each x, which a regression's mean misses.
//!
//! `cargo run --release -p dgm-core --features optim --example mixture_density_network`

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::density::NormalMixture;
use dgm_core::estimate::Mean;
use dgm_core::objective::Nll;
use dgm_core::random::{Seed, Stream};

/// Standard deviation of the noise.
const NOISE: f64 = 0.1;

const COMPONENTS: usize = 3;

/// p(y | x) = Σₖ πₖ(x) N(y; μₖ(x), σₖ²(x)) (Bishop 1994).
#[derive(Module, Debug)]
struct Network {
    hidden: Linear,
    more: Linear,
    output: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        let layer = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Self { hidden: layer(1, 64), more: layer(64, 64), output: layer(64, 3 * COMPONENTS) }
    }

    fn forward(&self, x: Tensor<2>) -> NormalMixture {
        // Near x = 0 the two answers meet: √x is the better input.
        let h = tanh(self.more.forward(tanh(self.hidden.forward(x.sqrt()))));
        let parts = self.output.forward(h).chunk(3, 1);
        let [logits, mean, log_var] = [0, 1, 2].map(|i: usize| parts[i].clone());
        NormalMixture::new(logits, mean, log_var)
    }
}

/// n pairs, x uniform on [0, 1].
fn examples(n: usize, rng: &mut Stream) -> (Vec<f32>, Vec<f32>) {
    let x = rng.uniforms(n);
    let signs = rng.uniforms(n);
    let noise = rng.normals(n);
    let y = (0..n).map(|i| x[i].sqrt() * if signs[i] < 0.5 { -1.0 } else { 1.0 } + NOISE as f32 * noise[i]).collect();
    (x, y)
}

/// −log p(y | x) of the distribution itself; its mean is the entropy, which no model's mean is below but by chance.
fn true_nll(x: f32, y: f32) -> f64 {
    let (root, y) = (f64::from(x).sqrt(), f64::from(y));
    let normal =
        |mean: f64| (-0.5 * ((y - mean) / NOISE).powi(2)).exp() / (NOISE * (2.0 * std::f64::consts::PI).sqrt());
    -(0.5 * normal(root) + 0.5 * normal(-root)).ln()
}

fn main() {
    let device = Device::flex();
    device.seed(0); // Burn's layers draw their weights from the device
    let column = |values: Vec<f32>, device: &Device| {
        let n = values.len();
        Tensor::<2>::from_data(TensorData::new(values, [n, 1]), device)
    };
    let train = device.clone().autodiff();
    let (mut network, seed) = (Network::new(&train), Seed(0));
    let mut adam = ModuleOptimizer::from(AdamConfig::new().build());
    let steps = 3000;
    for step in 0..steps {
        let (x, y) = examples(256, &mut seed.stream("examples", step));
        let y = column(y, &train).squeeze_dim(1);
        let log_prob = network.forward(column(x, &train)).log_prob(y);
        let loss = Nll.objective(log_prob.unsqueeze_dim(1), None).mean_batch();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let rate = 3e-3 * 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos());
        network = adam.step(rate, network, gradients);
    }

    let network = network.valid();
    let (x, y) = examples(20_000, &mut seed.stream("test", 0));
    let log_prob = network.forward(column(x.clone(), &device)).log_prob(column(y.clone(), &device).squeeze_dim(1));
    let nll: Vec<f64> = log_prob.into_data().iter::<f64>().map(|log_p| -log_p).collect();
    let least: Vec<f64> = x.iter().zip(&y).map(|(&x, &y)| true_nll(x, y)).collect();
    let over: Vec<f64> = nll.iter().zip(&least).map(|(nll, least)| nll - least).collect();
    let [nll, least, over] = [nll, least, over].map(|values| Mean::of(&values));
    println!("test NLL {:.4} ± {:.4} nats, {} examples", nll.mean, nll.standard_error, nll.n);
    println!("of the distribution itself {:.4} ± {:.4}", least.mean, least.standard_error);
    println!("over it {:.4} ± {:.4}", over.mean, over.standard_error);
    assert!(over.mean < 0.05, "the network has not learnt the distribution");

    let at_half = network.forward(column(vec![0.5], &device));
    let mut samples: Vec<f32> =
        (0..8).map(|i| at_half.sample(&mut seed.stream("samples", i)).into_scalar::<f32>()).collect();
    samples.sort_by(f32::total_cmp);
    println!("samples at x = ½, where y is ±0.71: {samples:.2?}");
}
