//! The distribution that the network should put out.

use twolayer_core::{Error, Scalar, reduce};

/// How far from 1 a target may sum: room for a softmax that was computed in single precision over
/// a large vocabulary, none for counts or logits handed in by mistake.
pub const SIMPLEX_TOLERANCE: f64 = 1e-5;

/// A target distribution b over m outcomes: every entry finite and ≥ 0, |Σb − 1| ≤
/// [`SIMPLEX_TOLERANCE`]. It is used as it is given; nothing is normalised behind the user's back.
#[derive(Debug, Clone)]
pub struct Target<T> {
    probabilities: Vec<T>,
    log_probabilities: Vec<T>,
    sum: T,
    support: usize,
}

impl<T: Scalar> Target<T> {
    /// Checks and takes b.
    ///
    /// # Errors
    /// No entries, an entry that is NaN, infinite or negative, a sum that is not 1.
    pub fn new(b: Vec<T>) -> Result<Self, Error> {
        if b.is_empty() {
            return Err(Error::Empty {
                name: "b",
                found: "(0,)".into(),
            });
        }
        Error::check_finite("b", &b)?;
        if let Some(index) = b.iter().position(|&p| p < T::zero()) {
            return Err(Error::NegativeProbability {
                name: "b",
                index,
                value: b[index].to_f64(),
            });
        }
        let sum = reduce::sum(&b);
        let tolerance = SIMPLEX_TOLERANCE;
        if (sum.to_f64() - 1.0).abs() > tolerance {
            return Err(Error::NotNormalized {
                name: "b",
                sum: sum.to_f64(),
                tolerance,
            });
        }
        let log_probabilities: Vec<T> = b.iter().map(|p| p.ln()).collect();
        let support = log_probabilities.iter().filter(|l| l.is_finite()).count();
        Ok(Self {
            probabilities: b,
            log_probabilities,
            sum,
            support,
        })
    }

    /// m.
    pub fn outcomes(&self) -> usize {
        self.probabilities.len()
    }

    /// b (m).
    pub fn probabilities(&self) -> &[T] {
        &self.probabilities
    }

    /// log b (m), −∞ where b is 0.
    pub fn log_probabilities(&self) -> &[T] {
        &self.log_probabilities
    }

    /// How many outcomes have b = 0.
    pub fn excluded(&self) -> usize {
        self.outcomes() - self.support
    }

    /// log(u/(4·excluded)), u the unit roundoff; the logarithm that is taken for that of b = 0. Where no
    /// excluded outcome has more, all of them together have at most a quarter of what a rounding takes
    /// from the others.
    pub fn log_of_nothing(&self) -> T {
        (T::UNIT_ROUNDOFF / T::of(4.0 * self.excluded() as f64)).ln()
    }

    /// Σ term(i) over the outcomes i with b = 0.
    pub(crate) fn sum_over_excluded(&self, term: impl Fn(usize) -> f64) -> f64 {
        reduce::sum_of(self.outcomes(), |i| match self.probabilities[i] {
            b if b > T::zero() => 0.0,
            _ => term(i),
        })
    }

    /// How many outcomes have b > 0; at least one.
    pub fn support(&self) -> usize {
        self.support
    }

    /// Σb, which is 1 up to rounding.
    pub fn sum(&self) -> T {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_distribution_is_refused_by_name() {
        let message = |b: Vec<f64>| Target::new(b).unwrap_err().to_string();
        assert_eq!(
            message(vec![]),
            "b has shape (0,); every dimension must be at least 1"
        );
        assert_eq!(
            message(vec![0.5, f64::NAN]),
            "b[1] is NaN; every entry must be finite"
        );
        assert_eq!(
            message(vec![1.5, -0.5]),
            "b[1] is -0.5; a probability must be at least 0"
        );
        assert_eq!(
            message(vec![0.5, 0.4]),
            "b sums to 0.9; a distribution sums to 1 (within 1e-5)"
        );
        assert!(Target::new(vec![1.0 - 1e-7, 0.0]).is_ok());
    }
}
