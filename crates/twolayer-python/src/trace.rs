//! Every iteration as a row of numbers.

use twolayer::{Scalar, Stage, TraceEntry};

/// What the numbers of a row are; `stage` is 1 on the objective that was asked for, 0 before.
pub(crate) const TRACE_COLUMNS: [&str; 16] = [
    "iteration",
    "stage",
    "restart",
    "loss",
    "stage_loss",
    "gradient_norm",
    "step_norm",
    "damping",
    "flips",
    "pinned",
    "rows_used",
    "elapsed",
    "seconds_evaluate",
    "seconds_build",
    "seconds_step",
    "seconds_search",
];

/// The row of an iteration. Counts are below 2⁵³.
pub(crate) fn row<T: Scalar>(entry: &TraceEntry<T>) -> [f64; TRACE_COLUMNS.len()] {
    let count = |number: usize| number as f64;
    let stage = match entry.stage {
        Stage::WarmStart => 0.0,
        Stage::Target => 1.0,
    };
    [
        count(entry.iteration),
        stage,
        count(entry.restart),
        entry.loss.to_f64(),
        entry.stage_loss.to_f64(),
        entry.gradient_norm.to_f64(),
        entry.step_norm.to_f64(),
        entry.damping.to_f64(),
        count(entry.flips),
        count(entry.pinned),
        count(entry.rows_used),
        entry.elapsed,
        entry.seconds.evaluate,
        entry.seconds.build,
        entry.seconds.step,
        entry.seconds.search,
    ]
}
