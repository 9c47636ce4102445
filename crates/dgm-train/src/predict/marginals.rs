//! The distribution of each dimension of a target by itself, given the condition.

use burn::tensor::{Tensor, TensorData};
use dgm_core::density::Distribution;
use dgm_models::likelihood::Likelihood;
use dgm_models::{AnyOrder, Autoregressive, Model, Values};

/// p(y_d | x) of each dimension d of a target, whatever the others are.
#[derive(Clone, Copy)]
pub(crate) enum Marginals<'a> {
    /// The dimensions do not depend on each other.
    Independent(&'a dyn Autoregressive),
    /// They do, and the model says what each is where none is seen.
    OfAny(&'a dyn AnyOrder, usize),
}

impl<'a> Marginals<'a> {
    /// Those of a model; `None`: it has none.
    pub(crate) fn of(model: &'a dyn Model) -> Option<Self> {
        let independent = model.conditionals().filter(|arm| arm.is_independent()).map(Self::Independent);
        // Beside words there is no one kind of prediction.
        let numbers = match &model.spec().values {
            Values::Levels(_) => false,
            Values::Real(_) => true,
            Values::Columns(columns) => columns.levels.iter().all(|&levels| levels == 0),
        };
        independent.or_else(|| Some(Self::OfAny(model.any_order().filter(|_| numbers)?, model.spec().event())))
    }

    pub(crate) fn likelihood(self) -> &'a Likelihood {
        match self {
            Self::Independent(arm) => arm.likelihood(),
            Self::OfAny(model, _) => model.likelihood(),
        }
    }

    /// Whether the joint density is the product of these.
    pub(crate) fn is_joint(self) -> bool {
        matches!(self, Self::Independent(_))
    }

    /// The likelihood's parameters for each row of `y`, which stands for how many there are, `[rows, event, parameters]`.
    pub(crate) fn parameters(self, y: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<3> {
        match self {
            Self::Independent(arm) => arm.parameters(y, condition),
            Self::OfAny(model, event) => {
                let [rows, _] = y.dims();
                let nothing = TensorData::zeros::<f32, _>([rows, event]);
                let nothing = Tensor::<2>::from_data(nothing, &model.device());
                model.parameters_given(nothing.clone(), nothing, condition)
            }
        }
    }

    /// The distributions themselves, of numbers as they stand in a batch.
    pub(crate) fn distribution(self, y: Tensor<2>, condition: Option<&Tensor<2>>) -> Box<dyn Distribution<2>> {
        match self {
            Self::Independent(arm) => arm.predict(y, condition),
            Self::OfAny(..) => self.likelihood().distribution(self.parameters(y, condition)),
        }
    }
}
