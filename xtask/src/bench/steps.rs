//! How the cost of a step grows with the number of outcomes.

use super::machine;
use super::plots;
use super::problem::{Problem, Wanted};
use super::twolayer::Twolayer;
use crate::error::Error;
use crate::tables::{csv, markdown, median, save};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Values of m.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "10000,25000,63000,160000,400000",
        value_parser = clap::value_parser!(u32).range(1000..=4_000_000)
    )]
    outcomes: Vec<u32>,
    /// Values of `twolayer invert --hessian`.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "auto,sampled,sketch,gauss-newton"
    )]
    hessians: Vec<String>,
}

const INPUTS: usize = 64;
const UNITS: usize = 256;

/// The columns of a trace that are looked at.
#[derive(Debug, Deserialize)]
struct Entry {
    iteration: usize,
    rows_used: usize,
    seconds_evaluate: f64,
    seconds_build: f64,
    seconds_step: f64,
    seconds_search: f64,
}

/// Medians over the iterations that made a new model of the Hessian.
#[derive(Debug, Serialize)]
struct Row {
    hessian: String,
    outcomes: u32,
    steps: usize,
    rows_used: f64,
    seconds: f64,
    evaluate: f64,
    build: f64,
    step: f64,
    search: f64,
    /// Seconds over the bytes of half of A2, which is about what is active.
    nanoseconds_per_active_byte: f64,
    /// What reading those bytes twice takes at the bandwidth of memory, over `seconds`.
    floor_over_seconds: f64,
    /// Once, over `evaluate` and over `search`.
    floor_over_evaluate: f64,
    floor_over_search: f64,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let scratch = tempfile::tempdir().map_err(Error::Scratch)?;
    let twolayer = Twolayer::build(scratch.path())?;
    let bandwidth = machine::copy_bandwidth();
    let mut rows = Vec::new();
    for &outcomes in &args.outcomes {
        let folder = tempfile::tempdir_in(scratch.path()).map_err(Error::Scratch)?;
        let shape = (INPUTS, UNITS, outcomes as usize);
        let problem = Problem::planted("steps", shape, 1, Wanted::Attained, folder.path())?;
        for hessian in &args.hessians {
            let x0 = problem.starts[0].file.to_string_lossy();
            // The warm start would solve it on few outcomes, whatever m is.
            let options = ["--hessian", hessian, "--start", &x0, "--no-warm-start"];
            twolayer.invert(&problem.file, options, None)?;
            let row = row(hessian, outcomes, bandwidth, &entries(&twolayer)?);
            eprintln!("m = {outcomes}, {hessian}: {:.4} s a step", row.seconds);
            rows.push(row);
        }
    }
    let report = report(args, bandwidth, &rows);
    save("steps.csv", &csv(&rows)?)?;
    plots::cost_per_step(&lines(args, &rows))?;
    let path = save("steps.md", &report)?;
    println!("{report}");
    eprintln!(
        "written: {}, steps.csv and steps.svg beside it",
        path.display()
    );
    Ok(())
}

/// The iterations that made a model. The first makes buffers too, and is left out.
fn entries(twolayer: &Twolayer) -> Result<Vec<Entry>, Error> {
    let path = twolayer.trace();
    let read = || -> Result<Vec<Entry>, csv::Error> {
        let mut reader = csv::Reader::from_path(&path)?;
        reader.deserialize().collect()
    };
    let mut entries = read().map_err(|source| Error::Read { path, source })?;
    entries.retain(|entry| entry.iteration > 1 && entry.rows_used > 0);
    Ok(entries)
}

fn row(hessian: &str, outcomes: u32, bandwidth: f64, entries: &[Entry]) -> Row {
    let of = |what: fn(&Entry) -> f64| median(entries.iter().map(what));
    let total =
        |e: &Entry| e.seconds_evaluate + e.seconds_build + e.seconds_step + e.seconds_search;
    let seconds = of(total);
    let active_bytes = (8 * outcomes as usize * UNITS / 2) as f64;
    let pass = active_bytes / bandwidth;
    let (evaluate, search) = (
        of(|entry| entry.seconds_evaluate),
        of(|entry| entry.seconds_search),
    );
    Row {
        hessian: hessian.into(),
        outcomes,
        steps: entries.len(),
        rows_used: of(|entry| entry.rows_used as f64),
        seconds,
        evaluate,
        build: of(|entry| entry.seconds_build),
        step: of(|entry| entry.seconds_step),
        search,
        nanoseconds_per_active_byte: 1e9 * seconds / active_bytes,
        floor_over_seconds: 2.0 * pass / seconds,
        floor_over_evaluate: pass / evaluate,
        floor_over_search: pass / search,
    }
}

fn lines(args: &Args, rows: &[Row]) -> Vec<(String, Vec<(f64, f64)>)> {
    let of = |hessian: &String| {
        let of = rows
            .iter()
            .filter(|row| row.hessian == *hessian && row.steps > 0);
        let points = of.map(|row| (f64::from(row.outcomes), row.seconds));
        (hessian.clone(), points.collect::<Vec<_>>())
    };
    let lines = args.hessians.iter().map(of);
    lines.filter(|(_, points)| !points.is_empty()).collect()
}

/// Least squares slope of log y over log x.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let logs: Vec<_> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let mean_x = logs.iter().map(|p| p.0).sum::<f64>() / count;
    let mean_y = logs.iter().map(|p| p.1).sum::<f64>() / count;
    let covariance: f64 = logs.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    covariance / logs.iter().map(|p| (p.0 - mean_x).powi(2)).sum::<f64>()
}

fn report(args: &Args, bandwidth: f64, rows: &[Row]) -> String {
    let mut text = format!("# Cost of a step, d = {INPUTS}, n = {UNITS}\n\n");
    text += &machine::describe(&BTreeMap::new());
    text += "\nFrom 10% off, on faer in f64: medians over the iterations after the first that made a \
             new model of the Hessian. The active part of A2 is taken as half of it.\n\n";
    text += &format!(
        "The floor of a step is reading that part twice, once for the gradient (*evaluate*) and once for \
         the loss (*search*), at the {:.1} GB/s at which 256 MB are copied, read and written. Where \
         rows are drawn or sketched, *evaluate* computes their center in the same pass.\n\n",
        1e-9 * bandwidth,
    );
    text += &markdown(
        [
            "Hessian",
            "m",
            "steps",
            "rows",
            "ms a step",
            "evaluate",
            "build",
            "solve",
            "search",
            "ns per active byte",
            "floor over evaluate",
            "over search",
            "over the step",
        ],
        1,
        rows.iter().map(|row| {
            let milliseconds = |seconds: f64| format!("{:.2}", 1e3 * seconds);
            [
                row.hessian.clone(),
                row.outcomes.to_string(),
                row.steps.to_string(),
                format!("{:.0}", row.rows_used),
                milliseconds(row.seconds),
                milliseconds(row.evaluate),
                milliseconds(row.build),
                milliseconds(row.step),
                milliseconds(row.search),
                format!("{:.3}", row.nanoseconds_per_active_byte),
                format!("{:.2}", row.floor_over_evaluate),
                format!("{:.2}", row.floor_over_search),
                format!("{:.2}", row.floor_over_seconds),
            ]
        }),
    );
    text += "\n\n";
    for (hessian, points) in lines(args, rows) {
        let slope = slope(&points);
        text += &format!("- {hessian}: seconds a step ∝ m^{slope:.2}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_slope_of_a_power_is_its_exponent() {
        let points = [1.0, 2.0, 5.0, 9.0].map(|x: f64| (x, 3.0 * x.powf(1.7)));
        assert!((super::slope(&points) - 1.7).abs() < 1e-12);
    }
}
