//! The kinks of an [`Inversion`]: one for each ReLU, where A1 x + c1 changes sign, then one for each bound.

use super::{Inversion, InversionPoint, ray};
use num_traits::{Float, One, Zero};
use twolayer_core::{Bounds, Crossing, Kinked, LinearBackend, RayMinimum, RowWeights, reduce};

impl<'a, B: LinearBackend> Inversion<'a, B> {
    /// The bounds, and the number among them of a kink that is one.
    fn bound(&self, kink: usize) -> Option<(&'a Bounds<B::Scalar>, usize)> {
        self.bounds
            .zip(kink.checked_sub(self.network.hidden_units()))
    }
}

impl<B: LinearBackend> Kinked for Inversion<'_, B> {
    fn kinks(&self) -> usize {
        let bounds = self.bounds.map_or(0, Bounds::count);
        self.network.hidden_units() + bounds
    }

    fn first_bound(&self) -> usize {
        self.network.hidden_units()
    }

    fn is_fixed(&self, bound: usize) -> bool {
        self.bound(bound)
            .is_some_and(|(bounds, number)| bounds.is_fixed(number))
    }

    fn signed_distances<'a>(&self, at: &'a InversionPoint<B::Scalar>) -> &'a [B::Scalar] {
        match self.bounds {
            Some(_) => &at.distances,
            None => &at.pass.hidden,
        }
    }

    fn sides<'a>(&self, at: &'a InversionPoint<B::Scalar>) -> &'a [bool] {
        match self.bounds {
            Some(_) => &at.sides,
            None => &at.pass.pattern,
        }
    }

    fn choose_side(&self, at: &mut InversionPoint<B::Scalar>, kink: usize, positive: bool) {
        if kink < self.first_bound() {
            at.pass.choose_side(kink, positive);
            if self.bounds.is_some() {
                at.sides[kink] = positive;
            }
        }
    }

    fn distance_slopes(
        &self,
        _: &InversionPoint<B::Scalar>,
        direction: &[B::Scalar],
        slopes: &mut [B::Scalar],
    ) {
        let (of_units, of_bounds) = slopes.split_at_mut(self.first_bound());
        let backend = self.network.backend();
        backend.mul_vec(self.network.a1(), direction, of_units);
        if let Some(bounds) = self.bounds {
            bounds.slopes(direction, of_bounds);
        }
    }

    fn normal(&self, _: &InversionPoint<B::Scalar>, kink: usize, normal: &mut [B::Scalar]) {
        if let Some((bounds, number)) = self.bound(kink) {
            normal.fill(B::Scalar::zero());
            normal[bounds.entry(number)] = bounds.sign(number);
            return;
        }
        let mut unit = vec![B::Scalar::zero(); self.network.hidden_units()];
        unit[kink] = B::Scalar::one();
        let backend = self.network.backend();
        backend.mul_vec_transposed(self.network.a1(), &unit, normal);
    }

    fn combine_normals(
        &self,
        _: &InversionPoint<B::Scalar>,
        multiples: &[B::Scalar],
        sum: &mut [B::Scalar],
    ) {
        let (of_units, of_bounds) = multiples.split_at(self.first_bound());
        let backend = self.network.backend();
        backend.mul_vec_transposed(self.network.a1(), of_units, sum);
        if let Some(bounds) = self.bounds {
            bounds.add_normals(of_bounds, sum);
        }
    }

    fn offset(&self, _: &InversionPoint<B::Scalar>, kink: usize) -> B::Scalar {
        match self.bound(kink) {
            Some((bounds, number)) => -bounds.sign(number) * bounds.value(number),
            None => self.network.bias1()[kink],
        }
    }

    fn foresee(&self, at: &mut InversionPoint<B::Scalar>, step: Option<&[B::Scalar]>) {
        let Some(step) = step else {
            let [_, foreseen] = &mut at.outcome_scratch;
            return foreseen.copy_from_slice(&at.row_gradient[..self.network.outcomes()]);
        };
        let mut curvature = std::mem::take(&mut at.curvature);
        self.outcome_curvature(at, RowWeights::Exact, &mut curvature);
        at.curvature = curvature;
        let [change, foreseen] = &mut at.outcome_scratch;
        let active = &at.pass.active;
        self.network
            .jacobian_vec(active, step, &mut at.hidden_scratch, change);
        at.curvature.row_product(change, foreseen);
        let of_outcomes = &at.row_gradient[..self.network.outcomes()];
        reduce::axpy(B::Scalar::one(), of_outcomes, foreseen);
    }

    fn slope_jumps(
        &self,
        at: &InversionPoint<B::Scalar>,
        kinks: &[usize],
        jumps: &mut [B::Scalar],
    ) {
        let [_, gradient] = &at.outcome_scratch;
        let (backend, a2) = (self.network.backend(), self.network.a2());
        if kinks.iter().copied().eq(0..self.kinks()) {
            let (of_units, of_bounds) = jumps.split_at_mut(self.first_bound());
            of_bounds.fill(B::Scalar::infinity());
            return backend.mul_vec_transposed(a2, gradient, of_units);
        }
        // One column at a time: the kernel wants them in increasing order, the caller has its own.
        for (kink, jump) in kinks.iter().zip(jumps) {
            if *kink >= self.first_bound() {
                *jump = B::Scalar::infinity();
                continue;
            }
            let column = std::slice::from_ref(kink);
            let jump = std::slice::from_mut(jump);
            backend.mul_vec_transposed_columns(a2, column, gradient, jump);
        }
    }

    fn minimize_along(
        &self,
        at: &InversionPoint<B::Scalar>,
        slopes: &[B::Scalar],
        crossings: &[Crossing<B::Scalar>],
        end: B::Scalar,
        scratch: &mut InversionPoint<B::Scalar>,
    ) -> Option<RayMinimum<B::Scalar>> {
        // What a distance comes to is not told by the slopes of kinks.
        match self.nearness {
            None => ray::minimum(self, at, slopes, crossings, end, scratch),
            Some(_) => None,
        }
    }

    fn values_along(
        &self,
        at: &InversionPoint<B::Scalar>,
        slopes: &[B::Scalar],
        crossings: &[Crossing<B::Scalar>],
        fractions: &[B::Scalar],
        values: &mut [B::Scalar],
        scratch: &mut InversionPoint<B::Scalar>,
    ) -> bool {
        let is_told = self.nearness.is_none();
        if is_told {
            ray::values(self, at, slopes, crossings, fractions, values, scratch);
        }
        is_told
    }
}
