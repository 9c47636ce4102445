//! A generative adversarial network of numbers: two players, no density.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::{NonSaturating, Objective};
use dgm_core::random::Stream;
use dgm_models::{
    Batch, DataSpec, Generate, Mlp, Mode, Model, ModelError, ModelFactory, Player, Train, Training, linear,
};
use serde::{Deserialize, Serialize};

/// `kind = "toy_gan"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "toy_gan", default, deny_unknown_fields)]
pub(crate) struct ToyGanConfig {
    hidden: usize,
    latent: usize,
    /// The generator takes a step in every so many.
    every: u64,
    /// How many players' losses a huge number in a batch makes NaN: that of the generator, the second, or of both.
    poisoned: usize,
    /// Whether it has a validation loss.
    criterion: bool,
}

impl Default for ToyGanConfig {
    fn default() -> Self {
        Self { hidden: 32, latent: 4, every: 1, poisoned: 0, criterion: false }
    }
}

impl ModelFactory for ToyGanConfig {
    type Model = ToyGan;

    const KINDS: &'static [&'static str] = &["toy_gan"];

    fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<ToyGan, ModelError> {
        Ok(ToyGan {
            generator: Network::new(self.latent, self.hidden, spec.event(), rng, device),
            critic: Network::new(spec.event(), self.hidden, 1, rng, device),
            config: self.clone(),
            spec: spec.clone(),
        })
    }
}

/// Hidden layers and a linear one.
#[derive(Module, Debug)]
struct Network {
    hidden: Mlp,
    output: Linear,
}

impl Network {
    fn new(inputs: usize, hidden: usize, outputs: usize, rng: &mut Stream, device: &Device) -> Self {
        let layers = Mlp::new(inputs, &[hidden, hidden], 0.0, rng, device);
        Self { hidden: layers, output: linear(hidden, outputs, rng, device) }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.hidden.forward(x, &mut Mode::Evaluate))
    }
}

#[derive(Module, Debug)]
pub(crate) struct ToyGan {
    generator: Network,
    critic: Network,
    #[module(skip)]
    config: ToyGanConfig,
    #[module(skip)]
    spec: DataSpec,
}

impl ToyGan {
    fn fake(&self, n: usize, rng: &mut Stream) -> Tensor<2> {
        let device = self.generator.output.weight.val().device();
        self.generator.forward(rng.normal_tensor([n, self.config.latent], &device))
    }

    /// Logits, `[batch]`.
    fn judge(&self, x: Tensor<2>) -> Tensor<1> {
        self.critic.forward(x.clamp(-10.0, 10.0)).squeeze_dim(1)
    }
}

impl Train for ToyGan {
    fn players(&self) -> Vec<Player> {
        let generator = Player { every: self.config.every, ..Player::new("generator", &["generator.*"]) };
        vec![Player::new("critic", &["critic.*"]), generator]
    }

    fn loss(&self, player: usize, views: &[Batch], rng: &mut Stream) -> Objective {
        let real = views[0].target.clone();
        let fake = self.fake(views[0].len(), rng);
        let mut objective = match player {
            0 => NonSaturating.discriminator(self.judge(real.clone()), self.judge(fake.detach())),
            _ => NonSaturating.generator(self.judge(fake)),
        };
        if player + self.config.poisoned >= 2 {
            objective.loss = objective.loss + real.square().sum_dim(1).squeeze_dim(1).mul_scalar(0.0);
        }
        objective
    }
}

impl Generate for ToyGan {
    fn generate(&self, n: usize, _: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        self.fake(n, rng)
    }
}

impl Model for ToyGan {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Custom(self)
    }

    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }

    /// The squared distance of each example from the mean of what is generated.
    fn criterion(&self, batch: &Batch, rng: &mut Stream) -> Option<Tensor<1>> {
        let fake = self.config.criterion.then(|| self.fake(64, rng))?;
        Some((batch.target.clone() - fake.mean_dim(0)).square().sum_dim(1).squeeze_dim(1))
    }
}
