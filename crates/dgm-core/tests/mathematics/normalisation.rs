//! Densities against 1: the sum over a discrete support, the integral over a continuous one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::*;
use burn::tensor::{Device, Tensor};
use dgm_core::density::*;

/// What f32 log-densities leave of 1 over a support of this many values.
const TOLERANCE: f64 = 1e-5;

/// Σ p over `values`, of a density that takes a column of x for each row of its parameters.
fn check_sum(what: &str, place: &Place, values: impl Iterator<Item = f64>, log_prob: impl Fn(f64) -> Tensor<1>) {
    let mut totals = vec![0.0; to_host(log_prob(0.0)).len()];
    for value in values {
        totals.iter_mut().zip(to_host(log_prob(value))).for_each(|(total, log_prob)| *total += log_prob.exp());
    }
    // WGSL's exp and log are a third as good.
    let allowed = if place.exact { TOLERANCE } else { 5e-5 };
    for total in totals {
        assert!((total - 1.0).abs() <= allowed, "{what} on {}: {total}", place.name);
    }
}

/// Every combination of the lists, one to a row, as columns `[n]`.
fn grid<const N: usize>(lists: [&[f64]; N], device: &Device) -> [Tensor<1>; N] {
    let n: usize = lists.iter().map(|list| list.len()).product();
    let mut stride = 1;
    lists.map(|list| {
        let column: Vec<f64> = (0..n).map(|row| list[row / stride % list.len()]).collect();
        stride *= list.len();
        to_tensor(&column, [n], device)
    })
}

#[test]
fn discrete_densities_add_up_to_one() {
    for place in places() {
        let device = &place.device;
        let part = |purpose: &str, scale: f64| to_tensor(&matrix(purpose, scale), [ROWS, COLUMNS], device);
        let at = |level: f64| Tensor::<1>::full([ROWS], level, device);
        for levels in [2, 17, 64, 256] {
            let all = || (0..levels).map(|level| level as f64);
            let mixture = BetaBinomialMixture::new(part("w", 1.0), part("a", 4.0), part("b", 4.0), levels);
            check_sum(&format!("beta-binomial of {levels}"), &place, all(), |level| mixture.log_prob(at(level)));
            let mixture = DiscretizedLogisticMixture::new(part("w", 1.0), part("m", 0.7), part("s", 1.5), levels);
            check_sum(&format!("logistic mixture of {levels}"), &place, all(), |level| mixture.log_prob(at(level)));
            let [mean, log_scale] = grid([&[-3.0, -0.9, 0.0, 0.5, 1.2], &[-6.0, -3.0, 0.0, 4.0]], device);
            let density = DiscretizedLogistic::new(mean.clone(), log_scale, levels);
            check_sum(&format!("discretised logistic of {levels}"), &place, all(), |level| {
                density.log_prob(Tensor::full(mean.dims(), level, device))
            });
        }
        let logits = grid([&[-1e4, -80.0, -2.0, 0.0, 3.0, 1e4]], device)[0].clone();
        check_sum("Bernoulli", &place, [0.0, 1.0].into_iter(), |x| {
            Bernoulli::from_logits(logits.clone()).log_prob(Tensor::full(logits.dims(), x, device))
        });
        let categorical = Categorical::from_logits(part("logits", 30.0));
        check_sum("categorical", &place, (0..COLUMNS).map(|class| class as f64), |class| {
            categorical.log_prob(at(class).int())
        });
        let log_rate = grid([&[-4.0, 0.0, 2.0, 5.0]], device)[0].clone();
        check_sum("Poisson", &place, (0..400).map(f64::from), |x| {
            Poisson::new(log_rate.clone()).log_prob(Tensor::full(log_rate.dims(), x, device))
        });
        // The longest tail, μ = 7.4 and r = 0.37, falls by e every 21 counts.
        let [log_mean, log_count] = grid([&[-3.0, 0.0, 2.0], &[-1.0, 1.0, 8.0]], device);
        check_sum("negative binomial", &place, (0..500).map(f64::from), |x| {
            NegativeBinomial::new(log_mean.clone(), log_count.clone()).log_prob(Tensor::full(
                log_mean.dims(),
                x,
                device,
            ))
        });
    }
}

/// ∫ p over x = map(u), u from −1 to 1 in 20,001 points (Simpson), which is 1; and up to the middle, which is the cdf there.
fn check_integral(
    what: &str,
    device: &Device,
    map: impl Fn(f64) -> (f64, f64),
    log_prob: impl Fn(Tensor<1>) -> Tensor<1>,
    cdf: Option<&dyn Fn(Tensor<1>) -> Tensor<1>>,
) {
    const INTERVALS: usize = 20_000;
    let points: Vec<(f64, f64)> = (0..=INTERVALS).map(|i| map(2.0 * i as f64 / INTERVALS as f64 - 1.0)).collect();
    let x: Vec<f64> = points.iter().map(|point| point.0).collect();
    let density = to_host(log_prob(to_tensor(&x, [x.len()], device)));
    let simpson = |range: std::ops::RangeInclusive<usize>| -> f64 {
        let (first, last) = (*range.start(), *range.end());
        let weight = |i| if i == first || i == last { 1.0 } else { 2.0 + 2.0 * ((i - first) % 2) as f64 };
        let sum: f64 = range.map(|i| weight(i) * density[i].exp() * points[i].1).sum();
        sum * 2.0 / INTERVALS as f64 / 3.0
    };
    let total = simpson(0..=INTERVALS);
    assert!((total - 1.0).abs() <= TOLERANCE, "{what}: the integral is {total}");
    if let Some(cdf) = cdf {
        let middle = to_host(cdf(to_tensor(&[x[INTERVALS / 2]], [1], device)))[0];
        let half = simpson(0..=INTERVALS / 2);
        assert!((half - middle).abs() <= TOLERANCE, "{what}: the integral to the middle is {half}, the cdf {middle}");
    }
}

#[test]
fn continuous_densities_integrate_to_one() {
    // The arithmetic is the same on every backend, and tested there by the literals.
    let device = &places().remove(0).device;
    let constant = |value: f64, like: &Tensor<1>| Tensor::<1>::full(like.dims(), value, device);
    // u on (−1, 1) to the line by centre + scale·u/(1 − u²), with its derivative; the ends count 0.
    let line = |centre: f64, scale: f64| {
        move |u: f64| {
            let rest = (1.0 - u * u).max(1e-4);
            (centre + scale * u / rest, scale * (1.0 + u * u) / (rest * rest))
        }
    };
    for logit in [-50.0, -3.0, -0.5, -1e-3, 0.0, 0.9, 1.1, 20.0] {
        let of = |x: &Tensor<1>| ContinuousBernoulli::from_logits(constant(logit, x));
        let what = format!("continuous Bernoulli {logit}");
        let unit = |u: f64| (0.5 * (u + 1.0), 0.5);
        check_integral(&what, device, unit, |x| of(&x).log_prob(x), Some(&|x| of(&x).cdf(x)));
    }
    for (mean, log) in [(0.0, 0.0), (-3.0, 2.0), (5.0, -2.0)] {
        let of = |x: &Tensor<1>| Normal::new(constant(mean, x), constant(log, x));
        let place = line(mean + 0.3, (0.5 * log).exp());
        check_integral("normal", device, place, |x| of(&x).log_prob(x), Some(&|x| of(&x).cdf(x)));
        let of = |x: &Tensor<1>| Laplace::new(constant(mean, x), constant(log, x));
        // Its corner at a point of the grid, where Simpson's rule may have one.
        let place = line(mean, log.exp());
        check_integral("Laplace", device, place, |x| of(&x).log_prob(x), Some(&|x| of(&x).cdf(x)));
        for log_dof in [1.0, 3.0, 12.0] {
            let of = |x: &Tensor<1>| StudentT::new(constant(mean, x), constant(log, x), constant(log_dof, x));
            check_integral(
                &format!("Student-t {log_dof}"),
                device,
                line(mean, log.exp()),
                |x| of(&x).log_prob(x),
                None,
            );
        }
    }
    let row = |values: [f64; 3], x: &Tensor<1>| to_tensor(&values, [1, 3], device).expand([x.dims()[0], 3]);
    let of = |x: &Tensor<1>| {
        NormalMixture::new(row([0.5, -0.5, 1.0], x), row([-2.0, 0.0, 3.0], x), row([0.0, 1.0, -2.0], x))
    };
    check_integral("normal mixture", device, line(0.2, 2.0), |x| of(&x).log_prob(x), Some(&|x| of(&x).cdf(x)));
}
