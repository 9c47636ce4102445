//! Densities, divergences and their gradients against values computed to 50 digits (`scripts/literals.py`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{Place, places};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::density::{
    Bernoulli, BetaBinomialMixture, Categorical, ContinuousBernoulli, DiscretizedLogistic, DiscretizedLogisticMixture,
    Laplace, NegativeBinomial, Normal, NormalMixture, Poisson, StudentT,
};
use dgm_core::divergence::{jensen_shannon, kl, mmd};
use dgm_core::estimate::log_mean_exp;
use serde_json::Value;

const LITERALS: &str = include_str!("../literals.json");

/// What f32 is held to.
struct Tolerance {
    /// Of the expected number.
    relative: f64,
    /// Of the size of what cancels, as the entry gives it (0: nothing does). Terms that are rounded at 2⁻²⁴ ≈ 6·10⁻⁸ of
    /// their size leave some of that behind in their sum, however small the sum is.
    cancelled: f64,
    /// Of 1.
    absolute: f64,
}

impl Tolerance {
    fn of(place: &Place) -> Self {
        if place.exact {
            // Absolute: f32 has no normal numbers below 1.2·10⁻³⁸, so a probability of exp(−160) is 0.
            Self { relative: 1e-5, cancelled: 1e-6, absolute: 1e-37 }
        } else {
            // WGSL lets exp(x) be off by 3 + 2|x| units in the last place, and log(x) near 1, which log1p is made of, by
            // 2⁻²¹ absolutely.
            Self { relative: 3e-5, cancelled: 2e-6, absolute: 1e-6 }
        }
    }

    /// Adds a line to `failures` for each number that is off.
    fn check(&self, what: &str, found: &[f64], expected: &[f64], scale: &Value, failures: &mut Vec<String>) {
        assert_eq!(found.len(), expected.len(), "{what}: number of values");
        for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            let scale = scale.as_f64().unwrap_or_else(|| scale[i].as_f64().expect("a scale for each number"));
            let allowed = self.relative * expected.abs() + self.cancelled * scale + self.absolute;
            let error = (found - expected).abs();
            if !(found.is_finite() && error <= allowed) {
                failures.push(format!(
                    "{what}, number {i}: {found:e}, expected {expected:e}; off by {error:e}, allowed {allowed:e}"
                ));
            }
        }
    }
}

/// An entry of the file with its inputs as tensors `[rows, columns]` on one device (of one column, where there are fewer
/// numbers).
struct Case<'a> {
    entry: &'a Value,
    device: Device,
    inputs: Vec<(&'a str, Tensor<2>)>,
}

impl<'a> Case<'a> {
    fn new(entry: &'a Value, device: &Device) -> Self {
        let shape = numbers(&entry["shape"]);
        let (rows, columns) = (shape[0] as usize, shape.get(1).map_or(1, |&columns| columns as usize));
        let inputs = entry["inputs"].as_object().unwrap().iter().map(|(name, values)| {
            let values: Vec<f32> = numbers(values).into_iter().map(|value| value as f32).collect();
            let shape = match name.as_str() {
                // Two samples of one width.
                "y" => [values.len() / columns, columns],
                _ if values.len() == rows => [rows, 1],
                _ => [rows, columns],
            };
            let input = Tensor::from_data(TensorData::new(values, shape), device);
            (name.as_str(), if entry["gradients"].get(name).is_some() { input.require_grad() } else { input })
        });
        Self { entry, device: device.clone(), inputs: inputs.collect() }
    }

    fn input(&self, name: &str) -> Tensor<2> {
        self.inputs.iter().find(|(known, _)| *known == name).expect("an input of this name").1.clone()
    }

    /// An integer constant of the entry.
    fn count(&self, name: &str) -> usize {
        self.entry[name].as_u64().expect("a whole number") as usize
    }

    /// A number for each row that is no differentiable input.
    fn column(&self, name: &str) -> Tensor<1> {
        let column: Vec<f32> = numbers(&self.entry[name]).into_iter().map(|value| value as f32).collect();
        Tensor::from_data(column.as_slice(), &self.device)
    }

    fn value(&self) -> Tensor<1> {
        let name = self.entry["name"].as_str().unwrap();
        self.elementwise(name).map(|value| value.flatten(0, 1)).unwrap_or_else(|| self.rowwise(name))
    }

    /// Functions of one number.
    fn elementwise(&self, name: &str) -> Option<Tensor<2>> {
        let get = |name| self.input(name);
        let bernoulli = || Bernoulli::from_logits(get("logits"));
        let continuous_bernoulli = || ContinuousBernoulli::from_logits(get("logits"));
        let normal = || Normal::new(get("mean"), get("log_var"));
        let laplace = || Laplace::new(get("mean"), get("log_scale"));
        let levels = || DiscretizedLogistic::new(get("mean"), get("log_scale"), self.count("levels"));
        Some(match name {
            "bernoulli_log_prob" => bernoulli().log_prob(get("x")),
            "bernoulli_mean" => bernoulli().mean(),
            "bernoulli_entropy" => bernoulli().entropy(),
            "bernoulli_cdf" => bernoulli().cdf(get("x")),
            "continuous_bernoulli_log_prob" => continuous_bernoulli().log_prob(get("x")),
            "continuous_bernoulli_mean" => continuous_bernoulli().mean(),
            "continuous_bernoulli_entropy" => continuous_bernoulli().entropy(),
            "continuous_bernoulli_cdf" => continuous_bernoulli().cdf(get("x")),
            "normal_log_prob" => normal().log_prob(get("x")),
            "normal_entropy" => Normal::new(get("log_var"), get("log_var")).entropy(),
            "normal_cdf" => normal().cdf(get("x")),
            "laplace_log_prob" => laplace().log_prob(get("x")),
            "laplace_entropy" => Laplace::new(get("log_scale"), get("log_scale")).entropy(),
            "laplace_cdf" => laplace().cdf(get("x")),
            "student_t_log_prob" => StudentT::new(get("mean"), get("log_scale"), get("log_dof")).log_prob(get("x")),
            "student_t_entropy" => StudentT::new(get("log_scale"), get("log_scale"), get("log_dof")).entropy(),
            "poisson_log_prob" => Poisson::new(get("log_rate")).log_prob(get("x")),
            "negative_binomial_log_prob" => NegativeBinomial::new(get("log_mean"), get("log_count")).log_prob(get("x")),
            "discretized_logistic_log_prob" => levels().log_prob(get("x")),
            "discretized_logistic_cdf" => levels().cdf(get("x")),
            "kl_bernoulli" => kl::bernoulli(get("a"), get("b")),
            "js_bernoulli" => jensen_shannon::bernoulli(get("a"), get("b")),
            "kl_normal_standard" => kl::normal_standard(&normal()),
            "kl_normal_normal" => {
                let q = Normal::new(get("mean_q"), get("log_var_q"));
                kl::normal_normal(&q, &Normal::new(get("mean_p"), get("log_var_p")))
            }
            "kl_laplace_laplace" => {
                let q = Laplace::new(get("mean_q"), get("log_scale_q"));
                kl::laplace_laplace(&q, &Laplace::new(get("mean_p"), get("log_scale_p")))
            }
            _ => return None,
        })
    }

    /// Functions of a row.
    fn rowwise(&self, name: &str) -> Tensor<1> {
        let get = |name| self.input(name);
        let classes = || self.column("classes").int();
        let categorical = || Categorical::from_logits(get("logits"));
        let normals = || NormalMixture::new(get("weights"), get("mean"), get("log_var"));
        let beta_binomials =
            || BetaBinomialMixture::new(get("weights"), get("log_alpha"), get("log_beta"), self.count("levels"));
        let logistics = || {
            let (mean, log_scale) = (get("mean"), get("log_scale"));
            DiscretizedLogisticMixture::new(get("weights"), mean, log_scale, self.count("levels"))
        };
        match name {
            "categorical_log_prob" => categorical().log_prob(classes()),
            "categorical_entropy" => categorical().entropy(),
            "categorical_mean" => categorical().mean(),
            "categorical_cdf" => categorical().cdf(classes()),
            "kl_categorical" => kl::categorical(get("a"), get("b")),
            "js_categorical" => jensen_shannon::categorical(get("a"), get("b")),
            "log_mean_exp" => log_mean_exp(get("a")),
            "beta_binomial_log_prob" => beta_binomials().log_prob(self.column("x")),
            "beta_binomial_cdf" => beta_binomials().cdf(self.column("x")),
            "beta_binomial_mean" => beta_binomials().mean(),
            "beta_binomial_entropy" => beta_binomials().entropy(),
            "normal_mixture_log_prob" => normals().log_prob(get("x").squeeze_dim(1)),
            "normal_mixture_cdf" => normals().cdf(get("x").squeeze_dim(1)),
            "normal_mixture_mean" => normals().mean(),
            "normal_mixture_variance" => normals().variance(),
            "discretized_logistic_mixture_log_prob" => logistics().log_prob(self.column("x")),
            "discretized_logistic_mixture_cdf" => logistics().cdf(self.column("x")),
            "mmd" => {
                let size = self.entry["size"].as_f64().unwrap();
                let kernel = match self.entry["kernel"].as_str().unwrap() {
                    "rbf" => mmd::Kernel::Rbf { bandwidth: size },
                    _ => mmd::Kernel::InverseMultiquadric { scale: size },
                };
                let unbiased = self.entry["unbiased"].as_bool().unwrap();
                (if unbiased { mmd::unbiased } else { mmd::biased })(get("x"), get("y"), kernel)
            }
            name => panic!("literals.json: no function for {name:?}"),
        }
    }
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn check_all(family: &str) {
    let literals: Value = serde_json::from_str(LITERALS).unwrap();
    let mut failures = Vec::new();
    for place in places() {
        let tolerance = Tolerance::of(&place);
        let device = place.device.clone().autodiff();
        let mut entries = 0;
        for entry in literals.as_array().unwrap() {
            let name = entry["name"].as_str().unwrap();
            if !name.contains(family) {
                continue;
            }
            entries += 1;
            let case = Case::new(entry, &device);
            let value = case.value();
            let what = format!("{name} {} on {}", entry["shape"], place.name);
            let found: Vec<f64> = value.clone().into_data().iter::<f64>().collect();
            tolerance.check(&what, &found, &numbers(&entry["value"]), &entry["value_scale"], &mut failures);
            let gradients = value.sum().backward();
            for (input, expected) in entry["gradients"].as_object().unwrap() {
                let what = format!("{what}, gradient to {input}");
                let Some(found) = case.input(input).grad(&gradients) else {
                    failures.push(format!("{what}: none"));
                    continue;
                };
                let found: Vec<f64> = found.into_data().iter::<f64>().collect();
                tolerance.check(&what, &found, &numbers(expected), &entry["gradient_scales"][input], &mut failures);
            }
        }
        assert!(entries > 0, "literals.json has nothing of {family}");
    }
    assert!(failures.is_empty(), "{} numbers are off:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn bernoulli() {
    check_all("bernoulli");
}

#[test]
fn normal() {
    check_all("normal");
}

#[test]
fn laplace() {
    check_all("laplace");
}

#[test]
fn student_t() {
    check_all("student_t");
}

#[test]
fn poisson() {
    check_all("poisson");
}

#[test]
fn negative_binomial() {
    check_all("negative_binomial");
}

#[test]
fn discretized_logistic() {
    check_all("discretized_logistic");
}

#[test]
fn categorical() {
    check_all("categorical");
}

#[test]
fn beta_binomial() {
    check_all("beta_binomial");
}

#[test]
fn log_mean_exp_of_rows() {
    check_all("log_mean_exp");
}

#[test]
fn jensen_shannon() {
    check_all("js_");
}

#[test]
fn mmd_of_two_samples() {
    check_all("mmd");
}
