//! How an answer moves along a change of the problem.

use super::answer::{Sensitivity, is_masked};
use super::change::{Change, Parts};
use super::no_derivative::NoDerivative;
use super::problem::Terms;
use crate::chain::{LayerChange, Tangent};
use num_traits::{One, Zero};
use twolayer_core::{Error, LinearBackend, Scalar, reduce};

impl<B: LinearBackend> Sensitivity<'_, B> {
    /// How x\* moves along a `change` of the problem, to first order (d).
    ///
    /// # Errors
    /// A change of the wrong shape, of something that the problem does not have, or with an entry that is NaN or
    /// infinite; one that gives an outcome that never comes a probability; one of b, where the loss does not tell how
    /// it depends on it.
    pub fn jvp(&self, change: &Change<'_, B>) -> Result<Vec<B::Scalar>, NoDerivative> {
        change.check(self.chain.backend, &self.parts())?;
        let still = vec![B::Scalar::zero(); self.x.len()];
        let tangent = self.chain.push_forward(&still, &change.layers);
        // The part that the constraints ask for.
        let distances = self.constraint_changes(change, &tangent);
        let mut dx = self.subspace().shortest(&distances);
        // The rest is the minimum of what is left.
        let mut rest = self.gradient_change(change, &tangent)?;
        let (_, product) = self.hessian_vec(&dx);
        reduce::axpy(B::Scalar::one(), &product, &mut rest);
        rest.iter_mut().for_each(|r| *r = -*r);
        self.reduced.solve(self.subspace(), &mut rest);
        reduce::axpy(B::Scalar::one(), &rest, &mut dx);
        Ok(dx)
    }

    /// What there is to change.
    fn parts(&self) -> Parts {
        let links = self.chain.links.iter();
        Parts {
            layers: links
                .map(|link| (link.adjoint.len(), link.input.len()))
                .collect(),
            has_regularizer: self.terms.regularizer.is_some(),
            has_nearness: self.terms.nearness.is_some(),
            has_bounds: self.terms.bounds.is_some(),
            has_radius: self.has_radius,
        }
    }

    /// −dh of each constraint at x: by what aᵢᵀdx has to follow.
    fn constraint_changes(
        &self,
        change: &Change<'_, B>,
        tangent: &Tangent<B::Scalar>,
    ) -> Vec<B::Scalar> {
        let mut changes = vec![B::Scalar::zero(); self.subspace().constraints()];
        for (link, dh) in self.chain.links.iter().zip(&tangent.hidden) {
            for &(unit, place) in &link.pins {
                changes[place] = -dh[unit];
            }
        }
        for (place, &kink) in self.constraints.kinks.iter().enumerate() {
            if let Some((bounds, bound)) = self.terms.bounds.zip(self.bound(kink)) {
                let side = if bounds.is_upper(bound) {
                    change.upper
                } else {
                    change.lower
                };
                let moved = side.map_or(B::Scalar::zero(), |side| side[bounds.entry(bound)]);
                changes[place] = bounds.sign(bound) * moved;
            }
        }
        if let (Some(radius), Some(moved)) = (self.constraints.sphere, change.radius) {
            changes[self.constraints.kinks.len()] = radius * moved;
        }
        changes
    }

    /// How the gradient of the objective plus Σ μᵢhᵢ changes at x (d).
    fn gradient_change(
        &self,
        change: &Change<'_, B>,
        tangent: &Tangent<B::Scalar>,
    ) -> Result<Vec<B::Scalar>, NoDerivative> {
        let mut slope = self.output_slope(tangent);
        self.add_regularizer_change(change, &mut slope);
        if let Some(db) = change.target {
            self.add_target_change(db, &mut slope)?;
        }
        let adjoint = self.chain.pull_back(tangent, slope, &[], &change.layers);
        let mut gradient = adjoint.input;
        if let Some(nearness) = self.terms.nearness {
            for (j, g) in gradient.iter_mut().enumerate() {
                if let Some(change) = change.reference {
                    *g -= nearness.curvatures()[j] * change[j];
                }
                if let Some(change) = change.curvatures {
                    *g += change[j] * (self.x[j] - nearness.reference()[j]);
                }
            }
        }
        Ok(gradient)
    }

    /// What the regulariser adds: 2 w dw u, and nothing for a change of c2, which is in dz and not in du.
    fn add_regularizer_change(&self, change: &Change<'_, B>, slope: &mut [B::Scalar]) {
        let Some(regularizer) = self.terms.regularizer else {
            return;
        };
        let last = self.chain.links.len() - 1;
        let omega = &self.curvature.uncentered_weights;
        let layer: Option<&LayerChange<'_, B>> = change.layers.get(last);
        if let Some(bias) = layer.and_then(|layer| layer.bias) {
            for ((slope, &omega), &dc) in slope.iter_mut().zip(omega).zip(bias) {
                *slope -= omega * dc;
            }
        }
        if let Some(dw) = change.regularizer {
            let terms = regularizer.weights().iter().zip(&self.pass.products);
            for ((slope, (&w, &u)), &dw) in slope.iter_mut().zip(terms).zip(dw) {
                *slope += B::Scalar::of(2.0) * w * dw * u;
            }
        }
    }

    /// slope ← slope + (∂u/∂b) db.
    fn add_target_change(
        &self,
        db: &[B::Scalar],
        slope: &mut [B::Scalar],
    ) -> Result<(), NoDerivative> {
        let outcomes = db.iter().zip(&self.pass.logits).enumerate();
        for (index, (&db, &z)) in outcomes {
            if is_masked(z) && db != B::Scalar::zero() {
                let value = db.to_f64();
                return Err(Error::Impossible { index, value }.into());
            }
        }
        let Terms { loss, target, .. } = self.terms;
        let mut product = vec![B::Scalar::zero(); db.len()];
        if !loss.target_product(&self.pass, target, db, &mut product) {
            return Err(NoDerivative::UnknownLoss { name: loss.name() });
        }
        reduce::axpy(B::Scalar::one(), &product, slope);
        Ok(())
    }
}
