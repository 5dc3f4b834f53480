//! What the solver promises, on every backend and precision.

use std::ops::ControlFlow;
use twolayer::{
    DenseHessian, LimitPoint, MixedPrecision, RowFactor, Run, Silent, Solution, Solver, Stage,
    Status, TraceEntry,
};
use twolayer::{
    Error, Evaluation, HessianApprox, Inversion, Kinked, KullbackLeibler, LinearBackend, Loss,
    Objective, Regularizer, RowWeights, Scalar, SquaredError, Target, TwoLayer, reduce,
};
use twolayer_core::{NotPositiveDefinite, Subspace};
use twolayer_faer::Faer;
use twolayer_tests::for_each_backend;
use twolayer_tests::problems::{Planted, rounded};

fn check<B: LinearBackend>(backend: &B) {
    planted_solutions_are_found(backend);
    no_step_raises_the_objective(backend);
    every_model_of_the_hessian_gets_there(backend);
    the_ball_is_never_left(backend);
    shapes_down_to_one(backend);
}

/// From 10% off, and from zero where there are enough outcomes for the solution to be unique.
fn planted_solutions_are_found<B: LinearBackend>(backend: &B) {
    for (seed, shape) in [(16, 64, 128), (32, 128, 256), (24, 40, 20)]
        .into_iter()
        .enumerate()
    {
        let (zero, starts) = (vec![0.0; shape.0], if shape.2 > shape.0 { 2 } else { 1 });
        let planted = Planted::new(shape, false, seed as u64);
        let network = planted.network(backend).unwrap();
        let target = planted.target(&network).unwrap();
        for loss in [&SquaredError as &dyn Loss<B::Scalar>, &KullbackLeibler] {
            let problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
            for start in [&planted.start, &zero].into_iter().take(starts) {
                let solution = Solver::new().solve(&problem, &rounded(start)).unwrap();
                assert_eq!(
                    solution.status,
                    Status::PerfectFit,
                    "{shape:?} {}",
                    loss.name()
                );
                // Logits of size ~30, sums of n terms: f is good to some hundred roundoffs.
                let size = 1e3 * B::Scalar::UNIT_ROUNDOFF.to_f64();
                assert!(
                    solution.loss.to_f64() <= size * size,
                    "{shape:?}: {}",
                    solution.loss
                );
            }
        }
    }
}

fn monotone<T: Scalar>(solution: &Solution<T>) -> bool {
    solution.trace.windows(2).all(|pair| {
        let same_descent = pair[0].stage == pair[1].stage && pair[0].restart == pair[1].restart;
        !same_descent || pair[1].stage_loss <= pair[0].stage_loss
    })
}

/// On targets that the network cannot reach, where kinks and negative curvature abound.
fn no_step_raises_the_objective<B: LinearBackend>(backend: &B) {
    let planted = Planted::new((8, 24, 40), true, 7);
    let network = planted.network(backend).unwrap();
    let target = Target::new(rounded(&planted.unrelated)).unwrap();
    for loss in [&SquaredError as &dyn Loss<B::Scalar>, &KullbackLeibler] {
        let problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
        let start = rounded::<B::Scalar>(&planted.start);
        let mut at = problem.new_evaluation();
        problem.evaluate(&start, &[], &mut at);
        for warm in [true, false] {
            let solver = Solver::new().with_warm_start(warm);
            let solution = solver.solve(&problem, &start).unwrap();
            assert!(monotone(&solution), "{} warm start {warm}", loss.name());
            assert!(solution.loss <= at.value());
            assert!(
                solution.status.is_converged(),
                "{}: {}",
                loss.name(),
                solution.status
            );
        }
    }
}

fn every_model_of_the_hessian_gets_there<B: LinearBackend>(backend: &B) {
    let planted = Planted::new((8, 32, 64), true, 3);
    let network = planted.network(backend).unwrap();
    let target = planted.target(&network).unwrap();
    let weak = Regularizer::uniform(B::Scalar::of(1e-2), 64).unwrap();
    let start = rounded::<B::Scalar>(&planted.start);
    let plain = Inversion::new(&network, &target).unwrap();
    let regularized = plain.clone().with_regularizer(&weak).unwrap();
    for problem in [plain, regularized] {
        // The problem has more than one minimum: start all of them near the same one.
        let minimum = Solver::new().solve(&problem, &start).unwrap();
        let mut start = minimum.x;
        reduce::axpy(B::Scalar::of(1e-3), &rounded(&planted.solution), &mut start);
        let mut losses = vec![minimum.loss.to_f64()];
        let solver = Solver::new().with_warm_start(false);
        for kind in [
            RowWeights::Exact,
            RowWeights::Convexified,
            RowWeights::GaussNewton,
        ] {
            let mut dense = DenseHessian::new(&problem, kind);
            let solution = solver
                .solve_with(&problem, &mut dense, &start, &mut Silent)
                .unwrap();
            assert!(
                solution.status.is_converged(),
                "dense {kind:?}: {}",
                solution.status
            );
            losses.push(solution.loss.to_f64());
            let mut factor = RowFactor::new(&problem, kind);
            let solution = solver
                .solve_with(&problem, &mut factor, &start, &mut Silent)
                .unwrap();
            assert!(
                solution.status.is_converged(),
                "factor {kind:?}: {}",
                solution.status
            );
            losses.push(solution.loss.to_f64());
        }
        // Values agree to the square of what the gradient's rounding leaves of the distance.
        let roundoff = B::Scalar::UNIT_ROUNDOFF.to_f64();
        let spread = losses
            .iter()
            .fold(0.0, |s: f64, l| s.max((l - losses[0]).abs()));
        assert!(
            spread <= 1e4 * roundoff * (losses[0] + 1e3 * roundoff),
            "{losses:?}"
        );
    }
}

fn the_ball_is_never_left<B: LinearBackend>(backend: &B) {
    let planted = Planted::new((8, 32, 64), true, 5);
    let network = planted.network(backend).unwrap();
    let target = planted.target(&network).unwrap();
    let radius = B::Scalar::of(0.5 * reduce::norm(&planted.solution));
    for loss in [&SquaredError as &dyn Loss<B::Scalar>, &KullbackLeibler] {
        let problem = Inversion::new(&network, &target)
            .unwrap()
            .with_loss(loss)
            .with_radius(radius)
            .unwrap();
        let mut model = RowFactor::new(&problem, RowWeights::Secant);
        let mut inside = |_: &TraceEntry<B::Scalar>, x: &[B::Scalar]| {
            assert!(reduce::norm(x) <= radius);
            ControlFlow::Continue(())
        };
        let start = vec![B::Scalar::of(0.0); 8];
        let solution = Solver::new()
            .solve_with(&problem, &mut model, &start, &mut inside)
            .unwrap();
        assert!(
            solution.status.is_converged(),
            "{}: {}",
            loss.name(),
            solution.status
        );
        assert!(monotone(&solution));
        // On the sphere the gradient points outward or vanishes along it: −g = μx, μ ≥ 0.
        let mut at = problem.new_evaluation();
        problem.evaluate(&solution.x, &[], &mut at);
        problem.differentiate(&mut at);
        let norm = reduce::norm(&solution.x);
        let nearly = B::Scalar::of(1.0) - B::Scalar::of(1e3) * B::Scalar::UNIT_ROUNDOFF;
        if solution.pinned.is_empty() && norm >= radius * nearly {
            let cosine =
                -reduce::dot(at.gradient(), &solution.x) / (norm * reduce::norm(at.gradient()));
            assert!(cosine.to_f64() > 0.99, "{}: cosine {cosine}", loss.name());
        }
    }
}

fn shapes_down_to_one<B: LinearBackend>(backend: &B) {
    for d in 1..3 {
        for n in 1..4 {
            for m in 1..4 {
                let planted = Planted::new((d, n, m), true, (d + 3 * n + 9 * m) as u64);
                let network = planted.network(backend).unwrap();
                let target = Target::new(rounded(&planted.unrelated)).unwrap();
                let problem = Inversion::new(&network, &target).unwrap();
                let solution = Solver::new()
                    .solve(&problem, &rounded(&planted.start))
                    .unwrap();
                assert!(reduce::all_finite(&[solution.loss]) && reduce::all_finite(&solution.x));
                assert!(monotone(&solution));
            }
        }
    }
}

for_each_backend!(check);

#[test]
fn bad_starts_are_named() {
    let planted = Planted::new((4, 8, 6), true, 1);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let target = planted.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let message = |x0: &[f64]| Solver::new().solve(&problem, x0).unwrap_err().to_string();
    assert_eq!(message(&[0.0; 3]), "x0 has shape (3,); expected (4,)");
    assert_eq!(
        message(&[0.0, f64::NAN, 0.0, 0.0]),
        "x0[1] is NaN; every entry must be finite"
    );
    assert!(message(&[1e308; 4]).starts_with("the objective is not finite at x0"));
    let ball = problem.clone().with_radius(1.0).unwrap();
    let error = Solver::new().solve(&ball, &[1.0; 4]).unwrap_err();
    assert_eq!(
        error,
        Error::StartOutsideBall {
            norm: 2.0,
            radius: 1.0
        }
    );
    assert!(problem.clone().with_radius(f64::NAN).is_err());
    assert!(problem.with_radius(0.0).is_err());
}

#[test]
fn a_solve_can_be_stopped_and_limited() {
    let planted = Planted::new((16, 64, 128), true, 1);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let target = planted.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let start = vec![0.0; 16];
    let mut model = RowFactor::new(&problem, RowWeights::Secant);
    let mut stop = |entry: &TraceEntry<f64>, _: &[f64]| match entry.iteration {
        2 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let solution = Solver::new()
        .solve_with(&problem, &mut model, &start, &mut stop)
        .unwrap();
    assert_eq!((solution.status, solution.iterations), (Status::Stopped, 2));
    let solution = Solver::new()
        .with_max_iterations(1)
        .solve(&problem, &start)
        .unwrap();
    assert_eq!(
        (solution.status, solution.iterations),
        (Status::IterationLimit, 1)
    );
    assert!(!solution.status.is_converged() && !solution.status.advice().is_empty());
}

#[test]
fn a_saturated_softmax_is_no_convergence() {
    let planted = Planted::new((4, 8, 6), true, 1);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let target = planted.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let solver = Solver::new().with_warm_start(false);
    let solution = solver.solve(&problem, &[1e200; 4]).unwrap();
    assert_eq!(solution.status, Status::Flat);
    // The warm start sees through the saturation.
    let planted = Planted::new((16, 64, 128), true, 1);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let target = planted.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let solution = Solver::new().solve(&problem, &[1e3; 16]).unwrap();
    assert_eq!(solution.status, Status::PerfectFit);
}

#[test]
fn a_network_that_is_off_is_reported_as_flat() {
    let backend = Faer::<f64>::default();
    let (mut a1, mut a2) = (backend.zeros(3, 2), backend.zeros(4, 3));
    backend.copy_from_row_major(&[1.0, 0.5, -0.5, 1.0, 0.3, 0.3], &mut a1);
    backend.copy_from_row_major(&[1.0; 12], &mut a2);
    let network = TwoLayer::new(backend, a1, a2)
        .unwrap()
        .with_biases(vec![-9.0; 3], vec![0.0; 4])
        .unwrap();
    let target = Target::new(vec![0.7, 0.1, 0.1, 0.1]).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let solution = Solver::new().solve(&problem, &[0.1, 0.1]).unwrap();
    assert_eq!(solution.status, Status::Flat);
}

#[test]
fn one_seed_gives_the_same_bits() {
    let planted = Planted::new((16, 64, 128), false, 11);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let target = planted.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let solve = |seed, warm| {
        Solver::new()
            .with_seed(seed)
            .with_warm_start(warm)
            .solve(&problem, &[0.0; 16])
            .unwrap()
    };
    assert_eq!(solve(1, true).x, solve(1, true).x);
    assert_eq!(solve(1, true).trace[0].stage, Stage::WarmStart);
    // Zero is on every kink here, so that without a warm start the first move is random.
    assert_eq!(solve(1, false).x, solve(1, false).x);
    assert_ne!(solve(1, false).trace[0].loss, solve(2, false).trace[0].loss);
}

/// The model in single precision, all else in double: as exact as a model in double precision, and in
/// as many iterations, give or take a few.
#[test]
fn a_model_in_single_precision_reaches_double_precision() {
    for (shape, seed) in [((8, 40, 300), 1), ((16, 64, 600), 2), ((24, 96, 900), 3)] {
        let planted = Planted::new(shape, false, seed);
        let network = planted.network(&Faer::<f64>::sequential()).unwrap();
        let narrow = planted.network(&Faer::<f32>::sequential()).unwrap();
        let target = planted.target(&network).unwrap();
        let narrow_target = Target::new(rounded(target.probabilities())).unwrap();
        let problem = Inversion::new(&network, &target).unwrap();
        let low = Inversion::new(&narrow, &narrow_target).unwrap();
        let (kind, rows) = (RowWeights::Secant, 8 * shape.0);
        let solver = Solver::new().with_warm_start(false);
        let mut mixed = MixedPrecision::sampled(low, kind, rows, 0);
        let mut double = RowFactor::sampled(&problem, kind, rows, 0);
        // Near enough for both to come to the same solution.
        let pairs = planted.solution.iter().zip(&planted.start);
        let start: Vec<f64> = pairs.map(|(x, far)| x + 0.1 * (far - x)).collect();
        let by_mixed = solver
            .solve_with(&problem, &mut mixed, &start, &mut Silent)
            .unwrap();
        let by_double = solver
            .solve_with(&problem, &mut double, &start, &mut Silent)
            .unwrap();
        assert_eq!(by_double.status, Status::PerfectFit);
        assert_eq!(by_mixed.status, Status::PerfectFit, "{shape:?}");
        assert!(by_mixed.iterations <= by_double.iterations + 5);
    }
}

/// z = (5 + x, 5 − x, 5 + ln 8) and b = (½, ½, 0): x = 0 is stationary by symmetry, and the third
/// outcome, which b has not, is at its most likely there. A step of Newton's method on a convex model
/// stays.
#[test]
fn a_maximum_by_symmetry_is_left() {
    let backend = Faer::<f64>::sequential();
    let mut a1 = backend.zeros(2, 1);
    backend.copy_from_row_major(&[1.0, -1.0], &mut a1);
    let mut a2 = backend.zeros(3, 2);
    backend.copy_from_row_major(&[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], &mut a2);
    let network = TwoLayer::new(backend, a1, a2)
        .unwrap()
        .with_biases(vec![5.0; 2], vec![0.0, 0.0, 5.0 + 8.0_f64.ln()])
        .unwrap();
    let target = Target::new(vec![0.5, 0.5, 0.0]).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let mut at = problem.new_evaluation();
    problem.evaluate(&[0.0], &[], &mut at);
    let solver = Solver::new().with_warm_start(false);
    let solution = solver.solve(&problem, &[0.0]).unwrap();
    assert!(solution.status.is_converged(), "{}", solution.status);
    assert!(
        solution.loss < 0.9 * at.value(),
        "{} at {:?}",
        solution.loss,
        solution.x
    );
    // What bends up there is a minimum.
    let value = |x: f64| {
        let mut at = problem.new_evaluation();
        problem.evaluate(&[x], &[], &mut at);
        at.value()
    };
    let x = solution.x[0];
    assert!(solution.loss <= value(x + 1e-3) && solution.loss <= value(x - 1e-3));
}

/// (1 − x)² + 100 (y − x²)² + 1: smooth, and not made of rows.
struct Rosenbrock;

#[derive(Default)]
struct RosenbrockPoint {
    x: [f64; 2],
    value: f64,
    gradient: [f64; 2],
}

impl Evaluation<f64> for RosenbrockPoint {
    fn point(&self) -> &[f64] {
        &self.x
    }
    fn value(&self) -> f64 {
        self.value
    }
    fn gradient(&self) -> &[f64] {
        &self.gradient
    }
}

impl Objective for Rosenbrock {
    type Scalar = f64;
    type Evaluation = RosenbrockPoint;
    fn dimension(&self) -> usize {
        2
    }
    fn radius(&self) -> Option<f64> {
        None
    }
    fn new_evaluation(&self) -> RosenbrockPoint {
        RosenbrockPoint::default()
    }
    fn evaluate(&self, x: &[f64], _: &[usize], at: &mut RosenbrockPoint) {
        at.x = [x[0], x[1]];
        at.value = (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2) + 1.0;
    }
    fn differentiate(&self, at: &mut RosenbrockPoint) {
        let [x, y] = at.x;
        let off = y - x * x;
        at.gradient = [-2.0 * (1.0 - x) - 400.0 * x * off, 200.0 * off];
    }
    fn rounding_error(&self, at: &RosenbrockPoint) -> f64 {
        4.0 * f64::UNIT_ROUNDOFF * at.value
    }
}

impl Kinked for Rosenbrock {}

/// Its Gauss–Newton matrix, solved by Cramer's rule.
#[derive(Default)]
struct GaussNewton {
    matrix: [f64; 3],
    gradient: [f64; 2],
}

impl HessianApprox<Rosenbrock> for GaussNewton {
    fn name(&self) -> &'static str {
        "gauss-newton of rosenbrock"
    }
    fn build(&mut self, _: &Rosenbrock, at: &RosenbrockPoint) -> usize {
        let x = at.x[0];
        self.matrix = [2.0 + 800.0 * x * x, -400.0 * x, 200.0];
        self.gradient = at.gradient;
        0
    }
    fn mean_eigenvalue(&self) -> f64 {
        0.5 * (self.matrix[0] + self.matrix[2])
    }
    fn step(
        &mut self,
        _: &Rosenbrock,
        _: &RosenbrockPoint,
        damping: f64,
        _: Option<(f64, &[f64])>,
        subspace: &Subspace<f64>,
        step: &mut [f64],
    ) -> Result<(), NotPositiveDefinite> {
        assert_eq!(
            subspace.constraints(),
            0,
            "a smooth objective has nothing to pin"
        );
        let [a, b, c] = [
            self.matrix[0] + damping,
            self.matrix[1],
            self.matrix[2] + damping,
        ];
        let (g, determinant) = (self.gradient, a * c - b * b);
        step[0] = -(c * g[0] - b * g[1]) / determinant;
        step[1] = -(a * g[1] - b * g[0]) / determinant;
        Ok(())
    }
    fn apply(&mut self, _: &Rosenbrock, _: &RosenbrockPoint, p: &[f64], product: &mut [f64]) {
        let [a, b, c] = self.matrix;
        product[0] = a * p[0] + b * p[1];
        product[1] = b * p[0] + c * p[1];
    }
}

#[test]
fn a_smooth_objective_without_rows_is_minimised_too() {
    let mut model = GaussNewton::default();
    let mut run =
        Run::without_warm_start(Solver::new(), &Rosenbrock, &mut model, &[-1.2, 1.0]).unwrap();
    while run.step(&mut Silent).is_none() {}
    let solution = run.into_solution();
    assert!(solution.status.is_converged(), "{}", solution.status);
    assert_eq!(solution.limit, LimitPoint::Smooth);
    // The Hessian's least eigenvalue is 0.4: a value to a few roundoffs is an x to their root.
    assert!((solution.x[0] - 1.0).abs() < 1e-7 && (solution.x[1] - 1.0).abs() < 2e-7);
}
