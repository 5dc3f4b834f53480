//! The gradient of a function of an answer by what the problem is made of.

use super::answer::{Sensitivity, is_masked};
use super::gradients::{Gradients, LayerGradient};
use super::no_derivative::NoDerivative;
use super::problem::Terms;
use crate::chain::Tangent;
use num_traits::{One, Zero};
use twolayer_core::{Error, LinearBackend, Scalar, reduce};

impl<B: LinearBackend> Sensitivity<'_, B> {
    /// The gradient of vᵀx\* for a `v` (d): products of it with the transposed derivatives of x\*.
    ///
    /// # Errors
    /// A v of the wrong length, or with an entry that is NaN or infinite.
    pub fn vjp(&self, v: &[B::Scalar]) -> Result<Gradients<B::Scalar>, NoDerivative> {
        Error::check_length("v", v.len(), self.x.len())?;
        Error::check_finite("v", v)?;
        // K (w, ν) = (v, 0), K the symmetric matrix of the system.
        let mut w = v.to_vec();
        self.reduced.solve(self.subspace(), &mut w);
        let (tangent, mut rest) = self.hessian_vec(&w);
        reduce::axpy(-B::Scalar::one(), v, &mut rest);
        let nu = self.subspace().multipliers(&rest);
        Ok(self.gradients(&w, &nu, &tangent))
    }

    /// −∂/∂θ of the change of the objective plus Σ μᵢhᵢ along (w, ν).
    fn gradients(
        &self,
        w: &[B::Scalar],
        nu: &[B::Scalar],
        tangent: &Tangent<B::Scalar>,
    ) -> Gradients<B::Scalar> {
        let slope = self.output_slope(tangent);
        let adjoint = self.chain.pull_back(tangent, slope, nu, &[]);
        let minus = |v: &[B::Scalar]| v.iter().map(|&v| -v).collect::<Vec<_>>();
        let links = self.chain.links.iter().enumerate();
        let mut layers: Vec<_> = links
            .map(|(number, link)| LayerGradient {
                bias: minus(&adjoint.hidden[number]),
                left: [minus(&adjoint.hidden[number]), minus(&link.adjoint)],
                right: [link.input.clone(), tangent.inputs[number].clone()],
            })
            .collect();
        let change = tangent.hidden.last().map_or(&[][..], |change| change);
        if let (Some(last), Some(_)) = (layers.last_mut(), self.terms.regularizer) {
            // The regulariser does not see c2.
            let omega = &self.curvature.uncentered_weights;
            for ((bias, &omega), &dz) in last.bias.iter_mut().zip(omega).zip(change) {
                *bias += omega * dz;
            }
        }
        let [lower, upper] = self.gradients_of_bounds(nu);
        Gradients {
            target: self.gradient_of_target(change),
            layers,
            regularizer: self.terms.regularizer.map(|regularizer| {
                let terms = regularizer.weights().iter().zip(&self.pass.products);
                let terms = terms.zip(change);
                let by = |((&w, &u), &du): ((&B::Scalar, &B::Scalar), &B::Scalar)| {
                    -B::Scalar::of(2.0) * w * u * du
                };
                terms.map(by).collect()
            }),
            reference: self.terms.nearness.map(|nearness| {
                let terms = nearness.curvatures().iter().zip(w);
                terms.map(|(&curvature, &w)| curvature * w).collect()
            }),
            curvatures: self.terms.nearness.map(|nearness| {
                let terms = self.x.iter().zip(nearness.reference()).zip(w);
                terms.map(|((&x, &near), &w)| w * (near - x)).collect()
            }),
            lower: self.terms.bounds.map(|_| lower),
            upper: self.terms.bounds.map(|_| upper),
            radius: self.has_radius.then(|| match self.constraints.sphere {
                Some(radius) => nu[self.constraints.kinks.len()] * radius,
                None => B::Scalar::zero(),
            }),
        }
    }

    /// −(∂u/∂b)ᵀ dz.
    fn gradient_of_target(&self, change: &[B::Scalar]) -> Option<Vec<B::Scalar>> {
        let Terms { loss, target, .. } = self.terms;
        let mut product = vec![B::Scalar::zero(); change.len()];
        let is_known = loss.target_product_transposed(&self.pass, target, change, &mut product);
        for (p, &z) in product.iter_mut().zip(&self.pass.logits) {
            *p = if is_masked(z) { B::Scalar::zero() } else { -*p };
        }
        is_known.then_some(product)
    }

    /// By l and u.
    fn gradients_of_bounds(&self, nu: &[B::Scalar]) -> [Vec<B::Scalar>; 2] {
        let zeros = || vec![B::Scalar::zero(); self.x.len()];
        let [mut lower, mut upper] = [zeros(), zeros()];
        for (place, &kink) in self.constraints.kinks.iter().enumerate() {
            if let Some((bounds, bound)) = self.terms.bounds.zip(self.bound(kink)) {
                let side = if bounds.is_upper(bound) {
                    &mut upper
                } else {
                    &mut lower
                };
                side[bounds.entry(bound)] = bounds.sign(bound) * nu[place];
            }
        }
        [lower, upper]
    }
}
