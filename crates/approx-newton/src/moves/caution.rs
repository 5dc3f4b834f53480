//! How soon to try again what has failed.

use twolayer_core::Scalar;

/// From here on the model is trusted more.
const VERY_GOOD_GAIN: f64 = 0.75;
/// A refused step is tried again with so many times the damping.
pub(crate) const GROWTH: f64 = 10.0;
/// Iterations to wait after failures, at most.
const LONGEST_PAUSE: u32 = 16;

/// When to try a step with the kinks in the model, and with how much damping. The step along one
/// direction ends where the objective stops falling, at a kink as a rule, whatever its damping, so
/// its damping says little about how far the model can be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Caution<T> {
    /// ν, where it is more than that of the descent.
    pub(crate) damping: T,
    /// Iterations still to wait.
    left: u32,
    /// Iterations to wait after the next failure, less one.
    next: u32,
}

impl<T: Scalar> Caution<T> {
    /// Nothing has failed yet.
    pub(crate) fn none() -> Self {
        Self {
            damping: T::zero(),
            left: 0,
            next: 0,
        }
    }

    /// Whether a try is due; one iteration less to wait.
    pub(crate) fn lets_pass(&mut self) -> bool {
        let over = self.left == 0;
        self.left = self.left.saturating_sub(1);
        over
    }

    /// After a step with so much `damping` that gained so much of its promise.
    pub(crate) fn succeed(&mut self, damping: T, gain: T) {
        let trusted = gain >= T::of(VERY_GOOD_GAIN);
        self.damping = if trusted {
            damping / T::of(GROWTH)
        } else {
            damping
        };
        (self.left, self.next) = (0, 0);
    }

    /// After a try that ended with so much `damping`.
    pub(crate) fn fail(&mut self, damping: T) {
        self.damping = damping;
        self.left = self.next;
        self.next = (2 * self.next + 1).min(LONGEST_PAUSE);
    }
}
