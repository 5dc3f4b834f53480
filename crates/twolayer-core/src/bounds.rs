//! Bounds on the unknowns, and the ball: where x may lie.

use crate::error::Error;
use crate::reduce;
use crate::scalar::Scalar;

/// l ≤ x ≤ u, entry by entry, each bound finite or infinite; l = u holds an entry where it is.
///
/// To a solver each finite bound is a kink that cannot be crossed (see
/// [`Kinked::first_bound`](crate::Kinked::first_bound)): a hyperplane h(x) = 0 with x inside where h ≤ 0,
///
/// ```text
/// h = x_j − u_j at an upper bound,    h = l_j − x_j at a lower one,    h = x_j − u_j = 0 where l_j = u_j
/// ```
///
/// They are numbered from 0: those with l = u first, then entry by entry, the lower one first.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds<T> {
    lower: Vec<T>,
    upper: Vec<T>,
    planes: Vec<Plane>,
    /// How many of them have l = u.
    fixed: usize,
}

/// A finite bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plane {
    entry: usize,
    is_upper: bool,
}

impl<T: Scalar> Bounds<T> {
    /// `lower` (d) and `upper` (d), −∞ and ∞ where there is none.
    ///
    /// # Errors
    /// Different lengths; an entry that is NaN, ∞ in `lower` or −∞ in `upper`; a lower bound above the
    /// upper one.
    pub fn new(lower: Vec<T>, upper: Vec<T>) -> Result<Self, Error> {
        Error::check_length("upper", upper.len(), lower.len())?;
        check_numbers("lower", &lower, T::infinity())?;
        check_numbers("upper", &upper, T::neg_infinity())?;
        let mut pairs = lower.iter().zip(&upper);
        if let Some(index) = pairs.position(|(l, u)| l > u) {
            return Err(Error::Bounds {
                index,
                lower: lower[index].to_f64(),
                upper: upper[index].to_f64(),
            });
        }
        let is_fixed = |entry: &usize| lower[*entry] == upper[*entry];
        let plane = |entry, is_upper| Plane { entry, is_upper };
        let entries = 0..lower.len();
        let mut planes: Vec<_> = entries
            .clone()
            .filter(is_fixed)
            .map(|entry| plane(entry, true))
            .collect();
        let fixed = planes.len();
        for entry in entries.filter(|entry| !is_fixed(entry)) {
            let ends = [(lower[entry], false), (upper[entry], true)];
            let finite = ends.into_iter().filter(|(bound, _)| bound.is_finite());
            planes.extend(finite.map(|(_, is_upper)| plane(entry, is_upper)));
        }
        Ok(Self {
            lower,
            upper,
            planes,
            fixed,
        })
    }

    /// l (d).
    pub fn lower(&self) -> &[T] {
        &self.lower
    }

    /// u (d).
    pub fn upper(&self) -> &[T] {
        &self.upper
    }

    /// How many bounds are finite, those with l = u counted once.
    pub fn count(&self) -> usize {
        self.planes.len()
    }

    /// Whether bound number `bound` is one with l = u.
    pub fn is_fixed(&self, bound: usize) -> bool {
        bound < self.fixed
    }

    /// The entry of x that bound number `bound` is on.
    pub fn entry(&self, bound: usize) -> usize {
        self.planes[bound].entry
    }

    /// Whether bound number `bound` is an upper one; one with l = u is.
    pub fn is_upper(&self, bound: usize) -> bool {
        self.planes[bound].is_upper
    }

    /// The bound itself, number `bound`.
    pub fn value(&self, bound: usize) -> T {
        let Plane { entry, is_upper } = self.planes[bound];
        match is_upper {
            true => self.upper[entry],
            false => self.lower[entry],
        }
    }

    /// The one entry of the normal of bound number `bound`: 1 for an upper one, −1 for a lower one.
    pub fn sign(&self, bound: usize) -> T {
        match self.planes[bound].is_upper {
            true => T::one(),
            false => -T::one(),
        }
    }

    /// Appends h of every bound at x (d).
    pub fn append_distances(&self, x: &[T], distances: &mut Vec<T>) {
        let all = 0..self.count();
        distances.extend(all.map(|bound| self.distance(bound, x)));
    }

    fn distance(&self, bound: usize, x: &[T]) -> T {
        self.sign(bound) * (x[self.entry(bound)] - self.value(bound))
    }

    /// slopes = how h of every bound changes along a direction (d).
    pub fn slopes(&self, direction: &[T], slopes: &mut [T]) {
        for (bound, slope) in slopes.iter_mut().enumerate() {
            *slope = self.sign(bound) * direction[self.entry(bound)];
        }
    }

    /// sum ← sum + Σ multiples · normals (d), over all bounds.
    pub fn add_normals(&self, multiples: &[T], sum: &mut [T]) {
        for (bound, &multiple) in multiples.iter().enumerate() {
            sum[self.entry(bound)] += self.sign(bound) * multiple;
        }
    }

    /// Whether x (d) lies within the bounds. One with NaN does not.
    pub fn contains(&self, x: &[T]) -> bool {
        let mut ends = self.lower.iter().zip(&self.upper).zip(x);
        ends.all(|((l, u), x)| l <= x && x <= u)
    }

    /// Moves x (d) to the nearest point within the bounds, and the entries of the bounds `pinned` onto
    /// these; then, where ‖x‖ > `radius`, towards the point of least norm within the bounds, entries that
    /// are on one last. A NaN stays.
    pub fn confine(&self, pinned: impl Iterator<Item = usize>, radius: Option<T>, x: &mut [T]) {
        self.clamp(x);
        for bound in pinned {
            x[self.entry(bound)] = self.value(bound);
        }
        if let Some(radius) = radius
            && reduce::norm(x) > radius
            && !self.shrink(radius, true, x)
        {
            self.shrink(radius, false, x);
        }
    }

    fn clamp(&self, x: &mut [T]) {
        for (entry, x) in x.iter_mut().enumerate() {
            *x = self.within(entry, *x);
        }
    }

    /// The nearest to a number for an entry. NaN compares false.
    fn within(&self, entry: usize, x: T) -> T {
        let (lower, upper) = (self.lower[entry], self.upper[entry]);
        if x < lower {
            lower
        } else if x > upper {
            upper
        } else {
            x
        }
    }

    /// The least norm of a point within the bounds.
    pub fn least_norm(&self) -> T {
        let nearest = |entry| self.within(entry, T::zero());
        reduce::norm(&(0..self.lower.len()).map(nearest).collect::<Vec<_>>())
    }

    /// Moves x, within the bounds, towards the point b of least norm within them until ‖x‖ ≤ R: to
    /// b + t(x − b), where entries on a bound stay if they `hold`. Returns false, and changes nothing, where
    /// those alone are longer than R.
    fn shrink(&self, radius: T, hold: bool, x: &mut [T]) -> bool {
        let parts = |entry: usize, x: T| {
            let is_on_one = x == self.lower[entry] || x == self.upper[entry];
            let base = match hold && is_on_one {
                true => x,
                false => self.within(entry, T::zero()),
            };
            (base, x - base)
        };
        let [held, cross, square] = reduce::sums_of(x.len(), |entry| {
            let (base, rest) = parts(entry, x[entry]);
            let (base, rest) = (base.to_f64(), rest.to_f64());
            [base * base, base * rest, rest * rest]
        });
        let room = radius.to_f64().powi(2) - held;
        if hold && room < 0.0 {
            return false;
        }
        // b and x − b have one sign: no cancellation.
        let room = room.max(0.0);
        let root = (cross * cross + square * room).sqrt();
        let mut part = T::of(room / (cross + root));
        let mut cut = T::UNIT_ROUNDOFF;
        loop {
            if part.is_nan() || cut >= T::one() {
                part = T::zero();
            }
            let moved = |entry: usize, x: T| {
                let (base, rest) = parts(entry, x);
                self.within(entry, base + part * rest)
            };
            let norm = reduce::sum_of(x.len(), |entry| moved(entry, x[entry]).to_f64().powi(2));
            if part == T::zero() || T::of(norm.sqrt()) <= radius {
                let all = x.iter_mut().enumerate();
                all.for_each(|(entry, x)| *x = moved(entry, *x));
                return true;
            }
            part *= T::one() - cut;
            cut += cut;
        }
    }
}

fn check_numbers<T: Scalar>(name: &'static str, bounds: &[T], none: T) -> Result<(), Error> {
    let is_bad = |bound: &T| bound.is_nan() || *bound == none;
    match bounds.iter().position(is_bad) {
        None => Ok(()),
        Some(index) => Err(Error::Bound {
            name,
            index,
            value: bounds[index].to_f64(),
            none: -none.to_f64(),
        }),
    }
}

/// Scales `x` (d) into the ball ‖x‖ ≤ `radius` where it lies outside.
pub fn retract<T: Scalar>(radius: T, x: &mut [T]) {
    while reduce::norm(x) > radius {
        let scale = radius / reduce::norm(x) * (T::one() - T::UNIT_ROUNDOFF);
        x.iter_mut().for_each(|v| *v *= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: f64 = f64::INFINITY;

    fn bounds(pairs: &[(f64, f64)]) -> Bounds<f64> {
        let (lower, upper) = pairs.iter().copied().unzip();
        Bounds::new(lower, upper).unwrap()
    }

    #[test]
    fn finite_bounds_are_planes_with_x_on_their_negative_side() {
        let bounds = bounds(&[(-NONE, 2.0), (3.0, 3.0), (-NONE, NONE), (-1.0, 1.0)]);
        let planes: Vec<_> = (0..bounds.count())
            .map(|k| (bounds.entry(k), bounds.value(k), bounds.sign(k)))
            .collect();
        assert_eq!(
            planes,
            [(1, 3.0, 1.0), (0, 2.0, 1.0), (3, -1.0, -1.0), (3, 1.0, 1.0)]
        );
        assert!(bounds.is_fixed(0) && !bounds.is_fixed(1));
        let mut distances = Vec::new();
        bounds.append_distances(&[1.5, 3.0, 9.0, 0.25], &mut distances);
        assert_eq!(distances, [0.0, -0.5, -1.25, -0.75]);
        let mut slopes = [9.0; 4];
        bounds.slopes(&[1.0, 2.0, 3.0, 4.0], &mut slopes);
        assert_eq!(slopes, [2.0, 1.0, -4.0, 4.0]);
        let mut sum = [1.0; 4];
        bounds.add_normals(&[1.0, 2.0, 4.0, 8.0], &mut sum);
        assert_eq!(sum, [3.0, 2.0, 1.0, 5.0]);
    }

    #[test]
    fn bounds_that_are_none_are_refused_and_named() {
        let new = |l: &[f64], u: &[f64]| Bounds::new(l.to_vec(), u.to_vec()).unwrap_err();
        let said = |l: &[f64], u: &[f64]| new(l, u).to_string();
        assert!(said(&[0.0], &[1.0, 2.0]).contains("upper has shape (2,)"));
        assert_eq!(
            said(&[0.0, 2.0], &[1.0, 1.5]),
            "lower[1] is 2 and upper[1] is 1.5; a lower bound is at most the upper one"
        );
        assert_eq!(
            said(&[f64::NAN], &[1.0]),
            "lower[0] is NaN; a bound is a number, or -inf where there is none"
        );
        assert!(said(&[NONE], &[NONE]).contains("lower[0] is inf"));
        assert_eq!(
            said(&[-NONE, -NONE], &[0.0, -NONE]),
            "upper[1] is -inf; a bound is a number, or inf where there is none"
        );
        // −0 and 0 are the same number.
        assert_eq!(bounds(&[(0.0, -0.0)]).count(), 1);
    }

    #[test]
    fn a_point_is_moved_within_the_bounds_and_onto_those_that_hold_it() {
        let bounds = bounds(&[(0.0, 1.0), (-NONE, 2.0), (3.0, 3.0), (-1.0, NONE)]);
        let mut x = [-5.0, 9.0, 0.0, 4.0];
        assert!(!bounds.contains(&x));
        // Planes: entry 2 fixed; 0 lower, 0 upper; 1 upper; 3 lower.
        bounds.confine([2].into_iter(), None, &mut x);
        assert_eq!(x, [1.0, 2.0, 3.0, 4.0]);
        assert!(bounds.contains(&x));
        let mut x = [f64::NAN, 0.0, 3.0, 0.0];
        bounds.confine([].into_iter(), None, &mut x);
        assert!(x[0].is_nan() && !bounds.contains(&x));
    }

    /// In the ball too, to the bit, and never out of the bounds for its sake.
    #[test]
    fn a_point_is_moved_into_the_ball_within_the_bounds() {
        let bounds = bounds(&[(1.0, 5.0), (-2.0, 0.5), (-NONE, NONE), (0.0, 0.0)]);
        assert_eq!(bounds.least_norm(), 1.0);
        for k in 0..2000 {
            let number = |j: i32| 10.0 * (f64::from(k * 7 + j * 13) * 1.37).sin();
            let start = [number(0), number(1), number(2), number(3)];
            for radius in [1.0, 1.000_000_1, 2.5, 7.0] {
                let mut x = start;
                bounds.confine([].into_iter(), Some(radius), &mut x);
                assert!(bounds.contains(&x), "{x:?}");
                assert!(reduce::norm(&x) <= radius, "{x:?} {radius}");
                let again = x;
                bounds.confine([].into_iter(), Some(radius), &mut x);
                assert_eq!(x, again);
            }
        }
        // What is on a bound stays there where the ball has room for it.
        let mut x = [1.0, -2.0, 9.0, 0.0];
        bounds.confine([].into_iter(), Some(3.0), &mut x);
        assert_eq!((x[0], x[1], x[3]), (1.0, -2.0, 0.0));
        assert!((x[2] - 2.0).abs() < 1e-15);
        let mut x = [5.0, -2.0, 9.0, 0.0];
        bounds.confine([].into_iter(), Some(3.0), &mut x);
        assert!(bounds.contains(&x) && (reduce::norm(&x) - 3.0).abs() < 1e-14);
    }
}
