//! From the name of a backend to its type: the only place that lists them.

use crate::forked::is_child;
use crate::input_error::of_call;
use crate::settings::Backend;
use pyo3::PyResult;
use std::sync::OnceLock;
use twolayer::{AnyNetwork, Error, LinearBackend, NetworkRef, Scalar};
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
    faer: AnyNetwork<Faer<T>>,
    nalgebra: OnceLock<AnyNetwork<Nalgebra<T>>>,
    ndarray: OnceLock<AnyNetwork<Ndarray<T>>>,
}

/// What is done the same way on every backend.
pub(crate) trait Work<T: Scalar> {
    /// What comes out, whatever the backend.
    type Output;

    /// Does it on one backend.
    fn on<B: LinearBackend<Scalar = T>>(self, network: NetworkRef<'_, B>)
    -> PyResult<Self::Output>;
}

impl<T: Number> Networks<T> {
    pub(crate) fn new(faer: AnyNetwork<Faer<T>>) -> Self {
        Self {
            faer,
            nalgebra: OnceLock::new(),
            ndarray: OnceLock::new(),
        }
    }

    /// The network that the others are copies of.
    pub(crate) fn original(&self) -> NetworkRef<'_, Faer<T>> {
        self.faer.by_ref()
    }

    /// Does `work` on the backend that was asked for.
    pub(crate) fn on<W: Work<T>>(&self, backend: Backend, work: W) -> PyResult<W::Output> {
        match backend {
            Backend::Faer if is_child() => work.on(self.original().with_threads(1).by_ref()),
            Backend::Faer => work.on(self.original()),
            Backend::Nalgebra => work.on(kept(&self.nalgebra, self.original())?),
            Backend::Ndarray => work.on(kept(&self.ndarray, self.original())?),
        }
    }
}

/// The copy that is there, or a new one. Of two threads that make one at the same time, one drops its own.
fn kept<'k, T: Number, B: LinearBackend<Scalar = T> + Default>(
    place: &'k OnceLock<AnyNetwork<B>>,
    network: NetworkRef<'_, Faer<T>>,
) -> PyResult<NetworkRef<'k, B>> {
    if let Some(kept) = place.get() {
        return Ok(kept.by_ref());
    }
    let copy = copied(network, B::default()).map_err(of_call)?;
    Ok(place.get_or_init(|| copy).by_ref())
}

fn copied<T: Number, B: LinearBackend<Scalar = T>>(
    network: NetworkRef<'_, Faer<T>>,
    backend: B,
) -> Result<AnyNetwork<B>, Error> {
    let copy = |a| {
        let values = row_major(network.backend(), a);
        let ncols = network.backend().ncols(a);
        let mut copy = backend.zeros(values.len() / ncols, ncols);
        backend.copy_from_row_major(&values, &mut copy);
        copy
    };
    let layers = network.layers().into_iter();
    let (weights, biases) = layers.map(|(a, c)| (copy(a), c.to_vec())).unzip();
    AnyNetwork::new(backend.clone(), weights, biases, network.activations())
}

/// The entries of a matrix, row after row.
pub(crate) fn row_major<B: LinearBackend>(backend: &B, a: &B::Matrix) -> Vec<B::Scalar> {
    let length = backend.nrows(a) * backend.ncols(a);
    let mut values = vec![B::Scalar::default(); length];
    backend.copy_to_row_major(a, &mut values);
    values
}
