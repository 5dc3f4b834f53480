//! A matrix T with TᵀKT near a diagonal of signs: approximate, and never trusted.

use crate::hessian::{HessianRows, Scaled};
use crate::real::Real;

/// T (N×N, row after row), and what it makes of K.
pub(crate) struct Scaling<R> {
    pub(crate) t: Vec<R>,
    pub(crate) scaled: Scaled<R>,
}

/// Good enough: nothing is won by a smaller defect.
const SMALL_DEFECT: f64 = 1e-3;
/// Each pass takes about sixteen digits off the condition number.
const PASSES: usize = 6;

/// Improves T, or the identity, until TᵀKT is near a diagonal of signs. A Hessian with a condition
/// of 10³⁰ is met step by step: a factor of the present TᵀKT, made regular by a shift of the size
/// of its own rounding error, scales the large eigenvalues to one and uncovers the next ones.
pub(crate) fn scale<R: Real>(hessian: &HessianRows<R>, start: Option<Vec<R>>) -> Scaling<R> {
    let n = hessian.order();
    let mut t = start.unwrap_or_else(|| {
        let mut identity = vec![R::ZERO; n * n];
        for j in 0..n {
            identity[j * n + j] = R::from_f64(1.0);
        }
        identity
    });
    let mut scaled = hessian.scaled(&t);
    for _ in 0..PASSES {
        if scaled.defect <= SMALL_DEFECT {
            break;
        }
        let Some(correction) = correction(&scaled.product, n) else {
            break;
        };
        let better = multiply(&t, &correction, n);
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
fn multiply<R: Real>(t: &[R], k: &[f64], n: usize) -> Vec<R> {
    let mut product = vec![R::ZERO; n * n];
    for (row, out) in t.chunks(n).zip(product.chunks_mut(n)) {
        for (&t, k) in row.iter().zip(k.chunks(n)) {
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
fn correction<R: Real>(s: &[R], n: usize) -> Option<Vec<f64>> {
    let diagonal = |j: usize| {
        let size = s[j * n + j].to_f64().abs().sqrt();
        if size > 0.0 { size.recip() } else { 1.0 }
    };
    let scale: Vec<f64> = (0..n).map(diagonal).collect();
    let mut balanced = vec![0.0; n * n];
    for j in 0..n {
        for l in 0..=j {
            let entry = s[j * n + l].to_f64() * scale[j] * scale[l];
            balanced[j * n + l] = entry;
            balanced[l * n + j] = entry;
        }
    }
    if balanced.iter().any(|entry| !entry.is_finite()) {
        return None;
    }
    let rows = inverse_root(balanced, n);
    let mut k = vec![0.0; n * n];
    for (j, row) in rows.chunks(n).enumerate() {
        for (l, &entry) in row.iter().enumerate() {
            k[l * n + j] = entry * scale[l];
        }
    }
    Some(k)
}

/// E with E S Eᵀ near a diagonal of signs, by elimination with the complete pivoting of Bunch and
/// Parlett (Golub, Van Loan, Matrix Computations, 4.4.4): S may be indefinite or nearly singular. A
/// pivot below the rounding error of S counts as of that size.
fn inverse_root(mut s: Vec<f64>, n: usize) -> Vec<f64> {
    let largest = s.iter().fold(0.0, |most: f64, entry| most.max(entry.abs()));
    let least = (4.0 * n as f64 * f64::EPSILON * largest).max(f64::MIN_POSITIVE);
    let alpha = (1.0 + 17.0_f64.sqrt()) / 8.0;
    let mut e = vec![0.0; n * n];
    for j in 0..n {
        e[j * n + j] = 1.0;
    }
    let mut k = 0;
    while k < n {
        let (mut diagonal, mut off) = ((0.0, k), (0.0, k, k));
        for i in k..n {
            for j in k..=i {
                let size = s[i * n + j].abs();
                if i == j && size > diagonal.0 {
                    diagonal = (size, i);
                } else if i != j && size > off.0 {
                    off = (size, i, j);
                }
            }
        }
        if diagonal.0 >= alpha * off.0 || off.0 < least {
            swap(&mut s, &mut e, n, k, diagonal.1);
            let pivot = s[k * n + k];
            if pivot.abs() >= least {
                for i in k + 1..n {
                    let factor = s[i * n + k] / pivot;
                    subtract(&mut s, n, i, k, factor);
                    subtract(&mut e, n, i, k, factor);
                }
            }
            scale_row(&mut e, n, k, pivot, least);
            k += 1;
        } else {
            // The smaller index first: the larger one is then still in its place.
            swap(&mut s, &mut e, n, k, off.2);
            swap(&mut s, &mut e, n, k + 1, off.1);
            let (a, b, c) = (s[k * n + k], s[(k + 1) * n + k], s[(k + 1) * n + k + 1]);
            let determinant = a * c - b * b;
            for i in k + 2..n {
                let (p, q) = (s[i * n + k], s[i * n + k + 1]);
                let factors = [(p * c - q * b) / determinant, (q * a - p * b) / determinant];
                for (row, factor) in factors.into_iter().enumerate() {
                    subtract(&mut s, n, i, k + row, factor);
                    subtract(&mut e, n, i, k + row, factor);
                }
            }
            // One of Jacobi's rotations makes the block diagonal.
            let theta = (c - a) / (2.0 * b);
            let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
            let cosine = 1.0 / tangent.hypot(1.0);
            let sine = tangent * cosine;
            for l in 0..n {
                let (first, second) = (e[k * n + l], e[(k + 1) * n + l]);
                e[k * n + l] = cosine * first - sine * second;
                e[(k + 1) * n + l] = sine * first + cosine * second;
            }
            scale_row(&mut e, n, k, a - tangent * b, least);
            scale_row(&mut e, n, k + 1, c + tangent * b, least);
            k += 2;
        }
    }
    e
}

/// Exchanges two rows and columns of S, and two rows of E.
fn swap(s: &mut [f64], e: &mut [f64], n: usize, i: usize, j: usize) {
    for l in 0..n {
        s.swap(i * n + l, j * n + l);
        e.swap(i * n + l, j * n + l);
    }
    for l in 0..n {
        s.swap(l * n + i, l * n + j);
    }
}

/// Row `to` less `factor` times row `from`.
fn subtract(matrix: &mut [f64], n: usize, to: usize, from: usize, factor: f64) {
    let (head, tail) = matrix.split_at_mut(to * n);
    for (entry, &other) in tail[..n].iter_mut().zip(&head[from * n..(from + 1) * n]) {
        *entry -= factor * other;
    }
}

fn scale_row(e: &mut [f64], n: usize, row: usize, eigenvalue: f64, least: f64) {
    let factor = eigenvalue.abs().max(least).sqrt().recip();
    e[row * n..(row + 1) * n]
        .iter_mut()
        .for_each(|entry| *entry *= factor);
}

#[cfg(test)]
mod tests;
