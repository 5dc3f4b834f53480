//! What came out of a call, as arrays and words.

use crate::arrays::{array, matrix};
use crate::backend::Number;
use crate::host::Answers;
use crate::trace;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use twolayer::{Solution, Status};
use twolayer_certificate::{Certificate, Verdict};

/// A problem that was not come to before the call was ended.
const NOT_REACHED: &str = "not-reached";

/// A mapping of fields with a leading K. Where a call was ended, the last problems have NaN and the status
/// `not-reached`.
pub(crate) fn mapping<T: Number>(
    py: Python<'_>,
    answers: Answers<T>,
    d: usize,
    m: usize,
) -> PyResult<Bound<'_, PyDict>> {
    let count = answers.count;
    let all = PyDict::new(py);
    let solutions: Vec<_> = answers.solved.iter().map(|s| &s.solution).collect();
    let numbers = |number: &dyn Fn(&Solution<T>) -> T| {
        let mut values: Vec<_> = solutions.iter().map(|s| number(s)).collect();
        values.resize(count, T::nan());
        array(py, &values)
    };
    let counts = |number: &dyn Fn(&Solution<T>) -> usize| {
        let mut values: Vec<_> = solutions.iter().map(|s| number(s) as i64).collect();
        values.resize(count, 0);
        array(py, &values)
    };
    let mut x: Vec<T> = solutions.iter().flat_map(|s| &s.x).copied().collect();
    x.resize(count * d, T::nan());
    all.set_item("x", matrix(py, x, count, d)?)?;
    all.set_item("fun", numbers(&|s| s.loss))?;
    all.set_item("gradient_norm", numbers(&|s| s.gradient_norm))?;
    all.set_item("jac", matrix(py, answers.gradients, count, d)?)?;
    all.set_item(
        "probabilities",
        matrix(py, answers.probabilities, count, m)?,
    )?;
    all.set_item("nit", counts(&|s| s.iterations))?;
    let seconds = solutions.iter().map(|s| s.seconds);
    let mut seconds: Vec<_> = seconds.collect();
    seconds.resize(count, f64::NAN);
    all.set_item("seconds", array(py, &seconds))?;
    let starts = answers.solved.iter().map(|s| s.starts as i64);
    let mut starts: Vec<_> = starts.collect();
    starts.resize(count, 0);
    all.set_item("starts", array(py, &starts))?;

    let mut success: Vec<_> = solutions.iter().map(|s| s.status.is_converged()).collect();
    success.resize(count, false);
    all.set_item("success", array(py, &success))?;
    let words = |word: &dyn Fn(&Solution<T>) -> String, missing: &str| {
        let mut words: Vec<_> = solutions.iter().map(|s| word(s)).collect();
        words.resize(count, missing.into());
        words
    };
    all.set_item("status", words(&|s| s.status.name().into(), NOT_REACHED))?;
    all.set_item("limit", words(&|s| s.limit.name().into(), "undetermined"))?;
    let missing = "the call was ended before this target was come to";
    all.set_item("message", words(&|s| message(s.status), missing))?;

    let kinks = PyList::empty(py);
    for index in 0..count {
        let pinned = solutions.get(index).map_or(&[][..], |s| &s.pinned);
        let pinned: Vec<_> = pinned.iter().map(|&unit| unit as i64).collect();
        kinks.append(array(py, &pinned))?;
    }
    all.set_item("active_kinks", kinks)?;
    all.set_item("trace_lengths", counts(&|s| s.trace.len()))?;
    let rows: Vec<_> = solutions
        .iter()
        .flat_map(|s| &s.trace)
        .flat_map(trace::row)
        .collect();
    let columns = trace::TRACE_COLUMNS.len();
    let length = rows.len() / columns;
    all.set_item("trace", matrix(py, rows, length, columns)?)?;

    let certificates = PyList::empty(py);
    for index in 0..count {
        let verdict = answers.verdicts.get(&index);
        certificates.append(verdict.map(|v| certificate(py, v)).transpose()?)?;
    }
    all.set_item("certificate", certificates)?;
    Ok(all)
}

/// The status in words, with what a user can do about it.
fn message(status: Status) -> String {
    match (status.advice(), status.is_converged()) {
        ("", true) => format!("converged: {status}"),
        ("", false) => format!("not converged: {status}"),
        (advice, true) => format!("converged: {status}: {advice}"),
        (advice, false) => format!("not converged: {status}: {advice}"),
    }
}

fn certificate<'py>(py: Python<'py>, verdict: &Verdict) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    let Certificate {
        radius,
        unique_within,
        kinks,
        kappa,
        eta,
        hessian_lipschitz,
        defect,
        least_eigenvalue,
        kink_distance,
        loss,
        point,
        point_radius,
        newton_steps,
        arithmetic,
        ..
    } = match verdict {
        Verdict::Certified(certificate) => &**certificate,
        Verdict::Refused(refusal) => {
            all.set_item("certified", false)?;
            all.set_item("kind", refusal.name())?;
            all.set_item("message", refusal.to_string())?;
            return Ok(all);
        }
    };
    all.set_item("certified", true)?;
    all.set_item("kind", verdict.name())?;
    all.set_item("message", "")?;
    all.set_item("radius", radius)?;
    all.set_item("unique_within", unique_within)?;
    all.set_item("unique", unique_within >= radius)?;
    let kinks: Vec<_> = kinks.iter().map(|&unit| unit as i64).collect();
    all.set_item("kinks", array(py, &kinks))?;
    all.set_item("fun", (loss[0], loss[1]))?;
    all.set_item("kappa", kappa)?;
    all.set_item("eta", eta)?;
    all.set_item("hessian_lipschitz", hessian_lipschitz)?;
    all.set_item("defect", defect)?;
    all.set_item("least_eigenvalue", least_eigenvalue)?;
    all.set_item("kink_distance", kink_distance)?;
    all.set_item("x", array(py, point))?;
    all.set_item("x_radius", point_radius)?;
    all.set_item("newton_steps", newton_steps)?;
    all.set_item("arithmetic", arithmetic)?;
    Ok(all)
}
