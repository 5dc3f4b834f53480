//! Where a descent stands: a point, a trial beside it, and the kinks that hold it.

use crate::active_set::ActiveSet;
use num_traits::{Float, Zero};
use std::mem;
use twolayer_core::{Evaluation, Kinked, Scalar, reduce};

/// A place on the way of a step: which part of it, and on which kink if on one.
pub(crate) type Place<T> = (T, Option<usize>);

/// A point, with the room to look at another.
pub(crate) struct Position<O: Kinked> {
    pub(crate) current: O::Evaluation,
    pub(crate) trial: O::Evaluation,
    pub(crate) active_set: ActiveSet<O::Scalar>,
    /// Whether a move has left the present point differentiated.
    pub(crate) is_differentiated: bool,
    point: Vec<O::Scalar>,
    pinned: Vec<usize>,
}

/// A move that was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Move<T> {
    pub(crate) length: T,
    /// Which part it is of the step that was proposed; 0 of another step.
    pub(crate) fraction: T,
    /// Kinks crossed.
    pub(crate) flips: usize,
}

impl<O: Kinked> Position<O> {
    /// Nowhere yet.
    pub(crate) fn new(problem: &O) -> Self {
        let d = problem.dimension();
        Self {
            current: problem.new_evaluation(),
            trial: problem.new_evaluation(),
            active_set: ActiveSet::new(d),
            is_differentiated: false,
            point: vec![O::Scalar::zero(); d],
            pinned: Vec::with_capacity(d),
        }
    }

    /// Goes to `x`, held on the kinks `pinned` that it lies on.
    pub(crate) fn go_to(&mut self, problem: &O, x: &[O::Scalar], pinned: &[usize]) {
        problem.evaluate(x, pinned, &mut self.current);
        self.hold(problem, pinned);
        self.is_differentiated = false;
    }

    /// Is held on the kinks `pinned` alone.
    pub(crate) fn hold(&mut self, problem: &O, pinned: &[usize]) {
        self.active_set.pin_only(problem, &self.current, pinned);
    }

    /// Exchanges the present point and the trial.
    pub(crate) fn swap(&mut self) {
        mem::swap(&mut self.current, &mut self.trial);
        self.is_differentiated = false;
    }

    /// trial ← x + fraction·step, exactly on the kink where the place is one.
    pub(crate) fn look_at(
        &mut self,
        problem: &O,
        step: &[O::Scalar],
        (fraction, kink): Place<O::Scalar>,
    ) {
        let Self { point, pinned, .. } = self;
        point.copy_from_slice(self.current.point());
        reduce::axpy(fraction, step, point);
        self.active_set.restore(point);
        pinned.clear();
        pinned.extend(self.active_set.pinned().iter().copied().chain(kink));
        problem.confine(pinned, point);
        problem.evaluate(point, pinned, &mut self.trial);
    }

    /// Moves the point onto the kink that was just pinned: a long step ends beside it by its own
    /// rounding. Not where that would undo the decrease from the value `before` the step.
    pub(crate) fn settle_on_kinks(&mut self, problem: &O, before: O::Scalar) {
        let Self { point, pinned, .. } = self;
        point.copy_from_slice(self.current.point());
        if !self.active_set.restore(point) {
            return;
        }
        pinned.clear();
        pinned.extend_from_slice(self.active_set.pinned());
        if problem.first_bound() < problem.kinks() {
            problem.confine(pinned, point);
        }
        problem.evaluate(point, pinned, &mut self.trial);
        if self.trial.value() < before {
            self.swap();
        }
    }

    /// Makes anew what was carried from point to point by updates: the null space of the pinned
    /// kinks, and the evaluation of the point. Returns false, and changes nothing, where that would
    /// raise the value.
    pub(crate) fn renew(&mut self, problem: &O) -> bool {
        let point = self.current.point();
        problem.evaluate(point, self.active_set.pinned(), &mut self.trial);
        // A kink that a step ended on and that was not pinned is now met to rounding only, which
        // must not raise the value. NaN compares false.
        let falls = self.trial.value() <= self.current.value();
        if !falls || !self.active_set.renew(problem, &self.trial) {
            return false;
        }
        self.swap();
        true
    }

    /// Goes to a point `x` that was held on `pinned` and had a `value` once. Returns whether it has.
    pub(crate) fn return_to(
        &mut self,
        problem: &O,
        x: &[O::Scalar],
        pinned: &[usize],
        value: O::Scalar,
    ) -> bool {
        self.go_to(problem, x, pinned);
        // To the bit on the same machine; another may round otherwise.
        let rounding = problem.rounding_error(&self.current);
        let apart = (self.current.value() - value).abs();
        self.active_set.pinned() == pinned && apart <= rounding + rounding
    }
}

/// ‖v‖, infinite where an entry overflowed, NaN entries included.
pub(crate) fn norm_or_infinity<T: Scalar>(v: &[T]) -> T {
    let norm = reduce::norm(v);
    if norm.is_nan() { T::infinity() } else { norm }
}
