//! `source = "synthetic"`: examples drawn from a distribution whose entropy is known, so that no model can do better than
//! it on average, and a likelihood that seems to is none.

use dgm_core::random::{Seed, Stream};
use dgm_models::{ConditionSpec, DataSpec, Values};
use serde::{Deserialize, Serialize};

use super::file::Fingerprint;
use super::store::View;
use super::{Dataset, Field, Split, VisitPath};
use crate::check::{Invalid, require};
use crate::error::Result;

/// The keys of `source = "synthetic"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticConfig {
    /// The distribution.
    pub kind: SyntheticKind,
    /// Rows and columns of a target. Default: [8, 8]; with kind = "conditional" [1, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// bernoulli: the probability of a 1, of each pixel or one for all. Default: drawn, uniform on [0.05, 0.95].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probabilities: Option<Vec<f64>>,
    /// markov: number of levels of a pixel. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels: Option<usize>,
    /// markov: the probability of each level of the first pixel. Default: drawn, softmax of standard normals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial: Option<Vec<f64>>,
    /// markov: a row for each level, the probability of each level of the next pixel. Default: drawn, softmax of normals
    /// with standard deviation 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transition: Option<Vec<Vec<f64>>>,
    /// normal: number of factors that the dimensions share. Default: 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factors: Option<usize>,
    /// normal: standard deviation of the noise of each dimension. Default: 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// conditional: number of elements of a condition. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<usize>,
    /// Training examples. Default: 10000.
    #[serde(default = "many")]
    pub train: usize,
    /// Validation examples. Default: 2000.
    #[serde(default = "some")]
    pub validation: usize,
    /// Test examples. Default: 10000.
    #[serde(default = "many")]
    pub test: usize,
    /// The seed of the distribution and of its examples: like a file, they are the same for every seed of a run. Default: 0.
    #[serde(default)]
    pub seed: u64,
}

/// A distribution of known entropy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyntheticKind {
    /// Independent binary pixels: H = Σ_d H(p_d).
    Bernoulli,
    /// A chain over the pixels, row by row: p(x) = π(x₁) Π_d T(x_d | x_{d-1}), H = H(π) + Σ_d Σ_i P(x_{d-1} = i) H(T_i).
    Markov,
    /// x = μ + W z + σ ε with standard normal z and ε: Σ = W Wᵀ + σ² I, h = ½ log det(2πe Σ).
    Normal,
    /// y | x normal with mean 2 sin(aᵀx) and log σ = -1 + ½ bᵀx, x standard normal, |a| = |b| = 1:
    /// h(y | x) = ½ log(2πe) + E[log σ] = ½ log(2πe) - 1 for each dimension of y.
    Conditional,
    /// y | x = ±√x + σ ε, either sign as probable, x uniform on [0, 1]: h(y | x) = ½ log(2πe σ²) + log 2 − E[log(1 + exp(−2m(m + σε)/σ²))] with
    /// m = √x. Two branches that one normal number cannot follow (Bishop 1994, "Mixture density networks").
    Branches,
}

fn many() -> usize {
    10_000
}

fn some() -> usize {
    2_000
}

/// What the sum of probabilities may be off by, when people write them down.
const SUM_TOLERANCE: f64 = 1e-6;

/// Numbers in all splits together, targets and conditions: a gigabyte.
const MOST_NUMBERS: usize = 1 << 28;

impl SyntheticConfig {
    pub(super) fn visit_paths(&mut self, _: &mut VisitPath<'_>) -> Result<()> {
        Ok(())
    }

    fn size(&self) -> [usize; 2] {
        let one = matches!(self.kind, SyntheticKind::Conditional | SyntheticKind::Branches);
        self.size.unwrap_or(if one { [1, 1] } else { [8, 8] })
    }

    fn event(&self) -> usize {
        let [height, width] = self.size();
        height.saturating_mul(width)
    }

    /// Numbers of a condition.
    fn inputs(&self) -> usize {
        match self.kind {
            SyntheticKind::Conditional => self.inputs.unwrap_or(2),
            SyntheticKind::Branches => 1,
            _ => 0,
        }
    }

    pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
        use SyntheticKind::{Bernoulli, Branches, Conditional, Markov, Normal};
        let only = |given: bool, key, kind: SyntheticKind, name| {
            require(!given || self.kind == kind, key, format!("no such key: it belongs to data.kind = \"{name}\""))
        };
        only(self.probabilities.is_some(), "probabilities", Bernoulli, "bernoulli")?;
        only(self.levels.is_some(), "levels", Markov, "markov")?;
        only(self.initial.is_some(), "initial", Markov, "markov")?;
        only(self.transition.is_some(), "transition", Markov, "markov")?;
        only(self.factors.is_some(), "factors", Normal, "normal")?;
        only(self.noise.is_some() && self.kind != Branches, "noise", Normal, "normal\" or \"branches")?;
        only(self.size.is_some_and(|size| size != [1, 1] && self.kind == Branches), "size", Normal, "normal")?;
        only(self.inputs.is_some(), "inputs", Conditional, "conditional")?;

        // A full covariance is a matrix of event × event.
        let most = if self.kind == Normal { 1024 } else { 1 << 20 };
        let event = self.event();
        require((1..=most).contains(&event), "size", format!("[rows, columns] with 1 to {most} numbers in all"))?;
        require(self.inputs.is_none_or(|k| (1..=1024).contains(&k)), "inputs", "a whole number from 1 to 1024")?;
        let sizes = [("train", self.train), ("validation", self.validation), ("test", self.test)];
        let width = event + self.inputs();
        let most = MOST_NUMBERS / width;
        for (key, n) in sizes {
            let expected = format!("a whole number from 1 to {most}, with {width} numbers per example");
            require((1..=most).contains(&n), key, expected)?;
        }
        // The largest of them is the one to make smaller.
        let key = sizes.into_iter().max_by_key(|(_, n)| *n).map_or("train", |(key, _)| key);
        let expected = format!("fewer: at most {most} examples in all splits together, with {width} numbers each");
        require(sizes.into_iter().map(|(_, n)| n).sum::<usize>() <= most, key, expected)?;
        let levels = self.levels.unwrap_or(2);
        require((2..=256).contains(&levels), "levels", "a whole number from 2 to 256")?;
        if let Some(p) = &self.probabilities {
            let right = (p.len() == 1 || p.len() == event) && p.iter().all(|p| (0.0..=1.0).contains(p));
            require(right, "probabilities", format!("one number, or {event}, from 0 to 1"))?;
        }
        let sums_to_1 = |p: &[f64]| {
            let sum: f64 = p.iter().sum();
            p.len() == levels && p.iter().all(|p| (0.0..=1.0).contains(p)) && (sum - 1.0).abs() <= SUM_TOLERANCE
        };
        let row = format!("{levels} numbers from 0 to 1 (data.levels = {levels}) that add up to 1");
        require(self.initial.as_deref().is_none_or(sums_to_1), "initial", row.clone())?;
        let square = |t: &Vec<Vec<f64>>| t.len() == levels && t.iter().all(|row| sums_to_1(row));
        require(self.transition.as_ref().is_none_or(square), "transition", format!("{levels} rows, each {row}"))?;
        require(self.factors.is_none_or(|k| (1..=1024).contains(&k)), "factors", "a whole number from 1 to 1024")?;
        let noise = self.noise.is_none_or(|noise| (1e-3..=1e3).contains(&noise));
        require(noise, "noise", "a number from 0.001 to 1000: without it there is no density")
    }

    /// The run's seed changes nothing: see [`SyntheticConfig::seed`].
    pub(super) fn load(&self, _: Seed) -> Result<Dataset> {
        let seed = Seed(self.seed);
        let distribution = Distribution::new(self, &mut seed.stream("synthetic.parameters", 0));
        let mut fingerprint = Fingerprint::default();
        let mut split = |n: usize, purpose: &str| {
            let (targets, conditions) = distribution.sample(n, &mut seed.stream(purpose, 0));
            for numbers in [&targets, &conditions] {
                numbers.iter().for_each(|x| fingerprint.update(&x.to_le_bytes()));
            }
            let inputs = conditions.len() / n.max(1);
            let condition = (inputs > 0).then(|| Field::new(View::of(inputs, conditions)));
            let targets = match distribution.levels() {
                // Levels fit in a byte: there are 256 at most.
                Some(_) => View::of(self.event(), targets.into_iter().map(|level| level as u8).collect()),
                None => View::of(self.event(), targets),
            };
            Split::new(Field::new(targets), condition)
        };
        let train = split(self.train, "synthetic.train");
        let validation = split(self.validation, "synthetic.validation");
        let test = split(self.test, "synthetic.test");

        let [height, width] = self.size();
        let values = match distribution.levels() {
            Some(levels) => Values::Levels(levels),
            None => Values::Real(train.target.scale_of(false, &|number| format!("synthetic: dimension {number}"))?),
        };
        let condition = match &train.condition {
            None => None,
            Some(field) => Some(ConditionSpec {
                scale: field.scale_of(false, &|number| format!("synthetic: dimension {number}"))?,
                classes: None,
                augmentation: 0,
                shape: None,
            }),
        };
        let name = match self.kind {
            SyntheticKind::Bernoulli => "synthetic/bernoulli",
            SyntheticKind::Markov => "synthetic/markov",
            SyntheticKind::Normal => "synthetic/normal",
            SyntheticKind::Conditional => "synthetic/conditional",
            SyntheticKind::Branches => "synthetic/branches",
        };
        let spec = DataSpec { shape: [1, height, width], values, condition };
        let dataset = Dataset::new(name, spec, [train, validation, test], fingerprint.finish());
        Ok(Dataset { entropy: Some(distribution.entropy()), ..dataset })
    }
}

/// A distribution with its parameters.
#[derive(Debug)]
enum Distribution {
    Bernoulli(Vec<Discrete>),
    Markov {
        initial: Discrete,
        transition: Vec<Discrete>,
        event: usize,
    },
    /// W is `[event][factors]`.
    Normal {
        mean: Vec<f64>,
        loading: Vec<Vec<f64>>,
        noise: f64,
    },
    /// Each dimension of y has its own directions a and b of length 1, `[event][inputs]`.
    Conditional {
        mean: Vec<Vec<f64>>,
        spread: Vec<Vec<f64>>,
    },
    Branches {
        noise: f64,
    },
}

impl Distribution {
    fn new(config: &SyntheticConfig, rng: &mut Stream) -> Self {
        let event = config.event();
        let mut normals = |n: usize| -> Vec<f64> { rng.normals(n).into_iter().map(f64::from).collect() };
        match config.kind {
            SyntheticKind::Bernoulli => {
                let p = config
                    .probabilities
                    .clone()
                    .unwrap_or_else(|| rng.uniforms(event).into_iter().map(|u| 0.05 + 0.9 * f64::from(u)).collect());
                Self::Bernoulli(p.iter().cycle().take(event).map(|p| Discrete::new(&[1.0 - p, *p])).collect())
            }
            SyntheticKind::Markov => {
                let levels = config.levels.unwrap_or(2);
                let softmax = |logits: Vec<f64>, scale: f64| -> Vec<f64> {
                    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    logits.into_iter().map(|logit| (scale * (logit - most)).exp()).collect()
                };
                // Drawn in any case, so that a given row leaves the others as they were.
                let initial = softmax(normals(levels), 1.0);
                let transition: Vec<Vec<f64>> = (0..levels).map(|_| softmax(normals(levels), 2.0)).collect();
                let transition = config.transition.as_ref().unwrap_or(&transition);
                Self::Markov {
                    initial: Discrete::new(config.initial.as_ref().unwrap_or(&initial)),
                    transition: transition.iter().map(|row| Discrete::new(row)).collect(),
                    event,
                }
            }
            SyntheticKind::Normal => {
                let factors = config.factors.unwrap_or(4);
                let scale = 1.0 / (factors as f64).sqrt();
                let mean = normals(event);
                let loading = (0..event).map(|_| normals(factors).into_iter().map(|w| scale * w).collect()).collect();
                Self::Normal { mean, loading, noise: config.noise.unwrap_or(0.5) }
            }
            SyntheticKind::Conditional => {
                let inputs = config.inputs();
                let mut directions = || -> Vec<Vec<f64>> {
                    let unit = |direction: Vec<f64>| -> Vec<f64> {
                        let length = dot(&direction, &direction).sqrt().max(f64::MIN_POSITIVE);
                        direction.into_iter().map(|x| x / length).collect()
                    };
                    (0..event).map(|_| unit(normals(inputs))).collect()
                };
                Self::Conditional { mean: directions(), spread: directions() }
            }
            SyntheticKind::Branches => Self::Branches { noise: config.noise.unwrap_or(0.05) },
        }
    }

    /// Number of levels; `None`: real numbers.
    fn levels(&self) -> Option<usize> {
        match self {
            Self::Bernoulli(_) => Some(2),
            Self::Markov { initial, .. } => Some(initial.cumulative.len()),
            Self::Normal { .. } | Self::Conditional { .. } | Self::Branches { .. } => None,
        }
    }

    /// Entropy of one target (given its condition), in nats; differential where the numbers are real.
    fn entropy(&self) -> f64 {
        let log_2_pi_e = (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
        match self {
            Self::Bernoulli(pixels) => pixels.iter().map(Discrete::entropy).sum(),
            Self::Markov { initial, transition, event } => {
                let mut marginal = initial.probabilities();
                let mut entropy = initial.entropy();
                let rows: Vec<(f64, Vec<f64>)> =
                    transition.iter().map(|row| (row.entropy(), row.probabilities())).collect();
                for _ in 1..*event {
                    let mut next = vec![0.0; marginal.len()];
                    for (p, (row_entropy, row)) in marginal.iter().zip(&rows) {
                        entropy += p * row_entropy;
                        next.iter_mut().zip(row).for_each(|(next, q)| *next += p * q);
                    }
                    marginal = next;
                }
                entropy
            }
            Self::Normal { loading, noise, .. } => {
                let covariance = |i: usize, j: usize| {
                    let own = if i == j { noise * noise } else { 0.0 };
                    own + dot(&loading[i], &loading[j])
                };
                0.5 * (loading.len() as f64 * log_2_pi_e + log_det(loading.len(), covariance))
            }
            Self::Conditional { mean, .. } => mean.len() as f64 * (0.5 * log_2_pi_e + LOG_SPREAD),
            Self::Branches { noise } => {
                0.5 * log_2_pi_e + noise.ln() + std::f64::consts::LN_2 - doubt_of_the_branch(*noise)
            }
        }
    }

    /// `n` targets, and the conditions of those that have some, row by row.
    fn sample(&self, n: usize, rng: &mut Stream) -> (Vec<f32>, Vec<f32>) {
        let (mut targets, mut conditions) = (Vec::new(), Vec::new());
        for _ in 0..n {
            match self {
                Self::Bernoulli(pixels) => targets.extend(pixels.iter().map(|pixel| pixel.sample(rng) as f32)),
                Self::Markov { initial, transition, event } => {
                    let mut level = initial.sample(rng);
                    for _ in 0..*event {
                        targets.push(level as f32);
                        level = transition.get(level).map_or(0, |row| row.sample(rng));
                    }
                }
                Self::Normal { mean, loading, noise } => {
                    let factors: Vec<f64> = to_f64(rng.normals(loading.first().map_or(0, Vec::len)));
                    let own = to_f64(rng.normals(mean.len()));
                    for ((mean, row), own) in mean.iter().zip(loading).zip(own) {
                        targets.push((mean + dot(row, &factors) + noise * own) as f32);
                    }
                }
                Self::Conditional { mean, spread } => {
                    let inputs = rng.normals(mean.first().map_or(0, Vec::len));
                    let x = to_f64(inputs.clone());
                    let own = to_f64(rng.normals(mean.len()));
                    for ((a, b), own) in mean.iter().zip(spread).zip(own) {
                        let deviation = (LOG_SPREAD + 0.5 * dot(b, &x)).exp();
                        targets.push((2.0 * dot(a, &x).sin() + deviation * own) as f32);
                    }
                    conditions.extend(inputs);
                }
                Self::Branches { noise } => {
                    let x = rng.uniform();
                    let sign = if rng.uniform() < 0.5 { -1.0 } else { 1.0 };
                    let own: f64 = to_f64(rng.normals(1)).iter().sum();
                    targets.push((sign * f64::from(x).sqrt() + noise * own) as f32);
                    conditions.push(x);
                }
            }
        }
        (targets, conditions)
    }
}

/// E[log(1 + exp(−2m(m + σε)/σ²))], ε standard normal and m = √x with x uniform on [0, 1]: how much is left open of the branch by y. By Simpson's
/// rule over ε from −9 to 9 and over m, whose density is 2m.
fn doubt_of_the_branch(noise: f64) -> f64 {
    /// Parts of each range, an even number.
    const PARTS: usize = 2000;
    let simpson = |from: f64, to: f64, f: &dyn Fn(f64) -> f64| {
        let width = (to - from) / PARTS as f64;
        let weight = |i: usize| if i == 0 || i == PARTS { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
        (0..=PARTS).map(|i| weight(i) * f(from + width * i as f64)).sum::<f64>() * width / 3.0
    };
    let of_mean = |m: f64| {
        let inner = |e: f64| {
            let exponent = -2.0 * m * (m + noise * e) / (noise * noise);
            // log(1 + exp(a)) without overflow.
            let open = exponent.max(0.0) + (-exponent.abs()).exp().ln_1p();
            (-0.5 * e * e).exp() * open / (2.0 * std::f64::consts::PI).sqrt()
        };
        2.0 * m * simpson(-9.0, 9.0, &inner)
    };
    // From ten deviations on nothing is open.
    simpson(0.0, (10.0 * noise).min(1.0), &of_mean)
}

/// Mean of the conditional distribution's log σ.
const LOG_SPREAD: f64 = -1.0;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn to_f64(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

/// log det Σ of a positive definite matrix, from its Cholesky factor: Σ = L Lᵀ, log det Σ = 2 Σ_i log L_ii.
fn log_det(n: usize, entry: impl Fn(usize, usize) -> f64) -> f64 {
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(n);
    let mut log_det = 0.0;
    for i in 0..n {
        let mut row = Vec::with_capacity(i + 1);
        for (j, above) in factor.iter().enumerate() {
            // Row j of L ends with its diagonal.
            let rest = entry(i, j) - dot(&row, &above[..j]);
            row.push(rest / above[j]);
        }
        let square = entry(i, i) - dot(&row, &row);
        log_det += square.ln();
        row.push(square.sqrt());
        factor.push(row);
    }
    log_det
}

/// A distribution over levels whose probabilities are multiples of 2⁻²⁴, as the uniform numbers are that it is drawn
/// with: what is known of it is exactly what is drawn.
#[derive(Debug)]
struct Discrete {
    /// P(level ≤ i), times 2²⁴.
    cumulative: Vec<u32>,
}

const ONE: f64 = 16_777_216.0;

impl Discrete {
    /// From weights of any sum above zero.
    fn new(weights: &[f64]) -> Self {
        let sum: f64 = weights.iter().sum();
        let mut partial = 0.0;
        let mut cumulative: Vec<u32> = weights
            .iter()
            .map(|weight| {
                partial += weight;
                (ONE * partial / sum).round().min(ONE) as u32
            })
            .collect();
        // Rounding of the sum must not leave a gap that no level fills; what follows the last weight has none.
        let last = weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0);
        cumulative.iter_mut().skip(last).for_each(|end| *end = ONE as u32);
        Self { cumulative }
    }

    fn probabilities(&self) -> Vec<f64> {
        let starts = std::iter::once(0).chain(self.cumulative.iter().copied());
        self.cumulative.iter().zip(starts).map(|(end, start)| f64::from(end - start) / ONE).collect()
    }

    /// -Σ p log p, in nats.
    fn entropy(&self) -> f64 {
        self.probabilities().into_iter().filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum()
    }

    fn sample(&self, rng: &mut Stream) -> usize {
        let place = (f64::from(rng.uniform()) * ONE) as u32;
        self.cumulative.partition_point(|end| *end <= place)
    }
}

#[cfg(test)]
#[path = "synthetic_tests.rs"]
mod tests;
