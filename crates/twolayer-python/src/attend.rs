//! A call's work, while the calling thread attends to Python.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a signal may wait.
const PATIENCE: Duration = Duration::from_millis(50);

/// What comes of an event.
pub(crate) enum Next {
    GoOn,
    /// The work is to end, with what there is.
    End,
}

/// Has an event heard.
type Hear<'s, E> = dyn Fn(Python<'_>, E) -> PyResult<Next> + Sync + 's;

/// What the work has to tell, and whether it is to end.
pub(crate) struct Line<'s, E> {
    ear: Ear<'s, E>,
    stop: &'s AtomicBool,
}

enum Ear<'s, E> {
    /// The calling thread's, which does nothing else.
    Other(Sender<E>),
    /// That of the thread that works.
    Own(Own<'s, E>),
}

impl<E> Line<'_, E> {
    /// Whether nobody wants the rest of the work.
    pub(crate) fn is_cut(&self) -> bool {
        match &self.ear {
            Ear::Own(own) if own.is_due() => own.hear(None, self.stop),
            _ => {}
        }
        self.stop.load(Ordering::Relaxed)
    }

    /// Has an event heard by the calling thread.
    pub(crate) fn tell(&self, event: E) {
        match &self.ear {
            Ear::Other(events) => {
                // It listens until the work is over.
                let _ = events.send(event);
            }
            Ear::Own(own) => own.hear(Some(event), self.stop),
        }
    }
}

/// A thread that works and listens by turns.
struct Own<'s, E> {
    hear: &'s Hear<'s, E>,
    heard: Mutex<Heard>,
}

struct Heard {
    last: Instant,
    failure: Option<PyErr>,
}

impl<E> Own<'_, E> {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self) -> bool {
        self.heard().last.elapsed() >= PATIENCE
    }

    fn hear(&self, event: Option<E>, stop: &AtomicBool) {
        let mut heard = self.heard();
        if heard.failure.is_some() {
            return;
        }
        match turn(self.hear, event) {
            Ok(Next::GoOn) => {}
            Ok(Next::End) => stop.store(true, Ordering::Relaxed),
            Err(error) => {
                heard.failure = Some(error);
                stop.store(true, Ordering::Relaxed);
            }
        }
        heard.last = Instant::now();
    }
}

/// Has an event heard, and signals.
fn turn<E>(hear: &Hear<'_, E>, event: Option<E>) -> PyResult<Next> {
    Python::attach(|py| {
        let next = event.map_or(Ok(Next::GoOn), |event| hear(py, event))?;
        py.check_signals().map(|()| next)
    })
}

/// Does `job` without Python, and has its events heard on this thread. Ctrl-C, or an error of `hear`, ends the
/// job at its next look at the line, and is what comes out.
///
/// A job that has others work for it is on a thread of its own. One that `works_alone` is done here: a thread takes as
/// long to begin as a small call does in all.
pub(crate) fn attend<E: Send, R: Send>(
    py: Python<'_>,
    works_alone: bool,
    job: impl FnOnce(&Line<'_, E>) -> R + Send,
    hear: impl Fn(Python<'_>, E) -> PyResult<Next> + Sync,
) -> PyResult<R> {
    py.detach(|| match works_alone {
        true => here(job, &hear),
        false => elsewhere(job, &hear),
    })
}

fn here<E, R>(job: impl FnOnce(&Line<'_, E>) -> R, hear: &Hear<'_, E>) -> PyResult<R> {
    let stop = AtomicBool::new(false);
    let own = Own {
        hear,
        heard: Mutex::new(Heard {
            last: Instant::now(),
            failure: None,
        }),
    };
    let line = Line {
        ear: Ear::Own(own),
        stop: &stop,
    };
    // Nothing of a job is used after its panic.
    let result = catch_unwind(AssertUnwindSafe(|| job(&line)));
    let result = result.map_err(|payload| fault(payload.as_ref()));
    let failure = match line.ear {
        Ear::Own(own) => own.heard().failure.take(),
        Ear::Other(_) => None,
    };
    failure.map_or(result, Err)
}

fn elsewhere<E: Send, R: Send>(
    job: impl FnOnce(&Line<'_, E>) -> R + Send,
    hear: &Hear<'_, E>,
) -> PyResult<R> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (events, heard) = mpsc::channel();
        let line = Line {
            ear: Ear::Other(events),
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
            match turn(hear, event) {
                Ok(Next::GoOn) => continue,
                Ok(Next::End) => {}
                Err(error) => failure = Some(error),
            }
            stop.store(true, Ordering::Relaxed);
        }
        let result = worker.join().map_err(|payload| fault(payload.as_ref()));
        failure.map_or(result, Err)
    })
}

/// A panic is a mistake of this package, and no user's.
fn fault(payload: &(dyn Any + Send)) -> PyErr {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("a panic");
    PyRuntimeError::new_err(format!("a mistake of twolayer, please report it: {text}"))
}
