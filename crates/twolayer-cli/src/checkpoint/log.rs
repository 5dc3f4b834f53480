//! The checkpoint of the run under way.

use super::book::Book;
use super::entry::{Entry, Finished, Left, State};
use crate::digest;
use crate::error::Error;
use crate::lock::lock;
use crate::output::OutputFile;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Mutex;
use std::time::Duration;
use twolayer::Scalar;
use twolayer::theory::{Recorder, Theory};
use twolayer::{Further, Round, Snapshot, Solved};

/// What all workers share.
pub(crate) struct Log<'a, T> {
    file: OutputFile<'a>,
    /// How the file begins.
    head: Vec<u8>,
    interval: Duration,
    /// What an earlier run has left, as far as it was not asked for yet.
    left: Mutex<Left<T>>,
    book: Mutex<Book>,
}

impl<'a, T: Scalar + Serialize> Log<'a, T> {
    pub(super) fn new(
        file: OutputFile<'a>,
        head: Vec<u8>,
        seconds: u64,
        left: Left<T>,
        book: Book,
    ) -> Self {
        Self {
            file,
            head,
            interval: Duration::from_secs(seconds),
            left: Mutex::new(left),
            book: Mutex::new(book),
        }
    }

    /// What an earlier run has found for a target in a round. Asked for once.
    pub(crate) fn take_finished(&self, index: usize, round: Round) -> Option<Finished<Solved<T>>> {
        lock(&self.left).finished.remove(&(round, index))
    }

    /// Where an earlier run was with a target.
    pub(crate) fn take_state(&self, index: usize, round: Round) -> Option<State<T>> {
        lock(&self.left).under_way.remove(&(round, index))
    }

    /// Keeps the state of a solve, and saves where the interval has passed.
    pub(crate) fn keep(
        &self,
        index: usize,
        snapshot: Snapshot<T>,
        recorder: Option<&Recorder<T>>,
        others: Option<&Further<T>>,
    ) -> Result<(), Error> {
        let round = match others {
            None => Round::First,
            Some(_) => Round::Others,
        };
        let state = State {
            snapshot,
            recorder: recorder.cloned(),
            others: others.cloned(),
        };
        let entry = encode(&self.file, &(index, Entry::<(), _>::UnderWay(state)))?;
        let mut book = lock(&self.book);
        book.keep((round, index), entry);
        self.save_if_due(&mut book)
    }

    /// Keeps what came out of a target, and saves where the interval has passed.
    pub(crate) fn finish(
        &self,
        index: usize,
        round: Round,
        solved: &Solved<T>,
        theory: Option<&Theory>,
    ) -> Result<(), Error> {
        let status = solved.solution.status;
        let theory = theory.cloned();
        let entry = Entry::<_, ()>::Finished(Finished {
            round,
            solved,
            theory,
        });
        let entry = encode(&self.file, &(index, entry))?;
        let mut book = lock(&self.book);
        book.finish((round, index), &entry, status);
        self.save_if_due(&mut book)
    }

    /// Replaces the file, in one step, by one with all that was kept.
    pub(crate) fn save(&self) -> Result<(), Error> {
        self.write(&mut lock(&self.book))
    }

    fn save_if_due(&self, book: &mut Book) -> Result<(), Error> {
        if book.age() < self.interval {
            return Ok(());
        }
        self.write(book)
    }

    fn write(&self, book: &mut Book) -> Result<(), Error> {
        let pieces = || [&self.head[..]].into_iter().chain(book.pieces());
        let digest = digest::of_pieces(pieces());
        let staged = self.file.stage(|file| {
            pieces().try_for_each(|piece| file.write_all(piece))?;
            file.write_all(&digest)
        })?;
        staged.publish()?;
        book.is_saved();
        Ok(())
    }
}

pub(super) fn encode(file: &OutputFile<'_>, value: &impl Serialize) -> Result<Vec<u8>, Error> {
    postcard::to_allocvec(value).map_err(|error| file.failed(io::Error::other(error)))
}
