//! H̃ = JᵀJ by its rows, where they are fewer than the unknowns: damped steps from the small side.

use super::carried_rows::CarriedRows;
use num_traits::{Float, One, Zero};
use twolayer_core::{LinearBackend, NotPositiveDefinite, Scalar, Subspace, reduce, solve_upper};

/// A model H̃ = JᵀJ of p rows, p < d, with the gradient Jᵀs + t.
///
/// Over the coordinates N that the pinned kinks leave, with J for JN and t for Nᵀt, the damped step is
///
/// ```text
/// p = −(JᵀJ + νI)⁻¹ (Jᵀs + t) = −t/ν − Jᵀ (JJᵀ + νI)⁻¹ (s − Jt/ν)
/// ```
///
/// with a p×p matrix in place of a d×d one. Its factor is that of the QR of Jᵀ stacked on √ν I, 2dp²
/// flops, and not of JJᵀ, whose condition number is the square: solved by R and Rᵀ, a step in the span of J's rows
/// is as exact as the condition number of the stack allows (C. C. Paige, "An error analysis of a method for
/// solving matrix equations", Math. Comp. 27, 1973). Where t is not zero its part in that span cancels,
/// and a second step with what is left of the gradient puts it right.
pub(super) struct Wide<B: LinearBackend> {
    backend: B,
    workspace: B::Workspace,
    /// Jᵀ on √ν I, over the free coordinates: shaped where it is first factored.
    stack: B::Matrix,
    /// J (p×d), s and t.
    pub(super) rows: CarriedRows<B::Scalar>,
    /// J over the free coordinates (p×free).
    free_rows: Vec<B::Scalar>,
    free: usize,
    /// ν as last factored.
    damping: B::Scalar,
    /// R with RᵀR = JJᵀ + νI (p×p).
    small_factor: Vec<B::Scalar>,
    /// Jᵀ on √ν I, row after row, and a right-hand side that nobody asks for.
    stacked: Vec<B::Scalar>,
    stacked_rhs: Vec<B::Scalar>,
    /// J on √ν I, and R with RᵀR = H̃ + νI, where these were asked for.
    large_stack: B::Matrix,
    large_factor: Vec<B::Scalar>,
    /// Scratch: over the rows, and two over the coordinates.
    small: Vec<B::Scalar>,
    left: Vec<B::Scalar>,
    correction: Vec<B::Scalar>,
}

impl<B: LinearBackend> Wide<B> {
    /// Buffers for so many `rows`, e not counted, of d unknowns.
    pub(super) fn new(backend: B, rows: usize, d: usize) -> Self {
        let zeros = |length| vec![B::Scalar::zero(); length];
        let p = rows + 1;
        Self {
            stack: backend.zeros(0, 0),
            large_stack: backend.zeros(0, 0),
            workspace: Default::default(),
            backend,
            rows: CarriedRows::new(rows, d),
            free_rows: Vec::with_capacity(p * d),
            free: d,
            damping: B::Scalar::zero(),
            small_factor: zeros(p * p),
            stacked: Vec::with_capacity((d + p) * p),
            stacked_rhs: Vec::with_capacity(d + p),
            large_factor: Vec::new(),
            small: zeros(p),
            left: zeros(d),
            correction: zeros(d),
        }
    }

    /// Takes the `rows` ((p − 1)×d) as they are, and s from `carried` (p − 1).
    pub(super) fn take_rows(&mut self, rows: &B::Matrix, carried: &[B::Scalar]) {
        let (d, others) = (self.rows.dimension(), carried.len());
        self.backend
            .copy_to_row_major(rows, &mut self.rows.entries[..others * d]);
        self.rows.carried[..others].copy_from_slice(carried);
    }

    /// As [`HessianApprox::step`](twolayer_core::HessianApprox::step).
    pub(super) fn step(
        &mut self,
        damping: B::Scalar,
        pull: Option<(B::Scalar, &[B::Scalar])>,
        subspace: &Subspace<B::Scalar>,
        step: &mut [B::Scalar],
    ) -> Result<(), NotPositiveDefinite> {
        let pinned = subspace.constraints();
        step.fill(B::Scalar::zero());
        if pinned == step.len() {
            return Ok(());
        }
        self.factor_damped(damping, subspace);
        // t, and in its place soon what is left of the gradient.
        let mut left = std::mem::take(&mut self.left);
        left.copy_from_slice(&self.rows.rest);
        if let Some((multiplier, x)) = pull {
            reduce::axpy(multiplier, x, &mut left);
        }
        subspace.rotate(&mut left);
        let (t, p) = (&mut left[pinned..], &mut step[pinned..]);
        self.small.copy_from_slice(&self.rows.carried);
        let has_rest = t.iter().any(|t| *t != B::Scalar::zero());
        self.solve(has_rest.then_some(t), p);
        if has_rest {
            self.add_rest_of_gradient(t, p);
            self.small.fill(B::Scalar::zero());
            let mut correction = std::mem::take(&mut self.correction);
            self.solve(Some(t), &mut correction[..self.free]);
            reduce::axpy(B::Scalar::one(), &correction[..self.free], p);
            self.correction = correction;
        }
        self.left = left;
        if !reduce::all_finite(step) {
            return Err(NotPositiveDefinite);
        }
        subspace.rotate_back(step);
        Ok(())
    }

    /// p = −t/ν − Jᵀ (JJᵀ + νI)⁻¹ (s − Jt/ν) over the free coordinates, with s in `small`.
    fn solve(&mut self, t: Option<&mut [B::Scalar]>, p: &mut [B::Scalar]) {
        let nu = self.damping;
        match t {
            Some(t) => {
                for (p, &t) in p.iter_mut().zip(t.iter()) {
                    *p = -t / nu;
                }
                for (s, row) in self
                    .small
                    .iter_mut()
                    .zip(self.free_rows.chunks_exact(self.free))
                {
                    *s += reduce::dot(row, p);
                }
            }
            None => p.fill(B::Scalar::zero()),
        }
        solve_upper(&self.small_factor, &mut self.small, true);
        solve_upper(&self.small_factor, &mut self.small, false);
        for (&w, row) in self
            .small
            .iter()
            .zip(self.free_rows.chunks_exact(self.free))
        {
            reduce::axpy(-w, row, p);
        }
    }

    /// t ← t + Jᵀ(Jp + s) + νp, which is zero where p is the step.
    fn add_rest_of_gradient(&self, t: &mut [B::Scalar], p: &[B::Scalar]) {
        let rows = self.free_rows.chunks_exact(self.free);
        for (row, &s) in rows.zip(&self.rows.carried) {
            reduce::axpy(reduce::dot(row, p) + s, row, t);
        }
        reduce::axpy(self.damping, p, t);
    }

    /// Factors JJᵀ + νI for J over the free coordinates.
    pub(super) fn factor_damped(&mut self, damping: B::Scalar, subspace: &Subspace<B::Scalar>) {
        let (d, p, pinned) = (
            self.rows.dimension(),
            self.rows.carried.len(),
            subspace.constraints(),
        );
        let free = d - pinned;
        self.free = free;
        self.damping = damping;
        self.rotate_rows(subspace);
        let zero = B::Scalar::zero();
        self.stacked.clear();
        for j in 0..free {
            let column = self.free_rows.chunks_exact(free).map(|row| row[j]);
            self.stacked.extend(column);
        }
        let ridge = damping.sqrt();
        for i in 0..p {
            let start = self.stacked.len();
            self.stacked.resize(start + p, zero);
            self.stacked[start + i] = ridge;
        }
        self.stacked_rhs.clear();
        self.stacked_rhs.resize(free + p, zero);
        let backend = &self.backend;
        if backend.nrows(&self.stack) != free + p || backend.ncols(&self.stack) != p {
            self.stack = backend.zeros(free + p, p);
        }
        backend.copy_from_row_major(&self.stacked, &mut self.stack);
        backend.qr_reduce(
            &mut self.stack,
            &mut self.stacked_rhs,
            &mut self.small_factor,
            &mut self.workspace,
        );
    }

    fn rotate_rows(&mut self, subspace: &Subspace<B::Scalar>) {
        let (d, pinned) = (self.rows.dimension(), subspace.constraints());
        self.free_rows.clear();
        for row in self.rows.entries.chunks_exact(d) {
            if pinned == 0 {
                self.free_rows.extend_from_slice(row);
                continue;
            }
            self.left.copy_from_slice(row);
            subspace.rotate(&mut self.left);
            self.free_rows.extend_from_slice(&self.left[pinned..]);
        }
    }

    /// v ← (H̃ + νI)⁻¹ v over the free coordinates, as last factored.
    pub(super) fn solve_damped(&mut self, v: &mut [B::Scalar]) {
        let mut negated = std::mem::take(&mut self.correction);
        self.small.fill(B::Scalar::zero());
        self.solve(Some(v), &mut negated[..self.free]);
        for (v, &p) in v.iter_mut().zip(&negated) {
            *v = -p;
        }
        self.correction = negated;
    }

    /// As [`HessianApprox::damped_factor`](twolayer_core::HessianApprox::damped_factor). Its QR has J's rows
    /// above those of √ν I: below their staircase, column j has p + 1 entries, and 2pd² flops are enough.
    pub(super) fn damped_factor(
        &mut self,
        damping: B::Scalar,
        factor: &mut [B::Scalar],
        residual: &mut [B::Scalar],
    ) -> bool {
        self.factor_large(damping, &Subspace::whole(residual.len()), factor);
        residual.copy_from_slice(&self.rows.rest);
        solve_upper(factor, residual, true);
        let d = residual.len();
        reduce::axpy(B::Scalar::one(), &self.stacked_rhs[..d], residual);
        reduce::all_finite(residual)
    }

    /// As [`Triangular::slightly_damped_factor`](super::triangular::Triangular::slightly_damped_factor).
    pub(super) fn slightly_damped_factor(
        &mut self,
        subspace: &Subspace<B::Scalar>,
    ) -> Option<&[B::Scalar]> {
        let damping = B::Scalar::UNIT_ROUNDOFF.sqrt() * self.rows.mean_eigenvalue();
        let mut factor = std::mem::take(&mut self.large_factor);
        factor.resize(subspace.dimension().pow(2), B::Scalar::zero());
        self.factor_large(damping, subspace, &mut factor);
        self.large_factor = factor;
        let usable = damping > B::Scalar::zero() && reduce::all_finite(&self.large_factor);
        usable.then_some(&self.large_factor[..])
    }

    /// R with RᵀR = H̃ + νI over the free coordinates, and Qᵀs in `stacked_rhs`.
    fn factor_large(
        &mut self,
        damping: B::Scalar,
        subspace: &Subspace<B::Scalar>,
        factor: &mut [B::Scalar],
    ) {
        let (p, free) = (self.rows.carried.len(), subspace.dimension());
        self.free = free;
        self.rotate_rows(subspace);
        let (backend, zero) = (&self.backend, B::Scalar::zero());
        if backend.nrows(&self.large_stack) != p + free {
            self.large_stack = backend.zeros(p + free, free);
        }
        let stack = &mut self.large_stack;
        backend.copy_block_from_row_major(&self.free_rows, (0, 0), free, stack);
        let row = &mut self.left[..free];
        row.fill(zero);
        for j in 0..free {
            row[j] = damping.sqrt();
            backend.copy_block_from_row_major(row, (p + j, 0), free, stack);
            row[j] = zero;
        }
        self.stacked_rhs.clear();
        self.stacked_rhs.extend_from_slice(&self.rows.carried);
        self.stacked_rhs.resize(p + free, zero);
        backend.qr_reduce(stack, &mut self.stacked_rhs, factor, &mut self.workspace);
    }
}

#[cfg(test)]
mod tests;
