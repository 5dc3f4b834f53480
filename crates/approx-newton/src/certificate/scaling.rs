//! A matrix T with TᵀHT near a diagonal of signs: approximate, and never trusted.

use super::hessian::{HessianRows, Scaled};
use super::real::Real;

/// T (d×d, row after row), and what it makes of H.
pub(super) struct Scaling<R> {
    pub(super) t: Vec<R>,
    pub(super) scaled: Scaled<R>,
}

/// Good enough: nothing is won by a smaller defect.
const SMALL_DEFECT: f64 = 1e-3;
/// Each pass takes about sixteen digits off the condition number.
const PASSES: usize = 6;

/// Improves T, or the identity, until TᵀHT is near a diagonal of signs. A Hessian with a condition
/// of 10³⁰ is met step by step: a factor of the present TᵀHT, made regular by a shift of the size
/// of its own rounding error, scales the large eigenvalues to one and uncovers the next ones.
pub(super) fn scale<R: Real>(
    hessian: &HessianRows<R>,
    start: Option<Vec<R>>,
    d: usize,
) -> Scaling<R> {
    let mut t = start.unwrap_or_else(|| {
        let mut identity = vec![R::ZERO; d * d];
        for j in 0..d {
            identity[j * d + j] = R::from_f64(1.0);
        }
        identity
    });
    let mut scaled = hessian.scaled(&t);
    for _ in 0..PASSES {
        if scaled.defect <= SMALL_DEFECT {
            break;
        }
        let Some(correction) = correction(&scaled.product, d) else {
            break;
        };
        let better = multiply(&t, &correction, d);
        let next = hessian.scaled(&better);
        // A pass may uncover small eigenvalues and seem to stand still; one that is not finite is
        // the end.
        if !next.defect.is_finite() {
            break;
        }
        let done = next.defect > 0.5 * scaled.defect && scaled.defect < 0.5;
        if next.defect < scaled.defect || !done {
            (t, scaled) = (better, next);
        }
        if done {
            break;
        }
    }
    Scaling { t, scaled }
}

/// T·K.
fn multiply<R: Real>(t: &[R], k: &[f64], d: usize) -> Vec<R> {
    let mut product = vec![R::ZERO; d * d];
    for (row, out) in t.chunks(d).zip(product.chunks_mut(d)) {
        for (&t, k) in row.iter().zip(k.chunks(d)) {
            for (out, &k) in out.iter_mut().zip(k) {
                if k != 0.0 {
                    *out = *out + t * R::from_f64(k);
                }
            }
        }
    }
    product
}

/// K with KᵀSK near a diagonal of signs, for the S of this lower triangle; `None` where S is not
/// finite.
fn correction<R: Real>(s: &[R], d: usize) -> Option<Vec<f64>> {
    let diagonal = |j: usize| {
        let size = s[j * d + j].to_f64().abs().sqrt();
        if size > 0.0 { size.recip() } else { 1.0 }
    };
    let scale: Vec<f64> = (0..d).map(diagonal).collect();
    let mut balanced = vec![0.0; d * d];
    for j in 0..d {
        for l in 0..=j {
            let entry = s[j * d + l].to_f64() * scale[j] * scale[l];
            balanced[j * d + l] = entry;
            balanced[l * d + j] = entry;
        }
    }
    if balanced.iter().any(|entry| !entry.is_finite()) {
        return None;
    }
    let shift = 4.0 * d as f64 * f64::EPSILON;
    let mut k =
        inverse_factor(&balanced, shift, d).unwrap_or_else(|| inverse_root(balanced, shift, d));
    for (row, &scale) in k.chunks_mut(d).zip(&scale) {
        row.iter_mut().for_each(|entry| *entry *= scale);
    }
    Some(k)
}

/// L⁻ᵀ for S + shift·I = L Lᵀ; `None` where that is not positive definite.
fn inverse_factor(s: &[f64], shift: f64, d: usize) -> Option<Vec<f64>> {
    let mut lower = vec![0.0; d * d];
    for j in 0..d {
        for l in 0..=j {
            let (left, right) = (&lower[j * d..j * d + l], &lower[l * d..l * d + l]);
            let known: f64 = left.iter().zip(right).map(|(a, b)| a * b).sum();
            let entry = s[j * d + l] - known;
            if l < j {
                lower[j * d + l] = entry / lower[l * d + l];
            } else {
                let pivot = entry + shift;
                // A pivot of the size of the shift is rounding, or a negative eigenvalue.
                if !(pivot > 0.5 * shift) {
                    return None;
                }
                lower[j * d + j] = pivot.sqrt();
            }
        }
    }
    // The rows of L⁻¹, one after the other, are the columns of what is asked for.
    let mut inverse = vec![0.0; d * d];
    for j in 0..d {
        let mut row = vec![0.0; d];
        row[j] = 1.0;
        for l in 0..j {
            let factor = lower[j * d + l];
            for (entry, &above) in row.iter_mut().zip(&inverse[l * d..(l + 1) * d]) {
                *entry -= factor * above;
            }
        }
        let pivot = lower[j * d + j];
        for (entry, row) in inverse[j * d..(j + 1) * d].iter_mut().zip(row) {
            *entry = row / pivot;
        }
    }
    let mut transposed = vec![0.0; d * d];
    for j in 0..d {
        for l in 0..=j {
            transposed[l * d + j] = inverse[j * d + l];
        }
    }
    Some(transposed)
}

/// V (|Λ| + shift)^(−½) for S = V Λ Vᵀ.
fn inverse_root(s: Vec<f64>, shift: f64, d: usize) -> Vec<f64> {
    let (values, mut vectors) = super::jacobi::eigen(s, d);
    for row in vectors.chunks_mut(d) {
        for (entry, value) in row.iter_mut().zip(&values) {
            *entry /= (value.abs() + shift).sqrt();
        }
    }
    vectors
}
