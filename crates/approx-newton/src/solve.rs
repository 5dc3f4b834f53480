//! The loop over the steps of a run.

use crate::hessian::Adaptive;
use crate::observer::{Observer, Silent};
use crate::run::Run;
use crate::solution::Solution;
use crate::solver::Solver;
use twolayer_core::{Error, HessianApprox, Kinked, Ladder, RowStructured, Scalar};

impl<T: Scalar> Solver<T> {
    /// Minimises `objective` from `x0` (d) with the model that suits most problems, [`Adaptive`].
    ///
    /// # Errors
    /// An x0 of the wrong length, with an entry that is NaN or infinite, outside the ball
    /// ‖x‖ ≤ R, or at which the objective overflows.
    pub fn solve<O>(&self, objective: &O, x0: &[T]) -> Result<Solution<T>, Error>
    where
        O: RowStructured<Scalar = T> + Kinked + Ladder,
    {
        let mut hessian = self.default_hessian(objective);
        self.solve_with(objective, &mut hessian, x0, &mut Silent)
    }

    /// The model of [`Solver::solve`], to be used for many objectives of one shape.
    pub fn default_hessian<O: RowStructured<Scalar = T>>(&self, objective: &O) -> Adaptive<O> {
        Adaptive::new(objective, self.seed)
    }

    /// Minimises `objective` from `x0` (d) with a given model of the Hessian, watched by an
    /// observer.
    ///
    /// # Errors
    /// As [`Solver::solve`].
    pub fn solve_with<O, H>(
        &self,
        objective: &O,
        hessian: &mut H,
        x0: &[T],
        observer: &mut impl Observer<T>,
    ) -> Result<Solution<T>, Error>
    where
        O: RowStructured<Scalar = T> + Kinked + Ladder,
        H: HessianApprox<O>,
    {
        let (solution, _) = self.solve_and_evaluate(objective, hessian, x0, observer)?;
        Ok(solution)
    }

    /// The same, with the state of the objective at the answer, no kink held: what the network puts
    /// out there need not be computed again.
    ///
    /// # Errors
    /// As [`Solver::solve`].
    pub fn solve_and_evaluate<O, H>(
        &self,
        objective: &O,
        hessian: &mut H,
        x0: &[T],
        observer: &mut impl Observer<T>,
    ) -> Result<(Solution<T>, O::Evaluation), Error>
    where
        O: RowStructured<Scalar = T> + Kinked + Ladder,
        H: HessianApprox<O>,
    {
        let mut run = Run::new(self.clone(), objective, hessian, x0)?;
        while run.step(observer).is_none() {}
        Ok(run.into_answer())
    }
}
