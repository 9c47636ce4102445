//! Several models of the same data as one density: the mean of their probabilities.

mod any_order;
mod autoregressive;

use crate::autoregressive::sampling;
use crate::data::{Batch, DataSpec};
use crate::error::ModelError;
use crate::likelihood::{Likelihood, SamplingParams, log_mean_exp};
use crate::posterior::Space;
use crate::registry::AnyModel;
use crate::training::{Inference, Training};
use crate::traits::{AnyOrder, Autoregressive, Decode, Density, Estimator, Generate, Latent, Model, Represent};
use burn::tensor::{Int, Tensor};
use dgm_core::objective::{fill_padding, sum_event};
use dgm_core::random::Stream;

/// K models p_1 … p_K of one description of the data, mixed with equal weights.
///
/// Where every member says its factors ([`Density::log_prob_elementwise`]), the dimensions are mixed one by one:
/// log p(x | c) = Σ_d log (1/K) Σ_k p_k(x_d | x_<d, c). Each factor is a mean of densities of x_d and so a density, which makes
/// their product one, provided that all members go through the dimensions in one order, as members of one configuration do.
///
/// Otherwise whole examples are mixed: log p(x | c) = log (1/K) Σ_k p_k(x | c). Of bounds the mixture is that of one
/// importance weight of each member, w_k = p_k(x, z_k | c) / q_k(z_k | x, c): E log (1/K) Σ_k w_k ≤ log (1/K) Σ_k p_k(x | c) by
/// Jensen's inequality, as E w_k = p_k(x | c).
///
/// Where a member has a bound and no weights, as diffusion has, the members' bounds are averaged, which is a bound of the mixture too:
/// (1/K) Σ_k log p_k ≤ log (1/K) Σ_k p_k. The mean of the exponentials of noisy bounds would be none.
///
/// By Jensen's inequality the first two are at least the mean of the members' log-probabilities, for every x. An ensemble of one member
/// is that member, bit for bit. (Mixing predictions: Lakshminarayanan, Pritzel and Blundell 2017, "Simple and scalable
/// predictive uncertainty estimation using deep ensembles", section 2.4.)
#[derive(Clone, Debug)]
pub struct Ensemble<M = AnyModel> {
    first: M,
    rest: Vec<M>,
    /// The mean of the members' conditionals, where all are autoregressive.
    mixed: Option<Likelihood>,
}

impl<M: Model> From<M> for Ensemble<M> {
    /// An ensemble of one.
    fn from(member: M) -> Self {
        Self::of(member, Vec::new())
    }
}

impl<M: Model> Ensemble<M> {
    /// The ensemble of these members.
    ///
    /// # Errors
    /// No member, or members that were built for different data.
    pub fn new(members: Vec<M>) -> Result<Self, ModelError> {
        let mut members = members.into_iter();
        let Some(first) = members.next() else {
            return Err(ModelError::Data("an ensemble of 0 models; expected one at least; give one".into()));
        };
        let rest: Vec<M> = members.collect();
        let spec = first.spec();
        match rest.iter().position(|member| member.spec() != spec) {
            None => Ok(Self::of(first, rest)),
            Some(other) => Err(ModelError::Data(format!(
                "members 0 and {} of an ensemble were built for different data; expected one description of the data; build them for the same data",
                other + 1
            ))),
        }
    }

    fn of(first: M, rest: Vec<M>) -> Self {
        let likelihood = |model: &M| Some(model.conditionals()?.likelihood().clone());
        let members: Option<_> = std::iter::once(&first).chain(&rest).map(likelihood).collect();
        let mixed = members.map(Likelihood::mixture);
        Self { first, rest, mixed }
    }

    /// The members, one at least.
    pub fn members(&self) -> impl Iterator<Item = &M> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Number of members K.
    pub fn count(&self) -> usize {
        1 + self.rest.len()
    }

    /// The only member, where there is one only.
    fn single(&self) -> Option<&dyn Model> {
        self.rest.is_empty().then_some(&self.first as &dyn Model)
    }

    fn models(&self) -> impl Iterator<Item = &dyn Model> {
        self.members().map(|member| member as &dyn Model)
    }
}

impl<M: Model> Ensemble<M> {
    /// Whether every member's density is exact or has importance weights.
    fn has_weights(&self) -> bool {
        self.models().all(|model| {
            let exact = model.density().is_some_and(|density| density.estimator().is_exact());
            exact || model.latent().is_some()
        })
    }

    /// The members' densities, where [`Model::density`] gives the ensemble's: all have one.
    fn densities(&self) -> impl Iterator<Item = &dyn Density> {
        self.models().filter_map(Model::density)
    }
}

/// As [`Model::density`] gives it, where every member has a density; the members that have none would be left out.
impl<M: Model> Density for Ensemble<M> {
    /// Exact where every member's is. Of bounds, one importance weight of each member.
    fn estimator(&self) -> Estimator {
        if let Some(member) = self.single().and_then(Model::density) {
            return member.estimator();
        }
        match self.densities().all(|density| density.estimator().is_exact()) {
            true => Estimator::Exact,
            false if self.has_weights() => {
                Estimator::LowerBound { draws: "posterior samples", computed: "one importance weight of each member" }
            }
            false => Estimator::LowerBound { draws: "draws", computed: "the mean of the members' bounds" },
        }
    }

    fn log_prob(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        if let Some(member) = self.single().and_then(Model::density) {
            return member.log_prob(batch, rng);
        }
        match self.log_prob_elementwise(batch) {
            Some(factors) => sum_event(factors),
            None if self.has_weights() => self.log_weight(batch, rng),
            None => {
                let all: Vec<Tensor<1>> = self.densities().map(|density| density.log_prob(batch, rng)).collect();
                Tensor::stack::<2>(all, 0).mean_dim(0).squeeze_dim(0)
            }
        }
    }

    fn log_prob_elementwise(&self, batch: &Batch) -> Option<Tensor<2>> {
        if let Some(member) = self.single() {
            return member.density()?.log_prob_elementwise(batch);
        }
        let factors: Option<_> = self.densities().map(|density| density.log_prob_elementwise(batch)).collect();
        let mixed = log_mean_exp(factors?);
        Some(fill_padding(mixed, batch.mask.as_ref()))
    }
}

impl<M: Model> Latent for Ensemble<M> {
    /// Of the only member.
    fn layers(&self) -> Vec<usize> {
        self.single().and_then(Model::latent).map_or_else(Vec::new, Latent::layers)
    }

    fn space(&self) -> Space {
        self.single().and_then(Model::latent).map_or(Space::Real, Latent::space)
    }

    fn infer<'a>(&'a self, batch: &'a Batch) -> Option<Box<dyn Inference + 'a>> {
        self.single()?.latent()?.infer(batch)
    }

    fn sample_given(&self, z: &Tensor<2>, batch: &Batch, rng: &mut Stream) -> Option<Tensor<2>> {
        self.single()?.latent()?.sample_given(z, batch, rng)
    }

    /// log (1/K) Σ_k w_k, in which an exact member's weight is p_k(x | c) itself.
    fn log_weight(&self, batch: &Batch, rng: &mut Stream) -> Tensor<1> {
        if let Some(member) = self.single().and_then(Model::latent) {
            return member.log_weight(batch, rng);
        }
        let weight = |model: &dyn Model, rng: &mut Stream| match model.latent() {
            Some(latent) => Some(latent.log_weight(batch, rng)),
            None => Some(model.density()?.log_prob(batch, rng)),
        };
        log_mean_exp(self.models().filter_map(|model| weight(model, rng)).collect())
    }
}

impl<M: Model> Generate for Ensemble<M> {
    /// As the density mixes: dimension by dimension where the members say their factors, each from a member of its own, all
    /// equally probable; otherwise whole examples, each that of a member.
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        if let Some(member) = self.single().and_then(Model::generator) {
            return member.generate(n, condition, rng);
        }
        match Model::conditionals(self) {
            Some(mixture) => sampling::sample(mixture, n, condition.as_ref(), &SamplingParams::default(), rng),
            None => self.generate_by_members(n, condition, rng),
        }
    }
}

impl<M: Model> Ensemble<M> {
    /// `n` samples `[n, event]`, each of a member at random.
    fn generate_by_members(&self, n: usize, condition: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        let of: Vec<usize> = (0..n).map(|_| rng.below(self.count() as u32) as usize).collect();
        let (mut order, mut parts) = (Vec::with_capacity(n), Vec::new());
        for (index, generator) in self.models().enumerate().filter_map(|(i, model)| Some((i, model.generator()?))) {
            let rows: Vec<usize> = (0..n).filter(|&row| of.get(row) == Some(&index)).collect();
            if rows.is_empty() {
                continue;
            }
            let given = condition.clone().map(|condition| picked(condition, &rows));
            parts.push(generator.generate(rows.len(), given, rng));
            order.extend(rows);
        }
        // Row order[i] is at place i; put everything where it belongs.
        let mut places: Vec<usize> = (0..order.len()).collect();
        places.sort_by_key(|&place| order.get(place).copied());
        picked(Tensor::cat(parts, 0), &places)
    }
}

/// These rows, in this order.
fn picked(values: Tensor<2>, rows: &[usize]) -> Tensor<2> {
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let rows = Tensor::<1, Int>::from_ints(rows.as_slice(), &values.device());
    values.select(0, rows)
}

impl<M: Model> Model for Ensemble<M> {
    fn spec(&self) -> &DataSpec {
        self.first.spec()
    }

    fn training(&self) -> Training<'_> {
        Training::Members
    }

    fn name(&self) -> &str {
        self.first.name()
    }

    /// Where every member has one.
    fn density(&self) -> Option<&dyn Density> {
        self.models().all(|model| model.density().is_some()).then_some(self)
    }

    /// Where every member is one.
    fn generator(&self) -> Option<&dyn Generate> {
        self.models().all(|model| model.generator().is_some()).then_some(self)
    }

    /// Of a single member: codes of different members have no mean.
    fn encoder(&self) -> Option<&dyn Represent> {
        self.single().and_then(Model::encoder)
    }

    /// Of a single member, as well.
    fn decoder(&self) -> Option<&dyn Decode> {
        self.single().and_then(Model::decoder)
    }

    /// Where every member has them.
    fn conditionals(&self) -> Option<&dyn Autoregressive> {
        match self.single() {
            Some(member) => member.conditionals(),
            None if self.mixed.is_some() => Some(self),
            None => None,
        }
    }

    /// Where every member is one.
    fn any_order(&self) -> Option<&dyn AnyOrder> {
        match self.single() {
            Some(member) => member.any_order(),
            // Whose likelihood is that of the conditionals.
            None if self.mixed.is_some() && self.models().all(|model| model.any_order().is_some()) => Some(self),
            None => None,
        }
    }

    /// Where a member is a bound: of exact densities there is nothing to weigh.
    fn latent(&self) -> Option<&dyn Latent> {
        let bounded = self.models().any(|model| model.latent().is_some());
        (bounded && self.density().is_some()).then_some(self)
    }
}

#[cfg(test)]
mod tests;
