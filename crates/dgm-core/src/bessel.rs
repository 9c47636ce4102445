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
        (0.0, 0.01, 0.0000249998437517360898, 0.00499993750104164887),
        (0.0, 1.0, 0.235914358507178649, 0.446389965896534507),
        (0.0, 20.0, 17.5896104282442743, 0.974670507889807126),
        (0.0, 400.0, 396.085642084887577, 0.998749216789205675),
        (0.0, 9000.0, 8994.52858542829673, 0.99994444290106307),
        (0.5, 0.01, -2.52835977902766164, 0.00333331111132274928),
        (0.5, 1.0, -0.0643519910735317988, 0.313035285499331304),
        (0.5, 20.0, 17.5831953300183318, 0.950000000000000008),
        (0.5, 400.0, 396.085329193241336, 0.9975),
        (0.5, 9000.0, 8994.52857153863615, 0.999888888888888889),
        (1.0, 0.01, -5.29830486657407821, 0.00249998958339843712),
        (1.0, 1.0, -0.570647987490831281, 0.240193723870089741),
        (1.0, 20.0, 17.5639546225193443, 0.925987748582884729),
        (1.0, 400.0, 396.084390518794584, 0.996252349628683928),
        (1.0, 9000.0, 8994.52852986965444, 0.999833337963477441),
        (2.5, 0.01, -14.4467598758656919, 0.00142856916100362224),
        (2.5, 1.0, -2.86297026577675364, 0.140646825733228486),
        (2.5, 20.0, 17.4294612300762897, 0.857871720116618087),
        (2.5, 400.0, 396.077819818329756, 0.992518796874114469),
        (2.5, 9000.0, 8994.5282381867843, 0.99966670370781893),
        (9.0, 0.01, -60.4866812790140836, 0.000499999886363683723),
        (9.0, 1.0, -19.0151804355862582, 0.0498868348155099723),
        (9.0, 20.0, 15.5484734925046243, 0.62576545364808453),
        (9.0, 400.0, 395.984269481315529, 0.976502944835313106),
        (9.0, 9000.0, 8994.52408517864176, 0.998944942956503604),
        (24.0, 0.01, -181.944345195265218, 0.000199999992307692882),
        (24.0, 1.0, -71.4102636536789024, 0.0199923133851917924),
        (24.0, 20.0, 4.21785307376133727, 0.351966104652536027),
        (24.0, 400.0, 395.364957032393108, 0.940552101791073804),
        (24.0, 9000.0, 8994.49658366927417, 0.99728133217876126),
    ];
}
