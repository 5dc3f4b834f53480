//! The dense kernels of [`twolayer_core`] over [ndarray](https://docs.rs/ndarray): for those who
//! keep their matrices there already.
//!
//! Take [`Ndarray`] where a solver asks for a [`LinearBackend`], and hand it an `Array2<f64>` or
//! `Array2<f32>`. Use the [`ndarray`] that this crate re-exports: an `Array2` of another version
//! of ndarray is another type.
//!
//! ```
//! use twolayer_ndarray::{Ndarray, ndarray::array, twolayer_core::LinearBackend};
//!
//! let backend = Ndarray::<f64>::default();
//! let a = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
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
//! # Layout
//!
//! Arrays may be row-major (ndarray's default) or column-major (made with the shape
//! `(nrows, ncols).f()`, or as the transpose of a row-major one); the kernels read either in the
//! order of its memory. Column-major is the better layout for A2: a product over the active units
//! then skips the memory of the others, where a row-major one has to be read whole. Any other
//! layout, such as a slice with steps or an inverted axis, is right but copied at every call.
//!
//! # Cholesky and QR
//!
//! ndarray has neither. ndarray-linalg binds to a LAPACK that the user would have to install, and
//! linfa-linalg, pure Rust, works on an older ndarray, whose arrays are another type. So the
//! factorisations are those of [`twolayer_faer::factor`], which see the array's memory through
//! faer's views. Only they need faer: everything else is ndarray and slices.
//!
//! # Limits
//!
//! Everything runs on the calling thread, unless the feature `threads` is on: matrix products then
//! use as many threads as the environment variable `MATMUL_NUM_THREADS` says. Shapes that do not
//! fit make a kernel panic, as [`LinearBackend`] allows.

mod layout;

pub use ndarray;
pub use twolayer_core;

use crate::layout::{Lines, Order};
use faer::{MatMut, Par};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis, LinalgScalar};
use std::marker::PhantomData;
use std::ops::Range;
use twolayer_core::{LinearBackend, NotPositiveDefinite, RowNorms, Scalar, columns};
use twolayer_faer::factor::{Factor, Householder};
use twolayer_faer::{FaerScalar, look_up_caches};

/// What ndarray, faer and the core together ask of a number: `f32` and `f64` have it.
pub trait NdarrayScalar: Scalar + LinalgScalar + FaerScalar {}

impl<T: Scalar + LinalgScalar + FaerScalar> NdarrayScalar for T {}

/// Rows that are copied at a time where a product needs a copy of its operand: the copy then stays
/// in cache and its size does not grow with m.
const BLOCK: usize = 2000;

/// Columns of a Gram matrix that are formed at a time, from the diagonal down.
const PANEL: usize = 64;

/// The ndarray backend in one precision.
#[derive(Clone, Copy, Debug)]
pub struct Ndarray<T> {
    scalar: PhantomData<T>,
}

impl<T> Default for Ndarray<T> {
    fn default() -> Self {
        // The factorisations are faer's.
        look_up_caches();
        Self {
            scalar: PhantomData,
        }
    }
}

/// Scratch memory of [`Ndarray`]'s kernels.
#[derive(Debug)]
pub struct Workspace<T> {
    block: Vec<T>,
    rows: Array2<T>,
    householder: Householder<T>,
}

impl<T: NdarrayScalar> Default for Workspace<T> {
    fn default() -> Self {
        Self {
            block: Vec::new(),
            rows: Array2::default((0, 0)),
            householder: Default::default(),
        }
    }
}

impl<T: NdarrayScalar> LinearBackend for Ndarray<T> {
    type Scalar = T;
    type Matrix = Array2<T>;
    type Cholesky = Factor<T>;
    type Workspace = Workspace<T>;
    type Single = Ndarray<f32>;

    fn name(&self) -> &'static str {
        "ndarray"
    }

    fn single(&self) -> Ndarray<f32> {
        Ndarray::default()
    }

    fn nrows(&self, a: &Array2<T>) -> usize {
        a.nrows()
    }

    fn ncols(&self, a: &Array2<T>) -> usize {
        a.ncols()
    }

    fn zeros(&self, nrows: usize, ncols: usize) -> Array2<T> {
        Array2::from_elem((nrows, ncols), T::zero())
    }

    fn copy_block_from_row_major(
        &self,
        values: &[T],
        (row, column): (usize, usize),
        width: usize,
        a: &mut Array2<T>,
    ) {
        let lines = values.chunks_exact(width.max(1));
        for (mut to, from) in a.rows_mut().into_iter().skip(row).zip(lines) {
            for (to, &from) in to.iter_mut().skip(column).zip(from) {
                *to = from;
            }
        }
    }

    fn copy_to_row_major(&self, a: &Array2<T>, values: &mut [T]) {
        assert_eq!(values.len(), a.len());
        for (to, &from) in values.iter_mut().zip(a) {
            *to = from;
        }
    }

    fn copy(&self, a: &Array2<T>, out: &mut Array2<T>) {
        out.assign(a);
    }

    fn copy_rows(&self, a: &Array2<T>, rows: &[usize], out: &mut Array2<T>) {
        for (mut to, &row) in out.rows_mut().into_iter().zip(rows) {
            to.assign(&a.row(row));
        }
    }

    fn find_non_finite(&self, a: &Array2<T>) -> Option<(usize, usize)> {
        let lines = Lines::of(a);
        let position = lines
            .values
            .iter()
            .position(|v| !num_traits::Float::is_finite(*v))?;
        let (line, place) = (position / lines.length, position % lines.length);
        Some(match lines.order {
            Order::RowMajor => (line, place),
            Order::ColumnMajor => (place, line),
        })
    }

    fn row_norms(&self, a: &Array2<T>) -> RowNorms {
        let lines = Lines::of(a);
        match lines.order {
            Order::RowMajor => RowNorms::of_rows(a.nrows(), |i| lines.get(i)),
            Order::ColumnMajor => RowNorms::of_columns(a.nrows(), a.ncols(), |j| lines.get(j)),
        }
    }

    // ndarray's own product of a matrix and a vector is fast for one of four cases: a row-major
    // matrix, not transposed. A transposed one is read against the order of its memory.
    fn mul_vec(&self, a: &Array2<T>, x: &[T], y: &mut [T]) {
        let lines = Lines::of(a);
        match lines.order {
            Order::RowMajor => columns::dots(|i| lines.get(i), [x], [y]),
            Order::ColumnMajor => columns::combine(|j| lines.get(j), x, y),
        }
    }

    fn mul_vec_transposed(&self, a: &Array2<T>, y: &[T], x: &mut [T]) {
        let lines = Lines::of(a);
        match lines.order {
            Order::RowMajor => columns::combine(|i| lines.get(i), y, x),
            Order::ColumnMajor => columns::dots(|j| lines.get(j), [y], [x]),
        }
    }

    fn mul_vecs_transposed(&self, a: &Array2<T>, count: usize, y: &[T], x: &mut [T]) {
        let (m, n) = a.dim();
        let y = layout::vectors(y, count, m);
        let mut x = layout::vectors_mut(x, count, n);
        general_mat_mul(T::one(), &y, a, T::zero(), &mut x);
    }

    fn mul_vec_columns(&self, a: &Array2<T>, columns: &[usize], x: &[T], y: &mut [T]) {
        let lines = Lines::of(a);
        match lines.order {
            Order::RowMajor => layout::row_major_combine(&lines, columns, x, y),
            Order::ColumnMajor => columns::combine(|j| lines.get(columns[j]), x, y),
        }
    }

    fn mul_vec_transposed_columns(&self, a: &Array2<T>, columns: &[usize], y: &[T], x: &mut [T]) {
        let lines = Lines::of(a);
        match lines.order {
            Order::RowMajor => layout::row_major_dots(&lines, columns, y, x),
            Order::ColumnMajor => columns::dots(|j| lines.get(columns[j]), [y], [x]),
        }
    }

    fn mul_two_vecs_transposed_columns(
        &self,
        a: &Array2<T>,
        columns: &[usize],
        y: [&[T]; 2],
        x: [&mut [T]; 2],
    ) {
        let lines = Lines::of(a);
        match lines.order {
            Order::RowMajor => {
                for (y, x) in y.into_iter().zip(x) {
                    layout::row_major_dots(&lines, columns, y, x);
                }
            }
            Order::ColumnMajor => columns::dots(|j| lines.get(columns[j]), y, x),
        }
    }

    fn mul_inner(
        &self,
        a: &Array2<T>,
        inner: &[usize],
        b: &Array2<T>,
        out: &mut Array2<T>,
        workspace: &mut Workspace<T>,
    ) {
        if inner.len() == a.ncols() && !inner.is_empty() {
            return general_mat_mul(T::one(), a, b, T::zero(), out);
        }
        let lines = Lines::of(a);
        mul_gathered(a.nrows(), inner, None, b, out, workspace, |rows, block| {
            layout::gather(&lines, rows, inner, block)
        });
    }

    fn add_inner(
        &self,
        a: &Array2<T>,
        inner: &[usize],
        factors: &[T],
        b: &Array2<T>,
        out: &mut Array2<T>,
        workspace: &mut Workspace<T>,
    ) {
        let (m, lines, factors) = (a.nrows(), Lines::of(a), Some(factors));
        mul_gathered(m, inner, factors, b, out, workspace, |rows, block| {
            layout::gather(&lines, rows, inner, block)
        });
    }

    fn combine_rows(&self, a: &Array2<T>, buckets: &[usize], factors: &[T], out: &mut Array2<T>) {
        let lines = Lines::of(a);
        match lines.order {
            Order::RowMajor => {
                out.fill(T::zero());
                for (i, (&bucket, &factor)) in buckets.iter().zip(factors).enumerate() {
                    let mut to = out.row_mut(bucket);
                    for (to, &entry) in to.iter_mut().zip(lines.get(i)) {
                        *to += factor * entry;
                    }
                }
            }
            Order::ColumnMajor => {
                let mut combined = vec![T::zero(); out.nrows()];
                for (j, mut to) in out.columns_mut().into_iter().enumerate() {
                    columns::combine_entries(lines.get(j), buckets, factors, &mut combined);
                    to.iter_mut()
                        .zip(&combined)
                        .for_each(|(to, &from)| *to = from);
                }
            }
        }
    }

    fn mul_inner_rows(
        &self,
        a: &Array2<T>,
        rows: &[usize],
        inner: &[usize],
        b: &Array2<T>,
        out: &mut Array2<T>,
        workspace: &mut Workspace<T>,
    ) {
        let lines = Lines::of(a);
        mul_gathered(
            rows.len(),
            inner,
            None,
            b,
            out,
            workspace,
            |range, block| layout::gather(&lines, rows[range].iter().copied(), inner, block),
        );
    }

    fn center_and_scale_rows(&self, shift: &[T], center: &[T], scale: &[T], a: &mut Array2<T>) {
        let (rows, center) = (shift.iter().zip(scale), center.iter());
        if a.is_standard_layout() {
            for (mut row, (&shift, &scale)) in a.rows_mut().into_iter().zip(rows) {
                for (entry, &center) in row.iter_mut().zip(center.clone()) {
                    *entry = (*entry - shift * center) * scale;
                }
            }
        } else {
            for (mut column, &center) in a.columns_mut().into_iter().zip(center) {
                for (entry, (&shift, &scale)) in column.iter_mut().zip(rows.clone()) {
                    *entry = (*entry - shift * center) * scale;
                }
            }
        }
    }

    fn gram_lower(
        &self,
        a: &Array2<T>,
        weights: &[T],
        out: &mut Array2<T>,
        workspace: &mut Workspace<T>,
    ) {
        let (m, d) = a.dim();
        if m == 0 {
            out.fill(T::zero());
        }
        let block = grow(&mut workspace.block, m.min(BLOCK) * d);
        let lines = Lines::of(a);
        for start in (0..m).step_by(BLOCK) {
            let length = BLOCK.min(m - start);
            let rows = start..start + length;
            let scaled = layout::scale(&lines, rows.clone(), &weights[rows.clone()], block);
            let beta = if start == 0 { T::zero() } else { T::one() };
            for first in (0..d).step_by(PANEL) {
                let last = d.min(first + PANEL);
                let left = layout::window(scaled, 0..length, first..d).reversed_axes();
                let right = layout::window(a.view(), rows.clone(), first..last);
                let mut panel = layout::window(out.view_mut(), first..d, first..last);
                general_mat_mul(T::one(), &left, &right, beta, &mut panel);
            }
        }
    }

    fn cholesky(
        &self,
        a: &Array2<T>,
        _workspace: &mut Workspace<T>,
    ) -> Result<Factor<T>, NotPositiveDefinite> {
        Factor::new(Lines::of(a).as_faer(), Par::Seq)
    }

    fn cholesky_solve(&self, factor: &Factor<T>, rhs: &mut [T], _workspace: &mut Workspace<T>) {
        factor.solve(rhs);
    }

    fn cholesky_lower(&self, factor: &Factor<T>, out: &mut Array2<T>) {
        let lower = factor.lower();
        for ((i, j), entry) in out.indexed_iter_mut() {
            *entry = if j <= i { lower[(i, j)] } else { T::zero() };
        }
    }

    fn qr_reduce(
        &self,
        a: &mut Array2<T>,
        rhs: &mut [T],
        r: &mut [T],
        workspace: &mut Workspace<T>,
    ) {
        let (p, q) = a.dim();
        let Workspace {
            block, householder, ..
        } = workspace;
        // In place where the columns are contiguous; reflectors that jump from row to row would
        // cost more than a copy of the matrix.
        let columns = match a.view_mut().reversed_axes().into_slice() {
            Some(values) => values,
            None => {
                let values = grow(block, p * q);
                for (j, column) in a.axis_iter(Axis(1)).enumerate() {
                    for (to, &from) in values[j * p..][..p].iter_mut().zip(column) {
                        *to = from;
                    }
                }
                values
            }
        };
        householder.reduce(
            MatMut::from_column_major_slice_mut(columns, p, q),
            rhs,
            r,
            Par::Seq,
        );
    }
}

/// out = L · B\[inner, :\], L of m rows and with the columns `inner` of a matrix, of which `gather`
/// copies some rows; with `factors`, out + L · diag(factors) · B\[inner, :\].
fn mul_gathered<T: NdarrayScalar>(
    m: usize,
    inner: &[usize],
    factors: Option<&[T]>,
    b: &Array2<T>,
    out: &mut Array2<T>,
    workspace: &mut Workspace<T>,
    gather: impl for<'b> Fn(Range<usize>, &'b mut [T]) -> ArrayView2<'b, T>,
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
    let rows = &mut workspace.rows;
    if rows.dim() != b.dim() {
        *rows = Array2::from_elem(b.dim(), T::zero());
    }
    for (index, (mut to, &i)) in rows.rows_mut().into_iter().zip(inner).enumerate() {
        to.assign(&b.row(i));
        if let Some(factors) = factors {
            to.mapv_inplace(|entry| entry * factors[index]);
        }
    }
    let rows = layout::window(rows.view(), 0..k, 0..d);
    for start in (0..m).step_by(BLOCK) {
        let range = start..m.min(start + BLOCK);
        let gathered = gather(range.clone(), block);
        let mut out = layout::window(out.view_mut(), range, 0..d);
        general_mat_mul(T::one(), &gathered, &rows, beta, &mut out);
    }
}

/// The first `length` entries of `buffer`, made longer where it is too short.
fn grow<T: NdarrayScalar>(buffer: &mut Vec<T>, length: usize) -> &mut [T] {
    if buffer.len() < length {
        buffer.resize(length, T::zero());
    }
    &mut buffer[..length]
}
