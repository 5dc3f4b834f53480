//! From the name of a backend to its type: the only place that lists them.

use crate::forked::is_child;
use crate::input_error::of_call;
use crate::settings::Backend;
use pyo3::PyResult;
use std::sync::OnceLock;
use twolayer::{Error, LinearBackend, Scalar, TwoLayer};
use twolayer_faer::{Faer, FaerScalar};
use twolayer_nalgebra::{Nalgebra, NalgebraScalar};
use twolayer_ndarray::{Ndarray, NdarrayScalar};

/// What the backends and NumPy together ask of a number: `f32` and `f64` have it.
pub(crate) trait Number:
    numpy::Element + FaerScalar + NalgebraScalar + NdarrayScalar
{
}

impl<T: numpy::Element + FaerScalar + NalgebraScalar + NdarrayScalar> Number for T {}

/// A network on every backend that it was asked for on. The matrices are faer's; another backend copies them
/// the first time.
#[derive(Debug)]
pub(crate) struct Networks<T: Number> {
    faer: TwoLayer<Faer<T>>,
    nalgebra: OnceLock<TwoLayer<Nalgebra<T>>>,
    ndarray: OnceLock<TwoLayer<Ndarray<T>>>,
}

/// What is done the same way on every backend.
pub(crate) trait Work<T: Scalar> {
    /// What comes out, whatever the backend.
    type Output;

    /// Does it on one backend.
    fn on<B: LinearBackend<Scalar = T>>(self, network: &TwoLayer<B>) -> PyResult<Self::Output>;
}

impl<T: Number> Networks<T> {
    pub(crate) fn new(faer: TwoLayer<Faer<T>>) -> Self {
        Self {
            faer,
            nalgebra: OnceLock::new(),
            ndarray: OnceLock::new(),
        }
    }

    /// The network that the others are copies of.
    pub(crate) fn original(&self) -> &TwoLayer<Faer<T>> {
        &self.faer
    }

    /// Does `work` on the backend that was asked for.
    pub(crate) fn on<W: Work<T>>(&self, backend: Backend, work: W) -> PyResult<W::Output> {
        match backend {
            Backend::Faer if is_child() => work.on(&self.faer.with_threads(1)),
            Backend::Faer => work.on(&self.faer),
            Backend::Nalgebra => work.on(kept(&self.nalgebra, &self.faer)?),
            Backend::Ndarray => work.on(kept(&self.ndarray, &self.faer)?),
        }
    }
}

/// The copy that is there, or a new one. Of two threads that make one at the same time, one drops its own.
fn kept<'k, T: Number, B: LinearBackend<Scalar = T> + Default>(
    place: &'k OnceLock<TwoLayer<B>>,
    network: &TwoLayer<Faer<T>>,
) -> PyResult<&'k TwoLayer<B>> {
    if let Some(kept) = place.get() {
        return Ok(kept);
    }
    let copy = copied(network, B::default()).map_err(of_call)?;
    Ok(place.get_or_init(|| copy))
}

fn copied<T: Number, B: LinearBackend<Scalar = T>>(
    network: &TwoLayer<Faer<T>>,
    backend: B,
) -> Result<TwoLayer<B>, Error> {
    let copy = |a| {
        let values = row_major(network.backend(), a);
        let ncols = network.backend().ncols(a);
        let mut copy = backend.zeros(values.len() / ncols, ncols);
        backend.copy_from_row_major(&values, &mut copy);
        copy
    };
    let (a1, a2) = (copy(network.a1()), copy(network.a2()));
    let (bias1, bias2) = (network.bias1().to_vec(), network.bias2().to_vec());
    TwoLayer::new(backend, a1, a2)?.with_biases(bias1, bias2)
}

/// The entries of a matrix, row after row.
pub(crate) fn row_major<B: LinearBackend>(backend: &B, a: &B::Matrix) -> Vec<B::Scalar> {
    let length = backend.nrows(a) * backend.ncols(a);
    let mut values = vec![B::Scalar::default(); length];
    backend.copy_to_row_major(a, &mut values);
    values
}
