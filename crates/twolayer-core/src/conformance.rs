//! One suite that holds every backend to the promises of [`LinearBackend`].
//!
//! Every kernel is compared with plain loops in double precision, to the error bound of a sum of
//! products in any order: |error| ≤ γ_k |A||B|, γ_k = k u / (1 − k u), k the number of terms. A
//! new backend is right for the solvers when [`check`] passes, which panics with the kernel and
//! the shape where it does not.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a suite's way to fail"
)]

mod cholesky;
mod combinations;
mod dense;
mod entries;
mod gram;
mod products;
mod qr;
mod rounding;
mod several;

use crate::backend::LinearBackend;
use crate::scalar::Scalar;
use dense::Dense;

/// Checks every kernel of `backend` on matrices that `zeros(nrows, ncols)` makes, in the layout of
/// the caller's choice. `random` gives numbers in [−1, 1).
///
/// # Panics
/// Where a kernel breaks a promise.
pub fn check<B: LinearBackend>(
    backend: &B,
    zeros: &dyn Fn(usize, usize) -> B::Matrix,
    random: &mut dyn FnMut() -> f64,
) {
    let mut suite = Suite {
        backend,
        zeros,
        random,
        workspace: Default::default(),
    };
    assert!(!backend.name().is_empty());
    suite.copies();
    suite.finds_what_is_not_finite();
    suite.norms_of_rows();
    suite.products_with_a_vector();
    suite.products_with_several_vectors();
    suite.products_over_chosen_columns();
    suite.products_over_chosen_inner_indices();
    suite.products_that_are_added();
    suite.combinations_of_rows();
    suite.centering();
    suite.gram_matrices();
    suite.cholesky_solves();
    suite.cholesky_solves_for_several_right_hand_sides();
    suite.cholesky_refuses_what_is_not_positive_definite();
    suite.qr_reproduces_the_matrix();
    suite.qr_solves_ill_conditioned_least_squares();
}

/// What is checked, and all that it takes. One workspace serves every shape, larger and smaller.
struct Suite<'a, B: LinearBackend> {
    backend: &'a B,
    zeros: &'a dyn Fn(usize, usize) -> B::Matrix,
    random: &'a mut dyn FnMut() -> f64,
    workspace: B::Workspace,
}

/// Shapes with every edge that a kernel may trip over: no rows or columns, one of them, less than
/// a vector register, and large enough for blocks, panels and threads.
const SHAPES: [(usize, usize); 13] = [
    (0, 0),
    (0, 3),
    (3, 0),
    (1, 1),
    (1, 9),
    (9, 1),
    (5, 4),
    (4, 5),
    (33, 65),
    (130, 17),
    (3, 4100),
    (4100, 3),
    (2100, 300),
];

impl<B: LinearBackend> Suite<'_, B> {
    /// Random entries that are numbers of the backend's precision.
    fn dense(&mut self, nrows: usize, ncols: usize) -> Dense {
        Dense::from_fn(nrows, ncols, |_, _| B::Scalar::of((self.random)()).to_f64())
    }

    fn matrix(&self, dense: &Dense) -> B::Matrix {
        let mut a = (self.zeros)(dense.nrows, dense.ncols);
        self.backend
            .copy_from_row_major(&narrow(&dense.values), &mut a);
        a
    }

    fn entries(&self, a: &B::Matrix) -> Dense {
        let (nrows, ncols) = (self.backend.nrows(a), self.backend.ncols(a));
        let mut values = nans::<B>(nrows * ncols);
        self.backend.copy_to_row_major(a, &mut values);
        Dense {
            nrows,
            ncols,
            values: values.iter().map(|v| v.to_f64()).collect(),
        }
    }

    /// None, all, the first, the last and about half of `0..n`.
    fn subsets(&mut self, n: usize) -> Vec<Vec<usize>> {
        let half = (0..n).filter(|_| (self.random)() < 0.0).collect();
        let mut subsets = vec![vec![], (0..n).collect(), half];
        if n > 1 {
            subsets.extend([vec![0], vec![n - 1]]);
        }
        subsets
    }
}

fn narrow<T: Scalar>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&v| T::of(v)).collect()
}

fn nans<B: LinearBackend>(length: usize) -> Vec<B::Scalar> {
    vec![B::Scalar::of(f64::NAN); length]
}
