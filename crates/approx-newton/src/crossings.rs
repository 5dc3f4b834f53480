//! The kinks that a step crosses, in order.

use std::cmp::Ordering;
use twolayer_core::{Crossing, Scalar};

/// Replaces `crossings` by the kinks between a point and the point plus a step, nearest first.
///
/// `distances` are the signed distances h at the point, `slopes` their change over the whole step,
/// `sides` the side of each kink that the derivatives at the point belong to.
pub(crate) fn find<T: Scalar>(
    distances: &[T],
    slopes: &[T],
    sides: &[bool],
    crossings: &mut Vec<Crossing<T>>,
) {
    crossings.clear();
    for (kink, ((&h, &slope), &positive)) in distances.iter().zip(slopes).zip(sides).enumerate() {
        let approaches = if positive {
            slope < T::zero()
        } else {
            slope > T::zero()
        };
        if approaches {
            let fraction = (-h / slope).max(T::zero());
            if fraction < T::one() {
                crossings.push(Crossing { fraction, kink });
            }
        }
    }
    // Not stable by accident: kinks met at the same point keep the order of their numbers.
    crossings.sort_unstable_by(|a, b| {
        let order = a
            .fraction
            .partial_cmp(&b.fraction)
            .unwrap_or(Ordering::Equal);
        order.then(a.kink.cmp(&b.kink))
    });
}

/// Cuts `crossings` behind the first bound, kinks from number `first_bound` on, and those that are met
/// together with it. Returns how many lie before, and where the step then ends, on which bound.
pub(crate) fn stop_at_bounds<T: Scalar>(
    first_bound: usize,
    crossings: &mut Vec<Crossing<T>>,
) -> (usize, (T, Option<usize>)) {
    let is_bound = |crossing: &Crossing<T>| crossing.kink >= first_bound;
    let Some(open) = crossings.iter().position(is_bound) else {
        return (crossings.len(), (T::one(), None));
    };
    let Crossing { fraction, kink } = crossings[open];
    let behind = crossings.partition_point(|crossing| crossing.fraction <= fraction);
    crossings.truncate(behind);
    (open, (fraction, Some(kink)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_crossed_and_in_order() {
        let mut crossings = Vec::new();
        // Falls through at ½, rises away, rises through at ¼, stops short, leaves its own kink.
        let (h, slope) = ([1.0, 1.0, -1.0, 3.0, 0.0], [-2.0, 1.0, 4.0, -2.0, 1.0]);
        find(&h, &slope, &[true, true, false, true, true], &mut crossings);
        let kinks: Vec<_> = crossings.iter().map(|c| (c.kink, c.fraction)).collect();
        assert_eq!(kinks, [(2, 0.25), (0, 0.5)]);
        // The same kink approached from the side that the derivatives belong to.
        find(&h[4..], &slope[4..], &[false], &mut crossings);
        assert_eq!(
            crossings,
            [Crossing {
                fraction: 0.0,
                kink: 0
            }]
        );
    }

    #[test]
    fn a_step_ends_at_the_first_bound_and_those_met_with_it() {
        let crossing = |(kink, fraction)| Crossing { fraction, kink };
        let cut = |all: &[(usize, f64)]| {
            let mut crossings = all.iter().copied().map(crossing).collect();
            let found = stop_at_bounds(5, &mut crossings);
            (found, crossings.len())
        };
        let all = [(0, 0.1), (3, 0.2), (5, 0.2), (7, 0.2), (1, 0.3), (6, 0.4)];
        assert_eq!(cut(&all), ((2, (0.2, Some(5))), 4));
        assert_eq!(cut(&all[..2]), ((2, (1.0, None)), 2));
        assert_eq!(cut(&all[2..]), ((0, (0.2, Some(5))), 2));
        assert_eq!(cut(&[]), ((0, (1.0, None)), 0));
    }

    #[test]
    fn kinks_met_together_keep_the_order_of_their_numbers() {
        let mut crossings = Vec::new();
        let (h, slope) = ([-1.0, -2.0, 0.5, -1.0], [2.0, 4.0, -1.0, 4.0]);
        find(&h, &slope, &[false, false, true, false], &mut crossings);
        let kinks: Vec<_> = crossings.iter().map(|c| c.kink).collect();
        assert_eq!(kinks, [3, 0, 1, 2]);
        // What was there before is gone, and the end of the step is not on the way.
        find(&[-1.0, 1.0], &[1.0, -1.0], &[false, true], &mut crossings);
        assert!(crossings.is_empty());
        find(&[-1.0], &[1.0 + 1e-15], &[false], &mut crossings);
        assert_eq!(crossings.len(), 1);
    }

    /// By rounding a point may lie beyond the kink whose side its derivatives belong to: it is met
    /// where the point stands. A step along a kink does not meet it.
    #[test]
    fn a_kink_behind_its_own_side_is_met_at_once() {
        let mut crossings = Vec::new();
        find(
            &[1e-17, -1e-17],
            &[1.0, -1.0],
            &[false, true],
            &mut crossings,
        );
        let met: Vec<_> = crossings.iter().map(|c| (c.kink, c.fraction)).collect();
        assert_eq!(met, [(0, 0.0), (1, 0.0)]);
        find(&[0.0, 0.0], &[0.0, 0.0], &[false, true], &mut crossings);
        assert!(crossings.is_empty());
    }
}
