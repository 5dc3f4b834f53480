//! The problems of the experiments, planted and real, on one thread of faer.

use crate::error::Error;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use twolayer::{Inversion, LinearBackend, Regularizer, Target, TwoLayer, reduce};
use twolayer_faer::{Faer, FaerScalar};
use twolayer_tests::detector::Detector;
use twolayer_tests::problems::{Planted, rounded};

/// (d, n, m).
pub(super) type Shape = (usize, usize, usize);

/// A network, a target and a weight: what an objective refers to.
pub(super) struct Problem<T: FaerScalar> {
    network: TwoLayer<Faer<T>>,
    target: Target<T>,
    regularizer: Option<Regularizer<T>>,
}

impl<T: FaerScalar> Problem<T> {
    fn new(network: TwoLayer<Faer<T>>, target: Target<T>) -> Self {
        Self {
            network,
            target,
            regularizer: None,
        }
    }

    /// The network's own output at x* is the target.
    pub(super) fn reachable(planted: &Planted) -> Result<Self, Error> {
        let network = planted.network(&Faer::sequential())?;
        let target = planted.target(&network)?;
        Ok(Self::new(network, target))
    }

    /// The target has nothing to do with the network.
    pub(super) fn unrelated(planted: &Planted) -> Result<Self, Error> {
        let network = planted.network(&Faer::sequential())?;
        let target = Target::new(rounded(&planted.unrelated))?;
        Ok(Self::new(network, target))
    }

    /// The same function as the planted network's in the cell of x*, and linear in x everywhere:
    /// logits Z x + e with Z = A2 diag(s*) A1. Its units are x + 1000, which stays positive.
    pub(super) fn frozen(planted: &Planted) -> Result<Self, Error> {
        const SHIFT: f64 = 1e3;
        let (d, n, m) = planted.shape;
        let [a1, c1, a2, c2] = planted.weights();
        let rows: Vec<&[f64]> = a1.chunks(d).collect();
        let on: Vec<usize> = (0..n)
            .filter(|&i| reduce::dot(rows[i], &planted.solution) + c1[i] > 0.0)
            .collect();
        let (mut z, mut e) = (vec![0.0; m * d], c2.to_vec());
        for (j, row) in z.chunks_mut(d).enumerate() {
            for &i in &on {
                let weight = a2[j * n + i];
                reduce::axpy(weight, rows[i], row);
                e[j] += weight * c1[i];
            }
            e[j] -= SHIFT * row.iter().sum::<f64>();
        }
        let backend = Faer::sequential();
        let (mut first, mut second) = (backend.zeros(d, d), backend.zeros(m, d));
        let identity: Vec<f64> = (0..d * d)
            .map(|at| f64::from(u8::from(at / d == at % d)))
            .collect();
        backend.copy_from_row_major(&rounded(&identity), &mut first);
        backend.copy_from_row_major(&rounded(&z), &mut second);
        let network = TwoLayer::new(backend, first, second)?
            .with_biases(vec![T::of(SHIFT); d], rounded(&e))?;
        let target = Target::new(network.probabilities(&rounded(&planted.solution))?)?;
        Ok(Self::new(network, target))
    }

    /// One target of the language detector.
    pub(super) fn detector(detector: &Detector, index: usize) -> Result<Self, Error> {
        let network = detector.network(&Faer::sequential())?;
        let b = detector.targets().nth(index);
        let b = b.ok_or_else(|| Error::Data(format!("there is no target {index}")))?;
        Ok(Self::new(network, Target::new(rounded(b))?))
    }

    /// The same with one weight w for all outcomes; none where it is 0.
    pub(super) fn with_weight(mut self, weight: f64) -> Result<Self, Error> {
        let outcomes = self.network.outcomes();
        self.regularizer = match weight > 0.0 {
            true => Some(Regularizer::uniform(T::of(weight), outcomes)?),
            false => None,
        };
        Ok(self)
    }

    /// What a solver sees, with the squared loss.
    pub(super) fn objective(&self) -> Result<Inversion<'_, Faer<T>>, Error> {
        let objective = Inversion::new(&self.network, &self.target)?;
        Ok(match &self.regularizer {
            Some(regularizer) => objective.with_regularizer(regularizer)?,
            None => objective,
        })
    }

    /// The distance of x from the nearest kink, min |hᵢ|/‖aᵢ‖.
    pub(super) fn kink_distance(&self, x: &[f64]) -> f64 {
        let (backend, a1) = (self.network.backend(), self.network.a1());
        let d = x.len();
        let mut rows = vec![T::of(0.0); self.network.hidden_units() * d];
        backend.copy_to_row_major(a1, &mut rows);
        let distance = |(row, &c): (&[T], &T)| {
            let row: Vec<f64> = row.iter().map(|&a| a.to_f64()).collect();
            (reduce::dot(&row, x) + c.to_f64()).abs() / reduce::norm(&row)
        };
        let distances = rows.chunks(d).zip(self.network.bias1()).map(distance);
        distances.fold(f64::INFINITY, f64::min)
    }
}

/// Reads the detector of `data/`.
pub(super) fn read_detector(file: &str) -> Result<Detector, Error> {
    Detector::read(file).map_err(Error::Detector)
}

/// Independent standard normal numbers.
pub(super) fn normal(count: usize, seed: u64) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| random.sample(StandardNormal)).collect()
}

/// x + `relative`·‖x‖ in a random direction.
pub(super) fn away(x: &[f64], relative: f64, seed: u64) -> Vec<f64> {
    let direction = normal(x.len(), seed);
    let scale = relative * reduce::norm(x) / reduce::norm(&direction);
    let mut start = x.to_vec();
    reduce::axpy(scale, &direction, &mut start);
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use twolayer::Objective;

    #[test]
    fn a_frozen_network_is_the_planted_one_in_its_cell() {
        let planted = Planted::new((6, 24, 40), true, 3);
        let (moving, frozen) = (
            Problem::<f64>::reachable(&planted).unwrap(),
            Problem::<f64>::frozen(&planted).unwrap(),
        );
        let inside =
            0.5 * moving.kink_distance(&planted.solution) / reduce::norm(&planted.solution);
        let near = away(&planted.solution, inside, 1);
        let output = |problem: &Problem<f64>, x: &[f64]| problem.network.probabilities(x).unwrap();
        // Logits of a sum of 1000 Z and its opposite: 1e3·‖Z‖·u.
        for (a, b) in output(&moving, &near).iter().zip(output(&frozen, &near)) {
            assert!((a - b).abs() < 1e-11, "{a} {b}");
        }
        let problem = frozen.objective().unwrap();
        let (mut far, mut at) = (problem.new_evaluation(), problem.new_evaluation());
        problem.evaluate(&away(&planted.solution, 10.0, 2), &[], &mut far);
        problem.evaluate(&near, &[], &mut at);
        assert_eq!(twolayer_core::Evaluation::flips_from(&far, &at), 0);
    }
}
