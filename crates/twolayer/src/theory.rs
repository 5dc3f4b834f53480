//! The theorem, checked on a finished run.
//!
//! Theorem 72 of arXiv 2308.08358: where ∇²L ⪰ l·I, the Hessian is M-Lipschitz, the pattern of the
//! ReLUs does not change, (1 − ε₀) H ⪯ H̃ ⪯ (1 + ε₀) H with ε₀ = 0.1, and M ‖x₀ − x*‖ ≤ 0.1 l, every
//! step has ‖x_{t+1} − x*‖ ≤ 0.4 ‖x_t − x*‖. A [`Recorder`] keeps the iterates of a solve, and
//! [`examine`] says which of this held. The numbers are estimates in working precision, not the
//! bounds of a certificate; x* is the last iterate. Where a run has come to nothing that would be x*,
//! [`broken_assumptions`] says what the theorem asks for and did not get.

mod assumptions;

pub use assumptions::{Broken, MOST_EXAMINED, broken_assumptions};

use crate::inversion::Inversion;
use crate::loss::ClosedForm;
use crate::network::ProductScratch;
use approx_newton::{Observer, Stage, TraceEntry};
use num_traits::Zero;
use std::ops::ControlFlow;
use twolayer_core::spectrum;
use twolayer_core::{
    Curvature, HessianApprox, LinearBackend, Objective, RowStructured, RowWeights, Scalar, reduce,
};

/// The contraction that the theorem promises.
pub const PROMISED_CONTRACTION: f64 = 0.4;
/// The part of l/M within which it promises it, and ε₀.
pub const PROMISED_REGION: f64 = 0.1;

/// Keeps the iterates of the stage that works on the target.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Recorder<T> {
    /// Iteration, flips of its step, and the point after it (d). The first is where the stage
    /// begins.
    iterates: Vec<(usize, usize, Vec<T>)>,
}

impl<T: Scalar> Recorder<T> {
    /// Nothing recorded yet; a solve without a warm start begins at `x0` (d).
    pub fn new(x0: &[T]) -> Self {
        Self {
            iterates: vec![(0, 0, x0.to_vec())],
        }
    }
}

impl<T: Scalar> Observer<T> for Recorder<T> {
    fn observe(&mut self, entry: &TraceEntry<T>, x: &[T]) -> ControlFlow<()> {
        if entry.stage == Stage::WarmStart {
            self.iterates.clear();
        }
        self.iterates
            .push((entry.iteration, entry.flips, x.to_vec()));
        ControlFlow::Continue(())
    }
}

/// What the theorem speaks of, at the solution and along the way.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Theory {
    /// The least and the largest singular value of C at the solution.
    pub singular_values: [f64; 2],
    /// l: the least eigenvalue of the Hessian at the solution; negative where it is no minimum.
    pub strong_convexity: f64,
    /// M: a Lipschitz constant of the Hessian in the solution's cell.
    pub hessian_lipschitz: f64,
    /// The w² that Lemma 69 asks for to promise that l: 2 + l/σ_min(C)².
    pub lemma_weight: f64,
    /// The least w² of the problem; 0 without a regulariser.
    pub least_weight: f64,
    /// One for each iterate of the target's stage.
    pub steps: Vec<TheoryStep>,
}

/// One iterate.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TheoryStep {
    /// The iteration that ended here.
    pub iteration: usize,
    /// ‖x_t − x*‖.
    pub distance: f64,
    /// Whether M ‖x_t − x*‖ ≤ 0.1 l.
    pub within_region: bool,
    /// ‖x_{t+1} − x*‖/‖x_t − x*‖, where there is a next iterate and this is not x* itself.
    pub contraction: Option<f64>,
    /// Kinks crossed by the step to the next iterate.
    pub flips: Option<usize>,
    /// ε₀: the least ε with (1 − ε) H ⪯ H̃ ⪯ (1 + ε) H here, for the model of the solve built anew;
    /// `None` where H is not positive definite in working precision.
    pub epsilon: Option<f64>,
}

impl Theory {
    /// Whether all assumptions held from the first iterate on that lies within the region: no
    /// flips, ε₀ ≤ 0.1; and the region was met at all before the end.
    pub fn applies(&self) -> bool {
        let last = self.steps.len().saturating_sub(1);
        let mut within = self.steps[..last]
            .iter()
            .skip_while(|step| !step.within_region)
            .peekable();
        within.peek().is_some()
            && within.all(|s| s.flips == Some(0) && s.epsilon.is_some_and(|e| e <= PROMISED_REGION))
    }

    /// The largest contraction of the steps from within the region; `None` where there are none.
    pub fn worst_contraction(&self) -> Option<f64> {
        let within = self.steps.iter().filter(|step| step.within_region);
        within.filter_map(|step| step.contraction).reduce(f64::max)
    }
}

/// Examines a finished solve of `problem` that ended at `solution` (d), with the kind of model that
/// it was solved with; that of `solved`, which is the same problem as the solver saw it. Costs 2d products with
/// H and with H̃, and an eigenvalue problem of order d, for each iterate.
pub fn examine<B: LinearBackend, O: Objective<Scalar = B::Scalar>>(
    problem: &Inversion<'_, B>,
    solved: &O,
    hessian: &mut impl HessianApprox<O>,
    recorder: &Recorder<B::Scalar>,
    solution: &[B::Scalar],
) -> Theory {
    let mut at = problem.new_evaluation();
    problem.evaluate(solution, &[], &mut at);
    let (rows, row_norm) = jacobian(problem, &at);
    let d = solution.len();
    let singular = spectrum::singular_values(rows, d);
    let (least, largest) = (singular[0], singular[d - 1]);
    let at_solution = exact(problem, solution);
    let (eigenvalues, _) = spectrum::eigen(at_solution, d);
    let convexity = eigenvalues.iter().copied().fold(f64::INFINITY, f64::min);
    let lipschitz = lipschitz(problem, largest, row_norm);

    let gap = |x: &[B::Scalar]| {
        let gap = x
            .iter()
            .zip(solution)
            .map(|(&a, &b)| (a - b).to_f64().powi(2));
        gap.sum::<f64>().sqrt()
    };
    let distances: Vec<f64> = recorder.iterates.iter().map(|(_, _, x)| gap(x)).collect();
    let step = |index: usize| {
        let (iteration, _, x) = &recorder.iterates[index];
        let distance = distances[index];
        let next = distances.get(index + 1).filter(|_| distance > 0.0);
        TheoryStep {
            iteration: *iteration,
            distance,
            within_region: convexity > 0.0 && lipschitz * distance <= PROMISED_REGION * convexity,
            contraction: next.map(|next| next / distance),
            flips: recorder.iterates.get(index + 1).map(|(_, flips, _)| *flips),
            epsilon: epsilon(exact(problem, x), solved, hessian, x),
        }
    };
    Theory {
        singular_values: [least, largest],
        strong_convexity: convexity,
        hessian_lipschitz: lipschitz,
        lemma_weight: 2.0 + convexity.max(0.0) / (least * least),
        least_weight: least_weight(problem),
        steps: (0..distances.len()).map(step).collect(),
    }
}

/// The least w² of a problem; 0 without a regulariser.
fn least_weight<B: LinearBackend>(problem: &Inversion<'_, B>) -> f64 {
    problem.regularizer().map_or(0.0, |regularizer| {
        let squares = regularizer.weights().iter().map(|&w| w.to_f64().powi(2));
        squares.fold(f64::INFINITY, f64::min)
    })
}

/// R of a QR factorisation of C (d×d) at a point, and the largest norm of a row of C.
fn jacobian<B: LinearBackend>(
    problem: &Inversion<'_, B>,
    at: &<Inversion<'_, B> as Objective>::Evaluation,
) -> (Vec<f64>, f64) {
    // Without the rows of a nearness: the theorem knows none.
    let (m, d) = (problem.network().outcomes(), problem.dimension());
    let backend = problem.backend();
    let mut c = backend.zeros(m, d);
    let mut workspace = B::Workspace::default();
    match problem.nearness() {
        None => problem.jacobian(at, &mut c, &mut workspace),
        Some(_) => {
            let of_outcomes: Vec<_> = (0..m).collect();
            problem.jacobian_rows(at, &of_outcomes, &mut c, &mut workspace);
        }
    }
    let mut entries = vec![B::Scalar::zero(); m * d];
    backend.copy_to_row_major(&c, &mut entries);
    let norms = entries.chunks(d).map(|row| reduce::norm(row).to_f64());
    let row_norm = norms.fold(0.0, f64::max);
    let mut r = vec![B::Scalar::zero(); d * d];
    let mut rhs = vec![B::Scalar::zero(); m];
    backend.qr_reduce(&mut c, &mut rhs, &mut r, &mut workspace);
    (
        r.into_iter().map(|entry| entry.to_f64()).collect(),
        row_norm,
    )
}

/// M in the cell: in the logits the third derivative is at most 9√2 ‖v‖₂³ and 36 ‖v‖_∞³ for the
/// squared loss. For the divergence it is Σb Σ f v̄³ with Σ f v̄² ≤ min(‖v‖₂²/2, ‖v‖_∞²) and
/// |v̄| ≤ min(√2 ‖v‖₂, 2 ‖v‖_∞). The regulariser adds nothing.
fn lipschitz<B: LinearBackend>(problem: &Inversion<'_, B>, norm: f64, row_norm: f64) -> f64 {
    let root = 2.0_f64.sqrt();
    let (of_norm, of_rows) = match problem.loss().closed_form() {
        Some(ClosedForm::SquaredError) => (9.0 * root, 36.0),
        Some(ClosedForm::KullbackLeibler) => {
            let total = problem.target().sum().to_f64();
            (total / root, 2.0 * total)
        }
        None => return f64::NAN,
    };
    (of_norm * norm.powi(3)).min(of_rows * row_norm.powi(3))
}

/// The exact Hessian at a point (d×d).
fn exact<B: LinearBackend>(problem: &Inversion<'_, B>, x: &[B::Scalar]) -> Vec<f64> {
    let mut at = problem.new_evaluation();
    problem.evaluate(x, &[], &mut at);
    let mut curvature = Curvature::new(problem.rows());
    problem.curvature(&at, RowWeights::Exact, &mut curvature);
    let mut scratch = ProductScratch::default();
    symmetric(x.len(), |v, product| {
        problem.hessian_vec(&at, &curvature, v, &mut scratch, product);
    })
}

/// The extreme generalised eigenvalues of (H̃, H), as their distance from one: H = L Lᵀ, and
/// L⁻¹ H̃ L⁻ᵀ.
fn epsilon<O: Objective>(
    exact: Vec<f64>,
    problem: &O,
    hessian: &mut impl HessianApprox<O>,
    x: &[O::Scalar],
) -> Option<f64> {
    let d = x.len();
    let lower = spectrum::cholesky(exact, d)?;
    let mut at = problem.new_evaluation();
    problem.evaluate(x, &[], &mut at);
    problem.differentiate(&mut at);
    hessian.build(problem, &at);
    let mut model = symmetric(d, |v, product| hessian.apply(problem, &at, v, product));
    spectrum::solve_both_sides(&lower, &mut model, d);
    let (eigenvalues, _) = spectrum::eigen(model, d);
    let gaps = eigenvalues.iter().map(|lambda| (lambda - 1.0).abs());
    Some(gaps.fold(0.0, f64::max))
}

/// A symmetric matrix from its products with the unit vectors.
fn symmetric<T: Scalar>(d: usize, mut apply: impl FnMut(&[T], &mut [T])) -> Vec<f64> {
    let mut matrix = vec![0.0; d * d];
    let (mut unit, mut column) = (vec![T::zero(); d], vec![T::zero(); d]);
    for j in 0..d {
        unit[j] = T::one();
        apply(&unit, &mut column);
        unit[j] = T::zero();
        for (i, &entry) in column.iter().enumerate() {
            matrix[i * d + j] += 0.5 * entry.to_f64();
            matrix[j * d + i] += 0.5 * entry.to_f64();
        }
    }
    matrix
}

#[cfg(test)]
mod tests;
