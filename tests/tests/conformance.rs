//! The conformance suite over every backend, precision, layout and number of threads.

use ndarray::{Array2, Axis, ShapeBuilder, Slice};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer::{LinearBackend, Scalar};
use twolayer_core::conformance;
use twolayer_faer::Faer;
use twolayer_ndarray::{Ndarray, NdarrayScalar, ndarray};
use twolayer_tests::for_each_backend;

/// The suite on `backend`, with its matrices made by `zeros`.
fn check_with<B: LinearBackend>(backend: &B, zeros: impl Fn(usize, usize) -> B::Matrix) {
    let mut generator = ChaCha8Rng::seed_from_u64(20_240_611);
    conformance::check(backend, &zeros, &mut || generator.random_range(-1.0..1.0));
}

fn check<B: LinearBackend>(backend: &B) {
    check_with(backend, |nrows, ncols| backend.zeros(nrows, ncols));
}

for_each_backend!(check);

#[test]
fn faer_on_one_thread() {
    check(&Faer::<f64>::sequential());
    check(&Faer::<f32>::with_threads(1));
}

#[test]
fn faer_on_two_threads() {
    check(&Faer::<f64>::with_threads(2));
    check(&Faer::<f32>::with_threads(2));
}

fn check_layout<T: NdarrayScalar>(zeros: impl Fn(usize, usize) -> Array2<T>) {
    check_with(&Ndarray::<T>::default(), zeros);
}

fn column_major<T: NdarrayScalar>(nrows: usize, ncols: usize) -> Array2<T> {
    Array2::from_elem((nrows, ncols).f(), <T as Scalar>::of(0.0))
}

/// Every second row of a larger array, the columns in reverse: contiguous in no order.
fn strided<T: NdarrayScalar>(nrows: usize, ncols: usize) -> Array2<T> {
    let mut a = Array2::from_elem((2 * nrows, ncols), <T as Scalar>::of(0.0));
    a.slice_axis_inplace(Axis(0), Slice::new(0, None, 2));
    a.invert_axis(Axis(1));
    a
}

#[test]
fn ndarray_column_major() {
    check_layout(column_major::<f64>);
    check_layout(column_major::<f32>);
}

#[test]
fn ndarray_strided() {
    check_layout(strided::<f64>);
    check_layout(strided::<f32>);
}
