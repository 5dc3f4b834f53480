//! Arrays from Python and to it.

use crate::backend::Number;
use crate::input_error::refused;
use numpy::{
    PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArrayDyn, ToPyArray,
};
use pyo3::prelude::*;
use twolayer::LinearBackend;

/// About so many numbers are copied at a time.
const BAND: usize = 1 << 16;

/// Copies a matrix of any layout into a backend's own, some rows at a time.
pub(crate) fn copied<B: LinearBackend<Scalar: Number>>(
    backend: &B,
    array: &PyReadonlyArray2<'_, B::Scalar>,
) -> B::Matrix {
    let view = array.as_array();
    let (nrows, ncols) = view.dim();
    let mut matrix = backend.zeros(nrows, ncols);
    if nrows * ncols == 0 {
        return matrix;
    }
    let rows = (BAND / ncols).max(1);
    let mut values = Vec::with_capacity(rows.min(nrows) * ncols);
    for (number, band) in view
        .axis_chunks_iter(numpy::ndarray::Axis(0), rows)
        .enumerate()
    {
        values.clear();
        values.extend(band.iter().copied());
        backend.copy_block_from_row_major(&values, (number * rows, 0), ncols, &mut matrix);
    }
    matrix
}

/// A vector of any layout.
pub(crate) fn vector<T: Number>(array: &PyReadonlyArray1<'_, T>) -> Vec<T> {
    array.as_array().to_vec()
}

/// The numbers of an array, row after row, as they lie.
pub(crate) fn numbers<'a, T: Number>(
    name: &str,
    array: &'a PyReadonlyArrayDyn<'_, T>,
) -> PyResult<&'a [T]> {
    array.as_slice().map_err(|_| {
        let message = format!("{name} is not contiguous; numpy.ascontiguousarray makes it so");
        refused(Some(name), message)
    })
}

/// An array of rows of so many numbers each.
pub(crate) fn matrix<'py, T: numpy::Element>(
    py: Python<'py>,
    values: Vec<T>,
    rows: usize,
    columns: usize,
) -> PyResult<Bound<'py, PyArray2<T>>> {
    use numpy::PyArrayMethods;
    PyArray1::from_vec(py, values).reshape([rows, columns])
}

/// A copy of a slice as an array.
pub(crate) fn array<'py, T: numpy::Element>(
    py: Python<'py>,
    values: &[T],
) -> Bound<'py, PyArray1<T>> {
    values.to_pyarray(py)
}
