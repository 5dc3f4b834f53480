//! A random choice of rows, heavy ones first.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_core::{Scalar, reduce};

/// Draws a fixed number s of m rows, row i with probability pᵢ = min(1, c·importanceᵢ), Σ pᵢ = s.
///
/// With each drawn row divided by its pᵢ, Σ over the sample has the sum over all rows as its
/// expectation. The draw is systematic (W. G. Madow, "On the theory of systematic sampling, II",
/// 1949): one random number places a comb of s teeth on the line of the cumulated pᵢ. No row is
/// drawn twice, rows with pᵢ = 1 are always in, and the size never varies, so that nothing has to
/// be allocated.
#[derive(Debug, Clone)]
pub(super) struct RowSample<T> {
    random: ChaCha8Rng,
    seed: u64,
    /// The rows drawn, increasing; fewer than s where fewer have any importance.
    pub(super) rows: Vec<usize>,
    /// 1/p of each.
    pub(super) multiplicity: Vec<T>,
    size: usize,
}

impl<T: Scalar> RowSample<T> {
    /// Buffers for samples of `size` rows.
    pub(super) fn new(size: usize, seed: u64) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            seed,
            rows: Vec::with_capacity(size + 1),
            multiplicity: Vec::with_capacity(size + 1),
            size,
        }
    }

    /// Begins the sequence of draws again.
    pub(super) fn rewind(&mut self) {
        self.random = ChaCha8Rng::seed_from_u64(self.seed);
    }

    /// How far the sequence of draws is.
    pub(super) fn position(&self) -> u64 {
        // Two words a draw: no solve comes near the end of 64 bits.
        self.random.get_word_pos() as u64
    }

    /// Goes on from a [`position`](RowSample::position).
    pub(super) fn go_to(&mut self, position: u64) {
        self.rewind();
        self.random.set_word_pos(position.into());
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Draws so many rows from now on.
    pub(super) fn resize(&mut self, size: usize) {
        self.size = size;
        self.rows.reserve(size + 1);
        self.multiplicity.reserve(size + 1);
    }

    /// Draws anew. The importances are not negative.
    pub(super) fn draw(&mut self, importance: &[T]) {
        let scale = self.scale(importance);
        let offset = self.random.random_range(0.0..1.0);
        self.rows.clear();
        self.multiplicity.clear();
        // In double precision: a running sum of m terms must not lose a tooth.
        let mut passed = 0.0;
        let mut tooth = offset;
        for (row, &importance) in importance.iter().enumerate() {
            let p = (scale * importance.to_f64()).min(1.0);
            passed += p;
            if p > 0.0 && passed > tooth {
                tooth += 1.0;
                self.rows.push(row);
                self.multiplicity.push(T::of(1.0 / p));
            }
        }
        // Rounding of the sum may let one tooth too many in.
        self.rows.truncate(self.size);
        self.multiplicity.truncate(self.size);
    }

    /// c with Σ min(1, c·importanceᵢ) = s, or one that takes in every row of any importance.
    fn scale(&self, importance: &[T]) -> f64 {
        let size = self.size as f64;
        let mut scale = 0.0;
        // c rises until no further row reaches probability one: some rounds in practice.
        loop {
            let capped = |i: usize| scale * importance[i].to_f64() >= 1.0;
            let sure = (0..importance.len()).filter(|&i| capped(i)).count() as f64;
            let rest = reduce::sum_of(importance.len(), |i| {
                if capped(i) {
                    0.0
                } else {
                    importance[i].to_f64()
                }
            });
            let next = (size - sure) / rest;
            // Nothing is left to share the rest: then all that count are in already.
            if !next.is_finite() || next <= 0.0 {
                return scale.max(f64::MIN_POSITIVE);
            }
            if next <= scale * (1.0 + 1e-12) {
                return scale;
            }
            scale = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavy_rows_are_sure_and_the_size_is_kept() {
        let importance: Vec<f64> = (0..1000)
            .map(|i| if i % 100 == 7 { 50.0 } else { 1.0 })
            .collect();
        let mut sample = RowSample::new(60, 3);
        for _ in 0..20 {
            sample.draw(&importance);
            assert_eq!(sample.rows.len(), 60);
            assert!((0..10).all(|k| sample.rows.contains(&(100 * k + 7))));
            assert!(sample.rows.windows(2).all(|pair| pair[0] < pair[1]));
            for (row, multiplicity) in sample.rows.iter().zip(&sample.multiplicity) {
                let expected = if row % 100 == 7 { 1.0 } else { 990.0 / 50.0 };
                assert!((multiplicity - expected).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn the_expectation_is_the_sum() {
        let importance: Vec<f64> = (0..200).map(|i| f64::from(i % 17)).collect();
        let value = |i: usize| (i as f64).sin() * importance[i];
        let total: f64 = (0..200).map(value).sum();
        let mut sample = RowSample::new(30, 0);
        let draws = 4000;
        let mut mean = 0.0;
        for _ in 0..draws {
            sample.draw(&importance);
            let pairs = sample.rows.iter().zip(&sample.multiplicity);
            mean += pairs.map(|(&i, m)| m * value(i)).sum::<f64>() / f64::from(draws);
        }
        // One draw varies by about √(Σ value²/p) = 200; the mean of them by 200/√4000 = 3.
        assert!((mean - total).abs() < 15.0, "{mean} {total}");
    }

    #[test]
    fn all_rows_are_drawn_where_few_count() {
        let mut sample = RowSample::new(5, 1);
        sample.draw(&[0.0, 1e-30, 0.0, 2.0_f64]);
        assert_eq!(sample.rows, [1, 3]);
        assert_eq!(sample.multiplicity, [1.0, 1.0]);
        sample.draw(&[0.0; 4]);
        assert!(sample.rows.is_empty());
    }
}
