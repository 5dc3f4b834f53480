//! Seeded random problems, the same numbers for every backend.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use twolayer::{Error, LinearBackend, Scalar, Target, TwoLayer};

/// A network with Gaussian weights, A1 ~ N(0, 1/d), A2 ~ N(0, 18/n), biases if asked for, and a
/// planted input x* ~ N(0, I).
#[derive(Debug, Clone)]
pub struct Planted {
    /// (d, n, m).
    pub shape: (usize, usize, usize),
    a1: Vec<f64>,
    a2: Vec<f64>,
    bias1: Vec<f64>,
    bias2: Vec<f64>,
    /// x* (d).
    pub solution: Vec<f64>,
    /// x* + 0.1 N(0, I) (d).
    pub start: Vec<f64>,
    /// A distribution that has nothing to do with the network (m).
    pub unrelated: Vec<f64>,
}

impl Planted {
    /// The problem of a shape (d, n, m) and a seed.
    pub fn new(shape: (usize, usize, usize), biased: bool, seed: u64) -> Self {
        let (d, n, m) = shape;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = |count: usize, scale: f64| -> Vec<f64> {
            (0..count)
                .map(|_| scale * random.sample::<f64, _>(StandardNormal))
                .collect()
        };
        let a1 = normal(n * d, (1.0 / d as f64).sqrt());
        let a2 = normal(m * n, (18.0 / n as f64).sqrt());
        let bias = if biased { 0.5 } else { 0.0 };
        let (bias1, bias2) = (normal(n, bias), normal(m, bias));
        let solution = normal(d, 1.0);
        let start = normal(d, 0.1)
            .iter()
            .zip(&solution)
            .map(|(p, x)| p + x)
            .collect();
        let weights: Vec<f64> = normal(m, 1.0).iter().map(|v| v.exp()).collect();
        let total: f64 = weights.iter().sum();
        let unrelated = weights.iter().map(|v| v / total).collect();
        Self {
            shape,
            a1,
            a2,
            bias1,
            bias2,
            solution,
            start,
            unrelated,
        }
    }

    /// A1, c1, A2 and c2, row after row.
    pub fn weights(&self) -> [&[f64]; 4] {
        [&self.a1, &self.bias1, &self.a2, &self.bias2]
    }

    /// The network on a backend.
    ///
    /// # Errors
    /// As [`TwoLayer::new`].
    pub fn network<B: LinearBackend>(&self, backend: &B) -> Result<TwoLayer<B>, Error> {
        let (d, n, m) = self.shape;
        let (mut a1, mut a2) = (backend.zeros(n, d), backend.zeros(m, n));
        backend.copy_from_row_major(&rounded(&self.a1), &mut a1);
        backend.copy_from_row_major(&rounded(&self.a2), &mut a2);
        TwoLayer::new(backend.clone(), a1, a2)?
            .with_biases(rounded(&self.bias1), rounded(&self.bias2))
    }

    /// The network's own output at x*.
    ///
    /// # Errors
    /// As [`Target::new`].
    pub fn target<B: LinearBackend>(
        &self,
        network: &TwoLayer<B>,
    ) -> Result<Target<B::Scalar>, Error> {
        Target::new(network.probabilities(&rounded(&self.solution))?)
    }
}

/// Doubles, rounded to the precision asked for.
pub fn rounded<T: Scalar>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&v| T::of(v)).collect()
}
