//! Tests of the synthetic distributions: entropies by enumeration and in closed form, draws against their densities.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::super::{DataConfig, load};
use super::*;

fn config(keys: &str) -> SyntheticConfig {
    let config: SyntheticConfig = toml::from_str(keys).unwrap();
    config.validate().unwrap_or_else(|invalid| panic!("{keys}: {invalid:?}"));
    config
}

fn distribution(config: &SyntheticConfig) -> Distribution {
    Distribution::new(config, &mut Seed(config.seed).stream("synthetic.parameters", 0))
}

/// Every row of a field.
fn rows(field: &Field) -> Vec<Vec<f64>> {
    let all = field.read_all(0).unwrap();
    all.values().chunks(field.width()).map(<[f64]>::to_vec).collect()
}

fn data(config: &SyntheticConfig) -> Dataset {
    load(&DataConfig::Synthetic(config.clone()), Seed(0)).unwrap()
}

/// log p of a target given its condition, written down anew; of a normal with one factor by Sherman and Morrison.
fn log_prob(distribution: &Distribution, x: &[f64], condition: &[f64]) -> f64 {
    let log_normal = |x: f64, mean: f64, log_std: f64| {
        -0.5 * (2.0 * std::f64::consts::PI).ln() - log_std - 0.5 * ((x - mean) / log_std.exp()).powi(2)
    };
    match distribution {
        Distribution::Bernoulli(pixels) => {
            pixels.iter().zip(x).map(|(pixel, x)| pixel.probabilities()[*x as usize].ln()).sum()
        }
        Distribution::Markov { initial, transition, .. } => {
            let first = initial.probabilities()[x[0] as usize].ln();
            first + x.windows(2).map(|p| transition[p[0] as usize].probabilities()[p[1] as usize].ln()).sum::<f64>()
        }
        Distribution::Normal { mean, loading, noise } => {
            assert!(loading.iter().all(|row| row.len() == 1));
            let (n, variance) = (mean.len() as f64, noise * noise);
            let (mut own, mut along, mut length) = (0.0, 0.0, 0.0);
            for ((x, mean), w) in x.iter().zip(mean).zip(loading) {
                let centred = x - mean;
                own += centred * centred;
                along += w[0] * centred;
                length += w[0] * w[0];
            }
            let square = (own - along * along / (variance + length)) / variance;
            let log_det = (n - 1.0) * variance.ln() + (variance + length).ln();
            -0.5 * (n * (2.0 * std::f64::consts::PI).ln() + log_det + square)
        }
        Distribution::Conditional { mean, spread } => {
            let c = condition.to_vec();
            x.iter()
                .zip(mean.iter().zip(spread))
                .map(|(x, (a, b))| log_normal(*x, 2.0 * dot(a, &c).sin(), -1.0 + 0.5 * dot(b, &c)))
                .sum()
        }
        Distribution::Branches { noise } => {
            let of = |sign: f64| log_normal(x[0], sign * condition[0].sqrt(), noise.ln());
            let (a, b) = (of(1.0), of(-1.0));
            a.max(b) + (-(a - b).abs()).exp().ln_1p() - std::f64::consts::LN_2
        }
    }
}

#[test]
fn entropies_are_those_of_enumeration() {
    for (keys, levels) in [
        ("kind = \"bernoulli\"\nsize = [2, 3]", 2usize),
        ("kind = \"bernoulli\"\nsize = [2, 2]\nprobabilities = [0.0, 1.0, 0.5, 0.3]", 2),
        ("kind = \"markov\"\nsize = [2, 4]", 2),
        ("kind = \"markov\"\nsize = [1, 5]\nlevels = 3\nseed = 7", 3),
        ("kind = \"markov\"\nsize = [1, 3]\ninitial = [0.25, 0.75]\ntransition = [[1.0, 0.0], [0.5, 0.5]]", 2),
    ] {
        let config = config(keys);
        let distribution = distribution(&config);
        let event = config.event();
        let (mut total, mut entropy) = (0.0, 0.0);
        for index in 0..levels.pow(event as u32) {
            let x: Vec<f64> = (0..event).map(|d| (index / levels.pow(d as u32) % levels) as f64).collect();
            let log_p = log_prob(&distribution, &x, &[]);
            if log_p > f64::NEG_INFINITY {
                total += log_p.exp();
                entropy -= log_p.exp() * log_p;
            }
        }
        assert!((total - 1.0).abs() < 1e-12, "{keys}: {total}");
        assert!((distribution.entropy() - entropy).abs() < 1e-12 * entropy.max(1.0), "{keys}");
    }
}

#[test]
fn entropies_in_closed_form() {
    let entropy = |keys: &str| distribution(&config(keys)).entropy();
    // 64 fair coins; 3 pixels of which the last two are copies of the first.
    let coins = entropy("kind = \"bernoulli\"\nprobabilities = [0.5]");
    assert!((coins - 64.0 * 2f64.ln()).abs() < 1e-12);
    let copies = "kind = \"markov\"\nsize = [1, 3]\ninitial = [0.5, 0.5]\ntransition = [[1.0, 0.0], [0.0, 1.0]]";
    assert!((entropy(copies) - 2f64.ln()).abs() < 1e-12);
    // ½ (1 + log 2π) - 1
    assert!((entropy("kind = \"conditional\"") - 0.418_938_533_204_672_7).abs() < 1e-12);
    // mpmath: quad over m of 2m (½ log(2πe σ²) + log 2 − quad of the normal density times log1p(exp(−2m(m + σε)/σ²))), 20 digits.
    assert!((entropy("kind = \"branches\"") + 0.886_407_511_532_553).abs() < 1e-9);
    // One factor: det(w wᵀ + σ² I) = σ^{2(n-1)} (σ² + |w|²).
    let keys = "kind = \"normal\"\nsize = [3, 5]\nfactors = 1\nnoise = 0.25";
    let distribution = distribution(&config(keys));
    let Distribution::Normal { loading, .. } = &distribution else { panic!("{distribution:?}") };
    let length: f64 = loading.iter().map(|row| row[0] * row[0]).sum();
    let log_det = 14.0 * 0.0625f64.ln() + (0.0625 + length).ln();
    let expected = 7.5 * (1.0 + (2.0 * std::f64::consts::PI).ln()) + 0.5 * log_det;
    assert!((distribution.entropy() - expected).abs() < 1e-11, "{} {expected}", distribution.entropy());
}

#[test]
fn the_determinant_by_hand() {
    // 4 (15 - 1) - 2 (6 - 0.6) + 0.6 (2 - 3) = 44.6
    let matrix = [[4.0, 2.0, 0.6], [2.0, 5.0, 1.0], [0.6, 1.0, 3.0]];
    assert!((log_det(3, |i, j| matrix[i][j]) - 44.6f64.ln()).abs() < 1e-14);
}

/// The mean of -log p over draws is the entropy, within four standard errors.
#[test]
fn samples_are_from_the_distribution() {
    for keys in [
        "kind = \"bernoulli\"",
        "kind = \"markov\"\nlevels = 5",
        "kind = \"normal\"\nfactors = 1",
        "kind = \"conditional\"\nsize = [1, 3]",
        "kind = \"branches\"",
        "kind = \"branches\"\nnoise = 0.5",
    ] {
        let config = config(keys);
        let distribution = distribution(&config);
        let data = data(&config);
        let targets = rows(&data.test.target);
        let conditions = data.test.condition.as_ref().map_or(vec![Vec::new(); targets.len()], rows);
        let nats: Vec<f64> = targets.iter().zip(&conditions).map(|(x, c)| -log_prob(&distribution, x, c)).collect();
        let mean = dgm_core::estimate::Mean::of(&nats);
        let entropy = data.entropy.unwrap();
        assert_eq!(entropy, distribution.entropy());
        let off = (mean.mean - entropy) / mean.standard_error;
        assert!(off.abs() < 4.0, "{keys}: {mean:?}, entropy {entropy}");
        assert!(mean.standard_error < 0.02 * entropy.abs(), "{keys}: {mean:?}");
    }
}

#[test]
fn the_shapes_and_values_are_as_the_keys_say() {
    let data_of = |keys: &str| data(&config(keys));
    let set = data_of("kind = \"markov\"\nsize = [2, 3]\nlevels = 4\ntrain = 30\nvalidation = 20\ntest = 10");
    assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (30, 20, 10));
    assert_eq!((set.spec.shape, &set.spec.values), ([1, 2, 3], &Values::Levels(4)));
    assert!(rows(&set.train.target).concat().iter().all(|x| x.fract() == 0.0 && (0.0..4.0).contains(x)));
    let set = data_of("kind = \"conditional\"\ninputs = 3");
    assert_eq!((set.spec.shape, set.spec.condition.unwrap().width()), ([1, 1, 1], 3));
    assert!(matches!(set.spec.values, Values::Real(_)));
    // 0 and 1 are never, and always, 1.
    let set = data_of("kind = \"bernoulli\"\nsize = [1, 2]\nprobabilities = [0.0, 1.0]\ntrain = 500");
    assert!(rows(&set.train.target).iter().all(|x| x == &[0.0, 1.0]));
}

#[test]
fn only_the_data_seed_changes_the_data() {
    let mut config = config("kind = \"markov\"");
    let load = |config: &SyntheticConfig, seed| load(&DataConfig::Synthetic(config.clone()), Seed(seed)).unwrap();
    let (first, second) = (load(&config, 0), load(&config, 1));
    assert_eq!(first.fingerprint, second.fingerprint);
    assert_eq!(rows(&first.train.target), rows(&second.train.target));
    assert_ne!(rows(&first.train.target)[0], rows(&first.test.target)[0]);
    config.seed = 1;
    let other = load(&config, 0);
    assert_ne!(first.fingerprint, other.fingerprint);
    assert_ne!(first.entropy, other.entropy);
}

/// 2²⁸ numbers in all splits together, those of conditions too.
#[test]
fn a_gigabyte_in_all_is_the_most() {
    let sizes = |keys: &str, [train, validation, test]: [usize; 3]| {
        let keys = format!("{keys}\ntrain = {train}\nvalidation = {validation}\ntest = {test}");
        toml::from_str::<SyntheticConfig>(&keys).unwrap().validate().map_err(|invalid| invalid.key)
    };
    let (plain, conditional) = ("kind = \"bernoulli\"", "kind = \"conditional\"\nsize = [1, 3]\ninputs = 5");
    // 64 and 8 numbers per example.
    for (keys, most) in [(plain, 1 << 22), (conditional, 1 << 25)] {
        assert_eq!(sizes(keys, [most - 2, 1, 1]), Ok(()), "{keys}");
        assert_eq!(sizes(keys, [most - 2, 2, 1]), Err("train"), "{keys}");
        assert_eq!(sizes(keys, [most / 4, most / 2, most / 2 - 1]), Err("validation"), "{keys}");
        assert_eq!(sizes(keys, [1, 1, most + 1]), Err("test"), "{keys}");
    }
}

#[test]
fn what_makes_no_distribution_is_refused() {
    for (keys, key) in [
        ("kind = \"normal\"\nlevels = 2", "levels"),
        ("kind = \"markov\"\nprobabilities = [0.5]", "probabilities"),
        ("kind = \"bernoulli\"\nprobabilities = [0.5, 0.5]", "probabilities"),
        ("kind = \"bernoulli\"\nprobabilities = [1.5]", "probabilities"),
        ("kind = \"bernoulli\"\nprobabilities = [nan]", "probabilities"),
        ("kind = \"markov\"\ninitial = [0.5, 0.6]", "initial"),
        ("kind = \"markov\"\ninitial = [1.0]", "initial"),
        ("kind = \"markov\"\ntransition = [[0.5, 0.5]]", "transition"),
        ("kind = \"markov\"\nlevels = 1", "levels"),
        ("kind = \"normal\"\nsize = [100, 100]", "size"),
        ("kind = \"normal\"\nnoise = 0.0", "noise"),
        ("kind = \"normal\"\nfactors = 0", "factors"),
        ("kind = \"bernoulli\"\nsize = [0, 8]", "size"),
        ("kind = \"bernoulli\"\nsize = [4294967296, 4294967296]", "size"),
        ("kind = \"bernoulli\"\ntrain = 0", "train"),
        ("kind = \"bernoulli\"\ntest = 100000000", "test"),
        ("kind = \"conditional\"\ninputs = 0", "inputs"),
        ("kind = \"conditional\"\ninputs = 1024\ntrain = 268435456", "train"),
    ] {
        let config: SyntheticConfig = toml::from_str(keys).unwrap();
        assert_eq!(config.validate().unwrap_err().key, key, "{keys}");
    }
}
