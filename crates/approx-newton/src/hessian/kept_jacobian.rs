//! C, kept up to date from cell to cell.

use num_traits::One;
use std::ops::Neg;
use twolayer_core::{LinearBackend, RowStructured};

/// C (m×d) of the last point, brought to the next one by adding what the units that changed state
/// add: 2md flops each, against 2mkd to form it anew, and none where no state changed.
///
/// # Drift
///
/// C is formed anew where more than half as many units changed as are on, and where F, all the changes
/// since it was last formed, would exceed n. Forming C sums k products |A2\[:, i\]| |A1\[i, :\]| with
/// an error of at most γ_k times the sum of their sizes; F changes more add F terms and F roundings,
/// and every unit is among them with at most 1 + F terms. So the error of a kept C is at most
/// γ_(k + 2F), F ≤ n, times the sizes of all terms added, and never more than a few times that of
/// one formed anew.
pub(super) struct KeptJacobian<O: RowStructured> {
    /// It has no rows before it is first formed.
    matrix: <O::Backend as LinearBackend>::Matrix,
    /// The cell that it belongs to; empty before it was first formed.
    cell: Vec<bool>,
    /// Changes of state since it was last formed.
    changes: usize,
    kinks: Vec<usize>,
    signs: Vec<O::Scalar>,
}

impl<O: RowStructured> KeptJacobian<O> {
    pub(super) fn new(objective: &O) -> Self {
        Self {
            matrix: objective.backend().zeros(0, objective.dimension()),
            cell: Vec::new(),
            changes: 0,
            kinks: Vec::new(),
            signs: Vec::new(),
        }
    }

    /// Has the next point form C anew.
    pub(super) fn forget(&mut self) {
        self.cell.clear();
    }

    /// C at a point.
    pub(super) fn bring_to(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        workspace: &mut <O::Backend as LinearBackend>::Workspace,
    ) -> &<O::Backend as LinearBackend>::Matrix {
        match objective.cell(at) {
            Some(cell) if self.is_near(cell) => {
                self.changes += self.kinks.len();
                objective.cross_kinks(&self.kinks, &self.signs, &mut self.matrix, workspace);
                self.cell.copy_from_slice(cell);
            }
            cell => {
                let backend = objective.backend();
                if backend.nrows(&self.matrix) != objective.rows() {
                    self.matrix = backend.zeros(objective.rows(), objective.dimension());
                }
                objective.jacobian(at, &mut self.matrix, workspace);
                self.changes = 0;
                let cell = cell.unwrap_or_default();
                self.cell.clear();
                self.cell.extend_from_slice(cell);
                // Nothing is left to allocate when flips are listed.
                self.kinks.clear();
                self.kinks.reserve(cell.len());
                self.signs.clear();
                self.signs.reserve(cell.len());
            }
        }
        &self.matrix
    }

    /// Lists the units in another state than in `cell`; whether they are few enough.
    fn is_near(&mut self, cell: &[bool]) -> bool {
        if self.cell.len() != cell.len() {
            return false;
        }
        self.kinks.clear();
        self.signs.clear();
        for (kink, (&before, &now)) in self.cell.iter().zip(cell).enumerate() {
            if before != now {
                let one = O::Scalar::one();
                self.kinks.push(kink);
                self.signs.push(if now { one } else { one.neg() });
            }
        }
        let on = cell.iter().filter(|&&on| on).count();
        2 * self.kinks.len() <= on && self.changes + self.kinks.len() <= cell.len()
    }
}
