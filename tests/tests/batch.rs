//! Many targets at once are as many single solves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's way to fail")]

use twolayer::{BatchResult, Solution, Solver, Status};
use twolayer::{
    Error, Inversion, KullbackLeibler, LinearBackend, Problems, Regularizer, Scalar, Target,
    TwoLayer,
};
use twolayer_faer::Faer;
use twolayer_nalgebra::Nalgebra;
use twolayer_ndarray::Ndarray;
use twolayer_tests::detector::Detector;
use twolayer_tests::problems::{Planted, rounded};

const SHAPE: (usize, usize, usize) = (10, 60, 300);
const TARGETS: usize = 9;

/// A network, K of its own outputs and one distribution that has nothing to do with it, row after
/// row, and K starts.
fn problem<B: LinearBackend>(backend: &B) -> (TwoLayer<B>, Vec<B::Scalar>, Vec<B::Scalar>) {
    let planted = Planted::new(SHAPE, true, 3);
    let network = planted.network(backend).unwrap();
    let (mut targets, mut starts) = (Vec::new(), Vec::new());
    for k in 0..TARGETS {
        let turned =
            |v: &[f64]| -> Vec<f64> { (0..v.len()).map(|i| v[(i + k) % v.len()]).collect() };
        let x = rounded(&turned(&planted.solution));
        targets.extend(network.probabilities(&x).unwrap());
        starts.extend(rounded::<B::Scalar>(&turned(&planted.start)));
    }
    targets.extend(rounded::<B::Scalar>(&planted.unrelated));
    starts.extend(rounded::<B::Scalar>(&planted.start));
    (network, targets, starts)
}

/// All that is not time.
type Answer<T> = (Vec<T>, T, T, Status, usize, Vec<usize>, Vec<(T, usize)>);

fn answer<T: Scalar>(solution: &Solution<T>) -> Answer<T> {
    (
        solution.x.clone(),
        solution.loss,
        solution.gradient_norm,
        solution.status,
        solution.iterations,
        solution.pinned.clone(),
        solution.trace.iter().map(|e| (e.loss, e.flips)).collect(),
    )
}

fn answers<T: Scalar>(results: &[BatchResult<T>]) -> Vec<Answer<T>> {
    let solved = results.iter().map(|result| result.as_ref().unwrap());
    solved.map(|solved| answer(&solved.solution)).collect()
}

/// One after the other, each in a solve of its own.
fn alone<B: LinearBackend>(
    problems: &Problems<'_, B>,
    targets: &[B::Scalar],
    starts: &[B::Scalar],
) -> Vec<Answer<B::Scalar>> {
    let (m, d) = (problems.network().outcomes(), problems.network().inputs());
    let solve = |(k, b): (usize, &[B::Scalar])| {
        let objective = problems
            .inversion(Target::new(b.to_vec()).unwrap())
            .unwrap();
        let start = if starts.len() == d {
            starts
        } else {
            &starts[k * d..][..d]
        };
        answer(&Solver::new().solve(&objective, start).unwrap())
    };
    targets.chunks(m).enumerate().map(solve).collect()
}

fn same_as_alone<B: LinearBackend>(backend: &B) {
    let (network, targets, starts) = problem(backend);
    let weak = Regularizer::uniform(B::Scalar::of(1e-4), SHAPE.2).unwrap();
    let radius = B::Scalar::of(3.0);
    let plain = Problems::new(&network);
    for problems in [
        plain.clone(),
        plain.clone().with_loss(&KullbackLeibler),
        plain.clone().with_regularizer(&weak).unwrap(),
        plain.with_radius(radius).unwrap(),
    ] {
        let inside = vec![B::Scalar::of(0.1); SHAPE.0];
        for starts in [&starts[..], &inside] {
            if problems.radius().is_some() && starts.len() > SHAPE.0 {
                continue;
            }
            let expected = alone(&problems, &targets, starts);
            for threads in [1, 2, 3] {
                let solver = Solver::new().with_threads(threads);
                let together = problems.solve_batch(&solver, &targets, starts).unwrap();
                assert!(answers(&together) == expected, "{threads} threads");
            }
            // The order and the company do not matter.
            let m = SHAPE.2;
            let backwards: Vec<_> = targets.rchunks(m).take(4).flatten().copied().collect();
            let turned: Vec<_> = if starts.len() == SHAPE.0 {
                starts.to_vec()
            } else {
                starts.rchunks(SHAPE.0).take(4).flatten().copied().collect()
            };
            let together = problems.solve_batch(&Solver::new(), &backwards, &turned);
            let last: Vec<_> = expected.iter().rev().take(4).cloned().collect();
            assert!(answers(&together.unwrap()) == last, "backwards");
        }
    }
}

#[test]
fn a_batch_is_as_many_single_solves_bit_by_bit() {
    same_as_alone(&Faer::<f64>::with_threads(2));
    same_as_alone(&Faer::<f32>::with_threads(3));
    same_as_alone(&Nalgebra::<f64>::default());
    same_as_alone(&Ndarray::<f64>::default());
}

/// What is made once for many targets leads each to the same answer in another way, which does not
/// depend on the others that it is begun together with.
fn one_of_many_is_as_alone<B: LinearBackend>(backend: &B) {
    let (network, targets, starts) = problem(backend);
    let plain = Problems::new(&network);
    let many = plain.clone().for_many();
    let expected = alone(&many, &targets, &starts);
    for threads in [1, 2, 3] {
        let solver = Solver::new().with_threads(threads);
        let together = many.solve_batch(&solver, &targets, &starts).unwrap();
        assert!(answers(&together) == expected, "{threads} threads");
    }
    let backwards = |rows: &[B::Scalar], length| -> Vec<_> {
        rows.rchunks(length).take(5).flatten().copied().collect()
    };
    let solver = Solver::new().with_threads(1);
    let (b, x0) = (backwards(&targets, SHAPE.2), backwards(&starts, SHAPE.0));
    let together = many.solve_batch(&solver, &b, &x0).unwrap();
    let last: Vec<_> = expected.iter().rev().take(5).cloned().collect();
    assert!(answers(&together) == last, "backwards");

    // Whether a target is good or not is nothing to the others.
    let mut spoilt = targets.clone();
    spoilt[3 * SHAPE.2] = num_traits::Float::nan();
    let mut astray = starts.clone();
    astray[5 * SHAPE.0] = num_traits::Float::infinity();
    let together = many.solve_batch(&solver, &spoilt, &astray).unwrap();
    for (k, (result, expected)) in together.iter().zip(&expected).enumerate() {
        match result {
            Err(_) => assert!(k == 3 || k == 5, "target {k}"),
            Ok(solved) => assert!(k != 3 && k != 5 && answer(&solved.solution) == *expected),
        }
    }
}

#[test]
fn one_of_many_does_not_depend_on_the_others() {
    one_of_many_is_as_alone(&Faer::<f64>::with_threads(2));
    one_of_many_is_as_alone(&Faer::<f32>::default());
    one_of_many_is_as_alone(&Nalgebra::<f64>::default());
    one_of_many_is_as_alone(&Ndarray::<f64>::default());
}

#[test]
fn one_of_many_has_the_answer_of_a_single_solve() {
    let (network, targets, starts) = problem(&Faer::<f64>::default());
    let plain = Problems::new(&network);
    let many = plain.clone().for_many();
    let together = many.solve_batch(&Solver::new(), &targets, &starts).unwrap();
    let expected = alone(&plain, &targets, &starts);
    for (found, expected) in answers(&together).iter().zip(&expected).take(TARGETS) {
        assert!(found.3 == Status::PerfectFit && expected.3 == Status::PerfectFit);
        let apart = found
            .0
            .iter()
            .zip(&expected.0)
            .map(|(a, b)| (a - b).powi(2));
        // Both lie within rounding of the same point, seen through C and its inverse.
        assert!(apart.sum::<f64>().sqrt() < 1e-11);
    }
}

/// Products large enough for faer to share out: one target has all threads in a batch of one, and
/// one thread in a batch of two.
#[test]
fn threads_inside_and_across_give_the_same_bits() {
    let planted = Planted::new((40, 160, 4000), false, 8);
    let network = planted.network(&Faer::<f64>::with_threads(2)).unwrap();
    let b = planted.target(&network).unwrap();
    let problems = Problems::new(&network);
    let solver = Solver::new().with_threads(2);
    let one = problems
        .solve_batch(&solver, b.probabilities(), &planted.start)
        .unwrap();
    let twice = [b.probabilities(), b.probabilities()].concat();
    let two = problems
        .solve_batch(&solver, &twice, &planted.start)
        .unwrap();
    let [first, second] = &answers(&two)[..] else {
        panic!("two answers")
    };
    assert!(*first == answers(&one)[0] && first == second);
    let alone = Inversion::new(&network, &b).unwrap();
    assert!(*first == answer(&Solver::new().solve(&alone, &planted.start).unwrap()));
}

#[test]
fn one_bad_target_does_not_disturb_the_others() {
    let (network, mut targets, mut starts) = problem(&Faer::<f64>::default());
    let problems = Problems::new(&network);
    let expected = alone(&problems, &targets, &starts);
    let m = SHAPE.2;
    targets[2 * m + 5] = f64::NAN;
    targets[4 * m] = -0.5;
    starts[6 * SHAPE.0 + 1] = f64::INFINITY;
    let together = problems
        .solve_batch(&Solver::new(), &targets, &starts)
        .unwrap();
    for (k, (result, expected)) in together.iter().zip(&expected).enumerate() {
        match (k, result) {
            (2, Err(Error::NotFinite { name: "b", .. }))
            | (4, Err(Error::NegativeProbability { name: "b", .. }))
            | (6, Err(Error::NotFinite { name: "x0", .. })) => {}
            (2 | 4 | 6, _) => panic!("target {k} is no good: {result:?}"),
            (_, result) => assert!(answer(&result.as_ref().unwrap().solution) == *expected),
        }
    }
    // A shared start that is no good is every target's error.
    let nowhere = vec![f64::NAN; SHAPE.0];
    let all = problems
        .solve_batch(&Solver::new(), &targets, &nowhere)
        .unwrap();
    assert!(all.iter().all(Result::is_err));
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let (network, targets, starts) = problem(&Faer::<f64>::default());
    let problems = Problems::new(&network);
    let refused = |targets: &[f64], starts: &[f64]| {
        let error = problems
            .solve_batch(&Solver::new(), targets, starts)
            .unwrap_err();
        error.to_string()
    };
    assert!(refused(&targets[1..], &starts).starts_with("targets has shape (2999,)"));
    assert!(refused(&[], &starts).starts_with("targets has shape (0,)"));
    assert!(refused(&targets, &starts[10..]).starts_with("starts has shape (90,)"));
}

/// Real targets, some of them near to each other. With so few iterations not all are met from the
/// first start; the solution of a neighbour is a better one.
#[test]
fn other_starts_are_tried_where_the_first_does_not_fit() {
    let detector = Detector::read("cld3.npz").unwrap();
    let network = detector.network(&Faer::<f64>::default()).unwrap();
    let problems = Problems::new(&network);
    let targets: Vec<f64> = detector.targets().flatten().copied().collect();
    let weak = Solver::new().with_max_iterations(12);
    let start = &detector.start;
    let once = problems.solve_batch(&weak, &targets, start).unwrap();
    let fits = |results: &[BatchResult<f64>]| {
        let all = results.iter().map(|result| result.as_ref().unwrap());
        all.filter(|s| s.solution.status == Status::PerfectFit)
            .count()
    };
    let more = weak.with_starts(6);
    let often = problems.solve_batch(&more, &targets, start).unwrap();
    println!("{} fits, then {}", fits(&once), fits(&often));
    assert!(fits(&once) > 1 && fits(&often) > fits(&once));
    for (once, often) in once.iter().zip(&often) {
        let (once, often) = (once.as_ref().unwrap(), often.as_ref().unwrap());
        assert_eq!(once.starts, 1);
        if once.solution.status == Status::PerfectFit {
            assert!(often.starts == 1 && answer(&often.solution) == answer(&once.solution));
        } else {
            assert!((2..=6).contains(&often.starts));
            assert!(often.solution.loss <= once.solution.loss);
            let fits = often.solution.status == Status::PerfectFit;
            assert!(fits || often.starts == 6);
        }
    }
    // The number of threads does not matter here either.
    let again = problems
        .solve_batch(&more.with_threads(1), &targets, start)
        .unwrap();
    assert!(answers(&again) == answers(&often));
}
