//! The problem of this workspace: which input has this output?

pub(crate) mod domain;
mod kinks;
mod linearization;
mod point;
mod ray;
mod rows;

pub use point::InversionPoint;

use crate::loss::{self, Loss, SquaredError};
use crate::nearness::Nearness;
use crate::network::{ForwardPass, TwoLayer};
use crate::regularizer::Regularizer;
use crate::rounding::{self, LogitErrors};
use crate::starts::reached::Reached;
use crate::starts::shared::Shared;
use crate::target::Target;
use num_traits::{Float, One, Zero};
use std::borrow::Cow;
use std::sync::Arc;
use twolayer_core::{
    Bounds, Error, Kinked, LinearBackend, Objective, RowStructured, Scalar, reduce,
};

/// Minimise over x: loss(softmax(A2 φ(A1 x + c1) + c2), b) + ½‖W A2 φ(A1 x + c1)‖² + ½μ‖D(x − x_ref)‖²,
/// ‖x‖ ≤ R, l ≤ x ≤ u.
///
/// Holds references: many targets share one network.
#[derive(Debug)]
pub struct Inversion<'a, B: LinearBackend> {
    pub(crate) network: &'a TwoLayer<B>,
    pub(crate) target: Cow<'a, Target<B::Scalar>>,
    pub(crate) loss: &'a dyn Loss<B::Scalar>,
    pub(crate) regularizer: Option<&'a Regularizer<B::Scalar>>,
    pub(crate) radius: Option<B::Scalar>,
    pub(crate) bounds: Option<&'a Bounds<B::Scalar>>,
    pub(crate) nearness: Option<&'a Nearness<B::Scalar>>,
    pub(crate) known: Option<Arc<KnownPoint<B::Scalar>>>,
    /// See [`Problems::begin_together`](crate::Problems::begin_together).
    pub(crate) reached: Option<Arc<Reached<B::Scalar>>>,
    /// See [`Problems::for_many`](crate::Problems::for_many).
    pub(crate) is_one_of_many: bool,
    pub(crate) shared: Shared<B>,
}

/// Logarithms that are off by so much on average are out of reach, as in
/// [`WarmStart::within_reach`](twolayer_core::WarmStart::within_reach).
pub(crate) const FAR_OFF: f64 = 0.1;

/// A point at which the network was run before, and what it put out.
#[derive(Debug)]
pub(crate) struct KnownPoint<T> {
    pub(crate) x: Vec<T>,
    pub(crate) pass: ForwardPass<T>,
}

// Not derived: a copy of the references asks nothing of the backend.
impl<B: LinearBackend> Clone for Inversion<'_, B> {
    fn clone(&self) -> Self {
        Self {
            network: self.network,
            target: self.target.clone(),
            loss: self.loss,
            regularizer: self.regularizer,
            radius: self.radius,
            bounds: self.bounds,
            nearness: self.nearness,
            known: self.known.clone(),
            reached: self.reached.clone(),
            is_one_of_many: self.is_one_of_many,
            shared: self.shared.clone(),
        }
    }
}

impl<'a, B: LinearBackend> Inversion<'a, B> {
    /// The squared loss, without regulariser, radius or bounds.
    ///
    /// # Errors
    /// A target with other than m outcomes, or with a probability of one that is masked.
    pub fn new(network: &'a TwoLayer<B>, target: &'a Target<B::Scalar>) -> Result<Self, Error> {
        network.check_target(target)?;
        Ok(Self {
            network,
            target: Cow::Borrowed(target),
            loss: &SquaredError,
            regularizer: None,
            radius: None,
            bounds: None,
            nearness: None,
            known: None,
            reached: None,
            is_one_of_many: false,
            shared: Shared::default(),
        })
    }

    /// The same problem with another loss.
    pub fn with_loss(mut self, loss: &'a dyn Loss<B::Scalar>) -> Self {
        self.loss = loss;
        self
    }

    /// The same problem with a regulariser.
    ///
    /// # Errors
    /// A regulariser with other than m weights.
    pub fn with_regularizer(
        mut self,
        regularizer: &'a Regularizer<B::Scalar>,
    ) -> Result<Self, Error> {
        Error::check_length("w", regularizer.weights().len(), self.network.outcomes())?;
        self.regularizer = Some(regularizer);
        Ok(self)
    }

    /// The same problem over the ball ‖x‖ ≤ `radius`.
    ///
    /// # Errors
    /// A radius that is not a positive number, or within which no x within the bounds lies.
    pub fn with_radius(mut self, radius: B::Scalar) -> Result<Self, Error> {
        domain::check_radius(radius)?;
        domain::check(self.bounds, Some(radius))?;
        self.radius = Some(radius);
        Ok(self)
    }

    /// The same problem over the x within `bounds`. They are the kinks after those of the n units, in their
    /// own order.
    ///
    /// # Errors
    /// Bounds of other than d entries, or within which no x lies in the ball.
    pub fn with_bounds(mut self, bounds: &'a Bounds<B::Scalar>) -> Result<Self, Error> {
        Error::check_length("lower", bounds.lower().len(), self.network.inputs())?;
        domain::check(Some(bounds), self.radius)?;
        self.bounds = Some(bounds);
        Ok(self)
    }

    /// The same problem with a term for how far x is from a point.
    ///
    /// # Errors
    /// One of other than d entries.
    pub fn with_nearness(mut self, nearness: &'a Nearness<B::Scalar>) -> Result<Self, Error> {
        Error::check_length("x_ref", nearness.reference().len(), self.network.inputs())?;
        self.nearness = Some(nearness);
        Ok(self)
    }

    /// Whether b is the output of no x, as far as A2 alone tells, and by far:
    ///
    /// ```text
    /// min over a of ‖Ãa − τ‖ / √(s − r) > 0.1,    τ = (I − 11ᵀ/s)(log b − c2)[S],  Ã = (I − 11ᵀ/s) A2[S, :]
    /// ```
    ///
    /// with S some s = n + n/8 + 16 outcomes and r the rank of Ã (s×n): the logarithms of b are off by
    /// 0.1 on average, over the directions that no activation a (n) of the hidden units can move the
    /// logits in, from what the network can put out. The paper has no such test.
    ///
    /// False where it cannot be told: with no more than s outcomes, where b has zeros on S, or with layers
    /// so wide that it would take seconds. The first time for a network it costs a factorisation, of
    /// about n s² + s³/3 flops.
    pub fn is_out_of_reach(&self) -> bool {
        let network = self.network;
        let beyond = self.shared.determining(network).and_then(|determining| {
            let logits = determining.logits(network, &self.target)?;
            Some(determining.beyond_reach(network.backend(), &logits))
        });
        beyond.is_some_and(|beyond| beyond > B::Scalar::of(FAR_OFF))
    }

    /// The network.
    pub fn network(&self) -> &'a TwoLayer<B> {
        self.network
    }

    /// The target.
    pub fn target(&self) -> &Target<B::Scalar> {
        &self.target
    }

    /// The loss.
    pub fn loss(&self) -> &'a dyn Loss<B::Scalar> {
        self.loss
    }

    /// The regulariser.
    pub fn regularizer(&self) -> Option<&'a Regularizer<B::Scalar>> {
        self.regularizer
    }

    /// The term for how far x is from a point.
    pub fn nearness(&self) -> Option<&'a Nearness<B::Scalar>> {
        self.nearness
    }

    /// The bounds.
    pub fn bounds(&self) -> Option<&'a Bounds<B::Scalar>> {
        self.bounds
    }
}

impl<B: LinearBackend> Inversion<'_, B> {
    /// Whether the objective has a term beside the loss.
    pub(crate) fn has_other_terms(&self) -> bool {
        self.regularizer.is_some() || self.nearness.is_some()
    }

    /// ½‖W u‖² for u = A2 φ(A1 x + c1) (m).
    fn penalty(&self, u: &[B::Scalar]) -> B::Scalar {
        self.regularizer.map_or(B::Scalar::zero(), |regularizer| {
            let w = regularizer.weights();
            let square = |i: usize| (w[i] * u[i]).to_f64().powi(2);
            B::Scalar::of(0.5 * reduce::sum_of(u.len(), square))
        })
    }

    /// What rounding makes of the penalty, with the `errors` of u.
    fn penalty_error(&self, errors: &LogitErrors<'_, B::Scalar>, u: &[B::Scalar]) -> B::Scalar {
        let Some(regularizer) = self.regularizer else {
            return B::Scalar::zero();
        };
        let roundoff = B::Scalar::UNIT_ROUNDOFF.to_f64();
        let change = |i: usize| {
            let (w, u, error) = (regularizer.weights()[i], u[i], errors.of_product(i));
            let of_u = w.to_f64().powi(2) * error * (u.to_f64().abs() + 0.5 * error);
            of_u + roundoff * (w * u).to_f64().powi(2)
        };
        B::Scalar::of(reduce::sum_of(u.len(), change))
    }

    fn add_penalty_gradient_errors(
        &self,
        errors: &LogitErrors<'_, B::Scalar>,
        u: &[B::Scalar],
        bounds: &mut [B::Scalar],
    ) {
        let Some(regularizer) = self.regularizer else {
            return;
        };
        let terms = bounds.iter_mut().zip(regularizer.weights()).zip(u);
        for (i, ((bound, &w), &u)) in terms.enumerate() {
            let error = B::Scalar::of(errors.of_product(i));
            // Two products and the sum with the loss.
            let rounded = B::Scalar::of(3.0) * B::Scalar::UNIT_ROUNDOFF * u.abs();
            *bound += w * w * (error + rounded);
        }
    }

    /// The value at a point that this or another loss of the same network evaluated.
    pub(crate) fn value_at(&self, at: &InversionPoint<B::Scalar>) -> B::Scalar {
        self.loss.value(&at.pass, &self.target) + at.penalty + self.distance(&at.x)
    }

    /// ½ μ ‖D(x − x_ref)‖².
    fn distance(&self, x: &[B::Scalar]) -> B::Scalar {
        self.nearness
            .map_or(B::Scalar::zero(), |nearness| nearness.value(x))
    }

    /// u with gradient = Cᵀu, of a point that was evaluated, that of the nearness behind that of the
    /// outcomes.
    fn differentiate_rows(&self, at: &mut InversionPoint<B::Scalar>) {
        let (of_outcomes, of_inputs) = at.row_gradient.split_at_mut(self.network.outcomes());
        if let Some(nearness) = self.nearness {
            nearness.write_gradient(&at.x, of_inputs);
        }
        self.loss
            .logit_gradient(&at.pass, &self.target, of_outcomes);
        if let Some(regularizer) = self.regularizer {
            let terms = at.row_gradient.iter_mut().zip(regularizer.weights());
            for ((gradient, &w), &u) in terms.zip(&at.pass.products) {
                *gradient += w * w * u;
            }
        }
    }
}

impl<B: LinearBackend> Objective for Inversion<'_, B> {
    type Scalar = B::Scalar;
    type Evaluation = InversionPoint<B::Scalar>;

    fn dimension(&self) -> usize {
        self.network.inputs()
    }

    fn radius(&self) -> Option<B::Scalar> {
        self.radius
    }

    fn lower_bound(&self) -> Option<B::Scalar> {
        Some(B::Scalar::zero())
    }

    /// Of b as it was [stored](Target::format); none with a regulariser or a nearness, which make the value zero
    /// for no b.
    fn uncertainty(&self) -> B::Scalar {
        match self.has_other_terms() {
            false => loss::uncertainty(self.loss, &self.target),
            true => B::Scalar::zero(),
        }
    }

    /// The same of a b that this network has put out at this x, computing in the format that b was stored in.
    fn uncertainty_at(&self, at: &Self::Evaluation) -> B::Scalar {
        match self.target.format() {
            Some(format) if !self.has_other_terms() => {
                let errors = LogitErrors::in_format(self.network, &at.x, &at.pass, format);
                loss::uncertainty_of_output(self.loss, &self.target, &errors)
            }
            _ => B::Scalar::zero(),
        }
    }

    fn new_evaluation(&self) -> Self::Evaluation {
        InversionPoint::new(
            self.network.inputs(),
            self.network.hidden_units(),
            self.network.outcomes(),
            self.rows(),
        )
    }

    fn confine(&self, pinned: &[usize], x: &mut [B::Scalar]) {
        domain::confine(self.bounds, self.radius, self.first_bound(), pinned, x);
    }

    fn evaluate(&self, x: &[B::Scalar], pinned: &[usize], at: &mut Self::Evaluation) {
        at.x.copy_from_slice(x);
        at.pinned_units.clear();
        let units = pinned.iter().filter(|&&kink| kink < self.first_bound());
        at.pinned_units.extend(units);
        match &self.known {
            Some(known) if at.pinned_units.is_empty() && known.x == x => {
                at.pass.copy_from(&known.pass);
            }
            _ => self.network.forward(x, &at.pinned_units, &mut at.pass),
        }
        if let Some(bounds) = self.bounds {
            at.with_bounds(bounds);
        }
        at.loss = self.loss.value(&at.pass, &self.target);
        at.penalty = self.penalty(&at.pass.products);
        at.distance = self.distance(x);
    }

    fn differentiate(&self, at: &mut Self::Evaluation) {
        self.differentiate_rows(at);
        let (of_outcomes, of_inputs) = at.row_gradient.split_at(self.network.outcomes());
        self.network.jacobian_transposed_vec(
            &at.pass.active,
            of_outcomes,
            &mut at.hidden_scratch,
            &mut at.gradient,
        );
        if self.nearness.is_some() {
            reduce::axpy(B::Scalar::one(), of_inputs, &mut at.gradient);
        }
    }

    fn rounding_error(&self, at: &Self::Evaluation) -> B::Scalar {
        let errors = LogitErrors::new(self.network, &at.x, &at.pass);
        let of_sums = B::Scalar::of(reduce::relative_error(at.pass.logits.len()));
        self.loss.rounding_error(&at.pass, &self.target, &errors)
            + self.penalty_error(&errors, &at.pass.products)
            + self.nearness.map_or(B::Scalar::zero(), |nearness| {
                nearness.rounding_error(self.distance(&at.x))
            })
            + (B::Scalar::UNIT_ROUNDOFF + of_sums) * self.value_at(at)
    }

    fn gradient_rounding_error(&self, at: &mut Self::Evaluation) -> B::Scalar {
        let errors = LogitErrors::new(self.network, &at.x, &at.pass);
        let [bounds, _] = &mut at.outcome_scratch;
        self.loss
            .logit_gradient_errors(&at.pass, &self.target, &errors, bounds);
        self.add_penalty_gradient_errors(&errors, &at.pass.products, bounds);
        let (of_outcomes, of_inputs) = at.row_gradient.split_at(self.network.outcomes());
        let of_network = rounding::of_gradient(
            self.network,
            &at.pass,
            of_outcomes,
            bounds,
            &mut at.hidden_scratch,
            &at.gradient,
        );
        match self.nearness {
            // With that of the sum.
            Some(nearness) => {
                let of_sum = B::Scalar::UNIT_ROUNDOFF * reduce::norm(&at.gradient);
                of_network + nearness.gradient_rounding_error(of_inputs) + of_sum
            }
            None => of_network,
        }
    }

    /// Σ |uᵢ|, u the gradient in the logits, without regulariser or nearness: they have scales of their own.
    fn sensitivity(&self, at: &Self::Evaluation) -> B::Scalar {
        let u = &at.row_gradient;
        match self.has_other_terms() {
            true => B::Scalar::infinity(),
            false => B::Scalar::of(reduce::sum_of(u.len(), |i| u[i].abs().to_f64())),
        }
    }

    /// Where f is the same for every x; and where all outcomes that still have a share have the same rows of A2, and
    /// any other would raise the loss if it had more: f has come to a face of the simplex on which it is the same
    /// everywhere. Not asked of the network where every unit is off, which is reason enough for a gradient of zero.
    fn falls_nowhere(&self, at: &Self::Evaluation) -> bool {
        let (pass, m) = (&at.pass, self.network.outcomes());
        if pass.active.is_empty() || self.has_other_terms() {
            return false;
        }
        // All that have vanished together round away beside 1. What is masked stays away.
        let least = B::Scalar::UNIT_ROUNDOFF / B::Scalar::of(m as f64);
        let remains = |i: usize| pass.probabilities[i] > least;
        let vanished = |i: usize| !remains(i) && !self.network.is_masked(i);
        self.network.has_constant_odds(|_| true)
            || self.loss.rises_with(pass, &self.target, &vanished)
                && self.network.has_constant_odds(remains)
    }

    fn is_met_at_infinity(
        &self,
        at: &Self::Evaluation,
        value: B::Scalar,
        error: B::Scalar,
    ) -> bool {
        !self.has_other_terms()
            && loss::is_met_at_infinity(self.loss, &at.pass, &self.target, value, error)
    }
}
