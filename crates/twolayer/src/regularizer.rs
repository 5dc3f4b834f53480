//! ½‖W C(x) x‖², the regulariser of the paper.

use twolayer_core::{Error, Scalar};

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

    /// The choice for whoever wants the x whose output is b: none, for every problem.
    ///
    /// It is what was measured (`docs/experiments`, regularisation). The misfit ‖f − b‖² of the
    /// answer grows like w⁴, and was least without a regulariser for every kind of problem, whether
    /// it determines its answer or not. Nor does a weight determine it: the term depends on x
    /// through the logits alone, so that its Hessian CᵀW²C is singular wherever C has not full
    /// column rank. Only where C has it and C̄ has not, as for m = d, does a weight make the minimum
    /// strict; it then trades a family of exact answers for one that is off, and solves from other
    /// starts still end elsewhere.
    pub fn automatic() -> Option<Self> {
        None
    }

    /// w (m).
    pub fn weights(&self) -> &[T] {
        &self.weights
    }
}
