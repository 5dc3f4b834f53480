//! The model of the Hessian that was asked for.

use super::Host;
use crate::args::Hessian;
use crate::dispatch::Library;
use crate::single_precision::target;
use twolayer::{AnyInversion, Error, MixedPrecision, Model, ModelKind, Objective, RowWeights};

impl<B: Library> Host<'_, B> {
    pub(super) fn new_model<'w>(
        &'w self,
        objective: &AnyInversion<'w, B>,
    ) -> Result<Model<'w, B>, Error> {
        if let Some(problems) = &self.rounded {
            let low = problems.inversion(target(objective.target())?)?;
            let (rows, seed) = (8 * objective.dimension(), self.args.seed);
            let model = MixedPrecision::sampled(low, RowWeights::Secant, rows, seed);
            return Ok(Box::new(model));
        }
        Ok(kind(self.args.hessian).make(&self.solver, objective))
    }
}

fn kind(hessian: Hessian) -> ModelKind {
    match hessian {
        // Mixed precision comes with rounded problems.
        Hessian::Auto | Hessian::MixedPrecision => ModelKind::Auto,
        Hessian::Secant => ModelKind::Secant,
        Hessian::Exact => ModelKind::Exact,
        Hessian::Convexified => ModelKind::Convexified,
        Hessian::GaussNewton => ModelKind::GaussNewton,
        Hessian::Sampled => ModelKind::Sampled,
        Hessian::Uniform => ModelKind::Uniform,
        Hessian::Leverage => ModelKind::Leverage,
        Hessian::LeverageExact => ModelKind::LeverageExact,
        Hessian::Sketch => ModelKind::Sketch,
        Hessian::ConjugateGradient => ModelKind::ConjugateGradient,
    }
}
