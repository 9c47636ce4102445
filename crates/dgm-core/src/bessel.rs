//! Modified Bessel functions of the first kind, on the host in f64.

/// log Γ(x) for x > 0, to about 1e-14 relative: Stirling's series, after a recurrence to x ≥ 10.
pub(crate) fn log_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0f64);
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    let square = (x * x).recip();
    let series = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    let rest = series.iter().rev().fold(0.0, |sum, c| sum * square + c) / x;
    (x - 0.5) * x.ln() - x + crate::special::LN_SQRT_2PI + rest - product.ln()
}

/// log I_ν(x) and I_{ν+1}(x) / I_ν(x), for ν ≥ 0 and x > 0.
///
/// I_ν(x) = Σₖ (x/2)^{2k+ν} / (k! Γ(k + ν + 1)): every term is positive, so that nothing cancels; summed around the largest, whose place
/// solves k (k + ν) = x²/4. It takes about √x terms to each side.
pub(crate) fn log_bessel_and_ratio(order: f64, x: f64) -> (f64, f64) {
    let half = 0.5 * x;
    let peak = (0.5 * ((order * order + x * x).sqrt() - order)).floor().max(0.0);
    let log_peak = (2.0 * peak + order) * half.ln() - log_gamma(peak + 1.0) - log_gamma(peak + order + 1.0);
    let next = |k: f64| half * half / ((k + 1.0) * (k + 1.0 + order));
    let of_ratio = |k: f64| half / (k + 1.0 + order);
    let (mut sum, mut above) = (1.0, of_ratio(peak));
    let (mut k, mut term) = (peak, 1.0);
    while term > 1e-18 * sum {
        term *= next(k);
        k += 1.0;
        sum += term;
        above += term * of_ratio(k);
    }
    (k, term) = (peak, 1.0);
    while k > 0.0 && term > 1e-18 * sum {
        term /= next(k - 1.0);
        k -= 1.0;
        sum += term;
        above += term * of_ratio(k);
    }
    (log_peak + sum.ln(), above / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bessel_functions_are_those_of_the_tables() {
        // mpmath, 40 digits: log(besseli(v, x)) and besseli(v + 1, x) / besseli(v, x).
        for (order, x, log_value, ratio) in LITERALS {
            let (found, found_ratio) = log_bessel_and_ratio(*order, *x);
            assert!((found - log_value).abs() <= 1e-12 * log_value.abs().max(1.0), "{order} {x}: {found} {log_value}");
            assert!((found_ratio / ratio - 1.0).abs() <= 1e-11, "{order} {x}: {found_ratio} {ratio}");
        }
    }

    const LITERALS: &[(f64, f64, f64, f64)] = &[
        (0.0, 0.01, 2.499_984_375_173_609e-5, 0.004_999_937_501_041_649),
        (0.0, 1.0, 0.235_914_358_507_178_65, 0.446_389_965_896_534_5),
        (0.0, 20.0, 17.589_610_428_244_274, 0.974_670_507_889_807_1),
        (0.0, 400.0, 396.085_642_084_887_6, 0.998_749_216_789_205_7),
        (0.0, 9000.0, 8_994.528_585_428_297, 0.999_944_442_901_063_1),
        (0.5, 0.01, -2.528_359_779_027_661_5, 0.003_333_311_111_322_749_5),
        (0.5, 1.0, -0.064_351_991_073_531_8, 0.313_035_285_499_331_3),
        (0.5, 20.0, 17.583_195_330_018_33, 0.95),
        (0.5, 400.0, 396.085_329_193_241_36, 0.9975),
        (0.5, 9000.0, 8_994.528_571_538_636, 0.999_888_888_888_888_9),
        (1.0, 0.01, -5.298_304_866_574_078, 0.002_499_989_583_398_437),
        (1.0, 1.0, -0.570_647_987_490_831_2, 0.240_193_723_870_089_75),
        (1.0, 20.0, 17.563_954_622_519_343, 0.925_987_748_582_884_7),
        (1.0, 400.0, 396.084_390_518_794_6, 0.996_252_349_628_683_9),
        (1.0, 9000.0, 8_994.528_529_869_654, 0.999_833_337_963_477_4),
        (2.5, 0.01, -14.446_759_875_865_691, 0.001_428_569_161_003_622_3),
        (2.5, 1.0, -2.862_970_265_776_753_7, 0.140_646_825_733_228_48),
        (2.5, 20.0, 17.429_461_230_076_29, 0.857_871_720_116_618),
        (2.5, 400.0, 396.077_819_818_329_8, 0.992_518_796_874_114_5),
        (2.5, 9000.0, 8_994.528_238_186_784, 0.999_666_703_707_819),
        (9.0, 0.01, -60.486_681_279_014_086, 0.000_499_999_886_363_683_7),
        (9.0, 1.0, -19.015_180_435_586_26, 0.049_886_834_815_509_97),
        (9.0, 20.0, 15.548_473_492_504_625, 0.625_765_453_648_084_6),
        (9.0, 400.0, 395.984_269_481_315_55, 0.976_502_944_835_313_1),
        (9.0, 9000.0, 8_994.524_085_178_642, 0.998_944_942_956_503_6),
        (24.0, 0.01, -181.944_345_195_265_2, 0.000_199_999_992_307_692_88),
        (24.0, 1.0, -71.410_263_653_678_9, 0.019_992_313_385_191_793),
        (24.0, 20.0, 4.217_853_073_761_337, 0.351_966_104_652_536),
        (24.0, 400.0, 395.364_957_032_393_14, 0.940_552_101_791_073_8),
        (24.0, 9000.0, 8_994.496_583_669_274, 0.997_281_332_178_761_2),
    ];
}
