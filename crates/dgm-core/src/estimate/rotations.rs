//! Rows that are turned until they are orthogonal: singular values and eigenvectors.

/// Rounds of rotations at most; 8 to 13 are needed for 256 to 1024 rows.
const SWEEPS: usize = 40;

/// One-sided Jacobi: rotates pairs of rows until all are orthogonal; their lengths are then the singular values (Golub and Van Loan 2013,
/// section 8.6.3), their directions, of a symmetric matrix without negative eigenvalues, its eigenvectors.
pub(super) fn orthogonal(mut rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    // Products of rows are known to about this part of the product of their lengths.
    let rounding = f64::EPSILON * rows.first().map_or(1.0, |row| (row.len() as f64).sqrt());
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for second in 1..rows.len() {
            let (before, after) = rows.split_at_mut(second);
            let y = &mut after[0];
            for x in before {
                let (xx, xy, yy) = (dot(x, x), dot(x, y), dot(y, y));
                if xy.abs() <= rounding * xx.sqrt() * yy.sqrt() {
                    continue;
                }
                rotated = true;
                // tan of the angle after which x·y = 0, the smaller of the two.
                let cot_double = (yy - xx) / (2.0 * xy);
                let tan = cot_double.signum() / (cot_double.abs() + cot_double.hypot(1.0));
                let cos = 1.0 / tan.hypot(1.0);
                let sin = cos * tan;
                for (x, y) in x.iter_mut().zip(y.iter_mut()) {
                    (*x, *y) = (cos * *x - sin * *y, sin * *x + cos * *y);
                }
            }
        }
        if !rotated {
            break;
        }
    }
    rows
}

/// Σᵢ xᵢ yᵢ, in eight running sums: that is what lets it use the processor's vector registers.
pub(super) fn dot(x: &[f64], y: &[f64]) -> f64 {
    let (x_chunks, y_chunks) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: f64 = x_chunks.remainder().iter().zip(y_chunks.remainder()).map(|(x, y)| x * y).sum();
    let mut sums = [0.0; 8];
    for (x, y) in x_chunks.zip(y_chunks) {
        sums.iter_mut().zip(x).zip(y).for_each(|((sum, x), y)| *sum += x * y);
    }
    rest + sums.iter().sum::<f64>()
}

/// target += factor · values, over the length of the target.
pub(super) fn add(target: &mut [f64], factor: f64, values: &[f64]) {
    target.iter_mut().zip(values).for_each(|(target, value)| *target += factor * value);
}
