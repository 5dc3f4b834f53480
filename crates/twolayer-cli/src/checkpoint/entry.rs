//! What a checkpoint has of a target.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use twolayer::Scalar;
use twolayer::theory::{Recorder, Theory};
use twolayer::{Further, Round, Snapshot, Solved};

/// What a file has of a target: what came out, or where its solve stood.
#[derive(Serialize, Deserialize)]
pub(super) enum Entry<F, S> {
    Finished(F),
    UnderWay(S),
}

/// What came out of a target in a round.
#[derive(Serialize, Deserialize)]
pub(crate) struct Finished<S> {
    pub(crate) round: Round,
    pub(crate) solved: S,
    /// Where the theorem was checked.
    pub(crate) theory: Option<Theory>,
}

/// A solve that is not over.
#[derive(Serialize, Deserialize)]
pub(crate) struct State<T> {
    pub(crate) snapshot: Snapshot<T>,
    /// Where the theorem is to be checked.
    pub(crate) recorder: Option<Recorder<T>>,
    /// What came out of other starts before, where it is from one of these.
    pub(crate) others: Option<Further<T>>,
}

impl<T> State<T> {
    pub(super) fn round(&self) -> Round {
        match self.others {
            None => Round::First,
            Some(_) => Round::Others,
        }
    }
}

/// A target in a round.
pub(super) type Place = (Round, usize);

/// Finished targets and solves under way.
pub(super) struct Left<T> {
    pub(super) finished: BTreeMap<Place, Finished<Solved<T>>>,
    pub(super) under_way: BTreeMap<Place, State<T>>,
    /// How many entries are of no use to this run.
    pub(super) unused: usize,
}

impl<T: Scalar> Left<T> {
    pub(super) fn new() -> Self {
        Self {
            finished: BTreeMap::new(),
            under_way: BTreeMap::new(),
            unused: 0,
        }
    }

    pub(super) fn summary(&self) -> String {
        let in_round = |round| {
            self.finished
                .keys()
                .filter(|place| place.0 == round)
                .count()
        };
        let mut summary = format!("{} finished targets", in_round(Round::First));
        if in_round(Round::Others) > 0 {
            summary += &format!(", {} of them tried again", in_round(Round::Others));
        }
        let iterations = self.under_way.values();
        if let Some(most) = iterations.map(|state| state.snapshot.iterations()).max() {
            let count = self.under_way.len();
            summary += &format!(" and {count} under way, after at most {most} iterations");
        }
        match self.unused {
            0 => {}
            1 => summary += "; 1 result does not fit what is asked for now",
            count => summary += &format!("; {count} results do not fit what is asked for now"),
        }
        summary
    }
}
