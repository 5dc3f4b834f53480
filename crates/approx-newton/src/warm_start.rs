//! A rung of the warm start: descents on an easier objective, one after the other.

use crate::descent::{Descent, Iteration};
use crate::hessian::Adaptive;
use crate::snapshot::RungState;
use crate::solution::PhaseSeconds;
use crate::solver::Solver;
use crate::termination::Status;
use num_traits::Zero;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;
use twolayer_core::{
    Evaluation, HessianApprox, Kinked, Ladder, Restarts, RowStructured, RungMaker, Scalar,
    WarmStart, reduce,
};

/// What a solve sees of a rung, whatever its objective.
pub(crate) trait Rung<T> {
    /// Begins a descent from x or, on few outcomes and where that is lower, from what the source of
    /// starts makes of it. Returns false where the objective overflows there.
    fn begin(&mut self, x: &[T]) -> bool;

    /// Begins another descent from another start, if another is worth its time; one that was begun off a
    /// plateau of the target, only where the lowest point `is_flat` still.
    fn restart(&mut self, is_flat: bool) -> bool;

    /// Whether the rung has come so low that its minimum is most likely zero, and has tried other
    /// starts: then the other rungs have nothing to add.
    fn is_within_reach(&self) -> bool;

    /// One iteration of the present descent.
    fn iterate(&mut self) -> Iteration<T>;

    /// The present point (d).
    fn point(&self) -> &[T];

    /// The kinks that hold it.
    fn pinned(&self) -> &[usize];

    /// The rung's own objective at the point.
    fn value(&self) -> T;

    /// The objective that was asked for, where it is known without further work.
    fn target_value(&self) -> Option<T>;

    /// How the objective that was asked for is met there, as far as that is known without further
    /// work.
    fn target_met(&self) -> Option<Status>;

    /// Seconds by phase so far.
    fn seconds(&self) -> PhaseSeconds;

    /// Counts what it took to make the rung.
    fn add_seconds(&mut self, seconds: f64);

    /// Starts tried so far, beyond the first.
    fn restarts(&self) -> usize;

    /// [`Descent::renew`].
    fn renew(&mut self, is_present: bool) -> bool;

    /// What making the rung anew does not bring back, where it was just renewed.
    fn state(&self) -> RungState<T>;

    /// Goes on from a state whose lengths fit. Returns false where it cannot be one of this rung.
    fn restore(&mut self, state: &RungState<T>, is_present: bool) -> bool;
}

/// The rung of an objective of rows: its own descent, with a model of its own.
pub(crate) struct WarmDescent<'r, O: RowStructured + Kinked> {
    warm: WarmStart<'r, O>,
    hessian: Adaptive<O>,
    descent: Descent<O>,
    /// Where the first descent began.
    x0: Vec<O::Scalar>,
    start: Vec<O::Scalar>,
    most_restarts: usize,
    restarts: usize,
    /// The lowest end of a descent so far.
    lowest: O::Scalar,
    /// Iterations of the source of starts before the next descent.
    burst: usize,
    /// Descents in a row that ended hardly lower than one before.
    vain: usize,
    /// The value after each iteration of the present descent.
    course: Vec<O::Scalar>,
    random: ChaCha8Rng,
}

/// Damping of the first step: the objective is nearly quadratic.
const INITIAL_DAMPING: f64 = 1e-4;
/// A descent that has not arrived after so many iterations will not.
const LONGEST_DESCENT: usize = 100;
/// A descent on a rung without many restarts has to halve its value in so many iterations,
const HALVES_WITHIN: usize = 4;
/// and where a restart is left that is quicker from far away, to bring it to a tenth in so many.
const TENTH_WITHIN: usize = 2;
/// Iterations of a source of starts before the first descent, where it is asked that early.
pub const FIRST_BURST: usize = 100;
/// Iterations of the source of starts before the second descent; they double from restart to
/// restart, up to the last.
const BURST: usize = 1000;
const LONGEST_BURST: usize = 2000;
/// A descent was not in vain where it ended below this part of the lowest before.
const WORTH_WHILE: f64 = 0.25;
/// A descent that ends where the objective is smooth and below this part of what counts as within
/// reach has arrived: log-ratios off by 10⁻⁷ on average.
const ARRIVED: f64 = 1e-12;
/// So many descents in vain are enough, from starts that a source gives and from random ones.
const MOST_VAIN: usize = 12;
const MOST_VAIN_AT_RANDOM: usize = 3;
/// So many starts at random are tried where the lowest point is on a plateau: all end smoothly there.
const MOST_OFF_A_PLATEAU: usize = 4;
/// A descent in vain that ends where the objective is smooth counts as so many.
const SMOOTH_END_COUNTS: usize = 3;

/// Makes the descents of an easier objective, with the settings of the solve, where it is worth its time.
struct Descents<'m, T> {
    settings: &'m Solver<T>,
    on_a_plateau: bool,
}

impl<'r, T: Scalar> RungMaker<'r, T> for Descents<'_, T> {
    type Rung = Option<Box<dyn Rung<T> + 'r>>;

    fn make<O>(self, easier: WarmStart<'r, O>) -> Self::Rung
    where
        O: RowStructured<Scalar = T> + Kinked + 'r,
    {
        let is_worth_it = self.on_a_plateau || !easier.only_off_a_plateau;
        is_worth_it.then(|| {
            let rung: Box<dyn Rung<T> + 'r> = Box::new(WarmDescent::new(self.settings, easier));
            rung
        })
    }
}

/// Rung number `number` of `objective`, if it has so many that are worth their time, on a plateau of it
/// or not.
pub(crate) fn rung<'r, O: Ladder>(
    settings: &Solver<O::Scalar>,
    objective: &'r O,
    number: usize,
    on_a_plateau: bool,
) -> Option<Box<dyn Rung<O::Scalar> + 'r>> {
    let clock = Instant::now();
    let maker = Descents {
        settings,
        on_a_plateau,
    };
    let mut rung = objective.rung(number, maker)??;
    rung.add_seconds(clock.elapsed().as_secs_f64());
    Some(rung)
}

impl<'r, O: RowStructured + Kinked> WarmDescent<'r, O> {
    fn new(settings: &Solver<O::Scalar>, warm: WarmStart<'r, O>) -> Self {
        let d = warm.objective.dimension();
        Self {
            hessian: settings.default_hessian(&warm.objective),
            descent: Descent::new(&warm.objective, settings.tolerances),
            warm,
            x0: vec![O::Scalar::zero(); d],
            start: vec![O::Scalar::zero(); d],
            most_restarts: settings.restarts,
            restarts: 0,
            lowest: num_traits::Float::infinity(),
            burst: BURST,
            vain: 0,
            course: Vec::with_capacity(LONGEST_DESCENT),
            random: ChaCha8Rng::seed_from_u64(settings.seed),
        }
    }

    /// Begins a descent at `start`.
    fn descend(&mut self) -> bool {
        self.warm.objective.confine(&[], &mut self.start);
        self.step_off_kinks();
        self.descent
            .start_at(&self.warm.objective, &self.start, &[], INITIAL_DAMPING);
        self.course.clear();
        num_traits::Float::is_finite(self.value())
    }

    fn has_many_restarts(&self) -> bool {
        !matches!(self.warm.restarts, Restarts::Never | Restarts::Once(_))
    }

    /// Whether the last descent, which ended with `value`, has found what all others look for.
    fn has_arrived(&self, value: O::Scalar) -> bool {
        let small = O::Scalar::of(ARRIVED) * self.warm.within_reach;
        self.pinned().is_empty() && value <= small
    }

    /// Whether a descent that has no second try goes on slower than the next rung would.
    fn is_slow(&self) -> bool {
        let value = self.value();
        let (iterations, part) = match self.warm.restarts {
            Restarts::Once(_) if self.restarts == 0 => (TENTH_WITHIN, 0.1),
            _ => (HALVES_WITHIN, 0.5),
        };
        let earlier = self.course.iter().rev().nth(iterations);
        !self.has_many_restarts()
            && earlier.is_some_and(|&earlier| value > O::Scalar::of(part) * earlier)
    }

    /// The objective at `start`, NaN where that is NaN.
    fn value_of_start(&mut self) -> O::Scalar {
        let trial = &mut self.descent.position.trial;
        self.warm.objective.evaluate(&self.start, &[], trial);
        trial.value()
    }

    /// Another start where no source gives one: first zero, then ever wider around x0.
    fn choose_at_random(&mut self) {
        let d = self.start.len();
        self.start.copy_from_slice(&self.x0);
        let size = reduce::norm(&self.start);
        if self.restarts == 1 && size > O::Scalar::zero() {
            self.start.fill(O::Scalar::zero());
            return;
        }
        let lengths = [size, reduce::norm(self.point()), O::Scalar::of(1.0)];
        let reach = lengths
            .into_iter()
            .find(|&length| length > O::Scalar::zero());
        let reach = reach.unwrap_or(O::Scalar::zero());
        let scale = self.restarts as f64 / (d as f64).sqrt();
        perturb(
            reach * O::Scalar::of(scale),
            &mut self.start,
            &mut self.random,
        );
    }

    /// A start at which most kinks meet (x0 = 0 without biases) has no useful derivative there.
    /// Moves it a little, in a direction that no symmetry of the problem shares.
    fn step_off_kinks(&mut self) {
        let trial = &mut self.descent.position.trial;
        self.warm.objective.evaluate(&self.start, &[], trial);
        step_off_kinks(
            &self.warm.objective,
            trial,
            &mut self.start,
            &mut self.random,
        );
    }
}

impl<O: RowStructured + Kinked> Rung<O::Scalar> for WarmDescent<'_, O> {
    fn begin(&mut self, x: &[O::Scalar]) -> bool {
        self.x0.copy_from_slice(x);
        self.start.copy_from_slice(x);
        let clock = Instant::now();
        if let Restarts::From(source) | Restarts::Once(source) = &mut self.warm.restarts {
            source.begin(x);
        }
        // On few outcomes a burst costs as much as an iteration and saves many; on all of them the
        // descent is the faster one.
        if self.warm.begins_at_the_source
            && let Restarts::From(source) = &mut self.warm.restarts
        {
            source.advance(FIRST_BURST, &mut self.start);
            if self.warm.objective.first_bound() < self.warm.objective.kinks() {
                self.warm.objective.confine(&[], &mut self.start);
            }
            let reached = self.value_of_start();
            let proposal = std::mem::replace(&mut self.start, x.to_vec());
            // An x of NaN can have a value: no unit is on there.
            if reduce::all_finite(&proposal) && reached < self.value_of_start() {
                self.start = proposal;
            }
        }
        self.descent.seconds.evaluate += clock.elapsed().as_secs_f64();
        self.descend()
    }

    fn restart(&mut self, is_flat: bool) -> bool {
        // Where the last descent ended; it had no iteration where its start was no good.
        let no_value = num_traits::Float::infinity();
        let value = *self.course.last().unwrap_or(&no_value);
        let worth_while = value < O::Scalar::of(WORTH_WHILE) * self.lowest;
        self.vain = match worth_while {
            true => 0,
            // Held by no kink, the value is most likely the least there is: b is not attained.
            false if self.pinned().is_empty() => self.vain + SMOOTH_END_COUNTS,
            false => self.vain + 1,
        };
        if value < self.lowest {
            self.lowest = value;
        }
        let enough = self.vain >= MOST_VAIN
            || self.restarts == self.most_restarts
            || self.has_arrived(value);
        let may_go_on = match &self.warm.restarts {
            _ if self.warm.only_off_a_plateau => is_flat && self.restarts < MOST_OFF_A_PLATEAU,
            Restarts::Once(_) => self.restarts == 0,
            Restarts::From(source) if source.is_always_worth_it() => true,
            _ => self.is_within_reach(),
        };
        if enough || !may_go_on {
            return false;
        }
        self.restarts += 1;
        let clock = Instant::now();
        match &mut self.warm.restarts {
            Restarts::From(source) => {
                source.advance(self.burst, &mut self.start);
                self.burst = (2 * self.burst).min(LONGEST_BURST);
            }
            Restarts::Once(source) => source.advance(self.burst, &mut self.start),
            Restarts::Random if self.warm.only_off_a_plateau || self.vain < MOST_VAIN_AT_RANDOM => {
                self.choose_at_random();
            }
            Restarts::Random | Restarts::Never => return false,
        }
        self.descent.seconds.evaluate += clock.elapsed().as_secs_f64();
        reduce::all_finite(&self.start) && self.descend()
    }

    fn is_within_reach(&self) -> bool {
        self.has_many_restarts() && self.lowest <= self.warm.within_reach
    }

    fn iterate(&mut self) -> Iteration<O::Scalar> {
        let (objective, hessian) = (&self.warm.objective, &mut self.hessian);
        let mut iteration = self.descent.iterate(objective, hessian, false);
        self.course.push(self.value());
        if self.course.len() == LONGEST_DESCENT {
            iteration.end = iteration.end.or(Some(Status::IterationLimit));
        } else if self.is_slow() {
            iteration.end = iteration.end.or(Some(Status::Stalled));
        }
        iteration
    }

    fn point(&self) -> &[O::Scalar] {
        self.descent.position.current.point()
    }

    fn pinned(&self) -> &[usize] {
        self.descent.position.active_set.pinned()
    }

    fn value(&self) -> O::Scalar {
        self.descent.position.current.value()
    }

    fn target_value(&self) -> Option<O::Scalar> {
        let target = self.warm.target.as_ref()?;
        Some(target.value(&self.descent.position.current))
    }

    fn target_met(&self) -> Option<Status> {
        let target = self.warm.target.as_ref()?;
        target.met(&self.descent.position.current).map(Status::from)
    }

    fn seconds(&self) -> PhaseSeconds {
        self.descent.seconds
    }

    fn add_seconds(&mut self, seconds: f64) {
        self.descent.seconds.evaluate += seconds;
    }

    fn restarts(&self) -> usize {
        self.restarts
    }

    fn renew(&mut self, is_present: bool) -> bool {
        // Another descent of this rung begins anew in all but the model.
        if is_present && !self.descent.renew(&self.warm.objective) {
            return false;
        }
        let memory = HessianApprox::<O>::memory(&self.hessian);
        HessianApprox::<O>::recall(&mut self.hessian, &memory)
    }

    fn state(&self) -> RungState<O::Scalar> {
        let source = match &self.warm.restarts {
            Restarts::From(source) | Restarts::Once(source) => Some(source.state()),
            Restarts::Never | Restarts::Random => None,
        };
        RungState {
            x0: self.x0.clone(),
            restarts: self.restarts,
            lowest: self.lowest,
            burst: self.burst,
            vain: self.vain,
            course: self.course.clone(),
            random: self.random.get_word_pos(),
            source,
            model: HessianApprox::<O>::memory(&self.hessian),
            descent: self.descent.state(),
        }
    }

    fn restore(&mut self, state: &RungState<O::Scalar>, is_present: bool) -> bool {
        let has_source = match (&mut self.warm.restarts, &state.source) {
            (Restarts::From(source) | Restarts::Once(source), Some(known)) => source.restore(known),
            (Restarts::Never | Restarts::Random, None) => true,
            _ => false,
        };
        self.x0.copy_from_slice(&state.x0);
        self.restarts = state.restarts;
        self.lowest = state.lowest;
        self.burst = state.burst;
        self.vain = state.vain;
        self.course.clone_from(&state.course);
        self.random.set_word_pos(state.random);
        let (objective, descent) = (&self.warm.objective, &mut self.descent);
        let has_descent = descent.restore(objective, &state.descent) || !is_present;
        let has_model = HessianApprox::<O>::recall(&mut self.hessian, &state.model);
        has_source && has_descent && has_model
    }
}

/// Moves x off the kinks where at least half of them meet in it. `at` is its evaluation.
pub(crate) fn step_off_kinks<O: Kinked>(
    objective: &O,
    at: &O::Evaluation,
    x: &mut [O::Scalar],
    random: &mut ChaCha8Rng,
) {
    let distances = &objective.signed_distances(at)[..objective.first_bound()];
    let met = distances.iter().filter(|h| **h == O::Scalar::zero());
    let met = met.count();
    if met > 0 && 2 * met >= distances.len() {
        let size = num_traits::Float::max(reduce::norm(x), O::Scalar::of(1.0));
        perturb(O::Scalar::of(1e-2) * size, x, random);
        objective.confine(&[], x);
    }
}

/// Adds a random vector with entries of variance `scale`².
fn perturb<T: Scalar>(scale: T, x: &mut [T], random: &mut ChaCha8Rng) {
    let width = 3.0_f64.sqrt();
    for x in x {
        *x += scale * T::of(random.random_range(-width..width));
    }
}
