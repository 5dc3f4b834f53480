//! What a model of few rows has to know of all of them.

use num_traits::Zero;
use twolayer_core::{Curvature, RowStructured, RowWeights};

/// The curvature in the rows of C and c̄ = Cᵀ center, C not formed.
///
/// c̄ is a pass over the outer layer, and so is the gradient: where the gradient is computed
/// [here](RowCurvature::differentiate), it is one pass for both.
pub(super) struct RowCurvature<O: RowStructured> {
    pub(super) curvature: Curvature<O::Scalar>,
    /// c̄ (d).
    pub(super) center: Vec<O::Scalar>,
    scratch: O::Scratch,
    /// Whether both are of the point that was differentiated last.
    is_current: bool,
}

impl<O: RowStructured> RowCurvature<O> {
    /// Buffers for m `rows` of `dimension` d.
    pub(super) fn new(rows: usize, dimension: usize) -> Self {
        Self {
            curvature: Curvature::new(rows),
            center: vec![O::Scalar::zero(); dimension],
            scratch: O::Scratch::default(),
            is_current: false,
        }
    }

    /// Forgets the point that was differentiated.
    pub(super) fn forget(&mut self) {
        self.is_current = false;
    }

    /// The gradient at a point, and what [`bring_to`](RowCurvature::bring_to) will be asked for there.
    pub(super) fn differentiate(
        &mut self,
        objective: &O,
        at: &mut O::Evaluation,
        kind: RowWeights,
    ) {
        if objective.curvature_needs_gradient() {
            objective.differentiate(at);
            return;
        }
        objective.curvature(at, kind, &mut self.curvature);
        let (y, scratch) = (&self.curvature.center, &mut self.scratch);
        objective.differentiate_with(at, y, scratch, &mut self.center);
        self.is_current = true;
    }

    /// Brings curvature and c̄ to a point: the one that was differentiated here, if one was.
    pub(super) fn bring_to(&mut self, objective: &O, at: &O::Evaluation, kind: RowWeights) {
        if std::mem::take(&mut self.is_current) {
            return;
        }
        objective.curvature(at, kind, &mut self.curvature);
        let (y, scratch) = (&self.curvature.center, &mut self.scratch);
        objective.jacobian_transposed_vec(at, y, scratch, &mut self.center);
    }
}
