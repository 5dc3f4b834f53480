//! How much each row counts when a few are drawn.

use twolayer_core::{RowStructured, Scalar};

/// Gives each row of C the importance that it is drawn by.
///
/// Whatever the importances, rows are weighted so that the sample has the Hessian as its
/// expectation; they decide how far it strays.
pub trait Importance<O: RowStructured> {
    /// As a user names it.
    fn name(&self) -> &'static str;

    /// Begins again, as a new one would.
    fn begin_solve(&mut self) {}

    /// Overwrites `importance` (m) by numbers that are not negative and, for a row that may be drawn,
    /// not 0. `rows` has what is known of the rows at the point.
    fn assess(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        rows: &WeightedRows<'_, O::Scalar>,
        importance: &mut [O::Scalar],
    );
}

/// The rows √(β + ω) (Cᵢ − τᵢ c̄) of a Hessian, C not formed.
#[derive(Debug, Clone, Copy)]
pub struct WeightedRows<'r, T> {
    /// β + ω (m), not negative.
    pub weights: &'r [T],
    /// τ = β/(β + ω) (m), 0 where both are.
    pub shift: &'r [T],
    /// c̄ (d).
    pub center: &'r [T],
}

/// Rows are drawn by their weight β + ω: no work at all, and good where they are alike but for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByWeight;

impl<O: RowStructured> Importance<O> for ByWeight {
    fn name(&self) -> &'static str {
        "sampled"
    }

    fn assess(
        &mut self,
        _: &O,
        _: &O::Evaluation,
        rows: &WeightedRows<'_, O::Scalar>,
        importance: &mut [O::Scalar],
    ) {
        importance.copy_from_slice(rows.weights);
    }
}

/// All rows alike, whatever their weight: what the others have to be better than.
#[derive(Debug, Clone, Copy, Default)]
pub struct Uniform;

impl<O: RowStructured> Importance<O> for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn assess(
        &mut self,
        _: &O,
        _: &O::Evaluation,
        _: &WeightedRows<'_, O::Scalar>,
        importance: &mut [O::Scalar],
    ) {
        importance.fill(O::Scalar::of(1.0));
    }
}
