//! What every density of this module answers, behind one trait.

use super::Support;
use crate::random::Stream;
use burn::tensor::Tensor;
use std::fmt::Debug;

/// Independent random variables, one for each element of a tensor of D dimensions.
///
/// Values are floats, as in a batch: classes, levels and counts are whole ones. Each density has the same methods of its own, with what
/// they compute and where they come from; this trait is for code that takes any of them. `variance`, `entropy`, `cdf` and
/// `quantile` are `None` where there is no closed form.
///
/// # Panics
/// All methods that take a tensor panic if its shape is not that of the variables.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// # use dgm_core::density::{Distribution, Laplace, Normal};
/// let zeros = Tensor::<1>::zeros([1], &Device::flex());
/// let two: [Box<dyn Distribution<1>>; 2] =
///     [Box::new(Normal::new(zeros.clone(), zeros.clone())), Box::new(Laplace::new(zeros.clone(), zeros.clone()))];
/// for one in &two {
///     let median = one.quantile(zeros.full_like(0.5)).unwrap();
///     assert!(median.into_scalar::<f32>().abs() < 1e-6);
/// }
/// ```
pub trait Distribution<const D: usize>: Debug {
    /// Where the values lie.
    fn support(&self) -> Support;

    /// log p(x) of each variable, in nats.
    fn log_prob(&self, x: Tensor<D>) -> Tensor<D>;

    /// One sample of each variable.
    fn sample(&self, rng: &mut Stream) -> Tensor<D>;

    /// E\[x\].
    fn mean(&self) -> Tensor<D>;

    /// Var\[x\].
    fn variance(&self) -> Option<Tensor<D>> {
        None
    }

    /// −E\[log p(x)\], in nats.
    fn entropy(&self) -> Option<Tensor<D>> {
        None
    }

    /// P(X ≤ x).
    fn cdf(&self, _x: Tensor<D>) -> Option<Tensor<D>> {
        None
    }

    /// The smallest x with P(X ≤ x) ≥ p, for p in (0, 1).
    fn quantile(&self, _p: Tensor<D>) -> Option<Tensor<D>> {
        None
    }
}

impl<const D: usize> Distribution<D> for Box<dyn Distribution<D>> {
    fn support(&self) -> Support {
        (**self).support()
    }

    fn log_prob(&self, x: Tensor<D>) -> Tensor<D> {
        (**self).log_prob(x)
    }

    fn sample(&self, rng: &mut Stream) -> Tensor<D> {
        (**self).sample(rng)
    }

    fn mean(&self) -> Tensor<D> {
        (**self).mean()
    }

    fn variance(&self) -> Option<Tensor<D>> {
        (**self).variance()
    }

    fn entropy(&self) -> Option<Tensor<D>> {
        (**self).entropy()
    }

    fn cdf(&self, x: Tensor<D>) -> Option<Tensor<D>> {
        (**self).cdf(x)
    }

    fn quantile(&self, p: Tensor<D>) -> Option<Tensor<D>> {
        (**self).quantile(p)
    }
}

/// `impl Distribution` by the methods that a density has itself: always `support`, `log_prob`, `sample` and `mean`, and those named.
macro_rules! distribution {
    ($density:ident<D> { $($closed:ident $(($x:ident))?),* }) => {
        impl<const D: usize> $crate::density::Distribution<D> for $density<D> {
            distribution!(@body Tensor<D>, $($closed $(($x))?),*);
        }
    };
    ($density:ident { $($closed:ident $(($x:ident))?),* }) => {
        impl $crate::density::Distribution<1> for $density {
            distribution!(@body Tensor<1>, $($closed $(($x))?),*);
        }
    };
    (@body $tensor:ty, $($closed:ident $(($x:ident))?),*) => {
        fn support(&self) -> Support {
            self.support()
        }

        fn log_prob(&self, x: $tensor) -> $tensor {
            self.log_prob(x)
        }

        fn sample(&self, rng: &mut Stream) -> $tensor {
            self.sample(rng)
        }

        fn mean(&self) -> $tensor {
            self.mean()
        }

        $(fn $closed(&self $(, $x: $tensor)?) -> Option<$tensor> {
            Some(self.$closed($($x)?))
        })*
    };
}
pub(super) use distribution;
