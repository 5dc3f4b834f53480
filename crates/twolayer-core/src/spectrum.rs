//! Spectra of small matrices by Jacobi's rotations: slow, short, and accurate.

/// Sweeps over all pairs; ten are plenty.
const SWEEPS: usize = 30;

/// Λ (d) and V (d×d, the eigenvectors in its columns) with S = V Λ Vᵀ for a symmetric S, all of it
/// given row after row.
pub fn eigen(mut s: Vec<f64>, d: usize) -> (Vec<f64>, Vec<f64>) {
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
                let (cosine, sine) = rotation(first, second, off);
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

/// The singular values of a d×d matrix, increasing, by Jacobi's rotations of its columns
/// (Hestenes): small ones are as accurate as large ones.
pub fn singular_values(matrix: Vec<f64>, d: usize) -> Vec<f64> {
    // Columns as rows, to have each in one piece.
    let mut columns: Vec<Vec<f64>> = (0..d)
        .map(|j| (0..d).map(|i| matrix[i * d + j]).collect())
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..d {
            for q in p + 1..d {
                let (head, tail) = columns.split_at_mut(q);
                let (first, second) = (&mut head[p], &mut tail[0]);
                let (a, b, off) = (dot(first, first), dot(second, second), dot(first, second));
                if off.abs() <= f64::EPSILON * (a * b).sqrt() {
                    continue;
                }
                rotated = true;
                let (cosine, sine) = rotation(a, b, off);
                for (x, y) in first.iter_mut().zip(second.iter_mut()) {
                    (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let mut values: Vec<f64> = columns.iter().map(|c| dot(c, c).sqrt()).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// L with L Lᵀ = S (row after row); `None` where S is not positive definite.
pub fn cholesky(mut s: Vec<f64>, d: usize) -> Option<Vec<f64>> {
    for j in 0..d {
        for l in 0..=j {
            let known: f64 = (0..l).map(|i| s[j * d + i] * s[l * d + i]).sum();
            let entry = s[j * d + l] - known;
            if l < j {
                s[j * d + l] = entry / s[l * d + l];
            } else if entry > 0.0 {
                s[j * d + j] = entry.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(s)
}

/// S ← L⁻¹ S L⁻ᵀ.
pub fn solve_both_sides(lower: &[f64], s: &mut [f64], d: usize) {
    for _ in 0..2 {
        // L⁻¹ from the left, then the transpose: S is symmetric.
        for column in 0..d {
            for j in 0..d {
                let known: f64 = (0..j).map(|i| lower[j * d + i] * s[i * d + column]).sum();
                s[j * d + column] = (s[j * d + column] - known) / lower[j * d + j];
            }
        }
        for j in 0..d {
            for l in 0..j {
                s.swap(j * d + l, l * d + j);
            }
        }
    }
}

/// Cosine and sine of the rotation that makes \[\[a, off\], \[off, b\]\] diagonal (Golub, Van Loan,
/// Matrix Computations, 8.5.2).
fn rotation(a: f64, b: f64, off: f64) -> (f64, f64) {
    let theta = (b - a) / (2.0 * off);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    (cosine, tangent * cosine)
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

    #[test]
    fn a_small_singular_value_keeps_its_digits() {
        // Columns of lengths 1 and 1e-12 at 60 degrees.
        let root = 0.75_f64.sqrt();
        let values = singular_values(vec![1.0, 0.5e-12, 0.0, root * 1e-12], 2);
        assert!(
            (values[0] / (root * 1e-12) - 1.0).abs() < 1e-12,
            "{values:?}"
        );
        assert!((values[1] - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_matrix_against_itself_is_the_identity() {
        let d = 4;
        let entry = |i: usize, j: usize| 1.0 / (i + j + 1) as f64;
        let s: Vec<f64> = (0..d * d).map(|at| entry(at / d, at % d)).collect();
        let lower = cholesky(s.clone(), d).unwrap();
        let mut same = s;
        solve_both_sides(&lower, &mut same, d);
        for (at, entry) in same.iter().enumerate() {
            let expected = f64::from(u8::from(at / d == at % d));
            assert!((entry - expected).abs() < 1e-10, "{entry}");
        }
        assert!(cholesky(vec![1.0, 2.0, 2.0, 1.0], 2).is_none());
    }
}
