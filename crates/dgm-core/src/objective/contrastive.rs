//! Contrastive objectives: tell the partner of an example from those of the other examples in the batch.

use super::Objective;
use crate::ops;
use burn::tensor::{Int, Tensor};

/// Lᵢ = −log (exp sᵢᵢ / Σⱼ exp sᵢⱼ) ≥ 0: InfoNCE (van den Oord et al. 2018, "Representation learning with contrastive
/// predictive coding", eq. 4), in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InfoNce;

impl InfoNce {
    /// From scores `[n, n]`: sᵢⱼ of query i with candidate j, of which candidate i is its partner (the diagonal).
    ///
    /// Terms: `info_nce`, the loss itself.
    ///
    /// # Panics
    /// If `scores` is not square.
    pub fn objective(&self, scores: Tensor<2>) -> Objective {
        let [rows, columns] = scores.dims();
        assert_eq!(rows, columns, "InfoNce: `scores` has shape [{rows}, {columns}] and not [{rows}, {rows}]");
        let partner = Tensor::<1, Int>::arange(0..rows as i64, &scores.device());
        let loss = ops::categorical_log_prob(scores, partner).neg();
        Objective { loss: loss.clone(), terms: vec![("info_nce", loss)] }
    }

    /// log n − Lᵢ ≤ log n, `[n]` in nats, from the losses `[n]` of one batch of n: its expectation over batches is a
    /// lower bound of the mutual information of queries and candidates (van den Oord et al. 2018, section 2.3 and
    /// appendix A.1).
    ///
    /// The mean over one batch, or better over many (see [`estimate::Mean`](crate::estimate::Mean)), estimates that
    /// bound. However large the information, the bound cannot exceed log n. The rows of a batch share their candidates
    /// and so are not independent: for an honest standard error take the mean of each batch as one value.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use dgm_core::estimate::Mean;
    /// use dgm_core::objective::InfoNce;
    ///
    /// // Two queries, each of whose partner stands out by log 3: a loss of log 4/3.
    /// let scores = Tensor::from_floats([[3f32.ln(), 0.0], [0.0, 3f32.ln()]], &Device::flex());
    /// let objective = InfoNce.objective(scores);
    /// let bound = InfoNce.mutual_information_bound(objective.loss).into_data();
    /// let nats = Mean::of(&bound.iter::<f64>().collect::<Vec<_>>()).mean;
    /// assert!((nats - 1.5f64.ln()).abs() < 1e-6);
    /// ```
    pub fn mutual_information_bound(&self, loss: Tensor<1>) -> Tensor<1> {
        let [n] = loss.dims();
        loss.neg().add_scalar((n as f64).ln())
    }
}

/// ℓ(i, j) = −log (exp(cos(zᵢ, zⱼ)/τ) / Σ_{k≠i} exp(cos(zᵢ, zₖ)/τ)) over the 2n embeddings of two views, and
/// Lᵢ = ½ (ℓ(i, n+i) + ℓ(n+i, i)): NT-Xent (Chen et al. 2020, "A simple framework for contrastive learning", eq. 1 and
/// algorithm 1), in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NtXent {
    /// τ > 0.
    pub temperature: f64,
}

impl NtXent {
    /// From the embeddings of two views of the same n examples, each `[n, d]`; the loss is `[n]`, one for each example,
    /// and its mean over the batch is the paper's loss. Lengths do not matter, see [`cosine_similarity`].
    ///
    /// Terms: `first` = ℓ(i, n+i) and `second` = ℓ(n+i, i). An embedding's similarity to itself has no share in value
    /// or gradient: one pair alone has a loss of 0.
    ///
    /// # Panics
    /// If the shapes of `first` and `second` differ, or τ is not above 0.
    pub fn objective(&self, first: Tensor<2>, second: Tensor<2>) -> Objective {
        let (a, b) = (first.dims(), second.dims());
        assert_eq!(a, b, "NtXent: `first` has shape {a:?} and `second` {b:?}");
        assert!(self.temperature > 0.0, "NtXent: `temperature` is {}, need a number above 0", self.temperature);
        /// A logit without a share: its exponential is 0 beside any cosine over τ.
        const NEVER: f64 = -1e30;
        let n = a[0];
        let device = first.device();
        let unit = unit_rows(Tensor::cat(vec![first, second], 0));
        let logits = unit.clone().matmul(unit.transpose()).div_scalar(self.temperature);
        let itself = Tensor::<2, Int>::eye(2 * n, &device).equal_elem(1);
        let index =
            |range: std::ops::Range<usize>| Tensor::<1, Int>::arange(range.start as i64..range.end as i64, &device);
        let partner = Tensor::cat(vec![index(n..2 * n), index(0..n)], 0);
        let losses = ops::categorical_log_prob(logits.mask_fill(itself, NEVER), partner).neg();
        let (first, second) = (losses.clone().narrow(0, 0, n), losses.narrow(0, n, n));
        let loss = (first.clone() + second.clone()).mul_scalar(0.5);
        Objective { loss, terms: vec![("first", first), ("second", second)] }
    }
}

/// cos(aᵢ, bⱼ) = aᵢ·bⱼ / (max(‖aᵢ‖, ε) max(‖bⱼ‖, ε)) with ε = 10⁻⁶: `[n, d]` and `[m, d]` → `[n, m]`.
///
/// Of the vector 0 it is 0 with every other, and its gradient that of a/ε: large, and finite. Lengths up to the largest
/// f32 neither overflow nor vanish. The scores of [`InfoNce`] are often these, over a temperature.
///
/// # Panics
/// If the numbers of columns differ.
pub fn cosine_similarity(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    let (left, right) = (a.dims(), b.dims());
    assert_eq!(left[1], right[1], "cosine_similarity: `a` has shape {left:?} and `b` {right:?}");
    unit_rows(a).matmul(unit_rows(b).transpose())
}

/// zᵢ / max(‖zᵢ‖, ε).
fn unit_rows(z: Tensor<2>) -> Tensor<2> {
    const EPSILON: f64 = 1e-6;
    // Divided by its largest number first, so that no square overflows. That is a constant to the gradient: a direction
    // does not change with its scale. From 2ε on the length is then 1 or more and the clamp does nothing, and below,
    // the clamp at ½ means ε.
    let scale = z.clone().detach().abs().max_dim(1).clamp_min(2.0 * EPSILON);
    let scaled = z / scale;
    let length = scaled.clone().square().sum_dim(1).clamp_min(0.25).sqrt();
    scaled / length
}
