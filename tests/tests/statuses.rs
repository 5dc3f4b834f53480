//! Every status that is no convergence, provoked, and with advice.

use std::ops::ControlFlow;
use std::time::Duration;
use twolayer::{
    DenseHessian, LimitPoint, RowFactor, Run, Silent, Solution, Solver, Status, TraceEntry,
};
use twolayer::{
    Evaluation, HessianApprox, Inversion, Kinked, LinearBackend, Objective, RowWeights, Target,
    TwoLayer,
};
use twolayer_core::{NotPositiveDefinite, Subspace};
use twolayer_faer::Faer;
use twolayer_tests::generators::{Blemish, Case, TargetKind};
use twolayer_tests::problems::Planted;

#[track_caller]
fn assert_ends(solution: &Solution<f64>, status: Status) {
    assert_eq!(solution.status, status);
    assert!(!status.is_converged());
    assert!(!status.advice().is_empty() || status == Status::Stopped);
    assert!(solution.x.iter().all(|x| x.is_finite()) && solution.loss.is_finite());
    assert!(!solution.gradient_norm.is_nan());
}

fn planted() -> (TwoLayer<Faer<f64>>, Target<f64>) {
    let planted = Planted::new((16, 64, 128), true, 1);
    let network = planted.network(&Faer::default()).unwrap();
    let target = planted.target(&network).unwrap();
    (network, target)
}

/// A network of d = n = m = 2 by its entries.
fn small(a1: [f64; 4], a2: [f64; 4], bias1: [f64; 2]) -> TwoLayer<Faer<f64>> {
    let backend = Faer::default();
    let (mut first, mut second) = (backend.zeros(2, 2), backend.zeros(2, 2));
    backend.copy_from_row_major(&a1, &mut first);
    backend.copy_from_row_major(&a2, &mut second);
    TwoLayer::new(backend, first, second)
        .unwrap()
        .with_biases(bias1.to_vec(), vec![0.0; 2])
        .unwrap()
}

/// Makes a step of the damping and the gradient.
type Step = fn(f64, &[f64], &mut [f64]) -> Result<(), NotPositiveDefinite>;

/// A model that answers as a test wants.
struct Model {
    gradient: Vec<f64>,
    step: Step,
}

impl<O: Objective<Scalar = f64>> HessianApprox<O> for Model {
    fn name(&self) -> &'static str {
        "made up"
    }

    fn build(&mut self, _: &O, at: &O::Evaluation) -> usize {
        self.gradient = at.gradient().to_vec();
        1
    }

    fn mean_eigenvalue(&self) -> f64 {
        1.0
    }

    fn step(
        &mut self,
        _: &O,
        _: &O::Evaluation,
        damping: f64,
        _: Option<(f64, &[f64])>,
        _: &Subspace<f64>,
        step: &mut [f64],
    ) -> Result<(), NotPositiveDefinite> {
        (self.step)(damping, &self.gradient, step)
    }

    fn apply(&mut self, _: &O, _: &O::Evaluation, p: &[f64], product: &mut [f64]) {
        product.copy_from_slice(p);
    }
}

fn solve_with(step: Step) -> Solution<f64> {
    let gradient = Vec::new();
    let mut model = Model { gradient, step };
    let (network, target) = planted();
    let problem = Inversion::new(&network, &target).unwrap();
    Solver::new()
        .with_warm_start(false)
        .solve_with(&problem, &mut model, &[0.1; 16], &mut Silent)
        .unwrap()
}

#[test]
fn too_few_iterations() {
    let (network, target) = planted();
    let problem = Inversion::new(&network, &target).unwrap();
    let solver = Solver::new().with_max_iterations(1);
    let solution = solver.solve(&problem, &[0.0; 16]).unwrap();
    assert_ends(&solution, Status::IterationLimit);
    assert_eq!(solution.iterations, 1);
}

/// An observer that waits for longer than the limit: the iteration that it is shown is the last.
#[test]
fn out_of_time() {
    let (network, target) = planted();
    let problem = Inversion::new(&network, &target).unwrap();
    for (limit, iterations) in [(Duration::ZERO, 0), (Duration::from_millis(200), 1)] {
        for warm in [true, false] {
            let solver = Solver::new().with_time_limit(limit).with_warm_start(warm);
            let mut model = RowFactor::new(&problem, RowWeights::Secant);
            let mut wait = |entry: &TraceEntry<f64>, _: &[f64]| {
                assert_eq!(entry.iteration, iterations);
                std::thread::sleep(limit);
                ControlFlow::Continue(())
            };
            let start = [0.0; 16];
            let solution = solver.solve_with(&problem, &mut model, &start, &mut wait);
            let solution = solution.unwrap();
            assert_ends(&solution, Status::TimeLimit);
            // None where the machine is so busy that the first did not begin in time.
            assert!(solution.iterations <= iterations);
            assert!(solution.iterations > 0 || solution.x == start);
        }
    }
    // A start that is the answer is one, however late.
    let answer = Solver::new().solve(&problem, &[0.0; 16]).unwrap();
    let late = Solver::new().with_time_limit(Duration::ZERO);
    let late = late.solve(&problem, &answer.x).unwrap();
    assert_eq!(late.status, Status::PerfectFit);
}

#[test]
fn stopped_by_an_observer() {
    let (network, target) = planted();
    let problem = Inversion::new(&network, &target).unwrap();
    let mut model = RowFactor::new(&problem, RowWeights::Secant);
    let mut stop = |_: &TraceEntry<f64>, _: &[f64]| ControlFlow::Break(());
    let solution = Solver::new()
        .solve_with(&problem, &mut model, &[0.0; 16], &mut stop)
        .unwrap();
    assert_ends(&solution, Status::Stopped);
}

/// All units are off, where the loss is constant.
#[test]
fn flat() {
    let network = small([1.0, 0.5, -0.5, 1.0], [1.0, 2.0, 3.0, 5.0], [-9.0; 2]);
    let target = Target::new(vec![0.7, 0.3]).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let solution = Solver::new().solve(&problem, &[0.1; 2]).unwrap();
    assert_ends(&solution, Status::Flat);
}

/// A model that leads uphill: no step of it lowers the loss, however short.
#[test]
fn stalled() {
    let solution = solve_with(|damping, gradient, step| {
        for (p, g) in step.iter_mut().zip(gradient) {
            *p = g / (1.0 + damping);
        }
        Ok(())
    });
    assert_ends(&solution, Status::Stalled);
}

#[test]
fn no_damping_makes_the_model_definite() {
    let solution = solve_with(|_, _, _| Err(NotPositiveDefinite));
    assert_ends(&solution, Status::Indefinite);
}

#[test]
fn steps_that_are_not_numbers_are_never_taken() {
    let solution = solve_with(|_, _, step| {
        step.fill(f64::NAN);
        Ok(())
    });
    assert_ends(&solution, Status::Indefinite);
    assert_eq!(solution.x, [0.1; 16]);
}

/// The output is harmless at x, but C = A2 A1 overflows.
#[test]
fn the_gradient_overflows() {
    let network = small([1e200, 0.0, 0.0, 1e200], [1e200, 0.0, 0.0, 1e200], [0.0; 2]);
    let target = Target::new(vec![0.7, 0.3]).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let start = [1e-300, 1e-300];
    let mut at = problem.new_evaluation();
    problem.evaluate(&start, &[], &mut at);
    assert!(at.value().is_finite());
    for warm in [true, false] {
        let solver = Solver::new().with_warm_start(warm);
        let rows = solver.solve(&problem, &start).unwrap();
        assert_ends(&rows, Status::NonFinite);
        let mut exact = DenseHessian::new(&problem, RowWeights::Exact);
        let exact = solver
            .solve_with(&problem, &mut exact, &start, &mut Silent)
            .unwrap();
        assert_ends(&exact, Status::NonFinite);
    }
}

/// Small problems that nothing but a descent with this model is tried on, from far out.
fn solve_from_far_out(
    seed: u64,
    model: impl for<'a> Fn(
        &Inversion<'a, Faer<f64>>,
    ) -> Box<dyn HessianApprox<Inversion<'a, Faer<f64>>> + 'a>,
) -> Solution<f64> {
    let shape = (
        2 + seed as usize % 7,
        4 + seed as usize % 19,
        3 + seed as usize % 17,
    );
    let case = Case::new(shape, Blemish::None, TargetKind::OneHot, 0.0, seed);
    let network = case.network(&Faer::<f64>::default()).unwrap();
    let target = case.target().unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let start: Vec<f64> = case.x.iter().map(|x| 3.0 * x).collect();
    Solver::new()
        .with_warm_start(false)
        .solve_with(&problem, &mut model(&problem), &start, &mut Silent)
        .unwrap()
}

/// 1 + |x|, and a jump of its slope at the kink that is told honestly at a point and too small where it is
/// foreseen for the end of a step, as a model of the objective may have it.
struct Deceptive;

#[derive(Clone)]
struct Place {
    x: [f64; 1],
    gradient: [f64; 1],
    sides: [bool; 1],
    jump: f64,
}

impl Evaluation<f64> for Place {
    fn point(&self) -> &[f64] {
        &self.x
    }

    fn value(&self) -> f64 {
        1.0 + self.x[0].abs()
    }

    fn gradient(&self) -> &[f64] {
        &self.gradient
    }
}

impl Objective for Deceptive {
    type Scalar = f64;
    type Evaluation = Place;

    fn dimension(&self) -> usize {
        1
    }

    fn new_evaluation(&self) -> Place {
        Place {
            x: [0.0],
            gradient: [0.0],
            sides: [false],
            jump: 0.0,
        }
    }

    fn evaluate(&self, x: &[f64], pinned: &[usize], at: &mut Place) {
        at.x = if pinned.is_empty() { [x[0]] } else { [0.0] };
        at.sides = [at.x[0] > 0.0];
    }

    fn differentiate(&self, at: &mut Place) {
        at.gradient = if at.sides[0] { [1.0] } else { [-1.0] };
    }

    fn rounding_error(&self, _: &Place) -> f64 {
        f64::EPSILON
    }
}

impl Kinked for Deceptive {
    fn kinks(&self) -> usize {
        1
    }

    fn signed_distances<'a>(&self, at: &'a Place) -> &'a [f64] {
        &at.x
    }

    fn distance_slopes(&self, _: &Place, direction: &[f64], slopes: &mut [f64]) {
        slopes.copy_from_slice(direction);
    }

    fn normal(&self, _: &Place, _: usize, normal: &mut [f64]) {
        normal[0] = 1.0;
    }

    fn foresee(&self, at: &mut Place, step: Option<&[f64]>) {
        at.jump = if step.is_some() { 0.5 } else { 2.0 };
    }

    fn slope_jumps(&self, at: &Place, _: &[usize], jumps: &mut [f64]) {
        jumps.fill(at.jump);
    }

    fn choose_side(&self, at: &mut Place, _: usize, positive: bool) {
        at.sides = [positive];
    }

    fn sides<'a>(&self, at: &'a Place) -> &'a [bool] {
        &at.sides
    }
}

/// A kink goes on asking to be released where that was tried in vain, and the model has no factor for
/// a step over many kinks.
#[test]
fn jammed() {
    let gradient = Vec::new();
    let step: Step = |damping, gradient, step| {
        step[0] = -gradient[0] / (1.0 + damping);
        Ok(())
    };
    let mut model = Model { gradient, step };
    let mut run = Run::without_warm_start(Solver::new(), &Deceptive, &mut model, &[0.5]).unwrap();
    while run.step(&mut Silent).is_none() {}
    let solution = run.into_solution();
    assert_ends(&solution, Status::Jammed);
    assert_eq!(solution.pinned, [0]);
    assert_eq!(solution.limit, LimitPoint::Undetermined);
}

/// Ten of these descents would jam, and one stall, without a step over the kinks that is insisted on.
#[test]
fn no_descent_jams_that_has_a_factor() {
    for seed in 0..1000 {
        let solution = solve_from_far_out(seed, |problem| {
            Box::new(RowFactor::new(problem, RowWeights::Secant))
        });
        let status = solution.status;
        assert!(
            status.is_converged() || status == Status::Flat,
            "{seed}: {status}"
        );
    }
}
