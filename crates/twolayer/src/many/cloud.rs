//! Random starts, from where solutions lie.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::marker::PhantomData;
use twolayer_core::{Scalar, reduce};

/// Where the solutions of a network's targets lie: in each coordinate their mean and their standard
/// deviation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cloud {
    places: Vec<(f64, f64)>,
}

impl Cloud {
    /// That of some solutions (d each). Sums are rounded in the order in which they are handed in: it
    /// should follow from nothing but the solutions themselves. `None` of fewer than two.
    pub(super) fn of<T: Scalar>(solutions: &[&[T]]) -> Option<Self> {
        let count = solutions.len();
        let d = solutions.first().filter(|_| count > 1)?.len();
        let mean_of = |term: &dyn Fn(usize) -> f64| reduce::sum_of(count, term) / count as f64;
        let places = (0..d).map(|i| {
            let at = |k: usize| solutions[k][i].to_f64();
            let mean = mean_of(&at);
            (mean, mean_of(&|k| (at(k) - mean).powi(2)).sqrt())
        });
        Some(Self {
            places: places.collect(),
        })
    }

    /// That of a single start x0 (d): as wide as x0 is long, or 1 where that is more.
    fn around<T: Scalar>(x0: &[T]) -> Self {
        let width = reduce::norm(x0).to_f64().max(1.0) / (x0.len() as f64).sqrt();
        Self {
            places: x0.iter().map(|&x| (x.to_f64(), width)).collect(),
        }
    }
}

/// The random starts of a target, without end.
///
/// They follow from the seed, the target's b and x0 and the cloud, and not from its number: a target
/// has the same ones wherever it stands.
pub(super) struct RandomStarts<'s, T> {
    cloud: Cow<'s, Cloud>,
    random: ChaCha8Rng,
    scalar: PhantomData<T>,
}

impl<'s, T: Scalar> RandomStarts<'s, T> {
    /// Around x0 where there is no cloud.
    pub(super) fn new(seed: u64, b: &[T], x0: &[T], cloud: Option<&'s Cloud>) -> Self {
        let mut digest = Sha256::new();
        digest.update(seed.to_le_bytes());
        for &value in b.iter().chain(x0) {
            // −0 is 0.
            digest.update((value.to_f64() + 0.0).to_le_bytes());
        }
        Self {
            cloud: cloud.map_or_else(|| Cow::Owned(Cloud::around(x0)), Cow::Borrowed),
            random: ChaCha8Rng::from_seed(digest.finalize().into()),
            scalar: PhantomData,
        }
    }
}

impl<T: Scalar> Iterator for RandomStarts<'_, T> {
    type Item = Vec<T>;

    fn next(&mut self) -> Option<Vec<T>> {
        // Uniform, of the cloud's variance.
        let reach = 3.0_f64.sqrt();
        let random = &mut self.random;
        let mut draw = |&(mean, width)| T::of(mean + width * random.random_range(-reach..reach));
        Some(self.cloud.places.iter().map(&mut draw).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test's way to fail")]
mod tests {
    use super::*;

    #[test]
    fn starts_are_drawn_from_where_solutions_lie() {
        let solutions: Vec<_> = (0..100).map(|k| [5.0, f64::from(k % 2)]).collect();
        let solutions: Vec<&[f64]> = solutions.iter().map(|x| &x[..]).collect();
        let cloud = Cloud::of(&solutions).unwrap();
        assert_eq!(cloud.places, [(5.0, 0.0), (0.5, 0.5)]);
        let draws = |seed, b: &[f64], x0: &[f64]| -> Vec<Vec<f64>> {
            let starts = RandomStarts::new(seed, b, x0, Some(&cloud));
            starts.take(200).collect()
        };
        let (b, x0) = ([0.25, 0.75], [0.0, 1.0]);
        let drawn = draws(7, &b, &x0);
        assert!(drawn.iter().all(|x| x[0] == 5.0));
        let mean = drawn.iter().map(|x| x[1]).sum::<f64>() / 200.0;
        // The standard error of the mean of 200 draws of width ½ is 0.035.
        assert!((mean - 0.5).abs() < 0.15, "{mean}");
        assert!(drawn.iter().all(|x| (x[1] - 0.5).abs() <= 0.75_f64.sqrt()));
        assert_ne!(drawn[0], drawn[1]);
        assert_eq!(drawn, draws(7, &b, &[-0.0, 1.0]));
        // Another seed, another b, another x0.
        for other in [
            draws(8, &b, &x0),
            draws(7, &[0.75, 0.25], &x0),
            draws(7, &b, &[0.0, 2.0]),
        ] {
            assert_ne!(drawn[0], other[0]);
        }
    }

    #[test]
    fn one_solution_is_no_cloud() {
        assert_eq!(Cloud::of::<f64>(&[]), None);
        assert_eq!(Cloud::of(&[&[1.0_f64, 2.0][..]]), None);
        let starts = RandomStarts::new(0, &[1.0], &[3.0, 4.0, 0.0, 0.0], None);
        for start in starts.take(50) {
            // A width of 5/√4, times √3.
            let near = |x: f64, at: f64| (x - at).abs() <= 2.5 * 3.0_f64.sqrt();
            assert!(near(start[0], 3.0) && near(start[1], 4.0) && near(start[3], 0.0));
        }
    }
}
