//! Orthogonal projections in single precision, for what is a source of starts only.

use num_traits::Zero;
use std::sync::Arc;
use twolayer_core::{LinearBackend, Scalar};

/// The projection V Vᵀ = A (AᵀA + εI)⁻¹ Aᵀ on the columns of a matrix A (n×q), of f32 numbers.
///
/// V has singular values of at most 1 whatever the condition of A is, so that a product with it loses no
/// more than the roundoff of its numbers: by A and a pseudoinverse, rounded apart, it would lose that
/// times the condition. V itself is good to the roundoff of A's precision times (σ₁/σ)², or σ₁²/ε where
/// that is less, in the direction of a singular value σ of A, σ₁ the largest. Half as many bytes as in
/// f64 are read, and they are what the splitting waits for.
pub(crate) struct Projection<B: LinearBackend<Scalar = f32>> {
    /// V (n×q).
    basis: Arc<B::Matrix>,
    /// Vᵀ (q×n): both products read columns from one end to the other.
    transposed: Arc<B::Matrix>,
}

// Not derived: a copy of the references asks nothing of the backend.
impl<B: LinearBackend<Scalar = f32>> Clone for Projection<B> {
    fn clone(&self) -> Self {
        Self {
            basis: Arc::clone(&self.basis),
            transposed: Arc::clone(&self.transposed),
        }
    }
}

impl<B: LinearBackend<Scalar = f32>> Projection<B> {
    /// For A (n×q) in the precision of D, with ε = `ridge` and the factor of AᵀA + εI: about
    /// 4nq² + 4q³ flops.
    ///
    /// V = A R⁻¹, R from the QR factorisation of A stacked on √ε I.
    pub(crate) fn new<D: LinearBackend<Single = B>>(
        backend: &D,
        a: &D::Matrix,
        gram: &D::Cholesky,
        ridge: D::Scalar,
    ) -> Self {
        let (n, q) = (backend.nrows(a), backend.ncols(a));
        let mut workspace = D::Workspace::default();
        let zeros = |length| vec![D::Scalar::zero(); length];
        let mut rows = zeros((n + q) * q);
        backend.copy_to_row_major(a, &mut rows[..n * q]);
        for i in 0..q {
            rows[(n + i) * q + i] = num_traits::Float::sqrt(ridge);
        }
        let mut stacked = backend.zeros(n + q, q);
        backend.copy_from_row_major(&rows, &mut stacked);
        drop(rows);
        let mut r = zeros(q * q);
        backend.qr_reduce(&mut stacked, &mut zeros(n + q), &mut r, &mut workspace);
        drop(stacked);
        // RᵀR = AᵀA + εI, so that the rows of R become those of R⁻ᵀ.
        backend.cholesky_solve(gram, &mut r, &mut workspace);
        let mut inverse = zeros(q * q);
        for (j, column) in r.chunks_exact(q).enumerate() {
            for (i, &entry) in column.iter().enumerate() {
                inverse[i * q + j] = entry;
            }
        }
        let mut right = backend.zeros(q, q);
        backend.copy_from_row_major(&inverse, &mut right);
        let mut basis = backend.zeros(n, q);
        let inner: Vec<usize> = (0..q).collect();
        backend.mul_inner(a, &inner, &right, &mut basis, &mut workspace);
        let mut values = zeros(n * q);
        backend.copy_to_row_major(&basis, &mut values);
        drop((r, inverse, right, basis));
        let values: Vec<f32> = values.into_iter().map(|v| f32::of(v.to_f64())).collect();
        let single = backend.single();
        let mut rounded = single.zeros(n, q);
        single.copy_from_row_major(&values, &mut rounded);
        Self {
            basis: Arc::new(rounded),
            transposed: Arc::new(transposed(&single, &values, n)),
        }
    }

    /// q.
    pub(crate) fn dimension(&self, backend: &B) -> usize {
        backend.ncols(&self.basis)
    }

    /// projected ← V Vᵀ v for `count` vectors (n), whose entries of one number lie side by side;
    /// `inner` (q of them) is scratch.
    pub(crate) fn apply(
        &self,
        backend: &B,
        count: usize,
        v: &[f32],
        inner: &mut [f32],
        projected: &mut [f32],
    ) {
        if count == 1 {
            backend.mul_vec_transposed(&self.basis, v, inner);
            backend.mul_vec_transposed(&self.transposed, inner, projected);
        } else {
            backend.mul_vecs_transposed(&self.basis, count, v, inner);
            backend.mul_vecs_transposed(&self.transposed, count, inner, projected);
        }
    }
}

/// The transpose of the matrix with these `nrows` rows, one after the other.
pub(crate) fn transposed<B: LinearBackend>(
    backend: &B,
    rows: &[B::Scalar],
    nrows: usize,
) -> B::Matrix {
    let ncols = rows.len() / nrows;
    let mut columns = vec![B::Scalar::zero(); rows.len()];
    for (i, row) in rows.chunks_exact(ncols).enumerate() {
        for (j, &entry) in row.iter().enumerate() {
            columns[j * nrows + i] = entry;
        }
    }
    let mut matrix = backend.zeros(ncols, nrows);
    backend.copy_from_row_major(&columns, &mut matrix);
    matrix
}
