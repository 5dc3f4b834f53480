//! The source of starts goes on, alone and on several ways, where its state says that it was.

use twolayer_core::{Inversion, LinearBackend, Objective, Restarts};
use twolayer_tests::for_each_backend;
use twolayer_tests::problems::{Planted, rounded};

/// The first burst is the continuation's, the second is made with one metric, longer ones with eight.
const BURSTS: [usize; 6] = [100, 1000, 1001, 1001, 1001, 1001];

fn a_source_goes_on_from_its_state<B: LinearBackend>(backend: &B) {
    let planted = Planted::new((24, 96, 40), false, 3);
    let network = planted.network(backend).unwrap();
    let target = planted.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let x0: Vec<B::Scalar> = rounded(&planted.start);
    let source = || {
        let warm = problem.warm_start(0).unwrap();
        match warm.restarts {
            Restarts::From(source) => source,
            _ => panic!("a splitting is made where outcomes are few"),
        }
    };
    let mut first = source();
    first.begin(&x0);
    let mut states = vec![];
    let mut starts = vec![];
    for burst in BURSTS {
        let mut x = x0.clone();
        first.advance(burst, &mut x);
        states.push(first.state());
        starts.push(x);
    }
    let more = states[2].len() - states[1].len();
    assert_eq!(
        more,
        7 * 2 * 96,
        "seven more pairs of vectors over the units"
    );
    for (k, state) in states.iter().enumerate() {
        let mut other = source();
        assert!(!other.restore(&state[1..]), "a state that is too short");
        assert!(other.restore(state));
        for (burst, start) in BURSTS.iter().zip(&starts).skip(k + 1) {
            let mut x = x0.clone();
            other.advance(*burst, &mut x);
            assert!(x == *start, "after burst {k}");
        }
    }
}

mod splitting {
    use super::a_source_goes_on_from_its_state as check;
    super::for_each_backend!(check);
}
