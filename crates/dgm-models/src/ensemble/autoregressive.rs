//! Drawing from an ensemble number by number: every member goes along, and each number is drawn from the mean of their
//! conditionals.

use super::{Ensemble, log_mean_exp};
use crate::autoregressive::{Autoregressive, Steps};
use crate::data::{DataSpec, Values};
use crate::likelihood::Likelihood;
use burn::tensor::{Device, Tensor};

impl Ensemble {
    /// Whether all members are autoregressive over levels, whose probabilities can be mixed number by number.
    pub(super) fn is_autoregressive(&self) -> bool {
        let levels = matches!(Autoregressive::spec(self).values, Values::Levels(_));
        levels && self.models().all(|model| model.as_autoregressive().is_some())
    }

    /// The first member and the others.
    fn arms(&self) -> (&dyn Autoregressive, Vec<&dyn Autoregressive>) {
        let mut arms = self.models().filter_map(|model| model.as_autoregressive());
        let first = arms.next();
        assert!(
            first.is_some() && self.is_autoregressive(),
            "Ensemble: not all members are autoregressive over levels"
        );
        match first {
            Some(first) => (first, arms.collect()),
            None => unreachable!("checked above"),
        }
    }
}

/// The mixture as an autoregressive model of its own, whose parameters are the logarithms of the mean probabilities.
///
/// # Panics
/// If a member is not autoregressive over levels: [`Model::as_autoregressive`](crate::Model::as_autoregressive) gives an ensemble
/// only where all are.
impl Autoregressive for Ensemble {
    fn spec(&self) -> &DataSpec {
        self.first.as_model().spec()
    }

    fn likelihood(&self) -> &Likelihood {
        &self.mixed
    }

    fn device(&self) -> Device {
        self.arms().0.device()
    }

    fn conditionals(&self, x: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3> {
        let table = |arm: &dyn Autoregressive| log_probs(arm.likelihood(), arm.conditionals(x.clone(), condition));
        let (first, rest) = self.arms();
        log_mean_exp((table(first), rest.into_iter().map(table).collect()))
    }

    fn start(&self, n: usize, condition: Option<&Tensor<2>>) -> Box<dyn Steps + '_> {
        let (first, rest) = self.arms();
        Box::new(MemberSteps {
            first: (first.start(n, condition), first.likelihood()),
            rest: rest.into_iter().map(|arm| (arm.start(n, condition), arm.likelihood())).collect(),
        })
    }
}

/// A member's steps, and what its parameters mean.
type Member<'a> = (Box<dyn Steps + 'a>, &'a Likelihood);

struct MemberSteps<'a> {
    first: Member<'a>,
    rest: Vec<Member<'a>>,
}

impl Steps for MemberSteps<'_> {
    fn next(&mut self, previous: Option<Tensor<2>>) -> Tensor<3> {
        let table = |(steps, likelihood): &mut Member<'_>| log_probs(likelihood, steps.next(previous.clone()));
        let first = table(&mut self.first);
        log_mean_exp((first, self.rest.iter_mut().map(table).collect()))
    }
}

/// The table of a member's log-probabilities; for the parameters of real numbers, which are refused before, themselves.
fn log_probs(likelihood: &Likelihood, parameters: Tensor<3>) -> Tensor<3> {
    likelihood.log_probs(parameters.clone()).unwrap_or(parameters)
}
