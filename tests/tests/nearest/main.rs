//! The nearest x with a given output: against all faces of all cells, and against the first-order conditions.

mod brute_force;

use brute_force::{Small, Wanted};
use std::ops::{ControlFlow, Range};
use std::time::Duration;
use twolayer::{
    ActivationName, AnyNetwork, Bounds, DeepNetwork, Error, Goal, LinearBackend, Nearest,
    NearestAnswer, NearestStatus, Scalar, Silent, Solver, Target, TraceEntry,
};
use twolayer_faer::Faer;
use twolayer_tests::cells::outside;
use twolayer_tests::deep::PlantedDeep;
use twolayer_tests::problems::rounded;

fn network<B: LinearBackend>(backend: &B, small: &Small) -> AnyNetwork<B> {
    let (mut a1, mut a2) = (
        backend.zeros(small.n, small.d),
        backend.zeros(small.m, small.n),
    );
    backend.copy_from_row_major(&rounded(&small.a1), &mut a1);
    backend.copy_from_row_major(&rounded(&small.a2), &mut a2);
    let biases = vec![rounded(&small.c1), rounded(&small.c2)];
    AnyNetwork::new(backend.clone(), vec![a1, a2], biases, vec![]).unwrap()
}

fn nearest<B: LinearBackend>(
    backend: &B,
    small: &Small,
    wanted: Wanted,
    starts: usize,
) -> NearestAnswer<B::Scalar> {
    let network = network(backend, small);
    let bounds = Bounds::new(rounded(&small.lower), rounded(&small.upper)).unwrap();
    let target = Target::new(rounded(&small.b)).unwrap();
    let goal = match wanted {
        Wanted::Output => Goal::Output(&target),
        Wanted::AtLeast(probability) => Goal::AtLeast {
            outcome: 0,
            probability: B::Scalar::of(probability),
        },
    };
    let answer = Nearest::new(&network, goal, rounded(&small.reference))
        .and_then(|nearest| nearest.with_scales(rounded(&small.scales)))
        .and_then(|nearest| nearest.with_bounds(&bounds))
        .unwrap()
        .with_starts(starts)
        .solve(&Solver::new(), &mut Silent)
        .unwrap();
    assert!(bounds.contains(&answer.x), "{:?}", answer.x);
    answer
}

/// By how much the output of x misses what is wanted, in logarithms.
fn missed(small: &Small, wanted: Wanted, x: &[f64]) -> f64 {
    let f = small.output(x);
    match wanted {
        Wanted::Output => {
            let ratios = f.iter().zip(&small.b).map(|(f, b)| (f / b).ln());
            ratios.map(f64::abs).fold(0.0, f64::max)
        }
        Wanted::AtLeast(probability) => (probability.ln() - f[0].ln()).max(0.0),
    }
}

/// How often the answer has the wanted output, is the nearest around, and the nearest of all.
#[derive(Debug, Default)]
struct Count {
    problems: usize,
    met: usize,
    local: usize,
    global: usize,
}

fn count(seeds: Range<u64>, units: usize, starts: usize, of_winners: bool) -> Count {
    let mut count = Count::default();
    let backend = Faer::<f64>::sequential();
    for seed in seeds {
        let small = Small::random(seed, units);
        if of_winners && small.m > 2 {
            continue;
        }
        let wanted = match of_winners {
            true => Wanted::AtLeast(small.b[0]),
            false => Wanted::Output,
        };
        let answer = nearest(&backend, &small, wanted, starts);
        let (least, around) = (small.least(wanted), small.least_around(&answer.x, wanted));
        let distance = small.distance(&answer.x);
        count.problems += 1;
        if answer.status != NearestStatus::Nearest {
            continue;
        }
        count.met += 1;
        // The logarithms of outputs are off by roundoffs of the logits, the distance by what that takes x off.
        assert!(missed(&small, wanted, &answer.x) <= 1e-10, "{seed}");
        assert!((distance - answer.distance).abs() <= 1e-12, "{seed}");
        assert!(distance >= least - 1e-8, "{seed}: {distance} {least}");
        count.local += usize::from(distance <= around + 1e-7);
        count.global += usize::from(distance <= least + 1e-7);
    }
    println!("{units} units, {starts} starts: {count:?}");
    count
}

/// x is the nearest of all cells around it, and from eight starts nearly always of all.
#[test]
fn of_all_faces_the_nearest_is_found() {
    for (units, seeds) in [(3, 0..150), (6, 1000..1060), (12, 2000..2100)] {
        for of_winners in [false, true] {
            let one = count(seeds.clone(), units, 1, of_winners);
            let eight = count(seeds.clone(), units, 8, of_winners);
            for count in [&one, &eight] {
                assert!(count.met * 100 >= count.problems * 95, "{count:?}");
                assert_eq!(count.local, count.met, "{count:?}");
            }
            assert!(eight.global * 10 >= eight.problems * 9, "{eight:?}");
        }
    }
}

fn every_backend<B: LinearBackend>(backend: &B) {
    for seed in 3000..3020 {
        let small = Small::random(seed, 4);
        let answer = nearest(backend, &small, Wanted::Output, 2);
        let x: Vec<f64> = answer.x.iter().map(|x| x.to_f64()).collect();
        let tolerance = Nearest::<B>::default_tolerance().to_f64();
        let what = format!("{seed} {} {}", answer.status, B::Scalar::NAME);
        assert!(answer.status.is_converged(), "{what}");
        // Besides the tolerance, what this precision makes of x and the weights.
        let noise = 1e2 * B::Scalar::UNIT_ROUNDOFF.to_f64();
        let missed = missed(&small, Wanted::Output, &x);
        assert!(missed <= 2.0 * tolerance + noise, "{what} {missed:e}");
        let least = small.least(Wanted::Output);
        assert!(small.distance(&x) <= 1.5 * least + 0.5, "{what}");
    }
}

mod backends {
    use super::every_backend;
    twolayer_tests::for_each_backend!(every_backend);
}

fn deep(activation: ActivationName, seed: u64) -> (DeepNetwork<Faer<f64>>, PlantedDeep) {
    let planted = PlantedDeep::new(&[10, 16, 12, 4], &[activation; 2], seed);
    let network = planted.network(&Faer::<f64>::sequential()).unwrap();
    (network, planted)
}

/// log f of a network.
fn logs(network: &DeepNetwork<Faer<f64>>, x: &[f64]) -> Vec<f64> {
    let f = network.probabilities(x).unwrap();
    f.iter().map(|f| f.ln()).collect()
}

/// In a deep, smooth network: x − x_ref is a combination of the slopes of log f, by differences.
#[test]
fn of_a_smooth_network_the_first_order_condition_holds() {
    for seed in 0..10 {
        let (network, planted) = deep(ActivationName::Tanh, seed);
        let target = Target::new(network.probabilities(&planted.solution).unwrap()).unwrap();
        let answer = Nearest::new(&network, Goal::Output(&target), planted.far.clone())
            .unwrap()
            .solve(&Solver::new(), &mut Silent)
            .unwrap();
        assert!(answer.status.is_converged(), "{seed} {answer:?}");
        let wanted = target.log_probabilities();
        for (log, wanted) in logs(&network, &answer.x).iter().zip(wanted) {
            assert!((log - wanted).abs() <= 1e-10, "{seed}");
        }
        let mut rows = vec![vec![0.0; 10]; 4];
        for j in 0..10 {
            let at = |step: f64| {
                let mut x = answer.x.clone();
                x[j] += step;
                logs(&network, &x)
            };
            let (above, below) = (at(1e-5), at(-1e-5));
            for k in 0..4 {
                rows[k][j] = (above[k] - below[k]) / 2e-5;
            }
        }
        let moved: Vec<f64> = answer
            .x
            .iter()
            .zip(&planted.far)
            .map(|(x, r)| x - r)
            .collect();
        let whole = norm(&moved);
        assert!((whole - answer.distance).abs() <= 1e-12 * whole);
        let (_, left) = outside(&basis_of(&rows), &moved);
        // Differences are good to 1e-10 of slopes of size 10.
        assert!(left <= 1e-6 * whole, "{seed} {left:e}");
    }
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// An orthonormal basis of the span of vectors; of the slopes of log f one depends on the others.
fn basis_of(vectors: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut basis = Vec::new();
    for v in vectors {
        let (mut left, length) = outside(&basis, v);
        if length > 1e-6 * norm(v) {
            left.iter_mut().for_each(|x| *x /= length);
            basis.push(left);
        }
    }
    basis
}

/// A winner with exactly the probability that was asked for, at the edge, and no nearer x on the way back has it. Where
/// kinks of the second layer bend on those of the first the first-order test may fail.
#[test]
fn a_winner_is_at_the_edge() {
    let mut nearest = 0;
    for seed in 0..10 {
        let (network, planted) = deep(ActivationName::Relu, seed);
        let before = network.probabilities(&planted.far).unwrap();
        let outcome = (0..4)
            .min_by(|&i, &j| before[i].total_cmp(&before[j]))
            .unwrap();
        let goal = Goal::AtLeast {
            outcome,
            probability: 0.8,
        };
        let answer = Nearest::new(&network, goal, planted.far.clone())
            .unwrap()
            .solve(&Solver::new(), &mut Silent)
            .unwrap();
        let f = network.probabilities(&answer.x).unwrap()[outcome];
        nearest += usize::from(answer.status.is_converged());
        let is_met = answer.status.is_converged() || answer.status == NearestStatus::Met;
        assert!(is_met, "{seed} {answer:?}");
        // Where the test fails there may be a little to spare.
        let spare = if answer.status.is_converged() {
            1e-10
        } else {
            1e-6
        };
        assert!(f >= 0.8 - 1e-10 && f <= 0.8 + spare, "{seed} {f}");
        // On the way back to x_ref it is less likely.
        for part in [1e-3, 1e-2, 0.1] {
            let pairs = answer.x.iter().zip(&planted.far);
            let x: Vec<f64> = pairs.map(|(x, r)| x + part * (r - x)).collect();
            assert!(network.probabilities(&x).unwrap()[outcome] < 0.8, "{seed}");
        }
    }
    assert!(nearest >= 7, "{nearest}");
}

#[test]
fn what_is_had_already_is_at_hand() {
    let (network, planted) = deep(ActivationName::Gelu, 3);
    let f = network.probabilities(&planted.far).unwrap();
    let outcome = (0..4).max_by(|&i, &j| f[i].total_cmp(&f[j])).unwrap();
    let target = Target::new(f.clone()).unwrap();
    let likely = Goal::AtLeast {
        outcome,
        probability: 0.9 * f[outcome],
    };
    for goal in [likely, Goal::Output(&target)] {
        let answer = Nearest::new(&network, goal, planted.far.clone())
            .unwrap()
            .solve(&Solver::new(), &mut Silent)
            .unwrap();
        assert_eq!(answer.x, planted.far);
        assert_eq!((answer.distance, answer.residual), (0.0, 0.0));
        assert!(answer.status.is_converged() && answer.distinct == 1);
    }
}

/// Bounds within which no x is what is wanted, limits, and one who stops it.
#[test]
fn what_is_not_found_is_told() {
    let (network, planted) = deep(ActivationName::Relu, 5);
    let target = Target::new(network.probabilities(&planted.solution).unwrap()).unwrap();
    let around: Vec<f64> = planted.far.clone();
    let less = around.iter().map(|x| x - 1e-3).collect();
    let bounds = Bounds::new(less, around.iter().map(|x| x + 1e-3).collect()).unwrap();
    let goal = Goal::Output(&target);
    let nearest = || Nearest::new(&network, goal, planted.far.clone()).unwrap();
    let within = nearest().with_bounds(&bounds).unwrap().with_starts(3);
    let answer = within.solve(&Solver::new(), &mut Silent).unwrap();
    assert_eq!(answer.status, NearestStatus::NotMet);
    assert!(answer.violation > 1e-3 && answer.distinct == 0);
    assert!(!answer.status.advice().is_empty() && bounds.contains(&answer.x));

    let few = Solver::new().with_max_iterations(3);
    let answer = nearest().solve(&few, &mut Silent).unwrap();
    assert_eq!(answer.status, NearestStatus::IterationLimit);
    assert!(answer.iterations <= 3);
    let short = Solver::new().with_time_limit(Duration::ZERO);
    let answer = nearest().solve(&short, &mut Silent).unwrap();
    assert_eq!(answer.status, NearestStatus::TimeLimit);
    let mut seen = 0;
    let mut stop = |_: &TraceEntry<f64>, _: &[f64]| {
        seen += 1;
        match seen {
            5 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    let answer = nearest().solve(&Solver::new(), &mut stop).unwrap();
    assert_eq!((answer.status, seen), (NearestStatus::Stopped, 5));
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let (network, planted) = deep(ActivationName::Relu, 0);
    let said = |goal: Goal<'_, f64>, reference: Vec<f64>| {
        Nearest::new(&network, goal, reference)
            .unwrap_err()
            .to_string()
    };
    let far = || planted.far.clone();
    let only = Target::new(vec![1.0, 0.0, 0.0, 0.0]).unwrap();
    assert!(
        said(Goal::Output(&only), far())
            .contains("b[1] is 0; an x with this output is at infinity")
    );
    let short = Target::new(vec![0.5, 0.5]).unwrap();
    assert!(said(Goal::Output(&short), far()).contains("shape (2,)"));
    let winner = |outcome, probability| Goal::AtLeast {
        outcome,
        probability,
    };
    assert!(said(winner(4, 0.5), far()).contains("want is 4"));
    for probability in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(said(winner(0, probability), far()).contains("margin"));
    }
    assert!(said(winner(0, 0.5), vec![0.0; 3]).contains("x_ref has shape (3,)"));
    assert!(said(winner(0, 0.5), vec![f64::NAN; 10]).contains("x_ref[0]"));
    let nearest = || Nearest::new(&network, winner(0, 0.5), far()).unwrap();
    let scales = |scales: Vec<f64>| nearest().with_scales(scales).unwrap_err().to_string();
    assert!(scales(vec![1.0; 3]).contains("near_scales has shape (3,)"));
    assert!(scales(vec![-1.0; 10]).contains("at least 0"));
    assert!(scales(vec![0.0; 10]).contains("above 0 somewhere"));
    assert!(nearest().with_tolerance(0.0).is_err());
    assert!(nearest().with_radius(-1.0).is_err());
    let bounds = Bounds::new(vec![2.0; 10], vec![3.0; 10]).unwrap();
    let outside = nearest().with_bounds(&bounds).unwrap().with_radius(1.0);
    assert!(matches!(outside, Err(Error::BoundsOutsideBall { .. })));
}
