//! What an estimator refuses, and the checks that its arguments pass first.

/// Arguments that an estimator cannot use.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EstimateError {
    /// A shape or length that does not fit the other arguments.
    #[error("`{argument}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// The argument.
        argument: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it has to have.
        expected: Vec<usize>,
    },
    /// A number out of its range: of values, samples or bins, or a sum.
    #[error("`{argument}` is {found}, expected {expected}")]
    Number {
        /// The argument, or what was made of it.
        argument: &'static str,
        /// What it is.
        found: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// A value out of its range.
    #[error("`{argument}` holds {found} at index {index}, expected {expected}")]
    Value {
        /// The argument.
        argument: &'static str,
        /// Where in it, row by row.
        index: usize,
        /// What stands there.
        found: f64,
        /// What may stand there.
        expected: &'static str,
    },
}

/// Every value passes `ok`.
pub(super) fn check_values(
    argument: &'static str,
    values: &[f64],
    ok: impl Fn(f64) -> bool,
    expected: &'static str,
) -> Result<(), EstimateError> {
    match values.iter().position(|&value| !ok(value)) {
        None => Ok(()),
        Some(index) => Err(EstimateError::Value { argument, index, found: values[index], expected }),
    }
}

/// Every value is in [0, 1], so not NaN.
pub(super) fn check_unit(argument: &'static str, values: &[f64]) -> Result<(), EstimateError> {
    check_values(argument, values, |value| (0.0..=1.0).contains(&value), "a value in [0, 1]")
}

/// A list of the length of another.
pub(super) fn check_length(argument: &'static str, found: usize, expected: usize) -> Result<(), EstimateError> {
    if found == expected {
        Ok(())
    } else {
        Err(EstimateError::Shape { argument, found: vec![found], expected: vec![expected] })
    }
}

/// A count that is at least one.
pub(super) fn check_some(argument: &'static str, found: usize) -> Result<(), EstimateError> {
    check_number(argument, found as f64, found > 0, "at least 1")
}

/// A number that is `ok`.
pub(super) fn check_number(
    argument: &'static str,
    found: f64,
    ok: bool,
    expected: &'static str,
) -> Result<(), EstimateError> {
    if ok { Ok(()) } else { Err(EstimateError::Number { argument, found, expected }) }
}

/// The number of rows of a row-major matrix of finite numbers with `width` columns: at least 2.
pub(super) fn check_rows(argument: &'static str, values: &[f64], width: usize) -> Result<usize, EstimateError> {
    check_some("width", width)?;
    let rows = values.len() / width;
    if !values.len().is_multiple_of(width) {
        return Err(EstimateError::Shape { argument, found: vec![values.len()], expected: vec![rows, width] });
    }
    check_number(argument, rows as f64, rows >= 2, "at least 2 rows")?;
    check_values(argument, values, f64::is_finite, "a finite number")?;
    Ok(rows)
}
