//! What a long run keeps, so that a run that was killed can go on.
//!
//! A solve depends on its problem, its start and the options, and on nothing that was solved before
//! it. So the finished targets, and the last state of each one under way, are all that has to be kept
//! for the others to come out as they would have. The file is the magic line, then what the run was
//! and an entry for each target (by postcard), then the SHA-256 of all that; it is replaced as a
//! whole.

use crate::args::InvertArgs;
use crate::digest;
use crate::error::Error;
use crate::invert::Outcome;
use crate::output::OutputFile;
use crate::problem_file::{Problem, Vectors};
use crate::report::tell;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use twolayer::theory::Recorder;
use twolayer::{Further, Snapshot, Status};
use twolayer::{LinearBackend, Regularizer, Scalar};

/// The first bytes, with the format's version.
const MAGIC: &[u8] = b"twolayer checkpoint 3\n";
const DIGEST: usize = 32;

/// Everything that a result depends on, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    settings: Vec<(String, String)>,
}

impl Fingerprint {
    pub(crate) fn new<B: LinearBackend>(
        args: &InvertArgs,
        problem: &Problem<B>,
        starts: &Vectors<B::Scalar>,
        regularizer: Option<&Regularizer<B::Scalar>>,
    ) -> Result<Self, Error> {
        let option = |value: &dyn Debug| format!("{value:?}").to_lowercase();
        let network = &problem.network;
        let numbers = |values: &[B::Scalar]| digest::of_numbers(values);
        let matrix = |a| digest::of_matrix(network.backend(), a);
        let rows = (0..problem.targets.len()).map(|index| problem.targets.row(index));
        let targets = rows.map(|row| Ok(numbers(&row?)));
        let targets = targets.collect::<Result<String, Error>>()?;
        let weights = regularizer.map_or("none".into(), |w| numbers(w.weights()));
        let traces = match (&args.trace, &args.plot) {
            (Some(_), _) => "all (--trace)",
            (None, Some(_)) => "those drawn (--plot)",
            (None, None) => "none (neither --trace nor --plot)",
        };
        let shape = format!(
            "{} inputs, {} units, {} outcomes",
            network.inputs(),
            network.hidden_units(),
            network.outcomes()
        );
        let settings: Vec<(&str, String)> = vec![
            ("the version of twolayer", env!("CARGO_PKG_VERSION").into()),
            ("--backend", option(&args.problem.backend)),
            ("--precision", option(&args.problem.precision)),
            ("--loss", option(&args.problem.loss)),
            ("--hessian", option(&args.hessian)),
            ("--seed", args.seed.to_string()),
            ("--max-iterations", option(&args.max_iterations)),
            ("--no-warm-start", option(&args.no_warm_start)),
            ("--radius", option(&args.radius)),
            ("--starts", args.starts.to_string()),
            ("the targets whose iterations are kept", traces.into()),
            ("--theory", option(&args.theory)),
            ("the shape", shape),
            ("A1", matrix(network.a1())),
            ("A2", matrix(network.a2())),
            ("c1", numbers(network.bias1())),
            ("c2", numbers(network.bias2())),
            ("b", digest_text(&targets)),
            ("the regulariser", weights),
            ("the start", numbers(starts.all())),
        ];
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        Ok(Self {
            settings: settings.into_iter().map(owned).collect(),
        })
    }

    /// The first setting that differs: its name, its value here and its value there.
    fn difference<'a>(&'a self, other: &'a Self) -> Option<(&'a str, &'a str, &'a str)> {
        self.settings.iter().find_map(|(name, here)| {
            let there = other.settings.iter().find(|(other, _)| other == name);
            let there = there.map_or("not recorded", |(_, value)| value);
            (here != there).then_some((name.as_str(), here.as_str(), there))
        })
    }
}

/// One digest for all targets, however many.
fn digest_text(text: &str) -> String {
    let hexadecimal = |byte: &u8| format!("{byte:02x}");
    digest::of_pieces([text.as_bytes()])
        .iter()
        .map(hexadecimal)
        .collect()
}

/// A solve that is not over.
#[derive(Serialize, Deserialize)]
pub(crate) struct UnderWay<T> {
    pub(crate) snapshot: Snapshot<T>,
    /// Where the theorem is to be checked.
    pub(crate) recorder: Option<Recorder<T>>,
    /// What came out of other starts before, where it is from one of these.
    pub(crate) further: Option<Further<T>>,
}

/// From which starts a target was solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Round {
    /// From its own.
    First,
    /// From others too.
    Second,
}

/// What a file has of a target: an [`Outcome`] or the state of its solve, an [`UnderWay`].
#[derive(Serialize, Deserialize)]
enum Entry<O, S> {
    Finished { round: Round, outcome: O },
    UnderWay(S),
}

/// Entries by target.
struct Entries<T> {
    first: BTreeMap<usize, Outcome>,
    second: BTreeMap<usize, Outcome>,
    under_way: BTreeMap<usize, UnderWay<T>>,
}

/// The place of a checkpoint, which can be written.
pub(crate) struct Checkpoint<'a> {
    path: &'a Path,
    file: OutputFile<'a>,
}

impl<'a> Checkpoint<'a> {
    /// Checks before the work that the file can be written.
    pub(crate) fn check(path: &'a Path) -> Result<Self, Error> {
        let file = OutputFile::check_file(path)?;
        Ok(Self { path, file })
    }

    /// Reads what is there, if it is to be resumed.
    pub(crate) fn open<T: Scalar + DeserializeOwned>(
        self,
        args: &InvertArgs,
        fingerprint: &Fingerprint,
    ) -> Result<Log<'a, T>, Error> {
        let Self { path, file } = self;
        let content = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            content => Some(content.map_err(|source| Error::Read {
                path: path.into(),
                source,
            })?),
        };
        let (entries, book) = match content {
            None => {
                if args.resume && !args.quiet {
                    tell(&format!(
                        "{}: no checkpoint yet, from the beginning\n",
                        path.display()
                    ));
                }
                (Entries::new(), Book::new())
            }
            Some(_) if !args.resume => {
                let expected = "--resume to go on from it, or another FILE";
                return Err(Error::content(path, "a file is there already", expected));
            }
            Some(content) => {
                let (entries, book) = decode(path, &content, fingerprint)?;
                if !args.quiet {
                    tell(&format!(
                        "{}: goes on from {}\n",
                        path.display(),
                        entries.summary()
                    ));
                }
                (entries, book)
            }
        };
        let mut head = MAGIC.to_vec();
        head.extend(encode(&file, fingerprint)?);
        Ok(Log {
            file,
            head,
            interval: Duration::from_secs(args.checkpoint_seconds),
            entries: Mutex::new(entries),
            book: Mutex::new(book),
        })
    }
}

impl<T: Scalar> Entries<T> {
    fn new() -> Self {
        Self {
            first: BTreeMap::new(),
            second: BTreeMap::new(),
            under_way: BTreeMap::new(),
        }
    }

    fn summary(&self) -> String {
        let mut summary = format!("{} finished targets", self.first.len());
        if !self.second.is_empty() {
            summary += &format!(", {} of them tried again", self.second.len());
        }
        let iterations = self.under_way.values();
        if let Some(most) = iterations.map(|state| state.snapshot.iterations()).max() {
            let count = self.under_way.len();
            summary += &format!(" and {count} under way, after at most {most} iterations");
        }
        summary
    }
}

/// The checkpoint of the run under way, which all workers share.
pub(crate) struct Log<'a, T> {
    file: OutputFile<'a>,
    /// How the file begins.
    head: Vec<u8>,
    interval: Duration,
    /// What an earlier run has left, as far as it was not asked for yet.
    entries: Mutex<Entries<T>>,
    book: Mutex<Book>,
}

/// What is to be in the file, as it is there.
struct Book {
    /// Entries of finished targets, one after the other.
    finished: Vec<u8>,
    /// Those of targets under way.
    under_way: BTreeMap<usize, Vec<u8>>,
    saved: Instant,
}

impl Book {
    fn new() -> Self {
        Self {
            finished: Vec::new(),
            under_way: BTreeMap::new(),
            saved: Instant::now(),
        }
    }

    /// After the head.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let under_way = self.under_way.values();
        [&self.finished[..]]
            .into_iter()
            .chain(under_way.map(Vec::as_slice))
    }
}

impl<T: Serialize> Log<'_, T> {
    /// What an earlier run has found for a target from its own start. Asked for once.
    pub(crate) fn solved(&self, index: usize) -> Option<Outcome> {
        lock(&self.entries).first.remove(&index)
    }

    /// The same from other starts.
    pub(crate) fn tried_again(&self, index: usize) -> Option<Outcome> {
        lock(&self.entries).second.remove(&index)
    }

    /// Where an earlier run was with a target.
    pub(crate) fn under_way(&self, index: usize) -> Option<UnderWay<T>> {
        lock(&self.entries).under_way.remove(&index)
    }

    /// Keeps the state of a solve, and saves where the interval has passed.
    pub(crate) fn keep(&self, index: usize, state: &UnderWay<T>) -> Result<(), Error> {
        let entry = Entry::<(), _>::UnderWay(state);
        let entry = encode(&self.file, &(index, entry))?;
        let mut book = lock(&self.book);
        book.under_way.insert(index, entry);
        self.save_if_due(&mut book)
    }

    /// Keeps what came out of a target, unless it was stopped, and saves where the interval has
    /// passed.
    pub(crate) fn finish(
        &self,
        index: usize,
        outcome: &Outcome,
        round: Round,
    ) -> Result<(), Error> {
        if outcome.status == Status::Stopped {
            return Ok(());
        }
        let entry = Entry::<_, ()>::Finished { round, outcome };
        let entry = encode(&self.file, &(index, entry))?;
        let mut book = lock(&self.book);
        book.under_way.remove(&index);
        book.finished.extend(entry);
        self.save_if_due(&mut book)
    }

    /// Replaces the file, in one step, by one with all that was kept.
    pub(crate) fn save(&self) -> Result<(), Error> {
        self.write(&mut lock(&self.book))
    }

    fn save_if_due(&self, book: &mut Book) -> Result<(), Error> {
        if book.saved.elapsed() < self.interval {
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
        book.saved = Instant::now();
        Ok(())
    }
}

/// What another thread left half done when it panicked is of no use, and not harmful either.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn encode(file: &OutputFile<'_>, value: &impl Serialize) -> Result<Vec<u8>, Error> {
    postcard::to_allocvec(value).map_err(|error| file.failed(io::Error::other(error)))
}

/// The entries of a file of the same run, and the book that it goes on with.
fn decode<T: Scalar + DeserializeOwned>(
    path: &Path,
    content: &[u8],
    fingerprint: &Fingerprint,
) -> Result<(Entries<T>, Book), Error> {
    let damaged = |found: &str| Error::content(path, found, "a checkpoint of twolayer invert");
    let undecodable = |_| damaged("a checkpoint that cannot be decoded");
    let body = content
        .strip_prefix(MAGIC)
        .ok_or_else(|| damaged("no checkpoint of this version"))?;
    let length = body.len().saturating_sub(DIGEST);
    let (signed, expected) = content.split_at(MAGIC.len() + length);
    if digest::of_pieces([signed]) != expected {
        return Err(damaged("a damaged checkpoint"));
    }
    let (written, mut rest) =
        postcard::take_from_bytes::<Fingerprint>(&body[..length]).map_err(undecodable)?;
    if let Some((name, here, there)) = fingerprint.difference(&written) {
        let found = format!("the checkpoint of another run: {name} was {there}");
        return Err(Error::content(path, found, here));
    }
    let (mut entries, mut book) = (Entries::new(), Book::new());
    while !rest.is_empty() {
        let ((index, entry), after) =
            postcard::take_from_bytes::<(usize, Entry<Outcome, UnderWay<T>>)>(rest)
                .map_err(undecodable)?;
        let bytes = &rest[..rest.len() - after.len()];
        rest = after;
        match entry {
            Entry::Finished { round, outcome } => {
                book.finished.extend(bytes);
                match round {
                    Round::First => entries.first.insert(index, outcome),
                    Round::Second => entries.second.insert(index, outcome),
                };
            }
            Entry::UnderWay(state) => {
                book.under_way.insert(index, bytes.to_vec());
                entries.under_way.insert(index, state);
            }
        }
    }
    Ok((entries, book))
}
