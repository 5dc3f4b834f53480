//! A network on few of its outcomes: what the cheapest warm start works on.

use crate::network::TwoLayer;
use num_traits::ToPrimitive;
use twolayer_core::{LinearBackend, Scalar, reduce};

/// Some outcomes S of a network, and the network that has them alone.
///
/// The d unknowns have m conditions log f = log b + const, and where b is attained some d + 1 of
/// them say as much as all do, inside a cell. A few more are taken, so that they are well
/// conditioned. An iteration on them costs |S|/m of one on all, and all their rows fit in cache.
///
/// Made once for a network and shared by all of its targets.
#[derive(Debug, Clone)]
pub(crate) struct Few<B: LinearBackend> {
    /// S, increasing.
    pub(crate) outcomes: Vec<usize>,
    pub(crate) network: TwoLayer<B>,
}

impl<B: LinearBackend> Few<B> {
    /// `None` where there are hardly more outcomes than these.
    pub(crate) fn new(network: &TwoLayer<B>) -> Option<Self> {
        let count = enough_for(network.inputs());
        (2 * count <= live(network).len()).then(|| {
            let outcomes = spread_over(network, count);
            let network = network.with_outcomes(&outcomes);
            Self { outcomes, network }
        })
    }

    /// The same for a network on another number of threads.
    pub(crate) fn on(&self, backend: &B) -> Self {
        Self {
            outcomes: self.outcomes.clone(),
            network: self.network.on(backend),
        }
    }
}

/// How many outcomes tell d unknowns well.
pub(crate) fn enough_for(d: usize) -> usize {
    d + d / 4 + 16
}

/// The outcomes that are not masked, by −∞ in c2 or by an entry so far below the others that it is meant
/// so: they say nothing about x.
pub(crate) fn live<B: LinearBackend>(network: &TwoLayer<B>) -> Vec<usize> {
    /// −10⁴ and the least number of half precision are the smallest masks in use.
    const FAR_BELOW: f64 = 5e3;
    let bias = network.bias2();
    let largest = reduce::max(bias).to_f64();
    (0..bias.len())
        .filter(|&i| largest - bias[i].to_f64() < FAR_BELOW)
        .collect()
}

/// `count` of the outcomes that are not masked, as [`spread`] does.
pub(crate) fn spread_over<B: LinearBackend>(network: &TwoLayer<B>, count: usize) -> Vec<usize> {
    let live = live(network);
    let chosen = spread(count, live.len()).into_iter();
    chosen.map(|index| live[index]).collect()
}

/// `count` different outcomes of m, increasing, spread evenly and without a period: fractional
/// parts of multiples of the golden ratio. More of them contain fewer of them.
fn spread(count: usize, m: usize) -> Vec<usize> {
    if count == m {
        return (0..m).collect();
    }
    const GOLDEN_RATIO: f64 = 0.618_033_988_749_894_8;
    let mut chosen = vec![false; m];
    let mut left = count;
    for k in 0.. {
        let place = (k as f64 * GOLDEN_RATIO).fract() * m as f64;
        let place = place.to_usize().unwrap_or(0).min(m - 1);
        // Taken already: the next one that is free.
        let free = (place..m).chain(0..place).find(|&i| !chosen[i]);
        if let (Some(free), 1..) = (free, left) {
            chosen[free] = true;
            left -= 1;
        } else {
            break;
        }
    }
    (0..m).filter(|&i| chosen[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_different_and_spread() {
        for (count, m) in [(1, 1), (3, 5), (5, 5), (48, 30_522), (99, 100)] {
            let outcomes = spread(count, m);
            assert_eq!(outcomes.len(), count);
            assert!(outcomes.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(outcomes[count - 1] < m);
        }
        let outcomes = spread(100, 10_000);
        let widest = outcomes.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(widest < Some(400));
    }
}
