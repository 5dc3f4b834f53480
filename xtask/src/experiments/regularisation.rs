//! Positive definiteness, speed and bias against the weight w of the regulariser.

mod words;

use super::numbers::rounded_to_digits as short;
use super::problems::{Problem, Shape, away, normal, read_detector};
use super::spectrum::{distance, extreme_eigenvalues, is_definite, length};
use super::{Answer, Experiment, Name, Size};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use twolayer::paper;
use twolayer::{DenseHessian, Silent, Solver};
use twolayer::{Objective, RowWeights};
use twolayer_tests::problems::Planted;

#[derive(Debug)]
pub(super) struct Regularisation {
    /// Kinds of problems by name: (d, n, m), and whether the target is the output at x*.
    kinds: Vec<(&'static str, Shape, bool)>,
    problems: u64,
    detector_targets: usize,
    /// w, from none to Lemma 69's for l = σ_min(C)².
    weights: Vec<f64>,
    iterations: usize,
}

#[derive(Debug)]
pub(super) enum Unit {
    Planted { kind: usize, seed: u64 },
    Detector(usize),
}

/// One problem with one weight, solved from two starts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    problems: String,
    problem: u64,
    weight: f64,
    method: String,
    /// Of the solves from near x* (10% off) and from a cold start, or of the detector from its mean
    /// input and from zero.
    converged_near: bool,
    converged_far: bool,
    iterations_near: usize,
    iterations_far: usize,
    /// ‖f − b‖² at the ends, without the regulariser.
    misfit_near: f64,
    misfit_far: f64,
    /// ‖x − x*‖/‖x*‖ at the end near it; NaN where there is no x*.
    distance: f64,
    /// ‖x − x'‖/‖x‖ of the two ends.
    apart: f64,
    /// Whether the exact Hessian is positive definite at the near start and at the far start, above
    /// rounding.
    definite_near: bool,
    definite_far: bool,
    /// The same at the end of the solve from near.
    definite_end: bool,
    /// λ_min and λ_max of the exact Hessian there.
    least: f64,
    largest: f64,
}

const PAPER: &str = "paper, exact";
const BARE: &str = "solver without warm start";
const DEFAULT: &str = "default";
const METHODS: [&str; 3] = [PAPER, BARE, DEFAULT];
const FULL_RANK: &str = "planted, m > d";
const SQUARE: &str = "planted, m = d";
const FEW: &str = "planted, m < d";
const UNRELATED: &str = "planted, m > d, unrelated target";
const DETECTOR: &str = "detector";

impl Regularisation {
    pub(super) fn of(size: Size) -> Self {
        let (d, n, m) = size.pick((4, 16, 24), (8, 32, 64), (16, 64, 256));
        let tenfold = |from: i32| (from..=-1).map(|exponent| 10_f64.powi(exponent));
        let weights = [0.0].into_iter().chain(tenfold(size.pick(-2, -8, -8)));
        Self {
            kinds: vec![
                (FULL_RANK, (d, n, m), true),
                (SQUARE, (d, n, d), true),
                (FEW, (d, n, d / 2), true),
                (UNRELATED, (d, n, m), false),
            ],
            problems: size.pick(2, 6, 20),
            detector_targets: size.pick(1, 2, 10),
            weights: weights.chain([short(3.0_f64.sqrt())]).collect(),
            iterations: 300,
        }
    }

    fn sweep(
        &self,
        name: &str,
        index: u64,
        make: &dyn Fn() -> Result<Problem<f64>, Error>,
        starts: [&[f64]; 2],
        solution: Option<&[f64]>,
    ) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        for &weight in &self.weights {
            let problem = make()?.with_weight(weight)?;
            let [definite_near, definite_far] =
                starts.map(|start| problem.objective().map(|at| is_definite(&at, start)));
            let (definite_near, definite_far) = (definite_near?, definite_far?);
            for method in METHODS {
                let near = self.end(&problem, method, starts[0])?;
                let far = self.end(&problem, method, starts[1])?;
                let [least, largest] = extreme_eigenvalues(&problem.objective()?, &near.x);
                let size = length(&near.x);
                rows.push(Row {
                    problems: name.into(),
                    problem: index,
                    weight: short(weight),
                    method: method.into(),
                    converged_near: near.converged,
                    converged_far: far.converged,
                    iterations_near: near.iterations,
                    iterations_far: far.iterations,
                    misfit_near: short(near.misfit),
                    misfit_far: short(far.misfit),
                    distance: solution.map_or(f64::NAN, |solution| {
                        short(distance(&near.x, solution) / length(solution))
                    }),
                    apart: short(distance(&near.x, &far.x) / size),
                    definite_near,
                    definite_far,
                    definite_end: is_definite(&problem.objective()?, &near.x),
                    least: short(least),
                    largest: short(largest),
                });
            }
        }
        Ok(rows)
    }

    fn end(&self, problem: &Problem<f64>, method: &str, start: &[f64]) -> Result<Ended, Error> {
        let objective = problem.objective()?;
        let solver = Solver::new()
            .with_warm_start(method == DEFAULT)
            .with_max_iterations(self.iterations);
        let solution = if method == PAPER {
            let mut model = DenseHessian::new(&objective, RowWeights::Exact);
            paper::iterate(&solver, &objective, &mut model, start, &mut Silent)?
        } else {
            solver.solve(&objective, start)?
        };
        let mut at = objective.new_evaluation();
        objective.evaluate(&solution.x, &[], &mut at);
        Ok(Ended {
            misfit: at.loss(),
            x: solution.x,
            converged: solution.status.is_converged(),
            iterations: solution.iterations,
        })
    }
}

/// The end of a solve.
struct Ended {
    x: Vec<f64>,
    converged: bool,
    iterations: usize,
    misfit: f64,
}

impl Experiment for Regularisation {
    type Unit = Unit;
    type Row = Row;
    const NAME: Name = Name::Regularisation;

    fn units(&self) -> Vec<Unit> {
        let kinds = 0..self.kinds.len();
        let planted =
            kinds.flat_map(|kind| (0..self.problems).map(move |seed| Unit::Planted { kind, seed }));
        planted
            .chain((0..self.detector_targets).map(Unit::Detector))
            .collect()
    }

    fn measure(&self, unit: &Unit) -> Result<Vec<Row>, Error> {
        match *unit {
            Unit::Planted { kind, seed } => {
                let (name, shape, reachable) = self.kinds[kind];
                let planted = Planted::new(shape, true, seed);
                let make = || match reachable {
                    true => Problem::reachable(&planted),
                    false => Problem::unrelated(&planted),
                };
                let near = away(&planted.solution, 0.1, 1000 + seed);
                let far = normal(shape.0, 2000 + seed);
                let solution = reachable.then_some(planted.solution.as_slice());
                self.sweep(name, seed, &make, [&near, &far], solution)
            }
            Unit::Detector(target) => {
                let detector = read_detector("cld3_other.npz")?;
                let make = || Problem::detector(&detector, target);
                let zero = vec![0.0; detector.start.len()];
                let starts = [detector.start.as_slice(), &zero];
                self.sweep(DETECTOR, target as u64, &make, starts, None)
            }
        }
    }

    fn answer(&self, rows: &[Row]) -> Answer {
        words::answer(self, rows)
    }
}
