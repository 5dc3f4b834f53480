//! The two rounds of a campaign.

use crate::many::campaign::Campaign;
use crate::many::owner::Owner;
use crate::many::solved::{BatchResult, Solved};
use crate::many::work::Work;
use std::time::Instant;
use twolayer_core::LinearBackend;

/// What came out of a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Done<T> {
    /// Results of the first targets, in their order: of all K, unless the campaign was stopped or its
    /// time was over. Only the last may be of a solve that was stopped.
    pub results: Vec<BatchResult<T>>,
    /// Targets that were to be tried from other starts, and were not from all of them.
    pub untried: usize,
    /// Wall time.
    pub seconds: f64,
}

impl<B: LinearBackend> Campaign<'_, B> {
    /// Solves what there is to solve, until it is done or stopped.
    ///
    /// # Errors
    /// The owner's; what is wrong with a target is in its place, where the owner does not mind.
    pub fn run<O: Owner<B>>(&self, owner: &O) -> Result<Done<B::Scalar>, O::Failure> {
        let clock = Instant::now();
        let network = self.problems.network();
        let network = network.with_threads(self.crew().threads_each());
        let space = self.row_space(network.by_ref());
        let work = Work::new(self, owner, self.problems.on(&network), space.as_ref());
        let mut results = work.first_starts()?;
        let is_through = results.len() == self.count && !results.iter().any(is_cut_short);
        let untried = match self.solver.starts() > 1 && is_through {
            true => work.other_starts(&mut results)?,
            false => 0,
        };
        Ok(Done {
            results,
            untried,
            seconds: clock.elapsed().as_secs_f64(),
        })
    }
}

fn is_cut_short<T>(result: &BatchResult<T>) -> bool {
    result.as_ref().is_ok_and(Solved::is_cut_short)
}
