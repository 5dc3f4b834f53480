//! The dense kernels of [`twolayer_core`] over [nalgebra](https://docs.rs/nalgebra): for those who
//! keep their matrices there already.
//!
//! Take [`Nalgebra`] where a solver asks for a [`LinearBackend`], and hand it a `DMatrix<f64>` or
//! `DMatrix<f32>`. Use the [`nalgebra`] that this crate re-exports: a `DMatrix` of another version
//! of nalgebra is another type.
//!
//! ```
//! use twolayer_nalgebra::{Nalgebra, nalgebra::DMatrix, twolayer_core::LinearBackend};
//!
//! let backend = Nalgebra::<f64>::default();
//! let a = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
//!
//! let mut y = [0.0; 2];
//! backend.mul_vec(&a, &[1.0, 0.0, -1.0], &mut y);
//! assert_eq!(y, [-2.0, -2.0]);
//!
//! // Only columns 0 and 2: what a ReLU leaves on.
//! backend.mul_vec_columns(&a, &[0, 2], &[1.0, 1.0], &mut y);
//! assert_eq!(y, [4.0, 10.0]);
//! ```
//!
//! # Limits
//!
//! Everything runs on the calling thread. Matrix products are about as fast as faer's on one
//! thread; nalgebra's Cholesky and QR work column by column, which is fine for a few hundred
//! unknowns and several times slower than faer's beyond. Both own their matrices, so that every
//! factorisation allocates one. Shapes that do not fit make a kernel panic, as [`LinearBackend`]
//! allows.

pub use nalgebra;
pub use twolayer_core;

use nalgebra::{Cholesky, DMatrix, DMatrixView, DMatrixViewMut, Dyn, RealField};
use std::marker::PhantomData;
use twolayer_core::{LinearBackend, NotPositiveDefinite, RowNorms, Scalar, columns};

/// What nalgebra and the core together ask of a number: `f32` and `f64` have it.
pub trait NalgebraScalar: Scalar + RealField {}

impl<T: Scalar + RealField> NalgebraScalar for T {}

/// Rows that are copied at a time where a product needs a copy of its operand: the copy then stays
/// in cache and its size does not grow with m.
const BLOCK: usize = 2000;

/// Columns of a Gram matrix that are formed at a time, from the diagonal down.
const PANEL: usize = 64;

/// Rows that are transposed at a time.
const TILE: usize = 16;

/// The nalgebra backend in one precision.
#[derive(Clone, Copy, Debug)]
pub struct Nalgebra<T> {
    scalar: PhantomData<T>,
}

impl<T> Default for Nalgebra<T> {
    fn default() -> Self {
        Self {
            scalar: PhantomData,
        }
    }
}

/// Scratch memory of [`Nalgebra`]'s kernels.
#[derive(Clone, Debug, Default)]
pub struct Workspace<T> {
    block: Vec<T>,
    rows: Vec<T>,
}

impl<T: NalgebraScalar> LinearBackend for Nalgebra<T> {
    type Scalar = T;
    type Matrix = DMatrix<T>;
    type Cholesky = Cholesky<T, Dyn>;
    type Workspace = Workspace<T>;
    type Single = Nalgebra<f32>;

    fn name(&self) -> &'static str {
        "nalgebra"
    }

    fn single(&self) -> Nalgebra<f32> {
        Nalgebra::default()
    }

    fn nrows(&self, a: &DMatrix<T>) -> usize {
        a.nrows()
    }

    fn ncols(&self, a: &DMatrix<T>) -> usize {
        a.ncols()
    }

    fn zeros(&self, nrows: usize, ncols: usize) -> DMatrix<T> {
        DMatrix::zeros(nrows, ncols)
    }

    fn copy_block_from_row_major(
        &self,
        values: &[T],
        (row, column): (usize, usize),
        width: usize,
        a: &mut DMatrix<T>,
    ) {
        let rows = values.len().checked_div(width).unwrap_or(0);
        let mut block = a.view_mut((row, column), (rows, width));
        for j in 0..width {
            for (i, to) in block.column_mut(j).iter_mut().enumerate() {
                *to = values[i * width + j];
            }
        }
    }

    fn copy_to_row_major(&self, a: &DMatrix<T>, values: &mut [T]) {
        let (nrows, ncols) = a.shape();
        assert_eq!(values.len(), nrows * ncols);
        for i in 0..nrows {
            for (j, value) in values[i * ncols..][..ncols].iter_mut().enumerate() {
                *value = a[(i, j)];
            }
        }
    }

    fn copy(&self, a: &DMatrix<T>, out: &mut DMatrix<T>) {
        out.copy_from(a);
    }

    fn copy_rows(&self, a: &DMatrix<T>, rows: &[usize], out: &mut DMatrix<T>) {
        for j in 0..a.ncols() {
            let from = column(a, j);
            for (to, &row) in out.column_mut(j).iter_mut().zip(rows) {
                *to = from[row];
            }
        }
    }

    fn find_non_finite(&self, a: &DMatrix<T>) -> Option<(usize, usize)> {
        let position = a
            .as_slice()
            .iter()
            .position(|v| !num_traits::Float::is_finite(*v))?;
        Some((position % a.nrows(), position / a.nrows()))
    }

    fn row_norms(&self, a: &DMatrix<T>) -> RowNorms {
        RowNorms::of_columns(a.nrows(), a.ncols(), |j| column(a, j))
    }

    // nalgebra's own `gemv` adds one column at a time, and so reads and writes y once for each.
    fn mul_vec(&self, a: &DMatrix<T>, x: &[T], y: &mut [T]) {
        columns::combine(|j| column(a, j), x, y);
    }

    fn mul_vec_transposed(&self, a: &DMatrix<T>, y: &[T], x: &mut [T]) {
        columns::dots(|j| column(a, j), [y], [x]);
    }

    fn mul_vecs_transposed(&self, a: &DMatrix<T>, count: usize, y: &[T], x: &mut [T]) {
        if a.is_empty() {
            return x.fill(T::zero());
        }
        let (m, n) = a.shape();
        let y = DMatrixView::from_slice(y, count, m);
        DMatrixViewMut::from_slice(x, count, n).gemm(T::one(), &y, a, T::zero());
    }

    fn mul_vec_columns(&self, a: &DMatrix<T>, columns: &[usize], x: &[T], y: &mut [T]) {
        columns::combine(|j| column(a, columns[j]), x, y);
    }

    fn mul_vec_transposed_columns(&self, a: &DMatrix<T>, columns: &[usize], y: &[T], x: &mut [T]) {
        columns::dots(|j| column(a, columns[j]), [y], [x]);
    }

    fn mul_two_vecs_transposed_columns(
        &self,
        a: &DMatrix<T>,
        columns: &[usize],
        y: [&[T]; 2],
        x: [&mut [T]; 2],
    ) {
        columns::dots(|j| column(a, columns[j]), y, x);
    }

    fn mul_inner(
        &self,
        a: &DMatrix<T>,
        inner: &[usize],
        b: &DMatrix<T>,
        out: &mut DMatrix<T>,
        workspace: &mut Workspace<T>,
    ) {
        if inner.len() == a.ncols() && !inner.is_empty() {
            return out.gemm(T::one(), a, b, T::zero());
        }
        let copy = |from, start, to: &mut [T]| {
            to.copy_from_slice(&column(a, from)[start..][..to.len()]);
        };
        mul_copied(a.nrows(), inner, None, b, out, workspace, copy);
    }

    fn add_inner(
        &self,
        a: &DMatrix<T>,
        inner: &[usize],
        factors: &[T],
        b: &DMatrix<T>,
        out: &mut DMatrix<T>,
        workspace: &mut Workspace<T>,
    ) {
        let copy = |from, start, to: &mut [T]| {
            to.copy_from_slice(&column(a, from)[start..][..to.len()]);
        };
        mul_copied(a.nrows(), inner, Some(factors), b, out, workspace, copy);
    }

    fn combine_rows(&self, a: &DMatrix<T>, buckets: &[usize], factors: &[T], out: &mut DMatrix<T>) {
        for (j, mut to) in out.column_iter_mut().enumerate() {
            columns::combine_entries(column(a, j), buckets, factors, to.as_mut_slice());
        }
    }

    fn mul_inner_rows(
        &self,
        a: &DMatrix<T>,
        rows: &[usize],
        inner: &[usize],
        b: &DMatrix<T>,
        out: &mut DMatrix<T>,
        workspace: &mut Workspace<T>,
    ) {
        let copy = |from, start: usize, to: &mut [T]| {
            let column = column(a, from);
            for (to, &row) in to.iter_mut().zip(&rows[start..]) {
                *to = column[row];
            }
        };
        mul_copied(rows.len(), inner, None, b, out, workspace, copy);
    }

    fn center_and_scale_rows(&self, shift: &[T], center: &[T], scale: &[T], a: &mut DMatrix<T>) {
        for (mut column, &center) in a.column_iter_mut().zip(center) {
            let rows = shift.iter().zip(scale);
            for (entry, (&shift, &scale)) in column.as_mut_slice().iter_mut().zip(rows) {
                *entry = (*entry - shift * center) * scale;
            }
        }
    }

    fn gram_lower(
        &self,
        a: &DMatrix<T>,
        weights: &[T],
        out: &mut DMatrix<T>,
        workspace: &mut Workspace<T>,
    ) {
        let (m, d) = a.shape();
        if m == 0 {
            out.fill(T::zero());
        }
        let block = grow(&mut workspace.block, m.min(BLOCK) * d);
        for start in (0..m).step_by(BLOCK) {
            let length = BLOCK.min(m - start);
            let scaled = &mut block[..d * length];
            scale_and_transpose(a, start, &weights[start..start + length], scaled);
            let scaled = DMatrixView::from_slice(scaled, d, length);
            let beta = if start == 0 { T::zero() } else { T::one() };
            for first in (0..d).step_by(PANEL) {
                let width = PANEL.min(d - first);
                out.view_mut((first, first), (d - first, width)).gemm(
                    T::one(),
                    &scaled.rows(first, d - first),
                    &a.view((start, first), (length, width)),
                    beta,
                );
            }
        }
    }

    fn cholesky(
        &self,
        a: &DMatrix<T>,
        _workspace: &mut Workspace<T>,
    ) -> Result<Cholesky<T, Dyn>, NotPositiveDefinite> {
        Cholesky::new(a.clone()).ok_or(NotPositiveDefinite)
    }

    fn cholesky_solve(
        &self,
        factor: &Cholesky<T, Dyn>,
        rhs: &mut [T],
        _workspace: &mut Workspace<T>,
    ) {
        let n = factor.l_dirty().nrows();
        let count = rhs.len() / n.max(1);
        factor.solve_mut(&mut DMatrixViewMut::from_slice(rhs, n, count));
    }

    fn cholesky_lower(&self, factor: &Cholesky<T, Dyn>, out: &mut DMatrix<T>) {
        out.copy_from(factor.l_dirty());
        out.fill_upper_triangle(T::zero(), 1);
    }

    fn qr_reduce(
        &self,
        a: &mut DMatrix<T>,
        rhs: &mut [T],
        r: &mut [T],
        _workspace: &mut Workspace<T>,
    ) {
        let (p, q) = a.shape();
        let size = p.min(q);
        // The right-hand side rides along as one more column: the R of [A b] is [R Qᵀb]. nalgebra
        // factors a matrix that it owns and gives back a smaller one, so there is no memory to
        // reuse.
        let mut augmented = DMatrix::zeros(p, q + 1);
        augmented.columns_mut(0, q).copy_from(a);
        augmented.column_mut(q).copy_from_slice(rhs);
        let reduced = augmented.qr().unpack_r();
        for (i, row) in r.chunks_exact_mut(q.max(1)).enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                *entry = if i <= j && i < size {
                    reduced[(i, j)]
                } else {
                    T::zero()
                };
            }
        }
        for (i, entry) in rhs[..size].iter_mut().enumerate() {
            *entry = reduced[(i, q)];
        }
    }
}

/// The transpose of diag(weights) A over the rows of A from `start` on, one for each weight.
///
/// It is written out because nalgebra has no fast product with a transpose: `gemm_tr` works in dot
/// products, ten times slower than `gemm`, and `gemm` of a view with exchanged strides leaves the
/// bounds of that view where a dimension is 5 or less (nalgebra 0.35, `array_axc`).
fn scale_and_transpose<T: NalgebraScalar>(
    a: &DMatrix<T>,
    start: usize,
    weights: &[T],
    transposed: &mut [T],
) {
    let d = a.ncols();
    // A cache line of every column at a time.
    for (tile, weights) in weights.chunks(TILE).enumerate() {
        let to = &mut transposed[tile * TILE * d..];
        for j in 0..d {
            let from = &column(a, j)[start + tile * TILE..];
            for (i, (&entry, &weight)) in from.iter().zip(weights).enumerate() {
                to[i * d + j] = entry * weight;
            }
        }
    }
}

/// Column `j` of a matrix that may have no rows.
fn column<T: NalgebraScalar>(a: &DMatrix<T>, j: usize) -> &[T] {
    &a.as_slice()[j * a.nrows()..][..a.nrows()]
}

/// out = L · B\[inner, :\], L of m rows and with the columns `inner` of a matrix, of which `copy`
/// writes the entries from a row on in one column; with `factors`,
/// out + L · diag(factors) · B\[inner, :\].
fn mul_copied<T: NalgebraScalar>(
    m: usize,
    inner: &[usize],
    factors: Option<&[T]>,
    b: &DMatrix<T>,
    out: &mut DMatrix<T>,
    workspace: &mut Workspace<T>,
    copy: impl Fn(usize, usize, &mut [T]),
) {
    let (k, d) = (inner.len(), b.ncols());
    let beta = match factors {
        Some(_) => T::one(),
        None => T::zero(),
    };
    if k == 0 {
        return match factors {
            Some(_) => {}
            None => out.fill(T::zero()),
        };
    }
    // Sized for all inner indices, so that a later call with more of them finds room.
    let block = grow(&mut workspace.block, m.min(BLOCK) * b.nrows());
    let rows = grow(&mut workspace.rows, b.len());
    for j in 0..d {
        let from = column(b, j);
        let to = &mut rows[j * k..][..k];
        for (to, &i) in to.iter_mut().zip(inner) {
            *to = from[i];
        }
        for (to, &factor) in to.iter_mut().zip(factors.unwrap_or_default()) {
            *to *= factor;
        }
    }
    for start in (0..m).step_by(BLOCK) {
        let length = BLOCK.min(m - start);
        for (j, &index) in inner.iter().enumerate() {
            copy(index, start, &mut block[j * length..][..length]);
        }
        out.rows_mut(start, length).gemm(
            T::one(),
            &DMatrixView::from_slice(&block[..length * k], length, k),
            &DMatrixView::from_slice(&rows[..k * d], k, d),
            beta,
        );
    }
}

/// The first `length` entries of `buffer`, made longer where it is too short.
fn grow<T: NalgebraScalar>(buffer: &mut Vec<T>, length: usize) -> &mut [T] {
    if buffer.len() < length {
        buffer.resize(length, T::zero());
    }
    &mut buffer[..length]
}
