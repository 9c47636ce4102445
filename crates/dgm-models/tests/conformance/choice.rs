//! Temperature, top-k and top-p of every likelihood and of every autoregressive kind, against their definition computed here.

use super::{CLASSES, cases, host};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Seed;
use dgm_models::autoregressive::sampling::sample;
use dgm_models::likelihood::{Likelihood, LikelihoodConfig, SamplingParams};
use dgm_models::{Capability, DataSpec, Model, ModelConfig, Scale, Values};

/// The probabilities that a choice leaves of levels with these log-probabilities, by its definition: p^(1/T) over its sum, then the
/// `top_k` largest, then the fewest largest that have `top_p` together; of equal ones at the last place all.
fn chosen(log_p: &[f64], choice: &SamplingParams) -> Vec<f64> {
    let normalised = |p: Vec<f64>| {
        let total: f64 = p.iter().sum();
        p.into_iter().map(|p| p / total).collect::<Vec<_>>()
    };
    let descending = |p: &[f64]| {
        let mut sorted = p.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        sorted
    };
    let cut = |p: Vec<f64>, least: f64| normalised(p.into_iter().map(|p| if p >= least { p } else { 0.0 }).collect());
    let mut p = normalised(log_p.iter().map(|log_p| (log_p / choice.temperature).exp()).collect());
    if let Some(k) = choice.top_k {
        let least = descending(&p)[k.min(p.len()) - 1];
        p = cut(p, least);
    }
    if let Some(mass) = choice.top_p {
        let mut sum = 0.0;
        let reached = descending(&p).into_iter().find(|p| {
            sum += p;
            assert!((sum - mass).abs() > 1e-5, "an edge that rounding decides: {sum} {mass}");
            sum > mass
        });
        p = cut(p, reached.unwrap_or(0.0));
    }
    let sorted = descending(&p);
    let clear = |pair: &[f64]| pair[0] == pair[1] || pair[0] - pair[1] > 1e-5;
    assert!(sorted.windows(2).all(clear), "a tie that rounding decides: {sorted:?}");
    p
}

/// Counts of samples against these probabilities, within five standard errors.
fn assert_follow(counts: &[usize], p: &[f64], what: &str) {
    let n = counts.iter().sum::<usize>() as f64;
    for (&count, &p) in counts.iter().zip(p) {
        let allowed = 5.0 * (n * p * (1.0 - p)).sqrt() + 5.0;
        let follows = if p == 0.0 { count == 0 } else { (count as f64 - n * p).abs() < allowed };
        assert!(follows, "{what}: {counts:?} of {n}, expected {p}");
    }
}

/// The likelihood of this kind with so many components; `None`: it has one alone.
fn with_components(kind: &str, components: usize) -> Option<LikelihoodConfig> {
    let mut json = serde_json::json!({ "kind": kind });
    if components > 1 {
        json["components"] = components.into();
    }
    serde_json::from_value(json).ok()
}

/// Every likelihood of these values, with one component and with three where it mixes, and a mixture of the first with the last;
/// each with the outputs of a network for two dimensions, which are not alike.
fn likelihoods(values: &Values) -> Vec<(String, Likelihood, Vec<f32>)> {
    let spec = DataSpec { shape: [1, 1, 2], values: values.clone(), condition: None };
    let kinds = LikelihoodConfig::KINDS.iter().flat_map(|kind| [(kind, 1), (kind, 3)]);
    let mut all: Vec<(String, Likelihood)> = kinds
        .filter_map(|(kind, n)| Some((format!("{kind} {n}"), with_components(kind, n)?.build(&spec).ok()?)))
        .collect();
    let ends = [all.first(), all.last()].map(|one| one.unwrap().clone());
    all.push((format!("{} + {}", ends[0].0, ends[1].0), Likelihood::mixture(ends.map(|(_, one)| one).to_vec())));
    let outputs = |likelihood: &Likelihood| {
        (0..2 * likelihood.parameters()).map(|i| ((i * 7 + 2) % 11) as f32 / 7.0 - 0.7).collect()
    };
    all.into_iter().map(|(name, one)| (name, one.clone(), outputs(&one))).collect()
}

/// `n` samples of each of two dimensions with these outputs.
fn sampled(likelihood: &Likelihood, outputs: &[f32], choice: &SamplingParams, n: usize) -> [Vec<f64>; 2] {
    let width = likelihood.parameters();
    let one = Tensor::<3>::from_data(TensorData::new(outputs.to_vec(), [1, 2, width]), &Device::flex());
    let samples = likelihood.sample_at(one.expand([n, 2, width]), 0..2, choice, &mut Seed(11).stream("choice", 0));
    let samples = host(samples);
    [0, 1].map(|dimension| samples.iter().skip(dimension).step_by(2).copied().collect())
}

/// Each dimension's table of log-probabilities.
fn tables(likelihood: &Likelihood, outputs: &[f32]) -> Vec<Vec<f64>> {
    let one = TensorData::new(outputs.to_vec(), [1, 2, likelihood.parameters()]);
    let table = host(likelihood.log_probs(Tensor::from_data(one, &Device::flex())).unwrap());
    table.chunks(table.len() / 2).map(<[f64]>::to_vec).collect()
}

/// Temperatures alone, with each `top_k`, with a `top_p` between any two edges of this distribution, and with both.
fn choices(log_p: &[f64]) -> Vec<SamplingParams> {
    let mut all = Vec::new();
    for temperature in [1.0, 0.5, 2.5] {
        for top_k in std::iter::once(None).chain((1..=log_p.len()).map(Some)) {
            let choice = SamplingParams { temperature, top_k, top_p: None };
            all.push(choice);
            let mut sorted = chosen(log_p, &choice);
            sorted.sort_by(|a, b| b.total_cmp(a));
            let mut sum = 0.0;
            for p in sorted.into_iter().filter(|&p| p > 0.0) {
                all.push(SamplingParams { top_p: Some(sum + p / 2.0), ..choice });
                sum += p;
            }
        }
    }
    all
}

#[test]
fn every_likelihood_of_levels_is_narrowed_as_a_choice_says() {
    let follows = |name: &str, likelihood: &Likelihood, outputs: &[f32]| {
        for (dimension, log_p) in tables(likelihood, outputs).iter().enumerate() {
            for choice in choices(log_p) {
                let samples = &sampled(likelihood, outputs, &choice, 4000)[dimension];
                let mut counts = vec![0; log_p.len()];
                samples.iter().for_each(|&level| counts[level as usize] += 1);
                assert_follow(&counts, &chosen(log_p, &choice), &format!("{name}, {choice:?}"));
            }
        }
    };
    for values in [Values::Levels(2), Values::Levels(5)] {
        for (name, likelihood, outputs) in likelihoods(&values) {
            follows(&name, &likelihood, &outputs);
        }
    }
    // Levels that are equally probable: all of them stay, or none.
    let of = |kind: &str, levels: usize| {
        let spec = DataSpec { shape: [1, 1, 2], values: Values::Levels(levels), condition: None };
        with_components(kind, 1).unwrap().build(&spec).unwrap()
    };
    follows("ties", &of("bernoulli", 2), &[0.0, 0.0]);
    let ties = [0.3, 1.0, 0.3, -1.0, 0.3, /* the other dimension */ 0.7, -0.2, 0.7, -0.2, 0.1];
    follows("ties", &of("categorical", 5), &ties);
    // ½, ¼ and ¼ are exact, and so is the edge: ½ is enough for ½, and for a little more it takes the other two, which are equal.
    let (categorical, log_2) = (of("categorical", 3), std::f32::consts::LN_2);
    for (top_p, first) in [(0.5, 4000), (0.499, 4000), (0.501, 2000), (0.75, 2000)] {
        let choice = SamplingParams { top_p: Some(top_p), ..SamplingParams::default() };
        let [samples, _] = sampled(&categorical, &[-log_2, 0.0, -log_2, 0.0, 0.0, 0.0], &choice, 4000);
        let found = samples.iter().filter(|&&level| level == 1.0).count();
        assert!(found == first || (first < 4000 && found.abs_diff(first) < 160), "{top_p}: {found}, expected {first}");
    }
}

#[test]
fn every_autoregressive_kind_samples_as_a_choice_says() {
    let n = 4000;
    let choice = SamplingParams { temperature: 0.6, top_k: Some(2), top_p: Some(0.7) };
    let mut kinds = std::collections::BTreeSet::new();
    for case in cases() {
        let model = case.model(&Device::flex());
        let (Some(conditionals), Some(levels)) = (model.conditionals(), case.spec.levels()) else { continue };
        kinds.insert(case.config.kind());
        let targets = case.targets(1, &Device::flex());
        let event = case.spec.event();
        // The product of each dimension's narrowed density, given those before it.
        let parameters = conditionals.parameters(targets.target.clone(), targets.condition.as_ref());
        let table = host(conditionals.likelihood().log_probs(parameters).unwrap());
        let values = host(targets.target.clone());
        let p: Vec<f64> = (values.chunks(event).zip(table.chunks(event * levels)))
            .map(|(x, table)| {
                let factors = x.iter().zip(table.chunks(levels));
                factors.map(|(&level, log_p)| chosen(log_p, &choice)[level as usize]).product()
            })
            .collect();
        let condition = targets.condition.unwrap().slice([0..1, 0..CLASSES]).expand([n, CLASSES]);
        let samples = host(sample(conditionals, n, Some(&condition), &choice, &mut Seed(9).stream("sampling", 0)));
        let mut counts = vec![0; p.len()];
        for x in samples.chunks(event) {
            counts[values.chunks(event).position(|target| target == x).unwrap()] += 1;
        }
        assert_follow(&counts, &p, &case.name);
    }
    assert!(ModelConfig::that_can(Capability::Autoregressive).all(|kind| kinds.contains(kind)), "{kinds:?}");
}

/// A part of a density of real numbers: weight · shape((z − location) / scale), with a shape up to a constant.
struct Part {
    weight: f64,
    location: f64,
    scale: f64,
    shape: Box<dyn Fn(f64) -> f64>,
}

impl Part {
    fn new(location: f64, scale: f64, shape: impl Fn(f64) -> f64 + 'static) -> Self {
        Self { weight: 1.0, location, scale, shape: Box::new(shape) }
    }

    /// The part's probability of numbers up to z, by the trapezoidal rule over sinh s.
    fn cdf(&self, z: f64) -> f64 {
        let integral = |to: f64| {
            let (steps, from) = (4000, -15.0);
            let step = (to - from) / f64::from(steps);
            let at = |i: i32| {
                let s = from + f64::from(i) * step;
                (self.shape)(s.sinh()) * s.cosh() * if i == 0 || i == steps { 0.5 } else { 1.0 }
            };
            (0..=steps).map(at).sum::<f64>() * step
        };
        let (below, above) = (integral(0.0), integral(15.0) - integral(0.0));
        self.weight * integral(((z - self.location) / self.scale).asinh()) / (below + above)
    }
}

/// What a likelihood of real numbers is at a temperature T, from the outputs for one dimension: the definitions in docs/likelihoods.md.
fn at_temperature(name: &str, outputs: &[f64], t: f64) -> Vec<Part> {
    let normal = |u: f64| (-u * u / 2.0).exp();
    match (name, outputs) {
        // T times the variance.
        ("normal 1", &[mean, log_var]) => vec![Part::new(mean, (t * log_var.exp()).sqrt(), normal)],
        ("laplace 1", &[location, log_scale]) => {
            vec![Part::new(location, t * log_scale.exp(), |u: f64| (-u.abs()).exp())]
        }
        ("student_t 1", &[location, log_scale, log_dof]) => {
            let dof = 1.0 + log_dof.exp();
            let shape = move |u: f64| (1.0 + u * u / dof).powf(-(dof + 1.0) / 2.0);
            vec![Part::new(location, t.sqrt() * log_scale.exp(), shape)]
        }
        // Component by component; outputs of 0 are means spread over two standard deviations to either side.
        ("normal_mixture 1" | "normal_mixture 3", _) => {
            let count = outputs.len() / 3;
            let part = |m: usize| outputs.iter().skip(m).step_by(count);
            let total: f64 = outputs[..count].iter().map(|logit| logit.exp()).sum();
            let start = if count == 1 { 1.0 } else { 2.0 / count as f64 };
            (0..count)
                .map(|m| {
                    let [logit, mean, log_var] = [0, 1, 2].map(|i| *part(m).nth(i).unwrap());
                    let centre = (m as f64 + 0.5) * 4.0 / count as f64 - 2.0;
                    let scale = (t * log_var.exp()).sqrt() * start;
                    Part { weight: logit.exp() / total, ..Part::new(mean + centre, scale, normal) }
                })
                .collect()
        }
        ("normal 1 + student_t 1", _) => {
            let (one, other) = outputs.split_at(2);
            let parts = at_temperature("normal 1", one, t).into_iter().chain(at_temperature("student_t 1", other, t));
            parts.map(|part| Part { weight: part.weight / 2.0, ..part }).collect()
        }
        _ => panic!("{name}: write down what it is at a temperature"),
    }
}

#[test]
fn every_likelihood_of_real_numbers_has_its_law_at_a_temperature() {
    let n = 20_000;
    let scale = Scale { mean: vec![3.0, -1.0], std: vec![2.0, 0.5], ..Scale::default() };
    for (name, likelihood, outputs) in likelihoods(&Values::Real(scale)) {
        for temperature in [1.0, 0.25, 4.0] {
            let choice = SamplingParams { temperature, ..SamplingParams::default() };
            let samples = sampled(&likelihood, &outputs, &choice, n);
            for (samples, outputs) in samples.iter().zip(outputs.chunks(likelihood.parameters())) {
                let outputs: Vec<f64> = outputs.iter().map(|&output| f64::from(output)).collect();
                let parts = at_temperature(&name, &outputs, temperature);
                for (part, u) in parts.iter().flat_map(|part| [-3.0, -1.0, 0.0, 0.5, 2.0].map(|u| (part, u))) {
                    let z = part.location + u * part.scale;
                    let p: f64 = parts.iter().map(|part| part.cdf(z)).sum();
                    let below = samples.iter().filter(|&&sample| sample <= z).count();
                    assert_follow(&[below, n - below], &[p, 1.0 - p], &format!("{name}, T = {temperature}, {z}"));
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "top_k and top_p choose among levels, and the values are real numbers")]
fn real_numbers_have_no_levels_to_leave_out() {
    let real = Values::Real(Scale { mean: vec![0.0, 0.0], std: vec![1.0, 1.0], ..Scale::default() });
    let (_, likelihood, outputs) = likelihoods(&real).swap_remove(0);
    sampled(&likelihood, &outputs, &SamplingParams { top_k: Some(1), ..SamplingParams::default() }, 1);
}
