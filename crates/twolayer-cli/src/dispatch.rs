//! From the names of a backend and a precision to their types: the only place that lists both.

use crate::args::{Backend, Precision, ProblemArgs};
use crate::error::{Error, in_file};
use crate::problem_file::{Matrix, Problem};
use std::path::Path;
use twolayer_core::{LinearBackend, TwoLayer};
use twolayer_faer::Faer;
use twolayer_nalgebra::Nalgebra;
use twolayer_ndarray::Ndarray;

/// A backend beside which the same library can be had in single precision.
pub(crate) trait Library: LinearBackend {
    /// The library in single precision.
    type Single: LinearBackend;

    /// The library in single precision, on as many threads as there are cores.
    fn in_single_precision(&self) -> Self::Single;
}

impl<T> Library for Faer<T>
where
    Self: LinearBackend,
{
    type Single = Faer<f32>;

    fn in_single_precision(&self) -> Faer<f32> {
        Faer::default()
    }
}

impl<T> Library for Nalgebra<T>
where
    Self: LinearBackend,
{
    type Single = Nalgebra<f32>;

    fn in_single_precision(&self) -> Nalgebra<f32> {
        Nalgebra::default()
    }
}

impl<T> Library for Ndarray<T>
where
    Self: LinearBackend,
{
    type Single = Ndarray<f32>;

    fn in_single_precision(&self) -> Ndarray<f32> {
        Ndarray::default()
    }
}

/// What is done the same way on every backend.
pub(crate) trait Work {
    /// What comes out, whatever the backend.
    type Output;

    /// Does it on one backend.
    fn on<B: Library>(self, backend: B) -> Result<Self::Output, Error>;
}

/// Does `work` on the backend and in the precision that were asked for.
pub(crate) fn dispatch<W: Work>(args: &ProblemArgs, work: W) -> Result<W::Output, Error> {
    match (args.backend, args.precision) {
        (Backend::Faer, Precision::F32) => work.on(Faer::<f32>::default()),
        (Backend::Faer, Precision::F64) => work.on(Faer::<f64>::default()),
        (Backend::Nalgebra, Precision::F32) => work.on(Nalgebra::<f32>::default()),
        (Backend::Nalgebra, Precision::F64) => work.on(Nalgebra::<f64>::default()),
        (Backend::Ndarray, Precision::F32) => work.on(Ndarray::<f32>::default()),
        (Backend::Ndarray, Precision::F64) => work.on(Ndarray::<f64>::default()),
    }
}

/// The problem's network in the matrices of a backend. The problem gives up its own copy of each
/// as soon as the backend has one.
pub(crate) fn network<B: LinearBackend>(
    backend: B,
    path: &Path,
    problem: &mut Problem<B::Scalar>,
) -> Result<TwoLayer<B>, Error> {
    let load = |matrix: &mut Matrix<B::Scalar>| {
        let mut loaded = backend.zeros(matrix.rows, matrix.columns);
        backend.copy_from_row_major(&std::mem::take(&mut matrix.values), &mut loaded);
        loaded
    };
    let (a1, a2) = (load(&mut problem.a1), load(&mut problem.a2));
    TwoLayer::new(backend, a1, a2)
        .and_then(|network| network.with_biases(problem.bias1.clone(), problem.bias2.clone()))
        .map_err(in_file(path, None))
}
