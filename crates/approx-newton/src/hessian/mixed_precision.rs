//! H̃ in another precision than the objective: half the bytes, twice the flops a second.

use super::row_factor::RowFactor;
use num_traits::{Float, Zero};
use twolayer_core::{
    Evaluation, HessianApprox, NotPositiveDefinite, Objective, RowStructured, RowWeights, Scalar,
    Subspace, reduce,
};

/// A model of the Hessian from the same problem in single precision, for a solve in double precision.
///
/// Loss, gradient and every test stay those of the objective: an error of 10⁻⁷ in H̃ slows its
/// convergence by nothing that could be seen, and the answer is as exact as with a model in double
/// precision. The gradient is handed to the model as a direction of length 1, so that it may be as
/// small as it likes. Where C's condition number exceeds about 10⁶ the small directions are lost in
/// single precision, and the damping takes them over.
///
/// ```text
/// let low = Inversion::new(&network_f32, &target_f32)?;
/// let mut hessian = MixedPrecision::sampled(low, RowWeights::Secant, 8 * d, seed);
/// solver.solve_with(&problem_f64, &mut hessian, &x0, &mut Silent)?;
/// ```
pub struct MixedPrecision<L: RowStructured> {
    low: L,
    at: L::Evaluation,
    model: RowFactor<L>,
    gradient_norm: f64,
    point: Vec<L::Scalar>,
    vector: Vec<L::Scalar>,
    product: Vec<L::Scalar>,
}

impl<L: RowStructured> MixedPrecision<L> {
    /// A model of `rows` rows of `low`, the problem in the other precision, drawn by weight with
    /// `seed`; all of them where there are no more.
    pub fn sampled(low: L, kind: RowWeights, rows: usize, seed: u64) -> Self {
        let zeros = || vec![L::Scalar::zero(); low.dimension()];
        Self {
            at: low.new_evaluation(),
            model: RowFactor::sampled(&low, kind, rows, seed).for_any_gradient(),
            gradient_norm: 0.0,
            point: zeros(),
            vector: zeros(),
            product: zeros(),
            low,
        }
    }
}

impl<O, L> HessianApprox<O> for MixedPrecision<L>
where
    O: Objective,
    L: RowStructured,
{
    fn name(&self) -> &'static str {
        "mixed-precision"
    }

    fn begin_solve(&mut self) {
        self.model.begin_solve();
    }

    fn memory(&self) -> Vec<u64> {
        self.model.memory()
    }

    fn recall(&mut self, memory: &[u64]) -> bool {
        self.model.recall(memory)
    }

    fn build(&mut self, _: &O, at: &O::Evaluation) -> usize {
        round(at.point(), &mut self.point);
        self.low.evaluate(&self.point, &[], &mut self.at);
        self.model.differentiate(&self.low, &mut self.at);
        let rows = self.model.build(&self.low, &self.at);
        self.gradient_norm = reduce::norm(at.gradient()).to_f64();
        if self.gradient_norm > 0.0 {
            let scale = O::Scalar::of(self.gradient_norm);
            let gradient = self.model.replace_gradient();
            for (to, &g) in gradient.iter_mut().zip(at.gradient()) {
                *to = L::Scalar::of((g / scale).to_f64());
            }
        }
        rows
    }

    fn mean_eigenvalue(&self) -> O::Scalar {
        O::Scalar::of(self.model.mean_eigenvalue().to_f64())
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
        step.fill(O::Scalar::zero());
        if self.gradient_norm == 0.0 && pull.is_none() {
            return Ok(());
        }
        let scale = match self.gradient_norm {
            0.0 => 1.0,
            norm => norm,
        };
        let mut narrow = Subspace::whole(self.low.dimension());
        for index in 0..subspace.constraints() {
            round(subspace.normal(index), &mut self.vector);
            // A normal that single precision cannot tell from the others: the projection below is
            // that of double precision.
            narrow.constrain(&self.vector);
        }
        let least = L::Scalar::min_positive_value();
        let damping = L::Scalar::of(damping.to_f64()).max(least);
        let pull = pull.map(|(multiplier, x)| {
            for (to, &x) in self.point.iter_mut().zip(x) {
                *to = L::Scalar::of(x.to_f64() / scale);
            }
            (L::Scalar::of(multiplier.to_f64()), &self.point[..])
        });
        let (model, low, at) = (&mut self.model, &self.low, &self.at);
        model.step(low, at, damping, pull, &narrow, &mut self.vector)?;
        for (to, &p) in step.iter_mut().zip(&self.vector) {
            *to = O::Scalar::of(p.to_f64() * scale);
        }
        subspace.project(step);
        Ok(())
    }

    fn apply(&mut self, _: &O, _: &O::Evaluation, p: &[O::Scalar], product: &mut [O::Scalar]) {
        let norm = reduce::norm(p);
        product.fill(O::Scalar::zero());
        if norm <= O::Scalar::zero() {
            return;
        }
        for (to, &p) in self.vector.iter_mut().zip(p) {
            *to = L::Scalar::of((p / norm).to_f64());
        }
        self.model
            .apply(&self.low, &self.at, &self.vector, &mut self.product);
        for (to, &entry) in product.iter_mut().zip(&self.product) {
            *to = O::Scalar::of(entry.to_f64()) * norm;
        }
    }
}

fn round<T: Scalar, L: Scalar>(from: &[T], to: &mut [L]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = L::of(from.to_f64());
    }
}
