//! By what an example is called strange: by its surprisal, or by a statistic that does not take what is simple for familiar.

use super::Scorer;
use crate::data::Split;
use crate::data::chunks::chunks;
use crate::error::{Error, Result};
use crate::report::grid::is_image;
use burn::tensor::Tensor;
use dgm_core::estimate::Mean;
use dgm_core::host;
use dgm_models::{Batch, ModelFactory};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::f64::consts::LN_2;
use std::io::Write;

/// A statistic in nats; larger is stranger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Statistic {
    /// −log p(x)
    #[default]
    Surprisal,
    /// Distance of −log p(x) from its mean over the validation split, on either side (Nalisnick et al. 2019)
    Typicality,
    /// −log p(x) less the length of x as zlib compresses it (Serrà et al. 2020)
    Complexity,
    /// −log p(x) less that of the model of --background (Ren et al. 2019)
    Ratio,
    /// Distance of the length of x, as zlib compresses it, from its mean over the validation split: a baseline without a model
    Zlib,
}

impl Statistic {
    /// The name of its column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Surprisal => "surprisal",
            Self::Typicality => "typicality",
            Self::Complexity => "complexity",
            Self::Ratio => "ratio",
            Self::Zlib => "zlib",
        }
    }
}

/// A statistic with what it needs.
pub(super) enum By<C: ModelFactory> {
    Surprisal,
    Typicality { mean: f64 },
    Complexity,
    Ratio(Box<Scorer<C>>),
    Zlib { mean: f64 },
}

impl<C: ModelFactory> By<C> {
    pub(super) fn statistic(&self) -> Statistic {
        match self {
            Self::Surprisal => Statistic::Surprisal,
            Self::Typicality { .. } => Statistic::Typicality,
            Self::Complexity => Statistic::Complexity,
            Self::Ratio(_) => Statistic::Ratio,
            Self::Zlib { .. } => Statistic::Zlib,
        }
    }

    /// What the model is held against.
    pub(super) fn background(&self) -> Option<&Scorer<C>> {
        match self {
            Self::Ratio(background) => Some(background),
            _ => None,
        }
    }

    /// Of the examples of a batch with this surprisal; `index` names the noise of an estimate.
    pub(super) fn of(&self, batch: &Batch, surprisal: &[f64], index: u64) -> Result<Vec<f64>> {
        let less = |other: Vec<f64>| surprisal.iter().zip(other).map(|(a, b)| a - b).collect();
        let values: Vec<f64> = match self {
            Self::Surprisal => surprisal.to_vec(),
            Self::Typicality { mean } => surprisal.iter().map(|value| (value - mean).abs()).collect(),
            Self::Complexity => less(zlib_nats(&batch.target)?),
            // A background may know no condition.
            Self::Ratio(background) => {
                let condition = batch.condition.clone().filter(|_| background.spec().condition.is_some());
                less(background.score(&Batch { condition, ..batch.clone() }, index)?.surprisal)
            }
            Self::Zlib { mean } => zlib_nats(&batch.target)?.into_iter().map(|length| (length - mean).abs()).collect(),
        };
        // What the model holds for impossible is as strange as can be, whatever is subtracted from it.
        Ok(values.into_iter().map(|value| if value.is_nan() { f64::INFINITY } else { value }).collect())
    }
}

impl<C: ModelFactory> Scorer<C> {
    /// The same by this statistic; `background` is the model of [`Statistic::Ratio`], and `known` are examples that nothing was learnt from.
    ///
    /// # Errors
    /// A statistic of bytes where the targets are no images of bytes, a background that is missing or of other examples, data that cannot be read
    /// any more.
    pub fn by(self, statistic: Statistic, background: Option<Self>, known: &Split) -> Result<Self> {
        let name = statistic.name();
        let of_bytes = is_image(self.spec()) && self.spec().levels().is_some_and(|levels| levels <= 256);
        if matches!(statistic, Statistic::Complexity | Statistic::Zlib) && !of_bytes {
            return Err(Error::input(format!(
                "--by {name} compresses images of at most 256 levels, and the targets of this run are others; give --by surprisal or --by typicality"
            )));
        }
        let by = match (statistic, background) {
            (Statistic::Ratio, Some(background)) => {
                let [own, other] = [self.spec(), background.spec()];
                let same_condition = [0, own.condition_width()].contains(&other.condition_width());
                if (own.shape, &own.values) != (other.shape, &other.values) || !same_condition {
                    return Err(Error::input(
                        "--background: found a run on examples of another shape, other levels or units, or another condition; expected those of this \
                         run; name a run on the same data",
                    ));
                }
                By::Ratio(Box::new(background))
            }
            (Statistic::Ratio, None) => {
                return Err(Error::input("--by ratio holds the model against another; name its run with --background"));
            }
            (_, Some(_)) => {
                return Err(Error::input(format!(
                    "--background is for --by ratio, and this is --by {name}; leave it out"
                )));
            }
            (Statistic::Surprisal, None) => By::Surprisal,
            (Statistic::Typicality, None) => By::Typicality { mean: Mean::of(&self.split(known)?).mean },
            (Statistic::Complexity, None) => By::Complexity,
            (Statistic::Zlib, None) => By::Zlib { mean: Mean::of(&self.zlib(known)?).mean },
        };
        Ok(Self { by, ..self })
    }

    /// The compressed length of each example of a split.
    fn zlib(&self, split: &Split) -> Result<Vec<f64>> {
        let parts = chunks(split.len(), super::ROWS);
        let lengths = parts.map(|rows| zlib_nats(&split.unaugmented(&rows, &self.device)?.target));
        Ok(lengths.collect::<Result<Vec<_>>>()?.concat())
    }
}

/// The length of each row of levels below 256 as zlib compresses its bytes, in nats.
fn zlib_nats(rows: &Tensor<2>) -> Result<Vec<f64>> {
    let [_, width] = rows.dims();
    let length = |row: &[f64]| {
        let bytes: Vec<u8> = row.iter().map(|&value| value as u8).collect();
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes)?;
        encoder.finish().map(|compressed| 8.0 * LN_2 * compressed.len() as f64)
    };
    let lengths: std::io::Result<Vec<f64>> = host(rows.clone()).chunks(width.max(1)).map(length).collect();
    lengths.map_err(|error| Error::run(format!("the examples cannot be compressed: {error}; see that there is memory")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::tensor::{Device, TensorData};

    /// `len(zlib.compress(bytes, 9))` of Python.
    #[test]
    fn lengths_are_zlibs() {
        let zeros = vec![0.0f32; 64];
        let counting: Vec<f32> = (0..64).map(|i| (i % 16) as f32).collect();
        let rows = Tensor::from_data(TensorData::new([zeros, counting].concat(), [2, 64]), &Device::flex());
        let bytes: Vec<f64> = zlib_nats(&rows).unwrap().into_iter().map(|nats| nats / (8.0 * LN_2)).collect();
        // Implementations code short inputs each in its own way: this one takes 9 and 7 bytes more.
        assert!(
            bytes.iter().zip([12.0, 27.0]).all(|(found, expected)| (0.0..10.0).contains(&(found - expected))),
            "{bytes:?}"
        );
    }
}
