//! Networks of more layers and other activations: derivatives, kinks, solves.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::ops::ControlFlow;
use twolayer::twolayer_core::{Activation, RowWeights};
use twolayer::{
    ActivationName, Bounds, Curvature, DeepInversion, DeepNetwork, DenseHessian, Evaluation,
    HessianApprox, Inversion, Kinked, KullbackLeibler, LinearBackend, Loss, Nearness, Objective,
    Observer, Problems, RowStructured, Scalar, Solver, SquaredError, Status, Target, TraceEntry,
};
use twolayer_faer::Faer;
use twolayer_tests::deep::PlantedDeep;
use twolayer_tests::for_each_backend;
use twolayer_tests::problems::{Planted, rounded};

use ActivationName::{Gelu, GeluTanh, HardTanh, LeakyRelu, Relu, Sigmoid, Silu, Softplus, Tanh};

/// Widths and activations of small networks, of every kind and depth.
fn networks() -> Vec<PlantedDeep> {
    let shapes: [(&[usize], &[ActivationName]); 9] = [
        (&[4, 7, 9], &[Tanh]),
        (&[4, 7, 9], &[Gelu]),
        (&[5, 8, 6, 7], &[Relu, Silu]),
        (&[5, 8, 6, 7], &[Sigmoid, Relu]),
        (&[5, 8, 6, 7], &[HardTanh, LeakyRelu(0.1)]),
        (&[3, 6, 5, 6, 8], &[Relu, Relu, Relu]),
        (&[3, 6, 5, 6, 8], &[GeluTanh, Softplus, Tanh]),
        (&[6, 5, 4, 3], &[LeakyRelu(-0.3), HardTanh]),
        (&[4, 6], &[]),
    ];
    let mut seed = 0;
    let planted = shapes.map(|(widths, activations)| {
        seed += 1;
        PlantedDeep::new(widths, activations, seed)
    });
    planted.into()
}

/// Every loss, on a target that is not attained.
fn with_each_problem(mut test: impl FnMut(&PlantedDeep, &DeepInversion<'_, Faer<f64>>, &[f64])) {
    let losses: [&dyn Loss<f64>; 2] = [&SquaredError, &KullbackLeibler];
    for planted in networks() {
        let network = planted.network(&Faer::<f64>::default()).unwrap();
        let other = network.probabilities(&planted.far).unwrap();
        let target = Target::new(other).unwrap();
        for loss in losses {
            let problem = DeepInversion::new(&network, &target)
                .unwrap()
                .with_loss(loss);
            test(&planted, &problem, &planted.start);
            let scales = (0..planted.widths[0]).map(|j| 1.0 + j as f64).collect();
            let near = Nearness::with_scales(planted.far.clone(), 0.3, scales).unwrap();
            let near = problem.with_nearness(&near).unwrap();
            test(&planted, &near, &planted.start);
        }
    }
}

fn moved(x: &[f64], step: f64, direction: &[f64]) -> Vec<f64> {
    x.iter().zip(direction).map(|(x, v)| x + step * v).collect()
}

fn evaluated<'n>(
    problem: &DeepInversion<'n, Faer<f64>>,
    x: &[f64],
) -> <DeepInversion<'n, Faer<f64>> as Objective>::Evaluation {
    let mut at = problem.new_evaluation();
    problem.evaluate(x, &[], &mut at);
    problem.differentiate(&mut at);
    at
}

/// Central differences with a step of 1e-5: off by 1e-10 times a sixth of the next but one derivative, and by
/// 1e-11 of the value.
#[test]
fn derivatives_are_differences() {
    with_each_problem(|planted, problem, x| {
        let d = x.len();
        let at = evaluated(problem, x);
        let mut curvature = Curvature::new(problem.rows());
        problem.curvature(&at, RowWeights::Exact, &mut curvature);
        let mut scratch = Default::default();
        let mut dense = DenseHessian::new(problem, RowWeights::Exact);
        dense.build(problem, &at);
        for j in 0..d {
            let mut unit = vec![0.0; d];
            unit[j] = 1.0;
            let step = 1e-5;
            let around = [step, -step].map(|step| evaluated(problem, &moved(x, step, &unit)));
            assert!(
                around.iter().all(|end| end.flips_from(&at) == 0),
                "a kink is in the way"
            );
            let slope = (around[0].value() - around[1].value()) / (2.0 * step);
            let told = at.gradient()[j];
            let name = format!("{:?} {} {j}", planted.activations, problem.loss().name());
            assert!(
                (slope - told).abs() < 1e-7 * (1.0 + told.abs()),
                "{name}: {slope} {told}"
            );
            let mut product = vec![0.0; d];
            problem.hessian_vec(&at, &curvature, &unit, &mut scratch, &mut product);
            for (i, told) in product.into_iter().enumerate() {
                let bend = (around[0].gradient()[i] - around[1].gradient()[i]) / (2.0 * step);
                assert!(
                    (bend - told).abs() < 1e-6 * (1.0 + told.abs()),
                    "{name}: {bend} {told}"
                );
                let formed = dense.matrix()[i * d + j];
                assert!(
                    (formed - told).abs() < 1e-11 * (1.0 + told.abs()),
                    "{name}: {formed} {told}"
                );
            }
        }
    });
}

/// Rows one by one, all at once, and products with them and with their transpose are of one matrix.
#[test]
fn rows_and_products_are_of_one_matrix() {
    with_each_problem(|planted, problem, x| {
        let (d, rows, backend) = (x.len(), problem.rows(), problem.backend());
        let at = evaluated(problem, x);
        let (mut workspace, mut scratch) = (Default::default(), Default::default());
        let mut whole = backend.zeros(rows, d);
        problem.jacobian(&at, &mut whole, &mut workspace);
        let mut entries = vec![0.0; rows * d];
        backend.copy_to_row_major(&whole, &mut entries);
        // Backwards and twice over.
        let chosen: Vec<usize> = (0..rows).rev().chain(0..rows).collect();
        let mut picked = backend.zeros(2 * rows, d);
        problem.jacobian_rows(&at, &chosen, &mut picked, &mut workspace);
        let mut of_picked = vec![0.0; 2 * rows * d];
        backend.copy_to_row_major(&picked, &mut of_picked);
        for (place, &row) in chosen.iter().enumerate() {
            for j in 0..d {
                let (one, other) = (of_picked[place * d + j], entries[row * d + j]);
                assert!(
                    (one - other).abs() < 1e-13 * (1.0 + other.abs()),
                    "{:?}",
                    planted.activations
                );
            }
        }
        let v: Vec<f64> = (0..d).map(|j| (j as f64 + 1.0).sin()).collect();
        let y: Vec<f64> = (0..rows).map(|i| (i as f64 + 2.0).cos()).collect();
        let (mut cv, mut cty) = (vec![0.0; rows], vec![0.0; d]);
        problem.jacobian_vec(&at, &v, &mut scratch, &mut cv);
        problem.jacobian_transposed_vec(&at, &y, &mut scratch, &mut cty);
        for i in 0..rows {
            let sum: f64 = (0..d).map(|j| entries[i * d + j] * v[j]).sum();
            assert!(
                (sum - cv[i]).abs() < 1e-12 * (1.0 + sum.abs()),
                "{:?}",
                planted.activations
            );
        }
        for j in 0..d {
            let sum: f64 = (0..rows).map(|i| entries[i * d + j] * y[i]).sum();
            assert!(
                (sum - cty[j]).abs() < 1e-12 * (1.0 + sum.abs()),
                "{:?}",
                planted.activations
            );
        }
        // The gradient is Cᵀu.
        let mut gradient = vec![0.0; d];
        let u = problem.row_gradient(&at);
        problem.jacobian_transposed_vec(&at, u, &mut scratch, &mut gradient);
        for (g, told) in gradient.iter().zip(at.gradient()) {
            assert!((g - told).abs() < 1e-13);
        }
    });
}

/// Distances, their slopes, normals and offsets against differences; the slope jump on a kink against the
/// gradients of its two sides.
#[test]
fn kinks_are_those_of_the_present_cell() {
    with_each_problem(|planted, problem, x| {
        let (d, kinks) = (x.len(), problem.kinks());
        let at = evaluated(problem, x);
        let v: Vec<f64> = (0..d).map(|j| (3.0 * j as f64 + 1.0).sin()).collect();
        let mut slopes = vec![0.0; kinks];
        problem.distance_slopes(&at, &v, &mut slopes);
        let near = evaluated(problem, &moved(x, 1e-6, &v));
        assert_eq!(near.flips_from(&at), 0);
        let is_curved = planted
            .activations
            .iter()
            .any(|name| Activation::<f64>::bends(&*name.make::<f64>()));
        let allowed = if is_curved { 1e-4 } else { 1e-8 };
        let multiples: Vec<f64> = (0..kinks).map(|kink| (kink as f64).cos()).collect();
        let (mut sum, mut expected) = (vec![0.0; d], vec![0.0; d]);
        for kink in 0..kinks {
            let [before, behind] = [&at, &near].map(|at| problem.signed_distances(at)[kink]);
            let difference = (behind - before) / 1e-6;
            let name = format!(
                "{:?} {kink}: {difference} {}",
                planted.activations, slopes[kink]
            );
            assert!(
                (difference - slopes[kink]).abs() < allowed * (1.0 + difference.abs()),
                "{name}"
            );
            let mut normal = vec![0.0; d];
            problem.normal(&at, kink, &mut normal);
            let along: f64 = normal.iter().zip(&v).map(|(a, v)| a * v).sum();
            assert!(
                (along - slopes[kink]).abs() < 1e-12 * (1.0 + along.abs()),
                "{name}"
            );
            let h: f64 =
                normal.iter().zip(x).map(|(a, x)| a * x).sum::<f64>() + problem.offset(&at, kink);
            assert!((h - before).abs() < 1e-13 * (1.0 + h.abs()), "{name}");
            for (sum, a) in expected.iter_mut().zip(&normal) {
                *sum += multiples[kink] * a;
            }
        }
        problem.combine_normals(&at, &multiples, &mut sum);
        for (sum, expected) in sum.iter().zip(&expected) {
            assert!((sum - expected).abs() < 1e-11 * (1.0 + expected.abs()));
        }
    });
}

/// A point is put on one kink after the other, and its two sides differentiated.
#[test]
fn slopes_jump_across_kinks_as_told() {
    with_each_problem(|planted, problem, x| {
        let d = x.len();
        let mut met = 0;
        for kink in 0..problem.kinks() {
            let at = evaluated(problem, x);
            let mut normal = vec![0.0; d];
            problem.normal(&at, kink, &mut normal);
            let length: f64 = normal.iter().map(|a| a * a).sum();
            let distance = problem.signed_distances(&at)[kink];
            // Where another kink is nearer it bends on the way, and so may the activation's.
            let mut on = moved(x, -distance / length, &normal);
            for _ in 0..20 {
                let at = evaluated(problem, &on);
                problem.normal(&at, kink, &mut normal);
                let length: f64 = normal.iter().map(|a| a * a).sum();
                on = moved(&on, -problem.signed_distances(&at)[kink] / length, &normal);
            }
            let mut at = problem.new_evaluation();
            problem.evaluate(&on, &[kink], &mut at);
            if problem.signed_distances(&at)[kink] != 0.0 {
                continue;
            }
            met += 1;
            let mut sides = [false, true].map(|positive| {
                problem.choose_side(&mut at, kink, positive);
                problem.differentiate(&mut at);
                at.gradient().to_vec()
            });
            problem.foresee(&mut at, None);
            let mut jump = [0.0];
            problem.slope_jumps(&at, &[kink], &mut jump);
            problem.normal(&at, kink, &mut normal);
            for (j, a) in normal.iter().enumerate() {
                sides[0][j] += jump[0] * a;
                let apart = (sides[0][j] - sides[1][j]).abs();
                assert!(
                    apart < 1e-11 * (1.0 + sides[1][j].abs()),
                    "{:?} {kink}",
                    planted.activations
                );
            }
        }
        assert!(
            2 * met >= problem.kinks(),
            "{:?}: {met}",
            planted.activations
        );
    });
}

/// The network of two layers with ReLU is the same problem in both types.
fn two_layers_of_relu_are_the_same_problem<B: LinearBackend>(backend: &B) {
    let planted = Planted::new((6, 15, 20), true, 3);
    let two = planted.network(backend).unwrap();
    let [a1, c1, a2, c2] = planted.weights().map(rounded::<B::Scalar>);
    let matrix = |entries: &[B::Scalar], rows: usize, columns: usize| {
        let mut matrix = backend.zeros(rows, columns);
        backend.copy_from_row_major(entries, &mut matrix);
        matrix
    };
    let weights = vec![matrix(&a1, 15, 6), matrix(&a2, 20, 15)];
    let deep = DeepNetwork::new(backend.clone(), weights, vec![Relu.make()]).unwrap();
    let deep = deep.with_biases(vec![c1, c2]).unwrap();
    let target = Target::new(rounded(&planted.unrelated)).unwrap();
    let (one, other) = (
        Inversion::new(&two, &target).unwrap(),
        DeepInversion::new(&deep, &target).unwrap(),
    );
    let x: Vec<B::Scalar> = rounded(&planted.start);
    let (mut of_one, mut of_other) = (one.new_evaluation(), other.new_evaluation());
    one.evaluate(&x, &[2], &mut of_one);
    other.evaluate(&x, &[2], &mut of_other);
    one.differentiate(&mut of_one);
    other.differentiate(&mut of_other);
    let u = B::Scalar::UNIT_ROUNDOFF.to_f64();
    let close = |one: B::Scalar, other: B::Scalar, size: f64| {
        (one.to_f64() - other.to_f64()).abs() <= 64.0 * u * size
    };
    assert!(close(of_one.value(), of_other.value(), 1.0));
    let sizes = of_one.gradient().iter().map(|g| g.to_f64().abs());
    let size = sizes.fold(0.0, f64::max);
    for (&g, &other) in of_one.gradient().iter().zip(of_other.gradient()) {
        assert!(close(g, other, 16.0 * size), "{g} {other}");
    }
    assert_eq!(one.sides(&of_one), other.sides(&of_other));
    // The same estimate of what rounding does, from the same formulas.
    let (e, other_e) = (one.rounding_error(&of_one), other.rounding_error(&of_other));
    assert!(
        (e.to_f64() / other_e.to_f64() - 1.0).abs() < 0.1,
        "{e:e} {other_e:e}"
    );
}

/// Planted inputs of smooth networks and of networks with kinks are found from a start near by.
fn planted_inputs_are_found<B: LinearBackend>(backend: &B) {
    let shapes: [(&[usize], &[ActivationName]); 6] = [
        (&[8, 32, 60], &[Tanh]),
        (&[8, 32, 60], &[Gelu]),
        (&[8, 32, 32, 60], &[Silu, Softplus]),
        (&[8, 32, 32, 60], &[Relu, Relu]),
        (&[8, 32, 32, 32, 60], &[Relu, LeakyRelu(0.1), Relu]),
        (&[8, 32, 24, 60], &[HardTanh, Sigmoid]),
    ];
    for (widths, activations) in shapes {
        for seed in 0..4 {
            let planted = PlantedDeep::new(widths, activations, seed);
            let network = planted.network(backend).unwrap();
            let target = planted.target(&network).unwrap();
            let problem = DeepInversion::new(&network, &target).unwrap();
            let start: Vec<B::Scalar> = rounded(&planted.start);
            let solution = Solver::new().solve(&problem, &start).unwrap();
            let name = format!(
                "{activations:?} {seed}: {} {:e}",
                solution.status, solution.loss
            );
            assert_eq!(solution.status, Status::PerfectFit, "{name}");
            // The loss that is told is that of x.
            let mut at = problem.new_evaluation();
            problem.evaluate(&solution.x, &[], &mut at);
            assert_eq!(at.value(), solution.loss);
        }
    }
}

/// Many targets of a deep network in one campaign, with more threads and with other starts, to the bits of single
/// solves.
#[test]
fn many_targets_are_solved_as_one_by_one() {
    let planted = PlantedDeep::new(&[6, 24, 20, 40], &[Relu, Tanh], 5);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let inputs = (0..9).map(|k| {
        let turn = |(j, x): (usize, &f64)| x * ((k * 6 + j) as f64).cos();
        let x: Vec<f64> = planted.solution.iter().enumerate().map(turn).collect();
        network.probabilities(&x).unwrap()
    });
    let targets: Vec<f64> = inputs.flatten().collect();
    let problems = Problems::new(&network).for_many();
    for starts in [1, 3] {
        let solver = Solver::new().with_threads(2).with_starts(starts);
        let results = problems
            .solve_batch(&solver, &targets, &planted.start)
            .unwrap();
        for (b, result) in targets.chunks_exact(40).zip(results) {
            let target = Target::new(b.to_vec()).unwrap();
            let problem = DeepInversion::new(&network, &target).unwrap();
            let alone = Solver::new().solve(&problem, &planted.start).unwrap();
            let solution = result.unwrap().solution;
            assert!(solution.status.is_converged());
            match starts {
                1 => assert_eq!((solution.x, solution.loss), (alone.x, alone.loss)),
                _ => assert!(solution.loss <= alone.loss),
            }
        }
    }
}

/// Within bounds that half of the entries of the planted input lie on, no iterate is outside, and the answer is
/// met.
#[test]
fn bounds_hold_in_deep_networks() {
    struct Inside<'b>(&'b Bounds<f64>);
    impl Observer<f64> for Inside<'_> {
        fn observe(&mut self, _: &TraceEntry<f64>, x: &[f64]) -> ControlFlow<()> {
            assert!(self.0.contains(x), "{x:?}");
            ControlFlow::Continue(())
        }
    }
    for activations in [[Relu, Relu], [Tanh, LeakyRelu(0.1)]] {
        for seed in 0..4 {
            let planted = PlantedDeep::new(&[8, 32, 24, 60], &activations, seed);
            let network = planted.network(&Faer::<f64>::default()).unwrap();
            let target = planted.target(&network).unwrap();
            let ends = planted.solution.iter().enumerate();
            let ends = ends.map(|(j, &x)| {
                if j % 2 == 0 {
                    (x, x + 1.0)
                } else {
                    (x - 1.0, x + 1.0)
                }
            });
            let (lower, upper) = ends.unzip();
            let bounds = Bounds::new(lower, upper).unwrap();
            let problem = DeepInversion::new(&network, &target).unwrap();
            let problem = problem.with_bounds(&bounds).unwrap();
            let solver = Solver::new();
            let mut model = solver.default_hessian(&problem);
            let solution = solver
                .solve_with(&problem, &mut model, &planted.start, &mut Inside(&bounds))
                .unwrap();
            assert!(bounds.contains(&solution.x));
            assert_eq!(
                solution.status,
                Status::PerfectFit,
                "{activations:?} {seed}: {:e}",
                solution.loss
            );
        }
    }
}

/// With a weight that tends to zero, the answer is the one that is nearest to a point: it moves to where the
/// gradient of the distance has no part along the surface of the outputs b.
#[test]
fn a_small_nearness_leads_to_the_nearest_answer() {
    for activations in [[Tanh, Tanh], [Relu, Gelu]] {
        let planted = PlantedDeep::new(&[12, 20, 16, 5], &activations, 3);
        let network = planted.network(&Faer::<f64>::default()).unwrap();
        let target = planted.target(&network).unwrap();
        let (mut x, mut misfits) = (planted.start.clone(), Vec::new());
        for weight in [1e-4, 1e-6, 1e-8, 1e-10] {
            let near = Nearness::new(planted.far.clone(), weight).unwrap();
            let problem = DeepInversion::new(&network, &target).unwrap();
            let problem = problem.with_nearness(&near).unwrap();
            let solution = Solver::new().solve(&problem, &x).unwrap();
            assert!(solution.status.is_converged(), "{}", solution.status);
            x = solution.x;
            let mut at = problem.new_evaluation();
            problem.evaluate(&x, &[], &mut at);
            problem.differentiate(&mut at);
            if activations == [Tanh, Tanh] {
                let slope = at.gradient().iter().map(|g| g * g).sum::<f64>().sqrt();
                let size = weight * planted.far.iter().map(|x| x * x).sum::<f64>().sqrt();
                assert!(slope < 1e-4 * size, "{slope:e} {size:e}");
            }
            let f = network.probabilities(&x).unwrap();
            let b = target.probabilities();
            let misfit: f64 = f.iter().zip(b).map(|(f, b)| (f - b).powi(2)).sum();
            misfits.push(misfit);
        }
        // In the end it falls like μ².
        assert!(misfits.is_sorted_by(|a, b| a > b), "{misfits:?}");
        assert!(misfits[3] < 1e-3 * misfits[2], "{misfits:?}");
    }
}

fn works_on_every_backend<B: LinearBackend>(backend: &B) {
    two_layers_of_relu_are_the_same_problem(backend);
    planted_inputs_are_found(backend);
}

for_each_backend!(works_on_every_backend);
