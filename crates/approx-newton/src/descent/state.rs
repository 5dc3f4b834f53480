//! Where a descent begins, and what it follows from.

use super::Descent;
use crate::local_model::Built;
use crate::moves::caution::Caution;
use crate::moves::escape::Escapes;
use crate::snapshot::{DescentState, Progress};
use twolayer_core::{Evaluation, Kinked};

impl<O: Kinked> Descent<O> {
    /// Evaluates `problem` at `x` and begins there, held on the kinks `pinned` that x lies on, with
    /// `initial_damping` in units of the model's mean eigenvalue.
    pub(crate) fn start_at(
        &mut self,
        problem: &O,
        x: &[O::Scalar],
        pinned: &[usize],
        initial_damping: f64,
    ) {
        self.position.go_to(problem, x, pinned);
        self.begin(initial_damping);
    }

    /// Begins at the trial point, which was evaluated with no kink held.
    pub(crate) fn start_at_trial(&mut self, problem: &O, initial_damping: f64) {
        self.position.swap();
        self.position.hold(problem, &[]);
        self.begin(initial_damping);
    }

    fn begin(&mut self, initial_damping: f64) {
        self.model.begin(initial_damping);
        self.search.takes_full_steps = true;
        self.over_kinks.caution = Caution::none();
        self.escapes = Escapes::default();
        self.first_gradient_norm = None;
        self.idle = 0;
    }

    /// Makes anew what was carried from point to point by updates. What comes next then follows from
    /// [`Descent::state`] alone. Returns false, and changes nothing, where the point is in the midst
    /// of something: a step from it was refused, or a kink released at it.
    pub(crate) fn renew(&mut self, problem: &O) -> bool {
        self.model.built != Built::Here && self.position.renew(problem)
    }

    /// What a descent on the same objective goes on from, at a point that was just
    /// [renewed](Descent::renew).
    pub(crate) fn state(&self) -> DescentState<O::Scalar> {
        let (position, model) = (&self.position, &self.model);
        DescentState {
            x: position.current.point().to_vec(),
            pinned: position.active_set.pinned().to_vec(),
            value: position.current.value(),
            has_begun: model.built != Built::Never,
            progress: Progress {
                damping: model.damping,
                initial_damping: model.initial_damping,
                first_gradient_norm: self.first_gradient_norm,
                largest_mean_eigenvalue: model.largest_mean_eigenvalue,
                idle: self.idle,
                escapes: self.escapes.made,
                caution: self.over_kinks.caution,
                takes_full_steps: self.search.takes_full_steps,
            },
        }
    }

    /// Goes on from a state whose lengths fit. Returns false where it cannot be one of this
    /// objective.
    pub(crate) fn restore(&mut self, problem: &O, state: &DescentState<O::Scalar>) -> bool {
        let Progress {
            damping,
            initial_damping,
            first_gradient_norm,
            largest_mean_eigenvalue,
            idle,
            escapes,
            caution,
            takes_full_steps,
        } = state.progress;
        self.model.built = match state.has_begun {
            true => Built::Elsewhere,
            false => Built::Never,
        };
        self.model.damping = damping;
        self.model.initial_damping = initial_damping;
        self.model.largest_mean_eigenvalue = largest_mean_eigenvalue;
        self.first_gradient_norm = first_gradient_norm;
        self.idle = idle;
        self.escapes = Escapes { made: escapes };
        self.over_kinks.caution = caution;
        self.search.takes_full_steps = takes_full_steps;
        self.position
            .return_to(problem, &state.x, &state.pinned, state.value)
    }
}
