//! The backends against each other, and a matrix's layout against another.

use crate::{DISTANCES, Tolerance, apart, first_order, wide, with_problem};
use proptest::prelude::*;
use twolayer::{Evaluation, Inversion, LinearBackend, Objective, RowWeights};
use twolayer::{Scalar, TwoLayer};
use twolayer_faer::{Faer, FaerScalar};
use twolayer_nalgebra::{Nalgebra, NalgebraScalar};
use twolayer_ndarray::ndarray::{Array2, ShapeBuilder};
use twolayer_ndarray::{Ndarray, NdarrayScalar};
use twolayer_tests::generators::{Case, Distance, for_all_cases};
use twolayer_tests::problems::rounded;

/// H·direction.
fn curved<B: LinearBackend>(backend: &B, case: &Case, distance: Distance) -> Vec<f64> {
    with_problem(backend, case, distance, |problem, at| {
        let mut product = rounded(&vec![0.0; case.d]);
        let direction = rounded(&case.direction);
        twolayer_tests::hessian_vec(problem, &at, RowWeights::Exact, &direction, &mut product);
        wide(&product)
    })
}

fn backends_agree<T: FaerScalar + NalgebraScalar + NdarrayScalar>() {
    let faer = Faer::<T>::default();
    let nalgebra = Nalgebra::<T>::default();
    let ndarray = Ndarray::<T>::default();
    for_all_cases(|case| {
        prop_assume!(case.is_inside_cell(0.0));
        let bound = Tolerance::of::<T>(case);
        let length = 1.0 + apart(&case.direction, &vec![0.0; case.d]);
        for distance in DISTANCES {
            let (value, gradient) = first_order(&faer, case, distance);
            let product = curved(&faer, case, distance);
            for (other_value, other_gradient, other_product) in [
                (
                    first_order(&nalgebra, case, distance),
                    curved(&nalgebra, case, distance),
                ),
                (
                    first_order(&ndarray, case, distance),
                    curved(&ndarray, case, distance),
                ),
            ]
            .map(|((value, gradient), product)| (value, gradient, product))
            {
                prop_assert!((value - other_value).abs() <= 2.0 * bound.value);
                prop_assert!(apart(&gradient, &other_gradient) <= 2.0 * bound.gradient);
                let error = apart(&product, &other_product);
                prop_assert!(
                    error <= 2.0 * length * bound.hessian,
                    "{distance:?}: {error:e}"
                );
            }
        }
        Ok(())
    });
}

#[test]
fn backends_agree_f64() {
    backends_agree::<f64>();
}

#[test]
fn backends_agree_f32() {
    backends_agree::<f32>();
}

/// ndarray's matrices may lie either way; the order of sums may differ, and nothing else.
fn layouts_agree<T: NdarrayScalar>() {
    let backend = Ndarray::<T>::default();
    for_all_cases(|case| {
        prop_assume!(case.is_inside_cell(0.0));
        let bound = Tolerance::of::<T>(case);
        let rows = case.network(&backend).unwrap();
        let turned = |a: &Array2<T>| {
            let mut copy = Array2::from_elem(a.dim().f(), <T as Scalar>::of(0.0));
            copy.assign(a);
            copy
        };
        let columns = TwoLayer::new(backend, turned(rows.a1()), turned(rows.a2()))
            .unwrap()
            .with_biases(rows.bias1().to_vec(), rows.bias2().to_vec())
            .unwrap();
        let target = case.target().unwrap();
        for distance in DISTANCES {
            let first_order = |network: &TwoLayer<Ndarray<T>>| {
                let problem = Inversion::new(network, &target)
                    .unwrap()
                    .with_loss(crate::loss(distance));
                let mut at = problem.new_evaluation();
                problem.evaluate(&rounded(&case.x), &[], &mut at);
                problem.differentiate(&mut at);
                (at.value().to_f64(), wide(at.gradient()))
            };
            let (value, gradient) = first_order(&rows);
            let (other_value, other_gradient) = first_order(&columns);
            prop_assert!((value - other_value).abs() <= 2.0 * bound.value);
            prop_assert!(apart(&gradient, &other_gradient) <= 2.0 * bound.gradient);
        }
        Ok(())
    });
}

#[test]
fn layouts_agree_f64() {
    layouts_agree::<f64>();
}

#[test]
fn layouts_agree_f32() {
    layouts_agree::<f32>();
}
