//! A descent that follows from what can be written down.

use super::model_step::Model;
use super::{Descent, swap};
use crate::snapshot::DescentState;
use num_traits::Float;
use twolayer_core::{Evaluation, Kinked};

impl<O: Kinked> Descent<O> {
    /// Makes anew what was carried from point to point by updates: the null space of the pinned
    /// kinks, and the evaluation of the point. What comes next then follows from
    /// [`Descent::state`] alone. Returns false, and changes nothing, where the point is in the midst
    /// of something: a step from it was refused, or a kink released at it.
    pub(crate) fn renew(&mut self, problem: &O) -> bool {
        if self.model == Model::Current {
            return false;
        }
        let point = self.current.point();
        problem.evaluate(point, self.active_set.pinned(), &mut self.trial);
        // A kink that a step ended on and that was not pinned is now met to rounding only, which
        // must not raise the value. NaN compares false.
        let falls = self.trial.value() <= self.current.value();
        if !falls || !self.active_set.renew(problem, &self.trial) {
            return false;
        }
        swap(self);
        true
    }

    /// What a descent on the same objective goes on from, at a point that was just
    /// [renewed](Descent::renew).
    pub(crate) fn state(&self) -> DescentState<O::Scalar> {
        DescentState {
            x: self.current.point().to_vec(),
            pinned: self.active_set.pinned().to_vec(),
            value: self.current.value(),
            has_begun: self.model != Model::Missing,
            progress: self.progress,
        }
    }

    /// Goes on from a state whose lengths fit. Returns false where it cannot be one of this
    /// objective.
    pub(crate) fn restore(&mut self, problem: &O, state: &DescentState<O::Scalar>) -> bool {
        problem.evaluate(&state.x, &state.pinned, &mut self.current);
        self.active_set
            .pin_only(problem, &self.current, &state.pinned);
        self.progress = state.progress;
        self.is_differentiated = false;
        self.model = match state.has_begun {
            true => Model::Outdated,
            false => Model::Missing,
        };
        // To the bit on the same machine; another may round otherwise.
        let rounding = problem.rounding_error(&self.current);
        let apart = (self.current.value() - state.value).abs();
        self.active_set.pinned() == state.pinned && apart <= rounding + rounding
    }
}
