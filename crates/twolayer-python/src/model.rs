//! The model of the Hessian that was asked for.

use crate::settings::Hessian;
use twolayer::{
    ConjugateGradient, DenseHessian, Inversion, Leverage, LinearBackend, Model, Objective,
    RowFactor, RowWeights, Scores, Sketched, Solver, Uniform,
};

/// A new model for an objective; those that draw rows at random draw 8d, by the solver's seed.
pub(crate) fn model<'w, B: LinearBackend>(
    hessian: Hessian,
    solver: &Solver<B::Scalar>,
    objective: &Inversion<'w, B>,
) -> Model<'w, B> {
    let (secant, exact, seed) = (RowWeights::Secant, RowWeights::Exact, solver.seed());
    let rows = 8 * objective.dimension();
    let by_leverage = |scores| {
        let leverage = Leverage::new(objective, scores, seed);
        RowFactor::sampled_by(objective, secant, leverage, rows, seed)
    };
    match hessian {
        Hessian::Auto => Box::new(solver.default_hessian(objective)),
        Hessian::Secant => Box::new(RowFactor::new(objective, secant)),
        Hessian::Exact => Box::new(DenseHessian::new(objective, exact)),
        Hessian::Convexified => Box::new(RowFactor::new(objective, RowWeights::Convexified)),
        Hessian::GaussNewton => Box::new(RowFactor::new(objective, RowWeights::GaussNewton)),
        Hessian::Sampled => Box::new(RowFactor::sampled(objective, secant, rows, seed)),
        Hessian::Uniform => Box::new(RowFactor::sampled_by(
            objective, secant, Uniform, rows, seed,
        )),
        Hessian::Leverage => Box::new(by_leverage(Scores::Fast)),
        Hessian::LeverageExact => Box::new(by_leverage(Scores::Exact)),
        Hessian::Sketch => Box::new(Sketched::new(objective, secant, rows, seed)),
        Hessian::ConjugateGradient => {
            Box::new(ConjugateGradient::new(objective, exact, rows, seed))
        }
    }
}
