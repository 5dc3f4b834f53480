//! The native half of the Python package `twolayer`: arrays in, arrays out.
//!
//! What a user calls, with its words and its conveniences, is Python (`python/twolayer`). Here a network is
//! copied once into a backend's matrices, a call becomes one campaign, and while it runs the calling thread
//! hears signals and calls back: where one thread has all the work, by turns with it.

mod answer;
mod arrays;
mod attend;
mod backend;
mod derivatives;
mod forked;
mod host;
mod input_error;
mod nearest;
mod network;
mod outputs;
mod problem;
mod settings;
mod trace;
mod whole;

#[pyo3::pymodule]
mod _twolayer {
    #[pymodule_export]
    use crate::derivatives::NoDerivative;
    #[pymodule_export]
    use crate::input_error::InputError;
    #[pymodule_export]
    use crate::network::Network;
    #[pymodule_export]
    use crate::problem::Problem;
    use crate::trace::TRACE_COLUMNS;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::forked::listen(module)?;
        module.add("TRACE_COLUMNS", TRACE_COLUMNS)
    }
}
