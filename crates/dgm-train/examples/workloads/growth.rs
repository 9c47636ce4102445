//! How the cost of a step, and of sampling, grows with each size, beside the exponent that it should have.

use crate::networks::{ConditionalMlp, Vae};
use crate::shipped::{levels, loss};
use crate::{Length, inputs, step_of};
use burn::tensor::Device;
use dgm_core::estimate::importance_weighted;
use dgm_core::random::Seed;
use dgm_models::autoregressive::sampling::{SamplingParams, sample};
use dgm_models::{AnyModel, DataSpec, Model, ModelConfig, Values};
use std::time::Instant;

/// One table row: what grows, its values, milliseconds at each, and the exponent expected at large sizes.
struct Row {
    what: &'static str,
    sizes: Vec<usize>,
    milliseconds: Vec<f64>,
    expected: &'static str,
}

fn model(config: &str, shape: [usize; 3], levels: usize, device: &Device) -> AnyModel {
    let config: ModelConfig = toml::from_str(config).expect("a model's configuration");
    let spec = DataSpec { shape, values: Values::Levels(levels), condition: None };
    config.init(&spec, &mut Seed(0).stream("weights", 0), device).expect("a model")
}

/// Prints the table.
pub(crate) fn print(device: &Device, length: &Length) {
    let row = |what, sizes: &[usize], expected, time: &dyn Fn(usize) -> f64| Row {
        what,
        sizes: sizes.to_vec(),
        milliseconds: sizes.iter().map(|&size| time(size)).collect(),
        expected,
    };
    let of_model = |model: AnyModel, n: usize, levels_: usize| {
        let spec = model.spec().clone();
        let batch = levels([n, spec.event()], levels_, device);
        step_of(model, |model| loss(model, &batch), length).0
    };
    let pixel_cnn = "kind = \"pixel_cnn\"\nchannels = 32\nlayers = 4\nlikelihood = \"bernoulli\"";
    let transformer = "kind = \"transformer\"\nchannels = 64\nlayers = 2\nlikelihood = \"categorical\"";
    // What only evaluates or samples keeps no graph.
    let still = device.clone().inner();
    let causal = "kind = \"causal_conv\"\nchannels = 64\nlayers = 4\nkernel = 3\nlikelihood = \"categorical\"";
    let rows = [
        row("batch of the VAE 784-400-20", &[128, 256, 512, 1024], "1", &|n| {
            let (x, noise) = (inputs::bits([n, 784], 3, device), inputs::tensor([n, 20], 4, [-1.7, 1.7], device));
            step_of(Vae::new(784, 400, 20, device), |model| model.loss(x.clone(), noise.clone()), length).0
        }),
        row("width w of an MLP 32-w-w-2, batch 512", &[256, 512, 1024, 2048], "2", &|width| {
            let (x, y) =
                (inputs::tensor([512, 32], 1, [-1.0, 1.0], device), inputs::tensor([512, 1], 2, [-1.0, 1.0], device));
            let net = ConditionalMlp::new(&[32, width, width, 2], device);
            step_of(net, |model| model.loss(x.clone(), y.clone()), length).0
        }),
        row("side of the images of a gated PixelCNN, batch 8", &[8, 16, 32, 64], "2", &|side| {
            of_model(model(pixel_cnn, [1, side, side], 2, device), 8, 2)
        }),
        row("length of sequences, causal convolutions, batch 8", &[128, 256, 512, 1024], "1", &|length| {
            of_model(model(causal, [1, 1, length], 32, device), 8, 32)
        }),
        row("levels of the data, the same, length 256", &[64, 128, 256, 512], "at most 1", &|levels| {
            of_model(model(causal, [1, 1, 256], levels, device), 8, levels)
        }),
        row("length of sequences, a transformer, batch 8", &[64, 128, 256, 512], "1 to 2", &|length| {
            of_model(model(transformer, [1, 1, length], 32, device), 8, 32)
        }),
        row("importance samples k of that VAE, 32 images", &[625, 1250, 2500, 5000], "1", &|k| {
            let model = model("kind = \"vae\"\nlikelihood = \"bernoulli\"", [1, 28, 28], 2, &still);
            let (latent, batch) = (model.latent().expect("latent variables"), levels([32, 784], 2, &still));
            let mut noise = Seed(0).stream("importance", 0);
            let start = Instant::now();
            importance_weighted(k, 1, |_| latent.log_weight(&batch, &mut noise).unsqueeze_dim(1)).expect("weights");
            start.elapsed().as_secs_f64() * 1e3
        }),
        row("pixels of a sample of that PixelCNN, 16 at once", &[64, 256, 1024], "1", &|pixels| {
            let side = pixels.isqrt();
            let model = model(pixel_cnn, [1, side, side], 2, &still);
            let arm = model.conditionals().expect("an autoregressive model");
            let draw = || {
                let start = Instant::now();
                sample(arm, 16, None, &SamplingParams::default(), &mut Seed(0).stream("sampling", 0)).into_data();
                start.elapsed().as_secs_f64() * 1e3
            };
            draw();
            (0..3).map(|_| draw()).fold(f64::INFINITY, f64::min)
        }),
    ];
    println!("| what grows | sizes | ms | exponent over the last doubling | over all | expected |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for Row { what, sizes, milliseconds, expected } in rows {
        let exponent = |from: usize, to: usize| {
            (milliseconds[to] / milliseconds[from]).ln() / (sizes[to] as f64 / sizes[from] as f64).ln()
        };
        let last = sizes.len() - 1;
        let list = |values: Vec<String>| values.join(", ");
        println!(
            "| {what} | {} | {} | {:.2} | {:.2} | {expected} |",
            list(sizes.iter().map(ToString::to_string).collect()),
            list(milliseconds.iter().map(|ms| format!("{ms:.3}")).collect()),
            exponent(last - 1, last),
            exponent(0, last),
        );
    }
}
