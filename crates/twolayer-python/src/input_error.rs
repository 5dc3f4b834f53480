//! What is wrong with an argument, as an exception.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use twolayer::Error;

pyo3::create_exception!(
    twolayer,
    InputError,
    PyValueError,
    "An argument that cannot be worked on. `argument` is its name, `None` where no single one is at fault."
);

/// The exception with the argument's name and the library's own words.
pub(crate) fn refused(argument: Option<&str>, message: String) -> PyErr {
    let error = InputError::new_err(message);
    Python::attach(|py| match error.value(py).setattr("argument", argument) {
        Ok(()) => error,
        Err(other) => other,
    })
}

/// What a target of a call is refused for; `index` is its number where there are several.
pub(crate) fn of_target(index: Option<usize>) -> impl FnOnce(Error) -> PyErr {
    move |error| {
        let message = match index {
            Some(index) => format!("target {index}: {error}"),
            None => error.to_string(),
        };
        refused(argument(&error), message)
    }
}

/// As [`of_target`], for what concerns all of a call.
pub(crate) fn of_call(error: Error) -> PyErr {
    of_target(None)(error)
}

fn argument(error: &Error) -> Option<&'static str> {
    match error {
        Error::Shape { name, .. }
        | Error::Empty { name, .. }
        | Error::NotFinite { name, .. }
        | Error::NegativeProbability { name, .. }
        | Error::Bound { name, .. }
        | Error::NotNormalized { name, .. }
        | Error::Bias { name, .. }
        | Error::NoOutcome { name }
        | Error::Parameter { name, .. } => Some(name),
        Error::StartOutsideBall { .. } => Some("x0"),
        Error::Impossible { .. } | Error::AtInfinity { .. } => Some("b"),
        Error::Overflow { at, .. } => Some(at),
        _ => None,
    }
}
