//! The quadratic model with the kinks in it, minimised over many cells at once.

mod jumps;

pub(crate) use jumps::Jumps;

use crate::crossings;
use jumps::SlopeJumps;
use twolayer_core::{Crossing, Evaluation, Kinked, Scalar, Subspace, reduce, solve_upper};

/// A convex, piecewise quadratic model of an objective around a point x:
///
/// ```text
/// m(p) = gᵀp + ½ pᵀ(H̃ + νI)p + Σᵢ vᵢ oᵢ(p),    RᵀR = H̃ + νI,  Rᵀs = g
/// ```
///
/// with oᵢ(p) how far x + p lies behind kink i as seen from x, in units of hᵢ, and vᵢ ≥ 0 the jump
/// of the objective's slope there (0 where the slope falls: a kink that invites is no hindrance), ∞ at a bound.
/// What a kink does to the curvature is left out.
///
/// In the coordinates y = Rp the quadratic part is ½‖y + s‖². The minimiser over the kinks that hold
/// (the set P) is a projection, the way to it is walked kink by kink, the first one behind which m
/// rises joins P, and where nothing is left to gain the multipliers say which of P to release, and to
/// which side: an active-set method for quadratic programs (J. Nocedal and S. J. Wright, Numerical
/// Optimization, §16.5), whose bounds on the multipliers are 0 ≤ μᵢ ≤ vᵢ. A turn costs products with
/// A1 and R, and nothing of size m: many kinks are pinned and released for the price of one
/// evaluation of the objective.
#[derive(Debug, Clone, Default)]
pub(crate) struct KinkModel<T> {
    /// R (d×d, upper triangular, row after row) and s (d).
    pub(crate) factor: Vec<T>,
    pub(crate) residual: Vec<T>,
    /// v.
    jumps: SlopeJumps<T>,
    /// p (d).
    pub(crate) step: Vec<T>,
    /// The kinks that hold x + p.
    pub(crate) pinned: Vec<usize>,
    /// y = Rp, the slope of m in it, and the way from y (d).
    position: Vec<T>,
    slope: Vec<T>,
    direction: Vec<T>,
    /// The same way in x (d), and how h changes along it (n).
    way: Vec<T>,
    rates: Vec<T>,
    /// h at x + p (n).
    distances: Vec<T>,
    /// The side of each kink that the slope belongs to, at x and at x + p; the negative one for
    /// kinks that are pinned (n).
    sides_at_x: Vec<bool>,
    sides: Vec<bool>,
    /// The multiple of each normal in the slope (n), and their sum (d).
    multiples: Vec<T>,
    sum: Vec<T>,
    crossings: Vec<Crossing<T>>,
}

/// Pins and releases at most.
const MOST_TURNS: usize = 400;
/// A slope, or a violation, of so many roundoffs of what it is the difference of is none.
const NOTICEABLE: f64 = 1e4;
impl<T: Scalar> KinkModel<T> {
    /// Makes room for d unknowns and n kinks, unless there is.
    pub(crate) fn make_room(&mut self, d: usize, n: usize) {
        if self.residual.len() == d && self.jumps.len() == n {
            return;
        }
        self.factor.resize(d * d, T::zero());
        for vector in [
            &mut self.residual,
            &mut self.step,
            &mut self.position,
            &mut self.slope,
            &mut self.direction,
            &mut self.way,
            &mut self.sum,
        ] {
            vector.resize(d, T::zero());
        }
        for vector in [&mut self.rates, &mut self.distances, &mut self.multiples] {
            vector.resize(n, T::zero());
        }
        self.jumps.make_room(n);
        self.sides_at_x.reserve(n);
        self.sides.reserve(n);
        self.crossings.reserve(n);
        self.pinned.reserve(d);
    }

    /// Minimises the model around a differentiated point that is held on `pinned`, from p = 0, or
    /// until it promises more than there is. A `multiplier` μ of the constraint ‖x‖ ≤ R, which the
    /// factor has in its damping already, pulls inward by μx. Returns the decrease that the model
    /// promises, and leaves p in `step`.
    pub(crate) fn minimize<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &mut O::Evaluation,
        multiplier: T,
        pinned: &[usize],
        jumps: Jumps,
    ) -> T {
        if multiplier > T::zero() {
            self.sum.fill(T::zero());
            reduce::axpy(multiplier, at.point(), &mut self.sum);
            solve_upper(&self.factor, &mut self.sum, true);
            reduce::axpy(T::one(), &self.sum, &mut self.residual);
        }
        let mut subspace = Subspace::whole(self.step.len());
        self.begin(problem, at, pinned, jumps, &mut subspace);
        let (mut promised, most) = (0.0, problem.most_to_gain(at.value()).to_f64());
        let most_turns = MOST_TURNS + 2 * (problem.kinks() - problem.first_bound());
        for _ in 0..most_turns {
            self.differentiate(problem, at);
            self.direction.clear();
            self.direction
                .extend(self.slope.iter().map(|&slope| -slope));
            subspace.project(&mut self.direction);
            let size = reduce::norm(&self.residual) + reduce::norm(&self.position);
            let length = reduce::norm(&self.direction);
            if length.is_nan() {
                break;
            }
            if length <= T::of(NOTICEABLE) * T::UNIT_ROUNDOFF * size {
                if self.release(problem, &mut subspace, size) {
                    continue;
                }
                break;
            }
            promised += self.walk(problem, at, &mut subspace);
            if promised > most {
                break;
            }
        }
        T::of(promised)
    }

    fn begin<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &mut O::Evaluation,
        pinned: &[usize],
        jumps: Jumps,
        subspace: &mut Subspace<T>,
    ) {
        self.position.fill(T::zero());
        self.distances.copy_from_slice(problem.signed_distances(at));
        self.sides_at_x.clear();
        self.sides_at_x.extend_from_slice(problem.sides(at));
        for &kink in pinned {
            self.distances[kink] = T::zero();
        }
        self.sides.clone_from(&self.sides_at_x);
        self.pinned.clear();
        for &kink in pinned {
            self.pin(problem, at, subspace, kink);
        }
        self.set_jumps(problem, at, jumps, subspace);
        self.step.fill(T::zero());
    }

    fn set_jumps<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &mut O::Evaluation,
        jumps: Jumps,
        subspace: &Subspace<T>,
    ) {
        let end = match jumps {
            Jumps::Kept => return,
            Jumps::AtThePoint => None,
            Jumps::BehindTheStep => {
                self.step.clear();
                self.step.extend(self.residual.iter().map(|&s| -s));
                subspace.project(&mut self.step);
                solve_upper(&self.factor, &mut self.step, false);
                Some(self.step.as_slice())
            }
        };
        problem.foresee(at, end);
        self.jumps.begin(problem, at, &self.pinned);
    }

    /// slope ← y + s + R⁻ᵀ Σ (what crossed kinks add).
    fn differentiate<O: Kinked<Scalar = T>>(&mut self, problem: &O, at: &O::Evaluation) {
        for (kink, multiple) in self.multiples.iter_mut().enumerate() {
            // What was crossed was met.
            let jump = self.jumps.known(kink);
            *multiple = match (self.sides_at_x[kink], self.sides[kink]) {
                (false, true) => jump,
                (true, false) => -jump,
                _ => T::zero(),
            };
        }
        self.slope.copy_from_slice(&self.position);
        reduce::axpy(T::one(), &self.residual, &mut self.slope);
        if self.multiples.iter().any(|&multiple| multiple != T::zero()) {
            problem.combine_normals(at, &self.multiples, &mut self.sum);
            solve_upper(&self.factor, &mut self.sum, true);
            reduce::axpy(T::one(), &self.sum, &mut self.slope);
        }
    }

    /// Holds x + p on a kink from here on, unless its normal depends on those that hold already.
    fn pin<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &O::Evaluation,
        subspace: &mut Subspace<T>,
        kink: usize,
    ) {
        problem.normal(at, kink, &mut self.sum);
        solve_upper(&self.factor, &mut self.sum, true);
        if subspace.constrain(&self.sum) {
            self.pinned.push(kink);
            self.sides[kink] = false;
        } else {
            self.jumps.waive(kink);
        }
    }

    /// Releases the kink with the largest violation of 0 ≤ μ ≤ v, to the side where m falls. `size` is that of
    /// what the slope is the sum of.
    fn release<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        subspace: &mut Subspace<T>,
        size: T,
    ) -> bool {
        if self.pinned.is_empty() {
            return false;
        }
        let multipliers = subspace.multipliers(&self.slope);
        let mut worst: Option<(T, usize, bool)> = None;
        for (index, (&mu, &kink)) in multipliers.iter().zip(&self.pinned).enumerate() {
            let jump = self.jumps.known(kink);
            let (negative, positive) = (-mu, mu - jump);
            let violation = num_traits::Float::max(negative, positive);
            let length = reduce::norm(subspace.normal(index));
            let size = match jump.is_infinite() {
                true => size / length,
                false => num_traits::Float::abs(mu) + jump,
            };
            if problem.is_fixed(kink) || violation <= T::of(NOTICEABLE) * T::UNIT_ROUNDOFF * size {
                continue;
            }
            let rate = violation * length;
            if worst.is_none_or(|(most, ..)| rate > most) {
                worst = Some((rate, index, positive > negative));
            }
        }
        let Some((_, index, positive)) = worst else {
            return false;
        };
        subspace.release(index);
        let kink = self.pinned.remove(index);
        self.sides[kink] = positive;
        // What depended on it does so no longer.
        self.jumps.forget_waived(problem.first_bound());
        true
    }

    /// Goes along the direction to the least value of m, and pins the kink that it lies on, if it
    /// does. Returns the decrease.
    fn walk<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        at: &O::Evaluation,
        subspace: &mut Subspace<T>,
    ) -> f64 {
        self.way.copy_from_slice(&self.direction);
        solve_upper(&self.factor, &mut self.way, false);
        problem.distance_slopes(at, &self.way, &mut self.rates);
        for &kink in &self.pinned {
            self.rates[kink] = T::zero();
        }
        let mut crossings = std::mem::take(&mut self.crossings);
        crossings::find(&self.distances, &self.rates, &self.sides, &mut crossings);
        self.jumps.meet_many(problem, at, &crossings);
        // The slope along the way is bend·(α − 1) + what the kinks behind add.
        let bend = reduce::dot(&self.direction, &self.direction).to_f64();
        let (mut added, mut position, mut decrease) = (0.0, 0.0, 0.0);
        let mut held = None;
        let mut end = 1.0;
        for &Crossing { fraction, kink } in &crossings {
            let fraction = fraction.to_f64();
            let least = 1.0 - added / bend;
            if least <= fraction {
                break;
            }
            decrease += fall(bend, added, position, fraction);
            position = fraction;
            let rate = num_traits::Float::abs(self.rates[kink]);
            added += (self.jumps.of(problem, at, kink) * rate).to_f64();
            if bend * (fraction - 1.0) + added >= 0.0 {
                held = Some(kink);
                break;
            }
            // A bound is passed by rounding only, where it depends on kinks that hold.
            if kink < problem.first_bound() {
                self.sides[kink] = !self.sides[kink];
            }
        }
        self.crossings = crossings;
        if held.is_some() {
            end = position;
        } else {
            end = f64::max(position, f64::min(end, 1.0 - added / bend));
            decrease += fall(bend, added, position, end);
        }
        let end = T::of(end);
        reduce::axpy(end, &self.direction, &mut self.position);
        reduce::axpy(end, &self.way, &mut self.step);
        reduce::axpy(end, &self.rates, &mut self.distances);
        if let Some(kink) = held {
            self.distances[kink] = T::zero();
            self.pin(problem, at, subspace, kink);
        }
        decrease
    }
}

/// What a slope of bend·(α − 1) + added falls from `from` to `to`.
fn fall(bend: f64, added: f64, from: f64, to: f64) -> f64 {
    -(to - from) * (bend * (0.5 * (from + to) - 1.0) + added)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use twolayer_core::Objective;

    const D: usize = 3;
    const N: usize = 7;

    /// Kinks in general position around the origin, and what their slopes jump by; the model knows
    /// the rest.
    struct Kinks {
        normals: [[f64; D]; N],
        jumps: [f64; N],
    }

    struct Origin {
        distances: [f64; N],
        sides: [bool; N],
    }

    impl Evaluation<f64> for Origin {
        fn point(&self) -> &[f64] {
            &[0.0; D]
        }
        fn value(&self) -> f64 {
            1e9
        }
        fn gradient(&self) -> &[f64] {
            &[0.0; D]
        }
    }

    impl Objective for Kinks {
        type Scalar = f64;
        type Evaluation = Origin;
        fn dimension(&self) -> usize {
            D
        }
        fn radius(&self) -> Option<f64> {
            None
        }
        fn new_evaluation(&self) -> Origin {
            Origin {
                distances: [1.0; N],
                sides: [true; N],
            }
        }
        fn evaluate(&self, _: &[f64], _: &[usize], _: &mut Origin) {}
        fn differentiate(&self, _: &mut Origin) {}
        fn rounding_error(&self, _: &Origin) -> f64 {
            0.0
        }
    }

    impl Kinked for Kinks {
        fn kinks(&self) -> usize {
            N
        }
        fn signed_distances<'a>(&self, at: &'a Origin) -> &'a [f64] {
            &at.distances
        }
        fn sides<'a>(&self, at: &'a Origin) -> &'a [bool] {
            &at.sides
        }
        fn distance_slopes(&self, _: &Origin, direction: &[f64], slopes: &mut [f64]) {
            for (slope, normal) in slopes.iter_mut().zip(&self.normals) {
                *slope = reduce::dot(normal, direction);
            }
        }
        fn normal(&self, _: &Origin, kink: usize, normal: &mut [f64]) {
            normal.copy_from_slice(&self.normals[kink]);
        }
        fn combine_normals(&self, _: &Origin, multiples: &[f64], sum: &mut [f64]) {
            sum.fill(0.0);
            for (&multiple, normal) in multiples.iter().zip(&self.normals) {
                reduce::axpy(multiple, normal, sum);
            }
        }
        fn slope_jumps(&self, _: &Origin, kinks: &[usize], jumps: &mut [f64]) {
            for (jump, &kink) in jumps.iter_mut().zip(kinks) {
                *jump = self.jumps[kink];
            }
        }
    }

    /// m(p) by its definition.
    fn value(model: &KinkModel<f64>, kinks: &Kinks, at: &Origin, p: &[f64]) -> f64 {
        let mut value = 0.0;
        for (i, &s) in model.residual.iter().enumerate() {
            value += 0.5 * (reduce::dot(&model.factor[i * D..][..D], p) + s).powi(2);
        }
        for (kink, normal) in kinks.normals.iter().enumerate() {
            let h = at.distances[kink] + reduce::dot(normal, p);
            let behind = if at.sides[kink] { -h } else { h };
            value += kinks.jumps[kink].max(0.0) * behind.max(0.0);
        }
        value
    }

    /// A convex function's local minimum is its least value: no point near or far is lower. Some
    /// kinks pass through the origin and hold it at first.
    #[test]
    fn the_minimum_is_below_every_other_point() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut held = 0;
        for case in 0..300 {
            let mut draw = |width: f64| random.random_range(-width..width);
            let kinks = Kinks {
                normals: std::array::from_fn(|_| std::array::from_fn(|_| draw(1.0))),
                jumps: std::array::from_fn(|_| draw(4.0)),
            };
            let mut distances: [f64; N] = std::array::from_fn(|_| draw(1.0));
            let pinned: Vec<usize> = (0..case % 3).collect();
            for &kink in &pinned {
                distances[kink] = 0.0;
            }
            let sides = distances.map(|h| h > 0.0);
            let mut at = Origin { distances, sides };
            let mut model = KinkModel::default();
            model.make_room(D, N);
            for i in 0..D {
                for j in i..D {
                    model.factor[i * D + j] = draw(1.0);
                }
                model.factor[i * D + i] += 2.0;
                model.residual[i] = draw(5.0);
            }
            let promised = model.minimize(&kinks, &mut at, 0.0, &pinned, Jumps::BehindTheStep);
            let least = value(&model, &kinks, &at, &model.step);
            let start = value(&model, &kinks, &at, &[0.0; D]);
            assert!((start - least - promised).abs() < 1e-11, "case {case}");
            for &kink in &model.pinned {
                let h = distances[kink] + reduce::dot(&kinks.normals[kink], &model.step);
                assert!(h.abs() < 1e-12, "case {case}");
            }
            held += model.pinned.len();
            for scale in [1e-4, 1e-2, 1.0] {
                for _ in 0..200 {
                    let other: Vec<f64> = model.step.iter().map(|p| p + draw(scale)).collect();
                    let other = value(&model, &kinks, &at, &other);
                    assert!(other >= least - 1e-12, "case {case}: {other} < {least}");
                }
            }
        }
        assert!(held > 100, "kinks held in only {held} places");
    }
}
