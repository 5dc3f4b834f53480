//! The default model: all rows where they are few, else as many as the progress calls for.

use super::row_factor::RowFactor;
use num_traits::{One, Zero};
use twolayer_core::{
    Evaluation, HessianApprox, NotPositiveDefinite, RowStructured, RowWeights, Scalar, StepOutcome,
    Subspace, reduce,
};

/// The model that suits most problems: a [`RowFactor`] with the secant row weights.
///
/// Up to 8d rows are all factored, C kept up to date by flips. Of more, 4d are drawn at first, and
/// twice as many, up to half of all, after a step that shows that they were too few: it was taken in
/// full and gained less than a third of what the model promised, because the rows that were left out
/// bend the loss where those drawn do not. A step that ends at a kink says nothing about the rows.
///
/// A regulariser's rows all count alike: of s drawn the model is off by 2√(d/s), and a solve goes on by
/// half a step at a time. There all are factored: an exact model is near the minimum in a step or two.
///
/// With s rows alike the gain is about 2 − 1/(1 − d/s) of the promise: 0.7 with s = 4d, 0 with s = 2d.
pub struct Adaptive<O: RowStructured> {
    model: RowFactor<O>,
    /// Rows drawn; none where all are used.
    drawn: Option<usize>,
    first_drawn: usize,
    most: usize,
    /// The decrease that the last step was to bring.
    promised: O::Scalar,
    /// Whether it was taken in full and did not keep its promise.
    is_too_rough: bool,
    product: Vec<O::Scalar>,
}

/// Rows drawn at first, in multiples of d.
const DRAWN: usize = 4;
/// The part of the promise below which rows were too few.
const LITTLE_GAIN: f64 = 0.33;
/// A step was taken in full but for this part.
const IN_FULL: f64 = 1e-3;

impl<O: RowStructured> Adaptive<O> {
    /// Buffers for `objective`, and for others of the same shape. One `seed` draws the same rows.
    pub fn new(objective: &O, seed: u64) -> Self {
        let (m, d) = (objective.rows(), objective.dimension());
        let (drawn, kind) = (DRAWN * d, RowWeights::Secant);
        let draws = m >= 2 * drawn && !objective.has_uncentered_rows();
        let model = match draws {
            true => RowFactor::sampled(objective, kind, drawn, seed),
            false => RowFactor::new(objective, kind),
        };
        Self {
            model,
            drawn: draws.then_some(drawn),
            first_drawn: drawn,
            most: m / 2,
            promised: O::Scalar::zero(),
            is_too_rough: false,
            product: vec![O::Scalar::zero(); d],
        }
    }
}

impl<O: RowStructured> HessianApprox<O> for Adaptive<O> {
    fn name(&self) -> &'static str {
        "auto"
    }

    fn begin_solve(&mut self) {
        self.model.begin_solve();
        self.is_too_rough = false;
        if self.drawn.is_some() {
            self.drawn = Some(self.first_drawn);
            self.model.draw(self.first_drawn);
        }
    }

    /// How many rows are drawn, where not all are used.
    fn memory(&self) -> Vec<u64> {
        let drawn = self.drawn.map(|drawn| drawn as u64);
        drawn.into_iter().chain(self.model.memory()).collect()
    }

    fn recall(&mut self, memory: &[u64]) -> bool {
        self.begin_solve();
        if self.drawn.is_none() {
            return self.model.recall(memory);
        }
        let possible = self.first_drawn as u64..=self.most as u64;
        match memory {
            &[drawn, ref rest @ ..] if possible.contains(&drawn) && self.model.recall(rest) => {
                self.drawn = Some(drawn as usize);
                self.model.draw(drawn as usize);
                true
            }
            _ => false,
        }
    }

    fn differentiate(&mut self, objective: &O, at: &mut O::Evaluation) {
        self.model.differentiate(objective, at);
    }

    fn build(&mut self, objective: &O, at: &O::Evaluation) -> usize {
        if let Some(drawn) = self.drawn
            && self.is_too_rough
        {
            let more = (2 * drawn).min(self.most);
            self.drawn = Some(more);
            self.model.draw(more);
        }
        self.model.build(objective, at)
    }

    fn mean_eigenvalue(&self) -> O::Scalar {
        self.model.mean_eigenvalue()
    }

    fn step(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        damping: O::Scalar,
        pull: Option<(O::Scalar, &[O::Scalar])>,
        subspace: &Subspace<O::Scalar>,
        step: &mut [O::Scalar],
    ) -> Result<(), NotPositiveDefinite> {
        self.is_too_rough = false;
        self.model
            .step(objective, at, damping, pull, subspace, step)?;
        self.model.apply(objective, at, step, &mut self.product);
        let half = O::Scalar::of(0.5);
        self.promised = -reduce::dot(at.gradient(), step) - half * reduce::dot(step, &self.product);
        Ok(())
    }

    fn learn(&mut self, outcome: StepOutcome<O::Scalar>) {
        let in_full = outcome.fraction >= O::Scalar::one() - O::Scalar::of(IN_FULL);
        let enough = O::Scalar::of(LITTLE_GAIN) * self.promised;
        self.is_too_rough = in_full && outcome.decrease < enough;
    }

    fn damped_factor(
        &mut self,
        damping: O::Scalar,
        factor: &mut [O::Scalar],
        residual: &mut [O::Scalar],
    ) -> bool {
        self.model.damped_factor(damping, factor, residual)
    }

    fn negative_curvature(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        subspace: &Subspace<O::Scalar>,
    ) -> Option<(Vec<O::Scalar>, O::Scalar)> {
        self.model.negative_curvature(objective, at, subspace)
    }

    fn apply(
        &mut self,
        objective: &O,
        at: &O::Evaluation,
        p: &[O::Scalar],
        product: &mut [O::Scalar],
    ) {
        self.model.apply(objective, at, p, product);
    }
}
