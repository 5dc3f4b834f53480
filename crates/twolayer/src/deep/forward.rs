//! Runs of a network at one point.

use super::network::DeepNetwork;
use super::point::DeepPoint;
use num_traits::Float;
use twolayer_core::{Error, LinearBackend, Scalar};

impl<B: LinearBackend> DeepNetwork<B> {
    /// Buffers for a run of the network.
    pub fn new_point(&self) -> DeepPoint<B> {
        DeepPoint::new(self, self.rows())
    }

    /// Runs the network on `x` (d).
    pub fn run(&self, x: &[B::Scalar], at: &mut DeepPoint<B>) {
        self.forward(x, &[], at);
    }

    /// The network's output (m) at `x` (d).
    ///
    /// # Errors
    /// An x of the wrong length, or with an entry that is NaN or infinite; logits that overflow.
    pub fn probabilities(&self, x: &[B::Scalar]) -> Result<Vec<B::Scalar>, Error> {
        Error::check_length("x", x.len(), self.inputs())?;
        Error::check_finite("x", x)?;
        let mut at = DeepPoint::new(self, self.rows());
        self.forward(x, &[], &mut at);
        let f = at.probabilities().to_vec();
        match f.iter().all(|f| f.is_finite()) {
            true => Ok(f),
            false => Err(Error::Overflow {
                quantity: "network's output",
                at: "x",
            }),
        }
    }

    /// Runs the network on `x` (d). The kinks in `pinned` lie at exactly zero: those of the first layer whatever
    /// rounding makes of it, those of deeper ones only where it is no more than rounding.
    pub(super) fn forward(&self, x: &[B::Scalar], pinned: &[usize], at: &mut DeepPoint<B>) {
        at.x.copy_from_slice(x);
        at.is_formed(false);
        let DeepPoint {
            hidden: states,
            pass,
            distances,
            sides,
            every_input,
            selected,
            ..
        } = at;
        // ‖(bounds on |a_i|)‖, as the layer before has them.
        let mut size = twolayer_core::reduce::norm(x).to_f64();
        for (number, layer) in self.hidden.iter().enumerate() {
            let (before, rest) = states.split_at_mut(number);
            let state = &mut rest[0];
            let (a, on) = match before.last() {
                None => (x, &every_input[..]),
                Some(before) => (&before.values[..], &before.nonzero[..]),
            };
            let affine = &layer.affine;
            affine.product(self.backend(), a, on, selected, &mut state.hidden);
            for (h, &c) in state.hidden.iter_mut().zip(&affine.bias) {
                *h += c;
            }
            let reach =
                |unit: usize| affine.norms.get(unit).two * size + affine.bias[unit].abs().to_f64();
            let range = layer.kink_numbers();
            for &kink in pinned.iter().filter(|kink| range.contains(kink)) {
                let (unit, which) = layer.unit_of(kink);
                let on_kink = layer.kinks[which].at;
                let rounding = PINNED * B::Scalar::UNIT_ROUNDOFF.to_f64() * reach(unit);
                let off = (state.hidden[unit] - on_kink).abs().to_f64();
                if number == 0 || off <= rounding {
                    state.hidden[unit] = on_kink;
                }
            }
            let (distances, sides) = (&mut distances[range.clone()], &mut sides[range]);
            state.activate(layer, distances, sides);
            let squares = state
                .slopes
                .iter()
                .enumerate()
                .map(|(unit, slope)| (slope.abs().to_f64() * reach(unit)).powi(2));
            size = squares.sum::<f64>().sqrt();
        }
        let (a, on) = match states.last() {
            None => (x, &every_input[..]),
            Some(last) => (&last.values[..], &last.nonzero[..]),
        };
        self.output
            .product(self.backend(), a, on, selected, &mut pass.products);
        let logits = pass.logits.iter_mut().zip(&pass.products);
        for ((z, &u), &c) in logits.zip(&self.output.bias) {
            *z = u + c;
        }
        pass.normalize();
    }
}

/// A unit of a deeper layer lies on its pinned kink where it is off by so many roundoffs of the terms that it is
/// a sum of: what putting x back on the kinks leaves.
const PINNED: f64 = 64.0;
