//! From the unknowns that problems are given in to those that they are solved in, and back.

use crate::any::AnyPoint;
use crate::many::owner::Owner;
use crate::many::posed::{Begin, Posed};
use crate::many::work::{Steps, Work};
use approx_newton::{Run, Solution};
use twolayer_core::{Error, Evaluation, LinearBackend, Objective, Scalar};

/// A solution, and the state of its problem there.
type SolvedAt<B> = (Solution<<B as LinearBackend>::Scalar>, AnyPoint<B>);

impl<'w, B: LinearBackend, O: Owner<B>> Work<'w, B, O> {
    /// Where a solve from `x0` (d) begins.
    pub(super) fn begin<'s>(&self, x0: &'s [B::Scalar]) -> Result<Begin<'s, B::Scalar>, Error> {
        let coordinates = match &self.whole {
            Some(whole) => {
                let network = whole.network;
                Error::check_length("x0", x0.len(), network.inputs())?;
                Error::check_finite("x0", x0)?;
                Some(whole.space.coordinates(network, x0))
            }
            None => None,
        };
        Ok(Begin { x0, coordinates })
    }

    /// The answer of a `run` that is over, in the unknowns that the problem was given in, with its state there.
    pub(super) fn answer(
        &self,
        run: Steps<'_, 'w, B>,
        posed: &Posed<'w, B>,
        begin: &Begin<'_, B::Scalar>,
        watch: &mut O::Watch,
    ) -> Result<SolvedAt<B>, Error> {
        let (mut solution, narrow) = run.into_answer();
        let (Some(whole), Some(given), Some(coordinates)) =
            (&self.whole, &posed.whole, &begin.coordinates)
        else {
            return Ok((solution, narrow));
        };
        let (network, y) = (whole.network, &solution.x);
        solution.x = whole.space.point(network, begin.x0, coordinates, y);
        let mut at = given.new_evaluation();
        given.evaluate(&solution.x, &[], &mut at);
        given.differentiate(&mut at);
        solution.loss = at.value();
        let lost = at.value() - narrow.value();
        let noise = given.rounding_error(&at) + posed.objective.rounding_error(&narrow);
        if !solution.status.is_converged() || lost <= noise {
            return Ok((solution, at));
        }
        // More was lost on the way back than rounding loses: the rest of the way in all unknowns.
        let solver = self.solver();
        let left = solver.max_iterations().saturating_sub(solution.iterations);
        let mut model = self.owner.model(given)?;
        let solver = solver.with_max_iterations(left);
        let mut run = Run::new(solver, given, &mut model, &solution.x)?;
        while run.step(watch).is_none() {}
        let (rest, at) = run.into_answer();
        Ok((followed_by(solution, rest), at))
    }
}

/// A solve and the one that went on from its answer, as one.
fn followed_by<T: Scalar>(mut first: Solution<T>, mut then: Solution<T>) -> Solution<T> {
    for entry in &mut then.trace {
        entry.iteration += first.iterations;
        entry.elapsed += first.seconds;
    }
    first.trace.append(&mut then.trace);
    Solution {
        iterations: first.iterations + then.iterations,
        seconds: first.seconds + then.seconds,
        trace: first.trace,
        ..then
    }
}
