//! Distance and loss against iteration, near a minimum.

mod words;

use super::numbers::rounded_to_digits as short;
use super::problems::{Problem, Shape, away};
use super::spectrum::{distance, length, strong_convexity};
use super::{Answer, Experiment, Name, Size};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use twolayer::paper;
use twolayer::theory::{PROMISED_REGION, Recorder, examine};
use twolayer::{DenseHessian, LimitPoint, RowFactor, Solution, Solver, TraceEntry};
use twolayer::{Evaluation, Inversion, Objective, RowWeights};
use twolayer_faer::{Faer, FaerScalar};
use twolayer_tests::problems::{Planted, rounded};

#[derive(Debug)]
pub(super) struct Convergence {
    shape: Shape,
    problems: u64,
    /// w: none, little, and Lemma 69's for l = σ_min(C)².
    weights: Vec<f64>,
    /// ‖x₀ − x̂‖/‖x̂‖, x̂ the minimum.
    offsets: Vec<f64>,
    iterations: usize,
}

#[derive(Debug)]
pub(super) struct Unit {
    weight: f64,
    seed: u64,
}

/// One iterate.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    weight: f64,
    problem: u64,
    /// ‖x₀ − x̂‖/‖x̂‖.
    offset: f64,
    method: String,
    precision: String,
    iteration: usize,
    /// ‖x − x̂‖/‖x̂‖.
    distance: f64,
    loss: f64,
    flips: usize,
    /// 0.1 l/(M‖x̂‖): the theorem's region, in the unit of `distance`; 0 where l is not positive.
    region: f64,
    /// Whether x̂ lies on no kink.
    smooth: bool,
}

const PAPER: [(&str, Option<usize>); 3] = [
    ("paper, exact", None),
    ("paper, 8d rows", Some(8)),
    ("paper, 32d rows", Some(32)),
];
const SOLVER_EXACT: &str = "solver, exact";
const SOLVER: &str = "solver, 8d rows";
const DEFAULT: &str = "default";

impl Convergence {
    pub(super) fn of(size: Size) -> Self {
        Self {
            shape: size.pick((4, 16, 160), (16, 64, 1024), (32, 128, 2048)),
            problems: size.pick(2, 4, 10),
            weights: vec![0.0, 1e-2, short(3.0_f64.sqrt())],
            offsets: vec![1e-2, 1e-1],
            iterations: size.pick(6, 20, 25),
        }
    }

    /// All methods in one precision.
    fn in_precision<T: FaerScalar>(
        &self,
        unit: &Unit,
        planted: &Planted,
        minimum: &Minimum,
        rows: &mut Vec<Row>,
    ) -> Result<(), Error> {
        let problem = Problem::<T>::reachable(planted)?.with_weight(unit.weight)?;
        let objective = problem.objective()?;
        let precision = if size_of::<T>() == 8 { "f64" } else { "f32" };
        for (index, &offset) in (0..).zip(&self.offsets) {
            let start: Vec<T> = rounded(&away(&minimum.x, offset, 100 * unit.seed + index));
            let mut add = |method: &str, iterates: &[Iterate<T>]| {
                for (iteration, iterate) in iterates.iter().enumerate() {
                    rows.push(Row {
                        weight: unit.weight,
                        problem: unit.seed,
                        offset,
                        method: method.into(),
                        precision: precision.into(),
                        iteration,
                        distance: short(distance(&iterate.x, &minimum.x) / length(&minimum.x)),
                        loss: short(iterate.loss.to_f64()),
                        flips: iterate.flips,
                        region: short(minimum.region),
                        smooth: minimum.smooth,
                    });
                }
            };
            let bare = Solver::new()
                .with_max_iterations(self.iterations)
                .with_warm_start(false);
            let mut exact = DenseHessian::new(&objective, RowWeights::Exact);
            for (method, sample) in PAPER {
                let iterates = watched(&objective, &start, |mut watch| match sample {
                    None => paper::iterate(&bare, &objective, &mut exact, &start, &mut watch),
                    Some(times) => {
                        let count = times * self.shape.0;
                        let weights = RowWeights::Convexified;
                        let mut model = RowFactor::sampled(&objective, weights, count, unit.seed);
                        paper::iterate(&bare, &objective, &mut model, &start, &mut watch)
                    }
                })?;
                add(method, &iterates);
            }
            let iterates = watched(&objective, &start, |mut watch| {
                bare.solve_with(&objective, &mut exact, &start, &mut watch)
            })?;
            add(SOLVER_EXACT, &iterates);
            let count = 8 * self.shape.0;
            let mut sampled = RowFactor::sampled(&objective, RowWeights::Secant, count, unit.seed);
            let iterates = watched(&objective, &start, |mut watch| {
                bare.solve_with(&objective, &mut sampled, &start, &mut watch)
            })?;
            add(SOLVER, &iterates);
            let solution = Solver::new().solve(&objective, &start)?;
            rows.push(Row {
                weight: unit.weight,
                problem: unit.seed,
                offset,
                method: DEFAULT.into(),
                precision: precision.into(),
                iteration: solution.iterations,
                distance: short(distance(&solution.x, &minimum.x) / length(&minimum.x)),
                loss: short(solution.loss.to_f64()),
                flips: solution.trace.iter().map(|entry| entry.flips).sum(),
                region: short(minimum.region),
                smooth: minimum.smooth,
            });
        }
        Ok(())
    }
}

/// What distances are measured from.
struct Minimum {
    x: Vec<f64>,
    region: f64,
    smooth: bool,
}

/// x* where there is no regulariser, else the minimum that the solver without warm start finds
/// from x* in f64 with the exact Hessian.
fn minimum(planted: &Planted, weight: f64) -> Result<Option<Minimum>, Error> {
    let problem = Problem::<f64>::reachable(planted)?.with_weight(weight)?;
    let objective = problem.objective()?;
    let mut model = DenseHessian::new(&objective, RowWeights::Exact);
    let (x, smooth) = if weight == 0.0 {
        (planted.solution.clone(), true)
    } else {
        let solver = Solver::new().with_warm_start(false);
        let silent = &mut twolayer::Silent;
        let solution = solver.solve_with(&objective, &mut model, &planted.solution, silent)?;
        if !solution.status.is_converged() {
            return Ok(None);
        }
        (solution.x, solution.limit == LimitPoint::Smooth)
    };
    let theory = examine(&objective, &objective, &mut model, &Recorder::new(&x), &x);
    let l = strong_convexity(&objective, &x);
    let region = PROMISED_REGION * l / (theory.hessian_lipschitz * length(&x));
    Ok(Some(Minimum { x, region, smooth }))
}

/// x_t, L(x_t), and the kinks crossed on the way from x_{t−1}.
struct Iterate<T> {
    x: Vec<T>,
    loss: T,
    flips: usize,
}

/// The iterates that a solve from `start` shows its observer, the start first.
fn watched<T: FaerScalar>(
    objective: &Inversion<'_, Faer<T>>,
    start: &[T],
    solve: impl FnOnce(
        &mut dyn FnMut(&TraceEntry<T>, &[T]) -> ControlFlow<()>,
    ) -> Result<Solution<T>, twolayer::Error>,
) -> Result<Vec<Iterate<T>>, Error> {
    let mut at = objective.new_evaluation();
    objective.evaluate(start, &[], &mut at);
    // The observer is shown what follows the start.
    let mut iterates = vec![Iterate {
        x: start.to_vec(),
        loss: at.value(),
        flips: 0,
    }];
    let mut watch = |entry: &TraceEntry<T>, x: &[T]| {
        iterates.push(Iterate {
            x: x.to_vec(),
            loss: entry.loss,
            flips: entry.flips,
        });
        ControlFlow::Continue(())
    };
    solve(&mut watch)?;
    Ok(iterates)
}

impl Experiment for Convergence {
    type Unit = Unit;
    type Row = Row;
    const NAME: Name = Name::Convergence;

    fn units(&self) -> Vec<Unit> {
        let seeds = || 0..self.problems;
        let units = |&weight| seeds().map(move |seed| Unit { weight, seed });
        self.weights.iter().flat_map(units).collect()
    }

    fn measure(&self, unit: &Unit) -> Result<Vec<Row>, Error> {
        let planted = Planted::new(self.shape, true, unit.seed);
        let mut rows = Vec::new();
        if let Some(minimum) = minimum(&planted, unit.weight)? {
            self.in_precision::<f64>(unit, &planted, &minimum, &mut rows)?;
            if unit.weight == 0.0 {
                self.in_precision::<f32>(unit, &planted, &minimum, &mut rows)?;
            }
        }
        Ok(rows)
    }

    fn answer(&self, rows: &[Row]) -> Answer {
        words::answer(self, rows)
    }
}
