//! A proof, after the fact and in floating point, that a stationary point lies near an answer.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use twolayer::{Inversion, Solver, Target, TwoLayer};
//! # use twolayer_certificate::Certifier;
//! # use twolayer_faer::{Faer, faer::Mat};
//! # let a1 = Mat::from_fn(24, 8, |i, j| ((7 * i * i + 3 * i * j + 2 * j * j + 1) as f64).sin());
//! # let a2 = Mat::from_fn(40, 24, |i, j| ((5 * i * i + 2 * i * j + j * j + 1) as f64).cos());
//! # let network = TwoLayer::new(Faer::default(), a1, a2)?;
//! # let target = Target::new(network.probabilities(&[0.5, -0.2, 0.1, 0.9, -0.4, 0.3, 0.7, -0.6])?)?;
//! # let problem = Inversion::new(&network, &target)?;
//! let solution = Solver::new().solve(&problem, &[0.1; 8])?;
//! let verdict = Certifier::new().certify(&problem, &solution.x)?;
//! if let Some(certificate) = verdict.certificate() {
//!     println!("a strict minimum lies within {:e} of x", certificate.radius);
//! }
//! # assert!(verdict.certificate().is_some_and(|c| c.is_minimum() && c.is_unique()), "{verdict:?}");
//! # Ok(())
//! # }
//! ```
//!
//! The argument is Newton's and Kantorovich's, in coordinates in which the Hessian is near a
//! diagonal of signs; `docs/certificates.md` has it in full. What it rests on: `f64` follows IEEE
//! 754 with rounding to nearest, and `f64::mul_add` rounds once. No kernel of a backend and no
//! function of a mathematical library is trusted: the weights are read out of the backend, and the
//! rest is computed here.
//!
//! | file | what |
//! |---|---|
//! | `directed` | bounds that never round to the unsafe side |
//! | `real`, `enclosure` | double-double numbers, and intervals around them |
//! | `instance`, `point` | the problem, and the network at one point, enclosed |
//! | `hessian` | TᵀKT and the bound of its error |
//! | `scaling` | how T is found; never trusted |
//! | `lipschitz` | how fast the Hessian changes |
//! | `position` | polishing by Newton's steps |
//! | `proof` | the inequalities |

#![allow(
    clippy::neg_cmp_op_on_partial_ord,
    reason = "NaN must refuse: what a proof needs is that the inequality holds"
)]

#[cfg(test)]
mod definition;
mod directed;
mod enclosure;
#[cfg(test)]
mod exact;
mod hessian;
mod instance;
mod lipschitz;
mod point;
mod position;
mod proof;
mod real;
mod refusal;
mod scaling;
mod verdict;

pub use refusal::Refusal;
pub use verdict::{Certificate, Verdict};

use instance::{Instance, wide};
use position::Position;
use proof::Claim;
use real::{DoubleDouble, Real};
use twolayer::{Error, Inversion, LinearBackend, Scalar};

/// Issues certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certifier {
    polish: bool,
}

impl Default for Certifier {
    fn default() -> Self {
        Self { polish: true }
    }
}

impl Certifier {
    /// Polishes x by Newton steps before it is judged.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether x is polished by Newton steps in double-double before it is judged; it is by
    /// default. Without, a certificate is for x as it is.
    pub fn with_polish(self, polish: bool) -> Self {
        Self { polish }
    }

    /// Proves that a stationary point lies near `x` (d), or says why that cannot be proved. The
    /// problem may be in `f32`, and x in either precision: all is computed in `f64` or more.
    ///
    /// Costs about that of a few exact Hessians where `f64` is enough, and an order of magnitude
    /// more where it is not; memory for a copy of A1 and A2, their active parts, and C.
    ///
    /// # Errors
    /// An x of the wrong length, or with an entry that is NaN or infinite.
    pub fn certify<B: LinearBackend, T: Scalar>(
        &self,
        problem: &Inversion<'_, B>,
        x: &[T],
    ) -> Result<Verdict, Error> {
        Error::check_length("x", x.len(), problem.network().inputs())?;
        Error::check_finite("x", x)?;
        let x = wide(x);
        let instance = match Instance::new(problem) {
            Ok(instance) => instance,
            Err(refusal) => return Ok(Verdict::Refused(refusal)),
        };
        let claim = Claim {
            instance: &instance,
            given: &x,
            polish: self.polish,
        };
        if let Err(refusal) = claim.check_bounds(0.0) {
            return Ok(Verdict::Refused(refusal));
        }
        let kinks = instance.kinks_near(&x, KINK_ROUNDOFFS * T::UNIT_ROUNDOFF.to_f64());
        let verdict = match prove::<f64>(claim, &kinks) {
            // These may be the fault of the arithmetic.
            Err(
                Refusal::Singular { .. }
                | Refusal::Rough { .. }
                | Refusal::Moved { .. }
                | Refusal::NotHeld { .. }
                | Refusal::AtKink { .. },
            ) => prove::<DoubleDouble>(claim, &kinks),
            verdict => verdict,
        };
        Ok(match verdict {
            Ok(certificate) => Verdict::Certified(Box::new(certificate)),
            Err(refusal) => Verdict::Refused(refusal),
        })
    }
}

/// A unit counts as on its kink where |h| is below this many roundoffs of its own terms.
const KINK_ROUNDOFFS: f64 = 1e4;

/// Proves what can be proved with matrices of one number format, first with x on the given kinks,
/// then without those that do not hold it. Where that does not help, the first reason is the best.
fn prove<R: Real>(claim: Claim<'_>, kinks: &[usize]) -> Result<Certificate, Refusal> {
    let mut held = kinks.to_vec();
    let mut refused = None;
    loop {
        let mut position = Position::<R>::new(claim.instance, claim.given, held.clone());
        if !position.point.is_finite() {
            let quantity = "gradient";
            return Err(Refusal::Overflow { quantity });
        }
        if claim.polish {
            position = position.polish(claim.instance);
        }
        match claim.check(&position) {
            Err(refusal) if !held.is_empty() => {
                match refusal {
                    Refusal::NotHeld { unit, .. } => held.retain(|&other| other != unit),
                    _ => held.clear(),
                }
                refused = refused.or(Some(refusal));
            }
            verdict => return verdict.map_err(|refusal| refused.unwrap_or(refusal)),
        }
    }
}

#[cfg(test)]
mod tests;
