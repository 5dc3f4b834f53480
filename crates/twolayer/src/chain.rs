//! The layers of a network at a point, and the chain rule along them in both directions.

use num_traits::Zero;
use twolayer_core::{LinearBackend, reduce};

/// A layer h = A a + c at a point. Behind it stands φ(h), but for the last, whose h are the logits.
///
/// Λ is a function of the logits plus multiples μ of some h, those of units that are held on a kink.
#[derive(Debug)]
pub(crate) struct Link<'a, B: LinearBackend> {
    /// A.
    pub(crate) weights: &'a B::Matrix,
    /// a.
    pub(crate) input: Vec<B::Scalar>,
    /// φ'(h); none for the last layer.
    pub(crate) slopes: Vec<B::Scalar>,
    /// φ''(h) ∘ ∂Λ/∂φ(h); none where φ is piecewise linear.
    pub(crate) bends: Vec<B::Scalar>,
    /// t = ∂Λ/∂h.
    pub(crate) adjoint: Vec<B::Scalar>,
    /// Units that are held on a kink, with the number of the multiplier of each.
    pub(crate) pins: Vec<(usize, usize)>,
}

/// A change of a layer.
#[derive(Debug)]
pub(crate) struct LayerChange<'c, B: LinearBackend> {
    /// dA.
    pub(crate) weights: Option<&'c B::Matrix>,
    /// dc.
    pub(crate) bias: Option<&'c [B::Scalar]>,
}

impl<B: LinearBackend> Default for LayerChange<'_, B> {
    fn default() -> Self {
        Self {
            weights: None,
            bias: None,
        }
    }
}

impl<B: LinearBackend> Clone for LayerChange<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: LinearBackend> Copy for LayerChange<'_, B> {}

/// All layers, from the first to the last.
#[derive(Debug)]
pub(crate) struct Chain<'a, B: LinearBackend> {
    pub(crate) backend: &'a B,
    pub(crate) links: Vec<Link<'a, B>>,
}

/// How the layers change along a way: da and dh of each.
#[derive(Debug)]
pub(crate) struct Tangent<T> {
    pub(crate) inputs: Vec<Vec<T>>,
    pub(crate) hidden: Vec<Vec<T>>,
}

/// How ∂Λ/∂h of each layer changes along a way, and ∂Λ/∂x.
#[derive(Debug)]
pub(crate) struct AdjointTangent<T> {
    pub(crate) hidden: Vec<Vec<T>>,
    pub(crate) input: Vec<T>,
}

impl<B: LinearBackend> Chain<'_, B> {
    /// From the first layer to the last, where x changes by `x` (d) and layers by `changes`, one for each or
    /// none at all:
    ///
    /// ```text
    /// dh = A da + dA a + dc,    dφ(h) = φ'(h) ∘ dh
    /// ```
    pub(crate) fn push_forward(
        &self,
        x: &[B::Scalar],
        changes: &[LayerChange<'_, B>],
    ) -> Tangent<B::Scalar> {
        let layers = self.links.len();
        let mut tangent = Tangent {
            inputs: Vec::with_capacity(layers),
            hidden: Vec::with_capacity(layers),
        };
        let mut input = x.to_vec();
        for (number, link) in self.links.iter().enumerate() {
            let mut change = vec![B::Scalar::zero(); link.adjoint.len()];
            self.backend.mul_vec(link.weights, &input, &mut change);
            if let Some(layer) = changes.get(number) {
                self.add_own_change(layer, &link.input, &mut change);
            }
            let slopes = link.slopes.iter().zip(&change);
            let next = slopes.map(|(&slope, &change)| slope * change).collect();
            tangent.inputs.push(std::mem::replace(&mut input, next));
            tangent.hidden.push(change);
        }
        tangent
    }

    /// change ← change + dA a + dc.
    fn add_own_change(
        &self,
        layer: &LayerChange<'_, B>,
        input: &[B::Scalar],
        change: &mut [B::Scalar],
    ) {
        if let Some(weights) = layer.weights {
            let mut product = vec![B::Scalar::zero(); change.len()];
            self.backend.mul_vec(weights, input, &mut product);
            reduce::axpy(num_traits::One::one(), &product, change);
        }
        if let Some(bias) = layer.bias {
            reduce::axpy(num_traits::One::one(), bias, change);
        }
    }

    /// From the last layer, whose ∂Λ/∂h changes by `output`, to x, along the same way as `tangent`, and with
    /// changes `multipliers` of the μ, where there are any:
    ///
    /// ```text
    /// dt = φ'(h) ∘ (Aᵀdt + dAᵀt of the layer behind) + φ''(h) ∘ ∂Λ/∂φ(h) ∘ dh + dμ
    /// ```
    pub(crate) fn pull_back(
        &self,
        tangent: &Tangent<B::Scalar>,
        output: Vec<B::Scalar>,
        multipliers: &[B::Scalar],
        changes: &[LayerChange<'_, B>],
    ) -> AdjointTangent<B::Scalar> {
        let mut hidden = Vec::with_capacity(self.links.len());
        let mut behind = output;
        for (number, link) in self.links.iter().enumerate().rev() {
            // ∂Λ/∂a of this layer, which is ∂Λ/∂φ(h) of the one before.
            let weights = changes.get(number).and_then(|layer| layer.weights);
            let mut change = self.transposed(link, &behind, weights);
            if let Some(before) = number.checked_sub(1) {
                let (link, dh) = (&self.links[before], &tangent.hidden[before]);
                for (change, &slope) in change.iter_mut().zip(&link.slopes) {
                    *change *= slope;
                }
                for ((change, &bend), &dh) in change.iter_mut().zip(&link.bends).zip(dh) {
                    *change += bend * dh;
                }
                for &(unit, constraint) in &link.pins {
                    if let Some(&multiplier) = multipliers.get(constraint) {
                        change[unit] += multiplier;
                    }
                }
            }
            hidden.push(std::mem::replace(&mut behind, change));
        }
        hidden.reverse();
        AdjointTangent {
            hidden,
            input: behind,
        }
    }

    /// Aᵀdt + dAᵀt.
    fn transposed(
        &self,
        link: &Link<'_, B>,
        behind: &[B::Scalar],
        change: Option<&B::Matrix>,
    ) -> Vec<B::Scalar> {
        let mut product = vec![B::Scalar::zero(); link.input.len()];
        self.backend
            .mul_vec_transposed(link.weights, behind, &mut product);
        if let Some(change) = change {
            let mut other = vec![B::Scalar::zero(); product.len()];
            self.backend
                .mul_vec_transposed(change, &link.adjoint, &mut other);
            reduce::axpy(num_traits::One::one(), &other, &mut product);
        }
        product
    }
}
