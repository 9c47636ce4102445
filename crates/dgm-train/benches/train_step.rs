//! One training step (forward, backward, Adam) on the CPU, of networks that PyTorch has layer for layer.
//!
//! ReLU throughout, fixed inputs, latent noise made beforehand: what is timed is the step and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(missing_docs)] // criterion_group! makes functions without any

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::{leaky_relu, relu};
use burn::tensor::{Device, Int, Tensor, TensorData};
use criterion::{Criterion, criterion_group, criterion_main};
use dgm_core::density::{Bernoulli, Categorical, Normal};
use dgm_core::divergence::kl;
use dgm_core::objective::{ArmNll, Elbo, Nll, Objective};
use dgm_core::random::{Seed, Stream};
use dgm_models::TapConv;
use dgm_models::ops::Tap;
use std::time::Duration;

// As in the program: tensors come and go, and the system's allocator returns their pages each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// ---- what the networks are made of ----------------------------------------------

fn linear(inputs: usize, outputs: usize, rng: &mut Stream, device: &Device) -> Linear {
    let bound = 1.0 / (inputs as f32).sqrt();
    let weight: Vec<f32> = rng.uniforms(inputs * outputs).into_iter().map(|u| (2.0 * u - 1.0) * bound).collect();
    Linear {
        weight: Param::from_data(TensorData::new(weight, [inputs, outputs]), device),
        bias: Some(Param::from_data(TensorData::zeros::<f32, _>([outputs]), device)),
    }
}

#[derive(Module, Debug)]
struct ReluMlp {
    layers: Vec<Linear>,
}

impl ReluMlp {
    fn new(sizes: &[usize], rng: &mut Stream, device: &Device) -> Self {
        Self { layers: sizes.windows(2).map(|pair| linear(pair[0], pair[1], rng, device)).collect() }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("a layer");
        last.forward(hidden.iter().fold(x, |x, layer| relu(layer.forward(x))))
    }
}

/// The two halves of the columns.
fn halves(x: Tensor<2>) -> [Tensor<2>; 2] {
    let [rows, columns] = x.dims();
    [x.clone().slice([0..rows, 0..columns / 2]), x.slice([0..rows, columns / 2..columns])]
}

#[derive(Module, Debug)]
struct ReluVae {
    encoder: ReluMlp,
    decoder: ReluMlp,
}

impl ReluVae {
    fn objective(&self, x: Tensor<2>, epsilon: Tensor<2>) -> Objective {
        let [mean, log_var] = halves(self.encoder.forward(x.clone()));
        let posterior = Normal::new(mean, log_var);
        let logits = self.decoder.forward(posterior.transform(epsilon));
        let log_likelihood = Bernoulli::from_logits(logits).log_prob(x).sum_dim(1).squeeze_dim(1);
        Elbo::default().objective(log_likelihood, kl::normal_standard(&posterior))
    }
}

/// The open taps of a k × k mask: what is above or left, and with `own` the position itself.
fn raster_taps(k: isize, own: bool) -> Vec<Tap> {
    let reach = k / 2;
    let window = (-reach..=0).flat_map(|dy| (-reach..=reach).map(move |dx| [dy, dx]));
    window.filter(|&[dy, dx]| dy < 0 || dx < 0 || (own && dx == 0)).collect()
}

/// 7 × 7 mask A, six residual 3 × 3 mask B, two 1 × 1.
#[derive(Module, Debug)]
struct ReluPixelCnn {
    first: TapConv,
    blocks: Vec<TapConv>,
    hidden: TapConv,
    last: TapConv,
}

impl ReluPixelCnn {
    fn new(channels: usize, rng: &mut Stream, device: &Device) -> Self {
        let (first, block, point) = (raster_taps(7, false), raster_taps(3, true), [[0, 0]]);
        Self {
            first: TapConv::new(1, channels, &first, rng, device),
            blocks: (0..6).map(|_| TapConv::new(channels, channels, &block, rng, device)).collect(),
            hidden: TapConv::new(channels, channels, &point, rng, device),
            last: TapConv::new(channels, 1, &point, rng, device),
        }
    }

    fn objective(&self, x: Tensor<4>) -> Objective {
        let hidden =
            self.blocks.iter().fold(self.first.forward(x.clone()), |h, block| h.clone() + block.forward(relu(h)));
        let logits = self.last.forward(relu(self.hidden.forward(relu(hidden))));
        ArmNll.objective(Bernoulli::from_logits(logits).log_prob(x).flatten(1, 3), None)
    }
}

/// Four causal convolutions over a row of numbers; the first does not see its own position.
#[derive(Module, Debug)]
struct CausalArm {
    layers: Vec<TapConv>,
}

impl CausalArm {
    fn new(channels: usize, kernel: isize, classes: usize, rng: &mut Stream, device: &Device) -> Self {
        let before: Vec<Tap> = (1..=kernel).rev().map(|back| [0, -back]).collect();
        let up_to: Vec<Tap> = (0..kernel).rev().map(|back| [0, -back]).collect();
        let layers = [
            (1, channels, &before),
            (channels, channels, &up_to),
            (channels, channels, &up_to),
            (channels, classes, &up_to),
        ];
        Self { layers: layers.map(|(inputs, outputs, taps)| TapConv::new(inputs, outputs, taps, rng, device)).into() }
    }

    fn objective(&self, x: Tensor<4>, classes: Tensor<1, Int>) -> Objective {
        let (last, hidden) = self.layers.split_last().expect("a layer");
        let logits = last.forward(hidden.iter().fold(x, |h, layer| leaky_relu(layer.forward(h), 0.01)));
        let [batch, levels, _, length] = logits.dims();
        let rows = logits.reshape([batch, levels, length]).swap_dims(1, 2).reshape([batch * length, levels]);
        ArmNll.objective(Categorical::from_logits(rows).log_prob(classes).reshape([batch, length]), None)
    }
}

// ---- training steps -----------------------------------------------------------------

/// 0 and 1, with 1 at probability 0.3.
fn coins(n: usize, rng: &mut Stream) -> Vec<f32> {
    rng.uniforms(n).into_iter().map(|u| f32::from(u > 0.7)).collect()
}

fn bench_step<M: Module + Clone>(
    criterion: &mut Criterion,
    name: &str,
    seconds: f32,
    model: M,
    loss: impl Fn(&M) -> Tensor<1>,
) {
    let mut group = criterion.benchmark_group("train_step");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs_f32(seconds));
    let mut optimizer = ModuleOptimizer::from(AdamConfig::new().with_epsilon(1e-8).build());
    let mut model = Some(model);
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let current = model.take().expect("a model");
            let loss = loss(&current);
            let grads = GradientsParams::from_grads(loss.backward(), &current);
            model = Some(optimizer.step(1e-3, current, grads));
            loss.into_scalar::<f32>()
        });
    });
    group.finish();
}

fn train_steps(criterion: &mut Criterion) {
    let device = Device::flex().autodiff();
    let noise = &mut Seed(0).stream("bench", 0);

    for (name, sizes, batch) in [("mlp_small", vec![10, 128, 2], 256), ("mlp_big", vec![32, 512, 512, 2], 1024)] {
        let model = ReluMlp::new(&sizes, noise, &device);
        let x: Tensor<2> = noise.uniform_tensor([batch, sizes[0]], &device).mul_scalar(2.0).sub_scalar(1.0);
        let y: Tensor<2> = noise.uniform_tensor([batch, 1], &device).mul_scalar(2.0).sub_scalar(1.0);
        bench_step(criterion, name, 3.0, model, |model| {
            let [mean, log_var] = halves(model.forward(x.clone()));
            Nll.objective(Normal::new(mean, log_var).log_prob(y.clone())).mean_batch()
        });
    }

    let model = ReluVae {
        encoder: ReluMlp::new(&[784, 400, 40], noise, &device),
        decoder: ReluMlp::new(&[20, 400, 784], noise, &device),
    };
    let x = Tensor::from_data(TensorData::new(coins(128 * 784, noise), [128, 784]), &device);
    let epsilon = noise.normal_tensor([128, 20], &device);
    bench_step(criterion, "vae", 3.0, model, |model| model.objective(x.clone(), epsilon.clone()).mean_batch());

    let model = ReluPixelCnn::new(64, noise, &device);
    let x = Tensor::from_data(TensorData::new(coins(32 * 784, noise), [32, 1, 28, 28]), &device);
    bench_step(criterion, "pixelcnn", 5.0, model, |model| model.objective(x.clone()).mean_batch());

    let model = CausalArm::new(256, 7, 17, noise, &device);
    let levels: Vec<i32> = (0..64 * 64).map(|_| noise.below(17) as i32).collect();
    let scaled: Vec<f32> = levels.iter().map(|&level| level as f32 / 8.0 - 1.0).collect();
    let x = Tensor::from_data(TensorData::new(scaled, [64, 1, 1, 64]), &device);
    let classes = Tensor::from_data(TensorData::new(levels, [64 * 64]), &device);
    bench_step(criterion, "arm", 5.0, model, |model| model.objective(x.clone(), classes.clone()).mean_batch());
}

criterion_group!(benches, train_steps);
criterion_main!(benches);
