//! Copies, and the search for what is not finite.

use super::dense::Dense;
use super::{SHAPES, Suite, narrow};
use crate::backend::LinearBackend;
use crate::norms::Norms;

impl<B: LinearBackend> Suite<'_, B> {
    pub(super) fn copies(&mut self) {
        for (m, n) in SHAPES {
            let fresh = self.backend.zeros(m, n);
            assert_eq!(
                (self.backend.nrows(&fresh), self.backend.ncols(&fresh)),
                (m, n)
            );
            assert!(
                self.entries(&fresh).values.iter().all(|&v| v == 0.0),
                "zeros {m}x{n}"
            );

            let dense = self.dense(m, n);
            let mut a = self.matrix(&dense);
            assert_eq!((self.backend.nrows(&a), self.backend.ncols(&a)), (m, n));
            assert_eq!(
                self.entries(&a).values,
                dense.values,
                "row-major copies of {m}x{n}"
            );
            let other = self.dense(m, n);
            self.backend
                .copy_from_row_major(&narrow(&other.values), &mut a);
            assert_eq!(self.entries(&a).values, other.values, "overwriting {m}x{n}");

            // All but a border of a third of the rows above and a quarter of the columns before, and
            // one column after.
            let (row, column) = (m / 3, n / 4);
            let width = (n - column).saturating_sub(1);
            let block = self.dense(m - row, width);
            let place = (row, column);
            let values = narrow(&block.values);
            self.backend
                .copy_block_from_row_major(&values, place, width, &mut a);
            let within = |i, j| i >= row && (column..column + width).contains(&j);
            let other = Dense::from_fn(m, n, |i, j| match within(i, j) {
                true => block.at(i - row, j - column),
                false => other.at(i, j),
            });
            assert_eq!(self.entries(&a).values, other.values, "a block of {m}x{n}");

            let mut whole = self.matrix(&Dense::from_fn(m, n, |_, _| f64::NAN));
            self.backend.copy(&a, &mut whole);
            assert_eq!(self.entries(&whole).values, other.values, "{m}x{n} copied");

            // Every second row, backwards, and the first once more.
            let mut rows: Vec<usize> = (0..m).step_by(2).rev().collect();
            rows.extend((0..m).take(1));
            let chosen = Dense::from_fn(rows.len(), n, |i, j| other.at(rows[i], j));
            let nans = Dense::from_fn(rows.len(), n, |_, _| f64::NAN);
            let mut copy = self.matrix(&nans);
            self.backend.copy_rows(&a, &rows, &mut copy);
            assert_eq!(self.entries(&copy).values, chosen.values, "rows of {m}x{n}");
        }
    }

    pub(super) fn norms_of_rows(&mut self) {
        for (m, n) in SHAPES {
            let dense = self.dense(m, n);
            let found = self.backend.row_norms(&self.matrix(&dense));
            for i in 0..m {
                let row = || (0..n).map(|j| dense.at(i, j));
                let expected = [
                    row().map(|v| v * v).sum::<f64>().sqrt(),
                    row().map(|v| v.powi(4)).sum::<f64>().powf(0.25),
                    row().fold(0.0, |most: f64, v| most.max(v.abs())),
                ];
                let Norms { two, four, largest } = found.get(i);
                for (found, expected) in [two, four, largest].into_iter().zip(expected) {
                    let error = (found - expected).abs();
                    assert!(error <= 1e-12 * expected, "norms of row {i} of {m}x{n}");
                }
            }
        }
    }

    pub(super) fn finds_what_is_not_finite(&mut self) {
        for (m, n) in SHAPES {
            let dense = self.dense(m, n);
            assert_eq!(self.backend.find_non_finite(&self.matrix(&dense)), None);
            if m * n == 0 {
                continue;
            }
            let places = [
                (0, 0),
                (m - 1, n - 1),
                (m / 2, n / 3),
                (0, n - 1),
                (m - 1, 0),
            ];
            for (place, bad) in places
                .into_iter()
                .zip([f64::NAN, f64::INFINITY].into_iter().cycle())
            {
                let mut spoilt = dense.clone();
                spoilt.values[place.0 * n + place.1] = bad;
                let found = self.backend.find_non_finite(&self.matrix(&spoilt));
                assert_eq!(found, Some(place), "find_non_finite of {bad} in {m}x{n}");
            }
        }
    }
}
