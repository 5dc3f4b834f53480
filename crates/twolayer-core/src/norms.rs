//! Three norms of vectors, which bound weighted sums of squares.

use crate::scalar::Scalar;

/// ‖v‖₂, ‖v‖₄ and ‖v‖_∞ of a vector.
///
/// By Hölder's inequality, for any two vectors of one length,
///
/// ```text
/// √Σ vᵢ²wᵢ²  ≤  min(‖v‖₂‖w‖_∞, ‖v‖₄‖w‖₄, ‖v‖_∞‖w‖₂)
/// ```
///
/// The first is sharp where the |wᵢ| are alike, the third where one of them stands out, and the second
/// loses a factor of 3^¼ for each vector of normal numbers, whatever its length.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Norms {
    /// ‖v‖₂.
    pub two: f64,
    /// ‖v‖₄.
    pub four: f64,
    /// ‖v‖_∞.
    pub largest: f64,
}

/// Sums of powers below this may have lost terms to underflow.
const SMALLEST_SUM: f64 = 1e-280;

impl Norms {
    /// The norms of the numbers that `entry` gives for `0..length`. NaN where one of them is NaN.
    pub fn of(length: usize, entry: impl Fn(usize) -> f64) -> Self {
        let (mut squares, mut fourths, mut largest) = (0.0, 0.0, 0.0);
        for i in 0..length {
            let entry = entry(i);
            let square = entry * entry;
            squares += square;
            fourths += square * square;
            largest = f64::max(largest, entry.abs());
        }
        Self::from_sums(length, squares, fourths, largest)
    }

    /// The same from Σv² and Σv⁴. Where these have left the range of doubles the norms are bounded by
    /// the next one: ‖v‖₄ ≤ ‖v‖₂ ≤ √length ‖v‖_∞.
    fn from_sums(length: usize, squares: f64, fourths: f64, largest: f64) -> Self {
        let is_sound = |sum: f64| sum.is_nan() || (SMALLEST_SUM..=f64::MAX).contains(&sum);
        let two = match is_sound(squares) {
            true => squares.sqrt(),
            false => (length as f64).sqrt() * largest,
        };
        let four = match is_sound(fourths) {
            true => fourths.sqrt().sqrt(),
            false => two,
        };
        Self { two, four, largest }
    }

    /// A bound on √Σ vᵢ²wᵢ².
    pub fn weighted(&self, other: &Self) -> f64 {
        // `min` passes over the NaN that infinity times zero is.
        (self.two * other.largest)
            .min(self.four * other.four)
            .min(self.largest * other.two)
    }
}

/// [`Norms`] of each row of a matrix.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowNorms {
    /// While they are computed, Σv² and Σv⁴.
    two: Vec<f64>,
    four: Vec<f64>,
    largest: Vec<f64>,
}

impl RowNorms {
    /// What those of so many rows take of memory.
    pub fn bytes(rows: u64) -> u64 {
        rows.saturating_mul(size_of::<Norms>() as u64)
    }

    /// Of a matrix given by its rows.
    pub fn of_rows<'a, T: Scalar>(count: usize, row: impl Fn(usize) -> &'a [T]) -> Self {
        let mut norms = Self::default();
        for i in 0..count {
            let row = row(i);
            norms.push(Norms::of(row.len(), |j| row[j].to_f64()));
        }
        norms
    }

    /// Of a matrix with `rows` rows, given by its columns: every column is read once.
    pub fn of_columns<'a, T: Scalar>(
        rows: usize,
        count: usize,
        column: impl Fn(usize) -> &'a [T],
    ) -> Self {
        /// Rows whose sums stay in the second-level cache.
        const BLOCK: usize = 4096;
        let zeros = || vec![0.0; rows];
        let mut norms = Self {
            two: zeros(),
            four: zeros(),
            largest: zeros(),
        };
        for start in (0..rows).step_by(BLOCK) {
            let block = start..rows.min(start + BLOCK);
            let two = &mut norms.two[block.clone()];
            let four = &mut norms.four[block.clone()];
            let largest = &mut norms.largest[block.clone()];
            for j in 0..count {
                let column = &column(j)[block.clone()];
                let sums = two.iter_mut().zip(&mut *four).zip(&mut *largest);
                for (((two, four), largest), &entry) in sums.zip(column) {
                    let entry = entry.to_f64();
                    let square = entry * entry;
                    *two += square;
                    *four += square * square;
                    *largest = f64::max(*largest, entry.abs());
                }
            }
        }
        for i in 0..rows {
            let Norms { two, four, largest } = norms.get(i);
            norms.set(i, Norms::from_sums(count, two, four, largest));
        }
        norms
    }

    /// Of some of the rows.
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut norms = Self::default();
        for &row in rows {
            norms.push(self.get(row));
        }
        norms
    }

    /// Of one row.
    pub fn get(&self, row: usize) -> Norms {
        Norms {
            two: self.two[row],
            four: self.four[row],
            largest: self.largest[row],
        }
    }

    /// Whether the square sum of every row is finite: then every entry is.
    pub fn are_finite(&self) -> bool {
        self.two.iter().all(|norm| norm.is_finite())
    }

    fn set(&mut self, row: usize, norms: Norms) {
        self.two[row] = norms.two;
        self.four[row] = norms.four;
        self.largest[row] = norms.largest;
    }

    fn push(&mut self, norms: Norms) {
        self.two.push(norms.two);
        self.four.push(norms.four);
        self.largest.push(norms.largest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_bound_weighted_sums_of_squares_and_are_met() {
        for length in [1, 2, 5, 40] {
            for case in 0..200_u32 {
                // From all alike to one that stands out.
                let draw = |which: u32| -> Vec<f64> {
                    let number = |i: u32| f64::from(i * 7 + which + 3 * case).sin();
                    let power = (case / 3 + which) as i32 % 6;
                    (0..length).map(|i| number(i).powi(power)).collect()
                };
                let (v, w) = (draw(0), draw(1));
                let length = length as usize;
                let of = |v: &[f64]| Norms::of(length, |i| v[i]);
                let exact: f64 = v.iter().zip(&w).map(|(v, w)| (v * w).powi(2)).sum();
                let bound = of(&v).weighted(&of(&w));
                assert!(exact.sqrt() <= bound * (1.0 + 1e-14));
                let ones = vec![1.0; length];
                let two = of(&v).weighted(&of(&ones));
                assert!((two - of(&v).two).abs() <= 1e-14 * two);
            }
        }
    }

    #[test]
    fn powers_that_leave_the_range_leave_a_bound() {
        for scale in [1e-200, 1e-100, 1e100, 1e200] {
            let v = [3.0 * scale, 4.0 * scale];
            let norms = Norms::of(2, |i| v[i]);
            let exact = Norms::of(2, |i| [3.0, 4.0][i]);
            assert_eq!(norms.largest, exact.largest * scale);
            for (found, exact) in [(norms.two, exact.two), (norms.four, exact.four)] {
                assert!(found >= exact * scale * (1.0 - 1e-15));
                assert!(found <= 2.0 * exact * scale, "{found} {exact}");
            }
        }
        assert!(Norms::of(2, |i| [1.0, f64::NAN][i]).two.is_nan());
    }

    #[test]
    fn rows_and_columns_give_the_same() {
        let entries = [[1.0_f32, -2.0, 0.5], [0.0, 0.0, 0.0]];
        let columns: Vec<[f32; 2]> = (0..3).map(|j| [entries[0][j], entries[1][j]]).collect();
        let by_rows = RowNorms::of_rows(2, |i| &entries[i]);
        let by_columns = RowNorms::of_columns(2, 3, |j| &columns[j]);
        assert_eq!(by_rows, by_columns);
        assert_eq!(by_rows.get(0).two, 5.25_f64.sqrt());
        assert_eq!(by_rows.get(1), Norms::default());
        assert_eq!(by_rows.select(&[1, 0]).get(1), by_rows.get(0));
    }
}
