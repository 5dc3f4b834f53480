//! Outcomes that never come: those whose entry of c2 is −∞.

use super::TwoLayer;
use crate::target::Target;
use num_traits::{Float, Zero};
use twolayer_core::{Error, LinearBackend, Scalar};

/// Checks that the entries of c2 are numbers, or −∞ for some.
pub(super) fn check<T: Scalar>(bias2: &[T]) -> Result<(), Error> {
    let is_bias = |&c: &T| c.is_finite() || c == T::neg_infinity();
    if let Some(index) = bias2.iter().position(|c| !is_bias(c)) {
        let value = bias2[index].to_f64();
        let name = "c2";
        return Err(Error::Bias { name, index, value });
    }
    match bias2.iter().any(|c| c.is_finite()) {
        true => Ok(()),
        false => Err(Error::NoOutcome { name: "c2" }),
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
        let b = target.probabilities();
        let comes = |&index: &usize| self.is_masked(index) && b[index] > B::Scalar::zero();
        (0..b.len()).find(comes).map_or(Ok(()), |index| {
            let value = b[index].to_f64();
            Err(Error::Impossible { index, value })
        })
    }
}
