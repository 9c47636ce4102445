//! Every registered prior: it is a density, its samples follow it, and configurations name it.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::data::{Batch, Values};
use crate::testing::moved;
use burn::tensor::TensorData;
use dgm_core::density::Normal;
use dgm_core::random::Seed;

const LATENT: usize = 2;

fn spec() -> DataSpec {
    DataSpec { shape: [1, 1, 3], values: Values::Levels(3), condition: None }
}

fn real(data: &DataSpec) -> LatentSpec<'_> {
    LatentSpec { latent: LATENT, space: Space::Real, data }
}

/// q(z | x) = N((x₀, x₁), ½).
fn encode(x: Tensor<2>) -> Box<dyn ApproximatePosterior> {
    Box::new(posterior(x))
}

fn posterior(x: Tensor<2>) -> Normal<2> {
    let [n, _] = x.dims();
    let mean = x.slice([0..n, 0..LATENT]);
    Normal::new(mean.clone(), mean.full_like(0.5f64.ln()))
}

struct Cycle;

impl Examples for Cycle {
    fn count(&self) -> usize {
        3
    }

    fn batch(&self, rows: &[usize]) -> Result<Batch, ModelError> {
        let values: Vec<f32> = rows.iter().flat_map(|&row| [row, (row + 1) % 3, 0]).map(|level| level as f32).collect();
        Ok(Batch::new(Tensor::from_data(TensorData::new(values, [rows.len(), 3]), &Device::flex())))
    }
}

/// A prior of this kind with other weights than it starts with.
fn prior(kind: &str, latent: usize, space: Space) -> AnyPrior {
    let config = match kind {
        // Wider ones carry some of their mass out of sight.
        "flow" => PriorConfig::FlowPrior(FlowPriorConfig { layers: 4, hidden: vec![16], ..Default::default() }),
        kind => PriorConfig::of_kind(kind).unwrap(),
    };
    let data = spec();
    let spec = LatentSpec { latent, space, data: &data };
    let mut prior = config.init(&spec, &mut Seed(1).stream("weights", 0), &Device::flex()).unwrap();
    prior.fit(&Cycle, &mut Seed(1).stream("fit", 0)).unwrap();
    moved(prior, 0.1)
}

/// Every prior of real numbers.
fn priors() -> Vec<(&'static str, AnyPrior)> {
    let all = PriorConfig::KINDS.iter().map(|kind| (*kind, prior(kind, LATENT, Space::Real)));
    let real: Vec<_> = all.filter(|(_, prior)| prior.is_on(Space::Real)).collect();
    assert_eq!(real.len() + 1, PriorConfig::KINDS.len(), "all but the uniform one");
    real
}

/// The middles of squares of side `h` that cover −8 … 8, and log p of each.
fn grid(prior: &AnyPrior, h: f64) -> Vec<([f64; 2], f64)> {
    let n = (16.0 / h) as usize;
    let at = |i: usize| -8.0 + h * (i as f64 + 0.5);
    let points: Vec<[f64; 2]> = (0..n * n).map(|i| [at(i % n), at(i / n)]).collect();
    let values: Vec<f32> = points.iter().flatten().map(|&x| x as f32).collect();
    let z = Tensor::from_data(TensorData::new(values, [n * n, LATENT]), &Device::flex());
    let log_prob: Vec<f64> = prior.log_prob(z, &encode).into_data().iter().collect();
    points.into_iter().zip(log_prob).collect()
}

#[test]
fn every_prior_integrates_to_one_and_its_samples_follow_it() {
    for (kind, prior) in priors() {
        let h = 0.1;
        let grid = grid(&prior, h);
        let total: f64 = grid.iter().map(|(_, log_p)| log_p.exp() * h * h).sum();
        assert!((total - 1.0).abs() < 1e-3, "{kind}: {total}");
        // How much lies right of 0, and the mean of the second variable.
        let right: f64 = grid.iter().filter(|(z, _)| z[0] > 0.0).map(|(_, log_p)| log_p.exp() * h * h).sum();
        let mean: f64 = grid.iter().map(|(z, log_p)| z[1] * log_p.exp() * h * h).sum();
        let n = 20_000;
        let drawn: Vec<f64> =
            prior.sample(n, &encode, &mut Seed(2).stream("sampling", 0), &Device::flex()).into_data().iter().collect();
        let found = drawn.chunks(2).filter(|z| z[0] > 0.0).count() as f64 / n as f64;
        assert!((found - right).abs() < 5.0 * (right * (1.0 - right) / n as f64).sqrt(), "{kind}: {found} {right}");
        let found = drawn.chunks(2).map(|z| z[1]).sum::<f64>() / n as f64;
        assert!((found - mean).abs() < 5.0 * 3.0 / (n as f64).sqrt(), "{kind}: {found} {mean}");
    }
}

#[test]
fn a_divergence_in_closed_form_is_the_mean_of_the_log_ratio() {
    let q = posterior(Tensor::from_floats([[0.3, -1.2, 0.0]], &Device::flex()));
    let mut checked = 0;
    for (kind, prior) in priors() {
        let Some(kl) = prior.kl(&q) else { continue };
        checked += 1;
        let kl: f64 = kl.sum().into_data().iter().next().unwrap();
        let n = 200_000;
        let wide = |x: Tensor<2>| x.expand([n, LATENT]);
        let many = Normal::new(wide(q.mean()), wide(q.log_var()));
        let z = many.sample(&mut Seed(3).stream("z", 0));
        let log_q: Tensor<1> = many.log_prob(z.clone()).sum_dim(1).squeeze_dim(1);
        let ratio: f64 = (log_q - prior.log_prob(z, &encode)).mean().into_data().iter().next().unwrap();
        assert!((kl - ratio).abs() < 0.02, "{kind}: {kl} {ratio}");
    }
    assert!(checked > 0);
}

#[test]
fn pseudo_inputs_begin_at_training_examples() {
    let mut prior =
        Vamp::new(&VampConfig { components: 5 }, &real(&spec()), &mut Seed(1).stream("weights", 0), &Device::flex())
            .unwrap();
    let inputs = |prior: &Vamp| -> Vec<Vec<f32>> {
        let numbers: Vec<f32> = prior.inputs().into_data().iter().collect();
        numbers.chunks(3).map(<[f32]>::to_vec).collect()
    };
    assert_eq!(inputs(&prior), vec![vec![0.0; 3]; 5]);
    prior.fit(&Cycle, &mut Seed(1).stream("fit", 0)).unwrap();
    // Levels 0, 1 and 2 as −1, 0 and 1; each of the three examples, two of them twice.
    let expected = [[-1.0, 0.0, -1.0], [0.0, 1.0, -1.0], [1.0, -1.0, -1.0]];
    let found = inputs(&prior);
    assert!(expected.iter().all(|example| found.iter().any(|input| input == example)), "{found:?}");
    assert!(found.iter().all(|input| expected.iter().any(|example| input == example)), "{found:?}");
}

#[test]
fn every_parameter_of_a_prior_is_trained_after_its_fit() {
    for (kind, prior) in priors() {
        let prior = prior.train();
        let parameters = burn::module::list_param_ids(&prior).len();
        if parameters == 0 {
            continue;
        }
        let z = Tensor::from_floats([[0.3, -0.4], [1.0, 0.2]], &Device::flex().autodiff());
        let gradients = prior.log_prob(z, &encode).sum().backward();
        let gradients = burn::optim::GradientsParams::from_grads(gradients, &prior);
        assert_eq!(gradients.len(), parameters, "{kind}");
    }
}

#[test]
fn a_prior_is_a_name_or_a_table() {
    let read = |json: serde_json::Value| serde_json::from_value::<PriorConfig>(json).map_err(|error| error.to_string());
    for kind in PriorConfig::KINDS {
        let config = PriorConfig::of_kind(kind).unwrap();
        assert_eq!(read(serde_json::json!(kind)), Ok(config.clone()));
        assert_eq!(read(serde_json::to_value(&config).unwrap()), Ok(config));
    }
    let table = serde_json::json!({ "kind": "vamp", "components": 7 });
    assert_eq!(read(table), Ok(PriorConfig::Vamp(VampConfig { components: 7 })));
    for (json, expected) in [
        (serde_json::json!("vmap"), "unknown variant `vmap`, expected one of"),
        (serde_json::json!({ "kind": "vamp", "parts": 7 }), "unknown field `parts`, expected `components`"),
        (serde_json::json!({ "components": 7 }), "missing field `kind`"),
    ] {
        let text = read(json).unwrap_err();
        assert!(text.contains(expected), "{text}");
    }
    let none =
        Vamp::new(&VampConfig { components: 0 }, &real(&spec()), &mut Seed(0).stream("weights", 0), &Device::flex());
    assert_eq!(none.unwrap_err().to_string(), "`model.prior.components` is 0, expected 1 to 10000");
}

/// On a circle log p = −log 2π everywhere, of classes −log C for each group; samples take every place alike.
#[test]
fn the_uniform_prior_is_uniform_where_it_is() {
    let n = 6000;
    let sample = |prior: &AnyPrior| prior.sample(n, &encode, &mut Seed(2).stream("sampling", 0), &Device::flex());
    let check = |space: Space, latent: usize, log_p: f64| {
        let prior = prior("uniform", latent, space);
        assert!(prior.is_on(space) && !prior.is_on(Space::Real));
        let z = sample(&prior);
        for found in prior.log_prob(z.clone(), &encode).into_data().iter::<f64>() {
            assert!((found - log_p).abs() < 1e-6, "{space}: {found} {log_p}");
        }
        let values: Vec<f64> = z.into_data().iter().collect();
        for variable in 0..latent {
            let mean = values.iter().skip(variable).step_by(latent).sum::<f64>() / n as f64;
            let expected = if space == Space::Sphere { 0.0 } else { 0.25 };
            assert!((mean - expected).abs() < 5.0 * 0.71 / (n as f64).sqrt(), "{space}: {mean}");
        }
        for row in values.chunks(latent) {
            let length: f64 = row.iter().map(|value| value * value).sum();
            let expected = if space == Space::Sphere { 1.0 } else { 2.0 };
            assert!((length - expected).abs() < 1e-5, "{space}: {row:?}");
        }
    };
    check(Space::Sphere, 2, -(2.0 * std::f64::consts::PI).ln());
    check(Space::OneOf(4), 8, -2.0 * 4f64.ln());
}
