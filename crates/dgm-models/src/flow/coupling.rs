//! Coupling: one part of x is transformed by a function of the other.

use super::transform::Transform;
use super::{Bijection, Conditioner, Given, Mapped, Sizes, indices};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Stream;

/// y_a = x_a, y_b = f(x_b; θ(x_a)), f elementwise (Dinh, Sohl-Dickstein and Bengio 2017, "Density estimation using Real NVP", eq. 4 and 5).
/// Layers take turns in which half moves, and in whether halves are neighbours or every other number.
#[derive(Module, Debug)]
pub(crate) struct Coupling {
    network: Conditioner,
    #[module(skip)]
    transform: Transform,
    #[module(skip)]
    place: usize,
    #[module(skip)]
    width: usize,
}

impl Coupling {
    /// The layer at this place, for d ≥ 2 numbers.
    pub(super) fn new(
        place: usize,
        width: usize,
        transform: Transform,
        sizes: Sizes<'_>,
        rng: &mut Stream,
        device: &Device,
    ) -> Self {
        let [still, moved] = Self::split(place, width).map(|half| half.len());
        let sizes = Sizes { inputs: still, outputs: moved, ..sizes };
        Self { network: Conditioner::new(sizes, false, rng, device), transform, place, width }
    }

    /// The numbers that stay and those that move, in the layer at this place.
    fn split(place: usize, width: usize) -> [Vec<i32>; 2] {
        let of = |moves: bool| {
            (0..width)
                .filter(|&i| {
                    let second = if (place / 2).is_multiple_of(2) { i >= width / 2 } else { i % 2 == 1 };
                    (second == place.is_multiple_of(2)) == moves
                })
                .map(|i| i as i32)
                .collect()
        };
        [of(false), of(true)]
    }

    fn apply(&self, x: &Tensor<2>, given: &mut Given<'_, '_>, inverse: bool) -> Mapped {
        let [still, moved] = Self::split(self.place, self.width);
        let device = x.device();
        let [unmoved, moving] = [&still, &moved].map(|half| x.clone().select(1, indices(half, &device)));
        let mut back = vec![0; self.width];
        for (at, &from) in still.iter().chain(&moved).enumerate() {
            if let Some(place) = back.get_mut(from as usize) {
                *place = at as i32;
            }
        }
        let parameters = self.network.forward(unmoved.clone(), given.features, given.mode);
        let (moving, log_det) = self.transform.apply(moving, parameters, inverse);
        (Tensor::cat(vec![unmoved, moving], 1).select(1, indices(&back, &device)), log_det)
    }
}

impl Bijection for Coupling {
    fn forward(&self, x: Tensor<2>, given: &mut Given<'_, '_>) -> Mapped {
        self.apply(&x, given, false)
    }

    fn inverse(&self, y: Tensor<2>, given: &mut Given<'_, '_>) -> Mapped {
        self.apply(&y, given, true)
    }
}
