//! Leverage scores: the importance of the paper.

use super::importance::{Importance, WeightedRows};
use super::row_sketch::RowSketch;
use num_traits::{Float, One, Zero};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_core::{LinearBackend, RowStructured, Scalar, reduce, solve_upper};

/// How leverage scores are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scores {
    /// From all of C: 2mkd + 4md² flops.
    Exact,
    /// Within a constant factor, C never formed: a CountSketch of the rows, its triangular factor R,
    /// and the norms of J R⁻¹ G for a G of twelve columns of ±1 (the lemma of Johnson and
    /// Lindenstrauss, in the form of D. Achlioptas, "Database-friendly random projections", 2003). Two
    /// passes over A2.
    Fast,
}

/// Columns of G: the norm of a row is then off by a factor of 2 or more once in some hundred.
const COLUMNS: usize = 12;
/// Rows of the sketch, in multiples of d.
const SKETCH: usize = 4;

/// ℓᵢ = ‖row i of J R⁻¹‖², R the triangular factor of the weighted rows J, each of √(β + ω) (Cᵢ − τᵢ
/// c̄), with a ridge at rounding level, so that a J without full rank has scores too.
///
/// With s = 3 d ln(2d/δ)/ε² rows drawn by ℓ, H̃ is between (1 − ε)H and (1 + ε)H with probability
/// 1 − δ (the paper's Lemma 70, by matrix Chernoff bounds); scores too large by a factor cost as many
/// times more rows.
pub struct Leverage<O: RowStructured> {
    scores: Scores,
    seed: u64,
    random: ChaCha8Rng,
    backend: O::Backend,
    workspace: <O::Backend as LinearBackend>::Workspace,
    sketch: RowSketch<O>,
    /// J, or J R⁻¹ G.
    rows: Option<<O::Backend as LinearBackend>::Matrix>,
    product: <O::Backend as LinearBackend>::Matrix,
    /// R⁻¹ or R⁻¹ G (d×d or d×COLUMNS).
    inverse: <O::Backend as LinearBackend>::Matrix,
    hidden: Option<<O::Backend as LinearBackend>::Matrix>,
    entries: Vec<O::Scalar>,
    scale: Vec<O::Scalar>,
}

impl<O: RowStructured> Leverage<O> {
    /// Buffers for `objective`, and for others of the same shape.
    pub fn new(objective: &O, scores: Scores, seed: u64) -> Self {
        let (m, d) = (objective.rows(), objective.dimension());
        let backend = objective.backend().clone();
        let (columns, sketched) = match scores {
            Scores::Exact => (d, 1),
            Scores::Fast => (COLUMNS, SKETCH * d),
        };
        Self {
            scores,
            seed,
            random: ChaCha8Rng::seed_from_u64(seed),
            workspace: Default::default(),
            sketch: RowSketch::new(objective, sketched, seed),
            rows: matches!(scores, Scores::Exact).then(|| backend.zeros(m, d)),
            product: backend.zeros(m, columns),
            inverse: backend.zeros(d, columns),
            backend,
            hidden: None,
            entries: vec![O::Scalar::zero(); m * columns],
            scale: vec![O::Scalar::zero(); m],
        }
    }

    /// R⁻¹ G (d×q) for a G given column after column, solved column by column.
    fn solve_columns(
        &mut self,
        r: &[O::Scalar],
        d: usize,
        mut column: impl FnMut(&mut Self, usize, &mut [O::Scalar]),
    ) {
        let q = self.backend.ncols(&self.inverse);
        let mut solved = vec![O::Scalar::zero(); d * q];
        let mut one = vec![O::Scalar::zero(); d];
        for j in 0..q {
            column(self, j, &mut one);
            solve_upper(r, &mut one, false);
            for (i, &value) in one.iter().enumerate() {
                solved[i * q + j] = value;
            }
        }
        self.backend.copy_from_row_major(&solved, &mut self.inverse);
    }
}

impl<O: RowStructured> Importance<O> for Leverage<O> {
    fn name(&self) -> &'static str {
        match self.scores {
            Scores::Exact => "leverage-exact",
            Scores::Fast => "leverage",
        }
    }

    fn begin_solve(&mut self) {
        self.random = ChaCha8Rng::seed_from_u64(self.seed);
        self.sketch.begin_solve();
    }

    fn assess(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        rows: &WeightedRows<'_, O::Scalar>,
        importance: &mut [O::Scalar],
    ) {
        let d = rows.center.len();
        for (scale, weight) in self.scale.iter_mut().zip(rows.weights) {
            *scale = weight.sqrt();
        }
        let mut r = vec![O::Scalar::zero(); d * d];
        let q = self.backend.ncols(&self.product);
        let mut along_center = vec![O::Scalar::zero(); q];
        match self.scores {
            Scores::Exact => {
                let every: Vec<_> = (0..d).collect();
                let (backend, workspace) = (self.backend.clone(), &mut self.workspace);
                let Some(all) = &mut self.rows else { return };
                objective.jacobian(at, all, workspace);
                backend.center_and_scale_rows(rows.shift, rows.center, &self.scale, all);
                let mut copy = all.clone();
                let mut nothing = vec![O::Scalar::zero(); rows.weights.len()];
                backend.qr_reduce(&mut copy, &mut nothing, &mut r, workspace);
                add_ridge(&backend, &mut r, d, workspace);
                self.solve_columns(&r, d, |_, j, column| {
                    column.fill(O::Scalar::zero());
                    column[j] = O::Scalar::one();
                });
                let Some(all) = &self.rows else { return };
                let (inverse, product) = (&self.inverse, &mut self.product);
                backend.mul_inner(all, &every, inverse, product, &mut self.workspace);
            }
            Scores::Fast => {
                self.sketch.factor(objective, at, rows, &mut r);
                add_ridge(&self.backend, &mut r, d, &mut self.workspace);
                let deviation = O::Scalar::of((COLUMNS as f64).sqrt().recip());
                self.solve_columns(&r, d, |this, _, column| {
                    for entry in column {
                        let up: bool = this.random.random();
                        *entry = if up { deviation } else { -deviation };
                    }
                });
                let (inverse, product) = (&self.inverse, &mut self.product);
                let (hidden, workspace) = (&mut self.hidden, &mut self.workspace);
                objective.jacobian_matrix_product(at, inverse, hidden, product, workspace);
                self.backend
                    .mul_vec_transposed(inverse, rows.center, &mut along_center);
                self.backend
                    .center_and_scale_rows(rows.shift, &along_center, &self.scale, product);
            }
        }
        self.backend
            .copy_to_row_major(&self.product, &mut self.entries);
        for (importance, row) in importance
            .iter_mut()
            .zip(self.entries.chunks_exact(q.max(1)))
        {
            *importance = reduce::dot(row, row);
        }
    }
}

/// R ← the factor of R stacked on a ridge at rounding level.
fn add_ridge<B: LinearBackend>(
    backend: &B,
    r: &mut [B::Scalar],
    d: usize,
    workspace: &mut B::Workspace,
) {
    let size = reduce::norm(r) / B::Scalar::of((d as f64).sqrt());
    let ridge =
        (B::Scalar::of(1e2) * B::Scalar::UNIT_ROUNDOFF * size).max(B::Scalar::min_positive_value());
    let mut stacked = vec![B::Scalar::zero(); 2 * d * d];
    stacked[..d * d].copy_from_slice(r);
    for j in 0..d {
        stacked[d * d + j * d + j] = ridge;
    }
    let mut stack = backend.zeros(2 * d, d);
    backend.copy_from_row_major(&stacked, &mut stack);
    backend.qr_reduce(
        &mut stack,
        &mut vec![B::Scalar::zero(); 2 * d],
        r,
        workspace,
    );
}
