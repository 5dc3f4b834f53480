//! What a solver sees of a problem.

use crate::backend::LinearBackend;
use crate::bounds::retract;
use crate::curvature::{Curvature, RowWeights};
use crate::scalar::Scalar;
use num_traits::{Float, Zero};

/// A function R^d → R to be minimised over a ball ‖x‖ ≤ R, smooth but for kinks (see [`Kinked`]).
///
/// An [`Evaluation`](Objective::Evaluation) holds everything that one point costs to compute, so
/// that value, gradient and curvature at the same point share their work and the solver's loop
/// allocates nothing: it makes two and swaps them.
pub trait Objective {
    /// `f32` or `f64`.
    type Scalar: Scalar;
    /// The state at one point.
    type Evaluation: Evaluation<Self::Scalar>;

    /// d, the number of unknowns.
    fn dimension(&self) -> usize;

    /// R, where there is one; none by default.
    fn radius(&self) -> Option<Self::Scalar> {
        None
    }

    /// A number that the objective never falls below, if one is known; none by default. Only a value that
    /// is rounding away from it is a perfect fit, and values are small only in proportion to what is above it.
    fn lower_bound(&self) -> Option<Self::Scalar> {
        None
    }

    /// How much of a value is above the [`lower_bound`](Objective::lower_bound), which is what decreases are
    /// measured by; its size, where no bound is known.
    fn excess(&self, value: Self::Scalar) -> Self::Scalar {
        match self.lower_bound() {
            Some(bound) => value - bound,
            None => value.abs(),
        }
    }

    /// The most that can be gained from a value: infinite where no bound is known.
    fn most_to_gain(&self, value: Self::Scalar) -> Self::Scalar {
        match self.lower_bound() {
            Some(bound) => value - bound,
            None => Self::Scalar::infinity(),
        }
    }

    /// How the objective is as low as it can be at a point with this `value` and this
    /// [`rounding_error`](Objective::rounding_error), as far as the precision tells; `None` where it is not.
    fn met(
        &self,
        at: &Self::Evaluation,
        value: Self::Scalar,
        rounding_error: Self::Scalar,
    ) -> Option<Met> {
        if self.is_met_at_infinity(at, value, rounding_error) {
            return Some(Met::AtInfinity);
        }
        let above = value - self.lower_bound()?;
        if above <= rounding_error {
            return Some(Met::AtItsBound);
        }
        (above <= self.uncertainty()).then_some(Met::WithinUncertainty)
    }

    /// How far above its [`lower_bound`](Objective::lower_bound) a value tells nothing, because what the
    /// objective is made of is known no better: a solve ends there at once. Zero by default.
    fn uncertainty(&self) -> Self::Scalar {
        Self::Scalar::zero()
    }

    /// The same with all that may have gone wrong in making it, at this point, which may be far more: a solve ends
    /// below it where the value hardly falls any more. By default the [`uncertainty`](Objective::uncertainty).
    fn uncertainty_at(&self, _at: &Self::Evaluation) -> Self::Scalar {
        self.uncertainty()
    }

    /// Whether a `value` at a point is within its [`uncertainty_at`](Objective::uncertainty_at).
    fn is_within_uncertainty(&self, at: &Self::Evaluation, value: Self::Scalar) -> bool {
        let bound = self.lower_bound();
        bound.is_some_and(|bound| value - bound <= self.uncertainty_at(at))
    }

    /// Buffers for one point.
    fn new_evaluation(&self) -> Self::Evaluation;

    /// Moves `x` (d) into the domain, by rounding as a rule, but for a start from elsewhere: into the ball,
    /// within the [bounds](Kinked::first_bound) to the last bit, and exactly onto those among the kinks
    /// `pinned`.
    fn confine(&self, _pinned: &[usize], x: &mut [Self::Scalar]) {
        if let Some(radius) = self.radius() {
            retract(radius, x);
        }
    }

    /// Computes the value at `x` (d), a point of the domain. The units in `pinned` lie on their kink: their signed
    /// distance is taken as exactly zero whatever rounding makes of it.
    ///
    /// A value that overflows is left as NaN or infinite for the solver to see.
    fn evaluate(&self, x: &[Self::Scalar], pinned: &[usize], at: &mut Self::Evaluation);

    /// Computes the gradient at a point that was evaluated before.
    fn differentiate(&self, at: &mut Self::Evaluation);

    /// An estimate of the error that rounding leaves in the value. A
    /// decrease below it cannot be told from noise.
    fn rounding_error(&self, at: &Self::Evaluation) -> Self::Scalar;

    /// The same for the norm of the gradient's error, at a point that was differentiated; it may cost as
    /// much as the gradient. Zero where it is not known.
    fn gradient_rounding_error(&self, _at: &mut Self::Evaluation) -> Self::Scalar {
        num_traits::Zero::zero()
    }

    /// By how much the value changes, to first order, where everything that it is computed from changes
    /// by 1 (the logits, for a softmax): where that is below the rounding error, the point looks
    /// stationary and may be far from it. Asked at a point that was differentiated. Infinite where the
    /// objective has no such scale.
    fn sensitivity(&self, _at: &Self::Evaluation) -> Self::Scalar {
        num_traits::Float::infinity()
    }

    /// Whether the value is known to fall nowhere near this point by more than rounding hides: because it is the
    /// same everywhere, or because what has vanished from it would only raise it. It may cost as much as an
    /// evaluation, and is asked at points that have neither gradient nor curvature.
    fn falls_nowhere(&self, _at: &Self::Evaluation) -> bool {
        false
    }

    /// Whether the value is zero in the limit only, on a way to infinity, and at this point so small
    /// that rounding hides the rest of the way: nothing is to be gained by going on.
    fn is_met_at_infinity(
        &self,
        _at: &Self::Evaluation,
        _value: Self::Scalar,
        _rounding_error: Self::Scalar,
    ) -> bool {
        false
    }
}

/// How an objective is as low as it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// Its value is its [`lower_bound`](Objective::lower_bound) to rounding.
    AtItsBound,
    /// See [`Objective::is_met_at_infinity`].
    AtInfinity,
    /// See [`Objective::uncertainty`].
    WithinUncertainty,
}

/// The state of an [`Objective`] at one point.
pub trait Evaluation<T> {
    /// x (d).
    fn point(&self) -> &[T];

    /// The value at x.
    fn value(&self) -> T;

    /// The gradient at x (d), once it was computed.
    fn gradient(&self) -> &[T];

    /// How many kinks lie between this point and `other`.
    fn flips_from(&self, _other: &Self) -> usize {
        0
    }
}

/// The kinks of an objective: hyperplanes hᵢ(x) = aᵢᵀx + cᵢ = 0 across which it is continuous but
/// its gradient jumps. A smooth objective implements it with an empty body.
///
/// aᵢ and cᵢ are asked at a point: where [`kinks_bend`](Kinked::kinks_bend) they are those of the cell that
/// it lies in.
pub trait Kinked: Objective {
    /// n, the number of hyperplanes.
    fn kinks(&self) -> usize {
        0
    }

    /// The first of the kinks that are bounds; those from it on are. A bound is a kink that cannot be
    /// crossed: the domain is hᵢ ≤ 0, its side is always the negative one, its slope jumps by ∞, and
    /// [`confine`](Objective::confine) knows it. None by default.
    fn first_bound(&self) -> usize {
        self.kinks()
    }

    /// Whether a bound holds x from both sides: the domain is hᵢ = 0, and x is never let go of it. Their
    /// normals are independent.
    fn is_fixed(&self, _bound: usize) -> bool {
        false
    }

    /// hᵢ at a point (n).
    fn signed_distances<'a>(&self, _at: &'a Self::Evaluation) -> &'a [Self::Scalar] {
        &[]
    }

    /// Whether a kink bends where another one is crossed, as those of the deeper layers of a network do: no
    /// more than near a point of one cell is it the hyperplane that it is there. A point that is
    /// [evaluated](Objective::evaluate) with a kink pinned then lies on it only where its signed distance is
    /// zero afterwards.
    fn kinks_bend(&self) -> bool {
        false
    }

    /// slopesᵢ = aᵢᵀ direction (n): the change of h along a direction (d) from a point.
    fn distance_slopes(
        &self,
        _at: &Self::Evaluation,
        _direction: &[Self::Scalar],
        _slopes: &mut [Self::Scalar],
    ) {
    }

    /// normal = aᵢ (d).
    fn normal(&self, _at: &Self::Evaluation, _kink: usize, _normal: &mut [Self::Scalar]) {}

    /// sum = Σ multiplesᵢ aᵢ (d).
    fn combine_normals(
        &self,
        _at: &Self::Evaluation,
        _multiples: &[Self::Scalar],
        _sum: &mut [Self::Scalar],
    ) {
    }

    /// cᵢ.
    fn offset(&self, _at: &Self::Evaluation, _kink: usize) -> Self::Scalar {
        Zero::zero()
    }

    /// Has [`slope_jumps`](Kinked::slope_jumps) tell of a point that was differentiated or, where a
    /// `step` (d) from there is given, of its end as the quadratic model at the point predicts it.
    fn foresee(&self, _at: &mut Self::Evaluation, _step: Option<&[Self::Scalar]>) {}

    /// For each of `kinks`: the slope of the objective per unit of hᵢ on the positive side minus
    /// that on the negative side, everything else held, where it was last
    /// [foreseen](Kinked::foresee).
    fn slope_jumps(&self, _at: &Self::Evaluation, _kinks: &[usize], _jumps: &mut [Self::Scalar]) {}

    /// Makes the derivatives at a point on a kink (hᵢ = 0) those of its positive or negative side;
    /// the caller then differentiates again.
    fn choose_side(&self, _at: &mut Self::Evaluation, _kink: usize, _positive: bool) {}

    /// Whether a point lies on the positive side of each kink (n); on the kink itself, the side
    /// that was chosen, else the negative one.
    fn sides<'a>(&self, _at: &'a Self::Evaluation) -> &'a [bool] {
        &[]
    }

    /// The minimum over 0 ≤ α ≤ `end` of the objective at x + α·direction, found by walking the
    /// kinks on the way, where the objective is a piecewise *quadratic* function and that is exact;
    /// `None` otherwise. `slopes` is the direction's [`distance_slopes`](Kinked::distance_slopes),
    /// `crossings` its kinks in the order in which they are met, with the α of each; what `scratch`
    /// held is lost.
    fn minimize_along(
        &self,
        _at: &Self::Evaluation,
        _slopes: &[Self::Scalar],
        _crossings: &[Crossing<Self::Scalar>],
        _end: Self::Scalar,
        _scratch: &mut Self::Evaluation,
    ) -> Option<RayMinimum<Self::Scalar>> {
        None
    }

    /// The objective at x + α·direction for each of the increasing `fractions` α, if that costs much
    /// less than as many evaluations; returns whether it does. `slopes`, `crossings` and `scratch`
    /// are as in [`minimize_along`](Kinked::minimize_along).
    fn values_along(
        &self,
        _at: &Self::Evaluation,
        _slopes: &[Self::Scalar],
        _crossings: &[Crossing<Self::Scalar>],
        _fractions: &[Self::Scalar],
        _values: &mut [Self::Scalar],
        _scratch: &mut Self::Evaluation,
    ) -> bool {
        false
    }
}

/// A kink met along a ray.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossing<T> {
    /// Where on the ray, as a multiple α of the direction.
    pub fraction: T,
    /// Which hyperplane.
    pub kink: usize,
}

/// The minimum of an objective along a ray.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RayMinimum<T> {
    /// Where on the ray, as a multiple α of the direction.
    pub fraction: T,
    /// The kink that the minimum lies on, if it lies on one.
    pub kink: Option<usize>,
}

/// An objective whose Hessian, inside a cell, is C̄ᵀ diag(β) C̄ + Cᵀ diag(ω) C with an m×d Jacobian
/// C, C̄ = C − 1(centerᵀC): all that the Hessian approximations need to know.
pub trait RowStructured: Objective {
    /// The linear algebra library that holds C.
    type Backend: LinearBackend<Scalar = Self::Scalar>;
    /// Memory that products with C and with the Hessian may use; it belongs to whoever asks for them.
    type Scratch: Default;

    /// The linear algebra library that holds C.
    fn backend(&self) -> &Self::Backend;

    /// m, the number of rows of C.
    fn rows(&self) -> usize;

    /// center, β and ω at a point.
    fn curvature(
        &self,
        at: &Self::Evaluation,
        kind: RowWeights,
        curvature: &mut Curvature<Self::Scalar>,
    );

    /// Whether a [`curvature`](RowStructured::curvature) is only to be had at a point that was differentiated, as
    /// where hidden layers bend; without, at one that was evaluated.
    fn curvature_needs_gradient(&self) -> bool {
        false
    }

    /// Whether a [`curvature`](RowStructured::curvature) may have ω: rows that all count alike, so that
    /// no few of them stand for the others.
    fn has_uncentered_rows(&self) -> bool {
        false
    }

    /// u with gradient = Cᵀu at a point that was differentiated (m).
    fn row_gradient<'a>(&self, at: &'a Self::Evaluation) -> &'a [Self::Scalar];

    /// Forms chosen rows of C (`rows.len()`×d), in the order of `rows`, which may repeat.
    fn jacobian_rows(
        &self,
        at: &Self::Evaluation,
        rows: &[usize],
        jacobian: &mut <Self::Backend as LinearBackend>::Matrix,
        workspace: &mut <Self::Backend as LinearBackend>::Workspace,
    );

    /// Forms C (m×d).
    fn jacobian(
        &self,
        at: &Self::Evaluation,
        jacobian: &mut <Self::Backend as LinearBackend>::Matrix,
        workspace: &mut <Self::Backend as LinearBackend>::Workspace,
    ) {
        let every: Vec<_> = (0..self.rows()).collect();
        self.jacobian_rows(at, &every, jacobian, workspace);
    }

    /// product = C v (m). The default forms C; an objective that has it as a product of matrices need not.
    fn jacobian_vec(
        &self,
        at: &Self::Evaluation,
        v: &[Self::Scalar],
        _scratch: &mut Self::Scratch,
        product: &mut [Self::Scalar],
    ) {
        self.backend().mul_vec(&formed(self, at), v, product);
    }

    /// product = Cᵀ y (d). The default forms C.
    fn jacobian_transposed_vec(
        &self,
        at: &Self::Evaluation,
        y: &[Self::Scalar],
        _scratch: &mut Self::Scratch,
        product: &mut [Self::Scalar],
    ) {
        let c = formed(self, at);
        self.backend().mul_vec_transposed(&c, y, product);
    }

    /// [`differentiate`](Objective::differentiate), and product = Cᵀ y (d) for any y (m): where both read
    /// the same large matrix, once for both.
    fn differentiate_with(
        &self,
        at: &mut Self::Evaluation,
        y: &[Self::Scalar],
        scratch: &mut Self::Scratch,
        product: &mut [Self::Scalar],
    ) {
        self.differentiate(at);
        self.jacobian_transposed_vec(at, y, scratch, product);
    }

    /// product = \[C̄ᵀ diag(β) C̄ + Cᵀ diag(ω) C\] v (d) for a given curvature, by a product with C and one
    /// with Cᵀ.
    fn hessian_vec(
        &self,
        at: &Self::Evaluation,
        curvature: &Curvature<Self::Scalar>,
        v: &[Self::Scalar],
        scratch: &mut Self::Scratch,
        product: &mut [Self::Scalar],
    ) {
        let zeros = || vec![Self::Scalar::zero(); self.rows()];
        let (mut change, mut slope) = (zeros(), zeros());
        self.jacobian_vec(at, v, scratch, &mut change);
        curvature.row_product(&change, &mut slope);
        self.jacobian_transposed_vec(at, &slope, scratch, product);
    }

    /// The cell that C belongs to, where C is the same all over a cell: a sign for each kink. `None`
    /// where C changes otherwise.
    fn cell<'a>(&self, _at: &'a Self::Evaluation) -> Option<&'a [bool]> {
        None
    }

    /// Adds to C (m×d) what it gains where each of `kinks` is crossed, to its positive side where its
    /// sign is 1 and to its negative one where it is −1. Asked for only where
    /// [`cell`](RowStructured::cell) tells cells.
    fn cross_kinks(
        &self,
        _kinks: &[usize],
        _signs: &[Self::Scalar],
        _jacobian: &mut <Self::Backend as LinearBackend>::Matrix,
        _workspace: &mut <Self::Backend as LinearBackend>::Workspace,
    ) {
    }

    /// jacobian = S C for an S of one entry in each column. The default forms C; an objective whose C is
    /// A2 diag(s) A1 may keep S A2 in `kept`, which is the same at every point until S is new.
    fn combined_jacobian(
        &self,
        at: &Self::Evaluation,
        combination: &RowCombination<'_, Self::Scalar>,
        _kept: &mut Option<<Self::Backend as LinearBackend>::Matrix>,
        jacobian: &mut <Self::Backend as LinearBackend>::Matrix,
        _workspace: &mut <Self::Backend as LinearBackend>::Workspace,
    ) {
        let RowCombination {
            buckets, factors, ..
        } = combination;
        let c = formed(self, at);
        self.backend().combine_rows(&c, buckets, factors, jacobian);
    }

    /// product = C V (m×q) for V (d×q). The default forms C; `hidden` is scratch for one that need not,
    /// made where it is missing or of another shape.
    fn jacobian_matrix_product(
        &self,
        at: &Self::Evaluation,
        v: &<Self::Backend as LinearBackend>::Matrix,
        _hidden: &mut Option<<Self::Backend as LinearBackend>::Matrix>,
        product: &mut <Self::Backend as LinearBackend>::Matrix,
        workspace: &mut <Self::Backend as LinearBackend>::Workspace,
    ) {
        let every: Vec<_> = (0..self.dimension()).collect();
        let c = formed(self, at);
        self.backend().mul_inner(&c, &every, v, product, workspace);
    }
}

/// S in S C: row i of C, times `factors[i]`, is added to row `buckets[i]`.
#[derive(Debug, Clone, Copy)]
pub struct RowCombination<'s, T> {
    /// Rows of S C (m).
    pub buckets: &'s [usize],
    /// Entries of S (m).
    pub factors: &'s [T],
    /// Whether S is another one than when it was last asked for.
    pub is_new: bool,
}

/// C (m×d), made anew.
fn formed<O: RowStructured + ?Sized>(
    objective: &O,
    at: &O::Evaluation,
) -> <O::Backend as LinearBackend>::Matrix {
    let backend = objective.backend();
    let mut c = backend.zeros(objective.rows(), objective.dimension());
    objective.jacobian(at, &mut c, &mut Default::default());
    c
}
