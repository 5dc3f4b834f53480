//! What can be wrong with a problem that was handed in.

use crate::scalar::Scalar;
use std::fmt;

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
    /// Something that exists for networks of two layers with ReLU only.
    #[error("{what} is for networks of two layers with ReLU; this one has others")]
    OnlyTwoLayers {
        /// What was asked for.
        what: &'static str,
    },
    /// A change of something that the problem does not have.
    #[error("{name} is given, and the problem has nothing that it is a change of")]
    Absent {
        /// The argument.
        name: &'static str,
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
    #[error(
        "{name}[{index}] is {}{}; every entry must be finite", Short(*value), precision(*value)
    )]
    NotFinite {
        /// The argument.
        name: &'static str,
        /// Position of the first such entry.
        index: String,
        /// The entry.
        value: f64,
    },
    /// A bias of an outcome is NaN or plus infinity.
    #[error(
        "{name}[{index}] is {value}; every entry must be a number, or -inf for an outcome that never comes"
    )]
    Bias {
        /// The argument.
        name: &'static str,
        /// Position of the first such entry.
        index: usize,
        /// The entry.
        value: f64,
    },
    /// The biases leave no outcome.
    #[error("{name} is -inf everywhere; at least one outcome must be able to come")]
    NoOutcome {
        /// The argument.
        name: &'static str,
    },
    /// A target gives a probability to an outcome that never comes.
    #[error(
        "b[{index}] is {value} where c2[{index}] is -inf; an outcome that never comes has the probability 0"
    )]
    Impossible {
        /// Position of the first such entry.
        index: usize,
        /// The entry of b.
        value: f64,
    },
    /// The x that is asked for has an output with a zero, which a softmax has at infinity only.
    #[error(
        "b[{index}] is 0; an x with this output is at infinity: give every outcome a probability, or say which one \
         is to be likely"
    )]
    AtInfinity {
        /// Position of the first such entry.
        index: usize,
    },
    /// An entry of a target distribution is negative.
    #[error("{name}[{index}] is {}; a probability must be at least 0", Short(*value))]
    NegativeProbability {
        /// The argument.
        name: &'static str,
        /// Position of the first such entry.
        index: usize,
        /// The entry.
        value: f64,
    },
    /// A target distribution does not sum to one.
    #[error(
        "{name} sums to {}; a distribution sums to 1 (within {tolerance:e})", Short(*sum)
    )]
    NotNormalized {
        /// The argument.
        name: &'static str,
        /// The sum found.
        sum: f64,
        /// The tolerance that was missed.
        tolerance: f64,
    },
    /// A parameter is out of its range.
    #[error("{name} is {}; it must be {requirement}", Short(*value))]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The range, in words.
        requirement: &'static str,
    },
    /// A bound is NaN, or infinite to the side where it leaves no x.
    #[error("{name}[{index}] is {value}; a bound is a number, or {none} where there is none")]
    Bound {
        /// The argument.
        name: &'static str,
        /// Position of the first such entry.
        index: usize,
        /// The entry.
        value: f64,
        /// What says that there is no bound.
        none: f64,
    },
    /// A lower bound is above the upper one.
    #[error(
        "lower[{index}] is {} and upper[{index}] is {}; a lower bound is at most the upper one",
        Short(*lower), Short(*upper)
    )]
    Bounds {
        /// Position of the first such entry.
        index: usize,
        /// Its lower bound.
        lower: f64,
        /// Its upper bound.
        upper: f64,
    },
    /// No x within the bounds lies in the ball ‖x‖ ≤ R.
    #[error(
        "every x within the bounds has a norm of at least {}; one must be at most the radius R = {}",
        Short(*norm), Short(*radius)
    )]
    BoundsOutsideBall {
        /// The least norm.
        norm: f64,
        /// R.
        radius: f64,
    },
    /// The start lies outside the ball ‖x‖ ≤ R.
    #[error(
        "x0 has norm {}; it must be at most the radius R = {}", Short(*norm), Short(*radius)
    )]
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

/// A number that overflows in single precision is none in double precision.
fn precision(value: f64) -> &'static str {
    match value.is_infinite() {
        true => " in this precision",
        false => "",
    }
}

/// A number without a row of zeros: 0.25, but 1e-300.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value) = *self;
        let is_long = value.is_finite() && value != 0.0 && !(1e-5..1e16).contains(&value.abs());
        if is_long {
            write!(f, "{value:e}")
        } else {
            write!(f, "{value}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_messages_are_short() {
        let said = |value: f64| Short(value).to_string();
        for (value, words) in [
            (0.0, "0"),
            (-0.25, "-0.25"),
            (4.5, "4.5"),
            (1e-5, "0.00001"),
            (9.9e-6, "9.9e-6"),
            (-1e-300, "-1e-300"),
            (1e15, "1000000000000000"),
            (1e300, "1e300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(said(value), words);
        }
        let outside = Error::StartOutsideBall {
            norm: 1.5,
            radius: 1e-300,
        };
        assert_eq!(
            outside.to_string(),
            "x0 has norm 1.5; it must be at most the radius R = 1e-300"
        );
    }
}
