//! A network with more inputs than hidden units, in as many unknowns as it has units.

use crate::network::TwoLayer;
use num_traits::{Float, One, Zero};
use twolayer_core::{LinearBackend, Scalar, reduce};

/// Coordinates y (n) of the row space of an A1 (n×d) with n < d.
///
/// The network sees of x (d) nothing but A1 x. With the Cholesky factor L of A1 A1ᵀ = L Lᵀ (n×n),
///
/// ```text
/// x = A1ᵀ L⁻ᵀ y + z,   A1 z = 0      so that   A1 x = L y,   ‖x‖² = ‖y‖² + ‖z‖²
/// ```
///
/// and the network with L in place of A1 has the outputs, losses, gradients and steps of this one, each
/// step in the row space. No step leaves it: z is what it was at the start, and the answer is
/// as near to the start as steps in x would lead. Made once for a network, by n²d + n³/3 flops.
#[derive(Debug)]
pub(crate) struct RowSpace<B: LinearBackend> {
    /// With L in place of A1.
    network: TwoLayer<B>,
    gram: B::Cholesky,
}

/// A1 A1ᵀ has the square of A1's condition number κ. Points are carried over with an error of κ²u that is
/// corrected, which takes κ²u well below 1: the diagonal of L spreads over no more than κ.
const SMALLEST_SQUARE: f64 = 64.0;
/// Corrections of a point that was carried over: each leaves the part κ²u of what the last has left.
const CORRECTIONS: usize = 3;

impl<B: LinearBackend> RowSpace<B> {
    /// `None` where there are no fewer units than inputs, or the rows of A1 are, in working precision, not
    /// clearly independent.
    pub(crate) fn of(network: &TwoLayer<B>) -> Option<Self> {
        let (n, d) = (network.hidden_units(), network.inputs());
        if n >= d {
            return None;
        }
        let backend = network.backend();
        let mut workspace = B::Workspace::default();
        let mut entries = vec![B::Scalar::zero(); n * d];
        backend.copy_to_row_major(network.a1(), &mut entries);
        let mut transposed = vec![B::Scalar::zero(); n * d];
        for (i, row) in entries.chunks_exact(d).enumerate() {
            for (j, &entry) in row.iter().enumerate() {
                transposed[j * n + i] = entry;
            }
        }
        let mut columns = backend.zeros(d, n);
        backend.copy_from_row_major(&transposed, &mut columns);
        let (ones, mut square) = (vec![B::Scalar::one(); d], backend.zeros(n, n));
        backend.gram_lower(&columns, &ones, &mut square, &mut workspace);
        let gram = backend.cholesky(&square, &mut workspace).ok()?;
        backend.cholesky_lower(&gram, &mut square);
        let lower = &mut entries[..n * n];
        backend.copy_to_row_major(&square, lower);
        let diagonal = || (0..n).map(|i| lower[i * n + i]);
        let largest = diagonal().fold(B::Scalar::zero(), B::Scalar::max);
        let least = diagonal().fold(B::Scalar::infinity(), B::Scalar::min);
        let spread = (least / largest).powi(2);
        let is_clear = spread > B::Scalar::of(SMALLEST_SQUARE) * B::Scalar::UNIT_ROUNDOFF;
        is_clear.then(|| Self {
            network: network.with_first_layer(square),
            gram,
        })
    }

    /// softmax(A2 φ(L y + c1) + c2).
    pub(crate) fn network(&self) -> &TwoLayer<B> {
        &self.network
    }

    /// y = L⁻¹ A1 x (n) of a point x (d) of the `whole` network.
    pub(crate) fn coordinates(&self, whole: &TwoLayer<B>, x: &[B::Scalar]) -> Vec<B::Scalar> {
        let (backend, n) = (whole.backend(), self.network.inputs());
        let zeros = || vec![B::Scalar::zero(); n];
        let (mut left, mut y, mut ly, mut change) = (zeros(), zeros(), zeros(), zeros());
        let mut products = zeros();
        backend.mul_vec(whole.a1(), x, &mut products);
        for _ in 0..=CORRECTIONS {
            backend.mul_vec(self.network.a1(), &y, &mut ly);
            for ((left, &product), &ly) in left.iter_mut().zip(&products).zip(&ly) {
                *left = product - ly;
            }
            // L⁻¹ r = Lᵀ (L Lᵀ)⁻¹ r.
            self.solve(&mut left);
            backend.mul_vec_transposed(self.network.a1(), &left, &mut change);
            reduce::axpy(B::Scalar::one(), &change, &mut y);
        }
        y
    }

    /// x = x0 + A1ᵀ L⁻ᵀ (y − y0) (d): the point with the coordinates `y` and all else as in `x0`, whose
    /// coordinates are `y0`.
    pub(crate) fn point(
        &self,
        whole: &TwoLayer<B>,
        x0: &[B::Scalar],
        y0: &[B::Scalar],
        y: &[B::Scalar],
    ) -> Vec<B::Scalar> {
        let (backend, n) = (whole.backend(), self.network.inputs());
        let zeros = |length| vec![B::Scalar::zero(); length];
        let moved: Vec<_> = y.iter().zip(y0).map(|(&y, &y0)| y - y0).collect();
        let (mut wanted, mut reached, mut left) = (zeros(n), zeros(n), zeros(n));
        backend.mul_vec(self.network.a1(), &moved, &mut wanted);
        let (mut move_x, mut change) = (zeros(x0.len()), zeros(x0.len()));
        for _ in 0..=CORRECTIONS {
            backend.mul_vec(whole.a1(), &move_x, &mut reached);
            for ((left, &wanted), &reached) in left.iter_mut().zip(&wanted).zip(&reached) {
                *left = wanted - reached;
            }
            // The shortest move that A1 maps to r: A1ᵀ (A1 A1ᵀ)⁻¹ r.
            self.solve(&mut left);
            backend.mul_vec_transposed(whole.a1(), &left, &mut change);
            reduce::axpy(B::Scalar::one(), &change, &mut move_x);
        }
        reduce::axpy(B::Scalar::one(), x0, &mut move_x);
        move_x
    }

    fn solve(&self, rhs: &mut [B::Scalar]) {
        let backend = self.network.backend();
        backend.cholesky_solve(&self.gram, rhs, &mut B::Workspace::default());
    }
}

#[cfg(test)]
mod tests;
