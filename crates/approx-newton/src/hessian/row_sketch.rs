//! A CountSketch of weighted rows of C, made from A2.

use super::importance::WeightedRows;
use num_traits::{Float, Zero};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_core::{LinearBackend, RowCombination, RowStructured, Scalar, reduce};

/// S J for the weighted rows J = D^½(C − τc̄ᵀ) and an S with one ±1 in each column: E\[SᵀS\] = I
/// (K. Clarkson and D. Woodruff, "Low rank approximation and regression in input sparsity time",
/// 2013).
///
/// S D^½ A2 is made in one pass over A2 and is valid under every pattern: S D^½ C = (S D^½ A2) diag(s)
/// A1. It is made again only where the weights D have moved by more than a tenth since.
pub(super) struct RowSketch<O: RowStructured> {
    seed: u64,
    backend: O::Backend,
    workspace: <O::Backend as LinearBackend>::Workspace,
    size: usize,
    buckets: Vec<usize>,
    signs: Vec<O::Scalar>,
    /// What the objective keeps of S D^½ from point to point, such as S D^½ A2, and the D it was made with.
    combined: Option<<O::Backend as LinearBackend>::Matrix>,
    weights: Vec<O::Scalar>,
    pub(super) jacobian: <O::Backend as LinearBackend>::Matrix,
    factors: Vec<O::Scalar>,
    shift: Vec<O::Scalar>,
    ones: Vec<O::Scalar>,
}

/// The part of the weights that may move before the sketch is made again.
const STALE: f64 = 0.1;

impl<O: RowStructured> RowSketch<O> {
    /// Buffers for sketches of `size` rows.
    pub(super) fn new(objective: &O, size: usize, seed: u64) -> Self {
        let backend = objective.backend().clone();
        let mut sketch = Self {
            seed,
            workspace: Default::default(),
            size,
            buckets: vec![0; objective.rows()],
            signs: vec![O::Scalar::zero(); objective.rows()],
            combined: None,
            weights: Vec::new(),
            jacobian: backend.zeros(size, objective.dimension()),
            backend,
            factors: vec![O::Scalar::zero(); objective.rows()],
            shift: vec![O::Scalar::zero(); size],
            ones: vec![O::Scalar::of(1.0); size],
        };
        sketch.draw(&mut ChaCha8Rng::seed_from_u64(seed));
        sketch
    }

    /// Draws S.
    pub(super) fn draw(&mut self, random: &mut ChaCha8Rng) {
        for (bucket, sign) in self.buckets.iter_mut().zip(&mut self.signs) {
            *bucket = random.random_range(0..self.size);
            *sign = O::Scalar::of(if random.random() { 1.0 } else { -1.0 });
        }
        self.weights.clear();
    }

    /// The S of the seed again.
    pub(super) fn begin_solve(&mut self) {
        let seed = self.seed;
        self.draw(&mut ChaCha8Rng::seed_from_u64(seed));
    }

    /// Leaves S J in `jacobian`. Returns whether a pass over A2 was needed.
    pub(super) fn form(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        rows: &WeightedRows<'_, O::Scalar>,
    ) -> bool {
        let stale = self.is_stale(rows.weights);
        if stale {
            self.weights.clear();
            self.weights.extend_from_slice(rows.weights);
            for ((factor, &sign), weight) in
                self.factors.iter_mut().zip(&self.signs).zip(rows.weights)
            {
                *factor = sign * weight.sqrt();
            }
        }
        let combination = RowCombination {
            buckets: &self.buckets,
            factors: &self.factors,
            is_new: stale,
        };
        let (jacobian, workspace) = (&mut self.jacobian, &mut self.workspace);
        objective.combined_jacobian(at, &combination, &mut self.combined, jacobian, workspace);
        self.shift.fill(O::Scalar::zero());
        for ((&bucket, &factor), &shift) in self.buckets.iter().zip(&self.factors).zip(rows.shift) {
            self.shift[bucket] += factor * shift;
        }
        let backend = &self.backend;
        backend.center_and_scale_rows(&self.shift, rows.center, &self.ones, jacobian);
        stale
    }

    /// The triangular factor r (d×d, row after row) of S J.
    pub(super) fn factor(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        rows: &WeightedRows<'_, O::Scalar>,
        r: &mut [O::Scalar],
    ) {
        self.form(objective, at, rows);
        let mut nothing = vec![O::Scalar::zero(); self.size];
        let (jacobian, workspace) = (&mut self.jacobian, &mut self.workspace);
        self.backend.qr_reduce(jacobian, &mut nothing, r, workspace);
    }

    fn is_stale(&self, weights: &[O::Scalar]) -> bool {
        if self.weights.len() != weights.len() {
            return true;
        }
        let moved = reduce::sum_of(weights.len(), |i| {
            (weights[i] - self.weights[i]).abs().to_f64()
        });
        let whole = reduce::sum_of(weights.len(), |i| weights[i].to_f64());
        moved > STALE * whole || moved.is_nan()
    }
}
