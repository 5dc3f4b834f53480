//! The frozen network: validated once, then trusted.

pub(crate) mod masks;

use crate::deep::checked_norms;
use num_traits::{Float, Zero};
use std::sync::Arc;
use twolayer_core::{Error, LinearBackend, RowNorms, Scalar, Softmax};

/// x ↦ softmax(A2 φ(A1 x + c1) + c2) with φ = ReLU; A1 is n×d, A2 is m×n.
///
/// The matrices are moved in, in the library's own type and layout, and are never copied.
/// Everything in a `TwoLayer` is finite, but for −∞ in c2, and fits together, which is why no later call
/// checks it.
/// A clone shares the matrices.
#[derive(Debug, Clone)]
pub struct TwoLayer<B: LinearBackend> {
    backend: B,
    a1: Arc<B::Matrix>,
    bias1: Vec<B::Scalar>,
    a2: Arc<B::Matrix>,
    bias2: Vec<B::Scalar>,
    /// Of the rows of A1 and of A2.
    a1_norms: Arc<RowNorms>,
    a2_norms: Arc<RowNorms>,
}

impl<B: LinearBackend> TwoLayer<B> {
    /// The network of the paper (arXiv 2308.08358), without biases.
    ///
    /// # Errors
    /// A dimension of zero, an A2 with other than n columns, an entry that is NaN or infinite.
    pub fn new(backend: B, a1: B::Matrix, a2: B::Matrix) -> Result<Self, Error> {
        let a1_norms = checked_norms(&backend, "A1", &a1)?;
        let (hidden, outcomes) = (backend.nrows(&a1), backend.nrows(&a2));
        if backend.ncols(&a2) != hidden {
            return Err(Error::Shape {
                name: "A2",
                found: format!("({outcomes}, {})", backend.ncols(&a2)),
                expected: format!("(m, {hidden}): a column for each row of A1"),
            });
        }
        let a2_norms = checked_norms(&backend, "A2", &a2)?;
        let bias1 = vec![num_traits::Zero::zero(); hidden];
        let bias2 = vec![num_traits::Zero::zero(); outcomes];
        Ok(Self {
            backend,
            a1: Arc::new(a1),
            bias1,
            a2: Arc::new(a2),
            bias2,
            a1_norms: Arc::new(a1_norms),
            a2_norms: Arc::new(a2_norms),
        })
    }

    /// The same network with biases c1 (n) and c2 (m). An outcome whose entry of c2 is −∞ never comes: it
    /// is masked.
    ///
    /// # Errors
    /// A wrong length, an entry that is NaN or infinite, but for −∞ in c2, or a c2 of nothing else.
    pub fn with_biases(
        mut self,
        bias1: Vec<B::Scalar>,
        bias2: Vec<B::Scalar>,
    ) -> Result<Self, Error> {
        Error::check_length("c1", bias1.len(), self.hidden_units())?;
        Error::check_length("c2", bias2.len(), self.outcomes())?;
        Error::check_finite("c1", &bias1)?;
        masks::check("c2", &bias2)?;
        self.bias1 = bias1;
        self.bias2 = bias2;
        Ok(self)
    }

    /// The same network, its matrices shared and not copied, on at most so many threads.
    #[must_use]
    pub fn with_threads(&self, threads: usize) -> Self {
        self.on(&self.backend.with_threads(threads))
    }

    /// The same network on another backend value, one of another number of threads.
    pub(crate) fn on(&self, backend: &B) -> Self {
        Self {
            backend: backend.clone(),
            ..self.clone()
        }
    }

    /// The same network with some of its outcomes only.
    pub(crate) fn with_outcomes(&self, outcomes: &[usize]) -> Self {
        let mut a2 = self.backend.zeros(outcomes.len(), self.hidden_units());
        self.backend.copy_rows(&self.a2, outcomes, &mut a2);
        Self {
            backend: self.backend.clone(),
            a1: Arc::clone(&self.a1),
            bias1: self.bias1.clone(),
            a2: Arc::new(a2),
            bias2: outcomes.iter().map(|&i| self.bias2[i]).collect(),
            a1_norms: Arc::clone(&self.a1_norms),
            a2_norms: Arc::new(self.a2_norms.select(outcomes)),
        }
    }

    /// The same second layer, its matrix shared, behind another A1 (n×d, any d).
    pub(crate) fn with_first_layer(&self, a1: B::Matrix) -> Self {
        Self {
            a1_norms: Arc::new(self.backend.row_norms(&a1)),
            a1: Arc::new(a1),
            ..self.clone()
        }
    }

    /// d, the number of unknowns.
    pub fn inputs(&self) -> usize {
        self.backend.ncols(&self.a1)
    }

    /// n, the number of ReLU units.
    pub fn hidden_units(&self) -> usize {
        self.backend.nrows(&self.a1)
    }

    /// m, the number of outcomes.
    pub fn outcomes(&self) -> usize {
        self.backend.nrows(&self.a2)
    }

    /// The linear algebra library.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// A1 (n×d).
    pub fn a1(&self) -> &B::Matrix {
        &self.a1
    }

    /// c1 (n).
    pub fn bias1(&self) -> &[B::Scalar] {
        &self.bias1
    }

    /// A2 (m×n).
    pub fn a2(&self) -> &B::Matrix {
        &self.a2
    }

    /// c2 (m).
    pub fn bias2(&self) -> &[B::Scalar] {
        &self.bias2
    }

    /// The norms of the rows of A1.
    pub(crate) fn a1_norms(&self) -> &RowNorms {
        &self.a1_norms
    }

    /// The norms of the rows of A2.
    pub(crate) fn a2_norms(&self) -> &RowNorms {
        &self.a2_norms
    }

    /// Gives A1 and A2 back, without a copy where no clone of the network is left.
    pub fn into_matrices(self) -> (B::Matrix, B::Matrix) {
        (Arc::unwrap_or_clone(self.a1), Arc::unwrap_or_clone(self.a2))
    }

    /// Whether the outcomes `among` all have the same odds at every x, because their rows of A2 are the same, to
    /// rounding, or A1 is zero: two products with numbers that have no pattern tell.
    pub(crate) fn has_constant_odds(&self, among: impl Fn(usize) -> bool) -> bool {
        let spread = |length: usize| -> Vec<B::Scalar> {
            (0..length)
                .map(|i| B::Scalar::of(1.0 + (i as f64).sin()))
                .collect()
        };
        let mut hidden = vec![B::Scalar::zero(); self.hidden_units()];
        self.backend
            .mul_vec(&self.a1, &spread(self.inputs()), &mut hidden);
        if hidden.iter().all(|h| *h == B::Scalar::zero()) {
            return true;
        }
        let mut logits = vec![B::Scalar::zero(); self.outcomes()];
        self.backend
            .mul_vec(&self.a2, &spread(self.hidden_units()), &mut logits);
        let ends = (B::Scalar::infinity(), B::Scalar::neg_infinity());
        let products = logits.iter().enumerate().filter(|&(i, _)| among(i));
        let (least, most) =
            products.fold(ends, |(least, most), (_, &z)| (least.min(z), most.max(z)));
        let largest = most.abs().max(least.abs());
        most - least <= B::Scalar::of(64.0) * B::Scalar::UNIT_ROUNDOFF * largest
    }

    /// The network's output softmax(A2 φ(A1 x + c1) + c2) (m) at `x` (d).
    ///
    /// # Errors
    /// An x of the wrong length, or with an entry that is NaN or infinite; logits that overflow.
    pub fn probabilities(&self, x: &[B::Scalar]) -> Result<Vec<B::Scalar>, Error> {
        Error::check_length("x", x.len(), self.inputs())?;
        Error::check_finite("x", x)?;
        let mut pass = ForwardPass::new(self.hidden_units(), self.outcomes());
        self.forward(x, &[], &mut pass);
        if !twolayer_core::reduce::all_finite(&pass.probabilities) {
            return Err(Error::Overflow {
                quantity: "network's output",
                at: "x",
            });
        }
        Ok(pass.probabilities)
    }

    /// Runs the network on `x` (d entries), with h of the units in `pinned` set to exactly 0.
    ///
    /// Reads A1 once and the active columns of A2 once: 2nd + 2mk flops, k active units.
    pub fn forward(&self, x: &[B::Scalar], pinned: &[usize], pass: &mut ForwardPass<B::Scalar>) {
        self.backend.mul_vec(&self.a1, x, &mut pass.hidden);
        for (h, &c) in pass.hidden.iter_mut().zip(&self.bias1) {
            *h += c;
        }
        for &unit in pinned {
            pass.hidden[unit] = num_traits::Zero::zero();
        }
        for (state, &h) in pass.pattern.iter_mut().zip(&pass.hidden) {
            *state = h > num_traits::Zero::zero();
        }
        pass.list_active();
        pass.active_hidden.clear();
        pass.active_hidden
            .extend(pass.active.iter().map(|&i| pass.hidden[i]));
        self.backend.mul_vec_columns(
            &self.a2,
            &pass.active,
            &pass.active_hidden,
            &mut pass.products,
        );
        for ((z, &u), &c) in pass.logits.iter_mut().zip(&pass.products).zip(&self.bias2) {
            *z = u + c;
        }
        pass.normalize();
    }

    /// C v for C = A2 diag(s) A1 and s the indicator of `active`, without forming C.
    ///
    /// `v` has d entries, `product` m. `hidden` and `selected` are scratch.
    pub fn jacobian_vec(
        &self,
        active: &[usize],
        v: &[B::Scalar],
        scratch: &mut HiddenScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        scratch.resize(self.hidden_units());
        self.backend.mul_vec(&self.a1, v, &mut scratch.full);
        scratch.selected.clear();
        scratch
            .selected
            .extend(active.iter().map(|&i| scratch.full[i]));
        self.backend
            .mul_vec_columns(&self.a2, active, &scratch.selected, product);
    }

    /// Cᵀ y for C = A2 diag(s) A1 and s the indicator of `active`, without forming C.
    ///
    /// `y` has m entries, `product` d.
    pub fn jacobian_transposed_vec(
        &self,
        active: &[usize],
        y: &[B::Scalar],
        scratch: &mut HiddenScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        self.pull_back(active, y, scratch);
        self.pull_back_selected(active, scratch, product);
    }

    /// A2ᵀ y of the `active` units, in `scratch`.
    pub(crate) fn pull_back<'s>(
        &self,
        active: &[usize],
        y: &[B::Scalar],
        scratch: &'s mut HiddenScratch<B::Scalar>,
    ) -> &'s [B::Scalar] {
        scratch.select(self.hidden_units(), active.len());
        self.backend
            .mul_vec_transposed_columns(&self.a2, active, y, &mut scratch.selected);
        &scratch.selected
    }

    /// Cᵀ y for each of two `y` (m), written to its `product` (d), as by
    /// [`jacobian_transposed_vec`](TwoLayer::jacobian_transposed_vec) bit by bit: 4mk + 4nd flops, k active
    /// units, in one pass over A2 where the backend has such a kernel.
    pub fn jacobian_transposed_two_vecs(
        &self,
        active: &[usize],
        y: [&[B::Scalar]; 2],
        [scratch, other_scratch]: [&mut HiddenScratch<B::Scalar>; 2],
        [product, other_product]: [&mut [B::Scalar]; 2],
    ) {
        scratch.select(self.hidden_units(), active.len());
        other_scratch.select(self.hidden_units(), active.len());
        let selected = [&mut scratch.selected[..], &mut other_scratch.selected[..]];
        self.backend
            .mul_two_vecs_transposed_columns(&self.a2, active, y, selected);
        self.pull_back_selected(active, scratch, product);
        self.pull_back_selected(active, other_scratch, other_product);
    }

    /// product = A1ᵀ t (d), t of the active units selected and 0 of the others.
    fn pull_back_selected(
        &self,
        active: &[usize],
        scratch: &mut HiddenScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        scratch.full.fill(num_traits::Zero::zero());
        for (&i, &t) in active.iter().zip(&scratch.selected) {
            scratch.full[i] = t;
        }
        self.backend
            .mul_vec_transposed(&self.a1, &scratch.full, product);
    }
}

/// Scratch of the products with C and Cᵀ: one vector over all units, one over the active ones.
#[derive(Debug, Clone, Default)]
pub struct HiddenScratch<T> {
    full: Vec<T>,
    selected: Vec<T>,
}

impl<T: twolayer_core::Scalar> HiddenScratch<T> {
    /// For a network with n `hidden` units.
    pub(crate) fn new(hidden: usize) -> Self {
        let mut scratch = Self::default();
        scratch.resize(hidden);
        scratch
    }

    /// Has room for `active` selected units.
    fn select(&mut self, hidden: usize, active: usize) {
        self.resize(hidden);
        self.selected.resize(active, T::zero());
    }

    fn resize(&mut self, hidden: usize) {
        self.full.resize(hidden, T::zero());
        // Room for any pattern at once: a pattern that grows must not allocate.
        self.selected
            .reserve(hidden.saturating_sub(self.selected.len()));
    }
}

/// Scratch of products with a Hessian.
#[derive(Debug, Clone, Default)]
pub struct ProductScratch<T> {
    pub(crate) hidden: HiddenScratch<T>,
    /// Over the rows of C.
    pub(crate) rows: [Vec<T>; 2],
}

impl<T: twolayer_core::Scalar> ProductScratch<T> {
    pub(crate) fn rows(&mut self, length: usize) -> (&mut HiddenScratch<T>, &mut [T], &mut [T]) {
        for vector in &mut self.rows {
            vector.resize(length, T::zero());
        }
        let [first, second] = &mut self.rows;
        (&mut self.hidden, first, second)
    }
}

/// Everything that one run of the network computes.
#[derive(Debug, Clone)]
pub struct ForwardPass<T> {
    /// h = A1 x + c1 (n).
    pub hidden: Vec<T>,
    /// s = 1\[h > 0\] (n).
    pub pattern: Vec<bool>,
    /// The units with s = 1, increasing.
    pub active: Vec<usize>,
    /// h of the active units.
    pub(crate) active_hidden: Vec<T>,
    /// u = A2 φ(h) (m).
    pub products: Vec<T>,
    /// z = u + c2 (m).
    pub logits: Vec<T>,
    /// log f (m), exact to rounding also where f underflows.
    pub log_probabilities: Vec<T>,
    /// f = softmax(z) (m).
    pub probabilities: Vec<T>,
}

impl<T: twolayer_core::Scalar> ForwardPass<T> {
    /// Buffers for a network with n `hidden` units and m `outcomes`.
    pub fn new(hidden: usize, outcomes: usize) -> Self {
        Self {
            hidden: vec![T::zero(); hidden],
            pattern: vec![false; hidden],
            active: Vec::with_capacity(hidden),
            active_hidden: Vec::with_capacity(hidden),
            products: vec![T::zero(); outcomes],
            logits: vec![T::zero(); outcomes],
            log_probabilities: vec![T::zero(); outcomes],
            probabilities: vec![T::zero(); outcomes],
        }
    }

    /// Becomes another pass of the same network.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        let Self {
            hidden,
            pattern,
            active,
            active_hidden,
            products,
            logits,
            log_probabilities,
            probabilities,
        } = self;
        hidden.copy_from_slice(&other.hidden);
        pattern.copy_from_slice(&other.pattern);
        active.clone_from(&other.active);
        active_hidden.clone_from(&other.active_hidden);
        products.copy_from_slice(&other.products);
        logits.copy_from_slice(&other.logits);
        log_probabilities.copy_from_slice(&other.log_probabilities);
        probabilities.copy_from_slice(&other.probabilities);
    }

    /// Chooses the side from which a unit on its kink (h = 0) is differentiated.
    pub(crate) fn choose_side(&mut self, unit: usize, active: bool) {
        self.pattern[unit] = active;
        self.list_active();
    }

    /// f and log f from the logits.
    pub(crate) fn normalize(&mut self) {
        Softmax::with_logarithms(
            &self.logits,
            &mut self.log_probabilities,
            &mut self.probabilities,
        );
    }

    fn list_active(&mut self) {
        self.active.clear();
        self.active
            .extend((0..self.pattern.len()).filter(|&unit| self.pattern[unit]));
    }
}
