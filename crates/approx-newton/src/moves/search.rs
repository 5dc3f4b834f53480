//! How far along a step to go: the search across kinks.

use crate::crossings;
use crate::damping::Damping;
use crate::position::{Move, Place, Position};
use crate::step::Step;
use num_traits::One;
use std::cmp::Ordering;
use std::mem;
use twolayer_core::{Crossing, Evaluation, Kinked, Scalar, reduce};

/// A step is good where the objective falls by this part of the prediction.
const GOOD_GAIN: f64 = 0.25;
/// What a search by values tries of a step that is not good.
const FRACTIONS: [f64; 5] = [0.5, 0.2, 0.05, 0.01, 1e-3];
const MOST_KINKS_TRIED: usize = 16;
/// Places that a search by values looks at, the end of the step among them.
const MOST_PLACES: usize = FRACTIONS.len() + MOST_KINKS_TRIED + 1;

/// A step of which so many roundoffs lead out of a bound goes along it.
const ALONG_A_BOUND: f64 = 16.0;

/// What the search has learnt, and its buffers.
pub(crate) struct Search<T> {
    /// Whether the last step that was looked for by values was taken in full.
    pub(crate) takes_full_steps: bool,
    /// How the signed distances change along the step (n), and the kinks on its way.
    slopes: Vec<T>,
    crossings: Vec<Crossing<T>>,
    /// Places on the step that a search by values looks at, how far along they are, and the values
    /// there.
    places: Vec<Place<T>>,
    fractions: Vec<T>,
    values: Vec<T>,
}

/// The way that a step may go: the first `open` of its crossings, and its end, which may be at a bound.
#[derive(Clone, Copy)]
struct Way<T> {
    open: usize,
    end: Place<T>,
}

impl<T: Scalar> Search<T> {
    /// Buffers for so many kinks.
    pub(crate) fn new(kinks: usize) -> Self {
        Self {
            takes_full_steps: true,
            slopes: vec![T::zero(); kinks],
            crossings: Vec::with_capacity(kinks),
            places: Vec::with_capacity(MOST_PLACES),
            fractions: Vec::with_capacity(MOST_PLACES),
            values: Vec::with_capacity(MOST_PLACES),
        }
    }

    /// Goes along the step to a lower point, pins the kink that it ends in, if it does, and has the
    /// damping learn from it. Leaves the point before in `trial`; `None`, and no move, where the
    /// objective does not fall.
    pub(crate) fn go<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        position: &mut Position<O>,
        step: &Step<T>,
        damping: &mut Damping<T>,
    ) -> Option<Move<T>> {
        let way = self.find_way(problem, position, step);
        if way.end.0 == T::zero() {
            return None;
        }
        let (exact, place) = match self.minimum(problem, position, step, way) {
            Some(place) => (true, place),
            None => (false, self.search_by_values(problem, position, step, way)),
        };
        // A trial that overflowed compares false: no decrease.
        let (fraction, kink) = place;
        let falls = fraction > T::zero() && position.trial.value() < position.current.value();
        if !falls {
            return None;
        }
        let flips = position.trial.flips_from(&position.current);
        teach(damping, problem, position, step, place, flips);
        let before = position.current.value();
        position.swap();
        position.active_set.forget_releases();
        position.active_set.follow(problem, &position.current);
        // Where kinks bend, it need not be where it was expected.
        let is_on = |kink: &usize| problem.signed_distances(&position.current)[*kink] == T::zero();
        if let Some(kink) = kink.filter(is_on)
            && (exact || self.falls_into(problem, position, step, kink))
            && position.active_set.pin(problem, &position.current, kink)
        {
            position.settle_on_kinks(problem, before);
        }
        Some(Move {
            length: fraction * step.norm,
            fraction,
            flips,
        })
    }

    /// The kinks on the way, pinned ones aside, and where it ends.
    fn find_way<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        position: &Position<O>,
        step: &Step<T>,
    ) -> Way<T> {
        let (at, slopes) = (&position.current, &mut self.slopes);
        problem.distance_slopes(at, &step.p, slopes);
        for &kink in position.active_set.pinned() {
            slopes[kink] = T::zero();
        }
        // Out of a bound by no more than its rounding, a step does not lead.
        let rounding = T::of(ALONG_A_BOUND) * T::UNIT_ROUNDOFF * step.norm;
        let of_bounds = slopes[problem.first_bound()..].iter_mut();
        for slope in of_bounds.filter(|slope| **slope <= rounding) {
            *slope = slope.min(T::zero());
        }
        let (distances, sides) = (problem.signed_distances(at), problem.sides(at));
        crossings::find(distances, slopes, sides, &mut self.crossings);
        let (open, end) = crossings::stop_at_bounds(problem.first_bound(), &mut self.crossings);
        Way { open, end }
    }

    /// The minimum on the way, where the objective tells it exactly; leaves it in `trial`.
    fn minimum<O: Kinked<Scalar = T>>(
        &self,
        problem: &O,
        position: &mut Position<O>,
        step: &Step<T>,
        Way { open, end }: Way<T>,
    ) -> Option<Place<T>> {
        let Position { current, trial, .. } = position;
        let crossings = &self.crossings[..open];
        let minimum = problem.minimize_along(current, &self.slopes, crossings, end.0, trial)?;
        let bound = end.1.filter(|_| minimum.fraction == end.0);
        let place = (minimum.fraction, minimum.kink.or(bound));
        if minimum.fraction > T::zero() {
            position.look_at(problem, &step.p, place);
        }
        Some(place)
    }

    /// Looks for a low point by values of the objective: the full step, which may end at a bound, where it
    /// is good, else the best of the kinks on the way and of a few fractions. Leaves it in `trial`.
    fn search_by_values<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        position: &mut Position<O>,
        step: &Step<T>,
        way: Way<T>,
    ) -> Place<T> {
        let full = way.end;
        // What a quadratic model promises of a part of its step.
        let part = full.0 * (T::of(2.0) - full.0);
        let enough = position.current.value() - T::of(GOOD_GAIN) * step.predicted * part;
        // A full step that will be refused is not worth an evaluation: where the last one was, all
        // places are looked at together.
        let mut refused = None;
        if self.takes_full_steps {
            position.look_at(problem, &step.p, full);
            if position.trial.value() <= enough {
                return full;
            }
            refused = Some(position.trial.value());
        }
        self.list_places(way);
        let known = self.look_along(problem, position, way.open);
        let (mut lowest, mut best) = (T::nan(), full);
        for (index, &place) in self.places.iter().enumerate().rev() {
            let value = if known {
                self.values[index]
            } else if let (true, Some(refused)) = (place == full, refused) {
                refused
            } else {
                position.look_at(problem, &step.p, place);
                position.trial.value()
            };
            if value < lowest || lowest.is_nan() {
                (lowest, best) = (value, place);
            }
            if place == full && value <= enough {
                break;
            }
        }
        self.takes_full_steps = best == full || !known;
        position.look_at(problem, &step.p, best);
        best
    }

    /// The places on the way that are worth a look, nearest first; the last is the full step.
    fn list_places(&mut self, Way { open, end }: Way<T>) {
        let mut places = mem::take(&mut self.places);
        places.clear();
        places.extend(FRACTIONS.map(|fraction| (T::of(fraction) * end.0, None)));
        let kinks = open.min(MOST_KINKS_TRIED);
        places.extend((0..kinks).map(|index| self.kink_to_try(index, kinks, open)));
        places.sort_unstable_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
        places.push(end);
        self.places = places;
    }

    /// The values at the places, if the objective tells them for less than an evaluation each: not in
    /// a ball, where what lies outside is moved to its sphere.
    fn look_along<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        position: &mut Position<O>,
        open: usize,
    ) -> bool {
        let Self {
            slopes,
            crossings,
            places,
            fractions,
            values,
            ..
        } = self;
        fractions.clear();
        fractions.extend(places.iter().map(|place| place.0));
        values.resize(places.len(), T::zero());
        let Position { current, trial, .. } = position;
        problem.radius().is_none()
            && problem.values_along(
                current,
                slopes,
                &crossings[..open],
                fractions,
                values,
                trial,
            )
    }

    /// Kink number `index` of the `tried` ones of `all`: the first half are the nearest, the others are
    /// spread over the rest of the way.
    fn kink_to_try(&self, index: usize, tried: usize, all: usize) -> Place<T> {
        let near = tried / 2;
        let index = if index < near {
            index
        } else {
            near + (index - near) * (all - near) / (tried - near)
        };
        let Crossing { fraction, kink } = self.crossings[index];
        (fraction, Some(kink))
    }

    /// Whether the objective rises, along the last step, on both sides of a kink that it ended on.
    /// Leaves the point differentiated, on the negative side of the kink.
    fn falls_into<O: Kinked<Scalar = T>>(
        &self,
        problem: &O,
        position: &mut Position<O>,
        step: &Step<T>,
        kink: usize,
    ) -> bool {
        let at = &mut position.current;
        problem.choose_side(at, kink, false);
        problem.differentiate(at);
        position.is_differentiated = true;
        let rate = self.slopes[kink];
        let mut jump = [T::zero()];
        problem.foresee(at, None);
        problem.slope_jumps(at, &[kink], &mut jump);
        let negative = reduce::dot(at.gradient(), &step.p);
        let positive = negative + jump[0] * rate;
        let (before, behind) = match rate > T::zero() {
            true => (negative, positive),
            false => (positive, negative),
        };
        before <= T::zero() && behind >= T::zero()
    }

    /// Pins the kink that the step, which was refused, meets at once, if there is one: the point lies on it. Of
    /// bounds it pins all that are met at once.
    pub(crate) fn pin_where_it_stands<O: Kinked<Scalar = T>>(
        &self,
        problem: &O,
        position: &mut Position<O>,
        step: &Step<T>,
    ) -> bool {
        let Some(&Crossing { fraction, kink }) = self.crossings.first() else {
            return false;
        };
        let here = T::of(64.0) * T::UNIT_ROUNDOFF;
        if fraction > here {
            return false;
        }
        position.look_at(problem, &step.p, (T::zero(), Some(kink)));
        // Putting a unit exactly on its kink changes the value by rounding; a rise is not allowed.
        let trial = &position.trial;
        let rises = trial.value() > position.current.value() || trial.value().is_nan();
        if rises || !position.active_set.pin(problem, trial, kink) {
            return false;
        }
        position.swap();
        for &Crossing { fraction, kink } in &self.crossings[1..] {
            let at = &position.current;
            let is_on = problem.signed_distances(at)[kink] == T::zero();
            if kink >= problem.first_bound() && fraction <= here && is_on {
                position.active_set.pin(problem, at, kink);
            }
        }
        true
    }
}

/// Has the damping learn from the gain of a step that is taken to a `place`, the trial.
fn teach<O: Kinked>(
    damping: &mut Damping<O::Scalar>,
    problem: &O,
    position: &Position<O>,
    step: &Step<O::Scalar>,
    (fraction, kink): Place<O::Scalar>,
    flips: usize,
) {
    let (before, after) = (position.current.value(), position.trial.value());
    let gain = (before - after) / step.predicted;
    let good = gain > O::Scalar::of(GOOD_GAIN);
    let one = O::Scalar::one();
    if kink.is_none() && !good {
        damping.nudge();
    } else if fraction == one && good {
        // Of a step over kinks the model has seen one side alone.
        let left = match flips {
            0 if problem.lower_bound().is_some() => problem.excess(after) / problem.excess(before),
            _ => one,
        };
        damping.reward(gain, left);
    }
}

#[cfg(test)]
mod tests;
