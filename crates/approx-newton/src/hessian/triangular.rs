//! H̃ = RᵀR + eeᵀ by its triangular factor: damped steps as least-squares problems.

use super::carried_rows::CarriedRows;
use num_traits::{Float, One, Zero};
use twolayer_core::{LinearBackend, NotPositiveDefinite, Scalar, Subspace, reduce, solve_upper};

/// A model H̃ = RᵀR + eeᵀ with the gradient Rᵀs + σe + rest.
///
/// R is the factor of weighted rows of C, J = QR. C may have a condition number of 10⁸ on a trained
/// network; JᵀJ would have its square, 10¹⁶, and no digit of the small directions would be left in
/// it. R keeps them, and a damped step is the least-squares problem with R stacked on √ν I, solved by
/// a second, small QR. Its rows lie so that a QR that skips zeros below a staircase has 2d³/3 flops,
/// or 2d³ where kinks are pinned and R is no longer triangular; another has 10d³/3.
pub(super) struct Triangular<B: LinearBackend> {
    backend: B,
    workspace: B::Workspace,
    /// R, e and the ridge, over the free coordinates: shaped where they are first factored.
    stack: B::Matrix,
    /// JᵀJ, where R may come from it.
    gram: Option<Gram<B>>,
    /// R (d×d), then e; s, then σ.
    pub(super) rows: CarriedRows<B::Scalar>,
    stacked: Vec<B::Scalar>,
    stacked_rhs: Vec<B::Scalar>,
    /// The point that the step is pulled to, in the coordinates of the subspace (d).
    pulled: Vec<B::Scalar>,
    /// The factor of the damped model, over the free coordinates.
    damped_factor: Vec<B::Scalar>,
    free: usize,
}

/// Buffers for JᵀJ (d×d): shaped where it is first formed.
struct Gram<B: LinearBackend> {
    square: B::Matrix,
    ones: Vec<B::Scalar>,
}

/// R comes from JᵀJ for this many times as many rows as unknowns,
const TALL: usize = 4;
/// and where the entries on R's diagonal differ by no more than this power of the unit roundoff: JᵀJ's
/// relative error, the square of their ratio times a roundoff, is then below u^½.
const MOST_SPREAD: f64 = 0.25;

impl<B: LinearBackend> Triangular<B> {
    /// The same for rows that a regulariser keeps well conditioned, as a rule: R is then the Cholesky factor of
    /// JᵀJ, half the flops of a QR of many rows and at several times their speed. Where it turns out that they are
    /// not, it is that of the QR all the same.
    pub(super) fn with_gram(self) -> Self {
        let gram = Gram {
            square: self.backend.zeros(0, 0),
            ones: Vec::new(),
        };
        Self {
            gram: Some(gram),
            ..self
        }
    }

    /// Buffers for d unknowns.
    pub(super) fn new(backend: B, d: usize) -> Self {
        let zeros = |length| vec![B::Scalar::zero(); length];
        Self {
            stack: backend.zeros(0, 0),
            gram: None,
            workspace: Default::default(),
            backend,
            rows: CarriedRows::new(d, d),
            stacked: Vec::with_capacity((2 * d + 1) * d),
            stacked_rhs: Vec::with_capacity(2 * d + 1),
            pulled: zeros(d),
            damped_factor: zeros(d * d),
            free: d,
        }
    }

    /// Takes R from `rows` (p×d), which are destroyed; s is the start of Qᵀ·`rhs` (p).
    pub(super) fn factor_rows(&mut self, rows: &mut B::Matrix, rhs: &mut [B::Scalar]) {
        let d = self.rows.dimension();
        self.rows.carried.fill(B::Scalar::zero());
        if rhs.len() >= TALL * d && self.factor_gram(rows, rhs) {
            return;
        }
        let (r, _) = self.rows.entries.split_at_mut(d * d);
        self.backend.qr_reduce(rows, rhs, r, &mut self.workspace);
        let carried = rhs.len().min(d);
        self.rows.carried[..carried].copy_from_slice(&rhs[..carried]);
    }

    /// The same from JᵀJ = RᵀR, with s = R⁻ᵀJᵀ·`rhs`. Returns false where it may not, or is too
    /// badly conditioned.
    fn factor_gram(&mut self, rows: &B::Matrix, rhs: &[B::Scalar]) -> bool {
        let d = self.rows.dimension();
        let Some(Gram { square, ones }) = &mut self.gram else {
            return false;
        };
        let (backend, workspace) = (&self.backend, &mut self.workspace);
        if backend.nrows(square) != d {
            *square = backend.zeros(d, d);
        }
        ones.resize(rhs.len(), B::Scalar::one());
        backend.gram_lower(rows, ones, square, workspace);
        let Ok(cholesky) = backend.cholesky(square, workspace) else {
            return false;
        };
        backend.cholesky_lower(&cholesky, square);
        let r = &mut self.rows.entries[..d * d];
        backend.copy_to_row_major(square, r);
        let diagonal = || (0..d).map(|i| r[i * d + i]);
        let largest = diagonal().fold(B::Scalar::zero(), B::Scalar::max);
        let least = diagonal().fold(B::Scalar::infinity(), B::Scalar::min);
        let spread = B::Scalar::UNIT_ROUNDOFF.powf(B::Scalar::of(MOST_SPREAD));
        if least.is_nan() || least < spread * largest {
            return false;
        }
        for i in 0..d {
            for j in 0..i {
                r.swap(i * d + j, j * d + i);
            }
        }
        let s = &mut self.rows.carried[..d];
        backend.mul_vec_transposed(rows, rhs, s);
        solve_upper(r, s, true);
        true
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
        self.factor_damped(damping, pull, subspace, step);
        // p = −R⁻¹ (Qᵀs + R⁻ᵀ rest)
        step.copy_from_slice(&self.rows.rest);
        subspace.rotate(step);
        step[..pinned].fill(B::Scalar::zero());
        let p = &mut step[pinned..];
        let factor = &self.damped_factor[..self.free * self.free];
        solve_upper(factor, p, true);
        reduce::axpy(B::Scalar::one(), &self.stacked_rhs[..self.free], p);
        p.iter_mut().for_each(|p| *p = -*p);
        solve_upper(factor, p, false);
        if !reduce::all_finite(p) {
            return Err(NotPositiveDefinite);
        }
        subspace.rotate_back(step);
        Ok(())
    }

    /// Factors H̃ + νI over the free coordinates. `scratch` has d entries.
    pub(super) fn factor_damped(
        &mut self,
        damping: B::Scalar,
        pull: Option<(B::Scalar, &[B::Scalar])>,
        subspace: &Subspace<B::Scalar>,
        scratch: &mut [B::Scalar],
    ) {
        let (d, pinned) = (self.rows.dimension(), subspace.constraints());
        let free = d - pinned;
        self.free = free;
        // e, then the rows of R in the coordinates of the subspace, each followed by one of √ν I
        // where R is triangular there, else all of these behind them.
        let ridge = damping.sqrt();
        let pull = pull.map(|(multiplier, x)| {
            scratch.copy_from_slice(x);
            subspace.rotate(scratch);
            self.pulled.copy_from_slice(scratch);
            multiplier / ridge
        });
        self.stacked.clear();
        self.stacked_rhs.clear();
        let order = std::iter::once(d).chain(0..d);
        for i in order {
            scratch.copy_from_slice(&self.rows.entries[i * d..][..d]);
            subspace.rotate(scratch);
            self.stacked.extend_from_slice(&scratch[pinned..]);
            self.stacked_rhs.push(self.rows.carried[i]);
            if pinned == 0 && i < d {
                self.push_ridge_row(i, ridge, pull);
            }
        }
        if pinned > 0 {
            for j in 0..free {
                self.push_ridge_row(j, ridge, pull);
            }
        }
        let backend = &self.backend;
        if backend.nrows(&self.stack) != d + 1 + free {
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
    }

    /// Row j of √ν I, and what of the pull is told with it.
    fn push_ridge_row(&mut self, j: usize, ridge: B::Scalar, pull: Option<B::Scalar>) {
        let start = self.stacked.len();
        self.stacked.resize(start + self.free, B::Scalar::zero());
        self.stacked[start + j] = ridge;
        let pinned = self.rows.dimension() - self.free;
        let told = pull.map_or(B::Scalar::zero(), |scale| scale * self.pulled[pinned + j]);
        self.stacked_rhs.push(told);
    }

    /// As [`HessianApprox::damped_factor`](twolayer_core::HessianApprox::damped_factor).
    pub(super) fn damped_factor(
        &mut self,
        damping: B::Scalar,
        factor: &mut [B::Scalar],
        residual: &mut [B::Scalar],
    ) -> bool {
        let whole = Subspace::whole(residual.len());
        self.factor_damped(damping, None, &whole, residual);
        factor.copy_from_slice(&self.damped_factor);
        residual.copy_from_slice(&self.rows.rest);
        solve_upper(factor, residual, true);
        reduce::axpy(B::Scalar::one(), &self.stacked_rhs[..self.free], residual);
        reduce::all_finite(residual)
    }

    /// R with RᵀR = H̃ + νI over the free coordinates (row after row), and a ν that rounding makes of
    /// nothing; `None` where its arithmetic overflows or there is no curvature.
    pub(super) fn slightly_damped_factor(
        &mut self,
        subspace: &Subspace<B::Scalar>,
    ) -> Option<&[B::Scalar]> {
        let damping = B::Scalar::UNIT_ROUNDOFF.sqrt() * self.rows.mean_eigenvalue();
        let mut scratch = vec![B::Scalar::zero(); self.rows.dimension()];
        self.factor_damped(damping, None, subspace, &mut scratch);
        let factor = &self.damped_factor[..self.free * self.free];
        let usable = damping > B::Scalar::zero() && reduce::all_finite(factor);
        usable.then_some(factor)
    }

    /// v ← (H̃ + νI)⁻¹ v over the free coordinates, as last factored.
    pub(super) fn solve_damped(&self, v: &mut [B::Scalar]) {
        let factor = &self.damped_factor[..self.free * self.free];
        solve_upper(factor, v, true);
        solve_upper(factor, v, false);
    }
}

#[cfg(test)]
mod tests;
