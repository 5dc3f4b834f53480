//! Watching a solve, and stopping it.

use crate::solution::TraceEntry;
use std::ops::ControlFlow;

/// Is shown every iteration as it ends.
///
/// A closure `FnMut(&TraceEntry<T>, &[T]) -> ControlFlow<()>` is an observer.
pub trait Observer<T> {
    /// `entry` describes the iteration, `x` (d) is the point after it. `Break` ends the solve with
    /// [`Status::Stopped`](crate::Status::Stopped); the point reached so far is returned.
    fn observe(&mut self, entry: &TraceEntry<T>, x: &[T]) -> ControlFlow<()>;
}

impl<T, F: FnMut(&TraceEntry<T>, &[T]) -> ControlFlow<()>> Observer<T> for F {
    fn observe(&mut self, entry: &TraceEntry<T>, x: &[T]) -> ControlFlow<()> {
        self(entry, x)
    }
}

/// The observer that never stops a solve.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl<T> Observer<T> for Silent {
    fn observe(&mut self, _: &TraceEntry<T>, _: &[T]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
