//! The curvature of an objective, row by row.

use crate::reduce;
use crate::scalar::Scalar;

/// Which row weights β a second-order model uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowWeights {
    /// The Hessian's own; may be negative.
    Exact,
    /// β⁺ = max(β, 0): the smallest positive semi-definite majorant row by row.
    Convexified,
    /// What remains where the residual is neglected; never negative.
    GaussNewton,
    /// For a loss whose curvature vanishes far from its minimum: the slopes of secants to the minimum, by
    /// which a full step would reach it, were the rows free; never negative. For other losses the same as
    /// `Convexified`.
    Secant,
}

/// The curvature of an objective in the rows of C.
#[derive(Debug, Clone, Default)]
pub struct Curvature<T> {
    /// The center (m): entries that sum to 1, or zeros where the rows are to be taken as they are.
    pub center: Vec<T>,
    /// β (m).
    pub row_weights: Vec<T>,
    /// ω = w² (m) of the regulariser; empty where there is none.
    pub uncentered_weights: Vec<T>,
}

impl<T: Scalar> Curvature<T> {
    /// Buffers for m rows.
    pub fn new(rows: usize) -> Self {
        Self {
            center: vec![T::zero(); rows],
            row_weights: vec![T::zero(); rows],
            uncentered_weights: Vec::new(),
        }
    }
}

impl<T: Scalar> Curvature<T> {
    /// product = \[(I − 1 centerᵀ)ᵀ diag(β) (I − 1 centerᵀ) + diag(ω)\] y.
    pub fn row_product(&self, y: &[T], product: &mut [T]) {
        let mean = reduce::dot(&self.center, y);
        for ((p, &y), &beta) in product.iter_mut().zip(y).zip(&self.row_weights) {
            *p = beta * (y - mean);
        }
        let total = reduce::sum(product);
        for (p, &center) in product.iter_mut().zip(&self.center) {
            *p -= center * total;
        }
        for ((p, &y), &omega) in product.iter_mut().zip(y).zip(&self.uncentered_weights) {
            *p += omega * y;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entry by entry: Σₖ (δₖᵢ − cᵢ) βₖ (δₖⱼ − cⱼ) + δᵢⱼ ωᵢ, in powers of two, without rounding.
    #[test]
    fn the_product_is_that_of_the_centred_matrix() {
        let center = [0.5, 0.25, 0.25];
        let beta = [2.0, -1.0, 4.0];
        for omega in [vec![], vec![1.0, 8.0, 0.5]] {
            let curvature = Curvature {
                center: center.to_vec(),
                row_weights: beta.to_vec(),
                uncentered_weights: omega.clone(),
            };
            for j in 0..3 {
                let (mut unit, mut column) = ([0.0; 3], [7.0; 3]);
                unit[j] = 1.0;
                curvature.row_product(&unit, &mut column);
                for i in 0..3 {
                    let delta = |k: usize, l: usize| f64::from(u8::from(k == l));
                    let term =
                        |k: usize| (delta(k, i) - center[i]) * beta[k] * (delta(k, j) - center[j]);
                    let penalty = omega.get(i).map_or(0.0, |omega| delta(i, j) * omega);
                    assert_eq!(
                        column[i],
                        (0..3).map(term).sum::<f64>() + penalty,
                        "{i} {j}"
                    );
                }
            }
        }
    }
}
