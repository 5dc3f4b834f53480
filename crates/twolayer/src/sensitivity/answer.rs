//! An answer with its derivatives.

use super::constraints::Constraints;
use super::no_derivative::NoDerivative;
use super::problem::{Differentiable, InversionRef, Terms};
use super::reduced_hessian::ReducedHessian;
use crate::chain::{Chain, Tangent};
use crate::network::ForwardPass;
use approx_newton::{Solution, Status};
use num_traits::{Float, Zero};
use twolayer_core::{
    Curvature, Error, Evaluation, LinearBackend, RowWeights, Scalar, Subspace, reduce,
};

/// How a local minimum x\* moves where its problem does: products with dx\*/dθ and its transpose, for every θ that the
/// problem is made of.
///
/// Where the normals A of what holds x\* (kinks, bounds, the sphere ‖x‖ = R) stay in force with their multipliers μ, x\* solves
///
/// ```text
/// g(x, θ) + Aᵀμ = 0,   h(x, θ) = 0,      so      | H  Aᵀ | | dx |     | dg + dAᵀμ |
///                                                | A  0  | | dμ | = − | dh        |
/// ```
///
/// with H the Hessian of the objective plus Σ μᵢhᵢ. One factorisation, of H on the null space of A, serves all
/// products; one costs two or three passes over each layer. docs/derivatives.md has the derivation.
///
/// A unit with neither weights nor bias counts as off. b is the one that is used, which is the given one divided by
/// its sum where that was [off by roundings](crate::Target::stored_as).
///
/// # Example
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use twolayer::{Change, Inversion, Nearness, Sensitivity, Solver, Target, TwoLayer};
/// use twolayer_faer::{Faer, faer::Mat};
///
/// let a1 = Mat::from_fn(24, 8, |i, j| ((7 * i + 3 * j) as f64).sin());
/// let a2 = Mat::from_fn(40, 24, |i, j| ((5 * i + 11 * j) as f64).cos());
/// let network = TwoLayer::new(Faer::default(), a1, a2)?;
/// let target = Target::new(network.probabilities(&[0.5, -0.2, 0.1, 0.9, -0.4, 0.3, 0.7, -0.6])?)?;
/// let nearness = Nearness::new(vec![0.1; 8], 0.01)?;
/// let problem = Inversion::new(&network, &target)?.with_nearness(&nearness)?;
/// let solution = Solver::new().solve(&problem, &[0.1; 8])?;
///
/// let sensitivity = Sensitivity::new(&problem, &solution)?;
/// // x moves so where b gives a little less to outcome 0 and more to outcome 1.
/// let mut db = vec![0.0; 40];
/// (db[0], db[1]) = (-1e-3, 1e-3);
/// let dx = sensitivity.jvp(&Change::new().with_target(&db))?;
/// // The gradient of x[3] by everything else.
/// let mut v = [0.0; 8];
/// v[3] = 1.0;
/// let by_b = sensitivity.vjp(&v)?.target.unwrap();
/// let along: f64 = by_b.iter().zip(&db).map(|(g, db)| g * db).sum();
/// assert!((along - dx[3]).abs() < 1e-9 * dx[3].abs());
/// # Ok(())
/// # }
/// ```
pub struct Sensitivity<'p, B: LinearBackend> {
    pub(super) terms: Terms<'p, B::Scalar>,
    pub(super) chain: Chain<'p, B>,
    pub(super) x: Vec<B::Scalar>,
    pub(super) pass: ForwardPass<B::Scalar>,
    /// Of the outcomes.
    pub(super) curvature: Curvature<B::Scalar>,
    pub(super) constraints: Constraints<B::Scalar>,
    /// The first of the kinks that are bounds.
    first_bound: usize,
    pub(super) has_radius: bool,
    pub(super) reduced: ReducedHessian<B>,
    newton_step: B::Scalar,
}

impl<'p, B: LinearBackend> Sensitivity<'p, B> {
    /// Of the answer of a solve of an [`Inversion`](crate::Inversion), a
    /// [`DeepInversion`](crate::DeepInversion) or an [`AnyInversion`](crate::AnyInversion).
    ///
    /// Costs forming C (m×d), its QR factorisation, 2md² flops, and the same again where the Hessian has negative
    /// rows; it holds C while it does.
    ///
    /// # Errors
    /// [`NoDerivative`] where the answer has none, or none that rounding leaves a digit of.
    pub fn new(
        problem: impl Into<InversionRef<'p, B>>,
        solution: &Solution<B::Scalar>,
    ) -> Result<Self, NoDerivative> {
        let status = solution.status;
        match status {
            Status::MetAtInfinity => Err(NoDerivative::AtInfinity),
            _ if !status.is_converged() => Err(NoDerivative::NotConverged { status }),
            _ => Self::at_minimum(problem, &solution.x, &solution.pinned),
        }
    }

    /// The same of an `x` (d) that is said to be a local minimum, held by the kinks and bounds `pinned`, as a
    /// [`Solution`] has them.
    ///
    /// # Errors
    /// As [`Sensitivity::new`].
    pub fn at_minimum(
        problem: impl Into<InversionRef<'p, B>>,
        x: &[B::Scalar],
        pinned: &[usize],
    ) -> Result<Self, NoDerivative> {
        match problem.into() {
            InversionRef::Two(problem) => Self::of(problem, x, pinned),
            InversionRef::Deep(problem) => Self::of(problem, x, pinned),
        }
    }

    fn of<O: Differentiable<Backend = B, Scalar = B::Scalar>>(
        problem: &'p O,
        x: &[B::Scalar],
        pinned: &[usize],
    ) -> Result<Self, NoDerivative> {
        Error::check_length("x", x.len(), problem.dimension())?;
        Error::check_finite("x", x)?;
        let mut at = problem.new_evaluation();
        problem.evaluate(x, pinned, &mut at);
        problem.differentiate(&mut at);
        if !reduce::all_finite(at.gradient()) {
            let (quantity, at) = ("gradient", "x");
            return Err(Error::Overflow { quantity, at }.into());
        }
        let error = problem.gradient_rounding_error(&mut at);
        let constraints = Constraints::new(problem, &at, pinned, error)?;
        let links = problem.links(&mut at, &constraints.kinks, &constraints.multipliers);
        let mut curvature = Curvature::new(problem.rows());
        problem.curvature(&at, RowWeights::Exact, &mut curvature);
        let (subspace, ridge) = (&constraints.subspace, constraints.ridge());
        let reduced = ReducedHessian::new(problem, &at, &curvature, ridge, subspace);
        let directions = subspace.dimension();
        let reduced = reduced.ok_or(NoDerivative::NotStrict { directions })?;
        let m = problem.outcomes();
        curvature.center.truncate(m);
        curvature.row_weights.truncate(m);
        curvature.uncentered_weights.truncate(m);
        let mut sensitivity = Self {
            terms: problem.terms(),
            chain: Chain {
                backend: problem.backend(),
                links,
            },
            x: x.to_vec(),
            pass: O::pass(&at).clone(),
            curvature,
            constraints,
            first_bound: problem.first_bound(),
            has_radius: problem.radius().is_some(),
            reduced,
            newton_step: B::Scalar::zero(),
        };
        let mut step: Vec<_> = at.gradient().iter().map(|&g| -g).collect();
        sensitivity.reduced.solve(sensitivity.subspace(), &mut step);
        sensitivity.newton_step = reduce::norm(&step);
        let mut left = at.gradient().to_vec();
        sensitivity.subspace().project(&mut left);
        sensitivity.check_step(reduce::norm(&left), error)?;
        let (_, change) = sensitivity.hessian_vec(&step);
        let bounds = sensitivity.terms.bounds;
        let constraints = &sensitivity.constraints;
        constraints.check(problem, &mut at, bounds, &step, &change)?;
        Ok(sensitivity)
    }

    /// Checks that x is near to the minimum: that the Newton step is short, or made of the `error` of the gradient, of
    /// which so much is `left`.
    fn check_step(&self, left: B::Scalar, error: B::Scalar) -> Result<(), NoDerivative> {
        let size = reduce::norm(&self.x);
        let near = B::Scalar::UNIT_ROUNDOFF.sqrt().sqrt() * size;
        let is_near = self.newton_step <= near || left <= B::Scalar::of(4.0) * error;
        match is_near {
            true => Ok(()),
            false => Err(NoDerivative::Rough {
                step: self.newton_step.to_f64(),
                size: size.to_f64(),
            }),
        }
    }

    /// The length of a Newton step from x: how far x may be from the minimum whose derivatives these are, which are off by
    /// what they change on such a way. Never more than the fourth root of a roundoff times ‖x‖.
    pub fn newton_step(&self) -> B::Scalar {
        self.newton_step
    }

    /// About what part of ‖dx\*/dg‖ rounding may be: products along directions that the problem hardly determines x
    /// in have so many digits.
    pub fn relative_error(&self) -> f64 {
        self.reduced.error()
    }

    pub(super) fn subspace(&self) -> &Subspace<B::Scalar> {
        &self.constraints.subspace
    }

    /// What the layers and H make of a change `w` of x (d). λw is left out: where w is in the null space of the normals
    /// multipliers do not feel it, and where w is in their span the null space does not.
    pub(super) fn hessian_vec(&self, w: &[B::Scalar]) -> (Tangent<B::Scalar>, Vec<B::Scalar>) {
        let tangent = self.chain.push_forward(w, &[]);
        let slope = self.output_slope(&tangent);
        let mut product = self.chain.pull_back(&tangent, slope, &[], &[]).input;
        self.add_own_curvature(w, &mut product);
        (tangent, product)
    }

    /// How ∂F/∂z changes along a way: (I − 1cᵀ)ᵀ diag(β) (I − 1cᵀ) dz + ω ∘ dz (m).
    pub(super) fn output_slope(&self, tangent: &Tangent<B::Scalar>) -> Vec<B::Scalar> {
        let change = tangent.hidden.last().map_or(&[][..], |change| change);
        let mut slope = vec![B::Scalar::zero(); change.len()];
        self.curvature.row_product(change, &mut slope);
        slope
    }

    /// product ← product + μD² w.
    fn add_own_curvature(&self, w: &[B::Scalar], product: &mut [B::Scalar]) {
        if let Some(nearness) = self.terms.nearness {
            let terms = nearness.curvatures().iter().zip(w);
            for (p, (&curvature, &w)) in product.iter_mut().zip(terms) {
                *p += curvature * w;
            }
        }
    }

    /// The number among the bounds of a kink that is one.
    pub(super) fn bound(&self, kink: usize) -> Option<usize> {
        kink.checked_sub(self.first_bound)
    }
}

/// Whether an outcome with this logit never comes.
pub(super) fn is_masked<T: Scalar>(logit: T) -> bool {
    logit == T::neg_infinity()
}
