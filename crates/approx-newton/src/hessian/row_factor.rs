//! H̃ = JᵀJ from an orthogonal factorisation of its weighted rows: backward stable.

use super::factor::Factor;
use super::importance::{ByWeight, Importance, WeightedRows};
use super::kept_jacobian::KeptJacobian;
use super::negative_curvature::negative_curvature;
use super::row_curvature::RowCurvature;
use super::row_sample::RowSample;
use super::triangular::Triangular;
use num_traits::{Float, Zero};
use twolayer_core::{
    Curvature, Evaluation, HessianApprox, LinearBackend, NotPositiveDefinite, RowStructured,
    RowWeights, Scalar, Subspace, reduce,
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
pub struct RowFactor<O: RowStructured, I = ByWeight> {
    kind: RowWeights,
    backend: O::Backend,
    workspace: <O::Backend as LinearBackend>::Workspace,
    model: Factor<O::Backend>,
    /// C, where all rows are used.
    kept: Option<KeptJacobian<O>>,
    /// The weighted rows. It has none before the first [`build`](HessianApprox::build): a solve that
    /// its warm start finishes never builds.
    jacobian: <O::Backend as LinearBackend>::Matrix,
    all_rows: RowCurvature<O>,
    shift: Vec<O::Scalar>,
    scale: Vec<O::Scalar>,
    /// s (m).
    rows: Vec<O::Scalar>,
    /// u where a row is too light to carry it, else 0 (m).
    unweighted: Vec<O::Scalar>,
    sampling: Option<Sampling<O::Scalar, I>>,
}

/// What the choice of rows needs.
struct Sampling<T, I> {
    importance: I,
    sample: RowSample<T>,
    /// β + ω, τ and the importance (m).
    weights: Vec<T>,
    shift: Vec<T>,
    importances: Vec<T>,
}

/// A row carries its part of the gradient where |s| stays below this multiple of the norm that a
/// row of the largest weight would need. Beyond it the roundoff of the factorisation, which is
/// relative to the largest row, would drown what the row says.
const HEAVIEST_LOAD: f64 = 1e3;

impl<O: RowStructured> RowFactor<O> {
    /// Buffers for `objective`, and for others of the same shape. [`RowWeights::Exact`] weights
    /// are convexified: a QR has no negative rows.
    pub fn new(objective: &O, kind: RowWeights) -> Self {
        Self::with_all_rows(objective, kind)
    }

    /// The same with `rows` of the m rows, drawn anew at each point by their weights; all of them
    /// where there are no more. One `seed` draws the same rows.
    pub fn sampled(objective: &O, kind: RowWeights, rows: usize, seed: u64) -> Self {
        Self::sampled_by(objective, kind, ByWeight, rows, seed)
    }
}

impl<O: RowStructured, I: Importance<O>> RowFactor<O, I> {
    /// The same with rows drawn by an importance.
    pub fn sampled_by(
        objective: &O,
        kind: RowWeights,
        importance: I,
        rows: usize,
        seed: u64,
    ) -> Self {
        let m = objective.rows();
        if rows >= m {
            return Self::with_all_rows(objective, kind);
        }
        let sampling = Sampling {
            importance,
            sample: RowSample::new(rows, seed),
            weights: vec![O::Scalar::zero(); m],
            shift: vec![O::Scalar::zero(); m],
            importances: vec![O::Scalar::zero(); m],
        };
        Self {
            sampling: Some(sampling),
            ..Self::with_rows(objective, kind, rows)
        }
    }

    fn with_all_rows(objective: &O, kind: RowWeights) -> Self {
        let rows = Self::with_rows(objective, kind, objective.rows());
        let model = match objective.has_uncentered_rows() {
            true => rows.model.with_gram(),
            false => rows.model,
        };
        Self {
            kept: Some(KeptJacobian::new(objective)),
            model,
            ..rows
        }
    }

    /// Buffers for a Jacobian of `used` rows.
    fn with_rows(objective: &O, kind: RowWeights, used: usize) -> Self {
        let (m, d) = (objective.rows(), objective.dimension());
        let backend = objective.backend().clone();
        let zeros = |length| vec![O::Scalar::zero(); length];
        Self {
            kind: convex(kind),
            model: Factor::of_rows(backend.clone(), used, d),
            kept: None,
            jacobian: backend.zeros(0, d),
            backend,
            workspace: Default::default(),
            all_rows: RowCurvature::new(m, d),
            shift: zeros(used),
            scale: zeros(used),
            rows: zeros(used),
            unweighted: zeros(used),
            sampling: None,
        }
    }

    /// Draws so many rows from now on, where rows are drawn.
    pub(super) fn draw(&mut self, rows: usize) {
        if let Some(sampling) = &mut self.sampling
            && sampling.sample.size() != rows
        {
            sampling.sample.resize(rows);
            for vector in [&mut self.shift, &mut self.scale, &mut self.rows] {
                vector.resize(rows, O::Scalar::zero());
            }
        }
    }

    /// The same for a gradient [from elsewhere](RowFactor::replace_gradient): only the d×d factor solves for
    /// one that is not told by the rows without cancellation.
    pub(super) fn for_any_gradient(self) -> Self {
        let d = self.all_rows.center.len();
        Self {
            model: Factor::Triangular(Triangular::new(self.backend.clone(), d)),
            ..self
        }
    }

    /// Where the gradient is to be written (d), for a model that has it from elsewhere.
    pub(super) fn replace_gradient(&mut self) -> &mut [O::Scalar] {
        self.model.rows_mut().replace_gradient()
    }

    /// The factor, for a model that refines this one.
    pub(super) fn factor(&mut self) -> &mut Factor<O::Backend> {
        &mut self.model
    }

    /// Gives the Jacobian the rows that are used.
    fn shape_jacobian(&mut self) {
        let used = self.scale.len();
        if self.backend.nrows(&self.jacobian) != used {
            self.jacobian = self.backend.zeros(used, self.all_rows.center.len());
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
        } = &self.all_rows.curvature;
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

    /// Takes from s what Jᵀs does not feel: where no row that has a center has ω, Σ centerᵢ (Cᵢ − c̄) = 0, and J has the
    /// left null vector vᵢ = centerᵢ/√βᵢ. A step from the small side divides by next to nothing along it: rounding
    /// errors of s there would be all of the step near a solution.
    fn drop_what_changes_nothing(&mut self) {
        let Curvature {
            center,
            uncentered_weights,
            ..
        } = &self.all_rows.curvature;
        let zero = O::Scalar::zero();
        let pairs = || center.iter().zip(&self.scale);
        let is_null = pairs().all(|(&center, &scale)| center == zero || scale > zero);
        let mut uncentered = center.iter().zip(uncentered_weights);
        let has_both = uncentered.any(|(&center, &omega)| center != zero && omega != zero);
        if has_both || !is_null {
            return;
        }
        let null = |i: usize| match center[i] == zero {
            true => 0.0,
            false => (center[i] / self.scale[i]).to_f64(),
        };
        let along = reduce::sum_of(center.len(), |i| null(i) * self.rows[i].to_f64());
        let square = reduce::sum_of(center.len(), |i| null(i).powi(2));
        if square > 0.0 && square.is_finite() {
            for i in 0..center.len() {
                self.rows[i] -= O::Scalar::of(along / square * null(i));
            }
        }
    }

    /// [`HessianApprox::build`] from a sample of the rows.
    fn build_sampled(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        mut sampling: Sampling<O::Scalar, I>,
    ) -> usize {
        self.shape_jacobian();
        self.all_rows.bring_to(objective, at, self.kind);
        let RowCurvature {
            curvature, center, ..
        } = &self.all_rows;
        let zero = O::Scalar::zero();
        let Sampling {
            importance,
            sample,
            weights,
            shift,
            importances,
        } = &mut sampling;
        let extra_weight = weigh(curvature, weights, shift);
        let rows = WeightedRows {
            weights,
            shift,
            center,
        };
        importance.assess(objective, at, &rows, importances);
        sample.draw(importances);
        let drawn = sample.rows.len();
        // Rows that only fill the matrix up weigh nothing.
        self.scale.fill(zero);
        self.shift.fill(zero);
        for (j, (&i, &multiplicity)) in sample.rows.iter().zip(&sample.multiplicity).enumerate() {
            self.shift[j] = shift[i];
            self.scale[j] = (weights[i] * multiplicity).sqrt();
        }
        sample.rows.resize(self.scale.len(), 0);
        let (jacobian, workspace) = (&mut self.jacobian, &mut self.workspace);
        objective.jacobian_rows(at, &sample.rows, jacobian, workspace);
        let backend = &self.backend;
        backend.center_and_scale_rows(&self.shift, center, &self.scale, jacobian);
        self.rows.fill(zero);
        self.model.factor_rows(jacobian, &mut self.rows);
        let rows = self.model.rows_mut();
        rows.rest.copy_from_slice(at.gradient());
        rows.set_extra_row(extra_weight.sqrt(), center, zero);
        self.sampling = Some(sampling);
        drawn
    }
}

/// [`RowWeights::Exact`] weights may be negative; a factor has no such rows.
pub(super) fn convex(kind: RowWeights) -> RowWeights {
    match kind {
        RowWeights::Exact => RowWeights::Convexified,
        convex => convex,
    }
}

/// `weights` ← β + ω, `shift` ← τ. Returns Σκ.
pub(super) fn weigh<T: Scalar>(curvature: &Curvature<T>, weights: &mut [T], shift: &mut [T]) -> T {
    let Curvature {
        row_weights,
        uncentered_weights,
        ..
    } = curvature;
    let omega = |i: usize| uncentered_weights.get(i).copied().unwrap_or(T::zero());
    for (i, &beta) in row_weights.iter().enumerate() {
        weights[i] = beta + omega(i);
        shift[i] = if weights[i] > T::zero() {
            beta / weights[i]
        } else {
            T::zero()
        };
    }
    if uncentered_weights.is_empty() {
        return T::zero();
    }
    T::of(reduce::sum_of(row_weights.len(), |i| {
        (shift[i] * omega(i)).to_f64()
    }))
}

impl<O: RowStructured, I: Importance<O>> HessianApprox<O> for RowFactor<O, I> {
    fn name(&self) -> &'static str {
        match (&self.sampling, self.kind) {
            (Some(sampling), _) => sampling.importance.name(),
            (None, RowWeights::GaussNewton) => "gauss-newton",
            (None, RowWeights::Secant) => "secant",
            (None, RowWeights::Convexified | RowWeights::Exact) => "convexified",
        }
    }

    fn begin_solve(&mut self) {
        self.all_rows.forget();
        if let Some(sampling) = &mut self.sampling {
            sampling.sample.rewind();
            sampling.importance.begin_solve();
        }
        if let Some(kept) = &mut self.kept {
            kept.forget();
        }
    }

    /// How far the draws of rows are.
    fn memory(&self) -> Vec<u64> {
        let sampling = self.sampling.iter();
        sampling
            .map(|sampling| sampling.sample.position())
            .collect()
    }

    fn recall(&mut self, memory: &[u64]) -> bool {
        self.begin_solve();
        match (&mut self.sampling, memory) {
            (Some(sampling), &[position]) => sampling.sample.go_to(position),
            (None, []) => {}
            _ => return false,
        }
        true
    }

    fn differentiate(&mut self, objective: &O, at: &mut O::Evaluation) {
        match self.sampling {
            Some(_) => self.all_rows.differentiate(objective, at, self.kind),
            // c̄ comes from C.
            None => objective.differentiate(at),
        }
    }

    fn build(&mut self, objective: &O, at: &O::Evaluation) -> usize {
        if let Some(sampling) = self.sampling.take() {
            return self.build_sampled(objective, at, sampling);
        }
        self.shape_jacobian();
        if let Some(kept) = &mut self.kept {
            let jacobian = kept.bring_to(objective, at, &mut self.workspace);
            self.backend.copy(jacobian, &mut self.jacobian);
        }
        objective.curvature(at, self.kind, &mut self.all_rows.curvature);
        let row_gradient = objective.row_gradient(at);
        let (extra_weight, along_center, overloaded) = self.weigh_rows(row_gradient);
        if self.model.is_wide() {
            self.drop_what_changes_nothing();
        }
        let backend = &self.backend;
        let RowCurvature {
            curvature, center, ..
        } = &mut self.all_rows;
        backend.mul_vec_transposed(&self.jacobian, &curvature.center, center);
        if overloaded {
            backend.mul_vec_transposed(
                &self.jacobian,
                &self.unweighted,
                &mut self.model.rows_mut().rest,
            );
        } else {
            self.model.rows_mut().rest.fill(O::Scalar::zero());
        }
        backend.center_and_scale_rows(&self.shift, center, &self.scale, &mut self.jacobian);
        self.model.factor_rows(&mut self.jacobian, &mut self.rows);
        self.model
            .rows_mut()
            .set_extra_row(extra_weight.sqrt(), center, along_center);
        objective.rows()
    }

    fn mean_eigenvalue(&self) -> O::Scalar {
        self.model.rows().mean_eigenvalue()
    }

    fn step(
        &mut self,
        _: &O,
        _: &O::Evaluation,
        damping: O::Scalar,
        pull: Option<(O::Scalar, &[O::Scalar])>,
        subspace: &Subspace<O::Scalar>,
        step: &mut [O::Scalar],
    ) -> Result<(), NotPositiveDefinite> {
        self.model.step(damping, pull, subspace, step)
    }

    fn damped_factor(
        &mut self,
        damping: O::Scalar,
        factor: &mut [O::Scalar],
        residual: &mut [O::Scalar],
    ) -> bool {
        self.model.damped_factor(damping, factor, residual)
    }

    fn negative_curvature(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        subspace: &Subspace<O::Scalar>,
    ) -> Option<(Vec<O::Scalar>, O::Scalar)> {
        let factor = self.model.slightly_damped_factor(subspace);
        negative_curvature(objective, at, subspace, factor)
    }

    fn apply(&mut self, _: &O, _: &O::Evaluation, p: &[O::Scalar], product: &mut [O::Scalar]) {
        self.model.rows().apply(p, product);
    }
}
