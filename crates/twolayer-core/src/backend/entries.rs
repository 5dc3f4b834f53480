//! What a kernel comes to entry by entry: the defaults of a backend that has none of its own.

use super::LinearBackend;
use crate::norms::RowNorms;
use crate::reduce;
use num_traits::Zero;

/// A copy of a matrix, row after row.
pub(super) struct Entries<T> {
    columns: usize,
    values: Vec<T>,
}

impl<T: Copy> Entries<T> {
    fn row(&self, i: usize) -> &[T] {
        &self.values[i * self.columns..][..self.columns]
    }

    fn row_mut(&mut self, i: usize) -> &mut [T] {
        &mut self.values[i * self.columns..][..self.columns]
    }

    /// Column j of the rows, from above.
    fn column(&self, j: usize) -> impl Iterator<Item = T> {
        self.values.iter().skip(j).step_by(self.columns).copied()
    }
}

/// The entries of a matrix.
pub(super) fn of<B: LinearBackend>(backend: &B, a: &B::Matrix) -> Entries<B::Scalar> {
    let (rows, columns) = (backend.nrows(a), backend.ncols(a));
    let mut values = vec![B::Scalar::zero(); rows * columns];
    backend.copy_to_row_major(a, &mut values);
    Entries { columns, values }
}

/// Changes a matrix by its entries.
fn change<B: LinearBackend>(
    backend: &B,
    a: &mut B::Matrix,
    change: impl FnOnce(&mut Entries<B::Scalar>),
) {
    let mut entries = of(backend, a);
    change(&mut entries);
    backend.copy_from_row_major(&entries.values, a);
}

pub(super) fn find_non_finite<B: LinearBackend>(
    backend: &B,
    a: &B::Matrix,
) -> Option<(usize, usize)> {
    let Entries { columns, values } = of(backend, a);
    let is_finite = |value: &B::Scalar| num_traits::Float::is_finite(*value);
    let place = values.iter().position(|value| !is_finite(value))?;
    Some((place / columns, place % columns))
}

pub(super) fn row_norms<B: LinearBackend>(backend: &B, a: &B::Matrix) -> RowNorms {
    let entries = of(backend, a);
    RowNorms::of_rows(backend.nrows(a), |i| entries.row(i))
}

pub(super) fn copy_rows<B: LinearBackend>(
    backend: &B,
    a: &B::Matrix,
    rows: &[usize],
    out: &mut B::Matrix,
) {
    let entries = of(backend, a);
    let chosen: Vec<_> = rows.iter().flat_map(|&i| entries.row(i)).copied().collect();
    backend.copy_from_row_major(&chosen, out);
}

pub(super) fn mul_vec_columns<B: LinearBackend>(
    backend: &B,
    a: &B::Matrix,
    columns: &[usize],
    x: &[B::Scalar],
    y: &mut [B::Scalar],
) {
    let entries = of(backend, a);
    for (i, y) in y.iter_mut().enumerate() {
        let row = entries.row(i);
        let products = columns.iter().zip(x).map(|(&j, &x)| row[j] * x);
        *y = products.fold(B::Scalar::zero(), |sum, product| sum + product);
    }
}

pub(super) fn mul_vec_transposed_columns<B: LinearBackend>(
    backend: &B,
    a: &B::Matrix,
    columns: &[usize],
    y: &[B::Scalar],
    x: &mut [B::Scalar],
) {
    let entries = of(backend, a);
    for (&j, x) in columns.iter().zip(x) {
        let products = entries.column(j).zip(y).map(|(a, &y)| a * y);
        *x = products.fold(B::Scalar::zero(), |sum, product| sum + product);
    }
}

pub(super) fn mul_vecs_transposed<B: LinearBackend>(
    backend: &B,
    a: &B::Matrix,
    count: usize,
    y: &[B::Scalar],
    x: &mut [B::Scalar],
) {
    let mut product = vec![B::Scalar::zero(); backend.ncols(a)];
    for k in 0..count {
        let one: Vec<_> = y.iter().skip(k).step_by(count).copied().collect();
        backend.mul_vec_transposed(a, &one, &mut product);
        for (x, &product) in x.iter_mut().skip(k).step_by(count).zip(&product) {
            *x = product;
        }
    }
}

/// out ← out + A[:, inner] diag(factors) B[inner, :].
pub(super) fn add_inner<B: LinearBackend>(
    backend: &B,
    a: &B::Matrix,
    inner: &[usize],
    factors: &[B::Scalar],
    b: &B::Matrix,
    out: &mut B::Matrix,
) {
    let (a, b, rows) = (of(backend, a), of(backend, b), backend.nrows(out));
    change(backend, out, |out| {
        for i in 0..rows {
            for (&k, &factor) in inner.iter().zip(factors) {
                reduce::axpy(a.row(i)[k] * factor, b.row(k), out.row_mut(i));
            }
        }
    });
}

pub(super) fn combine_rows<B: LinearBackend>(
    backend: &B,
    a: &B::Matrix,
    buckets: &[usize],
    factors: &[B::Scalar],
    out: &mut B::Matrix,
) {
    let a = of(backend, a);
    change(backend, out, |out| {
        out.values.fill(B::Scalar::zero());
        for (i, (&bucket, &factor)) in buckets.iter().zip(factors).enumerate() {
            reduce::axpy(factor, a.row(i), out.row_mut(bucket));
        }
    });
}

pub(super) fn center_and_scale_rows<B: LinearBackend>(
    backend: &B,
    shift: &[B::Scalar],
    center: &[B::Scalar],
    scale: &[B::Scalar],
    a: &mut B::Matrix,
) {
    change(backend, a, |a| {
        for (i, (&shift, &scale)) in shift.iter().zip(scale).enumerate() {
            for (a, &center) in a.row_mut(i).iter_mut().zip(center) {
                *a = scale * (*a - shift * center);
            }
        }
    });
}

pub(super) fn gram_lower<B: LinearBackend>(
    backend: &B,
    a: &B::Matrix,
    weights: &[B::Scalar],
    out: &mut B::Matrix,
) {
    let a = of(backend, a);
    change(backend, out, |out| {
        out.values.fill(B::Scalar::zero());
        for (i, &weight) in weights.iter().enumerate() {
            let row = a.row(i);
            for (j, &entry) in row.iter().enumerate() {
                reduce::axpy(weight * entry, &row[..=j], &mut out.row_mut(j)[..=j]);
            }
        }
    });
}
