//! Locks on what several threads share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What another thread left half done when it panicked is of no use, and not harmful either.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
