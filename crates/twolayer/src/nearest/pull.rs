//! One of the problems on the way: towards a moved target, pulled back by x_ref.

use super::Nearest;
use super::goal::Goal;
use crate::any::AnyInversion;
use crate::loss::{AtLeast, LogRatio, Loss};
use crate::nearness::Nearness;
use crate::target::Target;
use twolayer_core::{Error, LinearBackend, Scalar, reduce};

/// What an [`AnyInversion`] of ½‖r(x) − t‖² + ½μ‖D(x − x_ref)‖² refers to.
pub(super) struct Pull<T> {
    target: Target<T>,
    loss: PullLoss<T>,
    nearness: Nearness<T>,
}

enum PullLoss<T> {
    LogRatio,
    AtLeast(AtLeast<T>),
}

impl<T: Scalar> Pull<T> {
    /// Of the shift t and μ. `None` where the moved target is none: an entry underflows.
    pub(super) fn new<B: LinearBackend<Scalar = T>>(
        nearest: &Nearest<'_, B>,
        shift: &[T],
        weight: T,
    ) -> Option<Self> {
        let scales = nearest.scales.clone();
        let nearness = Nearness::with_scales(nearest.reference.clone(), weight, scales).ok()?;
        let (target, loss) = match nearest.goal {
            Goal::Output(target) => (moved(target, shift)?, PullLoss::LogRatio),
            Goal::AtLeast {
                outcome,
                probability,
            } => {
                let level = probability.ln() - shift[0];
                let only = one_hot(nearest.network.outcomes(), outcome)?;
                (only, PullLoss::AtLeast(AtLeast::new(outcome, level)))
            }
        };
        Some(Self {
            target,
            loss,
            nearness,
        })
    }

    pub(super) fn problem<'p, B: LinearBackend<Scalar = T>>(
        &'p self,
        nearest: &Nearest<'p, B>,
    ) -> Result<AnyInversion<'p, B>, Error> {
        let loss: &dyn Loss<T> = match &self.loss {
            PullLoss::LogRatio => &LogRatio,
            PullLoss::AtLeast(loss) => loss,
        };
        let problem = AnyInversion::new(nearest.network, &self.target)?.with_loss(loss);
        within(nearest, problem)?.with_nearness(&self.nearness)
    }
}

/// The problem within the bounds and the ball.
pub(super) fn within<'p, B: LinearBackend>(
    nearest: &Nearest<'p, B>,
    problem: AnyInversion<'p, B>,
) -> Result<AnyInversion<'p, B>, Error> {
    let problem = match nearest.bounds {
        Some(bounds) => problem.with_bounds(bounds)?,
        None => problem,
    };
    match nearest.radius {
        Some(radius) => problem.with_radius(radius),
        None => Ok(problem),
    }
}

/// b exp(t), divided by its sum.
fn moved<T: Scalar>(target: &Target<T>, shift: &[T]) -> Option<Target<T>> {
    let logs = target.log_probabilities().iter().zip(shift);
    let logs: Vec<T> = logs.map(|(&log_b, &t)| log_b + t).collect();
    let most = reduce::max(&logs);
    let mut b: Vec<T> = logs.iter().map(|&log| (log - most).exp()).collect();
    let total = reduce::sum(&b);
    b.iter_mut().for_each(|b| *b /= total);
    let moved = Target::new(b).ok()?;
    (moved.support() == target.support()).then_some(moved)
}

/// All on one outcome.
fn one_hot<T: Scalar>(outcomes: usize, outcome: usize) -> Option<Target<T>> {
    let mut b = vec![T::zero(); outcomes];
    b[outcome] = T::one();
    Target::new(b).ok()
}
