//! Quantiles of distributions whose cumulative distribution function has no inverse in closed form.

use burn::tensor::Tensor;

/// Halvings of a bracket of real numbers: beyond 2⁻³⁰ of its width single precision has no digits left.
const HALVINGS: usize = 30;

/// Halvings of a bracket of levels, of which there are at most 2¹⁶ + 1.
const HALVINGS_OF_LEVELS: usize = 18;

/// The smallest x with F(x) ≥ p for each variable, by bisection between `low` and `high`; of levels the smallest whole one.
///
/// A mixture's quantile lies between the lowest and the highest of its components' quantiles, at which it begins.
pub(super) fn quantile<const D: usize>(
    p: &Tensor<D>,
    [low, high]: [Tensor<D>; 2],
    of_levels: bool,
    cdf: impl Fn(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    // The lower end is below the quantile, or at it.
    let (mut low, mut high) = if of_levels { (low.sub_scalar(1.0), high) } else { (low, high) };
    for _ in 0..if of_levels { HALVINGS_OF_LEVELS } else { HALVINGS } {
        let middle = low.clone() + (high.clone() - low.clone()).mul_scalar(0.5);
        let middle = if of_levels { middle.floor() } else { middle };
        let below = cdf(middle.clone()).lower(p.clone());
        // Between two levels that follow each other the lower one is no news.
        low = low.mask_where(below.clone(), middle.clone());
        high = middle.mask_where(below, high);
    }
    high
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::super::{Categorical, Distribution, MeanOf, Normal, NormalMixture};
    use burn::tensor::{Device, Tensor};

    fn row<const N: usize>(values: [f32; N]) -> Tensor<1> {
        Tensor::from_floats(values, &Device::flex())
    }

    fn close(found: Tensor<1>, expected: &[f64], tolerance: f64) {
        for (found, expected) in found.into_data().iter::<f64>().zip(expected) {
            assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()), "{found} {expected}");
        }
    }

    #[test]
    fn of_a_mixture_of_normals() {
        // The x where this is p: 0.25 Φ((x + 2)/0.5) + 0.5 Φ(x − 0.5) + 0.25 Φ((x − 3)/0.25).
        let rows = |one: [f32; 3]| Tensor::<2>::from_floats([one, one, one], &Device::flex());
        let log_weights = rows([0.25f32.ln(), 0.5f32.ln(), 0.25f32.ln()]);
        let log_vars = rows([0.25f32.ln(), 0.0, 0.0625f32.ln()]);
        let mixture = NormalMixture::new(log_weights, rows([-2.0, 0.5, 3.0]), log_vars);
        let p = row([0.05, 0.5, 0.95]);
        let found = mixture.quantile(p.clone());
        close(found.clone(), &EXPECTED, 1e-5);
        close(mixture.cdf(found), &[0.05, 0.5, 0.95], 1e-5);
    }

    /// mpmath.findroot with 30 digits.
    const EXPECTED: [f64; 3] = [-2.426_955_731_19, 0.500_000_359_263, 3.216_359_174_4];

    #[test]
    fn of_a_mean_of_densities() {
        let normal = |mean: f32, log_var: f32| Box::new(Normal::new(row([mean; 3]), row([log_var; 3])));
        let members: Vec<Box<dyn Distribution<1>>> = vec![normal(-2.0, 0.0), normal(1.0, -2.0)];
        let mean = MeanOf::new(members);
        let p = row([0.1, 0.5, 0.9]);
        let found = mean.quantile(p.clone()).and_then(|x| mean.cdf(x));
        close(found.unwrap_or_else(|| row([f32::NAN])), &[0.1, 0.5, 0.9], 1e-5);

        // Of levels: the same level that the mean of the tables gives.
        let table = |logits: [f32; 4]| Tensor::<2>::from_floats([logits, logits, logits], &Device::flex());
        let (one, other) = (table([0.0, 1.0, -1.0, 0.5]), table([-3.0, 0.0, 2.0, 0.0]));
        let tables = [&one, &other].map(|logits| Categorical::from_logits(logits.clone()));
        let mean = MeanOf::new(tables.map(|table| Box::new(table) as Box<dyn Distribution<1>>).into());
        let probabilities = [one, other].map(|logits| Categorical::from_logits(logits).log_probs().exp());
        let [one, other] = probabilities;
        let together = Categorical::from_logits((one + other).mul_scalar(0.5).log());
        for p in [[0.01, 0.2, 0.3], [0.45, 0.5, 0.6], [0.8, 0.99, 0.999]] {
            let found = mean.quantile(row(p));
            let expected: Vec<f64> = together.quantile(row(p)).into_data().iter::<f64>().collect();
            close(found.unwrap_or_else(|| row([f32::NAN])), &expected, 0.0);
        }
    }
}
