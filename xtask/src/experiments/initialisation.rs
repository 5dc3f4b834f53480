//! Success and steps against the distance of the start from the answer.

use super::charts::{Axis, BOUND, Panel, Series};
use super::numbers::{figure, median, percent, rounded_to_digits as short, share};
use super::problems::{Problem, Shape, away, read_detector};
use super::spectrum::{distance, length, strong_convexity};
use super::{Answer, Experiment, Name, Size};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use twolayer::RowWeights;
use twolayer::paper;
use twolayer::theory::{PROMISED_REGION, Recorder, examine};
use twolayer::{DenseHessian, Silent, Solver};
use twolayer_tests::problems::Planted;

#[derive(Debug)]
pub(super) struct Initialisation {
    shape: Shape,
    problems: u64,
    detector_targets: usize,
    /// log10 of ‖x₀ − x*‖/‖x*‖.
    exponents: Vec<f64>,
    iterations: usize,
}

#[derive(Debug)]
pub(super) enum Unit {
    Planted(u64),
    Detector(usize),
}

/// One solve.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    problems: String,
    problem: u64,
    /// ‖x₀ − x*‖/‖x*‖.
    offset: f64,
    method: String,
    iterations: usize,
    /// The first iteration after which L ≤ 1e-20; NaN where there is none.
    to_fit: f64,
    loss: f64,
    /// ‖x − x*‖/‖x*‖ at the end.
    distance: f64,
    /// 0.1 l/(M‖x*‖), with l and M at x*; 0 where l is not positive in working precision.
    region: f64,
    /// The distance of x* from the nearest kink over ‖x*‖.
    cell: f64,
}

const PAPER: &str = "paper, exact";
const BARE: &str = "solver without warm start";
const DEFAULT: &str = "default";
const METHODS: [&str; 3] = [PAPER, BARE, DEFAULT];
const PLANTED: &str = "planted";
const DETECTOR: &str = "detector";
const FIT: f64 = 1e-20;
/// Of solves that have to succeed for a distance to count as near enough.
const MOST: f64 = 0.9;

impl Initialisation {
    pub(super) fn of(size: Size) -> Self {
        let exponents = |step: i32| {
            let halves = (-16..=4).step_by(step as usize);
            halves.map(|half| 0.5 * f64::from(half)).collect()
        };
        Self {
            shape: size.pick((4, 16, 40), (16, 64, 256), (32, 128, 512)),
            problems: size.pick(2, 8, 30),
            detector_targets: size.pick(1, 3, 10),
            exponents: size.pick(exponents(8), exponents(2), exponents(1)),
            iterations: 200,
        }
    }

    fn solves(
        &self,
        name: &str,
        index: u64,
        problem: &Problem<f64>,
        solution: &[f64],
    ) -> Result<Vec<Row>, Error> {
        let objective = problem.objective()?;
        let mut exact = DenseHessian::new(&objective, RowWeights::Exact);
        let theory = examine(
            &objective,
            &objective,
            &mut exact,
            &Recorder::new(solution),
            solution,
        );
        let l = strong_convexity(&objective, solution);
        let size = length(solution);
        let region = PROMISED_REGION * l / (theory.hessian_lipschitz * size);
        let cell = problem.kink_distance(solution) / size;
        let mut rows = Vec::new();
        for (at, exponent) in (0..).zip(&self.exponents) {
            let offset = 10_f64.powf(*exponent);
            let start = away(solution, offset, 1000 * index + at);
            for method in METHODS {
                let solver = Solver::new()
                    .with_warm_start(method == DEFAULT)
                    .with_max_iterations(self.iterations);
                let solved = if method == PAPER {
                    paper::iterate(&solver, &objective, &mut exact, &start, &mut Silent)?
                } else {
                    solver.solve(&objective, &start)?
                };
                let fit = solved.trace.iter().find(|entry| entry.loss <= FIT);
                let to_fit = fit.map(|entry| entry.iteration);
                rows.push(Row {
                    problems: name.into(),
                    problem: index,
                    offset: short(offset),
                    method: method.into(),
                    iterations: solved.iterations,
                    to_fit: to_fit.map_or(f64::NAN, |count| count as f64),
                    loss: short(solved.loss),
                    distance: short(distance(&solved.x, solution) / size),
                    region: short(region),
                    cell: short(cell),
                });
            }
        }
        Ok(rows)
    }
}

impl Experiment for Initialisation {
    type Unit = Unit;
    type Row = Row;
    const NAME: Name = Name::Initialisation;

    fn units(&self) -> Vec<Unit> {
        let planted = (0..self.problems).map(Unit::Planted);
        planted
            .chain((0..self.detector_targets).map(Unit::Detector))
            .collect()
    }

    fn measure(&self, unit: &Unit) -> Result<Vec<Row>, Error> {
        match *unit {
            Unit::Planted(seed) => {
                let planted = Planted::new(self.shape, true, seed);
                let problem = Problem::reachable(&planted)?;
                self.solves(PLANTED, seed, &problem, &planted.solution)
            }
            Unit::Detector(target) => {
                let detector = read_detector("cld3_other.npz")?;
                let problem = Problem::detector(&detector, target)?;
                let solution = Solver::new().solve(&problem.objective()?, &detector.start)?;
                self.solves(DETECTOR, target as u64, &problem, &solution.x)
            }
        }
    }

    fn answer(&self, rows: &[Row]) -> Answer {
        Answer {
            answer: text(self, rows),
            details: details(self),
            panels: panels(self, rows),
        }
    }
}

fn at<'r>(
    rows: &'r [Row],
    problems: &'r str,
    method: &'r str,
    offset: f64,
) -> impl Iterator<Item = &'r Row> {
    let of_kind = move |row: &&Row| row.problems == problems && row.method == method;
    rows.iter()
        .filter(move |row| of_kind(row) && row.offset == offset)
}

fn offsets(settings: &Initialisation) -> Vec<f64> {
    let powers = settings.exponents.iter().map(|e| short(10_f64.powf(*e)));
    powers.collect()
}

fn success<'r>(rows: impl Iterator<Item = &'r Row>) -> f64 {
    share(rows, |row| row.loss <= FIT)
}

/// The largest distance up to which, at every distance, nine of ten solves fit.
fn near_enough(settings: &Initialisation, rows: &[Row], problems: &str, method: &str) -> f64 {
    let offsets = offsets(settings);
    let good = offsets
        .iter()
        .take_while(|&&offset| success(at(rows, problems, method, offset)) >= MOST);
    good.copied().last().unwrap_or(0.0)
}

fn text(settings: &Initialisation, rows: &[Row]) -> String {
    let mut text = String::from("**Answer.**");
    for problems in [PLANTED, DETECTOR] {
        let of = || rows.iter().filter(|row| row.problems == problems);
        let region = median(of().map(|row| row.region));
        let cell = median(of().map(|row| row.cell));
        let unresolved = share(of(), |row| row.region == 0.0);
        let [paper, bare, default] =
            METHODS.map(|method| near_enough(settings, rows, problems, method));
        let up_to = |offset: f64| match offset > 0.0 {
            true => format!("up to {} ‖x*‖ away", figure(offset)),
            false => "from no distance tried".into(),
        };
        text += &format!(
            "\n- *{problems}*: nine of ten solves succeed {} by the paper's iteration, {} by the \
             solver without warm start, and {} by the default.",
            up_to(paper),
            up_to(bare),
            up_to(default)
        );
        if unresolved > 0.5 {
            text += &format!(
                " In {} of the problems l is not positive in working precision: the theorem has no region there.",
                percent(unresolved)
            );
        } else {
            text += &format!(
                " The theorem's region M‖x₀ − x*‖ ≤ 0.1 l has a radius of {} ‖x*‖ (median){}.",
                figure(region),
                if paper > region {
                    format!(
                        ": smaller by a factor of {} than what is enough for the paper's iteration",
                        figure(paper / region)
                    )
                } else {
                    ": no smaller than what was enough".into()
                }
            );
        }
        text += &format!(" The nearest kink is {} ‖x*‖ away (median).", figure(cell));
        let far = offsets(settings);
        let last = far[far.len() - 1];
        let default = success(at(rows, problems, DEFAULT, last));
        let solved = at(rows, problems, DEFAULT, last).filter(|row| row.loss <= FIT);
        let steps = median(solved.map(|row| row.to_fit));
        text += &format!(
            " From {} ‖x*‖ away {} of the solves by the paper's iteration succeed, {} without warm \
             start and {} by the default{}.",
            figure(last),
            percent(success(at(rows, problems, PAPER, last))),
            percent(success(at(rows, problems, BARE, last))),
            percent(default),
            match default > 0.0 {
                true => format!(" (in {} iterations, median)", figure(steps)),
                false => String::new(),
            }
        );
    }
    text
}

fn details(settings: &Initialisation) -> String {
    let ((d, n, m), offsets) = (settings.shape, offsets(settings));
    format!(
        "*Setting.* {} planted problems (d, n, m) = ({d}, {n}, {m}) with biases and {} targets of \
         the detector (averaged inputs; x* is what the default finds from the mean input), no \
         regulariser, f64, starts at ‖x₀ − x*‖/‖x*‖ from {} to {} in random directions, two for \
         each power of ten, at most {} iterations. A solve succeeds where L ≤ 1e-20.",
        settings.problems,
        settings.detector_targets,
        figure(offsets[0]),
        figure(offsets[offsets.len() - 1]),
        settings.iterations
    )
}

fn panels(settings: &Initialisation, rows: &[Row]) -> Vec<Panel> {
    let mut panels = Vec::new();
    for problems in [PLANTED, DETECTOR] {
        let region = median(
            rows.iter()
                .filter(|row| row.problems == problems)
                .map(|row| row.region),
        );
        let mut series: Vec<Series> = METHODS
            .iter()
            .enumerate()
            .map(|(color, &method)| {
                let share = |&offset: &f64| (offset, success(at(rows, problems, method, offset)));
                Series::line(method, color, offsets(settings).iter().map(share).collect())
            })
            .collect();
        if region > 0.0 {
            let name = "radius of the theorem's region (median)";
            series.push(Series::dashes(
                name,
                BOUND,
                vec![(region, 0.0), (region, 1.0)],
            ));
        }
        panels.push(Panel {
            title: format!("{problems}: solves with L ≤ 1e-20"),
            x: Axis::logarithmic("‖x₀ − x*‖/‖x*‖"),
            y: Axis::linear("share"),
            series,
        });
    }
    let steps = METHODS.iter().enumerate().map(|(color, &method)| {
        let steps = |&offset: &f64| {
            let solved = at(rows, PLANTED, method, offset).filter(|row| row.loss <= FIT);
            (offset, median(solved.map(|row| row.to_fit)))
        };
        Series::line(method, color, offsets(settings).iter().map(steps).collect())
    });
    panels.push(Panel {
        title: "planted: iterations to L ≤ 1e-20, median".into(),
        x: Axis::logarithmic("‖x₀ − x*‖/‖x*‖"),
        y: Axis::linear("iterations"),
        series: steps.collect(),
    });
    panels
}
