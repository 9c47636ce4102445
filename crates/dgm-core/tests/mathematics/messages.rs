//! What is wrong is named: the function, the argument and both shapes, or the value and where it may be.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::{Device, Int, Tensor};
use dgm_core::density::*;
use dgm_core::divergence::mmd::Kernel;
use dgm_core::divergence::{jensen_shannon, kl, mmd};
use dgm_core::objective::*;
use dgm_core::ops;

/// The message of the panic that `function` ends in holds all of `parts`.
fn check<R>(parts: &[&str], function: impl FnOnce() -> R) {
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(function)).err().expect("a panic");
    let message = panicked.downcast_ref::<String>().expect("a message");
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

fn matrix(rows: usize, columns: usize) -> Tensor<2> {
    Tensor::zeros([rows, columns], &Device::flex())
}

fn row(n: usize) -> Tensor<1> {
    Tensor::zeros([n], &Device::flex())
}

fn classes(n: usize) -> Tensor<1, Int> {
    Tensor::zeros([n], &Device::flex())
}

#[test]
fn parameters_that_differ_in_shape() {
    let (a, b, shapes) = (|| matrix(2, 3), || matrix(4, 3), ["[2, 3]", "[4, 3]"]);
    let both = |who: &'static str, what: &'static str| [who, what, shapes[0], shapes[1]];
    check(&both("Normal", "`log_var`"), || Normal::new(a(), b()));
    check(&both("Laplace", "`log_scale`"), || Laplace::new(a(), b()));
    check(&both("StudentT", "`log_scale`"), || StudentT::new(a(), b(), a()));
    check(&both("StudentT", "`log_dof`"), || StudentT::new(a(), a(), b()));
    check(&both("NegativeBinomial", "`log_count`"), || NegativeBinomial::new(a(), b()));
    check(&both("NormalMixture", "`weight_logits`"), || NormalMixture::new(b(), a(), a()));
    check(&both("Normal", "`log_var`"), || NormalMixture::new(a(), a(), b()));
    check(&both("DiscretizedLogistic", "`log_scale`"), || DiscretizedLogistic::new(a(), b(), 4));
    check(&both("DiscretizedLogisticMixture", "`mean`"), || DiscretizedLogisticMixture::new(b(), a(), a(), 4));
    check(&both("BetaBinomialMixture", "`log_beta`"), || BetaBinomialMixture::new(a(), a(), b(), 4));
    for levels in [0, 1] {
        let found = format!("`levels` is {levels}");
        check(&["DiscretizedLogistic", &found], || DiscretizedLogistic::new(a(), a(), levels));
        check(&["DiscretizedLogisticMixture", &found], || DiscretizedLogisticMixture::new(a(), a(), a(), levels));
        check(&["BetaBinomialMixture", &found], || BetaBinomialMixture::new(a(), a(), a(), levels));
    }
}

#[test]
fn targets_that_differ_in_shape() {
    let (a, x) = (|| matrix(2, 3), || matrix(2, 4));
    let named = |who: &'static str| [who, "`x`", "[2, 3]", "[2, 4]"];
    check(&named("bernoulli_log_prob"), || Bernoulli::from_logits(a()).log_prob(x()));
    check(&named("Bernoulli::cdf"), || Bernoulli::from_logits(a()).cdf(x()));
    check(&named("ContinuousBernoulli::log_prob"), || ContinuousBernoulli::from_logits(a()).log_prob(x()));
    check(&named("ContinuousBernoulli::cdf"), || ContinuousBernoulli::from_logits(a()).cdf(x()));
    check(&named("Normal"), || Normal::new(a(), a()).log_prob(x()));
    check(&named("Normal"), || Normal::new(a(), a()).cdf(x()));
    check(&named("Laplace"), || Laplace::new(a(), a()).log_prob(x()));
    check(&named("StudentT"), || StudentT::new(a(), a(), a()).log_prob(x()));
    check(&named("Poisson"), || Poisson::new(a()).log_prob(x()));
    check(&named("NegativeBinomial"), || NegativeBinomial::new(a(), a()).log_prob(x()));
    check(&named("DiscretizedLogistic::log_prob"), || DiscretizedLogistic::new(a(), a(), 4).log_prob(x()));
    check(&named("DiscretizedLogistic::cdf"), || DiscretizedLogistic::new(a(), a(), 4).cdf(x()));
    let named = |who: &'static str| [who, "`x`", "[2, 3]", "[5]"];
    check(&named("NormalMixture"), || NormalMixture::new(a(), a(), a()).log_prob(row(5)));
    let logistic = || DiscretizedLogisticMixture::new(a(), a(), a(), 4);
    check(&["discretized_logistic_mixture_log_prob", "`x`", "[2, 3]", "[5]"], || logistic().log_prob(row(5)));
    check(&named("DiscretizedLogisticMixture::cdf"), || logistic().cdf(row(5)));
    check(&named("BetaBinomialMixture"), || BetaBinomialMixture::new(a(), a(), a(), 4).log_prob(row(5)));
    let named = |who: &'static str| [who, "`class`", "[2, 3]", "[5]"];
    check(&named("categorical_log_prob"), || Categorical::from_logits(a()).log_prob(classes(5)));
    check(&named("Categorical::cdf"), || Categorical::from_logits(a()).cdf(classes(5)));
    check(&["categorical_log_prob", "`class` is 0 in row 0", "0 columns"], || {
        ops::categorical_log_prob(matrix(1, 0), classes(1))
    });
}

#[test]
fn divergences_and_bounds_of_shapes_that_differ() {
    let (a, b) = (|| matrix(2, 3), || matrix(2, 4));
    let named = |who: &'static str| [who, "[2, 3]", "[2, 4]"];
    check(&named("kl::bernoulli"), || kl::bernoulli(a(), b()));
    check(&named("kl::categorical"), || kl::categorical(a(), b()));
    check(&named("kl::normal_normal"), || kl::normal_normal(&Normal::new(a(), a()), &Normal::new(b(), b())));
    check(&named("kl::laplace_laplace"), || kl::laplace_laplace(&Laplace::new(a(), a()), &Laplace::new(b(), b())));
    check(&["kl::monte_carlo", "[2]", "[3]"], || kl::monte_carlo(row(2), row(3)));
    check(&named("jensen_shannon::bernoulli"), || jensen_shannon::bernoulli(a(), b()));
    check(&named("jensen_shannon::categorical"), || jensen_shannon::categorical(a(), b()));
    let kernel = Kernel::Rbf { bandwidth: 1.0 };
    check(&named("mmd::unbiased"), || mmd::unbiased(a(), b(), kernel));
    check(&named("mmd::biased"), || mmd::biased(a(), b(), kernel));
    check(&["mmd::unbiased", "`x` has 1 rows"], || mmd::unbiased(matrix(1, 3), a(), kernel));
    check(&["Elbo", "`kl`", "[5]", "[2, 3]"], || Elbo::default().objective(row(5), a()));
    check(&["FreeBits", "`group` is 2", "[2, 3]"], || FreeBits { nats: 1.0, group: 2 }.floor(a()));
    check(&["InfoVae", "`kl`", "[5]", "[2, 3]"], || InfoVae { alpha: 0.0, lambda: 1.0 }.objective(row(5), a(), row(1)));
    let z = || Tensor::<3>::zeros([2, 3, 1], &Device::flex());
    check(&["Dreg", "[2, 4]", "[2, 3, 1]"], || Dreg.objective(z(), |_| matrix(2, 4)));
}

#[test]
fn targets_outside_the_support() {
    let numbers = |values: &[f32]| Tensor::<1>::from_floats(values, &Device::flex());
    let parameters = || matrix(1, 2);
    for (support, values, expected) in [
        (Bernoulli::from_logits(row(1)).support(), [1.0, 0.5], "target number 1 is 0.5, expected 0 or 1"),
        (
            DiscretizedLogisticMixture::new(parameters(), parameters(), parameters(), 256).support(),
            [255.0, 256.0],
            "target number 1 is 256, expected a whole number from 0 to 255",
        ),
        (Poisson::new(row(1)).support(), [3.0, -1.0], "target number 1 is -1, expected a whole number from 0 on"),
        (
            ContinuousBernoulli::from_logits(row(1)).support(),
            [0.5, 1.5],
            "target number 1 is 1.5, expected a number from 0 to 1",
        ),
        (Normal::new(row(1), row(1)).support(), [0.0, f32::NAN], "target number 1 is NaN, expected a finite number"),
    ] {
        assert_eq!(support.check(numbers(&values)).unwrap_err().to_string(), expected);
        assert_eq!(support.check(numbers(&values[..1])), Ok(()));
    }
    let classes = Tensor::<1, Int>::from_ints([0, 2, 5], &Device::flex());
    let error = Categorical::from_logits(matrix(3, 5)).support().check_int(classes).unwrap_err();
    assert_eq!(error.to_string(), "target number 2 is 5, expected a whole number from 0 to 4");
}
