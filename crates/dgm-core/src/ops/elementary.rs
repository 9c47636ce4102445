//! Elementary functions without branches and calls, so that a loop over them becomes vector instructions.
//!
//! The errors stated are the bounds that the tests assert, on fine grids.

/// exp(x) for x ≤ 0, relatively within 2.5e-7; 0 below −87.3, where f32 is no longer normal; NaN stays NaN.
#[inline(always)]
pub fn exp_negative(x: f32) -> f32 {
    let bounded = if x < -87.3 { -87.3 } else { x };
    let value = exp_bounded(bounded);
    if x < -87.3 { 0.0 } else { value }
}

/// exp(x), relatively within 2.5e-7; 0 below −87.3 and ∞ above 88.3; NaN stays NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let bounded = if x > 88.3 { 88.3 } else { x };
    let value = exp_negative(bounded);
    if x > 88.3 { f32::INFINITY } else { value }
}

/// 2ⁿ·exp(r) with n = round(x / ln 2), |r| ≤ ½ ln 2, exp(r) by the polynomial of Cephes' `expf`.
#[inline(always)]
fn exp_bounded(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding and taking away 1.5·2²³ rounds to a whole number, and leaves it in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 5.000_000_3e-1;
    let exp_r = p * r * r + r + 1.0;
    exp_r * f32::from_bits((shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127)) << 23)
}

/// x, or 0 where |x| < 1e-25; NaN stays NaN.
///
/// Gradients of what a trained model is certain of are this small, and with the next factor they are no longer normal numbers, which
/// Intel's processors are slow with: a trained PixelCNN took nearly three times as long a step. Beside the others in any sum they are nothing.
#[inline(always)]
pub fn flush_tiny(x: f32) -> f32 {
    if x.abs() < 1e-25 { 0.0 } else { x }
}

/// log x for normal numbers above 0, relatively within 4e-7 and absolutely within 1e-7 near 1.
///
/// e·ln 2 + 2·artanh((m − 1)/(m + 1)) with x = 2ᵉ·m, √½ ≤ m < √2.
#[inline(always)]
pub fn ln_positive(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const SQRT_HALF: i32 = 0x3f35_04f3;
    let bits = x.to_bits() as i32;
    let exponent = (bits - SQRT_HALF) >> 23;
    let m = f32::from_bits((bits - (exponent << 23)) as u32);
    let e = exponent as f32;
    let s = (m - 1.0) / (m + 1.0);
    let q = s * s;
    let mut p = 1.0 / 9.0;
    for divisor in [7.0, 5.0, 3.0] {
        p = p * q + 1.0 / divisor;
    }
    e * LN_2_HIGH + (2.0 * s + (2.0 * s * q * p + e * LN_2_LOW))
}

/// (1 − exp(−d)) / d for d > 0, from its power series below 0.7; `decay` = exp(−d) is at the caller's hand.
#[inline(always)]
pub fn one_minus_exp_neg_over(d: f32, decay: f32) -> f32 {
    // Σ (−d)ᵏ / (k + 1)!
    let near = if d < NEAR { d } else { NEAR };
    let mut series = 1.0;
    for divisor in [10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0] {
        series = 1.0 - series * near * (1.0 / divisor);
    }
    if d < NEAR { series } else { (1.0 - decay) / d }
}

/// Distance below which 1 − exp(−d) is taken from its series.
const NEAR: f32 = 0.7;

/// log(1 − exp(−d)) for d > 0, relatively within 1e-6; `decay` = exp(−d) is at the caller's hand.
#[inline(always)]
pub fn log1m_exp_neg(d: f32, decay: f32) -> f32 {
    let near = ln_positive(d.max(f32::MIN_POSITIVE) * one_minus_exp_neg_over(d, decay));
    if d < NEAR { near } else { log1p(-decay) }
}

/// log(1 + u) for −½ ≤ u ≤ 1, relatively within 2.5e-7 for u ≥ 0 and 4e-7 below, small u included.
///
/// 2·artanh(s) with s = u / (2 + u), |s| ≤ 1/3: its series in s² loses a digit a term.
#[inline(always)]
pub fn log1p(u: f32) -> f32 {
    let s = u / (2.0 + u);
    let q = s * s;
    let mut p = 1.0 / 17.0;
    for divisor in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        p = p * q + 1.0 / divisor;
    }
    2.0 * s + 2.0 * s * q * p
}

/// σ(x) = 1 / (1 + exp(−x)), relatively within 4e-7 (0 below 1.2e-38), from exp(−|x|), which cannot overflow.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let decay = exp_negative(-x.abs());
    (if x >= 0.0 { 1.0 } else { decay }) / (1.0 + decay)
}

/// Functions that are compiled for AVX2 as well, and run so where the machine has it. The same operations in the same order, eight numbers
/// at a time for four: the result is the same bit for bit.
///
/// A macro, because a closure that is handed to a function with more instructions keeps its own, unless it happens to be inlined.
#[doc(hidden)]
#[macro_export]
macro_rules! vectorised {
    ($($(#[$meta:meta])* $visibility:vis fn $name:ident$(<$lifetime:lifetime>)?($($argument:ident: $type:ty),* $(,)?) $(-> $out:ty)? $body:block)+) => {$(
        $(#[$meta])*
        $visibility fn $name$(<$lifetime>)?($($argument: $type),*) $(-> $out)? {
            #[inline(always)]
            fn body$(<$lifetime>)?($($argument: $type),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn with_avx2$(<$lifetime>)?($($argument: $type),*) $(-> $out)? {
                    body($($argument),*)
                }
                if ::std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the instructions are there.
                    return unsafe { with_avx2($($argument),*) };
                }
            }
            body($($argument),*)
        }
    )+};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiny_numbers_are_flushed() {
        assert_eq!([1e-26, -9e-26, 1e-40, -0.0, 0.0].map(flush_tiny), [0.0; 5]);
        assert_eq!([1.1e-25, -1.0, f32::INFINITY].map(flush_tiny), [1.1e-25, -1.0, f32::INFINITY]);
        assert!(flush_tiny(f32::NAN).is_nan());
    }

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
    fn exp_of_any_sign_is_exp() {
        for i in -870_000..=880_000 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) - exact).abs() < 2.5e-7 * exact, "exp({x})");
        }
        assert_eq!((exp(89.0), exp(-89.0), exp(f32::INFINITY)), (f32::INFINITY, 0.0, f32::INFINITY));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn log1p_is_log1p() {
        for i in -500_000..=1_000_000 {
            let u = i as f32 * 1e-6;
            let exact = f64::from(u).ln_1p();
            let allowed = if u < 0.0 { 4e-7 } else { 2.5e-7 };
            assert!((f64::from(log1p(u)) - exact).abs() <= allowed * exact.abs(), "log1p({u})");
        }
        assert_eq!((log1p(1e-30), log1p(-1e-30)), (1e-30, -1e-30));
    }

    #[test]
    fn ln_is_ln() {
        let check = |x: f32| {
            let exact = f64::from(x).ln();
            assert!((f64::from(ln_positive(x)) - exact).abs() <= 4e-7 * exact.abs() + 1e-12, "ln({x})");
        };
        (1..=1_000_000).for_each(|i| check(i as f32 * 4e-6));
        (-125..=127).for_each(|e| check(1.37 * 2f32.powi(e)));
        assert_eq!(ln_positive(1.0), 0.0);
    }

    #[test]
    fn log1m_exp_neg_is_itself() {
        for i in -8500..=450 {
            let d = (i as f32 * 0.01).exp();
            let exact = match d < 0.7 {
                true => (-(-f64::from(d)).exp_m1()).ln(),
                false => (-(-f64::from(d)).exp()).ln_1p(),
            };
            let decay = exp_negative(-d);
            let error = (f64::from(log1m_exp_neg(d, decay)) - exact).abs();
            assert!(error <= 1e-6 * exact.abs() + 1.3e-38, "log1m_exp_neg({d}): {error}");
            let exact = -(-f64::from(d)).exp_m1() / f64::from(d);
            let found = f64::from(one_minus_exp_neg_over(d, decay));
            assert!((found - exact).abs() <= 4e-7 * exact, "one_minus_exp_neg_over({d}): {found} {exact}");
        }
    }

    #[test]
    fn sigmoid_is_what_it_is() {
        for i in -200_000..=200_000 {
            let x = i as f32 * 5e-4;
            let exact = f64::from(x);
            let expected = 1.0 / (1.0 + (-exact).exp());
            // Below e⁻⁸⁷·³ = 1.2e-38 it is 0.
            let allowed = 4e-7 * expected + 1.3e-38;
            assert!((f64::from(sigmoid(x)) - expected).abs() < allowed, "sigmoid({x})");
        }
        assert_eq!((sigmoid(1e4), sigmoid(-1e4)), (1.0, 0.0));
    }
}
