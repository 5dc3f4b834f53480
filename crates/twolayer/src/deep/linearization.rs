//! The layers of a [`DeepInversion`] at a point, for the chain rule.

use super::inversion::DeepInversion;
use super::point::DeepPoint;
use crate::chain::Link;
use twolayer_core::LinearBackend;

impl<B: LinearBackend> DeepInversion<'_, B> {
    /// All layers at a point that was differentiated with the kinks `pinned` held by `multipliers`.
    ///
    /// What holds a unit of a deeper layer on its kink pulls on the layers before it: ∂L/∂a of the point
    /// becomes that of L + Σ μᵢ hᵢ, and so do curvatures and jumps that are asked for afterwards.
    pub(crate) fn links(
        &self,
        at: &mut DeepPoint<B>,
        pinned: &[usize],
        multipliers: &[B::Scalar],
    ) -> Vec<Link<'_, B>> {
        let network = &*self.network;
        let output = at.row_gradient[..network.outcomes()].to_vec();
        let mut behind = output.clone();
        let mut weights: &B::Matrix = &network.output.weights;
        let mut links = Vec::with_capacity(network.layers());
        links.push(Link {
            weights,
            input: match at.hidden.last() {
                None => at.x.clone(),
                Some(last) => last.values.clone(),
            },
            slopes: Vec::new(),
            bends: Vec::new(),
            adjoint: output,
            pins: Vec::new(),
        });
        for number in (0..network.hidden.len()).rev() {
            let layer = &network.hidden[number];
            let input = match number.checked_sub(1) {
                None => at.x.clone(),
                Some(before) => at.hidden[before].values.clone(),
            };
            let state = &mut at.hidden[number];
            let adjoint = &mut state.adjoint;
            network
                .backend()
                .mul_vec_transposed(weights, &behind, adjoint);
            let mut t: Vec<_> = adjoint
                .iter()
                .zip(&state.slopes)
                .map(|(&u, &slope)| u * slope)
                .collect();
            let range = layer.kink_numbers();
            let kinks = pinned.iter().enumerate();
            let here = kinks.filter(|(_, kink)| range.contains(kink));
            let pins: Vec<_> = here
                .map(|(place, &kink)| (layer.unit_of(kink).0, place))
                .collect();
            for &(unit, place) in &pins {
                t[unit] += multipliers[place];
            }
            let bends = match layer.first_row {
                None => Vec::new(),
                Some(_) => {
                    let units = adjoint.iter().zip(&state.hidden);
                    units.map(|(&u, &h)| u * layer.activation.bend(h)).collect()
                }
            };
            behind.clone_from(&t);
            weights = &layer.affine.weights;
            links.push(Link {
                weights,
                input,
                slopes: state.slopes.clone(),
                bends,
                adjoint: t,
                pins,
            });
        }
        links.reverse();
        links
    }
}
