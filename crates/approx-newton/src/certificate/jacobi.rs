//! Eigenvalues of a symmetric matrix by Jacobi's rotations: slow, short, and accurate.

/// Sweeps over all pairs; ten are plenty.
const SWEEPS: usize = 30;

/// Λ (d) and V (d×d, the eigenvectors in its columns) with S = V Λ Vᵀ for a symmetric S, all of it
/// given row after row.
pub(crate) fn eigen(mut s: Vec<f64>, d: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; d * d];
    for j in 0..d {
        vectors[j * d + j] = 1.0;
    }
    let largest = s.iter().fold(0.0, |most: f64, entry| most.max(entry.abs()));
    let negligible = 1e-2 * f64::EPSILON * largest;
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..d {
            for q in p + 1..d {
                let off = s[p * d + q];
                let (first, second) = (s[p * d + p], s[q * d + q]);
                let size = (first * second).abs().sqrt();
                if off.abs() <= negligible.max(0.5 * f64::EPSILON * size) {
                    continue;
                }
                rotated = true;
                // Golub, Van Loan, Matrix Computations, 8.5.2.
                let theta = (second - first) / (2.0 * off);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                for j in 0..d {
                    rotate(&mut s, j * d + p, j * d + q, cosine, sine);
                    rotate(&mut vectors, j * d + p, j * d + q, cosine, sine);
                }
                for j in 0..d {
                    rotate(&mut s, p * d + j, q * d + j, cosine, sine);
                }
                (s[p * d + q], s[q * d + p]) = (0.0, 0.0);
            }
        }
        if !rotated {
            break;
        }
    }
    ((0..d).map(|j| s[j * d + j]).collect(), vectors)
}

fn rotate(values: &mut [f64], p: usize, q: usize, cosine: f64, sine: f64) {
    let (a, b) = (values[p], values[q]);
    values[p] = cosine * a - sine * b;
    values[q] = sine * a + cosine * b;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_indefinite_matrix_is_put_together_again() {
        let d = 5;
        let entry = |i: usize, j: usize| ((i * j + i + j) as f64).sin();
        let s: Vec<f64> = (0..d * d).map(|at| entry(at / d, at % d)).collect();
        let (values, v) = eigen(s.clone(), d);
        assert!(values.iter().any(|&l| l < 0.0) && values.iter().any(|&l| l > 0.0));
        for i in 0..d {
            for j in 0..d {
                let sum: f64 = (0..d)
                    .map(|l| v[i * d + l] * values[l] * v[j * d + l])
                    .sum();
                assert!((sum - s[i * d + j]).abs() < 1e-13);
                let inner: f64 = (0..d).map(|l| v[l * d + i] * v[l * d + j]).sum();
                assert!((inner - f64::from(u8::from(i == j))).abs() < 1e-13);
            }
        }
    }
}
