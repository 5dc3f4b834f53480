//! The Hessian and its models: products, bounds, definiteness.

use crate::{DISTANCES, Tolerance, apart, properties, wide, with_problem};
use proptest::prelude::*;
use twolayer::{ConjugateGradient, DenseHessian, RowFactor};
use twolayer::{
    Curvature, Evaluation, HessianApprox, LinearBackend, Objective, RowStructured, RowWeights,
    Scalar, reduce,
};
use twolayer_core::Subspace;
use twolayer_nalgebra::nalgebra::DMatrix;
use twolayer_tests::generators::{Distance, for_all_cases};
use twolayer_tests::problems::rounded;

properties!(
    products_without_the_matrix_are_those_of_the_matrix,
    the_logit_hessian_keeps_its_bounds,
    convex_models_have_no_negative_eigenvalue,
    the_factored_model_is_the_matrix,
    a_model_carried_from_cell_to_cell_is_a_new_one,
    conjugate_gradients_solve_the_damped_system,
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
            let error = with_problem(backend, case, distance, |problem, at| {
                let direction = rounded(&case.direction);
                let mut dense = DenseHessian::new(problem, kind);
                dense.build(problem, &at);
                let mut by_matrix = rounded(&vec![0.0; case.d]);
                let mut by_rows = by_matrix.clone();
                dense.apply(problem, &at, &direction, &mut by_matrix);
                twolayer_tests::hessian_vec(problem, &at, kind, &direction, &mut by_rows);
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
                    curvature.row_product(&rounded(&axis), &mut product);
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
                dense.apply(problem, &at, &direction, &mut by_matrix);
                factor.apply(problem, &at, &direction, &mut by_factor);
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

/// C that was brought from cell to cell and back gives the models of a C formed anew, to a few times
/// its rounding.
fn a_model_carried_from_cell_to_cell_is_a_new_one<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        let mut there = case.clone();
        for (x, p) in there.x.iter_mut().zip(&case.direction) {
            *x += p;
        }
        let length = apart(&case.direction, &vec![0.0; case.d]);
        let bounds = [case, &there].map(|at| Tolerance::of::<B::Scalar>(at).hessian);
        let bound = 8.0 * (case.m + 1) as f64 * (1.0 + length) * bounds[0].max(bounds[1]);
        for distance in DISTANCES {
            let error = with_problem(backend, case, distance, |problem, at| {
                let kind = RowWeights::GaussNewton;
                let direction = rounded(&case.direction);
                let mut behind = problem.new_evaluation();
                problem.evaluate(&rounded(&there.x), &[], &mut behind);
                problem.differentiate(&mut behind);
                let mut carried = DenseHessian::new(problem, kind);
                carried.build(problem, &at);
                carried.build(problem, &behind);
                carried.build(problem, &at);
                let mut new = DenseHessian::new(problem, kind);
                new.build(problem, &at);
                let mut products = [(); 2].map(|()| rounded(&vec![0.0; case.d]));
                carried.apply(problem, &at, &direction, &mut products[0]);
                new.apply(problem, &at, &direction, &mut products[1]);
                apart(&wide(&products[0]), &wide(&products[1]))
            });
            prop_assert!(error <= bound, "{distance:?}: {error:e} > {bound:e}");
        }
        Ok(())
    });
}

/// The step by conjugate gradients, to a residual of 3% in the preconditioner's norm, promises nearly
/// what the exact damped step does, and the promise
/// is −½gᵀp: its residual is orthogonal to it.
fn conjugate_gradients_solve_the_damped_system<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        prop_assume!(case.jacobian_size() > 1e-3);
        for distance in DISTANCES {
            let kind = RowWeights::GaussNewton;
            let (promised, best, slope) = with_problem(backend, case, distance, |problem, at| {
                let mut exact = DenseHessian::new(problem, kind);
                let mut refined = ConjugateGradient::new(problem, kind, 2 * case.d + 1, 3);
                exact.build(problem, &at);
                refined.build(problem, &at);
                let whole = Subspace::whole(case.d);
                let damping = B::Scalar::of(0.1) * exact.mean_eigenvalue();
                let mut step = rounded(&vec![0.0; case.d]);
                let mut promise = |model: &mut dyn HessianApprox<_>| {
                    model
                        .step(problem, &at, damping, None, &whole, &mut step)
                        .unwrap();
                    let mut product = step.clone();
                    twolayer_tests::hessian_vec(problem, &at, kind, &step, &mut product);
                    let slope = reduce::dot(at.gradient(), &step).to_f64();
                    let bend = reduce::dot(&step, &product).to_f64();
                    let ridge = damping.to_f64() * reduce::norm(&step).to_f64().powi(2);
                    (-slope - 0.5 * (bend + ridge), slope)
                };
                if damping.to_f64() < 1e-20 {
                    return (0.0, 0.0, 0.0);
                }
                let (best, _) = promise(&mut exact);
                let (promised, slope) = promise(&mut refined);
                (promised, best, slope)
            });
            let rounding = 1e4 * B::Scalar::UNIT_ROUNDOFF.to_f64() * (best.abs() + slope.abs());
            prop_assert!(
                promised >= 0.9 * best - rounding && promised <= best + rounding,
                "{distance:?}: {promised:e} of {best:e}"
            );
            prop_assert!((promised + 0.5 * slope).abs() <= rounding);
        }
        Ok(())
    });
}
