//! Other starts, and how many different answers they lead to.

use super::{Nearest, NearestAnswer, NearestStatus};
use num_traits::{Float, Zero};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_core::{LinearBackend, Scalar, reduce};

/// A start in a cube around x_ref, about twice as far from it as the best answer so far.
pub(super) fn random<B: LinearBackend>(
    nearest: &Nearest<'_, B>,
    best: &NearestAnswer<B::Scalar>,
    seed: u64,
    number: usize,
) -> Vec<B::Scalar> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number as u64);
    let d = nearest.reference.len();
    let moved: Vec<_> = best
        .x
        .iter()
        .zip(&nearest.reference)
        .map(|(&x, &r)| x - r)
        .collect();
    let length = reduce::norm(&moved).to_f64();
    let length = if length > 0.0 && length.is_finite() {
        length
    } else {
        1.0
    };
    let spread = 2.0 * length * (3.0 / d as f64).sqrt();
    nearest
        .reference
        .iter()
        .map(|r| r.to_f64() + spread * random.random_range(-1.0..1.0))
        .map(B::Scalar::of)
        .collect()
}

/// The answers that are not the same to a part of 10⁻⁶ (in single precision 10⁻³) of their distance.
pub(super) struct Distinct<'p, 'a, B: LinearBackend> {
    nearest: &'p Nearest<'a, B>,
    found: Vec<Vec<B::Scalar>>,
}

impl<'p, 'a, B: LinearBackend> Distinct<'p, 'a, B> {
    pub(super) fn new(nearest: &'p Nearest<'a, B>) -> Self {
        let found = Vec::new();
        Self { nearest, found }
    }

    pub(super) fn add(&mut self, answer: &NearestAnswer<B::Scalar>) {
        if answer.status != NearestStatus::Nearest {
            return;
        }
        let part = B::Scalar::UNIT_ROUNDOFF.powf(B::Scalar::of(0.4));
        let is_same = |x: &Vec<B::Scalar>| {
            let pairs = x.iter().zip(&answer.x).zip(&self.nearest.scales);
            let apart: Vec<_> = pairs.map(|((&x, &y), &scale)| scale * (x - y)).collect();
            reduce::norm(&apart) <= part * answer.distance.max(B::Scalar::zero())
        };
        if !self.found.iter().any(is_same) {
            self.found.push(answer.x.clone());
        }
    }

    pub(super) fn count(&self) -> usize {
        self.found.len()
    }
}
