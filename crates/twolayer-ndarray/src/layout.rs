//! Arrays as lines of contiguous memory: rows or columns, whichever they are stored by.

use crate::NdarrayScalar;
use faer::MatRef;
use ndarray::{Array2, ArrayBase, ArrayView2, ArrayViewMut2, Axis, Ix2, RawData};
use std::borrow::Cow;
use std::ops::Range;

/// What is contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    RowMajor,
    ColumnMajor,
}

/// The entries of an array in an order of memory.
#[derive(Debug)]
pub(crate) struct Lines<'a, T: Clone> {
    pub(crate) order: Order,
    /// Entries of one row (row-major) or one column.
    pub(crate) length: usize,
    pub(crate) values: Cow<'a, [T]>,
    dim: (usize, usize),
}

impl<'a, T: NdarrayScalar> Lines<'a, T> {
    /// Borrows what is contiguous and copies what is not.
    pub(crate) fn of(a: &'a Array2<T>) -> Self {
        let dim = a.dim();
        let by_row = |values| Self {
            order: Order::RowMajor,
            length: dim.1,
            values,
            dim,
        };
        let by_column = |values| Self {
            order: Order::ColumnMajor,
            length: dim.0,
            values,
            dim,
        };
        if let Some(values) = a.view().reversed_axes().to_slice() {
            by_column(Cow::Borrowed(values))
        } else if let Some(values) = a.as_slice() {
            by_row(Cow::Borrowed(values))
        } else {
            by_row(Cow::Owned(a.iter().copied().collect()))
        }
    }

    /// Row or column `index`.
    pub(crate) fn get(&self, index: usize) -> &[T] {
        &self.values[index * self.length..][..self.length]
    }

    /// The same memory as faer sees it.
    pub(crate) fn as_faer(&self) -> MatRef<'_, T> {
        let (nrows, ncols) = self.dim;
        match self.order {
            Order::RowMajor => MatRef::from_row_major_slice(&self.values, nrows, ncols),
            Order::ColumnMajor => MatRef::from_column_major_slice(&self.values, nrows, ncols),
        }
    }
}

/// Rows whose products are summed before they are added to the result.
const GROUP: usize = 128;

/// Columns whose sums are kept apart at a time.
const SUMS: usize = 512;

/// y = A\[:, columns\] x of a row-major A, four sums at a time so that one addition need not wait
/// for the last.
pub(crate) fn row_major_combine<T: NdarrayScalar>(
    rows: &Lines<'_, T>,
    columns: &[usize],
    x: &[T],
    y: &mut [T],
) {
    for (i, y) in y.iter_mut().enumerate() {
        let row = rows.get(i);
        let mut sums = [T::zero(); 4];
        let (fours, rest) = columns.as_chunks::<4>();
        let (x_fours, x_rest) = x.as_chunks::<4>();
        for (four, x) in fours.iter().zip(x_fours) {
            for lane in 0..4 {
                sums[lane] += row[four[lane]] * x[lane];
            }
        }
        *y = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        for (&column, &x) in rest.iter().zip(x_rest) {
            *y += row[column] * x;
        }
    }
}

/// x = A\[:, columns\]ᵀ y of a row-major A, four rows at a time. Rows are summed in groups, which
/// keeps the chains of additions short.
pub(crate) fn row_major_dots<T: NdarrayScalar>(
    rows: &Lines<'_, T>,
    columns: &[usize],
    y: &[T],
    x: &mut [T],
) {
    x.fill(T::zero());
    let mut buffer = [T::zero(); SUMS];
    for (group, y) in y.chunks(GROUP).enumerate() {
        for (columns, x) in columns.chunks(SUMS).zip(x.chunks_mut(SUMS)) {
            let sums = &mut buffer[..x.len()];
            sums.fill(T::zero());
            let (fours, rest) = y.as_chunks::<4>();
            let first = group * GROUP;
            for (four, y) in fours.iter().enumerate() {
                let [a, b, c, d] = [0, 1, 2, 3].map(|lane| rows.get(first + 4 * four + lane));
                for (sum, &j) in sums.iter_mut().zip(columns) {
                    *sum += (y[0] * a[j] + y[1] * b[j]) + (y[2] * c[j] + y[3] * d[j]);
                }
            }
            for (row, &y) in rest.iter().enumerate() {
                let row = rows.get(first + 4 * fours.len() + row);
                for (sum, &j) in sums.iter_mut().zip(columns) {
                    *sum += y * row[j];
                }
            }
            for (x, &sum) in x.iter_mut().zip(&*sums) {
                *x += sum;
            }
        }
    }
}

/// A copy of chosen rows and columns of A, in A's own order.
///
/// Out of a row-major A it touches all of the memory for a part of the entries. In a product with
/// a vector that would cost more than it saves; here every entry is used d times afterwards, and
/// the alternative, to multiply all columns with zeros in B, costs 2d flops for each entry left
/// out.
pub(crate) fn gather<'b, T: NdarrayScalar>(
    a: &Lines<'_, T>,
    rows: impl ExactSizeIterator<Item = usize> + Clone,
    columns: &[usize],
    block: &'b mut [T],
) -> ArrayView2<'b, T> {
    let (m, k) = (rows.len(), columns.len());
    match a.order {
        Order::RowMajor => {
            for (to, i) in block.chunks_exact_mut(k).zip(rows) {
                let from = a.get(i);
                for (to, &j) in to.iter_mut().zip(columns) {
                    *to = from[j];
                }
            }
        }
        Order::ColumnMajor => {
            for (to, &j) in block.chunks_exact_mut(m).zip(columns) {
                let from = a.get(j);
                for (to, i) in to.iter_mut().zip(rows.clone()) {
                    *to = from[i];
                }
            }
        }
    }
    view(&block[..m * k], (m, k), a.order)
}

/// diag(weights) A of chosen rows of A, in A's own order.
pub(crate) fn scale<'b, T: NdarrayScalar>(
    a: &Lines<'_, T>,
    rows: Range<usize>,
    weights: &[T],
    block: &'b mut [T],
) -> ArrayView2<'b, T> {
    let (m, d) = (rows.len(), a.dim.1);
    match a.order {
        Order::RowMajor => {
            for ((to, i), &weight) in block.chunks_exact_mut(d.max(1)).zip(rows).zip(weights) {
                for (to, &from) in to.iter_mut().zip(a.get(i)) {
                    *to = from * weight;
                }
            }
        }
        Order::ColumnMajor => {
            for (j, to) in block.chunks_exact_mut(m).take(d).enumerate() {
                for ((to, &from), &weight) in
                    to.iter_mut().zip(&a.get(j)[rows.clone()]).zip(weights)
                {
                    *to = from * weight;
                }
            }
        }
    }
    view(&block[..m * d], (m, d), a.order)
}

/// The entries in chosen rows and columns. (The macro `s!` does not compile where unsafe code is
/// forbidden.)
pub(crate) fn window<S: RawData>(
    a: ArrayBase<S, Ix2>,
    rows: Range<usize>,
    columns: Range<usize>,
) -> ArrayBase<S, Ix2> {
    let mut a = a;
    a.slice_axis_inplace(Axis(0), rows.into());
    a.slice_axis_inplace(Axis(1), columns.into());
    a
}

/// `count` vectors of one length, one after the other, as the columns of a matrix.
pub(crate) fn vectors<T>(values: &[T], length: usize, count: usize) -> ArrayView2<'_, T> {
    view(values, (length, count), Order::ColumnMajor)
}

/// The same, to be written.
#[expect(
    clippy::expect_used,
    reason = "kernels may panic on shapes that do not fit"
)]
pub(crate) fn vectors_mut<T>(
    values: &mut [T],
    length: usize,
    count: usize,
) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape((count, length), values)
        .expect("the shape fits")
        .reversed_axes()
}

/// `values` as a matrix of this shape.
#[expect(
    clippy::expect_used,
    reason = "the callers cut `values` to the product of the shape"
)]
fn view<T>(values: &[T], (nrows, ncols): (usize, usize), order: Order) -> ArrayView2<'_, T> {
    match order {
        Order::RowMajor => ArrayView2::from_shape((nrows, ncols), values).expect("the shape fits"),
        Order::ColumnMajor => ArrayView2::from_shape((ncols, nrows), values)
            .expect("the shape fits")
            .reversed_axes(),
    }
}
