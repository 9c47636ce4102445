//! Models of the shipped configurations, without dropout, as one training step of PyTorch's side.

use crate::inputs::levels_of;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Seed;
use dgm_models::{AnyModel, Batch, DataSpec, Mode, Model, ModelConfig, Training, Values};

/// A model with the examples of one step.
pub(crate) struct Shipped {
    config: &'static str,
    shape: [usize; 3],
    levels: usize,
    batch: usize,
}

impl Shipped {
    /// `gated_pixelcnn`: `mnist-pixelcnn-small.toml`; `text`: `shakespeare.toml`; `transformer`: `transformer.toml` without the shift as its
    /// condition, and with categories for its mixture of beta-binomials, which PyTorch has not.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let pixelcnn = "kind = \"pixel_cnn\"\nchannels = 32\nlayers = 8\nlikelihood = \"bernoulli\"";
        let text = "kind = \"causal_conv\"\nchannels = 128\nlayers = 14\nkernel = 2\ndilation_base = 2\ndilation_cycle = 7\n\
                    inputs = \"one_hot\"\nlikelihood = \"categorical\"";
        let transformer =
            "kind = \"transformer\"\nchannels = 64\nlayers = 5\nheads = 4\nreach = 2\nlikelihood = \"categorical\"";
        Some(match name {
            "gated_pixelcnn" => Self { config: pixelcnn, shape: [1, 28, 28], levels: 2, batch: 16 },
            "text" => Self { config: text, shape: [1, 1, 256], levels: 65, batch: 16 },
            "transformer" => Self { config: transformer, shape: [1, 8, 8], levels: 17, batch: 50 },
            _ => return None,
        })
    }

    /// The model, with weights on `device`, and `scale` times as many examples as in the configuration.
    pub(crate) fn build(&self, scale: usize, device: &Device) -> (AnyModel, Batch) {
        let config: ModelConfig = toml::from_str(self.config).expect("a model's configuration");
        let spec = DataSpec { shape: self.shape, values: Values::Levels(self.levels), condition: None };
        let model = config.init(&spec, &mut Seed(0).stream("weights", 0), device).expect("a model");
        (model, levels([self.batch * scale, spec.event()], self.levels, device))
    }
}

/// Levels that depend on their place alone.
pub(crate) fn levels([n, event]: [usize; 2], levels: usize, device: &Device) -> Batch {
    let values = levels_of(n * event, levels, 7);
    Batch::new(Tensor::from_data(TensorData::new(values, [n, event]), device))
}

/// −log p(x), the mean over the examples.
pub(crate) fn loss(model: &AnyModel, batch: &Batch) -> Tensor<1> {
    let Training::Likelihood(model) = model.training() else { unreachable!("an autoregressive model") };
    let [n, _] = batch.target.dims();
    model.train_log_prob(batch, &mut Mode::Evaluate).sum().div_scalar(-(n as f64))
}
