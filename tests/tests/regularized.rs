//! The paper's objective, with its regulariser: how soon a solve is near the end, and where it begins.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use twolayer::{Inversion, LinearBackend, Regularizer, Scalar, Solver, Stage};
use twolayer_tests::for_each_backend;
use twolayer_tests::problems::{Planted, rounded};

const SHAPE: (usize, usize, usize) = (12, 48, 400);

/// With an exact model of rows that all count alike; a sample of 4d of them would halve the value at most.
fn few_steps_are_enough<B: LinearBackend>(backend: &B) {
    for (seed, w) in [(1, 1.5), (2, 5.0), (3, 0.5)] {
        let planted = Planted::new(SHAPE, false, seed);
        let network = planted.network(backend).unwrap();
        let target = planted.target(&network).unwrap();
        let weights = Regularizer::uniform(B::Scalar::of(w), SHAPE.2).unwrap();
        let problem = Inversion::new(&network, &target).unwrap();
        let problem = problem.with_regularizer(&weights).unwrap();
        let solution = Solver::new()
            .solve(&problem, &rounded(&planted.start))
            .unwrap();
        assert!(solution.status.is_converged());
        // So much weight makes b cost more than it is worth.
        assert!(
            solution
                .trace
                .iter()
                .all(|entry| entry.stage == Stage::Target)
        );
        let (end, first) = (solution.loss.to_f64(), solution.trace[0].loss.to_f64());
        let after = solution.trace[3].loss.to_f64();
        assert!(
            after - end <= 1e-4 * end,
            "{after} after three steps from {first}, {end} at the end"
        );
    }
}

/// From where log b leads a second descent may end lower, and the first is that of a plain one.
fn the_end_is_no_higher_than_a_plain_descents<B: LinearBackend>(backend: &B) {
    let mut lower = 0;
    for seed in 1..9 {
        let planted = Planted::new(SHAPE, true, seed);
        let network = planted.network(backend).unwrap();
        let target = planted.target(&network).unwrap();
        let weights = Regularizer::uniform(B::Scalar::of(1e-3), SHAPE.2).unwrap();
        let problem = Inversion::new(&network, &target).unwrap();
        let problem = problem.with_regularizer(&weights).unwrap();
        let start = vec![B::Scalar::of(0.1); SHAPE.0];
        let solve = |warm| {
            Solver::new()
                .with_warm_start(warm)
                .solve(&problem, &start)
                .unwrap()
        };
        let (both, plain) = (solve(true), solve(false));
        let roundings = B::Scalar::of(1.0) + B::Scalar::of(64.0) * B::Scalar::UNIT_ROUNDOFF;
        assert!(
            both.loss <= plain.loss * roundings,
            "seed {seed}: {} {}",
            both.loss,
            plain.loss
        );
        lower += usize::from(both.loss.to_f64() < 0.99 * plain.loss.to_f64());
        let first = both
            .trace
            .iter()
            .skip_while(|entry| entry.stage == Stage::Target);
        assert!(first.count() > 0, "no second descent");
        let plain = plain.trace.iter().zip(&both.trace);
        assert!(plain.clone().count() > 3 && plain.take(4).all(|(a, b)| a.loss == b.loss));
    }
    assert!(lower > 0);
}

fn regularised_problems<B: LinearBackend>(backend: &B) {
    few_steps_are_enough(backend);
    the_end_is_no_higher_than_a_plain_descents(backend);
}

for_each_backend!(regularised_problems);
