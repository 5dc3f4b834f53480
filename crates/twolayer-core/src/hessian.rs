//! What a solver asks of an approximation of the Hessian.

mod by_products;

use crate::backend::NotPositiveDefinite;
use crate::objective::{Evaluation, Objective};
use crate::reduce;
use crate::subspace::Subspace;

/// A quadratic model gᵀp + ½ pᵀH̃p of an objective around a point.
///
/// Exact, Gauss–Newton, sampled, sketched and matrix-free models all fit: the solver only ever
/// minimises the model with a ridge, over the subspace that the pinned kinks leave. A model of one's own
/// needs a name, [`build`](HessianApprox::build), [`apply`](HessianApprox::apply) and its
/// [`mean_eigenvalue`](HessianApprox::mean_eigenvalue); one that has a factor has better steps of its own.
pub trait HessianApprox<O: Objective> {
    /// As a user names it.
    fn name(&self) -> &'static str;

    /// Forgets earlier solves: what comes next is to be the same as from a new model. Called at the
    /// start of each solve, so that many problems in a row are each solved as if it were the only
    /// one. A model that carries nothing from one [`build`](HessianApprox::build) to the next, no
    /// stream of random numbers in particular, need not implement it.
    fn begin_solve(&mut self) {}

    /// What a new model of the same settings would have to be told to go on as this one: how many
    /// rows it draws, how far its random numbers are, but not what another
    /// [`build`](HessianApprox::build) makes again. Nothing by default.
    ///
    /// A solve asks every so many iterations, and has the model [`recall`](HessianApprox::recall)
    /// the answer at once: so a solve that goes on from there with a new model does the same.
    fn memory(&self) -> Vec<u64> {
        Vec::new()
    }

    /// Forgets everything but what an equal model once had in [`memory`](HessianApprox::memory).
    /// Returns whether one can have had it; where not, the model is as after
    /// [`begin_solve`](HessianApprox::begin_solve).
    fn recall(&mut self, memory: &[u64]) -> bool {
        self.begin_solve();
        memory.is_empty()
    }

    /// Computes the gradient at a point that was evaluated, as
    /// [`differentiate`](Objective::differentiate) does. What comes next is a
    /// [`build`](HessianApprox::build) at the point as this left it: a model that needs other products
    /// with Cᵀ for it may share the pass over the outer layer.
    fn differentiate(&mut self, objective: &O, at: &mut O::Evaluation) {
        objective.differentiate(at);
    }

    /// Builds H̃ at a point that was evaluated and differentiated. Returns how many rows of C were
    /// used.
    fn build(&mut self, objective: &O, at: &O::Evaluation) -> usize;

    /// A length by which damping is measured: the mean eigenvalue of H̃, trace(H̃)/d.
    fn mean_eigenvalue(&self) -> O::Scalar;

    /// At the point of the last [`build`](HessianApprox::build), with the same `objective` and `at`:
    /// step = argmin of gᵀp + ½ pᵀH̃p + ½ ν‖p‖² + pull·xᵀp over p in `subspace`, with ν the
    /// `damping` and (pull, x) the `pull`: the multiplier of the constraint ‖x‖ ≤ R, which adds
    /// pull·‖x + p‖²/2, of which the quadratic part is to be counted in ν by the caller.
    ///
    /// The default is conjugate gradients on products by [`apply`](HessianApprox::apply): it makes vectors of its
    /// own at each call.
    ///
    /// # Errors
    /// [`NotPositiveDefinite`] where H̃ + νI is not positive definite on the subspace in working
    /// precision; the caller tries again with more damping.
    fn step(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        damping: O::Scalar,
        pull: Option<(O::Scalar, &[O::Scalar])>,
        subspace: &Subspace<O::Scalar>,
        step: &mut [O::Scalar],
    ) -> Result<(), NotPositiveDefinite> {
        let mut rhs: Vec<_> = at.gradient().iter().map(|&g| -g).collect();
        if let Some((pull, x)) = pull {
            reduce::axpy(-pull, x, &mut rhs);
        }
        let apply = |p: &[_], product: &mut [_]| self.apply(objective, at, p, product);
        by_products::minimize(apply, rhs, damping, subspace, step)
    }

    /// Is told what became of the last [`step`](HessianApprox::step), and need not guess it from the next point. A
    /// model that learns nothing from it need not implement it.
    fn learn(&mut self, _outcome: StepOutcome<O::Scalar>) {}

    /// The model with a ridge as a least-squares problem, ½‖Rp + s‖² up to a constant: writes the
    /// upper triangular `factor` R (d×d, row after row) with RᵀR = H̃ + νI and the `residual` s (d)
    /// with Rᵀs = g, at the point of the last [`build`](HessianApprox::build). Returns false where the
    /// model has no such factor at hand.
    fn damped_factor(
        &mut self,
        _damping: O::Scalar,
        _factor: &mut [O::Scalar],
        _residual: &mut [O::Scalar],
    ) -> bool {
        false
    }

    /// A direction v (d), ‖v‖ = 1, in `subspace` along which the exact Hessian at a differentiated
    /// point is clearly negative, with vᵀHv; `None` where none is found, or none is looked for. Asked
    /// for where a solve would end.
    fn negative_curvature(
        &mut self,
        _objective: &O,
        _at: &O::Evaluation,
        _subspace: &Subspace<O::Scalar>,
    ) -> Option<(Vec<O::Scalar>, O::Scalar)> {
        None
    }

    /// product = H̃ p, without the ridge, at the point of the last [`build`](HessianApprox::build),
    /// with the same `objective` and `at`.
    fn apply(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        p: &[O::Scalar],
        product: &mut [O::Scalar],
    );
}

/// What became of a step that a model proposed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepOutcome<T> {
    /// Which part of it was taken; 0 where it was refused, or another move was made in its place.
    pub fraction: T,
    /// By how much the objective fell.
    pub decrease: T,
}

/// A model that is chosen while the program runs.
impl<O: Objective, H: HessianApprox<O> + ?Sized> HessianApprox<O> for Box<H> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn begin_solve(&mut self) {
        (**self).begin_solve();
    }

    fn memory(&self) -> Vec<u64> {
        (**self).memory()
    }

    fn recall(&mut self, memory: &[u64]) -> bool {
        (**self).recall(memory)
    }

    fn differentiate(&mut self, objective: &O, at: &mut O::Evaluation) {
        (**self).differentiate(objective, at);
    }

    fn build(&mut self, objective: &O, at: &O::Evaluation) -> usize {
        (**self).build(objective, at)
    }

    fn mean_eigenvalue(&self) -> O::Scalar {
        (**self).mean_eigenvalue()
    }

    fn step(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        damping: O::Scalar,
        pull: Option<(O::Scalar, &[O::Scalar])>,
        subspace: &Subspace<O::Scalar>,
        step: &mut [O::Scalar],
    ) -> Result<(), NotPositiveDefinite> {
        (**self).step(objective, at, damping, pull, subspace, step)
    }

    fn learn(&mut self, outcome: StepOutcome<O::Scalar>) {
        (**self).learn(outcome);
    }

    fn damped_factor(
        &mut self,
        damping: O::Scalar,
        factor: &mut [O::Scalar],
        residual: &mut [O::Scalar],
    ) -> bool {
        (**self).damped_factor(damping, factor, residual)
    }

    fn negative_curvature(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        subspace: &Subspace<O::Scalar>,
    ) -> Option<(Vec<O::Scalar>, O::Scalar)> {
        (**self).negative_curvature(objective, at, subspace)
    }

    fn apply(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        p: &[O::Scalar],
        product: &mut [O::Scalar],
    ) {
        (**self).apply(objective, at, p, product);
    }
}
