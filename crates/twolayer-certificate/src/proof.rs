//! The argument of Newton and Kantorovich in scaled coordinates. See `docs/certificates.md`.

use crate::directed as up;
use crate::enclosure::Enclosure;
use crate::instance::Instance;
use crate::lipschitz::Lipschitz;
use crate::position::Position;
use crate::real::Real;
use crate::refusal::Refusal;
use crate::verdict::Certificate;

/// The farthest that polishing may move x, relative to ‖x‖: it refines an answer, it does not look
/// for one.
const LONGEST_MOVE: f64 = 0.1;

/// What a proof starts from.
#[derive(Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) instance: &'a Instance,
    /// x as it was given (d).
    pub(crate) given: &'a [f64],
    /// Whether x was to be polished.
    pub(crate) polish: bool,
}

impl Claim<'_> {
    /// Checks every inequality of the proof.
    pub(crate) fn check<R: Real>(&self, position: &Position<R>) -> Result<Certificate, Refusal> {
        let (instance, point) = (self.instance, &position.point);
        let scaled = &position.scaling.scaled;
        let defect = scaled.defect;
        if !(defect < 1.0) {
            return Err(Refusal::Singular { defect });
        }
        let moved = self.moved(position)?;
        let eta = position.residual().norm();
        let reach = reach(eta, defect);
        let lipschitz = Lipschitz::new(instance, point, &scaled.row_norms);
        let omega = lipschitz.within(reach, &scaled.row_norms);
        let kappa = kappa(eta, defect, omega);
        let Some(radius) = smallest_radius(eta, defect, omega) else {
            return Err(Refusal::Rough {
                kappa,
                polished: self.polish,
            });
        };
        position.check_kinks(instance, radius)?;
        position.check_multipliers(instance, radius)?;

        let norm = position.input_norm();
        let nearby = up::mul(norm, radius);
        let distance = up::add(moved, nearby);
        self.check_ball(distance)?;
        self.check_bounds(distance)?;

        // K has p negative eigenvalues more than the Hessian along the kinks.
        let negative = scaled.signs.iter().filter(|&&sign| sign < 0.0).count();
        let held = position.held.len();
        let Some(negative_directions) = negative.checked_sub(held) else {
            return Err(Refusal::Singular { defect });
        };
        let kink_distance = self.kink_distance(position);
        let lengths = position.row_lengths();
        let unique = unique_radius(&lipschitz, &lengths, defect, kink_distance);
        let unique_within = up::sub_down(unique, moved);
        let change = change_of_value(eta, defect, omega, radius);
        let loss = point.value(instance).widened(change);
        if !loss.magnitude().is_finite() {
            return Err(Refusal::Overflow { quantity: "loss" });
        }
        let inputs = &point.x[..instance.inputs];
        Ok(Certificate {
            radius: distance,
            unique_within: unique_within.max(0.0),
            negative_directions,
            kinks: position.held.clone(),
            kappa,
            eta,
            hessian_lipschitz: omega,
            defect,
            least_eigenvalue: least_eigenvalue(defect, omega, radius, norm),
            kink_distance,
            loss: [loss.lower().max(0.0), loss.upper()],
            point: inputs.iter().map(|x| x.hi).collect(),
            point_radius: up::add(nearby, up::norm(inputs.iter().map(|x| x.lo))),
            newton_steps: position.steps,
            arithmetic: R::NAME,
        })
    }

    /// How far polishing moved x, from above.
    fn moved<R: Real>(&self, position: &Position<R>) -> Result<f64, Refusal> {
        let moved = position.point.distance_from(self.given);
        let limit = LONGEST_MOVE * up::norm(self.given.iter().copied());
        if position.steps > 0 && !(moved <= limit) {
            return Err(Refusal::Moved { moved, limit });
        }
        Ok(moved)
    }

    fn check_ball(&self, distance: f64) -> Result<(), Refusal> {
        let norm = up::add(up::norm(self.given.iter().copied()), distance);
        match self.instance.radius {
            Some(radius) if !(norm < radius) => Err(Refusal::OnSphere { norm, radius }),
            _ => Ok(()),
        }
    }

    /// Whether all that is no further from x than this lies within the bounds, and on none.
    pub(crate) fn check_bounds(&self, distance: f64) -> Result<(), Refusal> {
        let Some([lower, upper]) = &self.instance.bounds else {
            return Ok(());
        };
        let is_inside = |entry: usize, x: f64| {
            up::sub_down(x, distance) > lower[entry] && up::add(x, distance) < upper[entry]
        };
        let mut entries = self.given.iter().copied().enumerate();
        match entries.find(|&(entry, x)| !is_inside(entry, x)) {
            None => Ok(()),
            Some((entry, value)) => Err(Refusal::AtBound {
                entry,
                value,
                distance,
            }),
        }
    }

    /// The distance to the nearest kink that the point is not held on, from below; infinite where
    /// there is none.
    fn kink_distance<R: Real>(&self, position: &Position<R>) -> f64 {
        let distance = |unit: usize| {
            let norm = up::norm(self.instance.normal(unit).iter().copied());
            let hidden: Enclosure = position.point.hidden[unit];
            up::div_down(hidden.mignitude().max(0.0), norm).max(0.0)
        };
        let kinks = position.free_kinks(self.instance);
        kinks.map(distance).fold(f64::INFINITY, f64::min)
    }
}

/// Twice the Newton step, from above: the region that the proof needs lies within.
fn reach(eta: f64, defect: f64) -> f64 {
    up::div(up::mul(2.0, eta), up::sub_down(1.0, defect))
}

/// κ = ωη/(1 − δ)², from above.
fn kappa(eta: f64, defect: f64, omega: f64) -> f64 {
    let regular = up::sub_down(1.0, defect);
    up::div(up::mul(omega, eta), up::mul_down(regular, regular))
}

/// A radius r within the reach with η + δ r + ½ ω r² ≤ r: y ↦ y − D G(y) maps the ball into itself.
/// First the smallest root, then the reach, which satisfies it but for rounding, as κ < ½. `None`
/// where κ is not below ½.
fn smallest_radius(eta: f64, defect: f64, omega: f64) -> Option<f64> {
    let (kappa, reach) = (kappa(eta, defect, omega), reach(eta, defect));
    if !(kappa < 0.5) {
        return None;
    }
    let maps_into_itself = |&r: &f64| {
        let bend = up::mul(0.5, up::mul(omega, up::mul(r, r)));
        r <= reach && up::add(up::add(eta, up::mul(defect, r)), bend) <= r
    };
    let root = reach / (1.0 + (1.0 - 2.0 * kappa).sqrt());
    [root * (1.0 + 1e-12), reach]
        .into_iter()
        .find(maps_into_itself)
}

/// (1 − δ − ωr)/‖T_x‖², from below.
fn least_eigenvalue(defect: f64, omega: f64, radius: f64, norm: f64) -> f64 {
    let regular = up::sub_down(1.0, defect);
    up::div_down(
        up::sub_down(regular, up::mul(omega, radius)),
        up::mul(norm, norm),
    )
}

/// |𝓛(x*) − 𝓛(x)| ≤ η r + ½ (1 + δ + ωr) r², from above.
fn change_of_value(eta: f64, defect: f64, omega: f64, radius: f64) -> f64 {
    let bend = up::sum([1.0, defect, up::mul(omega, radius)].into_iter());
    up::mul(radius, up::add(eta, up::mul(0.5, up::mul(bend, radius))))
}

/// The largest r found with which the ball ‖x − x̄‖ ≤ r keeps off the kinks, and the scaled Hessian
/// on it within 1 of D, so that it is regular, on average over any segment too, and no two points
/// of the ball have the same gradient.
fn unique_radius(
    lipschitz: &Lipschitz,
    row_lengths: &[f64],
    defect: f64,
    kink_distance: f64,
) -> f64 {
    // No logit changes by more than 100.
    let longest = row_lengths
        .iter()
        .fold(f64::MIN_POSITIVE, |most: f64, &c| most.max(c));
    let mut r = (kink_distance * (1.0 - 1e-9)).min(100.0 / longest);
    // Below 2⁻¹⁰⁰ of that it is of no use.
    for _ in 0..100 {
        let omega = lipschitz.within(r, row_lengths);
        if up::add(defect, up::mul(omega, r)) < 1.0 {
            return r;
        }
        r *= 0.5;
    }
    0.0
}

#[cfg(test)]
mod tests;
