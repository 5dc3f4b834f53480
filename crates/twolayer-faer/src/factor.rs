//! Cholesky and Householder QR on faer's views, also for backends whose library has neither.

use crate::FaerScalar;
use crate::reflector::{Columns, Reflector};
use crate::vector_registers::clear_upper_halves;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::householder::{
    apply_block_householder_sequence_transpose_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_transpose_on_the_left_in_place_with_conj as apply_transposed,
    make_householder_in_place, upgrade_householder_factor,
};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::utils::thread::join_raw;
use faer::{Auto, Conj, ContiguousFwd, Mat, MatMut, MatRef, Par};
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

    /// L, whose entries above the diagonal are zero.
    pub fn lower(&self) -> MatRef<'_, T> {
        self.lower.as_ref()
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

/// Householder QR; on a large matrix with the reflectors of a panel of columns applied together.
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
    /// The triangular factor of a panel's reflectors.
    coefficients: Mat<T>,
    heights: Vec<usize>,
    tau: Vec<T>,
    /// One for each chunk of columns.
    scratch: Vec<MemBuffer>,
}

/// Columns of a panel of a large matrix. Within it reflectors are applied one by one, at the speed of
/// memory; wider panels leave less to the block product.
const PANEL: usize = 16;

/// Most entries of a matrix that is reduced as one panel. It stays in the nearest cache, where block
/// products gain less than it takes to prepare them.
const SMALL: usize = 4096;

/// Columns that a panel's reflectors are applied to at a time. Threads share out such chunks and
/// never part one: left to itself, faer makes one chunk for each thread, and a product rounds
/// differently by the number of its columns.
const CHUNK: usize = 64;

impl<T: FaerScalar> Default for Householder<T> {
    fn default() -> Self {
        Self {
            coefficients: Mat::new(),
            heights: Vec::new(),
            tau: Vec::new(),
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
    /// As [`LinearBackend::qr_reduce`](twolayer_core::LinearBackend::qr_reduce): A = QR for `a` (p×q),
    /// `rhs` (p) ← Qᵀ `rhs`, and R in `r` (q×q, row after row). A matrix whose columns are not contiguous
    /// is copied first.
    ///
    /// # Panics
    /// Where `rhs` or `r` has another length.
    pub fn reduce(&mut self, a: MatMut<'_, T>, rhs: &mut [T], r: &mut [T], par: Par) {
        let mut a = a;
        assert!(rhs.len() == a.nrows() && r.len() == a.ncols() * a.ncols());
        if let Some(a) = a.rb_mut().try_as_col_major_mut() {
            return self.reduce_columns(a, rhs, r, par);
        }
        let mut copy = Mat::zeros(a.nrows(), a.ncols());
        copy.copy_from(a);
        // The columns of a `Mat` are contiguous.
        if let Some(a) = copy.as_mut().try_as_col_major_mut() {
            self.reduce_columns(a, rhs, r, par);
        }
    }

    fn reduce_columns(&mut self, a: Columns<'_, T>, rhs: &mut [T], r: &mut [T], par: Par) {
        let mut a = a;
        let (p, q) = a.shape();
        let size = p.min(q);
        let is_small = p * q <= SMALL;
        let panel_width = if is_small { size.max(1) } else { PANEL };
        self.tau.resize(panel_width, T::zero());
        if !is_small {
            self.reserve(p, q);
        }
        heights(a.rb(), &mut self.heights);
        for start in (0..size).step_by(panel_width) {
            let width = panel_width.min(size - start);
            // Of each column of the panel, from row `start` on.
            let heights = &mut self.heights[start..start + width];
            for (j, height) in heights.iter_mut().enumerate() {
                *height = (*height).max(start + j + 1) - start;
            }
            let height = heights[width - 1];
            // Of a small matrix also the columns behind the last reflector are in the panel.
            let (mut panel, trailing) = a
                .rb_mut()
                .submatrix_mut(start, start, height, q - start)
                .split_at_col_mut(if is_small { q } else { width });
            let tau = &mut self.tau[..width];
            let rhs = &mut rhs[start..start + height];
            reduce_panel(panel.rb_mut(), rhs, heights, tau);
            if trailing.ncols() > 0 {
                let mut coefficients = self.coefficients.as_mut().submatrix_mut(0, 0, width, width);
                for (j, &tau) in tau.iter().enumerate() {
                    coefficients[(j, j)] = tau;
                }
                let (panel, trailing) = (panel.as_dyn_stride(), trailing.as_dyn_stride_mut());
                upgrade_householder_factor(coefficients.rb_mut(), panel, width, 1, Par::Seq);
                apply_in_chunks(panel, coefficients.rb(), trailing, &mut self.scratch, par);
            }
        }
        clear_upper_halves();
        r.fill(T::zero());
        for (j, column) in a.rb().col_iter().enumerate() {
            let above = &column.as_slice()[..p.min(j + 1)];
            for (to, &from) in r[j..].iter_mut().step_by(q).zip(above) {
                *to = from;
            }
        }
    }

    /// Memory for the block products of a p×q matrix.
    fn reserve(&mut self, p: usize, q: usize) {
        if self.coefficients.nrows() < PANEL {
            self.coefficients = Mat::zeros(PANEL, PANEL);
        }
        let scratch = apply_scratch::<T>(p, PANEL, CHUNK);
        let large_enough = |buffer: &MemBuffer| buffer.len() >= scratch.size_bytes();
        if !self.scratch.first().is_some_and(large_enough) {
            self.scratch.clear();
        }
        let chunks = q.div_ceil(CHUNK);
        if self.scratch.len() < chunks {
            self.scratch.resize_with(chunks, || MemBuffer::new(scratch));
        }
    }
}

/// The number of rows down to the last entry that is not zero in this column or one before it: what
/// lies below stays zero, and no reflector of this column need reach there. Of a triangular matrix
/// with the rows of a diagonal one between its own that leaves a fifth of the work.
fn heights<T: FaerScalar>(a: MatRef<'_, T, usize, usize, ContiguousFwd>, heights: &mut Vec<usize>) {
    let mut height = 0;
    heights.clear();
    heights.extend(a.col_iter().map(|column| {
        let below = &column.as_slice()[height..];
        let last = below.iter().rposition(|&entry| entry != T::zero());
        height += last.map_or(0, |i| i + 1);
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

/// Reduces the columns of `panel` one by one: R above and on the diagonal, below it the reflectors v,
/// of which the leading 1 is not stored; `tau` gets the τ of H = I − v vᵀ/τ. `rhs` ← Qᵀ `rhs`.
fn reduce_panel<T: FaerScalar>(
    panel: Columns<'_, T>,
    rhs: &mut [T],
    heights: &[usize],
    tau: &mut [T],
) {
    let mut panel = panel;
    for (j, (tau, &height)) in tau.iter_mut().zip(heights).enumerate() {
        let (left, rest) = panel
            .rb_mut()
            .subrows_mut(j, height - j)
            .split_at_col_mut(j + 1);
        let (mut head, mut tail) = left.col_mut(j).split_at_row_mut(1);
        *tau = make_householder_in_place(&mut head[0], tail.rb_mut().as_dyn_stride_mut()).tau;
        let reflector = Reflector {
            tail: tail.rb().as_slice(),
            tau: *tau,
        };
        reflector.apply(rest, &mut rhs[j..height]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a transposed view the rows are contiguous and not the columns: it is copied, to the same bits.
    #[test]
    fn columns_that_are_not_contiguous_are_reduced_too() {
        let (p, q) = (7, 4);
        let entry = |i: usize, j: usize| ((3 * i + 5 * j * j) % 11) as f64 - 5.0;
        let mut reduced = Vec::new();
        for transposed in [false, true] {
            let mut a = match transposed {
                false => Mat::from_fn(p, q, entry),
                true => Mat::from_fn(q, p, |j, i| entry(i, j)),
            };
            let view = match transposed {
                false => a.as_mut(),
                true => a.as_mut().transpose_mut(),
            };
            let (mut rhs, mut r) = (vec![1.0; p], vec![f64::NAN; q * q]);
            Householder::default().reduce(view, &mut rhs, &mut r, Par::Seq);
            reduced.push((rhs, r));
        }
        assert!(reduced[0].1.iter().all(|entry| entry.is_finite()));
        assert_eq!(reduced[0], reduced[1]);
    }
}
