//! Kernel density estimate: a kernel at each training example, its bandwidth by held-out likelihood.

mod bandwidth;
mod kernels;

use super::rows::{Rows, log_probs, real_alone};
use crate::data::{Batch, DataSpec};
use crate::error::ModelError;
use crate::parts::{Plain, part};
use crate::training::{Examples, Training};
use crate::traits::{Density, Estimator, Generate, Model};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::host;
use dgm_core::random::Stream;
use kernels::Kernels;
use serde::{Deserialize, Serialize};

/// The shape of a kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// N(x; xᵢ, h²).
    #[default]
    Gaussian,
    /// (1 − |x − xᵢ|²/h²) (d + 2)/(2 V hᵈ) within |x − xᵢ| < h, V the volume of the unit ball, and 0 outside: a point that no kernel reaches has
    /// log p = −∞.
    Epanechnikov,
}

/// `bandwidth = { kind = "one", value = 0.3 }`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneConfig {
    /// The bandwidth, in standard deviations of the data. Default: by leave-one-out likelihood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// `bandwidth = { kind = "adaptive", neighbours = 10 }`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveConfig {
    /// A point's bandwidth is in proportion to the distance to its neighbour of this rank. Default: that of 5, 10, 20, 50 and 100 with the best
    /// leave-one-out likelihood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbours: Option<usize>,
}

part! {
    /// `bandwidth = "adaptive"`, or `{ kind = "one", value = 0.3 }`.
    BandwidthConfig, such as "{ kind = \"one\", value = 0.3 }":
    /// That of the others with the best leave-one-out likelihood.
    "automatic" => Plain as Automatic,
    /// The same for all dimensions and points.
    "one" => OneConfig as One,
    /// One for each dimension.
    "per_dimension" => Plain as PerDimension,
    /// One for each point.
    "adaptive" => AdaptiveConfig as Adaptive,
}

/// Configuration of [`KernelDensity`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelDensityConfig {
    /// The shape of the kernels. Default: `"gaussian"`.
    pub kernel: Kernel,
    /// How wide they are. Default: `"automatic"`.
    pub bandwidth: BandwidthConfig,
}

impl Default for KernelDensityConfig {
    fn default() -> Self {
        Self { kernel: Kernel::Gaussian, bandwidth: BandwidthConfig::Automatic(Plain {}) }
    }
}

impl KernelDensityConfig {
    /// What a search varies.
    pub(crate) const SEARCH_SPACE: &str = r#"
        bandwidth = ["one", "per_dimension", "adaptive"]
    "#;

    /// Builds the model for `spec`; it is empty before its fit.
    ///
    /// # Errors
    /// A value out of its range, or a model that does not fit the data.
    pub fn init(&self, spec: &DataSpec, _: &mut Stream, device: &Device) -> Result<KernelDensity, ModelError> {
        spec.checked()?;
        let scale = real_alone("kde", spec)?;
        if let BandwidthConfig::One(OneConfig { value: Some(value) }) = self.bandwidth {
            ModelError::check((1e-6..=1e6).contains(&value), "bandwidth", value, "a number from 1e-6 to 1e6")?;
        }
        if let BandwidthConfig::Adaptive(AdaptiveConfig { neighbours: Some(k) }) = self.bandwidth {
            ModelError::check((1..=10_000).contains(&k), "bandwidth", format!("{k} neighbours"), "1 to 10000")?;
        }
        let width = spec.event();
        Ok(KernelDensity {
            points: Param::from_data(TensorData::zeros::<f32, _>([1, width]), device),
            log_bandwidths: Param::from_data(TensorData::zeros::<f32, _>([width]), device),
            log_factors: Param::from_data(TensorData::zeros::<f32, _>([1]), device),
            config: self.clone(),
            log_units: scale.log_units(),
            spec: spec.clone(),
        })
    }
}

/// p(x) = 1/n Σᵢ K((x − xᵢ)/hᵢ) / Π hᵢ over the training examples (Silverman 1986, "Density estimation", chapters 3 and 5), each that recurs
/// counted once: a bandwidth chosen by leaving one out would fall to 0 at repeated rows.
///
/// Bandwidths are chosen by leave-one-out likelihood, whose maximum an EM algorithm climbs to: h² becomes the mean of (x − xᵢ)² over the
/// kernels i of the other points, weighted by their responsibilities for x. Adaptive bandwidths are in proportion to the distance to the k-th
/// neighbour (Breiman, Meisel and Purcell 1977).
#[derive(Module, Debug)]
pub struct KernelDensity {
    points: Param<Tensor<2>>,
    log_bandwidths: Param<Tensor<1>>,
    /// Of each point.
    log_factors: Param<Tensor<1>>,
    #[module(skip)]
    config: KernelDensityConfig,
    /// log of the product of the standard deviations that x was divided by.
    #[module(skip)]
    log_units: f64,
    #[module(skip)]
    spec: DataSpec,
}

impl KernelDensity {
    fn kernels(&self) -> Kernels {
        let bandwidths: Vec<f64> = host(self.log_bandwidths.val()).into_iter().map(f64::exp).collect();
        let factors: Vec<f32> = self.log_factors.val().into_data().iter().collect();
        Kernels::new(self.config.kernel, &Rows::of_tensor(self.points.val()), &bandwidths, &factors)
    }
}

impl Density for KernelDensity {
    fn estimator(&self) -> Estimator {
        Estimator::Exact
    }

    fn log_prob(&self, batch: &Batch, _: &mut Stream) -> Tensor<1> {
        let kernels = self.kernels();
        log_probs(batch.target.clone(), |row| kernels.log_density(row, None) - self.log_units)
    }
}

impl Generate for KernelDensity {
    fn generate(&self, n: usize, _: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        let (points, device) = (Rows::of_tensor(self.points.val()), self.points.val().device());
        let bandwidths: Vec<f64> = host(self.log_bandwidths.val()).into_iter().map(f64::exp).collect();
        let factors = host(self.log_factors.val());
        let mut values = Vec::with_capacity(n * points.width);
        for _ in 0..n {
            let i = rng.below(u32::try_from(points.len()).unwrap_or(u32::MAX)) as usize;
            let factor = factors.get(i).map_or(1.0, |log| log.exp());
            let noise = self.config.kernel.sample(points.width, rng);
            values.extend(
                points
                    .row(i)
                    .iter()
                    .zip(&bandwidths)
                    .zip(noise)
                    .map(|((x, h), noise)| (f64::from(*x) + h * factor * noise) as f32),
            );
        }
        Rows { width: points.width, values }.into_tensor(&device)
    }
}

impl Kernel {
    /// One sample of the kernel of bandwidth 1 around 0.
    fn sample(self, width: usize, rng: &mut Stream) -> Vec<f64> {
        let normals = |rng: &mut Stream| rng.normals(width).into_iter().map(f64::from).collect::<Vec<_>>();
        match self {
            Self::Gaussian => normals(rng),
            // A uniform direction, and a radius r with density ∝ r^(d−1) (1 − r²): r² is Beta(d/2, 2), the share of d of d + 4 squared normals.
            Self::Epanechnikov => {
                let direction = normals(rng);
                let rest: f64 = rng.normals(4).into_iter().map(|x| f64::from(x).powi(2)).sum();
                let length: f64 = direction.iter().map(|x| x * x).sum();
                let scale = 1.0 / (length + rest).sqrt();
                direction.into_iter().map(|x| x * scale).collect()
            }
        }
    }
}

impl Model for KernelDensity {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Fit
    }

    fn fit(&mut self, examples: &dyn Examples, rng: &mut Stream) -> Result<(), ModelError> {
        let device = self.points.val().device();
        let points = Rows::of(examples, self.spec.event())?.distinct();
        let chosen = bandwidth::choose(&self.config, &points, &self.spec, rng)?;
        let logs: Vec<f32> = chosen.bandwidths.iter().map(|h| h.ln() as f32).collect();
        self.log_bandwidths = Param::from_data(TensorData::new(logs, [points.width]), &device);
        let n = points.len();
        self.log_factors = Param::from_data(TensorData::new(chosen.log_factors, [n]), &device);
        self.points = Param::from_tensor(points.into_tensor(&device));
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
