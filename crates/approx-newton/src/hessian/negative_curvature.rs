//! The direction in which the Hessian bends down most, by Lanczos' iteration.

use num_traits::{Float, Zero};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_core::{
    Curvature, RowStructured, RowWeights, Scalar, Subspace, reduce, solve_upper, spectrum,
};

/// Products with the Hessian that are spent at most.
const MOST_PRODUCTS: usize = 40;
/// Products after which the least Ritz value is looked at.
const LOOKS: [usize; 5] = [8, 12, 16, 24, 32];
/// A negative Ritz value is known well enough where its residual is below this part of it.
const WELL_ENOUGH: f64 = 0.1;

/// A direction v (d), ‖v‖ = 1, in `subspace` with vᵀHv clearly negative, H the exact Hessian at a
/// point, and vᵀHv; `None` where none is found.
///
/// Lanczos' iteration with full reorthogonalisation from a random vector, on R⁻ᵀHR⁻¹ where a model
/// has a `factor` R, RᵀR ≈ H (upper triangular, row after row, in the d − q coordinates of the
/// subspace): by Sylvester's law of inertia it bends down where H does, and most of its other
/// eigenvalues are near 1, so that few products tell. The least Ritz value is an upper bound of the least eigenvalue, so that what is found is
/// there; what is not found may be. Cost: 8mk flops for each of at most 40 products. Nothing is
/// computed where no row weight is negative: H is positive semi-definite then.
pub(super) fn negative_curvature<O: RowStructured>(
    objective: &O,
    at: &O::Evaluation,
    subspace: &Subspace<O::Scalar>,
    factor: Option<&[O::Scalar]>,
) -> Option<(Vec<O::Scalar>, O::Scalar)> {
    let mut curvature = Curvature::new(objective.rows());
    objective.curvature(at, RowWeights::Exact, &mut curvature);
    if curvature
        .row_weights
        .iter()
        .all(|&beta| beta >= O::Scalar::zero())
    {
        return None;
    }
    let (d, free) = (objective.dimension(), subspace.dimension());
    let space = Coordinates { subspace, factor };
    let mut scratch = O::Scratch::default();
    let (mut full, mut product) = (vec![O::Scalar::zero(); d], vec![O::Scalar::zero(); d]);
    let mut lanczos = Lanczos::new(free)?;
    while lanczos.size() < MOST_PRODUCTS {
        space.leave(lanczos.vector(), &mut full);
        objective.hessian_vec(at, &curvature, &full, &mut scratch, &mut product);
        let complete = !lanczos.go_on(space.enter(&mut product));
        if !complete && !LOOKS.contains(&lanczos.size()) {
            continue;
        }
        let least = lanczos.least();
        if least.value > least.residual {
            return None;
        }
        if complete || least.residual < -WELL_ENOUGH * least.value {
            break;
        }
    }
    space.leave(&lanczos.least().vector, &mut full);
    normalize(&mut full)?;
    objective.hessian_vec(at, &curvature, &full, &mut scratch, &mut product);
    let bend = reduce::dot(&full, &product);
    // Beyond what rounding makes of zero.
    let size = match factor {
        Some(factor) => reduce::dot(factor, factor),
        None => O::Scalar::of(lanczos.least().largest),
    };
    (bend < -O::Scalar::UNIT_ROUNDOFF.sqrt() * size).then_some((full, bend))
}

/// Coordinates of a subspace, those in which a model is the identity where there is one.
struct Coordinates<'f, T> {
    subspace: &'f Subspace<T>,
    factor: Option<&'f [T]>,
}

impl<T: Scalar> Coordinates<'_, T> {
    /// p (d) of coordinates.
    fn leave(&self, coordinates: &[T], p: &mut [T]) {
        let (pinned, free) = p.split_at_mut(self.subspace.constraints());
        pinned.fill(T::zero());
        free.copy_from_slice(coordinates);
        if let Some(factor) = self.factor {
            solve_upper(factor, free, false);
        }
        self.subspace.rotate_back(p);
    }

    /// The coordinates of a gradient (d), which is overwritten.
    fn enter<'g>(&self, gradient: &'g mut [T]) -> &'g [T] {
        self.subspace.rotate(gradient);
        let free = &mut gradient[self.subspace.constraints()..];
        if let Some(factor) = self.factor {
            solve_upper(factor, free, true);
        }
        free
    }
}

/// Lanczos' iteration: an orthonormal basis in which a symmetric matrix is tridiagonal.
struct Lanczos<T> {
    basis: Vec<Vec<T>>,
    /// The one to come, unless the basis is complete.
    next: Vec<T>,
    diagonal: Vec<f64>,
    off_diagonal: Vec<f64>,
}

/// The least eigenvalue of the tridiagonal matrix.
struct Least<T> {
    value: f64,
    /// An eigenvalue of the whole matrix is so near.
    residual: f64,
    vector: Vec<T>,
    /// The largest of all in size.
    largest: f64,
}

impl<T: Scalar> Lanczos<T> {
    /// From a random vector.
    fn new(dimension: usize) -> Option<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let entry = |_| T::of(random.random_range(-1.0..1.0));
        let mut next: Vec<T> = (0..dimension).map(entry).collect();
        normalize(&mut next)?;
        Some(Self {
            basis: Vec::new(),
            next,
            diagonal: Vec::new(),
            off_diagonal: Vec::new(),
        })
    }

    fn size(&self) -> usize {
        self.basis.len()
    }

    /// What the next product is to be with.
    fn vector(&self) -> &[T] {
        &self.next
    }

    /// Takes in the product with the [`vector`](Lanczos::vector). Returns false where the basis is
    /// complete.
    fn go_on(&mut self, product: &[T]) -> bool {
        let mut next = product.to_vec();
        self.diagonal.push(reduce::dot(&next, &self.next).to_f64());
        self.basis.push(std::mem::take(&mut self.next));
        // Twice is enough.
        for _ in 0..2 {
            for earlier in &self.basis {
                reduce::axpy(-reduce::dot(&next, earlier), earlier, &mut next);
            }
        }
        let length = reduce::norm(&next).to_f64();
        let is_complete = self.size() == next.len() || normalize(&mut next).is_none();
        self.off_diagonal
            .push(if is_complete { 0.0 } else { length });
        self.next = next;
        !is_complete
    }

    fn least(&self) -> Least<T> {
        let size = self.size();
        let mut tridiagonal = vec![0.0; size * size];
        for (i, &entry) in self.diagonal.iter().enumerate() {
            tridiagonal[i * size + i] = entry;
            if i + 1 < size {
                tridiagonal[i * size + i + 1] = self.off_diagonal[i];
                tridiagonal[(i + 1) * size + i] = self.off_diagonal[i];
            }
        }
        let (values, vectors) = spectrum::eigen(tridiagonal, size);
        let least = (0..size).fold(0, |best, i| if values[i] < values[best] { i } else { best });
        let of_basis = |j: usize| vectors[j * size + least];
        let mut vector = vec![T::zero(); self.basis[0].len()];
        for (j, direction) in self.basis.iter().enumerate() {
            reduce::axpy(T::of(of_basis(j)), direction, &mut vector);
        }
        Least {
            value: values[least],
            residual: (self.off_diagonal[size - 1] * of_basis(size - 1)).abs(),
            vector,
            largest: values.iter().fold(0.0, |most: f64, v| most.max(v.abs())),
        }
    }
}

/// v ← v/‖v‖; `None` where that is not a vector.
fn normalize<T: Scalar>(v: &mut [T]) -> Option<()> {
    let norm = reduce::norm(v);
    let usable = norm.is_finite() && norm > T::zero();
    usable.then(|| v.iter_mut().for_each(|v| *v /= norm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hessian::RowFactor;
    use twolayer::{Inversion, Target, TwoLayer};
    use twolayer_core::{HessianApprox, Kinked, LinearBackend, Objective};
    use twolayer_faer::Faer;

    const D: usize = 20;

    /// Against all eigenvalues of the Hessian as a matrix, in the null space of some normals.
    #[test]
    fn what_is_found_bends_down_and_a_bend_is_found() {
        let backend = Faer::<f64>::sequential();
        let (mut found, mut convex) = (0, 0);
        for seed in 0..40 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut draw = |count: usize, width: f64| -> Vec<f64> {
                let entry = |_| random.random_range(-width..width);
                (0..count).map(entry).collect()
            };
            let (mut a1, mut a2) = (backend.zeros(60, D), backend.zeros(90, 60));
            backend.copy_from_row_major(&draw(60 * D, 0.4), &mut a1);
            backend.copy_from_row_major(&draw(90 * 60, 0.6), &mut a2);
            let network = TwoLayer::new(backend.clone(), a1, a2).unwrap();
            let (x, near) = (draw(D, 1.0), draw(D, 0.1 * (seed % 8) as f64 + 1e-3));
            let target = Target::new(network.probabilities(&x).unwrap()).unwrap();
            let objective = Inversion::new(&network, &target).unwrap();
            let x: Vec<f64> = x.iter().zip(&near).map(|(x, e)| x + e).collect();
            let mut at = objective.new_evaluation();
            objective.evaluate(&x, &[], &mut at);
            objective.differentiate(&mut at);
            let mut subspace = Subspace::whole(D);
            let mut normal = vec![0.0; D];
            for kink in 0..seed as usize % 4 {
                objective.normal(&at, kink, &mut normal);
                assert!(subspace.constrain(&normal));
            }
            let free = subspace.dimension();
            let space = Coordinates {
                subspace: &subspace,
                factor: None,
            };
            let mut curvature = Curvature::new(90);
            objective.curvature(&at, RowWeights::Exact, &mut curvature);
            let mut scratch = twolayer::ProductScratch::default();
            let mut apply = |v: &[f64]| {
                let mut product = vec![0.0; D];
                objective.hessian_vec(&at, &curvature, v, &mut scratch, &mut product);
                product
            };
            let mut matrix = Vec::new();
            for j in 0..free {
                let mut unit = vec![0.0; free];
                unit[j] = 1.0;
                let mut p = vec![0.0; D];
                space.leave(&unit, &mut p);
                matrix.extend_from_slice(space.enter(&mut apply(&p)));
            }
            let (values, _) = spectrum::eigen(matrix, free);
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let largest = values.iter().copied().fold(0.0, f64::max);
            let mut model = RowFactor::new(&objective, RowWeights::GaussNewton);
            model.build(&objective, &at);
            let with_model = model.negative_curvature(&objective, &at, &subspace);
            for outcome in [
                negative_curvature(&objective, &at, &subspace, None),
                with_model,
            ] {
                if least > 1e-6 * largest {
                    convex += 1;
                    assert!(outcome.is_none(), "seed {seed}: {least:e} of {largest:e}");
                } else if least < -1e-3 * largest {
                    let (v, bend) = outcome.expect("a direction");
                    found += 1;
                    let mut inside = v.clone();
                    subspace.project(&mut inside);
                    let apart = v.iter().zip(&inside).map(|(a, b)| (a - b).abs());
                    assert!(apart.fold(0.0, f64::max) < 1e-12);
                    assert!((reduce::norm(&v) - 1.0).abs() < 1e-12);
                    let product = apply(&v);
                    assert!((reduce::dot(&v, &product) - bend).abs() < 1e-10 * largest);
                    assert!(bend < 0.0 && bend > least - 1e-10 * largest);
                }
            }
        }
        println!("{found} found, {convex} convex");
        assert!(found > 10 && convex > 10);
    }
}
