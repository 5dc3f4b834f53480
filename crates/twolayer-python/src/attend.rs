//! A call's work on a thread of its own, while the calling thread attends to Python.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// How long a signal may wait.
const PATIENCE: Duration = Duration::from_millis(50);

/// What the work has to tell, and whether it is to end.
pub(crate) struct Line<'s, E> {
    events: Sender<E>,
    stop: &'s AtomicBool,
}

impl<E> Line<'_, E> {
    /// Whether nobody wants the rest of the work.
    pub(crate) fn is_cut(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Has an event heard by the calling thread.
    pub(crate) fn tell(&self, event: E) {
        // It listens until the work is over.
        let _ = self.events.send(event);
    }
}

/// What comes of an event.
pub(crate) enum Next {
    GoOn,
    /// The work is to end, with what there is.
    End,
}

/// Does `job` on another thread, without Python, and has its events heard on this one. Ctrl-C, or an error
/// of `hear`, ends the job at its next look at the line, and is what comes out.
pub(crate) fn attend<E: Send, R: Send>(
    py: Python<'_>,
    job: impl FnOnce(&Line<'_, E>) -> R + Send,
    mut hear: impl FnMut(Python<'_>, E) -> PyResult<Next> + Send,
) -> PyResult<R> {
    py.detach(|| {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let (events, heard) = mpsc::channel();
            let line = Line {
                events,
                stop: &stop,
            };
            let worker = thread::Builder::new().spawn_scoped(scope, move || job(&line))?;
            let mut failure = None;
            loop {
                let event = match heard.recv_timeout(PATIENCE) {
                    Ok(event) => Some(event),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                if failure.is_some() {
                    continue;
                }
                let next = Python::attach(|py| {
                    let next = event.map_or(Ok(Next::GoOn), |event| hear(py, event))?;
                    py.check_signals().map(|()| next)
                });
                match next {
                    Ok(Next::GoOn) => continue,
                    Ok(Next::End) => {}
                    Err(error) => failure = Some(error),
                }
                stop.store(true, Ordering::Relaxed);
            }
            let result = worker.join().map_err(|payload| fault(payload.as_ref()));
            failure.map_or(result, Err)
        })
    })
}

/// A panic is a mistake of this package, and no user's.
fn fault(payload: &(dyn Any + Send)) -> PyErr {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("a panic");
    PyRuntimeError::new_err(format!("a mistake of twolayer, please report it: {text}"))
}
