//! Elementary functions without branches and calls, so that a loop over them becomes vector instructions.
//!
//! The errors stated are the bounds that the tests assert, on fine grids.

/// exp(x) for x ≤ 0, with a relative error below 2.5e-7; 0 below −87.3, where f32 is no longer normal; NaN stays NaN.
///
/// 2ⁿ·exp(r) with n = round(x / ln 2), |r| ≤ ½ ln 2, exp(r) by the polynomial of Cephes' `expf`. Free of branches and
/// calls, so a loop over it becomes vector instructions.
#[inline(always)]
pub fn exp_negative(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding and taking away 1.5·2²³ rounds to a whole number, and leaves it in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let bounded = if x < -87.3 { -87.3 } else { x };
    let shifted = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = bounded - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 5.000_000_3e-1;
    let exp_r = p * r * r + r + 1.0;
    let power = f32::from_bits((shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127)) << 23);
    let value = exp_r * power;
    if x < -87.3 { 0.0 } else { value }
}

/// log(1 + u) for 0 ≤ u ≤ 1, with a relative error of at most 2.5e-7, small u included.
///
/// 2·artanh(s) with s = u / (2 + u) ≤ 1/3: its series in s² loses a digit a term.
#[inline(always)]
pub fn log1p_unit(u: f32) -> f32 {
    let s = u / (2.0 + u);
    let q = s * s;
    let mut p = 1.0 / 17.0;
    for divisor in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        p = p * q + 1.0 / divisor;
    }
    2.0 * s + 2.0 * s * q * p
}

/// σ(x) = 1 / (1 + exp(−x)), with a relative error below 4e-7 (0 below 1.2e-38), from exp(−|x|), which cannot overflow.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let decay = exp_negative(-x.abs());
    (if x >= 0.0 { 1.0 } else { decay }) / (1.0 + decay)
}

/// tanh(x) with an absolute error below 2e-7: (1 − e) / (1 + e) with e = exp(−2|x|), and the sign of x.
///
/// Near 0 the difference cancels, so the relative error grows there; a network's activations do not mind.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let decay = exp_negative(-2.0 * x.abs());
    ((1.0 - decay) / (1.0 + decay)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exp() {
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp_negative(x)) - exact).abs() / exact;
            assert!(error < 2.5e-7, "exp({x}): relative error {error}");
        }
        assert_eq!(exp_negative(0.0), 1.0);
        assert_eq!(exp_negative(-1e4), 0.0);
        assert_eq!(exp_negative(f32::NEG_INFINITY), 0.0);
        assert!(exp_negative(f32::NAN).is_nan());
    }

    #[test]
    fn log1p_is_log1p() {
        for i in 0..=1_000_000 {
            let u = i as f32 * 1e-6;
            let exact = f64::from(u).ln_1p();
            assert!((f64::from(log1p_unit(u)) - exact).abs() <= 2.5e-7 * exact, "log1p({u})");
        }
        assert_eq!(log1p_unit(1e-30), 1e-30);
    }

    #[test]
    fn sigmoid_and_tanh_are_what_they_are() {
        for i in -200_000..=200_000 {
            let x = i as f32 * 5e-4;
            let exact = f64::from(x);
            assert!((f64::from(tanh(x)) - exact.tanh()).abs() < 2e-7, "tanh({x})");
            let expected = 1.0 / (1.0 + (-exact).exp());
            // Below e⁻⁸⁷·³ = 1.2e-38 it is 0.
            let allowed = 4e-7 * expected + 1.3e-38;
            assert!((f64::from(sigmoid(x)) - expected).abs() < allowed, "sigmoid({x})");
        }
        assert_eq!((tanh(1e4), tanh(-1e4), sigmoid(1e4), sigmoid(-1e4)), (1.0, -1.0, 1.0, 0.0));
    }
}
