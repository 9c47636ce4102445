//! p(x | z, c): a decoder and the likelihood whose parameters it gives.

use crate::data::{Batch, DataSpec};
use crate::decoder::Decoder;
use crate::layers::{Mode, with_condition};
use crate::likelihood::Likelihood;
use crate::posterior::repeat_rows;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::objective::{fill_padding, sum_event};
use dgm_core::random::Stream;

/// p(x | z, c) for one or more z of each example.
#[derive(Module, Debug)]
pub(crate) struct Observation<D: Module> {
    network: D,
    #[module(skip)]
    likelihood: Likelihood,
    #[module(skip)]
    spec: DataSpec,
}

impl<D: Decoder> Observation<D> {
    pub(crate) fn new(network: D, likelihood: Likelihood, spec: DataSpec) -> Self {
        Self { network, likelihood, spec }
    }

    pub(crate) fn spec(&self) -> &DataSpec {
        &self.spec
    }

    /// The same likelihood with another network.
    ///
    /// # Panics
    /// If it gives other outputs.
    pub(crate) fn with_network<New: Decoder>(self, network: New) -> Observation<New> {
        let (found, need) = (network.outputs(), self.network.outputs());
        assert_eq!(found, need, "Vae::with_decoder: the decoder gives {found:?} outputs, need {need:?}");
        Observation { network, likelihood: self.likelihood, spec: self.spec }
    }

    /// The parameters of p(x | z, c), `[n, event, parameters]`, for z `[n, latent]`.
    fn parameters(&self, z: Tensor<2>, condition: Option<&Tensor<2>>, mode: &mut Mode) -> Tensor<3> {
        self.network.forward(with_condition(&self.spec, z, condition), mode)
    }

    /// log p(x | z, c) of k samples of each example: z `[batch, k, latent]` → `[batch, k]`, 0 where the mask hides the target.
    pub(crate) fn log_prob(&self, batch: &Batch, z: Tensor<3>, mode: &mut Mode) -> Tensor<2> {
        let [n, k, latent] = z.dims();
        let each = |tensor: &Tensor<2>| repeat_rows(tensor.clone(), k);
        let parameters = self.parameters(z.reshape([n * k, latent]), batch.condition.as_ref().map(each).as_ref(), mode);
        let log_prob = self.likelihood.log_prob(parameters, each(&batch.target));
        sum_event(fill_padding(log_prob, batch.mask.as_ref().map(each).as_ref())).reshape([n, k])
    }

    /// x given each row of z.
    pub(crate) fn sample(&self, z: Tensor<2>, condition: Option<&Tensor<2>>, rng: &mut Stream) -> Tensor<2> {
        self.likelihood.sample(self.parameters(z, condition, &mut Mode::Evaluate), rng)
    }

    /// E\[x | z, c\].
    pub(crate) fn mean(&self, z: Tensor<2>, condition: Option<&Tensor<2>>) -> Tensor<2> {
        self.likelihood.mean(self.parameters(z, condition, &mut Mode::Evaluate))
    }

    /// The device of the weights.
    pub(crate) fn device(&self) -> Device {
        self.network.devices().into_iter().next().unwrap_or_default()
    }
}
