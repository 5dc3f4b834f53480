//! How far along a step to go: the search across kinks.

use crate::crossings;
use crate::descent::{Buffers, Descent, ModelStep, swap};
use num_traits::{Float, One, Zero};
use std::cmp::Ordering;
use std::time::Instant;
use twolayer_core::{Crossing, Evaluation, Kinked, Scalar, reduce};

/// A step is good where the objective falls by this part of the prediction.
pub(crate) const GOOD_GAIN: f64 = 0.25;
/// What a search by values tries of a step that is not good.
const FRACTIONS: [f64; 5] = [0.5, 0.2, 0.05, 0.01, 1e-3];
const MOST_KINKS_TRIED: usize = 16;
/// Places that a search by values looks at, the end of the step among them.
pub(crate) const MOST_PLACES: usize = FRACTIONS.len() + MOST_KINKS_TRIED + 1;

/// A step of which so many roundoffs lead out of a bound goes along it.
const ALONG_A_BOUND: f64 = 16.0;

/// Where on the step, and on which kink if on one.
pub(crate) type Place<T> = (T, Option<usize>);

impl<O: Kinked> Descent<O> {
    /// Goes along the step to a lower point, and pins the kink that it ends in, if it does.
    /// Returns the length of the move, and leaves the point before in `trial`; `None`, and no
    /// move, where the objective does not fall.
    pub(crate) fn search(&mut self, problem: &O, step: &ModelStep<O::Scalar>) -> Option<O::Scalar> {
        let clock = Instant::now();
        let moved = self.search_along(problem, step);
        self.seconds.search += clock.elapsed().as_secs_f64();
        moved
    }

    fn search_along(&mut self, problem: &O, step: &ModelStep<O::Scalar>) -> Option<O::Scalar> {
        let Buffers {
            step: direction,
            slopes,
            crossings,
            ..
        } = &mut self.buffers;
        problem.distance_slopes(&self.current, direction, slopes);
        for &kink in self.active_set.pinned() {
            slopes[kink] = O::Scalar::zero();
        }
        // Out of a bound by no more than its rounding, a step does not lead.
        let rounding = O::Scalar::of(ALONG_A_BOUND) * O::Scalar::UNIT_ROUNDOFF * step.norm;
        let of_bounds = slopes[problem.first_bound()..].iter_mut();
        for slope in of_bounds.filter(|slope| **slope <= rounding) {
            *slope = slope.min(O::Scalar::zero());
        }
        let distances = problem.signed_distances(&self.current);
        crossings::find(distances, slopes, problem.sides(&self.current), crossings);

        let one = O::Scalar::one();
        let (open, end) = crossings::stop_at_bounds(problem.first_bound(), crossings);
        if end.0 == O::Scalar::zero() {
            return None;
        }
        let (current, trial) = (&self.current, &mut self.trial);
        let exact = problem.minimize_along(current, slopes, &crossings[..open], end.0, trial);
        let (fraction, kink) = match exact {
            Some(minimum) => {
                let bound = end.1.filter(|_| minimum.fraction == end.0);
                let place = (minimum.fraction, minimum.kink.or(bound));
                if minimum.fraction > O::Scalar::zero() {
                    self.evaluate_trial(problem, place);
                }
                place
            }
            None => self.search_by_values(problem, step, open, end),
        };
        // A trial that overflowed compares false: no decrease.
        let falls = fraction > O::Scalar::zero() && self.trial.value() < self.current.value();
        if !falls {
            return None;
        }
        let gain = (self.current.value() - self.trial.value()) / step.predicted;
        let good = gain > O::Scalar::of(GOOD_GAIN);
        let flips = self.trial.flips_from(&self.current);
        if kink.is_none() && !good {
            self.progress.damping.nudge();
        } else if fraction == one && good {
            // Of a step over kinks the model has seen one side alone.
            let left = match flips {
                0 if problem.lower_bound().is_some() => {
                    problem.excess(self.trial.value()) / problem.excess(self.current.value())
                }
                _ => one,
            };
            self.progress.damping.reward(gain, left);
        }
        let before = self.current.value();
        swap(self);
        self.flips = flips;
        self.active_set.forget_releases();
        self.active_set.follow(problem, &self.current);
        // Where kinks bend, it need not be where it was expected.
        let is_on =
            |kink: &usize| problem.signed_distances(&self.current)[*kink] == O::Scalar::zero();
        if let Some(kink) = kink.filter(is_on)
            && (exact.is_some() || self.falls_into(problem, kink))
            && self.active_set.pin(problem, &self.current, kink)
        {
            self.settle_on_kinks(problem, before);
        }
        Some(fraction * step.norm)
    }

    /// Moves the point onto the kink that was just pinned: a long step ends beside it by its own
    /// rounding. Not where that would undo the decrease from the value `before` the step.
    fn settle_on_kinks(&mut self, problem: &O, before: O::Scalar) {
        let Buffers { point, pinned, .. } = &mut self.buffers;
        point.copy_from_slice(self.current.point());
        if !self.active_set.restore(point) {
            return;
        }
        pinned.clear();
        pinned.extend_from_slice(self.active_set.pinned());
        if problem.first_bound() < problem.kinks() {
            problem.confine(pinned, point);
        }
        problem.evaluate(point, pinned, &mut self.trial);
        if self.trial.value() < before {
            swap(self);
        }
    }

    /// Looks for a low point by values of the objective: the `full` step, which may end at a bound, where it
    /// is good, else the best of the kinks on the way, the first `open` crossings, and of a few fractions.
    /// Leaves it in `trial`.
    fn search_by_values(
        &mut self,
        problem: &O,
        step: &ModelStep<O::Scalar>,
        open: usize,
        full: Place<O::Scalar>,
    ) -> Place<O::Scalar> {
        // What a quadratic model promises of a part of its step.
        let part = full.0 * (O::Scalar::of(2.0) - full.0);
        let enough = self.current.value() - O::Scalar::of(GOOD_GAIN) * step.predicted * part;
        // A full step that will be refused is not worth an evaluation: where the last one was, all
        // places are looked at together.
        let mut refused = None;
        if self.progress.takes_full_steps {
            self.evaluate_trial(problem, full);
            if self.trial.value() <= enough {
                return full;
            }
            refused = Some(self.trial.value());
        }
        self.list_places(open, full);
        let places = std::mem::take(&mut self.buffers.places);
        let known = self.look_along(problem, open, &places);
        let (mut lowest, mut best) = (O::Scalar::nan(), full);
        for (index, &place) in places.iter().enumerate().rev() {
            let value = if known {
                self.buffers.values[index]
            } else if let (true, Some(refused)) = (place == full, refused) {
                refused
            } else {
                self.evaluate_trial(problem, place);
                self.trial.value()
            };
            if value < lowest || lowest.is_nan() {
                (lowest, best) = (value, place);
            }
            if place == full && value <= enough {
                break;
            }
        }
        self.buffers.places = places;
        self.progress.takes_full_steps = best == full || !known;
        self.evaluate_trial(problem, best);
        best
    }

    /// The places on the way that are worth a look, nearest first; the last is the full step.
    fn list_places(&mut self, open: usize, full: Place<O::Scalar>) {
        let mut places = std::mem::take(&mut self.buffers.places);
        places.clear();
        places.extend(FRACTIONS.map(|fraction| (O::Scalar::of(fraction) * full.0, None)));
        let kinks = open.min(MOST_KINKS_TRIED);
        places.extend((0..kinks).map(|index| self.kink_to_try(index, kinks, open)));
        places.sort_unstable_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
        places.push(full);
        self.buffers.places = places;
    }

    /// The values at `places`, if the objective tells them for less than an evaluation each: not in
    /// a ball, where what lies outside is moved to its sphere.
    fn look_along(&mut self, problem: &O, open: usize, places: &[Place<O::Scalar>]) -> bool {
        let Buffers {
            slopes,
            crossings,
            fractions,
            values,
            ..
        } = &mut self.buffers;
        fractions.clear();
        fractions.extend(places.iter().map(|place| place.0));
        values.resize(places.len(), O::Scalar::zero());
        let (current, trial, open) = (&self.current, &mut self.trial, &crossings[..open]);
        problem.radius().is_none()
            && problem.values_along(current, slopes, open, fractions, values, trial)
    }

    /// Kink number `index` of the `tried` ones of `all`: the first half are the nearest, the others are
    /// spread over the rest of the way.
    fn kink_to_try(&self, index: usize, tried: usize, all: usize) -> Place<O::Scalar> {
        let near = tried / 2;
        let index = if index < near {
            index
        } else {
            near + (index - near) * (all - near) / (tried - near)
        };
        let Crossing { fraction, kink } = self.buffers.crossings[index];
        (fraction, Some(kink))
    }

    /// trial ← x + fraction·step, exactly on the kink where the place is one.
    fn evaluate_trial(&mut self, problem: &O, (fraction, kink): Place<O::Scalar>) {
        let Buffers {
            step,
            point,
            pinned,
            ..
        } = &mut self.buffers;
        point.copy_from_slice(self.current.point());
        reduce::axpy(fraction, step, point);
        self.active_set.restore(point);
        pinned.clear();
        pinned.extend(self.active_set.pinned().iter().copied().chain(kink));
        problem.confine(pinned, point);
        problem.evaluate(point, pinned, &mut self.trial);
    }

    /// Whether the objective rises, along the last step, on both sides of a kink that it ended on.
    /// Leaves the point differentiated, on the negative side of the kink.
    fn falls_into(&mut self, problem: &O, kink: usize) -> bool {
        problem.choose_side(&mut self.current, kink, false);
        problem.differentiate(&mut self.current);
        self.is_differentiated = true;
        let rate = self.buffers.slopes[kink];
        let mut jump = [O::Scalar::zero()];
        problem.foresee(&mut self.current, None);
        problem.slope_jumps(&self.current, &[kink], &mut jump);
        let negative = reduce::dot(self.current.gradient(), &self.buffers.step);
        let positive = negative + jump[0] * rate;
        let (before, behind) = match rate > O::Scalar::zero() {
            true => (negative, positive),
            false => (positive, negative),
        };
        before <= O::Scalar::zero() && behind >= O::Scalar::zero()
    }

    /// Pins the kink that a refused step meets at once, if there is one: the point lies on it. Of bounds it
    /// pins all that are met at once.
    pub(crate) fn pin_where_it_stands(&mut self, problem: &O) -> bool {
        let Some(&Crossing { fraction, kink }) = self.buffers.crossings.first() else {
            return false;
        };
        let here = O::Scalar::of(64.0) * O::Scalar::UNIT_ROUNDOFF;
        if fraction > here {
            return false;
        }
        self.evaluate_trial(problem, (O::Scalar::zero(), Some(kink)));
        // Putting a unit exactly on its kink changes the value by rounding; a rise is not allowed.
        let rises = self.trial.value() > self.current.value() || self.trial.value().is_nan();
        if rises || !self.active_set.pin(problem, &self.trial, kink) {
            return false;
        }
        swap(self);
        for &Crossing { fraction, kink } in &self.buffers.crossings[1..] {
            let is_on = problem.signed_distances(&self.current)[kink] == O::Scalar::zero();
            if kink >= problem.first_bound() && fraction <= here && is_on {
                self.active_set.pin(problem, &self.current, kink);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
