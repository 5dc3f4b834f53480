//! When a solve is over, and what that says about its answer.

use std::fmt;
use twolayer_core::{Error, Met, Scalar};

/// How a solve ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Status {
    /// The loss is no larger than its own rounding error: the precision knows no better answer,
    /// here or elsewhere.
    PerfectFit,
    /// The objective has its value of zero in the limit only, as x grows without bound, and is zero
    /// here to rounding: where b has zeros, the output is b to the last digit, and further out it
    /// would be no nearer.
    MetAtInfinity,
    /// The objective is met as closely as what it is made of is known
    /// ([`Objective::uncertainty`](twolayer_core::Objective::uncertainty)): a target in single precision, say.
    MeetsTarget,
    /// The gradient (in the subspace that pinned kinks leave, and along the sphere where ‖x‖ = R)
    /// fell below its tolerance relative to its start, or is no more than its own rounding error where
    /// no step lowers the loss.
    GradientSmall,
    /// The decrease that the quadratic model still promises is negligible against the loss, or
    /// below its rounding error: a local minimum.
    DecrementSmall,
    /// The last step was negligible against ‖x‖.
    StepSmall,
    /// The iteration limit was reached.
    IterationLimit,
    /// The time limit was reached.
    TimeLimit,
    /// No step lowers the loss any more, though the gradient is not small.
    Stalled,
    /// Held on a kink that the model would leave and that a step leads back to at once: not a
    /// minimum, as far as the model knows, and no way out.
    Jammed,
    /// The gradient vanishes where the curvature does too: every unit that matters is off, the
    /// softmax is saturated, or the squares of the weights underflow. Nothing says that this is a
    /// minimum.
    Flat,
    /// Gradient or curvature overflow at the point, so that there is no step to take from it.
    NonFinite,
    /// No amount of damping made the model of the Hessian positive definite in working precision.
    Indefinite,
    /// An observer asked to stop.
    Stopped,
}

impl Status {
    /// Whether the answer is a stationary point to the tolerances asked for.
    pub fn is_converged(self) -> bool {
        matches!(
            self,
            Self::PerfectFit
                | Self::MetAtInfinity
                | Self::MeetsTarget
                | Self::GradientSmall
                | Self::DecrementSmall
                | Self::StepSmall
        )
    }

    /// Whether the objective is zero at the answer, to rounding or as far as it is known: no other start would
    /// do better.
    pub fn is_met(self) -> bool {
        matches!(
            self,
            Self::PerfectFit | Self::MetAtInfinity | Self::MeetsTarget
        )
    }

    /// A word for tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerfectFit => "perfect-fit",
            Self::MetAtInfinity => "met-at-infinity",
            Self::MeetsTarget => "meets-target",
            Self::GradientSmall => "gradient-small",
            Self::DecrementSmall => "decrement-small",
            Self::StepSmall => "step-small",
            Self::IterationLimit => "iteration-limit",
            Self::TimeLimit => "time-limit",
            Self::Stalled => "stalled",
            Self::Jammed => "jammed",
            Self::Flat => "flat",
            Self::NonFinite => "non-finite",
            Self::Indefinite => "indefinite",
            Self::Stopped => "stopped",
        }
    }

    /// What a user can do about it, or should know; empty where there is nothing.
    pub fn advice(self) -> &'static str {
        match self {
            Self::MetAtInfinity => {
                "met to rounding; b has zeros, and a softmax has them only as x grows without bound"
            }
            Self::MeetsTarget => {
                "met as closely as b is known, which was rounded to single or half precision; its sum is set right"
            }
            Self::IterationLimit => "raise the iteration limit, or go on from this x",
            Self::TimeLimit => "raise the time limit, or go on from this x",
            Self::Stalled | Self::Jammed => {
                "start elsewhere, centre the features, or use f64 where f32 was used"
            }
            Self::Flat => {
                "start elsewhere: here every unit that matters is off, or the softmax is saturated; or scale up \
                 weights whose squares underflow"
            }
            Self::NonFinite => {
                "scale the network's weights or the start down, or use f64 where f32 was used"
            }
            Self::Indefinite => "use another model of the Hessian, or start elsewhere",
            _ => "",
        }
    }
}

impl From<Met> for Status {
    fn from(met: Met) -> Self {
        match met {
            Met::AtItsBound => Self::PerfectFit,
            Met::AtInfinity => Self::MetAtInfinity,
            Met::WithinUncertainty => Self::MeetsTarget,
        }
    }
}

/// What kind of point the answer is, as far as first derivatives and the model tell. That the
/// Hessian itself is positive definite there is for a certificate to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum LimitPoint {
    /// Stationary where the objective is smooth.
    Smooth,
    /// On the kinks that [`Solution::pinned`](crate::Solution::pinned) names: stationary along
    /// them, and rising, to first order, to both sides of each. It is Clarke-stationary.
    AtKinks,
    /// The same where all that x lies on are bounds: the objective is smooth there.
    AtBounds,
    /// The solve did not converge: nothing says that this is a stationary point.
    Undetermined,
}

impl LimitPoint {
    /// Of a converged solve that ends held on the kinks `pinned`, those from number `first_bound` on bounds.
    pub(crate) fn held_by(pinned: &[usize], first_bound: usize) -> Self {
        if pinned.is_empty() {
            Self::Smooth
        } else if pinned.iter().all(|&kink| kink >= first_bound) {
            Self::AtBounds
        } else {
            Self::AtKinks
        }
    }

    /// A word for tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smooth => "smooth",
            Self::AtKinks => "at-kinks",
            Self::AtBounds => "at-bounds",
            Self::Undetermined => "undetermined",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The relative quantities that end a solve. All are pure numbers, because absolute ones mean
/// nothing across problems: with m outcomes f ~ 1/m, and the squared loss and its gradient scale
/// like 1/m².
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerances<T> {
    gradient: T,
    decrement: T,
    step: T,
}

impl<T: Scalar> Default for Tolerances<T> {
    /// Down to what the precision can tell: a Newton method needs only a step or two from a rough
    /// answer to the last digit.
    fn default() -> Self {
        let roundoff = T::UNIT_ROUNDOFF;
        Self {
            gradient: T::of(16.0) * roundoff,
            decrement: T::of(16.0) * roundoff,
            step: roundoff,
        }
    }
}

impl<T: Scalar> Tolerances<T> {
    /// Stop at ‖∇L(x)‖ ≤ `gradient`·‖∇L(x0)‖.
    ///
    /// # Errors
    /// A value that is not in \[0, 1).
    pub fn with_gradient(self, gradient: T) -> Result<Self, Error> {
        Ok(Self {
            gradient: Self::check("gradient tolerance", gradient)?,
            ..self
        })
    }

    /// Stop where the model promises a decrease of at most `decrement`·L(x).
    ///
    /// # Errors
    /// A value that is not in \[0, 1).
    pub fn with_decrement(self, decrement: T) -> Result<Self, Error> {
        Ok(Self {
            decrement: Self::check("decrement tolerance", decrement)?,
            ..self
        })
    }

    /// Stop after a step with ‖p‖ ≤ `step`·‖x‖.
    ///
    /// # Errors
    /// A value that is not in \[0, 1).
    pub fn with_step(self, step: T) -> Result<Self, Error> {
        Ok(Self {
            step: Self::check("step tolerance", step)?,
            ..self
        })
    }

    /// The bound on ‖∇L(x)‖/‖∇L(x0)‖.
    pub fn gradient(&self) -> T {
        self.gradient
    }

    /// The bound on the promised decrease over L(x).
    pub fn decrement(&self) -> T {
        self.decrement
    }

    /// The bound on ‖p‖/‖x‖.
    pub fn step(&self) -> T {
        self.step
    }

    fn check(name: &'static str, value: T) -> Result<T, Error> {
        if value >= T::zero() && value < T::one() {
            return Ok(value);
        }
        Err(Error::Parameter {
            name,
            value: value.to_f64(),
            requirement: "at least 0 and below 1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Status; 14] = [
        Status::PerfectFit,
        Status::MetAtInfinity,
        Status::MeetsTarget,
        Status::GradientSmall,
        Status::DecrementSmall,
        Status::StepSmall,
        Status::IterationLimit,
        Status::TimeLimit,
        Status::Stalled,
        Status::Jammed,
        Status::Flat,
        Status::NonFinite,
        Status::Indefinite,
        Status::Stopped,
    ];

    /// Only a stationary point is called converged; every other end says what to do, but for one
    /// that was asked for, and so does one at infinity, which may surprise. Names are told apart.
    #[test]
    fn what_is_not_converged_has_advice() {
        let converged = [
            Status::PerfectFit,
            Status::MetAtInfinity,
            Status::MeetsTarget,
            Status::GradientSmall,
            Status::DecrementSmall,
            Status::StepSmall,
        ];
        for status in ALL {
            assert_eq!(
                status.is_converged(),
                converged.contains(&status),
                "{status}"
            );
            let surprises = [Status::MetAtInfinity, Status::MeetsTarget];
            let told = !status.is_converged() || surprises.contains(&status);
            let silent = !told || status == Status::Stopped;
            assert_eq!(status.advice().is_empty(), silent, "{status}");
            assert_eq!(format!("{status:>20}").trim(), status.name());
        }
        let mut names: Vec<_> = ALL.iter().map(|status| status.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        let limits = [
            LimitPoint::Smooth,
            LimitPoint::AtKinks,
            LimitPoint::AtBounds,
            LimitPoint::Undetermined,
        ];
        assert_eq!(
            limits.map(LimitPoint::name),
            ["smooth", "at-kinks", "at-bounds", "undetermined"]
        );
    }

    #[test]
    fn what_is_met_needs_no_other_start() {
        assert_eq!(Status::from(Met::AtItsBound), Status::PerfectFit);
        assert_eq!(Status::from(Met::AtInfinity), Status::MetAtInfinity);
        assert_eq!(Status::from(Met::WithinUncertainty), Status::MeetsTarget);
        let met = ALL.iter().filter(|status| status.is_met());
        let all = [
            Status::PerfectFit,
            Status::MetAtInfinity,
            Status::MeetsTarget,
        ];
        assert!(met.eq(&all));
    }

    #[test]
    fn tolerances_are_a_few_roundoffs_unless_said_otherwise() {
        let fine = Tolerances::<f64>::default();
        let roundoff = 2.0_f64.powi(-53);
        assert_eq!(fine.gradient(), 16.0 * roundoff);
        assert_eq!((fine.decrement(), fine.step()), (16.0 * roundoff, roundoff));
        assert_eq!(Tolerances::<f32>::default().step(), 2.0_f32.powi(-24));
        let mine = fine
            .with_gradient(1e-3)
            .and_then(|t| t.with_decrement(1e-4))
            .and_then(|t| t.with_step(1e-5))
            .unwrap();
        assert_eq!(
            (mine.gradient(), mine.decrement(), mine.step()),
            (1e-3, 1e-4, 1e-5)
        );
    }

    #[test]
    fn a_tolerance_is_at_least_zero_and_below_one() {
        for (value, good) in [
            (0.0, true),
            (1.0 - 1e-9, true),
            (1.0, false),
            (-1e-300, false),
            (f64::NAN, false),
            (f64::INFINITY, false),
        ] {
            let fine = Tolerances::<f64>::default();
            assert_eq!(fine.with_gradient(value).is_ok(), good, "{value}");
            assert_eq!(fine.with_decrement(value).is_ok(), good, "{value}");
            assert_eq!(fine.with_step(value).is_ok(), good, "{value}");
        }
    }
}
