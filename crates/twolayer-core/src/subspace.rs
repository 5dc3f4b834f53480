//! The null space of the normals of pinned kinks, kept as Householder reflectors.

use crate::{Scalar, reduce};

/// {p ∈ R^d : aᵢᵀp = 0 for the q constraints i}, as Q = H₁⋯H_q with QᵀA^T upper trapezoidal (a QR
/// factorisation of the d×q matrix of normals): the last d − q columns of Q are an orthonormal
/// basis N of the subspace.
///
/// A constraint is added by one more reflector, in O(qd); removing one refactors those behind it.
#[derive(Debug, Clone)]
pub struct Subspace<T> {
    dimension: usize,
    /// v with H = I − 2vvᵀ, ‖v‖ = 1; entries of v before its own position are zero.
    reflectors: Vec<Vec<T>>,
    /// Column j of the triangular factor: the first j + 1 entries of Qᵀa_j.
    factor: Vec<Vec<T>>,
}

impl<T: Scalar> Subspace<T> {
    /// All of R^d.
    pub fn whole(dimension: usize) -> Self {
        Self {
            dimension,
            reflectors: Vec::new(),
            factor: Vec::new(),
        }
    }

    /// d.
    pub fn ambient_dimension(&self) -> usize {
        self.dimension
    }

    /// q.
    pub fn constraints(&self) -> usize {
        self.reflectors.len()
    }

    /// d − q.
    pub fn dimension(&self) -> usize {
        self.dimension - self.constraints()
    }

    /// Adds the constraint aᵀp = 0. Returns false, and changes nothing, where `normal` depends
    /// linearly on the constraints that are there already (to √roundoff), or is zero.
    pub fn constrain(&mut self, normal: &[T]) -> bool {
        let q = self.constraints();
        if q == self.dimension {
            return false;
        }
        let mut column = normal.to_vec();
        self.rotate(&mut column);
        let tail = reduce::norm(&column[q..]);
        if tail.is_nan() || tail <= T::UNIT_ROUNDOFF.sqrt() * reduce::norm(normal) {
            return false;
        }
        let mut reflector = vec![T::zero(); self.dimension];
        reflector[q..].copy_from_slice(&column[q..]);
        // The sign that adds: no cancellation in the first entry.
        let pivot = if column[q] > T::zero() { -tail } else { tail };
        reflector[q] -= pivot;
        let length = reduce::norm(&reflector);
        reflector.iter_mut().for_each(|v| *v /= length);
        column.truncate(q);
        column.push(pivot);
        self.reflectors.push(reflector);
        self.factor.push(column);
        true
    }

    /// v ← Qᵀv: the first q entries are then the part outside the subspace, the others the
    /// coordinates of the part inside.
    pub fn rotate(&self, v: &mut [T]) {
        for reflector in &self.reflectors {
            reflect(reflector, v);
        }
    }

    /// v ← Qv, the inverse of [`rotate`](Subspace::rotate).
    pub fn rotate_back(&self, v: &mut [T]) {
        for reflector in self.reflectors.iter().rev() {
            reflect(reflector, v);
        }
    }

    /// v ← N Nᵀ v, the projection onto the subspace.
    pub fn project(&self, v: &mut [T]) {
        if self.reflectors.is_empty() {
            return;
        }
        self.rotate(v);
        v[..self.constraints()].fill(T::zero());
        self.rotate_back(v);
    }

    /// The least-squares solution μ (q) of Σ μⱼ aⱼ ≈ −gradient.
    pub fn multipliers(&self, gradient: &[T]) -> Vec<T> {
        let q = self.constraints();
        let mut rotated = gradient.to_vec();
        self.rotate(&mut rotated);
        let mut multipliers: Vec<T> = rotated[..q].iter().map(|&g| -g).collect();
        for j in (0..q).rev() {
            let column = &self.factor[j];
            multipliers[j] /= column[j];
            let mu = multipliers[j];
            reduce::axpy(-mu, &column[..j], &mut multipliers[..j]);
        }
        multipliers
    }
}

fn reflect<T: Scalar>(reflector: &[T], v: &mut [T]) {
    let twice = -(reduce::dot(reflector, v) + reduce::dot(reflector, v));
    reduce::axpy(twice, reflector, v);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constrained() -> (Subspace<f64>, [[f64; 4]; 2]) {
        let normals = [[1.0, 2.0, 0.0, -1.0], [0.0, 1.0, 3.0, 1.0]];
        let mut subspace = Subspace::whole(4);
        assert!(normals.iter().all(|normal| subspace.constrain(normal)));
        (subspace, normals)
    }

    #[test]
    fn projections_are_orthogonal_to_every_normal() {
        let (subspace, normals) = constrained();
        let mut p = [0.3, -1.0, 2.0, 5.0];
        subspace.project(&mut p);
        assert!(reduce::norm(&p) > 1.0);
        for normal in normals {
            assert!(reduce::dot(&normal, &p).abs() < 1e-14);
        }
    }

    #[test]
    fn multipliers_recover_a_combination_of_normals() {
        let (subspace, normals) = constrained();
        let g: Vec<f64> = (0..4)
            .map(|i| -(2.0 * normals[0][i] - 3.0 * normals[1][i]))
            .collect();
        let mu = subspace.multipliers(&g);
        assert!((mu[0] - 2.0).abs() < 1e-14 && (mu[1] + 3.0).abs() < 1e-14);
    }

    #[test]
    fn dependent_and_zero_normals_are_refused() {
        let (mut subspace, normals) = constrained();
        let sum: Vec<f64> = (0..4).map(|i| normals[0][i] + normals[1][i]).collect();
        assert!(!subspace.constrain(&sum));
        assert!(!subspace.constrain(&[0.0; 4]));
        assert_eq!(subspace.dimension(), 2);
    }
}
