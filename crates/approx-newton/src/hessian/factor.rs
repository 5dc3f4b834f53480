//! A model by its factor, from the side that is the smaller one.

use super::carried_rows::CarriedRows;
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
        // With e there are still fewer.
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

    /// The rows, e last, and what they carry.
    pub(super) fn rows(&self) -> &CarriedRows<B::Scalar> {
        match self {
            Self::Triangular(model) => &model.rows,
            Self::Wide(model) => &model.rows,
        }
    }

    /// The same, to be changed.
    pub(super) fn rows_mut(&mut self) -> &mut CarriedRows<B::Scalar> {
        match self {
            Self::Triangular(model) => &mut model.rows,
            Self::Wide(model) => &mut model.rows,
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
}
