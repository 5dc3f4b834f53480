//! What a checkpoint is to have, as it is in the file.

use super::entry::Place;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use twolayer::{Round, Status};

/// So many bytes of states are kept of solves that have met the limit of iterations, so that a run
/// with a higher one can go on from them. Others begin again there.
pub(crate) const OF_LIMITED: usize = 16 << 20;

/// What is to be in the file, as it is there.
pub(super) struct Book {
    /// Entries of finished targets, one after the other.
    finished: Vec<u8>,
    /// Those of solves that can go on.
    states: BTreeMap<Place, Vec<u8>>,
    /// The length of those among them that have met the limit of iterations.
    of_limited: usize,
    saved: Instant,
}

impl Book {
    pub(super) fn new() -> Self {
        Self {
            finished: Vec::new(),
            states: BTreeMap::new(),
            of_limited: 0,
            saved: Instant::now(),
        }
    }

    pub(super) fn restore_finished(&mut self, entry: &[u8]) {
        self.finished.extend(entry);
    }

    /// Enters the state of a solve in the place of the one before.
    pub(super) fn keep(&mut self, place: Place, entry: Vec<u8>) {
        self.states.insert(place, entry);
    }

    pub(super) fn count_limited(&mut self, is_limited: impl Fn(&Place) -> bool) {
        let limited = self.states.iter().filter(|(place, _)| is_limited(place));
        self.of_limited = limited.map(|(_, entry)| entry.len()).sum();
    }

    /// Enters what came out of a solve, and drops its state unless it may still be of use.
    pub(super) fn finish(&mut self, place: Place, entry: &[u8], status: Status) {
        self.finished.extend(entry);
        let length = self.states.get(&place).map_or(0, Vec::len);
        let is_limited = status == Status::IterationLimit && place.0 == Round::First;
        if is_limited && self.of_limited + length <= OF_LIMITED {
            self.of_limited += length;
        } else {
            self.states.remove(&place);
        }
    }

    /// After the head.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let states = self.states.values();
        [&self.finished[..]]
            .into_iter()
            .chain(states.map(Vec::as_slice))
    }

    /// How long ago the file was written, or else the book was begun.
    pub(super) fn age(&self) -> Duration {
        self.saved.elapsed()
    }

    pub(super) fn is_saved(&mut self) {
        self.saved = Instant::now();
    }
}
