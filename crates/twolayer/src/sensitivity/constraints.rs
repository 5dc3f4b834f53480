//! What holds an answer: kinks, bounds, the sphere.

use super::no_derivative::{Held, NoDerivative};
use twolayer_core::{Bounds, Evaluation, Kinked, Scalar, Subspace, reduce};

/// The kinks, bounds and the sphere that hold x, with the null space of their normals.
///
/// Stationary is g + Σ μᵢaᵢ + λx = 0.
#[derive(Debug)]
pub(super) struct Constraints<T> {
    /// The kinks, bounds among them.
    pub(super) kinks: Vec<usize>,
    /// R, where x is on the sphere, whose normal x is then the last.
    pub(super) sphere: Option<T>,
    pub(super) subspace: Subspace<T>,
    /// μ of the kinks, and λ.
    pub(super) multipliers: Vec<T>,
    /// What rounding may make of each.
    errors: Vec<T>,
}

/// x is on a kink up to so many roundoffs of the terms of aᵀx + c, as where a solve begins from one.
const ON_A_KINK: f64 = 64.0;
/// A multiplier is zero up to this multiple of its rounding error.
const ZERO: f64 = 8.0;

impl<T: Scalar> Constraints<T> {
    /// Of a point that was differentiated, its gradient known to `error`, on the kinks `pinned`.
    pub(super) fn new<O: Kinked<Scalar = T>>(
        problem: &O,
        at: &O::Evaluation,
        pinned: &[usize],
        error: T,
    ) -> Result<Self, NoDerivative> {
        let mut subspace = Subspace::whole(problem.dimension());
        let mut normal = vec![T::zero(); problem.dimension()];
        for &kink in pinned {
            if kink >= problem.kinks() {
                let found = "it is held by a kink that there is none of";
                return Err(NoDerivative::OfAnotherProblem { found });
            }
            problem.normal(at, kink, &mut normal);
            let offset = problem.offset(at, kink);
            let off = (reduce::dot(&normal, at.point()) + offset).abs();
            let terms = reduce::norm(&normal) * reduce::norm(at.point()) + offset.abs();
            if off > T::UNIT_ROUNDOFF.sqrt() * terms {
                let found = "it is not on the kinks that are said to hold it";
                return Err(NoDerivative::OfAnotherProblem { found });
            }
            if !subspace.constrain(&normal) {
                let found = "the normals of what holds it depend on one another";
                return Err(NoDerivative::OfAnotherProblem { found });
            }
        }
        // On the sphere up to a part of √u: in a small ball the value does not tell a solve the rest of the way.
        let near = |radius: T| radius * (T::one() - T::UNIT_ROUNDOFF.sqrt());
        let sphere = problem
            .radius()
            .filter(|&radius| reduce::norm(at.point()) >= near(radius));
        if sphere.is_some() && !subspace.constrain(at.point()) {
            // It would leave the directions that the kinks leave, but for its bend.
            let held = Held::Sphere;
            return Err(NoDerivative::Corner { held });
        }
        let multipliers = subspace.multipliers(at.gradient());
        let count = subspace.constraints();
        let errors = (0..count).map(|index| {
            let mut unit = vec![T::zero(); count];
            unit[index] = T::one();
            // μ = −pᵀg for the shortest p with aᵢᵀp = 1 that is orthogonal to the other normals.
            reduce::norm(&subspace.shortest(&unit)) * error
        });
        Ok(Self {
            kinks: pinned.to_vec(),
            sphere,
            multipliers,
            errors: errors.collect(),
            subspace,
        })
    }

    /// λ.
    pub(super) fn ridge(&self) -> T {
        let last = self.multipliers.last().filter(|_| self.sphere.is_some());
        last.copied()
            .map_or(T::zero(), |ridge| ridge.max(T::zero()))
    }

    /// Checks that each multiplier is on the inside of its interval at the minimum, to which `step` leads and whose
    /// gradient differs by `change`, and that no other kink is met there: (0, v) for a kink, v the jump of the
    /// slope, (0, ∞) for a bound and the sphere.
    pub(super) fn check<O: Kinked<Scalar = T>>(
        &self,
        problem: &O,
        at: &mut O::Evaluation,
        bounds: Option<&Bounds<T>>,
        step: &[T],
        change: &[T],
    ) -> Result<(), NoDerivative> {
        let named = |kink: usize| match (bounds, kink.checked_sub(problem.first_bound())) {
            (Some(bounds), Some(number)) => Held::Bound {
                entry: bounds.entry(number),
                is_upper: bounds.is_upper(number),
            },
            _ => Held::Kink(kink),
        };
        let mut gradient = at.gradient().to_vec();
        reduce::axpy(T::one(), change, &mut gradient);
        let multipliers = self.subspace.multipliers(&gradient);
        let mut jumps = vec![T::zero(); self.kinks.len()];
        problem.foresee(at, None);
        problem.slope_jumps(at, &self.kinks, &mut jumps);
        for (index, (&kink, &jump)) in self.kinks.iter().zip(&jumps).enumerate() {
            let own = T::of(ON_A_KINK) * T::UNIT_ROUNDOFF;
            let of_jump = if jump.is_finite() {
                own * jump.abs()
            } else {
                T::zero()
            };
            let error = T::of(ZERO) * self.errors[index] + of_jump;
            let mu = multipliers[index];
            let is_inside = mu > error && jump - mu > error;
            if !is_inside && !problem.is_fixed(kink) {
                let held = named(kink);
                return Err(NoDerivative::Corner { held });
            }
        }
        if self.sphere.is_some() {
            let last = self.kinks.len();
            if multipliers[last] <= T::of(ZERO) * self.errors[last] {
                let held = Held::Sphere;
                return Err(NoDerivative::Corner { held });
            }
        }
        match self.met_beside(problem, at, step) {
            Some(kink) => Err(NoDerivative::Corner { held: named(kink) }),
            None => Ok(()),
        }
    }

    /// A kink that x lies on, to rounding, or that `step` from x meets, beside those that hold x.
    fn met_beside<O: Kinked<Scalar = T>>(
        &self,
        problem: &O,
        at: &O::Evaluation,
        step: &[T],
    ) -> Option<usize> {
        let mut slopes = vec![T::zero(); problem.kinks()];
        problem.distance_slopes(at, step, &mut slopes);
        let distances = problem.signed_distances(at);
        let furthest = distances
            .iter()
            .fold(T::zero(), |most, h| most.max(h.abs()));
        // What is clearly off costs no product.
        let near = T::UNIT_ROUNDOFF.sqrt() * furthest;
        let size = reduce::norm(at.point());
        let mut normal = vec![T::zero(); problem.dimension()];
        let mut is_met = |kink: usize| {
            let distance = distances[kink].abs();
            if distance > near.max(slopes[kink].abs()) || self.kinks.contains(&kink) {
                return false;
            }
            problem.normal(at, kink, &mut normal);
            let length = reduce::norm(&normal);
            let terms = length * size + problem.offset(at, kink).abs();
            let rounding = T::of(ON_A_KINK) * T::UNIT_ROUNDOFF * terms;
            // A unit without weights is never crossed.
            length > T::zero() && distance <= rounding.max(slopes[kink].abs())
        };
        (0..distances.len()).find(|&kink| is_met(kink))
    }
}
