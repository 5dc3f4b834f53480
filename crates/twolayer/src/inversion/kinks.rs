//! The kinks of an [`Inversion`]: one for each ReLU, where A1 x + c1 changes sign.

use super::{Inversion, InversionPoint, ray};
use num_traits::{One, Zero};
use twolayer_core::{
    Crossing, Kinked, LinearBackend, RayMinimum, RowStructured, RowWeights, reduce,
};

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

    fn distance_slopes(
        &self,
        _: &InversionPoint<B::Scalar>,
        direction: &[B::Scalar],
        slopes: &mut [B::Scalar],
    ) {
        self.network
            .backend()
            .mul_vec(self.network.a1(), direction, slopes);
    }

    fn normal(&self, at: &InversionPoint<B::Scalar>, kink: usize, normal: &mut [B::Scalar]) {
        let mut unit = vec![B::Scalar::zero(); self.network.hidden_units()];
        unit[kink] = B::Scalar::one();
        self.combine_normals(at, &unit, normal);
    }

    fn combine_normals(
        &self,
        _: &InversionPoint<B::Scalar>,
        multiples: &[B::Scalar],
        sum: &mut [B::Scalar],
    ) {
        self.network
            .backend()
            .mul_vec_transposed(self.network.a1(), multiples, sum);
    }

    fn offset(&self, _: &InversionPoint<B::Scalar>, kink: usize) -> B::Scalar {
        self.network.bias1()[kink]
    }

    fn foresee(&self, at: &mut InversionPoint<B::Scalar>, step: Option<&[B::Scalar]>) {
        let Some(step) = step else {
            let [_, foreseen] = &mut at.outcome_scratch;
            return foreseen.copy_from_slice(&at.row_gradient);
        };
        let mut curvature = std::mem::take(&mut at.curvature);
        self.curvature(at, RowWeights::Exact, &mut curvature);
        at.curvature = curvature;
        let [change, foreseen] = &mut at.outcome_scratch;
        let active = &at.pass.active;
        self.network
            .jacobian_vec(active, step, &mut at.hidden_scratch, change);
        at.curvature.row_product(change, foreseen);
        reduce::axpy(B::Scalar::one(), &at.row_gradient, foreseen);
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
            return backend.mul_vec_transposed(a2, gradient, jumps);
        }
        // One column at a time: the kernel wants them in increasing order, the caller has its own.
        for (kink, jump) in kinks.iter().zip(jumps) {
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
        ray::minimum(self, at, slopes, crossings, end, scratch)
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
        ray::values(self, at, slopes, crossings, fractions, values, scratch);
        true
    }
}
