//! What autoregressive models share: drawing x one position after the other.

use crate::likelihood::Likelihood;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;

/// Draws one position of the event after the other, in `order`, each given those before it: `[n, event]`.
///
/// `parameters(x)` gives the likelihood's parameters `[n, event, p]` at every position for an x that is filled in up to
/// the position drawn; what stands behind it (zeros) does not matter, as the model is causal.
pub(crate) fn sample_in_order(
    n: usize,
    event: usize,
    order: impl Iterator<Item = usize>,
    likelihood: &Likelihood,
    device: &Device,
    noise: &mut Stream,
    parameters: impl Fn(Tensor<2>) -> Tensor<3>,
) -> Tensor<2> {
    let outputs = likelihood.parameters();
    let mut x = Tensor::<2>::zeros([n, event], device);
    for position in order {
        let here = parameters(x.clone()).slice([0..n, position..position + 1, 0..outputs]);
        let drawn = likelihood.sample(here, noise);
        x = x.slice_assign([0..n, position..position + 1], drawn);
    }
    x
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
