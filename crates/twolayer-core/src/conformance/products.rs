//! Products: with a vector, over chosen columns, over chosen inner indices.

use super::dense::{Dense, positions, spoil_columns};
use super::rounding::close;
use super::{SHAPES, Suite, nans, narrow};
use crate::backend::LinearBackend;
use crate::scalar::Scalar;

impl<B: LinearBackend> Suite<'_, B> {
    pub(super) fn products_with_a_vector(&mut self) {
        for (m, n) in SHAPES {
            let dense = self.dense(m, n);
            let a = self.matrix(&dense);
            let (x, y) = (self.dense(n, 1).values, self.dense(m, 1).values);

            let mut product = nans::<B>(m);
            self.backend.mul_vec(&a, &narrow(&x), &mut product);
            for (i, &got) in product.iter().enumerate() {
                let terms = (0..n).map(|j| dense.at(i, j) * x[j]);
                close::<B>(got, terms, || format!("mul_vec {m}x{n}, entry {i}"));
            }

            let mut product = nans::<B>(n);
            self.backend
                .mul_vec_transposed(&a, &narrow(&y), &mut product);
            for (j, &got) in product.iter().enumerate() {
                let terms = (0..m).map(|i| dense.at(i, j) * y[i]);
                close::<B>(got, terms, || {
                    format!("mul_vec_transposed {m}x{n}, entry {j}")
                });
            }
        }
    }

    pub(super) fn products_over_chosen_columns(&mut self) {
        for (m, n) in SHAPES {
            for columns in self.subsets(n) {
                let mut dense = self.dense(m, n);
                // What must not be read is poisoned.
                spoil_columns(&mut dense, &columns);
                let a = self.matrix(&dense);
                let k = columns.len();
                let (x, y) = (self.dense(k, 1).values, self.dense(m, 1).values);

                let mut product = nans::<B>(m);
                self.backend
                    .mul_vec_columns(&a, &columns, &narrow(&x), &mut product);
                for (i, &got) in product.iter().enumerate() {
                    let terms = columns.iter().zip(&x).map(|(&j, x)| dense.at(i, j) * x);
                    close::<B>(got, terms, || {
                        format!("mul_vec_columns {m}x{n}, {k} columns, entry {i}")
                    });
                }

                let mut product = nans::<B>(k);
                self.backend
                    .mul_vec_transposed_columns(&a, &columns, &narrow(&y), &mut product);
                for (&j, &got) in columns.iter().zip(&product) {
                    let terms = (0..m).map(|i| dense.at(i, j) * y[i]);
                    close::<B>(got, terms, || {
                        format!("mul_vec_transposed_columns {m}x{n}, {k} columns, column {j}")
                    });
                }

                let (y, other_y) = (
                    narrow::<B::Scalar>(&y),
                    narrow::<B::Scalar>(&self.dense(m, 1).values),
                );
                let (mut first, mut second) = (nans::<B>(k), nans::<B>(k));
                self.backend.mul_two_vecs_transposed_columns(
                    &a,
                    &columns,
                    [&other_y, &y],
                    [&mut first, &mut second],
                );
                assert_eq!(second, product, "two vectors, {m}x{n}, {k} columns");
                self.backend
                    .mul_vec_transposed_columns(&a, &columns, &other_y, &mut product);
                assert_eq!(first, product, "two vectors, {m}x{n}, {k} columns");
            }
        }
    }

    pub(super) fn products_over_chosen_inner_indices(&mut self) {
        let shapes = [
            (0, 3, 2),
            (3, 0, 2),
            (3, 2, 0),
            (1, 1, 1),
            (7, 9, 1),
            (1, 9, 7),
            (6, 40, 5),
            (67, 31, 13),
            (2010, 6, 5),
            (4100, 30, 20),
            (5, 4, 3),
        ];
        for (m, n, d) in shapes {
            for inner in self.subsets(n) {
                let (mut left, mut right) = (self.dense(m, n), self.dense(n, d));
                spoil_columns(&mut left, &inner);
                for i in (0..n).filter(|i| !inner.contains(i)) {
                    right.values[i * d..][..d].fill(f64::NAN);
                }
                let (a, b) = (self.matrix(&left), self.matrix(&right));
                let mut out = self.matrix(&Dense::from_fn(m, d, |_, _| f64::NAN));
                self.backend
                    .mul_inner(&a, &inner, &b, &mut out, &mut self.workspace);
                let out = self.entries(&out);
                for (i, j) in positions(m, d) {
                    let terms = inner.iter().map(|&k| left.at(i, k) * right.at(k, j));
                    close::<B>(B::Scalar::of(out.at(i, j)), terms, || {
                        format!(
                            "mul_inner {m}x{n}x{d} over {}, entry ({i}, {j})",
                            inner.len()
                        )
                    });
                }
                // Every third row from the last up, and one of them twice.
                let mut rows: Vec<usize> = (0..m).rev().step_by(3).collect();
                rows.extend(rows.first().copied());
                let mut out = self.matrix(&Dense::from_fn(rows.len(), d, |_, _| f64::NAN));
                self.backend
                    .mul_inner_rows(&a, &rows, &inner, &b, &mut out, &mut self.workspace);
                let out = self.entries(&out);
                for (i, j) in positions(rows.len(), d) {
                    let terms = inner.iter().map(|&k| left.at(rows[i], k) * right.at(k, j));
                    close::<B>(B::Scalar::of(out.at(i, j)), terms, || {
                        format!("mul_inner_rows {m}x{n}x{d}, entry ({i}, {j})")
                    });
                }
            }
        }
    }
}
