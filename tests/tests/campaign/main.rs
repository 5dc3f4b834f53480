//! A campaign over many targets: what it may depend on, what it goes on from, how it ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's way to fail")]

mod keeper;
mod time;

use twolayer::{
    BatchResult, LinearBackend, Problems, Scalar, Solution, Solved, Solver, Status, TwoLayer,
};
use twolayer_faer::Faer;
use twolayer_nalgebra::Nalgebra;
use twolayer_tests::problems::{Planted, rounded};

const SHAPE: (usize, usize, usize) = (6, 24, 12);
const TARGETS: usize = 21;

/// K targets and their starts, row after row.
#[derive(Clone)]
struct Rows<T> {
    targets: Vec<T>,
    starts: Vec<T>,
}

impl<T: Scalar> Rows<T> {
    fn count(&self) -> usize {
        self.targets.len() / SHAPE.2
    }

    /// Some of them, in another order.
    fn of(&self, numbers: &[usize]) -> Self {
        let rows = |all: &[T], length: usize| -> Vec<T> {
            let rows = numbers.iter().flat_map(|&k| &all[k * length..][..length]);
            rows.copied().collect()
        };
        Self {
            targets: rows(&self.targets, SHAPE.2),
            starts: rows(&self.starts, SHAPE.0),
        }
    }
}

/// Twelve outputs of the network, some of them met from these starts, and means of two, which mostly
/// are none. One target is there three times: twice from one start, once from another.
fn problem<B: LinearBackend>(backend: &B, seed: u64) -> (TwoLayer<B>, Rows<B::Scalar>) {
    let planted = Planted::new(SHAPE, true, seed);
    let network = planted.network(backend).unwrap();
    let point = |k: usize, scale: f64| -> Vec<B::Scalar> {
        let d = SHAPE.0;
        let turned: Vec<f64> = (0..d)
            .map(|i| scale * planted.solution[(i + k) % d] + 0.1 * k as f64)
            .collect();
        rounded(&turned)
    };
    let outputs: Vec<_> = (0..12)
        .map(|k| network.probabilities(&point(k, 1.0)).unwrap())
        .collect();
    let mean = |k: usize| -> Vec<B::Scalar> {
        let pairs = outputs[k].iter().zip(&outputs[k + 3]);
        pairs.map(|(&p, &q)| B::Scalar::of(0.5) * (p + q)).collect()
    };
    let mut targets = outputs.concat();
    targets.extend((0..TARGETS - 14).flat_map(mean));
    let mut starts: Vec<_> = (0..TARGETS - 2).flat_map(|k| point(k + 5, -0.5)).collect();
    for start in [&point(5, -0.5), &point(9, 0.3)] {
        targets.extend(&outputs[0]);
        starts.extend(start);
    }
    (network, Rows { targets, starts })
}

/// All that is not time.
type Answered<T> = (Vec<T>, [T; 2], Status, usize, usize);

fn answered<T: Scalar>(solved: &Solved<T>) -> Answered<T> {
    let Solution {
        x,
        loss,
        gradient_norm,
        status,
        iterations,
        ..
    } = &solved.solution;
    let numbers = [*loss, *gradient_norm];
    (x.clone(), numbers, *status, *iterations, solved.starts)
}

fn all<T: Scalar>(results: &[BatchResult<T>]) -> Vec<Answered<T>> {
    let solved = results.iter().map(|result| result.as_ref().unwrap());
    solved.map(answered).collect()
}

/// Orders that mix everything: backwards, by steps, and in halves.
fn orders(count: usize) -> [Vec<usize>; 3] {
    let by_steps = (0..count).map(|k| k * 8 % count).collect();
    let halves = (0..count).map(|k| (k + count / 2) % count).collect();
    [(0..count).rev().collect(), by_steps, halves]
}

fn no_order_matters<B: LinearBackend>(backend: &B) {
    let mut helped = 0;
    for seed in 0..4 {
        let (network, rows) = problem(backend, seed);
        for problems in [Problems::new(&network), Problems::new(&network).for_many()] {
            let solve = |rows: &Rows<_>, starts: usize, threads: usize| {
                let solver = Solver::new().with_starts(starts).with_threads(threads);
                let results = problems.solve_batch(&solver, &rows.targets, &rows.starts);
                all(&results.unwrap())
            };
            let once = solve(&rows, 1, 2);
            let expected = solve(&rows, 6, 2);
            assert_eq!(once.len(), TARGETS);
            let is_helped = |(once, often): &(&Answered<_>, &Answered<_>)| once.0 != often.0;
            helped += once.iter().zip(&expected).filter(is_helped).count();
            for (number, order) in orders(TARGETS).iter().enumerate() {
                let found = solve(&rows.of(order), 6, 1 + number);
                for (place, &k) in order.iter().enumerate() {
                    assert!(found[place] == expected[k], "seed {seed}, target {k}");
                }
            }
        }
    }
    println!("{helped} targets were helped by other starts");
    assert!(helped > 4);
}

#[test]
fn other_starts_do_not_depend_on_the_order() {
    no_order_matters(&Faer::<f64>::default());
    no_order_matters(&Faer::<f32>::default());
    no_order_matters(&Nalgebra::<f64>::default());
}

/// Targets of which none is met: there are no neighbours, and random starts lie around each target's
/// own, not around that of the first.
#[test]
fn nor_do_random_starts_without_neighbours() {
    let backend = Faer::<f64>::default();
    let (network, rows) = problem(&backend, 1);
    let problems = Problems::new(&network);
    let solver = Solver::new().with_starts(4);
    let once = problems.solve_batch(&Solver::new(), &rows.targets, &rows.starts);
    let met = |result: &BatchResult<f64>| result.as_ref().unwrap().is_met();
    let once = once.unwrap();
    let open: Vec<usize> = (0..TARGETS).filter(|&k| !met(&once[k])).collect();
    assert!(open.len() > 3);
    let solve = |numbers: &[usize]| {
        let rows = rows.of(numbers);
        all(&problems
            .solve_batch(&solver, &rows.targets, &rows.starts)
            .unwrap())
    };
    let expected = solve(&open);
    for order in orders(open.len()) {
        let numbers: Vec<usize> = order.iter().map(|&place| open[place]).collect();
        let found = solve(&numbers);
        for (&place, found) in order.iter().zip(&found) {
            assert!(*found == expected[place]);
        }
    }
    // Alone a target has the same random starts.
    assert!(solve(&open[2..3])[0] == expected[2]);
}
