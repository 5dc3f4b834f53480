//! The warm starts of an [`Inversion`]: log f against log b, on few outcomes and on all.

use crate::inversion::{FAR_OFF, Inversion};
use crate::loss::{LogRatio, Loss};
use crate::network::TwoLayer;
use crate::starts::chained_starts::ChainedStarts;
use crate::starts::continuation::Continuation;
use crate::starts::splitting::Splitting;
use crate::target::Target;
use std::borrow::Cow;
use twolayer_core::{LinearBackend, Objective, Restarts, Scalar, Starts, WarmStart, reduce};

/// Number `number` of the warm starts of `problem`:
///
/// 1. the logarithms of few outcomes, by one descent from the start: cheap, and enough where the
///    start is not too far or the network is kind;
/// 2. those of outcomes that determine all others, by descents from where a splitting of the two
///    layers leads, for which two factorisations are made;
/// 3. those of all outcomes, the regulariser included.
///
/// The first or the first two are passed over where they would not be much smaller than the third,
/// and where a regulariser makes their minimiser another one. A second descent on the first rung of
/// those that are there begins where a [`Continuation`] from smooth ReLUs leads; not where the first
/// is for one of many targets, which has a splitting at hand.
pub(crate) fn rung<'s, 'p, B: LinearBackend>(
    problem: &'s Inversion<'p, B>,
    number: usize,
) -> Option<WarmStart<'s, Inversion<'p, B>>> {
    if problem.loss.name() == Loss::<B::Scalar>::name(&LogRatio) {
        return None;
    }
    let few = on_few_outcomes(problem);
    let number = match (number, few) {
        (0, Some(few)) if problem.is_one_of_many => {
            let reached = problem.reached.clone();
            let source = || Splitting::of_many(problem, reached);
            return Some(warm_start(few, splitting(problem, source)));
        }
        (0, Some(few)) => {
            let restarts = match Continuation::new(&few) {
                Some(source) => Restarts::Once(Box::new(source)),
                None => Restarts::Never,
            };
            return Some(warm_start(few, restarts));
        }
        (number, Some(_)) => number - 1,
        (number, None) => number,
    };
    let all = |restarts| WarmStart {
        shares_points: true,
        ..warm_start(problem.clone().with_loss(&LogRatio), restarts)
    };
    let alone = || Splitting::new(problem);
    match (number, on_lifted_outcomes(problem)) {
        (0, Some(lifted)) => Some(warm_start(lifted, splitting(problem, alone))),
        (1, Some(_)) => Some(all(Restarts::Random)),
        (0, None) => Some(all(continued(problem, splitting(problem, alone)))),
        _ => None,
    }
}

fn warm_start<'s, 'p, B: LinearBackend>(
    objective: Inversion<'p, B>,
    restarts: Restarts<'s, B::Scalar>,
) -> WarmStart<'s, Inversion<'p, B>> {
    WarmStart {
        // ½‖r‖² of log-ratios r that are off by so much on average.
        within_reach: B::Scalar::of(0.5 * FAR_OFF.powi(2) * objective.network.outcomes() as f64),
        objective,
        restarts,
        shares_points: false,
    }
}

/// The splitting knows no regulariser; where there is one, its solution is not the answer.
fn splitting<'p, B: LinearBackend + 'p>(
    problem: &Inversion<'_, B>,
    source: impl FnOnce() -> Option<Splitting<'p, B>>,
) -> Restarts<'p, B::Scalar> {
    let source = match problem.regularizer {
        None => source(),
        Some(_) => None,
    };
    source.map_or(Restarts::Random, |source| {
        let source: Box<dyn Starts<B::Scalar> + 'p> = Box::new(source);
        Restarts::From(source)
    })
}

/// The continuation from smooth ReLUs, and then `restarts`: on no more outcomes than these it costs
/// little.
fn continued<'p, B: LinearBackend>(
    problem: &Inversion<'p, B>,
    restarts: Restarts<'p, B::Scalar>,
) -> Restarts<'p, B::Scalar> {
    match (Continuation::new(problem), restarts) {
        (Some(first), Restarts::From(then)) => {
            Restarts::From(Box::new(ChainedStarts::new(Box::new(first), then)))
        }
        (_, restarts) => restarts,
    }
}

fn on_few_outcomes<'p, B: LinearBackend>(problem: &Inversion<'p, B>) -> Option<Inversion<'p, B>> {
    let few = problem.network.few()?;
    on_outcomes(problem, &few.network, &few.outcomes)
}

fn on_lifted_outcomes<'p, B: LinearBackend>(
    problem: &Inversion<'p, B>,
) -> Option<Inversion<'p, B>> {
    if problem.regularizer.is_some() {
        return None;
    }
    let lift = problem.network.lift()?;
    let network = lift.network.as_ref()?;
    if 2 * network.outcomes() > problem.network.outcomes() {
        return None;
    }
    on_outcomes(problem, network, &lift.outcomes)
}

/// The logarithms on some outcomes alone; `network` has no others. Where b is attained the problem
/// has the same solutions and, on few outcomes, perhaps more.
fn on_outcomes<'p, B: LinearBackend>(
    problem: &Inversion<'_, B>,
    network: &'p TwoLayer<B>,
    outcomes: &[usize],
) -> Option<Inversion<'p, B>> {
    if problem.regularizer.is_some() {
        return None;
    }
    let b = problem.target.probabilities();
    let mut chosen: Vec<_> = outcomes.iter().map(|&i| b[i]).collect();
    let total = reduce::sum(&chosen);
    chosen.iter_mut().for_each(|p| *p /= total);
    let target = Target::new(chosen).ok()?;
    (target.support() == target.outcomes()).then(|| Inversion {
        network,
        target: Cow::Owned(target),
        loss: &LogRatio,
        regularizer: None,
        radius: problem.radius(),
        known: None,
        reached: None,
        is_one_of_many: false,
    })
}
