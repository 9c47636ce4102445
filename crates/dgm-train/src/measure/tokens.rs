//! Metrics for each token, where the targets are tokens of a text: nats, bits and perplexity.

use super::Metric;
use crate::data::Split;
use crate::error::{Error, Result};
use dgm_core::estimate::{Ratio, bits_per_dim, perplexity};
use serde::{Deserialize, Serialize};

/// How every metric for each token is computed.
const ESTIMATOR: &str = "ratio of sums over examples, error by the delta method";

/// A likelihood for each token: of the quantity, with the estimator and the examples of the [`Metric`] in which it
/// stands, so an upper bound where that is one.
///
/// Every token weighs the same, whatever the length of its example: R = Σ nats / Σ tokens, see [`Ratio`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenMetrics {
    /// What one token is: `byte` or `character`.
    pub token: String,
    /// R, in nats.
    pub nats_per_token: f64,
    /// Standard error of R, in nats: examples are taken as independent, which windows that follow each other are not quite.
    #[serde(deserialize_with = "super::number_or_null")]
    pub standard_error: f64,
    /// R / ln 2: bits per character, or per byte.
    pub bits_per_token: f64,
    /// Its standard error, in bits.
    #[serde(deserialize_with = "super::number_or_null")]
    pub bits_standard_error: f64,
    /// exp R: as many equally probable tokens would be as hard to tell. For a bound of R, a bound.
    pub perplexity: f64,
    /// Its standard error to first order, exp R times that of R.
    #[serde(deserialize_with = "super::number_or_null")]
    pub perplexity_standard_error: f64,
    /// Number of tokens that are scored: neither given nor padding.
    pub tokens: u64,
    /// How these metrics follow from those of the examples.
    pub estimator: String,
}

/// From the nats of each example of a split; `None`: its targets are not tokens.
pub(super) fn metrics(split: &Split, nats: &[f64]) -> Result<Option<TokenMetrics>> {
    let Some(tokens) = split.tokens else { return Ok(None) };
    let scored: Vec<f64> = split.scored()?.into_iter().map(|n| n as f64).collect();
    let rate = Ratio::of(nats, &scored)
        .map_err(|error| Error::run(format!("the metrics for each token cannot be computed: {error}")))?;
    let perplexity = perplexity(rate.ratio);
    Ok(Some(TokenMetrics {
        token: tokens.unit.name().into(),
        nats_per_token: rate.ratio,
        standard_error: rate.standard_error,
        bits_per_token: bits_per_dim(rate.ratio, 1.0),
        bits_standard_error: bits_per_dim(rate.standard_error, 1.0),
        perplexity,
        perplexity_standard_error: perplexity * rate.standard_error,
        tokens: rate.total as u64,
        estimator: ESTIMATOR.into(),
    }))
}

/// The metrics for each token as a table for a terminal; nothing where there are none.
pub(crate) fn table(rows: &[Metric]) -> String {
    let rows: Vec<_> = rows.iter().filter_map(|row| Some((row, row.per_token.as_ref()?))).collect();
    let Some((_, TokenMetrics { token, .. })) = rows.first() else { return String::new() };
    let (nats, bits) = (format!("nats/{token}"), format!("bits/{token}"));
    let mut text = format!(
        "{:<11} {:<8} {nats:>14} {:>9} {bits:>14} {:>9} {:>10} {:>9} {:>10}  {}\n",
        "split",
        "quantity",
        "std error",
        "std error",
        "perplexity",
        "std error",
        format!("{token}s"),
        "estimator"
    );
    for (row, metrics) in rows {
        text.push_str(&format!(
            "{:<11} {:<8} {:>14.4} {:>9.4} {:>14.4} {:>9.4} {:>10.4} {:>9.4} {:>10}  {}\n",
            row.split,
            row.quantity,
            metrics.nats_per_token,
            metrics.standard_error,
            metrics.bits_per_token,
            metrics.bits_standard_error,
            metrics.perplexity,
            metrics.perplexity_standard_error,
            metrics.tokens,
            metrics.estimator
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::config::Config;
    use crate::data::{DataConfig, Examples, TextConfig, Unit, load};
    use crate::evaluate::{Results, evaluate};
    use crate::rounding::tolerance;
    use burn::module::{Module, ModuleMapper, Param};
    use burn::tensor::{Device, Tensor};
    use dgm_core::random::Seed;

    /// No example has more tokens.
    const LONGEST: usize = 256;

    /// Makes every weight 0, so that all levels are equally probable.
    struct Zeros;

    impl ModuleMapper for Zeros {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| tensor.zeros_like())
        }
    }

    fn uniform(change: impl FnOnce(&mut TextConfig), text: &str) -> Results {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.txt");
        std::fs::write(&path, text).unwrap();
        // Three examples at once, so the last part is a smaller one.
        let toml = format!(
            "[data]\nsource = \"text\"\npath = {:?}\n[model]\nkind = \"causal_conv\"\nchannels = 4\nlayers = 1\n\
             [training]\nepochs = 1\nmicro_batch_size = 3\n",
            path.display().to_string()
        );
        let mut config: Config = Config::from_toml(&toml, "test", &[]).unwrap();
        let DataConfig::Text(data) = &mut config.data else { unreachable!() };
        change(data);
        let dataset = load(&config.data, Seed(0)).unwrap();
        let device = Device::flex();
        let noise = &mut Seed(0).stream("weights", 0);
        let model = config.model.init(&dataset.spec, noise, &device).unwrap().map(&mut Zeros);
        evaluate(&model.into(), &config, &dataset, &device).unwrap()
    }

    /// Whatever is given and whatever is padding: the logarithm of the number of levels for each token, without an error.
    #[test]
    fn a_uniform_model_scores_log_levels_per_token() {
        // 300 lines of "ab:" and one to four "c": six symbols with the newline.
        let lines: String = (0..300).map(|i| format!("ab:{}d\n", "c".repeat(1 + i % 4))).collect();
        let check = |results: &Results, levels: f64, tokens: [u64; 2]| {
            let rows = ["validation", "test"].map(|split| results.metric("likelihood", split).unwrap());
            for (row, tokens) in rows.into_iter().zip(tokens) {
                let metrics = row.per_token.as_ref().unwrap();
                // The sum over an example's tokens, and a few operations for each of them.
                let nats = tolerance(LONGEST + 8, levels.ln());
                let bits = nats / std::f64::consts::LN_2;
                assert!((metrics.nats_per_token - levels.ln()).abs() <= nats, "{row:?}");
                assert!((row.bits_per_dim.unwrap() - levels.log2()).abs() <= bits, "{row:?}");
                assert!((metrics.bits_per_token - levels.log2()).abs() <= bits, "{row:?}");
                assert!((metrics.perplexity / levels - 1.0).abs() <= 2.0 * nats, "{row:?}");
                assert!(metrics.standard_error <= nats, "{row:?}");
                assert_eq!(metrics.tokens, tokens);
                // Nats of an example are those of its tokens.
                let sum = row.value * row.examples as f64;
                assert!((sum - levels.ln() * tokens as f64).abs() <= nats * tokens as f64, "{row:?}");
            }
        };
        let n = lines.len() as u64;
        let tenth = (n as f64 * 0.1).round() as u64;
        let windows = uniform(|config| (config.length, config.context) = (7, 5), &lines);
        check(&windows, 6.0, [tenth; 2]);
        let bytes = uniform(|config| config.unit = Unit::Bytes, &lines);
        check(&bytes, 256.0, [tenth; 2]);
        // Thirty lines each of 6 to 9 symbols, in turn: validation begins with the first kind, the test with the third.
        let line = |i: u64| 6 + i % 4;
        let all = [(240..270).map(line).sum(), (270..300).map(line).sum()];
        check(&uniform(|config| config.examples = Examples::Lines, &lines), 6.0, all);
        let prefix = |config: &mut TextConfig| {
            (config.examples, config.prefix_until) = (Examples::Lines, Some(':'));
        };
        let results = uniform(prefix, &lines);
        check(&results, 6.0, all.map(|tokens| tokens - 90));
        let table = results.table();
        assert!(table.contains("nats/character") && table.contains("perplexity"), "{table}");
        assert!(table.contains("1.7918"), "{table}");
    }
}
