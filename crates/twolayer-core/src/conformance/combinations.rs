//! Sums of rows, and products that are added to what is there.

use super::dense::{Dense, positions, spoil_columns};
use super::rounding::close;
use super::{Suite, narrow};
use crate::backend::LinearBackend;
use crate::scalar::Scalar;

impl<B: LinearBackend> Suite<'_, B> {
    pub(super) fn products_that_are_added(&mut self) {
        for (m, n, d) in [
            (0, 3, 2),
            (3, 0, 2),
            (1, 1, 1),
            (7, 9, 1),
            (67, 31, 13),
            (2010, 6, 5),
        ] {
            for inner in self.subsets(n) {
                let (mut left, right) = (self.dense(m, n), self.dense(n, d));
                spoil_columns(&mut left, &inner);
                let before = self.dense(m, d);
                let factors = self.dense(inner.len(), 1).values;
                let (a, b) = (self.matrix(&left), self.matrix(&right));
                let mut out = self.matrix(&before);
                self.backend.add_inner(
                    &a,
                    &inner,
                    &narrow::<B::Scalar>(&factors),
                    &b,
                    &mut out,
                    &mut self.workspace,
                );
                let out = self.entries(&out);
                for (i, j) in positions(m, d) {
                    let products = inner.iter().zip(&factors);
                    let products =
                        products.map(|(&k, factor)| left.at(i, k) * factor * right.at(k, j));
                    let terms = products.chain([before.at(i, j)]);
                    close::<B>(B::Scalar::of(out.at(i, j)), terms, || {
                        format!("add_inner {m}x{n}x{d} over {}, ({i}, {j})", inner.len())
                    });
                }
            }
        }
    }

    pub(super) fn combinations_of_rows(&mut self) {
        for (m, n, s) in [
            (0, 3, 2_usize),
            (3, 0, 2),
            (1, 1, 1),
            (9, 4, 1),
            (300, 7, 11),
        ] {
            let dense = self.dense(m, n);
            let factors = self.dense(m, 1).values;
            // Some rows of the result get none.
            let buckets: Vec<usize> = (0..m).map(|i| (i * i + 3) % s.div_ceil(2)).collect();
            let a = self.matrix(&dense);
            let mut out = self.matrix(&Dense::from_fn(s, n, |_, _| f64::NAN));
            let narrowed = narrow::<B::Scalar>(&factors);
            self.backend.combine_rows(&a, &buckets, &narrowed, &mut out);
            let out = self.entries(&out);
            for (bucket, j) in positions(s, n) {
                let rows = (0..m).filter(|&i| buckets[i] == bucket);
                let terms = rows.map(|i| factors[i] * dense.at(i, j));
                close::<B>(B::Scalar::of(out.at(bucket, j)), terms, || {
                    format!("combine_rows {m}x{n} to {s}, entry ({bucket}, {j})")
                });
            }
        }
    }
}
