//! Starts from far away: a Douglas–Rachford splitting of the network into its two layers.

mod iterates;

use crate::network::TwoLayer;
use crate::starts::determining::centered_logits;
use crate::starts::lift::Lift;
use crate::starts::reached::Reached;
use crate::target::Target;
use approx_newton::FIRST_BURST;
pub use iterates::TOGETHER;
use iterates::{Iterates, WEIGHTS, part, set_part};
use num_traits::Zero;
use std::sync::Arc;
use twolayer_core::{LinearBackend, Scalar, Starts};

/// Looks for hidden states h and activations a that satisfy two sets of conditions:
///
/// ```text
/// affine   h = A1 x + c1 for some x,  and  A2 a + c2 = log b + const on the outcomes of the lift
/// graph    a = φ(h), unit by unit
/// ```
///
/// A pair in both is a solution. Each set alone has an easy projection: products with matrices made
/// once, and one comparison for each unit. The Douglas–Rachford iteration
///
/// ```text
/// v ← v + P_graph(2 P_affine(v) − v) − P_affine(v),    v = (h, a)
/// ```
///
/// rests only where the two sets meet. So it has no local minima to stop in, where every descent on
/// a loss has many; but the graph is not convex, and nothing promises that it comes to rest. It is
/// a source of starts, not a solver: what it returns is the x of P_affine(v), for a descent to end
/// (J. Douglas and H. H. Rachford, 1956; V. Elser, I. Rankenburg and P. Thibault, "Searching with
/// iterated maps", 2007, for its use on sets that are not convex).
///
/// Near a pair of points that almost meet it can circle for long. The metric of the projection on
/// the graph moves such traps, and no solution. Hence where a first long burst did not help, eight
/// iterations go on beside each other, each with its own metric and half of them from x = 0, and what is
/// returned is the x of the one whose output comes nearest, those aside whose x was returned just before.
///
/// An iteration reads two orthonormal bases, those of the columns of A1 and of the rows of Ã, each from
/// one end to the other and back: 4nd + 4ns flops for each metric in single precision, and nothing of
/// size m.
pub(crate) struct Splitting<'a, B: LinearBackend> {
    /// With one metric, and then with several.
    iterates: Iterates<'a, B>,
    /// Where those begin that do not begin at zero (d).
    start: Vec<B::Scalar>,
    /// Which of them gave the last starts; a number beyond theirs where none did.
    last: [usize; PASSED_OVER],
    /// Of one target of many: its first burst.
    first: Option<FirstBurst<B::Scalar>>,
}

/// A burst of more iterations is made with several metrics.
const LONGEST_ALONE: usize = 1000;
/// One that gave a start is passed over for so many bursts, unless it is the only one: two descents
/// from one trap end alike.
const PASSED_OVER: usize = 3;

/// The first burst of one target of many, which is computed together with others.
struct FirstBurst<T> {
    /// What was computed before, if anything was.
    reached: Option<Arc<Reached<T>>>,
    is_to_come: bool,
}

/// A target and the start of its solve.
pub(crate) type Begin<'t, T> = (&'t Target<T>, &'t [T]);

/// The same by its logits.
type Logits<'t, T> = (&'t [T], &'t [T]);

impl<'a, B: LinearBackend> Splitting<'a, B> {
    /// `None` where an outcome of the lift has the probability 0.
    pub(crate) fn new(
        network: &'a TwoLayer<B>,
        lift: &'a Lift<B>,
        target: &Target<B::Scalar>,
    ) -> Option<Self> {
        let logits = centered_logits(network, &lift.outcomes, target)?;
        Some(Self {
            iterates: Iterates::new(network, lift, logits),
            start: vec![B::Scalar::zero(); network.inputs()],
            last: [WEIGHTS.len(); PASSED_OVER],
            first: None,
        })
    }

    /// The same for one target of many, whose first burst was computed before if it is `reached`.
    pub(crate) fn for_one_of_many(self, reached: Option<Arc<Reached<B::Scalar>>>) -> Self {
        let first = FirstBurst {
            reached,
            is_to_come: false,
        };
        Self {
            first: Some(first),
            ..self
        }
    }
}

/// Computes the first bursts of targets from their starts (d each), [`TOGETHER`] at a time. A
/// target's is the same bit by bit whatever the others are; `None` for one without a splitting.
pub(crate) fn first_bursts<B: LinearBackend>(
    network: &TwoLayer<B>,
    lift: &Lift<B>,
    targets: &[Begin<'_, B::Scalar>],
) -> Vec<Option<Reached<B::Scalar>>> {
    let mut all = Vec::with_capacity(targets.len());
    for targets in targets.chunks(TOGETHER) {
        let logits: Vec<_> = targets
            .iter()
            .map(|(target, _)| centered_logits(network, &lift.outcomes, target))
            .collect();
        let known = targets.iter().zip(&logits);
        let known: Vec<_> = known
            .filter_map(|((_, start), logits)| Some((logits.as_deref()?, *start)))
            .collect();
        let mut reached = reach(network, lift, &known).into_iter();
        all.extend(
            logits
                .iter()
                .map(|logits| logits.as_ref().and_then(|_| reached.next())),
        );
    }
    all
}

/// The first bursts of at most [`TOGETHER`] targets by their logits and starts.
fn reach<B: LinearBackend>(
    network: &TwoLayer<B>,
    lift: &Lift<B>,
    targets: &[Logits<'_, B::Scalar>],
) -> Vec<Reached<B::Scalar>> {
    if targets.is_empty() {
        return Vec::new();
    }
    let zeros = |length| vec![B::Scalar::zero(); TOGETHER * length];
    let (mut logits, mut starts) = (zeros(lift.outcomes.len()), zeros(network.inputs()));
    for (k, target) in targets.iter().enumerate() {
        set_part(&mut logits, TOGETHER, k, target.0);
        set_part(&mut starts, TOGETHER, k, target.1);
    }
    let mut iterates = Iterates::new(network, lift, logits);
    iterates.begin(&starts);
    iterates.advance(FIRST_BURST);
    (0..targets.len())
        .map(|k| Reached {
            start: part(&starts, TOGETHER, k),
            x: part(&iterates.x, TOGETHER, k),
            hidden: part(&iterates.hidden, TOGETHER, k),
            activations: part(&iterates.activations, TOGETHER, k),
        })
        .collect()
}

impl<B: LinearBackend> Splitting<'_, B> {
    /// Where the first burst leads from `start`; alone if it was not computed together with others.
    fn first_burst(&self, start: &[B::Scalar]) -> Option<Arc<Reached<B::Scalar>>> {
        let before = self.first.as_ref()?.reached.as_ref();
        if let Some(reached) = before.filter(|reached| reached.start == start) {
            return Some(Arc::clone(reached));
        }
        let mut alone = reach(
            self.iterates.network(),
            self.iterates.lift(),
            &[(self.iterates.logits(), start)],
        );
        alone.pop().map(Arc::new)
    }
}

impl<B: LinearBackend> Starts<B::Scalar> for Splitting<'_, B> {
    fn begin(&mut self, x: &[B::Scalar]) {
        self.last = [WEIGHTS.len(); PASSED_OVER];
        if self.iterates.count() > 1 {
            self.iterates = self.iterates.alone();
        }
        self.iterates.begin(x);
        self.start.copy_from_slice(x);
        if let Some(first) = &mut self.first {
            first.is_to_come = true;
        }
    }

    fn advance(&mut self, iterations: usize, x: &mut [B::Scalar]) {
        if iterations > LONGEST_ALONE && self.iterates.count() == 1 {
            self.iterates = self.iterates.spread(&self.start);
        }
        let is_to_come = |first: &mut FirstBurst<_>| std::mem::take(&mut first.is_to_come);
        let is_first = self.first.as_mut().is_some_and(is_to_come);
        let reached = match is_first && iterations == FIRST_BURST {
            true => self.first_burst(&self.start),
            false => None,
        };
        match reached {
            Some(reached) => {
                self.iterates.x.copy_from_slice(&reached.x);
                self.iterates.hidden.copy_from_slice(&reached.hidden);
                self.iterates
                    .activations
                    .copy_from_slice(&reached.activations);
            }
            None => self.iterates.advance(iterations),
        }
        let nearest = self.iterates.nearest(&self.last);
        let count = self.iterates.count();
        if count > 1 {
            self.last.rotate_left(1);
            self.last[PASSED_OVER - 1] = nearest;
        }
        x.copy_from_slice(&part(&self.iterates.x, count, nearest));
    }

    /// Which gave the last starts, where all begin, and v with each metric. The first burst is over.
    fn state(&self) -> Vec<B::Scalar> {
        let last = self.last.map(|number| B::Scalar::of(number as f64));
        let v = self
            .iterates
            .hidden
            .iter()
            .chain(&self.iterates.activations);
        let v: Vec<_> = v.map(|v| B::Scalar::of(v.to_f64())).collect();
        [&last, &self.start[..], &v].concat()
    }

    fn restore(&mut self, state: &[B::Scalar]) -> bool {
        let one = 2 * self.iterates.network().hidden_units();
        let Some((numbers, rest)) = state.split_at_checked(PASSED_OVER) else {
            return false;
        };
        let Some((start, v)) = rest.split_at_checked(self.start.len()) else {
            return false;
        };
        let mut last = [WEIGHTS.len(); PASSED_OVER];
        for (last, &number) in last.iter_mut().zip(numbers) {
            let all = 0..=WEIGHTS.len();
            let Some(number) = all.rev().find(|&k| B::Scalar::of(k as f64) == number) else {
                return false;
            };
            *last = number;
        }
        let alone = self.iterates.alone();
        self.iterates = match v.len() / one {
            1 if v.len() == one => alone,
            count if count == WEIGHTS.len() && v.len() == count * one => alone.spread(start),
            _ => return false,
        };
        self.last = last;
        self.start.copy_from_slice(start);
        let kept = self.iterates.hidden.iter_mut();
        let kept = kept.chain(&mut self.iterates.activations);
        for (to, &v) in kept.zip(v) {
            *to = f32::of(v.to_f64());
        }
        true
    }
}
