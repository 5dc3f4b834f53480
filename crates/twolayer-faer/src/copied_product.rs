//! Matrix products whose left side is not there as a matrix, but copied from another as it is needed.

use crate::vector_registers::clear_upper_halves;
use crate::{FaerScalar, PARALLEL_VECTOR};
use faer::linalg::matmul::matmul;
use faer::reborrow::{Reborrow, ReborrowMut};
use faer::utils::thread::join_raw;
use faer::{Accum, MatMut, MatRef, Par};

/// Rows of a long product that a thread copies and multiplies at a time. They stay in its own cache;
/// with 2000 rows two threads were a third slower. A multiple of faer's kernel's 12 rows, and not a
/// power of two, which would put all columns of the copy in the same cache sets.
const PRODUCT_BLOCK: usize = 96;

/// Rows from which a product is long. Threads wake up too slowly to share out a shorter one so, and
/// faer's own sharing is as fast.
const LONG_PRODUCT: usize = 1000;

/// Threads that have blocks of their own in a long product; more work together within these.
const MOST_PARTS: usize = 16;

/// The rows of a block, and how many threads have blocks of their own, in a product of `m` rows.
pub(crate) fn shares(m: usize, par: Par) -> (usize, usize) {
    if m < LONG_PRODUCT {
        (m, 1)
    } else {
        (PRODUCT_BLOCK, par.degree().clamp(1, MOST_PARTS))
    }
}

/// L · R for a matrix L that is copied a block of rows at a time.
pub(crate) struct CopiedProduct<'p, T> {
    /// Writes the entries of column `j` of L from row `start` on.
    pub(crate) copy: &'p (dyn Fn(usize, usize, &mut [T]) + Sync),
    pub(crate) right: MatRef<'p, T>,
    pub(crate) accumulate: Accum,
    /// Rows of a block.
    pub(crate) size: usize,
}

impl<T: FaerScalar> CopiedProduct<'_, T> {
    /// The rows of `out`, which are those of the product from row `start` on, shared out in `parts` of
    /// whole blocks, each with its share of the memory for copies: their bits depend on no sharing.
    pub(crate) fn run(
        &self,
        start: usize,
        parts: usize,
        out: MatMut<'_, T>,
        copies: &mut [T],
        par: Par,
    ) {
        if parts <= 1 {
            return self.run_part(start, out, copies, par);
        }
        let first = parts / 2;
        let blocks = out.nrows().div_ceil(self.size);
        let middle = (blocks * first / parts * self.size).min(out.nrows());
        let (top, bottom) = out.split_at_row_mut(middle);
        let (left, right) = copies.split_at_mut(copies.len() / parts * first);
        join_raw(
            |par| self.run(start, first, top, left, par),
            |par| self.run(start + middle, parts - first, bottom, right, par),
            par,
        );
    }

    fn run_part(&self, start: usize, mut out: MatMut<'_, T>, copies: &mut [T], par: Par) {
        let (m, k) = (out.nrows(), self.right.nrows());
        for done in (0..m).step_by(self.size.max(1)) {
            let length = self.size.min(m - done);
            let mut block =
                MatMut::from_column_major_slice_mut(&mut copies[..length * k], length, k);
            let copy = |j, to: &mut [T]| (self.copy)(j, start + done, to);
            let copiers = match length * k < PARALLEL_VECTOR {
                true => Par::Seq,
                false => par,
            };
            copy_columns(&copy, 0, block.rb_mut(), copiers);
            matmul(
                out.rb_mut().subrows_mut(done, length),
                self.accumulate,
                block.rb(),
                self.right,
                T::one(),
                par,
            );
        }
    }
}

/// Fills the columns of `block`, the first of which is number `first` to `copy`, shared out over
/// threads: a column in memory is read once whatever rows of it are wanted, and that takes as long
/// as a product with a vector.
pub(crate) fn copy_columns<T: FaerScalar>(
    copy: &(dyn Fn(usize, &mut [T]) + Sync),
    first: usize,
    block: MatMut<'_, T>,
    par: Par,
) {
    if par.degree() <= 1 || block.ncols() < 2 {
        clear_upper_halves();
        for (j, to) in block.col_iter_mut().enumerate() {
            if let Some(to) = to.try_as_col_major_mut() {
                copy(first + j, to.as_slice_mut());
            }
        }
        return;
    }
    let middle = block.ncols() / 2;
    let (left, right) = block.split_at_col_mut(middle);
    join_raw(
        |par| copy_columns(copy, first, left, par),
        |par| copy_columns(copy, first + middle, right, par),
        par,
    );
}
