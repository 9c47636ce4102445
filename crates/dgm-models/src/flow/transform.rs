//! What an invertible layer does to each number: a scale and a shift, or a spline.

use crate::error::ModelError;
use crate::parts::{Plain, part};
use burn::tensor::Tensor;
use dgm_core::bijection::{AffineMap, ElementwiseBijection, RationalQuadratic};
use serde::{Deserialize, Serialize};

/// `transform = { kind = "spline", bins = 8, bound = 5.0 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplineConfig {
    /// Number of bins. Default: 8.
    pub bins: usize,
    /// Numbers within ±`bound` are transformed; others stay as they are. Default: 5.
    pub bound: f64,
}

impl Default for SplineConfig {
    fn default() -> Self {
        Self { bins: 8, bound: 5.0 }
    }
}

part! {
    /// `transform = "affine"`, or `{ kind = "spline", bins = 8, bound = 5.0 }`.
    TransformConfig, such as "{ kind = \"spline\", bins = 8 }":
    /// y = x·exp(s) + t: [`AffineMap`].
    "affine" => Plain as Affine,
    /// [`RationalQuadratic`].
    "spline" => SplineConfig as Spline,
}

impl TransformConfig {
    /// Splines with the defaults of their keys.
    pub const SPLINE: Self = Self::Spline(SplineConfig { bins: 8, bound: 5.0 });
    /// Scale and shift.
    pub const AFFINE: Self = Self::Affine(Plain {});

    pub(super) fn build(&self, key: &'static str) -> Result<Transform, ModelError> {
        Ok(match self {
            Self::Affine(Plain {}) => Transform::Affine(AffineMap),
            Self::Spline(SplineConfig { bins, bound }) => {
                let bins_ok = (2..=RationalQuadratic::MAX_BINS).contains(bins);
                ModelError::check(bins_ok, key, format!("a spline of {bins} bins"), "2 to 64 bins")?;
                let bound_ok = (0.01..=1e6).contains(bound);
                ModelError::check(bound_ok, key, format!("a spline within ±{bound}"), "a bound from 0.01 to 1000000")?;
                Transform::Spline(RationalQuadratic::new(*bins, *bound))
            }
        })
    }
}

/// A transformation of each number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transform {
    Affine(AffineMap),
    Spline(RationalQuadratic),
}

impl Transform {
    fn map(&self) -> &dyn ElementwiseBijection {
        match self {
            Self::Affine(map) => map,
            Self::Spline(map) => map,
        }
    }

    /// Parameters of a number.
    pub(super) fn parameters(&self) -> usize {
        self.map().parameters()
    }

    /// y `[n, d]` of x `[n, d]` with parameters `[n · d, parameters]`, or x of y with `inverse`, and log |det J| of each row.
    pub(super) fn apply(&self, x: Tensor<2>, parameters: Tensor<2>, inverse: bool) -> super::Mapped {
        let [n, d] = x.dims();
        let x = x.reshape([n * d]);
        let (y, log_slope) = match inverse {
            false => self.map().forward(x, parameters),
            true => self.map().inverse(x, parameters),
        };
        (y.reshape([n, d]), log_slope.reshape([n, d]).sum_dim(1).squeeze_dim(1))
    }
}
