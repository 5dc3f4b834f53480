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

    /// The centers of the groups, one behind the other; what is behind the last group counts for nothing. By
    /// default β of a group over its sum, which makes its Hessian diag(β) − ββᵀ/Σβ: that of a softmax with
    /// cross-entropy, where β = f.
    fn centers(&self, z: &[T], centers: &mut [T]) {
        self.row_weights(z, RowWeights::Exact, centers);
        let mut start = 0;
        for &end in self.group_ends() {
            let group = &mut centers[start..end];
            let total = reduce::sum(group);
            group.iter_mut().for_each(|weight| *weight /= total);
            start = end;
        }
    }

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

/// A loss of the first rows, and half the squares of the others: L(z) = L₁(z₁) + ½‖z₂ − t‖², a loss with a
/// ridge, say.
#[derive(Debug, Clone, PartialEq)]
pub struct WithSquares<L, T> {
    loss: L,
    rows: usize,
    squares: LeastSquares<T>,
}

impl<L, T> WithSquares<L, T> {
    /// `loss` of so many `rows`, and the squares of the others about a `target` t.
    pub fn new(loss: L, rows: usize, target: Vec<T>) -> Self {
        Self {
            loss,
            rows,
            squares: LeastSquares { target },
        }
    }
}

impl<T: Scalar, L: RowLoss<T>> RowLoss<T> for WithSquares<L, T> {
    fn value(&self, z: &[T]) -> T {
        let (z, others) = z.split_at(self.rows);
        self.loss.value(z) + self.squares.value(others)
    }

    fn gradient(&self, z: &[T], gradient: &mut [T]) {
        let (z, others) = z.split_at(self.rows);
        let (gradient, of_others) = gradient.split_at_mut(self.rows);
        self.loss.gradient(z, gradient);
        self.squares.gradient(others, of_others);
    }

    fn row_weights(&self, z: &[T], kind: RowWeights, row_weights: &mut [T]) {
        let (z, others) = z.split_at(self.rows);
        let (row_weights, of_others) = row_weights.split_at_mut(self.rows);
        self.loss.row_weights(z, kind, row_weights);
        self.squares.row_weights(others, kind, of_others);
    }

    fn group_ends(&self) -> &[usize] {
        self.loss.group_ends()
    }

    fn centers(&self, z: &[T], centers: &mut [T]) {
        self.loss
            .centers(&z[..self.rows], &mut centers[..self.rows]);
    }

    fn lower_bound(&self) -> Option<T> {
        self.loss.lower_bound()
    }

    fn rounding_error(&self, z: &[T]) -> T {
        let (z, others) = z.split_at(self.rows);
        self.loss.rounding_error(z) + self.squares.rounding_error(others)
    }
}
