//! Numbers from the least to the largest that a precision has: what comes out is an error, or a
//! point and a loss that are numbers.

use num_traits::Float;
use proptest::prelude::*;
use twolayer::{DenseHessian, RowFactor, Silent, Solver, Status};
use twolayer::{
    Error, Evaluation, HessianApprox, Inversion, KullbackLeibler, LinearBackend, Loss, Objective,
    RowWeights, Scalar, SquaredError, Target, TwoLayer, reduce,
};
use twolayer_faer::Faer;
use twolayer_tests::for_each_backend;
use twolayer_tests::generators::{Case, cases, for_all};
use twolayer_tests::problems::{Planted, rounded};

fn check<B: LinearBackend>(backend: &B) {
    any_scale_of_the_weights(backend);
    logits_of_any_size(backend);
}

for_each_backend!(check);

fn no_nan_leaves<'a, B: LinearBackend, H: HessianApprox<Inversion<'a, B>>>(
    problem: &Inversion<'a, B>,
    mut model: H,
    start: &[B::Scalar],
) -> Result<(), TestCaseError> {
    for warm in [true, false] {
        let solver = Solver::new().with_max_iterations(60).with_warm_start(warm);
        let solution = match solver.solve_with(problem, &mut model, start, &mut Silent) {
            Err(Error::Overflow { .. }) => continue,
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
            Ok(solution) => solution,
        };
        let what = format!("{} {}", model.name(), solution.status);
        prop_assert!(
            reduce::all_finite(&solution.x),
            "{what}: x {:?}",
            solution.x
        );
        prop_assert!(solution.loss.to_f64().is_finite(), "{what}: loss");
        prop_assert!(
            !solution.gradient_norm.to_f64().is_nan(),
            "{what}: gradient"
        );
        let unsure = !solution.gradient_norm.to_f64().is_finite();
        prop_assert!(
            !(unsure && solution.status.is_converged()),
            "{what}: no gradient"
        );
        for entry in &solution.trace {
            let numbers = [
                entry.loss,
                entry.stage_loss,
                entry.gradient_norm,
                entry.step_norm,
            ];
            prop_assert!(
                numbers.iter().all(|v| !v.to_f64().is_nan()),
                "{what}: {entry:?}"
            );
        }
    }
    Ok(())
}

/// Every array times a power of ten of its own, from subnormal to the edge of overflow.
fn any_scale_of_the_weights<B: LinearBackend>(backend: &B) {
    let reach = B::Scalar::max_value().to_f64().log10();
    let scales = prop::array::uniform5(-(reach + 6.0)..reach);
    for_all(&(cases(), scales), 96, |(case, scales)| {
        let mut case: Case = case;
        let Case {
            a1,
            bias1,
            a2,
            bias2,
            x,
            ..
        } = &mut case;
        for (values, scale) in [a1, bias1, a2, bias2, x].into_iter().zip(scales) {
            let limit = B::Scalar::max_value().to_f64() * 0.99;
            for v in values.iter_mut() {
                *v = (*v * 10_f64.powf(scale)).clamp(-limit, limit);
            }
        }
        let network = case.network(backend).unwrap();
        let target = case.target().unwrap();
        let start = rounded(&case.x);
        for loss in [&SquaredError as &dyn Loss<B::Scalar>, &KullbackLeibler] {
            let problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
            no_nan_leaves(
                &problem,
                RowFactor::new(&problem, RowWeights::Secant),
                &start,
            )?;
            no_nan_leaves(
                &problem,
                DenseHessian::new(&problem, RowWeights::Exact),
                &start,
            )?;
        }
        match network.probabilities(&start) {
            Ok(f) => {
                prop_assert!((reduce::sum(&f).to_f64() - 1.0).abs() < 1e-5);
                prop_assert!(f.iter().all(|f| *f >= B::Scalar::of(0.0)));
            }
            Err(error) => prop_assert!(matches!(error, Error::Overflow { .. }), "{error}"),
        }
        Ok(())
    });
}

/// Logits of ±size, from 1e-300 (or the least f32) to the largest number: probabilities,
/// logarithms, losses and gradients are numbers, and right where they are known.
fn logits_of_any_size<B: LinearBackend>(backend: &B) {
    let (least, largest) = (B::Scalar::min_positive_value(), B::Scalar::max_value());
    let sizes = [
        B::Scalar::of(1e-300),
        least * B::Scalar::of(1e-3),
        least,
        B::Scalar::of(1e-30),
        B::Scalar::of(1.0),
        B::Scalar::of(700.0),
        B::Scalar::of(1e30),
        largest * B::Scalar::of(0.49),
        largest,
    ];
    for size in sizes {
        // One unit that is always 1, and three outcomes with logits size, 0 and −size.
        let (mut a1, mut a2) = (backend.zeros(1, 1), backend.zeros(3, 1));
        backend.copy_from_row_major(&[B::Scalar::of(0.0)], &mut a1);
        backend.copy_from_row_major(&[size, B::Scalar::of(0.0), -size], &mut a2);
        let network = TwoLayer::new(backend.clone(), a1, a2)
            .unwrap()
            .with_biases(vec![B::Scalar::of(1.0)], rounded(&[0.0; 3]))
            .unwrap();
        let f = network.probabilities(&rounded(&[0.5])).unwrap();
        let z = size.to_f64();
        let total = 1.0 + (-z).exp() + (-2.0 * z).exp();
        for (j, f) in f.iter().enumerate() {
            let expected = (-(j as f64) * z).exp() / total;
            let bound = 8.0 * B::Scalar::UNIT_ROUNDOFF.to_f64() * (1.0 + z.min(1e3));
            let error = (f.to_f64() - expected).abs();
            assert!(error <= bound, "logit {z:e}: f[{j}] off by {error:e}");
        }
        for b in [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.25, 0.25, 0.5]] {
            let target = Target::new(rounded(&b)).unwrap();
            for loss in [&SquaredError as &dyn Loss<B::Scalar>, &KullbackLeibler] {
                let problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
                let mut at = problem.new_evaluation();
                problem.evaluate(&rounded(&[0.5]), &[], &mut at);
                problem.differentiate(&mut at);
                assert!(!at.value().to_f64().is_nan(), "{} at {z:e}", loss.name());
                // The products of the largest numbers overflow, which a solve must notice.
                let finite = reduce::all_finite(at.gradient());
                assert!(finite || size > largest * B::Scalar::of(0.4), "{z:e}");
                // A loss that is too large for the precision is refused and never returned.
                match Solver::new().solve(&problem, &rounded(&[0.5])) {
                    Ok(solution) => assert!(solution.loss.to_f64().is_finite()),
                    Err(error) => assert!(matches!(error, Error::Overflow { .. }), "{error}"),
                }
            }
        }
    }
}

/// Single precision over a vocabulary of 200,000.
#[test]
fn many_outcomes_in_single_precision() {
    let (d, n, m) = (6, 24, 200_000);
    let planted = Planted::new((d, n, m), true, 8);
    let network = planted.network(&Faer::<f32>::default()).unwrap();
    let exact = planted.network(&Faer::<f64>::default()).unwrap();
    let f = network.probabilities(&rounded(&planted.solution)).unwrap();
    let reference = exact.probabilities(&planted.solution).unwrap();
    assert!((reduce::sum(&f) - 1.0).abs() < 1e-6);
    // Logits of size up to Z ≈ 60, each a sum of n + d products: (n + d)·Z roundoffs.
    let bound = 30.0 * 60.0 * f32::UNIT_ROUNDOFF.to_f64();
    for (f, expected) in f.iter().zip(&reference) {
        assert!((f.to_f64() - expected).abs() <= bound * expected + f64::from(f32::MIN_POSITIVE));
    }
    let target = Target::new(f).unwrap();
    for loss in [&SquaredError as &dyn Loss<f32>, &KullbackLeibler] {
        let problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
        let solution = Solver::new()
            .solve(&problem, &rounded(&planted.start))
            .unwrap();
        assert_eq!(solution.status, Status::PerfectFit, "{}", loss.name());
    }
}
