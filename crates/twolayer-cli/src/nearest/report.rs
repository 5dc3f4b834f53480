//! What is said of the nearest x.

use super::{Answers, Found};
use crate::args::ReportFormat;
use crate::error::Error;
use crate::printing::{VERSION, json, table};
use crate::report::BoundReport;
use comfy_table::CellAlignment;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A table longer than this is not read.
const LONGEST_TABLE: usize = 60;

pub(super) fn nearest(format: ReportFormat, answers: &Answers) -> Result<String, Error> {
    match format {
        ReportFormat::Text => Ok(text(answers)),
        ReportFormat::Json => json(&Report {
            version: VERSION,
            nearest: answers.found.iter().map(AnswerReport::new).collect(),
            not_started: answers.asked - answers.found.len(),
            wall_seconds: answers.wall_seconds,
        }),
    }
}

#[derive(Serialize)]
struct Report {
    version: u32,
    nearest: Vec<AnswerReport>,
    not_started: usize,
    wall_seconds: f64,
}

#[derive(Serialize)]
struct AnswerReport {
    status: &'static str,
    converged: bool,
    distance: f64,
    violation: f64,
    residual: f64,
    distinct: usize,
    iterations: usize,
    at_kinks_of: Vec<usize>,
    at_bounds: Vec<BoundReport>,
    solve_seconds: f64,
}

impl AnswerReport {
    fn new(found: &Found) -> Self {
        Self {
            status: found.status.name(),
            converged: found.status.is_converged(),
            distance: found.distance,
            violation: found.violation,
            residual: found.residual,
            distinct: found.distinct,
            iterations: found.iterations,
            at_kinks_of: found.at_kinks_of.clone(),
            at_bounds: found.at_bounds.iter().map(BoundReport::new).collect(),
            solve_seconds: found.seconds,
        }
    }
}

/// The answers in a table, the furthest first where they are many, and what they come to.
fn text(answers: &Answers) -> String {
    let mut order: Vec<usize> = (0..answers.found.len()).collect();
    if order.len() > LONGEST_TABLE {
        let distance = |&index: &usize| answers.found[index].distance;
        order.sort_by(|a, b| distance(b).total_cmp(&distance(a)));
        order.truncate(LONGEST_TABLE);
    }
    let header = [
        "target",
        "status",
        "distance",
        "misses",
        "residual",
        "distinct",
        "at bounds",
        "iterations",
        "time (s)",
    ];
    let mut table = table(&header);
    for index in order {
        let found = &answers.found[index];
        table.add_row([
            index.to_string(),
            found.status.to_string(),
            format!("{:.6}", found.distance),
            format!("{:.1e}", found.violation),
            format!("{:.1e}", found.residual),
            found.distinct.to_string(),
            found.at_bounds.len().to_string(),
            found.iterations.to_string(),
            format!("{:.4}", found.seconds),
        ]);
    }
    for column in (0..header.len()).filter(|column| *column != 1) {
        if let Some(cells) = table.column_mut(column) {
            cells.set_cell_alignment(CellAlignment::Right);
        }
    }
    let found = answers.found.iter();
    let converged = found.filter(|found| found.status.is_converged()).count();
    let total: f64 = answers.found.iter().map(|found| found.seconds).sum();
    format!(
        "{table}\n\n{converged} of {} are nearest, {total:.3} s of solving, {:.3} s in all\n",
        answers.asked, answers.wall_seconds
    )
}

/// What can be done about the others, a line for each way to end.
pub(super) fn advice(answers: &Answers) -> String {
    let mut ways: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for found in &answers.found {
        if !found.status.advice().is_empty() {
            let way = ways.entry(found.status.name());
            way.or_insert((0, found.status.advice())).0 += 1;
        }
    }
    let mut lines = String::new();
    for (name, (count, advice)) in ways {
        let _ = writeln!(lines, "{count} {name}: {advice}");
    }
    match answers.asked - answers.found.len() {
        0 => {}
        missing => {
            let _ = writeln!(lines, "{missing} of {} were not come to", answers.asked);
        }
    }
    lines
}
