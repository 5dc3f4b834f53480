use super::*;
use crate::paper::iterate;
use crate::{Regularizer, Target, TwoLayer};
use approx_newton::{DenseHessian, Solution, Solver};
use twolayer_core::RowWeights;
use twolayer_faer::{Faer, faer::Mat};

/// One unit and two outcomes: for x > 0 the logits are (x, −x), f₁ = s = 1/(1 + e⁻²ˣ), L = 2(s − b)² + w²x².
fn run(
    b: f64,
    weight: f64,
    x0: f64,
    kind: RowWeights,
    steps: usize,
) -> (Solution<f64>, Vec<Broken>) {
    let a1 = Mat::from_fn(1, 1, |_, _| 1.0);
    let a2 = Mat::from_fn(2, 1, |i, _| if i == 0 { 1.0 } else { -1.0 });
    let network = TwoLayer::new(Faer::default(), a1, a2).unwrap();
    let target = Target::new(vec![b, 1.0 - b]).unwrap();
    let regularizer = Regularizer::uniform(weight, 2).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let problem = match weight {
        0.0 => problem,
        _ => problem.with_regularizer(&regularizer).unwrap(),
    };
    let mut model = DenseHessian::new(&problem, kind);
    let mut recorder = Recorder::new(&[x0]);
    let settings = Solver::new().with_max_iterations(steps);
    let solution = iterate(&settings, &problem, &mut model, &[x0], &mut recorder).unwrap();
    let broken = broken_assumptions(&problem, &problem, &mut model, &recorder);
    (solution, broken)
}

/// L′ and L″ by hand, and the part of L″ that the residual has.
fn derivatives(b: f64, weight: f64, x: f64) -> [f64; 3] {
    let s = 1.0 / (1.0 + (-2.0 * x).exp());
    let first = 2.0 * s * (1.0 - s);
    let second = 2.0 * first * (1.0 - 2.0 * s);
    let square = weight * weight;
    let of_residual = 4.0 * (s - b) * second;
    [
        4.0 * (s - b) * first + 2.0 * square * x,
        4.0 * first * first + of_residual + 2.0 * square,
        of_residual,
    ]
}

/// What the formulas by hand are off by: a few roundings of each.
fn is_close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e3 * f64::EPSILON * expected.abs().max(1.0)
}

#[test]
fn where_all_holds_nothing_is_broken_and_the_iteration_arrives() {
    // w² = 9 is above 2 + l/σ²; the minimum is near 0, which b = ½ puts at x = 0, on the kink: a little more.
    let (b, weight) = (0.6, 3.0);
    let (solution, broken) = run(b, weight, 0.012, RowWeights::Exact, 50);
    assert!(solution.status.is_converged(), "{solution:?}");
    assert_eq!(broken, []);
    let [slope, bend, _] = derivatives(b, weight, solution.x[0]);
    assert!(slope.abs() <= 1e3 * f64::EPSILON * bend, "{slope:e}");
    assert_eq!(solution.trace.len(), solution.iterations + 1);
}

#[test]
fn a_hessian_that_bends_down_is_told_with_its_eigenvalue() {
    let (b, x0) = (0.1, 3.0);
    let [_, bend, _] = derivatives(b, 0.0, x0);
    assert!(bend < 0.0);
    let (solution, broken) = run(b, 0.0, x0, RowWeights::Exact, 50);
    assert_eq!(solution.status, approx_newton::Status::Indefinite);
    assert_eq!((solution.iterations, solution.x[0]), (0, x0));
    let [
        Broken::Convexity {
            iterate: 0,
            least_eigenvalue,
            least_weight: 0.0,
        },
    ] = broken[..]
    else {
        panic!("{broken:?}")
    };
    assert!(is_close(least_eigenvalue, bend));
    // Near its own output the same network bends up.
    let (_, broken) = run(0.99, 0.0, 2.3, RowWeights::Exact, 50);
    assert!(broken.iter().all(|b| b.name() != "strong-convexity"));
}

#[test]
fn a_start_is_far_by_the_first_step() {
    let (b, weight, x0) = (0.9, 0.0, 0.9);
    let (_, broken) = run(b, weight, x0, RowWeights::Exact, 50);
    let [slope, bend, _] = derivatives(b, weight, x0);
    // C = (1, −1): min(9√2·√2³, 36·1³) = 36.
    let part = 36.0 * (slope / bend).abs() / (1.4 * bend);
    assert!(part > PROMISED_REGION);
    let [Broken::Start { part: found }] = broken[..] else {
        panic!("{broken:?}")
    };
    assert!(is_close(found / part, 1.0), "{found} {part}");
}

#[test]
fn a_step_over_a_kink_is_told_where_it_began() {
    // The output is at x < 0, where the unit is off: no x has it.
    let (_, broken) = run(0.3, 0.5, 0.2, RowWeights::Exact, 50);
    let pattern = Broken::Pattern {
        iterate: 0,
        flips: 1,
    };
    assert!(broken.contains(&pattern), "{broken:?}");
    assert_eq!(pattern.to_string().matches("crossed 1").count(), 1);
}

#[test]
fn a_model_without_the_residual_is_off_by_its_part() {
    let (b, weight, x0) = (0.9, 0.5, 0.3);
    let (_, broken) = run(b, weight, x0, RowWeights::GaussNewton, 50);
    let [_, bend, of_residual] = derivatives(b, weight, x0);
    let expected = (of_residual / bend).abs();
    assert!(expected > PROMISED_REGION, "{expected}");
    let model = broken.iter().find(|b| b.name() == "hessian-model");
    let Some(&Broken::Model { iterate, epsilon }) = model else {
        panic!("{broken:?}")
    };
    assert_eq!(iterate, 0);
    assert!(is_close(epsilon, expected), "{epsilon} {expected}");
}

/// Lemma 70's count, by hand for d = 2: 6 ln 400/0.01 = 3594.87….
#[test]
fn a_sample_is_as_large_as_the_lemma_asks() {
    assert_eq!(crate::paper::sample_size(2), 3595);
}
