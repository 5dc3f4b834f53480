//! Starts from far away: a Douglas–Rachford splitting of the network into its two layers.

use crate::lift::Lift;
use crate::{Inversion, LinearBackend, Scalar, Starts, TwoLayer, reduce};
use num_traits::{Float, One, Zero};

/// Looks for hidden states h and activations a that satisfy two sets of conditions:
///
/// ```text
/// affine   h = A1 x + c1 for some x,  and  A2 a + c2 = log b + const on the outcomes of the lift
/// graph    a = φ(h), unit by unit
/// ```
///
/// A pair in both is a solution. Each set alone has an easy projection: two linear systems with
/// factors made once, and one comparison for each unit. The Douglas–Rachford iteration
///
/// ```text
/// v ← v + P_graph(2 P_affine(v) − v) − P_affine(v),    v = (h, a)
/// ```
///
/// rests only where the two sets meet. So it has no local minima to stop in, where every descent on
/// a loss has many; but the graph is not convex, and nothing promises that it comes to rest. It is
/// a source of starts, not a solver: what it returns is the x of P_affine(v), for a descent to end
/// (J. Douglas and H. H. Rachford, 1956; V. Elser, I. Rankenburg and P. Thibault, "Searching with
/// iterated maps", 2007, for its use on sets that are not convex).
///
/// Near a pair of points that almost meet it can circle for long. The metric of the projection on
/// the graph moves such traps, and no solution: [`disturb`](Starts::disturb) changes it.
///
/// An iteration reads A1 and Ã twice: 4nd + 4ns flops, and nothing of size m.
pub(crate) struct Splitting<'a, B: LinearBackend> {
    network: &'a TwoLayer<B>,
    lift: &'a Lift<B>,
    /// τ: log b − c2 on S, centred (s).
    logits: Vec<B::Scalar>,
    /// v = (h, a).
    hidden: Vec<B::Scalar>,
    activations: Vec<B::Scalar>,
    /// P_affine(v), and the x that belongs to it.
    affine_hidden: Vec<B::Scalar>,
    affine_activations: Vec<B::Scalar>,
    x: Vec<B::Scalar>,
    /// Scratch over the units and over S.
    units: Vec<B::Scalar>,
    residual: Vec<B::Scalar>,
    workspace: B::Workspace,
    /// ρ in the distance ‖Δh‖² + ρ‖Δa‖² by which the graph is projected on.
    weight: B::Scalar,
}

/// ρ to begin with, and the one that takes turns with it.
const WEIGHTS: [f64; 2] = [2.0, 1.0];

impl<'a, B: LinearBackend> Splitting<'a, B> {
    /// `None` where an outcome of the lift has the probability 0, or where there is no lift.
    pub(crate) fn new(problem: &Inversion<'a, B>) -> Option<Self> {
        let network = problem.network();
        let lift = network.lift()?;
        let (log_b, bias) = (problem.target().log_probabilities(), network.bias2());
        let mut logits: Vec<_> = lift.outcomes.iter().map(|&i| log_b[i] - bias[i]).collect();
        let mean = reduce::sum(&logits) / B::Scalar::of(logits.len() as f64);
        logits.iter_mut().for_each(|t| *t -= mean);
        if !reduce::all_finite(&logits) {
            return None;
        }
        let (n, d) = (network.hidden_units(), network.inputs());
        let zeros = |length| vec![B::Scalar::zero(); length];
        let mut splitting = Self {
            network,
            lift,
            residual: zeros(logits.len()),
            logits,
            hidden: zeros(n),
            activations: zeros(n),
            affine_hidden: zeros(n),
            affine_activations: zeros(n),
            x: zeros(d),
            units: zeros(n),
            workspace: B::Workspace::default(),
            weight: B::Scalar::of(WEIGHTS[0]),
        };
        if lift.is_determined {
            splitting.project_activations();
        }
        Some(splitting)
    }

    /// affine_activations ← the a nearest to `activations` with Ãa = τ.
    fn project_activations(&mut self) {
        let (backend, rows) = (self.network.backend(), &self.lift.rows);
        backend.mul_vec_transposed(rows, &self.activations, &mut self.residual);
        reduce::axpy(-B::Scalar::one(), &self.logits, &mut self.residual);
        let (factor, workspace) = (&self.lift.row_gram, &mut self.workspace);
        backend.cholesky_solve(factor, &mut self.residual, workspace);
        backend.mul_vec(rows, &self.residual, &mut self.units);
        let pairs = self.activations.iter().zip(&self.units);
        for (to, (&a, &correction)) in self.affine_activations.iter_mut().zip(pairs) {
            *to = a - correction;
        }
    }

    /// affine_hidden ← the h nearest to `hidden` with h = A1 x + c1, and its x.
    fn project_hidden(&mut self) {
        let (network, backend) = (self.network, self.network.backend());
        let pairs = self.hidden.iter().zip(network.bias1());
        for (to, (&h, &c)) in self.units.iter_mut().zip(pairs) {
            *to = h - c;
        }
        backend.mul_vec_transposed(network.a1(), &self.units, &mut self.x);
        let (factor, workspace) = (&self.lift.input_gram, &mut self.workspace);
        backend.cholesky_solve(factor, &mut self.x, workspace);
        self.forward();
    }

    /// affine_hidden ← A1 x + c1.
    fn forward(&mut self) {
        let (network, h) = (self.network, &mut self.affine_hidden);
        network.backend().mul_vec(network.a1(), &self.x, h);
        reduce::axpy(B::Scalar::one(), network.bias1(), h);
    }

    fn project_affine(&mut self) {
        self.project_hidden();
        // One solution only: it was found at the beginning.
        if !self.lift.is_determined {
            self.project_activations();
        }
    }

    /// v ← v + P_graph(2 P_affine(v) − v) − P_affine(v).
    fn reflect(&mut self) {
        let two = B::Scalar::of(2.0);
        for i in 0..self.hidden.len() {
            let (affine_h, affine_a) = (self.affine_hidden[i], self.affine_activations[i]);
            let (h, a) = (self.hidden[i], self.activations[i]);
            let (graph_h, graph_a) =
                nearest_on_graph(self.weight, two * affine_h - h, two * affine_a - a);
            self.hidden[i] = h + (graph_h - affine_h);
            self.activations[i] = a + (graph_a - affine_a);
        }
    }
}

impl<B: LinearBackend> Starts<B::Scalar> for Splitting<'_, B> {
    fn begin(&mut self, x: &[B::Scalar]) {
        self.x.copy_from_slice(x);
        self.forward();
        for i in 0..self.hidden.len() {
            self.hidden[i] = self.affine_hidden[i];
            self.activations[i] = self.affine_hidden[i].max(B::Scalar::zero());
        }
    }

    fn disturb(&mut self) {
        let [first, second] = WEIGHTS.map(B::Scalar::of);
        self.weight = if self.weight == first { second } else { first };
    }

    fn advance(&mut self, iterations: usize, x: &mut [B::Scalar]) {
        for _ in 0..iterations {
            self.project_affine();
            self.reflect();
        }
        self.project_hidden();
        x.copy_from_slice(&self.x);
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
