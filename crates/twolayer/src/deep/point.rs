//! The state of a network of any depth at one point.

use super::layer::Hidden;
use super::network::DeepNetwork;
use crate::network::ForwardPass;
use num_traits::Zero;
use std::cell::RefCell;
use twolayer_core::{Curvature, Evaluation, LinearBackend, Scalar};

/// A hidden layer at one point (n_l each).
#[derive(Debug, Clone)]
pub(super) struct HiddenState<T> {
    /// h.
    pub(super) hidden: Vec<T>,
    /// a = φ(h), and the units where it is not zero.
    pub(super) values: Vec<T>,
    pub(super) nonzero: Vec<usize>,
    /// φ'(h), of the chosen sides on kinks, and the units where it is not zero.
    pub(super) slopes: Vec<T>,
    pub(super) on: Vec<usize>,
    /// ∂L/∂a at the point, and as foreseen for the end of a step.
    pub(super) adjoint: Vec<T>,
    pub(super) foreseen: Vec<T>,
}

impl<T: Scalar> HiddenState<T> {
    fn new(units: usize) -> Self {
        let zeros = || vec![T::zero(); units];
        Self {
            hidden: zeros(),
            values: zeros(),
            nonzero: Vec::with_capacity(units),
            slopes: zeros(),
            on: Vec::with_capacity(units),
            adjoint: zeros(),
            foreseen: zeros(),
        }
    }

    /// a, φ' and the sides of the kinks, from h.
    pub(super) fn activate<B: LinearBackend<Scalar = T>>(
        &mut self,
        layer: &Hidden<B>,
        distances: &mut [T],
        sides: &mut [bool],
    ) {
        let units = self.values.iter_mut().zip(&mut self.slopes);
        for ((a, slope), &h) in units.zip(&self.hidden) {
            *a = layer.activation.value(h);
            *slope = layer.activation.slope(h);
        }
        let count = layer.kinks.len();
        for (index, (distance, side)) in distances.iter_mut().zip(sides).enumerate() {
            *distance = self.hidden[index / count] - layer.kinks[index % count].at;
            *side = *distance > T::zero();
        }
        list(&mut self.nonzero, &self.values);
        list(&mut self.on, &self.slopes);
    }

    /// Takes the slope of a unit on its kink from one side.
    pub(super) fn choose_side<B: LinearBackend<Scalar = T>>(
        &mut self,
        layer: &Hidden<B>,
        (unit, which): (usize, usize),
        positive: bool,
    ) {
        let negative = layer.activation.slope(self.hidden[unit]);
        let kink = &layer.kinks[which];
        // Rounding may leave the unit beside the kink that it is said to lie on.
        let before = match self.hidden[unit] > kink.at {
            true => negative - kink.jump,
            false => negative,
        };
        self.slopes[unit] = match positive {
            true => before + kink.jump,
            false => before,
        };
        list(&mut self.on, &self.slopes);
    }
}

/// The places of the entries that are not zero. NaN counts as one that is not.
fn list<T: Scalar>(places: &mut Vec<usize>, entries: &[T]) {
    places.clear();
    places.extend((0..entries.len()).filter(|&i| entries[i] != T::zero()));
}

/// The state of a [`DeepInversion`](crate::DeepInversion) at one point x.
#[derive(Debug, Clone)]
pub struct DeepPoint<B: LinearBackend> {
    pub(super) x: Vec<B::Scalar>,
    pub(super) hidden: Vec<HiddenState<B::Scalar>>,
    /// The logits and what follows from them.
    pub(super) pass: ForwardPass<B::Scalar>,
    pub(super) loss: B::Scalar,
    /// ½ μ ‖D(x − x_ref)‖².
    pub(super) distance: B::Scalar,
    /// Of all kinks of all layers.
    pub(super) distances: Vec<B::Scalar>,
    pub(super) sides: Vec<bool>,
    /// ∂L/∂z, and zeros for the rows of hidden layers.
    pub(super) row_gradient: Vec<B::Scalar>,
    pub(super) gradient: Vec<B::Scalar>,
    pub(super) curvature: Curvature<B::Scalar>,
    pub(super) every_input: Vec<usize>,
    pub(super) selected: Vec<B::Scalar>,
    pub(super) bounds: Vec<B::Scalar>,
    /// Products at a point that is only looked at.
    pub(super) scratch: RefCell<DeepScratch<B::Scalar>>,
    pub(super) jacobians: RefCell<Jacobians<B>>,
}

/// J_l and diag(φ_l') J_l of the hidden layers at a point, where they were formed.
#[derive(Debug, Clone)]
pub(super) struct Jacobians<B: LinearBackend> {
    pub(super) is_formed: bool,
    /// J_l (n_l×d) of the layers behind the first; that of the first is A_1.
    pub(super) plain: Vec<B::Matrix>,
    /// diag(φ_l') J_l (n_l×d) of all.
    pub(super) scaled: Vec<B::Matrix>,
    /// Rows of the logits that are asked for, and row-major entries of one row.
    pub(super) rows: Vec<usize>,
    pub(super) row: Vec<B::Scalar>,
    pub(super) unshifted: Vec<B::Scalar>,
}

/// Memory of products with the Jacobians of a network.
#[derive(Debug, Clone)]
pub struct DeepScratch<T> {
    /// For each hidden layer a vector over its units.
    pub(super) layers: Vec<Vec<T>>,
    pub(super) selected: Vec<T>,
    /// Over all rows.
    pub(super) rows: [Vec<T>; 2],
}

impl<T> Default for DeepScratch<T> {
    fn default() -> Self {
        Self {
            layers: Vec::new(),
            selected: Vec::new(),
            rows: [Vec::new(), Vec::new()],
        }
    }
}

impl<T: Scalar> DeepScratch<T> {
    /// Has room for the layers of a network.
    pub(super) fn fit<B: LinearBackend<Scalar = T>>(&mut self, network: &DeepNetwork<B>) {
        self.layers.resize_with(network.hidden.len(), Vec::new);
        for (layer, hidden) in self.layers.iter_mut().zip(&network.hidden) {
            layer.resize(hidden.units(), T::zero());
        }
    }
}

impl<B: LinearBackend> DeepPoint<B> {
    /// Of a problem with so many `rows`.
    pub(super) fn new(network: &DeepNetwork<B>, rows: usize) -> Self {
        let zeros = |length| vec![B::Scalar::zero(); length];
        let (d, m) = (network.inputs(), network.outcomes());
        let (backend, widths) = (network.backend(), || network.widths());
        Self {
            x: zeros(d),
            hidden: widths().map(HiddenState::new).collect(),
            pass: ForwardPass::new(0, m),
            loss: B::Scalar::zero(),
            distance: B::Scalar::zero(),
            distances: zeros(network.kinks()),
            sides: vec![false; network.kinks()],
            row_gradient: zeros(rows),
            gradient: zeros(d),
            curvature: Curvature::new(rows),
            every_input: (0..d).collect(),
            selected: Vec::new(),
            bounds: zeros(network.rows()),
            scratch: RefCell::default(),
            jacobians: RefCell::new(Jacobians {
                is_formed: false,
                plain: widths().skip(1).map(|n| backend.zeros(n, d)).collect(),
                scaled: widths().map(|n| backend.zeros(n, d)).collect(),
                rows: Vec::with_capacity(rows),
                row: zeros(d),
                unshifted: Vec::new(),
            }),
        }
    }

    /// Whether the Jacobians are those of the point.
    pub(super) fn is_formed(&mut self, is_formed: bool) {
        self.jacobians.get_mut().is_formed = is_formed;
    }

    pub(crate) fn pass(&self) -> &ForwardPass<B::Scalar> {
        &self.pass
    }

    /// f = softmax(z) at x (m).
    pub fn probabilities(&self) -> &[B::Scalar] {
        &self.pass.probabilities
    }

    /// z at x (m).
    pub fn logits(&self) -> &[B::Scalar] {
        &self.pass.logits
    }

    /// Logits and output at x, without hidden units.
    pub(crate) fn forward_pass(&self) -> &ForwardPass<B::Scalar> {
        &self.pass
    }
}

impl<B: LinearBackend> Evaluation<B::Scalar> for DeepPoint<B> {
    fn point(&self) -> &[B::Scalar] {
        &self.x
    }

    fn value(&self) -> B::Scalar {
        self.loss + self.distance
    }

    fn gradient(&self) -> &[B::Scalar] {
        &self.gradient
    }

    fn flips_from(&self, other: &Self) -> usize {
        let pairs = self.sides.iter().zip(&other.sides);
        pairs.filter(|(mine, theirs)| mine != theirs).count()
    }
}
