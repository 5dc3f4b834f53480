//! More inputs than hidden units: solved in the row space of A1.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use twolayer::{
    Evaluation, LinearBackend, Objective, Problems, Regularizer, Scalar, Solver, Status, TwoLayer,
};
use twolayer_tests::for_each_backend;
use twolayer_tests::problems::{Planted, rounded};

/// m below n, and above it.
const SHAPES: [(usize, usize, usize); 3] = [(40, 12, 5), (64, 20, 30), (30, 29, 6)];

/// Rows of A1, made orthonormal one after the other, in double precision.
fn row_space(planted: &Planted) -> Vec<Vec<f64>> {
    let d = planted.shape.0;
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for row in planted.weights()[0].chunks_exact(d) {
        let mut row = row.to_vec();
        for _ in 0..2 {
            for known in &basis {
                let along: f64 = row.iter().zip(known).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(known).for_each(|(a, b)| *a -= along * b);
            }
        }
        let length = norm(&row);
        basis.push(row.iter().map(|a| a / length).collect());
    }
    basis
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn what_no_unit_sees_stays_as_it_was<B: LinearBackend>(backend: &B) {
    for (shape, seed) in SHAPES.into_iter().zip(1..) {
        let planted = Planted::new(shape, true, seed);
        let network = planted.network(backend).unwrap();
        let b = network.probabilities(&rounded(&planted.solution)).unwrap();
        let start = rounded::<B::Scalar>(&planted.start);
        let problems = Problems::new(&network);
        let results = problems.solve_batch(&Solver::new(), &b, &start).unwrap();
        let solution = &results[0].as_ref().unwrap().solution;
        assert_eq!(solution.status, Status::PerfectFit, "{shape:?}");
        assert_eq!(solution.x.len(), shape.0);
        // The loss that is told is that of the x that is given back.
        let f = network.probabilities(&solution.x).unwrap();
        let loss: f64 = f
            .iter()
            .zip(&b)
            .map(|(f, b)| (f.to_f64() - b.to_f64()).powi(2))
            .sum();
        let u = B::Scalar::UNIT_ROUNDOFF.to_f64();
        assert!(
            (loss - solution.loss.to_f64()).abs() <= 64.0 * u * u,
            "{loss:e}"
        );
        let pairs = solution.x.iter().zip(&start);
        let moved: Vec<f64> = pairs.map(|(x, x0)| x.to_f64() - x0.to_f64()).collect();
        let mut outside = moved.clone();
        for known in row_space(&planted) {
            let along: f64 = outside.iter().zip(&known).map(|(a, b)| a * b).sum();
            outside
                .iter_mut()
                .zip(&known)
                .for_each(|(a, b)| *a -= along * b);
        }
        // The rows of a Gaussian A1 of these shapes have a condition number below 100.
        let (left, size) = (norm(&outside), norm(&planted.start));
        assert!(
            left <= 100.0 * 8.0 * u * size,
            "{shape:?}: {left:e} of {:e}",
            norm(&moved)
        );
        assert!(norm(&moved) > 1e-3);
    }
}

/// Rows that are alike, or nearly: all unknowns are used, or what is lost on the way back is made good.
fn dependent_rows_are_no_obstacle<B: LinearBackend>(backend: &B) {
    let (d, n, m) = (40, 16, 3);
    let planted = Planted::new((d, n, m), true, 8);
    let [a1, c1, a2, c2] = planted.weights();
    let u = B::Scalar::UNIT_ROUNDOFF.to_f64();
    let roots = [1.0, 12.0, 16.0, 24.0].map(|multiple: f64| multiple * u.sqrt());
    for apart in [0.0, u, u.powf(0.4), u.powf(0.25)].into_iter().chain(roots) {
        let mut rows = a1.to_vec();
        for j in 0..d {
            rows[d + j] = rows[j] + apart * rows[d + j];
        }
        let (mut first, mut second) = (backend.zeros(n, d), backend.zeros(m, n));
        backend.copy_from_row_major(&rounded::<B::Scalar>(&rows), &mut first);
        backend.copy_from_row_major(&rounded::<B::Scalar>(a2), &mut second);
        let network = TwoLayer::new(backend.clone(), first, second).unwrap();
        let network = network.with_biases(rounded(c1), rounded(c2)).unwrap();
        let b = network.probabilities(&rounded(&planted.solution)).unwrap();
        let start = rounded::<B::Scalar>(&planted.start);
        let problems = Problems::new(&network);
        let results = problems.solve_batch(&Solver::new(), &b, &start).unwrap();
        let solution = &results[0].as_ref().unwrap().solution;
        assert_eq!(solution.status, Status::PerfectFit, "{apart:e}");
        // One table, whether the rest of the way was gone in all unknowns or not.
        let entries = solution.trace.windows(2);
        let mut counted = entries.map(|pair| (pair[0].iteration, pair[1].iteration));
        assert!(counted.all(|(before, after)| after == before || after == before + 1));
        assert_eq!(
            solution.trace.last().unwrap().iteration,
            solution.iterations
        );
        let f = network.probabilities(&solution.x).unwrap();
        let off = f
            .iter()
            .zip(&b)
            .map(|(f, b)| (f.to_f64() - b.to_f64()).abs());
        assert!(off.fold(0.0, f64::max) <= 64.0 * u, "{apart:e}");
    }
}

fn the_ball_and_the_regulariser_hold<B: LinearBackend>(backend: &B) {
    let planted = Planted::new((40, 12, 5), true, 4);
    let network = planted.network(backend).unwrap();
    let b = network.probabilities(&rounded(&planted.solution)).unwrap();
    let radius = 1.0;
    let in_a_ball = Problems::new(&network)
        .with_radius(B::Scalar::of(radius))
        .unwrap();
    let start = vec![B::Scalar::of(0.1); 40];
    let results = in_a_ball.solve_batch(&Solver::new(), &b, &start).unwrap();
    let solution = &results[0].as_ref().unwrap().solution;
    let x: Vec<f64> = solution.x.iter().map(|x| x.to_f64()).collect();
    assert!(solution.status.is_converged());
    assert!(norm(&x) <= radius * (1.0 + 8.0 * B::Scalar::UNIT_ROUNDOFF.to_f64()));
    let weights = Regularizer::uniform(B::Scalar::of(0.5), 5).unwrap();
    let regularised = Problems::new(&network).with_regularizer(&weights).unwrap();
    let results = regularised.solve_batch(&Solver::new(), &b, &start).unwrap();
    let solution = &results[0].as_ref().unwrap().solution;
    assert!(solution.status.is_converged());
    let whole = regularised
        .inversion(planted.target(&network).unwrap())
        .unwrap();
    let mut at = whole.new_evaluation();
    whole.evaluate(&solution.x, &[], &mut at);
    assert_eq!(at.value(), solution.loss);
    assert!(at.two_layers().unwrap().penalty() > B::Scalar::of(0.0));
}

fn wide_networks<B: LinearBackend>(backend: &B) {
    what_no_unit_sees_stays_as_it_was(backend);
    dependent_rows_are_no_obstacle(backend);
    the_ball_and_the_regulariser_hold(backend);
}

for_each_backend!(wide_networks);
