//! Paths between two codes.

use serde::{Deserialize, Serialize};

/// How a path goes from one code to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// (1 − t) a + t b.
    #[default]
    Linear,
    /// sin((1 − t) Ω) / sin Ω · a + sin(t Ω) / sin Ω · b, with the angle Ω between a and b (White 2016, "Sampling generative networks",
    /// section 2.1): it stays as far from 0 as its ends, as nearly all of a normal in many dimensions does.
    Spherical,
}

impl Path {
    /// The code at t of 0 … 1.
    pub fn at(self, a: &[f64], b: &[f64], t: f64) -> Vec<f64> {
        let [of_a, of_b] = match self {
            Self::Linear => [1.0 - t, t],
            Self::Spherical => {
                let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
                let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
                let angle = cosine.clamp(-1.0, 1.0).acos();
                // In one line with 0, there is no one circle through both.
                if angle.is_finite() && angle.sin() > 1e-6 {
                    [((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin()]
                } else {
                    [1.0 - t, t]
                }
            }
        };
        a.iter().zip(b).map(|(a, b)| of_a * a + of_b * b).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_paths_begin_and_end_where_they_should() {
        let (a, b) = ([3.0, 0.0, 4.0], [0.0, 5.0, 0.0]);
        for path in [Path::Linear, Path::Spherical] {
            for (t, end) in [(0.0, a), (1.0, b)] {
                for (found, expected) in path.at(&a, &b, t).iter().zip(end) {
                    assert!((found - expected).abs() < 1e-12, "{path:?}");
                }
            }
        }
        let length = |z: Vec<f64>| z.iter().map(|z| z * z).sum::<f64>().sqrt();
        // Both ends have length 5, and they are at right angles.
        assert!((length(Path::Spherical.at(&a, &b, 0.3)) - 5.0).abs() < 1e-12);
        assert!((length(Path::Linear.at(&a, &b, 0.5)) - 5.0 / 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(Path::Spherical.at(&[1.0], &[-3.0], 0.5), [-1.0]);
        assert_eq!(Path::Spherical.at(&[0.0, 0.0], &[2.0, 0.0], 0.5), [1.0, 0.0]);
    }
}
