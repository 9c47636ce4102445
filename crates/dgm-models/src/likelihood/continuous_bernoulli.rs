//! Continuous Bernoulli: dequantised levels, one logit. The density of a level x + u is that of (x + u) / levels in \[0, 1\].

use super::Likelihood;
use super::real::{Standardised, likelihood, part, row};
use crate::data::{DataSpec, Values};
use crate::parts::Plain;
use burn::tensor::Tensor;
use dgm_core::density::{Affine, ContinuousBernoulli as Density, Distribution};
use std::ops::Range;

pub(super) fn build(_: &Plain, spec: &DataSpec) -> Option<Likelihood> {
    let Values::Real(scale) = &spec.values else { return None };
    let levels = scale.levels? as f64;
    // z = (levels · v − mean) / std of v in [0, 1].
    let factor = scale.std.iter().map(|std| (levels / std) as f32).collect();
    let shift = scale.standardize(&vec![0.0; scale.width()]);
    likelihood(ContinuousBernoulli { factor, shift }, spec)
}

#[derive(Debug)]
struct ContinuousBernoulli {
    factor: Vec<f32>,
    shift: Vec<f32>,
}

impl Standardised for ContinuousBernoulli {
    fn parameters(&self) -> usize {
        1
    }

    /// p^(1/T) ∝ exp(l·v / T): a logit of l / T.
    fn density(
        &self,
        parameters: Tensor<3>,
        dimensions: Range<usize>,
        temperature: f64,
        _: Option<Tensor<2>>,
    ) -> Box<dyn Distribution<2>> {
        let device = parameters.device();
        let of = |all: &[f32]| row(all.get(dimensions.clone()).unwrap_or_default(), &device);
        let unit = Density::from_logits(part(&parameters, 0).div_scalar(temperature));
        Box::new(Affine::new(Box::new(unit), of(&self.factor), of(&self.shift)))
    }
}
