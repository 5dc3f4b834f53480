//! Many targets in memory, in one call.

use crate::any::AnyInversion;
use crate::many::campaign::Campaign;
use crate::many::owner::{Model, Owner};
use crate::many::problems::Problems;
use crate::many::solved::BatchResult;
use approx_newton::{Silent, Solver};
use std::borrow::Cow;
use std::convert::Infallible;
use twolayer_core::{Error, LinearBackend, Scalar};

impl<T: Scalar, B: LinearBackend<Scalar = T>> Problems<'_, B> {
    /// Solves the problem of each of K `targets` (K·m numbers, one target after the other) from
    /// `starts` (d for all, or K·d; one target may have K starts), on the threads of
    /// [`with_threads`](Solver::with_threads).
    ///
    /// Every target is solved as [`Solver::solve`] would: to the same bits, whatever the others are
    /// and whatever the number of threads. One that is no distribution, or whose start is no good,
    /// has its error in its place, and the others do not see it. With
    /// [`with_starts`](Solver::with_starts) those that are no perfect fit are tried from other
    /// starts when all are through (see [`Campaign`]). With a [time limit](Solver::with_time_limit)
    /// there may be results of the first targets only.
    ///
    /// # Errors
    /// Numbers of targets and starts that do not fit the network and each other.
    pub fn solve_batch(
        &self,
        solver: &Solver<T>,
        targets: &[T],
        starts: &[T],
    ) -> Result<Vec<BatchResult<T>>, Error> {
        let outcomes = self.network().outcomes();
        let count = targets.len() / outcomes;
        if targets.len() != count * outcomes || count == 0 {
            return Err(Error::Shape {
                name: "targets",
                found: format!("({},)", targets.len()),
                expected: format!("K·{outcomes} numbers, K at least 1"),
            });
        }
        if starts.is_empty() {
            Error::check_length("starts", 0, self.network().inputs())?;
        }
        let campaign = Campaign::new(self.clone(), count, starts)?.with_solver(solver.clone());
        let Ok(done) = campaign.run(&Batch {
            solver,
            targets,
            outcomes,
        });
        Ok(done.results)
    }
}

/// The owner of targets in memory, who keeps the results and nothing else.
struct Batch<'b, T> {
    solver: &'b Solver<T>,
    targets: &'b [T],
    outcomes: usize,
}

impl<B: LinearBackend> Owner<B> for Batch<'_, B::Scalar> {
    type Failure = Infallible;
    type Watch = Silent;

    fn row(&self, index: usize) -> Result<Cow<'_, [B::Scalar]>, Infallible> {
        let row = &self.targets[index * self.outcomes..][..self.outcomes];
        Ok(Cow::Borrowed(row))
    }

    fn model<'w>(&'w self, objective: &AnyInversion<'w, B>) -> Result<Model<'w, B>, Error> {
        Ok(Box::new(self.solver.default_hessian(objective)))
    }

    fn watch(&self, _: &[B::Scalar]) -> Silent {
        Silent
    }
}
