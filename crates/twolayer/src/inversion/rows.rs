//! The Hessian of an [`Inversion`] in the rows of C.

use super::{Inversion, InversionPoint};
use crate::network::ProductScratch;
use twolayer_core::{Curvature, LinearBackend, RowCombination, RowStructured, RowWeights};

impl<B: LinearBackend> RowStructured for Inversion<'_, B> {
    type Backend = B;
    type Scratch = ProductScratch<B::Scalar>;

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

    fn has_uncentered_rows(&self) -> bool {
        self.regularizer.is_some()
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

    fn jacobian_vec(
        &self,
        at: &InversionPoint<B::Scalar>,
        v: &[B::Scalar],
        scratch: &mut ProductScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        let active = &at.pass.active;
        self.network
            .jacobian_vec(active, v, &mut scratch.hidden, product);
    }

    fn jacobian_transposed_vec(
        &self,
        at: &InversionPoint<B::Scalar>,
        y: &[B::Scalar],
        scratch: &mut ProductScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        let active = &at.pass.active;
        self.network
            .jacobian_transposed_vec(active, y, &mut scratch.hidden, product);
    }

    fn differentiate_with(
        &self,
        at: &mut InversionPoint<B::Scalar>,
        y: &[B::Scalar],
        scratch: &mut ProductScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        self.differentiate_rows(at);
        self.network.jacobian_transposed_two_vecs(
            &at.pass.active,
            [&at.row_gradient, y],
            [&mut at.hidden_scratch, &mut scratch.hidden],
            [&mut at.gradient, product],
        );
    }

    fn hessian_vec(
        &self,
        at: &InversionPoint<B::Scalar>,
        curvature: &Curvature<B::Scalar>,
        v: &[B::Scalar],
        scratch: &mut ProductScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        let (network, active) = (self.network, &at.pass.active);
        let (hidden, change, slope) = scratch.rows(network.outcomes());
        network.jacobian_vec(active, v, hidden, change);
        curvature.row_product(change, slope);
        network.jacobian_transposed_vec(active, slope, hidden, product);
    }

    fn cell<'a>(&self, at: &'a InversionPoint<B::Scalar>) -> Option<&'a [bool]> {
        Some(&at.pass.pattern)
    }

    fn cross_kinks(
        &self,
        kinks: &[usize],
        signs: &[B::Scalar],
        jacobian: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        let (a1, a2) = (self.network.a1(), self.network.a2());
        let backend = self.network.backend();
        backend.add_inner(a2, kinks, signs, a1, jacobian, workspace);
    }

    /// S A2 is kept, for every pattern.
    fn combined_jacobian(
        &self,
        at: &InversionPoint<B::Scalar>,
        combination: &RowCombination<'_, B::Scalar>,
        kept: &mut Option<B::Matrix>,
        jacobian: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        let (backend, n) = (self.network.backend(), self.network.hidden_units());
        let is_missing = kept.is_none();
        let kept = of_shape(backend, backend.nrows(jacobian), n, kept);
        if combination.is_new || is_missing {
            let (buckets, factors) = (combination.buckets, combination.factors);
            backend.combine_rows(self.network.a2(), buckets, factors, kept);
        }
        let (active, a1) = (&at.pass.active, self.network.a1());
        backend.mul_inner(kept, active, a1, jacobian, workspace);
    }

    fn jacobian_matrix_product(
        &self,
        at: &InversionPoint<B::Scalar>,
        v: &B::Matrix,
        hidden: &mut Option<B::Matrix>,
        product: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        let network = self.network;
        let (backend, active) = (network.backend(), &at.pass.active);
        let hidden = of_shape(backend, network.hidden_units(), backend.ncols(v), hidden);
        let every_input: Vec<_> = (0..network.inputs()).collect();
        backend.mul_inner(network.a1(), &every_input, v, hidden, workspace);
        backend.mul_inner(network.a2(), active, hidden, product, workspace);
    }
}

/// The matrix in `place`, made anew where there is none or one of another shape.
fn of_shape<'m, B: LinearBackend>(
    backend: &B,
    nrows: usize,
    ncols: usize,
    place: &'m mut Option<B::Matrix>,
) -> &'m mut B::Matrix {
    let fits = |a: &B::Matrix| backend.nrows(a) == nrows && backend.ncols(a) == ncols;
    let kept = place.take().filter(fits);
    place.insert(kept.unwrap_or_else(|| backend.zeros(nrows, ncols)))
}

#[cfg(test)]
mod tests;
