//! Where x may lie, and what it is to be near to.

use super::numbers::at_least_zero;
use clap::Args;
use std::path::PathBuf;
use std::str::FromStr;

/// Bounds on x.
#[derive(Debug, Args)]
pub(crate) struct BoundArgs {
    /// Look for x with no entry below this number, or below those of the array (d) in a file, of which
    /// -inf is none [default: lower of the problem, else none].
    // Not negative numbers alone: clap knows none like -1e-3.
    #[arg(long, value_name = "NUMBER|L.npy", allow_hyphen_values = true)]
    pub(crate) lower: Option<Limit>,

    /// The same for the largest entries; where both bounds are the same, that entry of x is known.
    #[arg(long, value_name = "NUMBER|U.npy", allow_hyphen_values = true)]
    pub(crate) upper: Option<Limit>,
}

impl BoundArgs {
    pub(crate) fn are_given(&self) -> bool {
        self.lower.is_some() || self.upper.is_some()
    }
}

/// How far x is from a point, as a term of the objective.
#[derive(Debug, Args)]
pub(crate) struct NearArgs {
    /// Add ½ μ ‖D(x − x_ref)‖² for the x_ref (d) in a file, D = diag(near_scales) of the problem, else the
    /// identity [default: x_ref of the problem, else none].
    #[arg(long, value_name = "X.npy|RESULT.npz")]
    pub(crate) near: Option<PathBuf>,

    /// μ; 0 is none [default: near_weight of the problem].
    #[arg(long, value_name = "MU", value_parser = at_least_zero, allow_negative_numbers = true)]
    pub(crate) near_weight: Option<f64>,
}

/// A bound on x that overrides the problem's own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Limit {
    /// For all entries.
    Number(f64),
    File(PathBuf),
}

impl FromStr for Limit {
    type Err = &'static str;

    /// A file that is named like a number, or like an option, is reached as `./1`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(number) => Ok(Self::Number(number)),
            Err(_) if text.starts_with('-') => Err("expected a number or a file"),
            Err(_) => Ok(Self::File(text.into())),
        }
    }
}
