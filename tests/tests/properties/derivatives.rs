//! Gradient and Hessian against differences of the definition.

use crate::{DISTANCES, Tolerance, properties, wide, with_problem};
use proptest::prelude::*;
use twolayer::{Evaluation, LinearBackend, RowWeights};
use twolayer_tests::generators::{Case, for_all_cases};
use twolayer_tests::problems::rounded;

properties!(
    gradient_is_the_limit_of_differences_of_the_loss,
    hessian_is_the_limit_of_differences_of_the_gradient,
);

/// How far to go for a difference: logits then move by at most 1e-5.
fn reach(case: &Case) -> f64 {
    1e-5 / (1.0 + case.steepest())
}

/// x ± reach along axis j.
fn around(case: &Case, j: usize) -> [Vec<f64>; 2] {
    [1.0, -1.0].map(|side| {
        let mut x = case.x.clone();
        x[j] += side * reach(case);
        x
    })
}

/// A central difference is off by h²/6 times the third derivative, at most 36ρ³ with ρ the largest
/// slope of a logit, and by the rounding of the values over h.
fn gradient_is_the_limit_of_differences_of_the_loss<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        let h = reach(case);
        prop_assume!(case.is_inside_cell(h));
        let (here, exact) = (Tolerance::of::<B::Scalar>(case), Tolerance::of::<f64>(case));
        let bound = here.gradient + 6.0 * h * h * case.steepest().powi(3) + 2.0 * exact.value / h;
        for distance in DISTANCES {
            let (value, gradient) = crate::first_order(backend, case, distance);
            let defined = case.value(distance, &case.x);
            // The divergence is computed with Σf − Σb added.
            let excess = match distance {
                twolayer_tests::generators::Distance::Squared => 0.0,
                _ => 1.0 - case.target.iter().sum::<f64>(),
            };
            prop_assert!(
                (value - defined - excess).abs() <= here.value,
                "{distance:?}: value {value:e} against {defined:e}"
            );
            for (j, slope) in gradient.iter().enumerate() {
                let [ahead, behind] = around(case, j).map(|x| case.value(distance, &x));
                let expected = (ahead - behind) / (2.0 * h);
                prop_assert!(
                    (slope - expected).abs() <= bound,
                    "{distance:?}: slope {j} is {slope:e} against {expected:e} ± {bound:e}"
                );
            }
        }
        Ok(())
    });
}

/// Here h²/6 meets a fourth derivative. With f = exp(z − K(z)), K the logarithm of the sum, those
/// of f are Bell polynomials of the cumulants, at most 63ρ⁴ f, and those of Σf² at most 1100ρ⁴.
fn hessian_is_the_limit_of_differences_of_the_gradient<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        let h = reach(case);
        prop_assume!(case.is_inside_cell(h));
        let (here, exact) = (Tolerance::of::<B::Scalar>(case), Tolerance::of::<f64>(case));
        let truncation = 200.0 * h * h * case.steepest().powi(4);
        let bound = here.hessian + truncation + 2.0 * exact.gradient / h;
        for distance in DISTANCES {
            let columns: Vec<Vec<f64>> = with_problem(backend, case, distance, |problem, at| {
                let mut product = rounded(&vec![0.0; case.d]);
                let mut column = |j: usize| {
                    let mut axis = vec![0.0; case.d];
                    axis[j] = 1.0;
                    let kind = RowWeights::Exact;
                    twolayer_tests::hessian_vec(problem, &at, kind, &rounded(&axis), &mut product);
                    wide(&product)
                };
                (0..case.d).map(&mut column).collect()
            });
            for (j, column) in columns.iter().enumerate() {
                let [ahead, behind] = around(case, j).map(|x| case.gradient(distance, &x));
                for (i, entry) in column.iter().enumerate() {
                    let expected = (ahead[i] - behind[i]) / (2.0 * h);
                    prop_assert!(
                        (entry - expected).abs() <= bound,
                        "{distance:?}: entry ({i}, {j}) is {entry:e} against {expected:e} ± {bound:e}"
                    );
                }
            }
        }
        Ok(())
    });
}

properties!(the_reference_gradient_is_the_backends);

/// The differences above rest on two independent ways to the same gradient.
fn the_reference_gradient_is_the_backends<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        prop_assume!(case.is_inside_cell(0.0));
        let bound = Tolerance::of::<B::Scalar>(case).gradient;
        for distance in DISTANCES {
            let gradient = with_problem(backend, case, distance, |_, at| wide(at.gradient()));
            let error = crate::apart(&gradient, &case.gradient(distance, &case.x));
            prop_assert!(
                error <= bound,
                "{distance:?}: off by {error:e}, bound {bound:e}"
            );
        }
        Ok(())
    });
}
