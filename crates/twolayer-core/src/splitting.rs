//! Starts from far away: a Douglas–Rachford splitting of the network into its two layers.

mod iterates;

use crate::{Inversion, LinearBackend, Scalar, Starts, Target, TwoLayer};
use iterates::{Iterates, WEIGHTS, logits};
use num_traits::Zero;
use std::sync::Arc;

/// Looks for hidden states h and activations a that satisfy two sets of conditions:
///
/// ```text
/// affine   h = A1 x + c1 for some x,  and  A2 a + c2 = log b + const on the outcomes of the lift
/// graph    a = φ(h), unit by unit
/// ```
///
/// A pair in both is a solution. Each set alone has an easy projection: two linear systems with
/// factors made once, and one comparison for each unit. The Douglas–Rachford iteration
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
/// the graph moves such traps, and no solution: [`disturb`](Starts::disturb) changes it.
///
/// An iteration reads A1 and Ã twice: 4nd + 4ns flops, and nothing of size m.
pub(crate) struct Splitting<'a, B: LinearBackend> {
    iterates: Iterates<'a, B>,
    /// Of one target of many: its first burst.
    first: Option<FirstBurst<B::Scalar>>,
}

/// Iterations of a source of starts before the first descent.
pub const FIRST_BURST: usize = 100;

/// Targets whose first bursts are computed together: so many always, others of zeros beside those
/// that there are, because a product's bits depend on its width. Enough for the products to be bound
/// by arithmetic where A1 comes from cache, and few enough for one target not to cost more together
/// with zeros than alone.
pub const TOGETHER: usize = 8;

/// The first burst of one target of many, which is computed together with others.
struct FirstBurst<T> {
    /// What was computed before, if anything was.
    reached: Option<Arc<Reached<T>>>,
    /// Where it begins, as long as it is to come.
    start: Option<Vec<T>>,
}

/// Where the first burst of one target leads from one start.
#[derive(Debug)]
pub(crate) struct Reached<T> {
    start: Vec<T>,
    x: Vec<T>,
    hidden: Vec<T>,
    activations: Vec<T>,
}

/// A target and the start of its solve.
pub(crate) type Begin<'t, T> = (&'t Target<T>, &'t [T]);

/// The same by its logits.
type Logits<'t, T> = (&'t [T], &'t [T]);

impl<'a, B: LinearBackend> Splitting<'a, B> {
    /// `None` where an outcome of the lift has the probability 0, or where there is no lift.
    pub(crate) fn new(problem: &Inversion<'a, B>) -> Option<Self> {
        let network = problem.network();
        let lift = network.lift()?;
        let logits = logits(network, lift, problem.target())?;
        Some(Self {
            iterates: Iterates::new(network, lift, logits),
            first: None,
        })
    }

    /// The same for one target of many, whose first burst was computed before if it is `reached`.
    pub(crate) fn of_many(
        problem: &Inversion<'a, B>,
        reached: Option<Arc<Reached<B::Scalar>>>,
    ) -> Option<Self> {
        let first = FirstBurst {
            reached,
            start: None,
        };
        Some(Self {
            first: Some(first),
            ..Self::new(problem)?
        })
    }
}

/// Computes the first bursts of targets from their starts (d each), [`TOGETHER`] at a time. A
/// target's is the same bit by bit whatever the others are; `None` for one without a splitting.
pub(crate) fn first_bursts<B: LinearBackend>(
    network: &TwoLayer<B>,
    targets: &[Begin<'_, B::Scalar>],
) -> Vec<Option<Reached<B::Scalar>>> {
    let Some(lift) = network.lift() else {
        return targets.iter().map(|_| None).collect();
    };
    let mut all = Vec::with_capacity(targets.len());
    for targets in targets.chunks(TOGETHER) {
        let logits: Vec<_> = targets
            .iter()
            .map(|(target, _)| logits(network, lift, target))
            .collect();
        let known = targets.iter().zip(&logits);
        let known: Vec<_> = known
            .filter_map(|((_, start), logits)| Some((logits.as_deref()?, *start)))
            .collect();
        let mut reached = reach(network, &known).into_iter();
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
    targets: &[Logits<'_, B::Scalar>],
) -> Vec<Reached<B::Scalar>> {
    let Some(lift) = network.lift().filter(|_| !targets.is_empty()) else {
        return Vec::new();
    };
    let (n, d) = (network.hidden_units(), network.inputs());
    let zeros = |length| vec![B::Scalar::zero(); TOGETHER * length];
    let (mut logits, mut starts) = (zeros(lift.outcomes.len()), zeros(d));
    let columns = logits
        .chunks_exact_mut(lift.outcomes.len())
        .zip(starts.chunks_exact_mut(d));
    for ((logits, start), target) in columns.zip(targets) {
        logits.copy_from_slice(target.0);
        start.copy_from_slice(target.1);
    }
    let mut iterates = Iterates::new(network, lift, logits);
    iterates.begin(&starts);
    iterates.advance(FIRST_BURST);
    let column =
        |values: &[B::Scalar], length: usize, k: usize| values[k * length..][..length].to_vec();
    (0..targets.len())
        .map(|k| Reached {
            start: column(&starts, d, k),
            x: column(&iterates.x, d, k),
            hidden: column(&iterates.hidden, n, k),
            activations: column(&iterates.activations, n, k),
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
        let mut alone = reach(self.iterates.network(), &[(self.iterates.logits(), start)]);
        alone.pop().map(Arc::new)
    }
}

impl<B: LinearBackend> Starts<B::Scalar> for Splitting<'_, B> {
    fn begin(&mut self, x: &[B::Scalar]) {
        self.iterates.begin(x);
        if let Some(first) = &mut self.first {
            first.start = Some(x.to_vec());
        }
    }

    fn disturb(&mut self) {
        let [first, second] = WEIGHTS.map(B::Scalar::of);
        let weight = &mut self.iterates.weight;
        *weight = if *weight == first { second } else { first };
    }

    fn advance(&mut self, iterations: usize, x: &mut [B::Scalar]) {
        let start = self.first.as_mut().and_then(|first| first.start.take());
        let reached = start
            .filter(|_| iterations == FIRST_BURST)
            .and_then(|start| self.first_burst(&start));
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
        x.copy_from_slice(&self.iterates.x);
    }

    /// ρ and v. The first burst is over.
    fn state(&self) -> Vec<B::Scalar> {
        let Iterates {
            weight,
            hidden,
            activations,
            ..
        } = &self.iterates;
        [&[*weight], &hidden[..], activations].concat()
    }

    fn restore(&mut self, state: &[B::Scalar]) -> bool {
        let n = self.iterates.hidden.len();
        let Some((&weight, v)) = state.split_first() else {
            return false;
        };
        if v.len() != 2 * n || !WEIGHTS.map(B::Scalar::of).contains(&weight) {
            return false;
        }
        self.iterates.weight = weight;
        self.iterates.hidden.copy_from_slice(&v[..n]);
        self.iterates.activations.copy_from_slice(&v[n..]);
        true
    }
}
