//! Gaussian mixture: fitted by EM, its number of components by held-out likelihood.

mod choice;
mod em;
mod matrix;

use super::rows::{Rows, log_probs, log_sum_exp, real_alone};
use crate::data::{Batch, DataSpec};
use crate::error::ModelError;
use crate::parts::{Plain, part};
use crate::training::{Examples, Training};
use crate::traits::{Density, Estimator, Generate, Model};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::host;
use dgm_core::random::Stream;
use em::Component;
use serde::{Deserialize, Serialize};

/// `covariance = { kind = "factor", rank = 5 }`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FactorConfig {
    /// Columns of W. Default: 5, or as many as there are dimensions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
}

part! {
    /// `covariance = "full"`, or `{ kind = "factor", rank = 5 }`.
    CovarianceConfig, such as "{ kind = \"factor\", rank = 5 }":
    /// A matrix for each component.
    "full" => Plain as Full,
    /// A variance for each component and dimension.
    "diagonal" => Plain as Diagonal,
    /// One matrix for all components.
    "tied" => Plain as Tied,
    /// W Wᵀ + diagonal for each component: a mixture of factor analysers (Ghahramani and Hinton 1996).
    "factor" => FactorConfig as Factor,
}

impl Default for CovarianceConfig {
    fn default() -> Self {
        Self::Full(Plain {})
    }
}

/// Configuration of [`GaussianMixture`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianMixtureConfig {
    /// Number of components. Default: that of 1, 2, 3, 4, 6, 9, 13, 20, 30 and 50 with the best likelihood of a fifth of the training rows that is
    /// held out for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<usize>,
    /// The form of the covariances. Default: `"full"`.
    pub covariance: CovarianceConfig,
    /// What is added to every variance, in units of the data's. Default: that of 1e-6, 1e-4, 1e-3, 1e-2 and 1e-1 with the best held-out
    /// likelihood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ridge: Option<f64>,
}

impl GaussianMixtureConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        covariance = ["full", "diagonal", "tied", "factor"]
    "#;

    /// Builds the model for `spec`; it is N(0, 1) before its fit.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, _: &mut Stream, device: &Device) -> Result<GaussianMixture, ModelError> {
        spec.checked()?;
        let scale = real_alone("gaussian_mixture", spec)?;
        let width = spec.event();
        let components = self.components.unwrap_or(1);
        ModelError::check((1..=10_000).contains(&components), "components", components, "1 to 10000")?;
        if let Some(ridge) = self.ridge {
            ModelError::check((0.0..=1e6).contains(&ridge), "ridge", ridge, "a number from 0 to 1e6")?;
        }
        if let CovarianceConfig::Factor(FactorConfig { rank: Some(rank) }) = self.covariance {
            let found = format!("of rank {rank} for {width} dimensions");
            ModelError::check(
                (1..=width).contains(&rank),
                "covariance",
                found,
                "a rank from 1 to the number of dimensions",
            )?;
        }
        ModelError::check_weights("components", components, [[components * width, width]])?;
        let param = |shape: Vec<usize>| TensorData::zeros::<f32, _>(shape);
        Ok(GaussianMixture {
            log_weights: Param::from_data(param(vec![1]), device),
            means: Param::from_data(param(vec![1, width]), device),
            factors: Param::from_tensor(Tensor::<2>::eye(width, device).unsqueeze_dim(0)),
            config: self.clone(),
            log_units: scale.log_units(),
            spec: spec.clone(),
        })
    }
}

/// p(x) = Σ_k π_k N(x; μ_k, Σ_k), fitted by expectation maximisation (Dempster, Laird and Rubin 1977) from k-means++ starts (Arthur and
/// Vassilvitskii 2007).
#[derive(Module, Debug)]
pub struct GaussianMixture {
    /// log π, `[components]`.
    log_weights: Param<Tensor<1>>,
    /// `[components, event]`
    means: Param<Tensor<2>>,
    /// Of each component L⁻¹ with Σ = L Lᵀ, `[components, event, event]`.
    factors: Param<Tensor<3>>,
    #[module(skip)]
    config: GaussianMixtureConfig,
    /// log of the product of the standard deviations that x was divided by.
    #[module(skip)]
    log_units: f64,
    #[module(skip)]
    spec: DataSpec,
}

impl GaussianMixture {
    fn components(&self) -> Vec<Component> {
        let width = self.spec.event();
        let (means, factors) = (host(self.means.val()), host(self.factors.val()));
        let each = means.chunks_exact(width).zip(factors.chunks_exact(width * width)).zip(host(self.log_weights.val()));
        each.map(|((mean, factor), log_weight)| Component::new(log_weight, mean.to_vec(), factor.to_vec())).collect()
    }

    fn set(&mut self, components: &[Component], device: &Device) {
        let (k, width) = (components.len(), self.spec.event());
        let of = |all: Vec<f64>, shape: Vec<usize>| {
            TensorData::new(all.into_iter().map(|x| x as f32).collect::<Vec<_>>(), shape)
        };
        let weights = components.iter().map(|one| one.log_weight).collect();
        let means = components.iter().flat_map(|one| one.mean.clone()).collect();
        let factors = components.iter().flat_map(|one| one.factor.clone()).collect();
        self.log_weights = Param::from_data(of(weights, vec![k]), device);
        self.means = Param::from_data(of(means, vec![k, width]), device);
        self.factors = Param::from_data(of(factors, vec![k, width, width]), device);
    }
}

impl Density for GaussianMixture {
    fn estimator(&self) -> Estimator {
        Estimator::Exact
    }

    fn log_prob(&self, batch: &Batch, _: &mut Stream) -> Tensor<1> {
        let components = self.components();
        log_probs(batch.target.clone(), |row| {
            let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
            log_sum_exp(components.iter().map(|one| one.log_joint(&row))) - self.log_units
        })
    }
}

impl Generate for GaussianMixture {
    fn generate(&self, n: usize, _: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        let (components, width) = (self.components(), self.spec.event());
        let mut values = Vec::with_capacity(n * width);
        for _ in 0..n {
            let mut left = f64::from(rng.uniform());
            let chosen = components.iter().find(|one| {
                left -= one.log_weight.exp();
                left < 0.0
            });
            let noise: Vec<f64> = rng.normals(width).into_iter().map(f64::from).collect();
            if let Some(component) = chosen.or(components.last()) {
                values.extend(component.at(&noise).into_iter().map(|x| x as f32));
            }
        }
        Rows { width, values }.into_tensor(&self.means.val().device())
    }
}

impl Model for GaussianMixture {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Fit
    }

    fn fit(&mut self, examples: &dyn Examples, rng: &mut Stream) -> Result<(), ModelError> {
        let device = self.means.val().device();
        let rows = Rows::of(examples, self.spec.event())?;
        let components = choice::fit(&self.config, &rows, rng)?;
        self.set(&components, &device);
        Ok(())
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
