//! The cost of a step and of a solve against m, n and d.

use super::charts::{Axis, Panel, Series};
use super::numbers::{exponent, figure, list, median, rounded_to_digits as short};
use super::problems::{Problem, Shape};
use super::{Answer, Experiment, Name, Size};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use twolayer::{DenseHessian, RowFactor, Silent, Solution, Solver, TraceEntry};
use twolayer::{Objective, RowWeights};
use twolayer_tests::problems::Planted;

#[derive(Debug)]
pub(super) struct Scaling {
    base: Shape,
    /// Multiples of the base, for one dimension at a time.
    factors: [Vec<usize>; 3],
    repeats: u64,
}

#[derive(Debug)]
pub(super) struct Unit {
    /// Which of d, n, m varies.
    varied: usize,
    shape: Shape,
    seed: u64,
}

/// One solve.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    varied: String,
    d: usize,
    n: usize,
    m: usize,
    problem: u64,
    method: String,
    /// Units on at x*.
    active: usize,
    /// Rows of C in a model.
    rows: usize,
    /// Multiplications and additions of a step, by the formulae of `flops`; NaN for the default, whose
    /// steps are of many kinds.
    flops: f64,
    /// Median over the steps that made a model.
    seconds_a_step: f64,
    iterations: usize,
    seconds: f64,
    loss: f64,
}

const DIMENSIONS: [&str; 3] = ["d", "n", "m"];
const EXACT: &str = "all rows, exact";
const SAMPLED: &str = "8d rows";
const DEFAULT: &str = "default, whole solve";

impl Scaling {
    pub(super) fn of(size: Size) -> Self {
        Self {
            base: size.pick((4, 16, 160), (16, 64, 1024), (32, 256, 4096)),
            factors: [
                size.pick(vec![1, 2], vec![1, 2, 4], vec![1, 2, 4, 8]),
                size.pick(vec![1, 2], vec![1, 2, 4, 8], vec![1, 2, 4, 8, 16]),
                size.pick(vec![1, 2], vec![1, 2, 4, 8], vec![1, 2, 4, 8, 16]),
            ],
            repeats: size.pick(1, 3, 5),
        }
    }
}

/// Of one step with s rows, k units on: gradient and value 4mk + 4nd, s rows of C and their
/// factorisation or Gram matrix 2skd + 2sd² (sd² for a Gram triangle), and a factorisation of the
/// damped matrix (d³/3, or 10d³/3 by QR).
fn flops((d, n, m): Shape, active: usize, rows: usize, qr: bool) -> f64 {
    let [d, n, m, k, s] = [d, n, m, active, rows].map(|count| count as f64);
    let (factor, damped) = if qr {
        (2.0, 10.0 / 3.0)
    } else {
        (1.0, 1.0 / 3.0)
    };
    4.0 * m * k + 4.0 * n * d + 2.0 * s * k * d + factor * s * d * d + damped * d.powi(3)
}

fn seconds(entry: &TraceEntry<f64>) -> f64 {
    let phases = entry.seconds;
    phases.evaluate + phases.build + phases.step + phases.search
}

impl Experiment for Scaling {
    type Unit = Unit;
    type Row = Row;
    const NAME: Name = Name::Scaling;

    fn units(&self) -> Vec<Unit> {
        let mut units = Vec::new();
        // A problem of every shape before the next: a disturbance meets all of them.
        for seed in 0..self.repeats {
            for (varied, factors) in self.factors.iter().enumerate() {
                for factor in factors {
                    let (mut d, mut n, mut m) = self.base;
                    *[&mut d, &mut n, &mut m][varied] *= factor;
                    let shape = (d, n, m);
                    units.push(Unit {
                        varied,
                        shape,
                        seed,
                    });
                }
            }
        }
        units
    }

    fn measure(&self, unit: &Unit) -> Result<Vec<Row>, Error> {
        let planted = Planted::new(unit.shape, true, unit.seed);
        let problem = Problem::reachable(&planted)?;
        let objective = problem.objective()?;
        let mut at = objective.new_evaluation();
        objective.evaluate(&planted.solution, &[], &mut at);
        let active = at.forward_pass().active.len();
        let (d, n, m) = unit.shape;
        let row = |method: &str, qr: bool, solution: &Solution<f64>| {
            let models = || solution.trace.iter().filter(|entry| entry.rows_used > 0);
            let rows = models().map(|entry| entry.rows_used).max().unwrap_or(0);
            // The first makes buffers too.
            let timed = models().skip(1);
            Row {
                varied: DIMENSIONS[unit.varied].into(),
                d,
                n,
                m,
                problem: unit.seed,
                method: method.into(),
                active,
                rows,
                flops: match method {
                    DEFAULT => f64::NAN,
                    _ => short(flops(unit.shape, active, rows, qr)),
                },
                seconds_a_step: short(median(timed.map(seconds))),
                iterations: solution.iterations,
                seconds: short(solution.seconds),
                loss: short(solution.loss),
            }
        };
        let solver = Solver::new();
        let bare = solver.clone().with_warm_start(false);
        let start = &planted.start;
        let mut exact = DenseHessian::new(&objective, RowWeights::Exact);
        let all = bare.solve_with(&objective, &mut exact, start, &mut Silent)?;
        let mut model = RowFactor::sampled(&objective, RowWeights::Secant, 8 * d, unit.seed);
        let sampled = bare.solve_with(&objective, &mut model, start, &mut Silent)?;
        let default = solver.solve(&objective, start)?;
        Ok(vec![
            row(EXACT, false, &all),
            row(SAMPLED, true, &sampled),
            row(DEFAULT, true, &default),
        ])
    }

    fn answer(&self, rows: &[Row]) -> Answer {
        Answer {
            answer: text(rows),
            details: details(self),
            panels: panels(rows),
        }
    }
}

/// (size, median) for every size of the dimension that varies.
fn points(rows: &[Row], varied: &str, method: &str, of: fn(&Row) -> f64) -> Vec<(f64, f64)> {
    let size = |row: &Row| match varied {
        "d" => row.d,
        "n" => row.n,
        _ => row.m,
    };
    let those = || {
        rows.iter()
            .filter(|r| r.varied == varied && r.method == method)
    };
    let mut sizes: Vec<usize> = those().map(size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let at = |size_wanted: usize| {
        let figures = those().filter(|row| size(row) == size_wanted).map(of);
        (
            size_wanted as f64,
            median(figures.filter(|f| f.is_finite())),
        )
    };
    sizes.into_iter().map(at).collect()
}

fn text(rows: &[Row]) -> String {
    let grows = |method: &str, of: fn(&Row) -> f64| {
        let words = DIMENSIONS.map(|varied| {
            let points = points(rows, varied, method, of);
            format!("{varied}^{}", figure(exponent(&points)))
        });
        list(&words)
    };
    let ratio = |of: fn(&Row) -> f64| {
        let last = |method| points(rows, "m", method, of).last().copied();
        match (last(EXACT), last(SAMPLED)) {
            (Some((size, exact)), Some((_, sampled))) => (size, exact / sampled),
            _ => (f64::NAN, f64::NAN),
        }
    };
    let (largest, fewer) = ratio(|row| row.flops);
    let (_, faster) = ratio(|row| row.seconds_a_step);
    let whole = |of: fn(&Row) -> f64, varied: &str| {
        let points = points(rows, varied, DEFAULT, of);
        let ends = [points.first(), points.last()].map(|p| p.map_or(f64::NAN, |p| p.1));
        format!("{} to {}", figure(ends[0]), figure(ends[1]))
    };
    format!(
        "**Answer.** Flops of a step grow like {} with all rows and like {} with 8d rows (fitted \
         exponents, each along its own axis); times like {} and {}. At m = {largest:.0} a step \
         with 8d rows takes {} of the flops and {} of the time of the exact one. A whole solve by \
         the default (warm start, then the target) takes a time that grows like {}; its iterations \
         go from {} along d, {} along n and {} along m (median, smallest to largest size).",
        grows(EXACT, |row| row.flops),
        grows(SAMPLED, |row| row.flops),
        grows(EXACT, |row| row.seconds_a_step),
        grows(SAMPLED, |row| row.seconds_a_step),
        figure(1.0 / fewer),
        figure(1.0 / faster),
        grows(DEFAULT, |row| row.seconds),
        whole(|row| row.iterations as f64, "d"),
        whole(|row| row.iterations as f64, "n"),
        whole(|row| row.iterations as f64, "m"),
    )
}

fn details(settings: &Scaling) -> String {
    let (d, n, m) = settings.base;
    format!(
        "*Setting.* Planted problems with biases, no regulariser, starts about 10% off, one \
         thread, f64; one of d, n and m varies from the base ({d}, {n}, {m}), {} problems a size, \
         medians of them. A step is an iteration that makes a new model, without warm start. Flops \
         follow from the sizes and the units that are on, with C formed anew (gradient 4mk + 4nd, s rows of C 2skd, \
         their Gram matrix sd² or QR 2sd², the damped system d³/3 or by QR 10d³/3).",
        settings.repeats
    )
}

fn panels(rows: &[Row]) -> Vec<Panel> {
    let panel = |varied: &str| {
        let series = [
            (EXACT, (|row| row.seconds_a_step) as fn(&Row) -> f64),
            (SAMPLED, |row| row.seconds_a_step),
            (DEFAULT, |row| row.seconds),
        ];
        let series = series.into_iter().enumerate().map(|(color, (method, of))| {
            let name = match method {
                DEFAULT => method.to_string(),
                _ => format!("a step, {method}"),
            };
            Series::line(name, color, points(rows, varied, method, of))
        });
        Panel {
            title: format!("Time against {varied}"),
            x: Axis::logarithmic(varied),
            y: Axis::logarithmic("seconds"),
            series: series.collect(),
        }
    };
    DIMENSIONS.map(panel).into()
}
