//! The iterates of the splitting: of one target, of several, or of one on several ways at a time.

use crate::network::TwoLayer;
use crate::starts::lift::Lift;
use num_traits::{Float, One, Zero};
use twolayer_core::{LinearBackend, Scalar, reduce};

/// Iterations that go on beside each other: of one target with several metrics, or the first bursts
/// of several targets. There are always so many, of zeros where targets are missing, because a
/// product's bits depend on its width. Enough for the products to be bound by arithmetic where A1
/// comes from cache, and few enough for one target not to cost more together with zeros than alone.
pub const TOGETHER: usize = 8;

/// v, P_affine(v) and what they are computed with, for `count` targets, or for one target with
/// `count` weights. In every vector the entries of one number lie side by side, as
/// [`mul_vecs_transposed`](LinearBackend::mul_vecs_transposed) has them.
///
/// The iteration is in single precision, where descents begin and none ends: it waits for the cache
/// that its projections lie in, and has half as many bytes to wait for. What it begins with (τ and the
/// shortest a with Ãa = τ) and what it ends with (x) are computed in the precision of the network.
pub(super) struct Iterates<'a, B: LinearBackend> {
    network: &'a TwoLayer<B>,
    backend: B::Single,
    lift: &'a Lift<B>,
    /// ρ of each in the distance ‖Δh‖² + ρ‖Δa‖² by which the graph is projected on.
    weights: Vec<f32>,
    /// τ: log b − c2 on S, centred (s).
    logits: Vec<B::Scalar>,
    /// The shortest a with Ãa = τ (n).
    shortest: Vec<f32>,
    /// c1 (n).
    bias: Vec<f32>,
    /// v = (h, a).
    pub(super) hidden: Vec<f32>,
    pub(super) activations: Vec<f32>,
    /// P_affine(v), and the x that belongs to it.
    affine_hidden: Vec<f32>,
    affine_activations: Vec<f32>,
    pub(super) x: Vec<B::Scalar>,
    /// Scratch over the units, and over what the projections project on.
    units: Vec<f32>,
    inner: Vec<f32>,
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

/// Numbers in single precision.
fn rounded<T: Scalar>(values: &[T]) -> Vec<f32> {
    values.iter().map(|&v| f32::of(v.to_f64())).collect()
}

/// Numbers in the precision of the network.
fn widened<T: Scalar>(values: &[f32]) -> Vec<T> {
    values.iter().map(|&v| T::of(v.to_f64())).collect()
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
pub(super) const WEIGHTS: [f32; TOGETHER] = [2.0, 1.6, 1.3, 1.0, 0.8, 0.65, 0.5, 0.4];

impl<'a, B: LinearBackend> Iterates<'a, B> {
    /// For the targets with these `logits`, s for each, by the first weight.
    pub(super) fn new(network: &'a TwoLayer<B>, lift: &'a Lift<B>, logits: Vec<B::Scalar>) -> Self {
        let count = logits.len() / lift.outcomes.len();
        let backend = network.backend();
        let mut shortest = vec![0.0; count * network.hidden_units()];
        for k in 0..count {
            let tau = part(&logits, count, k);
            let activations = rounded(&lift.activations(backend, &tau));
            set_part(&mut shortest, count, k, &activations);
        }
        let weights = vec![WEIGHTS[0]; count];
        Self::with_weights(network, lift, logits, shortest, weights)
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
    /// pair of `start` (d) and at that of x = 0 by turns. On some targets all that begin at one point
    /// go round between the same pairs of points that almost meet, whatever their weights.
    pub(super) fn spread(&self, start: &[B::Scalar]) -> Self {
        let count = WEIGHTS.len();
        let logits = repeat(&self.logits, count);
        let shortest = repeat(&self.shortest, count);
        let (network, lift, weights) = (self.network, self.lift, WEIGHTS.to_vec());
        let mut spread = Self::with_weights(network, lift, logits, shortest, weights);
        let (mut starts, zero) = (repeat(start, count), vec![B::Scalar::zero(); start.len()]);
        for k in (1..count).step_by(2) {
            set_part(&mut starts, count, k, &zero);
        }
        spread.begin(&starts);
        set_part(&mut spread.hidden, count, 0, &self.hidden);
        set_part(&mut spread.activations, count, 0, &self.activations);
        spread
    }

    fn with_weights(
        network: &'a TwoLayer<B>,
        lift: &'a Lift<B>,
        logits: Vec<B::Scalar>,
        shortest: Vec<f32>,
        weights: Vec<f32>,
    ) -> Self {
        let (count, backend) = (weights.len(), network.backend().single());
        let (n, d) = (network.hidden_units(), network.inputs());
        let zeros = |length| vec![0.0; count * length];
        let rows = lift.row_projection.as_ref();
        let inner = d.max(rows.map_or(0, |rows| rows.dimension(&backend)));
        Self {
            network,
            lift,
            weights,
            logits,
            hidden: zeros(n),
            activations: zeros(n),
            affine_hidden: zeros(n),
            // Where there is no other.
            affine_activations: shortest.clone(),
            shortest,
            bias: rounded(network.bias1()),
            x: vec![B::Scalar::zero(); count * d],
            units: zeros(n),
            inner: zeros(inner),
            backend,
        }
    }

    pub(super) fn network(&self) -> &'a TwoLayer<B> {
        self.network
    }

    pub(super) fn lift(&self) -> &'a Lift<B> {
        self.lift
    }

    /// τ of each target.
    pub(super) fn logits(&self) -> &[B::Scalar] {
        &self.logits
    }

    /// Begins at the pairs of the x in `starts`, d for each.
    pub(super) fn begin(&mut self, starts: &[B::Scalar]) {
        self.x.copy_from_slice(starts);
        let (backend, count) = (self.network.backend(), self.count());
        let mut hidden = vec![B::Scalar::zero(); self.network.hidden_units()];
        for k in 0..count {
            backend.mul_vec(self.network.a1(), &part(starts, count, k), &mut hidden);
            reduce::axpy(B::Scalar::one(), self.network.bias1(), &mut hidden);
            set_part(&mut self.hidden, count, k, &rounded(&hidden));
        }
        self.affine_hidden.copy_from_slice(&self.hidden);
        for (a, &h) in self.activations.iter_mut().zip(&self.hidden) {
            *a = h.max(0.0);
        }
    }

    /// Goes on for so many iterations, and finds the x of P_affine(v).
    pub(super) fn advance(&mut self, iterations: usize) {
        for _ in 0..iterations {
            self.project_hidden();
            self.project_activations();
            self.reflect();
        }
        self.find_inputs();
    }

    /// The one, but for those of `passed_over`, whose x comes nearest to its target's logits, by
    /// ‖Ã φ(A1 x + c1) − τ‖: the number it has among them. Only after [`advance`](Self::advance).
    pub(super) fn nearest(&mut self, passed_over: &[usize]) -> usize {
        let count = self.count();
        if count == 1 {
            return 0;
        }
        self.project_hidden();
        let (backend, rows) = (self.network.backend(), &self.lift.rows);
        let mut residual = vec![B::Scalar::zero(); self.lift.outcomes.len()];
        let squares = (0..count).map(|k| {
            let mut activations: Vec<B::Scalar> = widened(&part(&self.affine_hidden, count, k));
            for a in &mut activations {
                *a = a.max(B::Scalar::zero());
            }
            backend.mul_vec_transposed(rows, &activations, &mut residual);
            let logits = part(&self.logits, count, k);
            reduce::axpy(-B::Scalar::one(), &logits, &mut residual);
            (k, reduce::dot(&residual, &residual))
        });
        let others = squares.filter(|(k, square)| !passed_over.contains(k) && !square.is_nan());
        let nearest = others.reduce(|nearest, other| match other.1 < nearest.1 {
            true => other,
            false => nearest,
        });
        nearest.map_or(0, |(k, _)| k)
    }

    /// affine_activations ← the a nearest to `activations` with Ãa = τ.
    fn project_activations(&mut self) {
        let Some(rows) = &self.lift.row_projection else {
            return;
        };
        let (count, a) = (self.count(), &self.activations);
        let inner = &mut self.inner[..count * rows.dimension(&self.backend)];
        rows.apply(&self.backend, count, a, inner, &mut self.units);
        let terms = a.iter().zip(&self.units).zip(&self.shortest);
        for (to, ((&a, &determined), &shortest)) in self.affine_activations.iter_mut().zip(terms) {
            *to = (a - determined) + shortest;
        }
    }

    /// affine_hidden ← the h nearest to `hidden` with h = A1 x + c1.
    fn project_hidden(&mut self) {
        let count = self.count();
        let units = self.units.chunks_exact_mut(count);
        let pairs = self.hidden.chunks_exact(count).zip(&self.bias);
        for (to, (h, &c)) in units.zip(pairs) {
            for (to, &h) in to.iter_mut().zip(h) {
                *to = h - c;
            }
        }
        let inputs = &self.lift.input_projection;
        let inner = &mut self.inner[..count * self.network.inputs()];
        let h = &mut self.affine_hidden;
        inputs.apply(&self.backend, count, &self.units, inner, h);
        for (h, &c) in h.chunks_exact_mut(count).zip(&self.bias) {
            h.iter_mut().for_each(|h| *h += c);
        }
    }

    /// The x with A1 x + c1 nearest to `hidden`.
    fn find_inputs(&mut self) {
        let (count, network) = (self.count(), self.network);
        let mut x = vec![B::Scalar::zero(); network.inputs()];
        for k in 0..count {
            let mut hidden = widened(&part(&self.hidden, count, k));
            reduce::axpy(-B::Scalar::one(), network.bias1(), &mut hidden);
            self.lift.inputs(network, &hidden, &mut x);
            set_part(&mut self.x, count, k, &x);
        }
    }

    /// v ← v + P_graph(2 P_affine(v) − v) − P_affine(v).
    fn reflect(&mut self) {
        const TWO: f32 = 2.0;
        let weights = self.weights.iter().cycle();
        for (i, &weight) in (0..self.hidden.len()).zip(weights) {
            let (affine_h, affine_a) = (self.affine_hidden[i], self.affine_activations[i]);
            let (h, a) = (self.hidden[i], self.activations[i]);
            let (graph_h, graph_a) =
                nearest_on_graph(weight, TWO * affine_h - h, TWO * affine_a - a);
            self.hidden[i] = h + (graph_h - affine_h);
            self.activations[i] = a + (graph_a - affine_a);
        }
    }
}

/// The point (u, φ(u)) nearest to (h, a) by |h − u|² + ρ|a − φ(u)|²: on the rising branch of the
/// graph or on the flat one.
fn nearest_on_graph(weight: f32, h: f32, a: f32) -> (f32, f32) {
    let rising = ((h + weight * a) / (1.0 + weight)).max(0.0);
    let flat = h.min(0.0);
    let distance = |u: f32, v: f32| (h - u) * (h - u) + weight * (a - v) * (a - v);
    if distance(rising, rising) < distance(flat, 0.0) {
        (rising, rising)
    } else {
        (flat, 0.0)
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
                    let (u, v) = nearest_on_graph(weight, h as f32, a as f32);
                    let [weight, u, v] = [weight, u, v].map(f64::from);
                    let distance = |u: f64, v: f64| (h - u).powi(2) + weight * (a - v).powi(2);
                    assert_eq!(v, u.max(0.0));
                    let least = (-400..=400)
                        .map(|k| 0.01 * f64::from(k))
                        .map(|u| distance(u, u.max(0.0)))
                        .fold(f64::INFINITY, f64::min);
                    // Coordinates of a few units, rounded a few times, in a square.
                    let rounding = 16.0 * 10.0 * f64::from(f32::EPSILON);
                    assert!(distance(u, v) <= least + rounding, "({h}, {a})");
                }
            }
        }
    }
}
