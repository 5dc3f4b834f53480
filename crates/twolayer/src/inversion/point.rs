//! An [`Inversion`](super::Inversion) at one point.

use crate::network::{ForwardPass, HiddenScratch};
use twolayer_core::{Bounds, Evaluation, Scalar};

/// The state of an [`Inversion`](super::Inversion) at one point x.
#[derive(Debug, Clone)]
pub struct InversionPoint<T> {
    pub(super) x: Vec<T>,
    pub(super) pass: ForwardPass<T>,
    pub(super) loss: T,
    pub(super) penalty: T,
    pub(super) distance: T,
    /// u with gradient = Cᵀu, regulariser included (m), and that of the nearness, where there is one (d).
    pub(super) row_gradient: Vec<T>,
    pub(super) gradient: Vec<T>,
    pub(super) hidden_scratch: HiddenScratch<T>,
    /// Scratch over the outcomes.
    pub(super) outcome_scratch: [Vec<T>; 2],
    pub(super) curvature: twolayer_core::Curvature<T>,
    /// The units among the pinned kinks.
    pub(super) pinned_units: Vec<usize>,
    /// h and the sides of units and bounds, where there are bounds.
    pub(super) distances: Vec<T>,
    pub(super) sides: Vec<bool>,
}

impl<T: Scalar> InversionPoint<T> {
    pub(super) fn new(inputs: usize, hidden: usize, outcomes: usize, rows: usize) -> Self {
        let zeros = |length| vec![T::zero(); length];
        Self {
            x: zeros(inputs),
            pass: ForwardPass::new(hidden, outcomes),
            loss: T::zero(),
            penalty: T::zero(),
            distance: T::zero(),
            row_gradient: zeros(rows),
            gradient: zeros(inputs),
            hidden_scratch: HiddenScratch::new(hidden),
            outcome_scratch: [zeros(outcomes), zeros(outcomes)],
            curvature: twolayer_core::Curvature::new(outcomes),
            pinned_units: Vec::with_capacity(inputs),
            distances: Vec::new(),
            sides: Vec::new(),
        }
    }

    /// Appends the bounds to the kinks of the units.
    pub(super) fn with_bounds(&mut self, bounds: &Bounds<T>) {
        self.distances.clone_from(&self.pass.hidden);
        bounds.append_distances(&self.x, &mut self.distances);
        self.sides.clone_from(&self.pass.pattern);
        self.sides.resize(self.distances.len(), false);
    }

    pub(crate) fn pass(&self) -> &ForwardPass<T> {
        &self.pass
    }

    /// f = softmax(z) at x (m).
    pub fn probabilities(&self) -> &[T] {
        &self.pass.probabilities
    }

    /// All that the network computed at x.
    pub fn forward_pass(&self) -> &ForwardPass<T> {
        &self.pass
    }

    /// The loss, without the regulariser or the nearness.
    pub fn loss(&self) -> T {
        self.loss
    }

    /// ½‖W A2 φ(A1 x + c1)‖².
    pub fn penalty(&self) -> T {
        self.penalty
    }

    /// ½ μ ‖D(x − x_ref)‖².
    pub fn distance(&self) -> T {
        self.distance
    }
}

impl<T: Scalar> Evaluation<T> for InversionPoint<T> {
    fn point(&self) -> &[T] {
        &self.x
    }

    fn value(&self) -> T {
        self.loss + self.penalty + self.distance
    }

    fn gradient(&self) -> &[T] {
        &self.gradient
    }

    fn flips_from(&self, other: &Self) -> usize {
        let pairs = self.pass.pattern.iter().zip(&other.pass.pattern);
        pairs.filter(|(mine, theirs)| mine != theirs).count()
    }
}
