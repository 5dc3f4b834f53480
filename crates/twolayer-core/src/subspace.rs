//! The null space of the normals of pinned kinks, kept by updates of a QR factorisation.

use crate::reduce;
use crate::scalar::Scalar;

/// {p ∈ R^d : aᵢᵀp = 0 for the q constraints i}: an orthogonal Q with QᵀA^T upper trapezoidal (a QR
/// factorisation of the d×q matrix of normals). The last d − q columns of Q are an orthonormal
/// basis N of the subspace.
///
/// A constraint is added by one reflector, in O(qd). One is removed by rotations of neighbouring
/// coordinates that bring the triangle back, in O(q²), each of which costs a vector that is rotated
/// later on six flops (G. H. Golub and C. F. Van Loan, Matrix Computations, §6.5.2). Reflectors of
/// removed constraints stay; where they come to outnumber the constraints, Q is built anew.
#[derive(Debug, Clone)]
pub struct Subspace<T> {
    dimension: usize,
    /// aᵢ, in the order of the triangular factor's columns.
    normals: Vec<Vec<T>>,
    /// Qᵀ is their product, the first applied first.
    transforms: Vec<Transform<T>>,
    reflectors: usize,
    /// Column j of the triangular factor: the first j + 1 entries of Qᵀa_j.
    factor: Vec<Vec<T>>,
}

#[derive(Debug, Clone)]
enum Transform<T> {
    /// I − 2vvᵀ, ‖v‖ = 1, on the coordinates from `from` on.
    Reflector { from: usize, v: Vec<T> },
    /// (u, w) ← (cosine·u + sine·w, cosine·w − sine·u) of the coordinates `at` and `at` + 1.
    Rotation { at: usize, cosine: T, sine: T },
}

/// Reflectors beyond two for each constraint that are kept before Q is built anew.
const SPARE_REFLECTORS: usize = 8;

impl<T: Scalar> Subspace<T> {
    /// All of R^d.
    pub fn whole(dimension: usize) -> Self {
        Self {
            dimension,
            normals: Vec::new(),
            transforms: Vec::new(),
            reflectors: 0,
            factor: Vec::new(),
        }
    }

    /// d.
    pub fn ambient_dimension(&self) -> usize {
        self.dimension
    }

    /// q.
    pub fn constraints(&self) -> usize {
        self.factor.len()
    }

    /// d − q.
    pub fn dimension(&self) -> usize {
        self.dimension - self.constraints()
    }

    /// aᵢ (d) of constraint number `index`, in the order in which they were added.
    pub fn normal(&self, index: usize) -> &[T] {
        &self.normals[index]
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
        let mut v = column[q..].to_vec();
        // The sign that adds: no cancellation in the first entry.
        let pivot = if v[0] > T::zero() { -tail } else { tail };
        v[0] -= pivot;
        let length = reduce::norm(&v);
        v.iter_mut().for_each(|v| *v /= length);
        column.truncate(q);
        column.push(pivot);
        self.transforms.push(Transform::Reflector { from: q, v });
        self.reflectors += 1;
        self.factor.push(column);
        self.normals.push(normal.to_vec());
        true
    }

    /// Removes constraint number `index`; those behind it move up by one.
    pub fn release(&mut self, index: usize) {
        self.normals.remove(index);
        self.factor.remove(index);
        if self.reflectors > 2 * self.constraints() + SPARE_REFLECTORS {
            return self.build_anew();
        }
        // Column i now reaches one entry below the diagonal.
        for at in index..self.constraints() {
            let (above, below) = (self.factor[at][at], self.factor[at][at + 1]);
            let length = above.hypot(below);
            let (cosine, sine) = (above / length, below / length);
            let rotation = Transform::Rotation { at, cosine, sine };
            for column in &mut self.factor[at..] {
                rotation.apply(column);
            }
            self.factor[at].truncate(at + 1);
            self.transforms.push(rotation);
        }
    }

    fn build_anew(&mut self) {
        let normals = std::mem::take(&mut self.normals);
        *self = Self::whole(self.dimension);
        for normal in &normals {
            self.constrain(normal);
        }
    }

    /// v ← Qᵀv: the first q entries are then the part outside the subspace, the others the
    /// coordinates of the part inside.
    pub fn rotate(&self, v: &mut [T]) {
        for transform in &self.transforms {
            transform.apply(v);
        }
    }

    /// v ← Qv, the inverse of [`rotate`](Subspace::rotate).
    pub fn rotate_back(&self, v: &mut [T]) {
        for transform in self.transforms.iter().rev() {
            transform.apply_transposed(v);
        }
    }

    /// v ← N Nᵀ v, the projection onto the subspace.
    pub fn project(&self, v: &mut [T]) {
        if self.constraints() == 0 {
            return;
        }
        self.rotate(v);
        v[..self.constraints()].fill(T::zero());
        self.rotate_back(v);
    }

    /// The shortest p (d) with aⱼᵀp = rⱼ for every constraint j.
    pub fn shortest(&self, r: &[T]) -> Vec<T> {
        let mut p = vec![T::zero(); self.dimension];
        for (j, column) in self.factor.iter().enumerate() {
            let known = reduce::dot(&column[..j], &p[..j]);
            p[j] = (r[j] - known) / column[j];
        }
        self.rotate_back(&mut p);
        p
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

impl<T: Scalar> Transform<T> {
    fn apply(&self, x: &mut [T]) {
        match self {
            Self::Reflector { from, v } => reflect(v, &mut x[*from..]),
            Self::Rotation { at, cosine, sine } => turn(*cosine, *sine, &mut x[*at..]),
        }
    }

    fn apply_transposed(&self, x: &mut [T]) {
        match self {
            Self::Reflector { from, v } => reflect(v, &mut x[*from..]),
            Self::Rotation { at, cosine, sine } => turn(*cosine, -*sine, &mut x[*at..]),
        }
    }
}

fn reflect<T: Scalar>(v: &[T], x: &mut [T]) {
    let dot = reduce::dot(v, x);
    reduce::axpy(-(dot + dot), v, x);
}

fn turn<T: Scalar>(cosine: T, sine: T, x: &mut [T]) {
    let (u, w) = (x[0], x[1]);
    x[0] = cosine * u + sine * w;
    x[1] = cosine * w - sine * u;
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
    fn the_shortest_step_meets_the_constraints_and_has_no_part_inside() {
        let (subspace, normals) = constrained();
        let mut p = subspace.shortest(&[0.7, -1.3]);
        assert!((reduce::dot(&normals[0], &p) - 0.7).abs() < 1e-14);
        assert!((reduce::dot(&normals[1], &p) + 1.3).abs() < 1e-14);
        subspace.project(&mut p);
        assert!(reduce::norm(&p) < 1e-14);
    }

    #[test]
    fn dependent_and_zero_normals_are_refused() {
        let (mut subspace, normals) = constrained();
        let sum: Vec<f64> = (0..4).map(|i| normals[0][i] + normals[1][i]).collect();
        assert!(!subspace.constrain(&sum));
        assert!(!subspace.constrain(&[0.0; 4]));
        assert_eq!(subspace.dimension(), 2);
    }

    /// Pins and releases in any order leave the subspace and the multipliers that a factorisation
    /// from scratch has.
    #[test]
    fn updates_agree_with_a_fresh_factorisation() {
        const D: usize = 12;
        let entry = |k: usize, i: usize| ((k * 7 + i * 3) as f64 * 1.37).sin();
        let mut updated = Subspace::<f64>::whole(D);
        for k in 0..200 {
            if k % 5 < 3 && updated.constraints() < D - 2 {
                let normal: Vec<f64> = (0..D).map(|i| entry(k, i)).collect();
                updated.constrain(&normal);
            } else if updated.constraints() > 0 {
                updated.release(k % updated.constraints());
            }
            let mut fresh = Subspace::whole(D);
            for index in 0..updated.constraints() {
                assert!(fresh.constrain(updated.normal(index)));
            }
            let v: Vec<f64> = (0..D).map(|i| entry(i, k)).collect();
            let (mut one, mut other) = (v.clone(), v.clone());
            updated.project(&mut one);
            fresh.project(&mut other);
            let pairs = one.iter().zip(&other);
            assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-10), "at {k}");
            let (mu, expected) = (updated.multipliers(&v), fresh.multipliers(&v));
            let size = 1.0 + reduce::norm(&expected);
            let pairs = mu.iter().zip(&expected);
            assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-9 * size));
            let mut back = v.clone();
            updated.rotate(&mut back);
            updated.rotate_back(&mut back);
            assert!(back.iter().zip(&v).all(|(a, b)| (a - b).abs() < 1e-13));
        }
    }
}
