//! The problem in an `.npz` file, its network in the matrices of a backend.

use crate::args::{ProblemArgs, Start};
use crate::array::{Array, ArrayShapes, Expected, Stored, open_npz, read_npy, read_npz};
use crate::error::{Error, in_file};
use crate::memory::Shapes;
use crate::targets::{RowsFile, Targets};
use num_traits::Zero;
use std::io::{Read, Seek};
use std::path::Path;
use twolayer::{LinearBackend, Scalar, TwoLayer};

/// A vector for all problems, or one for each.
#[derive(Debug)]
pub(crate) struct Vectors<T> {
    pub(crate) length: usize,
    /// How many; `None` where one serves all.
    pub(crate) count: Option<usize>,
    values: Vec<T>,
}

impl<T: Scalar> Vectors<T> {
    /// The vector of problem `index`.
    pub(crate) fn get(&self, index: usize) -> &[T] {
        let row = if self.count.is_some() { index } else { 0 };
        &self.values[row * self.length..(row + 1) * self.length]
    }

    /// All of them, after one another.
    pub(crate) fn all(&self) -> &[T] {
        &self.values
    }

    fn zero(length: usize) -> Self {
        Self {
            length,
            count: None,
            values: vec![T::zero(); length],
        }
    }

    /// Takes an array of shape (length) or (K, length).
    pub(crate) fn new(array: Array<T>) -> Self {
        let count = (array.shape.len() == 2).then(|| array.shape[0]);
        let length = array.values.len() / count.unwrap_or(1);
        Self {
            length,
            count,
            values: array.values,
        }
    }

    pub(crate) fn shape(&self) -> String {
        match self.count {
            Some(count) => format!("({count}, {})", self.length),
            None => format!("({},)", self.length),
        }
    }
}

/// Everything that a problem file says, with shapes that fit together.
#[derive(Debug)]
pub(crate) struct Problem<B: LinearBackend> {
    pub(crate) network: TwoLayer<B>,
    /// w.
    pub(crate) weights: Option<Vec<B::Scalar>>,
    /// b; one where all problems have the same target.
    pub(crate) targets: Targets<B::Scalar>,
    /// x0 of the file.
    pub(crate) starts: Option<Vectors<B::Scalar>>,
}

const MATRIX: &[usize] = &[2];
const VECTOR: &[usize] = &[1];
const VECTORS: &[usize] = &[1, 2];

/// The place of b among them.
const TARGETS: usize = 2;

/// What a problem file may hold.
const ARRAYS: [Expected; 7] = [
    Expected {
        name: "A1",
        shape: "(n, d)",
        dimensions: MATRIX,
        required: true,
        is_matrix: true,
    },
    Expected {
        name: "A2",
        shape: "(m, n)",
        dimensions: MATRIX,
        required: true,
        is_matrix: true,
    },
    Expected {
        name: "b",
        shape: "(m,) or (K, m)",
        dimensions: VECTORS,
        required: true,
        is_matrix: false,
    },
    Expected {
        name: "c1",
        shape: "(n,)",
        dimensions: VECTOR,
        required: false,
        is_matrix: false,
    },
    Expected {
        name: "c2",
        shape: "(m,)",
        dimensions: VECTOR,
        required: false,
        is_matrix: false,
    },
    Expected {
        name: "w",
        shape: "(m,)",
        dimensions: VECTOR,
        required: false,
        is_matrix: false,
    },
    Expected {
        name: "x0",
        shape: "(d,) or (K, d)",
        dimensions: VECTORS,
        required: false,
        is_matrix: false,
    },
];

/// Reads and checks a problem. `admit` is asked whether to go on once the sizes are known, before
/// anything of such a size is allocated.
pub(crate) fn read_problem<B: LinearBackend>(
    backend: B,
    args: &ProblemArgs,
    admit: &dyn Fn(&Shapes) -> Result<(), Error>,
) -> Result<Problem<B>, Error> {
    let targets = args.targets.as_deref().map(RowsFile::open).transpose()?;
    read_problem_from(backend, &args.path, open_npz(&args.path)?, targets, admit)
}

/// The same from an archive that is open, with the targets of another file in the place of b.
pub(crate) fn read_problem_from<B: LinearBackend, R: Read + Seek>(
    backend: B,
    path: &Path,
    archive: R,
    targets: Option<RowsFile>,
    admit: &dyn Fn(&Shapes) -> Result<(), Error>,
) -> Result<Problem<B>, Error> {
    let mut expected = ARRAYS;
    expected[TARGETS].required = targets.is_none();
    let admit = |shapes: &ArrayShapes| admit(&declared(shapes, targets.as_ref()));
    let arrays: [Option<Stored<B>>; 7] = read_npz(&backend, path, archive, &expected, &admit)?
        .try_into()
        .map_err(|_| Error::content(path, "another number of arrays", "seven at most"))?;
    let [
        Some(Stored::Matrix(a1)),
        Some(Stored::Matrix(a2)),
        others @ ..,
    ] = arrays
    else {
        return Err(Error::content(path, "an array is missing", "A1, A2 and b"));
    };
    let [b, c1, c2, w, x0] = others.map(|array| match array {
        Some(Stored::Values(array)) => Some(array),
        _ => None,
    });
    let (inputs, hidden) = (backend.ncols(&a1), backend.nrows(&a1));
    let (outcomes, columns) = (backend.nrows(&a2), backend.ncols(&a2));
    if columns != hidden {
        let found = format!("A2 has shape ({outcomes}, {columns})");
        let expected = format!("(m, {hidden}), a column for each row of A1");
        return Err(Error::content(path, found, &expected));
    }
    let optional = |name, array: Option<Array<B::Scalar>>, length: usize| match array {
        Some(array) if array.values.len() != length => {
            let found = format!("{name} has shape ({},)", array.values.len());
            Err(Error::content(path, found, &format!("({length},)")))
        }
        array => Ok(array.map(|array| array.values)),
    };
    let bias1 = optional("c1", c1, hidden)?.unwrap_or_else(|| vec![B::Scalar::zero(); hidden]);
    let bias2 = optional("c2", c2, outcomes)?.unwrap_or_else(|| vec![B::Scalar::zero(); outcomes]);
    let problem = Problem {
        network: TwoLayer::new(backend, a1, a2)
            .and_then(|network| network.with_biases(bias1, bias2))
            .map_err(in_file(path, None))?,
        weights: optional("w", w, outcomes)?,
        targets: Targets::new(path, b, targets, outcomes)?,
        starts: x0.map(Vectors::new),
    };
    if let Some(starts) = &problem.starts {
        problem.check_points(path, "x0", inputs, starts)?;
    }
    Ok(problem)
}

/// The sizes by the shapes of A1, A2, b and x0; that they fit together is checked later.
fn declared(shapes: &ArrayShapes, targets: Option<&RowsFile>) -> Shapes {
    let length = |array: usize, dimension: usize| {
        let shape = shapes.get(array).and_then(|shape| shape.as_deref());
        shape.and_then(|shape| shape.get(dimension)).copied()
    };
    // A vector is one row.
    let rows = |array| length(array, 1).and(length(array, 0)).unwrap_or(1);
    Shapes {
        inputs: length(0, 1).unwrap_or(1),
        hidden: length(0, 0).max(length(1, 1)).unwrap_or(1),
        outcomes: length(1, 0)
            .max(length(TARGETS, 1))
            .max(length(TARGETS, 0))
            .unwrap_or(1),
        targets: targets.map_or(rows(TARGETS), |file| file.rows() as u64),
        targets_read: length(TARGETS, 0).map_or(0, |_| rows(TARGETS)),
        starts: rows(6),
    }
}

impl<B: LinearBackend> Problem<B> {
    /// The starts that were asked for: the option, else those of the file, else zero.
    pub(crate) fn take_starts(
        &mut self,
        start: Option<&Start>,
    ) -> Result<Vectors<B::Scalar>, Error> {
        match start {
            Some(Start::Zero) => Ok(Vectors::zero(self.network.inputs())),
            Some(Start::File(path)) => self.read_points(path, "x0"),
            None => Ok(self
                .starts
                .take()
                .unwrap_or_else(|| Vectors::zero(self.network.inputs()))),
        }
    }

    /// Reads one point for all problems or one for each from an `.npy` file.
    pub(crate) fn read_points(
        &self,
        path: &Path,
        name: &'static str,
    ) -> Result<Vectors<B::Scalar>, Error> {
        let shape = "(d,) or (K, d)";
        let expected = Expected {
            name,
            shape,
            dimensions: VECTORS,
            required: true,
            is_matrix: false,
        };
        let points = Vectors::new(read_npy(path, &expected)?);
        self.check_points(path, name, self.network.inputs(), &points)?;
        Ok(points)
    }

    /// How many problems there are with these points: K of b, else K of the points, else one.
    pub(crate) fn count<P>(&self, points: &Vectors<P>) -> usize {
        if self.targets.len() > 1 {
            self.targets.len()
        } else {
            points.count.unwrap_or(1)
        }
    }

    /// Checks that there is one point for all problems or one for each, in any precision.
    pub(crate) fn check_points<P: Scalar>(
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
        let found = format!("{name} has shape {}", points.shape());
        let rows = if targets == 1 {
            "K".into()
        } else {
            targets.to_string()
        };
        let expected = format!("({inputs},) or ({rows}, {inputs})");
        Err(Error::content(path, found, &expected))
    }
}
