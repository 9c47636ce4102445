//! Parts of a data set that are given as fractions of it.

/// The fraction for validation and for the test where none is given.
pub(super) fn tenth() -> f64 {
    0.1
}

/// `fraction` of `n`, rounded: at least one where there is one, as no split may be empty, and at most `n`.
pub(super) fn part(n: usize, fraction: f64) -> usize {
    ((n as f64 * fraction).round() as usize).clamp(1.min(n), n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_rounded_and_never_none_of_some() {
        assert_eq!([part(0, 0.1), part(1, 0.1), part(4, 0.1), part(4, 0.9)], [0, 1, 1, 4]);
        assert_eq!([part(10, 0.25), part(10, 0.24), part(1030, 0.1)], [3, 2, 103]);
    }
}
