//! The model of the Hessian that was asked for.

use super::{Campaign, Model, Worker};
use crate::args::Hessian;
use crate::dispatch::Library;
use crate::error::Error;
use crate::single_precision::{in_single_precision, target};
use twolayer::{
    ConjugateGradient, DenseHessian, Leverage, MixedPrecision, RowFactor, Scores, Sketched, Solver,
    Uniform,
};
use twolayer::{Inversion, Objective, Problems, RowWeights};

impl<B: Library> Campaign<'_, B> {
    pub(super) fn solver(&self) -> Solver<B::Scalar> {
        let solver = Solver::new()
            .with_seed(self.args.seed)
            .with_warm_start(!self.args.no_warm_start);
        match self.args.max_iterations {
            Some(limit) => solver.with_max_iterations(limit),
            None => solver,
        }
    }

    /// The model of the Hessian that was asked for, made for the worker's first target and used for
    /// all, or for each target where it is built from the target's rounded problem.
    pub(super) fn model<'m, 'w>(
        &self,
        worker: &'m mut Worker<'w, B>,
        objective: &Inversion<'w, B>,
    ) -> Result<&'m mut Model<'w, B>, Error> {
        let kept = worker.model.take();
        let model = match kept.filter(|_| worker.rounded.is_none()) {
            Some(model) => model,
            None => self.new_model(worker.rounded.as_ref(), objective)?,
        };
        Ok(worker.model.insert(model))
    }

    fn new_model<'w>(
        &self,
        rounded: Option<&Problems<'w, B::Single>>,
        objective: &Inversion<'w, B>,
    ) -> Result<Model<'w, B>, Error> {
        let (secant, exact, seed) = (RowWeights::Secant, RowWeights::Exact, self.args.seed);
        let rows = 8 * objective.dimension();
        let by_leverage = |scores| {
            let leverage = Leverage::new(objective, scores, seed);
            RowFactor::sampled_by(objective, secant, leverage, rows, seed)
        };
        Ok(match self.args.hessian {
            Hessian::Auto => Box::new(self.solver().default_hessian(objective)),
            Hessian::Secant => Box::new(RowFactor::new(objective, secant)),
            Hessian::Exact => Box::new(DenseHessian::new(objective, exact)),
            Hessian::Convexified => Box::new(RowFactor::new(objective, RowWeights::Convexified)),
            Hessian::GaussNewton => Box::new(RowFactor::new(objective, RowWeights::GaussNewton)),
            Hessian::Sampled => Box::new(RowFactor::sampled(objective, secant, rows, seed)),
            Hessian::Uniform => {
                let model = RowFactor::sampled_by(objective, secant, Uniform, rows, seed);
                Box::new(model)
            }
            Hessian::Leverage => Box::new(by_leverage(Scores::Fast)),
            Hessian::LeverageExact => Box::new(by_leverage(Scores::Exact)),
            Hessian::Sketch => Box::new(Sketched::new(objective, secant, rows, seed)),
            Hessian::ConjugateGradient => {
                Box::new(ConjugateGradient::new(objective, exact, rows, seed))
            }
            Hessian::MixedPrecision => {
                let problems = rounded.ok_or(Error::MixedInSinglePrecision)?;
                let low = target(objective.target()).and_then(|b| problems.inversion(b));
                let low = low.map_err(in_single_precision(&self.args.problem.path))?;
                Box::new(MixedPrecision::sampled(low, secant, rows, seed))
            }
        })
    }
}
