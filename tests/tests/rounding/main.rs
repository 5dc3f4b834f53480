//! The bounds on rounding errors against arithmetic of sixty digits: never below what rounding did and, for
//! nine of ten problems of a kind, at most a hundred times as much (docs/rounding.md).
//!
//! One error may be small by chance: of several points, a few roundoffs apart, the largest is taken.

mod ends;
mod exact;

use exact::{Exact, Misfit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use twolayer::{
    Evaluation, Inversion, InversionPoint, KullbackLeibler, LinearBackend, LogRatio, Loss,
    Objective, Regularizer, Scalar, SquaredError, Target,
};
use twolayer_tests::for_each_backend;
use twolayer_tests::generators::{Blemish, Case, TargetKind};
use twolayer_tests::problems::rounded;

/// What is out of the ordinary.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Of(Blemish),
    /// The first feature, or all, of about this size beside their spread of 1.
    Uncentred(f64),
    AllUncentred(f64),
    /// Outcomes with this bias, which the target excludes.
    Masked(f64, usize),
    /// Logits of about this size.
    Saturated(f64),
    /// Sums of many terms.
    Wide,
    /// The target is the output at the point, as computed.
    Met,
}

const KINDS: [Kind; 25] = [
    Kind::Of(Blemish::None),
    Kind::Of(Blemish::Duplicates),
    Kind::Of(Blemish::ZeroRows),
    Kind::Of(Blemish::ZeroFirstLayer),
    Kind::Of(Blemish::ZeroSecondLayer),
    Kind::Of(Blemish::DeadUnit),
    Kind::Of(Blemish::AllDead),
    Kind::Of(Blemish::Unbiased),
    Kind::Uncentred(10.0),
    Kind::Uncentred(200.0),
    Kind::Uncentred(1e4),
    Kind::Uncentred(1e6),
    Kind::AllUncentred(10.0),
    Kind::AllUncentred(200.0),
    Kind::AllUncentred(1e4),
    Kind::AllUncentred(1e6),
    Kind::Masked(-1e4, 1),
    Kind::Masked(-1e9, 2),
    Kind::Masked(-1e30, 1),
    Kind::Masked(f32::MIN as f64, 2),
    Kind::Masked(f64::NEG_INFINITY, 1),
    Kind::Saturated(10.0),
    Kind::Saturated(100.0),
    Kind::Wide,
    Kind::Met,
];

const TARGETS: [TargetKind; 4] = [
    TargetKind::Reachable,
    TargetKind::Unrelated,
    TargetKind::Uniform,
    TargetKind::OneHot,
];

/// (d, n, m).
const SHAPES: [(usize, usize, usize); 4] = [(2, 5, 3), (6, 9, 11), (1, 3, 2), (5, 24, 12)];

/// The same where sums have many terms.
const WIDE: (usize, usize, usize) = (8, 40, 200);

/// Points at which a problem is looked at.
const POINTS: usize = 4;

fn case(kind: Kind, target: TargetKind, seed: u64) -> Case {
    let shape = match kind {
        Kind::Wide => WIDE,
        _ => SHAPES[seed as usize % SHAPES.len()],
    };
    let blemish = match kind {
        Kind::Of(blemish) => blemish,
        _ => Blemish::None,
    };
    let weight = match kind {
        Kind::Met => 0.0,
        _ => [0.7, 0.0, 0.0, 0.0, 0.0][seed as usize % 5],
    };
    let case = Case::new(shape, blemish, target, weight, seed);
    match kind {
        Kind::Of(_) | Kind::Wide | Kind::Met => case,
        Kind::Uncentred(size) => case.uncentred(size, 1),
        Kind::AllUncentred(size) => case.uncentred(size, shape.0),
        Kind::Masked(bias, outcomes) => case.masked(bias, outcomes.min(shape.2 - 1)),
        Kind::Saturated(size) => case.with_logits_times(size),
    }
}

/// The largest errors of value and gradient over the points, and the largest bounds.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    errors: [f64; 2],
    bounds: [f64; 2],
}

impl Seen {
    fn see(&mut self, which: usize, error: f64, bound: f64, what: impl Fn() -> String) {
        assert!(
            error <= bound,
            "off by {error:e}, bound {bound:e}: {}",
            what()
        );
        self.errors[which] = self.errors[which].max(error);
        self.bounds[which] = self.bounds[which].max(bound);
    }
}

const MISFITS: [Misfit; 3] = [Misfit::Squared, Misfit::Divergence, Misfit::LogRatios];

fn loss<T: Scalar>(misfit: Misfit) -> &'static dyn Loss<T> {
    match misfit {
        Misfit::Squared => &SquaredError,
        Misfit::Divergence => &KullbackLeibler,
        Misfit::LogRatios => &LogRatio,
    }
}

/// What is seen of a case, by misfit.
fn look<B: LinearBackend>(backend: &B, case: &Case, kind: Kind) -> [Seen; 3] {
    let b = match kind {
        Kind::Met => {
            let network = case.network(backend).unwrap();
            network.probabilities(&rounded(&case.x)).unwrap()
        }
        _ => rounded(&case.target),
    };
    let target = Target::new(b).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut seen = [Seen::default(); 3];
    for _ in 0..POINTS {
        let mut moved = |&number: &f64| {
            let roundoffs = B::Scalar::UNIT_ROUNDOFF.to_f64() * random.random_range(-8.0..8.0);
            B::Scalar::of(number * (1.0 + roundoffs)).to_f64()
        };
        let nearby = Case {
            x: case.x.iter().map(&mut moved).collect(),
            bias2: case.bias2.iter().map(&mut moved).collect(),
            ..case.clone()
        };
        look_at(backend, &nearby, &target, &mut seen);
    }
    seen
}

/// The same at the case's x.
fn look_at<B: LinearBackend>(
    backend: &B,
    case: &Case,
    target: &Target<B::Scalar>,
    seen: &mut [Seen; 3],
) {
    let network = case.network(backend).unwrap();
    let regularizer = Regularizer::new(rounded(&case.weights)).unwrap();
    let exact = Exact::new(case, target);
    let x: Vec<B::Scalar> = rounded(&case.x);
    for (misfit, seen) in MISFITS.into_iter().zip(seen) {
        let mut problem = Inversion::new(&network, target).unwrap();
        problem = problem.with_loss(loss(misfit));
        if case.weights.iter().any(|&w| w != 0.0) {
            problem = problem.with_regularizer(&regularizer).unwrap();
        }
        let mut at: InversionPoint<B::Scalar> = problem.new_evaluation();
        problem.evaluate(&x, &[], &mut at);
        problem.differentiate(&mut at);
        let (here, other) = exact.at(&x, &at.forward_pass().pattern);
        let error = (at.value().to_f64() - exact.value(&here, misfit)).abs();
        let bound = problem.rounding_error(&at).to_f64();
        seen.see(0, error, bound, || format!("{misfit:?} of {case:?}"));
        let gradient = exact.gradient(other.as_ref().unwrap_or(&here), misfit);
        let apart = gradient.iter().zip(at.gradient());
        let square = |(e, g): (&f64, &B::Scalar)| (g.to_f64() - e).powi(2);
        let error = apart.map(square).sum::<f64>().sqrt();
        let bound = problem.gradient_rounding_error(&mut at).to_f64();
        seen.see(1, error, bound, || {
            format!("gradient, {misfit:?} of {case:?}")
        });
    }
}

/// Bounds over errors, of values and of gradients.
type Ratios = [Vec<f64>; 2];

fn ratios<B: LinearBackend>(backend: &B, kind: Kind, rounds: u64) -> [Ratios; 3] {
    let mut ratios: [Ratios; 3] = Default::default();
    let seeds = match kind {
        Kind::Wide => 2,
        _ => SHAPES.len() as u64,
    };
    for target in TARGETS {
        for seed in 0..rounds * seeds {
            let seen = look(backend, &case(kind, target, seed), kind);
            for (seen, ratios) in seen.iter().zip(&mut ratios) {
                for (which, ratios) in ratios.iter_mut().enumerate() {
                    // Where rounding did nothing there is nothing to compare with.
                    if seen.errors[which] > 0.0 {
                        ratios.push(seen.bounds[which] / seen.errors[which]);
                    }
                }
            }
        }
    }
    ratios
}

/// The kinds that are one.
fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Of(Blemish::None) => "plain",
        Kind::Of(_) => "degenerate",
        Kind::Uncentred(_) | Kind::AllUncentred(_) => "uncentred",
        Kind::Masked(..) => "masked",
        Kind::Saturated(_) => "saturated",
        Kind::Wide => "wide",
        Kind::Met => "met",
    }
}

/// How far a bound may be above the error for nine of ten. Where the target is met the value is a square,
/// and its bound that of another one; the value's bound takes no errors of outcomes to cancel, of which wide
/// problems have many. `None` where nothing is said: a saturated softmax leaves of its gradient, and of the
/// error, next to nothing.
fn sharp(class: &str, which: usize) -> Option<f64> {
    match (class, which) {
        ("met", 0) => Some(1e4),
        ("met", _) => Some(1e3),
        ("wide", 0) => Some(300.0),
        ("saturated", 1) => None,
        _ => Some(100.0),
    }
}

fn check<B: LinearBackend>(backend: &B) {
    let rounds = std::env::var("ROUNDING_ROUNDS").map_or(1, |n| n.parse().unwrap());
    let mut classes: BTreeMap<(&str, usize), Vec<f64>> = BTreeMap::new();
    for kind in KINDS {
        // In single precision too little is left of such logits, and the bound is cut off.
        let is_beyond = match kind {
            Kind::Uncentred(size) | Kind::AllUncentred(size) => size >= 1e4,
            _ => false,
        };
        if B::Scalar::NAME == "f32" && is_beyond {
            continue;
        }
        for ratios in ratios(backend, kind, rounds) {
            for (which, ratios) in ratios.into_iter().enumerate() {
                classes
                    .entry((class(kind), which))
                    .or_default()
                    .extend(ratios);
            }
        }
    }
    for ((class, which), mut ratios) in classes {
        ratios.sort_by(f64::total_cmp);
        let within = |most: f64| {
            let count = ratios.iter().filter(|&&ratio| ratio <= most).count();
            count as f64 / ratios.len() as f64
        };
        println!(
            "{} {} {class} {}: {} problems, least {:.1}, median {:.1}; {:.3} within 100, {:.3} within 1000",
            backend.name(),
            B::Scalar::NAME,
            ["value", "gradient"][which],
            ratios.len(),
            ratios[0],
            ratios[ratios.len() / 2],
            within(100.0),
            within(1000.0),
        );
        if let Some(most) = sharp(class, which) {
            assert!(within(most) >= 0.9, "{class}");
        }
    }
}

for_each_backend!(check);
