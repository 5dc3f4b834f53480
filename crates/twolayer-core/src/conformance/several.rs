//! Several vectors at a time: right, and each as if the others were not there.

use super::dense::Dense;
use super::rounding::{close, gamma};
use super::{SHAPES, Suite, nans, narrow};
use crate::backend::LinearBackend;
use crate::reduce;
use crate::scalar::Scalar;

const COUNTS: [usize; 4] = [1, 2, 8, 11];

/// How a slice holds several vectors.
#[derive(Clone, Copy)]
enum Layout {
    /// One after the other.
    InTurn,
    /// Entries of one number side by side.
    Alternate,
}

impl Layout {
    /// Where entry `i` of vector `k` of `count` is, each of this length.
    fn position(self, i: usize, length: usize, k: usize, count: usize) -> usize {
        match self {
            Self::InTurn => k * length + i,
            Self::Alternate => i * count + k,
        }
    }
}

impl<B: LinearBackend> Suite<'_, B> {
    pub(super) fn products_with_several_vectors(&mut self) {
        // The last two are large enough for threads and for every block of a product.
        for (m, n) in SHAPES.into_iter().chain([(520, 130), (1030, 260)]) {
            let dense = self.dense(m, n);
            let a = self.matrix(&dense);
            for count in COUNTS {
                let y = self.dense(m, count);
                let mut product = nans::<B>(count * n);
                let backend = self.backend;
                backend.mul_vecs_transposed(&a, count, &narrow(&y.values), &mut product);
                for (at, &got) in product.iter().enumerate() {
                    let (j, k) = (at / count, at % count);
                    let terms = (0..m).map(|i| dense.at(i, j) * y.at(i, k));
                    close::<B>(got, terms, || {
                        format!("mul_vecs_transposed {m}x{n}, entry {j} of vector {k} of {count}")
                    });
                }
                let multiply = |y: &[B::Scalar], x: &mut [B::Scalar]| {
                    backend.mul_vecs_transposed(&a, count, y, x);
                };
                self.is_alone(
                    "mul_vecs_transposed",
                    count,
                    (m, n),
                    Layout::Alternate,
                    multiply,
                );
            }
        }
    }

    /// The same residuals as those of one right-hand side are not asked for again: a vector's
    /// solution is compared with that of a solve of its own, which has them.
    pub(super) fn cholesky_solves_for_several_right_hand_sides(&mut self) {
        for n in [0, 1, 5, 33, 100, 260] {
            // Diagonally dominant: of a condition below 3.
            let a = Dense::from_fn(n, n, |i, j| match i == j {
                true => 2.0,
                false => 0.9 / (n as f64) * (((i * j) % 7) as f64 / 3.0 - 1.0),
            });
            let lower = self.matrix(&a);
            let outcome = self.backend.cholesky(&lower, &mut self.workspace);
            assert!(outcome.is_ok(), "cholesky refused a dominant diagonal");
            let Ok(factor) = outcome else { continue };
            let backend = self.backend;
            for count in COUNTS {
                let b = self.dense(count, n);
                let mut together = narrow::<B::Scalar>(&b.values);
                let mut workspace = B::Workspace::default();
                backend.cholesky_solve(&factor, &mut together, &mut workspace);
                for (k, together) in together.chunks(n.max(1)).enumerate() {
                    let mut alone = narrow::<B::Scalar>(&b.values[k * n..][..n]);
                    backend.cholesky_solve(&factor, &mut alone, &mut workspace);
                    let size = reduce::norm(&alone).to_f64();
                    let apart: Vec<_> = alone.iter().zip(together).map(|(&a, &b)| a - b).collect();
                    // Both are within 3 · γ of the exact one.
                    let bound = 6.0 * gamma::<B>(3 * n + 10) * size;
                    assert!(
                        reduce::norm(&apart).to_f64() <= bound,
                        "cholesky_solve of order {n}, vector {k} of {count}"
                    );
                }
                let solve = |b: &[B::Scalar], x: &mut [B::Scalar]| {
                    x.copy_from_slice(b);
                    backend.cholesky_solve(&factor, x, &mut B::Workspace::default());
                };
                self.is_alone("cholesky_solve", count, (n, n), Layout::InTurn, solve);
            }
        }
    }

    /// A vector of length `from` gives the same bits of length `to` in every place, beside zeros,
    /// other numbers and NaN.
    fn is_alone(
        &mut self,
        kernel: &str,
        count: usize,
        (from, to): (usize, usize),
        layout: Layout,
        apply: impl Fn(&[B::Scalar], &mut [B::Scalar]),
    ) {
        let vector: Vec<B::Scalar> = narrow(&self.dense(1, from).values);
        let mut expected: Option<Vec<B::Scalar>> = None;
        let others = self.dense(count, from).values;
        for others in [
            vec![0.0; count * from],
            others,
            vec![f64::NAN; count * from],
        ] {
            for place in 0..count {
                let mut all: Vec<B::Scalar> = narrow(&others);
                for (i, &entry) in vector.iter().enumerate() {
                    all[layout.position(i, from, place, count)] = entry;
                }
                let mut results = nans::<B>(count * to);
                apply(&all, &mut results);
                let result: Vec<_> = (0..to)
                    .map(|i| results[layout.position(i, to, place, count)])
                    .collect();
                let expected = expected.get_or_insert_with(|| result.clone());
                assert!(
                    result == *expected,
                    "{kernel} of {from} to {to}: vector {place} of {count} depends on the others"
                );
            }
        }
    }
}
