//! The source of starts: it rests at solutions, and goes on, alone and on several ways, where its state
//! says that it was.

use twolayer::reduce::norm;
use twolayer::{Inversion, Kinked, LinearBackend, RowStructured, Scalar, Target};
use twolayer_core::{Ladder, Restarts, RungMaker, Starts, WarmStart};
use twolayer_tests::for_each_backend;
use twolayer_tests::problems::{Planted, rounded};

/// The first burst is the continuation's, the second is made with one metric, longer ones with eight.
const BURSTS: [usize; 6] = [100, 1000, 1001, 1001, 1001, 1001];

/// Keeps the source of starts of a rung that has one, and not the rung.
struct Source;

impl<'s, T: Scalar> RungMaker<'s, T> for Source {
    type Rung = Box<dyn Starts<T> + 's>;

    fn make<O>(self, easier: WarmStart<'s, O>) -> Self::Rung
    where
        O: RowStructured<Scalar = T> + Kinked + 's,
    {
        match easier.restarts {
            Restarts::From(source) => source,
            _ => panic!("a splitting is made where outcomes are few"),
        }
    }
}

fn a_source_goes_on_from_its_state<B: LinearBackend>(backend: &B) {
    let planted = Planted::new((24, 96, 40), false, 3);
    let network = planted.network(backend).unwrap();
    let target = planted.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let x0: Vec<B::Scalar> = rounded(&planted.start);
    let source = || problem.rung(0, Source).unwrap();
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

/// At a solution both projections leave the pair where it is, and so does the iteration, with one metric
/// and with eight.
fn a_source_rests_at_a_solution<B: LinearBackend>(backend: &B) {
    let shape @ (_, n, _) = (24, 96, 40);
    let planted = Planted::new(shape, false, 5);
    let network = planted.network(backend).unwrap();
    let solution: Vec<B::Scalar> = rounded(&planted.solution);
    let b = network.probabilities(&solution).unwrap();
    let target = Target::new(b).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let mut source = problem.rung(0, Source).unwrap();
    source.begin(&solution);
    let mut x = solution.clone();
    source.advance(BURSTS[0], &mut x);
    for burst in &BURSTS[1..3] {
        source.advance(*burst, &mut x);
        let pairs = x.iter().zip(&solution);
        let off: Vec<f64> = pairs.map(|(x, s)| x.to_f64() - s.to_f64()).collect();
        // An iteration rounds 2n entries of h and a, all about 1, in sums of at most n terms, and lets no
        // difference grow; roundings are as good as independent, within a sum and from one iteration to
        // the next. A1's least singular value is about √(n/d) − 1 = 1. Twice all that.
        let an_iteration = f64::from(f32::EPSILON) * (n as f64).sqrt() * (2.0 * n as f64).sqrt();
        let bound = an_iteration * (*burst as f64).sqrt();
        let off = norm(&off);
        assert!(off <= bound, "{off:e} > {bound:e} after {burst}");
    }
}

mod splitting {
    use super::a_source_goes_on_from_its_state as check;
    super::for_each_backend!(check);
}

mod rest {
    use super::a_source_rests_at_a_solution as check;
    super::for_each_backend!(check);
}
