//! An affine map, and a hidden layer.

use num_traits::Zero;
use std::sync::Arc;
use twolayer_core::{Activation, Error, Kink, LinearBackend, RowNorms, Scalar};

/// a ↦ A a + c; a clone shares A.
#[derive(Debug, Clone)]
pub(super) struct Affine<B: LinearBackend> {
    pub(super) weights: Arc<B::Matrix>,
    pub(super) bias: Vec<B::Scalar>,
    /// Of the rows of A.
    pub(super) norms: Arc<RowNorms>,
}

impl<B: LinearBackend> Affine<B> {
    pub(super) fn new(backend: &B, name: &'static str, weights: B::Matrix) -> Result<Self, Error> {
        let norms = checked_norms(backend, name, &weights)?;
        Ok(Self {
            bias: vec![B::Scalar::zero(); backend.nrows(&weights)],
            weights: Arc::new(weights),
            norms: Arc::new(norms),
        })
    }

    /// product = A a for `a` of which the entries `on` are not zero, `selected` scratch.
    pub(super) fn product(
        &self,
        backend: &B,
        a: &[B::Scalar],
        on: &[usize],
        selected: &mut Vec<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        if on.len() == a.len() {
            return backend.mul_vec(&self.weights, a, product);
        }
        selected.clear();
        selected.extend(on.iter().map(|&i| a[i]));
        backend.mul_vec_columns(&self.weights, on, selected, product);
    }
}

/// The norms of the rows of a matrix with at least one row and column, and finite entries.
pub(crate) fn checked_norms<B: LinearBackend>(
    backend: &B,
    name: &'static str,
    a: &B::Matrix,
) -> Result<RowNorms, Error> {
    let (nrows, ncols) = (backend.nrows(a), backend.ncols(a));
    if nrows == 0 || ncols == 0 {
        return Err(Error::Empty {
            name,
            found: format!("({nrows}, {ncols})"),
        });
    }
    let norms = backend.row_norms(a);
    // Squares may overflow where the entries do not.
    if !norms.are_finite()
        && let Some((row, column)) = backend.find_non_finite(a)
    {
        let mut entries = vec![B::Scalar::zero(); nrows * ncols];
        backend.copy_to_row_major(a, &mut entries);
        return Err(Error::NotFinite {
            name,
            index: format!("{row}, {column}"),
            value: entries[row * ncols + column].to_f64(),
        });
    }
    Ok(norms)
}

/// A hidden layer: an affine map and an activation.
#[derive(Debug, Clone)]
pub(super) struct Hidden<B: LinearBackend> {
    pub(super) affine: Affine<B>,
    pub(super) activation: Arc<dyn Activation<B::Scalar>>,
    /// The kinks of each unit.
    pub(super) kinks: Vec<Kink<B::Scalar>>,
    /// The number of the first kink of the first unit: those of a unit follow each other.
    pub(super) first_kink: usize,
    /// Where the activation bends, the number of the first of the rows of J_l, behind those of the logits.
    pub(super) first_row: Option<usize>,
}

impl<B: LinearBackend> Hidden<B> {
    /// n_l.
    pub(super) fn units(&self) -> usize {
        self.affine.bias.len()
    }

    /// The numbers of the layer's kinks.
    pub(super) fn kink_numbers(&self) -> std::ops::Range<usize> {
        self.first_kink..self.first_kink + self.units() * self.kinks.len()
    }

    /// Unit, and which of its kinks, of a kink of this layer.
    pub(super) fn unit_of(&self, kink: usize) -> (usize, usize) {
        let number = kink - self.first_kink;
        (number / self.kinks.len(), number % self.kinks.len())
    }
}
