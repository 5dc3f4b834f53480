//! What must not change the objective, and how its gradient follows.

use crate::{DISTANCES, Tolerance, apart, first_order, properties};
use proptest::prelude::*;
use twolayer::LinearBackend;
use twolayer_tests::generators::{Case, for_all_cases};

properties!(
    a_shift_of_all_logits_changes_nothing,
    the_order_of_the_outcomes_does_not_matter,
    the_order_of_the_units_does_not_matter,
    a_rotation_of_the_input_rotates_the_gradient,
);

/// Value and gradient of both are the same but for rounding, the gradient after `back`.
fn same<B: LinearBackend>(
    backend: &B,
    one: &Case,
    other: &Case,
    back: impl Fn(&[f64]) -> Vec<f64>,
) -> Result<(), TestCaseError> {
    prop_assume!(one.is_inside_cell(0.0) && other.is_inside_cell(0.0));
    let bounds = [one, other].map(Tolerance::of::<B::Scalar>);
    let [value_bound, gradient_bound] = [
        bounds[0].value + bounds[1].value,
        bounds[0].gradient + bounds[1].gradient,
    ];
    for distance in DISTANCES {
        let (value, gradient) = first_order(backend, one, distance);
        let (other_value, other_gradient) = first_order(backend, other, distance);
        let error = (value - other_value).abs();
        prop_assert!(error <= value_bound, "{distance:?}: value off by {error:e}");
        let error = apart(&gradient, &back(&other_gradient));
        prop_assert!(
            error <= gradient_bound,
            "{distance:?}: gradient off by {error:e}"
        );
    }
    Ok(())
}

fn a_shift_of_all_logits_changes_nothing<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        for shift in [-1024.0, -0.5, 1024.0] {
            let mut shifted = case.clone();
            shifted.bias2.iter_mut().for_each(|c| *c += shift);
            same(backend, case, &shifted, <[f64]>::to_vec)?;
        }
        Ok(())
    });
}

/// The entries in reverse order.
fn reversed(values: &[f64], width: usize) -> Vec<f64> {
    values.chunks(width).rev().flatten().copied().collect()
}

fn the_order_of_the_outcomes_does_not_matter<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        let mut permuted = case.clone();
        permuted.a2 = reversed(&case.a2, case.n);
        permuted.bias2.reverse();
        permuted.target.reverse();
        permuted.weights.reverse();
        same(backend, case, &permuted, <[f64]>::to_vec)
    });
}

fn the_order_of_the_units_does_not_matter<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        let mut permuted = case.clone();
        permuted.a1 = reversed(&case.a1, case.d);
        permuted.bias1.reverse();
        permuted.a2.chunks_mut(case.n).for_each(<[f64]>::reverse);
        same(backend, case, &permuted, <[f64]>::to_vec)
    });
}

/// v − 2q(qᵀv) with q the unit vector along `axis`: a reflection, its own inverse.
fn reflect(axis: &[f64], v: &[f64]) -> Vec<f64> {
    let square: f64 = axis.iter().map(|q| q * q).sum();
    let along: f64 = axis.iter().zip(v).map(|(q, v)| q * v).sum();
    let twice = if square > 0.0 {
        2.0 * along / square
    } else {
        0.0
    };
    v.iter().zip(axis).map(|(v, q)| v - twice * q).collect()
}

/// A1 Q and Qᵀx are rounded to the precision before they meet: one more roundoff for each factor.
fn a_rotation_of_the_input_rotates_the_gradient<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        let axis = &case.direction;
        let mut rotated = case.clone();
        rotated.a1 = case
            .a1
            .chunks(case.d)
            .flat_map(|row| reflect(axis, row))
            .collect();
        rotated.x = reflect(axis, &case.x);
        // A unit near its kink may be put on its other side by that rounding.
        prop_assume!(case.is_inside_cell(1e-5 * (1.0 + apart(&case.x, &vec![0.0; case.d]))));
        same(backend, case, &rotated, |gradient| reflect(axis, gradient))
    });
}
