//! The direction in which the Hessian bends down most, by Lanczos' iteration.

use crate::spectrum;
use num_traits::{Float, Zero};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_core::{
    Curvature, ProductScratch, RowStructured, RowWeights, Scalar, Subspace, reduce,
};

/// Products with the Hessian that are spent at most.
const MOST_PRODUCTS: usize = 40;

/// A direction v (d), ‖v‖ = 1, in `subspace` with vᵀHv clearly negative, H the exact Hessian at a
/// point, and vᵀHv; `None` where none is found.
///
/// Lanczos' iteration with full reorthogonalisation from a random vector: its least Ritz value is an
/// upper bound of the least eigenvalue, so that what is found is there; what is not found may be.
/// Cost: 8mk flops for each of at most 40 products. Nothing is computed where no row weight is
/// negative: H is positive semi-definite then.
pub(super) fn negative_curvature<O: RowStructured>(
    objective: &O,
    at: &O::Evaluation,
    subspace: &Subspace<O::Scalar>,
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
    let (d, pinned) = (objective.dimension(), subspace.constraints());
    let free = d - pinned;
    let mut scratch = ProductScratch::default();
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut vector: Vec<O::Scalar> = (0..free)
        .map(|_| O::Scalar::of(random.random_range(-1.0..1.0)))
        .collect();
    normalize(&mut vector)?;
    let (mut full, mut product) = (vec![O::Scalar::zero(); d], vec![O::Scalar::zero(); d]);
    let mut basis: Vec<Vec<O::Scalar>> = Vec::new();
    let (mut diagonal, mut off_diagonal) = (Vec::new(), Vec::new());
    while basis.len() < MOST_PRODUCTS.min(free) {
        full[..pinned].fill(O::Scalar::zero());
        full[pinned..].copy_from_slice(&vector);
        subspace.rotate_back(&mut full);
        objective.hessian_vec(at, &curvature, &full, &mut scratch, &mut product);
        subspace.rotate(&mut product);
        let mut next = product[pinned..].to_vec();
        diagonal.push(reduce::dot(&next, &vector).to_f64());
        basis.push(vector);
        // Twice is enough.
        for _ in 0..2 {
            for earlier in &basis {
                reduce::axpy(-reduce::dot(&next, earlier), earlier, &mut next);
            }
        }
        let length = reduce::norm(&next).to_f64();
        vector = next;
        if normalize(&mut vector).is_none() {
            break;
        }
        off_diagonal.push(length);
    }
    let size = diagonal.len();
    let mut tridiagonal = vec![0.0; size * size];
    for (i, &entry) in diagonal.iter().enumerate() {
        tridiagonal[i * size + i] = entry;
        if i + 1 < size {
            tridiagonal[i * size + i + 1] = off_diagonal[i];
            tridiagonal[(i + 1) * size + i] = off_diagonal[i];
        }
    }
    let (values, vectors) = spectrum::eigen(tridiagonal, size);
    let largest = values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    let (least, &value) = values
        .iter()
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(b.1))?;
    // Beyond what rounding makes of zero.
    if value >= -O::Scalar::UNIT_ROUNDOFF.sqrt().to_f64() * largest {
        return None;
    }
    full.fill(O::Scalar::zero());
    for (j, vector) in basis.iter().enumerate() {
        let weight = O::Scalar::of(vectors[j * size + least]);
        reduce::axpy(weight, vector, &mut full[pinned..]);
    }
    subspace.rotate_back(&mut full);
    normalize(&mut full)?;
    Some((full, O::Scalar::of(value)))
}

/// v ← v/‖v‖; `None` where that is not a vector.
fn normalize<T: Scalar>(v: &mut [T]) -> Option<()> {
    let norm = reduce::norm(v);
    let usable = norm.is_finite() && norm > T::zero();
    usable.then(|| v.iter_mut().for_each(|v| *v /= norm))
}
