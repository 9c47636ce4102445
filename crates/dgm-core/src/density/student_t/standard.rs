//! The standard Student distribution on the host, in f64: its distribution function and its quantiles.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Degrees of freedom from which on it is the standard normal distribution to 3e-8.
const NORMAL: f64 = 1e7;

/// P(T ≤ t) for ν degrees of freedom, ½ I_x(ν/2, ½) with x = ν/(ν + t²) below 0 and the rest of 1 above (Abramowitz and Stegun 1964,
/// 26.7.1); NaN where an argument is.
pub(super) fn cdf(t: f64, dof: f64) -> f64 {
    let tail = tail(t.abs(), dof);
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// The t with P(T ≤ t) = p: Newton's method on the tail, kept within a bracket.
pub(super) fn quantile(p: f64, dof: f64) -> f64 {
    // NaN stays NaN.
    if !(p > 0.0 && p < 1.0 && dof > 0.0) {
        return match p {
            0.0 => f64::NEG_INFINITY,
            1.0 => f64::INFINITY,
            _ => f64::NAN,
        };
    }
    let (mass, sign) = if p < 0.5 { (p, -1.0) } else { (1.0 - p, 1.0) };
    let (mut low, mut high) = (0.0, 1.0);
    while tail(high, dof) > mass && high < 1e300 {
        (low, high) = (high, 16.0 * high);
    }
    let mut t = 0.5 * (low + high);
    for _ in 0..100 {
        let excess = tail(t, dof) - mass;
        if excess > 0.0 {
            low = t
        } else {
            high = t
        }
        let mut next = t + excess / density(t, dof);
        if !(low < next && next < high) {
            // Over a bracket of several orders of magnitude the middle is the one of the orders.
            next = if low > 0.0 { low.sqrt() * high.sqrt() } else { 0.5 * high };
        }
        let moved = (next - t).abs();
        t = next;
        if moved <= 1e-13 * t {
            break;
        }
    }
    sign * t
}

/// P(T > t) for t ≥ 0.
fn tail(t: f64, dof: f64) -> f64 {
    if dof > NORMAL {
        return 0.5 * libm::erfc(t * FRAC_1_SQRT_2);
    }
    // x and 1 − x, neither from the other.
    let ratio = t / dof.sqrt();
    let (x, rest) = ((1.0 + ratio * ratio).recip(), (1.0 + (ratio * ratio).recip()).recip());
    0.5 * incomplete_beta(0.5 * dof, 0.5, x, rest)
}

fn density(t: f64, dof: f64) -> f64 {
    if dof > NORMAL {
        return (-0.5 * t * t).exp() / (2.0 * PI).sqrt();
    }
    let peak = libm::lgamma(0.5 * (dof + 1.0)) - libm::lgamma(0.5 * dof) - 0.5 * (dof * PI).ln();
    (peak - 0.5 * (dof + 1.0) * (t * t / dof).ln_1p()).exp()
}

/// I_x(a, b) with 1 − x beside x.
fn incomplete_beta(a: f64, b: f64, x: f64, rest: f64) -> f64 {
    if x == 0.0 || rest == 0.0 {
        return if rest == 0.0 { 1.0 } else { 0.0 };
    }
    // The fraction converges fast up to the mean of the beta distribution.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, rest, x);
    }
    let log_factor = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * rest.ln();
    log_factor.exp() / a * continued_fraction(a, b, x)
}

/// The continued fraction of I_x(a, b) by the method of Lentz (DLMF 8.17.22).
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    /// Stands for 0, which nothing can be divided by.
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, away(1.0 - (a + b) * x / (a + 1.0)).recip());
    let mut fraction = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut last = 1.0;
        for coefficient in [even, odd] {
            d = away(1.0 + coefficient * d).recip();
            c = away(1.0 + coefficient / c);
            last = c * d;
            fraction *= last;
        }
        if (last - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::{cdf, quantile};

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-8, "{found} {expected}");
    }

    /// mpmath: betainc(ν/2, 1/2, 0, ν/(ν + t²), regularized=True)/2 with 30 digits, and bisection of it.
    #[test]
    fn values_of_another_source() {
        let (t, p) = ([-3.0, -0.5, 1.0, 10.0], [0.001, 0.05, 0.9, 0.999]);
        for (dof, cdfs, quantiles) in [
            (
                0.3,
                [0.250_668_844_843_81, 0.400_355_396_310_739, 0.658_388_609_119_483, 0.824_879_193_335_609],
                [-300_718_580.879_097, -653.020_521_029_075, 64.786_545_637_096_9, 300_718_580.879_097],
            ),
            (
                1.0,
                [0.102_416_382_349_567, 0.352_416_382_349_567, 0.75, 0.968_274_482_569_446],
                [-318.308_838_985_55, -6.313_751_514_675_04, 3.077_683_537_175_25, 318.308_838_985_55],
            ),
            (
                2.5,
                [0.036_288_047_774_515_9, 0.328_848_959_934_857, 0.797_969_486_360_863, 0.997_779_252_116_346],
                [-13.822_193_110_866, -2.558_218_614_135_94, 1.730_250_928_807_18, 13.822_193_110_866],
            ),
            (
                30.0,
                [0.002_694_982_032_825_97, 0.310_361_502_442_564, 0.837_345_692_286_985, 0.999_999_999_977_124],
                [-3.385_184_866_829_31, -1.697_260_886_593_96, 1.310_415_025_391_4, 3.385_184_866_829_31],
            ),
            (
                1e5,
                [0.001_350_230_442_032_36, 0.308_538_088_827_209, 0.841_343_536_217_945, 1.0],
                [-3.090_313_809_427_24, -1.644_868_864_784_97, 1.281_560_031_449_36, 3.090_313_809_427_24],
            ),
        ] {
            t.iter().zip(cdfs).for_each(|(&t, expected)| close(cdf(t, dof), expected));
            p.iter().zip(quantiles).for_each(|(&p, expected)| close(quantile(p, dof), expected));
            assert_eq!(cdf(0.0, dof), 0.5);
            assert!(quantile(0.5, dof).abs() < 1e-12);
        }
        // From here on the normal's, which is met without a step.
        for t in [-4.0, -0.3, 2.0] {
            assert!((cdf(t, 0.999e7) - cdf(t, 1.001e7)).abs() < 3e-8);
        }
        assert!(cdf(f64::NAN, 3.0).is_nan() && quantile(0.5, f64::NAN).is_nan() && quantile(-1.0, 3.0).is_nan());
        assert_eq!((quantile(0.0, 2.0), quantile(1.0, 2.0)), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
