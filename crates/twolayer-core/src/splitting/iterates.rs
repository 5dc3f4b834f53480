//! The iterates of the splitting: of one target, of several, or of one on several ways at a time.

use super::TOGETHER;
use crate::lift::Lift;
use crate::{LinearBackend, Scalar, Target, TwoLayer, reduce};
use num_traits::{Float, One, Zero};

/// v, P_affine(v) and what they are computed with, for `count` targets, or for one target with
/// `count` weights. In every vector the entries of one number lie side by side, as
/// [`mul_vecs_transposed`](LinearBackend::mul_vecs_transposed) has them.
///
/// Products of one are of a matrix and a vector, bound by the cache that A1 and Ã lie in; those of
/// several are matrix products, which take less for each.
pub(super) struct Iterates<'a, B: LinearBackend> {
    network: &'a TwoLayer<B>,
    lift: &'a Lift<B>,
    /// ρ of each in the distance ‖Δh‖² + ρ‖Δa‖² by which the graph is projected on.
    weights: Vec<B::Scalar>,
    /// τ: log b − c2 on S, centred (s).
    logits: Vec<B::Scalar>,
    /// v = (h, a).
    pub(super) hidden: Vec<B::Scalar>,
    pub(super) activations: Vec<B::Scalar>,
    /// P_affine(v), and the x that belongs to it.
    affine_hidden: Vec<B::Scalar>,
    affine_activations: Vec<B::Scalar>,
    pub(super) x: Vec<B::Scalar>,
    /// Scratch over the units and over S.
    units: Vec<B::Scalar>,
    residual: Vec<B::Scalar>,
}

/// What belongs to number `k` of `count`.
pub(super) fn part<T: Scalar>(values: &[T], count: usize, k: usize) -> Vec<T> {
    values.iter().skip(k).step_by(count).copied().collect()
}

/// Puts `part` where that of number `k` of `count` is.
pub(super) fn set_part<T: Scalar>(values: &mut [T], count: usize, k: usize, part: &[T]) {
    for (to, &from) in values.iter_mut().skip(k).step_by(count).zip(part) {
        *to = from;
    }
}

/// `part` for each of `count`.
fn repeat<T: Scalar>(part: &[T], count: usize) -> Vec<T> {
    part.iter()
        .flat_map(|&v| std::iter::repeat_n(v, count))
        .collect()
}

/// ρ to begin with, and those that join it. Nothing tells beforehand which of them arrives: a large
/// one comes near a solution soon, and then may circle for long around a pair of points that almost
/// meet; a small one wanders longer and settles later.
pub(super) const WEIGHTS: [f64; TOGETHER] = [2.0, 1.6, 1.3, 1.0, 0.8, 0.65, 0.5, 0.4];

/// τ of a target (s); `None` where an outcome of the lift has the probability 0.
pub(super) fn logits<B: LinearBackend>(
    network: &TwoLayer<B>,
    lift: &Lift<B>,
    target: &Target<B::Scalar>,
) -> Option<Vec<B::Scalar>> {
    let (log_b, bias) = (target.log_probabilities(), network.bias2());
    let mut logits: Vec<_> = lift.outcomes.iter().map(|&i| log_b[i] - bias[i]).collect();
    let mean = reduce::sum(&logits) / B::Scalar::of(logits.len() as f64);
    logits.iter_mut().for_each(|t| *t -= mean);
    reduce::all_finite(&logits).then_some(logits)
}

impl<'a, B: LinearBackend> Iterates<'a, B> {
    /// For the targets with these `logits`, s for each, by the first weight.
    pub(super) fn new(network: &'a TwoLayer<B>, lift: &'a Lift<B>, logits: Vec<B::Scalar>) -> Self {
        let count = logits.len() / lift.outcomes.len();
        let weights = vec![B::Scalar::of(WEIGHTS[0]); count];
        Self::with_weights(network, lift, logits, weights)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.weights.len()
    }

    /// The first target alone, by the first weight, to begin anew.
    pub(super) fn alone(&self) -> Self {
        let logits = part(&self.logits, self.count(), 0);
        Self::new(self.network, self.lift, logits)
    }

    /// One target with every weight: with the first it goes on, with the others it begins at the
    /// pair of `start` (d).
    pub(super) fn spread(&self, start: &[B::Scalar]) -> Self {
        let count = WEIGHTS.len();
        let weights = WEIGHTS.map(B::Scalar::of).to_vec();
        let logits = repeat(&self.logits, count);
        let mut spread = Self::with_weights(self.network, self.lift, logits, weights);
        spread.begin(&repeat(start, count));
        set_part(&mut spread.hidden, count, 0, &self.hidden);
        set_part(&mut spread.activations, count, 0, &self.activations);
        spread
    }

    fn with_weights(
        network: &'a TwoLayer<B>,
        lift: &'a Lift<B>,
        logits: Vec<B::Scalar>,
        weights: Vec<B::Scalar>,
    ) -> Self {
        let count = weights.len();
        let (n, d) = (network.hidden_units(), network.inputs());
        let zeros = |length| vec![B::Scalar::zero(); count * length];
        let mut iterates = Self {
            network,
            lift,
            weights,
            residual: zeros(lift.outcomes.len()),
            logits,
            hidden: zeros(n),
            activations: zeros(n),
            affine_hidden: zeros(n),
            affine_activations: zeros(n),
            x: zeros(d),
            units: zeros(n),
        };
        // One solution only: it is found now.
        if lift.row_inverse.is_none() {
            for k in 0..count {
                let logits = part(&iterates.logits, count, k);
                let solution = lift.activations(network.backend(), &logits);
                set_part(&mut iterates.affine_activations, count, k, &solution);
            }
        }
        iterates
    }

    pub(super) fn network(&self) -> &'a TwoLayer<B> {
        self.network
    }

    /// τ of each target.
    pub(super) fn logits(&self) -> &[B::Scalar] {
        &self.logits
    }

    /// Begins at the pairs of the x in `starts`, d for each.
    pub(super) fn begin(&mut self, starts: &[B::Scalar]) {
        self.x.copy_from_slice(starts);
        self.forward();
        self.hidden.copy_from_slice(&self.affine_hidden);
        for (a, &h) in self.activations.iter_mut().zip(&self.hidden) {
            *a = h.max(B::Scalar::zero());
        }
    }

    /// Goes on for so many iterations, and finds the x of P_affine(v).
    pub(super) fn advance(&mut self, iterations: usize) {
        for _ in 0..iterations {
            self.project_affine();
            self.reflect();
        }
        self.project_hidden();
    }

    /// The one, but for those of `passed_over`, whose x comes nearest to its target's logits, by
    /// ‖Ã φ(A1 x + c1) − τ‖: the number it has among them. Only after [`advance`](Self::advance).
    pub(super) fn nearest(&mut self, passed_over: &[usize]) -> usize {
        if self.count() == 1 {
            return 0;
        }
        let mut activations = std::mem::take(&mut self.units);
        for (a, &h) in activations.iter_mut().zip(&self.affine_hidden) {
            *a = h.max(B::Scalar::zero());
        }
        self.set_residual(&activations);
        self.units = activations;
        let squares = (0..self.count()).map(|k| {
            let residual = part(&self.residual, self.count(), k);
            (k, reduce::dot(&residual, &residual))
        });
        let others = squares.filter(|(k, square)| !passed_over.contains(k) && !square.is_nan());
        let nearest = others.reduce(|nearest, other| match other.1 < nearest.1 {
            true => other,
            false => nearest,
        });
        nearest.map_or(0, |(k, _)| k)
    }

    /// residual ← Ã a − τ.
    fn set_residual(&mut self, a: &[B::Scalar]) {
        let (backend, rows) = (self.network.backend(), &self.lift.rows);
        multiply(backend, rows, self.count(), a, &mut self.residual);
        reduce::axpy(-B::Scalar::one(), &self.logits, &mut self.residual);
    }

    /// affine_activations ← the a nearest to `activations` with Ãa = τ.
    fn project_activations(&mut self, row_inverse: &B::Matrix) {
        let activations = std::mem::take(&mut self.activations);
        self.set_residual(&activations);
        self.activations = activations;
        let (backend, count) = (self.network.backend(), self.count());
        multiply(backend, row_inverse, count, &self.residual, &mut self.units);
        let pairs = self.activations.iter().zip(&self.units);
        for (to, (&a, &correction)) in self.affine_activations.iter_mut().zip(pairs) {
            *to = a - correction;
        }
    }

    /// affine_hidden ← the h nearest to `hidden` with h = A1 x + c1, and its x.
    fn project_hidden(&mut self) {
        let (backend, count) = (self.network.backend(), self.count());
        let units = self.units.chunks_exact_mut(count);
        let pairs = self.hidden.chunks_exact(count).zip(self.network.bias1());
        for (to, (h, &c)) in units.zip(pairs) {
            for (to, &h) in to.iter_mut().zip(h) {
                *to = h - c;
            }
        }
        let inverse = &self.lift.input_inverse;
        multiply(backend, inverse, count, &self.units, &mut self.x);
        self.forward();
    }

    /// affine_hidden ← A1 x + c1.
    fn forward(&mut self) {
        let (backend, count) = (self.network.backend(), self.count());
        let h = &mut self.affine_hidden;
        multiply(backend, &self.lift.inputs, count, &self.x, h);
        for (h, &c) in h.chunks_exact_mut(count).zip(self.network.bias1()) {
            h.iter_mut().for_each(|h| *h += c);
        }
    }

    fn project_affine(&mut self) {
        self.project_hidden();
        let lift = self.lift;
        if let Some(row_inverse) = &lift.row_inverse {
            self.project_activations(row_inverse);
        }
    }

    /// v ← v + P_graph(2 P_affine(v) − v) − P_affine(v).
    fn reflect(&mut self) {
        let two = B::Scalar::of(2.0);
        let weights = self.weights.iter().cycle();
        for (i, &weight) in (0..self.hidden.len()).zip(weights) {
            let (affine_h, affine_a) = (self.affine_hidden[i], self.affine_activations[i]);
            let (h, a) = (self.hidden[i], self.activations[i]);
            let (graph_h, graph_a) =
                nearest_on_graph(weight, two * affine_h - h, two * affine_a - a);
            self.hidden[i] = h + (graph_h - affine_h);
            self.activations[i] = a + (graph_a - affine_a);
        }
    }
}

/// X = Aᵀ Y for `count` vectors.
fn multiply<B: LinearBackend>(
    backend: &B,
    a: &B::Matrix,
    count: usize,
    y: &[B::Scalar],
    x: &mut [B::Scalar],
) {
    match count {
        1 => backend.mul_vec_transposed(a, y, x),
        _ => backend.mul_vecs_transposed(a, count, y, x),
    }
}

/// The point (u, φ(u)) nearest to (h, a) by |h − u|² + ρ|a − φ(u)|²: on the rising branch of the
/// graph or on the flat one.
fn nearest_on_graph<T: Scalar>(weight: T, h: T, a: T) -> (T, T) {
    let zero = T::zero();
    let rising = ((h + weight * a) / (T::one() + weight)).max(zero);
    let flat = h.min(zero);
    let distance = |u: T, v: T| (h - u) * (h - u) + weight * (a - v) * (a - v);
    if distance(rising, rising) < distance(flat, zero) {
        (rising, rising)
    } else {
        (flat, zero)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a search over both branches.
    #[test]
    fn the_nearest_point_of_the_graph_is_nearest() {
        for i in -20..=20 {
            for j in -20..=20 {
                let (h, a) = (0.1 * f64::from(i), 0.1 * f64::from(j));
                for weight in WEIGHTS {
                    let distance = |u: f64, v: f64| (h - u).powi(2) + weight * (a - v).powi(2);
                    let (u, v) = nearest_on_graph(weight, h, a);
                    assert_eq!(v, u.max(0.0));
                    let least = (-400..=400)
                        .map(|k| 0.01 * f64::from(k))
                        .map(|u| distance(u, u.max(0.0)))
                        .fold(f64::INFINITY, f64::min);
                    assert!(distance(u, v) <= least + 1e-12, "({h}, {a})");
                }
            }
        }
    }
}
