//! Against central differences of whole solves, and of products against the transposed ones.

use super::made::{Kind, Made, Numbers};
use super::polished::polished;
use crate::sensitivity::{NoDerivative, Sensitivity};
use std::collections::BTreeMap;
use twolayer_core::{Scalar, reduce};

/// Differences are taken over twice so much of a change.
const STEP: f64 = 4e-6;

/// Differences are off by h² times a third derivative, and by condition · roundoff/h: with h near the third root of a
/// roundoff by no more than some roots of a roundoff times the condition.
const ROOTS: f64 = 64.0;

/// What holds an answer: kinks and bounds, each none, one or more, and whether the sphere does.
type Holding = (usize, usize, bool);

/// What became of one problem.
enum Told {
    /// The answer has no derivative.
    Refused(NoDerivative),
    /// Other kinks hold the answers at the two ends, or one is no minimum.
    OtherCell,
    /// By how much the derivative is off the difference, in roots of a roundoff times the condition.
    Off(f64, Holding),
}

/// A problem with a change of one of its parts, or of all; nothing where it has no such part.
fn drawn(seed: u64) -> Option<(Kind, Made, Made, Vec<f64>)> {
    let mut numbers = Numbers::new(seed);
    let shape = (
        1 + numbers.below(5),
        2 + numbers.below(8),
        3 + numbers.below(6),
    );
    let kind = Kind::new(&mut numbers);
    let made = Made::new(shape, &mut numbers).masked(kind, f64::NEG_INFINITY);
    let change = Made::change(shape, &mut numbers).masked(kind, 0.0);
    let change = change.only(numbers.below(14), kind)?;
    Some((kind, made, change, numbers.vector(shape.0, 1.0)))
}

fn compare(seed: u64) -> Option<Told> {
    let (kind, made, change, start) = drawn(seed)?;
    let solution = made.solve(kind, &start, true);
    let pinned = &solution.pinned;
    let derivative = made.with(kind, |problem| {
        let sensitivity = Sensitivity::new(problem, &solution)?;
        let dx = sensitivity.jvp(&change.as_change(kind))?;
        Ok((dx, sensitivity.relative_error()))
    });
    let (dx, error) = match derivative {
        Ok(told) => told,
        Err(why) => return Some(Told::Refused(why)),
    };
    let mut ends = Vec::new();
    for step in [STEP, -STEP] {
        let moved = made.moved(&change, step);
        let pairs = solution.x.iter().zip(&dx);
        let start: Vec<f64> = pairs.map(|(x, dx)| x + step * dx).collect();
        let end = moved.solve(kind, &start, false);
        let mut held = [end.pinned.clone(), pinned.clone()];
        held.iter_mut().for_each(|held| held.sort_unstable());
        if held[0] != held[1] || !end.status.is_converged() {
            return Some(Told::OtherCell);
        }
        ends.push(moved.with(kind, |problem| polished(problem, &end)));
    }
    let difference = |j: usize| (ends[0][j] - ends[1][j]) / (2.0 * STEP);
    let off: Vec<f64> = (0..dx.len()).map(|j| difference(j) - dx[j]).collect();
    let kinks = pinned.iter().filter(|&&kink| kink < made.c1.len()).count();
    let on_sphere = kind.is_in_ball && reduce::norm(&solution.x) > made.radius * (1.0 - 1e-12);
    let holding = (kinks.min(2), (pinned.len() - kinks).min(2), on_sphere);
    let condition = 1.0 + error / (16.0 * f64::UNIT_ROUNDOFF);
    let size = reduce::norm(&dx) + reduce::norm(&solution.x);
    let unit = f64::UNIT_ROUNDOFF.sqrt() * condition * size;
    Some(Told::Off(reduce::norm(&off) / unit, holding))
}

#[test]
fn derivatives_are_the_limits_of_differences() {
    let mut seen: BTreeMap<Holding, usize> = BTreeMap::new();
    let mut refused: BTreeMap<&'static str, usize> = BTreeMap::new();
    let (mut others, mut compared) = (0, 0);
    for seed in 0..3000 {
        match compare(seed) {
            None => {}
            Some(Told::Refused(why)) => *refused.entry(why.name()).or_default() += 1,
            Some(Told::OtherCell) => others += 1,
            Some(Told::Off(off, holding)) => {
                assert!(off <= ROOTS, "{seed}: {off} {holding:?}");
                *seen.entry(holding).or_default() += 1;
                compared += 1;
            }
        }
    }
    // Of every kind there were some, and hardly any change led elsewhere.
    for kinks in 0..3 {
        for bounds in 0..3 {
            let count = seen.get(&(kinks, bounds, false)).unwrap_or(&0);
            assert!(*count >= 8, "{seen:?}");
        }
        assert!(seen.contains_key(&(kinks, 0, true)), "{seen:?}");
    }
    assert!(
        seen.contains_key(&(0, 1, true)) && seen.contains_key(&(1, 1, true)),
        "{seen:?}"
    );
    assert!(
        compared > 1000 && others * 100 < compared,
        "{compared} {others}"
    );
    let known = ["corner", "not-converged", "not-strict", "rough"];
    assert!(
        refused.keys().all(|name| known.contains(name)),
        "{refused:?}"
    );
}

/// ⟨v, J dθ⟩ = ⟨Jᵀv, dθ⟩, to the rounding of products along directions that are hardly determined.
#[test]
fn products_are_those_of_the_transposed() {
    let mut compared = 0;
    for seed in 0..1000 {
        let Some((kind, made, change, start)) = drawn(seed) else {
            continue;
        };
        let solution = made.solve(kind, &start, true);
        made.with(kind, |problem| {
            let Ok(sensitivity) = Sensitivity::new(problem, &solution) else {
                return;
            };
            let v: Vec<f64> = (0..start.len()).map(|j| (2.0 + j as f64).cos()).collect();
            let dx = sensitivity.jvp(&change.as_change(kind)).unwrap();
            let gradients = sensitivity.vjp(&v).unwrap();
            let (along, size) = change.along(&gradients, kind);
            let of_dx: f64 = v.iter().zip(&dx).map(|(v, dx)| (v * dx).abs()).sum();
            let off = (along - reduce::dot(&v, &dx)).abs();
            // Where nothing moves, what rounding makes of numbers of the size of 1 is all there is.
            let error = sensitivity.relative_error() * (size + of_dx) + 64.0 * f64::UNIT_ROUNDOFF;
            assert!(off <= error, "{seed}: {along:e} is off by {off:e}");
            compared += 1;
        });
    }
    assert!(compared > 400);
}
