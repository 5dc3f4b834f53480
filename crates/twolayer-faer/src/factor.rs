//! Cholesky and Householder QR on faer's views, also for backends whose library has neither.

use crate::FaerScalar;
use crate::vector_registers::clear_upper_halves;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::householder::{
    apply_block_householder_sequence_transpose_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_transpose_on_the_left_in_place_with_conj as apply_transposed,
    make_householder_in_place, upgrade_householder_factor,
};
use faer::linalg::matmul::matmul;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::utils::thread::join_raw;
use faer::{Accum, Auto, ColMut, Conj, Mat, MatMut, MatRef, Par, RowMut, RowRef};
use std::fmt;
use twolayer_core::NotPositiveDefinite;

/// The Cholesky factor L of A = L Lᵀ.
#[derive(Clone, Debug)]
pub struct Factor<T> {
    lower: Mat<T>,
}

impl<T: FaerScalar> Factor<T> {
    /// Factors the symmetric matrix whose lower triangle is that of `a`.
    ///
    /// # Errors
    /// [`NotPositiveDefinite`] where a pivot is not positive, or NaN.
    pub fn new(a: MatRef<'_, T>, par: Par) -> Result<Self, NotPositiveDefinite> {
        let n = a.nrows();
        let mut lower = Mat::zeros(n, n);
        lower.copy_from_triangular_lower(a);
        let parameters = <llt::factor::LltParams as Auto<T>>::auto();
        let scratch = llt::factor::cholesky_in_place_scratch::<T>(n, par, parameters.into());
        let factored = llt::factor::cholesky_in_place(
            lower.as_mut(),
            Default::default(),
            par,
            MemStack::new(&mut MemBuffer::new(scratch)),
            parameters.into(),
        );
        clear_upper_halves();
        factored.map_err(|_| NotPositiveDefinite)?;
        Ok(Self { lower })
    }

    /// rhs ← A⁻¹ rhs, for one right-hand side or several, one after the other.
    pub fn solve(&self, rhs: &mut [T]) {
        let n = self.lower.nrows();
        let count = rhs.len() / n.max(1);
        let scratch = llt::solve::solve_in_place_scratch::<T>(n, count, Par::Seq);
        let mut buffer = MemBuffer::new(scratch);
        llt::solve::solve_in_place(
            self.lower.as_ref(),
            MatMut::from_column_major_slice_mut(rhs, n, count),
            Par::Seq,
            MemStack::new(&mut buffer),
        );
        clear_upper_halves();
    }
}

/// Householder QR with the reflectors of a panel of columns applied together.
///
/// It is built from faer's reflectors and block products and not from its
/// `qr::no_pivoting::factor`, which takes a column for dependent on the earlier ones, and leaves it
/// in echelon form with a zero on the diagonal of R, where its remainder is below 16 p ε of its
/// norm (p rows, ε = 2u). That is far more than the roundoff of a factorisation, and discards the
/// small directions that an ill-conditioned least-squares problem is about. Here every column is
/// reduced to roundoff: R is the exact factor of A + E, ‖E‖ ≤ c p q u ‖A‖ with a small c.
///
/// Zeros below a staircase cost nothing: a column is reduced down to the last entry that is not zero in
/// it or in one before it.
pub struct Householder<T> {
    coefficients: Mat<T>,
    heights: Vec<usize>,
    dots: Vec<T>,
    /// One for each chunk of columns.
    scratch: Vec<MemBuffer>,
}

/// Columns of a panel. Within it reflectors are applied one by one, at the speed of memory; wider
/// panels leave less to the block product.
const PANEL: usize = 16;

/// Columns that a panel's reflectors are applied to at a time. Threads share out such chunks and
/// never part one: left to itself, faer makes one chunk for each thread, and a product rounds
/// differently by the number of its columns.
const CHUNK: usize = 64;

impl<T: FaerScalar> Default for Householder<T> {
    fn default() -> Self {
        Self {
            coefficients: Mat::new(),
            heights: Vec::new(),
            dots: Vec::new(),
            scratch: Vec::new(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Householder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Householder").finish_non_exhaustive()
    }
}

impl<T: FaerScalar> Householder<T> {
    /// As [`LinearBackend::qr_reduce`](twolayer_core::LinearBackend::qr_reduce). Fast where the
    /// columns of `a` are contiguous.
    pub fn reduce(&mut self, a: MatMut<'_, T>, rhs: &mut [T], r: &mut [T], par: Par) {
        let (p, q) = a.shape();
        assert!(rhs.len() == p && r.len() == q * q);
        let (mut a, mut rhs) = (a, ColMut::from_slice_mut(rhs).as_mat_mut());
        self.reserve(p, q);
        heights(a.rb(), &mut self.heights);
        for start in (0..p.min(q)).step_by(PANEL) {
            let width = PANEL.min(p.min(q) - start);
            let height = self.heights[start + width - 1].max(start + width) - start;
            let (mut panel, trailing) = a
                .rb_mut()
                .subrows_mut(start, height)
                .subcols_mut(start, q - start)
                .split_at_col_mut(width);
            let mut coefficients = self.coefficients.as_mut().submatrix_mut(0, 0, width, width);
            reduce_panel(panel.rb_mut(), coefficients.rb_mut(), &mut self.dots);
            upgrade_householder_factor(coefficients.rb_mut(), panel.rb(), width, 1, Par::Seq);
            let rhs = rhs.rb_mut().subrows_mut(start, height);
            for (columns, par) in [(trailing, par), (rhs, Par::Seq)] {
                apply_in_chunks(
                    panel.rb(),
                    coefficients.rb(),
                    columns,
                    &mut self.scratch,
                    par,
                );
            }
        }
        clear_upper_halves();
        for (i, row) in r.chunks_exact_mut(q.max(1)).enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                *entry = if i <= j && i < p {
                    a[(i, j)]
                } else {
                    T::zero()
                };
            }
        }
    }

    fn reserve(&mut self, p: usize, q: usize) {
        if self.coefficients.nrows() < PANEL {
            self.coefficients = Mat::zeros(PANEL, PANEL);
            self.dots = vec![T::zero(); PANEL];
        }
        let scratch = apply_scratch::<T>(p, PANEL, CHUNK);
        let large_enough = |buffer: &MemBuffer| buffer.len() >= scratch.size_bytes();
        if !self.scratch.first().is_some_and(large_enough) {
            self.scratch.clear();
        }
        let chunks = q.div_ceil(CHUNK).max(1);
        if self.scratch.len() < chunks {
            self.scratch.resize_with(chunks, || MemBuffer::new(scratch));
        }
    }
}

/// The number of rows down to the last entry that is not zero in this column or one before it: what
/// lies below stays zero, and no reflector of this column need reach there. Of a triangular matrix
/// with the rows of a diagonal one between its own that leaves a fifth of the work.
fn heights<T: FaerScalar>(a: MatRef<'_, T>, heights: &mut Vec<usize>) {
    let mut height = 0;
    heights.clear();
    heights.extend(a.col_iter().map(|column| {
        let last = (height..a.nrows()).rfind(|&i| column[i] != T::zero());
        height = last.map_or(height, |i| i + 1);
        height
    }));
}

/// columns ← Qᵀ columns for the reflectors of a panel, shared out over threads in whole chunks, so
/// that the bits do not depend on their number.
fn apply_in_chunks<T: FaerScalar>(
    panel: MatRef<'_, T>,
    coefficients: MatRef<'_, T>,
    columns: MatMut<'_, T>,
    scratch: &mut [MemBuffer],
    par: Par,
) {
    let chunks = columns.ncols().div_ceil(CHUNK);
    if chunks <= 1 {
        if let (1, Some(scratch)) = (chunks, scratch.first_mut()) {
            let stack = MemStack::new(scratch);
            apply_transposed(panel, coefficients, Conj::No, columns, Par::Seq, stack);
        }
        return;
    }
    let middle = chunks / 2;
    let (left, right) = columns.split_at_col_mut(middle * CHUNK);
    let (left_scratch, right_scratch) = scratch.split_at_mut(middle);
    join_raw(
        |par| apply_in_chunks(panel, coefficients, left, left_scratch, par),
        |par| apply_in_chunks(panel, coefficients, right, right_scratch, par),
        par,
    );
}

/// Reduces the columns of `panel` one by one: R above and on the diagonal, the reflectors v, of
/// which the leading 1 is not stored, below it, and τ of H = I − v vᵀ/τ on the diagonal of
/// `coefficients`.
fn reduce_panel<T: FaerScalar>(panel: MatMut<'_, T>, coefficients: MatMut<'_, T>, dots: &mut [T]) {
    let (mut panel, mut coefficients) = (panel, coefficients);
    let (nrows, width) = panel.shape();
    for j in 0..width {
        let below = panel.rb_mut().subrows_mut(j, nrows - j);
        let (left, rest) = below.split_at_col_mut(j + 1);
        let (mut head, mut tail) = left.col_mut(j).split_at_row_mut(1);
        let tau = make_householder_in_place(&mut head[0], tail.rb_mut()).tau;
        coefficients[(j, j)] = tau;
        if rest.ncols() == 0 {
            continue;
        }
        let (mut top, mut rest) = rest.split_at_row_mut(1);
        // dots = vᵀ [top; rest] / τ, then [top; rest] −= v dots.
        let dots = &mut dots[..rest.ncols()];
        matmul(
            RowMut::from_slice_mut(dots),
            Accum::Replace,
            tail.rb().transpose(),
            rest.rb(),
            T::one(),
            Par::Seq,
        );
        for (k, dot) in dots.iter_mut().enumerate() {
            *dot = (*dot + top[(0, k)]) / tau;
            top[(0, k)] -= *dot;
        }
        matmul(
            rest.rb_mut(),
            Accum::Add,
            tail.rb().as_mat(),
            RowRef::from_slice(dots).as_mat(),
            -T::one(),
            Par::Seq,
        );
    }
}
