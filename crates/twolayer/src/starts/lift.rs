//! A network with its hidden layer set free: what the splitting works on.

use crate::network::TwoLayer;
use crate::starts::determining::{Determining, MOST_WORK, enough_for_all, ridged_gram};
use crate::starts::few::enough_for;
use crate::starts::projection::Projection;
use num_traits::{One, Zero};
use std::fmt;
use std::sync::Arc;
use twolayer_core::{LinearBackend, Scalar, reduce};

/// Outcomes S that determine the logits of all others, and the two projections of the splitting.
///
/// The logits are A2 a + c2 with a = φ(h). Where A2 has rank r (at most n, and about d in a head
/// whose output layer is narrow), some r outcomes say all that the others say: with
/// Ã = (I − 11ᵀ/s) A2\[S, :\], the condition Ãa = τ on the s ≥ r outcomes S is as good as log f =
/// log b on all m. A few more than r outcomes are taken, so that Ã is well conditioned.
///
/// Made once for a network and shared by all of its targets: about 5n (s² + d²) flops, n·s numbers and
/// 2n (s + d) in single precision; n (s² + 5d²) flops and 2nd of these where Ãa = τ has one solution
/// only.
pub(crate) struct Lift<B: LinearBackend> {
    /// S, increasing.
    pub(crate) outcomes: Vec<usize>,
    /// The network with the outcomes S alone; `None` where S is all of them.
    pub(crate) network: Option<TwoLayer<B>>,
    /// Ãᵀ (n×s).
    pub(crate) rows: Arc<B::Matrix>,
    /// The factor of ÃÃᵀ + εI (s×s).
    row_gram: Arc<B::Cholesky>,
    /// On the rows of Ã; `None` where Ãa = τ has one solution only.
    pub(crate) row_projection: Option<Projection<B::Single>>,
    /// The factor of A1ᵀA1 + εI (d×d).
    input_gram: Arc<B::Cholesky>,
    /// On the columns of A1.
    pub(crate) input_projection: Projection<B::Single>,
}

/// The part of ÃÃᵀ's eigenvalues that must vanish before the rank counts as found.
const SPARE: f64 = 0.1;
/// How many times as many outcomes are tried where they were too few: most heads have a rank of
/// about d or of about n.
const GROWTH: usize = 4;

impl<B: LinearBackend> fmt::Debug for Lift<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lift")
            .field("outcomes", &self.outcomes.len())
            .field("is_determined", &self.row_projection.is_none())
            .finish_non_exhaustive()
    }
}

impl<B: LinearBackend> Lift<B> {
    /// `of_all` gives the outcomes that determine all others, where they are made anyway.
    /// `None` where a Gram matrix is not positive definite in working precision: a layer of zeros.
    pub(crate) fn new<'d>(
        network: &TwoLayer<B>,
        of_all: impl Fn() -> Option<&'d Determining<B>>,
    ) -> Option<Self>
    where
        B: 'd,
    {
        let (m, n, d) = (network.outcomes(), network.hidden_units(), network.inputs());
        let mut workspace = B::Workspace::default();
        let (input_gram, input_ridge) =
            ridged_gram(network.backend(), network.a1(), &mut workspace)?;
        let enough = enough_for_all(network);
        let mut count = enough.min(enough_for(d));
        loop {
            // Those that determine all may be there already, and may be asked for again.
            let known = (count == enough).then(&of_all).flatten();
            let determining = match known {
                Some(all) => all.clone(),
                None => Determining::new(network, count)?,
            };
            let more = enough.min(GROWTH * count);
            let work = n as f64 * (more as f64).powi(2);
            if determining.spare < SPARE && more > count && work <= MOST_WORK {
                count = more;
                continue;
            }
            let backend = network.backend();
            let Determining {
                outcomes,
                rows,
                gram,
                ridge,
                ..
            } = determining;
            let row_projection = match is_determined(backend, &rows, &gram) {
                true => None,
                false => Some(Projection::new(backend, &rows, &gram, ridge)),
            };
            return Some(Self {
                network: (outcomes.len() < m).then(|| network.with_outcomes(&outcomes)),
                outcomes,
                rows,
                row_gram: gram,
                row_projection,
                input_projection: Projection::new(backend, network.a1(), &input_gram, input_ridge),
                input_gram: Arc::new(input_gram),
            });
        }
    }
}

impl<B: LinearBackend> Lift<B> {
    /// The same for a network on another number of threads.
    pub(crate) fn on(&self, backend: &B) -> Self {
        Self {
            outcomes: self.outcomes.clone(),
            network: self.network.as_ref().map(|network| network.on(backend)),
            rows: Arc::clone(&self.rows),
            row_gram: Arc::clone(&self.row_gram),
            row_projection: self.row_projection.clone(),
            input_gram: Arc::clone(&self.input_gram),
            input_projection: self.input_projection.clone(),
        }
    }

    /// The shortest a (n) with Ãa = τ: the only one, where there is no
    /// [`row_projection`](Self::row_projection).
    pub(crate) fn activations(&self, backend: &B, tau: &[B::Scalar]) -> Vec<B::Scalar> {
        let mut solution = tau.to_vec();
        backend.cholesky_solve(&self.row_gram, &mut solution, &mut B::Workspace::default());
        let mut activations = vec![B::Scalar::zero(); backend.nrows(&self.rows)];
        backend.mul_vec(&self.rows, &solution, &mut activations);
        activations
    }

    /// x (d) with A1 x nearest to `hidden` (n).
    pub(crate) fn inputs(&self, network: &TwoLayer<B>, hidden: &[B::Scalar], x: &mut [B::Scalar]) {
        let backend = network.backend();
        backend.mul_vec_transposed(network.a1(), hidden, x);
        backend.cholesky_solve(&self.input_gram, x, &mut B::Workspace::default());
    }
}

/// Whether Ãa = τ has one solution: it is made for a known a of ±1, whose part in the null space of
/// Ã, about √(n − r) long, would be lost. A tenth of what one dimension would lose is allowed for
/// rounding and the ridge.
fn is_determined<B: LinearBackend>(backend: &B, rows: &B::Matrix, gram: &B::Cholesky) -> bool {
    let (n, s) = (backend.nrows(rows), backend.ncols(rows));
    if s <= n {
        return false;
    }
    // The signs of the Thue–Morse sequence: no period that a layer could share.
    let sign = |i: usize| {
        B::Scalar::of(if i.count_ones().is_multiple_of(2) {
            1.0
        } else {
            -1.0
        })
    };
    let known: Vec<_> = (0..n).map(sign).collect();
    let mut tau = vec![B::Scalar::zero(); s];
    backend.mul_vec_transposed(rows, &known, &mut tau);
    backend.cholesky_solve(gram, &mut tau, &mut B::Workspace::default());
    let mut found = vec![B::Scalar::zero(); n];
    backend.mul_vec(rows, &tau, &mut found);
    reduce::axpy(-B::Scalar::one(), &known, &mut found);
    reduce::norm(&found) <= B::Scalar::of(0.1)
}
