//! Products with the derivatives of an answer.

use crate::arrays::{array, matrix};
use crate::backend::{Number, Work};
use crate::input_error::of_call;
use crate::whole::Whole;
use pyo3::exceptions::PyArithmeticError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use twolayer::{Change, Gradients, LinearBackend, NetworkRef, Scalar, Sensitivity};

pyo3::create_exception!(
    twolayer,
    NoDerivative,
    PyArithmeticError,
    "An answer has no derivative, or none that rounding leaves a digit of. `reason` is a word for why: \
     ``\"not-converged\"``, ``\"at-infinity\"``, ``\"rough\"``, ``\"not-strict\"``, ``\"corner\"`` or ``\"unknown\"``."
);

/// The exception with the library's own words.
fn refused(error: twolayer::NoDerivative) -> PyErr {
    if let twolayer::NoDerivative::Input(error) = error {
        return of_call(error);
    }
    let exception = NoDerivative::new_err(error.to_string());
    Python::attach(
        |py| match exception.value(py).setattr("reason", error.name()) {
            Ok(()) => exception,
            Err(other) => other,
        },
    )
}

/// An answer: x, and the kinks and bounds that hold it.
pub(crate) struct AnswerAt<'a, T: Number> {
    whole: &'a Whole<T>,
    x: &'a [f64],
    pinned: &'a [usize],
}

impl<'a, T: Number> AnswerAt<'a, T> {
    /// Of a problem, with the kinks and bounds `pinned`.
    pub(crate) fn new(whole: &'a Whole<T>, x: &'a [f64], pinned: &'a [usize]) -> Self {
        Self { whole, x, pinned }
    }

    /// Does some work with the derivatives.
    fn with<B: LinearBackend<Scalar = T>, R>(
        &self,
        network: NetworkRef<'_, B>,
        work: impl FnOnce(&Sensitivity<'_, B>) -> Result<R, twolayer::NoDerivative>,
    ) -> PyResult<R> {
        let Whole { target, stated, .. } = self.whole;
        let objective = stated.inversion(network, target).map_err(of_call)?;
        let x: Vec<T> = narrow(self.x);
        let sensitivity = Sensitivity::at_minimum(&objective, &x, self.pinned).map_err(refused)?;
        work(&sensitivity).map_err(refused)
    }
}

fn narrow<T: Scalar>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&value| T::of(value)).collect()
}

fn wide<T: Scalar>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&value| Scalar::to_f64(value)).collect()
}

/// How x moves along a change of b.
pub(crate) struct AlongTarget<'a, T: Number> {
    pub(crate) answer: AnswerAt<'a, T>,
    pub(crate) change: &'a [f64],
}

impl<T: Number> Work<T> for AlongTarget<'_, T> {
    type Output = Vec<f64>;

    fn on<B: LinearBackend<Scalar = T>>(self, network: NetworkRef<'_, B>) -> PyResult<Vec<f64>> {
        let change: Vec<T> = narrow(self.change);
        self.answer.with(network, |sensitivity| {
            let dx = sensitivity.jvp(&Change::new().with_target(&change))?;
            Ok(wide(&dx))
        })
    }
}

/// The gradient of vᵀx by what the problem is made of.
pub(crate) struct OfAnswer<'a, T: Number> {
    pub(crate) answer: AnswerAt<'a, T>,
    pub(crate) v: &'a [f64],
}

impl<T: Number> Work<T> for OfAnswer<'_, T> {
    type Output = Gradients<T>;

    fn on<B: LinearBackend<Scalar = T>>(
        self,
        network: NetworkRef<'_, B>,
    ) -> PyResult<Gradients<T>> {
        let v: Vec<T> = narrow(self.v);
        self.answer.with(network, |sensitivity| sensitivity.vjp(&v))
    }
}

/// Gradients as arrays by the arguments' names; those of the layers where they are `asked` for.
pub(crate) fn mapping<T: Number>(
    py: Python<'_>,
    gradients: Gradients<T>,
    asked: bool,
) -> PyResult<Bound<'_, PyDict>> {
    let all = PyDict::new(py);
    let vectors = [
        ("b", &gradients.target),
        ("regularizer", &gradients.regularizer),
        ("near", &gradients.reference),
        ("lower", &gradients.lower),
        ("upper", &gradients.upper),
    ];
    for (name, vector) in vectors {
        let vector = vector.as_ref().map(|vector| array(py, vector));
        all.set_item(name, vector)?;
    }
    all.set_item("radius", gradients.radius.map(Scalar::to_f64))?;
    let (layers, biases) = (PyList::empty(py), PyList::empty(py));
    for layer in gradients.layers.iter().filter(|_| asked) {
        let (rows, columns) = (layer.left[0].len(), layer.right[0].len());
        let mut values = vec![T::zero(); rows * columns];
        layer.write_weights(&mut values);
        layers.append(matrix(py, values, rows, columns)?)?;
        biases.append(array(py, &layer.bias))?;
    }
    all.set_item("layers", layers)?;
    all.set_item("biases", biases)?;
    Ok(all)
}
