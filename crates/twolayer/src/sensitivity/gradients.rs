//! A gradient by what a problem is made of.

use twolayer_core::Scalar;

/// The gradient of vᵀx\* by everything that a problem is made of: what a [`vjp`](crate::Sensitivity::vjp) gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients<T> {
    /// By b (m), each entry for itself: along changes that sum to 0 it is the same with any multiple of 1 added. 0
    /// where an outcome is masked. `None` where the loss does not [tell](crate::Loss::target_product).
    pub target: Option<Vec<T>>,
    /// By A and c of each layer, from the first to the last.
    pub layers: Vec<LayerGradient<T>>,
    /// By w (m), where there is a regulariser.
    pub regularizer: Option<Vec<T>>,
    /// By x_ref (d), where there is a nearness.
    pub reference: Option<Vec<T>>,
    /// By μD² (d), where there is a nearness.
    pub curvatures: Option<Vec<T>>,
    /// By l (d), where there are bounds; of an entry with l = u it is 0.
    pub lower: Option<Vec<T>>,
    /// By u (d), where there are bounds; of an entry with l = u by both, moved together.
    pub upper: Option<Vec<T>>,
    /// By R, where there is one.
    pub radius: Option<T>,
}

/// The gradient by a layer h = A a + c.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerGradient<T> {
    /// By c; 0 where it is −∞.
    pub bias: Vec<T>,
    /// By A it is l₀r₀ᵀ + l₁r₁ᵀ, with l₀, l₁ the `left` and r₀, r₁ the `right` vectors: a matrix of rank two.
    pub left: [Vec<T>; 2],
    /// See [`left`](LayerGradient::left).
    pub right: [Vec<T>; 2],
}

impl<T: Scalar> LayerGradient<T> {
    /// Writes the gradient by A to `values`, row after row.
    ///
    /// # Panics
    /// Where `values` has other than as many entries as A.
    pub fn write_weights(&self, values: &mut [T]) {
        let ([first, second], [right, other]) = (&self.left, &self.right);
        assert_eq!(values.len(), first.len() * right.len());
        let rows = values.chunks_exact_mut(right.len().max(1));
        for ((row, &first), &second) in rows.zip(first).zip(second) {
            for ((value, &right), &other) in row.iter_mut().zip(right).zip(other) {
                *value = first * right + second * other;
            }
        }
    }
}
