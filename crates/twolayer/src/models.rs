//! The models of the Hessian by name.

use crate::any::AnyInversion;
use crate::many::Model;
use approx_newton::{
    ConjugateGradient, DenseHessian, Leverage, RowFactor, Scores, Sketched, Solver, Uniform,
};
use twolayer_core::{LinearBackend, Objective, RowWeights};

/// A model of the Hessian with the settings that suit most problems. Those that draw rows draw 8d, by the
/// seed of the solver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// [`Solver::default_hessian`].
    Auto,
    /// [`RowFactor`] with [`RowWeights::Secant`].
    Secant,
    /// [`DenseHessian`] with [`RowWeights::Exact`].
    Exact,
    /// [`RowFactor`] with [`RowWeights::Convexified`].
    Convexified,
    /// [`RowFactor`] with [`RowWeights::GaussNewton`].
    GaussNewton,
    /// [`RowFactor::sampled`] by weight.
    Sampled,
    /// [`RowFactor::sampled_by`] [`Uniform`].
    Uniform,
    /// [`RowFactor::sampled_by`] [`Leverage`], estimated.
    Leverage,
    /// The same, exact.
    LeverageExact,
    /// [`Sketched`].
    Sketch,
    /// [`ConjugateGradient`] on [`RowWeights::Exact`].
    ConjugateGradient,
}

impl ModelKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Auto,
        Self::Secant,
        Self::Exact,
        Self::Convexified,
        Self::GaussNewton,
        Self::Sampled,
        Self::Uniform,
        Self::Leverage,
        Self::LeverageExact,
        Self::Sketch,
        Self::ConjugateGradient,
    ];

    /// As a user names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Secant => "secant",
            Self::Exact => "exact",
            Self::Convexified => "convexified",
            Self::GaussNewton => "gauss-newton",
            Self::Sampled => "sampled",
            Self::Uniform => "uniform",
            Self::Leverage => "leverage",
            Self::LeverageExact => "leverage-exact",
            Self::Sketch => "sketch",
            Self::ConjugateGradient => "conjugate-gradient",
        }
    }

    /// A new model for `objective`, and for others of the same shape.
    pub fn make<'w, B: LinearBackend>(
        self,
        solver: &Solver<B::Scalar>,
        objective: &AnyInversion<'w, B>,
    ) -> Model<'w, B> {
        let (secant, exact, seed) = (RowWeights::Secant, RowWeights::Exact, solver.seed());
        let rows = 8 * objective.dimension();
        let all = |kind| RowFactor::new(objective, kind);
        let by_leverage = |scores| {
            let leverage = Leverage::new(objective, scores, seed);
            RowFactor::sampled_by(objective, secant, leverage, rows, seed)
        };
        match self {
            Self::Auto => Box::new(solver.default_hessian(objective)),
            Self::Secant => Box::new(all(secant)),
            Self::Exact => Box::new(DenseHessian::new(objective, exact)),
            Self::Convexified => Box::new(all(RowWeights::Convexified)),
            Self::GaussNewton => Box::new(all(RowWeights::GaussNewton)),
            Self::Sampled => Box::new(RowFactor::sampled(objective, secant, rows, seed)),
            Self::Uniform => {
                let model = RowFactor::sampled_by(objective, secant, Uniform, rows, seed);
                Box::new(model)
            }
            Self::Leverage => Box::new(by_leverage(Scores::Fast)),
            Self::LeverageExact => Box::new(by_leverage(Scores::Exact)),
            Self::Sketch => Box::new(Sketched::new(objective, secant, rows, seed)),
            Self::ConjugateGradient => {
                Box::new(ConjugateGradient::new(objective, exact, rows, seed))
            }
        }
    }
}
