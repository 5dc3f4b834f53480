//! Why an answer has no derivative.

use approx_newton::Status;
use std::fmt;
use twolayer_core::Error;

/// Why an answer has no derivative, or none that is known.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoDerivative {
    /// Nothing says that x is a minimum.
    #[error("the solve ended as {status}, at a point that need not be a minimum: {}", advice(*status))]
    NotConverged {
        /// How it ended.
        status: Status,
    },
    /// The minimum is at infinity, and x on the way there.
    #[error(
        "b has zeros and is met in the limit of large x only, so that x is not determined by it: add a \
         regulariser or a nearness, or bound x"
    )]
    AtInfinity,
    /// The solution and the problem are not of one another.
    #[error("the solution is none of this problem: {found}")]
    OfAnotherProblem {
        /// What does not fit.
        found: &'static str,
    },
    /// A Newton step from x still leads far.
    #[error(
        "x is too far from the minimum: a Newton step from it is {step:.2e} long, and x {size:.2e} (solve to \
         smaller tolerances)"
    )]
    Rough {
        /// Length of the step.
        step: f64,
        /// ‖x‖.
        size: f64,
    },
    /// The Hessian is not positive definite along what holds x, as far as the precision tells.
    #[error(
        "the minimum is not strict: along the {directions} directions that are free the Hessian is singular to \
         rounding, or negative, so that x is not determined (add a nearness or a regulariser, hold entries by \
         bounds, or use f64 where f32 was used)"
    )]
    NotStrict {
        /// d less the number of kinks, bounds and the sphere that hold x.
        directions: usize,
    },
    /// The answer turns a corner here: what holds x would let go of it at the smallest change, or begin to hold it.
    #[error(
        "the answer has a corner here: {held} holds x with a multiplier that is zero to rounding, or x lies there \
         without being held (derivatives differ from side to side)"
    )]
    Corner {
        /// What holds x, or does not.
        held: Held,
    },
    /// The loss does not tell how it depends on b.
    #[error("how the loss {name} changes with b is not known")]
    UnknownLoss {
        /// The loss.
        name: &'static str,
    },
    /// An argument is no good.
    #[error(transparent)]
    Input(#[from] Error),
}

impl NoDerivative {
    /// A word for tables and files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotConverged { .. } => "not-converged",
            Self::AtInfinity => "at-infinity",
            Self::OfAnotherProblem { .. } => "of-another-problem",
            Self::Rough { .. } => "rough",
            Self::NotStrict { .. } => "not-strict",
            Self::Corner { .. } => "corner",
            Self::UnknownLoss { .. } => "unknown-loss",
            Self::Input(_) => "input",
        }
    }
}

fn advice(status: Status) -> &'static str {
    match status.advice() {
        "" => "solve it to the end",
        advice => advice,
    }
}

/// Something that may hold an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Held {
    /// A kink of the network, by its number: the unit, for two layers.
    Kink(usize),
    /// A bound.
    Bound {
        /// The entry of x.
        entry: usize,
        /// Whether it is the upper one.
        is_upper: bool,
    },
    /// The sphere ‖x‖ = R.
    Sphere,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kink(kink) => write!(f, "kink {kink} of the network"),
            Self::Bound { entry, is_upper } => {
                let which = if *is_upper { "upper" } else { "lower" };
                write!(f, "the {which} bound of x[{entry}]")
            }
            Self::Sphere => write!(f, "the sphere |x| = R"),
        }
    }
}
