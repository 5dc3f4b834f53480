//! By how much the slope of the objective jumps at kinks: computed for those that are met.

use twolayer_core::{Crossing, Kinked, Scalar};

/// Where the jumps of the slopes are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jumps {
    /// At x: right to first order.
    AtThePoint,
    /// As foreseen for the end of the step that knows of none but the pinned kinks.
    BehindTheStep,
    /// As last taken.
    Kept,
}

/// Where a way crosses more than one in so many kinks, all jumps are computed at once: a product with
/// a whole matrix runs ahead of as many single columns.
const MANY: usize = 8;

/// v (n), of the kinks that were met: each costs a column of A2. One where the slope falls is none.
#[derive(Debug, Clone, Default)]
pub(super) struct SlopeJumps<T> {
    met: Vec<Option<T>>,
    /// Some of the kinks, and their jumps.
    asked: Vec<usize>,
    told: Vec<T>,
}

impl<T: Scalar> SlopeJumps<T> {
    /// n.
    pub(super) fn len(&self) -> usize {
        self.met.len()
    }

    pub(super) fn make_room(&mut self, n: usize) {
        self.met.resize(n, None);
        self.told.resize(n, T::zero());
        self.asked.reserve(n);
    }

    /// Forgets all, and computes those of `pinned`.
    pub(super) fn begin<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &O::Evaluation,
        pinned: &[usize],
    ) {
        self.met.fill(None);
        self.asked.clear();
        self.asked.extend_from_slice(pinned);
        self.meet(problem, at);
    }

    /// Has those of the kinks in `asked` computed.
    fn meet<O: Kinked<Scalar = T>>(&mut self, problem: &O, at: &O::Evaluation) {
        let told = &mut self.told[..self.asked.len()];
        problem.slope_jumps(at, &self.asked, told);
        for (&kink, &mut jump) in self.asked.iter().zip(told) {
            self.met[kink] = Some(num_traits::Float::max(jump, T::zero()));
        }
    }

    /// Computes all where many kinks lie ahead that were not met yet.
    pub(super) fn meet_many<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &O::Evaluation,
        crossings: &[Crossing<T>],
    ) {
        let ahead = crossings.iter().map(|crossing| crossing.kink);
        let new = ahead.filter(|&kink| self.met[kink].is_none());
        if MANY * new.count() > self.met.len() {
            self.asked.clear();
            self.asked.extend(0..self.met.len());
            self.meet(problem, at);
        }
    }

    /// v of a kink, which is met with this.
    pub(super) fn of<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &O::Evaluation,
        kink: usize,
    ) -> T {
        if self.met[kink].is_none() {
            self.asked.clear();
            self.asked.push(kink);
            self.meet(problem, at);
        }
        self.known(kink)
    }

    /// v of a kink that was met: what a step crossed, or is held on, was.
    pub(super) fn known(&self, kink: usize) -> T {
        self.met[kink].unwrap_or(T::zero())
    }

    /// Counts a kink as none from here on.
    pub(super) fn waive(&mut self, kink: usize) {
        self.met[kink] = Some(T::zero());
    }

    /// Counts bounds, the kinks from number `first` on, again.
    pub(super) fn forget_waived(&mut self, first: usize) {
        let bounds = self.met[first..].iter_mut();
        for met in bounds.filter(|met| **met == Some(T::zero())) {
            *met = None;
        }
    }
}
