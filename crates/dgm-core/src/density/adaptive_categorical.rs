//! Adaptive softmax: a categorical over a large vocabulary whose rare classes cost nothing until they come.

use super::{Categorical, OutOfSupport, Support};
use burn::tensor::activation::log_softmax;
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

/// The weights of one cluster of rare classes: its logits are (h · projection) · weight.
#[derive(Clone, Debug)]
pub struct AdaptiveTail {
    /// `[d, d_i]`, to fewer dimensions the rarer the cluster.
    pub projection: Tensor<2>,
    /// `[d_i, size]`, a column for each class.
    pub weight: Tensor<2>,
}

/// log p(c | h) = log p_head(c) for c < c₀, and log p_head(cluster i) + log pᵢ(c − cᵢ) for a class of cluster i, for n
/// independent variables (Grave et al. 2017, "Efficient softmax approximation for GPUs", section 4).
///
/// The classes 0 .. V are sorted by falling frequency. The head is a softmax over the c₀ most frequent ones and one
/// entry for each cluster of the others; cluster i holds the next sizeᵢ classes and has a softmax of its own. So it is
/// a normalised density over all V, no approximation of one: only its parameters are fewer than a full softmax has.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dgm_core::density::{AdaptiveCategorical, AdaptiveTail};
///
/// let device = Device::flex();
/// // Two frequent classes and one cluster of four, from 8 numbers; weights of 0 make every softmax uniform.
/// let zeros = |shape| Tensor::<2>::zeros(shape, &device);
/// let tail = AdaptiveTail { projection: zeros([8, 2]), weight: zeros([2, 4]) };
/// let words = AdaptiveCategorical::new(zeros([2, 8]), zeros([8, 3]), vec![tail]);
/// assert_eq!(words.cutoffs(), [2, 6]);
/// let log_prob = words.log_prob(Tensor::from_ints([0, 5], &device))?;
/// let expected = [(1.0f32 / 3.0).ln(), (1.0f32 / 3.0 / 4.0).ln()];
/// log_prob.into_data().assert_approx_eq::<f32>(&expected.into(), Default::default());
/// # Ok::<(), dgm_core::density::OutOfSupport>(())
/// ```
#[derive(Clone, Debug)]
pub struct AdaptiveCategorical {
    hidden: Tensor<2>,
    /// `[n, c₀ + clusters]`.
    head_logits: Tensor<2>,
    tails: Vec<AdaptiveTail>,
    /// c₀, then where each cluster ends; the last is V.
    cutoffs: Vec<usize>,
}

impl AdaptiveCategorical {
    /// n variables from hidden states `[n, d]`, the head's weight `[d, c₀ + clusters]` and the clusters' weights, all
    /// without bias and laid out as `[in, out]`, as in Burn's `Linear`. The columns of the head are the frequent
    /// classes and then the clusters, in order; the cutoffs follow from the shapes.
    ///
    /// # Panics
    /// If a weight's rows are not as many as the columns of what it multiplies, if the head has fewer columns than
    /// there are clusters, or if a cluster is empty.
    pub fn new(hidden: Tensor<2>, head: Tensor<2>, tails: Vec<AdaptiveTail>) -> Self {
        let (states, given) = (hidden.dims(), head.dims());
        assert_eq!(states[1], given[0], "AdaptiveCategorical: `hidden` has shape {states:?} and `head` {given:?}");
        let clusters = tails.len();
        assert!(
            given[1] >= clusters && given[1] > 0,
            "AdaptiveCategorical: `head` has shape {given:?}, which leaves no entry for each of {clusters} clusters"
        );
        let mut cutoffs = vec![given[1] - clusters];
        let mut end = given[1] - clusters;
        for (i, tail) in tails.iter().enumerate() {
            let (projection, weight) = (tail.projection.dims(), tail.weight.dims());
            assert_eq!(
                states[1], projection[0],
                "AdaptiveCategorical: `hidden` has shape {states:?} and `projection` of cluster {i} {projection:?}"
            );
            assert_eq!(
                projection[1], weight[0],
                "AdaptiveCategorical: cluster {i} has `projection` of shape {projection:?} and `weight` {weight:?}"
            );
            assert!(weight[1] > 0, "AdaptiveCategorical: cluster {i} is empty, its `weight` has shape {weight:?}");
            end += weight[1];
            cutoffs.push(end);
        }
        Self { head_logits: hidden.clone().matmul(head), hidden, tails, cutoffs }
    }

    /// c₀ and the end of each cluster; the last is the size of the vocabulary.
    pub fn cutoffs(&self) -> &[usize] {
        &self.cutoffs
    }

    /// The classes 0 ..= V − 1.
    pub fn support(&self) -> Support {
        Support::Levels(self.classes())
    }

    /// V, the number of classes.
    pub fn classes(&self) -> usize {
        self.cutoffs.last().copied().unwrap_or(0)
    }

    /// log p(class | h) in nats; `class` `[n]` in 0 .. V, the result `[n]`.
    ///
    /// A cluster's softmax is computed for the rows alone whose class is in it, and not at all if none is. To know
    /// them, the classes are read back to the host, which waits for the device.
    ///
    /// # Errors
    /// If a class is not in 0 .. V.
    ///
    /// # Panics
    /// If the numbers of rows differ.
    pub fn log_prob(&self, class: Tensor<1, Int>) -> Result<Tensor<1>, OutOfSupport> {
        let (states, given) = (self.hidden.dims(), class.dims());
        assert_eq!(states[0], given[0], "AdaptiveCategorical: `hidden` has shape {states:?} and `class` {given:?}");
        let device = self.hidden.device();
        let frequent = self.cutoffs[0];
        let mut entries = Vec::with_capacity(given[0]);
        let mut members = vec![(Vec::new(), Vec::new()); self.tails.len()];
        for (row, class) in class.into_data().iter::<i64>().enumerate() {
            let out_of_range = OutOfSupport { index: row, value: class as f64, support: self.support() };
            let index = usize::try_from(class).map_err(|_| out_of_range)?;
            // The number of cutoffs at or below the class: 0 in the head, i + 1 in cluster i.
            match self.cutoffs.partition_point(|&end| end <= index) {
                0 => entries.push(index as i32),
                after if after == self.cutoffs.len() => return Err(out_of_range),
                after => {
                    entries.push((frequent + after - 1) as i32);
                    let (rows, places) = &mut members[after - 1];
                    rows.push(row as i32);
                    places.push((index - self.cutoffs[after - 1]) as i32);
                }
            }
        }
        let to_device = |values: Vec<i32>| Tensor::<1, Int>::from_data(values.as_slice(), &device);
        let mut log_prob = Categorical::from_logits(self.head_logits.clone()).log_prob(to_device(entries));
        for (tail, (rows, places)) in self.tails.iter().zip(members) {
            if rows.is_empty() {
                continue;
            }
            let rows = to_device(rows);
            let inside = tail.logits(self.hidden.clone().select(0, rows.clone()));
            let inside = Categorical::from_logits(inside).log_prob(to_device(places));
            log_prob = log_prob.select_assign(0, rows, inside, IndexingUpdateOp::Add);
        }
        Ok(log_prob)
    }

    /// The logarithm of all probabilities, `[n, V]`, in nats: every softmax for every row.
    pub fn log_probs(&self) -> Tensor<2> {
        let ([rows, entries], frequent) = (self.head_logits.dims(), self.cutoffs[0]);
        let head = log_softmax(self.head_logits.clone(), 1);
        // A slice of no columns is not a tensor on every backend.
        let mut parts = if frequent > 0 { vec![head.clone().slice([0..rows, 0..frequent])] } else { Vec::new() };
        for (tail, entry) in self.tails.iter().zip(frequent..entries) {
            let inside = log_softmax(tail.logits(self.hidden.clone()), 1);
            parts.push(head.clone().slice([0..rows, entry..entry + 1]) + inside);
        }
        Tensor::cat(parts, 1)
    }
}

impl AdaptiveTail {
    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        hidden.matmul(self.projection.clone()).matmul(self.weight.clone())
    }
}
