//! Penalties R(θ) on chosen parameters of a Burn module.

use crate::parameter::Parameter;
use burn::module::{Module, ParamGroup};
use burn::tensor::Tensor;

/// A penalty was asked for, but no float parameter of the module is in the group: most likely a misspelt path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no parameter of the module is chosen for the penalty; its parameters are: {}", parameters.join(", "))]
pub struct NoParameterChosen {
    /// The paths of the module's float parameters.
    pub parameters: Vec<String>,
}

/// R(θ) = ‖θ‖₁ = Σ |θⱼ| over the chosen parameters, `[1]`; its gradient is sign(θ), and 0 at 0.
///
/// λ‖θ‖₁ is, up to a constant, the negative log-density of θ under a Laplace prior of scale 1/λ. The parameters are
/// those that Burn's [`ParamGroup`] matches by their path in the module, such as `encoder.layers.0.weight`; int and
/// bool ones do not count, and frozen ones add to the value but get no gradient. All have to be on one device.
///
/// # Errors
/// If no parameter is chosen.
pub fn l1_penalty<M: Module>(module: &M, chosen: &ParamGroup) -> Result<Tensor<1>, NoParameterChosen> {
    total(module, chosen, |value| value.abs().sum())
}

/// R(θ) = ½‖θ‖² = ½ Σ θⱼ² over the chosen parameters, `[1]`; its gradient is θ.
///
/// With the half, λ is what plain gradient descent calls its weight decay, and λ·½‖θ‖² is, up to a constant, the
/// negative log-density of θ under a normal prior of variance 1/λ. The choice is that of [`l1_penalty`].
///
/// ```
/// use burn::module::{Module, Param, ParamGroup};
/// use burn::tensor::{Device, Tensor};
/// use dgm_core::objective::{Nll, l2_penalty};
///
/// #[derive(Module, Debug)]
/// struct Line {
///     slope: Param<Tensor<1>>,
///     offset: Param<Tensor<1>>,
/// }
///
/// let device = Device::flex();
/// let parameter = |value: f32| Param::from_tensor(Tensor::from_floats([value], &device));
/// let line = Line { slope: parameter(3.0), offset: parameter(5.0) };
/// // Not the offset: only paths with "slope" in them.
/// let penalty = l2_penalty(&line, &ParamGroup::from_predicate("slope"))?;
/// let log_prob = Tensor::from_floats([[-1.0], [-2.0]], &device);
/// let objective = Nll.objective(log_prob, None).add_penalty("l2", 0.5, penalty);
/// assert_eq!(objective.loss.into_data().iter::<f32>().collect::<Vec<_>>(), [1.0 + 2.25, 2.0 + 2.25]);
/// # Ok::<(), dgm_core::objective::NoParameterChosen>(())
/// ```
///
/// # Errors
/// If no parameter is chosen.
pub fn l2_penalty<M: Module>(module: &M, chosen: &ParamGroup) -> Result<Tensor<1>, NoParameterChosen> {
    total(module, chosen, |value| value.square().sum().mul_scalar(0.5))
}

fn total<M: Module>(
    module: &M,
    chosen: &ParamGroup,
    norm: impl Fn(Tensor<1>) -> Tensor<1>,
) -> Result<Tensor<1>, NoParameterChosen> {
    let all = Parameter::of(module);
    let parts = all.iter().filter(|parameter| chosen.matches(&parameter.id, Some(&parameter.path)));
    let total = parts.map(|parameter| norm(parameter.value.clone())).reduce(|total, part| total + part);
    total.ok_or_else(|| NoParameterChosen { parameters: all.into_iter().map(|parameter| parameter.path).collect() })
}
