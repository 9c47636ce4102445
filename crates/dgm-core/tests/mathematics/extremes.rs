//! No NaN and no infinity: values and gradients of every density and divergence over all combinations of extreme
//! parameters (logits ±1e4, log-variances ±30) and targets (the edges of the support, and far away).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::*;
use burn::tensor::{Device, Int, Tensor};
use dgm_core::density::*;
use dgm_core::divergence::mmd::Kernel;
use dgm_core::divergence::{jensen_shannon, kl, mmd};
use dgm_core::objective::*;

const LOGITS: &[f64] = &[-1e4, -80.0, -1.0, -1e-4, 0.0, 0.5, 30.0, 1e4];
const MEANS: &[f64] = &[-1e4, -1.0, 0.0, 0.3, 1e4];
const LOG_VARS: &[f64] = &[-30.0, -3.0, 0.0, 30.0];
const LOG_SCALES: &[f64] = &[-30.0, -5.0, 0.0, 30.0];
const REALS: &[f64] = &[-1e4, -1.0, 0.0, 1e4];
const COUNTS: &[f64] = &[0.0, 1.0, 1000.0, 1e6];
const LOG_RATES: &[f64] = &[-30.0, -1.0, 0.0, 7.0, 30.0];

/// Every combination, one to a row: the columns as tensors `[n]` that ask for gradients.
fn grid(lists: &[&[f64]], device: &Device) -> Vec<Tensor<1>> {
    let n: usize = lists.iter().map(|list| list.len()).product();
    let mut stride = 1;
    lists
        .iter()
        .map(|list| {
            let column: Vec<f64> = (0..n).map(|row| list[row / stride % list.len()]).collect();
            stride *= list.len();
            to_tensor(&column, [n], device).require_grad()
        })
        .collect()
}

/// Values and gradients of `function` over the grid are finite, on every backend.
fn check(name: &str, lists: &[&[f64]], function: impl Fn(&[Tensor<1>]) -> Tensor<1>) {
    for place in places() {
        let inputs = grid(lists, &place.device.clone().autodiff());
        let value = function(&inputs);
        let gradients = value.clone().sum().backward();
        let rows = inputs[0].dims()[0];
        let columns: Vec<Vec<f64>> = inputs.iter().map(|input| to_host(input.clone())).collect();
        let report = |what: String, numbers: Vec<f64>| {
            for (row, number) in numbers.into_iter().enumerate() {
                let at: Vec<f64> = columns.iter().map(|column| column[row % rows]).collect();
                assert!(number.is_finite(), "{name} on {}: {what} is {number} at {at:?}", place.name);
            }
        };
        report("value".into(), to_host(value));
        for (i, input) in inputs.iter().enumerate() {
            if let Some(gradient) = input.grad(&gradients) {
                report(format!("gradient {i}"), to_host(gradient));
            }
        }
    }
}

/// `[n]` as a matrix of one column.
fn column(x: &Tensor<1>) -> Tensor<2> {
    x.clone().unsqueeze_dim(1)
}

/// Two components: the given one, and another near it.
fn pair(x: &Tensor<1>, other: f64) -> Tensor<2> {
    Tensor::cat(vec![column(x), column(x).mul_scalar(0.5).add_scalar(other)], 1)
}

#[test]
fn binary_and_bounded() {
    check("Bernoulli", &[LOGITS, &[0.0, 1.0]], |v| Bernoulli::from_logits(v[0].clone()).log_prob(v[1].clone()));
    check("Bernoulli entropy", &[LOGITS], |v| Bernoulli::from_logits(v[0].clone()).entropy());
    let targets = [0.0, 1e-6, 0.5, 1.0];
    check("ContinuousBernoulli", &[LOGITS, &targets], |v| {
        ContinuousBernoulli::from_logits(v[0].clone()).log_prob(v[1].clone())
    });
    check("ContinuousBernoulli cdf", &[LOGITS, &targets], |v| {
        ContinuousBernoulli::from_logits(v[0].clone()).cdf(v[1].clone())
    });
    check("ContinuousBernoulli mean and entropy", &[LOGITS], |v| {
        let density = ContinuousBernoulli::from_logits(v[0].clone());
        density.mean() + density.entropy()
    });
    check("ContinuousBernoulli sample", &[LOGITS], |v| {
        let mut noise = dgm_core::random::Seed(0).stream("sample", 0);
        ContinuousBernoulli::from_logits(v[0].clone()).sample(&mut noise)
    });
}

#[test]
fn real() {
    check("Normal", &[MEANS, LOG_VARS, REALS], |v| Normal::new(v[0].clone(), v[1].clone()).log_prob(v[2].clone()));
    check("Normal cdf", &[MEANS, LOG_VARS, REALS], |v| Normal::new(v[0].clone(), v[1].clone()).cdf(v[2].clone()));
    check("Laplace", &[MEANS, LOG_SCALES, REALS], |v| Laplace::new(v[0].clone(), v[1].clone()).log_prob(v[2].clone()));
    check("Laplace cdf", &[MEANS, LOG_SCALES, REALS], |v| Laplace::new(v[0].clone(), v[1].clone()).cdf(v[2].clone()));
    let log_dofs = [-10.0, 0.0, 3.0, 30.0];
    check("StudentT", &[MEANS, LOG_SCALES, &log_dofs, REALS], |v| {
        StudentT::new(v[0].clone(), v[1].clone(), v[2].clone()).log_prob(v[3].clone())
    });
    check("StudentT entropy", &[LOG_SCALES, &log_dofs], |v| {
        StudentT::new(v[0].clone(), v[0].clone(), v[1].clone()).entropy()
    });
    check("NormalMixture", &[LOGITS, MEANS, LOG_VARS, REALS], |v| {
        let mixture = NormalMixture::new(pair(&v[0], 1.0), pair(&v[1], 1.0), pair(&v[2], 0.0));
        mixture.log_prob(v[3].clone()) + mixture.cdf(v[3].clone())
    });
}

#[test]
fn levels_and_counts() {
    for levels in [2usize, 3, 256] {
        let targets = [0.0, 1.0, (levels - 1) as f64];
        check("DiscretizedLogistic", &[MEANS, LOG_SCALES, &targets], |v| {
            let density = DiscretizedLogistic::new(v[0].clone(), v[1].clone(), levels);
            density.log_prob(v[2].clone()) + density.cdf(v[2].clone())
        });
        check("DiscretizedLogisticMixture", &[LOGITS, MEANS, LOG_SCALES, &targets], |v| {
            let (w, m, s) = (pair(&v[0], 1.0), pair(&v[1], 0.5), pair(&v[2], 0.0));
            DiscretizedLogisticMixture::new(w, m, s, levels).log_prob(v[3].clone())
        });
        check("BetaBinomialMixture", &[LOGITS, LOGITS, LOGITS, &targets], |v| {
            let (w, a, b) = (pair(&v[0], 1.0), pair(&v[1], 0.5), pair(&v[2], 0.0));
            BetaBinomialMixture::new(w, a, b, levels).log_prob(v[3].clone())
        });
    }
    check("Poisson", &[LOG_RATES, COUNTS], |v| Poisson::new(v[0].clone()).log_prob(v[1].clone()));
    check("NegativeBinomial", &[LOG_RATES, LOG_RATES, COUNTS], |v| {
        NegativeBinomial::new(v[0].clone(), v[1].clone()).log_prob(v[2].clone())
    });
    check("Categorical and the objectives on it", &[LOGITS, LOGITS, &[0.0, 1.0, 2.0]], |v| {
        let logits = Tensor::cat(vec![column(&v[0]), column(&v[1]), column(&v[0]).zeros_like()], 1);
        let class: Tensor<1, Int> = v[2].clone().int();
        let density = Categorical::from_logits(logits.clone());
        let smoothed = LabelSmoothing { epsilon: 0.1 }.objective(logits.clone(), class.clone()).loss;
        let focal = Focal { gamma: 2.0 }.objective(logits, class.clone()).loss;
        density.log_prob(class) + density.entropy() + smoothed + focal
    });
}

#[test]
fn divergences() {
    check("kl::bernoulli, jensen_shannon::bernoulli", &[LOGITS, LOGITS], |v| {
        kl::bernoulli(v[0].clone(), v[1].clone()) + jensen_shannon::bernoulli(v[0].clone(), v[1].clone())
    });
    check("kl::categorical, jensen_shannon::categorical", &[LOGITS, LOGITS, LOGITS], |v| {
        let (a, b) = (pair(&v[0], 1.0), Tensor::cat(vec![column(&v[1]), column(&v[2])], 1));
        kl::categorical(a.clone(), b.clone()) + jensen_shannon::categorical(a, b)
    });
    check("kl::normal_normal, kl::normal_standard", &[MEANS, LOG_VARS, MEANS, LOG_VARS], |v| {
        let [q, p] = [0, 2].map(|i| Normal::new(v[i].clone(), v[i + 1].clone()));
        kl::normal_normal(&q, &p) + kl::normal_standard(&q)
    });
    check("kl::laplace_laplace", &[MEANS, LOG_SCALES, MEANS, LOG_SCALES], |v| {
        let [q, p] = [0, 2].map(|i| Laplace::new(v[i].clone(), v[i + 1].clone()));
        kl::laplace_laplace(&q, &p)
    });
    for kernel in [Kernel::Rbf { bandwidth: 1.0 }, Kernel::InverseMultiquadric { scale: 2.0 }] {
        check("mmd", &[MEANS, REALS], |v| {
            let (x, y) = (pair(&v[0], 1.0), pair(&v[1], 0.0));
            mmd::unbiased(x.clone(), y.clone(), kernel) + mmd::biased(x, y, kernel)
        });
    }
}

#[test]
fn objectives_of_scores() {
    check("NonSaturating and Hinge", &[LOGITS, LOGITS], |v| {
        let (real, fake) = (v[0].clone(), v[1].clone());
        NonSaturating.discriminator(real.clone(), fake.clone()).loss
            + NonSaturating.generator(fake.clone()).loss
            + Hinge.discriminator(real, fake.clone()).loss
            + Hinge.generator(fake).loss
    });
    check("Iwae and Elbo", &[LOGITS, LOGITS, &[0.0, 1e4]], |v| {
        let log_weights = Tensor::cat(vec![column(&v[0]), column(&v[1])], 1);
        let elbo = Elbo { beta: 0.5, free_bits: Some(FreeBits { nats: 0.1, group: 1 }) };
        Iwae.objective(log_weights).loss + elbo.objective(v[0].clone(), column(&v[2])).loss
    });
    check("InfoNce and NtXent", &[LOGITS], |v| {
        let embeddings = pair(&v[0], 1.0);
        let scores = embeddings.clone().matmul(embeddings.clone().transpose()).clamp(-1e4, 1e4);
        let contrast = NtXent { temperature: 0.1 }.objective(embeddings.clone(), embeddings.mul_scalar(-0.5)).loss;
        InfoNce.objective(scores).loss + contrast
    });
}
