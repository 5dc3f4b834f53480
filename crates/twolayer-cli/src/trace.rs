//! TRACE.csv: one line for each iteration of each target.

use crate::outcome::Outcome;
use std::fmt::Write;

/// Names of the columns; `seconds_…` are those that the iteration spent in each phase.
const COLUMNS: &str = "target,iteration,stage,restart,loss,stage_loss,gradient_norm,step_norm,damping,flips,\
pinned,rows_used,elapsed,seconds_evaluate,seconds_build,seconds_step,seconds_search\n";

/// The whole file. Iteration 0 is the start.
pub(crate) fn csv(outcomes: &[Outcome]) -> String {
    let mut text = String::from(COLUMNS);
    for (target, outcome) in outcomes.iter().enumerate() {
        for entry in &outcome.trace {
            let seconds = &entry.seconds;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{target},{},{},{},{:e},{:e},{:e},{:e},{:e},{},{},{},{:e},{:e},{:e},{:e},{:e}",
                entry.iteration,
                entry.stage.name(),
                entry.restart,
                entry.loss,
                entry.stage_loss,
                entry.gradient_norm,
                entry.step_norm,
                entry.damping,
                entry.flips,
                entry.pinned,
                entry.rows_used,
                entry.elapsed,
                seconds.evaluate,
                seconds.build,
                seconds.step,
                seconds.search,
            );
        }
    }
    text
}
