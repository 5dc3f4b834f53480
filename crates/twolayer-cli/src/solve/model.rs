//! The model of the Hessian that was asked for.

use super::Host;
use crate::args::Hessian;
use crate::dispatch::Library;
use crate::single_precision::target;
use twolayer::{
    ConjugateGradient, DenseHessian, Leverage, MixedPrecision, Model, RowFactor, Scores, Sketched,
    Uniform,
};
use twolayer::{Error, Inversion, Objective, RowWeights};

impl<B: Library> Host<'_, B> {
    pub(super) fn new_model<'w>(
        &'w self,
        objective: &Inversion<'w, B>,
    ) -> Result<Model<'w, B>, Error> {
        let (secant, exact, seed) = (RowWeights::Secant, RowWeights::Exact, self.args.seed);
        let rows = 8 * objective.dimension();
        if let Some(problems) = &self.rounded {
            let low = problems.inversion(target(objective.target())?)?;
            return Ok(Box::new(MixedPrecision::sampled(low, secant, rows, seed)));
        }
        let by_leverage = |scores| {
            let leverage = Leverage::new(objective, scores, seed);
            RowFactor::sampled_by(objective, secant, leverage, rows, seed)
        };
        Ok(match self.args.hessian {
            // Mixed precision comes with rounded problems.
            Hessian::Auto | Hessian::MixedPrecision => {
                Box::new(self.solver.default_hessian(objective))
            }
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
        })
    }
}
