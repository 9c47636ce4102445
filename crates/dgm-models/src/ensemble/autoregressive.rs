//! An ensemble dimension by dimension: every member goes along, and each dimension has the mean of their conditionals.

use super::{Ensemble, Model};
use crate::likelihood::Likelihood;
use crate::traits::{Autoregressive, Steps};
use burn::tensor::{Device, Tensor};

impl<M: Model> Ensemble<M> {
    fn arms(&self) -> impl Iterator<Item = &dyn Autoregressive> {
        self.models().filter_map(Model::conditionals)
    }
}

/// The mixture as an autoregressive model of its own, whose parameters are those of each member, one after the other.
///
/// # Panics
/// If a member is not autoregressive: [`Model::conditionals`] gives an ensemble only where all are.
impl<M: Model> Autoregressive for Ensemble<M> {
    fn likelihood(&self) -> &Likelihood {
        let Some(mixed) = &self.mixed else { unreachable!("Ensemble: not all members are autoregressive") };
        mixed
    }

    fn device(&self) -> Device {
        let Some(first) = self.arms().next() else { unreachable!("Ensemble: no member is autoregressive") };
        first.device()
    }

    fn order(&self) -> Vec<usize> {
        self.arms().next().map_or(Vec::new(), Autoregressive::order)
    }

    fn parameters(&self, x: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3> {
        Tensor::cat(self.arms().map(|arm| arm.parameters(x.clone(), condition)).collect(), 2)
    }

    fn is_independent(&self) -> bool {
        self.arms().all(Autoregressive::is_independent)
    }

    fn start(&self, n: usize, condition: Option<&Tensor<2>>) -> Box<dyn Steps + '_> {
        Box::new(MemberSteps { members: self.arms().map(|arm| arm.start(n, condition)).collect() })
    }
}

struct MemberSteps<'a> {
    members: Vec<Box<dyn Steps + 'a>>,
}

impl Steps for MemberSteps<'_> {
    fn next(&mut self, previous: Option<Tensor<2>>) -> Tensor<3> {
        Tensor::cat(self.members.iter_mut().map(|member| member.next(previous.clone())).collect(), 2)
    }
}
