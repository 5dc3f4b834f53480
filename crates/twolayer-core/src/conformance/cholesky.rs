//! Cholesky factors: solves, and refusals.

use super::dense::Dense;
use super::rounding::gamma;
use super::{Suite, narrow};
use crate::backend::LinearBackend;
use crate::scalar::Scalar;

impl<B: LinearBackend> Suite<'_, B> {
    /// The residual is held to γ_{3n+1} |L||Lᵀ||x|, Theorem 10.4 of Higham's Accuracy and
    /// Stability of Numerical Algorithms, with (|L||Lᵀ|)ᵢⱼ ≤ √(aᵢᵢ aⱼⱼ).
    pub(super) fn cholesky_solves(&mut self) {
        for n in [0, 1, 2, 5, 33, 100, 210] {
            let factor = self.dense(n, n);
            let a = Dense::from_fn(n, n, |i, j| {
                let dot: f64 = (0..n).map(|k| factor.at(i, k) * factor.at(j, k)).sum();
                B::Scalar::of(dot + if i == j { 0.1 } else { 0.0 }).to_f64()
            });
            // Nothing above the diagonal may be read.
            let lower = Dense::from_fn(n, n, |i, j| if i >= j { a.at(i, j) } else { f64::NAN });
            let b = self.dense(n, 1).values;
            let lower = self.matrix(&lower);
            let outcome = self.backend.cholesky(&lower, &mut self.workspace);
            assert!(
                outcome.is_ok(),
                "cholesky refused a positive definite matrix of order {n}"
            );
            let Ok(cholesky) = outcome else { continue };
            let old = self.dense(n, n);
            let mut l = self.matrix(&old);
            self.backend.cholesky_lower(&cholesky, &mut l);
            let l = self.entries(&l);
            for i in 0..n {
                for j in 0..n {
                    let product: f64 = (0..n).map(|k| l.at(i, k) * l.at(j, k)).sum();
                    let bound = gamma::<B>(n + 2) * (a.at(i, i) * a.at(j, j)).sqrt();
                    assert!((product - a.at(i, j)).abs() <= bound, "L Lᵀ of order {n}");
                    assert!(i >= j || l.at(i, j) == 0.0, "cholesky_lower of order {n}");
                }
            }
            for _ in 0..2 {
                let mut solution = narrow(&b);
                self.backend
                    .cholesky_solve(&cholesky, &mut solution, &mut self.workspace);
                let x: Vec<f64> = solution.iter().map(|x| x.to_f64()).collect();
                for (i, b) in b.iter().enumerate() {
                    let product: f64 = (0..n).map(|j| a.at(i, j) * x[j]).sum();
                    let size: f64 = (0..n)
                        .map(|j| (a.at(i, i) * a.at(j, j)).sqrt() * x[j].abs())
                        .sum();
                    let bound = gamma::<B>(3 * n + 10) * (size + b.abs());
                    let residual = (product - b).abs();
                    assert!(
                        residual <= bound,
                        "cholesky_solve of order {n}: residual {residual:e} beyond {bound:e}"
                    );
                }
            }
        }
    }

    pub(super) fn cholesky_refuses_what_is_not_positive_definite(&mut self) {
        let indefinite = |n: usize| {
            // The last pivot is the first that is not positive.
            Dense::from_fn(n, n, |i, j| match (i == j, i == n - 1) {
                (true, true) => -0.5,
                (true, false) => 2.0,
                (false, _) => 0.0,
            })
        };
        let identity = Dense::from_fn(40, 40, |i, j| if i == j { 1.0 } else { 0.0 });
        let spoilt = |i: usize, j: usize| {
            let mut spoilt = identity.clone();
            spoilt.values[i * 40 + j] = f64::NAN;
            spoilt
        };
        let cases = [
            ("a negative number", Dense::from_fn(1, 1, |_, _| -1.0)),
            ("zero", Dense::from_fn(1, 1, |_, _| 0.0)),
            ("the zero matrix", Dense::from_fn(5, 5, |_, _| 0.0)),
            (
                "[1 2; 2 1]",
                Dense::from_fn(2, 2, |i, j| if i == j { 1.0 } else { 2.0 }),
            ),
            ("a negative last pivot", indefinite(3)),
            ("a negative last pivot of many", indefinite(150)),
            ("NaN", Dense::from_fn(1, 1, |_, _| f64::NAN)),
            ("NaN on the diagonal", spoilt(20, 20)),
            ("NaN below the diagonal", spoilt(30, 7)),
            ("NaN in the last row", spoilt(39, 0)),
        ];
        for (case, dense) in cases {
            let a = self.matrix(&dense);
            let outcome = self.backend.cholesky(&a, &mut self.workspace);
            assert!(outcome.is_err(), "cholesky accepted {case}");
        }
    }
}
