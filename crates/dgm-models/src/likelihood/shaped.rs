//! Distributions of rows as distributions of a batch.

use burn::tensor::Tensor;
use dgm_core::density::{Distribution, Support};
use dgm_core::random::Stream;

/// `[batch, event, parameters]` → `[batch × event, parameters]`
pub(super) fn rows(parameters: Tensor<3>) -> Tensor<2> {
    let [batch, event, outputs] = parameters.dims();
    parameters.reshape([batch * event, outputs])
}

/// The variables of `inner`, `[batch × event]`, as `[batch, event]`.
#[derive(Debug)]
pub(super) struct Shaped {
    pub(super) inner: Box<dyn Distribution<1>>,
    pub(super) shape: [usize; 2],
}

impl Shaped {
    /// `of` the rows of these parameters `[batch, event, parameters]`.
    pub(super) fn boxed<T: Distribution<1> + 'static>(
        parameters: Tensor<3>,
        of: impl FnOnce(Tensor<2>) -> T,
    ) -> Box<dyn Distribution<2>> {
        let [batch, event, _] = parameters.dims();
        Box::new(Self { inner: Box::new(of(rows(parameters))), shape: [batch, event] })
    }

    fn flat(&self, x: Tensor<2>) -> Tensor<1> {
        let [batch, event] = self.shape;
        x.reshape([batch * event])
    }
}

impl Distribution<2> for Shaped {
    fn support(&self) -> Support {
        self.inner.support()
    }

    fn log_prob(&self, x: Tensor<2>) -> Tensor<2> {
        self.inner.log_prob(self.flat(x)).reshape(self.shape)
    }

    fn sample(&self, rng: &mut Stream) -> Tensor<2> {
        self.inner.sample(rng).reshape(self.shape)
    }

    fn mean(&self) -> Tensor<2> {
        self.inner.mean().reshape(self.shape)
    }

    fn variance(&self) -> Option<Tensor<2>> {
        Some(self.inner.variance()?.reshape(self.shape))
    }

    fn entropy(&self) -> Option<Tensor<2>> {
        Some(self.inner.entropy()?.reshape(self.shape))
    }

    fn cdf(&self, x: Tensor<2>) -> Option<Tensor<2>> {
        Some(self.inner.cdf(self.flat(x))?.reshape(self.shape))
    }

    fn quantile(&self, p: Tensor<2>) -> Option<Tensor<2>> {
        Some(self.inner.quantile(self.flat(p))?.reshape(self.shape))
    }
}
