//! The paper's own algorithm, to be read beside it.
//!
//! arXiv 2308.08358, with A1 and A2 given, b a distribution and W = diag(w):
//!
//! ```text
//! L_reg(x) = ‖softmax(A2 ReLU(A1 x)) − b‖² + ½ ‖W A2 ReLU(A1 x)‖²
//! H(x)     = Cᵀ (B + W²) C                    B the Hessian of the loss in the logits
//! H̃(x)     = Cᵀ D̃ C,  D̃ a sample of rows       (1 − ε₀) H ⪯ H̃ ⪯ (1 + ε₀) H, ε₀ = 0.1      (Lemma 70)
//! x_{t+1}  = x_t − H̃(x_t)⁻¹ ∇L_reg(x_t)         ‖x_{t+1} − x*‖ ≤ 0.4 ‖x_t − x*‖               (Theorem 72)
//! ```
//!
//! where ∇²L_reg ⪰ l I, the Hessian is M-Lipschitz, the pattern of the ReLUs stays, and M ‖x_0 − x*‖ ≤ 0.1 l:
//! [`examine`](crate::theory::examine) says which of these held along a run, and
//! [`broken_assumptions`](crate::theory::broken_assumptions) which did not where it did not arrive. It is here to
//! be studied; a [`Solver`] goes on where an assumption fails.

use crate::any::AnyInversion;
use crate::many::Model;
use crate::theory::PROMISED_REGION;
use approx_newton::{
    DenseHessian, Leverage, LimitPoint, Observer, PhaseSeconds, RowFactor, Scores, Solution,
    Solver, Stage, Status, TraceEntry, take_start,
};
use num_traits::{Float, One, Zero};
use std::mem;
use std::time::Instant;
use twolayer_core::{
    Error, Evaluation, HessianApprox, LinearBackend, Objective, RowStructured, RowWeights, Scalar,
    Subspace, reduce,
};

/// δ: how probable it is that one sample of rows is none of Lemma 70.
const FAILURE: f64 = 0.01;

/// s = 3 d ln(2d/δ)/ε₀²: the rows that Lemma 70 draws for d unknowns, with δ = 0.01.
pub fn sample_size(d: usize) -> usize {
    let d = d as f64;
    (3.0 * d * (2.0 * d / FAILURE).ln() / PROMISED_REGION.powi(2)).ceil() as usize
}

/// H̃ of Lemma 70: [`sample_size`] rows drawn by their leverage scores, negative row weights set to zero; H
/// itself where there are no more rows than that.
pub fn model<'w, B: LinearBackend>(objective: &AnyInversion<'w, B>, seed: u64) -> Model<'w, B> {
    let rows = sample_size(objective.dimension());
    if rows >= objective.rows() {
        return Box::new(DenseHessian::new(objective, RowWeights::Exact));
    }
    let leverage = Leverage::new(objective, Scores::Exact, seed);
    let weights = RowWeights::Convexified;
    let model = RowFactor::sampled_by(objective, weights, leverage, rows, seed);
    Box::new(model)
}

/// x_{t+1} = x_t − H̃(x_t)⁻¹ ∇L_reg(x_t) from `x0` (d), with the model H̃ of `hessian`, for as many steps and as long as
/// `settings` say. Nothing damps the step, nothing looks whether the loss falls: x of the solution is the *last*
/// iterate, and its trace has every step.
///
/// The status is one of convergence where the last step was below u^⅔ ‖x‖, u the roundoff, or the loss is as
/// low as it can be; [`Status::Indefinite`] where H̃ was not positive definite, [`Status::NonFinite`] where
/// something overflowed: x is then the iterate before.
///
/// # Errors
/// An x0 of the wrong length, with an entry that is NaN or infinite, or at which the objective overflows.
pub fn iterate<O: Objective>(
    settings: &Solver<O::Scalar>,
    problem: &O,
    hessian: &mut impl HessianApprox<O>,
    x0: &[O::Scalar],
    observer: &mut impl Observer<O::Scalar>,
) -> Result<Solution<O::Scalar>, Error> {
    let clock = Instant::now();
    let x0 = take_start(x0, problem.dimension(), None)?;
    hessian.begin_solve();
    let mut iteration = Iteration::at(problem, x0)?;
    let mut trace = vec![iteration.entry(0, clock)];
    let status = loop {
        if trace.len() > settings.max_iterations() {
            break Status::IterationLimit;
        }
        if settings
            .time_limit()
            .is_some_and(|most| clock.elapsed() >= most)
        {
            break Status::TimeLimit;
        }
        if let Err(status) = iteration.step(problem, hessian) {
            break status;
        }
        let entry = iteration.entry(trace.len(), clock);
        trace.push(entry);
        if observer.observe(&entry, iteration.at.point()).is_break() {
            break Status::Stopped;
        }
        if iteration.is_at_roundoff() {
            break Status::StepSmall;
        }
    };
    Ok(iteration.into_solution(problem, status, trace, clock))
}

/// The iteration between two steps.
struct Iteration<O: Objective> {
    /// x_t.
    at: O::Evaluation,
    /// x_{t−1}.
    before: O::Evaluation,
    whole: Subspace<O::Scalar>,
    step: Vec<O::Scalar>,
    next: Vec<O::Scalar>,
    /// Of the last steps, the latest first.
    lengths: [O::Scalar; 2],
    gradient_norm: O::Scalar,
    rows: usize,
    seconds: PhaseSeconds,
}

impl<O: Objective> Iteration<O> {
    fn at(problem: &O, x0: Vec<O::Scalar>) -> Result<Self, Error> {
        let zero = O::Scalar::zero();
        let (mut at, before) = (problem.new_evaluation(), problem.new_evaluation());
        problem.evaluate(&x0, &[], &mut at);
        if !at.value().is_finite() {
            return Err(Error::Overflow {
                quantity: "objective",
                at: "x0",
            });
        }
        Ok(Self {
            at,
            before,
            whole: Subspace::whole(x0.len()),
            step: vec![zero; x0.len()],
            next: x0,
            lengths: [zero; 2],
            gradient_norm: zero,
            rows: 0,
            seconds: PhaseSeconds::default(),
        })
    }

    /// From x_t to x_{t+1}. An error says why there is no such point; the present one is then kept.
    fn step(&mut self, problem: &O, hessian: &mut impl HessianApprox<O>) -> Result<(), Status> {
        let clock = Instant::now();
        hessian.differentiate(problem, &mut self.at);
        let differentiated = clock.elapsed().as_secs_f64();
        self.rows = hessian.build(problem, &self.at);
        let built = clock.elapsed().as_secs_f64();
        let (zero, whole) = (O::Scalar::zero(), &self.whole);
        let solved = hessian.step(problem, &self.at, zero, None, whole, &mut self.step);
        let stepped = clock.elapsed().as_secs_f64();
        if !reduce::all_finite(self.at.gradient()) || !hessian.mean_eigenvalue().is_finite() {
            return Err(Status::NonFinite);
        }
        solved.map_err(|_| Status::Indefinite)?;
        self.next.copy_from_slice(self.at.point());
        reduce::axpy(O::Scalar::one(), &self.step, &mut self.next);
        problem.evaluate(&self.next, &[], &mut self.before);
        if !self.before.value().is_finite() {
            return Err(Status::NonFinite);
        }
        self.gradient_norm = reduce::norm(self.at.gradient());
        mem::swap(&mut self.at, &mut self.before);
        self.lengths = [reduce::norm(&self.step), self.lengths[0]];
        self.seconds = PhaseSeconds {
            evaluate: differentiated + clock.elapsed().as_secs_f64() - stepped,
            build: built - differentiated,
            step: stepped - built,
            search: 0.0,
        };
        Ok(())
    }

    /// Whether the last step was small against x.
    fn is_settled(&self) -> bool {
        let roundoff = O::Scalar::UNIT_ROUNDOFF.powf(O::Scalar::of(2.0 / 3.0));
        self.lengths[0] <= roundoff * reduce::norm(self.at.point())
    }

    /// Whether steps have come down to rounding: where C is badly conditioned they stay well above roundoff
    /// for ever, and shrink no more.
    fn is_at_roundoff(&self) -> bool {
        let four = O::Scalar::of(4.0) * O::Scalar::UNIT_ROUNDOFF;
        let [last, before] = self.lengths;
        last <= four * reduce::norm(self.at.point())
            || self.is_settled() && last > O::Scalar::of(0.5) * before
    }

    /// The record of step `number`; of the start for 0.
    fn entry(&self, number: usize, clock: Instant) -> TraceEntry<O::Scalar> {
        TraceEntry {
            iteration: number,
            stage: Stage::Target,
            restart: 0,
            loss: self.at.value(),
            stage_loss: self.at.value(),
            gradient_norm: self.gradient_norm,
            step_norm: self.lengths[0],
            damping: O::Scalar::zero(),
            flips: match number {
                0 => 0,
                _ => self.at.flips_from(&self.before),
            },
            pinned: 0,
            rows_used: self.rows,
            elapsed: clock.elapsed().as_secs_f64(),
            seconds: self.seconds,
        }
    }

    fn into_solution(
        mut self,
        problem: &O,
        status: Status,
        trace: Vec<TraceEntry<O::Scalar>>,
        clock: Instant,
    ) -> Solution<O::Scalar> {
        problem.differentiate(&mut self.at);
        let has_moved = trace.len() > 1;
        let noise = problem.rounding_error(&self.at);
        let met = problem.met(&self.at, self.at.value(), noise);
        let status = match (status, met) {
            (Status::Stopped | Status::TimeLimit, _) => status,
            (_, Some(met)) => met.into(),
            (Status::IterationLimit, None) if has_moved && self.is_settled() => Status::StepSmall,
            (status, None) => status,
        };
        let gradient_norm = reduce::norm(self.at.gradient());
        Solution {
            x: self.at.point().to_vec(),
            loss: self.at.value(),
            gradient_norm: match gradient_norm.is_nan() {
                true => O::Scalar::infinity(),
                false => gradient_norm,
            },
            status,
            limit: match status.is_converged() {
                true => LimitPoint::Smooth,
                false => LimitPoint::Undetermined,
            },
            iterations: trace.len() - 1,
            pinned: Vec::new(),
            multipliers: Vec::new(),
            trace,
            seconds: clock.elapsed().as_secs_f64(),
        }
    }
}
