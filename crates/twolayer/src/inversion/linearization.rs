//! The two layers of an [`Inversion`] at a point, for the chain rule.

use super::{Inversion, InversionPoint};
use crate::chain::Link;
use num_traits::{One, Zero};
use twolayer_core::LinearBackend;

impl<B: LinearBackend> Inversion<'_, B> {
    /// Both layers at a point that was differentiated with the kinks `pinned` held by `multipliers`.
    pub(crate) fn links(
        &self,
        at: &InversionPoint<B::Scalar>,
        pinned: &[usize],
        multipliers: &[B::Scalar],
    ) -> Vec<Link<'_, B>> {
        let network = self.network;
        let (n, m) = (network.hidden_units(), network.outcomes());
        let output = at.row_gradient[..m].to_vec();
        let (zero, active) = (B::Scalar::zero(), &at.pass.active);
        let mut adjoints = vec![zero; active.len()];
        let backend = network.backend();
        backend.mul_vec_transposed_columns(network.a2(), active, &output, &mut adjoints);
        let mut adjoint = vec![zero; n];
        let (mut slopes, mut values) = (vec![zero; n], vec![zero; n]);
        for (&unit, t) in active.iter().zip(adjoints) {
            adjoint[unit] = t;
            slopes[unit] = B::Scalar::one();
            values[unit] = at.pass.hidden[unit];
        }
        let kinks = pinned.iter().copied().enumerate();
        let units = kinks.filter(|&(_, kink)| kink < n);
        let pins: Vec<_> = units.map(|(place, unit)| (unit, place)).collect();
        for &(unit, place) in &pins {
            adjoint[unit] += multipliers[place];
        }
        let first = Link {
            weights: network.a1(),
            input: at.x.clone(),
            slopes,
            bends: Vec::new(),
            adjoint,
            pins,
        };
        let last = Link {
            weights: network.a2(),
            input: values,
            slopes: Vec::new(),
            bends: Vec::new(),
            adjoint: output,
            pins: Vec::new(),
        };
        vec![first, last]
    }
}
