//! A kernel density estimate: fitted, not trained.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::density::Normal;
use dgm_core::estimate::log_mean_exp;
use dgm_core::random::Stream;
use dgm_models::{
    Batch, DataSpec, Density, Estimator, Examples, Generate, Model, ModelError, ModelFactory, Training, Values,
};
use serde::{Deserialize, Serialize};

/// `kind = "toy_kde"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "toy_kde", default, deny_unknown_fields)]
pub(crate) struct ToyKdeConfig {
    /// Bandwidth in standard deviations of the data.
    pub(crate) bandwidth: f64,
}

impl Default for ToyKdeConfig {
    fn default() -> Self {
        Self { bandwidth: 0.3 }
    }
}

impl ModelFactory for ToyKdeConfig {
    type Model = ToyKde;

    const KINDS: &'static [&'static str] = &["toy_kde"];

    fn init(&self, spec: &DataSpec, _: &mut Stream, device: &Device) -> Result<ToyKde, ModelError> {
        let Values::Real(scale) = &spec.values else {
            return Err(ModelError::Data("a toy_kde is for real numbers; give it some".into()));
        };
        Ok(ToyKde {
            points: Param::from_data(TensorData::zeros::<f32, _>([1, spec.event()]), device),
            bandwidth: self.bandwidth,
            log_units: scale.std.iter().map(|std| std.ln()).sum(),
            spec: spec.clone(),
        })
    }
}

/// p(x) = 1/n Σᵢ N(x; xᵢ, h²) over the training examples.
#[derive(Module, Debug)]
pub(crate) struct ToyKde {
    points: Param<Tensor<2>>,
    #[module(skip)]
    bandwidth: f64,
    /// log |dz/dx| of standardised numbers, negated.
    #[module(skip)]
    log_units: f64,
    #[module(skip)]
    spec: DataSpec,
}

impl Density for ToyKde {
    fn estimator(&self) -> Estimator {
        Estimator::Exact
    }

    fn log_prob(&self, batch: &Batch, _: &mut Stream) -> Tensor<1> {
        let (x, points) = (batch.target.clone(), self.points.val());
        let ([n, d], [m, _]) = (x.dims(), points.dims());
        let x: Tensor<3> = x.unsqueeze_dim::<3>(1).expand([n, m, d]);
        let mean = points.unsqueeze_dim::<3>(0).expand([n, m, d]);
        let log_var = mean.full_like(2.0 * self.bandwidth.ln());
        let kernels = Normal::new(mean, log_var).log_prob(x).sum_dim(2).squeeze_dim::<2>(2);
        log_mean_exp(kernels).sub_scalar(self.log_units)
    }
}

impl Generate for ToyKde {
    fn generate(&self, n: usize, _: Option<Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        let points = self.points.val();
        let [m, d] = points.dims();
        let rows: Vec<i32> = (0..n).map(|_| rng.below(m as u32) as i32).collect();
        let noise = rng.normal_tensor([n, d], &points.device());
        points.clone().select(0, Tensor::from_ints(rows.as_slice(), &points.device()))
            + noise.mul_scalar(self.bandwidth)
    }
}

impl Model for ToyKde {
    fn spec(&self) -> &DataSpec {
        &self.spec
    }

    fn training(&self) -> Training<'_> {
        Training::Fit
    }

    fn fit(&mut self, examples: &dyn Examples, _: &mut Stream) -> Result<(), ModelError> {
        let batches: Vec<Tensor<2>> =
            examples.batches(7).map(|batch| Ok(batch?.target)).collect::<Result<_, ModelError>>()?;
        self.points = Param::from_tensor(Tensor::cat(batches, 0));
        Ok(())
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }
}
