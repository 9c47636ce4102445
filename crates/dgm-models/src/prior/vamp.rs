//! The VampPrior: a mixture of the posteriors of inputs that are learnt.

use super::{Encode, LatentSpec, Prior, check_components};
use crate::data::{DataSpec, Values};
use crate::error::ModelError;
use crate::layers::network_target;
use crate::posterior::Space;
use crate::training::Examples;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Stream;
use serde::{Deserialize, Serialize};

/// `prior = { kind = "vamp", components = 50 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VampConfig {
    /// Number of pseudo-inputs K; more than training examples buy nothing. Default: 50.
    pub components: usize,
}

impl Default for VampConfig {
    fn default() -> Self {
        Self { components: 50 }
    }
}

/// p(z) = 1/K Σₖ q(z | uₖ) (Tomczak and Welling 2018, "VAE with a VampPrior", eq. 9), the pseudo-inputs uₖ at first training examples,
/// drawn at random.
#[derive(Module, Debug)]
pub struct Vamp {
    /// As a network sees them, `[K, event]`.
    inputs: Param<Tensor<2>>,
    #[module(skip)]
    spec: DataSpec,
}

impl Vamp {
    pub(super) fn new(
        &VampConfig { components }: &VampConfig,
        &LatentSpec { data: spec, .. }: &LatentSpec<'_>,
        _: &mut Stream,
        device: &Device,
    ) -> Result<Self, ModelError> {
        check_components(components, [components, spec.event()])?;
        if spec.condition.is_some() {
            return Err(ModelError::Data(
                "`model.prior` is \"vamp\", whose pseudo-inputs have no condition, and the data have one; use another prior, or \
                 set data.condition = \"none\" (and take out augment.condition)"
                    .into(),
            ));
        }
        let inputs = TensorData::zeros::<f32, _>([components, spec.event()]);
        Ok(Self { inputs: Param::from_data(inputs, device), spec: spec.clone() })
    }

    /// Pseudo-inputs of levels stay between the lowest and the highest.
    pub(super) fn inputs(&self) -> Tensor<2> {
        match self.spec.values {
            Values::Levels(_) => self.inputs.val().clamp(-1.0, 1.0),
            Values::Real(_) | Values::Columns(_) => self.inputs.val(),
        }
    }
}

impl Prior for Vamp {
    fn log_prob(&self, z: Tensor<2>, encode: &Encode<'_>) -> Tensor<1> {
        let ([n, latent], [k, _]) = (z.dims(), self.inputs.dims());
        let each = z.unsqueeze_dim::<3>(0).expand([k, n, latent]);
        dgm_core::estimate::log_mean_exp(encode(self.inputs()).log_prob(each).transpose())
    }

    /// Wherever the posteriors are.
    fn is_on(&self, _: Space) -> bool {
        true
    }

    fn sample(&self, n: usize, encode: &Encode<'_>, rng: &mut Stream, device: &Device) -> Tensor<2> {
        let [k, _] = self.inputs.dims();
        // Which posterior each sample is of, and the inputs once for each.
        let of: Vec<i32> = (0..n).map(|_| rng.below(k as u32) as i32).collect();
        let inputs = self.inputs().select(0, Tensor::from_ints(of.as_slice(), device));
        encode(inputs).sample(1, rng).z.squeeze_dim(1)
    }

    fn fit(&mut self, examples: &dyn Examples, rng: &mut Stream) -> Result<(), ModelError> {
        let ([k, _], count) = (self.inputs.dims(), examples.count());
        // More pseudo-inputs than examples take some twice, and these stay equal: they weigh double.
        let rows: Vec<usize> = rng.permutation(count).into_iter().cycle().take(k).collect();
        let target = network_target(&self.spec, examples.batch(&rows)?.target);
        // Mapped, not made anew: a parameter made of data would take no part in training.
        self.inputs = self.inputs.clone().map(|_| target);
        Ok(())
    }
}
