//! The campaign of a call: many targets, or one.

use crate::attend::Line;
use crate::backend::{Number, Work};
use crate::forked::threads;
use crate::input_error::{of_call, of_target};
use crate::settings::Stated;
use crate::trace;
use pyo3::exceptions::PyMemoryError;
use pyo3::{PyErr, PyResult};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use twolayer::{
    Answer, AnyInversion, Campaign, Error, Evaluation, LinearBackend, MANY, Model, ModelKind,
    NetworkRef, NumberFormat, Objective, Observer, Origin, Owner, Progress, Round, Solved, Solver,
    TraceEntry,
};
use twolayer_certificate::{Certifier, Verdict};

/// What the calling thread is told.
pub(crate) enum Event<T> {
    /// A round of so many targets begins.
    Begins(Round, usize),
    /// One of them is through.
    Through,
    /// All are.
    Ends,
    /// An iteration is over; the solve waits for whether it is to go on.
    Iteration {
        row: [f64; trace::TRACE_COLUMNS.len()],
        x: Vec<T>,
        goes_on: SyncSender<bool>,
    },
}

/// A call, checked.
pub(crate) struct Call<'c, T: Number> {
    pub(crate) stated: &'c Stated<T>,
    pub(crate) solver: Solver<T>,
    /// How many were asked for.
    pub(crate) threads: Option<usize>,
    /// How many problems there are in all, where these are a part of them.
    pub(crate) total: Option<usize>,
    pub(crate) hessian: ModelKind,
    pub(crate) certify: bool,
    /// Whether the tables of iterations are kept.
    pub(crate) keeps_traces: bool,
    /// b, K·m numbers.
    pub(crate) targets: &'c [T],
    pub(crate) rounded_to: NumberFormat,
    /// d numbers for all, or as many for each.
    pub(crate) starts: &'c [T],
    /// Whether every iteration is shown.
    pub(crate) shows_iterations: bool,
    /// Whether every target is.
    pub(crate) shows_progress: bool,
    pub(crate) line: &'c Line<'c, Event<T>>,
}

/// What came out of a call.
pub(crate) struct Answers<T> {
    /// Of the first problems.
    pub(crate) solved: Vec<Solved<T>>,
    /// K.
    pub(crate) count: usize,
    /// The network's outputs (K·m), NaN where there is no answer.
    pub(crate) probabilities: Vec<T>,
    /// The gradients (K·d), NaN where there is no answer.
    pub(crate) gradients: Vec<T>,
    pub(crate) verdicts: BTreeMap<usize, Verdict>,
}

impl<T: Number> Work<T> for Call<'_, T> {
    type Output = Answers<T>;

    fn on<B: LinearBackend<Scalar = T>>(self, network: NetworkRef<'_, B>) -> PyResult<Answers<T>> {
        if self.certify && network.two_layers().is_none() {
            let what = "a certificate";
            return Err(of_call(Error::OnlyTwoLayers { what }));
        }
        let (d, m) = (network.inputs(), network.outcomes());
        let rows = self.targets.len() / m;
        let problems = self.stated.problems(network).map_err(of_call)?;
        let mut problems = problems.with_targets_stored_as(self.rounded_to);
        let count = match rows {
            1 => self.starts.len() / d,
            rows => rows,
        };
        // What is made once for many is made for every part of them.
        if self.total.unwrap_or(count) >= MANY {
            problems = problems.for_many();
        }
        let campaign = Campaign::new(problems, rows, self.starts)
            .map_err(of_call)?
            .with_solver(
                self.solver
                    .clone()
                    .with_threads(threads(self.threads, count)),
            );
        let campaign = match self.shows_iterations {
            // An iteration of a problem in fewer unknowns has no x to be shown.
            true => campaign.in_all_unknowns(),
            false => campaign,
        };
        let host = Host {
            outcomes: m,
            is_one: count == 1,
            found: Mutex::new(Found {
                probabilities: blank(count, m)?,
                gradients: blank(count, d)?,
                verdicts: BTreeMap::new(),
            }),
            call: &self,
        };
        let done = campaign
            .run(&host)
            .map_err(|(index, error)| of_target(index)(error))?;
        let solved: Result<Vec<_>, _> = done.results.into_iter().collect();
        let solved = solved.map_err(of_call)?;
        let mut found = host
            .found
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        // Of a call that was ended, what came behind the first that was stopped is no result.
        found.probabilities[solved.len() * m..].fill(T::nan());
        found.gradients[solved.len() * d..].fill(T::nan());
        Ok(Answers {
            solved,
            count,
            probabilities: found.probabilities,
            gradients: found.gradients,
            verdicts: found.verdicts,
        })
    }
}

/// Room for so many rows, of which nothing is known.
fn blank<T: Number>(rows: usize, columns: usize) -> PyResult<Vec<T>> {
    let mut values = Vec::new();
    let length = rows.saturating_mul(columns);
    values.try_reserve_exact(length).map_err(|_| -> PyErr {
        let message = format!("no memory for results of shape ({rows}, {columns})");
        PyMemoryError::new_err(message)
    })?;
    values.resize(length, T::nan());
    Ok(values)
}

/// What follows from the answers.
struct Found<T> {
    probabilities: Vec<T>,
    gradients: Vec<T>,
    verdicts: BTreeMap<usize, Verdict>,
}

struct Host<'h, T: Number> {
    call: &'h Call<'h, T>,
    /// m.
    outcomes: usize,
    /// Whether there is a single problem.
    is_one: bool,
    found: Mutex<Found<T>>,
}

impl<T: Number> Host<'_, T> {
    fn found(&self) -> MutexGuard<'_, Found<T>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self, index: usize) -> Option<usize> {
        (!self.is_one).then_some(index)
    }
}

impl<'h, B: LinearBackend<Scalar: Number>> Owner<B> for Host<'h, B::Scalar> {
    type Failure = (Option<usize>, Error);
    type Watch = Watch<'h, B::Scalar>;

    fn row(&self, index: usize) -> Result<Cow<'_, [B::Scalar]>, Self::Failure> {
        let row = &self.call.targets[index * self.outcomes..][..self.outcomes];
        Ok(Cow::Borrowed(row))
    }

    fn model<'w>(&'w self, objective: &AnyInversion<'w, B>) -> Result<Model<'w, B>, Error> {
        Ok(self.call.hessian.make(&self.call.solver, objective))
    }

    fn watch(&self, _: &[B::Scalar]) -> Self::Watch {
        Watch { call: self.call }
    }

    fn is_stopped(&self) -> bool {
        self.call.line.is_cut()
    }

    fn refuse(&self, index: usize, error: &Error) -> Result<(), Self::Failure> {
        Err((self.number(index), error.clone()))
    }

    fn answered(
        &self,
        answer: Answer<'_, '_, B, Self::Watch>,
        solved: &mut Solved<B::Scalar>,
    ) -> Result<(), Self::Failure> {
        if !self.call.keeps_traces {
            solved.solution.trace = Vec::new();
        }
        let Answer {
            index, objective, ..
        } = answer;
        if matches!(answer.origin, Origin::NoOtherStart) {
            return Ok(());
        }
        let x = &solved.solution.x;
        let mut at = objective.new_evaluation();
        objective.evaluate(x, &solved.solution.pinned, &mut at);
        objective.differentiate(&mut at);
        let to_certify = objective.two_layers().filter(|_| self.call.certify);
        let verdict = to_certify.map(|problem| Certifier::new().certify(problem, x));
        let verdict = verdict.transpose();
        let verdict = verdict.map_err(|error| (self.number(index), error))?;
        let mut found = self.found();
        let (d, m) = (x.len(), self.outcomes);
        found.probabilities[index * m..][..m].copy_from_slice(at.probabilities());
        found.gradients[index * d..][..d].copy_from_slice(at.gradient());
        if let Some(verdict) = verdict {
            found.verdicts.insert(index, verdict);
        }
        Ok(())
    }

    fn progress(&self, progress: Progress<'_, B::Scalar>) {
        if !self.call.shows_progress {
            return;
        }
        self.call.line.tell(match progress {
            Progress::Begins(round, count) => Event::Begins(round, count),
            Progress::Through(..) => Event::Through,
            Progress::Ends(_) => Event::Ends,
        });
    }
}

/// Ends a solve that nobody wants any more, and shows its iterations where they are watched.
pub(crate) struct Watch<'h, T: Number> {
    call: &'h Call<'h, T>,
}

impl<T: Number> Observer<T> for Watch<'_, T> {
    fn observe(&mut self, entry: &TraceEntry<T>, x: &[T]) -> ControlFlow<()> {
        let line = self.call.line;
        if line.is_cut() {
            return ControlFlow::Break(());
        }
        if !self.call.shows_iterations {
            return ControlFlow::Continue(());
        }
        let (goes_on, answer) = sync_channel(1);
        let (row, x) = (trace::row(entry), x.to_vec());
        line.tell(Event::Iteration { row, x, goes_on });
        // Without an answer the call was ended.
        match answer.recv() {
            Ok(true) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }
}
