//! Special functions on tensors, stable in f32, as the densities need them.

use burn::tensor::{Device, Tensor, activation};

/// log √(2π).
pub(crate) const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_7;

/// `value`, with the given slope as its gradient to each parameter: for functions whose stable form has branches that
/// autodiff would take through 0 · ∞, or whose derivative has a stable form of its own.
///
/// Adds (θ − θ)·slope with the second θ and the slope held fixed, which is 0 for every finite θ; of an infinite θ the value stays
/// and no gradient flows. Slopes are finite: 0 times an infinite one is NaN on the way back.
pub(crate) fn attach_gradient<const D: usize, const N: usize>(
    value: Tensor<D>,
    slopes: [(&Tensor<D>, &dyn Fn() -> Tensor<D>); N],
) -> Tensor<D> {
    if !value.device().is_autodiff() {
        return value;
    }
    slopes.into_iter().fold(value.detach(), |value, (parameter, slope)| {
        let zero = (parameter.clone() - parameter.clone().detach()) * slope().detach();
        value + zero.clone().mask_fill(zero.is_nan(), 0.0)
    })
}

/// σ(x), with σ(x) σ(−x) as its gradient: Burn's own is y (1 − y), in which 1 − y rounds for large x.
pub(crate) fn sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let fixed = x.clone().detach();
    let value = activation::sigmoid(fixed.clone());
    attach_gradient(value.clone(), [(&x, &|| value.clone() * activation::sigmoid(fixed.clone().neg()))])
}

/// log Σₖ exp(aₖ) over the columns, `[n, k]` → `[n]`, shifted by the maximum.
pub fn log_sum_exp(a: Tensor<2>) -> Tensor<1> {
    let (exp, max) = shifted_exp(a);
    (exp.sum_dim(1).log() + max).squeeze_dim(1)
}

/// exp(aₖ − m) and m of each row, `[n, k]` → `[n, k]` and `[n, 1]`: m is the maximum, a constant to gradients.
pub(crate) fn shifted_exp(a: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    // A row of −∞ alone sums to 0: shifted by a number it does, by −∞ it would be NaN.
    let max = a.clone().detach().max_dim(1).clamp_min(f64::from(f32::MIN));
    ((a - max.clone()).exp(), max)
}

/// log σ(x) = min(x, 0) − log(1 + exp(−|x|)), with σ(−x) as its gradient: Burn's own form for ndarray and GPUs takes
/// log(1 + exp(−|x|)) without log1p, which is 0 from x = 17 on.
pub(crate) fn log_sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let fixed = x.clone().detach();
    let value = fixed.clone().clamp_max(0.0) - log1p(fixed.clone().abs().neg().exp());
    attach_gradient(value, [(&x, &|| activation::sigmoid(fixed.clone().neg()))])
}

/// log(1 + u) for u > −1, without cancellation near 0, on every backend.
pub(crate) fn log1p<const D: usize>(u: Tensor<D>) -> Tensor<D> {
    if !has_coarse_functions(&u.device()) {
        return u.log1p();
    }
    // 2 artanh s with s = u / (2 + u): its series in s².
    const SERIES: [f64; 9] =
        [1.0 / 17.0, 1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0];
    let fixed = u.clone().detach();
    let near = fixed.clone().sub_scalar(0.25).abs().lower_elem(0.75);
    let small = fixed.clone().clamp(-0.5, 1.0);
    let s = small.clone() / small.add_scalar(2.0);
    let close = polynomial(&s.clone().square(), &SERIES) * s.mul_scalar(2.0);
    let rise = fixed.add_scalar(1.0);
    attach_gradient(rise.clone().log().mask_where(near, close), [(&u, &|| rise.clone().recip())])
}

/// Whether log1p and its like are log(1 + u) there, as WGSL has no other.
fn has_coarse_functions(device: &Device) -> bool {
    match device.as_dispatch().clone().inner() {
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        burn::backend::DispatchDevice::Cube(_) => true,
        _ => false,
    }
}

/// exp(v) − 1, without cancellation near 0.
pub(crate) fn expm1<const D: usize>(v: Tensor<D>) -> Tensor<D> {
    // Each branch clamped to where it is used, so that the other one's gradient is 0 and not 0 · ∞.
    let near = v.clone().abs().lower_elem(0.5);
    let small = v.clone().clamp(-0.5, 0.5);
    let close = polynomial(&small, &EXPM1_OVER) * small;
    v.exp().sub_scalar(1.0).mask_where(near, close)
}

/// (exp(v) − 1) / v = Σ vᵏ / (k + 1)!, the highest power first: for |v| ≤ ½ to 10⁻⁹, for |v| ≤ 0.7 to 10⁻⁸.
pub(crate) const EXPM1_OVER: [f64; 9] =
    [1.0 / 362_880.0, 1.0 / 40_320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 1.0 / 2.0, 1.0];

/// 1 − exp(−u) for u ≥ 0, without cancellation near 0.
pub(crate) fn one_minus_exp_neg<const D: usize>(u: Tensor<D>) -> Tensor<D> {
    expm1(u.neg()).neg()
}

/// log(1 − exp(−d)) for d > 0 (Mächler 2012, "Accurately computing log(1 − exp(−|a|))").
pub(crate) fn log1m_exp_neg<const D: usize>(d: Tensor<D>) -> Tensor<D> {
    let far = d.clone().greater_elem(std::f64::consts::LN_2);
    let near = one_minus_exp_neg(d.clone().clamp_max(std::f64::consts::LN_2)).log();
    let away = log1p(d.clamp_min(std::f64::consts::LN_2).neg().exp().neg());
    near.mask_where(far, away)
}

/// Φ(z) of the standard normal, with a relative error below 1e-6 down to z = −13; below −14, where f32 is no longer normal, it
/// falls no further. Its gradient is φ(z).
///
/// ½ erfc(|z|/√2) = ½ t·exp(−z²/2 + P(t)), t = 1 / (1 + |z|/(2√2)), where P is the Chebyshev fit of degree 11 to
/// log(erfcx / t) on (0, 1] (error 1.5e-8), made for this file.
pub(crate) fn normal_cdf<const D: usize>(z: Tensor<D>) -> Tensor<D> {
    const P: [f64; 12] = [
        -0.189_367_456,
        1.050_233_52,
        -2.346_272_39,
        2.590_129_19,
        -1.386_666_66,
        0.422_859_656,
        -0.264_095_88,
        -0.068_137_703_9,
        0.081_756_791_9,
        0.375_074_485,
        0.999_998_553,
        -1.265_512_12,
    ];
    let fixed = z.clone().detach();
    let size = fixed.clone().abs().clamp_max(14.0);
    let t = size.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2 / 2.0).add_scalar(1.0).recip();
    let fit = P[1..].iter().fold(t.zeros_like().add_scalar(P[0]), |fit, &next| (fit * t.clone()).add_scalar(next));
    // z² to f32 alone would lose 84·2⁻²⁴ at 13: the square of a multiple of 1/16 is exact, and the rest is small.
    let coarse = size.clone().mul_scalar(16.0).round().div_scalar(16.0);
    let rest = (size.clone() - coarse.clone()) * (size + coarse.clone());
    let tail = (t * (fit - rest.mul_scalar(0.5)).exp() * coarse.square().mul_scalar(-0.5).exp()).mul_scalar(0.5);
    let value = tail.clone().mask_where(fixed.clone().greater_elem(0.0), tail.neg().add_scalar(1.0));
    attach_gradient(value, [(&z, &|| normal_pdf(fixed.clone()))])
}

/// Φ⁻¹(p) for p in (0, 1), to 1e-6 of 1 + |z| from p = 1e-30 on; −∞ at 0 and ∞ at 1. Its gradient is 1 / φ(z), at the
/// two ends none.
///
/// From the rational approximation of Abramowitz and Stegun 1964, 26.2.23 (error 4.5e-4), by two steps of Halley's method.
pub(crate) fn normal_quantile<const D: usize>(p: Tensor<D>) -> Tensor<D> {
    const NUMERATOR: [f64; 3] = [0.010_328, 0.802_853, 2.515_517];
    const DENOMINATOR: [f64; 4] = [0.001_308, 0.189_269, 1.432_788, 1.0];
    let fixed = p.clone().detach();
    let upper = fixed.clone().greater_elem(0.5);
    // Of the nearer tail, where Φ is relatively accurate; 1 − p is exact in f32 for p ≥ ½.
    let tail = fixed.clone().mask_where(upper.clone(), fixed.clone().neg().add_scalar(1.0));
    let inside = tail.clone().clamp_min(f64::from(f32::MIN_POSITIVE));
    let t = inside.clone().log().mul_scalar(-2.0).sqrt();
    let start = polynomial(&t, &NUMERATOR) / polynomial(&t, &DENOMINATOR) - t;
    let z = (0..2).fold(start, |z, _| {
        let excess = (normal_cdf(z.clone()) - inside.clone()) / normal_pdf(z.clone());
        z.clone() - excess.clone() / (z * excess).mul_scalar(0.5).add_scalar(1.0)
    });
    let z = z.mask_fill(tail.lower_equal_elem(0.0), f64::NEG_INFINITY);
    let value = z.clone().mask_where(upper, z.neg());
    let ends = value.clone().is_inf();
    attach_gradient(value.clone(), [(&p, &|| normal_pdf(value.clone()).recip().mask_fill(ends.clone(), 0.0))])
}

/// φ(z) = exp(−z²/2) / √(2π).
fn normal_pdf<const D: usize>(z: Tensor<D>) -> Tensor<D> {
    z.square().mul_scalar(-0.5).sub_scalar(LN_SQRT_2PI).exp()
}

/// How far the recurrences are followed before an asymptotic series is used: at an argument of 4 or more.
const SHIFT: usize = 4;

/// Σ_{i<SHIFT} term(a + i).
fn sum_shifted<const D: usize>(a: &Tensor<D>, term: impl Fn(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
    (1..SHIFT).fold(term(a.clone()), |sum, i| sum + term(a.clone().add_scalar(i as f64)))
}

/// Σᵢ cᵢ v^i by Horner's rule, the highest power first.
pub(crate) fn polynomial<const D: usize>(v: &Tensor<D>, coefficients: &[f64]) -> Tensor<D> {
    coefficients.iter().fold(v.zeros_like(), |sum, &next| (sum * v.clone()).add_scalar(next))
}

/// δ(a) = log Γ(a + 1) − ((a + ½) log a − a + ½ log 2π) for a > 0: what Stirling's formula leaves of log a!.
///
/// By its recurrence δ(a) = δ(a + 1) + (a + ½) log1p(1/a) − 1 and the asymptotic series in 1/a (Abramowitz and Stegun
/// 6.1.41), absolutely within 1e-6.
pub(crate) fn stirling_remainder<const D: usize>(a: Tensor<D>) -> Tensor<D> {
    let steps = sum_shifted(&a, |a| (a.clone().add_scalar(0.5) * log1p(a.recip())).sub_scalar(1.0));
    let v = a.add_scalar(SHIFT as f64).recip();
    let square = v.clone().square();
    steps + polynomial(&square, &[-1.0 / 1680.0, 1.0 / 1260.0, -1.0 / 360.0, 1.0 / 12.0]) * v
}

/// log x! − (x log x − x) for whole x ≥ 0 (0 at 0): ½ log(2πx) + δ(x).
pub(crate) fn log_factorial_remainder<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let positive = x.clone().greater_elem(0.0);
    let x = x.clamp_min(1.0);
    let value = x.clone().log().mul_scalar(0.5).add_scalar(LN_SQRT_2PI) + stirling_remainder(x);
    value.zeros_like().mask_where(positive, value)
}

/// ψ(a) − log a for a > 0 (ψ: the digamma function), by its recurrence and the asymptotic series (Abramowitz and Stegun 6.3.18).
pub(crate) fn digamma_minus_log<const D: usize>(a: Tensor<D>) -> Tensor<D> {
    let steps = log1p(a.clone().recip().mul_scalar(SHIFT as f64)) - sum_shifted(&a, |a| a.recip());
    let v = a.add_scalar(SHIFT as f64).recip();
    let square = v.clone().square();
    let even = polynomial(&square, &[1.0 / 240.0, -1.0 / 252.0, 1.0 / 120.0, -1.0 / 12.0]);
    steps + (even * v.clone()).sub_scalar(0.5) * v
}

/// log Γ(a + ½) − log Γ(a) − ½ log a for a > 0, which falls to 0 as −1/(8a).
pub(crate) fn log_gamma_half_step<const D: usize>(a: Tensor<D>) -> Tensor<D> {
    let steps = log1p(a.clone().recip().mul_scalar(SHIFT as f64)).mul_scalar(0.5)
        - sum_shifted(&a, |a| log1p(a.recip().mul_scalar(0.5)));
    let v = a.add_scalar(SHIFT as f64).recip();
    let square = v.clone().square();
    steps + polynomial(&square, &[17.0 / 14336.0, -1.0 / 640.0, 1.0 / 192.0, -1.0 / 8.0]) * v
}

/// ψ(a + ½) − ψ(a) for a > 0, which falls to 0 as 1/(2a).
pub(crate) fn digamma_half_step<const D: usize>(a: Tensor<D>) -> Tensor<D> {
    let steps = sum_shifted(&a, |a| (a.clone() * a.add_scalar(0.5)).recip().mul_scalar(0.5));
    let v = a.add_scalar(SHIFT as f64).recip();
    let square = v.clone().square();
    let even = polynomial(&square, &[-17.0 / 2048.0, 1.0 / 128.0, -1.0 / 64.0, 1.0 / 8.0]);
    steps + (even * v.clone()).add_scalar(0.5) * v
}

/// x log(x/m) + m − x ≥ 0 for x ≥ 0 and m > 0, the deviance of a count x with mean m (Loader 2000, "Fast and accurate
/// computation of binomial probabilities"); `excess` = (x − m)/m as the caller knows it best, `log_m` = log m.
///
/// No gradient: callers attach theirs.
pub(crate) fn half_deviance<const D: usize>(
    x: Tensor<D>,
    m: Tensor<D>,
    log_m: Tensor<D>,
    excess: Tensor<D>,
) -> Tensor<D> {
    let near = excess.clone().abs().lower_elem(0.5);
    let e = excess.clamp(-0.5, 0.5);
    let close = (e.clone().add_scalar(1.0) * log1p(e.clone()) - e) * m.clone();
    // 0 · log 0 = 0.
    let log_x = x.clone().clamp_min(f64::from(f32::MIN_POSITIVE)).log();
    (x.clone() * (log_x - log_m) + m - x).mask_where(near, close)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Numbers by mpmath at 30 digits.
    fn check(name: &str, function: impl Fn(Tensor<1>) -> Tensor<1>, points: &[(f32, f64)]) {
        for &(at, expected) in points {
            let found: f32 = function(Tensor::from_floats([at], &Device::flex())).into_scalar();
            let error = (f64::from(found) - expected).abs();
            assert!(error <= 2e-6 * expected.abs() + 4e-7, "{name}({at}) = {found}, expected {expected}");
        }
    }

    #[test]
    fn normal_cdf_and_log1m_exp_neg() {
        let far = [(-13.0, 6.11716439955e-39), (-8.0, 6.22096057427e-16), (-5.3, 5.7901279911e-8)];
        for (at, expected) in far {
            let found: f32 = normal_cdf(Tensor::<1>::from_floats([at as f32], &Device::flex())).into_scalar();
            assert!((f64::from(found) / expected - 1.0).abs() < 1e-6, "Φ({at}) = {found:e}, expected {expected:e}");
        }
        let points = [(-2.0, 0.0227501319482), (-0.1, 0.460172162131), (0.0, 0.5), (0.3, 0.617911426735)];
        check("normal_cdf", normal_cdf, &points);
        check("normal_cdf", normal_cdf, &[(1.0, 0.841344746069), (4.0, 0.999968328758), (9.0, 1.0), (1e30, 1.0)]);
        let points = [(1e-6, -13.8155110605), (0.1, -2.35216844688), (0.69, -0.696304299543), (0.7, -0.686341014568)];
        check("log1m_exp_neg", log1m_exp_neg, &points);
        check("log1m_exp_neg", log1m_exp_neg, &[(2.0, -0.145413457869), (10.0, -4.54009603705e-5), (1e4, 0.0)]);
    }

    #[test]
    fn normal_quantile_inverts_the_cdf() {
        let points = [(1e-6, -4.75342430882), (0.001, -3.09023230617), (0.025, -1.95996398454), (0.3, -0.524400512708)];
        check("normal_quantile", normal_quantile, &points);
        let points = [(0.5, 0.0), (0.9, 1.28155156554), (0.99902344, 3.0972690782), (1e-10, -6.361340902)];
        check("normal_quantile", normal_quantile, &points);
        check("normal_quantile", normal_quantile, &[(1e-20, -9.2623400898), (1e-30, -11.4640246884)]);
        let ends: Vec<f32> =
            normal_quantile(Tensor::<1>::from_floats([0.0, 1.0], &Device::flex())).into_data().iter().collect();
        assert_eq!(ends, [f32::NEG_INFINITY, f32::INFINITY]);
    }

    #[test]
    fn functions_of_the_gamma_family() {
        let points = [(0.001, 2.54227044452), (0.1, 0.512740076681), (0.5, 0.15342640972), (1.0, 0.0810614667953)];
        check("stirling_remainder", stirling_remainder, &points);
        check("stirling_remainder", stirling_remainder, &[(3.0, 0.027677925685), (10.0, 0.00833056343336), (1e6, 0.0)]);
        let points = [(0.001, -993.667769203), (0.1, -8.12116971117), (0.5, -1.27036284546), (1.0, -0.577215664902)];
        check("digamma_minus_log", digamma_minus_log, &points);
        check("digamma_minus_log", digamma_minus_log, &[(3.0, -0.17582795357), (1e3, -0.000500083333325)]);
        let points =
            [(0.001, -2.88289732471), (0.1, -0.703186241382), (0.5, -0.225791352645), (1e3, -0.000124999994792)];
        check("log_gamma_half_step", log_gamma_half_step, &points);
        let points = [(0.001, 998.616940813), (0.5, 1.38629436112), (3.0, 0.180372305547), (1e3, 0.000500124999984)];
        check("digamma_half_step", digamma_half_step, &points);
        let points = [(0.0, 0.0), (1.0, 1.0), (2.0, 1.306852819440), (20.0, 2.420970989674)];
        check("log_factorial_remainder", log_factorial_remainder, &points);
    }
}
