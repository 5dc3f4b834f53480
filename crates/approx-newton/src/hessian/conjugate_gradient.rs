//! Steps of the true Hessian by conjugate gradients, a sampled factor as preconditioner.

use super::negative_curvature::negative_curvature;
use super::row_factor::RowFactor;
use num_traits::{Float, Zero};
use twolayer_core::{
    Curvature, Evaluation, HessianApprox, NotPositiveDefinite, RowStructured, RowWeights, Scalar,
    Subspace, reduce,
};

/// H p = C̄ᵀ diag(β) C̄ p + Cᵀ diag(ω) C p by two passes over A2's active columns, C never formed, and
/// a damped step by preconditioned conjugate gradients on it.
///
/// The preconditioner is a [`RowFactor`] of sampled rows with the same damping. With s = 8d rows the
/// eigenvalues of H̃⁻¹H spread over about 0.5 … 2.4, and an iteration divides the error by about
/// (√κ + 1)/(√κ − 1) = 2.7, its square by 7.
///
/// **Accuracy as convergence asks for it.** The iteration ends where the residual has fallen to η of
/// its start, η = min(η₀, 0.9 (‖g‖/‖g before‖)²): rough far from the solution, ever finer where
/// the steps converge (S. Eisenstat and H. Walker, "Choosing the forcing terms in an inexact Newton
/// method", 1996).
///
/// **A preconditioner as old as it may be.** It is made anew only when the one at hand has cost more
/// iterations than a new one would.
///
/// The iterate's residual is orthogonal to it, so that −gᵀp − ½pᵀHp is told exactly by p and Hp however
/// early the iteration ends. Cost: 8mk flops and 16mk bytes an iteration.
pub struct ConjugateGradient<O: RowStructured> {
    kind: RowWeights,
    preconditioner: RowFactor<O>,
    /// Iterations that making a preconditioner is worth.
    worth: usize,
    age: Age,
    /// Iterations of the first solve with the preconditioner at hand.
    fresh_iterations: usize,
    forcing: O::Scalar,
    gradient_norm: Option<O::Scalar>,
    curvature: Curvature<O::Scalar>,
    scratch: O::Scratch,
    /// All over the free coordinates, but for the first two (d).
    full: Vec<O::Scalar>,
    full_product: Vec<O::Scalar>,
    residual: Vec<O::Scalar>,
    preconditioned: Vec<O::Scalar>,
    direction: Vec<O::Scalar>,
    product: Vec<O::Scalar>,
}

/// Of the preconditioner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Missing,
    Fresh,
    Used,
    Spent,
}

/// η of the first step.
const LOOSEST: f64 = 0.03;
/// η is not made smaller: what is gained beyond is lost to the change of the Hessian along the step.
const TIGHTEST: f64 = 1e-4;
/// A solve that needs more iterations has a preconditioner that is no good.
const MOST_ITERATIONS: usize = 60;
/// How many flops a matrix product does in the time that a product with a vector does one: memory is
/// that much slower than arithmetic.
const FLOPS_OF_A_PASS: usize = 8;

impl<O: RowStructured> ConjugateGradient<O> {
    /// Buffers for `objective`, and for others of the same shape. The preconditioner has `rows` rows
    /// drawn by `seed`. Any `kind` of row weights: a direction of negative curvature is met as
    /// [`NotPositiveDefinite`].
    pub fn new(objective: &O, kind: RowWeights, rows: usize, seed: u64) -> Self {
        let (m, d) = (objective.rows(), objective.dimension());
        let zeros = || vec![O::Scalar::zero(); d];
        // 2skd flops against 4mk and the factor: k cancels.
        let worth = rows.min(m) * d / (2 * FLOPS_OF_A_PASS * m);
        Self {
            kind,
            preconditioner: RowFactor::sampled(objective, kind, rows, seed),
            worth: worth.max(1),
            age: Age::Missing,
            fresh_iterations: 0,
            forcing: O::Scalar::of(LOOSEST),
            gradient_norm: None,
            curvature: Curvature::new(m),
            scratch: O::Scratch::default(),
            full: zeros(),
            full_product: zeros(),
            residual: zeros(),
            preconditioned: zeros(),
            direction: zeros(),
            product: zeros(),
        }
    }

    /// product ← (QᵀHQ + νI) direction over the free coordinates.
    fn damped_product(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        damping: O::Scalar,
        subspace: &Subspace<O::Scalar>,
    ) {
        let pinned = subspace.constraints();
        self.full[..pinned].fill(O::Scalar::zero());
        self.full[pinned..].copy_from_slice(&self.direction);
        subspace.rotate_back(&mut self.full);
        let (curvature, scratch) = (&self.curvature, &mut self.scratch);
        objective.hessian_vec(at, curvature, &self.full, scratch, &mut self.full_product);
        subspace.rotate(&mut self.full_product);
        self.product.copy_from_slice(&self.full_product[pinned..]);
        reduce::axpy(damping, &self.direction, &mut self.product);
    }

    /// Conjugate gradients for the residual at hand, from p, over the free coordinates, by the
    /// preconditioner as it was last factored. Returns the iterations; `None` where so many were not enough.
    fn iterate(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        damping: O::Scalar,
        subspace: &Subspace<O::Scalar>,
        enough: O::Scalar,
        p: &mut [O::Scalar],
    ) -> Result<Option<usize>, NotPositiveDefinite> {
        let mut size = self.precondition();
        self.direction.copy_from_slice(&self.preconditioned);
        for iteration in 1..=MOST_ITERATIONS {
            if size <= enough {
                return Ok(Some(iteration - 1));
            }
            self.damped_product(objective, at, damping, subspace);
            let bend = reduce::dot(&self.direction, &self.product);
            if bend <= O::Scalar::zero() || bend.is_nan() {
                return Err(NotPositiveDefinite);
            }
            let length = size / bend;
            reduce::axpy(length, &self.direction, p);
            reduce::axpy(-length, &self.product, &mut self.residual);
            let next = self.precondition();
            let turn = next / size;
            for (p, &z) in self.direction.iter_mut().zip(&self.preconditioned) {
                *p = z + turn * *p;
            }
            size = next;
        }
        Ok(None)
    }

    /// preconditioned ← M⁻¹ residual. Returns their product, the residual's square in that norm.
    fn precondition(&mut self) -> O::Scalar {
        self.preconditioned.copy_from_slice(&self.residual);
        self.preconditioner
            .factor()
            .solve_damped(&mut self.preconditioned);
        reduce::dot(&self.preconditioned, &self.residual)
    }

    fn make_preconditioner(&mut self, objective: &O, at: &O::Evaluation) -> usize {
        self.age = Age::Fresh;
        self.preconditioner.build(objective, at)
    }
}

impl<O: RowStructured> HessianApprox<O> for ConjugateGradient<O> {
    fn name(&self) -> &'static str {
        "conjugate-gradient"
    }

    fn begin_solve(&mut self) {
        self.preconditioner.begin_solve();
        self.age = Age::Missing;
        self.gradient_norm = None;
        self.forcing = O::Scalar::of(LOOSEST);
    }

    /// The gradient's norm at the last point, which the next accuracy is measured by (NaN where there
    /// is none), and what the preconditioner keeps.
    fn memory(&self) -> Vec<u64> {
        let norm = self.gradient_norm.map_or(f64::NAN, Scalar::to_f64);
        let mut memory = vec![norm.to_bits()];
        memory.extend(self.preconditioner.memory());
        memory
    }

    fn recall(&mut self, memory: &[u64]) -> bool {
        self.begin_solve();
        let Some((&norm, rest)) = memory.split_first() else {
            return false;
        };
        if !self.preconditioner.recall(rest) {
            return false;
        }
        let norm = Some(f64::from_bits(norm)).filter(|norm| !norm.is_nan());
        self.gradient_norm = norm.map(O::Scalar::of);
        true
    }

    fn differentiate(&mut self, objective: &O, at: &mut O::Evaluation) {
        match self.age {
            Age::Missing | Age::Spent => self.preconditioner.differentiate(objective, at),
            Age::Fresh | Age::Used => objective.differentiate(at),
        }
    }

    fn build(&mut self, objective: &O, at: &O::Evaluation) -> usize {
        objective.curvature(at, self.kind, &mut self.curvature);
        let norm = reduce::norm(at.gradient());
        if let Some(before) = self.gradient_norm {
            let ratio = norm / before;
            let forcing = O::Scalar::of(0.9) * ratio * ratio;
            self.forcing = forcing
                .min(O::Scalar::of(LOOSEST))
                .max(O::Scalar::of(TIGHTEST));
        }
        self.gradient_norm = Some(norm);
        match self.age {
            Age::Missing | Age::Spent => self.make_preconditioner(objective, at),
            Age::Fresh | Age::Used => 0,
        }
    }

    fn mean_eigenvalue(&self) -> O::Scalar {
        self.preconditioner.mean_eigenvalue()
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
        let pinned = subspace.constraints();
        let free = step.len() - pinned;
        for vector in [
            &mut self.residual,
            &mut self.preconditioned,
            &mut self.direction,
            &mut self.product,
        ] {
            vector.resize(free, O::Scalar::zero());
        }
        // −Qᵀ(g + μx)
        step.copy_from_slice(at.gradient());
        if let Some((multiplier, x)) = pull {
            reduce::axpy(multiplier, x, step);
        }
        subspace.rotate(step);
        for (r, &g) in self.residual.iter_mut().zip(&step[pinned..]) {
            *r = -g;
        }
        step.fill(O::Scalar::zero());
        if free == 0 {
            return Ok(());
        }
        let factor = self.preconditioner.factor();
        factor.factor_damped(damping, subspace, &mut self.full);
        let enough = self.forcing * self.forcing * self.precondition();
        let p = &mut step[pinned..];
        let mut found = self.iterate(objective, at, damping, subspace, enough, p)?;
        if found.is_none() && self.age != Age::Fresh {
            self.make_preconditioner(objective, at);
            let factor = self.preconditioner.factor();
            factor.factor_damped(damping, subspace, &mut self.full);
            found = self.iterate(objective, at, damping, subspace, enough, p)?;
        }
        // What a fresh preconditioner could not bring to the wanted accuracy is a step all the same.
        let iterations = found.unwrap_or(MOST_ITERATIONS);
        if self.age == Age::Fresh {
            self.fresh_iterations = iterations;
            self.age = Age::Used;
        } else if iterations > self.fresh_iterations + self.worth {
            self.age = Age::Spent;
        }
        if !reduce::all_finite(step) {
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

    fn apply(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        p: &[O::Scalar],
        product: &mut [O::Scalar],
    ) {
        let (curvature, scratch) = (&self.curvature, &mut self.scratch);
        objective.hessian_vec(at, curvature, p, scratch, product);
    }
}
