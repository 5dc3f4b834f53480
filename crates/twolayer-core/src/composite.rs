//! A loss of a map as an objective.

use crate::backend::LinearBackend;
use crate::curvature::{Curvature, RowWeights};
use crate::error::Error;
use crate::ladder::Ladder;
use crate::loss::RowLoss;
use crate::map::{Entry, RowMap};
use crate::objective::{Evaluation, Kinked, Objective, RowStructured};
use crate::reduce;
use crate::scalar::Scalar;
use num_traits::{Float, One, Zero};

/// Minimise L(z(x)) over x, ‖x‖ ≤ R: everything that a solver asks, from a [`RowMap`] and a [`RowLoss`].
///
/// With J = ∂z/∂x the gradient is Jᵀu. The Hessian is that of the loss, J̄ᵀ diag(β) J̄, J̄ the rows of J less
/// their group's center row; what the curvature of z adds is left out (Gauss–Newton): none for a linear
/// map, and little where u is small.
///
/// Each point keeps J (m×d).
#[derive(Debug, Clone)]
pub struct Composite<M: RowMap, L> {
    map: M,
    loss: L,
    radius: Option<Entry<M>>,
}

impl<M: RowMap, L: RowLoss<Entry<M>>> Composite<M, L> {
    /// Over all of R^d.
    pub fn new(map: M, loss: L) -> Self {
        Self {
            map,
            loss,
            radius: None,
        }
    }

    /// The same over the ball ‖x‖ ≤ `radius`.
    ///
    /// # Errors
    /// A radius that is not a positive number.
    pub fn with_radius(self, radius: Entry<M>) -> Result<Self, Error> {
        if !(radius.is_finite() && radius > Entry::<M>::zero()) {
            return Err(Error::Parameter {
                name: "radius",
                value: radius.to_f64(),
                requirement: "finite and greater than 0",
            });
        }
        Ok(Self {
            radius: Some(radius),
            ..self
        })
    }

    /// J̄ ← the rows of J less their group's center row.
    fn center(&self, at: &mut CompositePoint<Entry<M>>) {
        let ends = self.loss.group_ends();
        if ends.is_empty() {
            return;
        }
        let (d, centers) = (at.x.len(), &mut at.centers);
        self.loss.centers(&at.z, centers);
        let mut start = 0;
        for &end in ends {
            at.mean.fill(Entry::<M>::zero());
            let rows = &mut at.jacobian[start * d..end * d];
            for (row, &center) in rows.chunks_exact(d).zip(&centers[start..end]) {
                reduce::axpy(center, row, &mut at.mean);
            }
            for row in rows.chunks_exact_mut(d) {
                reduce::axpy(-Entry::<M>::one(), &at.mean, row);
            }
            start = end;
        }
    }
}

/// The state of a [`Composite`] at one point.
#[derive(Debug, Clone)]
pub struct CompositePoint<T> {
    x: Vec<T>,
    z: Vec<T>,
    value: T,
    row_gradient: Vec<T>,
    gradient: Vec<T>,
    /// J̄ (m×d, row after row).
    jacobian: Vec<T>,
    centers: Vec<T>,
    /// The center row of a group (d).
    mean: Vec<T>,
}

impl<T: Scalar> CompositePoint<T> {
    /// z at x (m).
    pub fn rows(&self) -> &[T] {
        &self.z
    }
}

impl<T: Scalar> Evaluation<T> for CompositePoint<T> {
    fn point(&self) -> &[T] {
        &self.x
    }

    fn value(&self) -> T {
        self.value
    }

    fn gradient(&self) -> &[T] {
        &self.gradient
    }
}

impl<M: RowMap, L: RowLoss<Entry<M>>> Objective for Composite<M, L> {
    type Scalar = Entry<M>;
    type Evaluation = CompositePoint<Entry<M>>;

    fn dimension(&self) -> usize {
        self.map.inputs()
    }

    fn radius(&self) -> Option<Entry<M>> {
        self.radius
    }

    fn new_evaluation(&self) -> Self::Evaluation {
        let (m, d) = (self.map.rows(), self.map.inputs());
        let zeros = |length| vec![Entry::<M>::zero(); length];
        CompositePoint {
            x: zeros(d),
            z: zeros(m),
            value: Entry::<M>::zero(),
            row_gradient: zeros(m),
            gradient: zeros(d),
            jacobian: zeros(m * d),
            centers: zeros(m),
            mean: zeros(d),
        }
    }

    fn evaluate(&self, x: &[Entry<M>], _: &[usize], at: &mut Self::Evaluation) {
        at.x.copy_from_slice(x);
        self.map.apply(x, &mut at.z);
        at.value = self.loss.value(&at.z);
    }

    fn differentiate(&self, at: &mut Self::Evaluation) {
        self.map.jacobian(&at.x, &mut at.jacobian);
        self.loss.gradient(&at.z, &mut at.row_gradient);
        at.gradient.fill(Entry::<M>::zero());
        let rows = at.jacobian.chunks_exact(at.x.len());
        for (row, &u) in rows.zip(&at.row_gradient) {
            reduce::axpy(u, row, &mut at.gradient);
        }
        self.center(at);
    }

    fn rounding_error(&self, at: &Self::Evaluation) -> Entry<M> {
        self.loss.rounding_error(&at.z)
    }

    fn lower_bound(&self) -> Option<Entry<M>> {
        self.loss.lower_bound()
    }
}

impl<M: RowMap, L: RowLoss<Entry<M>>> Kinked for Composite<M, L> {}

impl<M: RowMap, L: RowLoss<Entry<M>>> Ladder for Composite<M, L> {}

/// The rows handed out are those of J̄, which need no center any more: Σu = 0 over a group, so that
/// J̄ᵀu = Jᵀu.
impl<M: RowMap, L: RowLoss<Entry<M>>> RowStructured for Composite<M, L> {
    type Backend = M::Backend;
    type Scratch = ();

    fn backend(&self) -> &M::Backend {
        self.map.backend()
    }

    fn rows(&self) -> usize {
        self.map.rows()
    }

    fn curvature(
        &self,
        at: &Self::Evaluation,
        kind: RowWeights,
        curvature: &mut Curvature<Entry<M>>,
    ) {
        curvature.center.fill(Entry::<M>::zero());
        curvature.uncentered_weights.clear();
        self.loss
            .row_weights(&at.z, kind, &mut curvature.row_weights);
    }

    fn row_gradient<'a>(&self, at: &'a Self::Evaluation) -> &'a [Entry<M>] {
        &at.row_gradient
    }

    fn jacobian_rows(
        &self,
        at: &Self::Evaluation,
        rows: &[usize],
        jacobian: &mut <M::Backend as LinearBackend>::Matrix,
        _: &mut <M::Backend as LinearBackend>::Workspace,
    ) {
        let d = at.x.len();
        for (place, &row) in rows.iter().enumerate() {
            let entries = &at.jacobian[row * d..(row + 1) * d];
            let backend = self.map.backend();
            backend.copy_block_from_row_major(entries, (place, 0), d, jacobian);
        }
    }

    fn jacobian(
        &self,
        at: &Self::Evaluation,
        jacobian: &mut <M::Backend as LinearBackend>::Matrix,
        _: &mut <M::Backend as LinearBackend>::Workspace,
    ) {
        let backend = self.map.backend();
        backend.copy_from_row_major(&at.jacobian, jacobian);
    }

    fn jacobian_vec(
        &self,
        at: &Self::Evaluation,
        v: &[Entry<M>],
        _: &mut (),
        product: &mut [Entry<M>],
    ) {
        let rows = at.jacobian.chunks_exact(at.x.len());
        for (product, row) in product.iter_mut().zip(rows) {
            *product = reduce::dot(row, v);
        }
    }

    fn jacobian_transposed_vec(
        &self,
        at: &Self::Evaluation,
        y: &[Entry<M>],
        _: &mut (),
        product: &mut [Entry<M>],
    ) {
        product.fill(Entry::<M>::zero());
        let rows = at.jacobian.chunks_exact(at.x.len());
        for (row, &y) in rows.zip(y) {
            reduce::axpy(y, row, product);
        }
    }
}
