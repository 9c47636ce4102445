//! Hierarchical VAE with a ladder: several layers of latent variables, each inferred on the way down.

use super::Observation;
use super::vae::{bound, elbo, log_weight};
use crate::data::{Batch, DataSpec};
use crate::decoder::{AnyDecoder, DecoderConfig};
use crate::encoder::{AnyEncoder, Encoder, EncoderConfig};
use crate::error::ModelError;
use crate::layers::{Mlp, Mode, apply, linear, network_target, with_condition};
use crate::likelihood::LikelihoodConfig;
use crate::ops::Activation;
use crate::posterior::{ApproximatePosterior, Space, normal, repeat_rows, widened};
use crate::prior::{AnyPrior, LatentSpec, Prior, PriorConfig};
use crate::training::{Examples, Inference, Samples, TrainBound, Training};
use crate::traits::{Decode, Density, Estimator, Generate, Latent, Model, Represent};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use dgm_core::density::Normal;
use dgm_core::divergence::kl;
use dgm_core::objective::sum_event;
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Configuration of [`HierarchicalVae`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HierarchicalVaeConfig {
    /// Numbers of latent variables of the layers, the top one first. Default: `[8, 16]`.
    pub latent: Vec<usize>,
    /// Widths of the layers of each network between two layers of latent variables. Default: `[128]`.
    pub hidden: Vec<usize>,
    /// From an example to features.
    pub encoder: EncoderConfig,
    /// Of the top layer.
    pub prior: PriorConfig,
    /// From the lowest layer, and what is above it, to the likelihood's parameters.
    pub decoder: DecoderConfig,
    /// What those parameters mean.
    pub likelihood: LikelihoodConfig,
}

impl Default for HierarchicalVaeConfig {
    fn default() -> Self {
        Self {
            latent: vec![8, 16],
            hidden: vec![128],
            encoder: EncoderConfig::default(),
            prior: PriorConfig::default(),
            decoder: DecoderConfig::default(),
            likelihood: LikelihoodConfig::CATEGORICAL,
        }
    }
}

impl HierarchicalVaeConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        latent = [[4, 8], [8, 16], [8, 16, 32]]
        hidden = [[64], [128], [256]]
    "#;

    /// Builds the model for `spec`, with weights drawn from `rng`.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<HierarchicalVae, ModelError> {
        spec.checked()?;
        let Self { latent, hidden, .. } = self;
        let counts = (2..=16).contains(&latent.len()) && latent.iter().all(|count| (1..=65_536).contains(count));
        ModelError::check(
            counts,
            "latent",
            format!("{latent:?}"),
            "2 to 16 numbers from 1 to 65536, the top layer's first",
        )?;
        ModelError::check(!hidden.is_empty(), "hidden", "[]", "one width or more")?;
        ModelError::check_hidden("hidden", hidden)?;
        let width = hidden.last().copied().unwrap_or(1);
        let (top, bottom) = (latent.first().copied().unwrap_or(1), latent.last().copied().unwrap_or(1));
        let all = latent.iter().map(|count| [2 * width, 2 * count + width]);
        ModelError::check_weights("latent", format!("{latent:?}"), all)?;
        let likelihood = self.likelihood.build(spec)?;

        let encoder = self.encoder.init(spec, rng, device)?;
        let mut inputs = encoder.features();
        let mut up: Vec<Mlp> = Vec::new();
        let mut inference = vec![linear(inputs, 2 * bottom, rng, device)];
        for count in latent.iter().rev().skip(1) {
            up.push(Mlp::new(inputs, hidden, 0.0, rng, device));
            inputs = width;
            inference.push(linear(inputs, 2 * count, rng, device));
        }
        inference.reverse();
        let mut down: Vec<Mlp> = Vec::new();
        let mut conditional: Vec<Linear> = Vec::new();
        for (place, pair) in latent.windows(2).enumerate() {
            let [above, below] = [0, 1].map(|i| pair.get(i).copied().unwrap_or(1));
            let inputs = if place == 0 { above } else { above + width };
            down.push(Mlp::new(inputs, hidden, 0.0, rng, device));
            conditional.push(linear(width, 2 * below, rng, device));
        }
        let network = self.decoder.init(bottom + width, spec, likelihood.parameters(), rng, device)?;
        let prior = self.prior.init(&LatentSpec { latent: top, space: Space::Real, data: spec }, rng, device)?;
        if !prior.is_on(Space::Real) {
            return Err(ModelError::Data(format!(
                "`model.prior` is \"{}\", which is not a density of {}, as the latent variables of a \"hierarchical_vae\" are; set \
                 model.prior = \"standard_normal\"",
                self.prior.kind(),
                Space::Real
            )));
        }
        Ok(HierarchicalVae {
            encoder,
            up,
            ladder: Ladder { inference, down, conditional },
            decoder: Observation::new(network, likelihood, spec.clone()),
            prior,
            latent: latent.clone(),
        })
    }
}

/// p(x, z₁ … z_L | c) = p(z_L) · Π p(z_l | z_>l) · p(x | z₁ … z_L, c), and q(z_L | x, c) · Π q(z_l | z_>l, x, c), in which the generative
/// model's normal and the one that the example proposes are multiplied (Sønderby et al. 2016, "Ladder variational autoencoders", eq. 11 to 13).
/// A deterministic path carries all upper layers down (Maaløe et al. 2019, "BIVA").
#[derive(Module, Debug)]
pub struct HierarchicalVae {
    encoder: AnyEncoder,
    /// From the features of a layer to those of the one above it, from the lowest up.
    up: Vec<Mlp>,
    ladder: Ladder,
    decoder: Observation<AnyDecoder>,
    prior: AnyPrior,
    /// Of each layer, the top one first.
    #[module(skip)]
    latent: Vec<usize>,
}

/// The way down. All lists begin at the top.
#[derive(Module, Debug)]
struct Ladder {
    /// From the features of an example to the normal that it proposes for each layer.
    inference: Vec<Linear>,
    /// From a layer, and the path above it, to the path below it.
    down: Vec<Mlp>,
    /// From the path to p(z_l | z_>l).
    conditional: Vec<Linear>,
}

/// The product of two normals, as a normal.
fn product(one: &Normal<2>, other: &Normal<2>) -> Normal<2> {
    // With precisions as exp(−log σ²): log σ² of the product is −log(p + r), shifted so that neither overflows.
    let (a, b) = (one.log_var().neg(), other.log_var().neg());
    let top = a.clone().max_pair(b.clone()).detach();
    let (p, r) = ((a - top.clone()).exp(), (b - top.clone()).exp());
    let sum = p.clone() + r.clone();
    let mean = (one.mean() * p + other.mean() * r) / sum.clone();
    Normal::new(mean, (sum.log() + top).neg())
}

/// What one way down found, from the top on.
struct Descent {
    z: Vec<Tensor<2>>,
    q: Vec<Normal<2>>,
    /// p(z_l | z_>l) of every layer but the top.
    p: Vec<Normal<2>>,
    /// What the decoder sees.
    path: Tensor<2>,
}

impl Ladder {
    /// Goes down: `q` makes of p(z_l | z_>l) (none at the top) the density that z_l is chosen from, and `choose` chooses.
    fn descend(
        &self,
        layers: usize,
        q: &dyn Fn(usize, Option<&Normal<2>>) -> Normal<2>,
        choose: &mut dyn FnMut(usize, &Normal<2>) -> Tensor<2>,
    ) -> Descent {
        let (mut zs, mut qs, mut ps): (Vec<Tensor<2>>, Vec<Normal<2>>, Vec<Normal<2>>) = Default::default();
        let mut path: Option<Tensor<2>> = None;
        for layer in 0..layers {
            if let (Some(above), Some(index)) = (zs.last(), layer.checked_sub(1)) {
                let input = match path.take() {
                    Some(path) => Tensor::cat(vec![path, above.clone()], 1),
                    None => above.clone(),
                };
                path = self.down.get(index).map(|network| network.forward(input, &mut Mode::Evaluate));
            }
            let index = layer.checked_sub(1).and_then(|index| self.conditional.get(index));
            let p = index.zip(path.clone()).map(|(linear, path)| normal(apply(linear, path, Activation::Identity)));
            let chosen = q(layer, p.as_ref());
            zs.push(choose(layer, &chosen));
            qs.push(chosen);
            ps.extend(p);
        }
        let seen = zs.last().cloned().into_iter().chain(path).collect();
        Descent { z: zs, q: qs, p: ps, path: Tensor::cat(seen, 1) }
    }
}

impl HierarchicalVae {
    /// The variables of each layer within z.
    fn ranges(&self) -> Vec<Range<usize>> {
        let mut start = 0;
        let range = |&count: &usize| {
            start += count;
            start - count..start
        };
        self.latent.iter().map(range).collect()
    }

    /// What each example proposes for each layer, the top first.
    fn proposals(&self, x: Tensor<2>, mode: &mut Mode) -> Vec<Normal<2>> {
        let mut features = vec![self.encoder.forward(x, mode)];
        for network in &self.up {
            let next = features.last().map(|below| network.forward(below.clone(), mode));
            features.extend(next);
        }
        let of_layer = |(layer, features): (&Linear, Tensor<2>)| normal(apply(layer, features, Activation::Identity));
        self.ladder.inference.iter().zip(features.into_iter().rev()).map(of_layer).collect()
    }

    fn inference<'a>(&'a self, batch: &'a Batch, mode: &mut Mode) -> HierarchicalInference<'a> {
        let x = network_target(self.spec(), batch.target.clone());
        let x = with_condition(self.spec(), x, batch.condition.as_ref());
        HierarchicalInference { model: self, batch, proposals: self.proposals(x, mode), factor: 1.0 }
    }

    /// q of the top layer, as the prior sees it.
    fn encode_top(&self, x: Tensor<2>) -> Box<dyn ApproximatePosterior> {
        let top = self.proposals(x, &mut Mode::Evaluate).into_iter().next();
        Box::new(top.unwrap_or_else(|| {
            let none = Tensor::zeros([1, 1], &self.decoder.device());
            Normal::new(none.clone(), none)
        }))
    }

    /// Latent variables of each layer, as they are given in z `[n, latent]`.
    fn split(&self, z: &Tensor<2>) -> Vec<Tensor<2>> {
        let [n, _] = z.dims();
        self.ranges().into_iter().map(|range| z.clone().slice([0..n, range])).collect()
    }

    /// p of each layer at this z, and what the decoder sees.
    fn generative(&self, z: &Tensor<2>) -> Descent {
        let given = self.split(z);
        let standard = |layer: usize| {
            let zeros = given.get(layer).map_or_else(|| z.zeros_like(), Tensor::zeros_like);
            Normal::new(zeros.clone(), zeros)
        };
        let p = |layer: usize, p: Option<&Normal<2>>| p.cloned().unwrap_or_else(|| standard(layer));
        let mut choose = |layer: usize, q: &Normal<2>| given.get(layer).cloned().unwrap_or_else(|| q.mean());
        self.ladder.descend(self.latent.len(), &p, &mut choose)
    }

    /// log p(z) `[n]`.
    fn log_prior(&self, z: &Tensor<2>) -> Tensor<1> {
        let Descent { z, p, .. } = self.generative(z);
        let top = z.first().map(|top| self.prior.log_prob(top.clone(), &|x| self.encode_top(x)));
        let below = z.iter().skip(1).zip(&p).map(|(z, p)| sum_event(p.log_prob(z.clone())));
        top.into_iter().chain(below).reduce(|a, b| a + b).unwrap_or_else(|| Tensor::zeros([1], &self.decoder.device()))
    }

    /// n samples of p(z), `[n, latent]`.
    fn sample_prior(&self, n: usize, rng: &mut Stream) -> Tensor<2> {
        let device = self.decoder.device();
        let top = self.prior.sample(n, &|x| self.encode_top(x), rng, &device);
        let zeros = top.zeros_like();
        let p =
            |_: usize, p: Option<&Normal<2>>| p.cloned().unwrap_or_else(|| Normal::new(zeros.clone(), zeros.clone()));
        let mut choose = |layer: usize, p: &Normal<2>| if layer == 0 { top.clone() } else { p.sample(rng) };
        Tensor::cat(self.ladder.descend(self.latent.len(), &p, &mut choose).z, 1)
    }

    /// Whether the KL of the top layer has a closed form.
    fn has_closed_kl(&self) -> bool {
        let top = self.latent.first().copied().unwrap_or(1);
        let zeros = Tensor::zeros([1, top], &self.decoder.device());
        self.prior.kl(&Normal::new(zeros.clone(), zeros)).is_some()
    }
}

/// q(z | x, c) of one batch.
struct HierarchicalInference<'a> {
    model: &'a HierarchicalVae,
    batch: &'a Batch,
    proposals: Vec<Normal<2>>,
    /// Of the standard deviations.
    factor: f64,
}

impl HierarchicalInference<'_> {
    /// Down the ladder, k times for each example.
    fn descend(&self, ladder: &Ladder, k: usize, choose: &mut dyn FnMut(usize, &Normal<2>) -> Tensor<2>) -> Descent {
        let each = |q: &Normal<2>| Normal::new(repeat_rows(q.mean(), k), repeat_rows(q.log_var(), k));
        let proposals: Vec<Normal<2>> = self.proposals.iter().map(each).collect();
        let q = |layer: usize, p: Option<&Normal<2>>| {
            let proposed = proposals.get(layer);
            let q = match (proposed, p) {
                (Some(proposed), Some(p)) => product(proposed, p),
                (Some(one), None) | (None, Some(one)) => one.clone(),
                (None, None) => {
                    let none = Tensor::zeros([1, 1], &self.model.decoder.device());
                    Normal::new(none.clone(), none)
                }
            };
            if self.factor == 1.0 { q } else { widened(&q, self.factor) }
        };
        ladder.descend(self.model.latent.len(), &q, choose)
    }

    /// The same at this z, `[batch, k, latent]`.
    fn descend_at(&self, ladder: &Ladder, z: &Tensor<3>) -> Descent {
        let [n, k, latent] = z.dims();
        let given = self.model.split(&z.clone().reshape([n * k, latent]));
        let mut choose = |layer: usize, q: &Normal<2>| given.get(layer).cloned().unwrap_or_else(|| q.mean());
        self.descend(ladder, k, &mut choose)
    }

    fn log_q(&self, ladder: &Ladder, z: Tensor<3>) -> Tensor<2> {
        let [n, k, _] = z.dims();
        let Descent { z: layers, q, .. } = self.descend_at(ladder, &z);
        let each = layers.into_iter().zip(&q).map(|(z, q)| sum_event(q.log_prob(z)));
        each.reduce(|a, b| a + b).unwrap_or_else(|| Tensor::zeros([n * k], &z.device())).reshape([n, k])
    }

    /// The posterior's mean on the way down, `[batch, latent]`.
    fn mean(&self) -> Tensor<2> {
        Tensor::cat(self.descend(&self.model.ladder, 1, &mut |_, q| q.mean()).z, 1)
    }
}

impl Inference for HierarchicalInference<'_> {
    fn sample(&self, k: usize, rng: &mut Stream) -> Samples {
        let [n, _] = self.batch.target.dims();
        let latent = self.model.latent.iter().sum();
        // Row by row, whatever the layers.
        let noise = rng.normal_tensor::<2>([n * k, latent], &self.batch.target.device());
        let noise = self.model.split(&noise);
        let mut choose = |layer: usize, q: &Normal<2>| match noise.get(layer) {
            Some(noise) => q.transform(noise.clone()),
            None => q.mean(),
        };
        let z = Tensor::cat(self.descend(&self.model.ladder, k, &mut choose).z, 1);
        Samples::of(z.reshape([n, k, latent]))
    }

    fn widen(&mut self, factor: f64) -> bool {
        self.factor *= factor;
        true
    }

    fn expectation(&self) -> Option<Tensor<2>> {
        Some(self.mean())
    }

    fn sample_prior(&self, n: usize, rng: &mut Stream) -> Tensor<2> {
        self.model.sample_prior(n, rng)
    }

    fn log_posterior(&self, z: Tensor<3>) -> Tensor<2> {
        self.log_q(&self.model.ladder, z)
    }

    fn log_posterior_fixed(&self, z: Tensor<3>) -> Tensor<2> {
        let fixed = Self {
            model: self.model,
            batch: self.batch,
            proposals: self.proposals.iter().map(Normal::detach).collect(),
            factor: self.factor,
        };
        fixed.log_q(&self.model.ladder.clone().no_grad(), z)
    }

    fn log_prior(&self, z: Tensor<3>) -> Tensor<2> {
        let [n, k, latent] = z.dims();
        self.model.log_prior(&z.reshape([n * k, latent])).reshape([n, k])
    }

    fn log_likelihood(&self, z: Tensor<3>, mode: &mut Mode) -> Tensor<2> {
        let [n, k, latent] = z.dims();
        let path = self.model.generative(&z.reshape([n * k, latent])).path;
        let [_, width] = path.dims();
        self.model.decoder.log_prob(self.batch, path.reshape([n, k, width]), mode)
    }

    /// Of each latent variable, where the top's has a closed form; otherwise of the top layer together, and of each below it. Means over the
    /// samples.
    fn kl(&self, samples: &Samples) -> Tensor<2> {
        let [n, k, _] = samples.z.dims();
        let Descent { z, q, p, .. } = self.descend_at(&self.model.ladder, &samples.z);
        let top = q.first().zip(z.first()).map(|(q, z)| match self.model.prior.kl(q) {
            Some(kl) => kl,
            None => {
                let log_p = self.model.prior.log_prob(z.clone(), &|x| self.model.encode_top(x));
                (sum_event(q.log_prob(z.clone())) - log_p).unsqueeze_dim(1)
            }
        });
        let below = q.iter().skip(1).zip(&p).map(|(q, p)| kl::normal_normal(q, p));
        let all = Tensor::cat(top.into_iter().chain(below).collect(), 1);
        let [_, parts] = all.dims();
        all.reshape([n, k, parts]).mean_dim(1).squeeze_dim(1)
    }
}

impl TrainBound for HierarchicalVae {
    fn kl_parts(&self) -> Vec<usize> {
        let top = if self.has_closed_kl() { self.latent.first().copied().unwrap_or(1) } else { 1 };
        std::iter::once(top).chain(self.latent.iter().skip(1).copied()).collect()
    }

    fn infer<'a>(&'a self, batch: &'a Batch, mode: &mut Mode) -> Box<dyn Inference + 'a> {
        Box::new(self.inference(batch, mode))
    }
}

impl Density for HierarchicalVae {
    fn estimator(&self) -> Estimator {
        bound(self.has_closed_kl())
    }

    fn log_prob(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        elbo(&self.inference(batch, &mut Mode::Evaluate), rng)
    }
}

impl Latent for HierarchicalVae {
    fn layers(&self) -> Vec<usize> {
        self.latent.clone()
    }

    fn infer<'a>(&'a self, batch: &'a Batch) -> Option<Box<dyn Inference + 'a>> {
        Some(Box::new(self.inference(batch, &mut Mode::Evaluate)))
    }

    fn sample_given(&self, z: &Tensor<2>, batch: &Batch, rng: &mut Stream) -> Option<Tensor<2>> {
        Some(self.decoder.sample(self.generative(z).path, batch.condition.as_ref(), rng))
    }

    fn log_weight(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        log_weight(&self.inference(batch, &mut Mode::Evaluate), rng)
    }
}

impl Generate for HierarchicalVae {
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        let path = self.generative(&self.sample_prior(n, rng)).path;
        self.decoder.sample(path, condition.as_ref(), rng)
    }
}

impl Represent for HierarchicalVae {
    /// The posterior's means of all layers, the top first.
    fn encode(&self, batch: &Batch) -> Tensor<2> {
        self.inference(batch, &mut Mode::Evaluate).mean()
    }
}

impl Decode for HierarchicalVae {
    fn decode(&self, code: Tensor<2>, condition: Option<Tensor<2>>) -> Tensor<2> {
        self.decoder.mean(self.generative(&code).path, condition.as_ref())
    }
}

impl Model for HierarchicalVae {
    fn spec(&self) -> &DataSpec {
        self.decoder.spec()
    }

    fn training(&self) -> Training<'_> {
        Training::Bound(self)
    }

    fn fit(&mut self, examples: &dyn Examples, rng: &mut Stream) -> Result<(), ModelError> {
        self.prior.fit(examples, rng)
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }

    fn encoder(&self) -> Option<&dyn Represent> {
        Some(self)
    }

    fn decoder(&self) -> Option<&dyn Decode> {
        Some(self)
    }

    fn latent(&self) -> Option<&dyn Latent> {
        Some(self)
    }
}
