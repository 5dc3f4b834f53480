//! Rows that are not computed twice.
//!
//! Each piece of an experiment's work leaves a CSV of its rows, renamed into place when it is
//! complete, in a folder that is named by a digest of the experiment's settings and of the program
//! itself. So rows are taken from an earlier run if, and only if, the same executable made them
//! with the same settings: a change of the solver, of a library or of the experiment begins anew.

use super::{Experiment, save};
use crate::error::Error;
use crate::tables::csv;
use indicatif::{ProgressBar, ProgressStyle};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::path::Path;

/// The rows of all pieces: those that are kept in `folder`, and the others measured and kept.
pub(super) fn measure<E: Experiment>(experiment: &E, folder: &Path) -> Result<Vec<E::Row>, Error> {
    let units = experiment.units();
    let folder = folder.join(format!(
        "{}-{}",
        E::NAME.word(),
        digest(&format!("{experiment:?}"))?
    ));
    let bar = bar(E::NAME.word(), units.len());
    let mut rows = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        let name = format!("{index}.csv");
        let path = folder.join(&name);
        if path.exists() {
            rows.extend(read(&path)?);
        } else {
            let measured = experiment.measure(unit)?;
            save(&folder, &name, &csv(&measured)?)?;
            rows.extend(measured);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(rows)
}

/// The rows of a CSV.
pub(super) fn read<R: DeserializeOwned>(path: &Path) -> Result<Vec<R>, Error> {
    let rows =
        || -> Result<Vec<R>, csv::Error> { csv::Reader::from_path(path)?.deserialize().collect() };
    rows().map_err(|source| Error::Read {
        path: path.into(),
        source,
    })
}

/// Of the settings and of the program that runs.
fn digest(settings: &str) -> Result<String, Error> {
    let read = || std::fs::read(std::env::current_exe()?);
    let program = read().map_err(Error::Scratch)?;
    let mut digest = Sha256::new();
    digest.update(program);
    digest.update(settings);
    let bytes = digest.finalize();
    Ok(bytes[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn bar(word: &str, units: usize) -> ProgressBar {
    let bar = ProgressBar::new(units as u64).with_prefix(word.to_string());
    match ProgressStyle::with_template("{prefix}: {bar:40} {pos}/{len}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
