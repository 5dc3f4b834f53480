//! What a long run keeps, so that a run that was killed can go on.
//!
//! A solve depends on its problem, its start and the options, and on nothing that was solved before
//! it. So the finished targets are all that has to be kept for the others to come out as they would
//! have. The file is the magic line, then what the run was and its finished targets (by postcard),
//! then the SHA-256 of all that; it is replaced as a whole.

use crate::args::InvertArgs;
use crate::digest;
use crate::error::Error;
use crate::invert::Outcome;
use crate::output::OutputFile;
use crate::problem_file::{Problem, Vectors};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use twolayer_core::{LinearBackend, Regularizer};

/// The first bytes, with the format's version.
const MAGIC: &[u8] = b"twolayer checkpoint 2\n";
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
    digest::of_bytes(text.as_bytes())
        .iter()
        .map(hexadecimal)
        .collect()
}

/// What is in a file.
#[derive(Serialize, Deserialize)]
struct Record {
    fingerprint: Fingerprint,
    finished: Vec<Outcome>,
}

/// The place of a checkpoint, which can be written.
pub(crate) struct Checkpoint<'a> {
    path: &'a Path,
    file: OutputFile<'a>,
}

impl<'a> Checkpoint<'a> {
    /// Checks before the work that the file can be written.
    pub(crate) fn check(path: &'a Path) -> Result<Self, Error> {
        let file = OutputFile::check(path)?;
        Ok(Self { path, file })
    }

    /// Reads what is there, if it is to be resumed.
    pub(crate) fn open(
        self,
        args: &InvertArgs,
        fingerprint: Fingerprint,
    ) -> Result<Log<'a>, Error> {
        let Self { path, file } = self;
        let content = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            content => Some(content.map_err(|source| Error::Read {
                path: path.into(),
                source,
            })?),
        };
        let finished = match content {
            None => {
                if args.resume && !args.quiet {
                    eprintln!("{}: no checkpoint yet, from the beginning", path.display());
                }
                Vec::new()
            }
            Some(_) if !args.resume => {
                let expected = "--resume to go on from it, or another FILE";
                return Err(Error::content(path, "a file is there already", expected));
            }
            Some(content) => {
                let record = decode(path, &content)?;
                if let Some((name, here, there)) = fingerprint.difference(&record.fingerprint) {
                    let found = format!("the checkpoint of another run: {name} was {there}");
                    return Err(Error::content(path, found, here));
                }
                record.finished
            }
        };
        Ok(Log {
            file,
            record: Record {
                fingerprint,
                finished,
            },
            interval: Duration::from_secs(args.checkpoint_seconds),
            saved: Instant::now(),
        })
    }
}

/// The checkpoint of the run under way.
pub(crate) struct Log<'a> {
    file: OutputFile<'a>,
    record: Record,
    interval: Duration,
    saved: Instant,
}

impl Log<'_> {
    /// The targets that an earlier run has finished, in their order.
    pub(crate) fn take_finished(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.record.finished)
    }

    /// Saves where the interval has passed.
    pub(crate) fn save_if_due(&mut self, solved: &[Outcome]) -> Result<(), Error> {
        if self.saved.elapsed() < self.interval {
            return Ok(());
        }
        self.save(solved)
    }

    /// Replaces the file, in one step, by one with these targets, but for one that was stopped.
    pub(crate) fn save(&mut self, solved: &[Outcome]) -> Result<(), Error> {
        let finished = match solved.split_last() {
            Some((last, before)) if last.status == approx_newton::Status::Stopped => before,
            _ => solved,
        };
        let content = encode(&self.record.fingerprint, finished)
            .map_err(|error| self.file.failed(io::Error::other(error)))?;
        let staged = self.file.stage(|file| file.write_all(&content))?;
        staged.publish()?;
        self.saved = Instant::now();
        Ok(())
    }
}

fn encode(fingerprint: &Fingerprint, finished: &[Outcome]) -> postcard::Result<Vec<u8>> {
    let mut content = MAGIC.to_vec();
    content.extend(postcard::to_allocvec(&(fingerprint, finished))?);
    content.extend(digest::of_bytes(&content));
    Ok(content)
}

fn decode(path: &Path, content: &[u8]) -> Result<Record, Error> {
    let damaged = |found: &str| Error::content(path, found, "a checkpoint of twolayer invert");
    let body = content
        .strip_prefix(MAGIC)
        .ok_or_else(|| damaged("no checkpoint of this version"))?;
    let length = body.len().saturating_sub(DIGEST);
    let (record, _) = body.split_at(length);
    let (signed, expected) = content.split_at(MAGIC.len() + length);
    if digest::of_bytes(signed) != expected {
        return Err(damaged("a damaged checkpoint"));
    }
    postcard::from_bytes(record).map_err(|_| damaged("a checkpoint that cannot be decoded"))
}
