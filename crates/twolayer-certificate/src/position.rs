//! A point with the scaling of its curvature, and Newton's steps from it.

use crate::directed as up;
use crate::enclosure::Enclosure;
use crate::hessian::{HessianRows, Residual};
use crate::instance::Instance;
use crate::point::Point;
use crate::real::{DoubleDouble, Real};
use crate::refusal::Refusal;
use crate::scaling::{Scaling, scale};
use std::rc::Rc;

const MOST_NEWTON_STEPS: usize = 20;

/// A point, the units that it is held on, and T.
pub(crate) struct Position<R> {
    pub(crate) point: Point,
    pub(crate) scaling: Scaling<R>,
    pub(crate) held: Vec<usize>,
    /// Newton steps taken to get here.
    pub(crate) steps: usize,
    hessian: HessianRows<R>,
}

impl<R: Real> Position<R> {
    /// At x (d), held on some units, with multipliers of zero.
    pub(crate) fn new(instance: &Instance, x: &[f64], held: Vec<usize>) -> Self {
        let multipliers = std::iter::repeat_n(0.0, held.len());
        let x = x.iter().copied().chain(multipliers).map(Into::into);
        let point = Point::new(instance, &held, x.collect(), None);
        Self::at(instance, point, held, None, 0)
    }

    fn at(
        instance: &Instance,
        point: Point,
        held: Vec<usize>,
        t: Option<Vec<R>>,
        steps: usize,
    ) -> Self {
        let hessian = HessianRows::new(instance, &held, &point);
        let scaling = scale(&hessian, t);
        Self {
            point,
            scaling,
            held,
            steps,
            hessian,
        }
    }

    /// Newton's method, until its steps stop shrinking.
    pub(crate) fn polish(mut self, instance: &Instance) -> Self {
        let mut last = f64::INFINITY;
        while self.steps < MOST_NEWTON_STEPS && self.scaling.scaled.defect < 1.0 {
            let (step, size) = self.newton_step();
            if !(size < 0.5 * last) || size == 0.0 {
                break;
            }
            let x = self.point.x.iter().zip(&step);
            let x: Vec<DoubleDouble> = x.map(|(&x, &p)| x + p).collect();
            let next = Point::new(instance, &self.held, x, Some(&self.point.cell));
            if !next.is_finite() {
                break;
            }
            let same_cell = Rc::ptr_eq(&next.cell, &self.point.cell);
            let steps = self.steps + 1;
            // With the curvature of a point before, steps shrink by a constant factor: as long as
            // that is a small one, nothing is won by a new curvature.
            if same_cell && size < 1e-6 * last.min(1e3) {
                (self.point, self.steps) = (next, steps);
            } else {
                let t = same_cell.then(|| self.scaling.t.clone());
                let held = self.held.clone();
                let renewed = Self::at(instance, next, held, t, steps);
                if !(renewed.scaling.scaled.defect < 1.0) {
                    break;
                }
                self = renewed;
            }
            last = size;
        }
        if self.steps == 0 {
            return self;
        }
        // The proof wants the curvature at the point itself.
        let Self {
            point,
            scaling,
            held,
            steps,
            ..
        } = self;
        Self::at(instance, point, held, Some(scaling.t), steps)
    }

    /// TᵀF, F the gradient of the Lagrangian (N), in the better of two ways: from F, whose error T
    /// may enlarge, or from C T, whose error the residual may enlarge.
    pub(crate) fn residual(&self) -> Residual {
        let by_rows = self.hessian.residual(&self.scaling.t, &self.point);
        let gradient = &self.point.gradient;
        let mut scaled = vec![Enclosure::ZERO; gradient.len()];
        for (row, &g) in self.scaling.t.chunks(gradient.len()).zip(gradient) {
            for (sum, t) in scaled.iter_mut().zip(row) {
                *sum = *sum + Enclosure::from(t.widen()) * g;
            }
        }
        let error = up::norm(scaled.iter().map(|y| y.radius));
        if by_rows.error < error {
            return by_rows;
        }
        Residual {
            middle: scaled.iter().map(|y| y.middle).collect(),
            error,
        }
    }

    /// −T D TᵀF (N), and the length of D TᵀF.
    fn newton_step(&self) -> (Vec<DoubleDouble>, f64) {
        let signs = &self.scaling.scaled.signs;
        let y = self.residual().middle;
        let y: Vec<DoubleDouble> = y
            .iter()
            .zip(signs)
            .map(|(y, &sign)| y.scaled(-sign))
            .collect();
        let dot = |row: &[R]| {
            let pairs = row.iter().zip(&y);
            pairs.fold(DoubleDouble::ZERO, |sum, (t, &y)| sum + t.widen() * y)
        };
        let step = self.scaling.t.chunks(y.len()).map(dot).collect();
        (step, up::norm(y.iter().map(|y| y.hi)))
    }

    /// ‖T_x‖₂ from above: how far x moves with y.
    pub(crate) fn input_norm(&self) -> f64 {
        let inputs = self.point.x.len() - self.held.len();
        let rows = &self.scaling.t[..inputs * self.point.x.len()];
        up::norm(rows.iter().map(|t| t.to_f64()))
    }

    /// ‖row i of C̄‖₂, from above (m).
    pub(crate) fn row_lengths(&self) -> Vec<f64> {
        self.hessian.row_lengths()
    }

    /// The kinks that must not be met.
    pub(crate) fn free_kinks(&self, instance: &Instance) -> impl Iterator<Item = usize> {
        instance.kinks().filter(|unit| !self.held.contains(unit))
    }

    /// Checks that y meets none within `radius`.
    pub(crate) fn check_kinks(&self, instance: &Instance, radius: f64) -> Result<(), Refusal> {
        let (d, n) = (instance.inputs, self.point.x.len());
        let t = &self.scaling.t[..d * n];
        let t: Vec<f64> = t.iter().map(|t| t.to_f64()).collect();
        let norm = self.input_norm();
        let gamma = up::gamma(d + 4, up::UNIT);
        let mut image = vec![0.0; n];
        for unit in self.free_kinks(instance) {
            // ‖row of A1 T_x‖: how fast h changes with y.
            let normal = instance.normal(unit);
            image.fill(0.0);
            for (&a, row) in normal.iter().zip(t.chunks(n)) {
                for (image, &t) in image.iter_mut().zip(row) {
                    *image += a * t;
                }
            }
            let size = up::mul(up::norm(normal.iter().copied()), norm);
            let error = up::add(up::mul(gamma, size), up::TINY);
            let slope = up::add(up::norm(image.iter().copied()), error);
            let distance = self.point.hidden[unit].mignitude();
            let reach = up::mul(radius, slope);
            if !(reach < distance) {
                return Err(Refusal::AtKink {
                    unit,
                    distance,
                    reach,
                });
            }
        }
        Ok(())
    }

    /// Every unit that is held must be held by both sides: 0 < μ < v at the stationary point.
    pub(crate) fn check_multipliers(
        &self,
        instance: &Instance,
        radius: f64,
    ) -> Result<(), Refusal> {
        let (d, n) = (instance.inputs, self.point.x.len());
        for (index, &unit) in self.held.iter().enumerate() {
            let row = &self.scaling.t[(d + index) * n..(d + index + 1) * n];
            let of_multiplier = up::mul(up::norm(row.iter().map(|t| t.to_f64())), radius);
            let multiplier = Enclosure::from(self.point.x[d + index]).widened(of_multiplier);
            // v = aᵀu changes by aᵀB dz, with ‖B‖ ≤ 3 for both losses, and w².
            let column = instance.a2.iter().skip(unit).step_by(instance.hidden);
            let column: Vec<f64> = column.copied().collect();
            let penalty = instance.squared_weights.iter().map(|w| w.magnitude());
            let bend = up::add(3.0, penalty.fold(0.0, f64::max));
            let change = up::mul(radius, self.scaling.scaled.image_norm);
            let length = up::norm(column.into_iter());
            let jump = self.point.jumps[index].widened(up::mul(length, up::mul(bend, change)));
            if !(multiplier.lower() > 0.0 && (jump - multiplier).lower() > 0.0) {
                return Err(Refusal::NotHeld {
                    unit,
                    multiplier: multiplier.middle.hi,
                    jump: jump.middle.hi,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
