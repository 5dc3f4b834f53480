//! The rows of a positive semi-definite model, and what each carries of the gradient.

use twolayer_core::{Scalar, reduce};

/// A model H̃ = JᵀJ of p rows with the gradient Jᵀs + t. The last row is e, which is told by itself.
pub(super) struct CarriedRows<T> {
    /// J (p×d, row after row).
    pub(super) entries: Vec<T>,
    /// s (p).
    pub(super) carried: Vec<T>,
    /// t, the part of the gradient that is told as it is (d).
    pub(super) rest: Vec<T>,
}

impl<T: Scalar> CarriedRows<T> {
    /// Of so many rows, e not counted, of d unknowns.
    pub(super) fn new(rows: usize, d: usize) -> Self {
        let zeros = |length| vec![T::zero(); length];
        Self {
            entries: zeros((rows + 1) * d),
            carried: zeros(rows + 1),
            rest: zeros(d),
        }
    }

    /// p − 1.
    pub(super) fn others(&self) -> usize {
        self.carried.len() - 1
    }

    /// d.
    pub(super) fn dimension(&self) -> usize {
        self.rest.len()
    }

    /// e = `length`·`direction`, and what of the gradient lies along `direction`.
    pub(super) fn set_extra_row(&mut self, length: T, direction: &[T], along: T) {
        let (d, last) = (self.dimension(), self.others());
        for (e, &c) in self.entries[last * d..].iter_mut().zip(direction) {
            *e = length * c;
        }
        self.carried[last] = T::zero();
        if length > T::zero() {
            self.carried[last] = along / length;
        } else {
            reduce::axpy(along, direction, &mut self.rest);
        }
    }

    /// Forgets the gradient; what is written here takes its place.
    pub(super) fn replace_gradient(&mut self) -> &mut [T] {
        self.carried.fill(T::zero());
        &mut self.rest
    }

    /// trace(H̃)/d.
    pub(super) fn mean_eigenvalue(&self) -> T {
        let norm = reduce::norm(&self.entries);
        norm / T::of(self.dimension() as f64) * norm
    }

    /// product = H̃ p.
    pub(super) fn apply(&self, p: &[T], product: &mut [T]) {
        product.fill(T::zero());
        for row in self.entries.chunks_exact(p.len()) {
            let projection = reduce::dot(row, p);
            reduce::axpy(projection, row, product);
        }
    }
}
