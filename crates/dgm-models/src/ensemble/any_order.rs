//! An ensemble given any part of the target: each dimension has the mean of the members' conditionals.

use super::{Ensemble, Model};
use crate::likelihood::Likelihood;
use crate::traits::{AnyOrder, Autoregressive};
use burn::tensor::{Device, Tensor};

/// # Panics
/// If a member is not a density in any order: [`Model::any_order`] gives an ensemble only where all are.
impl<M: Model> AnyOrder for Ensemble<M> {
    fn likelihood(&self) -> &Likelihood {
        Autoregressive::likelihood(self)
    }

    fn device(&self) -> Device {
        Autoregressive::device(self)
    }

    fn parameters_given(&self, x: Tensor<2>, visible: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3> {
        let members = self.models().filter_map(Model::any_order);
        Tensor::cat(members.map(|one| one.parameters_given(x.clone(), visible.clone(), condition)).collect(), 2)
    }
}
