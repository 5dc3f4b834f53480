//! Seeded random networks of any depth, the same numbers for every backend.

use crate::problems::rounded;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use twolayer::{ActivationName, DeepNetwork, Error, LinearBackend, Scalar, Target};

/// Gaussian weights of variance 1/d in the first layer, 2/n in those between and 18/n in the last, biases of
/// variance ¼, and a planted input x* ~ N(0, I).
#[derive(Debug, Clone)]
pub struct PlantedDeep {
    /// d, n_1 … m.
    pub widths: Vec<usize>,
    /// Of the hidden layers.
    pub activations: Vec<ActivationName>,
    weights: Vec<Vec<f64>>,
    biases: Vec<Vec<f64>>,
    /// x* (d).
    pub solution: Vec<f64>,
    /// x* + 0.1 N(0, I) (d).
    pub start: Vec<f64>,
    /// N(0, I), which has nothing to do with x* (d).
    pub far: Vec<f64>,
}

impl PlantedDeep {
    /// The problem of these widths, activations and a seed.
    pub fn new(widths: &[usize], activations: &[ActivationName], seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = |count: usize, variance: f64| -> Vec<f64> {
            (0..count)
                .map(|_| variance.sqrt() * random.sample::<f64, _>(StandardNormal))
                .collect()
        };
        let layers = widths.len() - 1;
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for (layer, pair) in widths.windows(2).enumerate() {
            let gain = match layer {
                0 => 1.0,
                _ if layer == layers - 1 => 18.0,
                _ => 2.0,
            };
            weights.push(normal(pair[0] * pair[1], gain / pair[0] as f64));
            biases.push(normal(pair[1], 0.25));
        }
        let solution = normal(widths[0], 1.0);
        let near = normal(widths[0], 0.01);
        Self {
            widths: widths.to_vec(),
            activations: activations.to_vec(),
            weights,
            biases,
            start: near.iter().zip(&solution).map(|(p, x)| p + x).collect(),
            solution,
            far: normal(widths[0], 1.0),
        }
    }

    /// The matrices, row after row, and the biases.
    pub fn layers(&self) -> (&[Vec<f64>], &[Vec<f64>]) {
        (&self.weights, &self.biases)
    }

    /// The network on a backend.
    ///
    /// # Errors
    /// As [`DeepNetwork::new`].
    pub fn network<B: LinearBackend>(&self, backend: &B) -> Result<DeepNetwork<B>, Error> {
        let shapes = self.widths.windows(2);
        let weights = self.weights.iter().zip(shapes).map(|(entries, pair)| {
            let mut weights = backend.zeros(pair[1], pair[0]);
            backend.copy_from_row_major(&rounded(entries), &mut weights);
            weights
        });
        let activations = self.activations.iter().map(|name| name.make());
        DeepNetwork::new(backend.clone(), weights.collect(), activations.collect())?
            .with_biases(self.biases.iter().map(|bias| rounded(bias)).collect())
    }

    /// The network's own output at x*.
    ///
    /// # Errors
    /// As [`DeepNetwork::probabilities`].
    pub fn target<B: LinearBackend>(
        &self,
        network: &DeepNetwork<B>,
    ) -> Result<Target<B::Scalar>, Error> {
        Target::new(network.probabilities(&rounded(&self.solution))?)
    }

    /// What every error of a first derivative is measured by: the product of the layers' norms.
    pub fn steepness(&self) -> f64 {
        let norms = self.weights.iter().zip(self.widths.windows(2));
        norms
            .map(|(entries, pair)| {
                let squares: f64 = entries.iter().map(|a| a * a).sum();
                (squares / pair[1].min(pair[0]) as f64).sqrt().to_f64()
            })
            .product()
    }
}
