//! The problem of a network whose depth is known when the program runs.

use super::network::NetworkRef;
use super::point::{AnyPoint, AnyScratch};
use crate::deep::DeepInversion;
use crate::inversion::Inversion;
use crate::loss::Loss;
use crate::nearness::Nearness;
use crate::regularizer::Regularizer;
use crate::target::Target;
use twolayer_core::{
    Bounds, Crossing, Curvature, Error, Kinked, Ladder, LinearBackend, Met, Objective, RayMinimum,
    RowCombination, RowStructured, RowWeights, RungMaker, WhenRungs,
};

/// An [`Inversion`] or a [`DeepInversion`].
#[derive(Debug)]
pub enum AnyInversion<'a, B: LinearBackend> {
    /// Of two layers with ReLU.
    Two(Inversion<'a, B>),
    /// Of any layers.
    Deep(DeepInversion<'a, B>),
}

/// Does the same with a problem of either kind, or with a problem and a point of it.
macro_rules! either {
    ($problem:expr, $inner:ident => $work:expr) => {
        match $problem {
            Self::Two($inner) => $work,
            Self::Deep($inner) => $work,
        }
    };
    ($problem:expr, $at:expr, ($inner:ident, $point:ident) => $work:expr) => {
        match ($problem, $at) {
            (Self::Two($inner), AnyPoint::Two($point)) => $work,
            (Self::Deep($inner), AnyPoint::Deep($point)) => $work,
            // A point is made by the problem that it is given to.
            _ => unreachable!("a point of a problem of the other kind"),
        }
    };
}

/// The same with two points, or a point and scratch for one.
macro_rules! either_of_two {
    ($problem:expr, $at:expr, $other:expr, ($inner:ident, $point:ident, $second:ident) => $work:expr) => {
        match ($problem, $at, $other) {
            (Self::Two($inner), AnyPoint::Two($point), AnyPoint::Two($second)) => $work,
            (Self::Deep($inner), AnyPoint::Deep($point), AnyPoint::Deep($second)) => $work,
            _ => unreachable!("a point of a problem of the other kind"),
        }
    };
}

/// The same with the scratch of the kind.
macro_rules! with_scratch {
    ($problem:expr, $at:expr, $scratch:expr, ($inner:ident, $point:ident, $room:ident) => $work:expr) => {
        match ($problem, $at) {
            (Self::Two($inner), AnyPoint::Two($point)) => {
                let $room = &mut $scratch.two;
                $work
            }
            (Self::Deep($inner), AnyPoint::Deep($point)) => {
                let $room = &mut $scratch.deep;
                $work
            }
            _ => unreachable!("a point of a problem of the other kind"),
        }
    };
}

impl<'a, B: LinearBackend> AnyInversion<'a, B> {
    /// The squared loss, without radius or regulariser.
    ///
    /// # Errors
    /// A target with other than m outcomes, or with a probability of one that is masked.
    pub fn new(
        network: impl Into<NetworkRef<'a, B>>,
        target: &'a Target<B::Scalar>,
    ) -> Result<Self, Error> {
        Ok(match network.into() {
            NetworkRef::Two(network) => Self::Two(Inversion::new(network, target)?),
            NetworkRef::Deep(network) => Self::Deep(DeepInversion::new(network, target)?),
        })
    }

    /// The same problem with another loss.
    pub fn with_loss(self, loss: &'a dyn Loss<B::Scalar>) -> Self {
        match self {
            Self::Two(problem) => Self::Two(problem.with_loss(loss)),
            Self::Deep(problem) => Self::Deep(problem.with_loss(loss)),
        }
    }

    /// The same problem with a regulariser.
    ///
    /// # Errors
    /// A regulariser with other than m weights; a network that is not of two layers with ReLU.
    pub fn with_regularizer(self, regularizer: &'a Regularizer<B::Scalar>) -> Result<Self, Error> {
        match self {
            Self::Two(problem) => problem.with_regularizer(regularizer).map(Self::Two),
            Self::Deep(_) => Err(Error::OnlyTwoLayers {
                what: "a regulariser",
            }),
        }
    }

    /// The same problem over the ball ‖x‖ ≤ `radius`.
    ///
    /// # Errors
    /// A radius that is not a positive number.
    pub fn with_radius(self, radius: B::Scalar) -> Result<Self, Error> {
        Ok(match self {
            Self::Two(problem) => Self::Two(problem.with_radius(radius)?),
            Self::Deep(problem) => Self::Deep(problem.with_radius(radius)?),
        })
    }

    /// The same problem over the x within `bounds`.
    ///
    /// # Errors
    /// Bounds of other than d entries, or within which no x lies in the ball.
    pub fn with_bounds(self, bounds: &'a Bounds<B::Scalar>) -> Result<Self, Error> {
        Ok(match self {
            Self::Two(problem) => Self::Two(problem.with_bounds(bounds)?),
            Self::Deep(problem) => Self::Deep(problem.with_bounds(bounds)?),
        })
    }

    /// The same problem with a term for how far x is from a point.
    ///
    /// # Errors
    /// One of other than d entries.
    pub fn with_nearness(self, nearness: &'a Nearness<B::Scalar>) -> Result<Self, Error> {
        match self {
            Self::Two(problem) => problem.with_nearness(nearness).map(Self::Two),
            Self::Deep(problem) => problem.with_nearness(nearness).map(Self::Deep),
        }
    }

    /// The problem, where it is one of two layers with ReLU.
    pub fn two_layers(&self) -> Option<&Inversion<'a, B>> {
        match self {
            Self::Two(problem) => Some(problem),
            Self::Deep(_) => None,
        }
    }

    /// The bounds.
    pub fn bounds(&self) -> Option<&'a Bounds<B::Scalar>> {
        either!(self, problem => problem.bounds())
    }

    /// The target.
    pub fn target(&self) -> &Target<B::Scalar> {
        either!(self, problem => problem.target())
    }
}

impl<B: LinearBackend> Objective for AnyInversion<'_, B> {
    type Scalar = B::Scalar;
    type Evaluation = AnyPoint<B>;

    fn dimension(&self) -> usize {
        either!(self, problem => problem.dimension())
    }

    fn radius(&self) -> Option<B::Scalar> {
        either!(self, problem => problem.radius())
    }

    fn lower_bound(&self) -> Option<B::Scalar> {
        either!(self, problem => problem.lower_bound())
    }

    fn met(&self, at: &AnyPoint<B>, value: B::Scalar, rounding_error: B::Scalar) -> Option<Met> {
        either!(self, at, (problem, at) => problem.met(at, value, rounding_error))
    }

    fn uncertainty(&self) -> B::Scalar {
        either!(self, problem => problem.uncertainty())
    }

    fn uncertainty_at(&self, at: &AnyPoint<B>) -> B::Scalar {
        either!(self, at, (problem, at) => problem.uncertainty_at(at))
    }

    fn new_evaluation(&self) -> AnyPoint<B> {
        match self {
            Self::Two(problem) => AnyPoint::Two(problem.new_evaluation()),
            Self::Deep(problem) => AnyPoint::Deep(problem.new_evaluation()),
        }
    }

    fn confine(&self, pinned: &[usize], x: &mut [B::Scalar]) {
        either!(self, problem => problem.confine(pinned, x));
    }

    fn evaluate(&self, x: &[B::Scalar], pinned: &[usize], at: &mut AnyPoint<B>) {
        either!(self, at, (problem, at) => problem.evaluate(x, pinned, at));
    }

    fn differentiate(&self, at: &mut AnyPoint<B>) {
        either!(self, at, (problem, at) => problem.differentiate(at));
    }

    fn rounding_error(&self, at: &AnyPoint<B>) -> B::Scalar {
        either!(self, at, (problem, at) => problem.rounding_error(at))
    }

    fn gradient_rounding_error(&self, at: &mut AnyPoint<B>) -> B::Scalar {
        either!(self, at, (problem, at) => problem.gradient_rounding_error(at))
    }

    fn sensitivity(&self, at: &AnyPoint<B>) -> B::Scalar {
        either!(self, at, (problem, at) => problem.sensitivity(at))
    }

    fn falls_nowhere(&self, at: &AnyPoint<B>) -> bool {
        either!(self, at, (problem, at) => problem.falls_nowhere(at))
    }

    fn is_met_at_infinity(
        &self,
        at: &AnyPoint<B>,
        value: B::Scalar,
        rounding_error: B::Scalar,
    ) -> bool {
        either!(self, at, (problem, at) => problem.is_met_at_infinity(at, value, rounding_error))
    }
}

impl<B: LinearBackend> Kinked for AnyInversion<'_, B> {
    fn kinks(&self) -> usize {
        either!(self, problem => problem.kinks())
    }

    fn first_bound(&self) -> usize {
        either!(self, problem => problem.first_bound())
    }

    fn is_fixed(&self, bound: usize) -> bool {
        either!(self, problem => problem.is_fixed(bound))
    }

    fn kinks_bend(&self) -> bool {
        either!(self, problem => problem.kinks_bend())
    }

    fn signed_distances<'p>(&self, at: &'p AnyPoint<B>) -> &'p [B::Scalar] {
        either!(self, at, (problem, at) => problem.signed_distances(at))
    }

    fn distance_slopes(&self, at: &AnyPoint<B>, direction: &[B::Scalar], slopes: &mut [B::Scalar]) {
        either!(self, at, (problem, at) => problem.distance_slopes(at, direction, slopes));
    }

    fn normal(&self, at: &AnyPoint<B>, kink: usize, normal: &mut [B::Scalar]) {
        either!(self, at, (problem, at) => problem.normal(at, kink, normal));
    }

    fn combine_normals(&self, at: &AnyPoint<B>, multiples: &[B::Scalar], sum: &mut [B::Scalar]) {
        either!(self, at, (problem, at) => problem.combine_normals(at, multiples, sum));
    }

    fn offset(&self, at: &AnyPoint<B>, kink: usize) -> B::Scalar {
        either!(self, at, (problem, at) => problem.offset(at, kink))
    }

    fn foresee(&self, at: &mut AnyPoint<B>, step: Option<&[B::Scalar]>) {
        either!(self, at, (problem, at) => problem.foresee(at, step));
    }

    fn slope_jumps(&self, at: &AnyPoint<B>, kinks: &[usize], jumps: &mut [B::Scalar]) {
        either!(self, at, (problem, at) => problem.slope_jumps(at, kinks, jumps));
    }

    fn choose_side(&self, at: &mut AnyPoint<B>, kink: usize, positive: bool) {
        either!(self, at, (problem, at) => problem.choose_side(at, kink, positive));
    }

    fn sides<'p>(&self, at: &'p AnyPoint<B>) -> &'p [bool] {
        either!(self, at, (problem, at) => problem.sides(at))
    }

    fn minimize_along(
        &self,
        at: &AnyPoint<B>,
        slopes: &[B::Scalar],
        crossings: &[Crossing<B::Scalar>],
        end: B::Scalar,
        scratch: &mut AnyPoint<B>,
    ) -> Option<RayMinimum<B::Scalar>> {
        either_of_two!(self, at, scratch, (problem, at, scratch) => {
            problem.minimize_along(at, slopes, crossings, end, scratch)
        })
    }

    fn values_along(
        &self,
        at: &AnyPoint<B>,
        slopes: &[B::Scalar],
        crossings: &[Crossing<B::Scalar>],
        fractions: &[B::Scalar],
        values: &mut [B::Scalar],
        scratch: &mut AnyPoint<B>,
    ) -> bool {
        either_of_two!(self, at, scratch, (problem, at, scratch) => {
            problem.values_along(at, slopes, crossings, fractions, values, scratch)
        })
    }
}

impl<B: LinearBackend> RowStructured for AnyInversion<'_, B> {
    type Backend = B;
    type Scratch = AnyScratch<B::Scalar>;

    fn backend(&self) -> &B {
        either!(self, problem => problem.backend())
    }

    fn rows(&self) -> usize {
        either!(self, problem => problem.rows())
    }

    fn curvature(&self, at: &AnyPoint<B>, kind: RowWeights, curvature: &mut Curvature<B::Scalar>) {
        either!(self, at, (problem, at) => problem.curvature(at, kind, curvature));
    }

    fn curvature_needs_gradient(&self) -> bool {
        either!(self, problem => problem.curvature_needs_gradient())
    }

    fn has_uncentered_rows(&self) -> bool {
        either!(self, problem => problem.has_uncentered_rows())
    }

    fn row_gradient<'p>(&self, at: &'p AnyPoint<B>) -> &'p [B::Scalar] {
        either!(self, at, (problem, at) => problem.row_gradient(at))
    }

    fn jacobian_rows(
        &self,
        at: &AnyPoint<B>,
        rows: &[usize],
        jacobian: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        either!(self, at, (problem, at) => problem.jacobian_rows(at, rows, jacobian, workspace));
    }

    fn jacobian(&self, at: &AnyPoint<B>, jacobian: &mut B::Matrix, workspace: &mut B::Workspace) {
        either!(self, at, (problem, at) => problem.jacobian(at, jacobian, workspace));
    }

    fn jacobian_vec(
        &self,
        at: &AnyPoint<B>,
        v: &[B::Scalar],
        scratch: &mut AnyScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        with_scratch!(self, at, scratch, (problem, at, scratch) => {
            problem.jacobian_vec(at, v, scratch, product);
        });
    }

    fn jacobian_transposed_vec(
        &self,
        at: &AnyPoint<B>,
        y: &[B::Scalar],
        scratch: &mut AnyScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        with_scratch!(self, at, scratch, (problem, at, scratch) => {
            problem.jacobian_transposed_vec(at, y, scratch, product);
        });
    }

    fn differentiate_with(
        &self,
        at: &mut AnyPoint<B>,
        y: &[B::Scalar],
        scratch: &mut AnyScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        with_scratch!(self, at, scratch, (problem, at, scratch) => {
            problem.differentiate_with(at, y, scratch, product);
        });
    }

    fn hessian_vec(
        &self,
        at: &AnyPoint<B>,
        curvature: &Curvature<B::Scalar>,
        v: &[B::Scalar],
        scratch: &mut AnyScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        with_scratch!(self, at, scratch, (problem, at, scratch) => {
            problem.hessian_vec(at, curvature, v, scratch, product);
        });
    }

    fn cell<'p>(&self, at: &'p AnyPoint<B>) -> Option<&'p [bool]> {
        either!(self, at, (problem, at) => problem.cell(at))
    }

    fn cross_kinks(
        &self,
        kinks: &[usize],
        signs: &[B::Scalar],
        jacobian: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        either!(self, problem => problem.cross_kinks(kinks, signs, jacobian, workspace));
    }

    fn combined_jacobian(
        &self,
        at: &AnyPoint<B>,
        combination: &RowCombination<'_, B::Scalar>,
        kept: &mut Option<B::Matrix>,
        jacobian: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        either!(self, at, (problem, at) => {
            problem.combined_jacobian(at, combination, kept, jacobian, workspace);
        });
    }

    fn jacobian_matrix_product(
        &self,
        at: &AnyPoint<B>,
        v: &B::Matrix,
        hidden: &mut Option<B::Matrix>,
        product: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        either!(self, at, (problem, at) => {
            problem.jacobian_matrix_product(at, v, hidden, product, workspace);
        });
    }
}

impl<B: LinearBackend> Ladder for AnyInversion<'_, B> {
    fn rung<'s, M: RungMaker<'s, B::Scalar>>(&'s self, number: usize, maker: M) -> Option<M::Rung> {
        either!(self, problem => problem.rung(number, maker))
    }

    fn when_rungs(&self) -> WhenRungs {
        either!(self, problem => problem.when_rungs())
    }

    fn is_better_descended_at_once(&self, value: B::Scalar) -> bool {
        either!(self, problem => problem.is_better_descended_at_once(value))
    }
}
