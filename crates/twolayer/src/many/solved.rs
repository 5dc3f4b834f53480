//! What comes out of a target.

use approx_newton::{Solution, Status};
use twolayer_core::Error;

/// What came out of a target, or what is wrong with it.
pub type BatchResult<T> = Result<Solved<T>, Error>;

/// What came out of one target of many.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Solved<T> {
    /// The best of all starts.
    pub solution: Solution<T>,
    /// How many starts were tried to the end; 1 where the first was not.
    pub starts: usize,
}

impl<T> Solved<T> {
    /// Whether no other start can do better.
    pub fn is_met(&self) -> bool {
        self.solution.status.is_met()
    }

    /// Whether the solve was ended from outside, and might have gone on.
    pub fn is_cut_short(&self) -> bool {
        is_cut_short(self.solution.status)
    }
}

pub(in crate::many) fn is_cut_short(status: Status) -> bool {
    matches!(status, Status::Stopped | Status::TimeLimit)
}
