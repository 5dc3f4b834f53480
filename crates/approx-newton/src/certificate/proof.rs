//! The argument of Newton and Kantorovich in scaled coordinates. See `docs/certificates.md`.

use super::directed as up;
use super::enclosure::Enclosure;
use super::hessian::HessianRows;
use super::instance::Instance;
use super::lipschitz::Lipschitz;
use super::point::Point;
use super::real::{DoubleDouble, Real};
use super::refusal::Refusal;
use super::scaling::{Scaling, scale};
use super::verdict::Certificate;
use std::rc::Rc;

/// The farthest that polishing may move x, relative to ‖x‖: it refines an answer, it does not look
/// for one.
const LONGEST_MOVE: f64 = 0.01;
const MOST_NEWTON_STEPS: usize = 20;

/// One attempt with matrices of one number format.
pub(super) struct Attempt<'a> {
    pub(super) instance: &'a Instance,
    /// x as it was given (d).
    pub(super) given: &'a [f64],
    pub(super) polish: bool,
}

/// A point, and the scaling of its Hessian.
struct Position<R> {
    point: Point,
    hessian: HessianRows<R>,
    scaling: Scaling<R>,
}

impl Attempt<'_> {
    /// Proves what can be proved.
    pub(super) fn prove<R: Real>(&self) -> Result<Certificate, Refusal> {
        let start = self.given.iter().map(|&x| x.into()).collect();
        let point = Point::new(self.instance, start, None);
        if !point.gradient.iter().all(|g| g.magnitude().is_finite()) {
            return Err(Refusal::Overflow {
                quantity: "gradient",
            });
        }
        let mut position = Position::<R>::new(self.instance, point, None);
        let crossing = self.crossing(&position);
        let mut steps = 0;
        if self.polish && position.scaling.scaled.defect < 1.0 {
            steps = self.polish_from(&mut position);
        }
        let verdict = self.judge(&position, steps);
        match (verdict, crossing) {
            // The step that would lead to a stationary point of this cell leaves the cell first.
            (Err(Refusal::Rough { .. } | Refusal::Moved { .. }), Some(kink)) => Err(kink),
            (verdict, _) => verdict,
        }
    }

    /// The kink that Newton's first step crosses, where it crosses one.
    fn crossing<R: Real>(&self, position: &Position<R>) -> Option<Refusal> {
        let (step, _) = position.newton_step();
        let step: Vec<f64> = step.iter().map(|p| p.to_f64()).collect();
        let met = |unit: usize| {
            let normal = self.instance.normal(unit);
            let slope: f64 = normal.iter().zip(&step).map(|(a, p)| a * p).sum();
            let distance = position.point.hidden[unit].middle.hi;
            (slope * distance < 0.0 && slope.abs() >= distance.abs() || distance == 0.0)
                .then(|| (unit, distance.abs(), slope.abs()))
        };
        let first = self
            .instance
            .kinks()
            .filter_map(met)
            .min_by(|a, b| (a.1 / a.2).total_cmp(&(b.1 / b.2)));
        first.map(|(unit, distance, reach)| Refusal::AtKink {
            unit,
            distance,
            reach,
        })
    }

    /// Newton's method from the given x, until its steps stop shrinking. Returns their number.
    fn polish_from<R: Real>(&self, position: &mut Position<R>) -> usize {
        let mut steps = 0;
        let mut last = f64::INFINITY;
        while steps < MOST_NEWTON_STEPS {
            let (step, size) = position.newton_step();
            if !(size < 0.5 * last) || size == 0.0 {
                break;
            }
            let x: Vec<DoubleDouble> = position
                .point
                .x
                .iter()
                .zip(&step)
                .map(|(&x, p)| x + p.widen())
                .collect();
            let next = Point::new(self.instance, x, Some(&position.point.cell));
            if !next.gradient.iter().all(|g| g.magnitude().is_finite()) {
                break;
            }
            steps += 1;
            let same_cell = Rc::ptr_eq(&next.cell, &position.point.cell);
            // With the curvature of a point before, steps shrink by a constant factor: as long as
            // that is a small one, nothing is won by a new curvature.
            if same_cell && size < 1e-6 * last.min(1e3) {
                position.point = next;
            } else {
                let t = position.scaling.t.clone();
                let renewed = Position::new(self.instance, next, same_cell.then_some(t));
                if !(renewed.scaling.scaled.defect < 1.0) {
                    break;
                }
                *position = renewed;
            }
            last = size;
        }
        // The proof wants the curvature at the point itself.
        if steps > 0 {
            position.hessian = HessianRows::new(self.instance, &position.point);
            let d = self.instance.inputs;
            let t = position.scaling.t.clone();
            position.scaling = scale(&position.hessian, Some(t), d);
        }
        steps
    }

    /// Checks every inequality of the proof.
    fn judge<R: Real>(&self, position: &Position<R>, steps: usize) -> Result<Certificate, Refusal> {
        let Position {
            point,
            hessian,
            scaling,
        } = position;
        let Scaling { t, scaled } = scaling;
        let defect = scaled.defect;
        if !(defect < 1.0) {
            return Err(Refusal::Singular { defect });
        }
        let moved = point.distance_from(self.given);
        let limit = LONGEST_MOVE * up::norm(self.given.iter().copied());
        if !(moved <= limit) && steps > 0 {
            return Err(Refusal::Moved { moved, limit });
        }
        let regular = up::sub_down(1.0, defect);
        let eta = up::norm(position.scaled_gradient().iter().map(|g| g.magnitude()));
        // Twice the Newton step: the region that the proof needs lies within.
        let reach = up::div(up::mul(2.0, eta), regular);
        let lipschitz = Lipschitz::new(self.instance, point, &scaled.row_norms);
        let omega = lipschitz.within(reach);
        let kappa = up::div(up::mul(omega, eta), up::mul_down(regular, regular));
        let radius = if kappa < 0.5 {
            smallest_radius(eta, defect, omega, kappa, reach)
        } else {
            None
        };
        let Some(radius) = radius else {
            return Err(Refusal::Rough {
                kappa,
                polished: self.polish,
            });
        };

        let frobenius = up::norm(t.iter().map(|t| t.to_f64()));
        let slopes = self.slopes(t, frobenius);
        let room = self.room(point, &slopes, radius)?;
        let distance = up::add(moved, up::mul(frobenius, radius));
        if let Some(limit) = self.instance.radius {
            let norm = up::add(up::norm(self.given.iter().copied()), distance);
            if !(norm < limit) {
                return Err(Refusal::OnSphere {
                    norm,
                    radius: limit,
                });
            }
        }

        let negative_directions = scaled.signs.iter().filter(|&&sign| sign < 0.0).count();
        // ‖T⁻¹‖: for a minimum ‖T⁻¹v‖² (1 − δ) ≤ vᵀHv; else T⁻¹ = (TᵀHT)⁻¹ Tᵀ H.
        let size = hessian.norm_bound();
        let inverse = if negative_directions == 0 {
            up::sqrt(up::div(size, regular))
        } else {
            up::div(up::mul(frobenius, size), regular)
        };
        let unique = unique_radius(&lipschitz, defect, radius, room);
        let unique_within = up::sub_down(up::div_down(unique, inverse), moved);
        // |L(x*) − L(x)| ≤ ‖g‖ r + ½ ‖TᵀHT‖ r².
        let bend = up::sum([1.0, defect, up::mul(omega, radius)].into_iter());
        let change = up::mul(radius, up::add(eta, up::mul(0.5, up::mul(bend, radius))));
        let loss = point.value(self.instance).widened(change);
        if !loss.magnitude().is_finite() {
            return Err(Refusal::Overflow { quantity: "loss" });
        }
        Ok(Certificate {
            radius: distance,
            unique_within: unique_within.max(0.0),
            negative_directions,
            kappa,
            eta,
            hessian_lipschitz: omega,
            defect,
            least_eigenvalue: up::div_down(regular, up::mul(frobenius, frobenius)),
            kink_distance: self.kink_distance(point),
            loss: [loss.lower().max(0.0), loss.upper()],
            point: point.x.iter().map(|x| x.hi).collect(),
            point_radius: up::add(
                up::mul(frobenius, radius),
                up::norm(point.x.iter().map(|x| x.lo)),
            ),
            newton_steps: steps,
            arithmetic: R::NAME,
        })
    }

    /// ‖row i of A1 T‖₂ for every unit, from above (n): how fast h changes with y.
    fn slopes<R: Real>(&self, t: &[R], frobenius: f64) -> Vec<f64> {
        let d = self.instance.inputs;
        let t: Vec<f64> = t.iter().map(|t| t.to_f64()).collect();
        let gamma = up::gamma(d + 4, up::UNIT);
        let slope = |unit: usize| {
            let normal = self.instance.normal(unit);
            let mut image = vec![0.0; d];
            for (&a, row) in normal.iter().zip(t.chunks(d)) {
                for (image, &t) in image.iter_mut().zip(row) {
                    *image += a * t;
                }
            }
            let size = up::mul(up::norm(normal.iter().copied()), frobenius);
            let error = up::add(up::mul(gamma, size), up::TINY);
            up::add(up::norm(image.iter().copied()), error)
        };
        (0..self.instance.hidden).map(slope).collect()
    }

    /// How far y may go before a kink: a lower bound, that must be more than `radius`.
    fn room(&self, point: &Point, slopes: &[f64], radius: f64) -> Result<f64, Refusal> {
        let mut room = f64::MAX;
        for unit in self.instance.kinks() {
            let distance = point.hidden[unit].mignitude();
            let reach = up::mul(radius, slopes[unit]);
            if !(reach < distance) {
                return Err(Refusal::AtKink {
                    unit,
                    distance,
                    reach,
                });
            }
            room = room.min(up::div_down(distance, slopes[unit]));
        }
        Ok(room)
    }

    /// The distance from x to the nearest kink, from below; infinite where there is none.
    fn kink_distance(&self, point: &Point) -> f64 {
        let distance = |unit: usize| {
            let norm = up::norm(self.instance.normal(unit).iter().copied());
            up::div_down(point.hidden[unit].mignitude().max(0.0), norm).max(0.0)
        };
        self.instance
            .kinks()
            .map(distance)
            .fold(f64::INFINITY, f64::min)
    }
}

impl<R: Real> Position<R> {
    fn new(instance: &Instance, point: Point, t: Option<Vec<R>>) -> Self {
        let hessian = HessianRows::new(instance, &point);
        let scaling = scale(&hessian, t, instance.inputs);
        Self {
            point,
            hessian,
            scaling,
        }
    }

    /// Tᵀ∇L (d).
    fn scaled_gradient(&self) -> Vec<Enclosure> {
        let gradient = &self.point.gradient;
        let d = gradient.len();
        let mut scaled = vec![Enclosure::ZERO; d];
        for (row, &g) in self.scaling.t.chunks(d).zip(gradient) {
            for (sum, t) in scaled.iter_mut().zip(row) {
                *sum = *sum + Enclosure::from(t.widen()) * g;
            }
        }
        scaled
    }

    /// −T D Tᵀ∇L (d), and the length of D Tᵀ∇L.
    fn newton_step(&self) -> (Vec<R>, f64) {
        let gradient = self.scaled_gradient();
        let signs = &self.scaling.scaled.signs;
        let y: Vec<R> = gradient
            .iter()
            .zip(signs)
            .map(|(g, &sign)| R::of(g.middle) * R::from_f64(-sign))
            .collect();
        let dot = |row: &[R]| {
            row.iter()
                .zip(&y)
                .fold(R::ZERO, |sum, (&t, &y)| sum + t * y)
        };
        let step = self.scaling.t.chunks(y.len()).map(dot).collect();
        (step, up::norm(y.iter().map(|y| y.to_f64())))
    }
}

/// A radius r ≤ `reach` with η + δ r + ½ ω r² ≤ r: y ↦ y − D G(y) maps the ball into itself. First
/// the smallest root, then the reach, which satisfies it but for rounding, as κ < ½.
fn smallest_radius(eta: f64, defect: f64, omega: f64, kappa: f64, reach: f64) -> Option<f64> {
    let maps_into_itself = |&r: &f64| {
        let bend = up::mul(0.5, up::mul(omega, up::mul(r, r)));
        r <= reach && up::add(up::add(eta, up::mul(defect, r)), bend) <= r
    };
    let root = reach / (1.0 + (1.0 - 2.0 * kappa).sqrt());
    [root * (1.0 + 1e-12), reach]
        .into_iter()
        .find(maps_into_itself)
}

/// The largest r found with r within the cell and δ + ω(r) r < 1: the map contracts on the ball, so
/// that it holds no second stationary point.
fn unique_radius(lipschitz: &Lipschitz, defect: f64, radius: f64, room: f64) -> f64 {
    // Strictly inside the cell.
    let mut r = up::mul_down(room, 1.0 - 1e-9);
    while r > radius {
        let omega = lipschitz.within(r);
        if up::add(defect, up::mul(omega, r)) < 1.0 {
            return r;
        }
        r *= 0.5;
    }
    radius
}
