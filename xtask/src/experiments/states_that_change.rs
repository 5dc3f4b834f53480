//! Where solves end, with no assumption on the pattern: the paper's open question.

use super::charts::{Axis, Panel, Series};
use super::numbers::{figure, list, median, percent, quantile, rounded_to_digits as short, share};
use super::problems::{Problem, Shape, normal, read_detector};
use super::{Answer, Experiment, Name, Size};
use crate::error::Error;
use crate::tables::markdown;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use twolayer::Solver;
use twolayer_certificate::Certifier;
use twolayer_tests::problems::Planted;

#[derive(Debug)]
pub(super) struct States {
    shape: Shape,
    problems: u64,
    starts: u64,
    /// Of the starts, x₀ ~ scale·N(0, I).
    scales: Vec<f64>,
    detector_targets: usize,
    iterations: usize,
}

#[derive(Debug)]
pub(super) enum Unit {
    Reachable(u64),
    Unrelated(u64),
    Detector(usize),
}

/// One solve.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    problems: String,
    problem: u64,
    scale: f64,
    start: u64,
    method: String,
    status: String,
    limit: String,
    /// What the certifier says: minimum, saddle, or why it proves nothing; empty where the solve
    /// did not converge.
    verdict: String,
    loss: f64,
    iterations: usize,
    /// Kinks that x lies on.
    kinks: usize,
    flips: usize,
    /// Whether the loss rose at an iteration of one descent.
    rose: bool,
}

const REACHABLE: &str = "planted, reachable";
const UNRELATED: &str = "planted, unrelated target";
const DETECTOR: &str = "detector";
const KINDS: [&str; 3] = [REACHABLE, UNRELATED, DETECTOR];
const BARE: &str = "without warm start";
const DEFAULT: &str = "default";
const FIT: f64 = 1e-20;

impl States {
    pub(super) fn of(size: Size) -> Self {
        Self {
            shape: size.pick((4, 16, 24), (8, 32, 64), (16, 64, 128)),
            problems: size.pick(1, 4, 10),
            starts: size.pick(1, 2, 5),
            scales: size.pick(
                vec![1.0],
                vec![0.1, 1.0, 10.0],
                vec![0.01, 0.1, 1.0, 10.0, 100.0],
            ),
            detector_targets: size.pick(1, 2, 5),
            iterations: 500,
        }
    }

    fn solves(
        &self,
        name: &str,
        index: u64,
        problem: &Problem<f64>,
        dimension: usize,
    ) -> Result<Vec<Row>, Error> {
        let objective = problem.objective()?;
        let mut rows = Vec::new();
        for (at, &scale) in (0..).zip(&self.scales) {
            for start in 0..self.starts {
                let seed = 10_000 * index + 100 * at + start;
                let x0: Vec<f64> = normal(dimension, seed).iter().map(|v| scale * v).collect();
                for (method, warm) in [(BARE, false), (DEFAULT, true)] {
                    let solver = Solver::new()
                        .with_warm_start(warm)
                        .with_max_iterations(self.iterations);
                    let solution = solver.solve(&objective, &x0)?;
                    let verdict = if solution.status.is_converged() {
                        let verdict = Certifier::new().certify(&objective, &solution.x)?;
                        verdict.name().to_string()
                    } else {
                        String::new()
                    };
                    let pairs = solution.trace.windows(2);
                    let rose = pairs
                        .filter(|p| p[0].restart == p[1].restart && p[0].stage == p[1].stage)
                        .any(|pair| pair[1].stage_loss > pair[0].stage_loss);
                    rows.push(Row {
                        problems: name.into(),
                        problem: index,
                        scale,
                        start,
                        method: method.into(),
                        status: solution.status.name().into(),
                        limit: solution.limit.name().into(),
                        verdict,
                        loss: short(solution.loss),
                        iterations: solution.iterations,
                        kinks: solution.pinned.len(),
                        flips: solution.trace.iter().map(|entry| entry.flips).sum(),
                        rose,
                    });
                }
            }
        }
        Ok(rows)
    }
}

impl Experiment for States {
    type Unit = Unit;
    type Row = Row;
    const NAME: Name = Name::StatesThatChange;

    fn units(&self) -> Vec<Unit> {
        let seeds = 0..self.problems;
        let reachable = seeds.clone().map(Unit::Reachable);
        let detector = (0..self.detector_targets).map(Unit::Detector);
        reachable
            .chain(seeds.map(Unit::Unrelated))
            .chain(detector)
            .collect()
    }

    fn measure(&self, unit: &Unit) -> Result<Vec<Row>, Error> {
        let dimension = self.shape.0;
        match *unit {
            Unit::Reachable(seed) => {
                let problem = Problem::reachable(&Planted::new(self.shape, true, seed))?;
                self.solves(REACHABLE, seed, &problem, dimension)
            }
            Unit::Unrelated(seed) => {
                let problem = Problem::unrelated(&Planted::new(self.shape, true, seed))?;
                self.solves(UNRELATED, seed, &problem, dimension)
            }
            Unit::Detector(target) => {
                let detector = read_detector("cld3_other.npz")?;
                let problem = Problem::detector(&detector, target)?;
                self.solves(DETECTOR, target as u64, &problem, detector.start.len())
            }
        }
    }

    fn answer(&self, rows: &[Row]) -> Answer {
        Answer {
            answer: text(rows),
            details: details(self, rows),
            panels: panels(self, rows),
        }
    }
}

fn of<'r>(rows: &'r [Row], problems: &str, method: &str) -> Vec<&'r Row> {
    let is = |row: &&Row| row.problems == problems && row.method == method;
    rows.iter().filter(is).collect()
}

fn limit(rows: &[&Row], limit: &str) -> f64 {
    share(rows, |row| row.limit == limit)
}

/// Losses that differ by more than 1%, of the solves of one problem, on average.
fn ends(rows: &[&Row]) -> f64 {
    let mut problems: Vec<u64> = rows.iter().map(|row| row.problem).collect();
    problems.sort_unstable();
    problems.dedup();
    let count = |problem: u64| {
        let converged = rows
            .iter()
            .filter(|row| row.problem == problem && row.limit != "undetermined");
        // Fits are one end, whatever rounding makes of them.
        let mut losses: Vec<f64> = converged.map(|row| row.loss.max(FIT)).collect();
        losses.sort_unstable_by(f64::total_cmp);
        losses.dedup_by(|next, last| *next <= 1.01 * *last);
        losses.len() as f64
    };
    problems.iter().map(|&problem| count(problem)).sum::<f64>() / problems.len() as f64
}

fn details(settings: &States, rows: &[Row]) -> String {
    let lines = KINDS.iter().flat_map(|&problems| {
        [BARE, DEFAULT].map(|method| {
            let those = of(rows, problems, method);
            let verdict = |word: &str| percent(share(&those, |row| row.verdict == word));
            [
                format!("{problems}, {method}"),
                those.len().to_string(),
                percent(share(&those, |row| row.loss <= FIT)),
                percent(limit(&those, "smooth")),
                percent(limit(&those, "at-kinks")),
                percent(limit(&those, "undetermined")),
                verdict("minimum"),
                verdict("saddle"),
                percent(share(&those, |row| is_refused(row))),
                figure(median(those.iter().map(|row| row.iterations as f64))),
            ]
        })
    });
    let table = markdown(
        [
            "problems, method",
            "solves",
            "L ≤ 1e-20",
            "smooth",
            "at kinks",
            "undetermined",
            "proved minimum",
            "proved saddle",
            "nothing proved",
            "iterations (median)",
        ],
        1,
        lines,
    );
    let (d, n, m) = settings.shape;
    format!(
        "*Setting.* Cold starts x₀ ~ scale·N(0, I), scale from {} to {}, {} at each scale for {} \
         planted problems (d, n, m) = ({d}, {n}, {m}) with biases and for {} targets of the \
         detector (averaged inputs), at most {} iterations, no regulariser. *Smooth* and *at \
         kinks* are what `Solution::limit` says: stationary off every kink, or Clarke-stationary \
         on some (docs/kinks.md); *undetermined* did not converge. What converged goes to the \
         certifier, whose word is a proof.\n\n{table}\n\n",
        figure(settings.scales[0]),
        figure(settings.scales[settings.scales.len() - 1]),
        settings.starts,
        settings.problems,
        settings.detector_targets,
        settings.iterations
    )
}

fn text(rows: &[Row]) -> String {
    let bare: Vec<_> = rows.iter().filter(|row| row.method == BARE).collect();
    let rose = rows.iter().filter(|row| row.rose).count();
    let mut text = format!(
        "**Answer.** The loss rose within a descent in {rose} of {} solves, while {} ReLUs \
         switched in the median one without warm start{}. {} of the solves without warm start \
         ended in a point that the solver takes for stationary: {} smooth, {} at kinks ({} kinks \
         in the median of those, {} in nine of ten at most); {} of all are proved minima.",
        rows.len(),
        figure(median(bare.iter().map(|row| row.flips as f64))),
        if rose == 0 {
            ": it falls whatever the pattern does"
        } else {
            ""
        },
        percent(1.0 - limit(&bare, "undetermined")),
        percent(limit(&bare, "smooth")),
        percent(limit(&bare, "at-kinks")),
        figure(median(kinks(&bare))),
        figure(quantile(0.9, kinks(&bare))),
        percent(share(&bare, |row| row.verdict == "minimum")),
    );
    text += &refusals(&bare);
    for problems in KINDS {
        let (bare, default) = (of(rows, problems, BARE), of(rows, problems, DEFAULT));
        text += &format!(
            "\n- *{problems}*: a problem has {} different ends without warm start and {} by the \
             default (losses that differ by over 1%, mean).",
            figure(ends(&bare)),
            figure(ends(&default))
        );
    }
    let fits = |method| share(of(rows, REACHABLE, method), |row| row.loss <= FIT);
    let (with, without) = (fits(DEFAULT), fits(BARE));
    text += &format!(
        "\n\nSo the loss converges, but not to one value: from cold starts a target that can be \
         reached is reached in {} of the solves without warm start and in {} by the default.",
        percent(without),
        percent(with)
    );
    text
}

/// Why what converged is not proved to be anything.
fn refusals(rows: &[&Row]) -> String {
    let mut counts = BTreeMap::new();
    for row in rows.iter().filter(|row| is_refused(row)) {
        *counts.entry(row.verdict.as_str()).or_insert(0_usize) += 1;
    }
    let words: Vec<String> = counts
        .iter()
        .map(|(reason, count)| format!("{count} are `{reason}`"))
        .collect();
    if words.is_empty() {
        return String::new();
    }
    let refused: usize = counts.values().sum();
    format!(
        " Of the {refused} stationary ones of which nothing is proved, {} (docs/certificates.md).",
        list(&words)
    )
}

fn is_refused(row: &Row) -> bool {
    !matches!(row.verdict.as_str(), "minimum" | "saddle" | "maximum" | "")
}

fn kinks<'r>(rows: &'r [&Row]) -> impl Iterator<Item = f64> + 'r {
    let at_kinks = rows.iter().filter(|row| row.limit == "at-kinks");
    at_kinks.map(|row| row.kinks as f64)
}

fn panels(settings: &States, rows: &[Row]) -> Vec<Panel> {
    let panel = |problems: &str| {
        let those = of(rows, problems, BARE);
        let default = of(rows, problems, DEFAULT);
        let line = |name: &str, color, rows: &[&Row], holds: &dyn Fn(&Row) -> bool| {
            let at = |&scale: &f64| {
                let at = rows.iter().filter(|row| row.scale == scale);
                (scale, share(at, |row| holds(row)))
            };
            Series::line(name, color, settings.scales.iter().map(at).collect())
        };
        Panel {
            title: problems.into(),
            x: Axis::logarithmic("scale of x₀"),
            y: Axis::linear("share of solves"),
            series: vec![
                line("smooth, without warm start", 0, &those, &|r| {
                    r.limit == "smooth"
                }),
                line("at kinks", 1, &those, &|r| r.limit == "at-kinks"),
                line("undetermined", 2, &those, &|r| r.limit == "undetermined"),
                line("proved minimum", 3, &those, &|r| r.verdict == "minimum"),
                line("L ≤ 1e-20, without warm start", 4, &those, &|r| {
                    r.loss <= FIT
                }),
                line("L ≤ 1e-20, default", 5, &default, &|r| r.loss <= FIT),
            ],
        }
    };
    KINDS.map(panel).into()
}
