//! Targets that the network cannot produce: told before any is looked for, and descended to at once.

use twolayer::{Inversion, LinearBackend, Scalar, Target, TwoLayer};
use twolayer::{Solver, Stage};
use twolayer_faer::Faer;
use twolayer_tests::for_each_backend;
use twolayer_tests::problems::{Planted, rounded};

/// softmax(z + σ N(0, I)), z the logits at x*.
fn noisy<B: LinearBackend>(
    planted: &Planted,
    network: &TwoLayer<B>,
    sigma: f64,
) -> Target<B::Scalar> {
    let b = network.probabilities(&rounded(&planted.solution)).unwrap();
    let noisy = b.iter().zip(&planted.unrelated);
    let noisy: Vec<f64> = noisy.map(|(b, e)| b.to_f64() * e.powf(sigma)).collect();
    let total: f64 = noisy.iter().sum();
    let noisy: Vec<f64> = noisy.iter().map(|b| b / total).collect();
    Target::new(rounded(&noisy)).unwrap()
}

fn what_is_far_off_is_told<B: LinearBackend>(backend: &B) {
    for (shape, seed) in [((6, 24, 90), 1), ((12, 48, 300), 2), ((3, 60, 100), 3)] {
        for biased in [false, true] {
            let planted = Planted::new(shape, biased, seed);
            let network = planted.network(backend).unwrap();
            let tell = |sigma| {
                let target = noisy(&planted, &network, sigma);
                Inversion::new(&network, &target).unwrap().is_out_of_reach()
            };
            // An estimate of σ from a few dozen numbers, against 0.1.
            assert!(!tell(0.0) && !tell(0.02), "{shape:?} of {}", backend.name());
            assert!(tell(0.4), "{shape:?} of {}", backend.name());
        }
    }
}

for_each_backend!(what_is_far_off_is_told);

#[test]
fn nothing_is_told_where_it_cannot_be() {
    // As many outcomes as units: every b is that of some activation.
    let planted = Planted::new((6, 60, 50), true, 4);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let target = noisy(&planted, &network, 0.5);
    assert!(!Inversion::new(&network, &target).unwrap().is_out_of_reach());
    // A zero has no logarithm.
    let planted = Planted::new((6, 24, 90), true, 4);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let mut b = vec![1.0 / 60.0; 90];
    b[..30].fill(0.0);
    let target = Target::new(b).unwrap();
    assert!(!Inversion::new(&network, &target).unwrap().is_out_of_reach());
}

/// From nearby the descent goes to the loss itself after the cheapest of the easier objectives.
#[test]
fn a_near_target_out_of_reach_is_descended_to_at_once() {
    let planted = Planted::new((16, 64, 400), true, 5);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let target = noisy(&planted, &network, 0.3);
    let problem = Inversion::new(&network, &target).unwrap();
    let solution = Solver::new().solve(&problem, &planted.start).unwrap();
    assert!(solution.status.is_converged(), "{}", solution.status);
    let warm = solution
        .trace
        .iter()
        .filter(|e| e.stage == Stage::WarmStart);
    let last = warm.map(|entry| entry.restart).max();
    assert_eq!(last, Some(0));
    // From far away the others are of use.
    let far: Vec<f64> = planted.solution.iter().map(|x| -x).collect();
    let solution = Solver::new().solve(&problem, &far).unwrap();
    let warm = solution
        .trace
        .iter()
        .filter(|e| e.stage == Stage::WarmStart);
    assert!(warm.map(|entry| entry.restart).max() > Some(0));
}
