//! The warm starts of an [`Inversion`]: log f against log b, on few outcomes and on all.

use crate::inversion::{FAR_OFF, Inversion, InversionPoint};
use crate::loss::{ClosedForm, KullbackLeibler, LogRatio, Loss};
use crate::network::{ForwardPass, TwoLayer};
use crate::regularizer::Regularizer;
use crate::starts::chained_starts::ChainedStarts;
use crate::starts::continuation::Continuation;
use crate::starts::deferred::Deferred;
use crate::starts::determining::enough_for_all;
use crate::starts::few::enough_for;
use crate::starts::shared::Shared;
use crate::starts::splitting::Splitting;
use num_traits::{Float, Zero};
use std::borrow::Cow;
use twolayer_core::{
    Ladder, LinearBackend, Met, Objective, Restarts, RungMaker, Scalar, Starts, TellTarget,
    WarmStart, WhenRungs, reduce,
};

/// The rungs of an inversion:
///
/// 1. the logarithms of few outcomes, by one descent from the start: cheap, and enough where the
///    start is not too far or the network is kind;
/// 2. those of outcomes that determine all others, by descents from where a splitting of the two
///    layers leads, for which two factorisations are made;
/// 3. those of all outcomes, the regulariser included;
/// 4. off a plateau, the divergence. Where the softmax is saturated at a wrong vertex the squared loss says
///    nothing, but the divergence has the gradient f − b; where every unit is off there are other starts.
///
/// The first or the first two are passed over where they would not be much smaller than the third,
/// and where a regulariser makes their minimiser another one. With one the third comes after a descent from the
/// start. A second descent on the first rung of
/// those that are there begins where a continuation from smooth ReLUs leads; not where the first
/// is for one of many targets, which has a splitting at hand.
impl<B: LinearBackend> Ladder for Inversion<'_, B> {
    fn rung<'s, M: RungMaker<'s, B::Scalar>>(&'s self, number: usize, maker: M) -> Option<M::Rung> {
        warm_start(self, number).map(|easier| maker.make(easier))
    }

    /// With a regulariser or a nearness, which the rungs do not know, after a descent, and not where an x with the
    /// output b would cost more than logits of zero do: its logarithms then lead astray.
    fn when_rungs(&self) -> WhenRungs {
        match self.regularizer {
            None if self.nearness.is_some() => WhenRungs::AfterADescent,
            None => WhenRungs::First,
            Some(regularizer) if cost_of_meeting(self, regularizer) < value_of_nothing(self) => {
                WhenRungs::AfterADescent
            }
            Some(_) => WhenRungs::Never,
        }
    }

    /// Of ‖f − b‖² where that is at most half of what f = 0 would make it.
    fn is_better_descended_at_once(&self, value: B::Scalar) -> bool {
        let b = self.target.probabilities();
        let is_plain =
            !self.has_other_terms() && self.loss.closed_form() == Some(ClosedForm::SquaredError);
        is_plain && value <= B::Scalar::of(0.5) * reduce::dot(b, b) && self.is_out_of_reach()
    }
}

/// Number `number` of the easier problems.
fn warm_start<'s, B: LinearBackend>(
    problem: &'s Inversion<'_, B>,
    number: usize,
) -> Option<WarmStart<'s, Inversion<'s, B>>> {
    if problem.loss.name() == Loss::<B::Scalar>::name(&LogRatio) {
        return None;
    }
    let few = on_few_outcomes(problem);
    let number = match (number, few) {
        (0, Some(few)) if problem.is_one_of_many => {
            let reached = problem.reached.clone();
            let source = splitting(problem).map(|source| source.for_one_of_many(reached));
            return Some(easier(few, from(source)));
        }
        (0, Some(few)) => {
            let restarts = match Continuation::new(few.network, &few.target) {
                Some(source) => Restarts::Once(Box::new(source)),
                None => Restarts::Never,
            };
            return Some(easier(few, restarts));
        }
        (number, Some(_)) => number - 1,
        (number, None) => number,
    };
    match (number, on_lifted_outcomes(problem)) {
        (0, Some(lifted)) => Some(easier(lifted, from(splitting(problem)))),
        (1, Some(_)) => Some(on_all_outcomes(problem, &LogRatio, Restarts::Random)),
        (0, None) => {
            let restarts = continued(problem, from_the_splitting(problem));
            Some(on_all_outcomes(problem, &LogRatio, restarts))
        }
        (2, Some(_)) | (1, None) => Some(WarmStart {
            only_off_a_plateau: true,
            ..on_all_outcomes(problem, &KullbackLeibler, Restarts::Random)
        }),
        _ => None,
    }
}

/// What an x that has the output b costs at least where there is a regulariser,
///
/// ```text
/// ½ min over c of Σ wᵢ² (log bᵢ − c2ᵢ − c)²
/// ```
///
/// since these are its logits A2 φ(h); those of outcomes with b = 0 are not counted. The logarithms of b have their
/// minimum there, or nearby.
fn cost_of_meeting<B: LinearBackend>(
    problem: &Inversion<'_, B>,
    regularizer: &Regularizer<B::Scalar>,
) -> f64 {
    let (log_b, c2) = (problem.target.log_probabilities(), problem.network.bias2());
    let w = regularizer.weights();
    let over_support = |term: &dyn Fn(usize) -> f64| {
        reduce::sum_of(w.len(), |i| match log_b[i].is_finite() {
            true => w[i].to_f64().powi(2) * term(i),
            false => 0.0,
        })
    };
    let wanted = |i: usize| (log_b[i] - c2[i]).to_f64();
    let total = over_support(&|_| 1.0);
    if total == 0.0 {
        return 0.0;
    }
    let mean = over_support(&wanted) / total;
    0.5 * over_support(&|i| (wanted(i) - mean).powi(2))
}

/// loss(softmax(c2), b): the value where the logits are zero.
fn value_of_nothing<B: LinearBackend>(problem: &Inversion<'_, B>) -> f64 {
    let network = problem.network;
    let mut pass = ForwardPass::new(network.hidden_units(), network.outcomes());
    pass.logits.copy_from_slice(network.bias2());
    pass.normalize();
    problem.loss.value(&pass, &problem.target).to_f64()
}

fn easier<'s, B: LinearBackend>(
    objective: Inversion<'s, B>,
    restarts: Restarts<'s, B::Scalar>,
) -> WarmStart<'s, Inversion<'s, B>> {
    WarmStart {
        // ½‖r‖² of log-ratios r that are off by so much on average.
        within_reach: B::Scalar::of(0.5 * FAR_OFF.powi(2) * objective.network.outcomes() as f64),
        objective,
        restarts,
        begins_at_the_source: true,
        only_off_a_plateau: false,
        target: None,
    }
}

/// Another loss of all outcomes, whose points tell the one that was asked for as well.
fn on_all_outcomes<'s, B: LinearBackend>(
    problem: &'s Inversion<'_, B>,
    loss: &'s dyn Loss<B::Scalar>,
    restarts: Restarts<'s, B::Scalar>,
) -> WarmStart<'s, Inversion<'s, B>> {
    WarmStart {
        begins_at_the_source: false,
        target: Some(Box::new(Asked(problem))),
        ..easier(
            Inversion {
                nearness: None,
                ..problem.clone().with_loss(loss)
            },
            restarts,
        )
    }
}

/// The problem that was asked for, at points of another loss of the same network.
struct Asked<'s, 'a, B: LinearBackend>(&'s Inversion<'a, B>);

impl<B: LinearBackend> TellTarget<InversionPoint<B::Scalar>, B::Scalar> for Asked<'_, '_, B> {
    fn value(&self, at: &InversionPoint<B::Scalar>) -> B::Scalar {
        self.0.value_at(at)
    }

    fn met(&self, at: &InversionPoint<B::Scalar>) -> Option<Met> {
        self.0.met(at, self.value(at), self.0.rounding_error(at))
    }
}

/// From where the splitting leads, which is not made before it is asked: at random where b has zeros, whose
/// logarithms it would need, but for outcomes that are masked. The splitting knows no regulariser; where there is one, its solution is not the answer.
fn from_the_splitting<'s, B: LinearBackend>(
    problem: &'s Inversion<'_, B>,
) -> Restarts<'s, B::Scalar> {
    let (network, b) = (problem.network, problem.target.probabilities());
    let mut outcomes = b.iter().enumerate();
    let has_zeros = outcomes.any(|(i, &p)| p == B::Scalar::zero() && !network.is_masked(i));
    match problem.regularizer.is_some() || has_zeros {
        true => Restarts::Random,
        false => {
            let d = problem.network.inputs();
            Restarts::From(Box::new(Deferred::new(d, || splitting(problem))))
        }
    }
}

fn splitting<'s, B: LinearBackend>(problem: &'s Inversion<'_, B>) -> Option<Splitting<'s, B>> {
    let lift = problem.shared.lift(problem.network)?;
    Splitting::new(problem.network, lift, &problem.target)
}

/// From where the source leads, or at random where there is none.
fn from<'s, T: Scalar>(source: Option<impl Starts<T> + 's>) -> Restarts<'s, T> {
    match source {
        Some(source) => Restarts::From(Box::new(source)),
        None => Restarts::Random,
    }
}

/// The continuation from smooth ReLUs, and then `restarts`: on no more outcomes than these it costs
/// little. It knows no regulariser.
fn continued<'s, B: LinearBackend>(
    problem: &Inversion<'s, B>,
    restarts: Restarts<'s, B::Scalar>,
) -> Restarts<'s, B::Scalar> {
    let Restarts::From(then) = restarts else {
        return restarts;
    };
    match Continuation::new(problem.network, &problem.target) {
        Some(first) if problem.regularizer.is_none() => {
            Restarts::From(Box::new(ChainedStarts::new(Box::new(first), then)))
        }
        _ => Restarts::From(then),
    }
}

fn on_few_outcomes<'s, B: LinearBackend>(
    problem: &'s Inversion<'_, B>,
) -> Option<Inversion<'s, B>> {
    let few = problem.shared.few(problem.network)?;
    on_outcomes(problem, &few.network, &few.outcomes)
}

fn on_lifted_outcomes<'s, B: LinearBackend>(
    problem: &'s Inversion<'_, B>,
) -> Option<Inversion<'s, B>> {
    if problem.regularizer.is_some() {
        return None;
    }
    // The fewest that it may take: known before it is made.
    let fewest = enough_for_all(problem.network).min(enough_for(problem.network.inputs()));
    if 2 * fewest > problem.network.outcomes() {
        return None;
    }
    let lift = problem.shared.lift(problem.network)?;
    let network = lift.network.as_ref()?;
    if 2 * network.outcomes() > problem.network.outcomes() {
        return None;
    }
    on_outcomes(problem, network, &lift.outcomes)
}

/// The logarithms on some outcomes alone; `network` has no others. Where b is attained the problem
/// has the same solutions and, on few outcomes, perhaps more.
fn on_outcomes<'s, 'a: 's, B: LinearBackend>(
    problem: &Inversion<'a, B>,
    network: &'s TwoLayer<B>,
    outcomes: &[usize],
) -> Option<Inversion<'s, B>> {
    if problem.regularizer.is_some() {
        return None;
    }
    let target = problem.target.on(outcomes)?;
    (target.support() == target.outcomes()).then(|| Inversion {
        network,
        target: Cow::Owned(target),
        loss: &LogRatio,
        regularizer: None,
        radius: problem.radius,
        bounds: problem.bounds,
        nearness: None,
        known: None,
        reached: None,
        is_one_of_many: false,
        shared: Shared::default(),
    })
}
