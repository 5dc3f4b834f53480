//! Minima within bounds: against all faces of all cells, and that no iterate ever leaves them.

mod brute_force;

use brute_force::{REFERENCE, Small};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::{ControlFlow, Range};
use twolayer::{
    AnyInversion, Bounds, Error, KullbackLeibler, LimitPoint, LinearBackend, MANY, ModelKind,
    Nearness, Observer, Problems, Regularizer, Run, Scalar, Solution, Solver, Status, Target,
    TraceEntry, TwoLayer,
};
use twolayer_faer::Faer;
use twolayer_tests::problems::{Planted, rounded};

fn network<B: LinearBackend>(backend: &B, small: &Small) -> TwoLayer<B> {
    let (mut a1, mut a2) = (
        backend.zeros(small.n, small.d),
        backend.zeros(small.m, small.n),
    );
    backend.copy_from_row_major(&rounded(&small.a1), &mut a1);
    backend.copy_from_row_major(&rounded(&small.a2), &mut a2);
    let network = TwoLayer::new(backend.clone(), a1, a2).unwrap();
    let (c1, c2) = (rounded(&small.c1), rounded(&small.c2));
    network.with_biases(c1, c2).unwrap()
}

fn bounds<T: Scalar>(small: &Small) -> Bounds<T> {
    Bounds::new(rounded(&small.lower), rounded(&small.upper)).unwrap()
}

/// Asserts that every iterate lies within the bounds.
struct Inside<'b, T>(&'b Bounds<T>);

impl<T: Scalar> Observer<T> for Inside<'_, T> {
    fn observe(&mut self, entry: &TraceEntry<T>, x: &[T]) -> ControlFlow<()> {
        assert!(self.0.contains(x), "{x:?} at {}", entry.iteration);
        ControlFlow::Continue(())
    }
}

fn solve<T: Scalar, B: LinearBackend<Scalar = T>>(
    solver: &Solver<T>,
    kind: ModelKind,
    problem: &AnyInversion<'_, B>,
    x0: &[T],
) -> Solution<T> {
    let bounds = problem.bounds().unwrap();
    let mut model = kind.make(solver, problem);
    let solution = solver
        .solve_with(problem, &mut model, x0, &mut Inside(bounds))
        .unwrap();
    assert!(bounds.contains(&solution.x), "{:?}", solution.x);
    solution
}

/// The starts of a problem: some within the bounds, some outside.
fn starts(small: &Small, seed: u64, count: usize) -> Vec<Vec<f64>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut start = || {
        let ends = small.lower.iter().zip(&small.upper);
        let entry = |(l, u): (&f64, &f64)| l + (u - l + 0.1) * random.random_range(-0.2..1.2);
        ends.map(entry).collect()
    };
    (0..count).map(|_| start()).collect()
}

/// Where every unit is off all around, nothing tells a minimum.
fn is_told(status: Status) -> bool {
    status.is_converged() || status == Status::Flat
}

/// Solves so many problems from so many starts each. Every answer is a local minimum; returns how often the
/// best of each problem is not the least of all cells.
fn against_all_faces(problems: Range<u64>, starts_each: usize, [weight, near]: [f64; 2]) -> usize {
    let mut missed = 0;
    for seed in problems {
        let small = Small {
            weight,
            near,
            ..Small::random(seed)
        };
        let network = network(&Faer::<f64>::sequential(), &small);
        let target = Target::new(small.b.clone()).unwrap();
        let regularizer = Regularizer::new(vec![weight; small.m]).unwrap();
        let bounds = bounds(&small);
        let mut problem = AnyInversion::new(&network, &target)
            .unwrap()
            .with_loss(&KullbackLeibler)
            .with_bounds(&bounds)
            .unwrap();
        if weight > 0.0 {
            problem = problem.with_regularizer(&regularizer).unwrap();
        }
        let nearness = Nearness::new(vec![REFERENCE; small.d], near).unwrap();
        if near > 0.0 {
            problem = problem.with_nearness(&nearness).unwrap();
        }
        let mut best = f64::INFINITY;
        for x0 in starts(&small, seed, starts_each) {
            let solution = solve(&Solver::new(), ModelKind::Auto, &problem, &x0);
            let (loss, around) = (solution.loss, small.least_around(&solution.x));
            let what = format!(
                "problem {seed} from {x0:?}: {} at {:?}, loss {loss:e}, least around {around:e}",
                solution.status, solution.x
            );
            assert!(is_told(solution.status), "{what}");
            assert!((loss - around).abs() <= 1e-9 * (1.0 + around), "{what}");
            best = best.min(loss);
        }
        let least = small.least();
        assert!(best >= least - 1e-9 * (1.0 + least));
        missed += usize::from(best > least + 1e-8 * (1.0 + least));
    }
    missed
}

#[test]
fn answers_are_local_minima_of_all_faces_and_the_best_is_the_least() {
    let missed = against_all_faces(0..200, 8, [0.0, 0.0]);
    println!("{missed} of 200 missed");
    assert!(missed <= 2, "{missed}");
}

#[test]
fn so_they_are_with_a_regulariser() {
    let missed = against_all_faces(1000..1060, 8, [0.3, 0.0]);
    println!("{missed} of 60 missed");
    assert!(missed <= 2, "{missed}");
}

#[test]
fn so_they_are_with_a_distance() {
    let missed = against_all_faces(4000..4060, 8, [0.0, 0.2])
        + against_all_faces(4060..4100, 8, [0.3, 0.01]);
    println!("{missed} of 100 missed");
    assert!(missed <= 2, "{missed}");
}

/// Every model of the Hessian, with the warm start and without, in every library and precision.
fn every_model<B: LinearBackend>(backend: &B) {
    let roundoff = B::Scalar::UNIT_ROUNDOFF.to_f64();
    for seed in 2000..2020 {
        let near = if seed % 4 == 0 { 0.05 } else { 0.0 };
        let small = Small {
            near,
            ..Small::random(seed)
        };
        let nearness = Nearness::new(rounded(&vec![REFERENCE; small.d]), B::Scalar::of(near));
        let nearness = nearness.unwrap();
        let network = network(backend, &small);
        let target = Target::new(rounded(&small.b)).unwrap();
        let bounds = bounds(&small);
        let mut problem = AnyInversion::new(&network, &target)
            .unwrap()
            .with_loss(&KullbackLeibler)
            .with_bounds(&bounds)
            .unwrap();
        if near > 0.0 {
            problem = problem.with_nearness(&nearness).unwrap();
        }
        let x0: Vec<B::Scalar> = rounded(&starts(&small, seed, 1)[0]);
        for kind in ModelKind::ALL {
            for warm in [false, true] {
                let solver = Solver::new().with_warm_start(warm);
                let solution = solve(&solver, kind, &problem, &x0);
                let what = format!(
                    "problem {seed} {} {warm} {}: {} at {:?}",
                    kind.name(),
                    B::Scalar::NAME,
                    solution.status,
                    solution.x
                );
                assert!(is_told(solution.status), "{what}");
                if solution.status == Status::Flat {
                    continue;
                }
                let x: Vec<f64> = solution.x.iter().map(|x| x.to_f64()).collect();
                // In x the minimum is flat to √u; next to a kink it is on one side.
                let around = small.least_around(&x);
                let off = solution.loss.to_f64() - around;
                assert!(off <= 1e3 * roundoff * (1.0 + around), "{what} {off:e}");
            }
        }
    }
}

mod models {
    use super::every_model;
    twolayer_tests::for_each_backend!(every_model);
}

/// An entry that is known is as good as a network without that input, whatever others are bounded by.
#[test]
fn a_known_input_is_no_input() {
    for seed in 0..20 {
        let planted = Planted::new((6, 40, 12), true, seed);
        let backend = Faer::<f64>::sequential();
        let whole = planted.network(&backend).unwrap();
        let target = planted.target(&whole).unwrap();
        let (known, value) = (2, planted.solution[2]);
        let mut lower = vec![f64::NEG_INFINITY; 6];
        let mut upper = vec![f64::INFINITY; 6];
        (lower[known], upper[known]) = (value, value);
        let bounds = Bounds::new(lower, upper).unwrap();
        let problem = AnyInversion::new(&whole, &target)
            .unwrap()
            .with_bounds(&bounds)
            .unwrap();
        let solution = solve(&Solver::new(), ModelKind::Auto, &problem, &planted.start);
        assert_eq!(solution.x[known], value);
        // Without the input, its part is in the biases.
        let [a1, c1, a2, c2] = planted.weights();
        let others = |row: &[f64]| -> Vec<f64> {
            let kept = row.iter().enumerate().filter(|(j, _)| *j != known);
            kept.map(|(_, &a)| a).collect()
        };
        let rows: Vec<f64> = a1.chunks_exact(6).flat_map(others).collect();
        let biases = a1
            .chunks_exact(6)
            .zip(c1)
            .map(|(row, c)| c + row[known] * value);
        let (mut first, mut second) = (backend.zeros(40, 5), backend.zeros(12, 40));
        backend.copy_from_row_major(&rows, &mut first);
        backend.copy_from_row_major(a2, &mut second);
        let without = TwoLayer::new(backend, first, second)
            .and_then(|network| network.with_biases(biases.collect(), c2.to_vec()))
            .unwrap();
        let problem = AnyInversion::new(&without, &target).unwrap();
        let other = Solver::new()
            .solve(&problem, &others(&planted.start))
            .unwrap();
        assert_eq!(solution.status, Status::PerfectFit, "{seed}");
        assert_eq!(other.status, Status::PerfectFit, "{seed}");
        let all_near = |x: &[f64], y: &[f64]| x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-7);
        assert!(all_near(&others(&solution.x), &other.x), "{seed}");
    }
}

/// The multipliers of the bounds have the right signs and make up for the gradient, by differences of values.
#[test]
fn multipliers_are_the_slopes_of_the_objective_out_of_the_bounds() {
    let mut at_bounds = 0;
    for seed in 0..60 {
        let planted = Planted::new((8, 30, 20), true, seed);
        let network = planted.network(&Faer::<f64>::sequential()).unwrap();
        let target = Target::new(planted.unrelated.clone()).unwrap();
        let bounds = Bounds::new(vec![-0.3; 8], vec![0.2; 8]).unwrap();
        let problem = AnyInversion::new(&network, &target)
            .unwrap()
            .with_bounds(&bounds)
            .unwrap();
        let solution = solve(&Solver::new(), ModelKind::Auto, &problem, &planted.start);
        assert!(solution.status.is_converged(), "{}", solution.status);
        assert!(
            // The decrement, its square by the curvature, is roundoffs of the loss.
            solution.gradient_norm <= 1e-7,
            "{:e}",
            solution.gradient_norm
        );
        let units = network.hidden_units();
        if solution.pinned.iter().any(|&kink| kink < units) {
            assert_eq!(solution.limit, LimitPoint::AtKinks);
            continue;
        }
        let is_held = !solution.pinned.is_empty();
        assert_eq!(solution.limit == LimitPoint::AtBounds, is_held);
        let value = |x: &[f64]| {
            let f = network.probabilities(x).unwrap();
            let pairs = f.iter().zip(&planted.unrelated);
            pairs.map(|(f, b)| (f - b).powi(2)).sum::<f64>()
        };
        for (&kink, &multiplier) in solution.pinned.iter().zip(&solution.multipliers) {
            let number = kink - units;
            let (entry, sign) = (bounds.entry(number), bounds.sign(number));
            assert_eq!(solution.x[entry], bounds.value(number));
            let at = |step: f64| {
                let mut x = solution.x.clone();
                x[entry] += sign * step;
                value(&x)
            };
            let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
            assert!(multiplier >= -1e-12, "{multiplier:e}");
            assert!(
                (slope + multiplier).abs() <= 1e-7,
                "{slope:e} {multiplier:e}"
            );
            at_bounds += 1;
        }
    }
    assert!(at_bounds > 100, "{at_bounds}");
}

/// In a ball too: no feasible point around the answer is lower, and x is in both to the bit.
#[test]
fn bounds_go_with_a_ball() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for seed in 3000..3060 {
        let small = Small::random(seed);
        let network = network(&Faer::<f64>::sequential(), &small);
        let target = Target::new(small.b.clone()).unwrap();
        let bounds: Bounds<f64> = bounds(&small);
        let radius = bounds.least_norm() + 0.4;
        let problem = AnyInversion::new(&network, &target)
            .unwrap()
            .with_loss(&KullbackLeibler)
            .with_bounds(&bounds)
            .and_then(|problem| problem.with_radius(radius))
            .unwrap();
        for mut x0 in starts(&small, seed, 4) {
            twolayer::twolayer_core::retract(radius, &mut x0);
            let solution = solve(&Solver::new(), ModelKind::Auto, &problem, &x0);
            let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!(norm(&solution.x) <= radius);
            let what = format!("problem {seed}: {} at {:?}", solution.status, solution.x);
            assert!(is_told(solution.status), "{what}");
            for size in [1e-6, 1e-5, 1e-4, 1e-3] {
                for _ in 0..50 {
                    let mut near = solution.x.clone();
                    near.iter_mut()
                        .for_each(|x| *x += random.random_range(-size..size));
                    bounds.confine(std::iter::empty(), Some(radius), &mut near);
                    let fall = solution.loss - divergence(&small, &near);
                    assert!(fall <= 1e-12 + 1e-9 * size, "{what}: {fall:e} at {near:?}");
                }
            }
        }
    }
}

fn divergence(small: &Small, x: &[f64]) -> f64 {
    let h = small.cells().hidden(x);
    let on = h.iter().enumerate().filter(|(_, h)| **h > 0.0);
    let pattern = on.fold(0, |pattern, (i, _)| pattern | 1 << i);
    small.value(pattern, x)
}

/// Many targets of a network of more inputs than units, which without bounds is solved in other unknowns:
/// each is solved as it is alone, to the bit.
#[test]
fn many_targets_within_bounds_are_solved_as_one_is() {
    let planted = Planted::new((12, 8, 30), true, 1);
    let network = planted.network(&Faer::<f64>::sequential()).unwrap();
    let mut targets = planted.unrelated.clone();
    targets.extend(planted.target(&network).unwrap().probabilities());
    for (count, radius) in [(2, None), (2, Some(1.5)), (10, None)] {
        let bounds = Bounds::new(vec![-0.3; 12], vec![0.2; 12]).unwrap();
        let mut problems = Problems::new(&network).with_bounds(&bounds).unwrap();
        if let Some(radius) = radius {
            problems = problems.with_radius(radius).unwrap();
        }
        if count >= MANY {
            problems = problems.for_many();
        }
        let targets = targets.repeat(count / 2);
        let x0 = vec![0.3; 12];
        let solver = Solver::new();
        let solved = problems.solve_batch(&solver, &targets, &x0).unwrap();
        for (b, solved) in targets.chunks(30).zip(solved) {
            let target = Target::new(b.to_vec()).unwrap();
            let problem = problems.inversion(target).unwrap();
            let alone = solve(&solver, ModelKind::Auto, &problem, &x0);
            let solution = solved.unwrap().solution;
            assert_eq!(solution.x, alone.x);
            assert_eq!(
                (solution.status, solution.pinned, solution.multipliers),
                (alone.status, alone.pinned, alone.multipliers)
            );
        }
    }
}

/// From every state on the way to the same bits, rungs included.
#[test]
fn a_run_goes_on_to_the_same_bits() {
    let mut snapshots = 0;
    for seed in 0..6 {
        let planted = Planted::new((30, 120, 200), true, seed);
        let network = planted.network(&Faer::<f64>::sequential()).unwrap();
        let target = match seed % 2 {
            0 => Target::new(planted.unrelated.clone()).unwrap(),
            _ => planted.target(&network).unwrap(),
        };
        let bounds = Bounds::new(vec![-0.5; 30], vec![0.4; 30]).unwrap();
        let problem = AnyInversion::new(&network, &target)
            .unwrap()
            .with_bounds(&bounds)
            .unwrap();
        let solver = || Solver::new().with_max_iterations(200);
        let x0 = &planted.start;
        let mut model = solver().default_hessian(&problem);
        let mut run = Run::new(solver(), &problem, &mut model, x0).unwrap();
        let mut kept = Vec::new();
        while run.step(&mut Inside(&bounds)).is_none() {
            kept.extend(run.snapshot());
        }
        let whole = run.into_solution();
        for snapshot in kept {
            let mut model = solver().default_hessian(&problem);
            let mut run = Run::resume(solver(), &problem, &mut model, snapshot).unwrap();
            while run.step(&mut Inside(&bounds)).is_none() {}
            let resumed = run.into_solution();
            assert_eq!(resumed.x, whole.x);
            assert_eq!(resumed.pinned, whole.pinned);
            assert_eq!(resumed.status, whole.status);
            snapshots += 1;
        }
    }
    println!("{snapshots} snapshots");
    assert!(snapshots > 0);
}

#[test]
fn what_cannot_be_is_refused() {
    let small = Small::random(0);
    let network = network(&Faer::<f64>::sequential(), &small);
    let target = Target::new(small.b.clone()).unwrap();
    let problem = || AnyInversion::new(&network, &target).unwrap();
    let of = |d: usize, value: f64| Bounds::new(vec![value; d], vec![value + 1.0; d]).unwrap();
    let (long, far) = (of(small.d + 1, 0.0), of(small.d, 5.0));
    let error = problem().with_bounds(&long).unwrap_err();
    assert!(matches!(error, Error::Shape { name: "lower", .. }));
    let with_radius = problem().with_bounds(&far).unwrap().with_radius(1.0);
    let with_bounds = problem().with_radius(1.0).unwrap().with_bounds(&far);
    for refused in [with_radius, with_bounds] {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::BoundsOutsideBall { .. }), "{error}");
    }
}
