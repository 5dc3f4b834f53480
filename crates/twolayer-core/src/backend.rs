//! What the algorithms ask of a linear algebra library.

mod entries;

use crate::norms::RowNorms;
use crate::scalar::Scalar;
use std::fmt::Debug;

/// A Cholesky factorisation met a pivot that is not positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the matrix is not positive definite in working precision")]
pub struct NotPositiveDefinite;

/// The dense kernels of one linear algebra library in one precision.
///
/// Vectors are slices; matrices belong to the library. A backend is a value and not only a type:
/// it may hold a number of threads.
///
/// **Contract.** Shapes are the caller's promise: everything that reaches a kernel was validated
/// by whoever holds the matrices or sized from them, and a kernel may panic on shapes that do not
/// fit. Outputs are overwritten whatever they held before, NaN included, unless the kernel says
/// "adds". Any dimension may be zero. Column lists are strictly increasing and in range. Kernels
/// keep scratch memory in a [`Workspace`](LinearBackend::Workspace) that grows at the first call
/// and is reused by later ones.
///
/// A dozen methods have to be there. The others have defaults that are right and slow: they copy matrices, and
/// go over them entry by entry. The feature `conformance` has the suite that every backend passes, and
/// examples/plain_backend.rs one in plain vectors.
pub trait LinearBackend: Clone + Debug + Send + Sync {
    /// `f32` or `f64`.
    type Scalar: Scalar;
    /// The library's own dense matrix.
    type Matrix: Clone + Debug + Send + Sync;
    /// The factor L of A = L Lᵀ.
    type Cholesky: Send + Sync;
    /// Scratch memory of the kernels that need some.
    type Workspace: Default + Send;

    /// The library in single precision.
    type Single: LinearBackend<Scalar = f32>;

    /// The library, as a user names it: `"faer"`.
    fn name(&self) -> &'static str;

    /// The library in single precision, on as many threads: for what need not be exact.
    fn single(&self) -> Self::Single;

    /// The same backend on at most so many threads, the calling one included. Results do not depend
    /// on the number. One that does not thread itself is what it was.
    #[must_use]
    fn with_threads(&self, _threads: usize) -> Self {
        self.clone()
    }

    /// Number of rows of `a`.
    fn nrows(&self, a: &Self::Matrix) -> usize;

    /// Number of columns of `a`.
    fn ncols(&self, a: &Self::Matrix) -> usize;

    /// A matrix of zeros.
    fn zeros(&self, nrows: usize, ncols: usize) -> Self::Matrix;

    /// Overwrites `a` by `values` (`nrows·ncols` of them, row after row).
    fn copy_from_row_major(&self, values: &[Self::Scalar], a: &mut Self::Matrix) {
        let (nrows, ncols) = (self.nrows(a), self.ncols(a));
        assert_eq!(values.len(), nrows * ncols);
        self.copy_block_from_row_major(values, (0, 0), ncols, a);
    }

    /// Overwrites a block of `a`, `width` columns from `(row, column)` on, by `values`, row after row:
    /// of a large matrix in a file there need be no second copy.
    fn copy_block_from_row_major(
        &self,
        values: &[Self::Scalar],
        place: (usize, usize),
        width: usize,
        a: &mut Self::Matrix,
    );

    /// Writes the entries of `a` to `values` (`nrows·ncols`), row after row.
    fn copy_to_row_major(&self, a: &Self::Matrix, values: &mut [Self::Scalar]);

    /// out = A, of the same shape.
    fn copy(&self, a: &Self::Matrix, out: &mut Self::Matrix) {
        let every: Vec<_> = (0..self.nrows(a)).collect();
        self.copy_rows(a, &every, out);
    }

    /// out = A\[rows, :\] (`rows.len()`×n), in the order of `rows`.
    fn copy_rows(&self, a: &Self::Matrix, rows: &[usize], out: &mut Self::Matrix) {
        entries::copy_rows(self, a, rows, out);
    }

    /// Position `(row, column)` of the first entry, in the order of memory, that is NaN or
    /// infinite; `None` where all are finite.
    fn find_non_finite(&self, a: &Self::Matrix) -> Option<(usize, usize)> {
        entries::find_non_finite(self, a)
    }

    /// The norms of the rows of A, NaN or infinite where an entry is. They bound rounding errors, and
    /// need few digits.
    fn row_norms(&self, a: &Self::Matrix) -> RowNorms {
        entries::row_norms(self, a)
    }

    /// y = A x.
    fn mul_vec(&self, a: &Self::Matrix, x: &[Self::Scalar], y: &mut [Self::Scalar]);

    /// x = Aᵀ y.
    fn mul_vec_transposed(&self, a: &Self::Matrix, y: &[Self::Scalar], x: &mut [Self::Scalar]);

    /// X = Aᵀ Y for `count` vectors at once, whose entries of one number lie side by side: for A m×n,
    /// `y` has m·`count` entries, `x` n·`count`, and entry i of vector k of Y is `y[i * count + k]`. A
    /// vector's result depends on `count`, but neither on its place nor on what the others hold, bit by
    /// bit.
    ///
    /// So laid out, the product reads the columns of A, where they are contiguous, from one end to the
    /// other; A X would jump from column to column.
    fn mul_vecs_transposed(
        &self,
        a: &Self::Matrix,
        count: usize,
        y: &[Self::Scalar],
        x: &mut [Self::Scalar],
    ) {
        entries::mul_vecs_transposed(self, a, count, y, x);
    }

    /// y = A\[:, columns\] x, reading only those columns of A. `x` has one entry for each of
    /// `columns`.
    fn mul_vec_columns(
        &self,
        a: &Self::Matrix,
        columns: &[usize],
        x: &[Self::Scalar],
        y: &mut [Self::Scalar],
    ) {
        entries::mul_vec_columns(self, a, columns, x, y);
    }

    /// x = A\[:, columns\]ᵀ y, reading only those columns of A. `x` has one entry for each of
    /// `columns`.
    fn mul_vec_transposed_columns(
        &self,
        a: &Self::Matrix,
        columns: &[usize],
        y: &[Self::Scalar],
        x: &mut [Self::Scalar],
    ) {
        entries::mul_vec_transposed_columns(self, a, columns, y, x);
    }

    /// x = A\[:, columns\]ᵀ y for each of two vectors y (m) with its x, one entry for each of `columns`,
    /// as by [`mul_vec_transposed_columns`](LinearBackend::mul_vec_transposed_columns) bit by bit: a
    /// backend that can reads the columns once for both.
    fn mul_two_vecs_transposed_columns(
        &self,
        a: &Self::Matrix,
        columns: &[usize],
        [y, other_y]: [&[Self::Scalar]; 2],
        [x, other_x]: [&mut [Self::Scalar]; 2],
    ) {
        self.mul_vec_transposed_columns(a, columns, y, x);
        self.mul_vec_transposed_columns(a, columns, other_y, other_x);
    }

    /// out = A\[:, inner\] · B\[inner, :\]: the product A·B over chosen inner indices. With A2, A1
    /// and the active units this is C(x).
    fn mul_inner(
        &self,
        a: &Self::Matrix,
        inner: &[usize],
        b: &Self::Matrix,
        out: &mut Self::Matrix,
        workspace: &mut Self::Workspace,
    ) {
        let zeros = self.zeros(self.nrows(out), self.ncols(out));
        *out = zeros;
        let ones = vec![num_traits::One::one(); inner.len()];
        self.add_inner(a, inner, &ones, b, out, workspace);
    }

    /// out = A\[rows, inner\] · B\[inner, :\]: chosen rows of the product of
    /// [`mul_inner`](LinearBackend::mul_inner), in the order of `rows`, which may repeat and need
    /// not increase. With A2, A1 and the active units these are rows of C(x); no other is formed.
    fn mul_inner_rows(
        &self,
        a: &Self::Matrix,
        rows: &[usize],
        inner: &[usize],
        b: &Self::Matrix,
        out: &mut Self::Matrix,
        workspace: &mut Self::Workspace,
    ) {
        let mut chosen = self.zeros(rows.len(), self.ncols(a));
        self.copy_rows(a, rows, &mut chosen);
        self.mul_inner(&chosen, inner, b, out, workspace);
    }

    /// out = out + A\[:, inner\] · diag(factors) · B\[inner, :\]: adds. `factors` has one entry for
    /// each of `inner`. With A2, A1 and the units that changed state this keeps C(x) up to date.
    fn add_inner(
        &self,
        a: &Self::Matrix,
        inner: &[usize],
        factors: &[Self::Scalar],
        b: &Self::Matrix,
        out: &mut Self::Matrix,
        _workspace: &mut Self::Workspace,
    ) {
        entries::add_inner(self, a, inner, factors, b, out);
    }

    /// out = S A, S of one entry in each column: row i of A, multiplied by `factors[i]`, is added to
    /// row `buckets[i]` of `out`, which is below `out`'s number of rows. Reads A once.
    fn combine_rows(
        &self,
        a: &Self::Matrix,
        buckets: &[usize],
        factors: &[Self::Scalar],
        out: &mut Self::Matrix,
    ) {
        entries::combine_rows(self, a, buckets, factors, out);
    }

    /// A ← diag(scale) · (A − shift centerᵀ): subtracts `shift[i]` times the row `center` from row
    /// i of `a`, then multiplies it by `scale[i]`.
    fn center_and_scale_rows(
        &self,
        shift: &[Self::Scalar],
        center: &[Self::Scalar],
        scale: &[Self::Scalar],
        a: &mut Self::Matrix,
    ) {
        entries::center_and_scale_rows(self, shift, center, scale, a);
    }

    /// The lower triangle, diagonal included, of out = Aᵀ diag(weights) A; what is above the
    /// diagonal is left unspecified. `weights` may be of either sign.
    fn gram_lower(
        &self,
        a: &Self::Matrix,
        weights: &[Self::Scalar],
        out: &mut Self::Matrix,
        _workspace: &mut Self::Workspace,
    ) {
        entries::gram_lower(self, a, weights, out);
    }

    /// The Cholesky factor of the symmetric matrix whose lower triangle is that of `a`.
    ///
    /// # Errors
    /// [`NotPositiveDefinite`] where a pivot is not positive (or NaN).
    fn cholesky(
        &self,
        a: &Self::Matrix,
        workspace: &mut Self::Workspace,
    ) -> Result<Self::Cholesky, NotPositiveDefinite>;

    /// rhs ← A⁻¹ rhs, for one right-hand side or for several, one after the other. The result of one
    /// depends on how many there are, but neither on its place nor on what the others hold.
    fn cholesky_solve(
        &self,
        factor: &Self::Cholesky,
        rhs: &mut [Self::Scalar],
        workspace: &mut Self::Workspace,
    );

    /// out = L, the factor itself, zeros above its diagonal (both q×q).
    fn cholesky_lower(&self, factor: &Self::Cholesky, out: &mut Self::Matrix);

    /// Householder QR of `a` (p×q), applied to a vector: writes the upper triangular R to `r`
    /// (q×q, row after row, zeros below the diagonal and, where p < q, in the rows from p on) and
    /// Qᵀ·rhs to the first min(p, q) entries of `rhs` (p entries; the others are left
    /// unspecified). `a` is destroyed. Signs on the diagonal of R are the library's own.
    ///
    /// min ‖A x − rhs‖ is then the triangular system R x = (Qᵀ rhs)\[..q\], to the accuracy that
    /// A's own condition allows; the normal equations would see its square.
    fn qr_reduce(
        &self,
        a: &mut Self::Matrix,
        rhs: &mut [Self::Scalar],
        r: &mut [Self::Scalar],
        workspace: &mut Self::Workspace,
    );
}
