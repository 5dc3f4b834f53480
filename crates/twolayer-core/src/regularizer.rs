//! ½‖W C(x) x‖², the regulariser of the paper.

use crate::{Error, Scalar};

/// ½‖W A2 φ(A1 x)‖² with W = diag(w): gradient Cᵀ W² A2 φ(A1 x), Hessian Cᵀ W² C inside a cell.
///
/// Without biases C(x) x = A2 φ(A1 x). With enough weight, wᵢ² ≥ 2 + l/σ_min(C)², the Hessian of
/// squared loss plus regulariser is at least l·I (Lemma 69 of the paper, with a sharper constant).
#[derive(Debug, Clone, PartialEq)]
pub struct Regularizer<T> {
    weights: Vec<T>,
}

impl<T: Scalar> Regularizer<T> {
    /// One weight w for each of the m outcomes.
    ///
    /// # Errors
    /// No entries, or an entry that is NaN, infinite, or whose square overflows.
    pub fn new(weights: Vec<T>) -> Result<Self, Error> {
        if weights.is_empty() {
            return Err(Error::Empty {
                name: "w",
                found: "(0,)".into(),
            });
        }
        Error::check_finite("w", &weights)?;
        if weights.iter().any(|&w| !(w * w).is_finite()) {
            return Err(Error::Overflow {
                quantity: "square of w",
                at: "some outcome",
            });
        }
        Ok(Self { weights })
    }

    /// The same weight for all outcomes.
    ///
    /// # Errors
    /// As [`Regularizer::new`].
    pub fn uniform(weight: T, outcomes: usize) -> Result<Self, Error> {
        Self::new(vec![weight; outcomes])
    }

    /// w (m).
    pub fn weights(&self) -> &[T] {
        &self.weights
    }
}
