//! What tests of several modules use.

/// By how much two ways of adding up `terms` numbers may differ, where the absolute values of the numbers add up to
/// `magnitude`.
///
/// Kernels differ by instruction set: sums of other groups, products that are fused with a sum or not. One way is off by at
/// most n·u·Σ|x| with u = ε/2, in any order and with or without fused multiply-add (Higham 2002, "Accuracy and stability of
/// numerical algorithms", sections 3.1 and 4.2); two ways by twice that: n·ε·Σ|x|. The same holds for n operations in a row
/// on numbers of that magnitude, elementary functions among them, which are good to a unit in the last place.
pub(crate) fn tolerance(terms: usize, magnitude: f64) -> f64 {
    terms as f64 * f64::from(f32::EPSILON) * magnitude.abs()
}
