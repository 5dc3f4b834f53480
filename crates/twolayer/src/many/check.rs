//! What is wrong with targets and starts, before anything is solved.

use crate::many::campaign::Campaign;
use crate::many::owner::Owner;
use approx_newton::take_start;
use twolayer_core::{Error, LinearBackend};

/// A target, or a start, that is no good.
#[derive(Debug, Clone, PartialEq)]
pub struct Bad {
    /// The number of the target; `None` where all share what is wrong.
    pub index: Option<usize>,
    /// Whether it is x0 that is no good, and not b.
    pub is_start: bool,
    /// What is wrong.
    pub error: Error,
}

impl<B: LinearBackend> Campaign<'_, B> {
    /// All targets that are no good, or whose start is none, in their order: for an owner who does not
    /// want to solve some without the others. Nothing is solved for it; that the objective overflows
    /// at a start is seen where that is begun from.
    ///
    /// # Errors
    /// A row that cannot be read.
    pub fn find_bad<O: Owner<B>>(&self, owner: &O) -> Result<Vec<Bad>, O::Failure> {
        let (d, radius) = (self.problems.network().inputs(), self.problems.radius());
        let check_start = |index: usize| take_start(self.start(index), d, radius);
        let check_row = |index: usize| {
            let row = owner.row(self.row(index))?;
            Ok(self.problems.target(row.into_owned()).err())
        };
        let (shares_target, shares_start) = (self.targets == 1, self.starts.len() == d);
        let mut bad = Vec::new();
        let mut add = |index, is_start, error: Option<Error>| {
            let found = error.map(|error| Bad {
                index,
                is_start,
                error,
            });
            let is_bad = found.is_some();
            bad.extend(found);
            is_bad
        };
        let number = |index, is_shared: bool| (!is_shared).then_some(index);
        for index in 0..self.count {
            // What all share is looked at once; of a target whose b is no good that is enough.
            let is_first = index == 0;
            let mut is_told = false;
            if is_first || !shares_target {
                let error = check_row(index)?;
                is_told = add(number(index, shares_target), false, error);
            }
            if (is_first && shares_start) || !(shares_start || is_told) {
                let error = check_start(index).err();
                add(number(index, shares_start), true, error);
            }
        }
        Ok(bad)
    }
}
