//! H̃ = JᵀJ from an orthogonal factorisation of its weighted rows: backward stable.

use super::row_sample::RowSample;
use super::solve_upper;
use num_traits::{Float, One, Zero};
use twolayer_core::{
    Curvature, Evaluation, HessianApprox, HiddenScratch, LinearBackend, NotPositiveDefinite,
    RowStructured, RowWeights, Scalar, Subspace, reduce,
};

/// A positive semi-definite model, by the QR factorisation of its rows.
///
/// With β ≥ 0 and ω ≥ 0 the Hessian C̄ᵀ diag(β) C̄ + Cᵀ diag(ω) C, C̄ = C − 1 c̄ᵀ, is JᵀJ with m + 1
/// rows, which a square completed in each row shows:
///
/// ```text
/// β (v − μ)² + ω v² = (β + ω) (v − τ μ)² + κ μ²,   τ = β/(β + ω),   κ = βω/(β + ω),
/// ```
///
/// so J has the rows √(β + ω) (Cᵢ − τᵢ c̄) and one more, (Σκ)^½ c̄. C may have a condition number
/// of 10⁸ on a trained network; JᵀJ would have its square, 10¹⁶, and no digit of the small
/// directions would be left in it. The factor R of J = QR keeps them, and a damped step is the
/// least-squares problem with R stacked on √ν I, solved by a second, small QR.
///
/// Cost: 2mkd flops to form C, 2md² for the first QR, 10d³/3 for each damped step.
///
/// # Sampled rows
///
/// [`RowFactor::sampled`] takes s of the m rows, row i with a probability pᵢ proportional to its
/// weight β + ω and divided by √pᵢ, so that JᵀJ has the Hessian as its expectation: s in place of m
/// in the cost, and nothing else of size m×d. The gradient stays that of all rows. With s = 8d the
/// eigenvalues of H̃⁻¹H spread over about (1 ± √(d/s))⁻² = 0.5 … 2.4 where the rows are alike, which
/// a few more iterations make up for.
pub struct RowFactor<O: RowStructured> {
    kind: RowWeights,
    backend: O::Backend,
    workspace: <O::Backend as LinearBackend>::Workspace,
    jacobian: <O::Backend as LinearBackend>::Matrix,
    /// R, the extra row and the ridge, over the free coordinates.
    stack: <O::Backend as LinearBackend>::Matrix,
    curvature: Curvature<O::Scalar>,
    /// R (d×d, row after row), then the extra row (Σκ)^½ c̄.
    factor: Vec<O::Scalar>,
    /// Qᵀs and the entry of s in the extra row (d + 1), where gradient = Jᵀs + rest.
    reduced: Vec<O::Scalar>,
    /// The part of the gradient that the rows cannot carry (d).
    rest: Vec<O::Scalar>,
    center: Vec<O::Scalar>,
    shift: Vec<O::Scalar>,
    scale: Vec<O::Scalar>,
    /// s (m).
    rows: Vec<O::Scalar>,
    /// u where a row is too light to carry it, else 0 (m).
    unweighted: Vec<O::Scalar>,
    stacked: Vec<O::Scalar>,
    stacked_rhs: Vec<O::Scalar>,
    damped_factor: Vec<O::Scalar>,
    sampling: Option<Sampling<O::Scalar>>,
}

/// What the choice of rows needs.
struct Sampling<T> {
    sample: RowSample<T>,
    /// β + ω (m).
    weights: Vec<T>,
    scratch: HiddenScratch<T>,
}

/// A row carries its part of the gradient where |s| stays below this multiple of the norm that a
/// row of the largest weight would need. Beyond it the roundoff of the factorisation, which is
/// relative to the largest row, would drown what the row says.
const HEAVIEST_LOAD: f64 = 1e3;

impl<O: RowStructured> RowFactor<O> {
    /// Buffers for `objective`, and for others of the same shape. [`RowWeights::Exact`] weights
    /// are convexified: a QR has no negative rows.
    pub fn new(objective: &O, kind: RowWeights) -> Self {
        Self::with_rows(objective, kind, objective.rows())
    }

    /// The same with `rows` of the m rows, drawn anew at each point; all of them where there are
    /// no more. One `seed` draws the same rows.
    pub fn sampled(objective: &O, kind: RowWeights, rows: usize, seed: u64) -> Self {
        let m = objective.rows();
        if rows >= m {
            return Self::new(objective, kind);
        }
        let sampling = Sampling {
            sample: RowSample::new(rows, seed),
            weights: vec![O::Scalar::zero(); m],
            scratch: HiddenScratch::default(),
        };
        Self {
            sampling: Some(sampling),
            ..Self::with_rows(objective, kind, rows)
        }
    }

    /// Buffers for a Jacobian of `used` rows.
    fn with_rows(objective: &O, kind: RowWeights, used: usize) -> Self {
        let (m, d) = (objective.rows(), objective.dimension());
        let backend = objective.backend().clone();
        let zeros = |length| vec![O::Scalar::zero(); length];
        Self {
            kind: if kind == RowWeights::Exact {
                RowWeights::Convexified
            } else {
                kind
            },
            jacobian: backend.zeros(used, d),
            stack: backend.zeros(2 * d + 1, d),
            backend,
            workspace: Default::default(),
            curvature: Curvature::new(m),
            factor: zeros((d + 1) * d),
            reduced: zeros(d + 1),
            rest: zeros(d),
            center: zeros(d),
            shift: zeros(used),
            scale: zeros(used),
            rows: zeros(used),
            unweighted: zeros(used),
            stacked: Vec::with_capacity((2 * d + 1) * d),
            stacked_rhs: Vec::with_capacity(2 * d + 1),
            damped_factor: zeros(d * d),
            sampling: None,
        }
    }

    /// τ, √(β + ω) and s for every row; Σκ and the gradient's entry along c̄. Returns whether some
    /// row left its part of the gradient to `unweighted`.
    fn weigh_rows(&mut self, row_gradient: &[O::Scalar]) -> (O::Scalar, O::Scalar, bool) {
        let zero = O::Scalar::zero();
        let Curvature {
            row_weights,
            uncentered_weights,
            ..
        } = &self.curvature;
        let omega = |i: usize| uncentered_weights.get(i).copied().unwrap_or(zero);
        let mut heaviest = zero;
        for (i, &beta) in row_weights.iter().enumerate() {
            let weight = beta + omega(i);
            self.shift[i] = if weight > zero { beta / weight } else { zero };
            self.scale[i] = weight.sqrt();
            heaviest = heaviest.max(self.scale[i]);
        }
        let load = O::Scalar::of(HEAVIEST_LOAD) * reduce::norm(row_gradient) / heaviest;
        let mut overloaded = false;
        for (i, &u) in row_gradient.iter().enumerate() {
            let s = u / self.scale[i];
            let carried = s.abs() <= load;
            self.rows[i] = if carried { s } else { zero };
            self.unweighted[i] = if carried { zero } else { u };
            overloaded |= !carried && u != zero;
        }
        let extra_weight = if uncentered_weights.is_empty() {
            zero
        } else {
            O::Scalar::of(reduce::sum_of(row_weights.len(), |i| {
                (self.shift[i] * omega(i)).to_f64()
            }))
        };
        // Cᵀu = Σ uᵢ (Cᵢ − τᵢ c̄) + (Σ τᵢ uᵢ) c̄ over the rows that carry u. Without a regulariser
        // τ = 1, and the last sum is that of a gradient in the logits, which is zero.
        let along_center = reduce::sum_of(row_gradient.len(), |i| {
            let carried = row_gradient[i] - self.unweighted[i];
            (self.shift[i] * carried).to_f64()
        });
        (extra_weight, O::Scalar::of(along_center), overloaded)
    }
}

impl<O: RowStructured> RowFactor<O> {
    /// [`HessianApprox::build`] from a sample of the rows.
    fn build_sampled(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        mut sampling: Sampling<O::Scalar>,
    ) -> usize {
        let d = objective.dimension();
        objective.curvature(at, self.kind, &mut self.curvature);
        let zero = O::Scalar::zero();
        let Curvature {
            center,
            row_weights,
            uncentered_weights,
        } = &self.curvature;
        let omega = |i: usize| uncentered_weights.get(i).copied().unwrap_or(zero);
        let Sampling {
            sample,
            weights,
            scratch,
        } = &mut sampling;
        for (i, (weight, &beta)) in weights.iter_mut().zip(row_weights).enumerate() {
            *weight = beta + omega(i);
        }
        sample.draw(weights);
        let drawn = sample.rows.len();
        // Rows that only fill the matrix up weigh nothing.
        self.scale.fill(zero);
        self.shift.fill(zero);
        for (j, (&i, &multiplicity)) in sample.rows.iter().zip(&sample.multiplicity).enumerate() {
            self.shift[j] = row_weights[i] / weights[i];
            self.scale[j] = (weights[i] * multiplicity).sqrt();
        }
        sample.rows.resize(self.scale.len(), 0);
        let (jacobian, workspace) = (&mut self.jacobian, &mut self.workspace);
        objective.jacobian_rows(at, &sample.rows, jacobian, workspace);
        objective.jacobian_transposed_vec(at, center, scratch, &mut self.center);
        let backend = &self.backend;
        backend.center_and_scale_rows(&self.shift, &self.center, &self.scale, jacobian);
        self.rows.fill(zero);
        let (r, extra) = self.factor.split_at_mut(d * d);
        backend.qr_reduce(jacobian, &mut self.rows, r, workspace);
        let extra_weight = if uncentered_weights.is_empty() {
            zero
        } else {
            let kappa = |i: usize| row_weights[i] * omega(i) / weights[i];
            let finite = |v: O::Scalar| if v.is_finite() { v.to_f64() } else { 0.0 };
            O::Scalar::of(reduce::sum_of(row_weights.len(), |i| finite(kappa(i))))
        };
        for (e, &c) in extra.iter_mut().zip(&self.center) {
            *e = extra_weight.sqrt() * c;
        }
        self.reduced.fill(zero);
        self.rest.copy_from_slice(at.gradient());
        self.sampling = Some(sampling);
        drawn
    }
}

impl<O: RowStructured> HessianApprox<O> for RowFactor<O> {
    fn name(&self) -> &'static str {
        match self.kind {
            _ if self.sampling.is_some() => "sampled",
            RowWeights::GaussNewton => "gauss-newton",
            RowWeights::Secant => "secant",
            RowWeights::Convexified | RowWeights::Exact => "convexified",
        }
    }

    fn begin_solve(&mut self) {
        if let Some(sampling) = &mut self.sampling {
            sampling.sample.rewind();
        }
    }

    fn build(&mut self, objective: &O, at: &O::Evaluation) -> usize {
        if let Some(sampling) = self.sampling.take() {
            return self.build_sampled(objective, at, sampling);
        }
        let d = objective.dimension();
        objective.jacobian(at, &mut self.jacobian, &mut self.workspace);
        objective.curvature(at, self.kind, &mut self.curvature);
        let row_gradient = objective.row_gradient(at);
        let (extra_weight, along_center, overloaded) = self.weigh_rows(row_gradient);
        let backend = &self.backend;
        backend.mul_vec_transposed(&self.jacobian, &self.curvature.center, &mut self.center);
        if overloaded {
            backend.mul_vec_transposed(&self.jacobian, &self.unweighted, &mut self.rest);
        } else {
            self.rest.fill(O::Scalar::zero());
        }
        backend.center_and_scale_rows(&self.shift, &self.center, &self.scale, &mut self.jacobian);
        let (r, extra) = self.factor.split_at_mut(d * d);
        backend.qr_reduce(&mut self.jacobian, &mut self.rows, r, &mut self.workspace);
        let carried = self.rows.len().min(d);
        self.reduced.fill(O::Scalar::zero());
        self.reduced[..carried].copy_from_slice(&self.rows[..carried]);
        let length = extra_weight.sqrt();
        for (e, &c) in extra.iter_mut().zip(&self.center) {
            *e = length * c;
        }
        if length > O::Scalar::zero() {
            self.reduced[d] = along_center / length;
        } else {
            reduce::axpy(along_center, &self.center, &mut self.rest);
        }
        objective.rows()
    }

    fn mean_eigenvalue(&self) -> O::Scalar {
        let d = self.rest.len();
        let norm = reduce::norm(&self.factor);
        norm / O::Scalar::of(d as f64) * norm
    }

    fn step(
        &mut self,
        damping: O::Scalar,
        pull: Option<(O::Scalar, &[O::Scalar])>,
        subspace: &Subspace<O::Scalar>,
        step: &mut [O::Scalar],
    ) -> Result<(), NotPositiveDefinite> {
        let (d, pinned) = (step.len(), subspace.constraints());
        let free = d - pinned;
        let zero = O::Scalar::zero();
        step.fill(zero);
        if free == 0 {
            return Ok(());
        }
        // The rows of [R; extra] in the coordinates of the subspace, then √ν I.
        self.stacked.clear();
        for row in self.factor.chunks_exact(d) {
            step.copy_from_slice(row);
            subspace.rotate(step);
            self.stacked.extend_from_slice(&step[pinned..]);
        }
        let ridge = damping.sqrt();
        let start = self.stacked.len();
        self.stacked.resize(start + free * free, zero);
        for j in 0..free {
            self.stacked[start + j * free + j] = ridge;
        }
        self.stacked_rhs.clear();
        self.stacked_rhs.extend_from_slice(&self.reduced);
        match pull {
            Some((multiplier, x)) => {
                step.copy_from_slice(x);
                subspace.rotate(step);
                let scale = multiplier / ridge;
                self.stacked_rhs
                    .extend(step[pinned..].iter().map(|&x| scale * x));
            }
            None => self.stacked_rhs.resize(d + 1 + free, zero),
        }
        let backend = &self.backend;
        if backend.ncols(&self.stack) != free {
            self.stack = backend.zeros(d + 1 + free, free);
        }
        backend.copy_from_row_major(&self.stacked, &mut self.stack);
        let factor = &mut self.damped_factor[..free * free];
        backend.qr_reduce(
            &mut self.stack,
            &mut self.stacked_rhs,
            factor,
            &mut self.workspace,
        );

        // p = −R⁻¹ (Qᵀs + R⁻ᵀ rest)
        step.copy_from_slice(&self.rest);
        subspace.rotate(step);
        step[..pinned].fill(zero);
        let p = &mut step[pinned..];
        solve_upper(factor, p, true);
        reduce::axpy(O::Scalar::one(), &self.stacked_rhs[..free], p);
        p.iter_mut().for_each(|p| *p = -*p);
        solve_upper(factor, p, false);
        if !reduce::all_finite(p) {
            return Err(NotPositiveDefinite);
        }
        subspace.rotate_back(step);
        Ok(())
    }

    fn apply(&mut self, p: &[O::Scalar], product: &mut [O::Scalar]) {
        let d = p.len();
        product.fill(O::Scalar::zero());
        for row in self.factor.chunks_exact(d) {
            let projection = reduce::dot(row, p);
            reduce::axpy(projection, row, product);
        }
    }
}
