//! What autoregressive models share: the chain rule as a loss and as a density, and drawing in order.

use crate::data::{Batch, DataSpec};
use crate::layers::Mode;
use crate::likelihood::Likelihood;
use crate::traits::{Density, Generate, Model, Train, Weights};
use burn::tensor::{Device, Tensor};
use dgm_core::objective::{ArmNll, Objective};
use dgm_core::random::Stream;

/// A network whose outputs at each position of the event depend on earlier positions alone; with it
/// p(x | c) = Π_d likelihood(x_d; network(x_<d, c)), and a model that learns, scores and draws.
pub(crate) trait Autoregressive {
    fn spec(&self) -> &DataSpec;

    fn likelihood(&self) -> &Likelihood;

    fn device(&self) -> Device;

    /// The positions of the event in the order in which they depend on each other.
    fn order(&self) -> Vec<usize>;

    /// The likelihood's parameters of every conditional at once: x `[batch, event]` → `[batch, event, parameters]`.
    fn forward(&self, x: Tensor<2>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<3>;
}

fn nll<M: Autoregressive>(model: &M, batch: &Batch, mode: &mut Mode) -> Objective {
    let parameters = model.forward(batch.target.clone(), batch.condition.as_ref(), mode);
    ArmNll.objective(model.likelihood().log_prob(parameters, batch.target.clone()), batch.mask.clone())
}

impl<M: Autoregressive> Train for M {
    fn objective(&self, batch: &Batch, _: Weights, noise: &mut Stream) -> Objective {
        nll(self, batch, &mut Mode::Train(noise))
    }
}

impl<M: Autoregressive> Density for M {
    fn is_exact(&self) -> bool {
        true
    }

    fn log_prob(&self, batch: &Batch, _: &mut Stream) -> Tensor<1> {
        nll(self, batch, &mut Mode::Evaluate).loss.neg()
    }
}

impl<M: Autoregressive> Generate for M {
    /// One position after the other, each given those before it; what stands behind (zeros) does not matter.
    fn generate(&self, n: usize, condition: Option<Tensor<2>>, noise: &mut Stream) -> Tensor<2> {
        let outputs = self.likelihood().parameters();
        let mut x = Tensor::<2>::zeros([n, self.spec().event()], &self.device());
        for position in self.order() {
            let parameters = self.forward(x.clone(), condition.as_ref(), &mut Mode::Evaluate);
            let here = parameters.slice([0..n, position..position + 1, 0..outputs]);
            x = x.slice_assign([0..n, position..position + 1], self.likelihood().sample(here, noise));
        }
        x
    }
}

impl<M: Autoregressive> Model for M {
    fn spec(&self) -> &DataSpec {
        Autoregressive::spec(self)
    }

    fn as_generate(&self) -> Option<&dyn Generate> {
        Some(self)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Checks that every autoregressive model must pass.

    use crate::data::Batch;
    use crate::traits::Model;
    use burn::tensor::{Device, Tensor, TensorData};
    use dgm_core::random::Seed;

    /// Enumerates every x of a tiny event: Σ_x p(x) = 1 ± 1e-6.
    pub(crate) fn check_normalisation(model: &dyn Model, levels: usize) {
        let event = model.spec().event();
        let count = levels.pow(event as u32);
        let all: Vec<f32> =
            (0..count).flat_map(|i| (0..event).map(move |d| (i / levels.pow(d as u32) % levels) as f32)).collect();
        let batch = Batch::new(Tensor::from_data(TensorData::new(all, [count, event]), &Device::flex()));
        let log_prob = model.log_prob(&batch, &mut Seed(0).stream("test", 0));
        let total: f64 = log_prob.into_data().iter::<f64>().map(f64::exp).sum();
        assert!((total - 1.0).abs() < 1e-6, "Σ p = {total}");
    }

    /// Changes each position in turn: the parameters there and at all positions before it in `order` stay bit for bit.
    pub(crate) fn check_causality(
        event: usize,
        levels: usize,
        order: &[usize],
        parameters: impl Fn(Tensor<2>) -> Tensor<3>,
    ) {
        let mut noise = Seed(1).stream("test", 0);
        let base: Vec<f32> = (0..event).map(|_| noise.below(levels as u32) as f32).collect();
        let run = |values: Vec<f32>| {
            let parameters = parameters(Tensor::from_data(TensorData::new(values, [1, event]), &Device::flex()));
            let [_, _, outputs] = parameters.dims();
            let all: Vec<f32> = parameters.into_data().iter::<f32>().collect();
            (all, outputs)
        };
        let (before, outputs) = run(base.clone());
        for (rank, &changed) in order.iter().enumerate() {
            let mut values = base.clone();
            values[changed] = (values[changed] + 1.0) % levels as f32;
            let (after, _) = run(values);
            for &position in &order[..=rank] {
                let here = position * outputs..(position + 1) * outputs;
                assert_eq!(before[here.clone()], after[here], "position {position} sees position {changed}");
            }
            // And some later one does: the check above is not passed by a model that sees nothing.
            assert!(before != after || rank + 1 == order.len(), "no position sees position {changed}");
        }
    }
}
