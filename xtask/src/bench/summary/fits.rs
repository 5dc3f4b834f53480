//! Tables of targets that some x attains.

use super::{Cell, Row, fastest, figure, over};
use crate::tables::markdown;

/// For each problem and start: faer with `auto`, the best fixed choice of the Hessian on faer, and
/// the best peer, in f64.
pub(super) fn best_of_others(cells: &[Cell]) -> String {
    let lines = cells.iter().filter_map(|cell| {
        let double = || cell.rows.iter().filter(|row| row.is_double());
        let seconds = |row: &Row| row.seconds_to_accuracy;
        let default = double().find(|row| row.is_default())?;
        let fixed = |row: &&Row| row.backend == "faer" && row.hessian != "auto";
        let fixed = fastest(double().filter(fixed), seconds);
        let peer = fastest(double().filter(|row| row.is_peer()), seconds);
        let ours = default.seconds_to_accuracy;
        let name = |of: Option<(f64, &Row)>, what: fn(&Row) -> &str| {
            of.map_or("-".into(), |(_, row)| what(row).into())
        };
        let (fixed_time, peer_time) = (fixed.map(|f| f.0), peer.map(|p| p.0));
        Some([
            cell.problem.into(),
            cell.start.into(),
            format!("{} of {}", default.solved, default.targets),
            figure(ours),
            name(fixed, |row| &row.hessian),
            figure(fixed_time),
            over(ours, fixed_time),
            name(peer, |row| &row.solver),
            figure(peer_time),
            over(peer_time, ours),
        ])
    });
    markdown(
        [
            "problem",
            "start",
            "auto solved",
            "auto, s",
            "best fixed",
            "its s",
            "auto over it",
            "best peer",
            "its s",
            "it over auto",
        ],
        2,
        lines,
    )
}

pub(super) fn every_solve(cells: &[Cell]) -> String {
    markdown(
        [
            "problem",
            "start",
            "solver",
            "precision",
            "ended",
            "runs",
            "solved",
            "s to solved",
            "s in all",
            "iterations",
            "Hessians",
            "worst L/L(x0)",
            "peak, MB",
            "peak over arrays",
        ],
        5,
        cells.iter().flat_map(|cell| &cell.rows).map(|row| {
            [
                row.problem.into(),
                row.start.into(),
                row.solver.clone(),
                row.precision.clone(),
                row.ended.clone(),
                row.runs.to_string(),
                format!("{} of {}", row.solved, row.targets),
                figure(row.seconds_to_accuracy),
                figure(row.seconds),
                row.iterations.to_string(),
                row.hessians.map_or("-".into(), |count| count.to_string()),
                row.worst_loss
                    .map_or("-".into(), |loss| format!("{loss:.1e}")),
                row.peak_bytes
                    .map_or("-".into(), |peak| format!("{:.0}", peak as f64 / 1e6)),
                row.peak_over_inputs
                    .map_or("-".into(), |ratio| format!("{ratio:.2}")),
            ]
        }),
    )
}
