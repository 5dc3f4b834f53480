//! What other starts come to.

use crate::many::solved::{Solved, is_cut_short};
use approx_newton::{Solution, retract};
use twolayer_core::{Error, Scalar};

/// What came out of further starts.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Further<T> {
    /// The best of them, where it is lower than what was there before.
    pub lower: Option<Solution<T>>,
    /// How many were tried to the end.
    pub starts: usize,
    /// Whether the last solve was ended from outside: it does not count.
    pub is_cut_short: bool,
    /// What was there before.
    loss: T,
}

impl<T: Scalar> Further<T> {
    /// None tried yet, where a solution of this loss is known.
    pub(super) fn new(loss: T) -> Self {
        Self {
            lower: None,
            starts: 0,
            is_cut_short: false,
            loss,
        }
    }

    /// What an earlier campaign came to, which tried fewer starts.
    pub(super) fn earlier(loss: T, best: Solved<T>) -> Self {
        Self {
            starts: best.starts.saturating_sub(1),
            lower: Some(best.solution).filter(|solution| solution.loss < loss),
            ..Self::new(loss)
        }
    }

    /// Has `solve` solve from each of `starts`, but for as many as were tried before, until the target
    /// is met or a solve is cut short, and keeps what is lower than all before. Starts outside the
    /// ball are moved into it; those that are no good, at which the objective overflows for one, count
    /// and are passed over.
    ///
    /// # Errors
    /// That of `solve` itself, which ends it.
    pub(super) fn try_each<E>(
        &mut self,
        radius: Option<T>,
        starts: impl IntoIterator<Item = Vec<T>>,
        mut solve: impl FnMut(&Self, &[T]) -> Result<Result<Solution<T>, Error>, E>,
    ) -> Result<(), E> {
        for mut start in starts.into_iter().skip(self.starts) {
            if let Some(radius) = radius {
                retract(radius, &mut start);
            }
            let solved = solve(self, &start)?;
            if let Ok(solution) = &solved
                && is_cut_short(solution.status)
            {
                self.is_cut_short = true;
                break;
            }
            self.starts += 1;
            let Ok(solution) = solved else { continue };
            let is_met = solution.status.is_met();
            let lowest = self.lower.as_ref().map_or(self.loss, |lower| lower.loss);
            if solution.loss < lowest {
                self.lower = Some(solution);
            }
            if is_met {
                break;
            }
        }
        Ok(())
    }
}
