//! Tables of problems whose least loss nobody knows.

use super::{Cell, Row, fastest, figure, over, weight};
use crate::tables::markdown;

/// For each problem, weight and start: faer with `auto` and the best peers, in f64.
pub(super) fn best_of_others(cells: &[Cell]) -> String {
    let lines = cells.iter().filter_map(|cell| {
        let default = cell.rows.iter().find(|row| row.is_default())?;
        let peers = || cell.rows.iter().filter(|row| row.is_peer());
        let beside = |seconds: fn(&Row) -> Option<f64>| {
            let peer = fastest(peers(), seconds);
            let (ours, theirs) = (seconds(default), peer.map(|peer| peer.0));
            [
                figure(ours),
                peer.map_or("-".into(), |(_, row)| row.solver.clone()),
                figure(theirs),
                over(theirs, ours),
            ]
        };
        let [near, near_peer, near_theirs, near_over] = beside(|row| row.seconds_to_near);
        let [low, low_peer, low_theirs, low_over] = beside(|row| row.seconds_to_accuracy);
        let often = peers()
            .filter(|row| row.solved > 0)
            .max_by_key(|row| row.solved);
        Some([
            cell.problem.into(),
            weight(cell),
            cell.start.into(),
            near,
            near_peer,
            near_theirs,
            near_over,
            low,
            low_peer,
            low_theirs,
            low_over,
            format!("{} of {}", default.solved, default.targets),
            often.map_or("-".into(), |row| {
                format!("{} of {}, {}", row.solved, row.targets, row.solver)
            }),
        ])
    });
    markdown(
        [
            "problem",
            "w",
            "start",
            "auto, s to 1%",
            "best peer",
            "its s",
            "it over auto",
            "auto, s to 1e-6",
            "best peer",
            "its s",
            "it over auto",
            "auto lowest",
            "peer most often lowest",
        ],
        3,
        lines,
    )
}

pub(super) fn every_solve(cells: &[Cell]) -> String {
    let rows = cells.iter().flat_map(|cell| {
        let line = |row: &Row| {
            [
                row.problem.into(),
                weight(cell),
                row.start.into(),
                row.solver.clone(),
                row.precision.clone(),
                row.ended.clone(),
                row.runs.to_string(),
                figure(row.seconds_to_near),
                figure(row.seconds_to_accuracy),
                format!("{} of {}", row.near, row.targets),
                format!("{} of {}", row.solved, row.targets),
                row.above_lowest
                    .map_or("-".into(), |above| format!("{above:.1e}")),
                figure(row.seconds),
                row.iterations.to_string(),
                row.hessians.map_or("-".into(), |count| count.to_string()),
                row.peak_over_inputs
                    .map_or("-".into(), |ratio| format!("{ratio:.2}")),
            ]
        };
        cell.rows.iter().map(line).collect::<Vec<_>>()
    });
    markdown(
        [
            "problem",
            "w",
            "start",
            "solver",
            "precision",
            "ended",
            "runs",
            "s to 1%",
            "s to 1e-6",
            "near",
            "lowest",
            "above",
            "s in all",
            "iterations",
            "Hessians",
            "peak over arrays",
        ],
        6,
        rows,
    )
}
