//! Beta-binomials in f64, at a cost that does not grow with the number of levels.

use super::{CHUNK, from_vec};
use burn_flex::FlexTensor;
use rayon::prelude::*;

/// log C(n, x) + log (α)ₓ + log (β)ₙ₋ₓ − log (α + β)ₙ, rounded to f32 at the end.
pub(super) fn log_prob([log_alpha, log_beta]: [FlexTensor; 2], x: FlexTensor, trials: usize) -> FlexTensor {
    let [log_alpha, log_beta, x] = [log_alpha, log_beta, x].map(|tensor| tensor.to_contiguous());
    let shape = log_alpha.layout().shape().clone();
    let (components, rows) = (shape[1].max(1), rows_at_once(shape[1]));
    let coefficients = log_coefficients(trials);
    let mut out = vec![0.0f32; log_alpha.storage::<f32>().len()];
    let outputs = out.par_chunks_mut(rows * components).zip(x.storage::<f32>().par_chunks(rows));
    let [alphas, betas] = [&log_alpha, &log_beta].map(|tensor| tensor.storage::<f32>().par_chunks(rows * components));
    outputs.zip(alphas).zip(betas).for_each(|(((out, x), alphas), betas)| {
        for (i, (out, (&log_alpha, &log_beta))) in out.iter_mut().zip(alphas.iter().zip(betas)).enumerate() {
            let Counts { alpha, beta, up, down } = Counts::new(log_alpha, log_beta, x[i / components], trials);
            let rises = log_rising(alpha, up) + log_rising(beta, down) - log_rising(alpha + beta, up + down);
            *out = (coefficients[up as usize] + rises) as f32;
        }
    });
    from_vec(out, shape)
}

/// g·α·(ψ(α + x) − ψ(α) − ψ(α + β + n) + ψ(α + β)), and so for β with n − x.
pub(super) fn log_prob_pullback(
    [log_alpha, log_beta]: [FlexTensor; 2],
    x: FlexTensor,
    grad: FlexTensor,
    trials: usize,
) -> (FlexTensor, FlexTensor) {
    let [log_alpha, log_beta, x, grad] = [log_alpha, log_beta, x, grad].map(|tensor| tensor.to_contiguous());
    let shape = log_alpha.layout().shape().clone();
    let (components, rows) = (shape[1].max(1), rows_at_once(shape[1]));
    let [mut to_alpha, mut to_beta] = [(); 2].map(|()| vec![0.0f32; log_alpha.storage::<f32>().len()]);
    let size = rows * components;
    let outputs = to_alpha.par_chunks_mut(size).zip(to_beta.par_chunks_mut(size));
    let [alphas, betas, grads] = [&log_alpha, &log_beta, &grad].map(|tensor| tensor.storage::<f32>().par_chunks(size));
    let inputs = alphas.zip(betas).zip(grads).zip(x.storage::<f32>().par_chunks(rows));
    outputs.zip(inputs).for_each(|((to_alpha, to_beta), (((alphas, betas), grads), x))| {
        let inputs = alphas.iter().zip(betas).zip(grads).enumerate();
        for ((to_alpha, to_beta), (i, ((&log_alpha, &log_beta), &g))) in to_alpha.iter_mut().zip(to_beta).zip(inputs) {
            let Counts { alpha, beta, up, down } = Counts::new(log_alpha, log_beta, x[i / components], trials);
            let of_sum = slope(alpha + beta, up + down);
            *to_alpha = (f64::from(g) * alpha * (slope(alpha, up) - of_sum)) as f32;
            *to_beta = (f64::from(g) * beta * (slope(beta, down) - of_sum)) as f32;
        }
    });
    (from_vec(to_alpha, shape.clone()), from_vec(to_beta, shape))
}

/// log C(n, x) for x = 0 ..= n.
fn log_coefficients(trials: usize) -> Vec<f64> {
    let mut coefficient = 0.0f64;
    let steps = (1..=trials).map(|x| {
        coefficient += ((trials + 1 - x) as f64 / x as f64).ln();
        coefficient
    });
    std::iter::once(0.0).chain(steps).collect()
}

/// A number takes as long as a few dozen of other loops.
fn rows_at_once(components: usize) -> usize {
    (CHUNK / 16 / components.max(1)).max(1)
}

/// The shapes of one component, and how many factors each has: x and n − x.
struct Counts {
    alpha: f64,
    beta: f64,
    up: f64,
    down: f64,
}

impl Counts {
    fn new(log_alpha: f32, log_beta: f32, x: f32, trials: usize) -> Self {
        let trials = trials as f64;
        let up = f64::from(x).clamp(0.0, trials);
        Self { alpha: f64::from(log_alpha).exp(), beta: f64::from(log_beta).exp(), up, down: trials - up }
    }
}

/// From here on Stirling's series, as far as it is taken, is precise to 1e-11.
const FAR: f64 = 10.0;

/// log (a)ₖ = log a(a + 1)…(a + k − 1) = log Γ(a + k) − log Γ(a), to 1e-11 absolutely and relatively, for a > 0 and whole k ≥ 0.
///
/// The first factors one by one, then the difference of two of Stirling's series in a form that loses nothing where a is large.
fn log_rising(a: f64, k: f64) -> f64 {
    let (mut a, mut k, mut product) = (a, k, 1.0);
    while a < FAR && k > 0.0 {
        product *= a;
        (a, k) = (a + 1.0, k - 1.0);
    }
    let near = if product == 1.0 { 0.0 } else { product.ln() };
    if k == 0.0 {
        // NaN stays NaN.
        return near + 0.0 * a;
    }
    let series = |z: f64| {
        let (r, q) = (1.0 / z, 1.0 / (z * z));
        r * (1.0 / 12.0 - q * (1.0 / 360.0 - q * (1.0 / 1260.0 - q / 1680.0)))
    };
    near + k * (a + k).ln() + (a - 0.5) * (k / a).ln_1p() - k + (series(a + k) - series(a))
}

/// ψ(a + k) − ψ(a) = Σ_{i<k} 1/(a + i), the derivative of [`log_rising`] to a, as precisely.
fn slope(a: f64, k: f64) -> f64 {
    let (mut a, mut k, mut near) = (a, k, 0.0);
    while a < FAR && k > 0.0 {
        near += 1.0 / a;
        (a, k) = (a + 1.0, k - 1.0);
    }
    if k == 0.0 {
        return near + 0.0 * a;
    }
    // log z − ψ(z)
    let series = |z: f64| {
        let (r, q) = (1.0 / z, 1.0 / (z * z));
        0.5 * r + q * (1.0 / 12.0 - q * (1.0 / 120.0 - q * (1.0 / 252.0 - q / 240.0)))
    };
    near + (k / a).ln_1p() - (series(a + k) - series(a))
}

#[cfg(test)]
mod tests {
    use super::{log_rising, slope};

    #[test]
    fn rising_factorials_are_products_of_their_factors() {
        for log_a in -30..=30 {
            let a = f64::from(log_a).exp();
            let (mut log, mut sum) = (0.0, 0.0);
            for k in 0..=300 {
                let (found, slope) = (log_rising(a, f64::from(k)), slope(a, f64::from(k)));
                assert!((found - log).abs() <= 1e-11 * (1.0 + log.abs()), "log ({a})_{k}: {found} {log}");
                assert!((slope - sum).abs() <= 1e-11 * sum.abs(), "slope of log ({a})_{k}: {slope} {sum}");
                log += (a + f64::from(k)).ln();
                sum += 1.0 / (a + f64::from(k));
            }
        }
        assert!(log_rising(f64::NAN, 3.0).is_nan() && slope(f64::NAN, 0.0).is_nan());
    }
}
