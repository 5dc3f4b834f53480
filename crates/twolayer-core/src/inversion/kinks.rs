//! The kinks of an [`Inversion`]: one for each ReLU, where A1 x + c1 changes sign.

use super::{Inversion, InversionPoint};
use crate::{
    Crossing, Kinked, LinearBackend, RayMinimum, RowStructured, RowWeights, Scalar, reduce,
};
use num_traits::{One, Zero};

impl<B: LinearBackend> Kinked for Inversion<'_, B> {
    fn kinks(&self) -> usize {
        self.network.hidden_units()
    }

    fn signed_distances<'a>(&self, at: &'a InversionPoint<B::Scalar>) -> &'a [B::Scalar] {
        &at.pass.hidden
    }

    fn sides<'a>(&self, at: &'a InversionPoint<B::Scalar>) -> &'a [bool] {
        &at.pass.pattern
    }

    fn choose_side(&self, at: &mut InversionPoint<B::Scalar>, kink: usize, positive: bool) {
        at.pass.choose_side(kink, positive);
    }

    fn distance_slopes(&self, direction: &[B::Scalar], slopes: &mut [B::Scalar]) {
        self.network
            .backend()
            .mul_vec(self.network.a1(), direction, slopes);
    }

    fn normal(&self, kink: usize, normal: &mut [B::Scalar]) {
        let mut unit = vec![B::Scalar::zero(); self.network.hidden_units()];
        unit[kink] = B::Scalar::one();
        self.network
            .backend()
            .mul_vec_transposed(self.network.a1(), &unit, normal);
    }

    fn offset(&self, kink: usize) -> B::Scalar {
        self.network.bias1()[kink]
    }

    fn slope_jumps(
        &self,
        at: &mut InversionPoint<B::Scalar>,
        step: &[B::Scalar],
        kinks: &[usize],
        jumps: &mut [B::Scalar],
    ) {
        self.logit_change(at, step, 0);
        self.logit_gradient_change(at, RowWeights::Exact, 0, 1);
        let [_, gradient] = &mut at.outcome_scratch;
        reduce::axpy(B::Scalar::one(), &at.row_gradient, gradient);
        // One column at a time: the kernel wants them in increasing order, the caller has its own.
        for (kink, jump) in kinks.iter().zip(jumps) {
            let column = std::slice::from_ref(kink);
            let jump = std::slice::from_mut(jump);
            let (backend, a2) = (self.network.backend(), self.network.a2());
            backend.mul_vec_transposed_columns(a2, column, gradient, jump);
        }
    }

    fn minimize_along(
        &self,
        at: &mut InversionPoint<B::Scalar>,
        slopes: &[B::Scalar],
        crossings: &[Crossing<B::Scalar>],
        end: B::Scalar,
    ) -> Option<RayMinimum<B::Scalar>> {
        if !self.loss.is_quadratic(&self.target) {
            return None;
        }
        let mut curvature = std::mem::take(&mut at.curvature);
        self.curvature(at, RowWeights::Exact, &mut curvature);
        let minimum = RayWalk::new(self, at, slopes).minimum(&curvature, crossings, end);
        at.curvature = curvature;
        Some(minimum)
    }
}

/// A walk along a ray on which the logits are piecewise linear and the loss is quadratic in them.
struct RayWalk<'w, 'p, B: LinearBackend> {
    problem: &'w Inversion<'p, B>,
    slopes: &'w [B::Scalar],
    /// The gradient in the logits where the walk stands.
    gradient: Vec<B::Scalar>,
    /// Change of the logits per unit of α in the present piece.
    velocity: Vec<B::Scalar>,
    /// The Hessian's product with the velocity.
    gradient_velocity: Vec<B::Scalar>,
    column: Vec<B::Scalar>,
}

impl<'w, 'p, B: LinearBackend> RayWalk<'w, 'p, B> {
    fn new(
        problem: &'w Inversion<'p, B>,
        at: &InversionPoint<B::Scalar>,
        slopes: &'w [B::Scalar],
    ) -> Self {
        let zeros = || vec![B::Scalar::zero(); at.row_gradient.len()];
        let mut walk = Self {
            problem,
            slopes,
            gradient: at.row_gradient.clone(),
            velocity: zeros(),
            gradient_velocity: zeros(),
            column: zeros(),
        };
        let active_slopes: Vec<_> = at.pass.active.iter().map(|&unit| slopes[unit]).collect();
        let (backend, a2) = (problem.network.backend(), problem.network.a2());
        backend.mul_vec_columns(a2, &at.pass.active, &active_slopes, &mut walk.velocity);
        walk
    }

    /// The lowest point of the whole ray, not only its first local minimum.
    fn minimum(
        mut self,
        curvature: &crate::Curvature<B::Scalar>,
        crossings: &[Crossing<B::Scalar>],
        end: B::Scalar,
    ) -> RayMinimum<B::Scalar> {
        let mut best = RayMinimum {
            fraction: B::Scalar::zero(),
            kink: None,
        };
        let (mut change, mut lowest) = (0.0, 0.0);
        let mut position = B::Scalar::zero();
        let stops = crossings
            .iter()
            .map(|crossing| (crossing.fraction, Some(crossing.kink)));
        for (stop, kink) in stops.chain([(end, None)]) {
            curvature.logit_product(&self.velocity, &mut self.gradient_velocity);
            let slope = reduce::dot(&self.gradient, &self.velocity).to_f64();
            let bend = reduce::dot(&self.gradient_velocity, &self.velocity).to_f64();
            let length = (stop - position).to_f64();
            if slope < 0.0 && -slope < bend * length {
                let inside = -slope / bend;
                let value = change + 0.5 * slope * inside;
                if value < lowest {
                    lowest = value;
                    best = RayMinimum {
                        fraction: position + B::Scalar::of(inside),
                        kink: None,
                    };
                }
            }
            change += length * (slope + 0.5 * bend * length);
            if change < lowest {
                lowest = change;
                best = RayMinimum {
                    fraction: stop,
                    kink,
                };
            }
            reduce::axpy(stop - position, &self.gradient_velocity, &mut self.gradient);
            position = stop;
            if let Some(kink) = kink {
                self.cross(kink);
            }
        }
        best
    }

    /// Switches a unit: one that rises through its kink joins the velocity, one that falls leaves.
    fn cross(&mut self, kink: usize) {
        let change = self.slopes[kink];
        let size = if change > B::Scalar::zero() {
            change
        } else {
            -change
        };
        let (backend, a2) = (self.problem.network.backend(), self.problem.network.a2());
        backend.mul_vec_columns(a2, &[kink], &[size], &mut self.column);
        reduce::axpy(B::Scalar::one(), &self.column, &mut self.velocity);
    }
}
