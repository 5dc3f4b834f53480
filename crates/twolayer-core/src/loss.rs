//! What a user brings of a loss of rows.

use crate::curvature::RowWeights;
use crate::reduce;
use crate::scalar::Scalar;

/// A loss L(z) of m rows whose Hessian in z is, group by group,
///
/// ```text
/// (I − 1 centerᵀ)ᵀ diag(β) (I − 1 centerᵀ),     Σ center = 1 over the group
/// ```
///
/// or plainly diag(β) for the rows that are in no group. A softmax with its loss is a group; squares of
/// residuals are in none. Slices have m entries.
pub trait RowLoss<T: Scalar> {
    /// L(z).
    fn value(&self, z: &[T]) -> T;

    /// u = ∂L/∂z; its entries sum to 0 over each group.
    fn gradient(&self, z: &[T], gradient: &mut [T]);

    /// β. Where they may be negative, those of another `kind` than exact are not.
    fn row_weights(&self, z: &[T], kind: RowWeights, row_weights: &mut [T]);

    /// Where the groups end, in increasing order: the first begins at row 0, and the rows behind the last
    /// are in none. None by default.
    fn group_ends(&self) -> &[usize] {
        &[]
    }

    /// The centers of the groups, one behind the other (as many as the last group's end).
    fn centers(&self, _z: &[T], _centers: &mut [T]) {}

    /// A number that L never falls below, if one is known: only there does a solver say that the fit is
    /// perfect, and only above it that a value is small.
    fn lower_bound(&self) -> Option<T> {
        None
    }

    /// An estimate of the error that rounding leaves in L(z): a few roundoffs of it by default, which is too
    /// little where L(z) is a difference of larger numbers.
    fn rounding_error(&self, z: &[T]) -> T {
        T::of(8.0) * T::UNIT_ROUNDOFF * self.value(z).abs()
    }
}

/// ½‖z − t‖²: u = z − t, β = 1.
#[derive(Debug, Clone, PartialEq)]
pub struct LeastSquares<T> {
    /// t (m).
    pub target: Vec<T>,
}

impl<T: Scalar> RowLoss<T> for LeastSquares<T> {
    fn value(&self, z: &[T]) -> T {
        let square = |i: usize| (z[i] - self.target[i]).to_f64().powi(2);
        T::of(0.5 * reduce::sum_of(z.len(), square))
    }

    fn gradient(&self, z: &[T], gradient: &mut [T]) {
        for ((u, &z), &t) in gradient.iter_mut().zip(z).zip(&self.target) {
            *u = z - t;
        }
    }

    fn row_weights(&self, _: &[T], _: RowWeights, row_weights: &mut [T]) {
        row_weights.fill(T::one());
    }

    fn lower_bound(&self) -> Option<T> {
        Some(T::zero())
    }

    /// A residual r carries a few roundoffs of z and t: r² is off by 2|r| times that, and its square.
    fn rounding_error(&self, z: &[T]) -> T {
        let roundoff = 4.0 * T::UNIT_ROUNDOFF.to_f64();
        T::of(reduce::sum_of(z.len(), |i| {
            let (z, t) = (z[i].to_f64(), self.target[i].to_f64());
            let error = roundoff * (z.abs() + t.abs());
            error * ((z - t).abs() + 0.5 * error)
        }))
    }
}
