//! Easier objectives to begin with, and where descents on them begin.

use crate::objective::{Kinked, Met, Objective, RowStructured};
use crate::scalar::Scalar;

/// An objective that may bring easier ones to begin with, of any type: the rungs of a ladder. One without
/// implements it with an empty body.
pub trait Ladder: Objective {
    /// Number `number` of the objectives of the same unknowns that are easier to minimise, the cheapest
    /// first, and that have the same minimiser wherever the minimum of this one is zero (but see
    /// [`when_rungs`](Ladder::when_rungs)), as `maker` makes it; `None` behind the last. A solver asks for one when those before it were not enough:
    /// making it may cost more than a descent.
    fn rung<'s, M: RungMaker<'s, Self::Scalar>>(
        &'s self,
        _number: usize,
        _maker: M,
    ) -> Option<M::Rung> {
        None
    }

    /// When the easier objectives are asked for.
    fn when_rungs(&self) -> WhenRungs {
        WhenRungs::First
    }

    /// Whether the minimum of this objective is certainly not zero, and a point of this `value` so
    /// near to it that a descent on the objective itself comes as low as one that easier objectives
    /// begin.
    fn is_better_descended_at_once(&self, _value: Self::Scalar) -> bool {
        false
    }
}

/// When a solve turns to its easier objectives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenRungs {
    /// Before the objective itself: they have its minimum, where that is zero.
    First,
    /// After a descent on the objective itself: they have another minimum, from which a second descent may
    /// end lower. Only then is the first answer sure to be no worse than a plain descent's.
    AfterADescent,
    /// Off a plateau only: their minimum is known to be a bad one.
    Never,
}

/// What becomes of an easier objective, whatever its type.
pub trait RungMaker<'s, T: Scalar> {
    /// What it becomes.
    type Rung;

    /// Makes it.
    fn make<O>(self, easier: WarmStart<'s, O>) -> Self::Rung
    where
        O: RowStructured<Scalar = T> + Kinked + 's;
}

/// An easier objective to begin with.
pub struct WarmStart<'s, O: Objective> {
    /// The easier objective.
    pub objective: O,
    /// Where a descent on it begins that does not begin where it is told to.
    pub restarts: Restarts<'s, O::Scalar>,
    /// A value of it below which its minimum is taken to be zero: where the descent ends between
    /// rounding and this, it has most likely met a local minimum, and other starts are worth
    /// their time. Above it the target is out of reach, and they are not.
    pub within_reach: O::Scalar,
    /// Whether the source of starts is asked before the first descent, too: where that costs no more than
    /// an iteration.
    pub begins_at_the_source: bool,
    /// Whether it is worth its time only where a descent on the objective that was asked for has ended on a
    /// plateau: this one falls there.
    pub only_off_a_plateau: bool,
    /// The objective that was asked for, at a point that the easier one evaluated: where both tell their
    /// values from the same state.
    pub target: Option<Box<TargetOf<'s, O>>>,
}

/// What a rung is told of the objective that was asked for.
pub type TargetOf<'s, O> =
    dyn TellTarget<<O as Objective>::Evaluation, <O as Objective>::Scalar> + 's;

/// Tells the objective that was asked for at a point that an easier one evaluated.
pub trait TellTarget<E, T> {
    /// Its value.
    fn value(&self, at: &E) -> T;

    /// [`Objective::met`], for which its rounding error has to be known.
    fn met(&self, at: &E) -> Option<Met>;
}

/// Where further descents of a [`WarmStart`] begin.
pub enum Restarts<'s, T> {
    /// One descent is enough to tell whether this objective helps,
    Never,
    /// or one more from where the source leads.
    Once(Box<dyn Starts<T> + 's>),
    /// Around the first start.
    Random,
    /// Where the source leads.
    From(Box<dyn Starts<T> + 's>),
}

/// A source of starts for a descent: an iteration of its own that has no local minima to stop in.
pub trait Starts<T> {
    /// Begins at x (d).
    fn begin(&mut self, x: &[T]);

    /// Whether the next start is worth a descent even where the last one ended far from zero.
    fn is_always_worth_it(&self) -> bool {
        false
    }

    /// Goes on for so many iterations, and writes the point reached to `x` (d). It may be NaN, and
    /// outside the ball.
    fn advance(&mut self, iterations: usize, x: &mut [T]);

    /// The numbers that all further starts follow from, and that making the source anew does not
    /// bring back.
    fn state(&self) -> Vec<T>;

    /// Goes on where a source of the same problem was when it had this [`state`](Starts::state).
    /// Returns false, and changes nothing, where no such source can have it.
    fn restore(&mut self, state: &[T]) -> bool;
}
