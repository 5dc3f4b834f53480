//! Why no certificate was issued.

/// The inequality that failed, with its two sides. A refusal says nothing against x: only that
/// this proof does not go through.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The loss has no derivatives that are known here.
    #[error("the loss {name} is not known: only squared and kl can be certified")]
    UnknownLoss {
        /// The loss.
        name: &'static str,
    },
    /// The objective has a term of nearness.
    #[error("the objective has a term of nearness, which is not known here")]
    Nearness,
    /// An outcome never comes, and the interval arithmetic has no −∞.
    #[error(
        "outcome {outcome} is masked (c2 is -inf): leave it out of the network, and its 0 out of b"
    )]
    Masked {
        /// The first of them.
        outcome: usize,
    },
    /// A ReLU is too near to its kink.
    #[error(
        "unit {unit} is too near to its kink: |h| = {distance:.2e}, and h may differ by {reach:.2e} \
         at the stationary point; it must differ by less (solve to a smaller tolerance)"
    )]
    AtKink {
        /// The unit.
        unit: usize,
        /// |hᵢ|, from below.
        distance: f64,
        /// How far h may move.
        reach: f64,
    },
    /// A unit on whose kink x lies is not held there by both sides.
    #[error(
        "unit {unit} is not held on its kink: its multiplier is {multiplier:.2e}, and it must lie \
         strictly between 0 and {jump:.2e} (go on from this x)"
    )]
    NotHeld {
        /// The unit.
        unit: usize,
        /// μᵢ.
        multiplier: f64,
        /// vᵢ, the slope of the loss in φ(hᵢ).
        jump: f64,
    },
    /// x is too far from a stationary point for its curvature and the change of that.
    #[error("x is too rough: kappa = {kappa:.2e}, and it must be below 1/2{}", polish_advice(*polished))]
    Rough {
        /// κ, from above.
        kappa: f64,
        /// Whether x was polished by Newton steps first.
        polished: bool,
    },
    /// The Hessian was not shown to be regular.
    #[error(
        "the Hessian is not shown to be regular: its scaled form is off by {defect:.2e}, and it \
         must be by less than 1 (a degenerate minimum: fewer outcomes or active units than \
         unknowns, a saturated softmax, or worse than double-double can tell; a regulariser helps)"
    )]
    Singular {
        /// δ, from above.
        defect: f64,
    },
    /// Newton's steps led away from x.
    #[error(
        "Newton's steps led {moved:.2e} away from x, and polishing may move it by {limit:.2e}: \
         solve to a smaller tolerance, or with the loss kl, which small probabilities weigh more in"
    )]
    Moved {
        /// The length of the way.
        moved: f64,
        /// The longest allowed.
        limit: f64,
    },
    /// The ball ‖x‖ ≤ R is not shown to hold the stationary point inside.
    #[error(
        "‖x‖ plus the certificate's radius is {norm:e}, and it must be below R = {radius:e}: a \
         minimum on the sphere is not certified"
    )]
    OnSphere {
        /// ‖x‖ + r*, from above.
        norm: f64,
        /// R.
        radius: f64,
    },
    /// The bounds are not shown to hold the stationary point inside.
    #[error(
        "x[{entry}] = {value:e} lies on a bound, or no further from it than the stationary point may lie from \
         x, {distance:.2e}: a minimum on bounds is not certified"
    )]
    AtBound {
        /// The first such entry.
        entry: usize,
        /// Of x.
        value: f64,
        /// How far from x the stationary point may be, from above.
        distance: f64,
    },
    /// Something overflowed.
    #[error("the {quantity} is not finite at x: scale the network's weights or the point down")]
    Overflow {
        /// What.
        quantity: &'static str,
    },
}

fn polish_advice(polished: bool) -> &'static str {
    if polished {
        ""
    } else {
        ": let it be polished, or solve to a smaller tolerance"
    }
}

impl Refusal {
    /// A word for tables and files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnknownLoss { .. } => "unknown-loss",
            Self::Nearness => "nearness",
            Self::Masked { .. } => "masked",
            Self::AtKink { .. } => "at-kink",
            Self::NotHeld { .. } => "not-held",
            Self::Rough { .. } => "rough",
            Self::Singular { .. } => "singular",
            Self::Moved { .. } => "moved",
            Self::OnSphere { .. } => "on-sphere",
            Self::AtBound { .. } => "at-bound",
            Self::Overflow { .. } => "overflow",
        }
    }
}
