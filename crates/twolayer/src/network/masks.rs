//! Outcomes that never come: those whose entry of c2 is −∞.

use super::TwoLayer;
use crate::target::Target;
use num_traits::Float;
use twolayer_core::{Error, LinearBackend, Scalar};

/// Checks that no outcome comes in a target whose entry of c2 is −∞.
pub(crate) fn check_target<T: Scalar>(bias2: &[T], target: &Target<T>) -> Result<(), Error> {
    let b = target.probabilities();
    let comes = |&index: &usize| bias2[index] == T::neg_infinity() && b[index] > T::zero();
    (0..b.len()).find(comes).map_or(Ok(()), |index| {
        let value = b[index].to_f64();
        Err(Error::Impossible { index, value })
    })
}

/// Checks that the entries of c2 are numbers, or −∞ for some.
pub(crate) fn check<T: Scalar>(name: &'static str, bias2: &[T]) -> Result<(), Error> {
    let is_bias = |&c: &T| c.is_finite() || c == T::neg_infinity();
    if let Some(index) = bias2.iter().position(|c| !is_bias(c)) {
        let value = bias2[index].to_f64();
        return Err(Error::Bias { name, index, value });
    }
    match bias2.iter().any(|c| c.is_finite()) {
        true => Ok(()),
        false => Err(Error::NoOutcome { name }),
    }
}

impl<B: LinearBackend> TwoLayer<B> {
    /// Whether an outcome never comes: its entry of c2 is −∞.
    pub fn is_masked(&self, outcome: usize) -> bool {
        self.bias2[outcome] == B::Scalar::neg_infinity()
    }

    /// Checks that a target is one of this network.
    ///
    /// # Errors
    /// Other than m outcomes, or a probability of one that is masked.
    pub fn check_target(&self, target: &Target<B::Scalar>) -> Result<(), Error> {
        Error::check_length("b", target.outcomes(), self.outcomes())?;
        check_target(&self.bias2, target)
    }
}
