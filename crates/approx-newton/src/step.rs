//! A step that a model proposes.

use twolayer_core::{Scalar, reduce};

/// p, and what the model says of it.
#[derive(Debug, Clone)]
pub(crate) struct Step<T> {
    /// p (d).
    pub(crate) p: Vec<T>,
    /// The decrease that the model promises.
    pub(crate) predicted: T,
    /// ‖p‖.
    pub(crate) norm: T,
    /// Of the constraint ‖x‖ ≤ R.
    pub(crate) multiplier: T,
    /// Whether the ridge is weaker than the curvature along the step: only then is a small step
    /// the model's doing and not the ridge's.
    pub(crate) is_newton: bool,
}

impl<T: Scalar> Step<T> {
    /// None yet, of d unknowns.
    pub(crate) fn new(d: usize) -> Self {
        let zero = T::zero();
        Self {
            p: vec![zero; d],
            predicted: zero,
            norm: zero,
            multiplier: zero,
            is_newton: false,
        }
    }

    /// sum ← x + p.
    pub(crate) fn end(&self, x: &[T], sum: &mut [T]) {
        sum.copy_from_slice(x);
        reduce::axpy(T::one(), &self.p, sum);
    }

    /// The same to the other side.
    pub(crate) fn reverse(&mut self) {
        self.p.iter_mut().for_each(|p| *p = -*p);
    }
}
