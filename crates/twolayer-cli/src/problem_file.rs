//! The problem in an `.npz` file, its network in the matrices of a backend.

mod arrays;
mod chain;
mod contents;
mod names;
mod orientation;

use crate::args::{BoundArgs, Names, NearArgs, ProblemArgs, Start};
use crate::array::{Array, Stored, Types, check_per_input, open_npz, read_points};
use crate::bounds::{OwnBounds, bounds};
use crate::error::{Error, in_file};
use crate::memory::Shapes;
use crate::near::{OwnNearness, nearness, per_entry};
use crate::targets::{RowsFile, Targets};
use crate::vectors::Vectors;
use arrays::{
    ARRAYS, FIRST, FIRST_BIAS, LOWER, NEAR_SCALES, NEAR_WEIGHT, REFERENCE, SECOND, SECOND_BIAS,
    STARTS, TARGETS, UPPER, WEIGHTS,
};
use contents::Contents;
use num_traits::Zero;
use std::io::{Read, Seek};
use std::path::Path;
use twolayer::{ActivationName, AnyNetwork, Bounds, LinearBackend, Nearness, Scalar, TwoLayer};

/// Everything that a problem file says, with shapes that fit together.
#[derive(Debug)]
pub(crate) struct Problem<B: LinearBackend> {
    pub(crate) network: AnyNetwork<B>,
    /// Of the hidden layers.
    pub(crate) activations: Vec<ActivationName>,
    /// w.
    pub(crate) weights: Option<Vec<B::Scalar>>,
    /// b; one where all problems have the same target.
    pub(crate) targets: Targets<B::Scalar>,
    /// x0 of the file.
    pub(crate) starts: Option<Vectors<B::Scalar>>,
    own_bounds: OwnBounds<B::Scalar>,
    own_nearness: OwnNearness<B::Scalar>,
    /// Which types of entries other files may have.
    types: Types,
}

/// What is asked of a problem, and what is to happen before it is read.
pub(crate) struct Request<'a> {
    /// The activations that take the place of the file's; none where these count.
    pub(crate) activation: &'a [ActivationName],
    /// Whether there must be a b.
    pub(crate) needs_target: bool,
    /// Whether every b must be a distribution; else whoever solves for it sees.
    pub(crate) needs_all_good: bool,
    /// Asked whether to go on once the sizes are known, before anything of such a size is allocated.
    pub(crate) admit: &'a dyn Fn(&Shapes) -> Result<(), Error>,
    /// Told in a line what is read as what, where that is not plain from the names.
    pub(crate) tell: &'a dyn Fn(&str),
}

/// Reads and checks a problem.
pub(crate) fn read_problem<B: LinearBackend>(
    backend: B,
    args: &ProblemArgs,
    request: &Request<'_>,
) -> Result<Problem<B>, Error> {
    let types = args.names.types();
    let targets = args.targets.as_deref();
    let targets = targets
        .map(|path| RowsFile::open(path, types))
        .transpose()?;
    let archive = open_npz(&args.path)?;
    read_problem_from(backend, &args.path, archive, args.names, targets, request)
}

/// The same from an archive that is open, with the targets of another file in the place of b.
pub(crate) fn read_problem_from<B: LinearBackend, R: Read + Seek>(
    backend: B,
    path: &Path,
    archive: R,
    names: Names,
    targets: Option<RowsFile>,
    request: &Request<'_>,
) -> Result<Problem<B>, Error> {
    let needs_target = request.needs_target && targets.is_none();
    let length = targets.as_ref().map(|file| file.length() as u64);
    let mut contents = Contents::look(path, archive, names, needs_target, length)?;
    if names == Names::Auto {
        (request.tell)(&contents.story());
    }
    (request.admit)(&declared(&contents, targets.as_ref()))?;
    let number = contents.number(TARGETS);
    let mut matrix = |slot| match contents.read(&backend, slot)? {
        Some(Stored::Matrix(matrix)) => Ok(matrix),
        _ => Err(Error::content(path, "a layer is missing", "A1 and A2")),
    };
    let (a1, a2) = (matrix(FIRST)?, matrix(SECOND)?);
    let between = contents.read_between(&backend)?;
    let activations = activations(
        path,
        request.activation,
        contents.activation(),
        between.len() + 1,
    )?;
    let mut values = |slot| match contents.read(&backend, slot)? {
        Some(Stored::Values(array)) => Ok(Some(array)),
        _ => Ok(None),
    };
    let (inputs, hidden) = (backend.ncols(&a1), backend.nrows(&a1));
    let (outcomes, columns) = (backend.nrows(&a2), backend.ncols(&a2));
    if columns != hidden && between.is_empty() {
        let found = format!("A2 has shape ({outcomes}, {columns})");
        let expected = format!("(m, {hidden}), a column for each row of A1");
        return Err(Error::content(path, found, &expected));
    }
    let mut vector = |slot, length: usize| match values(slot)? {
        Some(array) if array.values.len() != length => {
            let name = ARRAYS[slot].name;
            let found = format!("{name} has shape ({},)", array.values.len());
            Err(Error::content(path, found, &format!("({length},)")))
        }
        array => Ok(array.map(|array: Array<B::Scalar>| array.values)),
    };
    let zeros = |length| vec![B::Scalar::zero(); length];
    let bias1 = vector(FIRST_BIAS, hidden)?.unwrap_or_else(|| zeros(hidden));
    let bias2 = vector(SECOND_BIAS, outcomes)?.unwrap_or_else(|| zeros(outcomes));
    let weights = vector(WEIGHTS, outcomes)?;
    let weight = vector(NEAR_WEIGHT, 1)?;
    let b = match targets {
        Some(_) => None,
        None => values(TARGETS)?,
    };
    let starts = values(STARTS)?;
    let mut per_input = |slot| match values(slot)? {
        Some(array) => {
            check_per_input(path, ARRAYS[slot].name, &array.shape, inputs)?;
            Ok::<_, Error>(Some(array.values))
        }
        None => Ok(None),
    };
    let (lower, upper) = (per_input(LOWER)?, per_input(UPPER)?);
    let (reference, scales) = (per_input(REFERENCE)?, per_input(NEAR_SCALES)?);
    let problem = Problem {
        network: Layers {
            first: (a1, bias1),
            between,
            last: (a2, bias2),
        }
        .network(backend, &activations)
        .map_err(in_file(path, None))?,
        activations,
        weights,
        targets: Targets::new(path, b.zip(number), targets, outcomes)?,
        starts: starts.map(Vectors::new),
        own_bounds: OwnBounds { lower, upper },
        own_nearness: OwnNearness {
            reference,
            scales,
            weight,
        },
        types: names.types(),
    };
    if let Some(starts) = &problem.starts {
        problem.check_points(path, "x0", inputs, starts)?;
    }
    if request.needs_all_good {
        problem.targets.check(problem.network.by_ref())?;
    }
    Ok(problem)
}

/// The network of a problem where something is asked for that is for two layers with ReLU only.
pub(crate) fn two_layers<'p, B: LinearBackend>(
    problem: &'p Problem<B>,
    path: &Path,
    what: &'static str,
) -> Result<&'p TwoLayer<B>, Error> {
    let network = problem.network.two_layers();
    network.ok_or_else(|| in_file(path, None)(twolayer::Error::OnlyTwoLayers { what }))
}

/// The activations of so many hidden layers: of the option, else of the file, else ReLUs; one may serve all.
fn activations(
    path: &Path,
    given: &[ActivationName],
    of_file: &[String],
    layers: usize,
) -> Result<Vec<ActivationName>, Error> {
    let content = |found: String, expected: &str| Error::content(path, found, expected);
    let named = match given {
        [] => {
            let named = of_file.iter().map(|name| name.parse());
            let named: Result<Vec<ActivationName>, twolayer::UnknownActivation> = named.collect();
            named.map_err(|error| {
                content(
                    format!("activation is `{}`", error.0),
                    twolayer::UnknownActivation::KNOWN,
                )
            })?
        }
        given => given.to_vec(),
    };
    match named[..] {
        [] => Ok(vec![ActivationName::Relu; layers]),
        [one] => Ok(vec![one; layers]),
        _ if named.len() == layers => Ok(named),
        _ => Err(content(
            format!("{} activations", named.len()),
            &format!("one, or {layers}, one for each hidden layer"),
        )),
    }
}

/// A matrix, and its bias where there is one.
type Layer<B> = (
    <B as LinearBackend>::Matrix,
    Option<Vec<<B as LinearBackend>::Scalar>>,
);

/// The matrices of a network, and biases.
struct Layers<B: LinearBackend> {
    first: (B::Matrix, Vec<B::Scalar>),
    between: Vec<Layer<B>>,
    last: (B::Matrix, Vec<B::Scalar>),
}

impl<B: LinearBackend> Layers<B> {
    fn network(
        self,
        backend: B,
        activations: &[ActivationName],
    ) -> Result<AnyNetwork<B>, twolayer::Error> {
        let Self {
            first,
            between,
            last,
        } = self;
        let (mut weights, mut biases) = (vec![first.0], vec![first.1]);
        for (matrix, bias) in between {
            let zeros = || vec![B::Scalar::zero(); backend.nrows(&matrix)];
            biases.push(bias.unwrap_or_else(zeros));
            weights.push(matrix);
        }
        weights.push(last.0);
        biases.push(last.1);
        AnyNetwork::new(backend, weights, biases, activations.to_vec())
    }
}

/// The sizes by the shapes of A1, A2, b and x0; that they fit together is checked later.
fn declared<R: Read + Seek>(contents: &Contents<R>, targets: Option<&RowsFile>) -> Shapes {
    let length = |slot: usize, dimension: usize| {
        let shape = contents.shape(slot);
        shape.and_then(|shape| shape.get(dimension)).copied()
    };
    // A vector is one row.
    let rows = |slot| length(slot, 1).and(length(slot, 0)).unwrap_or(1);
    let first = length(FIRST, 0).max(length(SECOND, 1)).unwrap_or(1);
    let between: Vec<u64> = contents.widths_between().collect();
    let (mut deeper, mut before) = (0_u64, first);
    for &width in &between {
        deeper = deeper.saturating_add(width.saturating_mul(before));
        before = width;
    }
    Shapes {
        inputs: length(FIRST, 1).unwrap_or(1),
        hidden: between
            .iter()
            .fold(first, |sum, &width| sum.saturating_add(width)),
        deeper,
        is_deep: !between.is_empty() || !contents.activation().is_empty(),
        outcomes: length(SECOND, 0)
            .max(length(TARGETS, 1))
            .max(length(TARGETS, 0))
            .unwrap_or(1),
        targets: targets.map_or(rows(TARGETS), |file| file.rows() as u64),
        targets_read: match (targets, contents.shape(TARGETS)) {
            (None, Some(_)) => rows(TARGETS),
            _ => 0,
        },
        starts: rows(STARTS),
        has_weights: contents.shape(WEIGHTS).is_some(),
        has_nearness: contents.shape(REFERENCE).is_some(),
        has_bounds: contents.shape(LOWER).is_some() || contents.shape(UPPER).is_some(),
    }
}

impl<B: LinearBackend> Problem<B> {
    /// The bounds on x, from the options or from the file at `path`; `None` where no entry has one.
    pub(crate) fn bounds(
        &self,
        args: &BoundArgs,
        path: &Path,
    ) -> Result<Option<Bounds<B::Scalar>>, Error> {
        let d = self.network.by_ref().inputs();
        bounds(args, &self.own_bounds, path, d, self.types)
    }

    /// The term for how far x is from a point, likewise.
    pub(crate) fn nearness(
        &self,
        args: &NearArgs,
        path: &Path,
    ) -> Result<Option<Nearness<B::Scalar>>, Error> {
        let d = self.network.by_ref().inputs();
        nearness(args, &self.own_nearness, path, d, self.types)
    }

    /// The points to be nearest to: those of the option, else x_ref of the file, else its x0.
    pub(crate) fn take_references(
        &mut self,
        path: Option<&Path>,
    ) -> Result<Vectors<B::Scalar>, Error> {
        if let Some(path) = path {
            return self.read_vectors(path, "x_ref", false);
        }
        let d = self.network.by_ref().inputs();
        let own = self.own_nearness.reference.take();
        let own = own.map(|values| Vectors::of_all(per_entry(values, d)));
        own.or_else(|| self.starts.take())
            .ok_or(Error::NearestWithoutPoint)
    }

    /// D of the file.
    pub(crate) fn near_scales(&self) -> Option<Vec<B::Scalar>> {
        let d = self.network.by_ref().inputs();
        let scales = self.own_nearness.scales.clone();
        scales.map(|scales| per_entry(scales, d))
    }

    /// The starts that were asked for: the option, else those of the file, else x_ref, else zero.
    pub(crate) fn take_starts(
        &mut self,
        start: Option<&Start>,
        nearness: Option<&Nearness<B::Scalar>>,
    ) -> Result<Vectors<B::Scalar>, Error> {
        match start {
            Some(Start::Zero) => Ok(Vectors::zero(self.network.by_ref().inputs())),
            Some(Start::File(path)) => self.read_vectors(path, "x0", true),
            None => Ok(self.starts.take().unwrap_or_else(|| {
                let point = nearness.map(Nearness::reference);
                let inputs = self.network.by_ref().inputs();
                point.map_or_else(|| Vectors::zero(inputs), |x| Vectors::of_all(x.to_vec()))
            })),
        }
    }

    /// Reads one point for all problems or one for each, in any precision, from an `.npy` file or a
    /// RESULT.npz.
    pub(crate) fn read_points<P: Scalar>(
        &self,
        path: &Path,
        name: &'static str,
    ) -> Result<Vectors<P>, Error> {
        self.read_vectors(path, name, false)
    }

    fn read_vectors<P: Scalar>(
        &self,
        path: &Path,
        name: &'static str,
        is_checked_later: bool,
    ) -> Result<Vectors<P>, Error> {
        let points = Vectors::new(read_points(path, name, self.types, is_checked_later)?);
        self.check_points(path, name, self.network.by_ref().inputs(), &points)?;
        Ok(points)
    }

    /// How many problems there are with these points: K of b, else K of the points, else one. No
    /// targets, or no points, are no problems.
    pub(crate) fn count<P>(&self, points: &Vectors<P>) -> usize {
        match self.targets.len() {
            1 => points.count.unwrap_or(1),
            targets => targets,
        }
    }

    /// Checks that there is one point for all problems or one for each, in any precision.
    fn check_points<P: Scalar>(
        &self,
        path: &Path,
        name: &str,
        inputs: usize,
        points: &Vectors<P>,
    ) -> Result<(), Error> {
        let targets = self.targets.len();
        let fits = targets == 1 || points.count.is_none_or(|count| count == targets);
        if points.length == inputs && fits {
            return Ok(());
        }
        let looks_transposed = points.length != inputs && points.count == Some(inputs);
        let hint = if looks_transposed {
            " and looks transposed"
        } else {
            ""
        };
        let found = format!("{name} has shape {}{hint}", points.shape());
        let rows = if targets == 1 {
            "K".into()
        } else {
            targets.to_string()
        };
        let expected = format!("({inputs},) or ({rows}, {inputs})");
        Err(Error::content(path, found, &expected))
    }
}
