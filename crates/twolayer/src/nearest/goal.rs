//! What is wanted of the output.

use crate::any::NetworkRef;
use crate::network::ForwardPass;
use crate::target::Target;
use twolayer_core::{Error, LinearBackend, Scalar, reduce};

/// What is wanted of an output.
#[derive(Debug, Clone, Copy)]
pub enum Goal<'a, T> {
    /// f = b.
    Output(&'a Target<T>),
    /// f_c ≥ P: with P > ½, that c is the winner.
    AtLeast {
        /// c.
        outcome: usize,
        /// P, between 0 and 1.
        probability: T,
    },
}

impl<T: Scalar> Goal<'_, T> {
    pub(super) fn check<B>(&self, network: NetworkRef<'_, B>) -> Result<(), Error>
    where
        B: LinearBackend<Scalar = T>,
    {
        let layers = network.layers();
        let is_masked = |i: usize| {
            let last = layers.last();
            last.is_some_and(|(_, bias)| bias[i] == T::neg_infinity())
        };
        match *self {
            Self::Output(target) => {
                network.check_target(target)?;
                let b = target.probabilities();
                let lost = (0..b.len()).find(|&i| b[i] == T::zero() && !is_masked(i));
                lost.map_or(Ok(()), |index| Err(Error::AtInfinity { index }))
            }
            Self::AtLeast {
                outcome,
                probability,
            } => {
                let parameter = |name, value, requirement| Error::Parameter {
                    name,
                    value,
                    requirement,
                };
                if outcome >= network.outcomes() {
                    let requirement = "below the number of outcomes";
                    return Err(parameter("want", outcome as f64, requirement));
                }
                if !(probability > T::zero() && probability < T::one()) {
                    let value = probability.to_f64();
                    return Err(parameter("margin", value, "between 0 and 1"));
                }
                match is_masked(outcome) {
                    true => Err(Error::Impossible {
                        index: outcome,
                        value: probability.to_f64(),
                    }),
                    false => Ok(()),
                }
            }
        }
    }

    /// How many constraints it is.
    pub(super) fn constraints(&self) -> usize {
        match self {
            Self::Output(target) => target.outcomes(),
            Self::AtLeast { .. } => 1,
        }
    }

    /// r: log f − log b less its mean over the outcomes that come at all; or log P − log f_c.
    pub(super) fn write_residual(&self, pass: &ForwardPass<T>, residual: &mut [T]) {
        let log_f = &pass.log_probabilities;
        match *self {
            Self::Output(target) => {
                let log_b = target.log_probabilities();
                for ((r, &f), &b) in residual.iter_mut().zip(log_f).zip(log_b) {
                    *r = if b.is_finite() { f - b } else { T::zero() };
                }
                let mean = reduce::sum(residual) / T::of(target.support() as f64);
                for (r, b) in residual.iter_mut().zip(log_b) {
                    if b.is_finite() {
                        *r -= mean;
                    }
                }
            }
            Self::AtLeast {
                outcome,
                probability,
            } => residual[0] = probability.ln() - log_f[outcome],
        }
    }

    /// By how much what is wanted is missed: max |rᵢ|, or max(0, r).
    pub(super) fn violation(&self, residual: &[T]) -> T {
        let most = |v: T, r: &T| v.max(*r);
        match self {
            Self::Output(_) => residual
                .iter()
                .map(|r| r.abs())
                .fold(T::zero(), |v, r| most(v, &r)),
            Self::AtLeast { .. } => residual.iter().fold(T::zero(), most),
        }
    }

    /// By how much an [`update`](Goal::update) would move t: the violation, or where an inequality holds and pulls
    /// all the same, what it has to spare.
    pub(super) fn gap(&self, residual: &[T], shift: &[T]) -> T {
        match self {
            Self::Output(_) => self.violation(residual),
            Self::AtLeast { .. } => ((shift[0] - residual[0]).min(T::zero()) - shift[0]).abs(),
        }
    }

    /// t ← t − r, and t ≤ 0 for an inequality.
    pub(super) fn update(&self, residual: &[T], shift: &mut [T]) {
        for (t, &r) in shift.iter_mut().zip(residual) {
            *t -= r;
            if let Self::AtLeast { .. } = self {
                *t = t.min(T::zero());
            }
        }
    }
}
