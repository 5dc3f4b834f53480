//! What a user brings of a model z(x).

use crate::backend::LinearBackend;
use crate::reduce;

/// A smooth map z: R^d → R^m with its Jacobian J = ∂z/∂x.
///
/// Together with a [`RowLoss`](crate::RowLoss) it is an objective, a [`Composite`](crate::Composite). The
/// Hessian of that leaves the curvature of z out; a map that bends much is an
/// [`Objective`](crate::Objective) of its own.
pub trait RowMap {
    /// The linear algebra library that is to factor J.
    type Backend: LinearBackend;

    /// A value of that library.
    fn backend(&self) -> &Self::Backend;

    /// d.
    fn inputs(&self) -> usize;

    /// m.
    fn rows(&self) -> usize;

    /// z (m) at `x` (d).
    fn apply(&self, x: &[Entry<Self>], z: &mut [Entry<Self>]);

    /// J (m×d, row after row) at `x` (d).
    fn jacobian(&self, x: &[Entry<Self>], jacobian: &mut [Entry<Self>]);
}

/// A map by two functions of x: z and J.
#[derive(Debug, Clone)]
pub struct MapOf<B, Z, J> {
    backend: B,
    rows: usize,
    inputs: usize,
    apply: Z,
    jacobian: J,
}

impl<B, Z, J> MapOf<B, Z, J>
where
    B: LinearBackend,
    Z: Fn(&[B::Scalar], &mut [B::Scalar]),
    J: Fn(&[B::Scalar], &mut [B::Scalar]),
{
    /// z: R^d → R^m, J (m×d, row after row), for a `shape` (m, d).
    pub fn new(backend: B, shape: (usize, usize), apply: Z, jacobian: J) -> Self {
        let (rows, inputs) = shape;
        Self {
            backend,
            rows,
            inputs,
            apply,
            jacobian,
        }
    }
}

impl<B, Z, J> RowMap for MapOf<B, Z, J>
where
    B: LinearBackend,
    Z: Fn(&[B::Scalar], &mut [B::Scalar]),
    J: Fn(&[B::Scalar], &mut [B::Scalar]),
{
    type Backend = B;

    fn backend(&self) -> &B {
        &self.backend
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn apply(&self, x: &[B::Scalar], z: &mut [B::Scalar]) {
        (self.apply)(x, z);
    }

    fn jacobian(&self, x: &[B::Scalar], jacobian: &mut [B::Scalar]) {
        (self.jacobian)(x, jacobian);
    }
}

/// z = A x.
#[derive(Debug, Clone)]
pub struct LinearMap<B: LinearBackend> {
    backend: B,
    rows: usize,
    inputs: usize,
    /// A, row after row.
    entries: Vec<B::Scalar>,
}

impl<B: LinearBackend> LinearMap<B> {
    /// A of the `shape` (m, d), by its entries.
    pub fn from_fn(
        backend: B,
        shape: (usize, usize),
        entry: impl Fn(usize, usize) -> B::Scalar,
    ) -> Self {
        let (rows, inputs) = shape;
        let places = (0..rows).flat_map(|i| (0..inputs).map(move |j| (i, j)));
        Self {
            backend,
            rows,
            inputs,
            entries: places.map(|(i, j)| entry(i, j)).collect(),
        }
    }
}

impl<B: LinearBackend> RowMap for LinearMap<B> {
    type Backend = B;

    fn backend(&self) -> &B {
        &self.backend
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn apply(&self, x: &[B::Scalar], z: &mut [B::Scalar]) {
        for (z, row) in z.iter_mut().zip(self.entries.chunks(self.inputs)) {
            *z = reduce::dot(row, x);
        }
    }

    fn jacobian(&self, _: &[B::Scalar], jacobian: &mut [B::Scalar]) {
        jacobian.copy_from_slice(&self.entries);
    }
}

/// The numbers of a map.
pub type Entry<M> = <<M as RowMap>::Backend as LinearBackend>::Scalar;
