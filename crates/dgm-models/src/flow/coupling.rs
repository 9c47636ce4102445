//! Affine coupling: one part of x is shifted and scaled by a function of the other.

use super::{Bijection, Conditioner, Mapped, Sizes, log_scale};
use crate::error::ModelError;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use dgm_core::random::Stream;

/// y_a = x_a, y_b = x_b ⊙ exp(s(x_a)) + t(x_a) (Dinh, Sohl-Dickstein and Bengio 2017, "Density estimation using Real NVP", eq. 4 and 5).
/// Layers take turns in which half moves, and in whether halves are neighbours or every other number.
#[derive(Module, Debug)]
pub(crate) struct Coupling {
    network: Conditioner,
    #[module(skip)]
    place: usize,
    #[module(skip)]
    width: usize,
}

impl Coupling {
    /// So many layers for d ≥ 2 numbers, with these hidden layers and so many features.
    pub(crate) fn stack(
        layers: usize,
        width: usize,
        hidden: &[usize],
        features: usize,
        rng: &mut Stream,
        device: &Device,
    ) -> Result<Vec<Self>, ModelError> {
        ModelError::check(width >= 2, "latent", width, "2 or more for a flow of couplings")?;
        let layer = |place: usize| {
            let [still, moved] = Self::split(place, width).map(|half| half.len());
            let sizes = Sizes { inputs: still, outputs: 2 * moved, hidden, features };
            Self { network: Conditioner::new(sizes, false, rng, device), place, width }
        };
        Ok((0..layers).map(layer).collect())
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

    /// Both parts of x, and a function that puts them together again.
    fn parts(&self, x: &Tensor<2>) -> ([Tensor<2>; 2], impl Fn(Tensor<2>, Tensor<2>) -> Tensor<2> + use<>) {
        let [still, moved] = Self::split(self.place, self.width);
        let device = x.device();
        let indices = |of: &[i32]| Tensor::<1, Int>::from_ints(of, &device);
        let parts = [&still, &moved].map(|half| x.clone().select(1, indices(half)));
        let mut back = vec![0; self.width];
        for (at, &from) in still.iter().chain(&moved).enumerate() {
            if let Some(place) = back.get_mut(from as usize) {
                *place = at as i32;
            }
        }
        let back = indices(&back);
        (parts, move |still, moved| Tensor::cat(vec![still, moved], 1).select(1, back.clone()))
    }

    /// s and t.
    fn transformation(&self, still: Tensor<2>, features: Option<&Tensor<2>>) -> [Tensor<2>; 2] {
        let outputs = self.network.forward(still, features);
        let [n, width] = outputs.dims();
        let half = width / 2;
        [log_scale(outputs.clone().slice([0..n, 0..half])), outputs.slice([0..n, half..width])]
    }
}

impl Bijection for Coupling {
    fn forward(&self, x: Tensor<2>, features: Option<&Tensor<2>>) -> Mapped {
        let ([still, moved], join) = self.parts(&x);
        let [s, t] = self.transformation(still.clone(), features);
        let y = join(still, moved * s.clone().exp() + t);
        (y, s.sum_dim(1).squeeze_dim(1))
    }

    fn inverse(&self, y: Tensor<2>, features: Option<&Tensor<2>>) -> Mapped {
        let ([still, moved], join) = self.parts(&y);
        let [s, t] = self.transformation(still.clone(), features);
        let x = join(still, (moved - t) * s.clone().neg().exp());
        (x, s.neg().sum_dim(1).squeeze_dim(1))
    }
}
