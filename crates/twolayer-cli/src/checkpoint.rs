//! What a long run keeps, so that a run that was killed can go on.
//!
//! A solve depends on its problem, its start and the options, and on nothing that was solved before
//! it. So the finished targets, and the last state of each one under way, are all that has to be kept
//! for the others to come out as they would have. The file is the magic line, then what the run was
//! and an entry for each target (by postcard), then the SHA-256 of all that; it is replaced as a
//! whole.

mod book;
mod entry;
mod fingerprint;
mod log;
mod rules;

pub(crate) use entry::{Finished, State};
pub(crate) use fingerprint::Fingerprint;
pub(crate) use log::Log;

use crate::args::InvertArgs;
use crate::digest;
use crate::error::Error;
use crate::output::OutputFile;
use crate::printing::tell;
use book::Book;
use entry::Left;
use fingerprint::Written;
use log::encode;
use rules::{Rules, unpack};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io;
use std::path::Path;
use twolayer::{Scalar, TOGETHER};

/// The first bytes, with the format's version.
const MAGIC: &[u8] = b"twolayer checkpoint 5\n";
const DIGEST: usize = 32;

/// Bytes of a state with d `inputs` and n `units`, whose table of iterations has `way` bytes.
pub(crate) fn state_bytes<T: Scalar>(inputs: u64, units: u64, way: u64) -> u64 {
    let lengths = [(8, inputs), (2 * TOGETHER as u64, units), (210, 1)];
    let lengths = lengths.map(|(count, length)| count.saturating_mul(length));
    let stand = lengths.into_iter().fold(0, u64::saturating_add);
    way.saturating_add(stand.saturating_mul(size_of::<T>() as u64))
}

/// Bytes for a solve under way beside itself, whose state has so many: that is there as a state and,
/// twice, as bytes; and again what came of another start.
pub(crate) fn under_way_bytes(state: u64, starts: usize) -> u64 {
    state.saturating_mul(if starts > 1 { 7 } else { 3 })
}

/// Bytes of finished targets whose answers have so many: they are there as bytes that grow, and those
/// that are read from a file once more. Beside them the states that are kept of those which met the
/// limit of iterations, in the file as it is read, as bytes and as states.
pub(crate) fn finished_bytes(answers: u64, targets: u64, state: u64) -> u64 {
    let states = targets.saturating_mul(state).min(book::OF_LIMITED as u64);
    [answers, states]
        .into_iter()
        .fold(0, |sum, bytes| sum.saturating_add(bytes.saturating_mul(3)))
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
    pub(crate) fn open<T: Scalar + Serialize + DeserializeOwned>(
        self,
        args: &InvertArgs,
        fingerprint: &Fingerprint<'_>,
    ) -> Result<Log<'a, T>, Error> {
        let Self { path, file } = self;
        let content = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            content => Some(content.map_err(|source| Error::Read {
                path: path.into(),
                source,
            })?),
        };
        let now = fingerprint.now()?;
        let (left, book) = match content {
            None => {
                if args.resume && !args.quiet {
                    tell(&format!(
                        "{}: no checkpoint yet, from the beginning\n",
                        path.display()
                    ));
                }
                (Left::new(), Book::new())
            }
            Some(_) if !args.resume => {
                let expected = "--resume to go on from it, or another FILE";
                return Err(Error::content(path, "a file is there already", expected));
            }
            Some(content) => {
                let (left, book) = decode(path, &content, args, fingerprint, &now)?;
                if !args.quiet {
                    tell(&format!(
                        "{}: goes on from {}\n",
                        path.display(),
                        left.summary()
                    ));
                }
                (left, book)
            }
        };
        let mut head = MAGIC.to_vec();
        head.extend(encode(&file, &now)?);
        Ok(Log::new(file, head, args.checkpoint_seconds, left, book))
    }
}

/// What a file has that is of use for this run, and the book that it goes on with.
fn decode<T: Scalar + DeserializeOwned>(
    path: &Path,
    content: &[u8],
    args: &InvertArgs,
    fingerprint: &Fingerprint<'_>,
    now: &Written,
) -> Result<(Left<T>, Book), Error> {
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
    let (written, rest) = postcard::take_from_bytes(&body[..length]).map_err(undecodable)?;
    let differences = fingerprint.differences(&written, now)?;
    if !differences.is_empty() {
        let found = format!("the checkpoint of another run: {}", differences.join("; "));
        let expected = "the problem and the options of that run, or another FILE";
        return Err(Error::content(path, found, expected));
    }
    let rules = Rules::new(args, &written, now);
    unpack(rest, &rules).map_err(undecodable)
}
