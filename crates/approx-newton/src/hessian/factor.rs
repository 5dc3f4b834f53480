//! A model by its factor, from the side that is the smaller one.

use super::triangular::Triangular;
use super::wide::Wide;
use twolayer_core::{LinearBackend, NotPositiveDefinite, Subspace};

/// H̃ = JᵀJ: by the triangular factor of its rows where they are many, by themselves where they are few.
pub(super) enum Factor<B: LinearBackend> {
    Triangular(Triangular<B>),
    Wide(Wide<B>),
}

impl<B: LinearBackend> Factor<B> {
    /// Buffers for so many `rows` of d unknowns, and the extra one.
    pub(super) fn of_rows(backend: B, rows: usize, d: usize) -> Self {
        // The extra row, and one more for what the d×d factor is faster at.
        match rows + 1 < d {
            true => Self::Wide(Wide::new(backend, rows, d)),
            false => Self::Triangular(Triangular::new(backend, d)),
        }
    }

    /// The same where a regulariser keeps the rows well conditioned.
    pub(super) fn with_gram(self) -> Self {
        match self {
            Self::Triangular(model) => Self::Triangular(model.with_gram()),
            Self::Wide(model) => Self::Wide(model),
        }
    }

    /// Whether steps come from the side of the rows.
    pub(super) fn is_wide(&self) -> bool {
        matches!(self, Self::Wide(_))
    }

    /// H̃ = JᵀJ of these `rows`, which are destroyed, with the gradient Jᵀ·`carried`.
    pub(super) fn factor_rows(&mut self, rows: &mut B::Matrix, carried: &mut [B::Scalar]) {
        match self {
            Self::Triangular(model) => model.factor_rows(rows, carried),
            Self::Wide(model) => model.take_rows(rows, carried),
        }
    }

    /// Adds the row e = `length`·`direction`, and what of the gradient lies along `direction`.
    pub(super) fn set_extra_row(
        &mut self,
        length: B::Scalar,
        direction: &[B::Scalar],
        along: B::Scalar,
    ) {
        match self {
            Self::Triangular(model) => model.set_extra_row(length, direction, along),
            Self::Wide(model) => model.set_extra_row(length, direction, along),
        }
    }

    /// Forgets the gradient; what is written here takes its place.
    pub(super) fn replace_gradient(&mut self) -> &mut [B::Scalar] {
        match self {
            Self::Triangular(model) => model.replace_gradient(),
            Self::Wide(model) => model.replace_gradient(),
        }
    }

    /// The part of the gradient that is told as it is (d).
    pub(super) fn rest(&mut self) -> &mut [B::Scalar] {
        match self {
            Self::Triangular(model) => model.rest(),
            Self::Wide(model) => model.rest(),
        }
    }

    /// As [`HessianApprox::mean_eigenvalue`](twolayer_core::HessianApprox::mean_eigenvalue).
    pub(super) fn mean_eigenvalue(&self) -> B::Scalar {
        match self {
            Self::Triangular(model) => model.mean_eigenvalue(),
            Self::Wide(model) => model.mean_eigenvalue(),
        }
    }

    /// As [`HessianApprox::step`](twolayer_core::HessianApprox::step).
    pub(super) fn step(
        &mut self,
        damping: B::Scalar,
        pull: Option<(B::Scalar, &[B::Scalar])>,
        subspace: &Subspace<B::Scalar>,
        step: &mut [B::Scalar],
    ) -> Result<(), NotPositiveDefinite> {
        match self {
            Self::Triangular(model) => model.step(damping, pull, subspace, step),
            Self::Wide(model) => model.step(damping, pull, subspace, step),
        }
    }

    /// Factors H̃ + νI over the free coordinates. `scratch` has d entries.
    pub(super) fn factor_damped(
        &mut self,
        damping: B::Scalar,
        subspace: &Subspace<B::Scalar>,
        scratch: &mut [B::Scalar],
    ) {
        match self {
            Self::Triangular(model) => model.factor_damped(damping, None, subspace, scratch),
            Self::Wide(model) => model.factor_damped(damping, subspace),
        }
    }

    /// v ← (H̃ + νI)⁻¹ v over the free coordinates, as last factored.
    pub(super) fn solve_damped(&mut self, v: &mut [B::Scalar]) {
        match self {
            Self::Triangular(model) => model.solve_damped(v),
            Self::Wide(model) => model.solve_damped(v),
        }
    }

    /// As [`HessianApprox::damped_factor`](twolayer_core::HessianApprox::damped_factor).
    pub(super) fn damped_factor(
        &mut self,
        damping: B::Scalar,
        factor: &mut [B::Scalar],
        residual: &mut [B::Scalar],
    ) -> bool {
        match self {
            Self::Triangular(model) => model.damped_factor(damping, factor, residual),
            Self::Wide(model) => model.damped_factor(damping, factor, residual),
        }
    }

    /// R with RᵀR = H̃ + νI over the free coordinates (row after row), and a ν that rounding makes of
    /// nothing; `None` where its arithmetic overflows or there is no curvature.
    pub(super) fn slightly_damped_factor(
        &mut self,
        subspace: &Subspace<B::Scalar>,
    ) -> Option<&[B::Scalar]> {
        match self {
            Self::Triangular(model) => model.slightly_damped_factor(subspace),
            Self::Wide(model) => model.slightly_damped_factor(subspace),
        }
    }

    /// product = H̃ p.
    pub(super) fn apply(&self, p: &[B::Scalar], product: &mut [B::Scalar]) {
        match self {
            Self::Triangular(model) => model.apply(p, product),
            Self::Wide(model) => model.apply(p, product),
        }
    }
}
