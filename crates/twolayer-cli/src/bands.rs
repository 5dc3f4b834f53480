//! The rows of a matrix, some at a time: there may be no room for a second copy of it.

use num_traits::Zero;
use twolayer::LinearBackend;

/// About so many numbers are copied at a time.
const BAND: usize = 1 << 16;

/// Calls `visit` for bands of rows, in their order, with the number of the first and with the
/// entries, row after row.
pub(crate) fn for_each_band<B: LinearBackend>(
    backend: &B,
    a: &B::Matrix,
    mut visit: impl FnMut(usize, &[B::Scalar]),
) {
    let (nrows, ncols) = (backend.nrows(a), backend.ncols(a));
    let most = (BAND / ncols.max(1)).clamp(1, nrows.max(1));
    let mut band = backend.zeros(most, ncols);
    let mut values = vec![B::Scalar::zero(); most * ncols];
    for first in (0..nrows).step_by(most) {
        let rows: Vec<usize> = (first..nrows.min(first + most)).collect();
        if rows.len() < most {
            band = backend.zeros(rows.len(), ncols);
        }
        backend.copy_rows(a, &rows, &mut band);
        let values = &mut values[..rows.len() * ncols];
        backend.copy_to_row_major(&band, values);
        visit(first, values);
    }
}
