//! What a certificate says.

use crate::refusal::Refusal;

/// A proof, checked in floating point, that a stationary point lies near x.
///
/// Every bound is rounded to the safe side. The coordinates in which it was found are scaled:
/// x + T y with TᵀKT near a diagonal of signs, K the Hessian, bordered by the normals of the kinks
/// that x lies on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Certificate {
    /// r*: a stationary point lies within this distance of x.
    pub radius: f64,
    /// No second stationary point lies within this distance of x on the same kinks. Where it is at
    /// least `radius`, exactly one lies within `radius`.
    pub unique_within: f64,
    /// How many eigenvalues of the Hessian (along the kinks that x lies on) are negative at the
    /// stationary point; the others are positive. 0 is a strict local minimum.
    pub negative_directions: usize,
    /// The units whose kinks the stationary point lies on. The loss rises to both sides of each.
    pub kinks: Vec<usize>,
    /// κ = ωη/(1 − δ)², below ½.
    pub kappa: f64,
    /// η ≥ ‖Tᵀ∇L‖: the scaled gradient.
    pub eta: f64,
    /// ω: a Lipschitz constant of the scaled Hessian over the region of the proof.
    pub hessian_lipschitz: f64,
    /// δ ≥ ‖TᵀKT − D‖₂, below 1.
    pub defect: f64,
    /// A lower bound of |λ|, λ the eigenvalues of the Hessian (along the kinks that x lies on) at
    /// the stationary point.
    pub least_eigenvalue: f64,
    /// A lower bound of the distance from the point that the proof is for to the nearest kink that it does not lie on.
    pub kink_distance: f64,
    /// The loss at the stationary point lies between these.
    pub loss: [f64; 2],
    /// The point that the proof is for, rounded: x after the Newton steps (d).
    pub point: Vec<f64>,
    /// The stationary point lies within this distance of `point`.
    pub point_radius: f64,
    /// Newton steps taken before.
    pub newton_steps: usize,
    /// The arithmetic of the matrices: `f64` or `double-double`.
    pub arithmetic: &'static str,
}

impl Certificate {
    /// Whether the stationary point is a strict local minimum.
    pub fn is_minimum(&self) -> bool {
        self.negative_directions == 0
    }

    /// Whether exactly one stationary point lies within `radius` of x.
    pub fn is_unique(&self) -> bool {
        self.unique_within >= self.radius
    }

    /// A word for tables and files.
    pub fn kind(&self) -> &'static str {
        match self.negative_directions {
            0 => "minimum",
            n if n == self.point.len() => "maximum",
            _ => "saddle",
        }
    }
}

/// A certificate, or the reason why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Proved.
    Certified(Box<Certificate>),
    /// Not proved.
    Refused(Refusal),
}

impl Verdict {
    /// The certificate, where there is one.
    pub fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Certified(certificate) => Some(certificate),
            Self::Refused(_) => None,
        }
    }

    /// The refusal, where it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Certified(_) => None,
            Self::Refused(refusal) => Some(refusal),
        }
    }

    /// A word for tables and files: what the point is, or why nothing is proved.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Certified(certificate) => certificate.kind(),
            Self::Refused(refusal) => refusal.name(),
        }
    }
}
