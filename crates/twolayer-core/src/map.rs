//! What a user brings of a model z(x).

use crate::backend::LinearBackend;

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

/// The numbers of a map.
pub type Entry<M> = <<M as RowMap>::Backend as LinearBackend>::Scalar;
