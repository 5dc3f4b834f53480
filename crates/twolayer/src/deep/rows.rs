//! Products with the Jacobians of a network, and their rows.

use super::network::DeepNetwork;
use super::point::{DeepPoint, DeepScratch, Jacobians};
use num_traits::{One, Zero};
use twolayer_core::LinearBackend;

impl<B: LinearBackend> DeepNetwork<B> {
    /// product = the rows' Jacobian times v: C v (m), and J_l v for each layer that bends.
    pub(super) fn push_forward(
        &self,
        at: &DeepPoint<B>,
        v: &[B::Scalar],
        scratch: &mut DeepScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        self.push_through_hidden(at, v, scratch, |layer, change| {
            if let Some(first) = self.hidden[layer].first_row {
                product[first..first + change.len()].copy_from_slice(change);
            }
        });
        let DeepScratch {
            layers, selected, ..
        } = scratch;
        let logits = &mut product[..self.outcomes()];
        match (layers.last(), at.hidden.last()) {
            (Some(a), Some(state)) => {
                self.output
                    .product(self.backend(), a, &state.on, selected, logits);
            }
            _ => self.backend().mul_vec(&self.output.weights, v, logits),
        }
    }

    /// Leaves the change of a_l along v in the scratch of every layer, and shows that of h_l.
    pub(super) fn push_through_hidden(
        &self,
        at: &DeepPoint<B>,
        v: &[B::Scalar],
        scratch: &mut DeepScratch<B::Scalar>,
        mut show: impl FnMut(usize, &[B::Scalar]),
    ) {
        scratch.fit(self);
        let DeepScratch {
            layers, selected, ..
        } = scratch;
        for (number, (layer, state)) in self.hidden.iter().zip(&at.hidden).enumerate() {
            let (before, rest) = layers.split_at_mut(number);
            let change = &mut rest[0];
            let (a, on) = match number {
                0 => (v, &at.every_input[..]),
                _ => (&before[number - 1][..], &at.hidden[number - 1].on[..]),
            };
            layer
                .affine
                .product(self.backend(), a, on, selected, change);
            show(number, change);
            for (change, &slope) in change.iter_mut().zip(&state.slopes) {
                *change *= slope;
            }
        }
    }

    /// product = the rows' Jacobian transposed times y: Cᵀ y (d), with what the rows of J_l add.
    pub(super) fn pull_back(
        &self,
        at: &DeepPoint<B>,
        y: &[B::Scalar],
        scratch: &mut DeepScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        let (logits, hidden) = y.split_at(self.outcomes());
        scratch.fit(self);
        let mut behind = logits;
        let mut weights = &self.output.weights;
        let layers = self.hidden.iter().zip(&at.hidden);
        for ((layer, state), t) in layers.zip(&mut scratch.layers).rev() {
            self.backend().mul_vec_transposed(weights, behind, t);
            for (t, &slope) in t.iter_mut().zip(&state.slopes) {
                *t *= slope;
            }
            if let Some(first) = layer.first_row {
                let rows = &hidden[first - self.outcomes()..];
                for (t, &y) in t.iter_mut().zip(rows) {
                    *t += y;
                }
            }
            behind = t;
            weights = &layer.affine.weights;
        }
        self.backend().mul_vec_transposed(weights, behind, product);
    }

    /// sum = Σ multiples_i ∇h_i (d) over all hidden units, `multiples` given layer by layer.
    pub(super) fn combine_units(
        &self,
        at: &DeepPoint<B>,
        multiple: impl Fn(usize, usize) -> B::Scalar,
        scratch: &mut DeepScratch<B::Scalar>,
        sum: &mut [B::Scalar],
    ) {
        scratch.fit(self);
        let mut behind: Option<(&[B::Scalar], &B::Matrix)> = None;
        let layers = self.hidden.iter().zip(&at.hidden);
        for (number, ((layer, state), t)) in layers.zip(&mut scratch.layers).enumerate().rev() {
            match behind {
                None => t.fill(B::Scalar::zero()),
                Some((behind, weights)) => {
                    self.backend().mul_vec_transposed(weights, behind, t);
                    for (t, &slope) in t.iter_mut().zip(&state.slopes) {
                        *t *= slope;
                    }
                }
            }
            for (unit, t) in t.iter_mut().enumerate() {
                *t += multiple(number, unit);
            }
            behind = Some((t, &layer.affine.weights));
        }
        match behind {
            Some((behind, weights)) => self.backend().mul_vec_transposed(weights, behind, sum),
            None => sum.fill(B::Scalar::zero()),
        }
    }

    /// J_l and diag(φ_l') J_l of all layers, unless they are there: 2 n_l k d flops a layer, k units of the
    /// layer before that have a slope.
    fn form<'j>(
        &self,
        at: &'j DeepPoint<B>,
        workspace: &mut B::Workspace,
    ) -> std::cell::RefMut<'j, Jacobians<B>> {
        let mut jacobians = at.jacobians.borrow_mut();
        if jacobians.is_formed {
            return jacobians;
        }
        let backend = self.backend();
        let Jacobians {
            plain,
            scaled,
            row,
            unshifted,
            ..
        } = &mut *jacobians;
        row.fill(B::Scalar::zero());
        for (number, (layer, state)) in self.hidden.iter().zip(&at.hidden).enumerate() {
            let (before, rest) = scaled.split_at_mut(number);
            match number {
                0 => backend.copy(&layer.affine.weights, &mut rest[0]),
                _ => {
                    let (inner, weights) = (&at.hidden[number - 1].on, &layer.affine.weights);
                    let plain = &mut plain[number - 1];
                    backend.mul_inner(weights, inner, &before[number - 1], plain, workspace);
                    backend.copy(plain, &mut rest[0]);
                }
            }
            unshifted.clear();
            unshifted.resize(layer.units(), B::Scalar::zero());
            backend.center_and_scale_rows(unshifted, row, &state.slopes, &mut rest[0]);
        }
        jacobians.is_formed = true;
        jacobians
    }

    /// The whole Jacobian of the rows.
    pub(super) fn jacobian_at(
        &self,
        at: &DeepPoint<B>,
        jacobian: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        let rows = self.backend().nrows(jacobian);
        if rows > self.outcomes() {
            let every: Vec<_> = (0..rows).collect();
            return self.rows_at(at, &every, jacobian, workspace);
        }
        let Some(last) = at.hidden.last() else {
            return self.backend().copy(&self.output.weights, jacobian);
        };
        let jacobians = self.form(at, workspace);
        if let Some(scaled) = jacobians.scaled.last() {
            let weights = &self.output.weights;
            self.backend()
                .mul_inner(weights, &last.on, scaled, jacobian, workspace);
        }
    }

    /// Chosen rows, which may repeat, in their order; those behind the network's own are of the identity.
    pub(super) fn rows_at(
        &self,
        at: &DeepPoint<B>,
        rows: &[usize],
        jacobian: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        let (backend, m, d) = (self.backend(), self.outcomes(), self.inputs());
        let mut jacobians = self.form(at, workspace);
        let Jacobians {
            plain,
            scaled,
            rows: of_logits,
            row,
            ..
        } = &mut *jacobians;
        // Another row is written over one of the logits, which costs about what forming J_l did.
        of_logits.clear();
        of_logits.extend(rows.iter().map(|&row| if row < m { row } else { 0 }));
        let weights = &self.output.weights;
        match (at.hidden.last(), scaled.last()) {
            (Some(last), Some(inner)) => {
                backend.mul_inner_rows(weights, of_logits, &last.on, inner, jacobian, workspace);
            }
            _ => backend.copy_rows(weights, of_logits, jacobian),
        }
        let mut one = backend.zeros(1, d);
        for (place, &number) in rows.iter().enumerate().filter(|(_, row)| **row >= m) {
            match number.checked_sub(self.rows()) {
                Some(entry) => {
                    row.fill(B::Scalar::zero());
                    row[entry] = B::Scalar::one();
                }
                None => {
                    let (layer, unit) = self.unit_of_row(number);
                    let matrix = match layer {
                        0 => &*self.hidden[0].affine.weights,
                        _ => &plain[layer - 1],
                    };
                    backend.copy_rows(matrix, &[unit], &mut one);
                    backend.copy_to_row_major(&one, row);
                }
            }
            backend.copy_block_from_row_major(row, (place, 0), d, jacobian);
        }
    }

    /// Layer and unit of a row behind those of the logits.
    fn unit_of_row(&self, row: usize) -> (usize, usize) {
        let mut bending = self.hidden.iter().enumerate();
        let found = bending.find_map(|(number, layer)| {
            let first = layer.first_row?;
            (first..first + layer.units())
                .contains(&row)
                .then(|| (number, row - first))
        });
        // Rows are numbered by whoever asks, from 0 to `rows`.
        found.unwrap_or((0, 0))
    }

    /// Multiples of one unit.
    pub(super) fn only(layer: usize, unit: usize) -> impl Fn(usize, usize) -> B::Scalar {
        move |l, i| match (l, i) == (layer, unit) {
            true => B::Scalar::one(),
            false => B::Scalar::zero(),
        }
    }
}
