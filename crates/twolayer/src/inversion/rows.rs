//! The Hessian of an [`Inversion`] in the rows of C.

use super::{Inversion, InversionPoint};
use crate::network::ProductScratch;
use num_traits::{One, Zero};
use std::borrow::Cow;
use twolayer_core::{Curvature, LinearBackend, RowCombination, RowStructured, RowWeights, reduce};

impl<B: LinearBackend> RowStructured for Inversion<'_, B> {
    type Backend = B;
    type Scratch = ProductScratch<B::Scalar>;

    fn backend(&self) -> &B {
        self.network.backend()
    }

    /// m; with a nearness d more, those of the identity: ω = μ D², and no center.
    fn rows(&self) -> usize {
        self.network.outcomes() + self.nearness.map_or(0, |_| self.network.inputs())
    }

    fn curvature(
        &self,
        at: &InversionPoint<B::Scalar>,
        kind: RowWeights,
        curvature: &mut Curvature<B::Scalar>,
    ) {
        let m = self.network.outcomes();
        self.outcome_curvature(at, kind, curvature);
        if let Some(nearness) = self.nearness {
            curvature.center[m..].fill(B::Scalar::zero());
            curvature.row_weights[m..].fill(B::Scalar::zero());
            let omega = &mut curvature.uncentered_weights;
            omega.resize(m, B::Scalar::zero());
            omega.extend_from_slice(nearness.curvatures());
        }
    }

    fn has_uncentered_rows(&self) -> bool {
        self.has_other_terms()
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
        if self.nearness.is_some() {
            let every: Vec<_> = (0..self.rows()).collect();
            return self.jacobian_rows(at, &every, jacobian, workspace);
        }
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
        let (m, d) = (network.outcomes(), network.inputs());
        let of_outcomes: Cow<'_, [usize]> = match self.nearness {
            None => rows.into(),
            // Some row, in the place of one of the identity.
            Some(_) => rows
                .iter()
                .map(|&row| if row < m { row } else { 0 })
                .collect(),
        };
        backend.mul_inner_rows(
            network.a2(),
            &of_outcomes,
            active,
            network.a1(),
            jacobian,
            workspace,
        );
        if self.nearness.is_none() {
            return;
        }
        let mut unit = vec![B::Scalar::zero(); d];
        for (place, &row) in rows.iter().enumerate() {
            if let Some(entry) = row.checked_sub(m) {
                unit[entry] = B::Scalar::one();
                backend.copy_block_from_row_major(&unit, (place, 0), d, jacobian);
                unit[entry] = B::Scalar::zero();
            }
        }
    }

    fn jacobian_vec(
        &self,
        at: &InversionPoint<B::Scalar>,
        v: &[B::Scalar],
        scratch: &mut ProductScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        let active = &at.pass.active;
        let (of_outcomes, of_inputs) = product.split_at_mut(self.network.outcomes());
        self.network
            .jacobian_vec(active, v, &mut scratch.hidden, of_outcomes);
        if self.nearness.is_some() {
            of_inputs.copy_from_slice(v);
        }
    }

    fn jacobian_transposed_vec(
        &self,
        at: &InversionPoint<B::Scalar>,
        y: &[B::Scalar],
        scratch: &mut ProductScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        let active = &at.pass.active;
        let (of_outcomes, of_inputs) = y.split_at(self.network.outcomes());
        self.network
            .jacobian_transposed_vec(active, of_outcomes, &mut scratch.hidden, product);
        if self.nearness.is_some() {
            reduce::axpy(B::Scalar::one(), of_inputs, product);
        }
    }

    fn differentiate_with(
        &self,
        at: &mut InversionPoint<B::Scalar>,
        y: &[B::Scalar],
        scratch: &mut ProductScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        self.differentiate_rows(at);
        let m = self.network.outcomes();
        let (u, y) = (at.row_gradient.split_at(m), y.split_at(m));
        self.network.jacobian_transposed_two_vecs(
            &at.pass.active,
            [u.0, y.0],
            [&mut at.hidden_scratch, &mut scratch.hidden],
            [&mut at.gradient, product],
        );
        if self.nearness.is_some() {
            reduce::axpy(B::Scalar::one(), u.1, &mut at.gradient);
            reduce::axpy(B::Scalar::one(), y.1, product);
        }
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
        let m = network.outcomes();
        let (hidden, change, slope) = scratch.rows(self.rows());
        network.jacobian_vec(active, v, hidden, &mut change[..m]);
        if self.nearness.is_some() {
            change[m..].copy_from_slice(v);
        }
        curvature.row_product(change, slope);
        network.jacobian_transposed_vec(active, &slope[..m], hidden, product);
        if self.nearness.is_some() {
            reduce::axpy(B::Scalar::one(), &slope[m..], product);
        }
    }

    /// Rows of the identity are not to be had by kernels of the network: with a nearness C is formed anew.
    fn cell<'a>(&self, at: &'a InversionPoint<B::Scalar>) -> Option<&'a [bool]> {
        self.nearness.is_none().then_some(&at.pass.pattern)
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
        let m = self.network.outcomes();
        if combination.is_new || is_missing {
            let (buckets, factors) = (&combination.buckets[..m], &combination.factors[..m]);
            backend.combine_rows(self.network.a2(), buckets, factors, kept);
        }
        let (active, a1) = (&at.pass.active, self.network.a1());
        backend.mul_inner(kept, active, a1, jacobian, workspace);
        if self.nearness.is_some() {
            let d = self.network.inputs();
            let mut entries = vec![B::Scalar::zero(); backend.nrows(jacobian) * d];
            backend.copy_to_row_major(jacobian, &mut entries);
            let of_inputs = combination.buckets[m..]
                .iter()
                .zip(&combination.factors[m..]);
            for (entry, (&bucket, &factor)) in of_inputs.enumerate() {
                entries[bucket * d + entry] += factor;
            }
            backend.copy_from_row_major(&entries, jacobian);
        }
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
        if self.nearness.is_none() {
            return backend.mul_inner(network.a2(), active, hidden, product, workspace);
        }
        let (m, d, q) = (network.outcomes(), network.inputs(), backend.ncols(v));
        let mut of_outcomes = backend.zeros(m, q);
        backend.mul_inner(network.a2(), active, hidden, &mut of_outcomes, workspace);
        for (part, first, rows) in [(&of_outcomes, 0, m), (v, m, d)] {
            let mut entries = vec![B::Scalar::zero(); rows * q];
            backend.copy_to_row_major(part, &mut entries);
            backend.copy_block_from_row_major(&entries, (first, 0), q, product);
        }
    }
}

impl<B: LinearBackend> Inversion<'_, B> {
    /// center, β and ω of the outcomes' rows, the first m.
    pub(super) fn outcome_curvature(
        &self,
        at: &InversionPoint<B::Scalar>,
        kind: RowWeights,
        curvature: &mut Curvature<B::Scalar>,
    ) {
        let m = self.network.outcomes();
        let Curvature {
            center,
            row_weights,
            uncentered_weights,
        } = curvature;
        let (center, row_weights) = (&mut center[..m], &mut row_weights[..m]);
        self.loss
            .curvature(&at.pass, &self.target, kind, center, row_weights);
        uncentered_weights.clear();
        if let Some(regularizer) = self.regularizer {
            uncentered_weights.extend(regularizer.weights().iter().map(|&w| w * w));
        }
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
