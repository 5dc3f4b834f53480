//! What a trace of `twolayer invert` tells of each target.

use crate::error::Error;
use crate::tables::median;
use serde::Deserialize;
use std::path::Path;

/// The columns that are looked at; the file has more.
#[derive(Debug, Clone, Deserialize)]
struct Entry {
    target: usize,
    stage: String,
    restart: usize,
    loss: f64,
    pinned: usize,
    elapsed: f64,
}

/// One target's solve.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Course {
    /// L(x0).
    pub(crate) start_loss: f64,
    /// Seconds and losses, each lower than all before it.
    pub(crate) history: Vec<(f64, f64)>,
    /// The most units that were pinned at once.
    pub(crate) most_pinned: usize,
    /// Pins and releases. Those that cancel within one iteration are not seen.
    pub(crate) pins: usize,
    pub(crate) releases: usize,
    /// Median seconds of an iteration on the objective that was asked for, all m outcomes.
    pub(crate) step_seconds: Option<f64>,
}

impl Course {
    /// The lowest loss of all, the start's included.
    pub(crate) fn lowest(&self) -> f64 {
        self.history
            .last()
            .map_or(self.start_loss, |(_, loss)| *loss)
    }
}

/// Reads the courses of all targets.
pub(crate) fn read(path: &Path) -> Result<Vec<Course>, Error> {
    let failed = |source| Error::Read {
        path: path.into(),
        source,
    };
    let mut reader = csv::Reader::from_path(path).map_err(failed)?;
    let entries: Vec<Entry> = reader
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let targets = entries.chunk_by(|entry, next| entry.target == next.target);
    Ok(targets.map(course).collect())
}

fn course(entries: &[Entry]) -> Course {
    let mut course = Course {
        start_loss: entries[0].loss,
        ..Course::default()
    };
    let mut lowest = entries[0].loss;
    for entry in entries {
        if entry.loss < lowest {
            lowest = entry.loss;
            course.history.push((entry.elapsed, lowest));
        }
        course.most_pinned = course.most_pinned.max(entry.pinned);
    }
    // A new start has pinned units of its own: going there is neither a pin nor a release.
    let descents = entries
        .chunk_by(|entry, next| (&entry.stage, entry.restart) == (&next.stage, next.restart));
    let mut steps = Vec::new();
    for pair in descents.flat_map(|descent| descent.windows(2)) {
        if pair[1].stage == "target" {
            steps.push(pair[1].elapsed - pair[0].elapsed);
        }
        course.pins += pair[1].pinned.saturating_sub(pair[0].pinned);
        course.releases += pair[0].pinned.saturating_sub(pair[1].pinned);
    }
    course.step_seconds = (!steps.is_empty()).then(|| median(steps));
    course
}

/// The lowest loss of a history up to some seconds; `start` where there is none so early.
pub(crate) fn lowest_within(history: &[(f64, f64)], start: f64, seconds: f64) -> f64 {
    let early = history.iter().take_while(|(time, _)| *time <= seconds);
    early.last().map_or(start, |(_, loss)| *loss)
}

/// When a history first was at or below a loss.
pub(crate) fn seconds_to(history: &[(f64, f64)], loss: f64) -> Option<f64> {
    let reached = history.iter().find(|(_, reached)| *reached <= loss);
    reached.map(|(time, _)| *time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\
target,iteration,stage,restart,loss,pinned,elapsed,rows_used
0,0,target,0,1,0,0,0
0,1,target,0,0.5,2,0.1,8
0,2,target,0,0.75,1,0.2,8
0,3,target,0,0.25,4,0.3,8
1,0,warm-start,0,9,3,0,0
1,0,target,0,9,0,0.5,0
";

    #[test]
    fn lows_pins_and_releases_are_counted() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, TRACE.as_bytes()).unwrap();
        let courses = read(file.path()).unwrap();
        assert_eq!(courses.len(), 2);
        let first = &courses[0];
        assert_eq!(first.start_loss, 1.0);
        assert_eq!(first.history, [(0.1, 0.5), (0.3, 0.25)]);
        assert!((first.step_seconds.unwrap() - 0.1).abs() < 1e-12);
        assert_eq!(courses[1].step_seconds, None);
        assert_eq!((first.most_pinned, first.pins, first.releases), (4, 5, 1));
        assert_eq!((courses[1].most_pinned, courses[1].releases), (3, 0));
    }

    #[test]
    fn a_history_answers_for_any_time_and_loss() {
        let history = [(0.1, 0.5), (0.3, 0.25)];
        assert_eq!(lowest_within(&history, 1.0, 0.05), 1.0);
        assert_eq!(lowest_within(&history, 1.0, 0.2), 0.5);
        assert_eq!(lowest_within(&history, 1.0, 9.0), 0.25);
        assert_eq!(seconds_to(&history, 0.4), Some(0.3));
        assert_eq!(seconds_to(&history, 0.1), None);
    }
}
