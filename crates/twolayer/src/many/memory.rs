//! How much memory a campaign takes, by sizes that are known before anything is read.

use crate::many::other_starts::COMPARED;
use crate::many::solved::Solved;
use std::mem::size_of;
use twolayer_core::Scalar;

/// The sizes of a campaign.
#[derive(Debug, Clone, Copy)]
pub struct CampaignSizes {
    /// d.
    pub inputs: u64,
    /// m.
    pub outcomes: u64,
    /// K.
    pub targets: u64,
    /// How many starts each is tried from, at most.
    pub starts: u64,
}

impl CampaignSizes {
    /// Bytes of a worker in numbers of T, beside those of its solves and of the targets that begin
    /// together: a target (b as read, b and log b) and copies of it on the way, and where other starts
    /// are tried those that it looks for neighbours of, as many others, and the one that they are
    /// compared with.
    pub fn worker_bytes<T: Scalar>(&self) -> u64 {
        let compared = match self.starts {
            0 | 1 => 0,
            _ => COMPARED as u64,
        };
        let numbers = (compared + 12).saturating_mul(self.outcomes);
        let neighbour = size_of::<(f64, usize)>() as u64;
        let near = compared
            .saturating_mul(self.neighbours())
            .saturating_mul(neighbour);
        numbers
            .saturating_mul(size_of::<T>() as u64)
            .saturating_add(near)
    }

    /// Bytes of what is kept of all targets to the end: the answers without their traces, and the
    /// numbers of their neighbours.
    pub fn result_bytes<T: Scalar>(&self) -> u64 {
        let x = self.inputs.saturating_mul(size_of::<T>() as u64);
        let near = self.neighbours().saturating_mul(size_of::<usize>() as u64);
        let kinks = self.inputs.saturating_mul(size_of::<usize>() as u64);
        let others = size_of::<Solved<T>>() as u64 + size_of::<Vec<usize>>() as u64;
        let each = [x, near, kinks, others];
        let each = each.into_iter().fold(0, u64::saturating_add);
        // What other starts come to is there beside what was there before, until all are through.
        let rounds = if self.starts > 1 { 2 } else { 1 };
        self.targets.saturating_mul(rounds).saturating_mul(each)
    }

    fn neighbours(&self) -> u64 {
        self.starts.saturating_sub(1).div_ceil(2).min(self.targets)
    }
}
