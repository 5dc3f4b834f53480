//! Small wrong changes, and whether the tests notice (cargo-mutants).

use super::{Outcome, command, finish_with, root};
use crate::error::Error;
use crate::tables::markdown;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The part of the mutants that the tests must notice.
const LEAST_CAUGHT: f64 = 0.9;
/// How cargo-mutants ends where some mutants were missed, and where some ran out of time.
const FINDINGS: [i32; 2] = [2, 3];

/// Tries the mutants of one crate, or of all that `.cargo/mutants.toml` names, or every n-th of them: first with the
/// unit tests of the mutant's own crate, which take seconds, then those that are left with all tests of
/// the workspace. Takes hours.
pub(super) fn run(package: Option<&str>, shard: Option<&str>) -> Result<Outcome, Error> {
    let folder = root().join("target/mutants");
    let output = folder.to_string_lossy().into_owned();
    let results = folder.join("mutants.out");
    let shared = ["mutants", "--colors", "never", "--output", &output];
    let run = |own: &[&str]| {
        let arguments = [&shared, own].concat();
        finish_with(command(&arguments), &arguments, &FINDINGS)
    };
    let mut chosen = match package {
        Some(package) => vec!["--package", package],
        None => vec!["--workspace"],
    };
    if let Some(shard) = shard {
        chosen.extend(["--sharding", "round-robin", "--shard", shard]);
    }
    let mut tally = Tally::default();
    // One that never ends is noticed, too.
    let mut add_noticed = || {
        tally.add(&results.join("caught.txt"), true);
        tally.add(&results.join("timeout.txt"), true);
    };
    run(&[&chosen[..], &["--", "--lib"]].concat())?;
    add_noticed();
    let left = fs::read_to_string(results.join("missed.txt")).unwrap_or_default();
    let names: Vec<String> = left
        .lines()
        .map(|name| format!("^{}$", literal(name)))
        .collect();
    if !names.is_empty() {
        let mut again = vec!["--workspace", "--test-workspace", "true"];
        again.extend(names.iter().flat_map(|name| ["--re", name]));
        run(&again)?;
        add_noticed();
        tally.add(&results.join("missed.txt"), false);
    }
    println!("{}", tally.table());
    let (caught, total) = tally.sum();
    if (caught as f64) < LEAST_CAUGHT * total as f64 {
        let list = results.join("missed.txt");
        return Err(Error::Mutants {
            caught,
            total,
            list,
        });
    }
    Ok(Outcome::Passed)
}

/// The regular expression that a text alone matches.
fn literal(text: &str) -> String {
    let mut expression = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(character) {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
}

/// Mutants caught and mutants tried, by file.
#[derive(Default)]
struct Tally(BTreeMap<String, (usize, usize)>);

impl Tally {
    /// Adds a list of cargo-mutants, lines of `file:line:column: change`. One that nothing is on may
    /// not be there.
    fn add(&mut self, list: &Path, caught: bool) {
        let mutants = fs::read_to_string(list).unwrap_or_default();
        for mutant in mutants.lines() {
            let file = mutant.split(':').next().unwrap_or(mutant);
            let count = self.0.entry(file.to_owned()).or_default();
            count.0 += usize::from(caught);
            count.1 += 1;
        }
    }

    fn sum(&self) -> (usize, usize) {
        let counts = self.0.values();
        counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
    }

    fn table(&self) -> String {
        let row = |file: &str, (caught, total): (usize, usize)| {
            [file.to_owned(), caught.to_string(), total.to_string()]
        };
        let files = self.0.iter().map(|(file, &count)| row(file, count));
        let rows = files.chain([row("all", self.sum())]);
        markdown(["file", "caught", "of"], 1, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutants_are_counted_by_file() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.txt");
        fs::write(
            &list,
            "a.rs:1:2: replace + with -\na.rs:3:4: x\nb.rs:1:1: y\n",
        )
        .unwrap();
        let mut tally = Tally::default();
        tally.add(&list, true);
        tally.add(&list, false);
        tally.add(&folder.path().join("missing.txt"), false);
        assert_eq!(tally.0["a.rs"], (2, 4));
        assert_eq!(tally.sum(), (3, 6));
        assert_eq!(tally.table().lines().count(), 5);
    }

    #[test]
    fn a_name_is_no_expression() {
        assert_eq!(
            literal("a.rs:1:2: replace + with * in <impl A for B>::f"),
            r"a\.rs:1:2: replace \+ with \* in <impl A for B>::f"
        );
    }
}
