//! A problem as it was given and as it is solved, which may be in fewer unknowns.

use crate::any::AnyInversion;
use crate::many::problems::Problems;
use crate::network::TwoLayer;
use crate::row_space::RowSpace;
use twolayer_core::LinearBackend;

/// Problems that are solved in the row space of A1.
pub(super) struct Whole<'w, B: LinearBackend> {
    pub(super) problems: Problems<'w, B>,
    pub(super) network: &'w TwoLayer<B>,
    pub(super) space: &'w RowSpace<B>,
}

/// A target's problem.
pub(super) struct Posed<'w, B: LinearBackend> {
    /// As it is solved.
    pub(super) objective: AnyInversion<'w, B>,
    /// As it was given, where that is in more unknowns.
    pub(super) whole: Option<AnyInversion<'w, B>>,
}

impl<'w, B: LinearBackend> Posed<'w, B> {
    /// As it was given.
    pub(super) fn given(&self) -> &AnyInversion<'w, B> {
        self.whole.as_ref().unwrap_or(&self.objective)
    }
}

/// Where a solve begins.
pub(super) struct Begin<'s, T> {
    /// x0 (d).
    pub(super) x0: &'s [T],
    /// Its coordinates (n), where the problem is solved in fewer unknowns.
    pub(super) coordinates: Option<Vec<T>>,
}

impl<T> Begin<'_, T> {
    /// The unknowns of the problem as it is solved.
    pub(super) fn unknowns(&self) -> &[T] {
        self.coordinates.as_deref().unwrap_or(self.x0)
    }
}
