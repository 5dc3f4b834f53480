//! How often ReLUs switch along solves, and what that costs.

use super::charts::{Axis, Panel, Series};
use super::numbers::{figure, median, percent, rounded_to_digits as short, share};
use super::problems::{Problem, Shape, away, normal, read_detector};
use super::{Answer, Experiment, Name, Size};
use crate::error::Error;
use crate::tables::markdown;
use serde::{Deserialize, Serialize};
use twolayer::{Solution, Solver};
use twolayer_tests::problems::Planted;

#[derive(Debug)]
pub(super) struct Patterns {
    shapes: Vec<Shape>,
    problems: u64,
    /// ‖x₀ − x*‖/‖x*‖; the last start is another draw of N(0, I).
    offsets: Vec<f64>,
    /// Of each of the detector's two files.
    detector_targets: usize,
    iterations: usize,
}

#[derive(Debug)]
pub(super) enum Unit {
    Planted { shape: Shape, seed: u64 },
    Detector { file: &'static str, target: usize },
}

/// One solve.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    problems: String,
    problem: u64,
    start: String,
    method: String,
    status: String,
    loss: f64,
    iterations: usize,
    /// The first iteration after which L ≤ 1e-20; NaN where there is none.
    to_fit: f64,
    /// Iterations that moved x, and those of them that crossed a kink.
    moves: usize,
    moves_with_flips: usize,
    flips: usize,
    /// Iterations that did not move x: a refused step, a pin or a release.
    still: usize,
    most_pinned: usize,
    /// Median of L after over L before a move, with and without flips; NaN where there is none.
    gain_with_flips: f64,
    gain_without: f64,
}

const BARE: &str = "without warm start";
const FROZEN: &str = "pattern frozen";
const DEFAULT: &str = "default";
const COLD: &str = "cold";
const MEAN: &str = "mean input";
const FIT: f64 = 1e-20;

impl Patterns {
    pub(super) fn of(size: Size) -> Self {
        Self {
            shapes: size.pick(
                vec![(4, 16, 24)],
                vec![(16, 64, 128)],
                vec![(32, 128, 256), (64, 256, 1024)],
            ),
            problems: size.pick(2, 8, 20),
            offsets: vec![1e-2, 1e-1, 1.0],
            detector_targets: size.pick(1, 8, 45),
            iterations: 300,
        }
    }

    fn solve(
        &self,
        problem: &Problem<f64>,
        start: &[f64],
        warm: bool,
    ) -> Result<Solution<f64>, Error> {
        let objective = problem.objective()?;
        let solver = Solver::new()
            .with_warm_start(warm)
            .with_max_iterations(self.iterations);
        Ok(solver.solve(&objective, start)?)
    }
}

fn row(problems: &str, problem: u64, start: &str, method: &str, solution: &Solution<f64>) -> Row {
    let trace = &solution.trace;
    // Of one objective only, before and after.
    let pairs = || {
        trace
            .windows(2)
            .filter(|p| p[0].restart == p[1].restart && p[0].stage == p[1].stage)
    };
    let moved = || pairs().filter(|pair| pair[1].step_norm > 0.0);
    let gain = |flips: bool| {
        let those = moved().filter(|pair| (pair[1].flips > 0) == flips);
        short(median(those.map(|p| p[1].stage_loss / p[0].stage_loss)))
    };
    let moves = trace.iter().filter(|entry| entry.step_norm > 0.0);
    let with_flips = moves.clone().filter(|entry| entry.flips > 0).count();
    let moves = moves.count();
    Row {
        problems: problems.into(),
        problem,
        start: start.into(),
        method: method.into(),
        status: solution.status.name().into(),
        loss: short(solution.loss),
        iterations: solution.iterations,
        to_fit: trace
            .iter()
            .find(|entry| entry.loss <= FIT)
            .map_or(f64::NAN, |entry| entry.iteration as f64),
        moves,
        moves_with_flips: with_flips,
        flips: trace.iter().map(|entry| entry.flips).sum(),
        still: solution.iterations.saturating_sub(moves),
        most_pinned: trace.iter().map(|entry| entry.pinned).max().unwrap_or(0),
        gain_with_flips: gain(true),
        gain_without: gain(false),
    }
}

impl Experiment for Patterns {
    type Unit = Unit;
    type Row = Row;
    const NAME: Name = Name::Patterns;

    fn units(&self) -> Vec<Unit> {
        let mut units = Vec::new();
        for &shape in &self.shapes {
            units.extend((0..self.problems).map(|seed| Unit::Planted { shape, seed }));
        }
        for file in ["cld3.npz", "cld3_other.npz"] {
            let targets = 0..self.detector_targets;
            units.extend(targets.map(|target| Unit::Detector { file, target }));
        }
        units
    }

    fn measure(&self, unit: &Unit) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        match *unit {
            Unit::Planted { shape, seed } => {
                let planted = Planted::new(shape, true, seed);
                let (moving, frozen) = (Problem::reachable(&planted)?, Problem::frozen(&planted)?);
                let name = format!("planted {shape:?}");
                let near = (0..).zip(&self.offsets).map(|(index, &offset)| {
                    let start = away(&planted.solution, offset, 100 * seed + index);
                    (format!("{}% off", 100.0 * offset), start)
                });
                let cold = (COLD.to_string(), normal(shape.0, 100 * seed + 99));
                for (word, start) in near.chain([cold]) {
                    for (method, problem, warm) in [
                        (BARE, &moving, false),
                        (FROZEN, &frozen, false),
                        (DEFAULT, &moving, true),
                    ] {
                        let solution = self.solve(problem, &start, warm)?;
                        rows.push(row(&name, seed, &word, method, &solution));
                    }
                }
            }
            Unit::Detector { file, target } => {
                let detector = read_detector(file)?;
                let problem = Problem::detector(&detector, target)?;
                let name = match file {
                    "cld3.npz" => "detector, real",
                    _ => "detector, other",
                };
                for (method, warm) in [(BARE, false), (DEFAULT, true)] {
                    let solution = self.solve(&problem, &detector.start, warm)?;
                    rows.push(row(name, target as u64, MEAN, method, &solution));
                }
            }
        }
        Ok(rows)
    }

    fn answer(&self, rows: &[Row]) -> Answer {
        Answer {
            answer: text(rows),
            details: details(self, rows),
            panels: panels(rows),
        }
    }
}

/// The kinds of problems and starts, in the order of the rows.
fn kinds(rows: &[Row]) -> Vec<(&str, &str)> {
    let mut kinds: Vec<(&str, &str)> = Vec::new();
    for row in rows {
        let kind = (row.problems.as_str(), row.start.as_str());
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

fn of<'r>(rows: &'r [Row], kind: (&str, &str), method: &str) -> Vec<&'r Row> {
    let is = |r: &&Row| (r.problems.as_str(), r.start.as_str()) == kind && r.method == method;
    rows.iter().filter(is).collect()
}

fn with_flips(rows: &[&Row]) -> f64 {
    let sum = |of: fn(&Row) -> usize| rows.iter().map(|row| of(row)).sum::<usize>() as f64;
    sum(|row| row.moves_with_flips) / sum(|row| row.moves)
}

fn flips_a_move(rows: &[&Row]) -> f64 {
    let sum = |of: fn(&Row) -> usize| rows.iter().map(|row| of(row)).sum::<usize>() as f64;
    sum(|row| row.flips) / sum(|row| row.moves)
}

fn fits(rows: &[&Row]) -> f64 {
    share(rows, |row| row.loss <= FIT)
}

/// Iterations to a fit, median over the solves that come to one.
fn steps(rows: &[&Row]) -> f64 {
    median(
        rows.iter()
            .map(|row| row.to_fit)
            .filter(|to_fit| to_fit.is_finite()),
    )
}

fn details(settings: &Patterns, rows: &[Row]) -> String {
    let lines = kinds(rows).into_iter().map(|kind| {
        let (bare, frozen) = (of(rows, kind, BARE), of(rows, kind, FROZEN));
        let default = of(rows, kind, DEFAULT);
        [
            format!("{}, {}", kind.0, kind.1),
            percent(with_flips(&bare)),
            figure(flips_a_move(&bare)),
            format!("{}, {}", figure(steps(&bare)), percent(fits(&bare))),
            format!("{}, {}", figure(steps(&frozen)), percent(fits(&frozen))),
            percent(with_flips(&default)),
            figure(flips_a_move(&default)),
            format!("{}, {}", figure(steps(&default)), percent(fits(&default))),
        ]
    });
    let table = markdown(
        [
            "problems, start",
            "moves with flips",
            "flips a move",
            "to a fit, fits",
            "frozen: to a fit, fits",
            "default: moves with flips",
            "flips a move",
            "to a fit, fits",
        ],
        1,
        lines,
    );
    format!(
        "*Setting.* The solver without warm start, and the default, at most {} iterations, {} \
         planted problems a shape (biases on) and {} targets of each of the detector's two files. \
         A *flip* is a ReLU that a move switches; a solve *fits* where L ≤ 1e-20, *to a fit* are \
         the iterations until then (median of those that do). *Frozen* is the same problem with \
         the ReLUs held in the states that they have at x*, which makes the logits linear in x: \
         what it takes fewer is the cost of the changes.\n\n{table}\n\n",
        settings.iterations, settings.problems, settings.detector_targets
    )
}

fn text(rows: &[Row]) -> String {
    let bare: Vec<_> = rows.iter().filter(|row| row.method == BARE).collect();
    let gain = |of: fn(&Row) -> f64| {
        median(
            bare.iter()
                .map(|row| of(row))
                .filter(|gain| gain.is_finite()),
        )
    };
    let (with, without) = (gain(|r| r.gain_with_flips), gain(|r| r.gain_without));
    let comparison = if with > without {
        "less progress than one that stays in its cell"
    } else {
        "no less progress than one that stays in its cell"
    };
    let planted: Vec<_> = kinds(rows)
        .into_iter()
        .filter(|kind| !of(rows, *kind, FROZEN).is_empty())
        .collect();
    let costs: Vec<_> = planted
        .iter()
        .map(|&kind| {
            let ratio = steps(&of(rows, kind, BARE)) / steps(&of(rows, kind, FROZEN));
            let lost = fits(&of(rows, kind, FROZEN)) - fits(&of(rows, kind, BARE));
            (kind, ratio, lost)
        })
        .collect();
    let ratios = costs.iter().filter(|cost| cost.1.is_finite());
    let worst = ratios.max_by(|a, b| a.1.total_cmp(&b.1));
    let lost = costs.iter().max_by(|a, b| a.2.total_cmp(&b.2));
    let mut text = format!(
        "**Answer.** Without warm start, {} of all moves cross kinks, {} at a time on average over \
         all moves. A move that flips multiplies the loss by {} (median over solves of the median \
         move), one that does not by {}: it makes {comparison}.",
        percent(with_flips(&bare)),
        figure(flips_a_move(&bare)),
        figure(with),
        figure(without),
    );
    if let (Some((at, ratio, _)), Some((of, _, lost))) = (worst, lost) {
        text += &format!(
            " Against the frozen pattern the iterations to a fit (median) grow by a factor of at most {} ({}, {})",
            figure(*ratio),
            at.0,
            at.1
        );
        if *lost > 0.0 {
            text += &format!(
                ", and the share of fits falls by at most {} percentage points ({}, {}).",
                figure(100.0 * lost),
                of.0,
                of.1
            );
        } else {
            text += ", and no kind of problem has fewer fits.";
        }
    }
    let still = |row: &&&Row| row.still as f64 / (row.iterations.max(1)) as f64;
    let idle = median(
        bare.iter()
            .filter(|r| r.iterations > 0)
            .map(|row| still(&row)),
    );
    text += &format!(
        " In the median solve without warm start, {} of the iterations do not move x (a refused \
         step, a pin or a release).",
        percent(idle)
    );
    text
}

fn panels(rows: &[Row]) -> Vec<Panel> {
    let dots = |method: &str, color: usize, only: &str| {
        let those = rows
            .iter()
            .filter(|r| r.method == method && r.problems.starts_with(only));
        let points = those.map(|row| {
            let moves = row.moves.max(1) as f64;
            (
                row.iterations.max(1) as f64,
                row.moves_with_flips as f64 / moves,
            )
        });
        Series::dots(method, color, points.collect())
    };
    let panel = |title: &str, only: &str| Panel {
        title: title.into(),
        x: Axis::logarithmic("iterations of the solve"),
        y: Axis::linear("moves that cross kinks, share"),
        series: vec![dots(BARE, 0, only), dots(DEFAULT, 1, only)],
    };
    let mut offsets: Vec<f64> = Vec::new();
    for row in rows {
        let off = row.start.strip_suffix("% off").and_then(|p| p.parse().ok());
        if let Some(off) = off.filter(|off| !offsets.contains(off)) {
            offsets.push(off);
        }
    }
    let iterations = |method: &str, color| {
        let at = |&percent: &f64| {
            let word = format!("{percent}% off");
            let those = rows
                .iter()
                .filter(|r| r.method == method && r.start == word);
            let to_fit = those
                .map(|row| row.to_fit)
                .filter(|count| count.is_finite());
            (percent, median(to_fit))
        };
        Series::line(method, color, offsets.iter().map(at).collect())
    };
    vec![
        panel("Planted: a dot is a solve", "planted"),
        panel("Detector: a dot is a solve", "detector"),
        Panel {
            title: "Planted: iterations to a fit, median".into(),
            x: Axis::logarithmic("start, % of ‖x*‖ away"),
            y: Axis::logarithmic("iterations"),
            series: vec![
                iterations(BARE, 0),
                iterations(DEFAULT, 1),
                iterations(FROZEN, 2),
            ],
        },
    ]
}
