//! The questions of arXiv 2308.08358, put to the solver: one experiment a file, each with its rows
//! (CSV), its plot (SVG) and a paragraph whose every figure is computed from the rows.
//!
//! | file | what |
//! |---|---|
//! | `kept` | rows that a run which was ended leaves for the next |
//! | `problems` | the problems, planted and real |
//! | `spectrum` | the ends of the Hessian's spectrum, and distances |
//! | `numbers` | statistics, and figures as words |
//! | `charts` | the plots |
//! | `page` | README.md: the answers one below the other |

mod accuracy;
mod charts;
mod convergence;
mod initialisation;
mod kept;
mod numbers;
mod page;
mod patterns;
mod problems;
mod regularisation;
mod scaling;
mod spectrum;
mod states_that_change;

use crate::command::root;
use crate::error::Error;
use crate::tables::{csv, write};
use clap::ValueEnum;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One of them; all where none is named.
    #[arg(value_enum)]
    name: Option<Name>,
    /// Fewer and smaller problems, some minutes in all; written to `target/experiments/quick/`.
    #[arg(long)]
    quick: bool,
    /// Measure nothing: plots, paragraphs and page anew from the rows that were written last.
    #[arg(long)]
    redraw: bool,
}

/// The experiments, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The rate of the paper's iteration and of the solver, exact and sampled, f32 and f64.
    Convergence,
    /// How often ReLUs switch along solves, and what it costs.
    Patterns,
    /// How close H̃ is to H, by sampler and number of rows, and what that does to steps and time.
    Accuracy,
    /// Success and steps against the distance of the start.
    Initialisation,
    /// Positive definiteness, speed and bias against the weight w.
    Regularisation,
    /// The cost of a step and of a solve against m, n and d.
    Scaling,
    /// Where solves end, with no assumption on the pattern.
    StatesThatChange,
}

impl Name {
    /// As on the command line, and of the files.
    fn word(self) -> &'static str {
        match self {
            Self::Convergence => "convergence",
            Self::Patterns => "patterns",
            Self::Accuracy => "accuracy",
            Self::Initialisation => "initialisation",
            Self::Regularisation => "regularisation",
            Self::Scaling => "scaling",
            Self::StatesThatChange => "states-that-change",
        }
    }
}

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// For docs/experiments/.
    Full,
    /// `--quick`.
    Quick,
    /// So little that a test can run it; its answers mean nothing.
    #[cfg(test)]
    Tiny,
}

impl Size {
    /// Of three values, the one for this size.
    fn pick<T>(self, _tiny: T, quick: T, full: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            #[cfg(test)]
            Self::Tiny => _tiny,
        }
    }
}

/// One question, with all settings of its measurements: two experiments whose `Debug` is the same
/// measure the same.
trait Experiment: Debug {
    /// A piece of the work that is done at once, and whose rows are kept together.
    type Unit: Debug;
    /// A line of the CSV.
    type Row: Serialize + DeserializeOwned;

    /// Which one it is.
    const NAME: Name;

    /// All pieces of the work.
    fn units(&self) -> Vec<Self::Unit>;

    /// Does one.
    fn measure(&self, unit: &Self::Unit) -> Result<Vec<Self::Row>, Error>;

    /// What the rows say.
    fn answer(&self, rows: &[Self::Row]) -> Answer;
}

/// What the rows say, in Markdown, and its plot.
struct Answer {
    /// A paragraph, or some.
    answer: String,
    /// How it was measured; a table.
    details: String,
    panels: Vec<charts::Panel>,
}

/// Where files go.
struct Places {
    /// CSV, SVG and paragraph of each experiment, and the page.
    out: PathBuf,
    /// Rows of pieces that are done.
    kept: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let target = root().join("target/experiments");
    let (size, out) = if args.quick {
        (Size::Quick, target.join("quick"))
    } else {
        (Size::Full, root().join("docs/experiments"))
    };
    let kept = target.join("kept");
    let places = Places { out, kept };
    let names = match args.name {
        Some(name) => vec![name],
        None => Name::value_variants().to_vec(),
    };
    for name in names {
        perform(name, size, &places, args.redraw)?;
    }
    if !args.redraw {
        page::write_machine(&places.out)?;
    }
    page::write_page(&places.out, size)
}

fn perform(name: Name, size: Size, places: &Places, redraw: bool) -> Result<(), Error> {
    match name {
        Name::Convergence => one(&convergence::Convergence::of(size), places, redraw),
        Name::Patterns => one(&patterns::Patterns::of(size), places, redraw),
        Name::Accuracy => one(&accuracy::Accuracy::of(size), places, redraw),
        Name::Initialisation => one(&initialisation::Initialisation::of(size), places, redraw),
        Name::Regularisation => one(&regularisation::Regularisation::of(size), places, redraw),
        Name::Scaling => one(&scaling::Scaling::of(size), places, redraw),
        Name::StatesThatChange => one(&states_that_change::States::of(size), places, redraw),
    }
}

/// Measures one experiment, or reads its rows, and writes its three files.
fn one<E: Experiment>(experiment: &E, places: &Places, redraw: bool) -> Result<(), Error> {
    let word = E::NAME.word();
    let file = |extension: &str| format!("{word}.{extension}");
    let rows: Vec<E::Row> = if redraw {
        kept::read(&places.out.join(file("csv")))?
    } else {
        kept::measure(experiment, &places.kept)?
    };
    let answer = experiment.answer(&rows);
    if !redraw {
        save(&places.out, &file("csv"), &csv(&rows)?)?;
    }
    save(
        &places.out,
        &file("svg"),
        &charts::svg(word, &answer.panels)?,
    )?;
    save(&places.out, &file("md"), &page::section(E::NAME, &answer))?;
    eprintln!("{word}: written to {}", places.out.display());
    Ok(())
}

fn save(folder: &Path, name: &str, content: &str) -> Result<(), Error> {
    let path = folder.join(name);
    write(folder, &path, content).map_err(|source| Error::Write { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_writes_its_files_and_does_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            out: folder.path().join("out"),
            kept: folder.path().join("kept"),
        };
        for &name in Name::value_variants() {
            perform(name, Size::Tiny, &places, false).unwrap();
        }
        page::write_machine(&places.out).unwrap();
        page::write_page(&places.out, Size::Tiny).unwrap();
        let read = |file: &str| std::fs::read_to_string(places.out.join(file)).unwrap();
        let page = read("README.md");
        for name in Name::value_variants() {
            let word = name.word();
            let (table, plot) = (read(&format!("{word}.csv")), read(&format!("{word}.svg")));
            assert!(table.lines().count() > 1, "{word}");
            assert!(
                plot.contains("</svg>") && plot.contains("<polyline"),
                "{word}"
            );
            assert!(page.contains(read(&format!("{word}.md")).trim()), "{word}");
            // Figures that could not be computed are dashes.
            assert!(!page.contains("NaN") && !page.contains(" inf"), "{page}");
        }
        // Twice: times are rows too, and come back to the digit only where they were kept.
        for &name in Name::value_variants() {
            let before = read(&format!("{}.csv", name.word()));
            perform(name, Size::Tiny, &places, false).unwrap();
            assert_eq!(before, read(&format!("{}.csv", name.word())));
            perform(name, Size::Tiny, &places, true).unwrap();
        }
        // A run that was ended before its last piece goes on with that piece.
        let name = Name::StatesThatChange;
        let before = read(&format!("{}.csv", name.word()));
        let folders = std::fs::read_dir(&places.kept).unwrap();
        let folder = folders
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().contains(name.word()));
        let piece = folder.unwrap().join("2.csv");
        std::fs::remove_file(&piece).unwrap();
        perform(name, Size::Tiny, &places, false).unwrap();
        assert!(piece.exists());
        assert_eq!(before, read(&format!("{}.csv", name.word())));
        assert_eq!(page, {
            page::write_page(&places.out, Size::Tiny).unwrap();
            read("README.md")
        });
    }
}
