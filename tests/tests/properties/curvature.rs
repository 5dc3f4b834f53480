//! The Hessian and its models: products, bounds, definiteness.

use crate::{DISTANCES, Tolerance, apart, properties, wide, with_problem};
use approx_newton::{DenseHessian, RowFactor};
use proptest::prelude::*;
use twolayer_core::{Curvature, HessianApprox, LinearBackend, RowStructured, RowWeights};
use twolayer_nalgebra::nalgebra::DMatrix;
use twolayer_tests::generators::{Distance, for_all_cases};
use twolayer_tests::problems::rounded;

properties!(
    products_without_the_matrix_are_those_of_the_matrix,
    the_logit_hessian_keeps_its_bounds,
    convex_models_have_no_negative_eigenvalue,
    the_factored_model_is_the_matrix,
);

const KINDS: [RowWeights; 4] = [
    RowWeights::Exact,
    RowWeights::Convexified,
    RowWeights::GaussNewton,
    RowWeights::Secant,
];

/// Both ways are sums of the same products in another order.
fn products_without_the_matrix_are_those_of_the_matrix<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        let length = apart(&case.direction, &vec![0.0; case.d]);
        let bound = (1.0 + length) * Tolerance::of::<B::Scalar>(case).hessian;
        for (distance, kind) in DISTANCES.iter().flat_map(|&d| KINDS.map(|k| (d, k))) {
            let error = with_problem(backend, case, distance, |problem, mut at| {
                let direction = rounded(&case.direction);
                let mut dense = DenseHessian::new(problem, kind);
                dense.build(problem, &at);
                let mut by_matrix = rounded(&vec![0.0; case.d]);
                let mut by_rows = by_matrix.clone();
                dense.apply(&direction, &mut by_matrix);
                problem.hessian_vec(&mut at, kind, &direction, &mut by_rows);
                apart(&wide(&by_matrix), &wide(&by_rows))
            });
            prop_assert!(
                error <= bound,
                "{distance:?} {kind:?}: {error:e} > {bound:e}"
            );
        }
        Ok(())
    });
}

/// −2 I ⪯ B ⪯ 2.5 I for the squared loss, and 0 ⪯ B ⪯ Σb I for the divergence, whose B is a
/// covariance.
fn the_logit_hessian_keeps_its_bounds<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        let rounding = Tolerance::of::<B::Scalar>(case).value;
        for (distance, least, most) in [
            (Distance::Squared, -2.0, 2.5),
            (Distance::KullbackLeibler, 0.0, 1.0 + 1e-5),
        ] {
            let mut case = case.clone();
            case.weights.fill(0.0);
            let m = case.m;
            let b = with_problem(backend, &case, distance, |problem, at| {
                let mut curvature = Curvature::new(m);
                problem.curvature(&at, RowWeights::Exact, &mut curvature);
                let mut product = rounded(&vec![0.0; m]);
                let mut b = DMatrix::zeros(m, m);
                for j in 0..m {
                    let mut axis = vec![0.0; m];
                    axis[j] = 1.0;
                    curvature.logit_product(&rounded(&axis), &mut product);
                    b.column_mut(j).copy_from_slice(&wide(&product));
                }
                b
            });
            let values = ((&b + b.transpose()) * 0.5).symmetric_eigenvalues();
            let slack = rounding + 64.0 * m as f64 * f64::EPSILON;
            prop_assert!(
                values.min() >= least - slack && values.max() <= most + slack,
                "{distance:?}: eigenvalues {} to {}",
                values.min(),
                values.max()
            );
        }
        Ok(())
    });
}

/// Gauss–Newton, convexified and secant weights for both losses, and the divergence's own.
fn convex_models_have_no_negative_eigenvalue<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        let slack = Tolerance::of::<B::Scalar>(case).hessian;
        for (distance, kind) in DISTANCES.iter().flat_map(|&d| KINDS.map(|k| (d, k))) {
            if (distance, kind) == (Distance::Squared, RowWeights::Exact) {
                continue;
            }
            let h = with_problem(backend, case, distance, |problem, at| {
                let mut dense = DenseHessian::new(problem, kind);
                dense.build(problem, &at);
                DMatrix::from_row_slice(case.d, case.d, &wide(dense.matrix()))
            });
            let least = ((&h + h.transpose()) * 0.5).symmetric_eigenvalues().min();
            prop_assert!(
                least >= -slack,
                "{distance:?} {kind:?}: eigenvalue {least:e}"
            );
        }
        Ok(())
    });
}

/// RᵀR and the Gram matrix of the same rows.
fn the_factored_model_is_the_matrix<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        let length = apart(&case.direction, &vec![0.0; case.d]);
        let bound = (case.m + 1) as f64 * (1.0 + length) * Tolerance::of::<B::Scalar>(case).hessian;
        for (distance, kind) in DISTANCES.iter().flat_map(|&d| KINDS.map(|k| (d, k))) {
            if kind == RowWeights::Exact {
                continue;
            }
            let error = with_problem(backend, case, distance, |problem, at| {
                let direction = rounded(&case.direction);
                let mut dense = DenseHessian::new(problem, kind);
                let mut factor = RowFactor::new(problem, kind);
                dense.build(problem, &at);
                factor.build(problem, &at);
                let mut by_matrix = rounded(&vec![0.0; case.d]);
                let mut by_factor = by_matrix.clone();
                dense.apply(&direction, &mut by_matrix);
                factor.apply(&direction, &mut by_factor);
                apart(&wide(&by_matrix), &wide(&by_factor))
            });
            prop_assert!(
                error <= bound,
                "{distance:?} {kind:?}: {error:e} > {bound:e}"
            );
        }
        Ok(())
    });
}
