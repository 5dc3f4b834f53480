//! Outcomes whose logits determine those of all others.

use crate::network::TwoLayer;
use crate::starts::few::{live, spread_over};
use crate::starts::projection::transposed;
use crate::target::Target;
use num_traits::{Float, One, Zero};
use std::fmt;
use std::sync::Arc;
use twolayer_core::{LinearBackend, Scalar, reduce};

/// Some outcomes S, and what their logits can be whatever the hidden layer does.
///
/// The logits are A2 a + c2. With Ã = (I − 11ᵀ/s) A2\[S, :\], those of S, centred, are τ + const for
/// an activation a where Ãa = τ.
///
/// Made once for a network and shared by all of its targets: about n s² + s³/3 flops and
/// n·s + s² numbers.
pub(crate) struct Determining<B: LinearBackend> {
    /// S, increasing.
    pub(crate) outcomes: Vec<usize>,
    /// Ãᵀ (n×s).
    pub(crate) rows: Arc<B::Matrix>,
    /// The factor of ÃÃᵀ + εI (s×s).
    pub(crate) gram: Arc<B::Cholesky>,
    /// ε.
    pub(crate) ridge: B::Scalar,
    /// About the part of the eigenvalues of ÃÃᵀ that vanish.
    pub(crate) spare: f64,
}

// Not derived: a copy of the references asks nothing of the backend.
impl<B: LinearBackend> Clone for Determining<B> {
    fn clone(&self) -> Self {
        Self {
            outcomes: self.outcomes.clone(),
            rows: Arc::clone(&self.rows),
            gram: Arc::clone(&self.gram),
            ..*self
        }
    }
}

impl<B: LinearBackend> fmt::Debug for Determining<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Determining")
            .field("outcomes", &self.outcomes.len())
            .field("spare", &self.spare)
            .finish_non_exhaustive()
    }
}

/// ε is this many roundoffs of the mean eigenvalue: enough for a Gram matrix of low rank to be
/// positive definite in working precision. What it blurs, the descents that follow put right.
const RIDGE: f64 = 1e3;
/// Diagonal entries of (ÃÃᵀ + εI)⁻¹ that are looked at to tell the rank.
const PROBES: usize = 16;
/// n s² is not raised beyond this: about a second's work.
pub(crate) const MOST_WORK: f64 = 1e11;
/// What the ridge may make of the logits of an activation is less than a tenth of what counts.
const BEYOND_THE_RIDGE: f64 = 10.0;

/// So many outcomes determine all others, whatever the rank of A2.
pub(crate) fn enough_for_all<B: LinearBackend>(network: &TwoLayer<B>) -> usize {
    // Centring costs one row of the rank.
    let n = network.hidden_units();
    live(network).len().min(n + n / 8 + PROBES)
}

impl<B: LinearBackend> Determining<B> {
    /// `count` outcomes; `None` where the Gram matrix is not positive definite in working precision: a
    /// layer of zeros.
    pub(crate) fn new(network: &TwoLayer<B>, count: usize) -> Option<Self> {
        let backend = network.backend();
        let outcomes = spread_over(network, count);
        let rows = centered_rows(network, &outcomes);
        let (gram, ridge) = ridged_gram(backend, &rows, &mut B::Workspace::default())?;
        Some(Self {
            spare: spare_part::<B>(backend, &gram, ridge, count),
            outcomes,
            rows: Arc::new(rows),
            gram: Arc::new(gram),
            ridge,
        })
    }

    /// The outcomes that determine all others, where there are more of them than it takes and the
    /// work is not too much.
    pub(crate) fn of_all(network: &TwoLayer<B>) -> Option<Self> {
        let count = enough_for_all(network);
        let work = network.hidden_units() as f64 * (count as f64).powi(2);
        let usable = count < network.outcomes() && work <= MOST_WORK;
        usable.then(|| Self::new(network, count)).flatten()
    }

    /// τ of a target (s): log b − c2 on S, centred; `None` where b is zero on one of them.
    pub(crate) fn logits(
        &self,
        network: &TwoLayer<B>,
        target: &Target<B::Scalar>,
    ) -> Option<Vec<B::Scalar>> {
        centered_logits(network, &self.outcomes, target)
    }

    /// By how much the logits `tau` of S differ, on average over the dimensions that no activation
    /// reaches, from those of any: ‖Ãa − τ‖/√(s − r) for the nearest a, r the rank of Ã. Zero where
    /// rounding could have made it.
    pub(crate) fn beyond_reach(&self, backend: &B, tau: &[B::Scalar]) -> B::Scalar {
        let spare = self.spare * self.outcomes.len() as f64;
        if spare < 1.0 {
            return B::Scalar::zero();
        }
        // With y = (ÃÃᵀ + εI)⁻¹τ and a = Ãᵀy: τ − Ãa = εy, and ‖a‖² = yᵀτ − ε‖y‖².
        let mut y = tau.to_vec();
        backend.cholesky_solve(&self.gram, &mut y, &mut B::Workspace::default());
        let missed = self.ridge * reduce::norm(&y);
        let square = reduce::dot(&y, tau) - missed * reduce::norm(&y);
        let size = square.max(B::Scalar::zero()).sqrt();
        // εσ/(σ² + ε) ≤ √ε/2 of a is lost along a singular value σ.
        let of_the_ridge = B::Scalar::of(0.5 * BEYOND_THE_RIDGE) * self.ridge.sqrt() * size;
        match missed > of_the_ridge {
            true => missed / B::Scalar::of(spare.sqrt()),
            false => B::Scalar::zero(),
        }
    }
}

/// log b − c2 on some outcomes, centred; `None` where b is zero on one of them.
pub(crate) fn centered_logits<B: LinearBackend>(
    network: &TwoLayer<B>,
    outcomes: &[usize],
    target: &Target<B::Scalar>,
) -> Option<Vec<B::Scalar>> {
    let (log_b, bias) = (target.log_probabilities(), network.bias2());
    let mut logits: Vec<_> = outcomes.iter().map(|&i| log_b[i] - bias[i]).collect();
    let mean = reduce::sum(&logits) / B::Scalar::of(logits.len() as f64);
    logits.iter_mut().for_each(|t| *t -= mean);
    reduce::all_finite(&logits).then_some(logits)
}

/// Ãᵀ (n×s).
fn centered_rows<B: LinearBackend>(network: &TwoLayer<B>, outcomes: &[usize]) -> B::Matrix {
    let (backend, n, s) = (network.backend(), network.hidden_units(), outcomes.len());
    let mut rows = backend.zeros(s, n);
    backend.copy_rows(network.a2(), outcomes, &mut rows);
    let mut entries = vec![B::Scalar::zero(); s * n];
    backend.copy_to_row_major(&rows, &mut entries);
    let mut means = vec![B::Scalar::zero(); n];
    for row in entries.chunks_exact(n) {
        reduce::axpy(B::Scalar::one() / B::Scalar::of(s as f64), row, &mut means);
    }
    for row in entries.chunks_exact_mut(n) {
        reduce::axpy(-B::Scalar::one(), &means, row);
    }
    transposed(backend, &entries, s)
}

/// The factor of AᵀA + εI, and ε.
pub(crate) fn ridged_gram<B: LinearBackend>(
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
    let mean = reduce::sum_of(size, diagonal) / size as f64;
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
    let probes = PROBES.min(size);
    let place = |probe: usize| probe * size + probe * size / probes;
    let mut columns = vec![B::Scalar::zero(); probes * size];
    for probe in 0..probes {
        columns[place(probe)] = ridge;
    }
    // Together: the factor is read once.
    backend.cholesky_solve(gram, &mut columns, &mut B::Workspace::default());
    let total: f64 = (0..probes)
        .map(|probe| columns[place(probe)].to_f64())
        .sum();
    total / probes as f64
}
