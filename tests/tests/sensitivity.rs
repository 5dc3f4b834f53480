//! Derivatives of answers, on every backend in both precisions, against those of one.

use twolayer::{
    Change, Inversion, KullbackLeibler, LinearBackend, Nearness, Regularizer, Scalar, Sensitivity,
    Solver, Target,
};
use twolayer_faer::Faer;
use twolayer_tests::for_each_backend;
use twolayer_tests::problems::{Planted, rounded};

const SHAPE: (usize, usize, usize) = (6, 30, 9);

/// Products along changes of b and A1, and of the transposed derivatives, with what rounding may be of them and
/// the kinks that hold the answer.
struct Products {
    moved: Vec<f64>,
    by_target: Vec<f64>,
    by_bias: Vec<f64>,
    error: f64,
    pinned: Vec<usize>,
}

fn products<B: LinearBackend>(backend: &B, seed: u64) -> Option<Products> {
    let planted = Planted::new(SHAPE, true, seed);
    let network = planted.network(backend).unwrap();
    let target = Target::new(rounded(&planted.unrelated)).unwrap();
    let nearness = Nearness::new(rounded(&planted.start), B::Scalar::of(0.25)).unwrap();
    let weights = Regularizer::uniform(B::Scalar::of(0.05), SHAPE.2).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let problem = problem.with_loss(&KullbackLeibler).with_nearness(&nearness);
    let problem = problem.unwrap().with_regularizer(&weights).unwrap();
    let start = rounded(&planted.start);
    let solution = Solver::new().with_warm_start(false).solve(&problem, &start);
    let solution = solution.unwrap();
    let sensitivity = Sensitivity::new(&problem, &solution).ok()?;
    let wave = |length: usize| -> Vec<B::Scalar> {
        (0..length)
            .map(|i| B::Scalar::of((1.0 + 2.0 * i as f64).sin()))
            .collect()
    };
    let (db, entries) = (wave(SHAPE.2), wave(SHAPE.1 * SHAPE.0));
    let mut da = backend.zeros(SHAPE.1, SHAPE.0);
    backend.copy_from_row_major(&entries, &mut da);
    let change = Change::new().with_target(&db).with_weights(0, &da);
    let moved = sensitivity.jvp(&change).unwrap();
    let gradients = sensitivity.vjp(&wave(SHAPE.0)).unwrap();
    let wide = |v: &[B::Scalar]| v.iter().map(|v| v.to_f64()).collect();
    let mut pinned = solution.pinned;
    pinned.sort_unstable();
    Some(Products {
        moved: wide(&moved),
        by_target: wide(&gradients.target.unwrap()),
        by_bias: wide(&gradients.layers[0].bias),
        error: sensitivity.relative_error(),
        pinned,
    })
}

fn check<B: LinearBackend>(backend: &B) {
    let mut compared = [0, 0];
    for seed in 0..24 {
        let reference = products(&Faer::<f64>::sequential(), seed);
        let (Some(found), Some(reference)) = (products(backend, seed), reference) else {
            continue;
        };
        // Where rounding has led to another minimum, or off a kink, there is nothing to compare.
        if found.pinned != reference.pinned {
            continue;
        }
        // x is known to the root of a roundoff, by values of the objective.
        let tolerance = 64.0 * (B::Scalar::UNIT_ROUNDOFF.to_f64().sqrt() + found.error);
        for (mine, other) in [
            (&found.moved, &reference.moved),
            (&found.by_target, &reference.by_target),
            (&found.by_bias, &reference.by_bias),
        ] {
            let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
            let off = norm(&mut mine.iter().zip(other).map(|(a, b)| a - b));
            let size = norm(&mut other.iter().copied());
            assert!(
                off <= tolerance * size,
                "{seed}: {} of {size:e}",
                off / size
            );
        }
        compared[usize::from(!found.pinned.is_empty())] += 1;
    }
    assert!(compared[0] >= 3 && compared[1] >= 3, "{compared:?}");
}

for_each_backend!(check);
