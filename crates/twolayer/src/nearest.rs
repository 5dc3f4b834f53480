//! The x with a wanted output that is nearest to a given one.

mod answer;
mod finish;
mod goal;
mod path;
mod pull;
mod starts;

pub use answer::{NearestAnswer, NearestStatus};
pub use goal::Goal;

use crate::any::NetworkRef;
use crate::inversion::domain;
use approx_newton::{Observer, Solver};
use num_traits::{Float, One, Zero};
use path::Path;
use twolayer_core::{Bounds, Error, LinearBackend, Scalar, reduce};

/// Minimise over x:  ½‖D(x − x_ref)‖²   where the output of the network is what is wanted, l ≤ x ≤ u, ‖x‖ ≤ R.
///
/// With fewer outcomes than inputs a whole surface of x has one output, and what is asked for is the nearest of
/// them: a counterfactual. It is found by the method of multipliers (M. R. Hestenes, J. Optim. Theory Appl. 4
/// (1969) 303; M. J. D. Powell, in Optimization, ed. R. Fletcher, 1969): with r the log-ratios log f − log b less their
/// mean,
///
/// ```text
/// xₖ = argmin ½‖r(x) − tₖ‖² + ½μ‖D(x − x_ref)‖²,    tₖ₊₁ = tₖ − r(xₖ)
/// ```
///
/// which moves the target until the pull of x_ref is balanced where r = 0: no penalty is left over. Each xₖ is
/// the solver's, past kinks and along bounds; μ falls where r does not, and the first, a μ at which x_ref and the
/// target pull alike, begin a path that leaves x_ref by the shortest way. Where only the probability of one outcome
/// is wanted, r is max(0, log P − log f_c), and t ≤ 0.
///
/// What it finds is a local minimum: other x may be nearer. Other starts try for them
/// ([`with_starts`](Nearest::with_starts)).
#[derive(Debug)]
pub struct Nearest<'a, B: LinearBackend> {
    network: NetworkRef<'a, B>,
    goal: Goal<'a, B::Scalar>,
    reference: Vec<B::Scalar>,
    scales: Vec<B::Scalar>,
    bounds: Option<&'a Bounds<B::Scalar>>,
    radius: Option<B::Scalar>,
    tolerance: B::Scalar,
    starts: usize,
}

impl<'a, B: LinearBackend> Nearest<'a, B> {
    /// With D = I, no bounds, and one start. `reference` is x_ref (d).
    ///
    /// # Errors
    /// A target of other than m outcomes, or with a zero where the network has none: its x would be at infinity. An
    /// outcome that there is not, or that is masked; a probability that is not between 0 and 1. A reference of other
    /// than d entries, or with one that is NaN or infinite.
    pub fn new(
        network: impl Into<NetworkRef<'a, B>>,
        goal: Goal<'a, B::Scalar>,
        reference: Vec<B::Scalar>,
    ) -> Result<Self, Error> {
        let network = network.into();
        goal.check(network)?;
        Error::check_length("x_ref", reference.len(), network.inputs())?;
        Error::check_finite("x_ref", &reference)?;
        Ok(Self {
            network,
            goal,
            scales: vec![B::Scalar::one(); reference.len()],
            reference,
            bounds: None,
            radius: None,
            tolerance: Self::default_tolerance(),
            starts: 1,
        })
    }

    /// u^⅔, u the unit roundoff: 2.3e-11 in double precision, 1.5e-5 in single.
    pub fn default_tolerance() -> B::Scalar {
        B::Scalar::UNIT_ROUNDOFF.powf(B::Scalar::of(2.0 / 3.0))
    }

    /// The same with D = diag(`scales`) (d); an entry of 0 counts no distance.
    ///
    /// # Errors
    /// Other than d scales, one that is negative, NaN or infinite, none that is above 0.
    pub fn with_scales(self, scales: Vec<B::Scalar>) -> Result<Self, Error> {
        Error::check_length("near_scales", scales.len(), self.network.inputs())?;
        Error::check_finite("near_scales", &scales)?;
        let zero = B::Scalar::zero();
        let least = scales.iter().copied().fold(zero, B::Scalar::min);
        let parameter = |name, value: B::Scalar, requirement| Error::Parameter {
            name,
            value: value.to_f64(),
            requirement,
        };
        if least < zero {
            return Err(parameter("an entry of near_scales", least, "at least 0"));
        }
        if reduce::max(&scales) == zero {
            let name = "every entry of near_scales";
            return Err(parameter(name, zero, "above 0 somewhere"));
        }
        Ok(Self { scales, ..self })
    }

    /// The same over the x within `bounds`.
    ///
    /// # Errors
    /// Bounds of other than d entries, or within which no x lies in the ball.
    pub fn with_bounds(mut self, bounds: &'a Bounds<B::Scalar>) -> Result<Self, Error> {
        Error::check_length("lower", bounds.lower().len(), self.network.inputs())?;
        domain::check(Some(bounds), self.radius)?;
        self.bounds = Some(bounds);
        Ok(self)
    }

    /// The same over the ball ‖x‖ ≤ `radius`.
    ///
    /// # Errors
    /// A radius that is not a positive number, or within which no x within the bounds lies.
    pub fn with_radius(mut self, radius: B::Scalar) -> Result<Self, Error> {
        domain::check_radius(radius)?;
        domain::check(self.bounds, Some(radius))?;
        self.radius = Some(radius);
        Ok(self)
    }

    /// How far each logarithm of the output may be off: |log fᵢ − log bᵢ| less their mean, or log P − log f_c.
    /// [`default_tolerance`](Nearest::default_tolerance) by default.
    ///
    /// # Errors
    /// One that is not a positive number.
    pub fn with_tolerance(mut self, tolerance: B::Scalar) -> Result<Self, Error> {
        if !(tolerance.is_finite() && tolerance > B::Scalar::zero()) {
            return Err(Error::Parameter {
                name: "tolerance",
                value: tolerance.to_f64(),
                requirement: "finite and greater than 0",
            });
        }
        self.tolerance = tolerance;
        Ok(self)
    }

    /// How many starts are tried: x_ref, then random ones around it and within the bounds, by the solver's seed.
    pub fn with_starts(mut self, starts: usize) -> Self {
        self.starts = starts.max(1);
        self
    }

    /// Solves, watched by an observer, to which each of the descents is one of its own. The solver's limit of
    /// iterations is that of each start, its limit of time that of all together.
    ///
    /// # Errors
    /// A reference at which the network overflows.
    pub fn solve(
        &self,
        solver: &Solver<B::Scalar>,
        observer: &mut impl Observer<B::Scalar>,
    ) -> Result<NearestAnswer<B::Scalar>, Error> {
        let mut path = Path::new(self, solver);
        let mut best = path.leave_the_reference(observer)?;
        let mut met = starts::Distinct::new(self);
        met.add(&best);
        for number in 1..self.starts {
            if best.status.is_cut_off() {
                break;
            }
            let from = starts::random(self, &best, solver.seed(), number);
            let other = path.begin_elsewhere(from, observer)?;
            met.add(&other);
            best = best.nearer(other);
        }
        best.distinct = met.count();
        best.iterations = path.iterations();
        best.seconds = path.seconds();
        Ok(best)
    }

    /// ‖D²(x − x_ref)‖.
    fn pull(&self, x: &[B::Scalar]) -> B::Scalar {
        let apart = self.apart(x);
        let pulls: Vec<_> = apart
            .iter()
            .zip(&self.scales)
            .map(|(&v, &s)| v * s)
            .collect();
        reduce::norm(&pulls)
    }

    /// D(x − x_ref) (d).
    fn apart(&self, x: &[B::Scalar]) -> Vec<B::Scalar> {
        let terms = x.iter().zip(&self.reference).zip(&self.scales);
        terms.map(|((&x, &r), &scale)| scale * (x - r)).collect()
    }
}

/// u^⅓: a nearest x that is off by ε is further by ε², in parts of the distance.
fn first_order_tolerance<T: Scalar>() -> T {
    T::UNIT_ROUNDOFF.powf(T::of(1.0 / 3.0))
}
