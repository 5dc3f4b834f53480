//! The dense kernels of [`twolayer_core`] over [faer](https://docs.rs/faer): the fastest of the
//! backends on large problems, and the only one that threads itself.
//!
//! Take [`Faer`] where a solver asks for a [`LinearBackend`], and hand it matrices of faer's own
//! type, `faer::Mat<f64>` or `faer::Mat<f32>`. Use the [`faer`] that this crate re-exports: a
//! `Mat` of another version of faer is another type.
//!
//! ```
//! use twolayer_faer::{Faer, faer::mat, twolayer_core::LinearBackend};
//!
//! let backend = Faer::<f64>::default();
//! let a = mat![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
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
//! # Threads
//!
//! [`Faer::default`] uses the cores that the system grants this process, [`Faer::with_threads`] a
//! number of your own, [`Faer::sequential`] one. The number is part of the value and no global is
//! read or set, but the threads themselves are those of rayon's global pool. Work too small to
//! repay the hand-over runs on the calling thread. Making the first backend of a process takes a
//! millisecond, in which faer's products learn the sizes of the caches.
//!
//! The bits of a result do not depend on the number of threads. Products with vectors and the QR
//! share out pieces whose size does not depend on it; for faer's matrix products and Cholesky,
//! which divide their work as they see fit, tests compare 1, 2, 3 and 7 threads bit by bit.
//! Another processor may have other vector instructions, and other bits.
//!
//! # Limits
//!
//! Shapes that do not fit make a kernel panic, as [`LinearBackend`] allows. Nothing here uses
//! faer's own QR: it drops a column whose part orthogonal to the earlier ones is below 16 p ε of
//! its norm (p rows), which in single precision and 2,000 rows is everything beyond a condition of
//! 250. See [`factor`].

mod column_products;
mod copied_product;
pub mod factor;
mod reflector;
mod vector_registers;

pub use faer;
pub use twolayer_core;

use crate::column_products::{combine, dots};
use crate::copied_product::{CopiedProduct, copy_columns};
use crate::factor::{Factor, Householder};
use crate::vector_registers::clear_upper_halves;
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::reborrow::{Reborrow, ReborrowMut};
use faer::traits::RealField;
use faer::{Accum, ColMut, ColRef, Mat, MatMut, MatRef, Par};
use std::marker::PhantomData;
use std::num::NonZero;
use std::sync::Once;
use twolayer_core::{LinearBackend, NotPositiveDefinite, RowNorms, Scalar, columns};

/// What faer and the core together ask of a number: `f32` and `f64` have it.
pub trait FaerScalar: Scalar + RealField {}

impl<T: Scalar + RealField> FaerScalar for T {}

/// Multiply-adds below which a matrix product stays on the calling thread: at 2²¹, 35 µs of work,
/// one thread and two were equally fast.
const PARALLEL_PRODUCT: usize = 1 << 21;

/// Multiply-adds below which a factorisation stays on the calling thread. Its threads wait for each
/// other at every panel: a second one slows a Cholesky factorisation of order 512 by a third and
/// speeds one of order 1024 up by a quarter.
const PARALLEL_FACTORISATION: usize = 1 << 26;

/// Entries below which a product with a vector stays on the calling thread.
const PARALLEL_VECTOR: usize = 1 << 17;

/// Rows of a Gram matrix that are weighted at a time.
const GRAM_BLOCK: usize = 1000;

/// The faer backend in one precision. See the [crate documentation](crate) for threads.
#[derive(Clone, Debug)]
pub struct Faer<T> {
    threads: NonZero<usize>,
    scalar: PhantomData<T>,
}

/// The first large product of a process reads the sizes of the caches from some hundred files of the
/// system, which takes a millisecond, as long as a small solve. The backends that call faer do it
/// when they are made; a second time does nothing.
pub fn look_up_caches() {
    static DONE: Once = Once::new();
    const LARGE: usize = 64;
    DONE.call_once(|| {
        let zeros = Mat::<f64>::zeros(LARGE, LARGE);
        let mut product = zeros.clone();
        matmul(
            product.as_mut(),
            Accum::Replace,
            zeros.as_ref(),
            zeros.as_ref(),
            1.0,
            Par::Seq,
        );
        clear_upper_halves();
    });
}

/// Scratch memory of [`Faer`]'s kernels.
#[derive(Debug)]
pub struct Workspace<T> {
    block: Vec<T>,
    rows: Vec<T>,
    householder: Householder<T>,
}

impl<T: FaerScalar> Default for Workspace<T> {
    fn default() -> Self {
        Self {
            block: Vec::new(),
            rows: Vec::new(),
            householder: Householder::default(),
        }
    }
}

impl<T> Faer<T> {
    /// Everything on the calling thread.
    pub fn sequential() -> Self {
        Self::with_threads(1)
    }

    /// At most `threads` threads; 0 counts as 1.
    pub fn with_threads(threads: usize) -> Self {
        look_up_caches();
        let threads = NonZero::new(threads).unwrap_or(NonZero::<usize>::MIN);
        Self {
            threads,
            scalar: PhantomData,
        }
    }

    /// The number of threads that large products use.
    pub fn threads(&self) -> usize {
        self.threads.get()
    }

    /// out = L · B\[inner, :\], L of m rows and with the columns `inner` of a matrix, of which
    /// `copy` writes the entries from a row on in one column; with `factors`,
    /// out + L · diag(factors) · B\[inner, :\].
    #[allow(
        clippy::too_many_arguments,
        reason = "one product behind three kernels"
    )]
    fn mul_copied(
        &self,
        m: usize,
        inner: &[usize],
        factors: Option<&[T]>,
        b: &Mat<T>,
        out: &mut Mat<T>,
        workspace: &mut Workspace<T>,
        copy: &(dyn Fn(usize, usize, &mut [T]) + Sync),
    ) where
        T: FaerScalar,
    {
        let (k, d) = (inner.len(), b.ncols());
        let par = self.par(m * k * d, PARALLEL_PRODUCT);
        let (size, parts) = copied_product::shares(m, par);
        // With room for all inner indices, which a later call may have.
        let Workspace { block, rows, .. } = workspace;
        let blocks = lengthen(block, parts * size * k, parts * size * b.nrows());
        let rows = lengthen(rows, k * d, b.nrows() * d);
        for (j, to) in rows.chunks_exact_mut(k.max(1)).enumerate() {
            let from = b.col_as_slice(j);
            for (to, &i) in to.iter_mut().zip(inner) {
                *to = from[i];
            }
            for (to, &factor) in to.iter_mut().zip(factors.unwrap_or_default()) {
                *to *= factor;
            }
        }
        let product = CopiedProduct {
            copy: &|j, start, to: &mut [T]| copy(inner[j], start, to),
            right: MatRef::from_column_major_slice(rows, k, d),
            accumulate: match factors {
                Some(_) => Accum::Add,
                None => Accum::Replace,
            },
            size,
        };
        product.run(0, parts, out.as_mut(), blocks, par);
        clear_upper_halves();
    }

    fn par(&self, work: usize, enough: usize) -> Par {
        if self.threads.get() == 1 || work < enough {
            Par::Seq
        } else {
            Par::Rayon(self.threads)
        }
    }
}

impl<T> Default for Faer<T> {
    fn default() -> Self {
        Self::with_threads(std::thread::available_parallelism().map_or(1, NonZero::get))
    }
}

impl<T: FaerScalar> LinearBackend for Faer<T> {
    type Scalar = T;
    type Matrix = Mat<T>;
    type Cholesky = Factor<T>;
    type Workspace = Workspace<T>;
    type Single = Faer<f32>;

    fn name(&self) -> &'static str {
        "faer"
    }

    fn single(&self) -> Faer<f32> {
        Faer::with_threads(self.threads())
    }

    fn with_threads(&self, threads: usize) -> Self {
        Self::with_threads(threads)
    }

    fn nrows(&self, a: &Mat<T>) -> usize {
        a.nrows()
    }

    fn ncols(&self, a: &Mat<T>) -> usize {
        a.ncols()
    }

    fn zeros(&self, nrows: usize, ncols: usize) -> Mat<T> {
        Mat::zeros(nrows, ncols)
    }

    fn copy_block_from_row_major(
        &self,
        values: &[T],
        (row, column): (usize, usize),
        width: usize,
        a: &mut Mat<T>,
    ) {
        for j in 0..width {
            let entries = values[j.min(values.len())..].iter().step_by(width);
            for (to, &from) in a.col_as_slice_mut(column + j)[row..]
                .iter_mut()
                .zip(entries)
            {
                *to = from;
            }
        }
    }

    fn copy_to_row_major(&self, a: &Mat<T>, values: &mut [T]) {
        let ncols = a.ncols();
        assert_eq!(values.len(), a.nrows() * ncols);
        for j in 0..ncols {
            let start = j.min(values.len());
            let entries = values[start..].iter_mut().step_by(ncols);
            for (to, &from) in entries.zip(a.col_as_slice(j)) {
                *to = from;
            }
        }
    }

    fn copy(&self, a: &Mat<T>, out: &mut Mat<T>) {
        out.copy_from(a);
    }

    fn copy_rows(&self, a: &Mat<T>, rows: &[usize], out: &mut Mat<T>) {
        for j in 0..a.ncols() {
            let from = a.col_as_slice(j);
            for (to, &row) in out.col_as_slice_mut(j).iter_mut().zip(rows) {
                *to = from[row];
            }
        }
    }

    fn find_non_finite(&self, a: &Mat<T>) -> Option<(usize, usize)> {
        (0..a.ncols()).find_map(|j| {
            let row = a
                .col_as_slice(j)
                .iter()
                .position(|v| !num_traits::Float::is_finite(*v))?;
            Some((row, j))
        })
    }

    fn row_norms(&self, a: &Mat<T>) -> RowNorms {
        RowNorms::of_columns(a.nrows(), a.ncols(), |j| a.col_as_slice(j))
    }

    fn mul_vec(&self, a: &Mat<T>, x: &[T], y: &mut [T]) {
        let work = a.nrows() * a.ncols();
        if work >= PARALLEL_VECTOR {
            // faer's own product would round differently with another number of threads.
            let par = self.par(work, PARALLEL_VECTOR);
            return combine(&|j| a.col_as_slice(j), 0, x, y, par);
        }
        let (y, x) = (ColMut::from_slice_mut(y), ColRef::from_slice(x));
        matmul(y, Accum::Replace, a, x, T::one(), Par::Seq);
        clear_upper_halves();
    }

    fn mul_vec_transposed(&self, a: &Mat<T>, y: &[T], x: &mut [T]) {
        let par = self.par(a.nrows() * a.ncols(), PARALLEL_VECTOR);
        dots(&|j| a.col_as_slice(j), 0, [y], [x], par);
    }

    fn mul_vecs_transposed(&self, a: &Mat<T>, count: usize, y: &[T], x: &mut [T]) {
        let (m, n) = a.shape();
        let y = MatRef::from_column_major_slice(y, count, m);
        let x = MatMut::from_column_major_slice_mut(x, count, n);
        let par = self.par(m * n * count, PARALLEL_PRODUCT);
        matmul(x, Accum::Replace, y, a, T::one(), par);
        clear_upper_halves();
    }

    fn mul_vec_columns(&self, a: &Mat<T>, columns: &[usize], x: &[T], y: &mut [T]) {
        let par = self.par(a.nrows() * columns.len(), PARALLEL_VECTOR);
        combine(&|j| a.col_as_slice(columns[j]), 0, x, y, par);
    }

    fn mul_vec_transposed_columns(&self, a: &Mat<T>, columns: &[usize], y: &[T], x: &mut [T]) {
        let par = self.par(a.nrows() * columns.len(), PARALLEL_VECTOR);
        dots(&|j| a.col_as_slice(columns[j]), 0, [y], [x], par);
    }

    fn mul_two_vecs_transposed_columns(
        &self,
        a: &Mat<T>,
        columns: &[usize],
        y: [&[T]; 2],
        x: [&mut [T]; 2],
    ) {
        let par = self.par(a.nrows() * columns.len(), PARALLEL_VECTOR);
        dots(&|j| a.col_as_slice(columns[j]), 0, y, x, par);
    }

    fn mul_inner(
        &self,
        a: &Mat<T>,
        inner: &[usize],
        b: &Mat<T>,
        out: &mut Mat<T>,
        workspace: &mut Workspace<T>,
    ) {
        if inner.len() == a.ncols() {
            let par = self.par(a.nrows() * inner.len() * b.ncols(), PARALLEL_PRODUCT);
            matmul(out, Accum::Replace, a, b, T::one(), par);
            return clear_upper_halves();
        }
        let copy = |from, start, to: &mut [T]| {
            to.copy_from_slice(&a.col_as_slice(from)[start..start + to.len()]);
        };
        self.mul_copied(a.nrows(), inner, None, b, out, workspace, &copy);
    }

    fn add_inner(
        &self,
        a: &Mat<T>,
        inner: &[usize],
        factors: &[T],
        b: &Mat<T>,
        out: &mut Mat<T>,
        workspace: &mut Workspace<T>,
    ) {
        let copy = |from, start, to: &mut [T]| {
            to.copy_from_slice(&a.col_as_slice(from)[start..start + to.len()]);
        };
        self.mul_copied(a.nrows(), inner, Some(factors), b, out, workspace, &copy);
    }

    fn combine_rows(&self, a: &Mat<T>, buckets: &[usize], factors: &[T], out: &mut Mat<T>) {
        let par = self.par(a.nrows() * a.ncols(), PARALLEL_VECTOR);
        let combine = |from, to: &mut [T]| {
            columns::combine_entries(a.col_as_slice(from), buckets, factors, to);
        };
        copy_columns(&combine, 0, out.as_mut(), par);
    }

    fn mul_inner_rows(
        &self,
        a: &Mat<T>,
        rows: &[usize],
        inner: &[usize],
        b: &Mat<T>,
        out: &mut Mat<T>,
        workspace: &mut Workspace<T>,
    ) {
        let copy = |from, start: usize, to: &mut [T]| {
            let column = a.col_as_slice(from);
            for (to, &row) in to.iter_mut().zip(&rows[start..]) {
                *to = column[row];
            }
        };
        self.mul_copied(rows.len(), inner, None, b, out, workspace, &copy);
    }

    fn center_and_scale_rows(&self, shift: &[T], center: &[T], scale: &[T], a: &mut Mat<T>) {
        for (j, &center) in center.iter().enumerate() {
            let rows = shift.iter().zip(scale);
            for (entry, (&shift, &scale)) in a.col_as_slice_mut(j).iter_mut().zip(rows) {
                *entry = (*entry - shift * center) * scale;
            }
        }
    }

    fn gram_lower(
        &self,
        a: &Mat<T>,
        weights: &[T],
        out: &mut Mat<T>,
        workspace: &mut Workspace<T>,
    ) {
        let (m, d) = (a.nrows(), a.ncols());
        if m == 0 {
            out.fill(T::zero());
        }
        let most = m.min(GRAM_BLOCK) * d;
        let block = lengthen(&mut workspace.block, most, most);
        for start in (0..m).step_by(GRAM_BLOCK) {
            let length = GRAM_BLOCK.min(m - start);
            let weights = &weights[start..start + length];
            let weigh = |j, to: &mut [T]| {
                let from = &a.col_as_slice(j)[start..start + length];
                for ((to, &from), &weight) in to.iter_mut().zip(from).zip(weights) {
                    *to = from * weight;
                }
            };
            let mut weighted =
                MatMut::from_column_major_slice_mut(&mut block[..length * d], length, d);
            let par = self.par(length * d, PARALLEL_VECTOR);
            copy_columns(&weigh, 0, weighted.rb_mut(), par);
            triangular::matmul(
                out.as_mut(),
                BlockStructure::TriangularLower,
                if start == 0 {
                    Accum::Replace
                } else {
                    Accum::Add
                },
                a.as_ref().subrows(start, length).transpose(),
                BlockStructure::Rectangular,
                weighted.rb(),
                BlockStructure::Rectangular,
                T::one(),
                self.par(length * d * d / 2, PARALLEL_PRODUCT),
            );
        }
        clear_upper_halves();
    }

    fn cholesky(
        &self,
        a: &Mat<T>,
        _workspace: &mut Workspace<T>,
    ) -> Result<Factor<T>, NotPositiveDefinite> {
        let n = a.nrows();
        Factor::new(a.as_ref(), self.par(n * n * n / 6, PARALLEL_FACTORISATION))
    }

    fn cholesky_solve(&self, factor: &Factor<T>, rhs: &mut [T], _workspace: &mut Workspace<T>) {
        factor.solve(rhs);
    }

    fn cholesky_lower(&self, factor: &Factor<T>, out: &mut Mat<T>) {
        out.fill(T::zero());
        out.copy_from_triangular_lower(factor.lower());
    }

    fn qr_reduce(&self, a: &mut Mat<T>, rhs: &mut [T], r: &mut [T], workspace: &mut Workspace<T>) {
        let par = self.par(a.nrows() * a.ncols() * a.ncols(), PARALLEL_FACTORISATION);
        workspace.householder.reduce(a.as_mut(), rhs, r, par);
    }
}

/// The first `length` entries of `scratch`, left over from earlier calls. It gets memory for `most` at
/// once: what is not used is not touched.
fn lengthen<T: FaerScalar>(scratch: &mut Vec<T>, length: usize, most: usize) -> &mut [T] {
    if scratch.capacity() < most {
        *scratch = Vec::with_capacity(most);
    }
    if scratch.len() < length {
        scratch.resize(length, T::zero());
    }
    &mut scratch[..length]
}
