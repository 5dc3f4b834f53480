//! Where the objective of a network of any depth has its kinks.

use super::inversion::DeepInversion;
use super::point::{DeepPoint, DeepScratch};
use num_traits::{Float, One, Zero};
use twolayer_core::{Bounds, Kinked, LinearBackend, RowStructured, RowWeights, reduce};

impl<B: LinearBackend> Kinked for DeepInversion<'_, B> {
    fn kinks(&self) -> usize {
        self.network.kinks() + self.bounds.map_or(0, Bounds::count)
    }

    fn first_bound(&self) -> usize {
        self.network.kinks()
    }

    fn is_fixed(&self, bound: usize) -> bool {
        self.bound(bound)
            .is_some_and(|(bounds, number)| bounds.is_fixed(number))
    }

    /// Those of the second layer and deeper ones do.
    fn kinks_bend(&self) -> bool {
        let behind_the_first = self.network.hidden.iter().skip(1);
        behind_the_first
            .into_iter()
            .any(|layer| !layer.kinks.is_empty())
    }

    fn signed_distances<'p>(&self, at: &'p DeepPoint<B>) -> &'p [B::Scalar] {
        &at.distances
    }

    fn sides<'p>(&self, at: &'p DeepPoint<B>) -> &'p [bool] {
        &at.sides
    }

    fn choose_side(&self, at: &mut DeepPoint<B>, kink: usize, positive: bool) {
        if kink >= self.first_bound() {
            return;
        }
        let number = self.network.layer_of(kink);
        let layer = &self.network.hidden[number];
        at.sides[kink] = positive;
        at.hidden[number].choose_side(layer, layer.unit_of(kink), positive);
        at.is_formed(false);
    }

    fn distance_slopes(
        &self,
        at: &DeepPoint<B>,
        direction: &[B::Scalar],
        slopes: &mut [B::Scalar],
    ) {
        let network = &*self.network;
        if let Some(bounds) = self.bounds {
            bounds.slopes(direction, &mut slopes[self.first_bound()..]);
        }
        let scratch = &mut at.scratch.borrow_mut();
        network.push_through_hidden(at, direction, scratch, |number, change| {
            let layer = &network.hidden[number];
            let count = layer.kinks.len();
            for (index, slope) in slopes[layer.kink_numbers()].iter_mut().enumerate() {
                *slope = change[index / count];
            }
        });
    }

    fn normal(&self, at: &DeepPoint<B>, kink: usize, normal: &mut [B::Scalar]) {
        if let Some((bounds, number)) = self.bound(kink) {
            normal.fill(B::Scalar::zero());
            normal[bounds.entry(number)] = bounds.sign(number);
            return;
        }
        let network = &*self.network;
        let number = network.layer_of(kink);
        let (unit, _) = network.hidden[number].unit_of(kink);
        let only = super::network::DeepNetwork::<B>::only(number, unit);
        network.combine_units(at, only, &mut at.scratch.borrow_mut(), normal);
    }

    fn combine_normals(&self, at: &DeepPoint<B>, multiples: &[B::Scalar], sum: &mut [B::Scalar]) {
        let network = &*self.network;
        let multiple = |number: usize, unit: usize| {
            let layer = &network.hidden[number];
            let count = layer.kinks.len();
            let first = layer.first_kink + unit * count;
            reduce::sum(&multiples[first..first + count])
        };
        network.combine_units(at, multiple, &mut at.scratch.borrow_mut(), sum);
        if let Some(bounds) = self.bounds {
            bounds.add_normals(&multiples[self.first_bound()..], sum);
        }
    }

    /// What is left of h when the normal's product with x is taken off.
    fn offset(&self, at: &DeepPoint<B>, kink: usize) -> B::Scalar {
        if let Some((bounds, number)) = self.bound(kink) {
            return -bounds.sign(number) * bounds.value(number);
        }
        let mut normal = vec![B::Scalar::zero(); at.x.len()];
        self.normal(at, kink, &mut normal);
        at.distances[kink] - reduce::dot(&normal, &at.x)
    }

    fn foresee(&self, at: &mut DeepPoint<B>, step: Option<&[B::Scalar]>) {
        let Some(step) = step else {
            for state in &mut at.hidden {
                state.foreseen.copy_from_slice(&state.adjoint);
            }
            return;
        };
        let mut curvature = std::mem::take(&mut at.curvature);
        self.curvature(at, RowWeights::Exact, &mut curvature);
        let mut scratch = at.scratch.take();
        let [mut change, mut foreseen] = std::mem::take(&mut scratch.rows);
        change.resize(self.rows(), B::Scalar::zero());
        foreseen.resize(self.rows(), B::Scalar::zero());
        self.jacobian_vec(at, step, &mut scratch, &mut change);
        curvature.row_product(&change, &mut foreseen);
        reduce::axpy(B::Scalar::one(), &at.row_gradient, &mut foreseen);
        self.carry_back(at, &foreseen, &mut scratch);
        scratch.rows = [change, foreseen];
        at.scratch.replace(scratch);
        at.curvature = curvature;
    }

    fn slope_jumps(&self, at: &DeepPoint<B>, kinks: &[usize], jumps: &mut [B::Scalar]) {
        for (jump, &kink) in jumps.iter_mut().zip(kinks) {
            if kink >= self.first_bound() {
                *jump = B::Scalar::infinity();
                continue;
            }
            let number = self.network.layer_of(kink);
            let layer = &self.network.hidden[number];
            let (unit, which) = layer.unit_of(kink);
            *jump = layer.kinks[which].jump * at.hidden[number].foreseen[unit];
        }
    }
}

impl<'a, B: LinearBackend> DeepInversion<'a, B> {
    /// The bounds, and the number among them of a kink that is one.
    fn bound(&self, kink: usize) -> Option<(&'a Bounds<B::Scalar>, usize)> {
        self.bounds.zip(kink.checked_sub(self.network.kinks()))
    }

    /// ∂L/∂a of every layer from the slopes `y` of all rows, in `foreseen`.
    fn carry_back(
        &self,
        at: &mut DeepPoint<B>,
        y: &[B::Scalar],
        scratch: &mut DeepScratch<B::Scalar>,
    ) {
        let network = &*self.network;
        let m = network.outcomes();
        let (mut behind, mut weights) = (&y[..m], &network.output.weights);
        scratch.fit(network);
        let layers = network.hidden.iter().zip(&mut at.hidden);
        for ((layer, state), t) in layers.zip(&mut scratch.layers).rev() {
            network
                .backend()
                .mul_vec_transposed(weights, behind, &mut state.foreseen);
            for ((t, &u), &slope) in t.iter_mut().zip(&state.foreseen).zip(&state.slopes) {
                *t = u * slope;
            }
            if let Some(first) = layer.first_row {
                for (t, &y) in t.iter_mut().zip(&y[first..]) {
                    *t += y;
                }
            }
            (behind, weights) = (t, &layer.affine.weights);
        }
    }
}
