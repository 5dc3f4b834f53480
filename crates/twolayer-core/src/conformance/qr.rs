//! QR: the factor, and least-squares solutions by it.

use super::dense::{Dense, positions};
use super::rounding::gamma;
use super::{Suite, nans, narrow};
use crate::backend::LinearBackend;
use crate::scalar::Scalar;

impl<B: LinearBackend> Suite<'_, B> {
    pub(super) fn qr_reproduces_the_matrix(&mut self) {
        let shapes = [
            (0, 0),
            (0, 2),
            (2, 0),
            (1, 1),
            (1, 5),
            (5, 1),
            (4, 4),
            (3, 8),
            (30, 70),
            (50, 120),
            (57, 32),
            (64, 64),
            (70, 70),
            (109, 80),
            (300, 40),
        ];
        for (p, q) in shapes {
            let dense = self.dense(p, q);
            self.reduce(&dense, "random");
            let graded = dense.values.iter().enumerate().map(|(at, v)| {
                B::Scalar::of(v * 10.0_f64.powi(-((at % q.max(1)) as i32 % 12))).to_f64()
            });
            self.reduce(
                &Dense {
                    values: graded.collect(),
                    ..dense.clone()
                },
                "graded",
            );
            self.reduce(&Dense::from_fn(p, q, |_, _| 0.0), "zero");
            // As where rows of a triangle and of a diagonal matrix alternate, and in wider steps, of
            // which the first is empty.
            for (kind, first, slope, width) in
                [("staircase", 2, 2, 1), ("broad staircase", 0, 3, 20)]
            {
                let height = |j| first + slope * (j - j % width);
                let entry = |i, j| if i < height(j) { dense.at(i, j) } else { 0.0 };
                self.reduce(&Dense::from_fn(p, q, entry), kind);
            }
            // Of no more than three different columns, one of them zero.
            self.reduce(
                &Dense::from_fn(
                    p,
                    q,
                    |i, j| if j % 3 == 1 { 0.0 } else { dense.at(i, j % 3) },
                ),
                "rank-deficient",
            );
        }
    }

    /// RᵀR = AᵀA and Rᵀ(Qᵀb) = Aᵀb, to the backward error of every column.
    fn reduce(&mut self, dense: &Dense, kind: &str) {
        let (p, q) = (dense.nrows, dense.ncols);
        let case = format!("qr_reduce of a {kind} {p}x{q} matrix");
        let b = self.dense(p, 1).values;
        let norm_b = b.iter().map(|b| b * b).sum::<f64>().sqrt();
        let mut a = self.matrix(dense);
        let (mut rhs, mut r) = (narrow::<B::Scalar>(&b), nans::<B>(q * q));
        self.backend
            .qr_reduce(&mut a, &mut rhs, &mut r, &mut self.workspace);

        assert_eq!(
            (self.backend.nrows(&a), self.backend.ncols(&a)),
            (p, q),
            "{case}: shape"
        );
        let r = Dense::from_fn(q, q, |i, j| r[i * q + j].to_f64());
        for (i, j) in positions(q, q).filter(|&(i, j)| i > j || i >= p) {
            assert_eq!(r.at(i, j), 0.0, "{case}: R at ({i}, {j})");
        }
        // Twenty times what is seen; a worst case has p·q in place of p + q.
        let relative = gamma::<B>(20 * (p + q));
        let size = p.min(q);
        for (i, j) in positions(q, q) {
            let product: f64 = (0..size).map(|k| r.at(k, i) * r.at(k, j)).sum();
            let expected: f64 = (0..p).map(|k| dense.at(k, i) * dense.at(k, j)).sum();
            let bound = relative * dense.column_norm(i) * dense.column_norm(j);
            let error = (product - expected).abs();
            assert!(
                error <= bound,
                "{case}: RᵀR off by {error:e} at ({i}, {j}), beyond {bound:e}"
            );
        }
        for j in 0..q {
            let product: f64 = (0..size).map(|k| r.at(k, j) * rhs[k].to_f64()).sum();
            let expected: f64 = (0..p).map(|k| dense.at(k, j) * b[k]).sum();
            let bound = relative * dense.column_norm(j) * norm_b;
            let error = (product - expected).abs();
            assert!(
                error <= bound,
                "{case}: RᵀQᵀb off by {error:e} at {j}, beyond {bound:e}"
            );
        }
    }

    /// To condition · u, where the normal equations would lose condition² · u, and a factorisation
    /// that drops columns as dependent everything.
    pub(super) fn qr_solves_ill_conditioned_least_squares(&mut self) {
        let single = B::Scalar::UNIT_ROUNDOFF.to_f64() > 1e-10;
        let conditions: &[f64] = if single { &[1e2, 1e4] } else { &[1e6, 1e12] };
        for &condition in conditions {
            for (p, q) in [(12, 12), (109, 80), (2048, 24)] {
                // U diag(σ) Vᵀ with U and V of cosines and σ from 1 to 1/condition.
                let sigma = |k: usize| condition.powf(-(k as f64) / (q - 1) as f64);
                self.least_squares(condition, "graded singular values", p, q, |i, j| {
                    (0..q)
                        .map(|k| cosine(p, i, k) * sigma(k) * cosine(q, j, k))
                        .sum()
                });
                // Pairs of columns that differ by 1/condition of what others differ by.
                self.least_squares(condition, "nearly equal columns", p, q, |i, j| {
                    let twin = if j % 2 == 1 {
                        cosine(p, i, j) / condition
                    } else {
                        0.0
                    };
                    cosine(p, i, j - j % 2) + twin
                });
            }
        }
    }

    fn least_squares(
        &mut self,
        condition: f64,
        kind: &str,
        p: usize,
        q: usize,
        entry: impl Fn(usize, usize) -> f64,
    ) {
        let dense = Dense::from_fn(p, q, |i, j| B::Scalar::of(entry(i, j)).to_f64());
        let expected = self.dense(q, 1).values;
        let b: Vec<f64> = (0..p)
            .map(|i| (0..q).map(|j| dense.at(i, j) * expected[j]).sum::<f64>())
            .collect();
        let mut a = self.matrix(&dense);
        let (mut rhs, mut r) = (narrow::<B::Scalar>(&b), nans::<B>(q * q));
        self.backend
            .qr_reduce(&mut a, &mut rhs, &mut r, &mut self.workspace);

        let mut x = vec![0.0; q];
        for i in (0..q).rev() {
            let known: f64 = (i + 1..q).map(|j| r[i * q + j].to_f64() * x[j]).sum();
            x[i] = (rhs[i].to_f64() - known) / r[i * q + i].to_f64();
        }
        let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
        let error = norm(&mut x.iter().zip(&expected).map(|(x, e)| x - e))
            / norm(&mut expected.iter().copied());
        let bound = 50.0 * condition * B::Scalar::UNIT_ROUNDOFF.to_f64();
        assert!(
            error <= bound,
            "qr_reduce {p}x{q}, {kind}, condition {condition:e}: the least-squares solution is \
             off by {error:e}, beyond {bound:e}"
        );
    }
}

/// Entry `i` of the `k`-th of `n` orthonormal cosines.
fn cosine(n: usize, i: usize, k: usize) -> f64 {
    let scale = if k == 0 { 1.0 } else { 2.0 };
    let angle = std::f64::consts::PI * (i as f64 + 0.5) * k as f64 / n as f64;
    (scale / n as f64).sqrt() * angle.cos()
}
