//! The last digits of a nearest x.

use super::pull::Pull;
use super::{Nearest, first_order_tolerance};
use crate::any::{AnyInversion, AnyPoint};
use approx_newton::DenseHessian;
use num_traits::Zero;
use twolayer_core::{
    Error, Evaluation, HessianApprox, Kinked, LinearBackend, Objective, RowWeights, Scalar,
    Subspace, reduce,
};

/// Newton steps at most. Each leaves a hundredth or so of the violation.
const MOST_STEPS: usize = 12;
/// μ of these steps as a part of that of the descent before.
const PART: f64 = 1e-2;

/// A nearest x to the last digit, with the multipliers of the kinks and bounds that hold it, per unit of μ.
pub(super) struct Finished<T> {
    pub(super) x: Vec<T>,
    pub(super) violation: T,
    pub(super) first_order: T,
    pub(super) multipliers: Vec<T>,
}

/// By how many roundoffs of x a step may leave the bounds that hold it.
const ROUNDINGS: f64 = 64.0;

/// What a descent came to: the point and the kinks that hold it.
pub(super) struct Ended<'s, T> {
    pub(super) x: &'s [T],
    pub(super) pinned: &'s [usize],
    pub(super) shift: &'s [T],
    pub(super) weight: T,
}

/// A descent ends where its value, of which the distance is most, does not fall any more: x has then half of
/// its digits. Newton steps on the gradient, on the same kinks and in the same cell, bring the others, with the
/// target moved before each of them. `None` where they leave the cell, do not come to rest, or where a multiplier
/// has the wrong sign: the next descent then goes on.
pub(super) fn finish<B: LinearBackend>(
    nearest: &Nearest<'_, B>,
    ended: &Ended<'_, B::Scalar>,
) -> Result<Option<Finished<B::Scalar>>, Error> {
    let part = B::Scalar::of(PART);
    let weight = part * ended.weight;
    let mut shift: Vec<_> = ended.shift.iter().map(|&t| part * t).collect();
    let mut x = ended.x.to_vec();
    let mut residual = vec![B::Scalar::zero(); nearest.goal.constraints()];
    let mut cell = None;
    for _ in 0..=MOST_STEPS {
        let Some(pull) = Pull::new(nearest, &shift, weight) else {
            return Ok(None);
        };
        let problem = pull.problem(nearest)?;
        let mut place = Place::new(&problem, ended.pinned, &x);
        let Some(subspace) = place.subspace(&problem) else {
            return Ok(None);
        };
        if *cell.get_or_insert_with(|| place.sides(&problem)) != place.sides(&problem) {
            return Ok(None);
        }
        nearest.goal.write_residual(place.at.pass(), &mut residual);
        let violation = nearest.goal.violation(&residual);
        let first_order = place.first_order(nearest, weight, &subspace);
        let gap = nearest.goal.gap(&residual, &shift);
        let is_there = gap <= nearest.tolerance && first_order <= first_order_tolerance();
        if is_there && !place.is_off(&problem) {
            let multipliers = place.held(&problem, &subspace, weight);
            return Ok(multipliers.map(|multipliers| Finished {
                x,
                violation,
                first_order,
                multipliers,
            }));
        }
        nearest.goal.update(&residual, &mut shift);
        let Some(pull) = Pull::new(nearest, &shift, weight) else {
            return Ok(None);
        };
        let problem = pull.problem(nearest)?;
        let place = Place::new(&problem, ended.pinned, &x);
        if !place.step(&problem, &subspace, &mut x) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// A differentiated point and the kinks that hold it.
struct Place<'s, B: LinearBackend> {
    at: AnyPoint<B>,
    pinned: &'s [usize],
}

impl<'s, B: LinearBackend> Place<'s, B> {
    fn new(problem: &AnyInversion<'_, B>, pinned: &'s [usize], x: &[B::Scalar]) -> Self {
        let mut at = problem.new_evaluation();
        problem.evaluate(x, pinned, &mut at);
        problem.differentiate(&mut at);
        Self { at, pinned }
    }

    /// The sides of all kinks but those that hold it.
    fn sides(&self, problem: &AnyInversion<'_, B>) -> Vec<bool> {
        let mut sides = problem.sides(&self.at).to_vec();
        for &kink in self.pinned {
            sides[kink] = false;
        }
        sides
    }

    /// `None` where the normals depend on each other.
    fn subspace(&self, problem: &AnyInversion<'_, B>) -> Option<Subspace<B::Scalar>> {
        let mut subspace = Subspace::whole(problem.dimension());
        let mut normal = vec![B::Scalar::zero(); problem.dimension()];
        let mut is_new = |&kink: &usize| {
            problem.normal(&self.at, kink, &mut normal);
            subspace.constrain(&normal)
        };
        self.pinned.iter().all(&mut is_new).then_some(subspace)
    }

    /// A Newton step along the kinks, and back onto those that it has left.
    fn step(
        &self,
        problem: &AnyInversion<'_, B>,
        subspace: &Subspace<B::Scalar>,
        x: &mut [B::Scalar],
    ) -> bool {
        let zero = B::Scalar::zero();
        let distances = problem.signed_distances(&self.at);
        let off: Vec<_> = self.pinned.iter().map(|&kink| -distances[kink]).collect();
        reduce::axpy(B::Scalar::of(1.0), &subspace.shortest(&off), x);
        let mut model = DenseHessian::new(problem, RowWeights::Exact);
        model.build(problem, &self.at);
        let mut step = vec![zero; x.len()];
        let stepped = model.step(problem, &self.at, zero, None, subspace, &mut step);
        if stepped.is_err() || !reduce::all_finite(&step) {
            return false;
        }
        reduce::axpy(B::Scalar::of(1.0), &step, x);
        let free = x.to_vec();
        problem.confine(self.pinned, x);
        // Beyond another bound: the step would have had to be shorter.
        let moved: Vec<_> = x.iter().zip(&free).map(|(&x, &free)| x - free).collect();
        let rounding = B::Scalar::of(ROUNDINGS) * B::Scalar::UNIT_ROUNDOFF;
        reduce::norm(&moved) <= rounding * reduce::norm(x)
    }

    /// Whether it has left a kink that bends.
    fn is_off(&self, problem: &AnyInversion<'_, B>) -> bool {
        let distances = problem.signed_distances(&self.at);
        self.pinned
            .iter()
            .any(|&kink| distances[kink] != B::Scalar::zero())
    }

    /// The gradient along the kinks, as a part of the pull of x_ref.
    fn first_order(
        &self,
        nearest: &Nearest<'_, B>,
        weight: B::Scalar,
        subspace: &Subspace<B::Scalar>,
    ) -> B::Scalar {
        let mut gradient = self.at.gradient().to_vec();
        subspace.project(&mut gradient);
        reduce::norm(&gradient) / (weight * nearest.pull(self.at.point()))
    }

    /// τ of each kink per unit of μ; `None` where one has the wrong sign: 0 ≤ τ ≤ v, v the jump of the slope.
    fn held(
        &mut self,
        problem: &AnyInversion<'_, B>,
        subspace: &Subspace<B::Scalar>,
        weight: B::Scalar,
    ) -> Option<Vec<B::Scalar>> {
        let mut jumps = vec![B::Scalar::zero(); self.pinned.len()];
        problem.foresee(&mut self.at, None);
        problem.slope_jumps(&self.at, self.pinned, &mut jumps);
        let multipliers = subspace.multipliers(self.at.gradient());
        let gradient = reduce::norm(self.at.gradient());
        let holds = |index: usize| {
            let (kink, tau, jump) = (self.pinned[index], multipliers[index], jumps[index]);
            let size = gradient / reduce::norm(subspace.normal(index));
            let noise = first_order_tolerance::<B::Scalar>() * size;
            problem.is_fixed(kink) || (tau >= -noise && tau <= jump + noise)
        };
        let is_held = (0..self.pinned.len()).all(holds);
        is_held.then(|| multipliers.iter().map(|&tau| tau / weight).collect())
    }
}
