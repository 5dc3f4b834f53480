//! What of a checkpoint is of use for this run.

use super::book::Book;
use super::entry::{Entry, Finished, Left, State};
use super::fingerprint::Written;
use crate::args::InvertArgs;
use crate::courses::keeps_trace;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use twolayer::{Round, Scalar, Solved, Status};

/// Which entries are as this run would have made them itself.
pub(super) struct Rules<'a> {
    args: &'a InvertArgs,
    count: usize,
    /// The limits of iterations, then and now.
    limit_before: usize,
    limit: usize,
    /// Whether the targets are all the same: others have other neighbours.
    same_targets: bool,
}

impl<'a> Rules<'a> {
    pub(super) fn new(args: &'a InvertArgs, before: &Written, now: &Written) -> Self {
        Self {
            args,
            count: now.targets.count,
            limit_before: before.max_iterations,
            limit: now.max_iterations,
            same_targets: before.targets.count == now.targets.count,
        }
    }

    /// Other starts depend on what came out of all targets before. (How many of them are wanted, the
    /// campaign looks at itself.)
    fn keeps_round(&self, round: Round) -> bool {
        round == Round::First || (self.same_targets && self.limit_before == self.limit)
    }

    /// With another limit a solve is the same up to the lower of the two.
    fn keeps_finished<T: Scalar>(&self, index: usize, entry: &Finished<Solved<T>>) -> bool {
        let solution = &entry.solved.solution;
        let was_limited = solution.status == Status::IterationLimit;
        let is_same =
            self.limit_before == self.limit || (!was_limited && solution.iterations <= self.limit);
        let has_trace = !solution.trace.is_empty() || !keeps_trace(self.args, index, self.count);
        is_same && has_trace && self.keeps_round(entry.round)
    }

    fn keeps_state<T: Scalar>(&self, state: &State<T>) -> bool {
        state.snapshot.iterations() <= self.limit && self.keeps_round(state.round())
    }
}

/// The entries of a file that are of use, and the book with their bytes.
pub(super) fn unpack<T: Scalar + DeserializeOwned>(
    mut rest: &[u8],
    rules: &Rules<'_>,
) -> Result<(Left<T>, Book), postcard::Error> {
    let (mut left, mut book) = (Left::new(), Book::new());
    let mut states = BTreeMap::new();
    while !rest.is_empty() {
        let ((index, entry), after) =
            postcard::take_from_bytes::<(usize, Entry<Finished<Solved<T>>, State<T>>)>(rest)?;
        let bytes = &rest[..rest.len() - after.len()];
        rest = after;
        match entry {
            Entry::Finished(entry) if rules.keeps_finished(index, &entry) => {
                book.restore_finished(bytes);
                left.finished.insert((entry.round, index), entry);
            }
            Entry::UnderWay(state) if rules.keeps_state(&state) => {
                book.keep((state.round(), index), bytes.to_vec());
                states.insert((state.round(), index), state);
            }
            Entry::Finished(_) => left.unused += 1,
            Entry::UnderWay(_) => {}
        }
    }
    // A solve that has met the limit of iterations is there twice: it could go on, and need not.
    states.retain(|place, _| !left.finished.contains_key(place));
    book.count_limited(|place| left.finished.contains_key(place));
    left.under_way = states;
    Ok((left, book))
}
