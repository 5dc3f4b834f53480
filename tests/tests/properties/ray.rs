//! The objective along a ray, told by one walk over its kinks, against evaluations.

use crate::{DISTANCES, Tolerance, properties, with_problem};
use proptest::prelude::*;
use twolayer::{Evaluation, Kinked, LinearBackend, Objective, Scalar};
use twolayer_core::Crossing;
use twolayer_tests::generators::for_all_cases;
use twolayer_tests::problems::rounded;

properties!(values_along_a_ray_are_those_of_its_points);

const FRACTIONS: [f64; 6] = [0.0, 0.001, 0.25, 0.5, 0.9, 1.0];

fn values_along_a_ray_are_those_of_its_points<B: LinearBackend>(backend: &B) {
    for_all_cases(|case| {
        let sign = |j: usize| {
            if j.count_ones().is_multiple_of(2) {
                1.5
            } else {
                -1.5
            }
        };
        let direction: Vec<f64> = (0..case.d).map(|j| sign(j) * (1.0 + case.x[j])).collect();
        let mut end = case.clone();
        for (x, p) in end.x.iter_mut().zip(&direction) {
            *x += p;
        }
        // Both points' logits are sums of the same terms; the walk adds each unit once more.
        let bounds = [case, &end].map(|at| Tolerance::of::<B::Scalar>(at).value);
        let bound = 4.0 * bounds[0].max(bounds[1]);
        let direction: Vec<B::Scalar> = rounded(&direction);
        for distance in DISTANCES {
            let pairs = with_problem(backend, case, distance, |problem, at| {
                let mut slopes: Vec<B::Scalar> = rounded(&vec![0.0; case.n]);
                problem.distance_slopes(&at, &direction, &mut slopes);
                let crossings = crossings(problem.signed_distances(&at), &slopes);
                let fractions: Vec<B::Scalar> = rounded(&FRACTIONS);
                let mut values = fractions.clone();
                let mut scratch = problem.new_evaluation();
                let told = problem.values_along(
                    &at,
                    &slopes,
                    &crossings,
                    &fractions,
                    &mut values,
                    &mut scratch,
                );
                assert!(told);
                let evaluated = fractions.iter().map(|&fraction| {
                    let pairs = at.point().iter().zip(&direction);
                    let x: Vec<_> = pairs.map(|(&x, &p)| x + fraction * p).collect();
                    problem.evaluate(&x, &[], &mut scratch);
                    scratch.value()
                });
                let evaluated: Vec<_> = evaluated.collect();
                values.into_iter().zip(evaluated).collect::<Vec<_>>()
            });
            for ((told, evaluated), fraction) in pairs.iter().zip(FRACTIONS) {
                let error = (told.to_f64() - evaluated.to_f64()).abs();
                prop_assert!(
                    error <= bound,
                    "{distance:?} at {fraction}: {told:e} for {evaluated:e} ± {bound:e}"
                );
            }
        }
        Ok(())
    });
}

fn crossings<T: Scalar>(distances: &[T], slopes: &[T]) -> Vec<Crossing<T>> {
    let pairs = distances.iter().zip(slopes).enumerate();
    let mut crossings: Vec<_> = pairs
        .map(|(kink, (&h, &slope))| (kink, h, -h / slope))
        // A unit that is on leaves where it falls to zero; one that is off joins where it rises.
        .filter(|&(kink, h, _)| (h > T::zero()) == (slopes[kink] < T::zero()))
        .filter(|(.., fraction)| *fraction >= T::zero() && *fraction < T::one())
        .map(|(kink, _, fraction)| Crossing { fraction, kink })
        .collect();
    crossings.sort_by(|a, b| a.fraction.partial_cmp(&b.fraction).unwrap());
    crossings
}
