//! What can be wrong with a problem that was handed in.

use crate::scalar::Scalar;

/// An input that no algorithm here can work on. Every variant names the argument at fault, what
/// was found and what was expected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An array has the wrong shape.
    #[error("{name} has shape {found}; expected {expected}")]
    Shape {
        /// The argument.
        name: &'static str,
        /// Its shape.
        found: String,
        /// The shape that fits the other arguments.
        expected: String,
    },
    /// An array has no entries.
    #[error("{name} has shape {found}; every dimension must be at least 1")]
    Empty {
        /// The argument.
        name: &'static str,
        /// Its shape.
        found: String,
    },
    /// An entry is NaN or infinite.
    #[error("{name}[{index}] is {value}; every entry must be finite")]
    NotFinite {
        /// The argument.
        name: &'static str,
        /// Position of the first such entry.
        index: String,
        /// The entry.
        value: f64,
    },
    /// An entry of a target distribution is negative.
    #[error("{name}[{index}] is {value}; a probability must be at least 0")]
    NegativeProbability {
        /// The argument.
        name: &'static str,
        /// Position of the first such entry.
        index: usize,
        /// The entry.
        value: f64,
    },
    /// A target distribution does not sum to one.
    #[error("{name} sums to {sum}; a distribution sums to 1 (within {tolerance:e})")]
    NotNormalized {
        /// The argument.
        name: &'static str,
        /// The sum found.
        sum: f64,
        /// The tolerance that was missed.
        tolerance: f64,
    },
    /// A parameter is out of its range.
    #[error("{name} is {value}; it must be {requirement}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The range, in words.
        requirement: &'static str,
    },
    /// The start lies outside the ball ‖x‖ ≤ R.
    #[error("x0 has norm {norm}; it must be at most the radius R = {radius}")]
    StartOutsideBall {
        /// ‖x0‖.
        norm: f64,
        /// R.
        radius: f64,
    },
    /// A state of a solve that is to go on belongs to another problem, other settings or another
    /// version.
    #[error("the state of a solve does not fit: {found}")]
    State {
        /// What does not fit.
        found: &'static str,
    },
    /// The objective overflows at the given point.
    #[error("the {quantity} is not finite at {at}: scale the network's weights or the point down")]
    Overflow {
        /// The quantity that overflowed first.
        quantity: &'static str,
        /// The point.
        at: &'static str,
    },
}

impl Error {
    /// Checks that a slice has `expected` entries.
    pub fn check_length(name: &'static str, found: usize, expected: usize) -> Result<(), Self> {
        if found == expected {
            return Ok(());
        }
        Err(Self::Shape {
            name,
            found: format!("({found},)"),
            expected: format!("({expected},)"),
        })
    }

    /// Checks that every entry of a slice is finite.
    pub fn check_finite<T: Scalar>(name: &'static str, values: &[T]) -> Result<(), Self> {
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(index) => Err(Self::NotFinite {
                name,
                index: index.to_string(),
                value: values[index].to_f64(),
            }),
        }
    }
}
