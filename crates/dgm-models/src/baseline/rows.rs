//! Rows of real numbers on the host: reading them, and work on them that is divided among threads.

use crate::data::{DataSpec, Scale, Values};
use crate::error::ModelError;
use crate::training::Examples;
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::HashSet;

/// Rows of `width` numbers one after the other.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) width: usize,
    pub(super) values: Vec<f32>,
}

/// Examples read at a time.
const AT_ONCE: usize = 4096;

impl Rows {
    /// All training examples.
    pub(super) fn of(examples: &dyn Examples, width: usize) -> Result<Self, ModelError> {
        let mut values = Vec::with_capacity(examples.count() * width);
        for batch in examples.batches(AT_ONCE) {
            let batch = batch?;
            if batch.mask.is_some() {
                return Err(ModelError::Data(
                    "this kind of model needs every cell, and some are missing; fill them in or set model.kind = \"any_order_mlp\"".into(),
                ));
            }
            values.extend(Self::of_tensor(batch.target).values);
        }
        Ok(Self { width, values })
    }

    /// Those of a tensor `[n, width]`.
    pub(super) fn of_tensor(x: Tensor<2>) -> Self {
        let [_, width] = x.dims();
        Self { width, values: x.into_data().iter::<f32>().collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    pub(super) fn iter(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.width.max(1))
    }

    pub(super) fn row(&self, i: usize) -> &[f32] {
        self.values.get(i * self.width..(i + 1) * self.width).unwrap_or_default()
    }

    /// Each row that recurs once, in the order in which they come first.
    pub(super) fn distinct(&self) -> Self {
        let mut seen = HashSet::with_capacity(self.len());
        let bits = |row: &[f32]| row.iter().map(|x| (x + 0.0).to_bits()).collect::<Vec<_>>();
        let values = self.iter().filter(|row| seen.insert(bits(row))).flatten().copied().collect();
        Self { width: self.width, values }
    }

    /// These rows.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|&i| self.row(i)).copied().collect();
        Self { width: self.width, values }
    }

    pub(super) fn into_tensor(self, device: &Device) -> Tensor<2> {
        let shape = [self.len(), self.width];
        Tensor::from_data(TensorData::new(self.values, shape), device)
    }
}

/// f(0), f(1), … f(n − 1), divided among the threads of the CPU.
pub(super) fn each<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    #[cfg(feature = "flex")]
    {
        use rayon::prelude::*;
        (0..n).into_par_iter().with_min_len(8).map(f).collect()
    }
    #[cfg(not(feature = "flex"))]
    (0..n).map(f).collect()
}

/// log p of each row of a tensor, `[n]` on its device, divided among the threads of the CPU.
pub(super) fn log_probs(x: Tensor<2>, log_p: impl Fn(&[f32]) -> f64 + Sync + Send) -> Tensor<1> {
    let (device, rows) = (x.device(), Rows::of_tensor(x));
    let values = each(rows.len(), |i| log_p(rows.row(i)) as f32);
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), &device)
}

/// The units of real numbers without a condition, which is what `kind` is for.
pub(super) fn real_alone<'a>(kind: &str, spec: &'a DataSpec) -> Result<&'a Scale, ModelError> {
    alone(kind, spec)?;
    match &spec.values {
        Values::Real(scale) => Ok(scale),
        Values::Levels(_) => Err(ModelError::Data(format!(
            "`model.kind` is \"{kind}\", which is for real numbers, and the data are levels; set data.dequantize = \"uniform\", or model.kind = \
             \"histogram\" or \"flow\""
        ))),
        Values::Columns(_) => Err(ModelError::Data(format!(
            "`model.kind` is \"{kind}\", which is for real numbers, and the data have columns of words too, or missing cells; use model.kind = \
             \"any_order_mlp\""
        ))),
    }
}

/// Refuses data with a condition.
pub(super) fn alone(kind: &str, spec: &DataSpec) -> Result<(), ModelError> {
    if spec.condition.is_some() {
        return Err(ModelError::Data(format!(
            "`model.kind` is \"{kind}\", which takes no condition; leave out data.condition, or set model.kind = \"flow\""
        )));
    }
    Ok(())
}

/// log Σ exp of what is added to it, without overflow.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogSum {
    max: f64,
    sum: f64,
}

impl LogSum {
    pub(super) const NOTHING: Self = Self { max: f64::NEG_INFINITY, sum: 0.0 };

    /// Adds exp(max)·sum.
    pub(super) fn add(&mut self, max: f64, sum: f64) {
        if max > self.max {
            self.sum = self.sum * (self.max - max).exp() + sum;
            self.max = max;
        } else if max > f64::NEG_INFINITY {
            self.sum += sum * (max - self.max).exp();
        }
    }

    pub(super) fn log(self) -> f64 {
        self.max + self.sum.ln()
    }
}

/// log Σ exp.
pub(super) fn log_sum_exp(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = LogSum::NOTHING;
    values.into_iter().for_each(|value| sum.add(value, 1.0));
    sum.log()
}
