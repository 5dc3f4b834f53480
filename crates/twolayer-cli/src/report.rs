//! What is printed on standard output: tables for people, one object for programs.

use crate::args::ReportFormat;
use crate::at_bounds::AtBound;
use crate::certify::{self, CertificateReport};
use crate::error::Error;
use crate::outcome::{Ended, Outcome, Outcomes};
use crate::printing::{VERSION, json, table};
use crate::theory::{self, BrokenReport, TheoryReport};
use comfy_table::CellAlignment;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use twolayer::{LimitPoint, Status, reduce};

/// The losses below which a target counts as met, and as met to the last digits.
const LEVELS: [f64; 2] = [1e-12, 1e-20];

/// A table longer than this is not read: the hardest targets are shown instead.
const LONGEST_TABLE: usize = 60;
const HARDEST_SHOWN: usize = 20;
const MOST_SKIPPED_TOLD: usize = 10;
const MOST_HELD_TOLD: usize = 10;

/// The report of an inversion.
pub(crate) fn inversion(format: ReportFormat, all: &Outcomes) -> Result<String, Error> {
    let outcomes = &all.solved;
    match format {
        ReportFormat::Text => Ok(text(all) + &more(outcomes)),
        ReportFormat::Json => json(&Report {
            version: VERSION,
            targets: outcomes.iter().map(TargetReport::new).collect(),
            not_started: all.targets - outcomes.len(),
            totals: Totals::new(outcomes),
            wall_seconds: all.wall_seconds,
        }),
    }
}

/// What goes beyond the table: targets that were skipped, bounds that hold, certificates, and the theorem.
fn more(outcomes: &[Outcome]) -> String {
    let mut text = skipped(outcomes) + &held(outcomes);
    let verdicts = outcomes.iter().enumerate();
    let verdicts = verdicts.filter_map(|(index, o)| Some((index, o.verdict.as_ref()?)));
    let verdicts: Vec<_> = verdicts.collect();
    if !verdicts.is_empty() {
        text += "\n";
        text += &certify::text(verdicts);
    }
    text += &theory::broken(outcomes);
    for (index, outcome) in outcomes.iter().enumerate() {
        if let Some(theory) = &outcome.theory {
            text += "\n";
            text += &theory::text(index, theory);
        }
    }
    text
}

/// What is wrong with targets that were skipped, a line for each of the first.
fn skipped(outcomes: &[Outcome]) -> String {
    let bad = outcomes.iter().enumerate();
    let bad = bad.filter_map(|(index, outcome)| Some((index, outcome.error.as_ref()?)));
    let mut text = String::new();
    for (index, error) in bad.clone().take(MOST_SKIPPED_TOLD) {
        let _ = writeln!(text, "target {index} was skipped: {error}");
    }
    let others = bad.count().saturating_sub(MOST_SKIPPED_TOLD);
    if others > 0 {
        let _ = writeln!(text, "and {others} more were skipped");
    }
    text
}

/// How many answers lie at kinks, and what can be done about targets that did not converge, a line
/// for each way to fail.
pub(crate) fn advice(outcomes: &[Outcome]) -> String {
    let mut lines = String::new();
    let at_kinks = outcomes
        .iter()
        .filter(|o| o.limit == LimitPoint::AtKinks && !o.status.is_met())
        .count();
    if at_kinks > 0 {
        let _ = writeln!(lines, "{at_kinks} ended in a minimum at kinks");
    }
    for (status, count) in statuses(outcomes) {
        if status.advice().is_empty() {
            continue;
        }
        let _ = write!(lines, "{count} × {status}: {}", status.advice());
        if status == Ended::Solve(Status::MetAtInfinity) {
            let of_kind = outcomes.iter().filter(|o| o.status == status);
            let longest = of_kind.map(|o| reduce::norm(&o.x)).fold(0.0, f64::max);
            let _ = write!(lines, "; here ‖x‖ is up to {longest:.3e}");
        }
        lines += "\n";
    }
    lines
}

/// The entries that lie on a bound, of few targets and few entries, and starts that were moved within them.
fn held(outcomes: &[Outcome]) -> String {
    let mut lines = String::new();
    let on_some = outcomes
        .iter()
        .enumerate()
        .filter(|(_, o)| !o.at_bounds.is_empty());
    for (index, outcome) in on_some.take(MOST_HELD_TOLD) {
        let told = outcome.at_bounds.iter().take(MOST_HELD_TOLD);
        let told: Vec<_> = told
            .map(|at| format!("x[{}] {} {:.1e}", at.entry, at.side, at.multiplier))
            .collect();
        let count = outcome.at_bounds.len();
        let more = if count > told.len() { ", …" } else { "" };
        let told = told.join(", ");
        let _ = writeln!(
            lines,
            "target {index}: {count} entries on a bound (multiplier): {told}{more}"
        );
    }
    match outcomes.iter().filter(|o| o.is_start_moved).count() {
        0 => {}
        moved => {
            let _ = writeln!(
                lines,
                "{moved} began at the nearest point within the bounds: x0 lay outside"
            );
        }
    }
    lines
}

#[derive(Serialize)]
struct Report {
    version: u32,
    targets: Vec<TargetReport>,
    /// Targets that a run has not come to that was interrupted or out of time.
    not_started: usize,
    totals: Totals,
    /// All of them, several at a time; `solve_seconds` are summed over targets.
    wall_seconds: f64,
}

#[derive(Serialize)]
struct TargetReport {
    loss: f64,
    gradient_norm: f64,
    iterations: usize,
    /// How many starts were tried; the iterations are those from the best.
    starts: usize,
    status: &'static str,
    converged: bool,
    /// What is wrong with a target that was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The loss below which b tells nothing, where it was rounded to less precision than is computed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss_uncertainty: Option<f64>,
    /// `smooth`, `at-kinks`, `at-bounds` or `undetermined`.
    limit: &'static str,
    /// The units on whose kinks x lies.
    at_kinks_of: Vec<usize>,
    /// The bounds on which x lies.
    at_bounds: Vec<BoundReport>,
    /// Whether x0 lay outside the bounds, and the solve began at the nearest point within.
    start_projected: bool,
    solve_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    theory: Option<TheoryReport>,
    /// What the theorem asks for and did not get, where the paper's iteration has not arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_assumptions: Option<Vec<BrokenReport>>,
}

/// An entry of x on a bound.
#[derive(Serialize)]
pub(crate) struct BoundReport {
    entry: usize,
    /// `lower`, `upper`, or `both` where they are the same.
    bound: &'static str,
    multiplier: f64,
}

impl BoundReport {
    pub(crate) fn new(at: &AtBound) -> Self {
        Self {
            entry: at.entry,
            bound: at.side,
            multiplier: at.multiplier,
        }
    }
}

impl TargetReport {
    fn new(outcome: &Outcome) -> Self {
        Self {
            loss: outcome.loss,
            gradient_norm: outcome.gradient_norm,
            iterations: outcome.iterations,
            starts: outcome.starts,
            status: outcome.status.name(),
            converged: outcome.status.is_converged(),
            error: outcome.error.clone(),
            loss_uncertainty: outcome.uncertainty,
            limit: outcome.limit.name(),
            at_kinks_of: outcome.pinned.clone(),
            at_bounds: outcome.at_bounds.iter().map(BoundReport::new).collect(),
            start_projected: outcome.is_start_moved,
            solve_seconds: outcome.seconds,
            certificate: outcome.verdict.as_ref().map(CertificateReport::new),
            theory: outcome.theory.as_ref().map(TheoryReport::new),
            broken_assumptions: (outcome.broken.as_ref())
                .map(|broken| broken.iter().map(BrokenReport::new).collect()),
        }
    }
}

#[derive(Serialize)]
struct Totals {
    targets: usize,
    converged: usize,
    iterations: usize,
    /// How many ended in which way.
    statuses: BTreeMap<&'static str, usize>,
    loss: Quantiles,
    /// How many reached which loss.
    loss_at_most: BTreeMap<String, usize>,
    solve_seconds: f64,
}

#[derive(Serialize)]
struct Quantiles {
    min: f64,
    median: f64,
    p90: f64,
    max: f64,
}

impl Totals {
    fn new(outcomes: &[Outcome]) -> Self {
        let reached = |level: f64| outcomes.iter().filter(|o| o.loss <= level).count();
        Self {
            targets: outcomes.len(),
            converged: outcomes.iter().filter(|o| o.status.is_converged()).count(),
            iterations: outcomes.iter().map(|o| o.iterations).sum(),
            statuses: statuses(outcomes)
                .into_iter()
                .map(|(s, count)| (s.name(), count))
                .collect(),
            loss: Quantiles::new(outcomes),
            loss_at_most: LEVELS
                .map(|level| (format!("{level:e}"), reached(level)))
                .into(),
            // A sum of nothing would be −0.
            solve_seconds: outcomes
                .iter()
                .map(|o| o.seconds)
                .fold(0.0, |sum, s| sum + s),
        }
    }
}

impl Quantiles {
    /// Quantiles that are losses of targets, not averages of two.
    fn new(outcomes: &[Outcome]) -> Self {
        let solved = outcomes.iter().filter(|o| o.status != Ended::Bad);
        let mut losses: Vec<f64> = solved.map(|o| o.loss).collect();
        losses.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let last = losses.len().saturating_sub(1);
            losses
                .get((part * last as f64).round() as usize)
                .copied()
                .unwrap_or(f64::NAN)
        };
        Self {
            min: at(0.0),
            median: at(0.5),
            p90: at(0.9),
            max: at(1.0),
        }
    }
}

/// How many targets ended in which way, in the order in which the ways first occur.
fn statuses(outcomes: &[Outcome]) -> Vec<(Ended, usize)> {
    let mut counts: Vec<(Ended, usize)> = Vec::new();
    for outcome in outcomes {
        match counts
            .iter_mut()
            .find(|(status, _)| *status == outcome.status)
        {
            Some((_, count)) => *count += 1,
            None => counts.push((outcome.status, 1)),
        }
    }
    counts
}

fn text(all: &Outcomes) -> String {
    let outcomes = &all.solved;
    let mut shown: Vec<usize> = (0..outcomes.len()).collect();
    let mut heading = String::new();
    if outcomes.len() > LONGEST_TABLE {
        shown.retain(|&index| outcomes[index].status != Ended::Bad);
        shown.sort_by(|&a, &b| outcomes[b].loss.total_cmp(&outcomes[a].loss));
        shown.truncate(HARDEST_SHOWN);
        heading = format!("The {HARDEST_SHOWN} targets of the largest loss:\n");
    }
    let mut table = table(&[
        "target",
        "loss",
        "gradient norm",
        "iterations",
        "status",
        "ms",
    ]);
    for index in shown {
        let outcome = &outcomes[index];
        table.add_row([
            index.to_string(),
            format!("{:.2e}", outcome.loss),
            format!("{:.1e}", outcome.gradient_norm),
            outcome.iterations.to_string(),
            outcome.status.to_string(),
            format!("{:.1}", 1e3 * outcome.seconds),
        ]);
    }
    for column in [0, 1, 2, 3, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{heading}{table}\n\n{}", summary(all))
}

fn summary(all: &Outcomes) -> String {
    let outcomes = &all.solved;
    let totals = Totals::new(outcomes);
    let Quantiles {
        min,
        median,
        p90,
        max,
    } = totals.loss;
    let tried_again = outcomes.iter().filter(|o| o.starts > 1);
    let starts = match tried_again.clone().count() {
        0 => String::new(),
        count => format!(
            "{count} were tried from {} starts in all; {} of them ended in a perfect fit\n",
            tried_again.clone().map(|o| o.starts).sum::<usize>(),
            tried_again.filter(|o| o.status.is_met()).count(),
        ),
    };
    let reached: Vec<_> = LEVELS
        .iter()
        .map(|level| {
            let count = totals
                .loss_at_most
                .get(&format!("{level:e}"))
                .copied()
                .unwrap_or(0);
            format!("≤ {level:e} for {count}")
        })
        .collect();
    let losses = match totals.targets {
        0 => String::new(),
        _ => format!(
            "loss: least {min:.2e}, median {median:.2e}, 90% {p90:.2e}, largest {max:.2e}; {}\n",
            reached.join(", ")
        ),
    };
    format!(
        "{} of {} converged in {} iterations and {:.2} s of solving ({:.2} s of time)\n\
         {losses}{starts}",
        totals.converged, totals.targets, totals.iterations, totals.solve_seconds, all.wall_seconds,
    )
}
