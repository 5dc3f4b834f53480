//! Ctrl-C, and the signals by which a system asks a process to end.

use crate::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// The exit code of a run that was interrupted: that of a shell for a process ended by Ctrl-C.
pub(crate) const EXIT_CODE: u8 = 130;

/// From now on the first signal asks the solve under way to stop, and a second one ends the process
/// at once.
pub(crate) fn listen() -> Result<(), Error> {
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(EXIT_CODE.into());
        }
    })
    .map_err(Error::Signals)
}

/// Whether a signal has come.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
