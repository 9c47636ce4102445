//! Small square matrices in row-major order.

/// L⁻¹ with L Lᵀ = the symmetric positive definite matrix; `None`: it is not.
pub(super) fn inverse_factor(matrix: &[f64], width: usize) -> Option<Vec<f64>> {
    let mut lower = vec![0.0; width * width];
    for i in 0..width {
        for j in 0..=i {
            let (of_i, of_j) = (i * width, j * width);
            let dot: f64 = lower[of_i..of_i + j].iter().zip(&lower[of_j..of_j + j]).map(|(a, b)| a * b).sum();
            let rest = matrix[of_i + j] - dot;
            if i == j {
                if !(rest > 0.0 && rest.is_finite()) {
                    return None;
                }
                lower[of_i + i] = rest.sqrt();
            } else {
                lower[of_i + j] = rest / lower[of_j + j];
            }
        }
    }
    // Column by column: L X = 1.
    let mut inverse = vec![0.0; width * width];
    for column in 0..width {
        for i in column..width {
            let known: f64 = (column..i).map(|j| lower[i * width + j] * inverse[j * width + column]).sum();
            let unit = if i == column { 1.0 } else { 0.0 };
            inverse[i * width + column] = (unit - known) / lower[i * width + i];
        }
    }
    Some(inverse)
}

/// A⁻¹ of a symmetric positive definite matrix; `None`: it is not.
pub(super) fn inverse(matrix: &[f64], width: usize) -> Option<Vec<f64>> {
    let factor = inverse_factor(matrix, width)?;
    // (L⁻¹)ᵀ L⁻¹
    let entry = |i: usize, j: usize| (i.max(j)..width).map(|k| factor[k * width + i] * factor[k * width + j]).sum();
    Some((0..width * width).map(|at| entry(at / width, at % width)).collect())
}

/// A B of `[n, m]` and `[m, k]`.
pub(super) fn product(a: &[f64], b: &[f64], m: usize, k: usize) -> Vec<f64> {
    let mut c = vec![0.0; a.len() / m.max(1) * k];
    for (row, out) in a.chunks_exact(m).zip(c.chunks_exact_mut(k)) {
        for (&x, right) in row.iter().zip(b.chunks_exact(k)) {
            out.iter_mut().zip(right).for_each(|(sum, y)| *sum += x * y);
        }
    }
    c
}

/// Aᵀ of `[n, m]`.
pub(super) fn transposed(a: &[f64], m: usize) -> Vec<f64> {
    let n = a.len() / m.max(1);
    (0..a.len()).map(|at| a[at % n * m + at / n]).collect()
}
