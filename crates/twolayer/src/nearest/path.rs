//! The way to the nearest x: descents, between which the target moves and the pull of x_ref falls.

use super::finish::{Ended, finish};
use super::goal::Goal;
use super::pull::{Pull, within};
use super::{Nearest, NearestAnswer, NearestStatus, first_order_tolerance};
use crate::any::{AnyInversion, AnyPoint};
use crate::loss::KullbackLeibler;
use crate::target::Target;
use approx_newton::{Observer, Solution, Solver, Status, Tolerances};
use num_traits::{Float, One, Zero};
use std::time::Instant;
use twolayer_core::{Error, Evaluation, LinearBackend, Objective, Scalar, reduce};

/// Descents of one way at most.
const MOST_DESCENTS: usize = 80;
/// A descent that leaves more than this part of the violation before it is followed by one of a smaller μ.
const SLOW: f64 = 0.25;
/// By what μ then falls.
const FALL: f64 = 0.1;
/// The first μ of each way from x_ref, as a part of that at which x_ref and the target pull alike: a large one leaves
/// x_ref by and by, a small one goes straight for the target. Where each of many logarithms pulls its own way now
/// one and now the other ends nearer.
const OF_MANY: (f64, &[f64]) = (1e-1, &[1e-4]);
const OF_ONE: (f64, &[f64]) = (1e-3, &[]);
/// The same from an x that has the wanted output.
const NEAR_A_SOLUTION: f64 = 1e-2;
/// A descent ends where the model promises no more than this part of its value; the last digits come from
/// [`finish`], which is tried from this gap on.
const ROUGHLY: f64 = 1e-6;
const IN_SIGHT: f64 = 0.1;
/// Descents that come to the wanted output, and not to a nearest x.
const MOST_MET: usize = 3;
/// Descents, each of a smaller μ, that leave more than [`HARDLY_LESS`] of the least violation so far: it does not fall.
const PATIENCE: usize = 6;
const HARDLY_LESS: f64 = 0.9;

/// All the descents for one answer.
pub(super) struct Path<'p, 'a, B: LinearBackend> {
    nearest: &'p Nearest<'a, B>,
    solver: &'p Solver<B::Scalar>,
    began: Instant,
    iterations: usize,
    /// Those before the present start.
    before: usize,
}

/// One descent, and what it came to.
struct Descent<T> {
    solution: Solution<T>,
    residual: Vec<T>,
    violation: T,
    /// See [`Goal::gap`].
    gap: T,
    /// See [`NearestAnswer::residual`].
    first_order: T,
}

impl<'p, 'a, B: LinearBackend> Path<'p, 'a, B> {
    pub(super) fn new(nearest: &'p Nearest<'a, B>, solver: &'p Solver<B::Scalar>) -> Self {
        Self {
            nearest,
            solver,
            began: Instant::now(),
            iterations: 0,
            before: 0,
        }
    }

    pub(super) fn iterations(&self) -> usize {
        self.iterations
    }

    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Leaves x_ref where it must and as far as it must; where that does not come to the output, from an x
    /// that has it, or nearly.
    pub(super) fn leave_the_reference(
        &mut self,
        observer: &mut impl Observer<B::Scalar>,
    ) -> Result<NearestAnswer<B::Scalar>, Error> {
        self.before = self.iterations;
        let start = &self.nearest.reference;
        let (first, others) = match self.nearest.goal {
            Goal::Output(_) => OF_MANY,
            Goal::AtLeast { .. } => OF_ONE,
        };
        let mut best = self.follow(start.clone(), B::Scalar::of(first), observer)?;
        for &part in others {
            if best.status.is_cut_off() || best.distance == B::Scalar::zero() {
                break;
            }
            best = best.nearer(self.follow(start.clone(), B::Scalar::of(part), observer)?);
        }
        match best.status {
            NearestStatus::NotMet => {
                Ok(best.nearer(self.follow_a_solution(start.clone(), observer)?))
            }
            _ => Ok(best),
        }
    }

    /// The same from another start.
    pub(super) fn begin_elsewhere(
        &mut self,
        start: Vec<B::Scalar>,
        observer: &mut impl Observer<B::Scalar>,
    ) -> Result<NearestAnswer<B::Scalar>, Error> {
        self.before = self.iterations;
        self.follow_a_solution(start, observer)
    }

    /// Goes to an x with the wanted output first, then along those that have it.
    fn follow_a_solution(
        &mut self,
        start: Vec<B::Scalar>,
        observer: &mut impl Observer<B::Scalar>,
    ) -> Result<NearestAnswer<B::Scalar>, Error> {
        let solved = self.meet(start, observer)?;
        let part = B::Scalar::of(NEAR_A_SOLUTION);
        self.follow(solved, part, observer)
    }

    /// The solver without its limits for what is left of them.
    fn solver(&self) -> Solver<B::Scalar> {
        let taken = self.iterations - self.before;
        let left = self.solver.max_iterations().saturating_sub(taken);
        let solver = self.solver.clone().with_max_iterations(left);
        match self.solver.time_limit() {
            Some(limit) => solver.with_time_limit(limit.saturating_sub(self.began.elapsed())),
            None => solver,
        }
    }

    /// An x with the wanted output, wherever it is: that of an ordinary inversion. An outcome that is to be likely
    /// takes what it lacks from the others in proportion.
    fn meet(
        &mut self,
        mut start: Vec<B::Scalar>,
        observer: &mut impl Observer<B::Scalar>,
    ) -> Result<Vec<B::Scalar>, Error> {
        let nearest = self.nearest;
        let shift = vec![B::Scalar::zero(); nearest.goal.constraints()];
        let pull = Pull::new(nearest, &shift, B::Scalar::one());
        let pull = pull.ok_or(UNDERFLOW)?;
        pull.problem(nearest)?.confine(&[], &mut start);
        let wanted = match nearest.goal {
            Goal::Output(target) => target.clone(),
            Goal::AtLeast {
                outcome,
                probability,
            } => {
                let f = nearest.network.probabilities(&start)?;
                shared_out(f, outcome, probability)?
            }
        };
        let problem = AnyInversion::new(nearest.network, &wanted)?.with_loss(&KullbackLeibler);
        let problem = within(nearest, problem)?;
        let solver = self.solver();
        let mut hessian = solver.default_hessian(&problem);
        let solution = solver.solve_with(&problem, &mut hessian, &start, observer)?;
        self.iterations += solution.iterations;
        Ok(solution.x)
    }

    /// Descents from `start`, the first with a μ that is `part` of the one at which x_ref and the target pull alike.
    fn follow(
        &mut self,
        start: Vec<B::Scalar>,
        part: B::Scalar,
        observer: &mut impl Observer<B::Scalar>,
    ) -> Result<NearestAnswer<B::Scalar>, Error> {
        let nearest = self.nearest;
        let zero = B::Scalar::zero();
        let mut shift = vec![zero; nearest.goal.constraints()];
        let mut x = start;
        let balance = self.balance(&mut x)?;
        if balance.violation <= nearest.tolerance && nearest.apart(&x).iter().all(|v| *v == zero) {
            return Ok(self.at_the_reference(x, balance.violation));
        }
        let floor = self::floor::<B::Scalar>() * balance.weight;
        let mut weight = floor.max(part * balance.weight);
        let mut best: Option<NearestAnswer<B::Scalar>> = None;
        let (mut least, mut patience) = (balance.violation, PATIENCE);
        let mut met = 0;
        for _ in 0..MOST_DESCENTS {
            let Some(pull) = Pull::new(nearest, &shift, weight) else {
                break;
            };
            let descent = self.descend(&pull, (&shift, weight), &x, observer)?;
            let answer = self.answer(&descent, weight);
            let answer = self.finished(&descent, &shift, weight, answer)?;
            let is_over = answer.status.is_converged() || answer.status.is_cut_off();
            best = Some(match best.take() {
                Some(best) if !is_over => best.nearer(answer),
                _ => answer,
            });
            if is_over {
                break;
            }
            nearest.goal.update(&descent.residual, &mut shift);
            let is_slow = descent.gap > B::Scalar::of(SLOW) * least;
            let falls = descent.gap <= B::Scalar::of(HARDLY_LESS) * least;
            least = least.min(descent.gap);
            patience = if falls { PATIENCE } else { patience - 1 };
            met += usize::from(descent.gap <= nearest.tolerance);
            if patience == 0 || met == MOST_MET || (is_slow && weight <= floor) {
                break;
            }
            if is_slow {
                let fallen = floor.max(B::Scalar::of(FALL) * weight);
                let part = fallen / weight;
                weight = fallen;
                shift.iter_mut().for_each(|t| *t *= part);
            }
            x = descent.solution.x;
        }
        best.ok_or(UNDERFLOW)
    }

    fn descend(
        &mut self,
        pull: &Pull<B::Scalar>,
        (shift, weight): (&[B::Scalar], B::Scalar),
        x: &[B::Scalar],
        observer: &mut impl Observer<B::Scalar>,
    ) -> Result<Descent<B::Scalar>, Error> {
        let nearest = self.nearest;
        let problem = pull.problem(nearest)?;
        let roughly = Tolerances::default().with_decrement(B::Scalar::of(ROUGHLY))?;
        let solver = self
            .solver()
            .with_warm_start(false)
            .with_tolerances(roughly);
        let mut hessian = solver.default_hessian(&problem);
        let solved = solver.solve_and_evaluate(&problem, &mut hessian, x, observer);
        let (solution, at) = solved?;
        self.iterations += solution.iterations;
        let mut residual = vec![B::Scalar::zero(); nearest.goal.constraints()];
        nearest.goal.write_residual(at.pass(), &mut residual);
        Ok(Descent {
            violation: nearest.goal.violation(&residual),
            gap: nearest.goal.gap(&residual, shift),
            first_order: part_of(solution.gradient_norm, weight * nearest.pull(&solution.x)),
            residual,
            solution,
        })
    }

    fn answer(&self, descent: &Descent<B::Scalar>, weight: B::Scalar) -> NearestAnswer<B::Scalar> {
        let nearest = self.nearest;
        let solution = &descent.solution;
        let is_met = descent.violation <= nearest.tolerance;
        let is_tight = descent.gap <= nearest.tolerance;
        let status = match solution.status {
            Status::IterationLimit => NearestStatus::IterationLimit,
            Status::TimeLimit => NearestStatus::TimeLimit,
            Status::Stopped => NearestStatus::Stopped,
            _ if !is_met => NearestStatus::NotMet,
            _ if is_tight && descent.first_order <= first_order_tolerance() => {
                NearestStatus::Nearest
            }
            _ => NearestStatus::Met,
        };
        NearestAnswer {
            distance: reduce::norm(&nearest.apart(&solution.x)),
            x: solution.x.clone(),
            violation: descent.violation,
            residual: descent.first_order,
            status,
            pinned: solution.pinned.clone(),
            multipliers: solution
                .multipliers
                .iter()
                .map(|&tau| tau / weight)
                .collect(),
            distinct: 0,
            iterations: 0,
            seconds: 0.0,
        }
    }

    /// The answer with its last digits, where they are to be had.
    fn finished(
        &self,
        descent: &Descent<B::Scalar>,
        shift: &[B::Scalar],
        weight: B::Scalar,
        answer: NearestAnswer<B::Scalar>,
    ) -> Result<NearestAnswer<B::Scalar>, Error> {
        let is_near = descent.gap <= B::Scalar::of(IN_SIGHT)
            && descent.first_order <= first_order_tolerance::<B::Scalar>().sqrt();
        if !is_near || !descent.solution.status.is_converged() {
            return Ok(answer);
        }
        let ended = Ended {
            x: &answer.x,
            pinned: &answer.pinned,
            shift,
            weight,
        };
        Ok(match finish(self.nearest, &ended)? {
            Some(finished) => NearestAnswer {
                distance: reduce::norm(&self.nearest.apart(&finished.x)),
                x: finished.x,
                violation: finished.violation,
                residual: finished.first_order,
                multipliers: finished.multipliers,
                status: NearestStatus::Nearest,
                ..answer
            },
            None => answer,
        })
    }

    fn at_the_reference(
        &self,
        x: Vec<B::Scalar>,
        violation: B::Scalar,
    ) -> NearestAnswer<B::Scalar> {
        NearestAnswer {
            x,
            distance: B::Scalar::zero(),
            violation,
            residual: B::Scalar::zero(),
            status: NearestStatus::Nearest,
            pinned: Vec::new(),
            multipliers: Vec::new(),
            distinct: 0,
            iterations: 0,
            seconds: 0.0,
        }
    }

    /// Moves x into the domain, and weighs the pulls there.
    fn balance(&self, x: &mut [B::Scalar]) -> Result<Balance<B::Scalar>, Error> {
        let nearest = self.nearest;
        let zero = B::Scalar::zero();
        let shift = vec![zero; nearest.goal.constraints()];
        let pull = Pull::new(nearest, &shift, zero).ok_or(UNDERFLOW)?;
        let problem = pull.problem(nearest)?;
        problem.confine(&[], x);
        let mut at: AnyPoint<B> = problem.new_evaluation();
        problem.evaluate(x, &[], &mut at);
        if !at.value().is_finite() {
            return Err(Error::Overflow {
                quantity: "objective",
                at: "x_ref",
            });
        }
        problem.differentiate(&mut at);
        let mut residual = vec![zero; nearest.goal.constraints()];
        nearest.goal.write_residual(at.pass(), &mut residual);
        let slopes = at.gradient().iter().zip(&nearest.scales);
        let scaled: Vec<_> = slopes
            .map(|(&slope, &scale)| if scale > zero { slope / scale } else { zero })
            .collect();
        let stiffness = reduce::norm(&scaled).powi(2) / (B::Scalar::of(2.0) * at.value());
        let is_usable = stiffness.is_finite() && stiffness > zero;
        Ok(Balance {
            violation: nearest.goal.violation(&residual),
            weight: if is_usable {
                stiffness
            } else {
                B::Scalar::one()
            },
        })
    }
}

/// What there is to balance at a start.
struct Balance<T> {
    violation: T,
    /// ‖D⁻¹C̄ᵀr‖²/‖r‖²: a μ at which half of r is gone, if C̄ has no other singular value.
    weight: T,
}

const UNDERFLOW: Error = Error::Overflow {
    quantity: "logarithm of the moved target",
    at: "x_ref",
};

/// The least μ, as a part of that at which x_ref and the target pull alike: u^⅔. Below it rounding hides the pull.
fn floor<T: Scalar>() -> T {
    T::UNIT_ROUNDOFF.powf(T::of(2.0 / 3.0))
}

/// What is left as a part of the whole; 0 of nothing.
fn part_of<T: Scalar>(left: T, whole: T) -> T {
    match left > T::zero() {
        true => left / whole,
        false => T::zero(),
    }
}

/// f with the probability P for c, the others less in proportion.
fn shared_out<T: Scalar>(
    mut f: Vec<T>,
    outcome: usize,
    probability: T,
) -> Result<Target<T>, Error> {
    f[outcome] = T::zero();
    let others = reduce::sum(&f);
    let part = (T::one() - probability) / others;
    f.iter_mut().for_each(|f| *f *= part);
    f[outcome] = probability;
    Target::new(f)
}
