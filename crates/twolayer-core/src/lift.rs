//! A network with its hidden layer set free: what the splitting works on.

use crate::{LinearBackend, Scalar, TwoLayer};
use num_traits::{One, ToPrimitive, Zero};
use std::fmt;

/// Outcomes S that determine the logits of all others, and the factors of two projections.
///
/// The logits are A2 a + c2 with a = φ(h). Where A2 has rank r (at most n, and about d in a head
/// whose output layer is narrow), some r outcomes say all that the others say: with
/// Ã = (I − 11ᵀ/s) A2\[S, :\], the condition Ãa = τ on the s ≥ r outcomes S is as good as log f =
/// log b on all m. A few more than r outcomes are taken, so that Ã is well conditioned.
///
/// Made once for a network and shared by all of its targets: about n s² flops and n s numbers.
pub(crate) struct Lift<B: LinearBackend> {
    /// S, increasing.
    pub(crate) outcomes: Vec<usize>,
    /// The network with the outcomes S alone; `None` where S is all of them.
    pub(crate) network: Option<TwoLayer<B>>,
    /// Ãᵀ (n×s).
    pub(crate) rows: B::Matrix,
    /// The factor of ÃÃᵀ + εI (s×s).
    pub(crate) row_gram: B::Cholesky,
    /// The factor of A1ᵀA1 + εI (d×d).
    pub(crate) input_gram: B::Cholesky,
    /// Whether Ãa = τ has one solution only.
    pub(crate) is_determined: bool,
}

/// ε is this many roundoffs of the mean eigenvalue: enough for a Gram matrix of low rank to be
/// positive definite in working precision. What it blurs, the descents that follow put right.
const RIDGE: f64 = 1e3;
/// The part of ÃÃᵀ's eigenvalues that must vanish before the rank counts as found.
const SPARE: f64 = 0.1;
/// Diagonal entries of (ÃÃᵀ + εI)⁻¹ that are looked at to tell the rank.
const PROBES: usize = 16;
/// n s² is not raised beyond this: about a second's work.
const MOST_WORK: f64 = 1e11;

impl<B: LinearBackend> fmt::Debug for Lift<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lift")
            .field("outcomes", &self.outcomes.len())
            .field("is_determined", &self.is_determined)
            .finish_non_exhaustive()
    }
}

impl<B: LinearBackend> Lift<B> {
    /// `None` where a Gram matrix is not positive definite in working precision: a layer of zeros.
    pub(crate) fn new(network: &TwoLayer<B>) -> Option<Self> {
        let (m, n, d) = (network.outcomes(), network.hidden_units(), network.inputs());
        let mut workspace = B::Workspace::default();
        let (input_gram, _) = ridged_gram(network.backend(), network.a1(), &mut workspace)?;
        // Centring costs one row of the rank.
        let enough = m.min(n + n / 8 + PROBES);
        let mut count = enough.min(d + d / 4 + PROBES);
        loop {
            let outcomes = spread(count, m);
            let rows = centered_rows(network, &outcomes);
            let (row_gram, ridge) = ridged_gram(network.backend(), &rows, &mut workspace)?;
            let spare = spare_part::<B>(network.backend(), &row_gram, ridge, count);
            let doubled = enough.min(2 * count);
            let work = n as f64 * (doubled as f64).powi(2);
            if spare < SPARE && doubled > count && work <= MOST_WORK {
                count = doubled;
                continue;
            }
            let rank = count as f64 * (1.0 - spare);
            return Some(Self {
                network: (count < m).then(|| network.with_outcomes(&outcomes)),
                outcomes,
                rows,
                row_gram,
                input_gram,
                is_determined: rank > n as f64 - 0.5,
            });
        }
    }
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

/// Ãᵀ (n×s).
fn centered_rows<B: LinearBackend>(network: &TwoLayer<B>, outcomes: &[usize]) -> B::Matrix {
    let (backend, n, s) = (network.backend(), network.hidden_units(), outcomes.len());
    let mut rows = backend.zeros(s, n);
    backend.copy_rows(network.a2(), outcomes, &mut rows);
    let mut entries = vec![B::Scalar::zero(); s * n];
    backend.copy_to_row_major(&rows, &mut entries);
    let mut transposed = vec![B::Scalar::zero(); s * n];
    for (j, row) in entries.chunks_exact(n).enumerate() {
        for (i, &entry) in row.iter().enumerate() {
            transposed[i * s + j] = entry;
        }
    }
    for unit in transposed.chunks_exact_mut(s) {
        let mean = crate::reduce::sum(unit) / B::Scalar::of(s as f64);
        unit.iter_mut().for_each(|entry| *entry -= mean);
    }
    let mut rows = backend.zeros(n, s);
    backend.copy_from_row_major(&transposed, &mut rows);
    rows
}

/// The factor of AᵀA + εI, and ε.
fn ridged_gram<B: LinearBackend>(
    backend: &B,
    a: &B::Matrix,
    workspace: &mut B::Workspace,
) -> Option<(B::Cholesky, B::Scalar)> {
    let size = backend.ncols(a);
    let ones = vec![B::Scalar::one(); backend.nrows(a)];
    let mut gram = backend.zeros(size, size);
    backend.gram_lower(a, &ones, &mut gram, workspace);
    let mut entries = vec![B::Scalar::zero(); size * size];
    backend.copy_to_row_major(&gram, &mut entries);
    let diagonal = |i: usize| entries[i * size + i].to_f64();
    let mean = crate::reduce::sum_of(size, diagonal) / size as f64;
    let ridge = B::Scalar::of(RIDGE * mean) * B::Scalar::UNIT_ROUNDOFF;
    for i in 0..size {
        entries[i * size + i] += ridge;
    }
    backend.copy_from_row_major(&entries, &mut gram);
    let factor = backend.cholesky(&gram, workspace).ok()?;
    Some((factor, ridge))
}

/// About the part of the eigenvalues of ÃÃᵀ that vanish: ε(ÃÃᵀ + εI)⁻¹ is nearly the projector on
/// their eigenvectors, and the mean of its diagonal is that part.
fn spare_part<B: LinearBackend>(
    backend: &B,
    gram: &B::Cholesky,
    ridge: B::Scalar,
    size: usize,
) -> f64 {
    let mut workspace = B::Workspace::default();
    let probes = PROBES.min(size);
    let mut column = vec![B::Scalar::zero(); size];
    let mut total = 0.0;
    for probe in 0..probes {
        let i = probe * size / probes;
        column.fill(B::Scalar::zero());
        column[i] = ridge;
        backend.cholesky_solve(gram, &mut column, &mut workspace);
        total += column[i].to_f64();
    }
    total / probes as f64
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
