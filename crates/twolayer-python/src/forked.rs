//! Processes that were forked.
//!
//! A backend shares large products out over threads that are made once for a process. A forked process has
//! none of them, and would wait for them for ever: in it every target is worked on by one thread.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use twolayer::Solver;

static IS_CHILD: AtomicBool = AtomicBool::new(false);

/// Whether this process was forked from one that had this module.
pub(crate) fn is_child() -> bool {
    IS_CHILD.load(Ordering::Relaxed)
}

/// How many threads a call has for so many problems.
pub(crate) fn threads(asked: Option<usize>, problems: usize) -> usize {
    // The system is asked once: it takes as long as a small call.
    static CORES: OnceLock<usize> = OnceLock::new();
    let cores = || *CORES.get_or_init(|| Solver::<f64>::new().threads());
    let threads = asked.unwrap_or_else(cores);
    match is_child() {
        true => threads.min(problems),
        false => threads,
    }
}

#[pyfunction]
fn after_fork() {
    IS_CHILD.store(true, Ordering::Relaxed);
}

/// Has forked processes know what they are, on systems that have such.
pub(crate) fn listen(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let os = py.import("os")?;
    if !os.hasattr("register_at_fork")? {
        return Ok(());
    }
    let calls = PyDict::new(py);
    calls.set_item("after_in_child", wrap_pyfunction!(after_fork, module)?)?;
    os.call_method("register_at_fork", (), Some(&calls))?;
    Ok(())
}
