//! How far rounding takes the logits and the gradient of a network of any depth.

use super::layer::Hidden;
use super::network::DeepNetwork;
use super::point::{DeepPoint, HiddenState};
use crate::loss::Loss;
use crate::number_format::NumberFormat;
use crate::rounding::{CONFIDENCE, Factor, Inputs, LogitErrors};
use crate::target::Target;
use num_traits::{Float, Zero};
use twolayer_core::{LinearBackend, Norms, Scalar, reduce};

/// What evaluating an activation that is no mere choice is off by, in roundoffs of its value.
const OF_ACTIVATION: f64 = 4.0;

impl<B: LinearBackend> DeepNetwork<B> {
    /// As in two layers, the errors of a layer carried through the next as independent ones
    /// (`docs/rounding.md`).
    pub(super) fn logit_errors<'p>(&'p self, at: &'p DeepPoint<B>) -> LogitErrors<'p, B::Scalar> {
        self.logit_errors_of(Inputs::exact(&at.x), at)
    }

    /// The same of a network that computes in a format.
    pub(super) fn logit_errors_in<'p>(
        &'p self,
        format: NumberFormat,
        at: &'p DeepPoint<B>,
    ) -> LogitErrors<'p, B::Scalar> {
        self.logit_errors_of(Inputs::in_format(&at.x, format), at)
    }

    fn logit_errors_of<'p>(
        &'p self,
        mut inputs: Inputs,
        at: &'p DeepPoint<B>,
    ) -> LogitErrors<'p, B::Scalar> {
        for (layer, state) in self.hidden.iter().zip(&at.hidden) {
            inputs = behind(layer, state, &inputs);
        }
        LogitErrors::behind(inputs, &self.output.norms, &at.pass)
    }

    /// ‖Cᵀδ‖ for errors δ of ∂L/∂z with random signs and the sizes of their bounds, and with the roundings of
    /// every product on the way back counted as such errors: an estimate, three times the root of a mean square.
    pub(super) fn gradient_error(
        &self,
        target: &Target<B::Scalar>,
        loss: &dyn Loss<B::Scalar>,
        at: &mut DeepPoint<B>,
    ) -> B::Scalar {
        let mut bounds = std::mem::take(&mut at.bounds);
        let m = self.outcomes();
        let errors = self.logit_errors(at);
        loss.logit_gradient_errors(&at.pass, target, &errors, &mut bounds[..m]);
        let widest = self.widths().fold(m, usize::max) as f64;
        let of_products =
            B::Scalar::of(self.layers() as f64 * widest.sqrt()) * B::Scalar::UNIT_ROUNDOFF;
        for (i, bound) in bounds.iter_mut().enumerate() {
            let size = *bound + of_products * at.row_gradient[i].abs();
            *bound = if is_positive(i) { size } else { -size };
        }
        let mut scratch = at.scratch.take();
        let mut carried = vec![B::Scalar::zero(); self.inputs()];
        self.pull_back(at, &bounds, &mut scratch, &mut carried);
        at.scratch.replace(scratch);
        bounds.fill(B::Scalar::zero());
        at.bounds = bounds;
        B::Scalar::of(CONFIDENCE) * reduce::norm(&carried)
    }
}

/// A sign without pattern: the top bit of a multiple of 2⁶⁴ divided by the golden ratio, squared.
fn is_positive(i: usize) -> bool {
    let mixed = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed.wrapping_mul(mixed) >> 63 == 0
}

/// What a layer hands to the next, with the `inputs` that it has.
fn behind<B: LinearBackend>(
    layer: &Hidden<B>,
    state: &HiddenState<B::Scalar>,
    inputs: &Inputs,
) -> Inputs {
    let roundings = inputs.roundings;
    let is_choice = !layer.activation.bends();
    let of_value = |unit: usize| {
        let (h, a) = (state.hidden[unit], state.values[unit].abs().to_f64());
        let product = (h - layer.affine.bias[unit]).to_f64();
        let error = inputs.error_of_unit(&layer.affine.norms.get(unit), product, h.to_f64());
        let mut steepness = layer.activation.slope(h).abs().to_f64();
        for kink in &layer.kinks {
            // Either side may be the one.
            if (h - kink.at).abs().to_f64() <= roundings.scaled(error) {
                let other = (layer.activation.slope(h) + kink.jump).abs().to_f64();
                steepness = steepness.max(other);
            }
        }
        let own = if is_choice {
            a / CONFIDENCE
        } else {
            OF_ACTIVATION * a / CONFIDENCE
        };
        let own = if state.values[unit] == h {
            0.0
        } else {
            own * own + roundings.of_storing(a * a)
        };
        (steepness * error).hypot(own.sqrt())
    };
    Inputs {
        errors: Norms::of(state.values.len(), of_value),
        factor: Factor::of(state.values.len(), |unit| state.values[unit].to_f64()),
        terms: state.nonzero.len(),
        roundings,
    }
}
