//! Easier objectives to begin with, and where descents on them begin.

use crate::Objective;

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
    /// Whether a point that the easier objective evaluated has all that
    /// [`value_at`](Objective::value_at) of this one needs.
    pub shares_points: bool,
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
