//! From the names of a backend and a precision to their types: the only place that lists both.

use crate::args::{Backend, Precision, ProblemArgs};
use crate::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use twolayer::LinearBackend;
use twolayer_faer::Faer;
use twolayer_nalgebra::Nalgebra;
use twolayer_ndarray::Ndarray;

/// A backend whose numbers can be kept in a file.
pub(crate) trait Library: LinearBackend<Scalar: Serialize + DeserializeOwned> {}

impl<B: LinearBackend<Scalar: Serialize + DeserializeOwned>> Library for B {}

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
