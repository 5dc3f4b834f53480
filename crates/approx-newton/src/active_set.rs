//! The kinks that the iterate is held on.

use twolayer_core::{Kinked, Scalar, Subspace, reduce};

/// The pinned kinks P with the null space of their normals.
///
/// With g the model's gradient at its minimiser over that null space, the multipliers μ solve
/// g + Σ μᵢ aᵢ = 0. The objective changes with hᵢ at the rate −μᵢ on the negative side of kink i
/// and −μᵢ + vᵢ on the positive one, vᵢ the jump of its slope; the kink holds a local minimum, to
/// first order, where −μᵢ ≤ 0 ≤ −μᵢ + vᵢ. One that violates this is released to the side where the
/// objective falls.
#[derive(Debug, Clone)]
pub(crate) struct ActiveSet<T> {
    pinned: Vec<usize>,
    normals: Vec<Vec<T>>,
    subspace: Subspace<T>,
    /// Released since the point last moved. Each is released at most once at a point, so that
    /// pinning and releasing without progress cannot go round in a circle.
    released: Vec<usize>,
}

/// A violation counts where it exceeds this part of the slopes that it is the difference of.
const NOTICEABLE: f64 = 1e-10;

impl<T: Scalar> ActiveSet<T> {
    /// No kink pinned, d unknowns.
    pub(crate) fn new(dimension: usize) -> Self {
        Self {
            pinned: Vec::new(),
            normals: Vec::new(),
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

    /// Pins a kink. Returns false, and changes nothing, where its normal depends on those pinned
    /// already.
    pub(crate) fn pin<O: Kinked<Scalar = T>>(&mut self, problem: &O, kink: usize) -> bool {
        let mut normal = vec![T::zero(); self.subspace.ambient_dimension()];
        problem.normal(kink, &mut normal);
        if self.pinned.contains(&kink) || !self.subspace.constrain(&normal) {
            return false;
        }
        self.pinned.push(kink);
        self.normals.push(normal);
        true
    }

    /// Releases the kink with the largest violation and says which, and whether to its positive
    /// side. `gradient` is the model's gradient at the point plus `step`, its minimiser over the
    /// subspace.
    pub(crate) fn release<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &mut O::Evaluation,
        step: &[T],
        gradient: &[T],
    ) -> Option<(usize, bool)> {
        let multipliers = self.subspace.multipliers(gradient);
        let mut jumps = vec![T::zero(); self.pinned.len()];
        problem.slope_jumps(at, step, &self.pinned, &mut jumps);
        let mut worst: Option<(T, usize, bool)> = None;
        for (index, (&mu, &jump)) in multipliers.iter().zip(&jumps).enumerate() {
            let (negative, positive) = (-mu, mu - jump);
            let violation = negative.max(positive);
            let noticeable = violation > T::of(NOTICEABLE) * (mu.abs() + jump.abs());
            if !noticeable || self.released.contains(&self.pinned[index]) {
                continue;
            }
            // By distance in x, not in h: units differ in scale.
            let rate = violation * reduce::norm(&self.normals[index]);
            if worst.is_none_or(|(most, ..)| rate > most) {
                worst = Some((rate, index, positive >= negative));
            }
        }
        let (_, index, positive) = worst?;
        let kink = self.pinned.remove(index);
        self.normals.remove(index);
        self.released.push(kink);
        self.subspace = Subspace::whole(self.subspace.ambient_dimension());
        for normal in &self.normals {
            self.subspace.constrain(normal);
        }
        Some((kink, positive))
    }

    /// The point has moved: every kink may be released again.
    pub(crate) fn forget_releases(&mut self) {
        self.released.clear();
    }

    /// Pins these kinks and lets go of all others.
    pub(crate) fn pin_only<O: Kinked<Scalar = T>>(&mut self, problem: &O, kinks: &[usize]) {
        *self = Self::new(self.subspace.ambient_dimension());
        for &kink in kinks {
            self.pin(problem, kink);
        }
    }
}
