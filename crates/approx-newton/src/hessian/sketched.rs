//! H̃ from a sketch of A2 that is made once and valid under every pattern.

use super::importance::WeightedRows;
use super::negative_curvature::negative_curvature;
use super::row_curvature::RowCurvature;
use super::row_factor::{convex, weigh};
use super::row_sketch::RowSketch;
use super::triangular::Triangular;
use num_traits::{Float, Zero};
use twolayer_core::{
    Evaluation, HessianApprox, NotPositiveDefinite, RowStructured, RowWeights, Subspace,
};

/// H̃ = (SJ)ᵀSJ for a CountSketch S of the weighted rows J: positive semi-definite, with the Hessian as
/// its expectation.
///
/// The pass over A2 that combines its rows is made once, and again only where the weights have moved
/// (by a tenth, all together): near the solution they no longer do. A step then costs 2skd flops for
/// S C and 2sd² for its QR, s the rows of S, and no pass over A2 beyond the gradient's.
pub struct Sketched<O: RowStructured> {
    kind: RowWeights,
    sketch: RowSketch<O>,
    model: Triangular<O::Backend>,
    all_rows: RowCurvature<O>,
    weights: Vec<O::Scalar>,
    shift: Vec<O::Scalar>,
    nothing: Vec<O::Scalar>,
}

impl<O: RowStructured> Sketched<O> {
    /// A sketch of `rows` rows, drawn by `seed`. [`RowWeights::Exact`] weights are convexified.
    pub fn new(objective: &O, kind: RowWeights, rows: usize, seed: u64) -> Self {
        let zeros = |length| vec![O::Scalar::zero(); length];
        let (m, d) = (objective.rows(), objective.dimension());
        Self {
            kind: convex(kind),
            sketch: RowSketch::new(objective, rows, seed),
            model: Triangular::new(objective.backend().clone(), d),
            all_rows: RowCurvature::new(m, d),
            weights: zeros(m),
            shift: zeros(m),
            nothing: zeros(rows),
        }
    }
}

impl<O: RowStructured> HessianApprox<O> for Sketched<O> {
    fn name(&self) -> &'static str {
        "sketch"
    }

    fn begin_solve(&mut self) {
        self.all_rows.forget();
        self.sketch.begin_solve();
    }

    fn differentiate(&mut self, objective: &O, at: &mut O::Evaluation) {
        self.all_rows.differentiate(objective, at, self.kind);
    }

    fn build(&mut self, objective: &O, at: &O::Evaluation) -> usize {
        self.all_rows.bring_to(objective, at, self.kind);
        let RowCurvature {
            curvature, center, ..
        } = &self.all_rows;
        let extra_weight = weigh(curvature, &mut self.weights, &mut self.shift);
        let rows = WeightedRows {
            weights: &self.weights,
            shift: &self.shift,
            center,
        };
        self.sketch.form(objective, at, &rows);
        self.nothing.fill(O::Scalar::zero());
        self.model
            .factor_rows(&mut self.sketch.jacobian, &mut self.nothing);
        self.model.rows.rest.copy_from_slice(at.gradient());
        self.model
            .rows
            .set_extra_row(extra_weight.sqrt(), center, O::Scalar::zero());
        self.nothing.len()
    }

    fn mean_eigenvalue(&self) -> O::Scalar {
        self.model.rows.mean_eigenvalue()
    }

    fn step(
        &mut self,
        _: &O,
        _: &O::Evaluation,
        damping: O::Scalar,
        pull: Option<(O::Scalar, &[O::Scalar])>,
        subspace: &Subspace<O::Scalar>,
        step: &mut [O::Scalar],
    ) -> Result<(), NotPositiveDefinite> {
        self.model.step(damping, pull, subspace, step)
    }

    fn damped_factor(
        &mut self,
        damping: O::Scalar,
        factor: &mut [O::Scalar],
        residual: &mut [O::Scalar],
    ) -> bool {
        self.model.damped_factor(damping, factor, residual)
    }

    fn negative_curvature(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        subspace: &Subspace<O::Scalar>,
    ) -> Option<(Vec<O::Scalar>, O::Scalar)> {
        let factor = self.model.slightly_damped_factor(subspace);
        negative_curvature(objective, at, subspace, factor)
    }

    fn apply(&mut self, _: &O, _: &O::Evaluation, p: &[O::Scalar], product: &mut [O::Scalar]) {
        self.model.rows.apply(p, product);
    }
}
