//! H̃ as a d×d matrix, with the exact row weights, negative ones included.

use super::kept_jacobian::KeptJacobian;
use super::negative_curvature::negative_curvature;
use num_traits::{Float, Zero};
use twolayer_core::{
    Curvature, HessianApprox, LinearBackend, NotPositiveDefinite, RowStructured, RowWeights,
    Scalar, Subspace, reduce,
};

/// The exact Hessian H = C̄ᵀ diag(β) C̄ + Cᵀ diag(ω) C inside the cell, as a matrix; a damped step
/// is a Cholesky solve with H + νI.
///
/// It alone can represent negative curvature: the step is refused until ν makes it positive
/// definite. It sees the square of C's condition number: where that exceeds 1/roundoff, the small
/// directions are lost and [`RowFactor`](super::RowFactor) goes further.
///
/// Cost: 2mkd flops to form C, or 2mFd to bring it up to date where F units changed state; md² for one triangle of the Gram matrix, d³/3 for each damped step.
pub struct DenseHessian<O: RowStructured> {
    kind: RowWeights,
    backend: O::Backend,
    workspace: <O::Backend as LinearBackend>::Workspace,
    kept: KeptJacobian<O>,
    /// C̄.
    jacobian: <O::Backend as LinearBackend>::Matrix,
    gram: <O::Backend as LinearBackend>::Matrix,
    /// The matrix that is factored, over the free coordinates.
    damped: <O::Backend as LinearBackend>::Matrix,
    curvature: Curvature<O::Scalar>,
    /// H (d×d, row after row), both triangles.
    hessian: Vec<O::Scalar>,
    /// The gradient (d).
    gradient: Vec<O::Scalar>,
    center: Vec<O::Scalar>,
    uncentered: Vec<O::Scalar>,
    ones: Vec<O::Scalar>,
    weights: Vec<O::Scalar>,
    rotated: Vec<O::Scalar>,
    column: Vec<O::Scalar>,
}

impl<O: RowStructured> DenseHessian<O> {
    /// Buffers for `objective`, and for others of the same shape.
    pub fn new(objective: &O, kind: RowWeights) -> Self {
        let (m, d) = (objective.rows(), objective.dimension());
        let backend = objective.backend().clone();
        let zeros = |length| vec![O::Scalar::zero(); length];
        Self {
            kind,
            kept: KeptJacobian::new(objective),
            jacobian: backend.zeros(m, d),
            gram: backend.zeros(d, d),
            damped: backend.zeros(d, d),
            backend,
            workspace: Default::default(),
            curvature: Curvature::new(m),
            hessian: zeros(d * d),
            gradient: zeros(d),
            center: zeros(d),
            uncentered: zeros(d),
            ones: vec![num_traits::One::one(); m],
            weights: zeros(m),
            rotated: zeros(d * d),
            column: zeros(d),
        }
    }

    /// H (d×d, row after row) as last built.
    pub fn matrix(&self) -> &[O::Scalar] {
        &self.hessian
    }

    /// The regulariser in terms of C̄ = C − 1c̄ᵀ: Cᵀ diag(ω) C = C̄ᵀ diag(ω) C̄ + t c̄ᵀ + c̄ tᵀ +
    /// (Σω) c̄ c̄ᵀ with t = C̄ᵀω. The first term is in the Gram matrix; this adds the others.
    fn add_uncentered_terms(&mut self) {
        let omega = &self.curvature.uncentered_weights;
        let d = self.center.len();
        self.backend
            .mul_vec_transposed(&self.jacobian, omega, &mut self.uncentered);
        reduce::axpy(
            reduce::sum(omega) * O::Scalar::of(0.5),
            &self.center,
            &mut self.uncentered,
        );
        for (i, row) in self.hessian.chunks_exact_mut(d).enumerate() {
            reduce::axpy(self.center[i], &self.uncentered, row);
            reduce::axpy(self.uncentered[i], &self.center, row);
        }
    }

    /// Qᵀ H Q in `rotated`: every row by Q from the right, then every column.
    fn rotate_hessian(&mut self, subspace: &Subspace<O::Scalar>) {
        let d = self.center.len();
        self.rotated.copy_from_slice(&self.hessian);
        if subspace.constraints() == 0 {
            return;
        }
        // H is symmetric: rotating the rows, transposing and rotating again rotates both sides.
        for _ in 0..2 {
            for row in self.rotated.chunks_exact_mut(d) {
                subspace.rotate(row);
            }
            for i in 0..d {
                for j in 0..i {
                    self.rotated.swap(i * d + j, j * d + i);
                }
            }
        }
    }
}

impl<O: RowStructured> HessianApprox<O> for DenseHessian<O> {
    fn name(&self) -> &'static str {
        match self.kind {
            RowWeights::Exact => "exact",
            RowWeights::Convexified => "convexified-gram",
            RowWeights::GaussNewton => "gauss-newton-gram",
            RowWeights::Secant => "secant-gram",
        }
    }

    fn begin_solve(&mut self) {
        self.kept.forget();
    }

    fn build(&mut self, objective: &O, at: &O::Evaluation) -> usize {
        use twolayer_core::Evaluation;
        let d = objective.dimension();
        self.gradient.copy_from_slice(at.gradient());
        let jacobian = self.kept.bring_to(objective, at, &mut self.workspace);
        self.backend.copy(jacobian, &mut self.jacobian);
        objective.curvature(at, self.kind, &mut self.curvature);
        let backend = &self.backend;
        backend.mul_vec_transposed(&self.jacobian, &self.curvature.center, &mut self.center);
        backend.center_and_scale_rows(&self.ones, &self.center, &self.ones, &mut self.jacobian);
        self.weights.copy_from_slice(&self.curvature.row_weights);
        for (weight, &omega) in self
            .weights
            .iter_mut()
            .zip(&self.curvature.uncentered_weights)
        {
            *weight += omega;
        }
        backend.gram_lower(
            &self.jacobian,
            &self.weights,
            &mut self.gram,
            &mut self.workspace,
        );
        backend.copy_to_row_major(&self.gram, &mut self.hessian);
        for i in 0..d {
            for j in 0..i {
                self.hessian[j * d + i] = self.hessian[i * d + j];
            }
        }
        if !self.curvature.uncentered_weights.is_empty() {
            self.add_uncentered_terms();
        }
        objective.rows()
    }

    fn mean_eigenvalue(&self) -> O::Scalar {
        let d = self.center.len();
        // Of the absolute values: an indefinite matrix may have any trace.
        let trace = reduce::sum_of(d, |i| self.hessian[i * d + i].abs().to_f64());
        O::Scalar::of(trace / d as f64)
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
        let (d, pinned) = (step.len(), subspace.constraints());
        let free = d - pinned;
        step.fill(O::Scalar::zero());
        if free == 0 {
            return Ok(());
        }
        self.rotate_hessian(subspace);
        // The free block, compacted to the front: it is read at or behind where it is written.
        for i in 0..free {
            let from = (pinned + i) * d + pinned;
            self.rotated.copy_within(from..from + free, i * free);
            self.rotated[i * free + i] += damping;
        }
        if self.backend.ncols(&self.damped) != free {
            self.damped = self.backend.zeros(free, free);
        }
        self.backend
            .copy_from_row_major(&self.rotated[..free * free], &mut self.damped);
        let factor = self.backend.cholesky(&self.damped, &mut self.workspace)?;
        self.column.copy_from_slice(&self.gradient);
        if let Some((multiplier, x)) = pull {
            reduce::axpy(multiplier, x, &mut self.column);
        }
        subspace.rotate(&mut self.column);
        let p = &mut step[pinned..];
        for (p, &g) in p.iter_mut().zip(&self.column[pinned..]) {
            *p = -g;
        }
        self.backend.cholesky_solve(&factor, p, &mut self.workspace);
        if !reduce::all_finite(p) {
            return Err(NotPositiveDefinite);
        }
        subspace.rotate_back(step);
        Ok(())
    }

    fn negative_curvature(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        subspace: &Subspace<O::Scalar>,
    ) -> Option<(Vec<O::Scalar>, O::Scalar)> {
        negative_curvature(objective, at, subspace, None)
    }

    fn apply(&mut self, _: &O, _: &O::Evaluation, p: &[O::Scalar], product: &mut [O::Scalar]) {
        for (row, product) in self.hessian.chunks_exact(p.len()).zip(product) {
            *product = reduce::dot(row, p);
        }
    }
}
