//! Which input of a network of any depth has this output?

use super::network::DeepNetwork;
use super::point::{DeepPoint, DeepScratch};
use crate::inversion::domain;
use crate::loss::{Loss, SquaredError};
use crate::nearness::Nearness;
use crate::target::Target;
use num_traits::{Float, One, Zero};
use std::borrow::Cow;
use twolayer_core::{
    Bounds, Error, Kinked, LinearBackend, Objective, RowStructured, RowWeights, Scalar, reduce,
};

/// Minimise over x: loss(softmax(z(x)), b) + ½μ‖D(x − x_ref)‖², ‖x‖ ≤ R, l ≤ x ≤ u, z the logits of a [`DeepNetwork`].
///
/// Holds references: many targets share one network.
#[derive(Debug)]
pub struct DeepInversion<'a, B: LinearBackend> {
    pub(super) network: Cow<'a, DeepNetwork<B>>,
    pub(super) target: Cow<'a, Target<B::Scalar>>,
    pub(super) loss: &'a dyn Loss<B::Scalar>,
    pub(super) radius: Option<B::Scalar>,
    pub(super) bounds: Option<&'a Bounds<B::Scalar>>,
    pub(super) nearness: Option<&'a Nearness<B::Scalar>>,
}

impl<B: LinearBackend> Clone for DeepInversion<'_, B> {
    fn clone(&self) -> Self {
        Self {
            network: self.network.clone(),
            target: self.target.clone(),
            ..*self
        }
    }
}

impl<'a, B: LinearBackend> DeepInversion<'a, B> {
    /// The squared loss, without radius or bounds.
    ///
    /// # Errors
    /// A target with other than m outcomes, or with a probability of one that is masked.
    pub fn new(network: &'a DeepNetwork<B>, target: &'a Target<B::Scalar>) -> Result<Self, Error> {
        network.check_target(target)?;
        Ok(Self {
            network: Cow::Borrowed(network),
            target: Cow::Borrowed(target),
            loss: &SquaredError,
            radius: None,
            bounds: None,
            nearness: None,
        })
    }

    /// The same of a target that was checked.
    pub(crate) fn of_owned(network: &'a DeepNetwork<B>, target: Target<B::Scalar>) -> Self {
        Self {
            network: Cow::Borrowed(network),
            target: Cow::Owned(target),
            loss: &SquaredError,
            radius: None,
            bounds: None,
            nearness: None,
        }
    }

    /// The same problem with another loss.
    pub fn with_loss(self, loss: &'a dyn Loss<B::Scalar>) -> Self {
        Self { loss, ..self }
    }

    /// The same problem over the ball ‖x‖ ≤ `radius`.
    ///
    /// # Errors
    /// A radius that is not a positive number, or within which no x within the bounds lies.
    pub fn with_radius(self, radius: B::Scalar) -> Result<Self, Error> {
        domain::check_radius(radius)?;
        domain::check(self.bounds, Some(radius))?;
        Ok(Self {
            radius: Some(radius),
            ..self
        })
    }

    /// The same problem over the x within `bounds`. They are the kinks after those of the units, in their own
    /// order.
    ///
    /// # Errors
    /// Bounds of other than d entries, or within which no x lies in the ball.
    pub fn with_bounds(self, bounds: &'a Bounds<B::Scalar>) -> Result<Self, Error> {
        Error::check_length("lower", bounds.lower().len(), self.network.inputs())?;
        domain::check(Some(bounds), self.radius)?;
        Ok(Self {
            bounds: Some(bounds),
            ..self
        })
    }

    /// The same problem with a term for how far x is from a point.
    ///
    /// # Errors
    /// One of other than d entries.
    pub fn with_nearness(self, nearness: &'a Nearness<B::Scalar>) -> Result<Self, Error> {
        Error::check_length("x_ref", nearness.reference().len(), self.network.inputs())?;
        Ok(Self {
            nearness: Some(nearness),
            ..self
        })
    }

    /// The network.
    pub fn network(&self) -> &DeepNetwork<B> {
        &self.network
    }

    /// The bounds.
    pub fn bounds(&self) -> Option<&'a Bounds<B::Scalar>> {
        self.bounds
    }

    /// The target.
    pub fn target(&self) -> &Target<B::Scalar> {
        &self.target
    }

    /// The loss.
    pub fn loss(&self) -> &'a dyn Loss<B::Scalar> {
        self.loss
    }

    /// The term for how far x is from a point.
    pub fn nearness(&self) -> Option<&'a Nearness<B::Scalar>> {
        self.nearness
    }
}

impl<B: LinearBackend> DeepInversion<'_, B> {
    /// ½ μ ‖D(x − x_ref)‖².
    pub(super) fn distance(&self, x: &[B::Scalar]) -> B::Scalar {
        self.nearness
            .map_or(B::Scalar::zero(), |nearness| nearness.value(x))
    }
}

impl<B: LinearBackend> Objective for DeepInversion<'_, B> {
    type Scalar = B::Scalar;
    type Evaluation = DeepPoint<B>;

    fn dimension(&self) -> usize {
        self.network.inputs()
    }

    fn radius(&self) -> Option<B::Scalar> {
        self.radius
    }

    fn lower_bound(&self) -> Option<B::Scalar> {
        Some(B::Scalar::zero())
    }

    /// Of b as it was [stored](Target::format).
    fn uncertainty(&self) -> B::Scalar {
        if self.nearness.is_some() {
            return B::Scalar::zero();
        }
        crate::loss::uncertainty(self.loss, &self.target)
    }

    /// The same of a b that this network has put out at this x, computing in the format that b was stored in.
    fn uncertainty_at(&self, at: &DeepPoint<B>) -> B::Scalar {
        let format = self.target.format().filter(|_| self.nearness.is_none());
        let Some(format) = format else {
            return B::Scalar::zero();
        };
        let errors = self.network.logit_errors_in(format, at);
        crate::loss::uncertainty_of_output(self.loss, &self.target, &errors)
    }

    fn new_evaluation(&self) -> DeepPoint<B> {
        DeepPoint::new(&self.network, self.rows())
    }

    fn confine(&self, pinned: &[usize], x: &mut [B::Scalar]) {
        domain::confine(self.bounds, self.radius, self.first_bound(), pinned, x);
    }

    fn evaluate(&self, x: &[B::Scalar], pinned: &[usize], at: &mut DeepPoint<B>) {
        self.network.forward(x, pinned, at);
        at.distances.truncate(self.network.kinks());
        if let Some(bounds) = self.bounds {
            bounds.append_distances(x, &mut at.distances);
            at.sides.resize(at.distances.len(), false);
        }
        at.loss = self.loss.value(&at.pass, &self.target);
        at.distance = self.distance(x);
    }

    fn differentiate(&self, at: &mut DeepPoint<B>) {
        let m = self.network.outcomes();
        let u = &mut at.row_gradient[..m];
        self.loss.logit_gradient(&at.pass, &self.target, u);
        let network = &*self.network;
        let backend = network.backend();
        // ∂L/∂a of a layer from that of the one behind it.
        let mut behind: &[B::Scalar] = &at.row_gradient[..m];
        let mut weights = &network.output.weights;
        at.selected.clear();
        for (layer, state) in network.hidden.iter().zip(&mut at.hidden).rev() {
            backend.mul_vec_transposed(weights, behind, &mut state.adjoint);
            at.selected.clear();
            let slopes = state.adjoint.iter().zip(&state.slopes);
            at.selected.extend(slopes.map(|(&u, &slope)| u * slope));
            behind = &at.selected;
            weights = &layer.affine.weights;
        }
        backend.mul_vec_transposed(weights, behind, &mut at.gradient);
        if let Some(nearness) = self.nearness {
            let of_inputs = &mut at.row_gradient[network.rows()..];
            nearness.write_gradient(&at.x, of_inputs);
            reduce::axpy(B::Scalar::one(), of_inputs, &mut at.gradient);
        }
    }

    fn rounding_error(&self, at: &DeepPoint<B>) -> B::Scalar {
        let errors = self.network.logit_errors(at);
        let of_sums = B::Scalar::of(reduce::relative_error(at.pass.logits.len()));
        self.loss.rounding_error(&at.pass, &self.target, &errors)
            + (B::Scalar::UNIT_ROUNDOFF + of_sums) * at.loss
            + self.nearness.map_or(B::Scalar::zero(), |nearness| {
                nearness.rounding_error(at.distance)
            })
    }

    fn gradient_rounding_error(&self, at: &mut DeepPoint<B>) -> B::Scalar {
        let of_network = self.network.gradient_error(&*self.target, self.loss, at);
        match self.nearness {
            // With that of the sum.
            Some(nearness) => {
                let of_inputs = &at.row_gradient[self.network.rows()..];
                let of_sum = B::Scalar::UNIT_ROUNDOFF * reduce::norm(&at.gradient);
                of_network + nearness.gradient_rounding_error(of_inputs) + of_sum
            }
            None => of_network,
        }
    }

    /// Σ |uᵢ|, u the gradient in the logits, without nearness: that has a scale of its own.
    fn sensitivity(&self, at: &DeepPoint<B>) -> B::Scalar {
        if self.nearness.is_some() {
            return B::Scalar::infinity();
        }
        let u = &at.row_gradient;
        B::Scalar::of(reduce::sum_of(u.len(), |i| u[i].abs().to_f64()))
    }

    fn is_met_at_infinity(&self, at: &DeepPoint<B>, value: B::Scalar, error: B::Scalar) -> bool {
        self.nearness.is_none()
            && crate::loss::is_met_at_infinity(self.loss, &at.pass, &self.target, value, error)
    }
}

/// The rows of C = ∂z/∂x, and behind them those of J_l for each layer l that bends, which have no center and
/// weigh u_l ∘ φ_l''(h_l), and with a nearness those of the identity, which weigh μ D².
impl<B: LinearBackend> RowStructured for DeepInversion<'_, B> {
    type Backend = B;
    type Scratch = DeepScratch<B::Scalar>;

    fn backend(&self) -> &B {
        self.network.backend()
    }

    fn rows(&self) -> usize {
        self.network.rows() + self.nearness.map_or(0, |_| self.network.inputs())
    }

    fn has_uncentered_rows(&self) -> bool {
        self.nearness.is_some()
    }

    fn curvature_needs_gradient(&self) -> bool {
        self.network.rows() > self.network.outcomes()
    }

    fn curvature(
        &self,
        at: &DeepPoint<B>,
        kind: RowWeights,
        curvature: &mut twolayer_core::Curvature<B::Scalar>,
    ) {
        let (m, zero) = (self.network.outcomes(), B::Scalar::zero());
        let (center, hidden_center) = curvature.center.split_at_mut(m);
        let (weights, hidden_weights) = curvature.row_weights.split_at_mut(m);
        self.loss
            .curvature(&at.pass, &self.target, kind, center, weights);
        hidden_center.fill(zero);
        hidden_weights.fill(zero);
        let omega = &mut curvature.uncentered_weights;
        omega.clear();
        if hidden_weights.is_empty() {
            return;
        }
        omega.resize(m, zero);
        for (layer, state) in self.network.hidden.iter().zip(&at.hidden) {
            if layer.first_row.is_none() {
                continue;
            }
            let units = state.adjoint.iter().zip(&state.hidden);
            omega.extend(units.map(|(&u, &h)| {
                let exact = u * layer.activation.bend(h);
                match kind {
                    RowWeights::Exact => exact,
                    RowWeights::Convexified | RowWeights::Secant => exact.max(zero),
                    RowWeights::GaussNewton => zero,
                }
            }));
        }
        if let Some(nearness) = self.nearness {
            omega.extend_from_slice(nearness.curvatures());
        }
    }

    fn row_gradient<'p>(&self, at: &'p DeepPoint<B>) -> &'p [B::Scalar] {
        &at.row_gradient
    }

    fn jacobian_rows(
        &self,
        at: &DeepPoint<B>,
        rows: &[usize],
        jacobian: &mut B::Matrix,
        workspace: &mut B::Workspace,
    ) {
        self.network.rows_at(at, rows, jacobian, workspace);
    }

    fn jacobian(&self, at: &DeepPoint<B>, jacobian: &mut B::Matrix, workspace: &mut B::Workspace) {
        self.network.jacobian_at(at, jacobian, workspace);
    }

    fn jacobian_vec(
        &self,
        at: &DeepPoint<B>,
        v: &[B::Scalar],
        scratch: &mut DeepScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        let (of_network, of_inputs) = product.split_at_mut(self.network.rows());
        self.network.push_forward(at, v, scratch, of_network);
        if self.nearness.is_some() {
            of_inputs.copy_from_slice(v);
        }
    }

    fn jacobian_transposed_vec(
        &self,
        at: &DeepPoint<B>,
        y: &[B::Scalar],
        scratch: &mut DeepScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        let (of_network, of_inputs) = y.split_at(self.network.rows());
        self.network.pull_back(at, of_network, scratch, product);
        if self.nearness.is_some() {
            reduce::axpy(B::Scalar::one(), of_inputs, product);
        }
    }

    fn hessian_vec(
        &self,
        at: &DeepPoint<B>,
        curvature: &twolayer_core::Curvature<B::Scalar>,
        v: &[B::Scalar],
        scratch: &mut DeepScratch<B::Scalar>,
        product: &mut [B::Scalar],
    ) {
        let [mut change, mut slope] = std::mem::take(&mut scratch.rows);
        change.resize(self.rows(), B::Scalar::zero());
        slope.resize(self.rows(), B::Scalar::zero());
        self.jacobian_vec(at, v, scratch, &mut change);
        curvature.row_product(&change, &mut slope);
        self.jacobian_transposed_vec(at, &slope, scratch, product);
        scratch.rows = [change, slope];
    }
}
