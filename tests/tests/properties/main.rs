//! Properties that hold on every backend, in both precisions, on generated problems: shapes down to
//! 1, duplicates, zero rows and matrices, dead units, one-hot and uniform targets among them.
//!
//! The cases are the same on every run. For others:
//! `PROPTEST_CASES=5000 PROPTEST_RNG_SEED=7 cargo test -p twolayer-tests --test properties`.

mod agreement;
mod curvature;
mod derivatives;
mod invariance;
mod ray;
mod sampling;
mod solves;
mod threads;

use twolayer::{Evaluation, Objective};
use twolayer::{Inversion, KullbackLeibler, LinearBackend, Loss, Scalar, SquaredError};
use twolayer_tests::generators::{Case, Distance};

/// Makes a module of six tests, three backends in two precisions, of the check of its name.
macro_rules! properties {
    ($($property:ident),* $(,)?) => {$(
        mod $property {
            use super::$property as check;
            twolayer_tests::for_each_backend!(check);
        }
    )*};
}
pub(crate) use properties;

const DISTANCES: [Distance; 2] = [Distance::Squared, Distance::KullbackLeibler];

/// The loss that is this distance.
fn loss<T: Scalar>(distance: Distance) -> &'static dyn Loss<T> {
    match distance {
        Distance::Squared => &SquaredError,
        Distance::KullbackLeibler => &KullbackLeibler,
    }
}

/// How far value, gradient and Hessian of a case may be off in the precision `T`.
///
/// The logits carry an error of 2(n + d)·Z·u, Z the sum of the magnitudes of their terms, and
/// everything computed from them one of a few roundoffs. In z-space ‖∇‖ ≤ 4 and ‖∇²‖ ≤ 2.5 for the
/// squared loss, 2 and 1 for the divergence; the regulariser adds w²Z√m and w².
struct Tolerance {
    value: f64,
    gradient: f64,
    hessian: f64,
}

impl Tolerance {
    fn of<T: Scalar>(case: &Case) -> Self {
        let roundoff = T::UNIT_ROUNDOFF.to_f64();
        let (size, jacobian) = (1.0 + case.logit_size(), case.jacobian_size());
        let relative = 4.0 * (case.n + case.d + 4) as f64 * size * roundoff;
        let weight = case.weights.iter().fold(0.0, |a: f64, w| a.max(w * w));
        let outcomes = case.m as f64;
        Self {
            value: relative * (2.0 + size + weight * outcomes * size * size),
            gradient: relative * jacobian * (4.0 + weight * outcomes.sqrt() * size),
            hessian: relative * jacobian * jacobian * (4.0 + weight),
        }
    }
}

/// Runs `work` on the objective of a case, evaluated and differentiated at its x.
fn with_problem<B: LinearBackend, R>(
    backend: &B,
    case: &Case,
    distance: Distance,
    work: impl FnOnce(&Inversion<'_, B>, twolayer::InversionPoint<B::Scalar>) -> R,
) -> R {
    let network = case.network(backend).unwrap();
    let (target, regularizer) = (case.target().unwrap(), case.regularizer().unwrap());
    let mut problem = Inversion::new(&network, &target)
        .unwrap()
        .with_loss(loss(distance));
    if case.weights.iter().any(|&w| w != 0.0) {
        problem = problem.with_regularizer(&regularizer).unwrap();
    }
    let mut at = problem.new_evaluation();
    problem.evaluate(&twolayer_tests::problems::rounded(&case.x), &[], &mut at);
    problem.differentiate(&mut at);
    work(&problem, at)
}

/// Value and gradient in double precision.
fn first_order<B: LinearBackend>(backend: &B, case: &Case, distance: Distance) -> (f64, Vec<f64>) {
    with_problem(backend, case, distance, |_, at| {
        (at.value().to_f64(), wide(at.gradient()))
    })
}

fn wide<T: Scalar>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&v| Scalar::to_f64(v)).collect()
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    let square = |(a, b): (&f64, &f64)| (a - b).powi(2);
    a.iter().zip(b).map(square).sum::<f64>().sqrt()
}
