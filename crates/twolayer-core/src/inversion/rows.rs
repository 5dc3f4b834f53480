//! The Hessian of an [`Inversion`] in the rows of C.

use super::{Inversion, InversionPoint};
use crate::{Curvature, HiddenScratch, LinearBackend, RowStructured, RowWeights, Scalar, reduce};

impl<B: LinearBackend> RowStructured for Inversion<'_, B> {
    type Backend = B;

    fn backend(&self) -> &B {
        self.network.backend()
    }

    fn rows(&self) -> usize {
        self.network.outcomes()
    }

    fn curvature(
        &self,
        at: &InversionPoint<B::Scalar>,
        kind: RowWeights,
        curvature: &mut Curvature<B::Scalar>,
    ) {
        let Curvature {
            center,
            row_weights,
            uncentered_weights,
        } = curvature;
        self.loss
            .curvature(&at.pass, &self.target, kind, center, row_weights);
        uncentered_weights.clear();
        if let Some(regularizer) = self.regularizer {
            uncentered_weights.extend(regularizer.weights().iter().map(|&w| w * w));
        }
    }

    fn row_gradient<'a>(&self, at: &'a InversionPoint<B::Scalar>) -> &'a [B::Scalar] {
        &at.row_gradient
    }

    fn jacobian(
        &self,
        at: &InversionPoint<B::Scalar>,
        jacobian: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        let network = self.network;
        let backend = network.backend();
        backend.mul_inner(
            network.a2(),
            &at.pass.active,
            network.a1(),
            jacobian,
            workspace,
        );
    }

    fn jacobian_rows(
        &self,
        at: &InversionPoint<B::Scalar>,
        rows: &[usize],
        jacobian: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        let network = self.network;
        let (backend, active) = (network.backend(), &at.pass.active);
        backend.mul_inner_rows(
            network.a2(),
            rows,
            active,
            network.a1(),
            jacobian,
            workspace,
        );
    }

    fn jacobian_transposed_vec(
        &self,
        at: &InversionPoint<B::Scalar>,
        y: &[B::Scalar],
        scratch: &mut HiddenScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        let active = &at.pass.active;
        self.network
            .jacobian_transposed_vec(active, y, scratch, product);
    }

    fn hessian_vec(
        &self,
        at: &mut InversionPoint<B::Scalar>,
        kind: RowWeights,
        v: &[B::Scalar],
        product: &mut [B::Scalar],
    ) {
        self.logit_change(at, v, 0);
        self.logit_gradient_change(at, kind, 0, 1);
        self.network.jacobian_transposed_vec(
            &at.pass.active,
            &at.outcome_scratch[1],
            &mut at.hidden_scratch,
            product,
        );
    }
}

impl<B: LinearBackend> Inversion<'_, B> {
    /// Scratch number `to` ← C v.
    pub(super) fn logit_change(
        &self,
        at: &mut InversionPoint<B::Scalar>,
        v: &[B::Scalar],
        to: usize,
    ) {
        let InversionPoint {
            pass,
            hidden_scratch,
            outcome_scratch,
            ..
        } = at;
        self.network
            .jacobian_vec(&pass.active, v, hidden_scratch, &mut outcome_scratch[to]);
    }

    /// Scratch number `to` ← B y, y scratch number `from` and B the Hessian in the logits,
    /// regulariser included.
    pub(super) fn logit_gradient_change(
        &self,
        at: &mut InversionPoint<B::Scalar>,
        kind: RowWeights,
        from: usize,
        to: usize,
    ) {
        let mut curvature = std::mem::take(&mut at.curvature);
        self.curvature(at, kind, &mut curvature);
        let [first, second] = &mut at.outcome_scratch;
        let (y, product) = if from < to {
            (first, second)
        } else {
            (second, first)
        };
        curvature.logit_product(y, product);
        at.curvature = curvature;
    }
}

impl<T: Scalar> Curvature<T> {
    /// product = \[(I − 1 centerᵀ)ᵀ diag(β) (I − 1 centerᵀ) + diag(ω)\] y.
    pub fn logit_product(&self, y: &[T], product: &mut [T]) {
        let mean = reduce::dot(&self.center, y);
        for ((p, &y), &beta) in product.iter_mut().zip(y).zip(&self.row_weights) {
            *p = beta * (y - mean);
        }
        let total = reduce::sum(product);
        for (p, &center) in product.iter_mut().zip(&self.center) {
            *p -= center * total;
        }
        for ((p, &y), &omega) in product.iter_mut().zip(y).zip(&self.uncentered_weights) {
            *p += omega * y;
        }
    }
}
