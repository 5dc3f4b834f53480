//! The Hessian along what holds x, factored.

use num_traits::{Float, One, Zero};
use twolayer_core::{
    Curvature, LinearBackend, RowStructured, Scalar, Subspace, reduce, solve_upper,
};

/// M = Nᵀ(H + λI)N for an orthonormal basis N (d×k) of the directions that are free, positive definite.
///
/// H = C̄ᵀ diag(β) C̄ + Cᵀ diag(ω) C has rows of either sign. Those with weights above zero have a triangular
/// factor R by QR, those below zero another one S, and
///
/// ```text
/// M = RᵀR − SᵀS = Rᵀ (I − EᵀE) R,     E = S R⁻¹,     I − EᵀE = L Lᵀ  (Cholesky)
/// ```
///
/// M is positive definite where R is regular and the Cholesky factorisation goes through. A Cholesky
/// factorisation of M itself would see the square of C's condition number, which is 10⁸ on a trained network.
///
/// Cost: 2mkd flops to form C, 2md² for the QR; twice that where there are negative weights.
pub(super) struct ReducedHessian<B: LinearBackend> {
    backend: B,
    /// R (k×k, row after row).
    factor: Vec<B::Scalar>,
    /// L, where there are negative weights.
    correction: Option<B::Cholesky>,
    /// About what part of M⁻¹ rounding may be.
    error: f64,
}

/// The factor is singular to rounding where fewer digits than one are left of its inverse.
const MOST_ERROR: f64 = 0.1;
/// Roundoffs that each column of the factor carries for each root of its numbers of rows and columns.
const COLUMN_ERROR: f64 = 8.0;
/// Steps of inverse iteration: its result grows towards the norm, and is within a factor of two after a few.
const INVERSE_ITERATIONS: usize = 20;

impl<B: LinearBackend> ReducedHessian<B> {
    /// Factors M at a point of `problem` with this exact `curvature`, λ the `ridge` ≥ 0; `None` where it is not
    /// positive definite to rounding.
    pub(super) fn new<O: RowStructured<Backend = B, Scalar = B::Scalar>>(
        problem: &O,
        at: &O::Evaluation,
        curvature: &Curvature<B::Scalar>,
        ridge: B::Scalar,
        subspace: &Subspace<B::Scalar>,
    ) -> Option<Self> {
        let zero = B::Scalar::zero();
        let positive = part(curvature, |weight| weight.max(zero));
        let negative = part(curvature, |weight| (-weight).max(zero));
        let factor = triangular_factor(problem, at, &positive, ridge, subspace);
        let k = subspace.dimension();
        let inverse = inverse_norm_of_scaled(&factor, k)?;
        let backend = problem.backend().clone();
        let weights = || {
            negative
                .row_weights
                .iter()
                .chain(&negative.uncentered_weights)
        };
        let (correction, inverse_of_correction) = match weights().any(|&weight| weight > zero) {
            false => (None, 1.0),
            true => {
                let other = triangular_factor(problem, at, &negative, zero, subspace);
                let (factor, norm) = correct(&backend, &factor, other, k)?;
                (Some(factor), norm)
            }
        };
        let columns = (k as f64).sqrt() + (problem.rows() as f64).sqrt();
        let rounding = COLUMN_ERROR * B::Scalar::UNIT_ROUNDOFF.to_f64() * columns;
        // RᵀR moves by twice what R does.
        let error = 2.0 * rounding * inverse * inverse_of_correction;
        (error <= MOST_ERROR).then_some(Self {
            backend,
            factor,
            correction,
            error,
        })
    }

    /// About what part of M⁻¹ rounding may be.
    pub(super) fn error(&self) -> f64 {
        self.error
    }

    /// v ← N M⁻¹ Nᵀ v (d).
    pub(super) fn solve(&self, subspace: &Subspace<B::Scalar>, v: &mut [B::Scalar]) {
        let held = subspace.constraints();
        subspace.rotate(v);
        let (outside, inside) = v.split_at_mut(held);
        outside.fill(B::Scalar::zero());
        solve_upper(&self.factor, inside, true);
        if let Some(correction) = &self.correction {
            self.backend
                .cholesky_solve(correction, inside, &mut Default::default());
        }
        solve_upper(&self.factor, inside, false);
        subspace.rotate_back(v);
    }
}

/// The curvature with other weights.
fn part<T: Scalar>(curvature: &Curvature<T>, of: impl Fn(T) -> T) -> Curvature<T> {
    let all = |weights: &[T]| weights.iter().map(|&weight| of(weight)).collect();
    Curvature {
        center: curvature.center.clone(),
        row_weights: all(&curvature.row_weights),
        uncentered_weights: all(&curvature.uncentered_weights),
    }
}

/// R (k×k, row after row) with RᵀR = Nᵀ(H + λI)N, H of a curvature with weights of at least 0.
///
/// A square completed in each row shows that β(v − μ)² + ωv² = (β + ω)(v − τμ)² + κμ² with τ = β/(β + ω) and
/// κ = βω/(β + ω): rows √(β + ω)(Cᵢ − τᵢ c̄), and one more, (Σκ)^½ c̄.
fn triangular_factor<O: RowStructured>(
    problem: &O,
    at: &O::Evaluation,
    curvature: &Curvature<O::Scalar>,
    ridge: O::Scalar,
    subspace: &Subspace<O::Scalar>,
) -> Vec<O::Scalar> {
    let (d, zero) = (problem.dimension(), O::Scalar::zero());
    let backend = problem.backend();
    let mut workspace = Default::default();
    let beta = &curvature.row_weights;
    let omega = |i: usize| curvature.uncentered_weights.get(i).copied().unwrap_or(zero);
    let rows: Vec<usize> = (0..problem.rows())
        .filter(|&i| beta[i] + omega(i) > zero)
        .collect();
    let share = |i: usize| beta[i] / (beta[i] + omega(i));
    let shift: Vec<_> = rows.iter().map(|&i| share(i)).collect();
    let scale: Vec<_> = rows.iter().map(|&i| (beta[i] + omega(i)).sqrt()).collect();
    let extra = reduce::sum_of(rows.len(), |row| (shift[row] * omega(rows[row])).to_f64());
    let mut center = vec![zero; d];
    let scratch = &mut Default::default();
    problem.jacobian_transposed_vec(at, &curvature.center, scratch, &mut center);
    let mut jacobian = backend.zeros(rows.len(), d);
    problem.jacobian_rows(at, &rows, &mut jacobian, &mut workspace);
    backend.center_and_scale_rows(&shift, &center, &scale, &mut jacobian);
    let mut stacked = vec![zero; d * d];
    let mut unused = vec![zero; rows.len()];
    backend.qr_reduce(&mut jacobian, &mut unused, &mut stacked, &mut workspace);
    let extra = O::Scalar::of(extra.sqrt());
    stacked.extend(center.iter().map(|&c| extra * c));
    if ridge > zero {
        for entry in 0..d {
            stacked.extend((0..d).map(|j| if j == entry { ridge.sqrt() } else { zero }));
        }
    }
    restrict(backend, stacked, subspace, &mut workspace)
}

/// The triangular factor of `rows` (of d entries each) times N.
fn restrict<B: LinearBackend>(
    backend: &B,
    mut rows: Vec<B::Scalar>,
    subspace: &Subspace<B::Scalar>,
    workspace: &mut B::Workspace,
) -> Vec<B::Scalar> {
    let (d, k) = (subspace.ambient_dimension(), subspace.dimension());
    let count = rows.len() / d;
    for row in 0..count {
        let from = row * d;
        subspace.rotate(&mut rows[from..from + d]);
        // Read at or behind where it is written.
        rows.copy_within(from + d - k..from + d, row * k);
    }
    let mut matrix = backend.zeros(count, k);
    backend.copy_from_row_major(&rows[..count * k], &mut matrix);
    let mut factor = vec![B::Scalar::zero(); k * k];
    let mut unused = vec![B::Scalar::zero(); count];
    backend.qr_reduce(&mut matrix, &mut unused, &mut factor, workspace);
    factor
}

/// The Cholesky factor of I − EᵀE, E = S R⁻¹, and about the norm of its inverse; `None` where it is not positive
/// definite.
fn correct<B: LinearBackend>(
    backend: &B,
    factor: &[B::Scalar],
    mut other: Vec<B::Scalar>,
    k: usize,
) -> Option<(B::Cholesky, f64)> {
    for row in other.chunks_exact_mut(k.max(1)) {
        solve_upper(factor, row, true);
    }
    let (mut e, mut gram) = (backend.zeros(k, k), backend.zeros(k, k));
    let mut workspace = Default::default();
    backend.copy_from_row_major(&other, &mut e);
    let minus = vec![-B::Scalar::one(); k];
    backend.gram_lower(&e, &minus, &mut gram, &mut workspace);
    backend.copy_to_row_major(&gram, &mut other);
    for j in 0..k {
        other[j * k + j] += B::Scalar::one();
    }
    backend.copy_from_row_major(&other, &mut gram);
    let cholesky = backend.cholesky(&gram, &mut workspace).ok()?;
    let norm = inverse_norm(k, |v: &mut [B::Scalar]| {
        backend.cholesky_solve(&cholesky, v, &mut workspace);
    });
    norm.is_finite().then_some((cholesky, norm))
}

/// About ‖(R D⁻¹)⁻¹‖, D the norms of R's columns, which its rounding errors are relative to; `None` where it
/// overflows.
fn inverse_norm_of_scaled<T: Scalar>(factor: &[T], k: usize) -> Option<f64> {
    let column = |j: usize| -> Vec<T> { (0..=j).map(|i| factor[i * k + j]).collect() };
    let norms: Vec<T> = (0..k).map(|j| reduce::norm(&column(j))).collect();
    let scale = |v: &mut [T]| v.iter_mut().zip(&norms).for_each(|(v, &norm)| *v *= norm);
    let norm = inverse_norm(k, |v| {
        scale(v);
        solve_upper(factor, v, true);
        solve_upper(factor, v, false);
        scale(v);
    });
    let norm = norm.sqrt();
    norm.is_finite().then_some(norm)
}

/// About ‖A⁻¹‖ for a symmetric, positive definite A (k×k) by inverse iteration, `solve` being v ← A⁻¹v: never above
/// it but for rounding. NaN or infinite where a solve overflows.
fn inverse_norm<T: Scalar>(k: usize, mut solve: impl FnMut(&mut [T])) -> f64 {
    // Numbers that no eigenvector is orthogonal to by its pattern.
    let mut v: Vec<T> = (0..k).map(|i| T::of((1.0 + i as f64).sin())).collect();
    let mut norm = 1.0;
    for _ in 0..INVERSE_ITERATIONS {
        let length = reduce::norm(&v);
        if k == 0 || length == T::zero() {
            return norm;
        }
        v.iter_mut().for_each(|v| *v /= length);
        solve(&mut v);
        if !reduce::all_finite(&v) {
            return f64::INFINITY;
        }
        norm = reduce::norm(&v).to_f64();
    }
    norm
}
