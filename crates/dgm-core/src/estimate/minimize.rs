//! L-BFGS on the host: minima of smooth functions of many numbers (Nocedal and Wright 2006, algorithms 7.4 and 7.5), with a line search that
//! halves the step until the function falls enough.

/// Pairs of steps and changes of the gradient that are remembered.
const MEMORY: usize = 10;

/// From `start` to where the largest element of the gradient is below `tolerance`, the function no longer falls, or so many steps are taken.
/// `function` gives its value and its gradient.
pub(super) fn minimize(
    start: Vec<f64>,
    tolerance: f64,
    steps: usize,
    mut function: impl FnMut(&[f64]) -> (f64, Vec<f64>),
) -> Vec<f64> {
    let (mut x, mut pairs) = (start, Vec::<(Vec<f64>, Vec<f64>)>::new());
    let (mut value, mut gradient) = function(&x);
    for _ in 0..steps {
        if gradient.iter().all(|g| g.abs() < tolerance) {
            break;
        }
        let mut direction = descent(&gradient, &pairs);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            pairs.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = -dot(&gradient, &gradient);
        }
        // Without memory the length of the gradient says nothing of that of a step.
        let mut step = if pairs.is_empty() { 1.0 / (-slope).sqrt().max(1.0) } else { 1.0 };
        let mut found = None;
        for _ in 0..30 {
            let next: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
            let (at, slopes) = function(&next);
            if at <= value + 1e-4 * step * slope {
                found = Some((next, at, slopes));
                break;
            }
            step *= 0.5;
        }
        let Some((next, at, slopes)) = found else { break };
        let change = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let (moved, turned) = (change(&next, &x), change(&slopes, &gradient));
        if dot(&moved, &turned) > 1e-12 * dot(&turned, &turned) {
            pairs.push((moved, turned));
            if pairs.len() > MEMORY {
                pairs.remove(0);
            }
        }
        let fell = value - at;
        (x, value, gradient) = (next, at, slopes);
        if fell <= 1e-11 * value.abs().max(1e-12) {
            break;
        }
    }
    x
}

/// −H g with the inverse Hessian H that the pairs tell of.
fn descent(gradient: &[f64], pairs: &[(Vec<f64>, Vec<f64>)]) -> Vec<f64> {
    let mut q = gradient.to_vec();
    let mut shares = Vec::with_capacity(pairs.len());
    for (moved, turned) in pairs.iter().rev() {
        let share = dot(moved, &q) / dot(moved, turned);
        q.iter_mut().zip(turned).for_each(|(q, y)| *q -= share * y);
        shares.push(share);
    }
    if let Some((moved, turned)) = pairs.last() {
        let scale = dot(moved, turned) / dot(turned, turned);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((moved, turned), share) in pairs.iter().zip(shares.iter().rev()) {
        let correction = share - dot(turned, &q) / dot(moved, turned);
        q.iter_mut().zip(moved).for_each(|(q, s)| *q += correction * s);
    }
    q.iter().map(|q| -q).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_bottom_of_a_curved_valley() {
        // Rosenbrock's function, (1, 1).
        let valley = |x: &[f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            (a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b])
        };
        let found = minimize(vec![-1.2, 1.0], 1e-9, 1000, valley);
        assert!((found[0] - 1.0).abs() < 1e-4 && (found[1] - 1.0).abs() < 1e-4, "{found:?}");
    }
}
