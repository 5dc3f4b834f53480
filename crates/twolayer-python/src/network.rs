//! A network as Python holds it.

use crate::answer::mapping;
use crate::arrays::{copied, matrix, numbers, vector};
use crate::attend::{Line, Next, attend};
use crate::backend::{Networks, Number, row_major};
use crate::forked::{self, is_child};
use crate::host::{Call, Event};
use crate::input_error::{of_call, of_target, refused};
use crate::nearest::{Search, Settings};
use crate::outputs::{Kind, Outputs};
use crate::settings::{self, Options, Stated, Statement};
use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArrayDyn};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Arc;
use twolayer::{
    ActivationName, AnyNetwork, LinearBackend, NumberFormat, Target, UnknownActivation,
};
use twolayer_faer::Faer;

/// The networks of one precision.
#[derive(Debug, Clone)]
pub(crate) enum Precision {
    Single(Arc<Networks<f32>>),
    Double(Arc<Networks<f64>>),
}

/// softmax(A_L φ(… φ(A_1 x + c_1) …) + c_L), in the precision of A_1, which all arrays have.
#[pyclass(frozen, module = "twolayer._twolayer")]
pub(crate) struct Network {
    pub(crate) networks: Precision,
}

#[pymethods]
impl Network {
    /// Copies the arrays, of any layout, and checks them.
    #[new]
    fn new(
        weights: Vec<Bound<'_, PyAny>>,
        biases: Vec<Bound<'_, PyAny>>,
        activations: Vec<String>,
    ) -> PyResult<Self> {
        let is_single = |a: &Bound<'_, PyAny>| a.extract::<PyReadonlyArray2<'_, f32>>().is_ok();
        let names = activations.iter().map(|name| name.parse());
        let activations: Vec<ActivationName> = names
            .collect::<Result<_, UnknownActivation>>()
            .map_err(|error| refused(Some("activation"), error.to_string()))?;
        let networks = match weights.first().is_some_and(is_single) {
            true => Precision::Single(new(&weights, &biases, &activations)?),
            false => Precision::Double(new(&weights, &biases, &activations)?),
        };
        Ok(Self { networks })
    }

    /// d, n_1 … n_{L−1}, m.
    fn shape(&self) -> Vec<usize> {
        match &self.networks {
            Precision::Single(networks) => shape(networks),
            Precision::Double(networks) => shape(networks),
        }
    }

    /// Copies of A_1 … A_L, and of c_1 … c_L.
    fn weights<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        match &self.networks {
            Precision::Single(networks) => weights(py, networks),
            Precision::Double(networks) => weights(py, networks),
        }
    }

    /// Logits or probabilities at the rows of contiguous `points` (K, d), on so many threads.
    fn outputs<'py>(
        &self,
        py: Python<'py>,
        points: &Bound<'py, PyAny>,
        logits: bool,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let kind = match logits {
            true => Kind::Logits,
            false => Kind::Probabilities,
        };
        match &self.networks {
            Precision::Single(networks) => outputs(py, networks, points, kind, threads),
            Precision::Double(networks) => outputs(py, networks, points, kind, threads),
        }
    }

    /// Looks for the nearest points to contiguous `references` (1, d) or (K, d) with the outputs `targets` (K, m), or
    /// with a winner.
    #[expect(clippy::too_many_arguments, reason = "what a call is made of")]
    fn nearest<'py>(
        &self,
        py: Python<'py>,
        targets: &Bound<'py, PyAny>,
        rounded_to: &str,
        references: &Bound<'py, PyAny>,
        scales: Option<&Bound<'py, PyAny>>,
        statement: Statement<'py>,
        settings: Settings,
        bar: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let targets = (targets, settings::rounded_to(rounded_to)?);
        let how = (&settings, bar);
        match &self.networks {
            Precision::Single(networks) => {
                nearest(py, networks, targets, references, scales, &statement, how)
            }
            Precision::Double(networks) => {
                nearest(py, networks, targets, references, scales, &statement, how)
            }
        }
    }

    /// Solves the problems of contiguous `targets` (K, m) from contiguous `starts` (1, d) or (K, d).
    ///
    /// `callback(row, x)` is called after every iteration and ends the call where it returns true; `bar` has
    /// `begin(what, count)`, `advance()` and `end()`.
    #[expect(clippy::too_many_arguments, reason = "what a call is made of")]
    fn invert<'py>(
        &self,
        py: Python<'py>,
        targets: &Bound<'py, PyAny>,
        rounded_to: &str,
        starts: &Bound<'py, PyAny>,
        statement: Statement<'py>,
        options: Options,
        callback: Option<Py<PyAny>>,
        bar: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let hearer = Hearer { callback, bar };
        let targets = (targets, settings::rounded_to(rounded_to)?);
        match &self.networks {
            Precision::Single(networks) => {
                invert(py, networks, targets, starts, &statement, &options, &hearer)
            }
            Precision::Double(networks) => {
                invert(py, networks, targets, starts, &statement, &options, &hearer)
            }
        }
    }
}

fn nearest<'py, T: Number>(
    py: Python<'py>,
    networks: &Networks<T>,
    (targets, rounded_to): (&Bound<'py, PyAny>, NumberFormat),
    references: &Bound<'py, PyAny>,
    scales: Option<&Bound<'py, PyAny>>,
    statement: &Statement<'py>,
    (settings, bar): (&Settings, Option<Py<PyAny>>),
) -> PyResult<Bound<'py, PyDict>> {
    let targets: PyReadonlyArrayDyn<'py, T> = targets.extract()?;
    let references: PyReadonlyArrayDyn<'py, T> = references.extract()?;
    let scales: Option<PyReadonlyArrayDyn<'py, T>> = scales.map(|s| s.extract()).transpose()?;
    let network = networks.original();
    let (d, m) = (network.inputs(), network.outcomes());
    let references = numbers("near", &references)?;
    let targets = numbers("b", &targets)?;
    let rows = references.len() / d;
    let count = match settings.has_targets() && targets.len() != m {
        true => targets.len() / m,
        false => rows,
    };
    let stated = Stated::new(statement)?;
    let scales = scales.as_ref().map(|s| numbers("scales", s)).transpose()?;
    let bar = bar.as_ref();
    bar.map(|bar| bar.call_method1(py, "begin", ("answers", count)))
        .transpose()?;
    let work = |line: &Line<'_, ()>| {
        let search = Search {
            settings,
            stated: &stated,
            scales,
            targets,
            rounded_to,
            references,
            count,
            line,
        };
        search.on(network)
    };
    let alone = forked::threads(settings.threads, count) == 1;
    let hear = |py: Python<'_>, ()| {
        bar.map(|bar| bar.call_method0(py, "advance")).transpose()?;
        Ok(Next::GoOn)
    };
    let found = attend(py, alone, work, hear)??;
    bar.map(|bar| bar.call_method0(py, "end")).transpose()?;
    crate::nearest::mapping(py, &found, count, (d, m))
}

fn new<T: Number>(
    weights: &[Bound<'_, PyAny>],
    biases: &[Bound<'_, PyAny>],
    activations: &[ActivationName],
) -> PyResult<Arc<Networks<T>>> {
    let backend = match is_child() {
        true => Faer::<T>::sequential(),
        false => Faer::default(),
    };
    let mut matrices = Vec::with_capacity(weights.len());
    for a in weights {
        let a: PyReadonlyArray2<'_, T> = a.extract()?;
        matrices.push(copied(&backend, &a));
    }
    let mut vectors = Vec::with_capacity(biases.len());
    for c in biases {
        let c: PyReadonlyArray1<'_, T> = c.extract()?;
        vectors.push(vector(&c));
    }
    let network = AnyNetwork::new(backend, matrices, vectors, activations.to_vec());
    Ok(Arc::new(Networks::new(network.map_err(of_call)?)))
}

fn shape<T: Number>(networks: &Networks<T>) -> Vec<usize> {
    let network = networks.original();
    let biases = network.layers().into_iter().map(|(_, c)| c.len());
    std::iter::once(network.inputs()).chain(biases).collect()
}

fn weights<'py, T: Number>(
    py: Python<'py>,
    networks: &Networks<T>,
) -> PyResult<Bound<'py, PyTuple>> {
    let network = networks.original();
    let (mut matrices, mut vectors) = (Vec::new(), Vec::new());
    for (a, c) in network.layers() {
        let backend = network.backend();
        let (rows, columns) = (backend.nrows(a), backend.ncols(a));
        matrices.push(matrix(py, row_major(backend, a), rows, columns)?);
        vectors.push(crate::arrays::array(py, c));
    }
    (matrices, vectors).into_pyobject(py)
}

fn outputs<'py, T: Number>(
    py: Python<'py>,
    networks: &Networks<T>,
    points: &Bound<'py, PyAny>,
    kind: Kind,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let points: PyReadonlyArrayDyn<'py, T> = points.extract()?;
    let points = numbers("X", &points)?;
    let network = networks.original();
    let work = |line: &Line<'_, ()>| {
        let outputs = Outputs {
            points,
            kind,
            line,
            threads,
        };
        outputs.of(network)
    };
    let rows = points.len() / network.inputs();
    let works_alone = forked::threads(threads, rows).min(rows) <= 1;
    let values = attend(py, works_alone, work, |_, ()| Ok(Next::GoOn))??;
    Ok(matrix(py, values, rows, network.outcomes())?.into_any())
}

/// What the calling thread does with the events of a call.
struct Hearer {
    callback: Option<Py<PyAny>>,
    bar: Option<Py<PyAny>>,
}

impl Hearer {
    fn hear<T: Number>(&self, py: Python<'_>, event: Event<T>) -> PyResult<Next> {
        let bar = self.bar.as_ref();
        match event {
            Event::Begins(round, count) => {
                let what = match round {
                    twolayer::Round::First => "targets",
                    twolayer::Round::Others => "targets tried again",
                };
                bar.map(|bar| bar.call_method1(py, "begin", (what, count)))
                    .transpose()?;
            }
            Event::Through => {
                bar.map(|bar| bar.call_method0(py, "advance")).transpose()?;
            }
            Event::Ends => {
                bar.map(|bar| bar.call_method0(py, "end")).transpose()?;
            }
            Event::Iteration { row, x, goes_on } => {
                let Some(callback) = &self.callback else {
                    return Ok(Next::GoOn);
                };
                let (row, x) = (crate::arrays::array(py, &row), crate::arrays::array(py, &x));
                if callback.call1(py, (row, x))?.is_truthy(py)? {
                    return Ok(Next::End);
                }
                // A solve that does not wait any more was ended.
                let _ = goes_on.send(true);
            }
        }
        Ok(Next::GoOn)
    }
}

fn invert<'py, T: Number>(
    py: Python<'py>,
    networks: &Networks<T>,
    (targets, rounded_to): (&Bound<'py, PyAny>, NumberFormat),
    starts: &Bound<'py, PyAny>,
    statement: &Statement<'py>,
    options: &Options,
    hearer: &Hearer,
) -> PyResult<Bound<'py, PyDict>> {
    let targets: PyReadonlyArrayDyn<'py, T> = targets.extract()?;
    let starts: PyReadonlyArrayDyn<'py, T> = starts.extract()?;
    let (targets, starts) = (numbers("b", &targets)?, numbers("x0", &starts)?);
    let (d, m) = (networks.original().inputs(), networks.original().outcomes());
    // Before anything is solved: the last target's mistake should not cost the others' time.
    let several = targets.len() > m;
    for (index, row) in targets.chunks_exact(m).enumerate() {
        Target::stored_as(row.to_vec(), rounded_to).map_err(of_target(several.then_some(index)))?;
    }
    let stated = Stated::new(statement)?;
    let (solver, hessian, backend) = (options.solver()?, options.hessian()?, options.backend()?);
    let work = |line: &Line<'_, Event<T>>| {
        let call = Call {
            stated: &stated,
            solver,
            threads: options.threads,
            total: options.total,
            hessian,
            certify: options.certify,
            keeps_traces: options.trace,
            targets,
            rounded_to,
            starts,
            shows_iterations: hearer.callback.is_some(),
            shows_progress: hearer.bar.is_some(),
            line,
        };
        networks.on(backend, call)
    };
    let problems = (targets.len() / m).max(starts.len() / d);
    let works_alone = forked::threads(options.threads, problems).min(problems) <= 1;
    let answers = attend(py, works_alone, work, |py, event| hearer.hear(py, event))??;
    mapping(py, answers, d, m)
}
