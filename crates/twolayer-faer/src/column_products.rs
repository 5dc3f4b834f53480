//! Products of columns and vectors, shared out over threads.

use crate::FaerScalar;
use crate::vector_registers::clear_upper_halves;
use faer::Par;
use faer::utils::thread::join_raw;
use std::mem;
use twolayer_core::columns;

/// [`columns::combine`] of the columns from row `start` on, the rows of y shared out over threads.
/// Every row is summed in the same order on any number of them.
pub(crate) fn combine<'a, T: FaerScalar>(
    column: &(dyn Fn(usize) -> &'a [T] + Sync),
    start: usize,
    x: &[T],
    y: &mut [T],
    par: Par,
) {
    if par.degree() <= 1 {
        clear_upper_halves();
        return columns::combine(|j| &column(j)[start..], x, y);
    }
    let middle = y.len() / 2;
    let (top, bottom) = y.split_at_mut(middle);
    join_raw(
        |par| combine(column, start, x, top, par),
        |par| combine(column, start + middle, x, bottom, par),
        par,
    );
}

/// [`columns::dots`] of the columns from number `first` on, shared out over threads.
pub(crate) fn dots<'a, T: FaerScalar, const V: usize>(
    column: &(dyn Fn(usize) -> &'a [T] + Sync),
    first: usize,
    y: [&[T]; V],
    x: [&mut [T]; V],
    par: Par,
) {
    let count = x[0].len();
    if par.degree() <= 1 || count < 2 {
        clear_upper_halves();
        return columns::dots(|j| column(first + j), y, x);
    }
    let middle = count / 2;
    let mut halves = x.map(|x| x.split_at_mut(middle));
    let left = halves.each_mut().map(|(left, _)| mem::take(left));
    let right = halves.map(|(_, right)| right);
    join_raw(
        |par| dots(column, first, y, left, par),
        |par| dots(column, first + middle, y, right, par),
        par,
    );
}
