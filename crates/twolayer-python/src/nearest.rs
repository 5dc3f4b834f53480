//! The nearest points with an output.

use crate::arrays::{array, matrix};
use crate::attend::Line;
use crate::backend::Number;
use crate::forked::threads;
use crate::input_error::{of_target, refused};
use crate::settings::Stated;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use twolayer::{
    Crew, Error, Goal, LinearBackend, Nearest, NearestAnswer, NearestStatus, NetworkRef,
    NumberFormat, Seat, Solver, Target, TraceEntry,
};

/// How a call searches.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Settings {
    /// An outcome and its least probability; none where the outputs are told.
    want: Option<(usize, f64)>,
    tolerance: Option<f64>,
    starts: usize,
    max_iterations: usize,
    seed: u64,
    time_limit: Option<f64>,
    pub(crate) threads: Option<usize>,
}

impl Settings {
    pub(crate) fn has_targets(&self) -> bool {
        self.want.is_none()
    }
}

/// A call, checked.
pub(crate) struct Search<'s, T: Number> {
    pub(crate) settings: &'s Settings,
    /// Bounds and radius.
    pub(crate) stated: &'s Stated<T>,
    /// D (d), if it is not the identity.
    pub(crate) scales: Option<&'s [T]>,
    /// b, K·m numbers; none where a winner is wanted.
    pub(crate) targets: &'s [T],
    pub(crate) rounded_to: NumberFormat,
    /// x_ref, d numbers for all or as many for each.
    pub(crate) references: &'s [T],
    pub(crate) count: usize,
    pub(crate) line: &'s Line<'s, ()>,
}

/// An answer, and the output there.
type Found<T> = (NearestAnswer<T>, Vec<T>);

impl<T: Number> Search<'_, T> {
    /// Of the first problems; fewer than all where nobody wants the rest any more, or time was over.
    pub(crate) fn on<B: LinearBackend<Scalar = T>>(
        &self,
        network: NetworkRef<'_, B>,
    ) -> PyResult<Vec<Found<T>>> {
        let limit = match self.settings.time_limit {
            Some(seconds) => Some(Duration::try_from_secs_f64(seconds).map_err(|_| {
                let message = format!("time_limit is {seconds}; it must be at least 0");
                refused(Some("time_limit"), message)
            })?),
            None => None,
        };
        for index in 0..self.count {
            self.asked(network, index, |_| Ok(()))?;
        }
        let began = Instant::now();
        let crew = Crew::new(threads(self.settings.threads, self.count), self.count);
        let network = network.with_threads(crew.threads_each());
        let job = |seat: &dyn Seat<PyResult<Option<Found<T>>>>| {
            while let Some(index) = seat.take() {
                let left = limit.map(|limit| limit.saturating_sub(began.elapsed()));
                let found = match self.line.is_cut() || left.is_some_and(|left| left.is_zero()) {
                    true => Ok(None),
                    false => self.find(network.by_ref(), index, left).map(Some),
                };
                seat.hand_over(index, found);
            }
        };
        let mut all = Vec::with_capacity(self.count);
        let mut failure = None;
        crew.share_out(0..self.count, job, |_, found| match found {
            Ok(Some(found)) => {
                let is_stopped = found.0.status == NearestStatus::Stopped;
                all.push(found);
                self.line.tell(());
                match is_stopped {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            }
            Ok(None) => ControlFlow::Break(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        });
        failure.map_or(Ok(all), Err)
    }

    fn find<B: LinearBackend<Scalar = T>>(
        &self,
        network: NetworkRef<'_, B>,
        index: usize,
        left: Option<Duration>,
    ) -> PyResult<Found<T>> {
        let solver = Solver::new()
            .with_seed(self.settings.seed)
            .with_max_iterations(self.settings.max_iterations);
        let solver = match left {
            Some(left) => solver.with_time_limit(left),
            None => solver,
        };
        let mut watch = |_: &TraceEntry<T>, _: &[T]| match self.line.is_cut() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        self.asked(network, index, |nearest| {
            let answer = nearest.solve(&solver, &mut watch)?;
            let probabilities = network.probabilities(&answer.x)?;
            Ok((answer, probabilities))
        })
    }

    /// Does something with what is asked of problem `index`.
    fn asked<B: LinearBackend<Scalar = T>, R>(
        &self,
        network: NetworkRef<'_, B>,
        index: usize,
        work: impl FnOnce(&Nearest<'_, B>) -> Result<R, Error>,
    ) -> PyResult<R> {
        let row = |all: &[T], length: usize| match all.len() == length {
            true => all.to_vec(),
            false => all[index * length..][..length].to_vec(),
        };
        let made = || {
            let reference = row(self.references, network.inputs());
            let target = match self.settings.want {
                Some(_) => None,
                None => {
                    let b = row(self.targets, network.outcomes());
                    Some(Target::stored_as(b, self.rounded_to)?)
                }
            };
            let goal = match (&target, self.settings.want) {
                (Some(target), _) => Goal::Output(target),
                (None, want) => {
                    let (outcome, probability) = want.unwrap_or_default();
                    Goal::AtLeast {
                        outcome,
                        probability: T::of(probability),
                    }
                }
            };
            let mut nearest =
                Nearest::new(network, goal, reference)?.with_starts(self.settings.starts);
            if let Some(scales) = self.scales {
                nearest = nearest.with_scales(scales.to_vec())?;
            }
            nearest = self.stated.confine(nearest)?;
            if let Some(tolerance) = self.settings.tolerance {
                nearest = nearest.with_tolerance(T::of(tolerance))?;
            }
            work(&nearest)
        };
        made().map_err(of_target((self.count > 1).then_some(index)))
    }
}

/// A number of each answer, and what it is called.
type Named<T, N> = (&'static str, fn(&NearestAnswer<T>) -> N);

/// A mapping of fields with a leading K. Where a call was ended, the last problems have NaN and the status
/// `not-reached`.
pub(crate) fn mapping<'py, T: Number>(
    py: Python<'py>,
    found: &[Found<T>],
    count: usize,
    (d, m): (usize, usize),
) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    let answers = || found.iter().map(|(answer, _)| answer);
    let padded = |values: Vec<T>, length: usize| {
        let mut values = values;
        values.resize(count * length, T::nan());
        values
    };
    let x = answers().flat_map(|a| &a.x).copied().collect();
    all.set_item("x", matrix(py, padded(x, d), count, d)?)?;
    let f = found.iter().flat_map(|(_, f)| f).copied().collect();
    all.set_item("probabilities", matrix(py, padded(f, m), count, m)?)?;
    let numbers: [Named<T, T>; 3] = [
        ("distance", |a| a.distance),
        ("violation", |a| a.violation),
        ("residual", |a| a.residual),
    ];
    for (name, number) in numbers {
        let values = padded(answers().map(number).collect(), 1);
        all.set_item(name, array(py, &values))?;
    }
    let counts: [Named<T, usize>; 2] = [("nit", |a| a.iterations), ("distinct", |a| a.distinct)];
    for (name, number) in counts {
        let mut values: Vec<_> = answers().map(|a| number(a) as i64).collect();
        values.resize(count, 0);
        all.set_item(name, array(py, &values))?;
    }
    let mut seconds: Vec<_> = answers().map(|a| a.seconds).collect();
    seconds.resize(count, f64::NAN);
    all.set_item("seconds", array(py, &seconds))?;
    let mut success: Vec<_> = answers().map(|a| a.status.is_converged()).collect();
    success.resize(count, false);
    all.set_item("success", array(py, &success))?;
    let words = |word: &dyn Fn(NearestStatus) -> String, missing: &str| {
        let mut words: Vec<_> = answers().map(|a| word(a.status)).collect();
        words.resize(count, missing.into());
        words
    };
    all.set_item("status", words(&|s| s.name().into(), "not-reached"))?;
    let missing = "the call was ended before this problem was come to";
    all.set_item("message", words(&message, missing))?;
    Ok(all)
}

fn message(status: NearestStatus) -> String {
    match status.advice() {
        "" => status.name().into(),
        advice => format!("{status}: {advice}"),
    }
}
