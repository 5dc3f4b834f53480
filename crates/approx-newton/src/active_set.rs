//! The kinks that the iterate is held on.

use num_traits::{Float, Zero};
use twolayer_core::{Evaluation, Kinked, Scalar, Subspace, reduce};

/// The pinned kinks P with the null space of their normals.
///
/// With g the model's gradient at its minimiser over that null space, the multipliers μ solve
/// g + Σ μᵢ aᵢ = 0. The objective changes with hᵢ at the rate −μᵢ on the negative side of kink i
/// and −μᵢ + vᵢ on the positive one, vᵢ the jump of its slope; the kink holds a local minimum, to
/// first order, where −μᵢ ≤ 0 ≤ −μᵢ + vᵢ. One that violates this is released to the side where the
/// objective falls. A bound is a kink with vᵢ = ∞: it is released inward only.
#[derive(Debug, Clone)]
pub(crate) struct ActiveSet<T> {
    pinned: Vec<usize>,
    /// cᵢ of each.
    offsets: Vec<T>,
    subspace: Subspace<T>,
    /// Released since the point last moved. Each is released at most once at a point, so that
    /// pinning and releasing without progress cannot go round in a circle.
    released: Vec<usize>,
}

/// The kinks that a point lies on to rounding, `at` its evaluation.
pub(crate) fn kinks_through<O: Kinked>(problem: &O, at: &O::Evaluation) -> Vec<usize> {
    let distances = problem.signed_distances(at);
    let furthest = distances
        .iter()
        .fold(O::Scalar::zero(), |most, h| most.max(h.abs()));
    // What is clearly off costs no product.
    let near = O::Scalar::UNIT_ROUNDOFF.sqrt() * furthest;
    let size = reduce::norm(at.point());
    let mut normal = vec![O::Scalar::zero(); problem.dimension()];
    let mut lies_on = |kink: usize, distance: O::Scalar| {
        problem.normal(at, kink, &mut normal);
        let terms = reduce::norm(&normal) * size + problem.offset(at, kink).abs();
        distance <= O::Scalar::of(ON_A_KINK) * O::Scalar::UNIT_ROUNDOFF * terms
    };
    let kinks = distances.iter().map(|h| h.abs()).enumerate();
    let met = kinks.filter(|&(kink, distance)| {
        distance == O::Scalar::zero() || distance <= near && lies_on(kink, distance)
    });
    met.map(|(kink, _)| kink).collect()
}

/// What the multipliers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// This kink was let go, to its positive side or not.
    Released { kink: usize, positive: bool },
    /// Every pinned kink holds a minimum, to first order.
    AllHold,
    /// Some kink does not, but it was released and pinned again at this very point.
    Barred,
}

/// A point is off a kink where hᵢ exceeds this multiple of the rounding of aᵢᵀx + cᵢ.
const OFF_A_KINK: f64 = 16.0;
/// A start lies on a kink up to this multiple of it: what a solve has put on a kink and written down.
const ON_A_KINK: f64 = 64.0;
/// A violation counts where it exceeds this part of the slopes that it is the difference of, and so
/// many roundoffs of them.
const NOTICEABLE: f64 = 1e-10;
const NOTICEABLE_ROUNDOFFS: f64 = 64.0;

impl<T: Scalar> ActiveSet<T> {
    /// No kink pinned, d unknowns.
    pub(crate) fn new(dimension: usize) -> Self {
        Self {
            pinned: Vec::new(),
            offsets: Vec::new(),
            subspace: Subspace::whole(dimension),
            released: Vec::new(),
        }
    }

    /// The pinned kinks, in the order in which they were pinned.
    pub(crate) fn pinned(&self) -> &[usize] {
        &self.pinned
    }

    /// Whether no kink is pinned.
    pub(crate) fn is_empty(&self) -> bool {
        self.pinned.is_empty()
    }

    /// The directions along which every pinned kink stays where it is.
    pub(crate) fn subspace(&self) -> &Subspace<T> {
        &self.subspace
    }

    /// Pins a kink that `at` lies on. Returns false, and changes nothing, where its normal depends on those
    /// pinned already.
    pub(crate) fn pin<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &O::Evaluation,
        kink: usize,
    ) -> bool {
        let mut normal = vec![T::zero(); self.subspace.ambient_dimension()];
        problem.normal(at, kink, &mut normal);
        if self.pinned.contains(&kink) || !self.subspace.constrain(&normal) {
            return false;
        }
        self.pinned.push(kink);
        self.offsets.push(problem.offset(at, kink));
        true
    }

    /// Moves x (d) back onto the pinned kinks, by as little as possible, where it has left them by
    /// more than its own rounding. Steps stay in the subspace only to rounding, which is relative
    /// to their length: a long step leaves x off its kinks by much more than a short one can tell
    /// from zero. Returns whether x moved.
    pub(crate) fn restore(&self, x: &mut [T]) -> bool {
        let size = reduce::norm(x);
        let mut off = false;
        let mut distances = Vec::with_capacity(self.pinned.len());
        for (index, &offset) in self.offsets.iter().enumerate() {
            let normal = self.subspace.normal(index);
            let distance = reduce::dot(normal, x) + offset;
            let rounding = T::UNIT_ROUNDOFF * (reduce::norm(normal) * size + offset.abs());
            off |= distance.abs() > T::of(OFF_A_KINK) * rounding;
            distances.push(distance);
        }
        if !off {
            return false;
        }
        let correction = self.subspace.shortest(&distances);
        let usable = reduce::all_finite(&correction);
        if usable {
            reduce::axpy(-T::one(), &correction, x);
        }
        usable
    }

    /// Releases the kink with the largest violation. `gradient` is the model's gradient at the point
    /// plus `step`, its minimiser over the subspace.
    pub(crate) fn release<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &mut O::Evaluation,
        step: &[T],
        gradient: &[T],
    ) -> Release {
        let multipliers = self.subspace.multipliers(gradient);
        let mut jumps = vec![T::zero(); self.pinned.len()];
        problem.foresee(at, Some(step));
        problem.slope_jumps(at, &self.pinned, &mut jumps);
        let slope = reduce::norm(gradient);
        let mut worst: Option<(T, usize, bool)> = None;
        let mut barred = false;
        for (index, (&mu, &jump)) in multipliers.iter().zip(&jumps).enumerate() {
            if problem.is_fixed(self.pinned[index]) {
                continue;
            }
            let (negative, positive) = (-mu, mu - jump);
            let violation = negative.max(positive);
            let noticeable = T::of(NOTICEABLE).max(T::of(NOTICEABLE_ROUNDOFFS) * T::UNIT_ROUNDOFF);
            // The multiplier of a bound is rounded as the gradient is.
            let size = match jump.is_finite() {
                true => mu.abs() + jump.abs(),
                false => slope / reduce::norm(self.subspace.normal(index)),
            };
            if violation <= noticeable * size {
                continue;
            }
            if self.released.contains(&self.pinned[index]) {
                barred = true;
                continue;
            }
            // By distance in x, not in h: units differ in scale.
            let rate = violation * reduce::norm(self.subspace.normal(index));
            if worst.is_none_or(|(most, ..)| rate > most) {
                worst = Some((rate, index, positive >= negative));
            }
        }
        let Some((_, index, positive)) = worst else {
            return if barred {
                Release::Barred
            } else {
                Release::AllHold
            };
        };
        let kink = self.pinned.remove(index);
        self.offsets.remove(index);
        self.subspace.release(index);
        self.released.push(kink);
        Release::Released { kink, positive }
    }

    /// The point has moved: every kink may be released again.
    pub(crate) fn forget_releases(&mut self) {
        self.released.clear();
    }

    /// Makes the null space anew, as [`pin_only`](ActiveSet::pin_only) would: without the roundings
    /// of the pins and releases that led to it. Returns false, and changes nothing, where a normal
    /// would then be taken to depend on the others, or where a kink was released at this very point.
    pub(crate) fn renew<O: Kinked<Scalar = T>>(&mut self, problem: &O, at: &O::Evaluation) -> bool {
        if !self.released.is_empty() {
            return false;
        }
        let mut anew = Self::new(self.subspace.ambient_dimension());
        anew.pin_only(problem, at, &self.pinned);
        let same = anew.pinned == self.pinned;
        if same {
            *self = anew;
        }
        same
    }

    /// Pins these kinks, which `at` lies on, and lets go of all others but the bounds that are fixed.
    pub(crate) fn pin_only<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &O::Evaluation,
        kinks: &[usize],
    ) {
        *self = Self::new(self.subspace.ambient_dimension());
        let bounds = problem.first_bound()..problem.kinks();
        let fixed = bounds.filter(|&bound| problem.is_fixed(bound));
        for kink in fixed.chain(kinks.iter().copied()) {
            self.pin(problem, at, kink);
        }
    }

    /// The point has moved to `at`: where kinks bend, those that it has left by that are let go, and the
    /// others are as they are there.
    pub(crate) fn follow<O: Kinked<Scalar = T>>(&mut self, problem: &O, at: &O::Evaluation) {
        if !problem.kinks_bend() || self.is_empty() {
            return;
        }
        let distances = problem.signed_distances(at);
        let mut pinned = std::mem::take(&mut self.pinned);
        pinned.retain(|&kink| distances[kink] == T::zero());
        let released = std::mem::take(&mut self.released);
        self.pin_only(problem, at, &pinned);
        self.released = released;
    }
}

#[cfg(test)]
mod tests;
